/* STS: cosines, correlations with intervals, against resamples written out and data/metrics.h. */
#include "distill/correlation.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>

START_TEST(scores_are_cosines_of_prefixes)
{
    enum { N = 600, WIDTH = 5, DIM = 3 }; /* more than two blocks */
    static float za[N * WIDTH], zb[N * WIDTH];
    double scores[N];
    for (size_t i = 0; i < N * WIDTH; i++) za[i] = test_value(1, i), zb[i] = test_value(2, i);
    for (int j = 0; j < DIM; j++) zb[599 * WIDTH + j] = 0;
    sts_scores(scores, za, zb, N, WIDTH, DIM);
    for (int i = 0; i < N; i++) {
        double ab = 0, aa = 0, bb = 0;
        for (int j = i * WIDTH; j < i * WIDTH + DIM; j++) {
            ab += (double)za[j] * (double)zb[j];
            aa += (double)za[j] * (double)za[j];
            bb += (double)zb[j] * (double)zb[j];
        }
        ck_assert_double_eq_tol(scores[i], bb > 0 ? ab / sqrt(aa * bb) : 0, 1e-7);
    }
}
END_TEST

/* n values of which many are equal, and others that go with them to a degree. */
static void make_values(double *x, double *y, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = round(4 * random_normal(3, 1, i)) / 4;
        y[i] = round(2 * (x[i] + random_normal(3, 2, i)));
    }
}

static int by_number(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* The resamples written out as lists, each ranked by data/metrics.h. */
static void naive_resamples(double *values, int resamples, enum correlation kind, const double *x,
                            const double *y, size_t n, uint64_t seed)
{
    double drawn_x[64], drawn_y[64];
    for (int r = 0; r < resamples; r++) {
        for (size_t i = 0; i < n; i++) {
            size_t row = (size_t)(random_uniform(seed, (uint64_t)r, i) * (double)n);
            drawn_x[i] = x[row], drawn_y[i] = y[row];
        }
        values[r] = kind == CORRELATION_SPEARMAN ? spearman(drawn_x, drawn_y, n)
                                                 : pearson(drawn_x, drawn_y, n);
    }
}

static void check_interval(struct interval interval, double mean, double *values)
{
    /* 41 resamples: the quantiles .025 and .975 are the sorted values 1 and 39 */
    qsort(values, 41, sizeof *values, by_number);
    ck_assert_double_eq_tol(interval.mean, mean, 1e-12);
    ck_assert_double_eq_tol(interval.low, values[1], 1e-12);
    ck_assert_double_eq_tol(interval.high, values[39], 1e-12);
}

START_TEST(intervals_equal_resamples_written_out)
{
    enum { N = 50, RESAMPLES = 41 };
    double x[N], y[N], values[RESAMPLES];
    make_values(x, y, N);
    naive_resamples(values, RESAMPLES, CORRELATION_SPEARMAN, x, y, N, 5);
    check_interval(correlation_interval(CORRELATION_SPEARMAN, x, y, N, RESAMPLES, 5),
                   spearman(x, y, N), values);
    naive_resamples(values, RESAMPLES, CORRELATION_PEARSON, x, y, N, 6);
    check_interval(correlation_interval(CORRELATION_PEARSON, x, y, N, RESAMPLES, 6),
                   pearson(x, y, N), values);
}
END_TEST

START_TEST(differences_are_paired)
{
    enum { N = 50, RESAMPLES = 41 };
    double x[N], y[N], other[N], with_x[RESAMPLES], with_other[RESAMPLES];
    make_values(x, y, N);
    for (size_t i = 0; i < N; i++) other[i] = x[i] + (double)test_value(9, i);
    naive_resamples(with_x, RESAMPLES, CORRELATION_SPEARMAN, x, y, N, 5);
    naive_resamples(with_other, RESAMPLES, CORRELATION_SPEARMAN, other, y, N, 5);
    for (int r = 0; r < RESAMPLES; r++) with_x[r] -= with_other[r];
    check_interval(correlation_difference(CORRELATION_SPEARMAN, x, other, y, N, RESAMPLES, 5),
                   spearman(x, y, N) - spearman(other, y, N), with_x);
    struct interval none = correlation_difference(CORRELATION_SPEARMAN, x, x, y, N, RESAMPLES, 5);
    ck_assert_double_eq(none.low, 0);
    ck_assert_double_eq(none.high, 0);
}
END_TEST

START_TEST(no_variance_is_not_a_number)
{
    const double x[] = {1, 2, 3, 4}, flat[] = {7, 7, 7, 7};
    struct interval interval = correlation_interval(CORRELATION_SPEARMAN, x, flat, 4, 20, 1);
    ck_assert(isnan(interval.mean) && isnan(interval.low) && isnan(interval.high));
    interval = correlation_interval(CORRELATION_SPEARMAN, x, x, 4, 500, 1);
    ck_assert_double_eq_tol(interval.mean, 1, 1e-12); /* resamples of one row alone are left out */
    ck_assert_double_eq_tol(interval.low, 1, 1e-12);
    /* the mean of these is no tenth */
    const double tenths[] = {0.1, 0.1, 0.1};
    interval = correlation_interval(CORRELATION_PEARSON, tenths, x, 3, 20, 1);
    ck_assert(isnan(interval.mean) && isnan(interval.low) && isnan(interval.high));
    ck_assert(isnan(correlation_interval(CORRELATION_PEARSON, x, tenths, 3, 20, 1).mean));
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(scores_are_cosines_of_prefixes),
        TEST(intervals_equal_resamples_written_out),
        TEST(differences_are_paired),
        TEST(no_variance_is_not_a_number),
        {0},
    };
    return run_tests("distill/correlation", rows);
}
