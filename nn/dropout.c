/* Dropout (Srivastava et al. 2014), inverted: see dropout.h. */
#include "nn/dropout.h"

#include "data/base.h"

struct dropout dropout_of_token(const struct dropout_masks *masks, int token)
{
    uint64_t stream = (uint64_t)masks->layer << 32 | (uint32_t)masks->place;
    return (struct dropout){.key = random_bits(masks->seed, stream, (uint64_t)token),
                            .threshold = (uint32_t)(masks->probability * 0x1p32),
                            .scale = (float)(1 / (1 - masks->probability))};
}

void dropout_rows(const struct kernels *kernels, const struct dropout_masks *masks, float *values,
                  int first_token, int tokens, int cols, size_t stride)
{
    if (masks->probability <= 0) return;
    for (int i = 0; i < tokens; i++) {
        struct dropout row = dropout_of_token(masks, first_token + i);
        float *at = values + (size_t)i * stride;
        kernels->dropout(at, at, (size_t)cols, &row);
    }
}
