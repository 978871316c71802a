/* A sentence-transformers folder small enough for a test: BERT, WordPiece, random weights.
 *
 *     char *folder = tiny_model("model", &(struct tiny_model){.seed = 1, .normalize = true});
 *     dual_encoder_open(&de, folder, 0, PRECISION_F32, &err);       // 3 layers, 16 wide
 */
#ifndef RETORT_TESTS_TINY_MODEL_H
#define RETORT_TESTS_TINY_MODEL_H

#include "data/base.h"

enum { TINY_LAYERS = 3, TINY_HIDDEN = 16 };

struct tiny_model {
    uint64_t seed;
    bool normalize;                             /* a Normalize module */
    const char *similarity;                     /* NULL: cosine */
    const char *query_prompt, *document_prompt; /* NULL: none */
};
/* Writes it into the scratch folder; its path, freshly allocated.  Its vocabulary is [PAD] [UNK]
 * [CLS] [SEP] [MASK], the letters and digits, each also as a continuation ("##a"), and the words of
 * tiny_words. */
char *tiny_model(const char *name, const struct tiny_model *model);
extern const char *const tiny_words[]; /* ends with NULL */

#endif
