/* Losses on the vectors themselves: each against its target, or against its partner (STS).
 *
 * As in losses.h every loss returns its value unweighted and ADDS weight * (its gradient) to the
 * last argument; NULL there: the value alone.  Values are f32, sums double.
 *
 *     struct vector_targets t = {.z = z, .target = pca, .n = n, .width = 384, .target_width = 128,
 *                                .dim = 64};
 *     loss += a * hpd_mse(&t, a, d_z);                       // d_z [n, 384]
 *     ...
 *     pair_cosines(cosines, za, zb, n, 384, 64);             // STS: pairs of texts with labels
 *     memset(d_cosines, 0, ...);                             // [n]
 *     loss += a * cosent(cosines, labels, n, 20, a, d_cosines);
 *     pair_cosines_backward(d_cosines, za, zb, n, 384, 64, d_za, d_zb);   // adds
 */
#ifndef RETORT_VECTOR_LOSSES_H
#define RETORT_VECTOR_LOSSES_H

#include "data/base.h"

/* ---- vectors and their targets ---- */

/* Rows and what each is to be like, on the first dim columns of both. */
struct vector_targets {
    const float *z, *target; /* [n, width], [n, target_width] */
    int n, width, target_width, dim;
};
/* Mean over n * dim of (z - target)^2.  (HPD as published.) */
double hpd_mse(const struct vector_targets *t, double weight, float *d_z);
/* Mean over rows of 1 - cos(z, target); 1 and no gradient where one is shorter than 1e-12.  (The
 * variant on Gram matrices: score_mse in losses.h.) */
double hpd_cosine(const struct vector_targets *t, double weight, float *d_z);
/* Mean over rows of KL(softmax(target / temperature) || softmax(z / temperature)) over the
 * coordinates, of vectors that are not normalised: what 2DMSE, AdaptiveLayerLoss and ESE pull a
 * lower tap towards its target with.  No factor of temperature: 2DMSE has its square, its later
 * trainer temperature * ln(2 + layer), AdaptiveLayerLoss and ESE temperature; all are the caller's
 * weight.  d_target [n, target_width]: NULL where the target is constant (detached:
 * sentence-transformers 6.2.0, ESE), else its gradient is added, too (2DMSE). */
double coordinate_kl(const struct vector_targets *t, double temperature, double weight, float *d_z,
                     float *d_target);

/* ---- pairs (STS) ---- */

/* cosines[i] = cosine of the first dim columns of row i of za and of zb [n, width]; 0 where one is
 * shorter than 1e-12. */
void pair_cosines(float *cosines, const float *za, const float *zb, int n, int width, int dim);
/* Adds to d_za, d_zb [n, width], given d_cosines [n]. */
void pair_cosines_backward(const float *d_cosines, const float *za, const float *zb, int n,
                           int width, int dim, float *d_za, float *d_zb);
/* AnglE's similarity (Li and Li 2024), for cosent in the place of cosines.  The first half of the
 * dim columns are real parts, the second imaginary ones (an odd dim: as if one zero followed, so
 * the middle column is real alone): with the Hermitian product h = sum of a_k conj(b_k),
 *     angles[i] = |Re h + Im h| / (|a| |b|),
 * 0 where one is shorter than 1e-12, no gradient where it is 0.  The AnglE repository sums complex
 * quotients, their magnitudes normalised (pooling 'sum'), sentence-transformers' pairwise_angle_sim
 * a cosine and a sine: the same number, since a / b = a conj(b) / |b|^2.  Which columns make a
 * complex number changes with dim. */
void pair_angles(float *angles, const float *za, const float *zb, int n, int width, int dim);
void pair_angles_backward(const float *d_angles, const float *za, const float *zb, int n, int width,
                          int dim, float *d_za, float *d_zb);
/* CoSENT: log(1 + sum over label_i > label_j of exp(scale (cos_j - cos_i))); cosines, labels,
 * d_cosines [n].  On pair_angles: AnglELoss. */
double cosent(const float *cosines, const float *labels, int n, double scale, double weight,
              float *d_cosines);
/* Mean of (cos - label)^2. */
double cosine_mse(const float *cosines, const float *labels, int n, double weight,
                  float *d_cosines);

#endif
