/* Retrieval measures equal to trec_eval's, and correlations for STS.  Definitions: trec_eval 9 (m_ndcg_cut.c, ...).
 *
 * nDCG: linear gain, ideal over all positive grades; recall/map/recip_rank/P/success: relevant means grade >= 1.
 */
#ifndef RETORT_METRICS_H
#define RETORT_METRICS_H

#include "data/qrels.h"
#include "data/run.h"

enum measure_kind {
    NDCG_CUT,
    RECIP_RANK_CUT,
    MAP_CUT,
    RECALL,
    PRECISION,
    SUCCESS,
    NUM_REL,
    NUM_REL_RET
};
struct measure {
    enum measure_kind kind;
    int cut; /* k; 0: the whole list */
};
/* trec_eval's names: ndcg, ndcg_cut_10, recip_rank, recip_rank_cut_10, map, map_cut_100, recall_100, P_5, success_10, num_rel,
 * num_rel_ret; also the field's: ndcg@10, mrr@10, recall@100, p@5, hits@10.  Canonical name in name. */
int measure_parse(struct measure *out, const char *name, struct error *err);
void measure_name(char name[32], struct measure measure);

/* The value for one query; ranking sorted by run_sort (NULL: nothing was retrieved, value 0). */
double measure_query(struct measure measure, const struct judged_query *judged,
                     const struct ranked_query *ranking);

/* Pearson correlation; NaN where either side has no variance. */
double pearson(const double *x, const double *y, size_t n);
/* Spearman: Pearson of ranks, ties share the average of their positions. */
double spearman(const double *x, const double *y, size_t n);

/* Bootstrap over queries: percentile interval of the mean of values at 95 %, from `resamples` draws (2000 is usual). */
struct interval {
    double mean, low, high;
};
struct interval bootstrap_mean(const double *values, size_t n, int resamples, uint64_t seed);

#endif
