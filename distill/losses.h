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
    float *scratch;         /* [4 * max(num_queries, num_documents) + 1 + dim] */
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
/* The other direction, document to query: cross-entropy of query i among the queries in the column
 * of its positive, over those whose mask allows this document; a query with the same positive is no
 * negative.  Half the sum of both is sentence-transformers' symmetric loss (directions query_to_doc
 * and doc_to_query, partition per_direction), where the texts of a batch are distinct. */
double info_nce_transposed(const struct similarity *sim, const int *positive, const uint8_t *mask,
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
/* RankNet (Burges et al. 2005): mean over all pairs of a list with teacher_i > teacher_j of
 * log(1 + exp(s_j - s_i)).  0 where no list has such a pair.  sentence-transformers' RankNetLoss
 * counts in bits: this / ln 2. */
double ranknet(const struct similarity *sim, const struct candidate_lists *lists, double weight,
               float *d_s);
/* LambdaLoss (Wang et al. 2018), NDCG-Loss2++: mean over the pairs of ranknet of
 *     (10 |1/D(|r_i - r_j|) - 1/D(|r_i - r_j| + 1)| + |1/D(r_i) - 1/D(r_j)|) |G_i - G_j|
 *         log2(1 + exp(s_j - s_i)),
 * r: ranks by the student (equals: the earlier entry first), which give no gradient;
 * D(r) = log2(1 + r); G = (2^y - 1) / (the list's ideal DCG), relevance
 * y = exp((teacher - its maximum in the list) / teacher_temperature).  sentence-transformers'
 * LambdaLoss on labels y. */
double lambda_loss(const struct similarity *sim, const struct candidate_lists *lists,
                   double teacher_temperature, double weight, float *d_s);
/* ADR-MSE (Schlatt et al. 2025, Rank-DistiLLM): mean over all entries of
 *     (t_i - r_i)^2 / log2(1 + t_i),
 *     r_i = 1 + sum over j != i of 1 / (1 + exp(alpha (s_i - s_j))),
 * t: ranks by the teacher, equals sharing the mean of theirs.  sentence-transformers' ADRMSELoss
 * (alpha 1). */
double adr_mse(const struct similarity *sim, const struct candidate_lists *lists, double alpha,
               double weight, float *d_s);
/* KL(softmax(full) || softmax(s)) over all columns; full [num_queries, num_documents] is constant
 * (detached): the s of the full tap on the same texts.
 * Over lists: listwise_kl with the full tap's s as teacher, temperature 1. */
double self_kl(const struct similarity *sim, const float *full, double weight, float *d_s);
/* Mean over all entries of (s - full)^2, full as above.  With z as queries and as documents, full
 * the cosines of the HPD targets, this compares the Gram matrices of a batch:
 *     struct similarity sim = {.cosine = true, .scale = 1}, wanted = sim;
 *     similarity_forward(&sim, z, n, z, n, width, dim);
 *     similarity_forward(&wanted, target, n, target, n, target_width, dim);
 *     loss += a * score_mse(&sim, wanted.s, a, d_s);               // d_s [n, n]
 *     similarity_backward(&sim, d_s, width, d_z, d_z); */
double score_mse(const struct similarity *sim, const float *full, double weight, float *d_s);

#endif
