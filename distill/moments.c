/* See moments.h.  Moments are summed a block of rows at a time, on the upper triangle only. */
#include "distill/moments.h"
#include "nn/simd.h"

#include <lapacke.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows that are converted to double and added together: a block of 384 columns is 48 KB. */
enum { BLOCK_ROWS = 16 };

SIMD_CLONES
double inner_product(const float *a, const float *b, int n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

/* row[j] += sum over r of weights[r * cols] * block[r * cols + j], j in 0..n-1: a row of
 * block' block. */
SIMD_CLONES
static void add_moments(double *restrict row, const double *restrict weights,
                        const double *restrict block, size_t cols, int n)
{
    for (size_t r = 0; r < BLOCK_ROWS; r += 4) {
        const double *x = block + r * cols, *w = weights + r * cols;
        const double w0 = w[0], w1 = w[cols], w2 = w[2 * cols], w3 = w[3 * cols];
#pragma omp simd
        for (int j = 0; j < n; j++)
            row[j] += (w0 * x[j] + w1 * x[cols + (size_t)j]) +
                      (w2 * x[2 * cols + (size_t)j] + w3 * x[3 * cols + (size_t)j]);
    }
}

void second_moments(double *moments, const float *x, size_t n, const double *mean, int cols)
{
    const size_t width = (size_t)cols;
    double *block = xaligned(BLOCK_ROWS * width, sizeof *block);
    memset(moments, 0, width * width * sizeof *moments);
    for (size_t first = 0; first < n; first += BLOCK_ROWS) {
        for (size_t r = 0; r < BLOCK_ROWS; r++)
            for (size_t j = 0; j < width; j++)
                block[r * width + j] =
                    first + r < n ? (double)x[(first + r) * width + j] - (mean ? mean[j] : 0) : 0;
        for (size_t i = 0; i < width; i++)
            add_moments(moments + i * width + i, block + i, block + i, width, cols - (int)i);
    }
    for (size_t i = 0; i < width * width; i++) moments[i] /= (double)n;
    free(block);
}

/* A vector's sign is free: the largest-magnitude entry (the first of equals) becomes positive. */
static void fix_sign(double *vector, int size)
{
    int largest = 0;
    for (int j = 1; j < size; j++)
        if (fabs(vector[j]) > fabs(vector[largest])) largest = j;
    if (vector[largest] >= 0) return;
    for (int j = 0; j < size; j++) vector[j] = -vector[j];
}

/* Row-major upper is column-major lower; LAPACK's vectors come as rows here, values rising. */
int eigen_largest(double *values, double *vectors, double *matrix, int size, int wanted)
{
    const size_t width = (size_t)size;
    int *support = xcalloc(2 * (size_t)wanted, sizeof *support), found = 0;
    int info = LAPACKE_dsyevr(LAPACK_COL_MAJOR, 'V', 'I', 'L', size, matrix, size, 0, 0,
                              size - wanted + 1, size, 0, &found, values, vectors, size, support);
    free(support);
    if (info != 0 || found != wanted) return info ? info : found - wanted;
    for (int i = 0, j = wanted - 1; i < j; i++, j--) {
        double *a = vectors + (size_t)i * width, *b = vectors + (size_t)j * width,
               value = values[i];
        values[i] = values[j], values[j] = value;
        for (size_t l = 0; l < width; l++) value = a[l], a[l] = b[l], b[l] = value;
    }
    for (int i = 0; i < wanted; i++) fix_sign(vectors + (size_t)i * width, size);
    return 0;
}

void lapack_version(char version[VERSION_SIZE])
{
    lapack_int major, minor, patch;
    LAPACKE_ilaver(&major, &minor, &patch);
    snprintf(version, VERSION_SIZE, "%d.%d.%d", (int)major, (int)minor, (int)patch);
}
