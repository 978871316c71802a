/* The score stage: the teacher's logits of all candidates of train queries, and what becomes of
 * each candidate.  (Dev queries' candidates only make the dev pool; nothing trains on them, so the
 * teacher need not read them.) */
#include <stdlib.h>

#include "data/progress.h"
#include "distill/job_run.h"
#include "distill/mine.h"

struct pair_list {
    const struct collection *collection;
    const uint32_t *queries, *documents; /* rows */
};

static void pair_at(const void *list, size_t index, const char **query, const char **document)
{
    const struct pair_list *pairs = list;
    *query = pairs->collection->queries.values[pairs->queries[index]];
    *document = pairs->collection->documents.values[pairs->documents[index]];
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

static int score_sets(struct job_run *run, struct candidate_sets *train, struct error *err)
{
    size_t n = 0, at = 0;
    for (size_t s = 0; s < train->count; s++) n += train->sets[s].count;
    uint32_t *queries = xcalloc(n, sizeof *queries), *documents = xcalloc(n, sizeof *documents);
    float *scores = xcalloc(n, sizeof *scores);
    for (size_t s = 0; s < train->count; s++)
        for (size_t c = 0; c < train->sets[s].count; c++) {
            queries[at] = train->sets[s].query;
            documents[at++] = train->sets[s].candidates[c].document;
        }
    struct pair_list pairs = {&run->collection, queries, documents};
    int status = job_run_score(run, "scores.cache", n, pair_at, &pairs, scores, err);
    at = 0;
    for (size_t s = 0; s < train->count; s++)
        for (size_t c = 0; c < train->sets[s].count; c++)
            train->sets[s].candidates[c].score = scores[at++];
    if (!status) {
        size_t filtered = filter_false_negatives(train, run->job->mine.false_negative_margin);
        note("score: %zu pairs, %zu false negatives", n, filtered);
    }
    free(scores);
    free(documents);
    free(queries);
    return status;
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

int score_stage(struct job_run *run, struct error *err)
{
    struct candidate_sets mined, scored;
    candidate_sets_init(&scored, run->collection.queries.count);
    char *from = job_run_path(run, "candidates.trec"), *to = job_run_path(run, "scores.trec");
    int status = candidate_sets_read(&mined, &run->collection, from, err);
    if (!status) {
        copy_sets(&scored, &mined, &run->train);
        status = score_sets(run, &scored, err);
    }
    if (!status) status = candidate_sets_write(&scored, &run->collection, to, err);
    free(from);
    free(to);
    candidate_sets_free(&mined);
    candidate_sets_free(&scored);
    return status;
}
