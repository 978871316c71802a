/* retort plan: everything that a job names is opened and looked at, so that what would fail after
 * an hour fails now; then the estimate of plan.h, with the teacher's rate measured here. */
#include "distill/plan_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/options.h"
#include "data/output.h"
#include "data/progress.h"
#include "data/sts.h"
#include "distill/inspect.h"
#include "distill/job_run.h"
#include "distill/made_queries.h"
#include "distill/plan.h"
#include "distill/recipes.h"
#include "distill/seeds.h"
#include "distill/teach_start.h"

enum { SAMPLE = 400, CALIBRATION_PAIRS = 64 };
static const double calibration_seconds = 2;

/* What a job names, opened. */
struct planning {
    struct job job;
    struct pool *pool;
    struct collection collection;
    struct made_queries made;
    struct query_set train, dev, test;
    struct cross_encoder *teacher;
    struct dual_encoder instead;   /* whose speed is measured where the teacher is absent */
    struct encoder_config start;   /* what the student is made from */
    struct encoder_config encoder; /* distill.hpd.encoder */
    struct plan_facts facts;
};

static void planning_free(struct planning *planning)
{
    query_set_free(&planning->train);
    query_set_free(&planning->dev);
    query_set_free(&planning->test);
    made_queries_free(&planning->made);
    collection_free(&planning->collection);
    cross_encoder_close(planning->teacher);
    dual_encoder_free(&planning->instead);
    if (planning->pool) pool_close(planning->pool);
    job_free(&planning->job);
}

/* ---- checks ---- */

static int read_shape(struct encoder_config *out, const char *folder, struct error *err)
{
    struct hf_config config;
    return hf_config_read(&config, folder, err) || encoder_config_from_hf(out, &config, err) ? -1
                                                                                             : 0;
}

/* What will be taught is as fast before as after; where the teacher is absent, another model of the
 * job stands for it. */
static int open_teacher(struct planning *planning, struct error *err)
{
    const struct job *job = &planning->job;
    const char *encoder = job->distill.hpd.source == VECTORS_ENCODER ? job->distill.hpd.encoder
                                                                     : job->student.init.from;
    if (job->teacher.taught
            ? teach_start(&planning->teacher, job, &planning->collection, planning->pool, err)
        : job->teacher.absent
            ? dual_encoder_open(&planning->instead, encoder, 0, job->precision, err)
            : cross_encoder_open(&planning->teacher, job->teacher.model, job->teacher.precision,
                                 err))
        return -1;
    planning->facts.teacher = planning->teacher ? cross_encoder_config(planning->teacher)
                                                : &planning->instead.encoder.config;
    return 0;
}

/* After job_fit_models, which refuses what cannot be read. */
static int look_at_models(struct planning *planning, struct error *err)
{
    const struct job *job = &planning->job;
    struct plan_facts *facts = &planning->facts;
    struct hf_config config;
    for (size_t i = 0; i < job->evaluate.baselines.count; i++) {
        if (hf_config_read(&config, job->evaluate.baselines.items[i], err)) return -1;
        facts->baseline_layers += config.num_layers;
    }
    if (open_teacher(planning, err)) return -1;
    planning->start = *facts->teacher;
    if (job->student.init.kind == INIT_FOLDER &&
        read_shape(&planning->start, job->student.init.from, err))
        return -1;
    if (job->distill.hpd.source == VECTORS_ENCODER &&
        read_shape(&planning->encoder, job->distill.hpd.encoder, err))
        return -1;
    facts->student = &planning->start;
    facts->encoder = &planning->encoder;
    return job_vector_width(&facts->vector_width, job, err);
}

static size_t count_positives(const struct collection *collection, const struct query_set *set,
                              int most)
{
    size_t positives = 0;
    for (size_t q = 0; q < set->count; q++) {
        uint32_t *rows;
        size_t relevant = relevant_rows(&rows, collection, set->judged[q]);
        positives += relevant < (size_t)most ? relevant : (size_t)most;
        free(rows);
    }
    return positives;
}

/* Queries and dev pairs that a taught teacher learns from and is chosen by. */
static int count_lessons(struct planning *planning, struct error *err)
{
    const struct job *job = &planning->job;
    struct plan_facts *facts = &planning->facts;
    struct sts_pairs train, dev;
    size_t watched = (size_t)job->teach.dev_queries;
    facts->teach_lists = facts->train;
    facts->teach_dev =
        (facts->dev < watched ? facts->dev : watched) * (size_t)job->teach.candidates;
    if (!job->teacher.taught || job_is_none(job->teach.pairs)) return 0;
    if (strcmp(job->teach.pairs, job->data.pairs) == 0) { /* at most as many lists as pairs */
        facts->teach_dev = facts->dev;
        return 0;
    }
    if (sts_read(&train, job->teach.pairs, "train", err)) return -1;
    struct strmap queries = {0};
    for (size_t i = 0; i < train.count; i++) strmap_insert(&queries, train.first[i], 0);
    facts->teach_lists = queries.count;
    strmap_free(&queries);
    sts_free(&train);
    if (sts_read(&dev, job->teach.pairs, "dev", err)) return -1;
    facts->teach_dev = dev.count;
    sts_free(&dev);
    return 0;
}

static int count_pairs(struct planning *planning, struct error *err)
{
    const struct job *job = &planning->job;
    const struct collection *collection = &planning->collection;
    struct plan_facts *facts = &planning->facts;
    struct pair_set train, dev, test;
    uint32_t *learnt;
    pair_sets_split(&train, &dev, collection, job);
    pair_set_of(&test, collection, job->data.test_split);
    bool tests = stages_need_test(facts->until);
    int status = pair_sets_check(&train, &dev, tests ? &test : NULL, job, err);
    size_t most = (size_t)job->data.max_train_queries;
    facts->learnt = pair_set_documents(&learnt, &train, facts->documents);
    facts->train = most && most < train.count ? most : train.count;
    facts->dev = dev.count;
    facts->test = test.count;
    free(learnt);
    pair_set_free(&train);
    pair_set_free(&dev);
    pair_set_free(&test);
    return status;
}

static int count_queries(struct planning *planning, struct error *err)
{
    const struct job *job = &planning->job;
    const struct collection *collection = &planning->collection;
    struct plan_facts *facts = &planning->facts;
    if (made_queries_add(&planning->made, &planning->collection, job, err)) return -1;
    query_sets_split(&planning->train, &planning->dev, collection, job);
    query_set_measured(&planning->test, &planning->dev, collection, job);
    bool tests = stages_need_test(facts->until);
    if (query_sets_check(&planning->train, &planning->dev, tests ? &planning->test : NULL,
                         collection, job, err))
        return -1;
    size_t most = (size_t)job->data.max_train_queries;
    facts->learnt = facts->documents;
    facts->train = most && most < planning->train.count ? most : planning->train.count;
    facts->dev = planning->dev.count;
    facts->made = planning->made.count;
    facts->test = planning->test.count;
    facts->train_positives = count_positives(collection, &planning->train, job->mine.positives);
    return 0;
}

static int check_collection(struct planning *planning, struct error *err)
{
    const struct job *job = &planning->job;
    struct collection *collection = &planning->collection;
    if (job_collection_read(collection, job, err)) return -1;
    planning->facts.documents = collection->documents.count;
    planning->facts.queries = collection->queries.count;
    if (job_has_pairs(job) ? count_pairs(planning, err) : count_queries(planning, err)) return -1;
    return count_lessons(planning, err);
}

/* ---- measuring ---- */

/* Mean length of texts spread evenly over the list, as a tokenizer cuts them; with second: of
 * pairs. */
static double mean_tokens(const struct tokenizer *tokenizer, const struct texts *first,
                          const struct texts *second, int max_length)
{
    struct token_list tokens = {0};
    double sum = 0;
    for (size_t i = 0; i < SAMPLE && first->count; i++) {
        const char *text = first->values[i * first->count / SAMPLE];
        const char *other = second ? second->values[i * second->count / SAMPLE] : NULL;
        tokenizer_encode(tokenizer, &tokens, text, other, max_length);
        sum += (double)tokens.count;
    }
    token_list_free(&tokens);
    return sum / SAMPLE;
}

static double bytes_of(const struct texts *texts)
{
    double bytes = 130 * (double)texts->count;
    for (size_t i = 0; i < texts->count; i++) bytes += (double)strlen(texts->values[i]);
    return bytes;
}

/* What stands first in the teacher's pairs. */
static const struct texts *asking(const struct planning *planning)
{
    const struct collection *collection = &planning->collection;
    return job_has_pairs(&planning->job) ? &collection->documents : &collection->queries;
}

/* Reads the same pairs, or documents, again. */
struct calibration {
    const char *queries[CALIBRATION_PAIRS], *documents[CALIBRATION_PAIRS];
    int length;
    float *out;
};

static void read_again(const struct planning *planning, struct calibration *texts)
{
    const struct dual_encoder *instead = &planning->instead;
    if (planning->teacher) {
        cross_encoder_score(planning->teacher, planning->pool, texts->queries, texts->documents,
                            CALIBRATION_PAIRS, texts->length, texts->out);
        return;
    }
    const struct embed_request request = {.texts = texts->documents,
                                          .count = CALIBRATION_PAIRS,
                                          .prompt = "",
                                          .max_length = texts->length,
                                          .layers = &instead->encoder.config.num_layers,
                                          .num_layers = 1};
    dual_encoder_embed(instead, planning->pool, &request, &texts->out);
}

/* Tokens times layers a second, from doing that for a short time. */
static double teacher_rate(const struct planning *planning, double tokens, int length)
{
    const struct texts *queries = asking(planning), *documents = &planning->collection.documents;
    const struct cross_encoder *teacher = planning->teacher;
    size_t values =
        (size_t)(teacher ? cross_encoder_num_labels(teacher) : planning->instead.output_size);
    struct calibration texts = {.length = length,
                                .out = xcalloc(values * CALIBRATION_PAIRS, sizeof(float))};
    for (size_t i = 0; i < CALIBRATION_PAIRS; i++) {
        texts.queries[i] = queries->values[i * queries->count / CALIBRATION_PAIRS];
        texts.documents[i] = documents->values[i * documents->count / CALIBRATION_PAIRS];
    }
    double start = 0, seconds = 0, rounds = -1; /* the first round only warms up */
    while (seconds < calibration_seconds) {
        if (rounds == 0) start = seconds_now();
        read_again(planning, &texts);
        rounds++;
        if (rounds > 0) seconds = seconds_now() - start;
    }
    free(texts.out);
    return rounds * CALIBRATION_PAIRS * tokens * planning->facts.teacher->num_layers / seconds;
}

static void measure(struct planning *planning, bool quick)
{
    const struct job *job = &planning->job;
    struct plan_facts *facts = &planning->facts;
    const struct cross_encoder *teacher = planning->teacher;
    const struct tokenizer *tokenizer =
        teacher ? cross_encoder_tokenizer(teacher) : planning->instead.tokenizer;
    const struct texts *queries = &planning->collection.queries,
                       *documents = &planning->collection.documents;
    int most = teacher ? cross_encoder_max_length(teacher, job->teacher.max_length)
                       : job->data.max_document_tokens;
    facts->document_tokens = mean_tokens(tokenizer, documents, NULL, job->data.max_document_tokens);
    facts->query_tokens = mean_tokens(tokenizer, queries, NULL, job->data.max_query_tokens);
    facts->pair_tokens = mean_tokens(tokenizer, asking(planning), documents, most);
    facts->text_bytes = bytes_of(queries) + bytes_of(documents);
    facts->threads = pool_size(planning->pool);
    if (!quick)
        facts->rate =
            teacher_rate(planning, teacher ? facts->pair_tokens : facts->document_tokens, most);
}

/* ---- printing ---- */

static const char *duration(char buffer[32], double seconds)
{
    if (seconds < 90)
        snprintf(buffer, 32, "%.0f s", seconds);
    else if (seconds < 5400)
        snprintf(buffer, 32, "%.0f min", seconds / 60);
    else
        snprintf(buffer, 32, "%.1f h", seconds / 3600);
    return buffer;
}

static void print_teacher(const struct planning *planning, struct text *out)
{
    const struct job *job = &planning->job;
    const struct encoder_config *teacher = planning->facts.teacher;
    char number[16], *words = job_teacher_words(job);
    fact(out, "teacher", "%s", words);
    free(words);
    if (planning->teacher)
        fact(out, "", "%d layers of width %d, %s parameters, %s", teacher->num_layers,
             teacher->hidden_size,
             short_number(number, encoder_parameters(teacher, teacher->num_layers)),
             precision_name(cross_encoder_encoder(planning->teacher)->precision));
    for (size_t i = 0; i < job->teacher.scores.count; i++)
        if (!path_exists(job->teacher.scores.items[i]))
            fact(out, "", "%s is not there yet: the stage %s wants it",
                 job->teacher.scores.items[i], job->mine.sources & MINE_SCORES ? "mine" : "score");
    if (job->distill.hpd.source == VECTORS_FILE || job->distill.hpd.source == VECTORS_ENCODER)
        fact(out, "vectors", "%s, width %d",
             job->distill.hpd.source == VECTORS_FILE ? job->distill.hpd.targets
                                                     : job->distill.hpd.encoder,
             planning->facts.vector_width);
}

static void print_models(const struct planning *planning, struct text *out)
{
    const struct job *job = &planning->job;
    struct text taps = {0};
    char number[16];
    print_teacher(planning, out);
    for (size_t i = 0; i < job->student.taps.count; i++)
        text_printf(&taps, " [%d, %d]", job->student.taps.items[i].layer,
                    job->student.taps.items[i].dim);
    fact(out, "student", "%zu layers of width %d from %s, %s parameters",
         job->student.init.layers.count, planning->start.hidden_size, job->student.init.from,
         short_number(number,
                      encoder_parameters(&planning->start, (int)job->student.init.layers.count)));
    if (job->student.projection) fact(out, "", "projection to %d", job->student.projection);
    fact(out, "", "recipe %s; all keys: retort plan --resolved",
         recipe_words[job->student.recipe].word);
    if (job->distill.taps == TAPS_DRAWN)
        fact(out, "", "taps that distill.sample gives each step; dev measures at%s", taps.bytes);
    else
        fact(out, "", "taps%s", taps.bytes);
    if (job->distill.max_document_tokens < job->data.max_document_tokens)
        fact(out, "",
             "learns from %d tokens of a document and embeds %d: few layers lose by it "
             "(distill.max_document_tokens)",
             job->distill.max_document_tokens, job->data.max_document_tokens);
    text_free(&taps);
}

/* The teacher has not read them yet: how many it will leave is not known. */
static void print_made(const struct planning *planning, struct text *out)
{
    struct made_counts counts = made_queries_count(&planning->made);
    if (!planning->made.count) return;
    fact(out, "",
         "%zu queries are made: %zu titles, %zu sentences, %zu of them removed from their "
         "document; data.made.keep will drop some",
         planning->made.count, counts.titles, planning->made.count - counts.titles, counts.removed);
    const char *warning = made_queries_warning(&planning->made, &planning->job);
    if (warning) fact(out, "", "%s", warning);
    if (is_measured_on_dev(&planning->collection, &planning->job))
        fact(out, "", "no judgements of split %s: the grid will be measured on dev",
             planning->job.data.test_split);
}

static void print_plan(const struct planning *planning, const struct plan *plan, struct text *out)
{
    const struct plan_facts *facts = &planning->facts;
    char time[32], disk[16], memory[16];
    fact(out, "job", "%s (%s)", planning->job.name, planning->job.path);
    bool pairs = job_has_pairs(&planning->job);
    fact(out, pairs ? "pairs" : "collection", "%s", job_data_path(&planning->job));
    fact(out, "", "%zu %s of about %.0f tokens; %s: %zu train, %zu dev, %zu test", facts->documents,
         pairs ? "sentences" : "documents", facts->document_tokens, pairs ? "pairs" : "queries",
         facts->train, facts->dev, facts->test);
    print_made(planning, out);
    print_models(planning, out);
    text_puts(out, "\n");
    if (facts->seeds > 1)
        fact(out, "seeds",
             "%d trainings, each measured and exported: train, evaluate and export "
             "are of all together",
             facts->seeds);
    fact(out, "stage", "%-8s %-10s %s", "time", "disk", "work");
    for (int i = 0; i < PLAN_STAGES; i++) {
        const struct plan_stage *stage = &plan->stages[i];
        if (!stage->wanted && *stage->work)
            fact(out, stage->name, "%-8s %-10s %s", "-", "-", stage->work);
        if (!stage->wanted) continue;
        fact(out, stage->name, "%-8s %-10s %s",
             facts->rate > 0 ? duration(time, stage->seconds) : "?",
             short_bytes(disk, stage->disk_bytes), stage->work);
    }
    text_puts(out, "\n");
    if (facts->rate > 0)
        fact(out, "time", "about %s with %d threads (within a factor of 1.5)",
             duration(time, plan->seconds), facts->threads);
    fact(out, "disk", "about %s", short_bytes(disk, plan->disk_bytes));
    fact(out, "memory", "about %s", short_bytes(memory, plan->memory_bytes));
}

static int make_plan(struct planning *planning, bool quick, struct text *out, struct error *err)
{
    struct plan plan;
    planning->pool = pool_open(planning->job.threads);
    if (job_fit_models(&planning->job, err) || check_collection(planning, err) ||
        look_at_models(planning, err))
        return -1;
    measure(planning, quick);
    plan_estimate(&plan, &planning->job, &planning->facts);
    print_plan(planning, &plan, out);
    return 0;
}

static int plan_job(const char *path, const struct string_list *settings, bool resolved, bool quick,
                    const char *until, int seeds, struct text *out, struct error *err)
{
    struct planning planning = {.facts = {.seeds = seeds, .until = until}};
    int status = job_read(&planning.job, path, settings, err);
    if (status == 0 && resolved)
        job_print(&planning.job, out);
    else if (status == 0)
        status = make_plan(&planning, quick, out, err);
    planning_free(&planning);
    return status;
}

int plan_command(int argc, char **argv, struct error *err)
{
    struct job_options job = {0};
    bool resolved = false, reference = false, schema = false, quick = false;
    const char *until = NULL;
    int seeds = 1;
    const struct option options[] = {
        JOB_OPTIONS(&job),
        {"until", OPTION_STRING, &until, "STAGE",
         "of a run with --until STAGE: no stage behind it"},
        {"quick", OPTION_FLAG, &quick, NULL, "do not measure the teacher's speed: no times"},
        {"seeds", OPTION_INT, &seeds, "N", "of a run with --seeds N: so many trainings (1)"},
        {"resolved", OPTION_FLAG, &resolved, NULL, "only print the job with all its keys, as YAML"},
        {"reference", OPTION_FLAG, &reference, NULL, "only print all keys of jobs, as Markdown"},
        {"schema", OPTION_FLAG, &schema, NULL, "only print the JSON Schema of jobs, for editors"},
        {0},
    };
    const struct command_help help = {
        .command = "plan",
        .usage = "[--set KEY=VALUE]... [--until STAGE] JOB.yaml",
        .summary = "Checks a job and everything it names, says what each stage will do, how long "
                   "it will take and what it will need, and does nothing.",
        .options = options,
    };
    struct text out = {0};
    int first = options_parse(&help, argc, argv, err), status = first < 0 ? first : 0;
    if (first > 0 && reference) {
        job_reference(&out);
        text_puts(&out, "\n");
        recipes_reference(&out);
    } else if (first > 0 && schema)
        job_schema(&out);
    else if (first > 0 && argc - first != 1)
        status = fail_usage(err, "give one JOB.yaml");
    else if (first > 0 && (seeds < 1 || seeds > MOST_SEEDS))
        status = fail_usage(err, "--seeds %d: from 1 to %d", seeds, MOST_SEEDS);
    else if (first > 0 && until && stage_check_name(until, err))
        status = -1;
    else if (first > 0) {
        job_options_finish(&job);
        status = plan_job(argv[first], &job.settings, resolved, quick, until, seeds, &out, err);
    }
    if (status == 0 && out.length) status = print_facts(&out, err);
    text_free(&out);
    free(job.settings.items);
    return status == OPTIONS_HELP ? 0 : status;
}
