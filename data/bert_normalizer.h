/* BERT's cleaning of text before it is cut into words, as tokenizers' BertNormalizer does it. */
#ifndef RETORT_BERT_NORMALIZER_H
#define RETORT_BERT_NORMALIZER_H

#include "data/base.h"

struct bert_normalizer {
    bool clean_text;           /* remove controls, make every white space ' ' */
    bool handle_chinese_chars; /* spaces around ideographs */
    bool strip_accents;        /* decompose, remove nonspacing marks */
    bool lowercase;
    char ascii
        [128]; /* what becomes of each ASCII character, '\0' if removed: bert_normalizer_init */
};
/* To be called once the flags are set. */
void bert_normalizer_init(struct bert_normalizer *normalizer);

/* Appends the normal form of a text. */
void bert_normalize(const struct bert_normalizer *normalizer, struct text *out, const char *bytes,
                    size_t length);

#endif
