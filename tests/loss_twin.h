/* The ranking losses of distill/losses.h written naively, in double: what its tests compare with.
 *
 *     double expected = naive_loss(&setup, LAMBDA, zq, zd);    // copies in double, moved at will
 */
#ifndef RETORT_TESTS_LOSS_TWIN_H
#define RETORT_TESTS_LOSS_TWIN_H

#include "distill/losses.h"

enum kind {
    INFO_NCE,
    TRANSPOSED,
    LISTWISE,
    MARGIN,
    SELF,
    SCORES,
    RANKNET,
    LAMBDA,
    ADR,
    TOGETHER,
    NUM_KINDS
};

struct setup {
    int queries, documents, width, dim;
    bool cosine, masked;
    double scale, teacher_temperature, k;
    float *zq, *zd; /* [queries, width], [documents, width] */
    int *positive;
    uint8_t *mask;
    struct candidate_lists lists;
    float *full; /* [queries, documents] */
};

/* Of the losses in TOGETHER. */
extern const double TOGETHER_WEIGHTS[TOGETHER];
extern const double ADR_ALPHA;

/* x's loss on zq [queries, width], zd [documents, width]; at most 16 queries, 64 documents and
 * columns.  LambdaLoss takes the order by x->zq and x->zd, whatever zq and zd are. */
double naive_loss(const struct setup *x, enum kind kind, const double *zq, const double *zd);
/* scale * cosine or dot product of the first dim columns; 0 where a cosine has no direction. */
double naive_score(const struct setup *x, const double *q, const double *d);

#endif
