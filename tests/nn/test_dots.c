/* nn/dots: every build that this processor runs, against naive sums in double. */
#include "nn/dots.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROWS = 48, MOST_DIM = 1000, MOST_QUERIES = 40 };
static const size_t dims[] = {1,   7,   8,   15,  16,  17,  31,  32,  33,  64,  65,
                              100, 128, 129, 255, 256, 300, 384, 512, 768, 1000};
enum { DIMS = sizeof dims / sizeof *dims };

/* Calls check for every build up to the best that this processor runs. */
static void with_each_build(void (*check)(const struct dots *dots))
{
    const struct dots *builds[] = {&dots_portable, &dots_avx2, &dots_avx512, &dots_avx512_bf16,
                                   &dots_amx};
    int i = 0;
    do check(builds[i]);
    while (builds[i++] != dots_best());
}

/* A row's bytes, and what they mean. */
static void fill_row(unsigned char *row, double *values, uint64_t stream, size_t dim,
                     enum vector_type type)
{
    for (size_t i = 0; i < dim; i++) {
        float value = test_value(stream, i);
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        int8_t small = (int8_t)lrintf(127 * fmaxf(-1, fminf(1, value)));
        if (i % 9 == 0) small = i % 2 ? 127 : -127;
        bits &= 0xffff0000u;
        if (type == VECTOR_F32) memcpy(row + 4 * i, &value, 4);
        if (type == VECTOR_BF16)
            memcpy(row + 2 * i, (char *)&bits + 2, 2), memcpy(&value, &bits, 4);
        if (type == VECTOR_INT8) row[i] = (unsigned char)small, value = small;
        if (type == VECTOR_BINARY) {
            row[i / 8] |= (unsigned char)(value > 0 ? 0x80 >> i % 8 : 0);
            value = value > 0 ? 1 : -1;
        }
        values[i] = (double)value;
    }
}

static size_t bytes_of(enum vector_type type, size_t dim)
{
    static const size_t sizes[] = {4, 2, 1};
    return type == VECTOR_BINARY ? (dim + 7) / 8 : dim * sizes[type];
}

/* Rows whose memory ends where dots.h says that no more is read, and is full of ones, which as
 * floats are NaN: what is read behind a row must not count. */
static unsigned char *make_rows(double *values, size_t count, size_t dim, enum vector_type type)
{
    size_t bytes = bytes_of(type, dim), room = (count + DOTS_ROWS - 1) / DOTS_ROWS * DOTS_ROWS;
    unsigned char *rows = xmalloc(room * bytes + DOTS_SLACK);
    memset(rows, 0xff, room * bytes + DOTS_SLACK);
    memset(rows, 0, count * bytes);
    for (size_t row = 0; row < count; row++)
        fill_row(rows + row * bytes, values + row * dim, 10 + row, dim, type);
    return rows;
}

static void check_one(const struct dots *dots, size_t count, size_t dim, enum vector_type type)
{
    static double values[MOST_ROWS * MOST_DIM], query_values[MOST_DIM];
    float scores[MOST_ROWS + DOTS_ROWS];
    size_t bytes = bytes_of(type, dim);
    unsigned char *rows = make_rows(values, count, dim, type);
    unsigned char *query = xaligned((bytes + DOTS_SLACK - 1) / DOTS_SLACK * DOTS_SLACK, 1);
    fill_row(query, query_values, 1, dim, type);
    dots->one[type](scores, query, rows, count, dim);
    for (size_t row = 0; row < count; row++) {
        double sum = 0, size = 0;
        for (size_t i = 0; i < dim; i++) {
            double product = query_values[i] * values[row * dim + i];
            sum += product, size += fabs(product);
        }
        double tolerance = type == VECTOR_F32 || type == VECTOR_BF16 ? 3e-7 * size : 0;
        ck_assert_msg(fabs((double)scores[row] - sum) <= tolerance, "%s, type %d, dim %zu: %g, %g",
                      dots->name, (int)type, dim, (double)scores[row], sum);
    }
    free(rows), free(query);
}

static void check_each_one(const struct dots *dots)
{
    static const size_t counts[] = {1, 15, 16, 17, MOST_ROWS};
    for (int type = 0; type < VECTOR_TYPES; type++)
        for (size_t d = 0; d < DIMS; d++)
            for (size_t c = 0; c < 5; c++)
                check_one(dots, counts[c], dims[d], (enum vector_type)type);
}

START_TEST(one_query_equals_naive_sums)
{
    with_each_build(check_each_one);
}
END_TEST

/* A value that is none, or infinite, stays in its own row. */
static void check_special(const struct dots *dots)
{
    enum { DIM = 33, ROWS = 20 };
    static double values[ROWS * DIM];
    float scores[32], query[48] __attribute__((aligned(64))) = {0};
    float *rows = (float *)(void *)make_rows(values, ROWS, DIM, VECTOR_F32);
    for (size_t i = 0; i < DIM; i++) query[i] = 1;
    rows[3 * DIM] = NAN, rows[4 * DIM + DIM - 1] = INFINITY, rows[5 * DIM + 7] = 1e-42f;
    dots->one[VECTOR_F32](scores, query, rows, ROWS, DIM);
    for (size_t row = 0; row < ROWS; row++) ck_assert(isnan(scores[row]) == (row == 3));
    ck_assert(isinf(scores[4]));
    free(rows);
}

START_TEST(not_a_number_stays_in_its_row)
{
    with_each_build(check_special);
}
END_TEST

static void check_signs(const struct dots *dots, size_t num_queries, size_t dim)
{
    enum { ROWS = 21 };
    static double values[ROWS * MOST_DIM], query_values[MOST_QUERIES * MOST_DIM];
    static uint32_t places[ROWS * MOST_QUERIES], differ[ROWS * MOST_QUERIES];
    int32_t limits[MOST_QUERIES + DOTS_ROWS] = {0};
    unsigned char *rows = make_rows(values, ROWS, dim, VECTOR_BINARY);
    unsigned char *queries = make_rows(query_values, num_queries, dim, VECTOR_BINARY);
    struct turned_signs turned = {
        num_queries, dim, xcalloc(dots_turned_size(num_queries, dim), sizeof(uint32_t)), limits};
    for (size_t q = 0; q < num_queries; q++) limits[q] = q % 3 ? (int32_t)(dim / 2 + q % 5) : 1;
    dots_turn_signs(&turned, queries);
    size_t found = dots->signs_below(places, differ, &turned, rows, ROWS), at = 0;
    for (size_t row = 0; row < ROWS; row++)
        for (size_t q = 0; q < num_queries; q++) {
            uint32_t unequal = 0;
            for (size_t i = 0; i < dim; i++)
                unequal += values[row * dim + i] != query_values[q * dim + i];
            if ((int32_t)unequal >= limits[q]) continue;
            ck_assert_uint_lt(at, found);
            ck_assert_uint_eq(places[at], row * num_queries + q);
            ck_assert_uint_eq(differ[at++], unequal);
        }
    ck_assert_uint_eq(at, found);
    free(turned.words), free(queries), free(rows);
}

static void check_all_signs(const struct dots *dots)
{
    static const size_t counts[] = {1, 15, 16, 17, MOST_QUERIES};
    for (size_t d = 0; d < DIMS; d++)
        for (size_t c = 0; c < 5; c++) check_signs(dots, counts[c], dims[d]);
}

START_TEST(signs_below_the_limit_are_those_counted_one_by_one)
{
    with_each_build(check_all_signs);
}
END_TEST

static void check_above(const struct dots *dots)
{
    enum { ROWS = 5, MOST = 150 };
    static const size_t widths[] = {1, 16, 63, 64, 65, 130, MOST};
    static float scores[ROWS * MOST], bars[MOST], scales[ROWS];
    static uint32_t places[ROWS * MOST];
    for (size_t w = 0; w < 7; w++)
        for (int scaled = 0; scaled < 2; scaled++) {
            size_t cols = widths[w], at = 0;
            for (size_t i = 0; i < ROWS * cols; i++) scores[i] = roundf(4 * test_value(3, i));
            for (size_t i = 0; i < cols; i++) bars[i] = roundf(4 * test_value(4, i));
            for (size_t i = 0; i < ROWS; i++) scales[i] = 0.5f * (float)(i + 1);
            scores[0] = NAN, bars[cols - 1] = -INFINITY;
            size_t found = dots->above(places, scores, scaled ? scales : NULL, bars, ROWS, cols);
            for (size_t i = 0; i < ROWS * cols; i++) {
                float score = scaled ? scores[i] * scales[i / cols] : scores[i];
                if (!(score > bars[i % cols])) continue;
                ck_assert_uint_lt(at, found);
                ck_assert_uint_eq(places[at++], i);
            }
            ck_assert_uint_eq(at, found);
        }
}

START_TEST(scores_above_the_bar_are_found_in_order)
{
    with_each_build(check_above);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(one_query_equals_naive_sums),
        TEST(not_a_number_stays_in_its_row),
        TEST(signs_below_the_limit_are_those_counted_one_by_one),
        TEST(scores_above_the_bar_are_found_in_order),
        {0},
    };
    return run_tests("nn/dots", rows);
}
