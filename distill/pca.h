/* Principal components (LAPACKE dsyevr): the projection that makes HPD targets.
 *
 *     struct pca pca;
 *     if (pca_fit(&pca, x, n, 384, 128, false, err)) return -1;
 *     pca_apply(&pca, x, n, targets);    // [n, 128]; the first d columns are the target at dim d
 *     pca_free(&pca);
 */
#ifndef RETORT_PCA_H
#define RETORT_PCA_H

#include "data/base.h"

struct pca {
    int input_size, output_size;
    /* [output_size, input_size], by descending eigenvalue; each row's largest-magnitude entry is
     * positive */
    float *components;
    float *eigenvalues; /* [output_size], of X'X/n, never negative */
    float *mean;        /* [input_size]; zeros where not centred */
    double explained;   /* share of the total variance (or energy) in the output_size components */
};
/* X [n, input_size]; sums in double; centred: X minus its mean.  Errors: n < output_size,
 * output_size > input_size, a value that is not finite (its row is named), nothing but zeros. */
int pca_fit(struct pca *out, const float *x, size_t n, int input_size, int output_size,
            bool centred, struct error *err);
/* out [n, output_size] = components (x - mean), mean zero where uncentred (HPD as published). */
void pca_apply(const struct pca *pca, const float *x, size_t n, float *out);
/* A safetensors file with components, eigenvalues, mean, explained. */
int pca_write(const struct pca *pca, const char *path, struct error *err);
/* Errors name the file and the tensor that is missing, of a wrong shape or not finite. */
int pca_read(struct pca *out, const char *path, struct error *err);
void pca_free(struct pca *pca);

#endif
