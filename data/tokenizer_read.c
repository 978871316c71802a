/* A tokenizer's parts from tokenizer.json, or from vocab.txt's tokens and tokenizer_config.json. */
#include "data/tokenizer_parts.h"

#include <stdlib.h>
#include <string.h>

#include "data/guard.h"
#include "data/output.h"
#include "data/progress.h"
#include "data/unicode.h"

enum { MOST_TOKENS = 10000000 };

/* Notes what a token's text is; the string kept, NULL on failure. */
static const char *name_token(struct tokenizer *tok, const char *token, int64_t id,
                              const char *where, struct error *err)
{
    if (id < 0 || id >= MOST_TOKENS) {
        fail(err, "%s: token \"%.100s\" has the id %lld", where, token, (long long)id);
        return NULL;
    }
    size_t size = (size_t)id + 1, old = (size_t)tok->vocab_size;
    if (size > tok->capacity) {
        size_t capacity = size > 2 * tok->capacity ? size : 2 * tok->capacity;
        tok->tokens = xrealloc(tok->tokens, capacity, sizeof *tok->tokens);
        tok->capacity = capacity;
    }
    for (size_t i = old; i < size; i++) tok->tokens[i] = NULL;
    if (size > old) tok->vocab_size = (int)size;
    if (tok->tokens[id]) {
        fail(err, "%s: tokens \"%.100s\" and \"%.100s\" have the same id %lld", where,
             tok->tokens[id], token, (long long)id);
        return NULL;
    }
    return tok->tokens[id] = arena_strndup(&tok->strings, token, strlen(token));
}

/* Adds a token to the model's vocabulary. */
static int add_to_model(struct tokenizer *tok, const char *token, int64_t id, const char *where,
                        struct error *err)
{
    const char *kept = name_token(tok, token, id, where, err);
    if (!kept) return -1;
    wordpiece_add(&tok->model, kept, (int32_t)id);
    return 0;
}

static int template_add(struct template *template, struct place place, const char *where,
                        struct error *err)
{
    if (template->count == MAX_PLACES)
        return fail(err, "%s: a template of more than %d places", where, MAX_PLACES);
    template->places[template->count++] = place;
    template->num_special += place.kind == PLACE_SPECIAL;
    return 0;
}

/* ---- added tokens ---- */

/* The ids that tokens in the text have: the model's, whatever the file says, else the next free
 * one, as in the library. */
struct adding {
    struct tokenizer *tok;
    struct strmap known; /* those that the model lacks */
    int next_id;
    const char *where;
};

static int add_added(struct adding *adding, const char *content, struct added_token token,
                     struct error *err)
{
    struct tokenizer *tok = adding->tok;
    struct text normal = {0};
    int64_t id = strmap_find(&tok->model.first, content);
    if (id < 0) id = strmap_find(&adding->known, content);
    if (id < 0) {
        id = adding->next_id++;
        const char *kept = name_token(tok, content, id, adding->where, err);
        if (!kept) return -1;
        strmap_insert(&adding->known, kept, id);
    }
    token.id = (int32_t)id;
    hold(&normal, text_release);
    if (token.normalized)
        bert_normalize(&tok->normalizer, &normal, content, strlen(content));
    else
        text_puts(&normal, content);
    token.pattern = normal.bytes, token.length = normal.length;
    added_tokens_add(&tok->added, &token);
    text_free(let_go(&normal));
    return 0;
}

static int read_added_tokens(struct tokenizer *tok, const struct json *list, const char *path,
                             struct error *err)
{
    struct adding adding = {.tok = tok, .next_id = (int)tok->model.first.count, .where = path};
    int status = 0;
    hold(&adding.known, strmap_release);
    for (size_t i = 0; i < json_size(list) && status == 0; i++) {
        const struct json *entry = json_at(list, i);
        const char *content = json_get_string(entry, "content");
        bool special = json_bool_or(entry, "special", false);
        struct added_token token = {.single_word = json_bool_or(entry, "single_word", false),
                                    .lstrip = json_bool_or(entry, "lstrip", false),
                                    .rstrip = json_bool_or(entry, "rstrip", false),
                                    .normalized = json_bool_or(entry, "normalized", !special),
                                    .special = special};
        if (!content)
            status = fail(err, "%s: added_tokens[%zu] has no content", path, i);
        else if (*content)
            status = add_added(&adding, content, token, err);
    }
    strmap_free(let_go(&adding.known));
    return status;
}

/* ---- templates ---- */

/* All ids of one special token of TemplateProcessing. */
static int add_special(struct template *template, const struct json *special, int32_t type,
                       const char *name, const char *path, struct error *err)
{
    const struct json *ids = json_get(special, "ids");
    if (!json_size(ids))
        return fail(err, "%s: the template's special token \"%.60s\" has no ids", path, name);
    for (size_t i = 0; i < json_size(ids); i++) {
        int64_t id;
        if (!json_as_integer(&id, json_at(ids, i), 0, MOST_TOKENS))
            return fail(err, "%s: the template's special token \"%.60s\" has a bad id", path, name);
        struct place place = {.kind = PLACE_SPECIAL, .id = (int32_t)id, .type = type};
        if (template_add(template, place, path, err)) return -1;
    }
    return 0;
}

static int read_template(struct template *out, const struct json *list, const struct json *specials,
                         const char *path, struct error *err)
{
    for (size_t i = 0; i < json_size(list); i++) {
        const struct json *special = json_get(json_at(list, i), "SpecialToken");
        const struct json *sequence = json_get(json_at(list, i), "Sequence");
        const struct json *piece = special ? special : sequence;
        const char *name = json_get_string(piece, "id");
        int64_t type;
        if (!name || !json_as_integer(&type, json_get(piece, "type_id"), 0, 1000))
            return fail(err, "%s: post_processor: place %zu has no id or no type_id", path, i);
        struct place place = {.kind = *name == 'B' ? PLACE_SECOND : PLACE_FIRST,
                              .type = (int32_t)type};
        if (special ? add_special(out, json_get(specials, name), place.type, name, path, err)
                    : template_add(out, place, path, err))
            return -1;
    }
    return 0;
}

/* A template must hold each of its texts once, or texts would vanish silently, and tokens that
 * there are. */
static int check_template(const struct tokenizer *tok, const struct template *template, int texts,
                          const char *path, struct error *err)
{
    int first = 0, second = 0;
    for (int i = 0; i < template->count; i++) {
        const struct place *place = &template->places[i];
        first += place->kind == PLACE_FIRST;
        second += place->kind == PLACE_SECOND;
        if (place->kind == PLACE_SPECIAL &&
            (place->id >= tok->vocab_size || !tok->tokens[place->id]))
            return fail(err, "%s: the post_processor adds token %d, which the vocabulary lacks",
                        path, (int)place->id);
    }
    if (first == 1 && second == texts - 1) return 0;
    return fail(err, "%s: the post_processor's template for %s does not hold each text once", path,
                texts == 1 ? "one text" : "two texts");
}

/* cls A sep, and cls A sep [sep] B sep; RoBERTa doubles the middle one and has one type. */
static int make_templates(struct tokenizer *tok, int32_t cls, int32_t sep, bool roberta,
                          const char *path, struct error *err)
{
    const int type = roberta ? 0 : 1;
    const struct place places[] = {{PLACE_SPECIAL, cls, 0}, {PLACE_FIRST, 0, 0},
                                   {PLACE_SPECIAL, sep, 0}, {PLACE_SPECIAL, sep, 0},
                                   {PLACE_SECOND, 0, type}, {PLACE_SPECIAL, sep, type}};
    for (int i = 0; i < 3; i++)
        if (template_add(&tok->single, places[i], path, err)) return -1;
    for (int i = 0; i < 6; i++)
        if ((i != 3 || roberta) && template_add(&tok->pair, places[i], path, err)) return -1;
    return 0;
}

/* ["[SEP]", 102] */
static bool pair_id(int32_t *out, const struct json *pair)
{
    int64_t id;
    if (!json_as_integer(&id, json_at(pair, 1), 0, MOST_TOKENS)) return false;
    *out = (int32_t)id;
    return true;
}

/* No post-processor: no special tokens. */
static int make_bare_templates(struct tokenizer *tok, const char *path, struct error *err)
{
    const struct place first = {PLACE_FIRST, 0, 0}, second = {PLACE_SECOND, 0, 1};
    if (template_add(&tok->single, first, path, err) || template_add(&tok->pair, first, path, err))
        return -1;
    return template_add(&tok->pair, second, path, err);
}

static int read_places(struct tokenizer *tok, const struct json *post, const char *path,
                       struct error *err)
{
    const char *type = json_string_or(post, "type", "");
    const struct json *specials = json_get(post, "special_tokens");
    int32_t cls, sep;
    if (json_kind(post) <= JSON_KIND_NULL) return make_bare_templates(tok, path, err);
    if (!strcmp(type, "TemplateProcessing")) {
        if (read_template(&tok->single, json_get(post, "single"), specials, path, err)) return -1;
        return read_template(&tok->pair, json_get(post, "pair"), specials, path, err);
    }
    bool roberta = !strcmp(type, "RobertaProcessing");
    if (!roberta && strcmp(type, "BertProcessing") != 0)
        return fail(err, "%s: post_processor \"%.60s\" is not supported", path, type);
    if (!pair_id(&cls, json_get(post, "cls")) || !pair_id(&sep, json_get(post, "sep")))
        return fail(err, "%s: post_processor %s lacks cls or sep", path, type);
    return make_templates(tok, cls, sep, roberta, path, err);
}

static int read_post_processor(struct tokenizer *tok, const struct json *post, const char *path,
                               struct error *err)
{
    if (read_places(tok, post, path, err) || check_template(tok, &tok->single, 1, path, err))
        return -1;
    return check_template(tok, &tok->pair, 2, path, err);
}

/* ---- model ---- */

static int read_model(struct tokenizer *tok, const struct json *model, const char *path,
                      struct error *err)
{
    const char *type = json_get_string(model, "type");
    const struct json *vocab = json_get(model, "vocab");
    if (!type && json_get(model, "continuing_subword_prefix") && !json_get(model, "merges"))
        type = "WordPiece"; /* files of 2020 do not say */
    if (!type || strcmp(type, "WordPiece") != 0)
        return fail(err, "%s: a %.40s tokenizer is not supported yet: only WordPiece (BERT) is",
                    path, type ? type : "nameless");
    int max_chars = 100;
    if (json_get_int(&max_chars, model, "max_input_chars_per_word", 0, 1000000, path, err))
        return -1;
    tok->model.max_chars_per_word = (size_t)max_chars;
    tok->model.prefix = xstrdup(json_string_or(model, "continuing_subword_prefix", "##"));
    tok->model.unknown_token = xstrdup(json_string_or(model, "unk_token", "[UNK]"));
    if (json_kind(vocab) != JSON_KIND_OBJECT || !json_size(vocab))
        return fail(err, "%s: the model has no vocab", path);
    for (struct json_member m = json_first(vocab); m.key; json_next(&m)) {
        int64_t id;
        if (!json_as_integer(&id, m.value, 0, MOST_TOKENS - 1))
            return fail(err, "%s: vocab: the id of \"%.100s\" is no id", path, m.key);
        if (add_to_model(tok, m.key, id, path, err)) return -1;
    }
    return 0;
}

static int find_unknown(struct tokenizer *tok, const char *path, struct error *err)
{
    int64_t id = strmap_find(&tok->model.first, tok->model.unknown_token);
    if (id < 0)
        return fail(err, "%s: the vocabulary lacks the unknown token \"%.60s\"", path,
                    tok->model.unknown_token);
    tok->model.unknown_id = (int32_t)id;
    return 0;
}

/* ---- normaliser ---- */

/* transformers' BERT tokenizers set the normaliser from tokenizer_config.json, over
 * tokenizer.json. */
static void override_flag(bool *flag, const struct json *config, const char *key)
{
    bool wanted = *flag;
    if (!json_as_bool(&wanted, json_get(config, key)) || wanted == *flag) return;
    warn("tokenizer_config.json says %s %s, tokenizer.json the opposite: the former is taken, as "
         "transformers does",
         key, wanted ? "true" : "false");
    *flag = wanted;
}

static bool overrides_normalizer(const struct json *config)
{
    const char *class = json_string_or(config, "tokenizer_class", "BertTokenizer");
    return strcmp(class, "PreTrainedTokenizerFast") != 0 && strcmp(class, "TokenizersBackend") != 0;
}

/* strip_accents null or absent: as lowercase. */
static int read_normalizer(struct tokenizer *tok, const struct json *normalizer, const char *path,
                           struct error *err)
{
    struct bert_normalizer *out = &tok->normalizer;
    const struct json *config = tok->tokenizer_config;
    const char *type = json_string_or(normalizer, "type", "none");
    if (strcmp(type, "BertNormalizer") != 0)
        return fail(err,
                    "%s: normalizer \"%.40s\" is not supported with WordPiece, only BertNormalizer",
                    path, type);
    *out = (struct bert_normalizer){
        .clean_text = true, .handle_chinese_chars = true, .lowercase = true};
    if (json_get_bool(&out->clean_text, normalizer, "clean_text", path, err) ||
        json_get_bool(&out->handle_chinese_chars, normalizer, "handle_chinese_chars", path, err) ||
        json_get_bool(&out->lowercase, normalizer, "lowercase", path, err))
        return -1;
    bool overrides = config && overrides_normalizer(config);
    if (overrides) override_flag(&out->lowercase, config, "do_lower_case");
    out->strip_accents = out->lowercase;
    if (json_get_bool(&out->strip_accents, normalizer, "strip_accents", path, err)) return -1;
    if (overrides) {
        override_flag(&out->strip_accents, config, "strip_accents");
        override_flag(&out->handle_chinese_chars, config, "tokenize_chinese_chars");
    }
    bert_normalizer_init(out);
    return 0;
}

int tokenizer_from_json(struct tokenizer *tok, const struct json *json, const char *path,
                        struct error *err)
{
    const char *version = json_string_or(json, "version", "1.0");
    if (json_kind(json) != JSON_KIND_OBJECT)
        return fail(err, "%s is %s, must be an object", path, json_kind_name(json));
    if (strcmp(version, "1.0") != 0)
        return fail(err, "%s: version \"%.20s\" is not known", path, version);
    /* The model first: a tokenizer that is not supported should be refused by its name. */
    if (read_model(tok, json_get(json, "model"), path, err)) return -1;
    const char *split = json_string_or(json_get(json, "pre_tokenizer"), "type", "none");
    if (strcmp(split, "BertPreTokenizer") != 0)
        return fail(err,
                    "%s: pre_tokenizer \"%.40s\" is not supported with WordPiece, only "
                    "BertPreTokenizer",
                    path, split);
    if (read_normalizer(tok, json_get(json, "normalizer"), path, err) ||
        read_added_tokens(tok, json_get(json, "added_tokens"), path, err))
        return -1;
    if (find_unknown(tok, path, err)) return -1;
    return read_post_processor(tok, json_get(json, "post_processor"), path, err);
}

/* ---- vocab.txt ---- */

const char *special_token_text(const struct json *config, const char *key, const char *fallback)
{
    const struct json *value = json_get(config, key);
    const char *content =
        json_as_string(value) ? json_as_string(value) : json_get_string(value, "content");
    return content ? content : fallback;
}

/* A token's id is its place; of equal ones the last counts, as in Python. */
static int add_all(struct tokenizer *tok, const char *const *tokens, size_t count,
                   const char *where, struct error *err)
{
    struct strmap seen = {0};
    int status = count < MOST_TOKENS ? 0 : fail(err, "%s: %zu tokens", where, count);
    hold(&seen, strmap_release);
    for (size_t i = count; i-- > 0 && status == 0;)
        if (strmap_insert(&seen, tokens[i], (int64_t)i) == (int64_t)i)
            status = add_to_model(tok, tokens[i], (int64_t)i, where, err);
    strmap_free(let_go(&seen));
    return status;
}

int tokenizer_from_tokens(struct tokenizer *tok, const char *const *tokens, size_t count,
                          const char *where, struct error *err)
{
    static const char *const keys[] = {"unk_token", "sep_token", "pad_token", "cls_token",
                                       "mask_token"};
    static const char *const usual[] = {"[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"};
    const struct json *config = tok->tokenizer_config;
    struct bert_normalizer *normalizer = &tok->normalizer;
    tok->model.max_chars_per_word = 100;
    tok->model.prefix = xstrdup("##");
    tok->model.unknown_token = xstrdup(special_token_text(config, "unk_token", "[UNK]"));
    if (add_all(tok, tokens, count, where, err) || find_unknown(tok, where, err)) return -1;
    normalizer->clean_text = true;
    normalizer->handle_chinese_chars = json_bool_or(config, "tokenize_chinese_chars", true);
    normalizer->lowercase = json_bool_or(config, "do_lower_case", true);
    normalizer->strip_accents = json_bool_or(config, "strip_accents", normalizer->lowercase);
    bert_normalizer_init(normalizer);
    struct adding adding = {.tok = tok, .where = where};
    int32_t ids[5];
    for (int i = 0; i < 5; i++) {
        const char *content = special_token_text(config, keys[i], usual[i]);
        ids[i] = (int32_t)strmap_find(&tok->model.first, content);
        if (ids[i] < 0 && (i == 1 || i == 3))
            return fail(err, "%s: the vocabulary lacks the %s \"%.60s\"", where, keys[i], content);
        const struct added_token token = {.special = true};
        if (ids[i] >= 0 && add_added(&adding, content, token, err)) return -1;
    }
    return make_templates(tok, ids[3], ids[1], false, where, err);
}

/* One token a line. */
static int read_lines(struct tokenizer *tok, char *text, const char *path, struct error *err)
{
    size_t count = 0, most = 1;
    for (const char *c = text; (c = strchr(c, '\n')); c++) most++;
    const char **lines = hold(xcalloc(most, sizeof *lines), free);
    while (*text) {
        char *end = text + strcspn(text, "\n"), *next = *end ? end + 1 : end;
        if (end > text && end[-1] == '\r') end--;
        *end = '\0';
        lines[count++] = text;
        text = next;
    }
    int status = tokenizer_from_tokens(tok, lines, count, path, err);
    free(let_go(lines));
    return status;
}

int tokenizer_from_vocab(struct tokenizer *tok, const char *path, struct error *err)
{
    struct text text = {0};
    size_t bad;
    hold(&text, text_release);
    int status = read_whole_file(&text, path, (size_t)1 << 30, err);
    if (status == 0 && text.length == 0) status = fail(err, "%s: empty", path);
    if (status == 0 &&
        (strlen(text.bytes) != text.length || !utf8_check(text.bytes, text.length, &bad)))
        status = fail(err, "%s: not UTF-8 text", path);
    if (status == 0) status = read_lines(tok, text.bytes, path, err);
    text_free(let_go(&text));
    return status;
}
