/* See ese.h. */
#include "distill/ese.h"
#include "distill/moments.h"
#include "distill/vector_losses.h"
#include "nn/simd.h"

#include <math.h>
#include <stdlib.h>

static void reserve(struct ese *ese, int n, int width, int k)
{
    const size_t side = (size_t)width, rows = (size_t)n, columns = (size_t)k;
    if (width == ese->width && n <= ese->rows && k == ese->k) return;
    ese_free(ese);
    *ese = (struct ese){.width = width,
                        .rows = n,
                        .k = k,
                        .c = xaligned(side * side, sizeof(double)),
                        .square = xaligned(side * side, sizeof(double)),
                        .values = xaligned(side, sizeof(double)),
                        .vectors = xaligned(columns * side, sizeof(double)),
                        .p = xaligned(rows * columns, sizeof(float))};
}

void ese_free(struct ese *ese)
{
    free(ese->c);
    free(ese->square);
    free(ese->values);
    free(ese->vectors);
    free(ese->p);
    *ese = (struct ese){0};
}

static void softmax_double(double *x, size_t n, double scale)
{
    double largest = -INFINITY, sum = 0;
    for (size_t j = 0; j < n; j++) largest = fmax(largest, x[j]);
    for (size_t j = 0; j < n; j++) sum += x[j] = exp(scale * (x[j] - largest));
    for (size_t j = 0; j < n; j++) x[j] /= sum;
}

SIMD_CLONES
static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < n; j++) sum += a[j] * b[j];
    return sum;
}

SIMD_CLONES
static double dot_mixed(const float *a, const double *b, size_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < n; j++) sum += (double)a[j] * b[j];
    return sum;
}

/* ese->c = C, ese->square = the upper triangle of C C'. */
static void correlations(struct ese *ese, const float *z, int n)
{
    const size_t side = (size_t)ese->width;
    second_moments(ese->c, z, (size_t)n, NULL, ese->width);
    for (size_t i = 0; i < side; i++)
        for (size_t j = 0; j < i; j++) ese->c[i * side + j] = ese->c[j * side + i];
    for (size_t i = 0; i < side; i++) softmax_double(ese->c + i * side, side, n / sqrt(ese->width));
    for (size_t i = 0; i < side; i++)
        for (size_t j = i; j < side; j++)
            ese->square[i * side + j] = dot(ese->c + i * side, ese->c + j * side, side);
}

void ese_project(struct ese *ese, const float *z, int n, int width, int k)
{
    REQUIRE(k > 0 && k <= width);
    reserve(ese, n, width, k);
    if (n == 0) return;
    const size_t side = (size_t)width, columns = (size_t)k;
    correlations(ese, z, n);
    const bool failed = eigen_largest(ese->values, ese->vectors, ese->square, width, k) != 0;
    for (size_t i = 0; i < (size_t)n; i++)
        for (size_t j = 0; j < columns; j++)
            ese->p[i * columns + j] =
                failed ? NAN
                       : (float)(sqrt(fmax(ese->values[j], 0)) *
                                 dot_mixed(z + i * side, ese->vectors + j * side, side));
}

double ese_compress(struct ese *ese, const float *z, int n, int width, int k, double temperature,
                    double weight, float *d_z)
{
    ese_project(ese, z, n, width, k);
    const struct vector_targets t = {z, ese->p, n, width, k, k};
    return hpd_mse(&t, weight, d_z) +
           temperature * coordinate_kl(&t, temperature, temperature * weight, d_z, NULL);
}
