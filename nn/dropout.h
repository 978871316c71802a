/* The masks of dropout in the encoder: which places have one, and their keys. */
#ifndef RETORT_DROPOUT_H
#define RETORT_DROPOUT_H

#include "nn/kernels.h"

enum dropout_place {
    DROPOUT_EMBEDDINGS,
    DROPOUT_ATTENTION_OUTPUT,
    DROPOUT_OUTPUT,
    DROPOUT_PROBABILITIES /* plus the head's number */
};

/* All masks at one place of one layer. */
struct dropout_masks {
    double probability; /* 0: no dropout */
    uint64_t seed;
    int layer, place;
};
/* The mask of a token's row; scale is 1 / (1 - probability). */
struct dropout dropout_of_token(const struct dropout_masks *masks, int token);
/* values [tokens, cols] in place; tokens are numbered from first_token. */
void dropout_rows(const struct kernels *kernels, const struct dropout_masks *masks, float *values,
                  int first_token, int tokens, int cols, size_t stride);

#endif
