/* The student's loss in one step: a list of rows (tap, loss, weight, target), each adding to the
 * gradient of z.
 *
 * No method is a special case: InfoNCE with mined negatives, listwise KL, MarginMSE,
 * self-distillation and HPD are rows of the same list, which a schedule draws for each step
 * (tap_schedule.h).  Terms are summed over rows.
 */
#ifndef RETORT_OBJECTIVE_H
#define RETORT_OBJECTIVE_H

#include "distill/ese.h"
#include "distill/losses.h"
#include "student/dual_encoder.h"

enum loss_kind {
    /* of scores */
    LOSS_INFO_NCE,
    LOSS_INFO_NCE_TRANSPOSED,
    LOSS_LISTWISE_KL,
    LOSS_MARGIN_MSE,
    LOSS_RANKNET,
    LOSS_LAMBDA,
    LOSS_ADR_MSE,
    LOSS_SELF_KL, /* towards the full tap's scores */
    /* of vectors */
    LOSS_COORDINATE_KL, /* towards the full tap's coordinates, at a layer's full width */
    LOSS_COMPRESS,      /* ESE's: towards a projection of the layer's full width */
    LOSS_HPD,           /* towards a matrix of targets */
    LOSS_HPD_COSINE,
    LOSS_HPD_GRAM,
    LOSS_ALIGN, /* towards the matrix of targets of the layer's own, at its full width */
    /* of pairs */
    LOSS_COSENT, /* towards the order of scores of pairs */
    LOSS_ANGLE,  /* the same, of the angle in complex space */
    LOSS_COSINE_MSE,
    NUM_LOSSES
};
const char *loss_name(enum loss_kind kind); /* "info_nce", ... */

struct objective_row {
    struct tap tap;
    enum loss_kind kind;
    double weight;
    int target; /* of those that copy a matrix of targets, or scores of pairs: which */
};

struct objective {
    struct objective_row *rows; /* grouped by tap */
    size_t count, capacity;
    struct tap full; /* what self_kl and coordinate_kl copy */
    bool cosine;     /* or dot */
    double scale;    /* 1 / temperature */
    double teacher_temperature;
    double coordinate_temperature;
    bool coordinate_detached; /* coordinate_kl moves the lower layer alone */
    struct similarity similarity, full_similarity;
    struct similarity gram, target_gram; /* of hpd_gram */
    struct ese ese;
    float *d_s, *d_gram;
    float *likeness; /* [2 * pairs]: of pairs, and its gradient */
    size_t d_s_capacity, d_gram_capacity, likeness_capacity;
};
void objective_add(struct objective *objective, struct objective_row row);
void objective_clear(struct objective *objective); /* of its rows */
void objective_free(struct objective *objective);
/* The distinct layers of the rows and of what they copy, rising, into layers (room for max); how
 * many. */
int objective_layers(const struct objective *objective, int *layers, int max);
/* Whether a row copies that matrix of targets. */
bool objective_copies(const struct objective *objective, int target);

/* What rows of z shall come near to: [num_queries + num_documents, width]. */
struct target_rows {
    const float *values;
    int width;
};

/* What the losses of one step look at.  The first num_queries rows of z are queries, then
 * num_documents documents; of a step on pairs, all first texts and then as many second ones. */
struct objective_input {
    int num_queries, num_documents, width; /* width of z */
    const int *positive;                   /* [num_queries] column of each query's positive */
    const uint8_t *mask;                   /* [num_queries, num_documents] columns of InfoNCE */
    struct candidate_lists lists;          /* teacher's scores; positive first */
    const struct target_rows *targets;     /* by a row's `target`; of those that rows copy */
    const float *const *pair_scores; /* [num_queries] each, from 0 to 1, by a row's `target` */
    const int *layers;               /* of z[i] */
    int num_layers;
    float *const *z;   /* [num_layers] of [num_queries + num_documents, width] */
    float *const *d_z; /* the same; zeroed, then added to */
};
/* The weighted sum of all rows; sums[kind] is the unweighted sum over its rows. */
double objective_evaluate(struct objective *objective, const struct objective_input *input,
                          double sums[NUM_LOSSES]);

#endif
