/* The score stage: the teacher's scores of all candidates of train queries, what becomes of each
 * candidate, and which of the queries that the job made are kept; or of the train pairs.  (Dev
 * queries' candidates only make the dev pool; nothing trains on them, so the teacher need not read
 * them.) */
#include <stdlib.h>

#include "data/npy.h"
#include "data/output.h"
#include "data/progress.h"
#include "distill/made_filter.h"
#include "distill/mine.h"
#include "distill/teacher_scores.h"
#include "distill/vector_losses.h"

struct pair_list {
    const struct collection *collection;
    const struct pair_set *set;
};

static void pair_at(const void *list, size_t index, const char **first, const char **second)
{
    const struct pair_list *pairs = list;
    const struct scored_pair *pair = &pairs->set->pairs[index];
    *first = pairs->collection->documents.values[pair->first];
    *second = pairs->collection->documents.values[pair->second];
}

int job_run_score(struct job_run *run, const char *cache, size_t n, scorer_pair *pair,
                  const void *list, float *scores, struct error *err)
{
    const struct cross_encoder *teacher = job_run_teacher(run, err);
    if (!teacher) return -1;
    if (cross_encoder_num_labels(teacher) != 1)
        return fail(err, "%s: gives %d logits a pair, a teacher of scores must give one",
                    run->teacher_folder, cross_encoder_num_labels(teacher));
    struct scorer scorer = {.ce = teacher,
                            .pool = run->pool,
                            .max_length =
                                cross_encoder_max_length(teacher, run->job->teacher.max_length)};
    char *path = job_run_path(run, cache);
    int status = scorer_open_cache(&scorer, path, err);
    if (!status) {
        status = scorer_run(&scorer, n, pair, list, scores, err);
        score_cache_close(scorer.cache);
    }
    free(path);
    return status;
}

/* Of the vectors that HPD copies. */
static int cosines_of_vectors(float *scores, const struct job_run *run, const struct pair_set *set,
                              struct error *err)
{
    struct matrix vectors;
    char *path = job_run_path(run, "representations/documents.npy");
    int status = npy_read(&vectors, path, err);
    free(path);
    if (status) return -1;
    for (size_t i = 0; i < set->count; i++)
        pair_cosines(&scores[i], vectors.values + set->pairs[i].first * vectors.cols,
                     vectors.values + set->pairs[i].second * vectors.cols, 1, (int)vectors.cols,
                     (int)vectors.cols);
    matrix_free(&vectors);
    return 0;
}

int job_run_score_pairs(struct job_run *run, const char *cache, const struct pair_set *set,
                        float *scores, struct error *err)
{
    const struct pair_list pairs = {&run->collection, set};
    if (!run->job->teacher.absent)
        return job_run_score(run, cache, set->count, pair_at, &pairs, scores, err);
    return cosines_of_vectors(scores, run, set, err);
}

/* scores.tsv is what sts_read reads: the train pairs with the teacher's scores. */
static int score_train_pairs(struct job_run *run, struct error *err)
{
    const struct pair_set *set = &run->train_pairs;
    const char *const *texts = run->collection.documents.values;
    float *scores = xcalloc(set->count, sizeof *scores);
    struct output out = {0};
    char *path = job_run_path(run, "scores.tsv");
    int status = job_run_score_pairs(run, "scores.cache", set, scores, err);
    if (!status) status = output_open(&out, path, err);
    if (!status) {
        output_printf(&out, "score\tsentence1\tsentence2\n");
        for (size_t i = 0; i < set->count; i++)
            output_printf(&out, "%.9g\t%s\t%s\n", (double)scores[i], texts[set->pairs[i].first],
                          texts[set->pairs[i].second]);
        status = output_commit(&out, err);
    }
    if (!status) note("score: %zu pairs", set->count);
    free(path);
    free(scores);
    return status;
}

/* All candidates, as pairs. */
static void list_pairs(uint32_t *queries, uint32_t *documents, const struct candidate_sets *sets)
{
    size_t at = 0;
    for (size_t s = 0; s < sets->count; s++)
        for (size_t c = 0; c < sets->sets[s].count; c++) {
            queries[at] = sets->sets[s].query;
            documents[at++] = sets->sets[s].candidates[c].document;
        }
}

/* Gives each candidate its score, in their order, and leaves out those that have none. */
static void keep_scored(struct candidate_sets *sets, const float *scores,
                        enum missing_score missing)
{
    for (size_t s = 0; s < sets->count; s++)
        for (size_t c = 0; c < sets->sets[s].count; c++)
            sets->sets[s].candidates[c].score = *scores++;
    if (missing == MISSING_LOWEST) lower_unscored(sets);
    struct dropped dropped = drop_unscored(sets);
    if (dropped.candidates)
        note("score: %zu candidates are left out, %zu of them labelled positives; so are %zu of "
             "%zu train queries, which keep none of theirs",
             dropped.candidates, dropped.positives, dropped.queries, sets->count);
}

static void say_missing(const struct job *job, size_t missing, size_t all)
{
    static const char *const fates[] = {
        [MISSING_DROP] = "they are left out",
        [MISSING_LOWEST] = "they get the lowest score of their query, where it has any",
        [MISSING_TEACHER] = "they get teacher.model's"};
    if (missing)
        note("score: %zu of %zu candidates have no score in teacher.scores: %s (teacher.missing)",
             missing, all, fates[job->teacher.missing]);
}

static int score_sets(struct job_run *run, struct candidate_sets *train, struct error *err)
{
    size_t n = 0, missing;
    for (size_t s = 0; s < train->count; s++) n += train->sets[s].count;
    uint32_t *queries = xcalloc(n, sizeof *queries), *documents = xcalloc(n, sizeof *documents);
    float *scores = xcalloc(n, sizeof *scores);
    list_pairs(queries, documents, train);
    const struct row_pairs pairs = {queries, documents, n, NULL};
    int status = teacher_scores(scores, run, "scores.cache", &pairs, true, &missing, err);
    if (!status) {
        say_missing(run->job, missing, n);
        keep_scored(train, scores, run->job->teacher.missing);
        note("score: %zu pairs", n);
    }
    free(scores);
    free(documents);
    free(queries);
    return status;
}

/* Leaves in *kept what is trained on. */
static int filter(struct job_run *run, struct candidate_sets *kept, struct candidate_sets *scored,
                  struct error *err)
{
    int keep = run->job->data.made.keep;
    if (run->made.count) {
        char *path = job_run_path(run, "made.tsv");
        int status = made_scores_write(scored, &run->made, &run->collection, run->job, path, err);
        free(path);
        if (status) return -1;
    }
    size_t dropped = made_filter(kept, scored, &run->made, keep);
    if (run->made.count)
        note("score: of the made queries %zu are dropped, since the teacher ranks their document "
             "lower than data.made.keep; %zu queries are left",
             dropped, kept->count);
    if (run->made.count && !kept->count)
        return fail(err,
                    "%s: the teacher ranks no made query's document high enough; see made.tsv in "
                    "the run's folder, and raise data.made.keep",
                    run->job->data.collection);
    note("score: %zu false negatives",
         filter_false_negatives(kept, run->job->mine.false_negative_margin));
    return 0;
}

static void copy_sets(struct candidate_sets *to, const struct candidate_sets *from,
                      const struct query_set *queries)
{
    for (size_t q = 0; q < queries->count; q++) {
        const struct candidate_set *found = candidate_sets_find(from, queries->rows[q]);
        if (!found) continue;
        struct candidate_set *set = candidate_sets_add(to, queries->rows[q]);
        for (size_t c = 0; c < found->count; c++) candidate_set_add(set, found->candidates[c]);
    }
}

static int score_candidates(struct job_run *run, struct error *err)
{
    struct candidate_sets mined, scored, kept;
    candidate_sets_init(&scored, run->collection.queries.count);
    candidate_sets_init(&kept, run->collection.queries.count);
    char *from = job_run_path(run, "candidates.trec"), *to = job_run_path(run, "scores.trec");
    int status = candidate_sets_read(&mined, &run->collection, from, err);
    if (!status) {
        copy_sets(&scored, &mined, &run->train);
        status = score_sets(run, &scored, err);
    }
    if (!status) status = filter(run, &kept, &scored, err);
    if (!status) status = candidate_sets_write(&kept, &run->collection, to, err);
    free(from);
    free(to);
    candidate_sets_free(&mined);
    candidate_sets_free(&scored);
    candidate_sets_free(&kept);
    return status;
}

int score_stage(struct job_run *run, struct error *err)
{
    return job_has_pairs(run->job) ? score_train_pairs(run, err) : score_candidates(run, err);
}
