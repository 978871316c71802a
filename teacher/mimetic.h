/* Mimetic initialisation (Trockman & Kolter 2023): a new encoder whose tokens attend to tokens like
 * themselves and take away what they find there, as trained ones do.
 *
 *     W_q = W_k = s R,  W_v = t V,  W_o = -t V',   R, V: random orthogonal [hidden, hidden]
 *
 * A token's logit with itself is SELF_LOGIT where its state has a mean square of 1, as behind a
 * norm; that of an unlike token is near 0.  A cross-encoder that begins so sees from the first step
 * which words of the document are the query's; from independent matrices a small one needs many
 * thousands of steps to find that out.
 */
#ifndef RETORT_MIMETIC_H
#define RETORT_MIMETIC_H

#include "nn/encoder.h"

/* Overwrites the attention matrices of all blocks; after params_init_random, before
 * encoder_refresh. */
void mimetic_attention(struct encoder *encoder, uint64_t seed);
/* Overwrites the position embeddings by sines and cosines (Vaswani et al. 2017), as Trockman &
 * Kolter begin them: which places are near each other is there from the first step, too.
 *
 *     e_p[2i] = a sin(p / 10000^(2i/dim)),  e_p[2i+1] = a cos(the same),  a = sqrt(2) deviation
 *
 * deviation: root of the mean square of a row. */
void mimetic_positions(struct encoder *encoder, double deviation);

#endif
