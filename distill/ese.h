/* ESE's compression loss (Espresso Sentence Embeddings, Li et al. 2024; AnglE's AngleESETrainer):
 * the first k columns learn to hold what the whole vector holds.
 *
 *     struct ese ese = {0};
 *     loss += a * ese_compress(&ese, z, n, 384, 64, 1, a, d_z);   // d_z [n, 384]
 *     ese_free(&ese);                                             // buffers served all steps
 *
 * For the vectors X [n, width] of a batch at one layer, not normalised:
 *
 *     C = softmax over each row of X'X / sqrt(width)     [width, width]
 *     C = U S V'                                         its singular values, descending
 *     P = X U_k S_k                                      [n, k], constant (detached)
 *     A = mean (X[:, :k] - P)^2 + temperature KL(softmax(P / temperature) ||
 *                                                softmax(X[:, :k] / temperature)), mean over rows
 *
 * P is not centred and no covariance PCA: columns are scaled by singular values of a matrix of
 * probabilities.  The reference approximates U S by torch.svd_lowrank, whose random numbers differ
 * from call to call and whose signs are arbitrary; here it is exact, from the eigenvectors of C C',
 * and the largest-magnitude entry of each column of U is positive.
 */
#ifndef RETORT_ESE_H
#define RETORT_ESE_H

#include "data/base.h"

struct ese {
    int width, rows, k;       /* what the buffers are made for */
    double *c, *square;       /* [width, width] each */
    double *values, *vectors; /* [width], [k, width] */
    float *p;                 /* [rows, k] */
};
/* P [n, k] of z [n, width], k <= width, in ese->p.  All of it is NaN where z holds what is not
 * finite. */
void ese_project(struct ese *ese, const float *z, int n, int width, int k);
/* A of the first k columns, unweighted; adds weight * gradient to them in d_z [n, width] (NULL: the
 * value alone). */
double ese_compress(struct ese *ese, const float *z, int n, int width, int k, double temperature,
                    double weight, float *d_z);
void ese_free(struct ese *ese);

#endif
