/* AdamW against torch's and a naive double-precision twin; rows whose updates wait against all rows
 * in every step; what clipping and schedules must keep. */
#include "nn/optimizer.h"
#include "tests/golden.h"
#include "tests/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- golden ---- */

struct golden_names {
    const char *path, *w_start, *b_start; /* of the file; of values before step 0 */
    const char *w_gradient, *b_gradient, *w_after, *b_after; /* with %d */
    const char *norm, *factor; /* with %d; factor NULL: constant rate */
    int rows, cols;            /* of w; b is [rows] */
    int shift;                 /* number of w_after less the step's */
};

static void check_values(const struct safetensors *st, const struct params *params, int index,
                         const char *format, int number)
{
    size_t n = params_param_size(&params->list[index]);
    char name[64];
    snprintf(name, sizeof name, format, number);
    float *expected = golden(st, n, "%s", name);
    check_close(params_values(params, index), expected, n, 1e-6); /* seen: 1e-7 */
    free(expected);
}

static void copy_values(const struct safetensors *st, const struct params *params, int index,
                        const char *format, int number, float *block)
{
    size_t n = params_param_size(&params->list[index]);
    char name[64];
    snprintf(name, sizeof name, format, number);
    float *values = golden(st, n, "%s", name);
    memcpy(block + params->list[index].offset, values, n * sizeof *values);
    free(values);
}

static double golden_value(const struct safetensors *st, const char *format, int number)
{
    char name[64];
    snprintf(name, sizeof name, format, number);
    float *value = golden(st, 1, "%s", name);
    double result = (double)*value;
    free(value);
    return result;
}

static void check_steps(const struct golden_names *names, double rate, double decay, int steps)
{
    struct safetensors *st = golden_open(names->path);
    struct params params = {0};
    params_add(&params, "w", names->rows, names->cols, true);
    params_add(&params, "b", 1, names->rows, false);
    params_alloc(&params);
    copy_values(st, &params, 0, names->w_start, 0, params.values);
    copy_values(st, &params, 1, names->b_start, 0, params.values);
    struct adamw adamw = {0};
    adamw_init(&adamw, &params);
    adamw.weight_decay = decay;
    float *gradients = adamw.gradients.values;
    for (int step = 0; step < steps; step++) {
        copy_values(st, &params, 0, names->w_gradient, step, gradients);
        copy_values(st, &params, 1, names->b_gradient, step, gradients);
        double norm = gradients_norm(&adamw.gradients, NULL), factor = 1;
        ck_assert_double_eq_tol(norm, golden_value(st, names->norm, step), 1e-6 * norm);
        if (names->factor) {
            factor = schedule_factor(SCHEDULE_COSINE, (uint64_t)step, 2, (uint64_t)steps);
            ck_assert_double_eq_tol(factor, golden_value(st, names->factor, step), 1e-6);
        }
        adamw_step(&adamw, &params, clip_scale(norm, 1), rate * factor, NULL);
        check_values(st, &params, 0, names->w_after, step + names->shift);
        check_values(st, &params, 1, names->b_after, step + names->shift);
    }
    ck_assert_uint_eq(adamw.step, (uint64_t)steps);
    adamw_free(&adamw);
    params_free(&params);
    safetensors_close(st);
}

START_TEST(equals_torch_with_clipping_decay_and_schedule)
{
    const struct golden_names names = {
        .path = "tests/nn/golden_adamw.safetensors",
        .w_start = "w.start",
        .b_start = "b.start",
        .w_gradient = "w.gradient.%d",
        .b_gradient = "b.gradient.%d",
        .w_after = "w.after.%d",
        .b_after = "b.after.%d",
        .norm = "norm.%d",
        .factor = "factor.%d",
        .rows = 7,
        .cols = 5,
    };
    check_steps(&names, 0.05, 0.1, 6);
}
END_TEST

START_TEST(equals_the_shared_golden_values)
{
    const struct golden_names names = {
        .path = shared("golden/adamw/expected.safetensors"),
        .w_start = "w0",
        .b_start = "b0",
        .w_gradient = "gw%d",
        .b_gradient = "gb%d",
        .w_after = "w%d",
        .b_after = "b%d",
        .norm = "norm%d",
        .rows = 40,
        .cols = 8,
        .shift = 1,
    };
    if (names.path) check_steps(&names, 1e-2, 0.01, 5);
}
END_TEST

/* ---- a naive twin in double, over several parameters with holes between them ---- */

static void make_params(struct params *params)
{
    params_add(params, "matrix", 61, 83, true);
    params_add(params, "bias", 1, 3, false);
    params_add(params, "long", 700, 100, true);
    params_alloc(params);
    for (size_t i = 0; i < params->size; i++) params->values[i] = test_value(1, i);
}

static void naive_step(double *p, double *m, double *v, double g, double decay, double rate, int t)
{
    *p -= rate * decay * *p;
    *m = 0.9 * *m + 0.1 * g;
    *v = 0.999 * *v + 0.001 * g * g;
    double mean = *m / (1 - pow(0.9, t)), square = *v / (1 - pow(0.999, t));
    *p -= rate * mean / (sqrt(square) + 1e-8);
}

START_TEST(equals_a_naive_twin)
{
    struct params params = {0};
    make_params(&params);
    struct adamw adamw = {0};
    adamw_init(&adamw, &params);
    float *gradients = adamw.gradients.values;
    double *p = xcalloc(params.size, sizeof *p), *m = xcalloc(params.size, sizeof *m);
    double *v = xcalloc(params.size, sizeof *v);
    for (size_t i = 0; i < params.size; i++) p[i] = (double)params.values[i];
    for (int t = 1; t <= 4; t++) {
        for (size_t i = 0; i < params.size; i++)
            gradients[i] = (i % 3 ? 1 : 2e-8f) * (float)(i % 7 != 0) * /* near epsilon; zeros */
                           test_value(2 + (uint64_t)t, i);
        adamw_step(&adamw, &params, 0.5, 0.01, NULL);
        for (int k = 0; k < 3; k++)
            for (size_t i = params.list[k].offset;
                 i < params.list[k].offset + params_param_size(&params.list[k]); i++)
                naive_step(&p[i], &m[i], &v[i], 0.5 * (double)gradients[i],
                           params.list[k].decay ? 0.01 : 0, 0.01, t);
    }
    for (int k = 0; k < 3; k++) {
        size_t n = params_param_size(&params.list[k]), at = params.list[k].offset;
        float *expected = xcalloc(n, sizeof *expected);
        for (size_t i = 0; i < n; i++) expected[i] = (float)p[at + i];
        check_close(params.values + at, expected, n, 1e-6); /* seen: 2e-7 */
        free(expected);
    }
    adamw_free(&adamw);
    ck_assert_ptr_null(adamw.m);
    params_free(&params);
    free(p), free(m), free(v);
}
END_TEST

START_TEST(same_bytes_for_any_pool)
{
    struct params alone = {0}, together = {0};
    make_params(&alone), make_params(&together);
    struct adamw a = {0}, b = {0};
    adamw_init(&a, &alone), adamw_init(&b, &together);
    struct pool *pool = pool_open(3);
    for (int t = 0; t < 3; t++) {
        for (size_t i = 0; i < alone.size; i++)
            a.gradients.values[i] = b.gradients.values[i] = test_value(3, i);
        adamw_step(&a, &alone, 1, 0.1, NULL);
        adamw_step(&b, &together, 1, 0.1, pool);
    }
    ck_assert_int_eq(memcmp(alone.values, together.values, alone.size * sizeof(float)), 0);
    ck_assert_int_eq(memcmp(a.v, b.v, alone.size * sizeof(float)), 0);
    pool_close(pool);
    adamw_free(&a), adamw_free(&b);
    params_free(&alone), params_free(&together);
}
END_TEST

/* ---- a table by rows: against every row updated in every step, and in double ---- */

enum { ROWS = 67, COLS = 83, RUN = 400 };

struct tabled {
    struct params params;
    struct adamw adamw;
};

/* Of "before", the table and "after": none learns as fast as another. */
static const double factors[] = {1, 0.0625, 0.5};

static void make_tabled(struct tabled *out, bool by_rows)
{
    *out = (struct tabled){0};
    params_add(&out->params, "before", 3, 11, true);
    params_add(&out->params, "table", ROWS, COLS, true);
    params_add(&out->params, "after", 1, 29, false);
    out->params.list[1].by_rows = by_rows;
    params_alloc(&out->params);
    for (size_t i = 0; i < out->params.size; i++) out->params.values[i] = test_value(1, i);
    adamw_init(&out->adamw, &out->params);
    out->adamw.weight_decay = 0.1;
    memcpy(out->adamw.rate_factors, factors, sizeof factors);
}

static void free_tabled(struct tabled *tabled)
{
    adamw_free(&tabled->adamw);
    params_free(&tabled->params);
}

/* Row r is read in about one step of r + 1, rows from 60 on in none. */
static bool is_read(int row, int step)
{
    return row < 60 && random_bits(9, (uint64_t)row, (uint64_t)step) % (uint64_t)(row + 1) == 0;
}

static size_t at_row(const struct tabled *tabled, int row)
{
    return tabled->params.list[1].offset + (size_t)row * COLS;
}

/* Zero but for the step's rows and what is outside the table; row 5's squares are denormal, row
 * 6's moments vanish. */
static void fill_gradients(struct tabled *tabled, int step)
{
    float *values = tabled->adamw.gradients.values;
    const struct param *table = &tabled->params.list[1];
    gradients_clear(&tabled->adamw.gradients, NULL);
    if (!table->by_rows) memset(values, 0, tabled->params.size * sizeof *values);
    for (int32_t row = 0; row < ROWS; row++) {
        if (!is_read(row, step)) continue;
        float scale = row == 5 ? 1e-20f : row == 6 ? 1e-38f : 0.1f;
        gradients_touch(&tabled->adamw.gradients, &row, 1);
        for (size_t i = at_row(tabled, row); i < at_row(tabled, row) + COLS; i++)
            values[i] = scale * test_value((uint64_t)step, i);
    }
    for (size_t i = 0; i < tabled->params.size; i++)
        if (i < table->offset || i >= table->offset + ROWS * COLS)
            values[i] = test_value((uint64_t)step, i);
}

static double rate_of(int step)
{
    return 0.01 * schedule_factor(SCHEDULE_LINEAR, (uint64_t)step, 30, RUN);
}

static void expect_same_bytes(const struct tabled *a, const struct tabled *b, size_t first,
                              size_t count)
{
    size_t bytes = count * sizeof(float);
    ck_assert_int_eq(memcmp(a->params.values + first, b->params.values + first, bytes), 0);
    ck_assert_int_eq(memcmp(a->adamw.m + first, b->adamw.m + first, bytes), 0);
    ck_assert_int_eq(memcmp(a->adamw.v + first, b->adamw.v + first, bytes), 0);
}

/* One step of both; before it, what a forward would read must be the same. */
static void step_both(struct tabled *lazy, struct tabled *dense, int step, struct pool *pool)
{
    fill_gradients(lazy, step), fill_gradients(dense, step);
    adamw_catch_up(&lazy->adamw, &lazy->params, pool);
    for (int row = 0; row < ROWS; row++)
        if (is_read(row, step)) expect_same_bytes(lazy, dense, at_row(lazy, row), COLS);
    double norm = gradients_norm(&lazy->adamw.gradients, pool);
    ck_assert_double_eq_tol(norm / gradients_norm(&dense->adamw.gradients, NULL), 1, 1e-12);
    adamw_step(&lazy->adamw, &lazy->params, clip_scale(norm, 1), rate_of(step), pool);
    adamw_step(&dense->adamw, &dense->params, clip_scale(norm, 1), rate_of(step), NULL);
}

START_TEST(rows_that_wait_get_the_bytes_of_every_step)
{
    struct tabled lazy, dense;
    struct pool *pool = pool_open(2);
    make_tabled(&lazy, true), make_tabled(&dense, false);
    ck_assert_ptr_nonnull(lazy.adamw.gradients.table);
    ck_assert_ptr_null(dense.adamw.gradients.table);
    bool waited = false;
    for (int step = 0; step < RUN; step++) {
        step_both(&lazy, &dense, step, pool);
        size_t at = at_row(&lazy, 50);
        waited |= memcmp(lazy.params.values + at, dense.params.values + at, sizeof(float)) != 0;
        if (step != 170 && step != 171) continue;
        adamw_settle(&lazy.adamw, &lazy.params, pool);
        expect_same_bytes(&lazy, &dense, 0, lazy.params.size);
    }
    ck_assert(waited);
    adamw_settle(&lazy.adamw, &lazy.params, NULL);
    expect_same_bytes(&lazy, &dense, 0, lazy.params.size);
    pool_close(pool);
    free_tabled(&lazy), free_tabled(&dense);
}
END_TEST

START_TEST(a_resumed_run_ends_with_the_same_bytes)
{
    struct tabled lazy, dense, resumed;
    make_tabled(&lazy, true), make_tabled(&dense, false), make_tabled(&resumed, true);
    size_t bytes = lazy.params.size * sizeof(float);
    for (int step = 0; step < RUN; step++) {
        if (step == 123) {
            adamw_settle(&lazy.adamw, &lazy.params, NULL);
            memcpy(resumed.params.values, lazy.params.values, bytes);
            memcpy(resumed.adamw.m, lazy.adamw.m, bytes);
            memcpy(resumed.adamw.v, lazy.adamw.v, bytes);
            adamw_resume(&resumed.adamw, (uint64_t)step);
        }
        step_both(&lazy, &dense, step, NULL);
        if (step < 123) continue;
        fill_gradients(&resumed, step);
        double norm = gradients_norm(&resumed.adamw.gradients, NULL);
        adamw_step(&resumed.adamw, &resumed.params, clip_scale(norm, 1), rate_of(step), NULL);
    }
    adamw_settle(&lazy.adamw, &lazy.params, NULL);
    adamw_settle(&resumed.adamw, &resumed.params, NULL);
    expect_same_bytes(&lazy, &resumed, 0, lazy.params.size);
    free_tabled(&lazy), free_tabled(&dense), free_tabled(&resumed);
}
END_TEST

START_TEST(a_table_by_rows_equals_a_naive_twin)
{
    struct tabled lazy;
    make_tabled(&lazy, true);
    size_t n = lazy.params.size;
    double *p = xcalloc(n, sizeof *p), *m = xcalloc(n, sizeof *m), *v = xcalloc(n, sizeof *v);
    float *expected = xcalloc(n, sizeof *expected);
    for (size_t i = 0; i < n; i++) p[i] = (double)lazy.params.values[i];
    for (int step = 0; step < RUN; step++) {
        fill_gradients(&lazy, step);
        for (size_t i = 0; i < n; i++) {
            int which = (i >= lazy.params.list[1].offset) + (i >= lazy.params.list[2].offset);
            naive_step(&p[i], &m[i], &v[i], 0.5 * (double)lazy.adamw.gradients.values[i],
                       which < 2 ? 0.1 : 0, factors[which] * rate_of(step), step + 1);
        }
        adamw_step(&lazy.adamw, &lazy.params, 0.5, rate_of(step), NULL);
    }
    adamw_settle(&lazy.adamw, &lazy.params, NULL);
    for (size_t i = 0; i < n; i++) expected[i] = (float)p[i];
    check_close(lazy.params.values, expected, n, 3e-6); /* seen: 1.2e-6 */
    free_tabled(&lazy);
    free(p), free(m), free(v), free(expected);
}
END_TEST

/* A head before the encoder and one behind it: only the encoder's own rows are decayed. */
START_TEST(layers_learn_slower_the_lower_they_are)
{
    const struct encoder_config config = {.num_layers = 3,
                                          .hidden_size = 8,
                                          .embedding_size = 4,
                                          .num_heads = 2,
                                          .intermediate_size = 16,
                                          .vocab_size = 11,
                                          .max_positions = 5,
                                          .type_vocab_size = 2};
    struct params params = {0};
    struct encoder encoder;
    struct adamw adamw = {0};
    params_add(&params, "embeddings.of_another", 1, 2, false);
    encoder_declare(&encoder, &config, &params);
    params_add(&params, "projection.weight", 2, 8, true);
    params_alloc(&params);
    adamw_init(&adamw, &params);
    adamw_decay_layers(&adamw, &encoder, 0.5);
    size_t seen[4] = {0};
    for (size_t i = 0; i < params.count; i++) {
        const char *name = params.list[i].name;
        bool inside = i > 0 && i + 1 < params.count;
        int layer = strncmp(name, "encoder.layer.", 14) == 0 ? atoi(name + 14) + 1 : 0;
        double expected = !inside ? 1 : layer == 3 ? 1 : layer == 2 ? 0.5 : layer ? 0.25 : 0.125;
        ck_assert_msg(adamw.rate_factors[i] == expected, "%s: %g", name, adamw.rate_factors[i]);
        if (inside) seen[layer]++;
    }
    ck_assert_uint_eq(seen[0], 7); /* words, positions, types, a norm, the way to hidden_size */
    for (int layer = 1; layer <= 3; layer++) ck_assert_uint_eq(seen[layer], 16);
    adamw_free(&adamw);
    params_free(&params);
}
END_TEST

START_TEST(minimises_a_quadratic)
{
    struct params params = {0};
    params_add(&params, "x", 1, 2, false);
    params_alloc(&params);
    float *x = params_values(&params, 0);
    x[0] = 3, x[1] = -2;
    struct adamw adamw = {0};
    adamw_init(&adamw, &params);
    float *gradients = adamw.gradients.values;
    for (uint64_t t = 0; t < 500; t++) {
        gradients[0] = 2 * x[0], gradients[1] = 20 * x[1];
        adamw_step(&adamw, &params, 1, 0.1 * schedule_factor(SCHEDULE_LINEAR, t, 0, 500), NULL);
    }
    ck_assert_float_eq_tol(x[0], 0, 1e-3f);
    ck_assert_float_eq_tol(x[1], 0, 1e-3f);
    adamw_free(&adamw);
    params_free(&params);
}
END_TEST

/* ---- clipping, schedules ---- */

START_TEST(clipping_only_shrinks)
{
    ck_assert_double_eq(clip_scale(0.5, 1), 1);
    ck_assert_double_eq_tol(clip_scale(4, 1), 0.25, 1e-6);
    ck_assert_double_eq(clip_scale(4, 0), 1);
    ck_assert_double_eq(clip_scale(0, 1), 1);
    ck_assert_double_eq_tol(clip_scale(1e-6, 1e-6), 0.5, 1e-9); /* torch adds 1e-6 to the norm */
}
END_TEST

START_TEST(schedules_are_those_of_transformers)
{
    ck_assert_double_eq(schedule_factor(SCHEDULE_LINEAR, 0, 10, 110), 0);
    ck_assert_double_eq(schedule_factor(SCHEDULE_LINEAR, 5, 10, 110), 0.5);
    ck_assert_double_eq(schedule_factor(SCHEDULE_LINEAR, 10, 10, 110), 1);
    ck_assert_double_eq(schedule_factor(SCHEDULE_LINEAR, 35, 10, 110), 0.75);
    ck_assert_double_eq(schedule_factor(SCHEDULE_LINEAR, 110, 10, 110), 0);
    ck_assert_double_eq(schedule_factor(SCHEDULE_LINEAR, 500, 10, 110), 0);
    ck_assert_double_eq_tol(schedule_factor(SCHEDULE_COSINE, 60, 10, 110), 0.5, 1e-12);
    ck_assert_double_eq_tol(schedule_factor(SCHEDULE_COSINE, 35, 10, 110), 0.5 + sqrt(0.125),
                            1e-12);
    ck_assert_double_eq(schedule_factor(SCHEDULE_CONSTANT, 3, 4, 10), 0.75);
    ck_assert_double_eq(schedule_factor(SCHEDULE_CONSTANT, 999, 4, 10), 1);
    ck_assert_double_eq(schedule_factor(SCHEDULE_LINEAR, 3, 5, 5), 0.6); /* all of it warm-up */
    ck_assert_double_eq(schedule_factor(SCHEDULE_LINEAR, 5, 5, 5), 0);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(equals_torch_with_clipping_decay_and_schedule),
        TEST(equals_the_shared_golden_values),
        TEST(equals_a_naive_twin),
        TEST(same_bytes_for_any_pool),
        TEST(rows_that_wait_get_the_bytes_of_every_step),
        TEST(a_resumed_run_ends_with_the_same_bytes),
        TEST(a_table_by_rows_equals_a_naive_twin),
        TEST(layers_learn_slower_the_lower_they_are),
        TEST(minimises_a_quadratic),
        TEST(clipping_only_shrinks),
        TEST(schedules_are_those_of_transformers),
        {0},
    };
    return run_tests("nn/optimizer", rows);
}
