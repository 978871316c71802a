/* PCA against NumPy's components, the shared golden ones, and what components must be. */
#include "distill/pca.h"
#include "tests/golden.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double dot(const float *a, const float *b, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

static void check_numpy(const struct safetensors *st, const float *x, const char *name, int outputs)
{
    struct pca pca;
    struct error err = {0};
    check_ok(pca_fit(&pca, x, 40, 9, outputs, strcmp(name, "centred") == 0, &err), &err);
    float *mean = golden(st, 9, "%s.mean", name), *values = golden(st, 9, "%s.eigenvalues", name);
    float *components = golden(st, 81, "%s.components", name);
    float *projected = golden(st, 160, "%s.projected", name);
    float *explained = golden(st, 1, "%s.explained", name);
    check_close(pca.mean, mean, 9, 1e-6);
    check_close(pca.eigenvalues, values, (size_t)outputs, 1e-6);
    check_close(pca.components, components, (size_t)outputs * 9, 2e-6); /* seen: 6e-7 */
    if (outputs == 4) {
        float out[160];
        pca_apply(&pca, x, 40, out);
        check_close(out, projected, 160, 2e-6);
        ck_assert_double_eq_tol(pca.explained, (double)*explained, 1e-6);
    } else {
        ck_assert_double_eq_tol(pca.explained, 1, 1e-9);
    }
    free(mean), free(values), free(components), free(projected), free(explained);
    pca_free(&pca);
    ck_assert_ptr_null(pca.components);
}

START_TEST(equals_numpy)
{
    struct safetensors *st = golden_open("tests/distill/golden_pca.safetensors");
    float *x = golden(st, 360, "x");
    check_numpy(st, x, "uncentred", 4);
    check_numpy(st, x, "centred", 4);
    check_numpy(st, x, "centred", 9);
    free(x);
    safetensors_close(st);
}
END_TEST

/* Signs of the shared components are free: the rule is applied to them first. */
static void turn_rows(float *components, int rows, int cols)
{
    for (int i = 0; i < rows; i++) {
        float *row = components + i * cols, largest = 0;
        for (int j = 0; j < cols; j++)
            if (fabsf(row[j]) > fabsf(largest)) largest = row[j];
        for (int j = 0; largest < 0 && j < cols; j++) row[j] = -row[j];
    }
}

START_TEST(equals_the_shared_golden_values)
{
    const char *path = shared("golden/pca/expected.safetensors");
    if (!path) return;
    struct safetensors *st = golden_open(path);
    float *x = golden(st, 300 * 48, "x");
    const char *names[] = {"uncentred", "centred"};
    for (int centred = 0; centred < 2; centred++) {
        struct pca pca;
        struct error err = {0};
        check_ok(pca_fit(&pca, x, 300, 48, 32, centred, &err), &err);
        float *values = golden(st, 48, "%s.eigenvalues", names[centred]);
        float *components = golden(st, 48 * 48, "%s.components", names[centred]);
        turn_rows(components, 48, 48);
        check_close(pca.eigenvalues, values, 32, 1e-5);
        check_close(pca.components, components, 32 * 48, 1e-5);
        free(values), free(components);
        pca_free(&pca);
    }
    free(x);
    safetensors_close(st);
}
END_TEST

START_TEST(components_are_orthonormal_and_eigenvectors)
{
    enum { N = 101, SIZE = 37, OUT = 20 }; /* odd sizes: the last block of rows is not full */
    static float x[N * SIZE];
    for (size_t i = 0; i < N * SIZE; i++)
        x[i] = test_value(1, i) * (float)(1 + i % SIZE % 5) + 0.2f;
    struct pca pca;
    struct error err = {0};
    check_ok(pca_fit(&pca, x, N, SIZE, OUT, false, &err), &err);
    for (int a = 0; a < OUT; a++) {
        const float *row = pca.components + a * SIZE;
        for (int b = 0; b <= a; b++)
            ck_assert_double_eq_tol(dot(row, pca.components + b * SIZE, SIZE), a == b, 1e-6);
        double image[SIZE] = {0}; /* X'X/n times the component: the eigenvalue times it */
        for (int i = 0; i < N; i++) {
            double along = dot(row, x + i * SIZE, SIZE) / N;
            for (int j = 0; j < SIZE; j++) image[j] += along * (double)x[i * SIZE + j];
        }
        for (int j = 0; j < SIZE; j++)
            ck_assert_double_eq_tol(image[j], (double)(pca.eigenvalues[a] * row[j]), 1e-5);
        if (a) ck_assert(pca.eigenvalues[a] <= pca.eigenvalues[a - 1]);
    }
    pca_free(&pca);
}
END_TEST

START_TEST(a_mean_far_from_zero_does_not_drown_the_rest)
{
    enum { N = 50, SIZE = 3 };
    float x[N * SIZE], out[2 * N];
    for (int i = 0; i < N; i++) {
        x[i * SIZE] = 4096 + (i % 2 ? 0.5f : -0.5f);
        x[i * SIZE + 1] = -4096;
        x[i * SIZE + 2] = (i % 4 < 2 ? 0.25f : -0.25f);
    }
    struct pca pca;
    struct error err = {0};
    check_ok(pca_fit(&pca, x, N - 2, SIZE, 2, true, &err), &err);
    const float expected[] = {1, 0, 0, 0, 0, 1};
    check_close(pca.components, expected, 6, 1e-6);
    ck_assert_float_eq_tol(pca.eigenvalues[0], 0.25f, 1e-6f);
    ck_assert_float_eq_tol(pca.eigenvalues[1], 0.0625f, 1e-6f);
    pca_apply(&pca, x, N, out);
    const float first[] = {-0.5f, 0.25f, 0.5f, 0.25f};
    check_close(out, first, 4, 1e-6);
    pca_free(&pca);
}
END_TEST

START_TEST(rank_below_the_wanted_size_gives_zeros)
{
    float x[5 * 4] = {0};
    for (int i = 0; i < 5; i++) x[i * 4] = (float)i, x[i * 4 + 2] = 2 * (float)i;
    struct pca pca;
    struct error err = {0};
    check_ok(pca_fit(&pca, x, 5, 4, 3, false, &err), &err);
    ck_assert_float_eq_tol(pca.eigenvalues[0], 30.0f, 1e-4f); /* 5 (0 + 1 + 4 + 9 + 16) / 5 */
    ck_assert_float_ge(pca.eigenvalues[2], 0);
    ck_assert_float_le(pca.eigenvalues[1], 1e-6f);
    ck_assert_double_eq_tol(pca.explained, 1, 1e-9);
    pca_free(&pca);
}
END_TEST

START_TEST(impossible_fits_are_errors)
{
    struct pca pca;
    float x[6 * 4];
    for (size_t i = 0; i < 24; i++) x[i] = test_value(2, i);
    struct error err = {0};
    check_failed(pca_fit(&pca, x, 6, 4, 5, false, &err), &err, STATUS_WORLD, "5 components",
                 "4 values");
    ck_assert_ptr_null(pca.components);
    err = (struct error){0};
    check_failed(pca_fit(&pca, x, 2, 4, 3, false, &err), &err, STATUS_WORLD, "3 components",
                 "there are 2");
    err = (struct error){0};
    x[13] = INFINITY;
    check_failed(pca_fit(&pca, x, 6, 4, 3, false, &err), &err, STATUS_WORLD, "vector 4 of 6");
    err = (struct error){0};
    for (size_t i = 0; i < 24; i++) x[i] = 0.5f;
    check_failed(pca_fit(&pca, x, 6, 4, 3, true, &err), &err, STATUS_WORLD, "all equal");
    ck_assert_ptr_null(pca.components);
}
END_TEST

START_TEST(files_keep_every_value)
{
    float x[30 * 6];
    for (size_t i = 0; i < 180; i++) x[i] = test_value(3, i) + 1;
    struct pca pca, read;
    struct error err = {0};
    char *path = xasprintf("%s/pca.safetensors", scratch_folder());
    check_ok(pca_fit(&pca, x, 30, 6, 4, true, &err), &err);
    check_ok(pca_write(&pca, path, &err), &err);
    check_ok(pca_read(&read, path, &err), &err);
    ck_assert_int_eq(read.input_size, 6);
    ck_assert_int_eq(read.output_size, 4);
    ck_assert_int_eq(memcmp(read.components, pca.components, 24 * sizeof(float)), 0);
    ck_assert_int_eq(memcmp(read.eigenvalues, pca.eigenvalues, 4 * sizeof(float)), 0);
    ck_assert_int_eq(memcmp(read.mean, pca.mean, 6 * sizeof(float)), 0);
    ck_assert_double_eq_tol(read.explained, pca.explained, 1e-7);
    pca_free(&pca), pca_free(&read);
    free(path);
}
END_TEST

static void check_refused(const struct tensor *tensors, int count, const char *word,
                          const char *other)
{
    struct pca pca;
    struct error err = {0};
    char *path = xasprintf("%s/bad.safetensors", scratch_folder());
    check_ok(safetensors_write(path, tensors, count, NULL, &err), &err);
    check_failed(pca_read(&pca, path, &err), &err, STATUS_WORLD, "bad.safetensors", word, other);
    ck_assert_ptr_null(pca.components);
    free(path);
}

START_TEST(other_files_are_refused)
{
    const float values[6] = {1, 0, 0, 0, 1, 0}, broken[3] = {0, NAN, 0};
    struct tensor tensors[] = {
        {.name = "components", .rank = 2, .shape = {2, 3}, .data = values},
        {.name = "eigenvalues", .rank = 1, .shape = {2}, .data = values},
        {.name = "mean", .rank = 1, .shape = {3}, .data = broken},
        {.name = "explained", .rank = 1, .shape = {1}, .data = values},
    };
    check_refused(tensors + 1, 3, "no tensor \"components\"", "PCA file");
    check_refused(tensors, 1, "no tensor \"eigenvalues\"", "PCA file");
    check_refused(tensors, 4, "\"mean\"", "not finite");
    tensors[1].shape[0] = 3;
    check_refused(tensors, 4, "\"eigenvalues\"", "wanted 2");
    tensors[0].shape[0] = 3, tensors[0].shape[1] = 2;
    check_refused(tensors, 4, "\"components\"", "[outputs, inputs]");
    tensors[0].rank = 1, tensors[0].shape[0] = 6;
    check_refused(tensors, 4, "\"components\"", "[outputs, inputs]");
    struct pca pca;
    struct error err = {0};
    check_failed(pca_read(&pca, "no/such/file", &err), &err, STATUS_WORLD, "no/such/file");
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(equals_numpy),
        TEST(equals_the_shared_golden_values),
        TEST(components_are_orthonormal_and_eigenvectors),
        TEST(a_mean_far_from_zero_does_not_drown_the_rest),
        TEST(rank_below_the_wanted_size_gives_zeros),
        TEST(impossible_fits_are_errors),
        TEST(files_keep_every_value),
        TEST(other_files_are_refused),
        {0},
    };
    return run_tests("distill/pca", rows);
}
