/* Semantic textual similarity: cosines of pairs of embeddings, their correlation with people's
 * scores, and how sure it is.
 *
 *     double *scores = xcalloc(n, sizeof *scores);
 *     sts_scores(scores, z_first, z_second, n, width, 64);
 *     struct interval rho = correlation_interval(CORRELATION_SPEARMAN, scores, gold, n, 2000,
 * seed);
 *
 * The bootstrap draws pairs; draws depend on n, resamples and seed alone and are those of
 * data/metrics.h.  Ranks are counted anew in every resample, from one sort: a resample costs O(n).
 */
#ifndef RETORT_CORRELATION_H
#define RETORT_CORRELATION_H

#include "data/metrics.h"

/* scores [n] = cosines of the first dim values of rows of za and zb [n, width]; 0 where one is
 * zero. */
void sts_scores(double *scores, const float *za, const float *zb, size_t n, int width, int dim);

enum correlation { CORRELATION_SPEARMAN, CORRELATION_PEARSON };
/* Whether word is "spearman" or "pearson". */
bool correlation_parse(enum correlation *out, const char *word);
const char *correlation_name(enum correlation kind);
/* The correlation of x with y [n] and its percentile interval at 95 %.  Without variance in x or y:
 * NaN; resamples without it are left out. */
struct interval correlation_interval(enum correlation kind, const double *x, const double *y,
                                     size_t n, int resamples, uint64_t seed);
/* The same of (correlation of a with y) - (correlation of b with y), on the same resamples: low > 0
 * says that a is better. */
struct interval correlation_difference(enum correlation kind, const double *a, const double *b,
                                       const double *y, size_t n, int resamples, uint64_t seed);

#endif
