/* Choosing the best checkpoint: mean nDCG@10 over all taps on dev queries, against a pool of
 * documents that holds their relevant ones and their mined candidates (harder than a random sample,
 * far cheaper than the whole collection); or the mean of Spearman's correlations on dev pairs. */
#ifndef RETORT_DEV_EVAL_H
#define RETORT_DEV_EVAL_H

#include "distill/pair_set.h"
#include "distill/ranking.h"
#include "distill/trainer.h"

struct dev_eval {
    const struct dual_encoder *de;
    struct pool *pool;
    const struct collection *collection;
    const struct query_set *queries;
    const struct pair_set *pairs; /* instead of queries; or NULL */
    uint32_t *documents;          /* rows of the pool, rising */
    size_t num_documents;
    const struct tap *taps; /* by rising layers */
    size_t num_taps;
    bool cosine, drop_same_id;
    int max_query_tokens, max_document_tokens;
};
/* Sets documents from the pairs, if there are any, or from the queries' relevant rows and the given
 * candidates (rows, any order, repeats allowed). */
void dev_eval_pool(struct dev_eval *dev, const uint32_t *candidates, size_t num_candidates);
/* Mean over taps; each tap's value goes to the report as "ndcg_cut_10 (layer, dim)", "spearman
 * (layer, dim)".  Vectors that are all alike correlate by 0. */
double dev_eval_run(const struct dev_eval *dev, struct report *report);
void dev_eval_free(struct dev_eval *dev);

#endif
