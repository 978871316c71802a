/* Exact top-k by inner product.
 *
 *     struct hit *hits = xcalloc(num_queries * k, sizeof *hits);
 *     size_t found = search_top_k(hits, queries, num_queries, vectors, num_vectors, dim, k, pool);
 *     for (size_t i = 0; i < found; i++) use(hits[q * k + i].row, hits[q * k + i].score);
 */
#ifndef RETORT_SEARCH_H
#define RETORT_SEARCH_H

#include "data/threads.h"
#include "student/top_k.h"

/* hits [num_queries, k]: per query the k rows of highest inner product, best first, ties by smaller
 * row, a NaN last.  Returns how many each query has: k, or num_vectors where that is less (the rest
 * of its k places is not written).  queries [num_queries, dim], vectors [num_vectors, dim].
 * Same hits for any pool.  Memory beside hits: a tile of scores per worker, and where queries are
 * few, k places more for each worker's share of the rows. */
size_t search_top_k(struct hit *hits, const float *queries, size_t num_queries,
                    const float *vectors, size_t num_vectors, int dim, int k, struct pool *pool);

#endif
