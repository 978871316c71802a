/* The JSON Schema of job files, from the table of keys: editors check and complete with it. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "data/json.h"
#include "distill/job_keys.h"

static struct json *typed(const char *type)
{
    struct json *schema = json_new_object();
    json_set_string(schema, "type", type);
    return schema;
}

static struct json *whole(const struct key *key)
{
    struct json *schema = typed("integer");
    json_set_int(schema, "minimum", (int64_t)key->low);
    if (key->high < INT_MAX) json_set_int(schema, "maximum", (int64_t)key->high);
    return schema;
}

static struct json *number(const struct key *key)
{
    struct json *schema = typed("number");
    json_set_number(schema, "minimum", key->low);
    if (key->high < INT_MAX) json_set_number(schema, "maximum", key->high);
    return schema;
}

static struct json *one_of_words(const struct key *key)
{
    struct json *schema = json_new_object(), *words = json_new_array();
    for (const struct key_word *word = key->words; word->word; word++)
        json_append_string(words, word->word);
    json_set(schema, "enum", words);
    return schema;
}

static struct json *list_of(struct json *items)
{
    struct json *schema = typed("array");
    json_set(schema, "items", items);
    return schema;
}

static struct json *pair_of(struct json *items)
{
    struct json *schema = list_of(items);
    json_set_int(schema, "minItems", 2);
    json_set_int(schema, "maxItems", 2);
    return schema;
}

static struct json *either(struct json *one, struct json *other)
{
    struct json *schema = json_new_object(), *both = json_new_array();
    json_append(both, one);
    json_append(both, other);
    json_set(schema, "anyOf", both);
    return schema;
}

static struct json *value_schema(const struct key *key)
{
    switch (key->type) {
    case KEY_STRING:
        return typed("string");
    case KEY_WORD_OR_PATH:
        return either(one_of_words(key), typed("string"));
    case KEY_INT:
        return whole(key);
    case KEY_INT_OR_WORD:
        return either(one_of_words(key), whole(key));
    case KEY_DOUBLE:
        return number(key);
    case KEY_RANGE:
        return either(number(key), pair_of(number(key)));
    case KEY_BOOL:
        return typed("boolean");
    case KEY_WORD:
        return one_of_words(key);
    case KEY_WORDS:
        return list_of(one_of_words(key));
    case KEY_INTS:
        return list_of(whole(key));
    case KEY_NUMBERS:
        return list_of(number(key));
    case KEY_TAPS:
        return list_of(pair_of(typed("integer")));
    case KEY_STRINGS:
    case KEY_PATHS:
        break;
    }
    return list_of(typed("string"));
}

static struct json *key_schema(const struct key *key)
{
    struct json *schema = value_schema(key);
    struct text text = {0};
    text_puts(&text, key->help);
    if (key->unit) text_printf(&text, " (%s)", key->unit);
    if (!key->fallback)
        text_puts(&text, "; required");
    else if (key->derived)
        text_printf(&text, "; default: %s", key->derived);
    else
        text_printf(&text, "; default: %s", *key->fallback ? key->fallback : "\"\"");
    json_set_string(schema, "description", text.bytes);
    text_free(&text);
    return schema;
}

/* The rows from *at that share its first `depth` characters, a section's name and dot; *at is then
 * behind them. */
static struct json *section_schema(const struct key **at, size_t depth)
{
    const char *prefix = (*at)->name;
    struct json *schema = typed("object"), *members = json_new_object(),
                *required = json_new_array();
    while ((*at)->name && strncmp((*at)->name, prefix, depth) == 0) {
        const struct key *key = *at;
        size_t length = strcspn(key->name + depth, ".");
        char *name = xstrndup(key->name + depth, length);
        bool section = key->name[depth + length] == '.';
        struct json *member = section ? section_schema(at, depth + length + 1) : key_schema(key);
        if (section ? json_get(member, "required") != NULL : !key->fallback)
            json_append_string(required, name);
        json_set(members, name, member);
        if (!section) ++*at;
        free(name);
    }
    json_set(schema, "properties", members);
    json_set_bool(schema, "additionalProperties", false);
    if (json_size(required))
        json_set(schema, "required", required);
    else
        json_free(required);
    return schema;
}

void job_schema(struct text *out)
{
    const struct key *at = job_keys;
    struct json *schema = json_new_object(), *keys = section_schema(&at, 0);
    json_set_string(schema, "$schema", "http://json-schema.org/draft-07/schema#");
    json_set_string(schema, "title", "A job of retort " RETORT_VERSION);
    for (struct json_member m = json_first(keys); m.key; json_next(&m))
        json_set(schema, m.key, json_clone(m.value));
    json_print(out, schema, 2);
    text_puts(out, "\n");
    json_free(keys);
    json_free(schema);
}
