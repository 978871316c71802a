/* From embeddings to a ranked run, and from a run to a measure per query: what dev selection and
 * the grid share. */
#ifndef RETORT_RANKING_H
#define RETORT_RANKING_H

#include "data/metrics.h"
#include "distill/query_set.h"

/* z of some queries and documents at one layer, and what they stand for. */
struct embedded {
    const struct collection *collection;
    const struct query_set *queries;
    const uint32_t *documents; /* rows of the collection; NULL: all, in order */
    size_t num_documents;
    const float *zq, *zd; /* [queries->count, width], [num_documents, width] */
    int width;
};
/* The top k documents of each query by cosine of the first dim values (by dot product of them where
 * !cosine); a document whose id is the query's own is left out if drop_same_id.  Sorted by
 * trec_eval's rule. */
void rank_embedded(struct run *out, const struct embedded *embedded, int dim, bool cosine, int k,
                   bool drop_same_id, const char *tag, struct pool *pool);

/* values[q] for every query of the set, 0 where the run has nothing for it; returns their mean. */
double measure_run(double *values, struct measure measure, const struct query_set *queries,
                   const struct run *run);

#endif
