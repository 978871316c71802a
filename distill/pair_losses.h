/* Losses of a cross-encoder on lists of pairs (one query's documents), and their gradients with
 * respect to its logits.
 *
 * A step's pairs stand list after list.  As in losses.h, every loss returns its value unweighted
 * and ADDS weight * (its gradient) to d_logits [pairs]; NULL there: the value alone.  Sums are
 * double.
 */
#ifndef RETORT_PAIR_LOSSES_H
#define RETORT_PAIR_LOSSES_H

#include "data/base.h"

struct pair_lists {
    int count;           /* lists */
    const int *starts;   /* [count + 1]: pairs of list i are starts[i] .. starts[i + 1] - 1 */
    const float *logits; /* [pairs] */
};

/* Listwise softmax: cross-entropy between a target distribution over each list, which sums to 1,
 * and softmax(logits); mean over lists.  (ListNet; with one positive, localized contrastive.) */
double pair_softmax(const struct pair_lists *lists, const float *target, double weight,
                    float *d_logits);
/* Binary cross-entropy of sigmoid(logit) and a label in [0, 1]; mean over pairs. */
double pair_bce(const struct pair_lists *lists, const float *labels, double weight,
                float *d_logits);
/* Mean over lists and their other pairs of ((x_b - x_j) - (t_b - t_j))^2, b: the (first) pair of
 * highest target t; 0 where no list has two pairs. */
double pair_margin_mse(const struct pair_lists *lists, const float *scores, double weight,
                       float *d_logits);
/* Mean over pairs of (x - t)^2. */
double pair_mse(const struct pair_lists *lists, const float *scores, double weight,
                float *d_logits);

#endif
