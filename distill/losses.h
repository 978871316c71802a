/* Ranking losses and their gradients with respect to embeddings.
 *
 * A step computes similarities once per tap and lets every loss add its gradient to the same matrix:
 *
 *     similarity_forward    u = z_q[:d] / |.|, v = z_d[:d] / |.| (or raw: dot), s = scale * u v'
 *     info_nce, listwise_kl, margin_mse, self_kl   return the loss, add weight * d loss / d s to d_s
 *     similarity_backward   adds to d_zq, d_zd
 *
 * Losses are means over queries as PyTorch reductions have them (methods.md 4.5 and 5); arithmetic in double where sums are long.
 */
#ifndef RETORT_LOSSES_H
#define RETORT_LOSSES_H

#include "data/base.h"

struct similarity {
    int num_queries, num_documents, dim;
    bool cosine;
    float scale;
    float *u, *v; /* [num_queries, dim], [num_documents, dim]: cut, normalised where cosine */
    float *u_norm, *v_norm; /* norms before */
    float *s;               /* [num_queries, num_documents] */
    size_t u_capacity, v_capacity, s_capacity;
};
/* zq [num_queries, width], zd [num_documents, width]; only the first dim columns are used. */
void similarity_forward(struct similarity *sim, const float *zq, int num_queries, const float *zd,
                        int num_documents, int width, int dim, bool cosine, double scale);
void similarity_backward(const struct similarity *sim, const float *d_s, int width, float *d_zq,
                         float *d_zd);
void similarity_free(struct similarity *sim);

/* Per query its candidate columns: entries starts[i] .. starts[i + 1] - 1 of columns (and of teacher scores). */
struct candidate_lists {
    const int *starts, *columns;
    const float *teacher; /* raw teacher logits, parallel to columns */
};
/* Cross-entropy of the positive among the columns with mask[i * num_documents + j] != 0 (NULL: all); positive[i] is its column. */
double info_nce(const struct similarity *sim, const int *positive, const uint8_t *mask,
                double weight, float *d_s);
/* KL(softmax(teacher / teacher_temperature) || softmax(s)) over each query's list. */
double listwise_kl(const struct similarity *sim, const struct candidate_lists *lists,
                   double teacher_temperature, double weight, float *d_s);
/* Mean over (query, negative) of ((s+ - s-) - k (c+ - c-))^2; the first entry of each list is the positive. */
double margin_mse(const struct similarity *sim, const struct candidate_lists *lists, double k,
                  double weight, float *d_s);
/* KL(softmax(full) || softmax(s)) over all columns; full [num_queries, num_documents] is constant (detached). */
double self_kl(const struct similarity *sim, const float *full, double weight, float *d_s);

/* Mean over n * dim of (z - target)^2 on the first dim columns; target [n, target_width]. */
double hpd_mse(const float *z, int width, const float *target, int target_width, int n, int dim,
               double weight, float *d_z);

/* STS, on cosines of n pairs.  CoSENT: log(1 + sum over label_i > label_j of exp(scale (cos_j - cos_i))). */
double cosent(const float *cosines, const float *labels, int n, double scale, double weight,
              float *d_cosines);
double cosine_mse(const float *cosines, const float *labels, int n, double weight,
                  float *d_cosines);

#endif
