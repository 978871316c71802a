/* student/search: against a twin that multiplies in double and sorts everything. */
#include "student/search.h"
#include "tests/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *left, const void *right)
{
    const struct hit *a = left, *b = right;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

/* All rows of one query, best first. */
static void rank_naive(struct hit *all, const float *query, const float *vectors, size_t n,
                       size_t dim)
{
    for (size_t row = 0; row < n; row++) {
        double sum = 0;
        for (size_t i = 0; i < dim; i++) sum += (double)query[i] * (double)vectors[row * dim + i];
        all[row] = (struct hit){row, isnan(sum) ? -INFINITY : sum};
    }
    qsort(all, n, sizeof *all, compare);
}

/* Multiples of 1/4 in [-2, 2]: their sums of products are exact in any order, and ties are many. */
static float *exact_values(uint64_t stream, size_t n)
{
    float *values = xcalloc(n, sizeof *values);
    for (size_t i = 0; i < n; i++) values[i] = roundf(8 * test_value(stream, i)) / 4;
    return values;
}

static float *real_values(uint64_t stream, size_t n)
{
    float *values = xcalloc(n, sizeof *values);
    for (size_t i = 0; i < n; i++) values[i] = test_value(stream, i);
    return values;
}

struct shape {
    size_t queries, vectors, dim, k;
};

/* Hits equal the twin's: the same rows where exact, else the same scores and rows in order of their
 * own scores. */
static void check_shape(struct shape s, bool exact, int threads)
{
    float *(*values)(uint64_t, size_t) = exact ? exact_values : real_values;
    float *queries = values(1, s.queries * s.dim), *vectors = values(2, s.vectors * s.dim);
    struct hit *hits = xcalloc(s.queries * s.k, sizeof *hits);
    struct hit *all = xcalloc(s.vectors, sizeof *all);
    struct pool *pool = pool_open(threads);
    size_t found =
        search_top_k(hits, queries, s.queries, vectors, s.vectors, (int)s.dim, (int)s.k, pool);
    ck_assert_uint_eq(found, s.k < s.vectors ? s.k : s.vectors);
    double tolerance = exact ? 0 : 2e-6 * sqrt((double)s.dim);
    for (size_t q = 0; q < s.queries; q++) {
        rank_naive(all, queries + q * s.dim, vectors, s.vectors, s.dim);
        for (size_t i = 0; i < found; i++) {
            struct hit hit = hits[q * s.k + i];
            if (exact) ck_assert_uint_eq(hit.row, all[i].row);
            ck_assert_double_le(fabs(hit.score - all[i].score), tolerance);
            if (i) ck_assert(compare(&hits[q * s.k + i - 1], &hit) < 0);
        }
    }
    pool_close(pool);
    free(queries), free(vectors), free(hits), free(all);
}

static const struct shape shapes[] = {
    {1, 1, 1, 1},     {1, 3, 5, 10},     {1, 513, 7, 513}, {1, 5000, 16, 10},  {2, 2049, 32, 100},
    {3, 511, 33, 20}, {63, 1025, 48, 5}, {64, 512, 3, 1},  {65, 1537, 31, 17}, {200, 700, 64, 30},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

START_TEST(equals_the_naive_ranking_ties_included)
{
    for (size_t i = 0; i < SHAPES; i++)
        for (int threads = 1; threads <= 3; threads++) check_shape(shapes[i], true, threads);
}
END_TEST

START_TEST(equals_the_naive_scores_of_real_values)
{
    for (size_t i = 0; i < SHAPES; i++) check_shape(shapes[i], false, 2);
}
END_TEST

START_TEST(any_pool_gives_the_same_bytes)
{
    enum { Q = 70, N = 3000, D = 48, K = 50 };
    float *queries = real_values(3, Q * D), *vectors = real_values(4, N * D);
    struct hit *hits = xcalloc(Q * K, sizeof *hits), *again = xcalloc(Q * K, sizeof *again);
    const size_t counts[] = {1, 3, Q};
    for (size_t c = 0; c < 3; c++)
        for (int threads = 1; threads <= 4; threads++) {
            struct pool *pool = pool_open(threads);
            search_top_k(threads == 1 ? hits : again, queries, counts[c], vectors, N, D, K, pool);
            pool_close(pool);
            if (threads > 1) ck_assert(!memcmp(hits, again, counts[c] * K * sizeof *hits));
        }
    free(queries), free(vectors), free(hits), free(again);
}
END_TEST

START_TEST(nothing_to_find)
{
    float value = 1;
    struct hit hit = {7, 7};
    struct pool *pool = pool_open(2);
    ck_assert_uint_eq(search_top_k(&hit, &value, 1, &value, 0, 1, 5, pool), 0);
    ck_assert_uint_eq(search_top_k(&hit, &value, 1, &value, 1, 1, 0, pool), 0);
    ck_assert_uint_eq(search_top_k(&hit, &value, 0, &value, 1, 1, 5, pool), 1);
    ck_assert_uint_eq(hit.row, 7);
    pool_close(pool);
}
END_TEST

/* NaN scores lose against every other, wherever they stand, and never hide a better row. */
START_TEST(nan_vectors_come_last)
{
    enum { N = 2000, D = 8, K = 100 };
    float *query = exact_values(5, D), *vectors = exact_values(6, N * D);
    struct hit all[N], hits[K];
    struct pool *pool = pool_open(2);
    for (size_t row = 0; row < N; row++)
        if (row < 200 || row % 3 == 0 || row >= 1900) vectors[row * D + row % D] = NAN;
    rank_naive(all, query, vectors, N, D);
    ck_assert_uint_eq(search_top_k(hits, query, 1, vectors, N, D, K, pool), K);
    for (size_t i = 0; i < K; i++) ck_assert_uint_eq(hits[i].row, all[i].row);

    for (size_t i = 0; i < N * D; i++) vectors[i] = NAN;
    search_top_k(hits, query, 1, vectors, N, D, K, pool);
    for (size_t i = 0; i < K; i++) {
        ck_assert_uint_eq(hits[i].row, i);
        ck_assert(hits[i].score == -INFINITY);
    }
    pool_close(pool);
    free(query), free(vectors);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(equals_the_naive_ranking_ties_included),
        TEST(equals_the_naive_scores_of_real_values),
        TEST(any_pool_gives_the_same_bytes),
        TEST(nothing_to_find),
        TEST(nan_vectors_come_last),
        {0},
    };
    return run_tests("student/search", rows);
}
