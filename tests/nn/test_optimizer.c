/* AdamW against torch's, a naive double-precision twin, and what clipping and schedules must keep.
 * */
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
    float *gradients = xcalloc(params.size, sizeof *gradients);
    struct adamw adamw = {0};
    adamw_init(&adamw, &params);
    adamw.weight_decay = decay;
    for (int step = 0; step < steps; step++) {
        copy_values(st, &params, 0, names->w_gradient, step, gradients);
        copy_values(st, &params, 1, names->b_gradient, step, gradients);
        double norm = gradient_norm(gradients, params.size, NULL), factor = 1;
        ck_assert_double_eq_tol(norm, golden_value(st, names->norm, step), 1e-6 * norm);
        if (names->factor) {
            factor = schedule_factor(SCHEDULE_COSINE, (uint64_t)step, 2, (uint64_t)steps);
            ck_assert_double_eq_tol(factor, golden_value(st, names->factor, step), 1e-6);
        }
        adamw_step(&adamw, &params, gradients, clip_scale(norm, 1), rate * factor, NULL);
        check_values(st, &params, 0, names->w_after, step + names->shift);
        check_values(st, &params, 1, names->b_after, step + names->shift);
    }
    ck_assert_uint_eq(adamw.step, (uint64_t)steps);
    adamw_free(&adamw);
    params_free(&params);
    free(gradients);
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
    float *gradients = xcalloc(params.size, sizeof *gradients);
    double *p = xcalloc(params.size, sizeof *p), *m = xcalloc(params.size, sizeof *m);
    double *v = xcalloc(params.size, sizeof *v);
    for (size_t i = 0; i < params.size; i++) p[i] = (double)params.values[i];
    for (int t = 1; t <= 4; t++) {
        for (size_t i = 0; i < params.size; i++)
            gradients[i] = (i % 3 ? 1 : 2e-8f) * (float)(i % 7 != 0) * /* near epsilon; zeros */
                           test_value(2 + (uint64_t)t, i);
        adamw_step(&adamw, &params, gradients, 0.5, 0.01, NULL);
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
    free(gradients);
    free(p), free(m), free(v);
}
END_TEST

START_TEST(same_bytes_for_any_pool)
{
    struct params alone = {0}, together = {0};
    make_params(&alone), make_params(&together);
    struct adamw a = {0}, b = {0};
    adamw_init(&a, &alone), adamw_init(&b, &together);
    float *gradients = xcalloc(alone.size, sizeof *gradients);
    for (size_t i = 0; i < alone.size; i++) gradients[i] = test_value(3, i);
    struct pool *pool = pool_open(3);
    for (int t = 0; t < 3; t++) {
        ck_assert(gradient_norm(gradients, alone.size, NULL) ==
                  gradient_norm(gradients, alone.size, pool));
        adamw_step(&a, &alone, gradients, 1, 0.1, NULL);
        adamw_step(&b, &together, gradients, 1, 0.1, pool);
    }
    ck_assert_int_eq(memcmp(alone.values, together.values, alone.size * sizeof(float)), 0);
    ck_assert_int_eq(memcmp(a.v, b.v, alone.size * sizeof(float)), 0);
    pool_close(pool);
    adamw_free(&a), adamw_free(&b);
    params_free(&alone), params_free(&together);
    free(gradients);
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
    float *gradients = xcalloc(params.size, sizeof *gradients);
    for (uint64_t t = 0; t < 500; t++) {
        gradients[0] = 2 * x[0], gradients[1] = 20 * x[1];
        adamw_step(&adamw, &params, gradients, 1, 0.1 * schedule_factor(SCHEDULE_LINEAR, t, 0, 500),
                   NULL);
    }
    ck_assert_float_eq_tol(x[0], 0, 1e-3f);
    ck_assert_float_eq_tol(x[1], 0, 1e-3f);
    adamw_free(&adamw);
    params_free(&params);
    free(gradients);
}
END_TEST

/* ---- norm, clipping, schedules ---- */

START_TEST(norm_is_euclidean_and_shows_what_is_not_finite)
{
    enum { N = 10007 };
    static float values[N];
    double sum = 0;
    for (size_t i = 0; i < N; i++) {
        values[i] = 1e20f * test_value(4, i); /* squares overflow f32 */
        sum += (double)values[i] * (double)values[i];
    }
    ck_assert_double_eq_tol(gradient_norm(values, N, NULL) / sqrt(sum), 1, 1e-13);
    ck_assert_double_eq(gradient_norm(values, 0, NULL), 0);
    values[N - 1] = NAN;
    ck_assert(isnan(gradient_norm(values, N, NULL)));
    ck_assert(!isnan(gradient_norm(values, N - 1, NULL)));
}
END_TEST

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
        TEST(minimises_a_quadratic),
        TEST(norm_is_euclidean_and_shows_what_is_not_finite),
        TEST(clipping_only_shrinks),
        TEST(schedules_are_those_of_transformers),
        {0},
    };
    return run_tests("nn/optimizer", rows);
}
