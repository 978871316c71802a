/* The train stage: initial student, HPD on all texts, distillation, and the control that sees
 * labels only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/json.h"
#include "data/output.h"
#include "data/progress.h"
#include "data/sts.h"
#include "distill/checkpoint.h"
#include "distill/dev_eval.h"
#include "distill/job_run.h"
#include "distill/made_filter.h"
#include "distill/phases.h"
#include "distill/principal_axes.h"
#include "distill/refresh.h"
#include "distill/student_init.h"
#include "distill/targets.h"

struct train_stage {
    struct job_run *run;
    char *folder;                     /* runs/NAME/train */
    struct candidate_sets candidates; /* scored, of train queries */
    struct candidate_sets mined;      /* of dev queries too: they make the dev pool harder */
    struct train_query *queries;
    struct train_set set;
    /* All documents, then the versions of some without the query that was made of them. */
    const char **texts;
    uint32_t *document_of;
    size_t num_texts;
    struct train_pairs pairs;         /* instead of these, where the job is of pairs */
    float *pair_scores[PAIR_TARGETS]; /* by enum pair_target's order */
    struct sequences query_tokens, document_tokens;
    struct pca pca;
    struct student_start start;
    struct targets targets; /* of HPD and of aligned layers */
    struct dev_eval dev;
    struct dual_encoder student;
};

/* ---- what training reads ---- */

/* What the initial projection is made from, where HPD's vectors are those of the teacher's layers,
 * or of the encoder that the student starts from. */
static int read_start(struct train_stage *stage, struct error *err)
{
    const struct job *job = stage->run->job;
    if (!job_uses_hpd(job)) return 0;
    stage->start.of_folder = job->distill.hpd.source == VECTORS_ENCODER &&
                             job->student.init.kind == INIT_FOLDER &&
                             strcmp(job->distill.hpd.encoder, job->student.init.from) == 0;
    if (job->distill.hpd.source != VECTORS_TEACHER && !stage->start.of_folder) return 0;
    char *pca = job_run_path(stage->run, "pca.safetensors");
    char *choice = job_run_path(stage->run, "representations/choice.json");
    struct json *json = NULL;
    stage->start.pca = &stage->pca;
    int status = pca_read(&stage->pca, pca, err) || json_read_file(&json, choice, err) ||
                 json_get_number(&stage->start.length, json, "length", 1e-6, 1e6, choice, err);
    json_free(json);
    free(pca);
    free(choice);
    return status ? -1 : 0;
}

static void list_documents(struct train_stage *stage)
{
    const struct job_run *run = stage->run;
    const struct texts *documents = &run->collection.documents;
    size_t most = documents->count + run->made.count;
    stage->texts = xcalloc(most, sizeof *stage->texts);
    stage->document_of = xcalloc(most, sizeof *stage->document_of);
    for (size_t d = 0; d < documents->count; d++) {
        stage->texts[d] = documents->values[d];
        stage->document_of[d] = (uint32_t)d;
    }
    stage->num_texts = documents->count;
}

/* A made query: its weight; and the version of its positive without it, if it is removed. */
static void make_query(struct train_stage *stage, struct train_query *query,
                       const struct candidate_set *set)
{
    const struct made_query *made = made_query_of(&stage->run->made, set->query);
    if (!made) return;
    if (stage->run->job->data.made.weight == MADE_WEIGHT_PROBABILITY &&
        job_has_scores(stage->run->job))
        query->weight =
            made_score_of(set, stage->run->job->distill.teacher_temperature).probability;
    if (!made->remainder) return;
    stage->texts[stage->num_texts] = made->remainder;
    stage->document_of[stage->num_texts] = made->document;
    query->version = (uint32_t)stage->num_texts++;
}

/* Train queries with their scored candidates. */
static void split_candidates(struct train_stage *stage)
{
    const struct job_run *run = stage->run;
    const struct candidate_sets *sets = &stage->candidates;
    stage->queries = xcalloc(run->train.count, sizeof *stage->queries);
    size_t count = 0;
    for (size_t q = 0; q < run->train.count; q++) {
        const struct candidate_set *found = candidate_sets_find(sets, run->train.rows[q]);
        if (!found || !found->count || found->candidates[0].kind != CANDIDATE_POSITIVE) continue;
        struct train_query *query = &stage->queries[count++];
        *query = (struct train_query){.query = run->train.rows[q],
                                      .candidates = found->candidates,
                                      .num_candidates = found->count,
                                      .weight = 1};
        query->num_relevant =
            relevant_rows(&query->relevant, &run->collection, run->train.judged[q]);
        make_query(stage, query, found);
    }
    stage->set = (struct train_set){.queries = stage->queries,
                                    .count = count,
                                    .num_documents = stage->num_texts,
                                    .document_of = stage->document_of,
                                    .negatives = run->job->mine.negatives_per_query,
                                    .use_teacher = true,
                                    .seed = (uint64_t)run->job->distill.seed};
}

/* A version's targets are its document's. */
static void add_version_targets(struct train_stage *stage)
{
    for (size_t t = 0; t < stage->targets.count; t++) {
        struct matrix *targets = &stage->targets.all[t].documents;
        size_t width = targets->cols;
        if (targets->rows == stage->num_texts) continue;
        float *all = xaligned(stage->num_texts * width, sizeof *all);
        for (size_t d = 0; d < stage->num_texts; d++)
            memcpy(all + d * width, targets->values + stage->document_of[d] * width,
                   width * sizeof *all);
        free(targets->values);
        targets->values = all;
        targets->rows = stage->num_texts;
    }
}

/* What the job wants, or what the student can read. */
static int most_tokens(const struct train_stage *stage, int wanted)
{
    return wanted < stage->student.max_length ? wanted : stage->student.max_length;
}

enum { SCORES_LABELS, SCORES_TEACHER }; /* of pair_scores */

/* The teacher's scores of the train pairs, as the score stage left them. */
static int read_pair_scores(float *out, const struct job_run *run, struct error *err)
{
    struct sts_pairs scored;
    size_t n = run->train_pairs.count;
    char *path = job_run_path(run, "scores.tsv");
    int status = sts_read(&scored, path, "scores", err);
    if (!status && scored.count != n)
        status =
            fail(err, "%s: %zu pairs for %zu train pairs; delete the run folder to start again",
                 path, scored.count, n);
    for (size_t i = 0; !status && i < n; i++) out[i] = (float)scored.scores[i];
    sts_free(&scored);
    free(path);
    return status;
}

/* The train pairs with the scores that the job's losses copy, each from 0 to 1. */
static int read_pairs(struct train_stage *stage, struct error *err)
{
    const struct job_run *run = stage->run;
    const struct pair_set *set = &run->train_pairs;
    int status = 0;
    for (int t = 0; t < PAIR_TARGETS; t++)
        stage->pair_scores[t] = xcalloc(set->count, sizeof(float));
    for (size_t i = 0; i < set->count; i++)
        stage->pair_scores[SCORES_LABELS][i] = (float)set->pairs[i].score;
    if (run->job->distill.pair_targets & TARGET_TEACHER)
        status = read_pair_scores(stage->pair_scores[SCORES_TEACHER], run, err);
    stage->pairs = (struct train_pairs){.pairs = set->pairs, .count = set->count};
    for (int t = 0; t < PAIR_TARGETS; t++) {
        scores_to_unit(stage->pair_scores[t], stage->pair_scores[t], set->count);
        stage->pairs.scores[t] = stage->pair_scores[t];
    }
    return status;
}

static void tokenise(struct train_stage *stage)
{
    struct job_run *run = stage->run;
    const struct job *job = run->job;
    const struct texts *queries = &run->collection.queries;
    sequences_encode(&stage->query_tokens, stage->student.tokenizer, run->pool, queries->values,
                     NULL, queries->count, job->data.query_prefix,
                     most_tokens(stage, job->data.max_query_tokens));
    sequences_encode(&stage->document_tokens, stage->student.tokenizer, run->pool, stage->texts,
                     NULL, stage->num_texts, job->data.document_prefix,
                     most_tokens(stage, job->distill.max_document_tokens));
}

static void prepare_dev(struct train_stage *stage)
{
    struct job_run *run = stage->run;
    const struct job *job = run->job;
    stage->dev = (struct dev_eval){.de = &stage->student,
                                   .pool = run->pool,
                                   .collection = &run->dev_collection,
                                   .queries = &run->dev,
                                   .pairs = job_has_pairs(job) ? &run->dev_pairs : NULL,
                                   .taps = job->student.taps.items,
                                   .num_taps = job->student.taps.count,
                                   .cosine = job->distill.similarity == SIMILARITY_COSINE,
                                   .drop_same_id = job->data.drop_same_id,
                                   .max_query_tokens = job->data.max_query_tokens,
                                   .max_document_tokens = job->data.max_document_tokens};
    size_t capacity = 0, count = 0;
    for (size_t q = 0; q < run->dev.count; q++) {
        const struct candidate_set *found = candidate_sets_find(&stage->mined, run->dev.rows[q]);
        capacity += found ? found->count : 0;
    }
    uint32_t *rows = xcalloc(capacity, sizeof *rows);
    for (size_t q = 0; q < run->dev.count; q++) {
        const struct candidate_set *found = candidate_sets_find(&stage->mined, run->dev.rows[q]);
        for (size_t c = 0; found && c < found->count; c++)
            rows[count++] = found->candidates[c].document;
    }
    dev_eval_pool(&stage->dev, rows, count);
    free(rows);
}

/* ---- phases ---- */

static const enum loss_kind hpd_losses[] = {
    [HPD_MSE] = LOSS_HPD, [HPD_COSINE] = LOSS_HPD_COSINE, [HPD_GRAM] = LOSS_HPD_GRAM};

static struct phase_context context_of(struct train_stage *stage)
{
    const struct job *job = stage->run->job;
    const struct tap_list *taps = &job->student.taps;
    struct phase_context context = {
        .de = &stage->student,
        .tape = dual_encoder_tape(&stage->student, stage->run->pool, tape_keep_bytes),
        .queries = &stage->query_tokens,
        .documents = &stage->document_tokens,
        .num_targets = (int)stage->targets.count,
        .seed = (uint64_t)job->distill.seed,
        .dropout = job->distill.dropout > 0,
        .train = &stage->set,
        .pairs = job_has_pairs(job) ? &stage->pairs : NULL,
        .batch_queries = job->distill.batch_queries,
        .batch_texts = job->distill.hpd.batch_texts};
    REQUIRE(context.num_targets <= MAX_TARGETS);
    for (int t = 0; t < context.num_targets; t++) {
        const struct text_matrix *matrix = &stage->targets.all[t];
        context.targets[t] = (struct text_targets){.queries = matrix->queries.values,
                                                   .documents = matrix->documents.values,
                                                   .width = (int)matrix->documents.cols};
    }
    context.objective.cosine = job->distill.similarity == SIMILARITY_COSINE;
    context.objective.scale = 1 / job->distill.temperature;
    context.objective.teacher_temperature = job->distill.teacher_temperature;
    context.objective.coordinate_temperature = job->distill.coordinate_kl.temperature;
    context.objective.coordinate_detached = job->distill.coordinate_kl.detached;
    context.objective.full = taps->items[taps->count - 1];
    context.schedule =
        (struct tap_schedule){.full = context.objective.full,
                              .layer_weights = job->distill.tap_weights,
                              .rising_coordinates = job->distill.coordinate_kl.rising_weights,
                              .seed = (uint64_t)job->distill.seed,
                              .listed = taps->items,
                              .num_listed = taps->count,
                              .drawn = job->distill.taps == TAPS_DRAWN,
                              .layers = job->distill.sample.layers,
                              .from = &job->distill.sample.from,
                              .dims = job->distill.sample.dims,
                              .widths = &job->distill.sample.widths,
                              .full_width = job->distill.sample.full_width,
                              .same_widths = job->distill.sample.same_widths};
    return context;
}

static struct phase phase_of(const struct train_stage *stage, const char *name,
                             uint64_t total_steps, double learning_rate)
{
    const struct job *job = stage->run->job;
    return (struct phase){.name = name,
                          .total_steps = total_steps,
                          .warmup_steps = (uint64_t)(job->distill.warmup * (double)total_steps),
                          .learning_rate = learning_rate,
                          .weight_decay = job->distill.weight_decay,
                          .clip_norm = job->distill.clip_norm,
                          .layer_decay = job->distill.layer_decay,
                          .schedule = job->distill.schedule,
                          .checkpoint_seconds = 60 * job->distill.checkpoint_minutes,
                          .identity = job_run_stage_hash(stage->run, "train")};
}

static double evaluate_dev(void *arg, struct report *report)
{
    const struct phase_context *context = arg;
    return dev_eval_run(context->dev, report);
}

static int refresh_candidates(void *arg, uint64_t step, bool again, struct error *err)
{
    const struct phase_context *context = arg;
    return refresh_run(context->refresh, step, again, err);
}

static int run_phase(struct train_stage *stage, struct phase *phase, struct phase_context *context,
                     struct error *err)
{
    context->schedule.total_steps = phase->total_steps;
    phase_prepare(context);
    phase->arg = context;
    int status = trainer_run(&stage->student.encoder, phase, stage->folder, stage->run->pool, err);
    phase_release(context);
    return status;
}

/* Rows of the documents that training may look at, then of the train queries (counted after all
 * documents and their versions), at most max_texts of them by a seeded shuffle. */
static size_t hpd_texts(uint32_t **out, const struct train_stage *stage)
{
    const struct job_run *run = stage->run;
    uint32_t *all;
    size_t learnt = job_run_train_documents(&all, run), count = learnt + run->train.count;
    all = xrealloc(all, count, sizeof *all);
    for (size_t q = 0; q < run->train.count; q++)
        all[learnt + q] = (uint32_t)stage->num_texts + run->train.rows[q];
    size_t wanted = (size_t)run->job->distill.hpd.max_texts;
    *out = all;
    if (!wanted || wanted >= count) return count;
    uint32_t *order = xcalloc(count, sizeof *order);
    random_permutation(order, count, (uint64_t)run->job->distill.seed, 0x700);
    for (size_t i = 0; i < wanted; i++) order[i] = all[order[i]];
    free(all);
    *out = order;
    return wanted;
}

static int hpd_phase(struct train_stage *stage, struct error *err)
{
    const struct job *job = stage->run->job;
    const double align = job->distill.loss.align.start;
    if (!job->distill.hpd.epochs) return 0;
    uint32_t *texts;
    struct phase_context context = context_of(stage);
    context.num_hpd_texts = hpd_texts(&texts, stage);
    context.hpd_texts = texts;
    tap_schedule_term(&context.schedule, hpd_losses[job->distill.hpd.loss], 1, 1, 0);
    tap_schedule_term(&context.schedule, LOSS_ALIGN, align, align, ALIGNED_TARGETS);
    size_t batch = (size_t)job->distill.hpd.batch_texts;
    struct phase phase =
        phase_of(stage, "hpd",
                 (uint64_t)job->distill.hpd.epochs * ((context.num_hpd_texts + batch - 1) / batch),
                 job->distill.hpd.learning_rate);
    phase.step = hpd_step;
    int status = run_phase(stage, &phase, &context, err);
    free(texts);
    return status;
}

/* Losses of pairs, towards the labels, the teacher's scores, or both; without the teacher towards
 * the labels alone, by CoSENT where the job has none. */
static void add_pair_terms(struct tap_schedule *schedule, const struct job *job, bool teacher)
{
    double cosent = job->distill.loss.cosent;
    const double angle = job->distill.loss.angle, cosine_mse = job->distill.loss.cosine_mse;
    const int targets = teacher ? job->distill.pair_targets : TARGET_LABELS;
    if (!teacher && cosent + angle + cosine_mse == 0) cosent = 1;
    for (int t = 0; t < PAIR_TARGETS; t++) {
        if (!(targets & (t == SCORES_LABELS ? TARGET_LABELS : TARGET_TEACHER))) continue;
        tap_schedule_term(schedule, LOSS_COSENT, cosent, cosent, t);
        tap_schedule_term(schedule, LOSS_ANGLE, angle, angle, t);
        tap_schedule_term(schedule, LOSS_COSINE_MSE, cosine_mse, cosine_mse, t);
    }
}

/* InfoNCE of the labels. */
static void add_labels(struct tap_schedule *schedule, const struct job *job, double weight)
{
    bool both = job->distill.info_nce.both_directions;
    double forward = both ? weight / 2 : weight, back = both ? weight / 2 : 0;
    tap_schedule_term(schedule, LOSS_INFO_NCE, forward, forward, 0);
    tap_schedule_term(schedule, LOSS_INFO_NCE_TRANSPOSED, back, back, 0);
}

/* What the teacher gives. */
static void add_teacher(struct tap_schedule *schedule, const struct job *job)
{
    const struct loss_term terms[] = {
        {LOSS_LISTWISE_KL, job->distill.loss.listwise_kl, job->distill.loss.listwise_kl, 0},
        {LOSS_MARGIN_MSE, job->distill.loss.margin_mse, job->distill.loss.margin_mse, 0},
        {LOSS_RANKNET, job->distill.loss.ranknet, job->distill.loss.ranknet, 0},
        {LOSS_LAMBDA, job->distill.loss.lambda, job->distill.loss.lambda, 0},
        {LOSS_ADR_MSE, job->distill.loss.adr_mse, job->distill.loss.adr_mse, 0},
        {hpd_losses[job->distill.hpd.loss], job->distill.loss.hpd.start, job->distill.loss.hpd.end,
         0},
        {LOSS_ALIGN, job->distill.loss.align.start, job->distill.loss.align.end, ALIGNED_TARGETS}};
    for (size_t t = 0; t < sizeof terms / sizeof *terms; t++)
        tap_schedule_term(schedule, terms[t].kind, terms[t].start, terms[t].end, terms[t].target);
}

/* What the student gives itself.  The published factor of a distribution over coordinates is its
 * temperature. */
static void add_own(struct tap_schedule *schedule, const struct job *job)
{
    double coordinates = job->distill.loss.coordinate_kl * job->distill.coordinate_kl.temperature;
    tap_schedule_term(schedule, LOSS_SELF_KL, job->distill.loss.self_kl, job->distill.loss.self_kl,
                      0);
    tap_schedule_term(schedule, LOSS_COORDINATE_KL, coordinates, coordinates, 0);
    tap_schedule_term(schedule, LOSS_COMPRESS, job->distill.loss.compress,
                      job->distill.loss.compress, 0);
}

/* Of a student trained by the schedule. */
static int order_dimensions(struct train_stage *stage, const struct tap_schedule *schedule,
                            struct error *err)
{
    enum { DOCUMENTS = 10000 };
    const struct job *job = stage->run->job;
    struct int_list widths, layers;
    const char **texts;
    size_t count = job_run_sample_documents(&texts, stage->run, DOCUMENTS);
    tap_schedule_trained(&layers, &widths, schedule);
    const struct axes axes = {widths.items, widths.count, layers.items, (int)layers.count,
                              job->distill.similarity == SIMILARITY_COSINE};
    int status =
        turn_to_principal_axes(&stage->student, stage->run->pool, texts, count,
                               most_tokens(stage, job->data.max_document_tokens), &axes, err);
    free(texts);
    free(layers.items);
    free(widths.items);
    return status;
}

/* NAME.safetensors, what is measured and exported: the best weights, with their dimensions in
 * order. */
static int finish_student(struct train_stage *stage, const char *name,
                          const struct tap_schedule *schedule, struct error *err)
{
    if (stage->run->job->distill.principal_axes && order_dimensions(stage, schedule, err))
        return -1;
    char *path = xasprintf("%s/%s.safetensors", stage->folder, name);
    int status = weights_write(&stage->student.params, path, err);
    free(path);
    return status;
}

/* The control without a teacher has as many steps. */
static int distil_phase(struct train_stage *stage, const char *name, bool teacher,
                        struct error *err)
{
    const struct job *job = stage->run->job;
    struct phase_context context = context_of(stage);
    stage->set.use_teacher = teacher;
    context.dev = &stage->dev;
    bool pairs = job_has_pairs(job);
    add_labels(&context.schedule, job, teacher || pairs ? job->distill.loss.info_nce : 1);
    if (pairs) add_pair_terms(&context.schedule, job, teacher);
    if (teacher) add_teacher(&context.schedule, job);
    add_own(&context.schedule, job);
    uint64_t per_epoch = pairs ? pair_steps_per_epoch(&stage->pairs, job->distill.batch_queries)
                               : steps_per_epoch(&stage->set, job->distill.batch_queries);
    struct phase phase = phase_of(stage, name, (uint64_t)job->distill.epochs * per_epoch,
                                  job->distill.learning_rate);
    uint64_t evaluations = (uint64_t)job->distill.evaluations_per_epoch;
    phase.step = pairs ? pairs_step : distil_step;
    phase.evaluate_every = per_epoch > evaluations ? per_epoch / evaluations : 1;
    phase.evaluate = evaluate_dev;
    phase.patience = job->distill.patience;
    struct refresh refresh = {.run = stage->run,
                              .student = &stage->student,
                              .first = &stage->candidates,
                              .set = &stage->set};
    context.refresh = &refresh;
    phase.refresh = refresh_candidates;
    phase.refresh_every = teacher ? (uint64_t)job->mine.refresh_steps : 0;
    phase.averaging = (struct averaging){job->distill.average, job->distill.ema_decay,
                                         job->distill.average_share};
    const struct tap_schedule schedule = context.schedule; /* the phase leaves no context */
    int status = run_phase(stage, &phase, &context, err);
    refresh_end(&refresh);
    return status ? -1 : finish_student(stage, name, &schedule, err);
}

static int start_student(struct train_stage *stage, const struct student_start *start,
                         struct error *err)
{
    dual_encoder_free(&stage->student);
    return student_init(&stage->student, stage->run, start, err);
}

static int save_init(struct train_stage *stage, struct error *err)
{
    char *path = xasprintf("%s/init.safetensors", stage->folder);
    int status = weights_write(&stage->student.params, path, err);
    free(path);
    return status;
}

static int train_all(struct train_stage *stage, struct error *err)
{
    struct job_run *run = stage->run;
    if ((job_copies_targets(run->job) && targets_read(&stage->targets, run, err)) ||
        read_start(stage, err) || start_student(stage, &stage->start, err) || save_init(stage, err))
        return -1;
    add_version_targets(stage);
    tokenise(stage);
    prepare_dev(stage);
    if (hpd_phase(stage, err) || distil_phase(stage, "distil", true, err)) return -1;
    if (!(run->job->evaluate.systems & SYSTEM_NO_TEACHER)) return 0;
    const struct student_start own = {0};
    if (start_student(stage, &own, err)) return -1;
    return distil_phase(stage, "no-teacher", false, err);
}

static int read_candidates(struct train_stage *stage, struct error *err)
{
    const struct job_run *run = stage->run;
    char *scores = job_run_path(run, job_has_scores(run->job) ? "scores.trec" : "candidates.trec");
    char *mined = job_run_path(run, "candidates.trec");
    int status = candidate_sets_read(&stage->candidates, &run->collection, scores, err);
    if (!status) status = candidate_sets_read(&stage->mined, &run->collection, mined, err);
    free(scores);
    free(mined);
    if (status) return -1;
    split_candidates(stage);
    note("train: %zu queries, %zu texts; dev: %zu queries", stage->set.count,
         run->collection.documents.count, run->dev.count);
    if (stage->set.count) return 0;
    return fail(err, "%s: no train query has a known relevant document among its candidates",
                run->job->data.collection);
}

int train_stage(struct job_run *run, struct error *err)
{
    struct train_stage stage = {.run = run, .folder = job_run_path(run, "train")};
    list_documents(&stage);
    int status = job_has_pairs(run->job) ? read_pairs(&stage, err) : read_candidates(&stage, err);
    if (!status) status = train_all(&stage, err);
    free(stage.folder);
    for (size_t q = 0; q < stage.set.count; q++) free(stage.queries[q].relevant);
    free(stage.queries);
    free(stage.texts);
    free(stage.document_of);
    for (int t = 0; t < PAIR_TARGETS; t++) free(stage.pair_scores[t]);
    candidate_sets_free(&stage.candidates);
    candidate_sets_free(&stage.mined);
    sequences_free(&stage.query_tokens);
    sequences_free(&stage.document_tokens);
    targets_free(&stage.targets);
    pca_free(&stage.pca);
    dev_eval_free(&stage.dev);
    dual_encoder_free(&stage.student);
    return status;
}
