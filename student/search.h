/* Exact top-k by inner product. */
#ifndef RETORT_SEARCH_H
#define RETORT_SEARCH_H

#include "data/threads.h"

struct hit {
    size_t row; /* of the searched vectors */
    float score;
};
/* hits [num_queries, k]: per query the k rows of highest inner product, best first, ties by smaller row; k is capped at
 * num_vectors by the caller.  Tiled: memory is num_queries * k plus a tile per worker. */
void search_top_k(struct hit *hits, const float *queries, size_t num_queries, const float *vectors,
                  size_t num_vectors, int dim, int k, struct pool *pool);

#endif
