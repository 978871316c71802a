/* Document rows ranked for each of some queries by one source: what candidates are mined from.
 *
 *     struct ranked_rows bm25;
 *     ranked_rows_init(&bm25, CANDIDATE_BM25, num_queries, 100);
 *     rank_by_bm25(&bm25, &collection, queries, 0.9, 0.4, pool);    // queries: rows
 *     lists[0] = ranked_rows_of(&bm25, q);                          // for mine_query
 *     ranked_rows_free(&bm25);
 */
#ifndef RETORT_RANKED_ROWS_H
#define RETORT_RANKED_ROWS_H

#include "data/run.h"
#include "data/threads.h"
#include "distill/mine.h"

struct ranked_rows {
    uint32_t *rows; /* [count, depth] rows of documents, best first */
    size_t *counts; /* [count] how many each query has; 0 until it is ranked */
    size_t count, depth;
    int source; /* CANDIDATE_* */
};
void ranked_rows_init(struct ranked_rows *list, int source, size_t count, size_t depth);
void ranked_rows_free(struct ranked_rows *list);
/* Query q's list. */
struct mined_list ranked_rows_of(const struct ranked_rows *list, size_t q);

/* queries [list->count]: rows of the collection's queries. */
void rank_by_bm25(struct ranked_rows *list, const struct collection *collection,
                  const uint32_t *queries, double k1, double b, struct pool *pool);
/* By inner product of u [list->count, width] and v [num_documents, width]: of unit vectors, the
 * cosine. */
void rank_by_vectors(struct ranked_rows *list, const float *u, const float *v, size_t num_documents,
                     int width, struct pool *pool);
/* Best score first, ties by id, as a run is sorted; documents that the collection lacks are passed
 * over.  Sorts *run. */
void rank_by_run(struct ranked_rows *list, struct run *run, const struct collection *collection,
                 const uint32_t *queries);
/* Documents at random, by seed and query row alone. */
void rank_by_chance(struct ranked_rows *list, const uint32_t *queries, size_t num_documents,
                    uint64_t seed);

#endif
