/* retort inspect: JSON files, tokenizer.json among them (inspect.h). */
#include <stdlib.h>
#include <string.h>

#include "data/json.h"
#include "data/output.h"
#include "distill/inspect.h"

enum { MEMBERS_SHOWN = 24 };

/* "WordPiece, 30522 entries" */
static void tokenizer_part(struct text *out, const char *label, const struct json *part)
{
    const char *type = json_string_or(part, "type", "none");
    size_t entries = json_size(json_get(part, "vocab"));
    if (entries)
        fact(out, label, "%s, %zu entries", type, entries);
    else
        fact(out, label, "%s", type);
}

static void tokenizer_json_facts(struct text *out, const struct json *json, const char *path)
{
    fact(out, "kind", "tokenizer (Hugging Face)");
    tokenizer_part(out, "model", json_get(json, "model"));
    tokenizer_part(out, "normalizer", json_get(json, "normalizer"));
    tokenizer_part(out, "words", json_get(json, "pre_tokenizer"));
    tokenizer_part(out, "template", json_get(json, "post_processor"));
    fact(out, "added tokens", "%zu", json_size(json_get(json, "added_tokens")));
    char *folder = path_folder(path);
    tokenizer_facts(out, folder);
    free(folder);
}

static void value_fact(struct text *out, const char *label, const char *key,
                       const struct json *value)
{
    struct text shown = {0};
    enum json_kind kind = json_kind(value);
    if (kind == JSON_KIND_ARRAY || kind == JSON_KIND_OBJECT)
        text_printf(&shown, "%s of %zu", json_kind_name(value), json_size(value));
    else
        json_print(&shown, value, 0);
    fact(out, label, "%-24s %.200s", key, shown.bytes);
    text_free(&shown);
}

static void member_facts(struct text *out, const struct json *json)
{
    size_t shown = 0;
    for (struct json_member m = json_first(json); m.key && shown < MEMBERS_SHOWN; json_next(&m))
        value_fact(out, shown++ ? "" : "members", m.key, m.value);
    if (json_size(json) > shown && shown)
        fact(out, "", "... and %zu more", json_size(json) - shown);
}

int inspect_json(struct text *out, const char *path, struct error *err)
{
    struct json *json;
    if (json_read_file(&json, path, err)) return -1;
    if (json_get(json, "model") && json_get(json, "added_tokens")) {
        tokenizer_json_facts(out, json, path);
    } else {
        bool is_manifest = json_get(json, "retort") && json_get(json, "files");
        fact(out, "kind", "%s", is_manifest ? "manifest of a run" : "JSON");
        member_facts(out, json);
        if (json_kind(json) == JSON_KIND_ARRAY) fact(out, "elements", "%zu", json_size(json));
    }
    json_free(json);
    return 0;
}
