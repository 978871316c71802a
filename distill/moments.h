/* Sums of products in double: of two rows; second moments of many, and the largest eigenvalues of a
 * symmetric matrix (LAPACKE dsyevr), what PCA and ESE's compression are made of.
 *
 *     second_moments(moments, x, n, NULL, 384);                 // [384, 384]
 *     if (eigen_largest(values, vectors, moments, 384, 128)) ...   // moments is destroyed
 */
#ifndef RETORT_MOMENTS_H
#define RETORT_MOMENTS_H

#include "data/base.h"

double inner_product(const float *a, const float *b, int n);
/* moments [cols, cols] = the upper triangle of (X - mean)'(X - mean) / n, zero below it; X
 * [n, cols], n > 0, mean [cols] or NULL (zero).  Sums in double. */
void second_moments(double *moments, const float *x, size_t n, const double *mean, int cols);
/* The `wanted` largest eigenvalues of matrix [size, size] (its upper triangle; destroyed),
 * descending, into the first of values [size], and their unit vectors into the rows of vectors
 * [wanted, size], each with its largest-magnitude entry (the first of equals) positive.  0, or
 * LAPACK's status where they did not converge or the matrix holds what is not a number. */
int eigen_largest(double *values, double *vectors, double *matrix, int size, int wanted);

void lapack_version(char version[VERSION_SIZE]);

#endif
