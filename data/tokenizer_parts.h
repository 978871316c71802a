/* What a tokenizer is made of; for data/tokenizer*.c alone. */
#ifndef RETORT_TOKENIZER_PARTS_H
#define RETORT_TOKENIZER_PARTS_H

#include "data/added_tokens.h"
#include "data/bert_normalizer.h"
#include "data/json.h"
#include "data/tokenizer.h"
#include "data/wordpiece.h"

/* One place of a template: a text or a special token, and its type id. */
enum place_kind { PLACE_FIRST, PLACE_SECOND, PLACE_SPECIAL };
struct place {
    enum place_kind kind;
    int32_t id; /* PLACE_SPECIAL */
    int32_t type;
};
enum { MAX_PLACES = 16 };
struct template
{
    struct place places[MAX_PLACES];
    int count, num_special;
};

struct tokenizer {
    struct bert_normalizer normalizer;
    struct wordpiece model;
    struct added_tokens added;
    struct template single, pair;
    int vocab_size, model_max_length;
    char **tokens; /* [vocab_size]: the token of each id, NULL where there is none */
    size_t capacity;
    struct arena strings;
    /* The files as they were read, for export; NULL where there was none. */
    struct json *tokenizer_json, *tokenizer_config, *special_tokens_map;
};

/* From tokenizer.json; from vocab.txt, or the tokens that would be its lines (with
 * tokenizer_config, which may be NULL).  `where` begins error messages. */
int tokenizer_from_json(struct tokenizer *tok, const struct json *json, const char *path,
                        struct error *err);
int tokenizer_from_vocab(struct tokenizer *tok, const char *path, struct error *err);
int tokenizer_from_tokens(struct tokenizer *tok, const char *const *tokens, size_t count,
                          const char *where, struct error *err);

/* A special token's text in tokenizer_config.json or special_tokens_map.json ("cls_token"): a
 * string or an object with "content"; the fallback where there is none. */
const char *special_token_text(const struct json *config, const char *key, const char *fallback);

#endif
