/* tokenizer_export: see tokenizer.h.  sentence-transformers, text-embeddings-inference and
 * fastembed each take the maximum length from another key, so all of them must say the same. */
#include "data/tokenizer_parts.h"

#include <stdlib.h>
#include <string.h>

#include "data/output.h"

/* The copy is the caller's. */
static struct json *copy_or_new(const struct json *json)
{
    return json_kind(json) == JSON_KIND_OBJECT ? json_clone(json) : json_new_object();
}

/* null means "as lowercase". */
static void set_strip_accents(struct json *object, const struct bert_normalizer *normalizer)
{
    if (normalizer->strip_accents == normalizer->lowercase)
        json_set_null(object, "strip_accents");
    else
        json_set_bool(object, "strip_accents", normalizer->strip_accents);
}

/* ---- tokenizer.json ---- */

static struct json *make_truncation(int max_length)
{
    struct json *truncation = json_new_object();
    json_set_string(truncation, "direction", "Right");
    json_set_int(truncation, "max_length", max_length);
    json_set_string(truncation, "strategy", "LongestFirst");
    json_set_int(truncation, "stride", 0);
    return truncation;
}

static struct json *make_normalizer(const struct bert_normalizer *normalizer)
{
    struct json *out = json_new_object();
    json_set_string(out, "type", "BertNormalizer");
    json_set_bool(out, "clean_text", normalizer->clean_text);
    json_set_bool(out, "handle_chinese_chars", normalizer->handle_chinese_chars);
    set_strip_accents(out, normalizer);
    json_set_bool(out, "lowercase", normalizer->lowercase);
    return out;
}

static struct json *make_added_tokens(const struct tokenizer *tok)
{
    struct json *list = json_new_array();
    for (size_t i = 0; i < tok->added.count; i++) {
        const struct added_token *token = &tok->added.items[i];
        struct json *entry = json_new_object();
        json_set_int(entry, "id", token->id);
        json_set_string(entry, "content", tok->tokens[token->id]);
        json_set_bool(entry, "single_word", token->single_word);
        json_set_bool(entry, "lstrip", token->lstrip);
        json_set_bool(entry, "rstrip", token->rstrip);
        json_set_bool(entry, "normalized", token->normalized);
        json_set_bool(entry, "special", token->special);
        json_append(list, entry);
    }
    return list;
}

static struct json *make_template(const struct tokenizer *tok, const struct template *template,
                                  struct json *specials)
{
    struct json *list = json_new_array();
    for (int i = 0; i < template->count; i++) {
        const struct place *place = &template->places[i];
        struct json *entry = json_new_object(), *inner = json_new_object();
        bool special = place->kind == PLACE_SPECIAL;
        const char *name = special                      ? tok->tokens[place->id]
                           : place->kind == PLACE_FIRST ? "A"
                                                        : "B";
        json_set_string(inner, "id", name);
        json_set_int(inner, "type_id", place->type);
        json_set(entry, special ? "SpecialToken" : "Sequence", inner);
        json_append(list, entry);
        if (!special) continue;
        struct json *described = json_new_object(), *ids = json_new_array(),
                    *texts = json_new_array();
        json_append_int(ids, place->id);
        json_append_string(texts, name);
        json_set_string(described, "id", name);
        json_set(described, "ids", ids);
        json_set(described, "tokens", texts);
        json_set(specials, name, described);
    }
    return list;
}

static struct json *make_post_processor(const struct tokenizer *tok)
{
    struct json *out = json_new_object(), *specials = json_new_object();
    json_set_string(out, "type", "TemplateProcessing");
    json_set(out, "single", make_template(tok, &tok->single, specials));
    json_set(out, "pair", make_template(tok, &tok->pair, specials));
    json_set(out, "special_tokens", specials);
    return out;
}

static struct json *make_decoder(const struct tokenizer *tok)
{
    struct json *out = json_new_object();
    json_set_string(out, "type", "WordPiece");
    json_set_string(out, "prefix", tok->model.prefix);
    json_set_bool(out, "cleanup", true);
    return out;
}

static struct json *make_model(const struct tokenizer *tok)
{
    struct json *out = json_new_object(), *vocab = json_new_object();
    json_set_string(out, "type", "WordPiece");
    json_set_string(out, "unk_token", tok->model.unknown_token);
    json_set_string(out, "continuing_subword_prefix", tok->model.prefix);
    json_set_int(out, "max_input_chars_per_word", (int64_t)tok->model.max_chars_per_word);
    for (int id = 0; id < tok->vocab_size; id++)
        if (tok->tokens[id]) json_set_int(vocab, tok->tokens[id], id);
    json_set(out, "vocab", vocab);
    return out;
}

/* As read, with the one length and the normaliser that is really used; or made from vocab.txt's
 * parts. */
static struct json *make_tokenizer(const struct tokenizer *tok, int max_length)
{
    struct json *out = copy_or_new(tok->tokenizer_json);
    json_set_string(out, "version", "1.0");
    json_set(out, "truncation", make_truncation(max_length));
    json_set_null(out, "padding");
    if (!tok->tokenizer_json) json_set(out, "added_tokens", make_added_tokens(tok));
    json_set(out, "normalizer", make_normalizer(&tok->normalizer));
    if (tok->tokenizer_json) return out;
    struct json *split = json_new_object();
    json_set_string(split, "type", "BertPreTokenizer");
    json_set(out, "pre_tokenizer", split);
    json_set(out, "post_processor", make_post_processor(tok));
    json_set(out, "decoder", make_decoder(tok));
    json_set(out, "model", make_model(tok));
    return out;
}

/* ---- tokenizer_config.json and special_tokens_map.json ---- */

/* Sets key to the special token unless it is given or the vocabulary has no such token. */
static void set_special(struct json *out, const struct tokenizer *tok, const char *key,
                        const char *usual)
{
    const char *text = special_token_text(tok->tokenizer_config, key, NULL);
    if (!text) text = special_token_text(tok->special_tokens_map, key, usual);
    if (!json_get(out, key) && text && strmap_find(&tok->model.first, text) >= 0)
        json_set_string(out, key, text);
}

static void set_specials(struct json *out, const struct tokenizer *tok)
{
    const char *cls = NULL, *sep = NULL; /* what the template begins and ends with */
    for (int i = 0; i < tok->single.count; i++) {
        if (tok->single.places[i].kind != PLACE_SPECIAL) continue;
        sep = tok->tokens[tok->single.places[i].id];
        if (!cls) cls = sep;
    }
    set_special(out, tok, "unk_token", tok->model.unknown_token);
    set_special(out, tok, "sep_token", sep);
    set_special(out, tok, "pad_token", "[PAD]");
    set_special(out, tok, "cls_token", cls);
    set_special(out, tok, "mask_token", "[MASK]");
}

/* Whether the class that rebuilds a BERT tokenizer from its vocabulary builds this one. */
static bool is_standard(const struct tokenizer *tok)
{
    const struct template *pair = &tok->pair;
    return tok->normalizer.clean_text && !strcmp(tok->model.prefix, "##") &&
           tok->model.max_chars_per_word == 100 && pair->count == 5 && pair->num_special == 3 &&
           pair->places[4].type == 1;
}

static struct json *make_config(const struct tokenizer *tok, int max_length)
{
    /* What would make a reader cut or pad in another way. */
    static const char *const dropped[] = {
        "max_length",          "max_len",           "stride", "padding_side", "truncation_side",
        "truncation_strategy", "pad_to_multiple_of"};
    struct json *out = copy_or_new(tok->tokenizer_config);
    for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++) json_remove(out, dropped[i]);
    const char *class = json_string_or(out, "tokenizer_class", "TokenizersBackend");
    if (!strcmp(class, "TokenizersBackend")) /* transformers before 5 does not know it */
        json_set_string(out, "tokenizer_class",
                        is_standard(tok) ? "BertTokenizer" : "PreTrainedTokenizerFast");
    json_set_bool(out, "do_lower_case", tok->normalizer.lowercase);
    json_set_bool(out, "tokenize_chinese_chars", tok->normalizer.handle_chinese_chars);
    set_strip_accents(out, &tok->normalizer);
    set_specials(out, tok);
    json_set_int(out, "model_max_length", max_length);
    return out;
}

static struct json *make_special_tokens_map(const struct tokenizer *tok)
{
    struct json *out = copy_or_new(tok->special_tokens_map);
    set_specials(out, tok);
    return out;
}

/* ---- files ---- */

static int write_given(struct json *json, const char *folder, const char *name, struct error *err)
{
    char *path = path_join(folder, name);
    int status = json_write_file(path, json, err);
    free(path);
    json_free(json);
    return status;
}

/* The number of model tokens where they can stand one a line, ids 0, 1, ...; else 0. */
static int lines_of_vocab(const struct tokenizer *tok)
{
    int count = (int)tok->model.first.count;
    for (int id = 0; id < count; id++)
        if (id >= tok->vocab_size || !tok->tokens[id] || strpbrk(tok->tokens[id], "\r\n") ||
            strmap_find(&tok->model.first, tok->tokens[id]) != id)
            return 0;
    return count;
}

static int write_vocab(const struct tokenizer *tok, const char *folder, struct error *err)
{
    int count = lines_of_vocab(tok);
    if (count == 0) return 0;
    struct output out = {0};
    char *path = path_join(folder, "vocab.txt");
    int status = output_open(&out, path, err);
    free(path);
    if (status) return -1;
    for (int id = 0; id < count; id++) output_printf(&out, "%s\n", tok->tokens[id]);
    return output_commit(&out, err);
}

int tokenizer_export(const struct tokenizer *tok, const char *folder, int max_length,
                     struct error *err)
{
    if (make_folder(folder, err) ||
        write_given(make_tokenizer(tok, max_length), folder, "tokenizer.json", err) ||
        write_given(make_config(tok, max_length), folder, "tokenizer_config.json", err) ||
        write_given(make_special_tokens_map(tok), folder, "special_tokens_map.json", err))
        return -1;
    return write_vocab(tok, folder, err);
}
