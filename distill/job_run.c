#include "distill/job_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/options.h"
#include "data/output.h"
#include "data/progress.h"
#include "distill/job_hashes.h"
#include "distill/run_progress.h"

static bool is_taught(const struct job *job)
{
    return job->teacher.taught;
}

static bool makes_queries(const struct job *job)
{
    return job->data.queries & QUERIES_MADE;
}

static bool is_mined(const struct job *job)
{
    return !job_has_pairs(job);
}

static bool is_scored(const struct job *job)
{
    return job_has_pairs(job) ? job->distill.pair_targets & TARGET_TEACHER : job_has_scores(job);
}

/* clang-format off */
const struct stage job_stages[] = {
    {"teach", "the teacher, a cross-encoder, from labels or scored pairs",
     "seed precision data.train_split data.dev_split data.dev_fraction data.max_train_queries "
     "data.drop_same_id teach teacher.max_length mine.depth mine.positives mine.bm25_k1 "
     "mine.bm25_b",
     "", "", teach_stage, is_taught},
    {"queries", "training queries, made from the documents",
     "seed data.queries data.train_split data.dev_split data.dev_fraction data.made.kinds "
     "data.made.per_document data.made.queries data.made.min_words data.made.max_words "
     "data.made.remove",
     "", "", queries_stage, makes_queries},
    {"embed", "vectors of single texts, by the teacher's best early layer or as given; their PCA",
     "seed data.train_split data.dev_split data.dev_fraction data.max_document_tokens "
     "data.max_query_tokens data.drop_same_id probe distill.hpd.layer distill.hpd.form "
     "distill.hpd.centred distill.hpd.encoder distill.hpd.targets distill.align student.projection "
     "teacher.precision",
     "", "teach queries", embed_stage, job_uses_vectors},
    {"mine", "candidates for the teacher, by BM25, by vectors, or those that have scores",
     "seed data.train_split data.dev_split data.dev_fraction mine.sources mine.depth mine.scored "
     "mine.positives mine.bm25_k1 mine.bm25_b data.drop_same_id data.max_train_queries",
     "", "queries embed", mine_stage, is_mined},
    {"score", "the teacher's scores of all candidates, or of the train pairs",
     "teacher.max_length teacher.precision teacher.scores teacher.weights teacher.missing "
     "mine.false_negative_margin data.made.keep distill.teacher_temperature data.train_split "
     "data.dev_split data.dev_fraction data.max_train_queries",
     "", "teach embed mine", score_stage, is_scored},
    {"train", "the student, and its control without a teacher",
     "seed distill.seed precision data.max_query_tokens data.max_document_tokens student "
     "mine.negatives_per_query mine.refresh_steps mine.refresh_depth data.made.weight "
     "data.query_prefix data.document_prefix "
     "data.train_split data.dev_split data.dev_fraction data.max_train_queries "
     "distill.hpd distill.loss distill.pair_targets distill.info_nce distill.coordinate_kl "
     "distill.temperature distill.teacher_temperature distill.similarity distill.taps "
     "distill.sample distill.tap_weights distill.epochs distill.batch_queries "
     "distill.evaluations_per_epoch distill.max_document_tokens distill.learning_rate "
     "distill.weight_decay distill.clip_norm distill.dropout distill.warmup distill.schedule "
     "distill.layer_decay distill.average distill.ema_decay distill.average_share "
     "distill.patience distill.principal_axes",
     "evaluate.systems", "embed mine score", train_stage, NULL},
    {"evaluate", "the grid layers x dims on the test split, beside the other systems",
     "evaluate data.test_split", "", "train", evaluate_stage, NULL},
    {"export", "the picked model, read back and compared",
     "export card", "", "evaluate", export_stage, NULL},
    {"report", "one page that shows the run", "name", "", "export", report_stage, NULL},
    {0},
};
/* clang-format on */

enum { MOST_FILES = 8 };
static const struct {
    const char *stage, *files[MOST_FILES];
} left_by[] = {
    {"teach", {"teacher", "train/teach.tsv"}},
    {"queries", {"made"}},
    {"embed", {"representations", "targets", "probe.tsv", "pca.safetensors"}},
    {"mine", {"candidates.trec"}},
    {"score", {"scores.trec", "scores.tsv", "scores.cache", "teachers.tsv", "made.tsv"}},
    {"train", {"train"}},
    {"evaluate", {"grid.tsv", "grid_dev.tsv", "differences.tsv", "trec", "pairs", "rerank.cache"}},
    {"export", {"student", "export", "manifest.json"}},
};

const char *const *stage_files(const char *stage)
{
    for (size_t i = 0; i < sizeof left_by / sizeof *left_by; i++)
        if (strcmp(left_by[i].stage, stage) == 0) return left_by[i].files;
    return NULL;
}

int stage_check_name(const char *until, struct error *err)
{
    const char *names[32];
    struct text all = {0};
    size_t count = 0;
    for (const struct stage *stage = job_stages; stage->name; stage++) {
        text_printf(&all, "%s%s", count ? ", " : "", stage->name);
        names[count++] = stage->name;
    }
    bool known = false;
    for (size_t s = 0; s < count; s++) known = known || strcmp(names[s], until) == 0;
    const char *nearest = nearest_name(until, names, count);
    int status = 0;
    if (!known && nearest)
        status = fail_usage(err, "--until %s: no such stage; did you mean %s?", until, nearest);
    else if (!known)
        status = fail_usage(err, "--until %s: no such stage; they are %s", until, all.bytes);
    text_free(&all);
    return status;
}

char *job_run_path(const struct job_run *run, const char *name)
{
    return path_join(run->folder, name);
}

/* ---- what a stage depends on, as text ---- */

static const struct stage *find_stage(const char *name)
{
    for (const struct stage *stage = job_stages; stage->name; stage++)
        if (strcmp(stage->name, name) == 0) return stage;
    return NULL;
}

/* Calls visit for each space-separated word. */
static void each_word(const char *words, void (*visit)(const char *word, void *arg), void *arg)
{
    while (*words) {
        size_t length = strcspn(words, " ");
        char *word = xstrndup(words, length);
        if (length) visit(word, arg);
        free(word);
        words += length + (words[length] == ' ');
    }
}

struct key_work {
    const struct job_run *run;
    struct text *out;
};

/* Hash of the files that a key names, or "". */
static const char *content_of(const struct job_run *run, const char *key)
{
    bool mines = strcmp(key, "mine.sources") == 0 && run->job->mine.sources & MINE_SCORES;
    if (mines || strcmp(key, "teacher.scores") == 0) return run->scores_hash;
    if (strcmp(key, "distill.hpd.encoder") == 0) return run->encoder_hash;
    if (strcmp(key, "evaluate") == 0) return run->baselines_hash;
    return strcmp(key, "distill.hpd.targets") == 0 ? run->targets_hash : "";
}

static void append_key(const char *key, void *arg)
{
    struct key_work *work = arg;
    const char *content = content_of(work->run, key);
    job_print_keys(work->run->job, key, work->out);
    if (*content) text_printf(work->out, "%s holds %s\n", key, content);
}

static void append_stage(const char *name, void *arg)
{
    struct key_work *work = arg;
    const struct stage *stage = find_stage(name);
    REQUIRE(stage);
    if (!stage_is_wanted(stage, work->run->job)) return;
    text_printf(work->out, "stage %s\n", name);
    each_word(stage->keys, append_key, work);
    each_word(stage->after, append_stage, work);
}

bool stage_is_wanted(const struct stage *stage, const struct job *job)
{
    return !stage->wanted || stage->wanted(job);
}

struct hash128 job_run_stage_hash(const struct job_run *run, const char *stage)
{
    struct text all = {0};
    struct key_work work = {.run = run, .out = &all};
    text_printf(&all, "%s %s %s %s\n", RETORT_VERSION, run->collection_hash, run->teacher_hash,
                run->init_hash);
    append_stage(stage, &work);
    struct hash128 hash = hash128(all.bytes, all.length);
    text_free(&all);
    return hash;
}

/* What the mark of a finished stage holds. */
static void stage_key(char hex[33], const struct job_run *run, const struct stage *stage)
{
    struct text all = {0};
    struct key_work work = {.run = run, .out = &all};
    hash_hex(hex, job_run_stage_hash(run, stage->name));
    if (!*stage->parts) return;
    text_printf(&all, "%s\n", hex);
    each_word(stage->parts, append_key, &work);
    hash_hex(hex, hash128(all.bytes, all.length));
    text_free(&all);
}

bool stage_mark_read(char key[33], double *seconds, const char *folder, const char *stage)
{
    struct text mark = {0};
    struct error ignored = {0};
    char *path = xasprintf("%s/stages/%s", folder, stage);
    bool there = path_exists(path) && read_whole_file(&mark, path, 4096, &ignored) == 0;
    const char *tab = there ? strchr(mark.bytes, '\t') : NULL;
    if (tab) {
        snprintf(key, 33, "%.32s", mark.bytes);
        *seconds = atof(tab + 1);
    }
    text_free(&mark);
    free(path);
    return tab != NULL;
}

int run_folder_check(const char *folder, struct error *err)
{
    char *job = path_join(folder, "job.yaml"), *stages = path_join(folder, "stages");
    bool is_run = path_exists(job) && path_exists(stages);
    free(job);
    free(stages);
    if (is_run) return 0;
    return fail(err,
                "%s: not the folder of a run, which has job.yaml and stages/; retort run makes "
                "one",
                folder);
}

bool stage_is_done(const struct job_run *run, const struct stage *stage)
{
    char key[33], written[33];
    double seconds;
    stage_key(key, run, stage);
    return stage_mark_read(written, &seconds, run->folder, stage->name) &&
           strcmp(written, key) == 0;
}

static int stage_finish(const struct job_run *run, const struct stage *stage, double seconds,
                        struct error *err)
{
    char key[33];
    stage_key(key, run, stage);
    char *path = xasprintf("%s/stages/%s", run->folder, stage->name);
    struct output out = {0};
    int status = output_open(&out, path, err);
    if (!status) {
        output_printf(&out, "%s\t%.1f\n", key, seconds);
        status = output_commit(&out, err);
    }
    free(path);
    return status;
}

static int stage_work(struct job_run *run, const struct stage *stage, struct error *err)
{
    struct run_progress progress = {.folder = run->folder, .stage = stage->name};
    note("%s: %s", stage->name, stage->summary);
    double start = seconds_now();
    run_progress_begin(&progress);
    int status = stage->work(run, err);
    run_progress_end();
    if (!status) status = stage_finish(run, stage, seconds_now() - start, err);
    if (!status) note("%s: %.1f s", stage->name, seconds_now() - start);
    return status;
}

/* Says with which stage, of this one and those after it, a run would go on. */
static void leave_progress(const struct job_run *run, const struct stage *stage)
{
    while (stage->name && (!stage_is_wanted(stage, run->job) || stage_is_done(run, stage))) stage++;
    run_progress_leave(run->folder, stage->name);
}

int job_run_stages(struct job_run *run, const char *until, struct error *err)
{
    const struct stage *stage = job_stages;
    for (bool last = false; stage->name && !last; stage++) {
        last = until && strcmp(stage->name, until) == 0;
        if (!stage_is_wanted(stage, run->job)) continue;
        if (stage_is_done(run, stage))
            note("%s: done before", stage->name);
        else if (stage_work(run, stage, err))
            return -1;
    }
    leave_progress(run, stage);
    return 0;
}

/* ---- opening and closing ---- */

static int open_folder(struct job_run *run, struct error *err)
{
    if (make_folder(run->folder, err)) return -1;
    run->lock = folder_lock(run->folder, err);
    if (run->lock < 0) return -1;
    const char *const parts[] = {"stages", "train", "trec", "representations", "targets"};
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        char *path = job_run_path(run, parts[p]);
        int status = make_folder(path, err);
        free(path);
        if (status) return -1;
    }
    char *log = job_run_path(run, "log.txt");
    int status = messages_log(log, err);
    free(log);
    return status;
}

static int write_job(const struct job_run *run, struct error *err)
{
    struct text printed = {0};
    struct output out = {0};
    char *path = job_run_path(run, "job.yaml");
    job_print(run->job, &printed);
    int status = output_open(&out, path, err);
    if (!status) {
        output_write(&out, printed.bytes, printed.length);
        status = output_commit(&out, err);
    }
    text_free(&printed);
    free(path);
    return status;
}

bool stages_need_test(const char *until)
{
    for (const struct stage *stage = job_stages; stage->name; stage++) {
        if (stage->work == evaluate_stage) return true;
        if (until && strcmp(stage->name, until) == 0) return false;
    }
    return true;
}

/* What made queries, and no labels, mean for the numbers. */
static void say_what_is_made(const struct job_run *run)
{
    struct made_counts counts = made_queries_count(&run->made);
    if (!run->made.count) return;
    note("made %zu queries from the documents: %zu titles, %zu sentences; %zu are removed from the "
         "document that they are to find",
         run->made.count, counts.titles, run->made.count - counts.titles, counts.removed);
    const char *warning = made_queries_warning(&run->made, run->job);
    if (warning) warn("%s", warning);
    if (run->dev.count && made_query_of(&run->made, run->dev.rows[0]))
        note("dev queries are made, too: they ask for the document that each is from, and stand "
             "for no user's question");
    if (run->test_is_dev)
        note("no judgements of split %s: the grid is measured on the dev queries, which also "
             "choose the model; it compares systems, and says nothing of users' queries",
             run->job->data.test_split);
}

static int open_pairs(struct job_run *run, bool test, struct error *err)
{
    const struct job *job = run->job;
    const struct collection *collection = &run->collection;
    pair_sets_split(&run->train_pairs, &run->dev_pairs, collection, job);
    pair_set_sample(&run->train_pairs, collection, (size_t)job->data.max_train_queries,
                    (uint64_t)job->seed);
    pair_set_of(&run->test_pairs, collection, job->data.test_split);
    run->dev_collection = run->collection;
    return pair_sets_check(&run->train_pairs, &run->dev_pairs, test ? &run->test_pairs : NULL, job,
                           err);
}

static int open_queries(struct job_run *run, bool test, struct error *err)
{
    const struct job *job = run->job;
    const struct collection *collection = &run->collection;
    if (made_queries_add(&run->made, &run->collection, job, err)) return -1;
    query_sets_split(&run->train, &run->dev, collection, job);
    run->test_is_dev = is_measured_on_dev(collection, job);
    query_set_measured(&run->test, &run->dev, collection, job);
    run->dev_collection = made_queries_hidden(&run->made, collection, &run->dev);
    return query_sets_check(&run->train, &run->dev, test ? &run->test : NULL, collection, job, err);
}

static int open_all(struct job_run *run, const char *until, struct error *err)
{
    const struct job *job = run->job;
    bool test = stages_need_test(until);
    if (job_collection_read(&run->collection, job, err)) return -1;
    hash_collection(run->collection_hash, &run->collection);
    if ((job_has_pairs(job) ? open_pairs(run, test, err) : open_queries(run, test, err)) ||
        hash_models(run, err) || open_folder(run, err) || write_job(run, err))
        return -1;
    size_t documents = run->collection.documents.count;
    if (job_has_pairs(job))
        note("%s: %zu sentences, %zu train, %zu dev, %zu test pairs", job->data.pairs, documents,
             run->train_pairs.count, run->dev_pairs.count, run->test_pairs.count);
    else
        note("%s: %zu documents, %zu train, %zu dev, %zu test queries", job->data.collection,
             documents, run->train.count, run->dev.count, run->test.count);
    say_what_is_made(run);
    return 0;
}

int job_run_open(struct job_run *out, const struct job *job, const char *folder, const char *until,
                 struct error *err)
{
    *out = (struct job_run){
        .job = job, .folder = xstrdup(folder), .lock = -1, .pool = pool_open(job->threads)};
    out->teacher_folder =
        job->teacher.taught ? job_run_path(out, "teacher") : xstrdup(job->teacher.model);
    int status = open_all(out, until, err);
    if (status) job_run_close(out);
    return status;
}

void job_run_close(struct job_run *run)
{
    struct error ignored = {0};
    messages_log(NULL, &ignored);
    job_run_forget_teacher(run);
    query_set_free(&run->train);
    query_set_free(&run->dev);
    query_set_free(&run->test);
    if (run->dev_collection.documents.values != run->collection.documents.values)
        free(run->dev_collection.documents.values);
    made_queries_free(&run->made);
    pair_set_free(&run->train_pairs);
    pair_set_free(&run->dev_pairs);
    pair_set_free(&run->test_pairs);
    collection_free(&run->collection);
    if (run->pool) pool_close(run->pool);
    if (run->lock >= 0) close(run->lock);
    free(run->teacher_folder);
    free(run->folder);
    *run = (struct job_run){0};
}
