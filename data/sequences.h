/* Many texts, or pairs of texts, as token ids end to end: what an encoder is run over. */
#ifndef RETORT_SEQUENCES_H
#define RETORT_SEQUENCES_H

#include "data/threads.h"
#include "data/tokenizer.h"

struct sequences {
    int32_t *ids, *types; /* [offsets[count]] */
    size_t *offsets; /* [count + 1]: sequence i is ids[offsets[i]] .. ids[offsets[i + 1] - 1] */
    int *lengths;    /* [count] */
    size_t count;
};

/* Tokenises n texts (second NULL) or pairs, special tokens included, each cut to max_length; prompt
 * ("" for none) is put before every first text.  The result does not depend on the pool. */
void sequences_encode(struct sequences *out, const struct tokenizer *tok, struct pool *pool,
                      const char *const *first, const char *const *second, size_t n,
                      const char *prompt, int max_length);
void sequences_free(struct sequences *sequences);

#endif
