/* Retrieval measures equal to trec_eval's, correlations for STS, and intervals for both.
 *
 *     struct measure ndcg;
 *     if (measure_parse(&ndcg, "ndcg@10", err)) return -1;
 *     run_sort(&run);
 *     double value = measure_query(ndcg, qrels_find(&qrels, "q1"), run_find(&run, "q1"));
 *
 * Definitions: trec_eval 9 (m_ndcg_cut.c, m_map_cut.c, ...).  nDCG: linear gain, discount 1 /
 * log2(rank + 1), ideal over all positive grades; all others: relevant means grade >= 1.
 * Unjudged documents are not relevant. */
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
    NUM_Q, /* counts, which are summed over queries where the others are averaged */
    NUM_RET,
    NUM_REL,
    NUM_REL_RET
};
struct measure {
    enum measure_kind kind;
    int cut; /* k; 0: the whole list (RECALL, PRECISION and SUCCESS have a cut always) */
};
/* trec_eval's names: ndcg, ndcg_cut_10, recip_rank, map, map_cut_100, recall_100, P_5,
 * success_10, num_q, num_ret, num_rel, num_rel_ret, and recip_rank_cut_10 (its -M 10 -m
 * recip_rank); the field's: ndcg@10, mrr@10, recall@100, p@5, hits@10; letter case is not looked
 * at.  Any other name is STATUS_USAGE. */
int measure_parse(struct measure *out, const char *name, struct error *err);
/* trec_eval's name. */
void measure_name(char name[32], struct measure measure);
bool measure_is_count(struct measure measure);

/* The value for one query; ranking sorted by run_sort (NULL: nothing was retrieved, value 0). */
double measure_query(struct measure measure, const struct judged_query *judged,
                     const struct ranked_query *ranking);

/* Pearson correlation; NaN where either side has no variance. */
double pearson(const double *x, const double *y, size_t n);
/* Spearman: Pearson of ranks, ties share the average of their positions. */
double spearman(const double *x, const double *y, size_t n);

/* Bootstrap over queries: the percentile interval at 95 % of the mean, from `resamples` draws of
 * n values with replacement (2000 is usual).  The draws depend on n, resamples and seed alone.
 * n = 0: all NaN. */
struct interval {
    double mean, low, high;
};
struct interval bootstrap_mean(const double *values, size_t n, int resamples, uint64_t seed);
/* The same of a - b, query by query: low > 0 says that a is better. */
struct interval bootstrap_difference(const double *a, const double *b, size_t n, int resamples,
                                     uint64_t seed);
/* The interval of any other measure: the quantiles .025 and .975 of what n resamples gave, which it
 * sorts; NaN where n is 0. */
struct interval percentile_interval(double mean, double *resampled, size_t n);

#endif
