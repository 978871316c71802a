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

/* What a row of values is worth once it is stored, in double: of bf16, int8 and signs by their
 * definitions, not by what stores them. */
static void naive_row(double *out, const float *values, size_t dim, enum vector_type type)
{
    double largest = 0;
    for (size_t i = 0; i < dim; i++) largest = fmax(largest, fabs((double)values[i]));
    float scale = (float)(largest > 0 ? largest / 127 : 1);
    for (size_t i = 0; i < dim; i++) {
        double value = (double)values[i];
        int exponent = 0;
        frexp(value, &exponent);
        if (type == VECTOR_BF16 && isfinite(value) && value != 0)
            value = ldexp(rint(ldexp(value, 8 - exponent)), exponent - 8);
        if (type == VECTOR_INT8)
            value = rint(value / (largest > 0 ? largest / 127 : 1)) * (double)scale;
        if (type == VECTOR_BINARY) value = value > 0 ? 1 : -1;
        out[i] = value;
    }
}

static double *naive_rows(const float *values, size_t n, size_t dim, enum vector_type type)
{
    double *rows = xcalloc(n * dim, sizeof *rows);
    for (size_t row = 0; row < n; row++) naive_row(rows + row * dim, values + row * dim, dim, type);
    return rows;
}

/* All rows of one query, best first. */
static void rank_naive(struct hit *all, const double *query, const double *vectors, size_t n,
                       size_t dim)
{
    for (size_t row = 0; row < n; row++) {
        double sum = 0;
        for (size_t i = 0; i < dim; i++) sum += query[i] * vectors[row * dim + i];
        all[row] = (struct hit){row, isnan(sum) ? -INFINITY : sum};
    }
    qsort(all, n, sizeof *all, compare);
}

/* Owns what it points to. */
static struct stored_vectors store(const float *values, size_t n, size_t dim, enum vector_type type)
{
    char *bytes = xmalloc(n * stored_bytes(type, (int)dim));
    float *scales = type == VECTOR_INT8 ? xcalloc(n, sizeof *scales) : NULL;
    store_vectors(bytes, scales, values, n, (int)dim, type);
    return (struct stored_vectors){type, n, (int)dim, bytes, scales};
}

static void stored_free(struct stored_vectors *vectors)
{
    free((void *)vectors->values), free((void *)vectors->scales);
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

/* What rounding may do to a score: f32 and bf16 are added up in f32, the others are exact but for
 * the scales. */
static double tolerance_of(enum vector_type type, size_t dim)
{
    if (type == VECTOR_BINARY) return 0;
    return type == VECTOR_INT8 ? 1e-6 * (double)dim : 2e-6 * sqrt((double)dim);
}

/* Hits equal the twin's: the same rows where exact, else the same scores and rows in order of their
 * own scores. */
static void check_shape(struct shape s, enum vector_type type, bool exact, int threads)
{
    float *(*values)(uint64_t, size_t) = exact ? exact_values : real_values;
    float *queries = values(1, s.queries * s.dim), *vectors = values(2, s.vectors * s.dim);
    double *q_naive = naive_rows(queries, s.queries, s.dim, type);
    double *v_naive = naive_rows(vectors, s.vectors, s.dim, type);
    struct stored_vectors stored = store(vectors, s.vectors, s.dim, type);
    struct hit *hits = xcalloc(s.queries * s.k, sizeof *hits);
    struct hit *all = xcalloc(s.vectors, sizeof *all);
    struct pool *pool = pool_open(threads);
    size_t found = search_top_k(hits, queries, s.queries, &stored, (int)s.k, pool);
    ck_assert_uint_eq(found, s.k < s.vectors ? s.k : s.vectors);
    double tolerance = exact ? 0 : tolerance_of(type, s.dim);
    for (size_t q = 0; q < s.queries; q++) {
        rank_naive(all, q_naive + q * s.dim, v_naive, s.vectors, s.dim);
        for (size_t i = 0; i < found; i++) {
            struct hit hit = hits[q * s.k + i];
            if (exact) ck_assert_uint_eq(hit.row, all[i].row);
            ck_assert_double_le(fabs(hit.score - all[i].score), tolerance);
            if (i) ck_assert(compare(&hits[q * s.k + i - 1], &hit) < 0);
        }
    }
    pool_close(pool);
    stored_free(&stored);
    free(q_naive), free(v_naive);
    free(queries), free(vectors), free(hits), free(all);
}

static const struct shape shapes[] = {
    {1, 1, 1, 1},       {1, 3, 5, 10},      {1, 513, 7, 513},     {1, 5000, 16, 10},
    {2, 2049, 32, 100}, {3, 511, 33, 20},   {63, 1025, 48, 5},    {64, 512, 3, 1},
    {65, 1537, 31, 17}, {200, 700, 64, 30}, {15, 2100, 15, 9},    {16, 300, 1, 4},
    {17, 1100, 17, 33}, {4, 700, 129, 8},   {300, 600, 100, 300}, {270, 257, 129, 3},
    {1, 1500, 300, 12}, {40, 300, 261, 7},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* Numbers of int8 are no multiples of 1/4. */
START_TEST(equals_the_naive_ranking_ties_included)
{
    static const enum vector_type exact[] = {VECTOR_F32, VECTOR_BF16, VECTOR_BINARY};
    for (size_t t = 0; t < 3; t++)
        for (size_t i = 0; i < SHAPES; i++)
            for (int threads = 1; threads <= 3; threads++)
                check_shape(shapes[i], exact[t], true, threads);
}
END_TEST

START_TEST(equals_the_naive_scores_of_real_values)
{
    for (int type = 0; type < VECTOR_TYPES; type++)
        for (size_t i = 0; i < SHAPES; i++)
            check_shape(shapes[i], (enum vector_type)type, false, 2);
}
END_TEST

START_TEST(any_pool_gives_the_same_bytes)
{
    enum { Q = 270, N = 3000, D = 48, K = 50 };
    float *queries = real_values(3, Q * D), *vectors = real_values(4, N * D);
    struct hit *hits = xcalloc(Q * K, sizeof *hits), *again = xcalloc(Q * K, sizeof *again);
    const size_t counts[] = {1, 3, Q};
    for (int type = 0; type < VECTOR_TYPES; type++) {
        struct stored_vectors stored = store(vectors, N, D, (enum vector_type)type);
        for (size_t c = 0; c < 3; c++)
            for (int threads = 1; threads <= 4; threads++) {
                struct pool *pool = pool_open(threads);
                search_top_k(threads == 1 ? hits : again, queries, counts[c], &stored, K, pool);
                pool_close(pool);
                if (threads > 1) ck_assert(!memcmp(hits, again, counts[c] * K * sizeof *hits));
            }
        stored_free(&stored);
    }
    free(queries), free(vectors), free(hits), free(again);
}
END_TEST

/* Where nothing is left out, the ranking by the query as it is. */
START_TEST(rescored_hits_are_ranked_by_the_unrounded_query)
{
    enum { Q = 20, N = 400, D = 33, K = 100, TIMES = 4 };
    static struct hit all[N], hits[Q * K], plain[Q * K];
    float *queries = real_values(7, Q * D), *vectors = real_values(8, N * D);
    struct pool *pool = pool_open(2);
    for (int type = 0; type < VECTOR_TYPES; type++) {
        struct stored_vectors stored = store(vectors, N, D, (enum vector_type)type);
        ck_assert_uint_eq(search_rescored(hits, queries, Q, &stored, K, TIMES, pool), K);
        double tolerance = type == VECTOR_F32 ? 2e-5 : 1e-5;
        double *q_naive = naive_rows(queries, Q, D, VECTOR_F32);
        double *v_naive = naive_rows(vectors, N, D, (enum vector_type)type);
        for (size_t q = 0; q < Q; q++) {
            rank_naive(all, q_naive + q * D, v_naive, N, D);
            for (size_t i = 0; i < K; i++)
                ck_assert_double_le(fabs(hits[q * K + i].score - all[i].score), tolerance);
        }
        free(q_naive), free(v_naive);
        search_rescored(hits, queries, Q, &stored, K, 1, pool);
        search_top_k(plain, queries, Q, &stored, K, pool);
        ck_assert_mem_eq(hits, plain, sizeof hits);
        ck_assert_uint_eq(search_rescored(hits, queries, 1, &stored, N + 5, 2, pool), N);
        stored_free(&stored);
    }
    pool_close(pool);
    free(queries), free(vectors);
}
END_TEST

START_TEST(nothing_to_find)
{
    float value = 1;
    struct hit hit = {7, 7};
    struct pool *pool = pool_open(2);
    const struct stored_vectors none = {VECTOR_F32, 0, 1, &value, NULL};
    const struct stored_vectors one = {VECTOR_F32, 1, 1, &value, NULL};
    ck_assert_uint_eq(search_top_k(&hit, &value, 1, &none, 5, pool), 0);
    ck_assert_uint_eq(search_top_k(&hit, &value, 1, &one, 0, pool), 0);
    ck_assert_uint_eq(search_top_k(&hit, &value, 0, &one, 5, pool), 1);
    ck_assert_uint_eq(hit.row, 7);
    pool_close(pool);
}
END_TEST

/* NaN scores lose against every other, wherever they stand, and never hide a better row; in bf16 as
 * in f32, for one query as for many. */
static void check_nan(enum vector_type type, size_t num_queries)
{
    enum { N = 2000, D = 8, K = 100, MOST = 20 };
    static struct hit all[N], hits[MOST * K];
    float *queries = exact_values(5, MOST * D), *vectors = exact_values(6, N * D);
    struct pool *pool = pool_open(2);
    for (size_t row = 0; row < N; row++)
        if (row < 200 || row % 3 == 0 || row >= 1900) vectors[row * D + row % D] = NAN;
    struct stored_vectors stored = store(vectors, N, D, type);
    double *q_naive = naive_rows(queries, num_queries, D, type);
    double *v_naive = naive_rows(vectors, N, D, type);
    ck_assert_uint_eq(search_top_k(hits, queries, num_queries, &stored, K, pool), K);
    for (size_t q = 0; q < num_queries; q++) {
        rank_naive(all, q_naive + q * D, v_naive, N, D);
        for (size_t i = 0; i < K; i++) ck_assert_uint_eq(hits[q * K + i].row, all[i].row);
    }
    stored_free(&stored);
    free(q_naive), free(v_naive);

    for (size_t i = 0; i < N * D; i++) vectors[i] = NAN;
    stored = store(vectors, N, D, type);
    search_top_k(hits, queries, num_queries, &stored, K, pool);
    for (size_t i = 0; i < K; i++) {
        ck_assert_uint_eq(hits[i].row, i);
        ck_assert(hits[i].score == -INFINITY);
    }
    pool_close(pool);
    stored_free(&stored);
    free(queries), free(vectors);
}

START_TEST(nan_vectors_come_last)
{
    static const enum vector_type types[] = {VECTOR_F32, VECTOR_BF16};
    for (size_t t = 0; t < 2; t++) check_nan(types[t], 1), check_nan(types[t], 20);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(equals_the_naive_ranking_ties_included),
        TEST(equals_the_naive_scores_of_real_values),
        TEST(any_pool_gives_the_same_bytes),
        TEST(rescored_hits_are_ranked_by_the_unrounded_query),
        TEST(nothing_to_find),
        TEST(nan_vectors_come_last),
        {0},
    };
    return run_tests("student/search", rows);
}
