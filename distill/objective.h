/* The student's loss at all taps: a list of rows (tap, loss, weight), each adding to the gradient
 * of z.
 *
 * No method is a special case: InfoNCE with mined negatives, listwise KL, MarginMSE,
 * self-distillation and HPD are rows of the same list (methods.md 4.5).  Terms are summed over
 * taps.
 */
#ifndef RETORT_OBJECTIVE_H
#define RETORT_OBJECTIVE_H

#include "distill/losses.h"
#include "student/dual_encoder.h"

enum loss_kind {
    LOSS_INFO_NCE,
    LOSS_LISTWISE_KL,
    LOSS_MARGIN_MSE,
    LOSS_SELF_KL,
    LOSS_HPD,
    NUM_LOSSES
};
const char *loss_name(enum loss_kind kind); /* "info_nce", ... */

struct objective_row {
    struct tap tap;
    enum loss_kind kind;
    double weight;
};

struct objective {
    struct objective_row *rows; /* grouped by tap */
    size_t count, capacity;
    struct tap full; /* what self_kl copies */
    bool cosine;     /* or dot */
    double scale;    /* 1 / temperature */
    double teacher_temperature;
    double margin_scale; /* k of MarginMSE: student's units per teacher logit */
    struct similarity similarity, full_similarity;
    float *d_s;
    size_t d_s_capacity;
};
void objective_add(struct objective *objective, struct tap tap, enum loss_kind kind, double weight);
void objective_free(struct objective *objective);
/* The distinct layers of the rows and of `full`, rising, into layers (room for max); how many. */
int objective_layers(const struct objective *objective, int *layers, int max);

/* What the losses of one step look at.  The first num_queries rows of z are queries, then
 * num_documents documents. */
struct objective_input {
    int num_queries, num_documents, width; /* width of z */
    const int *positive;                   /* [num_queries] column of each query's positive */
    const uint8_t *mask;                   /* [num_queries, num_documents] columns of InfoNCE */
    struct candidate_lists lists;          /* teacher's scores; positive first */
    const float *
        targets; /* HPD targets of all rows, [num_queries + num_documents, target_width], or NULL */
    int target_width;
    const int *layers; /* of z[i] */
    int num_layers;
    float *const *z;   /* [num_layers] of [num_queries + num_documents, width] */
    float *const *d_z; /* the same; zeroed, then added to */
};
/* The weighted sum of all rows; sums[kind] is the unweighted sum over taps.  hpd_factor multiplies
 * the weights of LOSS_HPD rows (their schedule). */
double objective_evaluate(struct objective *objective, const struct objective_input *input,
                          double hpd_factor, double sums[NUM_LOSSES]);

#endif
