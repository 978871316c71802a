/* See pca.h. */
#include "distill/pca.h"
#include "data/safetensors.h"
#include "distill/moments.h"
#include "nn/simd.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_finite(const float *x, size_t n, int cols, struct error *err)
{
    for (size_t i = 0; i < n * (size_t)cols; i++)
        if (!isfinite(x[i]))
            return fail(err, "PCA: vector %zu of %zu holds a value that is not finite",
                        i / (size_t)cols + 1, n);
    return 0;
}

static void column_means(double *mean, const float *x, size_t n, int cols)
{
    memset(mean, 0, (size_t)cols * sizeof *mean);
    for (size_t i = 0; i < n; i++)
        for (int j = 0; j < cols; j++) mean[j] += (double)x[i * (size_t)cols + (size_t)j];
    for (int j = 0; j < cols; j++) mean[j] /= (double)n;
}

/* ---- components ---- */

static void allocate(struct pca *pca, int input_size, int output_size)
{
    *pca = (struct pca){
        .input_size = input_size,
        .output_size = output_size,
        .components = xaligned((size_t)output_size * (size_t)input_size, sizeof(float)),
        .eigenvalues = xaligned((size_t)output_size, sizeof(float)),
        .mean = xaligned((size_t)input_size, sizeof(float)),
    };
}

/* The largest eigenvalues of moments (destroyed) and their vectors, into *pca. */
static int decompose(struct pca *pca, double *moments, struct error *err)
{
    const int size = pca->input_size, wanted = pca->output_size;
    const size_t width = (size_t)size, outputs = (size_t)wanted;
    double trace = 0;
    for (size_t i = 0; i < width; i++) trace += moments[i * width + i];
    if (trace <= 0) return fail(err, "PCA: the vectors are all equal; there is no component");
    double *values = xcalloc(width, sizeof *values);
    double *vectors = xcalloc(outputs * width, sizeof *vectors);
    int status = 0, info = eigen_largest(values, vectors, moments, size, wanted);
    if (info)
        status = fail(err, "PCA: the eigenvalues did not converge (LAPACK's dsyevr: %d)", info);
    for (size_t i = 0; i < outputs * width; i++) pca->components[i] = (float)vectors[i];
    for (size_t i = 0; i < outputs; i++) {
        pca->eigenvalues[i] = (float)fmax(values[i], 0); /* rounding may fall below zero */
        pca->explained += fmax(values[i], 0) / trace;
    }
    free(values);
    free(vectors);
    return status;
}

int pca_fit(struct pca *out, const float *x, size_t n, int input_size, int output_size,
            bool centred, struct error *err)
{
    *out = (struct pca){0};
    if (output_size < 1 || output_size > input_size)
        return fail(err, "PCA: %d components of vectors with %d values", output_size, input_size);
    if (n < (size_t)output_size)
        return fail(err, "PCA: %d components need at least as many texts; there are %zu",
                    output_size, n);
    if (check_finite(x, n, input_size, err)) return -1;
    const size_t width = (size_t)input_size;
    double *mean = xcalloc(width, sizeof *mean),
           *moments = xaligned(width * width, sizeof *moments);
    allocate(out, input_size, output_size);
    if (centred) column_means(mean, x, n, input_size);
    for (size_t j = 0; j < width; j++) out->mean[j] = (float)mean[j];
    second_moments(moments, x, n, mean, input_size);
    int status = decompose(out, moments, err);
    if (status) pca_free(out);
    free(mean);
    free(moments);
    return status;
}

SIMD_CLONES
static float project(const float *restrict component, const float *restrict x,
                     const float *restrict mean, int size)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int j = 0; j < size; j++) sum += component[j] * (x[j] - mean[j]);
    return sum;
}

void pca_apply(const struct pca *pca, const float *x, size_t n, float *out)
{
    const size_t width = (size_t)pca->input_size, outputs = (size_t)pca->output_size;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < outputs; j++)
            out[i * outputs + j] =
                project(pca->components + j * width, x + i * width, pca->mean, pca->input_size);
}

/* ---- files ---- */

int pca_write(const struct pca *pca, const char *path, struct error *err)
{
    const size_t width = (size_t)pca->input_size, outputs = (size_t)pca->output_size;
    const float explained = (float)pca->explained;
    const struct tensor tensors[] = {
        {.name = "components", .rank = 2, .shape = {outputs, width}, .data = pca->components},
        {.name = "eigenvalues", .rank = 1, .shape = {outputs}, .data = pca->eigenvalues},
        {.name = "explained", .rank = 1, .shape = {1}, .data = &explained},
        {.name = "mean", .rank = 1, .shape = {width}, .data = pca->mean},
    };
    return safetensors_write(path, tensors, sizeof tensors / sizeof *tensors, NULL, err);
}

static int read_values(float *out, const struct safetensors *st, const char *name, size_t n,
                       const char *path, struct error *err)
{
    const struct tensor *tensor = safetensors_find(st, name);
    char description[128];
    if (!tensor) return fail(err, "%s: no tensor \"%s\"; is this a PCA file?", path, name);
    if (!tensor_is_float(tensor) || tensor_elements(tensor) != n)
        return fail(err, "%s: tensor \"%s\" is %s, wanted %zu numbers", path, name,
                    tensor_describe(description, tensor), n);
    if (tensor_to_f32(out, tensor)) return 0;
    return fail(err, "%s: tensor \"%s\" holds a value that is not finite", path, name);
}

static int read_tensors(struct pca *out, const struct safetensors *st, const char *path,
                        struct error *err)
{
    const struct tensor *components = safetensors_find(st, "components");
    char description[128];
    if (!components) return fail(err, "%s: no tensor \"components\"; is this a PCA file?", path);
    if (components->rank != 2 || components->shape[0] < 1 ||
        components->shape[0] > components->shape[1] || components->shape[1] > INT32_MAX)
        return fail(err, "%s: tensor \"components\" is %s, wanted [outputs, inputs]", path,
                    tensor_describe(description, components));
    const size_t outputs = components->shape[0], width = components->shape[1];
    float explained;
    allocate(out, (int)width, (int)outputs);
    if (read_values(out->components, st, "components", outputs * width, path, err) ||
        read_values(out->eigenvalues, st, "eigenvalues", outputs, path, err) ||
        read_values(out->mean, st, "mean", width, path, err) ||
        read_values(&explained, st, "explained", 1, path, err))
        return -1;
    out->explained = (double)explained;
    return 0;
}

int pca_read(struct pca *out, const char *path, struct error *err)
{
    struct safetensors *st = NULL;
    *out = (struct pca){0};
    if (safetensors_open(&st, path, err)) return -1;
    int status = read_tensors(out, st, path, err);
    if (status) pca_free(out);
    safetensors_close(st);
    return status;
}

void pca_free(struct pca *pca)
{
    free(pca->components);
    free(pca->eigenvalues);
    free(pca->mean);
    *pca = (struct pca){0};
}
