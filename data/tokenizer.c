/* See tokenizer.h.  Opening and encoding; the parts are read in tokenizer_read.c and written in
 * tokenizer_export.c. */
#include "data/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "data/guard.h"
#include "data/output.h"
#include "data/tokenizer_parts.h"

/* ---- opening ---- */

static int read_if_there(struct json **out, const char *folder, const char *name, struct error *err)
{
    char *path = hold(path_join(folder, name), free);
    int status = path_exists(path) ? json_read_file(out, path, err) : 0;
    free(let_go(path));
    return status;
}

/* model_max_length, "max_len" in old files; beyond a million it means "none". */
static void read_max_length(struct tokenizer *tok)
{
    int64_t length;
    const struct json *config = tok->tokenizer_config;
    const struct json *value = json_get(config, "model_max_length");
    if (!value) value = json_get(config, "max_len");
    if (json_as_integer(&length, value, 1, 1000000)) tok->model_max_length = (int)length;
}

static int open_parts(struct tokenizer *tok, const char *folder, struct error *err)
{
    if (read_if_there(&tok->tokenizer_config, folder, "tokenizer_config.json", err) ||
        read_if_there(&tok->special_tokens_map, folder, "special_tokens_map.json", err) ||
        read_if_there(&tok->tokenizer_json, folder, "tokenizer.json", err))
        return -1;
    read_max_length(tok);
    char *json_path = hold(path_join(folder, "tokenizer.json"), free);
    char *vocab_path = hold(path_join(folder, "vocab.txt"), free);
    int status;
    if (tok->tokenizer_json)
        status = tokenizer_from_json(tok, tok->tokenizer_json, json_path, err);
    else if (path_exists(vocab_path))
        status = tokenizer_from_vocab(tok, vocab_path, err);
    else
        status = fail(err, "%s: no tokenizer.json and no vocab.txt in this folder", folder);
    free(let_go(vocab_path));
    free(let_go(json_path));
    return status;
}

static void release_tokenizer(void *tok)
{
    tokenizer_close(tok);
}

static struct tokenizer *tokenizer_new(void)
{
    return hold(xcalloc(1, sizeof(struct tokenizer)), release_tokenizer);
}

/* Hands out a new tokenizer whose parts were read with this status. */
static int opened(struct tokenizer **out, struct tokenizer *tok, int status)
{
    let_go(tok);
    if (status) tokenizer_close(tok);
    *out = status ? NULL : tok;
    return status;
}

int tokenizer_open(struct tokenizer **out, const char *folder, struct error *err)
{
    struct tokenizer *tok = tokenizer_new();
    return opened(out, tok, open_parts(tok, folder, err));
}

int tokenizer_make(struct tokenizer **out, const char *const *tokens, size_t count, bool lowercase,
                   struct error *err)
{
    struct tokenizer *tok = tokenizer_new();
    tok->tokenizer_config = json_new_object();
    json_set_bool(tok->tokenizer_config, "do_lower_case", lowercase);
    return opened(out, tok, tokenizer_from_tokens(tok, tokens, count, "vocabulary", err));
}

void tokenizer_close(struct tokenizer *tok)
{
    if (!tok) return;
    wordpiece_free(&tok->model);
    added_tokens_free(&tok->added);
    free(tok->tokens);
    arena_free(&tok->strings);
    json_free(tok->tokenizer_json);
    json_free(tok->tokenizer_config);
    json_free(tok->special_tokens_map);
    free(tok);
}

/* ---- encoding ---- */

void token_list_free(struct token_list *list)
{
    free(list->ids);
    free(list->types);
    *list = (struct token_list){0};
}

static void token_list_reserve(struct token_list *list, size_t count)
{
    if (count <= list->capacity) return;
    size_t capacity = count > 2 * list->capacity ? count : 2 * list->capacity;
    list->ids = xrealloc(list->ids, capacity, sizeof *list->ids);
    list->types = xrealloc(list->types, capacity, sizeof *list->types);
    list->capacity = capacity;
}

static void token_list_append(struct token_list *list, const int32_t *ids, size_t count,
                              int32_t type)
{
    token_list_reserve(list, list->count + count);
    for (size_t i = 0; i < count; i++) {
        list->ids[list->count] = ids[i];
        list->types[list->count++] = type;
    }
}

/* The ids of a piece of text without tokens that are looked for as it stands. */
static void encode_piece(const struct tokenizer *tok, struct id_list *out, struct text *normal,
                         const char *text, size_t length, size_t enough)
{
    text_clear(normal);
    bert_normalize(&tok->normalizer, normal, text, length);
    struct added_scan scan = {
        .added = &tok->added, .normalized = true, .text = normal->bytes, .length = normal->length};
    while (out->count < enough && added_next(&scan)) {
        if (scan.token)
            id_list_append(out, scan.token->id);
        else
            wordpiece_encode(&tok->model, out, scan.text + scan.begin, scan.end - scan.begin,
                             enough);
    }
}

/* Appends a text's ids, all of them or at least `enough`. */
static void encode_text(const struct tokenizer *tok, struct id_list *out, const char *text,
                        size_t enough)
{
    struct text normal = {0};
    hold(&normal, text_release);
    struct added_scan scan = {.added = &tok->added, .text = text, .length = strlen(text)};
    while (out->count < enough && added_next(&scan)) {
        if (scan.token)
            id_list_append(out, scan.token->id);
        else
            encode_piece(tok, out, &normal, text + scan.begin, scan.end - scan.begin, enough);
    }
    text_free(let_go(&normal));
}

static void release_ids(void *list)
{
    id_list_free(list);
}

/* How many ids of each text stay where `room` is left for both: the longer one is cut to what
 * the other leaves, but both to half where both are longer than that (tokenizers'
 * truncate_encodings, longest_first). */
static void share_room(size_t *first, size_t *second, size_t room)
{
    if (*first + *second <= room) return;
    bool first_is_longer = *first > *second;
    size_t shorter = first_is_longer ? *second : *first, half = room / 2;
    size_t longer = shorter <= room && room - shorter > shorter ? room - shorter : shorter;
    if (shorter + longer > room) {
        shorter = half;
        longer = room - half;
    }
    *first = first_is_longer ? longer : shorter;
    *second = first_is_longer ? shorter : longer;
}

void tokenizer_encode(const struct tokenizer *tok, struct token_list *out, const char *first,
                      const char *second, int max_length)
{
    const struct template *template = second ? &tok->pair : &tok->single;
    size_t room =
        max_length > template->num_special ? (size_t)(max_length - template->num_special) : 0;
    struct id_list a = {0}, b = {0};
    hold(&a, release_ids);
    hold(&b, release_ids);
    /* Of the first text of a pair all ids are needed: where both are too long, which one is
     * longer decides which gets the odd place. */
    encode_text(tok, &a, first, second ? SIZE_MAX : room);
    if (second) encode_text(tok, &b, second, (a.count > room ? a.count : room) + 1);
    share_room(&a.count, &b.count, room);
    out->count = 0;
    token_list_reserve(out, a.count + b.count + (size_t) template->num_special);
    for (int i = 0; i < template->count; i++) {
        const struct place *place = &template->places[i];
        const struct id_list *text = place->kind == PLACE_FIRST ? &a : &b;
        if (place->kind == PLACE_SPECIAL)
            token_list_append(out, &place->id, 1, place->type);
        else
            token_list_append(out, text->ids, text->count, place->type);
    }
    id_list_free(let_go(&b));
    id_list_free(let_go(&a));
}

void tokenizer_encode_plain(const struct tokenizer *tok, struct token_list *out, const char *text)
{
    struct id_list ids = {0};
    encode_text(tok, &ids, text, SIZE_MAX);
    out->count = 0;
    token_list_append(out, ids.ids, ids.count, 0);
    id_list_free(&ids);
}

/* ---- questions ---- */

int tokenizer_vocab_size(const struct tokenizer *tok)
{
    return tok->vocab_size;
}

const char *tokenizer_token(const struct tokenizer *tok, int32_t id)
{
    return id >= 0 && id < tok->vocab_size ? tok->tokens[id] : NULL;
}

int32_t tokenizer_unknown_id(const struct tokenizer *tok)
{
    return tok->model.unknown_id;
}

bool tokenizer_is_special(const struct tokenizer *tok, int32_t id)
{
    for (size_t i = 0; i < tok->added.count; i++)
        if (tok->added.items[i].id == id) return tok->added.items[i].special;
    for (int i = 0; i < tok->pair.count; i++)
        if (tok->pair.places[i].kind == PLACE_SPECIAL && tok->pair.places[i].id == id) return true;
    return false;
}

int tokenizer_model_max_length(const struct tokenizer *tok)
{
    return tok->model_max_length;
}

bool tokenizer_lowercases(const struct tokenizer *tok)
{
    return tok->normalizer.lowercase;
}
