/* nn/gradients against plain loops over the whole block: listed rows are all that may differ from
 * zero. */
#include "nn/gradients.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 301, COLS = 17 };

/* The table stands between two others, or (by_rows false) is one of three. */
static void make_params(struct params *params, bool by_rows)
{
    *params = (struct params){0};
    params_add(params, "before", 41, 53, true);
    params_add(params, "table", ROWS, COLS, true);
    params_add(params, "after", 1, 4099, false);
    params->list[1].by_rows = by_rows;
    params_alloc(params);
}

/* Rows first, first + 7, ... and everything outside the table. */
static void fill(struct gradients *gradients, int first, uint64_t stream)
{
    const struct param *table = gradients->table;
    for (size_t i = 0; i < gradients->params->size; i++)
        if (i < table->offset || i >= table->offset + ROWS * COLS)
            gradients->values[i] = test_value(stream, i);
    for (int32_t row = first; row < ROWS; row += 7) {
        size_t at = table->offset + (size_t)row * COLS;
        gradients_touch(gradients, (int32_t[]){row, row}, 2);
        for (size_t i = at; i < at + COLS; i++) gradients->values[i] = test_value(stream, i);
    }
}

static double naive_norm(const float *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)values[i] * (double)values[i];
    return sqrt(sum);
}

START_TEST(rows_are_listed_once_in_order)
{
    struct params params;
    struct gradients gradients;
    make_params(&params, true);
    gradients_init(&gradients, &params);
    gradients_touch(&gradients, (int32_t[]){300, 4, 300, 0, 63, 64, 4}, 7);
    const int32_t expected[] = {300, 4, 0, 63, 64};
    ck_assert_uint_eq(gradients.num_rows, 5);
    ck_assert_mem_eq(gradients.rows, expected, sizeof expected);
    gradients_touch(&gradients, NULL, 0);
    gradients_clear(&gradients, NULL);
    ck_assert_uint_eq(gradients.num_rows, 0);
    gradients_touch(&gradients, (int32_t[]){64}, 1);
    ck_assert_uint_eq(gradients.num_rows, 1);
    gradients_free(&gradients);
    params_free(&params);
}
END_TEST

START_TEST(norm_sum_and_clearing_reach_every_value)
{
    struct params params;
    struct gradients sum, more[2];
    struct pool *pool = pool_open(3);
    make_params(&params, true);
    gradients_init(&sum, &params);
    float *expected = xcalloc(params.size, sizeof *expected);
    fill(&sum, 0, 1);
    for (int m = 0; m < 2; m++) {
        gradients_init(&more[m], &params);
        fill(&more[m], 1 + 7 * m, (uint64_t)(2 + m)); /* the second's rows are the first's, too */
    }
    for (size_t i = 0; i < params.size; i++)
        expected[i] = sum.values[i] + more[0].values[i] + more[1].values[i];
    double norm = gradients_norm(&sum, NULL);
    ck_assert(norm == gradients_norm(&sum, pool));
    ck_assert_double_eq_tol(norm / naive_norm(sum.values, params.size), 1, 1e-13);
    gradients_add(&sum, (const struct gradients *[]){&more[0], &more[1]}, 2, pool);
    ck_assert_int_eq(memcmp(sum.values, expected, params.size * sizeof *expected), 0);
    ck_assert_uint_eq(sum.num_rows, 2 * (ROWS / 7));
    norm = gradients_norm(&sum, pool);
    ck_assert_double_eq_tol(norm / naive_norm(expected, params.size), 1, 1e-13);
    gradients_clear(&sum, pool);
    memset(expected, 0, params.size * sizeof *expected);
    ck_assert_int_eq(memcmp(sum.values, expected, params.size * sizeof *expected), 0);
    ck_assert_double_eq(gradients_norm(&sum, NULL), 0);
    for (int m = 0; m < 2; m++) gradients_free(&more[m]);
    gradients_free(&sum);
    params_free(&params);
    pool_close(pool);
    free(expected);
}
END_TEST

START_TEST(without_a_table_everything_is_visited)
{
    struct params params;
    struct gradients gradients;
    make_params(&params, false);
    gradients_init(&gradients, &params);
    gradients_touch(&gradients, (int32_t[]){5}, 1);
    ck_assert_uint_eq(gradients.num_rows, 0);
    for (size_t i = 0; i < params.size; i++) gradients.values[i] = test_value(1, i);
    double norm = gradients_norm(&gradients, NULL);
    ck_assert_double_eq_tol(norm / naive_norm(gradients.values, params.size), 1, 1e-13);
    gradients_clear(&gradients, NULL);
    ck_assert_double_eq(naive_norm(gradients.values, params.size), 0);
    gradients_free(&gradients);
    params_free(&params);
}
END_TEST

START_TEST(norm_holds_large_values_and_shows_what_is_not_finite)
{
    struct params params;
    struct gradients gradients;
    make_params(&params, true);
    gradients_init(&gradients, &params);
    fill(&gradients, 2, 4);
    for (size_t i = 0; i < params.size; i++) gradients.values[i] *= 1e20f; /* squares overflow */
    double norm = gradients_norm(&gradients, NULL);
    ck_assert_double_eq_tol(norm / naive_norm(gradients.values, params.size), 1, 1e-13);
    const size_t places[] = {0, params.size - 1, gradients.table->offset + 9 * COLS};
    for (int place = 0; place < 3; place++) {
        float kept = gradients.values[places[place]];
        gradients.values[places[place]] = NAN;
        ck_assert(isnan(gradients_norm(&gradients, NULL)));
        gradients.values[places[place]] = kept;
    }
    ck_assert(gradients_norm(&gradients, NULL) == norm);
    gradients_free(&gradients);
    params_free(&params);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(rows_are_listed_once_in_order),
                                    TEST(norm_sum_and_clearing_reach_every_value),
                                    TEST(without_a_table_everything_is_visited),
                                    TEST(norm_holds_large_values_and_shows_what_is_not_finite),
                                    {0}};
    return run_tests("nn/gradients", rows);
}
