/* Ranking losses and their gradients with respect to embeddings.
 *
 * A step computes similarities once per tap; every loss adds its gradient to the same matrix:
 *
 *     struct similarity sim = {.cosine = true, .scale = 20};   // scale: 1 / temperature
 *     similarity_forward(&sim, zq, num_queries, zd, num_documents, width, dim);
 *     memset(d_s, 0, ...);                                     // [num_queries, num_documents]
 *     loss += a * info_nce(&sim, positive, mask, a, d_s);
 *     loss += b * listwise_kl(&sim, &lists, teacher_temperature, b, d_s);
 *     similarity_backward(&sim, d_s, width, d_zq, d_zd);       // adds
 *     ...                                                      // buffers serve the next step
 *     similarity_free(&sim);
 *
 * Every loss returns its value unweighted and ADDS weight * (its gradient) to the last argument;
 * NULL there: the value alone.  Losses are means over queries, as PyTorch's batchmean has them.
 * Scores and probabilities are f32, sums over a row and over queries double; row maxima are
 * subtracted, so that no logit overflows.
 *
 * One struct similarity serves one thread at a time: losses use its scratch.
 */
#ifndef RETORT_LOSSES_H
#define RETORT_LOSSES_H

#include "data/base.h"

struct similarity {
    bool cosine;  /* set by the caller: normalise after cutting, or plain dot products */
    double scale; /* set by the caller: s = scale * u v' */
    int num_queries, num_documents, dim;
    float *u, *v;     /* [num_queries, dim], [num_documents, dim]: cut, normalised where cosine */
    float *v_columns; /* [dim, num_documents]: v transposed */
    float *u_norm, *v_norm; /* [num_queries], [num_documents]: lengths before */
    float *s;               /* [num_queries, num_documents] */
    float *scratch;         /* [3 * num_documents + dim] */
    size_t u_capacity, v_capacity, v_columns_capacity, u_norm_capacity, v_norm_capacity, s_capacity,
        scratch_capacity;
};
/* zq [num_queries, width], zd [num_documents, width]; only the first dim columns are used.  A row
 * shorter than 1e-12 is taken as zero where cosine: score 0 and no gradient. */
void similarity_forward(struct similarity *sim, const float *zq, int num_queries, const float *zd,
                        int num_documents, int width, int dim);
/* d_s [num_queries, num_documents]; adds to the first dim columns of d_zq [num_queries, width],
 * d_zd [num_documents, width]. */
void similarity_backward(const struct similarity *sim, const float *d_s, int width, float *d_zq,
                         float *d_zd);
void similarity_free(struct similarity *sim);

/* Per query its candidate columns: entries starts[i] .. starts[i + 1] - 1 of columns (and of
 * teacher scores).  The columns of a list are distinct; a list may be empty. */
struct candidate_lists {
    const int *starts;    /* [num_queries + 1] */
    const int *columns;   /* [starts[num_queries]] */
    const float *teacher; /* raw teacher logits, parallel to columns */
};

/* Cross-entropy of the positive among the columns with mask[i * num_documents + j] != 0 (NULL:
 * all); positive[i] is its column, which counts whatever its mask says. */
double info_nce(const struct similarity *sim, const int *positive, const uint8_t *mask,
                double weight, float *d_s);
/* KL(softmax(teacher / teacher_temperature) || softmax(s)) over each query's list; no
 * temperature-squared factor.  A list of none or one adds nothing, its query still counts in the
 * mean. */
double listwise_kl(const struct similarity *sim, const struct candidate_lists *lists,
                   double teacher_temperature, double weight, float *d_s);
/* Mean over (query, negative) of ((s+ - s-) - k (c+ - c-))^2; the first entry of each list is the
 * positive.  0 where no list has a negative. */
double margin_mse(const struct similarity *sim, const struct candidate_lists *lists, double k,
                  double weight, float *d_s);
/* KL(softmax(full) || softmax(s)) over all columns; full [num_queries, num_documents] is constant
 * (detached): the s of the full tap on the same texts. */
double self_kl(const struct similarity *sim, const float *full, double weight, float *d_s);

/* Mean over n * dim of (z - target)^2 on the first dim columns of z [n, width], target [n,
 * target_width]; d_z [n, width]. */
double hpd_mse(const float *z, int width, const float *target, int target_width, int n, int dim,
               double weight, float *d_z);

/* ---- pairs (STS) ---- */

/* cosines[i] = cosine of the first dim columns of row i of za and of zb [n, width]; 0 where one is
 * shorter than 1e-12. */
void pair_cosines(float *cosines, const float *za, const float *zb, int n, int width, int dim);
/* Adds to d_za, d_zb [n, width], given d_cosines [n]. */
void pair_cosines_backward(const float *d_cosines, const float *za, const float *zb, int n,
                           int width, int dim, float *d_za, float *d_zb);
/* CoSENT: log(1 + sum over label_i > label_j of exp(scale (cos_j - cos_i))); cosines, labels,
 * d_cosines [n]. */
double cosent(const float *cosines, const float *labels, int n, double scale, double weight,
              float *d_cosines);
/* Mean of (cos - label)^2. */
double cosine_mse(const float *cosines, const float *labels, int n, double weight,
                  float *d_cosines);

#endif
