/* Any bytes as texts, in the golden tokenizers: ids are in the vocabulary, the length is kept, and
 * what is cut is a prefix of what is not. */
#include <stdlib.h>
#include <string.h>

#include "data/tokenizer.h"
#include "tests/fuzz/support.h"

enum { NUM_TOKENIZERS = 3 };

static const struct tokenizer *tokenizer_at(int index)
{
    static const char *const folders[NUM_TOKENIZERS] = {
        "tests/golden/tokenizer", "tests/golden/tokenizer-cased", "tests/golden/tokenizer-roberta"};
    static struct tokenizer *open[NUM_TOKENIZERS];
    struct error err = {0};
    if (!open[index]) REQUIRE(tokenizer_open(&open[index], folders[index], &err) == 0);
    return open[index];
}

static void check_list(const struct tokenizer *tok, const struct token_list *list, int max_length)
{
    REQUIRE(list->count <= (size_t)max_length);
    for (size_t i = 0; i < list->count; i++) {
        REQUIRE(list->ids[i] >= 0 && list->ids[i] < tokenizer_vocab_size(tok));
        REQUIRE(list->types[i] == 0 || list->types[i] == 1);
    }
}

/* The first byte chooses the tokenizer and the length; the first newline cuts the text in two. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 2) return 0;
    const struct tokenizer *tok = tokenizer_at(*bytes % NUM_TOKENIZERS);
    int max_length = 4 + *bytes / NUM_TOKENIZERS;
    char *first = xstrndup((const char *)bytes + 1, size - 1), *second = strchr(first, '\n');
    struct token_list whole = {0}, cut = {0};
    if (second) *second++ = '\0';
    tokenizer_encode(tok, &cut, first, second, max_length);
    check_list(tok, &cut, max_length);
    tokenizer_encode_plain(tok, &whole, first);
    tokenizer_encode(tok, &cut, first, NULL, max_length);
    check_list(tok, &cut, max_length);
    REQUIRE(cut.count ==
            (whole.count + 2 < (size_t)max_length ? whole.count + 2 : (size_t)max_length));
    REQUIRE(!whole.count || !memcmp(cut.ids + 1, whole.ids, (cut.count - 2) * sizeof *cut.ids));
    token_list_free(&whole);
    token_list_free(&cut);
    free(first);
    return 0;
}
