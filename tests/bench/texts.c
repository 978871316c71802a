/* See texts.h. */
#include "tests/bench/texts.h"

#include "data/wordpiece_train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void train_vocabulary(struct bench_texts *texts)
{
    struct error err = {0};
    struct wordpiece_training how = WORDPIECE_TRAINING_DEFAULTS;
    struct wordpiece_trainer *trainer = wordpiece_trainer_open(&how);
    for (size_t d = 0; d < texts->sample.num_documents; d++)
        wordpiece_trainer_add(trainer, texts->sample.documents[d].text);
    REQUIRE(wordpiece_trainer_train(trainer, &texts->tokenizer, &err) == 0);
    wordpiece_trainer_close(trainer);
}

/* A word of small letters that is a token is cut into that one token. */
static bool is_word(const char *token)
{
    return token && *token && token[strspn(token, "abcdefghijklmnopqrstuvwxyz")] == '\0';
}

static void find_words(struct bench_texts *texts)
{
    int size = tokenizer_vocab_size(texts->tokenizer);
    texts->words = xcalloc((size_t)size, sizeof *texts->words);
    for (int32_t id = 0; id < size; id++) {
        const char *token = tokenizer_token(texts->tokenizer, id);
        if (is_word(token)) texts->words[texts->num_words++] = token;
    }
    REQUIRE(texts->num_words > 0);
}

struct bench_texts *bench_texts_open(bool tiny)
{
    struct bench_texts *texts = xcalloc(1, sizeof *texts);
    sample_make(&texts->sample, tiny ? SAMPLE_MIN_DOCUMENTS : SAMPLE_DOCUMENTS, 1);
    train_vocabulary(texts);
    find_words(texts);
    return texts;
}

void bench_texts_close(void *object)
{
    struct bench_texts *texts = object;
    arena_free(&texts->arena);
    free(texts->words);
    tokenizer_close(texts->tokenizer);
    sample_free(&texts->sample);
    free(texts);
}

const char *bench_text(struct bench_texts *texts, uint64_t stream, size_t tokens)
{
    struct text text = {0};
    for (size_t i = 0; i < tokens; i++) {
        size_t word = (size_t)random_bits(3, stream, i) % texts->num_words;
        if (i) text_puts(&text, " ");
        text_puts(&text, texts->words[word]);
    }
    const char *kept = arena_strndup(&texts->arena, text.bytes, text.length);
    text_free(&text);
    return kept;
}

size_t bench_mixed_length(size_t index)
{
    double length = 57 * exp(0.6 * random_normal(13, 1, index));
    return length < 8 ? 8 : length > 256 ? 256 : (size_t)length;
}
