#include "distill/ranked_rows.h"

#include <stdlib.h>

#include "student/bm25.h"
#include "student/search.h"

enum { STREAM_CHANCE = 0x800 };

void ranked_rows_init(struct ranked_rows *list, int source, size_t count, size_t depth)
{
    *list = (struct ranked_rows){.rows = xcalloc(count * depth, sizeof *list->rows),
                                 .counts = xcalloc(count, sizeof *list->counts),
                                 .count = count,
                                 .depth = depth,
                                 .source = source};
}

void ranked_rows_free(struct ranked_rows *list)
{
    free(list->rows);
    free(list->counts);
    *list = (struct ranked_rows){0};
}

struct mined_list ranked_rows_of(const struct ranked_rows *list, size_t q)
{
    return (struct mined_list){.documents = list->rows + q * list->depth,
                               .count = list->counts[q],
                               .source = list->source};
}

static void take_hits(struct ranked_rows *list, size_t q, const struct hit *hits, size_t count)
{
    for (size_t h = 0; h < count; h++) list->rows[q * list->depth + h] = (uint32_t)hits[h].row;
    list->counts[q] = count;
}

struct bm25_work {
    struct ranked_rows *list;
    const struct collection *collection;
    const uint32_t *queries;
    const struct bm25 *index;
};

static void search_bm25(void *arg, size_t q, int worker)
{
    (void)worker;
    const struct bm25_work *work = arg;
    struct hit *hits = xcalloc(work->list->depth, sizeof *hits);
    const char *text = work->collection->queries.values[work->queries[q]];
    take_hits(work->list, q, hits, bm25_search(work->index, text, work->list->depth, hits));
    free(hits);
}

void rank_by_bm25(struct ranked_rows *list, const struct collection *collection,
                  const uint32_t *queries, double k1, double b, struct pool *pool)
{
    struct bm25 *index =
        bm25_build(collection->documents.values, collection->documents.count, k1, b, pool);
    struct bm25_work work = {list, collection, queries, index};
    pool_run(pool, list->count, search_bm25, &work);
    bm25_free(index);
}

void rank_by_vectors(struct ranked_rows *list, const float *u, const float *v, size_t num_documents,
                     int width, struct pool *pool)
{
    size_t k = list->depth < num_documents ? list->depth : num_documents;
    struct hit *hits = xcalloc(list->count * k, sizeof *hits);
    const struct stored_vectors stored = {VECTOR_F32, num_documents, width, v, NULL};
    search_top_k(hits, u, list->count, &stored, (int)k, pool);
    for (size_t q = 0; q < list->count; q++) take_hits(list, q, hits + q * k, k);
    free(hits);
}

void rank_by_run(struct ranked_rows *list, struct run *run, const struct collection *collection,
                 const uint32_t *queries)
{
    run_sort(run);
    for (size_t q = 0; q < list->count; q++) {
        const struct ranked_query *found = run_find(run, collection->queries.ids[queries[q]]);
        uint32_t *rows = list->rows + q * list->depth;
        for (size_t r = 0; found && r < found->count && list->counts[q] < list->depth; r++) {
            int64_t row = texts_find(&collection->documents, found->documents[r].document);
            if (row >= 0) rows[list->counts[q]++] = (uint32_t)row;
        }
    }
}

static bool has_row(const uint32_t *rows, size_t count, uint32_t row)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i] == row) return true;
    return false;
}

void rank_by_chance(struct ranked_rows *list, const uint32_t *queries, size_t num_documents,
                    uint64_t seed)
{
    size_t k = list->depth < num_documents ? list->depth : num_documents;
    for (size_t q = 0; q < list->count; q++) {
        uint32_t *rows = list->rows + q * list->depth;
        for (uint64_t draw = 0; list->counts[q] < k; draw++) {
            double at = random_uniform(seed ^ STREAM_CHANCE, queries[q], draw);
            uint32_t row = (uint32_t)(at * (double)num_documents);
            if (!has_row(rows, list->counts[q], row)) rows[list->counts[q]++] = row;
        }
    }
}
