/* See refresh.h. */
#include "distill/refresh.h"

#include <stdlib.h>

#include "data/output.h"
#include "data/progress.h"
#include "distill/ranked_rows.h"
#include "distill/teacher_scores.h"

/* ---- what the student finds ---- */

/* Vectors of the full student, [count, dim], unit ones where similarity is the cosine. */
static float *embed(const struct refresh *refresh, const char *const *texts, size_t count,
                    bool queries)
{
    const struct job *job = refresh->run->job;
    const struct dual_encoder *student = refresh->student;
    const struct tap_list *taps = &job->student.taps;
    struct tap full = taps->items[taps->count - 1];
    const struct embed_request request = {
        .texts = texts,
        .count = count,
        .prompt = queries ? student->query_prompt : student->document_prompt,
        .max_length = queries ? job->data.max_query_tokens : job->data.max_document_tokens,
        .layers = &full.layer,
        .num_layers = 1};
    return dual_encoder_vectors(student, refresh->run->pool, &request, full.dim,
                                job->distill.similarity == SIMILARITY_COSINE);
}

static void rank(struct ranked_rows *list, const struct refresh *refresh)
{
    const struct collection *collection = &refresh->run->collection;
    const struct train_set *set = refresh->set;
    const struct tap_list *taps = &refresh->run->job->student.taps;
    const char **queries = xcalloc(set->count, sizeof *queries);
    for (size_t q = 0; q < set->count; q++)
        queries[q] = collection->queries.values[set->queries[q].query];
    float *u = embed(refresh, queries, set->count, true);
    float *v = embed(refresh, collection->documents.values, collection->documents.count, false);
    rank_by_vectors(list, u, v, collection->documents.count, taps->items[taps->count - 1].dim,
                    refresh->run->pool);
    free(u);
    free(v);
    free(queries);
}

/* The query's first candidates with what is new behind them; how many are new. */
static size_t join(struct candidate_sets *sets, const struct refresh *refresh,
                   const struct train_query *query, const struct mined_list *list)
{
    const struct job_run *run = refresh->run;
    const struct candidate_set *first = candidate_sets_find(refresh->first, query->query);
    const char *id = run->collection.queries.ids[query->query];
    const struct labels labels = {
        .positives = query->relevant,
        .num_positives = query->num_relevant,
        .excluded = run->job->data.drop_same_id ? texts_find(&run->collection.documents, id) : -1};
    struct candidate_set *set = candidate_sets_add(sets, query->query);
    for (size_t c = 0; c < first->count; c++) candidate_set_add(set, first->candidates[c]);
    return mine_more(set, &labels, list);
}

/* ---- what the teacher says of it ---- */

/* Behind the first ones. */
static size_t number_of_first(const struct refresh *refresh, const struct candidate_set *set)
{
    return candidate_sets_find(refresh->first, set->query)->count;
}

static void list_new(uint32_t *queries, uint32_t *documents, const struct refresh *refresh,
                     const struct candidate_sets *sets)
{
    for (size_t s = 0; s < sets->count; s++) {
        const struct candidate_set *set = &sets->sets[s];
        for (size_t c = number_of_first(refresh, set); c < set->count; c++) {
            *queries++ = set->query;
            *documents++ = set->candidates[c].document;
        }
    }
}

static void take_scores(struct candidate_sets *sets, const struct refresh *refresh,
                        const float *scores)
{
    for (size_t s = 0; s < sets->count; s++) {
        struct candidate_set *set = &sets->sets[s];
        for (size_t c = number_of_first(refresh, set); c < set->count; c++)
            set->candidates[c].score = *scores++;
    }
}

static size_t scores_in(const char *cache)
{
    struct score_cache_facts facts = {0};
    struct error ignored = {0};
    return path_exists(cache) && score_cache_look(&facts, cache, &ignored) == 0 ? facts.scores : 0;
}

struct refresh_counts {
    size_t added, scored, dropped;
};

static int score(struct candidate_sets *sets, const struct refresh *refresh,
                 struct refresh_counts *counts, struct error *err)
{
    struct job_run *run = refresh->run;
    if (!job_has_scores(run->job) || !counts->added) return 0;
    char *cache = job_run_path(run, "scores.cache");
    size_t n = counts->added, before = scores_in(cache), missing;
    uint32_t *queries = xcalloc(n, sizeof *queries), *documents = xcalloc(n, sizeof *documents);
    float *scores = xcalloc(n, sizeof *scores);
    list_new(queries, documents, refresh, sets);
    const struct row_pairs pairs = {queries, documents, n, NULL};
    int status = teacher_scores(scores, run, "scores.cache", &pairs, false, &missing, err);
    if (!status) {
        counts->scored = scores_in(cache) - before;
        take_scores(sets, refresh, scores);
        if (run->job->teacher.missing == MISSING_LOWEST) lower_unscored(sets);
        counts->dropped = drop_unscored(sets).candidates;
        filter_false_negatives(sets, run->job->mine.false_negative_margin);
    }
    free(scores);
    free(queries);
    free(documents);
    free(cache);
    return status;
}

/* ---- one refresh ---- */

static int make(const struct refresh *refresh, uint64_t step, const char *path, struct error *err)
{
    struct job_run *run = refresh->run;
    const struct train_set *set = refresh->set;
    struct candidate_sets sets;
    struct ranked_rows list;
    struct refresh_counts counts = {0};
    double began = seconds_now();
    candidate_sets_init(&sets, run->collection.queries.count);
    ranked_rows_init(&list, CANDIDATE_STUDENT, set->count, (size_t)run->job->mine.refresh_depth);
    rank(&list, refresh);
    double ranked = seconds_now();
    for (size_t q = 0; q < set->count; q++) {
        const struct mined_list found = ranked_rows_of(&list, q);
        counts.added += join(&sets, refresh, &set->queries[q], &found);
    }
    int status = score(&sets, refresh, &counts, err) ||
                         candidate_sets_write(&sets, &run->collection, path, err)
                     ? -1
                     : 0;
    if (!status)
        note("refresh: after step %llu the student found %zu new candidates of %zu queries in "
             "%.1f s; %zu were scored, %zu left out without a score, in %.1f s",
             (unsigned long long)step, counts.added, set->count, ranked - began, counts.scored,
             counts.dropped, seconds_now() - ranked);
    ranked_rows_free(&list);
    candidate_sets_free(&sets);
    return status;
}

static int point_at(const struct candidate_sets *sets, struct train_set *set, const char *path,
                    const struct collection *collection, struct error *err)
{
    for (size_t q = 0; q < set->count; q++) {
        struct train_query *query = &set->queries[q];
        const struct candidate_set *found = candidate_sets_find(sets, query->query);
        if (!found || found->candidates[0].kind != CANDIDATE_POSITIVE)
            return fail(err, "%s: query %s has no positive; remove train/ to train again", path,
                        collection->queries.ids[query->query]);
        query->candidates = found->candidates;
        query->num_candidates = found->count;
    }
    return 0;
}

int refresh_run(struct refresh *refresh, uint64_t step, bool again, struct error *err)
{
    struct candidate_sets found = {0};
    const struct collection *collection = &refresh->run->collection;
    char *path =
        xasprintf("%s/train/candidates.%llu.trec", refresh->run->folder, (unsigned long long)step);
    int status = again ? 0 : make(refresh, step, path, err);
    if (!status) status = candidate_sets_read(&found, collection, path, err);
    if (!status) status = point_at(&found, refresh->set, path, collection, err);
    candidate_sets_free(status ? &found : &refresh->found);
    if (!status) refresh->found = found;
    free(path);
    return status;
}

void refresh_end(struct refresh *refresh)
{
    struct error none = {0};
    REQUIRE(point_at(refresh->first, refresh->set, "", &refresh->run->collection, &none) == 0);
    candidate_sets_free(&refresh->found);
}
