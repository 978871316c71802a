/* Word vectors from co-occurrence counts, to begin a table of word embeddings with: words of like
 * meaning stand near each other before the first step of training.
 *
 *     c_ij   = how often token j stands at most 50 tokens from token i in a text
 *     m_ij   = max(0, log(c_ij / (c_i p_j))),  p_j in proportion to (sum of column j)^0.75
 *     vector = row i of the principal components of m, each divided by the root of its deviation,
 *              then brought to one length
 *
 * Positive pointwise mutual information with smoothed contexts and root-weighted singular values
 * (Levy, Goldberg & Dagan 2015).  m is never held: its rows are projected at random onto 4 times
 * the wanted width first (Halko, Martinsson & Tropp 2011), and the PCA is of those.
 */
#ifndef RETORT_WORD_VECTORS_H
#define RETORT_WORD_VECTORS_H

#include "data/threads.h"
#include "data/tokenizer.h"

struct word_vectors {
    int vocab_size, dim; /* of the table; vocab_size is at least the tokenizer's */
    double deviation;    /* root of the mean square of each vector that is made */
    const struct tokenizer *tok;
    const char *const *texts; /* [count] */
    size_t count;
    uint64_t seed;
};
/* Fills rows of vectors [vocab_size, dim]: those of tokens that stand in the texts; the others keep
 * what they have.  Fails where the texts hold fewer different tokens than dim.  The result does not
 * depend on the pool. */
int word_vectors_make(float *vectors, const struct word_vectors *how, struct pool *pool,
                      struct error *err);

#endif
