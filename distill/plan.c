/* See plan.h. */
#include "distill/plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "distill/seeds.h"

static const double train_memory = 3e9; /* activations that a training step keeps at most */

double encoder_parameters(const struct encoder_config *config, int num_layers)
{
    double hidden = config->hidden_size, inner = config->intermediate_size,
           embedding = config->embedding_size ? config->embedding_size : hidden;
    double rows = config->vocab_size + config->max_positions + config->type_vocab_size;
    double block = 4 * (hidden * hidden + hidden) + 2 * hidden * inner + inner + hidden +
                   4 * hidden; /* attention, feed-forward, two norms */
    double bridge = embedding == hidden ? 0 : embedding * hidden + hidden;
    return rows * embedding + 2 * embedding + bridge + num_layers * block;
}

static double student_parameters(const struct job *job, const struct plan_facts *facts)
{
    double projection = job->student.projection;
    return encoder_parameters(facts->student, (int)job->student.init.layers.count) +
           projection * (facts->student->hidden_size + 1);
}

/* ---- time ---- */

static double teacher_seconds(const struct plan_facts *facts, double tokens, double layers)
{
    return facts->rate > 0 ? tokens * layers / facts->rate : 0;
}

static double student_seconds(const struct job *job, const struct plan_facts *facts, double tokens)
{
    double width = (double)facts->student->hidden_size / facts->teacher->hidden_size;
    return teacher_seconds(facts, tokens, (double)job->student.init.layers.count * width * width);
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

static double all_tokens(const struct plan_facts *facts)
{
    return (double)facts->documents * facts->document_tokens +
           (double)facts->queries * facts->query_tokens;
}

/* ---- stages ---- */

static void plan_teach(struct plan_stage *out, const struct job *job,
                       const struct plan_facts *facts)
{
    out->wanted = job->teacher.taught;
    if (!out->wanted) return;
    double lists = (double)facts->teach_lists,
           others = job_has_pairs(job) ? 0 : job->teach.negatives_per_query,
           pairs = lists * (1 + others) * job->teach.epochs;
    double evaluations = job->teach.epochs * job->teach.evaluations_per_epoch;
    snprintf(out->work, sizeof out->work, "%.0f steps, %.0f pairs of about %.0f tokens",
             ceil(lists / job->teach.batch_queries) * job->teach.epochs, pairs, facts->pair_tokens);
    out->seconds = teacher_seconds(
        facts, (3 * pairs + evaluations * (double)facts->teach_dev) * facts->pair_tokens,
        facts->teacher->num_layers);
    /* Weights with both moments, the best weights, and the folder. */
    out->disk_bytes =
        5 * encoder_parameters(facts->teacher, facts->teacher->num_layers) * (double)sizeof(float);
}

static void plan_queries(struct plan_stage *out, const struct job *job,
                         const struct plan_facts *facts)
{
    out->wanted = job->data.queries & QUERIES_MADE;
    if (!out->wanted) return;
    snprintf(out->work, sizeof out->work, "%zu queries", facts->made);
    out->disk_bytes = 300 * (double)facts->made;
}

/* Of so many pairs, at most. */
static double sentences(const struct plan_facts *facts, double pairs)
{
    return least((double)facts->documents, 2 * pairs);
}

/* Of the teacher's layers: the probe's table has both forms, of 1 and 2 copies. */
static double probe_seconds(const struct job *job, const struct plan_facts *facts)
{
    bool any_layer = job->distill.hpd.layer == BY_PROBE,
         any_form = job->distill.hpd.form == BY_PROBE;
    double forms = job->distill.hpd.form == FORM_PAIR ? 2 : any_form ? 1.5 : 1;
    double layers = any_layer ? facts->teacher->num_layers / 2.0 : job->distill.hpd.layer;
    double probe_documents = least((double)facts->documents, job->probe.documents);
    if (job_has_pairs(job)) probe_documents = sentences(facts, (double)facts->dev);
    double probe_tokens = probe_documents * facts->document_tokens +
                          least((double)facts->dev, job->probe.queries) * facts->query_tokens;
    return teacher_seconds(facts, forms * all_tokens(facts), layers) +
           teacher_seconds(facts, 3 * probe_tokens, facts->teacher->num_layers);
}

static void plan_embed(struct plan_stage *out, const struct job *job,
                       const struct plan_facts *facts)
{
    double texts = (double)(facts->documents + facts->queries);
    out->wanted = job_uses_vectors(job);
    if (!out->wanted) {
        snprintf(out->work, sizeof out->work, "not needed: no vectors are copied or searched");
        return;
    }
    if (job->distill.hpd.source == VECTORS_FILE)
        snprintf(out->work, sizeof out->work, "%.0f vectors from a file", texts);
    else
        snprintf(out->work, sizeof out->work, "%.0f texts of about %.0f tokens", texts,
                 all_tokens(facts) / texts);
    if (job->distill.hpd.source == VECTORS_TEACHER) out->seconds = probe_seconds(job, facts);
    if (job->distill.hpd.source == VECTORS_ENCODER) {
        double width = (double)facts->encoder->hidden_size / facts->teacher->hidden_size;
        out->seconds =
            teacher_seconds(facts, all_tokens(facts), facts->encoder->num_layers * width * width);
    }
    out->disk_bytes = texts * facts->vector_width * sizeof(float);
}

static double scored_pairs(const struct job *job, const struct plan_facts *facts)
{
    return (double)facts->train * job->mine.scored + (double)facts->train_positives;
}

static void plan_mine(struct plan_stage *out, const struct job *job, const struct plan_facts *facts)
{
    double queries = (double)(facts->train + facts->dev);
    out->wanted = !job_has_pairs(job);
    if (!out->wanted) return;
    snprintf(out->work, sizeof out->work, "%.0f queries, %d candidates each", queries,
             job->mine.scored);
    if (facts->rate > 0) out->seconds = 1e-9 * queries * (double)facts->documents * 100;
    out->disk_bytes = 60 * queries * job->mine.scored;
}

static void plan_pair_scores(struct plan_stage *out, const struct job *job,
                             const struct plan_facts *facts)
{
    double pairs = (double)facts->train;
    out->wanted = job->distill.pair_targets & TARGET_TEACHER;
    if (!out->wanted) return;
    if (job->teacher.absent) {
        snprintf(out->work, sizeof out->work, "%.0f cosines of vectors", pairs);
        return;
    }
    snprintf(out->work, sizeof out->work, "%.0f pairs of about %.0f tokens", pairs,
             facts->pair_tokens);
    out->seconds = teacher_seconds(facts, pairs * facts->pair_tokens, facts->teacher->num_layers);
    out->disk_bytes = (24 + 2 * 60) * pairs;
}

static void plan_score(struct plan_stage *out, const struct job *job,
                       const struct plan_facts *facts)
{
    if (job_has_pairs(job)) {
        plan_pair_scores(out, job, facts);
        return;
    }
    double pairs = scored_pairs(job, facts);
    size_t files = job->teacher.scores.count;
    bool model = job_asks_model(job);
    struct text work = {0};
    out->wanted = job_has_scores(job);
    if (!out->wanted)
        text_puts(&work, "not needed: no teacher scores pairs");
    else if (model)
        text_printf(&work, "%.0f pairs of about %.0f tokens", pairs, facts->pair_tokens);
    else
        text_printf(&work, "%.0f pairs", pairs);
    if (files)
        text_printf(&work, "%s from %zu file%s of scores", model ? ", and" : "", files,
                    files == 1 ? "" : "s");
    snprintf(out->work, sizeof out->work, "%s", work.bytes);
    text_free(&work);
    if (model)
        out->seconds =
            teacher_seconds(facts, pairs * facts->pair_tokens, facts->teacher->num_layers);
    /* The cache's records, and the run for people. */
    if (out->wanted) out->disk_bytes = (60 + (model ? 24 : 0)) * pairs;
}

/* Of a document in training. */
static double trained_tokens(const struct job *job, const struct plan_facts *facts)
{
    return least(facts->document_tokens, job->distill.max_document_tokens);
}

/* Tokens of one training step. */
static double step_tokens(const struct job *job, const struct plan_facts *facts)
{
    double documents = 1 + job->mine.negatives_per_query;
    if (job_has_pairs(job)) return job->distill.batch_queries * 2 * trained_tokens(job, facts);
    return job->distill.batch_queries *
           (facts->query_tokens + documents * trained_tokens(job, facts));
}

/* Of mine.refresh_steps, while distilling. */
static double refreshes(const struct job *job, double steps)
{
    return job->mine.refresh_steps && steps > 0 ? floor((steps - 1) / job->mine.refresh_steps) : 0;
}

/* All texts for the student, and what it finds for the teacher, at most: some was found before. */
static double refresh_seconds(const struct job *job, const struct plan_facts *facts)
{
    double pairs = (double)facts->train * job->mine.refresh_depth;
    return student_seconds(job, facts, all_tokens(facts)) +
           teacher_seconds(facts, pairs * facts->pair_tokens, facts->teacher->num_layers);
}

static void plan_train(struct plan_stage *out, const struct job *job,
                       const struct plan_facts *facts)
{
    double steps = ceil((double)facts->train / job->distill.batch_queries) * job->distill.epochs;
    bool pairs = job_has_pairs(job);
    double texts = (double)facts->learnt + (pairs ? 0 : (double)facts->train);
    if (job->distill.hpd.max_texts) texts = least(texts, job->distill.hpd.max_texts);
    double hpd_steps = ceil(texts / job->distill.hpd.batch_texts) * job->distill.hpd.epochs;
    double runs = job->evaluate.systems & SYSTEM_NO_TEACHER ? 2 : 1;
    double mean = ((double)facts->documents * trained_tokens(job, facts) +
                   (double)facts->queries * facts->query_tokens) /
                  (double)(facts->documents + facts->queries);
    double dev_documents =
        pairs ? sentences(facts, (double)facts->dev)
              : least((double)facts->documents, (double)facts->dev * (job->mine.scored + 1));
    double evaluations = job->distill.epochs * job->distill.evaluations_per_epoch;
    char before[32] = "";
    if (hpd_steps > 0) snprintf(before, sizeof before, "%.0f HPD steps, ", hpd_steps);
    snprintf(out->work, sizeof out->work, "%s%.0f steps%s", before, steps,
             runs > 1 ? ", these also without the teacher" : "");
    double trained =
        texts * mean * job->distill.hpd.epochs + runs * steps * step_tokens(job, facts);
    out->seconds = student_seconds(
        job, facts, 3 * trained + runs * evaluations * dev_documents * facts->document_tokens);
    double again = refreshes(job, steps);
    size_t used = strlen(out->work);
    if (again > 0)
        snprintf(out->work + used, sizeof out->work - used, "; mined anew %.0f times", again);
    out->seconds += again * refresh_seconds(job, facts);
    /* A phase keeps weights with both moments, and the best weights. */
    out->disk_bytes = (1 + runs) * 4 * student_parameters(job, facts) * sizeof(float);
}

static void plan_evaluate(struct plan_stage *out, const struct job *job,
                          const struct plan_facts *facts)
{
    static const int encoders[] = {SYSTEM_STUDENT, SYSTEM_INIT, SYSTEM_NO_TEACHER};
    double systems = 0, pairs = 0;
    for (int i = 0; i < 3; i++) systems += (job->evaluate.systems & encoders[i]) != 0;
    double tokens = (double)facts->documents * facts->document_tokens +
                    (double)facts->test * facts->query_tokens;
    if (job->evaluate.systems & SYSTEM_TEACHER && job_asks_model(job))
        pairs = (double)facts->test * least(job->evaluate.rerank_depth, (double)facts->documents);
    if (job_has_pairs(job)) {
        tokens = sentences(facts, (double)(facts->test + facts->dev)) * facts->document_tokens;
        pairs = pairs > 0 ? (double)facts->test : 0;
    }
    snprintf(out->work, sizeof out->work, "%zu layers x %zu dims; %.0f pairs for the teacher%s",
             job->evaluate.layers.count, job->evaluate.dims.count, pairs,
             job_has_pairs(job) ? "" : " to re-rank");
    out->seconds = student_seconds(job, facts, systems * tokens) +
                   teacher_seconds(facts, tokens, facts->baseline_layers) +
                   teacher_seconds(facts, pairs * facts->pair_tokens, facts->teacher->num_layers);
    double points = systems * (double)(job->evaluate.layers.count * job->evaluate.dims.count) + 4;
    double bytes = job_has_pairs(job) ? 16 : 100 * 45; /* of a test pair, of a TREC run's query */
    out->disk_bytes = points * (double)facts->test * bytes + 24 * pairs;
}

static void plan_export(struct plan_stage *out, const struct job *job,
                        const struct plan_facts *facts)
{
    snprintf(out->work, sizeof out->work, "at most %.3g M parameters",
             student_parameters(job, facts) / 1e6);
    out->disk_bytes = student_parameters(job, facts) * sizeof(float);
}

/* The teacher with vectors of all documents, or training: weights, gradient, two moments and
 * activations. */
static double peak_memory(const struct job *job, const struct plan_facts *facts)
{
    double step = step_tokens(job, facts),
           hpd_step = job->distill.hpd.batch_texts * trained_tokens(job, facts);
    double kept = facts->student->hidden_size * (double)sizeof(float) * 24 *
                  (double)job->student.init.layers.count * (step > hpd_step ? step : hpd_step);
    double vectors = (double)(facts->documents + facts->queries) * facts->vector_width;
    double teacher = 8 * encoder_parameters(facts->teacher, facts->teacher->num_layers) +
                     2 * sizeof(float) * vectors;
    double gradients = 4 + facts->threads; /* weights, packed, two moments; one gradient a lane */
    double average = job->distill.average != AVERAGE_NONE;
    double training = (gradients + average) * student_parameters(job, facts) * sizeof(float) +
                      sizeof(float) * vectors + least(kept, train_memory);
    double taught = 0, means = (job->teach.average != AVERAGE_NONE) + (job->teach.init_share > 0);
    if (job->teacher.taught)
        taught = (gradients + means) * (double)sizeof(float) *
                     encoder_parameters(facts->teacher, facts->teacher->num_layers) +
                 least((double)sizeof(float) * 24 * facts->teacher->hidden_size *
                           facts->teacher->num_layers * job->teach.batch_queries *
                           (1 + job->teach.negatives_per_query) * facts->pair_tokens,
                       train_memory);
    return facts->text_bytes + fmax(taught, fmax(teacher, training));
}

void plan_estimate(struct plan *out, const struct job *job, const struct plan_facts *facts)
{
    static const struct {
        const char *name;
        void (*plan)(struct plan_stage *out, const struct job *job, const struct plan_facts *facts);
    } stages[PLAN_STAGES] = {{"teach", plan_teach},       {"queries", plan_queries},
                             {"embed", plan_embed},       {"mine", plan_mine},
                             {"score", plan_score},       {"train", plan_train},
                             {"evaluate", plan_evaluate}, {"export", plan_export}};
    const int first_own = (int)seeds_own_stage();
    *out = (struct plan){.memory_bytes = peak_memory(job, facts)};
    bool ended = false;
    for (int i = 0; i < PLAN_STAGES; i++) {
        struct plan_stage *stage = &out->stages[i];
        stage->name = stages[i].name;
        if (ended) continue;
        ended = facts->until && strcmp(facts->until, stage->name) == 0;
        stage->wanted = true;
        stages[i].plan(stage, job, facts);
        if (i >= first_own) /* rows of job_stages */
            stage->seconds *= facts->seeds, stage->disk_bytes *= facts->seeds;
        out->seconds += stage->seconds;
        out->disk_bytes += stage->disk_bytes;
    }
}
