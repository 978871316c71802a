/* Multi-head self-attention inside each sequence of a packed batch.
 *
 *     q, k, v = rows of qkv;  p = softmax(q k^T / sqrt(head_size));  context = drop(p) v
 *
 * In bf16, products read bf16 (probabilities and their gradients included) and sum in f32; the
 * softmax is f32.  Probabilities live only for a block of queries; backward computes them again.
 */
#ifndef RETORT_ATTENTION_H
#define RETORT_ATTENTION_H

#include "data/threads.h"
#include "nn/kernels.h"

struct attention {
    const struct kernels *kernels;
    enum element element; /* of qkv, the context and gradients */
    int num_heads, head_size;
    const int *offsets; /* [num_seqs + 1] */
    int num_seqs;
    struct team_share share; /* forward: of the heads of all sequences, those that are done */
    bool first_only; /* forward: the first token of each sequence alone, its row of the context */
    double dropout;  /* probability of dropping a probability */
    uint64_t seed;
    int layer;      /* part of the masks' key */
    float *scratch; /* [attention_scratch(longest sequence, head_size)] */
};
size_t attention_scratch(int longest, int head_size); /* in floats */

/* context [tokens, hidden] from qkv [tokens, 3 hidden]: a row is q, k, v of all heads. */
void attention_forward(const struct attention *attention, void *context, const void *qkv);
/* Writes d_qkv. */
void attention_backward(const struct attention *attention, void *d_qkv, const void *d_context,
                        const void *context, const void *qkv);

#endif
