/* Texts to measure with, made here: the sample collection, a vocabulary trained on it, and texts of
 * as many tokens as wanted. */
#ifndef RETORT_TESTS_BENCH_TEXTS_H
#define RETORT_TESTS_BENCH_TEXTS_H

#include "data/sample.h"
#include "data/tokenizer.h"

struct bench_texts {
    struct sample sample;
    struct tokenizer *tokenizer;
    const char **words; /* that are one token each */
    size_t num_words;
    struct arena arena; /* of bench_text */
};
struct bench_texts *bench_texts_open(bool tiny);
void bench_texts_close(void *texts);

/* A text of so many tokens, without special ones; another one for each stream. */
const char *bench_text(struct bench_texts *texts, uint64_t stream, size_t tokens);
/* n texts of so many words (0: of mixed lengths), as often as words are. */
const char **zipf_texts(struct arena *arena, size_t n, uint64_t stream, size_t words);
/* Lengths as of a query with a passage: lognormal, median 57, mean 68, cut to 8..256. */
size_t bench_mixed_length(size_t index);

#endif
