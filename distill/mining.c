#include "distill/mining.h"

#include <stdlib.h>

void mining_open(struct mining *out, const struct job_run *run, const struct query_set *dev)
{
    const struct job *job = run->job;
    struct query_set train;
    query_set_copy(&train, &run->train);
    if (job->data.max_train_queries)
        query_set_sample(&train, &run->collection, (size_t)job->data.max_train_queries,
                         (uint64_t)job->seed);
    *out = (struct mining){.run = run, .count = train.count + dev->count, .num_train = train.count};
    out->queries = xcalloc(out->count, sizeof *out->queries);
    out->judged = xcalloc(out->count, sizeof *out->judged);
    for (size_t q = 0; q < out->count; q++) {
        const struct query_set *set = q < train.count ? &train : dev;
        size_t at = q < train.count ? q : q - train.count;
        out->queries[q] = set->rows[at];
        out->judged[q] = set->judged[at];
    }
    query_set_free(&train);
}

void mining_free(struct mining *mining)
{
    for (size_t l = 0; l < mining->num_lists; l++) ranked_rows_free(&mining->lists[l]);
    free(mining->lists);
    free(mining->queries);
    free(mining->judged);
    *mining = (struct mining){0};
}

struct ranked_rows *mining_add(struct mining *mining, int source)
{
    GROW(mining->lists, mining->num_lists, &mining->capacity);
    struct ranked_rows *list = &mining->lists[mining->num_lists++];
    ranked_rows_init(list, source, mining->count, (size_t)mining->run->job->mine.depth);
    return list;
}

void mining_bm25(struct mining *mining)
{
    const struct job_run *run = mining->run;
    rank_by_bm25(mining_add(mining, CANDIDATE_BM25), &run->collection, mining->queries,
                 run->job->mine.bm25_k1, run->job->mine.bm25_b, run->pool);
}

static void mine_one(const struct mining *mining, size_t q, size_t scored,
                     struct candidate_sets *sets)
{
    const struct job_run *run = mining->run;
    const struct collection *collection = &run->collection;
    struct mined_list *lists = xcalloc(mining->num_lists, sizeof *lists);
    for (size_t l = 0; l < mining->num_lists; l++) lists[l] = ranked_rows_of(&mining->lists[l], q);
    uint32_t *positives;
    size_t count = relevant_rows(&positives, collection, mining->judged[q]);
    const char *id = collection->queries.ids[mining->queries[q]];
    struct labels labels = {
        .positives = positives,
        .num_positives = count,
        .max_positives = (size_t)run->job->mine.positives,
        .excluded = run->job->data.drop_same_id ? texts_find(&collection->documents, id) : -1};
    mine_query(sets, mining->queries[q], &labels, lists, mining->num_lists, scored);
    free(positives);
    free(lists);
}

void mining_sets(const struct mining *mining, size_t scored, struct candidate_sets *sets)
{
    candidate_sets_init(sets, mining->run->collection.queries.count);
    for (size_t q = 0; q < mining->count; q++) mine_one(mining, q, scored, sets);
}
