/* Exact top-k by inner product.
 *
 *     struct stored_vectors vectors = {VECTOR_F32, num_vectors, dim, values, NULL};
 *     struct hit *hits = xcalloc(num_queries * k, sizeof *hits);
 *     size_t found = search_top_k(hits, queries, num_queries, &vectors, k, pool);
 *     for (size_t i = 0; i < found; i++) use(hits[q * k + i].row, hits[q * k + i].score);
 *
 * A query is stored as the vectors are (rounded to bf16, to int8 with a scale of its own, to
 * signs), and scores are the inner products of what both hold: added up in f32 for f32 and bf16,
 * exact whole numbers times the two scales for int8, dim - 2 (signs that differ) for binary.
 */
#ifndef RETORT_SEARCH_H
#define RETORT_SEARCH_H

#include "data/threads.h"
#include "student/stored_vectors.h"
#include "student/top_k.h"

/* hits [num_queries, k]: per query the k rows of highest score, best first, ties by smaller row, a
 * NaN last.  Returns how many each query has: k, or vectors->count where that is less (the rest of
 * its k places is not written).  queries [num_queries, dim].
 * Same hits for any pool.  Memory beside hits: the queries as stored, a tile of scores and places
 * for some 2 k hits of up to 256 queries per worker, and where queries are few, k places more for
 * each worker's share of the rows. */
size_t search_top_k(struct hit *hits, const float *queries, size_t num_queries,
                    const struct stored_vectors *vectors, int k, struct pool *pool);

/* The same in two steps, where the stored query is a coarse one: of the k * times rows of highest
 * score those k whose product with the query as it is, unrounded, is highest; that is their score.
 * With times 1, and for f32, where nothing is rounded: search_top_k.  times 0 is what pays: 4 for
 * binary, 1 for the others (nDCG@10 on nfcorpus, all-MiniLM-L6-v2: f32 .315, int8 .315 and .316
 * rescored, binary .276, .294 rescored 4 times as 16 times). */
size_t search_rescored(struct hit *hits, const float *queries, size_t num_queries,
                       const struct stored_vectors *vectors, int k, int times, struct pool *pool);

#endif
