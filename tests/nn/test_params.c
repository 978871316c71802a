/* nn/params: the table of named parameters. */
#include "tests/support.h"

#include "nn/params.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void declare(struct params *params)
{
    params_add(params, "word.weight", 50, 40, true);
    params_add(params, "word.bias", 1, 40, false);
    params_add(params, "LayerNorm.weight", 1, 3, false);
}

START_TEST(parameters_stand_end_to_end)
{
    struct params params = {0};
    declare(&params);
    params_alloc(&params);
    ck_assert_uint_eq(params.size, 50 * 40 + 40 + 3);
    ck_assert_int_eq(params_find(&params, "LayerNorm.weight"), 2);
    ck_assert_int_eq(params_find(&params, "LayerNorm.bias"), -1);
    ck_assert_ptr_eq(params_values(&params, 1), params.values + 2000);
    ck_assert_uint_eq(params_param_size(&params.list[0]), 2000);
    ck_assert(params.values[2042] == 0);
    params_free(&params);
    ck_assert_uint_eq(params.count, 0);
    params_free(&params);
}
END_TEST

START_TEST(random_values_depend_on_seed_and_name_alone)
{
    struct params a = {0}, b = {0};
    declare(&a);
    params_add(&b, "first", 2, 2, true);
    declare(&b);
    params_alloc(&a);
    params_alloc(&b);
    params_init_random(&a, 0, 3, 0.02, 7);
    params_init_random(&b, 1, 4, 0.02, 7);
    ck_assert_mem_eq(a.values, b.values + 4, a.size * sizeof(float));
    ck_assert(b.values[0] == 0); /* not asked for */
    ck_assert(a.values[2000] == 0);
    ck_assert(a.values[2040] == 1);
    double squares = 0;
    for (int i = 0; i < 2000; i++) squares += (double)a.values[i] * a.values[i];
    ck_assert_double_eq_tol(sqrt(squares / 2000), 0.02, 0.002);
    params_init_random(&b, 1, 4, 0.02, 8);
    ck_assert_mem_ne(a.values, b.values + 4, 64);
    params_free(&a);
    params_free(&b);
}
END_TEST

static const char *with_prefix(const char *name, char buffer[160], const void *prefix)
{
    snprintf(buffer, 160, "%s%s", (const char *)prefix, name);
    return buffer;
}

/* A file with word.weight [50, 40], word.bias [40] and LayerNorm.weight of the shape given. */
static struct safetensors *file_with(const char *prefix, float spoiled, size_t norm)
{
    static float matrix[2000], bias[40] = {[39] = 5}, gains[8] = {1, 2, 3};
    char names[3][64];
    static const char *const plain[] = {"word.weight", "word.bias", "LayerNorm.weight"};
    for (int i = 0; i < 3; i++) snprintf(names[i], sizeof names[i], "%s%s", prefix, plain[i]);
    for (int i = 0; i < 2000; i++) matrix[i] = test_value(1, (uint64_t)i);
    matrix[1234] = spoiled;
    const struct tensor tensors[] = {
        {.name = names[0], .dtype = DTYPE_F32, .rank = 2, .shape = {50, 40}, .data = matrix},
        {.name = names[1], .dtype = DTYPE_F32, .rank = 1, .shape = {40}, .data = bias},
        {.name = names[2], .dtype = DTYPE_F32, .rank = 1, .shape = {norm}, .data = gains},
    };
    struct error err = {0};
    struct safetensors *st;
    char *path = xasprintf("%s/p.safetensors", scratch_folder());
    check_ok(safetensors_write(path, tensors, 3, NULL, &err), &err);
    check_ok(safetensors_open(&st, path, &err), &err);
    free(path);
    return st;
}

static int load(struct params *params, struct safetensors *st, const char *prefix,
                struct error *err)
{
    declare(params);
    params_alloc(params);
    int result = params_load(params, 0, 3, st, prefix ? with_prefix : NULL, prefix, "m", err);
    safetensors_close(st);
    return result;
}

START_TEST(tensors_are_loaded_by_translated_name)
{
    struct params params = {0};
    struct error err = {0};
    check_ok(load(&params, file_with("bert.", 0.5f, 3), "bert.", &err), &err);
    ck_assert(params_values(&params, 0)[1233] == test_value(1, 1233));
    ck_assert(params_values(&params, 0)[1234] == 0.5f);
    ck_assert(params_values(&params, 1)[39] == 5);
    ck_assert(params_values(&params, 2)[2] == 3);
    params_free(&params);
}
END_TEST

START_TEST(what_does_not_fit_is_named)
{
    struct params params = {0};
    struct error err = {0};
    check_failed(load(&params, file_with("", 0, 3), "bert.", &err), &err, STATUS_WORLD,
                 "bert.word.weight", "missing", "[50, 40]");
    params_free(&params);
    err = (struct error){0};
    check_failed(load(&params, file_with("", 0, 4), NULL, &err), &err, STATUS_WORLD,
                 "LayerNorm.weight", "[4]", "[1, 3]");
    params_free(&params);
    err = (struct error){0};
    check_failed(load(&params, file_with("", NAN, 3), NULL, &err), &err, STATUS_WORLD,
                 "word.weight", "NaN", "1234");
    params_free(&params);
    err = (struct error){0};
    check_failed(load(&params, file_with("", -INFINITY, 3), NULL, &err), &err, STATUS_WORLD,
                 "word.weight", "infinity");
    params_free(&params);
}
END_TEST

START_TEST(a_tensor_of_integers_is_no_weight)
{
    static const int64_t whole[3] = {1, 2, 3};
    const struct tensor tensor = {
        .name = "LayerNorm.weight", .dtype = DTYPE_I64, .rank = 1, .shape = {3}, .data = whole};
    struct error err = {0};
    struct safetensors *st;
    char *path = xasprintf("%s/i.safetensors", scratch_folder());
    check_ok(safetensors_write(path, &tensor, 1, NULL, &err), &err);
    check_ok(safetensors_open(&st, path, &err), &err);
    struct params params = {0};
    declare(&params);
    params_alloc(&params);
    check_failed(params_load(&params, 2, 3, st, NULL, NULL, path, &err), &err, STATUS_WORLD,
                 "LayerNorm.weight", "i64", "F32");
    params_free(&params);
    safetensors_close(st);
    free(path);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(parameters_stand_end_to_end),
        TEST(random_values_depend_on_seed_and_name_alone),
        TEST(tensors_are_loaded_by_translated_name),
        TEST(what_does_not_fit_is_named),
        TEST(a_tensor_of_integers_is_no_weight),
        {0},
    };
    return run_tests("nn/params", rows);
}
