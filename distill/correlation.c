/* See correlation.h. */
#define _GNU_SOURCE
#include "distill/correlation.h"
#include "distill/vector_losses.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void sts_scores(double *scores, const float *za, const float *zb, size_t n, int width, int dim)
{
    enum { BLOCK = 256 };
    float cosines[BLOCK];
    for (size_t first = 0; first < n; first += BLOCK) {
        const int count = n - first < BLOCK ? (int)(n - first) : BLOCK;
        const size_t row = first * (size_t)width;
        pair_cosines(cosines, za + row, zb + row, count, width, dim);
        for (int i = 0; i < count; i++) scores[first + (size_t)i] = (double)cosines[i];
    }
}

static const char *const names[] = {
    [CORRELATION_SPEARMAN] = "spearman", [CORRELATION_PEARSON] = "pearson"};

bool correlation_parse(enum correlation *out, const char *word)
{
    for (int kind = 0; kind < 2; kind++)
        if (strcmp(word, names[kind]) == 0) {
            *out = (enum correlation)kind;
            return true;
        }
    return false;
}

const char *correlation_name(enum correlation kind)
{
    return names[kind];
}

/* ---- one side of a correlation, ranked anew in each resample ---- */

struct side {
    const double *values; /* [n] */
    uint32_t *order;      /* rows by rising value; NULL: values are taken as they are (Pearson) */
    double *ranks;        /* [n], of the resample */
};

static int by_value(const void *left, const void *right, void *values)
{
    double a = ((const double *)values)[*(const uint32_t *)left];
    double b = ((const double *)values)[*(const uint32_t *)right];
    return (a > b) - (a < b);
}

static struct side side_new(enum correlation kind, const double *values, size_t n)
{
    struct side side = {.values = values};
    if (kind == CORRELATION_PEARSON) return side;
    side.order = xcalloc(n, sizeof *side.order);
    side.ranks = xcalloc(n, sizeof *side.ranks);
    for (size_t i = 0; i < n; i++) side.order[i] = (uint32_t)i;
    qsort_r(side.order, n, sizeof *side.order, by_value, (void *)values);
    return side;
}

static void side_free(struct side *side)
{
    free(side->order);
    free(side->ranks);
}

/* What is correlated in the resample where row i stands counts[i] times: ties share the average of
 * their positions. */
static const double *side_ranks(struct side *side, const uint32_t *counts, size_t n)
{
    if (!side->order) return side->values;
    double before = 0;
    for (size_t first = 0, end; first < n; first = end) {
        double tied = 0;
        for (end = first;
             end < n && side->values[side->order[end]] == side->values[side->order[first]]; end++)
            tied += counts[side->order[end]];
        for (size_t i = first; i < end; i++) side->ranks[side->order[i]] = before + (tied + 1) / 2;
        before += tied;
    }
    return side->ranks;
}

/* Whether two of the rows that are drawn differ.  Asked exactly: the mean of equal values may be
 * rounded away from them, and leave a variance. */
static bool varies(const double *x, const uint32_t *counts, size_t n)
{
    size_t first = 0;
    while (first < n && !counts[first]) first++;
    for (size_t i = first; i < n; i++)
        if (counts[i] && x[i] != x[first]) return true;
    return false;
}

/* data/metrics.h's pearson of n rows, each standing counts[i] times. */
static double counted_pearson(const double *x, const double *y, const uint32_t *counts, size_t n)
{
    double mean_x = 0, mean_y = 0, xx = 0, yy = 0, xy = 0, total = 0;
    if (!varies(x, counts, n) || !varies(y, counts, n)) return NAN;
    for (size_t i = 0; i < n; i++) {
        mean_x += counts[i] * x[i];
        mean_y += counts[i] * y[i];
        total += counts[i];
    }
    mean_x /= total, mean_y /= total;
    for (size_t i = 0; i < n; i++) {
        const double dx = x[i] - mean_x, dy = y[i] - mean_y;
        xx += counts[i] * dx * dx;
        yy += counts[i] * dy * dy;
        xy += counts[i] * dx * dy;
    }
    return fmax(-1, fmin(1, xy / (sqrt(xx) * sqrt(yy))));
}

/* ---- bootstrap ---- */

/* Correlation of a with y, less that of b with y unless b is NULL, on rows counted by counts. */
static double compared(struct side *a, struct side *b, struct side *y, const uint32_t *counts,
                       size_t n)
{
    const double *y_ranks = side_ranks(y, counts, n);
    double value = counted_pearson(side_ranks(a, counts, n), y_ranks, counts, n);
    if (b) value -= counted_pearson(side_ranks(b, counts, n), y_ranks, counts, n);
    return value;
}

static struct interval bootstrap(struct side *a, struct side *b, struct side *y, size_t n,
                                 int resamples, uint64_t seed)
{
    uint32_t *counts = xcalloc(n, sizeof *counts);
    double *values = xcalloc((size_t)resamples, sizeof *values);
    size_t found = 0;
    for (size_t i = 0; i < n; i++) counts[i] = 1;
    const double mean = compared(a, b, y, counts, n);
    for (int r = 0; r < resamples; r++) {
        memset(counts, 0, n * sizeof *counts);
        for (size_t i = 0; i < n; i++)
            counts[(size_t)(random_uniform(seed, (uint64_t)r, i) * (double)n)]++;
        values[found] = compared(a, b, y, counts, n);
        if (!isnan(values[found])) found++;
    }
    const struct interval interval = percentile_interval(mean, values, found);
    free(counts);
    free(values);
    return interval;
}

struct interval correlation_interval(enum correlation kind, const double *x, const double *y,
                                     size_t n, int resamples, uint64_t seed)
{
    struct side side_x = side_new(kind, x, n), side_y = side_new(kind, y, n);
    struct interval interval = bootstrap(&side_x, NULL, &side_y, n, resamples, seed);
    side_free(&side_x);
    side_free(&side_y);
    return interval;
}

struct interval correlation_difference(enum correlation kind, const double *a, const double *b,
                                       const double *y, size_t n, int resamples, uint64_t seed)
{
    struct side side_a = side_new(kind, a, n), side_b = side_new(kind, b, n);
    struct side side_y = side_new(kind, y, n);
    struct interval interval = bootstrap(&side_a, &side_b, &side_y, n, resamples, seed);
    side_free(&side_a);
    side_free(&side_b);
    side_free(&side_y);
    return interval;
}
