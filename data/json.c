/* See json.h.  `struct json` is jansson's json_t under another name. */
#include "data/json.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/guard.h"
#include "data/output.h"
#include "data/unicode.h"

static const size_t largest_file = (size_t)1 << 30;

static const json_t *theirs(const struct json *json)
{
    return (const json_t *)(const void *)json;
}

static json_t *theirs_mutable(struct json *json)
{
    return (json_t *)(void *)json;
}

static struct json *ours(json_t *json)
{
    REQUIRE(json); /* jansson answers NULL only where memory ran out or a string is not UTF-8 */
    return (struct json *)(void *)json;
}

/* ---- reading ---- */

/* Parses; an integer that does not fit 64 bits is made a real by putting an exponent behind its
 * digits. */
static json_t *load(const char *bytes, size_t length, json_error_t *error)
{
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
    need_memory(8 * length + 4096); /* as much as a tree of short strings takes */
    json_t *json = json_loadb(bytes, length, flags, error);
    struct text patched = {0};
    hold(&patched, text_release);
    for (int tries = 0; !json && tries < 16 && !strncmp(error->text, "too big", 7); tries++) {
        size_t place = (size_t)error->position;
        struct text longer = {0};
        hold(&longer, text_release);
        const char *source = patched.bytes ? patched.bytes : bytes;
        text_append(&longer, source, place);
        text_append(&longer, "e0", 2);
        text_append(&longer, source + place, length - place);
        let_go(&longer);
        text_free(&patched);
        patched = longer;
        length = patched.length;
        json = json_loadb(patched.bytes, length, flags, error);
    }
    text_free(let_go(&patched));
    return json;
}

/* Refused memory leaves jansson's error without words, where it is not taken for bad syntax. */
static int load_failed(const json_error_t *error, const char *where, int line, struct error *err)
{
    if (!*error->text) refused("out of memory (reading %s)", where);
    char place[24] = "";
    if (line > 0) snprintf(place, sizeof place, "%d:", line);
    return fail(err, "%s:%s%d: not JSON: %s", where, place, error->column, error->text);
}

int json_parse(struct json **out, const char *bytes, size_t length, const char *where,
               struct error *err)
{
    json_error_t error;
    json_t *json = load(bytes, length, &error);
    *out = NULL;
    if (!json) return load_failed(&error, where, error.line, err);
    *out = ours(json);
    return 0;
}

int json_parse_line(struct json **out, const char *line, size_t length, const char *where,
                    struct error *err)
{
    json_error_t error;
    json_t *json = load(line, length, &error);
    *out = NULL;
    if (!json) return load_failed(&error, where, 0, err);
    *out = ours(json);
    return 0;
}

int json_read_file(struct json **out, const char *path, struct error *err)
{
    struct text text = {0};
    *out = NULL;
    hold(&text, text_release);
    int status = read_whole_file(&text, path, largest_file, err);
    if (status == 0) status = json_parse(out, text.bytes ? text.bytes : "", text.length, path, err);
    text_free(let_go(&text));
    return status;
}

void json_free(struct json *json)
{
    json_decref(theirs_mutable(json));
}

void json_release(void *json)
{
    json_free(json);
}

/* ---- looking up ---- */

enum json_kind json_kind(const struct json *json)
{
    if (!json) return JSON_KIND_NONE;
    switch (json_typeof(theirs(json))) {
    case JSON_OBJECT:
        return JSON_KIND_OBJECT;
    case JSON_ARRAY:
        return JSON_KIND_ARRAY;
    case JSON_STRING:
        return JSON_KIND_STRING;
    case JSON_INTEGER:
        return JSON_KIND_INTEGER;
    case JSON_REAL:
        return JSON_KIND_NUMBER;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_KIND_BOOL;
    case JSON_NULL:
        break;
    }
    return JSON_KIND_NULL;
}

const char *json_kind_name(const struct json *json)
{
    static const char *const names[] = {"nothing",  "null",     "true or false", "an integer",
                                        "a number", "a string", "an array",      "an object"};
    return names[json_kind(json)];
}

const struct json *json_get(const struct json *object, const char *key)
{
    return (const struct json *)(const void *)json_object_get(theirs(object), key);
}

const struct json *json_at(const struct json *array, size_t index)
{
    return (const struct json *)(const void *)json_array_get(theirs(array), index);
}

size_t json_size(const struct json *json)
{
    return json_kind(json) == JSON_KIND_ARRAY ? json_array_size(theirs(json))
                                              : json_object_size(theirs(json));
}

const char *json_as_string(const struct json *json)
{
    return json_string_value(theirs(json));
}

size_t json_string_bytes(const struct json *json)
{
    return json_string_length(theirs(json));
}

bool json_as_integer(int64_t *out, const struct json *json, int64_t min, int64_t max)
{
    if (json_kind(json) != JSON_KIND_INTEGER) return false;
    int64_t value = json_integer_value(theirs(json));
    if (value < min || value > max) return false;
    *out = value;
    return true;
}

bool json_as_number(double *out, const struct json *json)
{
    if (!json_is_number(theirs(json))) return false;
    *out = json_number_value(theirs(json));
    return true;
}

bool json_as_bool(bool *out, const struct json *json)
{
    if (json_kind(json) != JSON_KIND_BOOL) return false;
    *out = json_is_true(theirs(json));
    return true;
}

const char *json_get_string(const struct json *object, const char *key)
{
    return json_as_string(json_get(object, key));
}

const char *json_string_or(const struct json *object, const char *key, const char *fallback)
{
    const char *string = json_get_string(object, key);
    return string ? string : fallback;
}

bool json_bool_or(const struct json *object, const char *key, bool fallback)
{
    json_as_bool(&fallback, json_get(object, key));
    return fallback;
}

static bool absent(const struct json *value)
{
    return json_kind(value) == JSON_KIND_NONE || json_kind(value) == JSON_KIND_NULL;
}

int json_get_int(int *out, const struct json *object, const char *key, int min, int max,
                 const char *where, struct error *err)
{
    const struct json *value = json_get(object, key);
    int64_t number;
    if (absent(value)) return 0;
    if (json_kind(value) != JSON_KIND_INTEGER)
        return fail(err, "%s: \"%s\" is %s, must be an integer", where, key, json_kind_name(value));
    if (!json_as_integer(&number, value, min, max))
        return fail(err, "%s: \"%s\" is %lld, must be in %d..%d", where, key,
                    (long long)json_integer_value(theirs(value)), min, max);
    *out = (int)number;
    return 0;
}

int json_get_number(double *out, const struct json *object, const char *key, double min, double max,
                    const char *where, struct error *err)
{
    const struct json *value = json_get(object, key);
    double number;
    if (absent(value)) return 0;
    if (!json_as_number(&number, value))
        return fail(err, "%s: \"%s\" is %s, must be a number", where, key, json_kind_name(value));
    if (!(number >= min && number <= max))
        return fail(err, "%s: \"%s\" is %g, must be in %g..%g", where, key, number, min, max);
    *out = number;
    return 0;
}

int json_get_bool(bool *out, const struct json *object, const char *key, const char *where,
                  struct error *err)
{
    const struct json *value = json_get(object, key);
    if (!absent(value) && !json_as_bool(out, value))
        return fail(err, "%s: \"%s\" is %s, must be true or false", where, key,
                    json_kind_name(value));
    return 0;
}

static void set_member(struct json_member *member)
{
    member->key = json_object_iter_key(member->place);
    member->value = (const struct json *)(const void *)json_object_iter_value(member->place);
}

/* jansson's iterators take a mutable object but change nothing. */
struct json_member json_first(const struct json *object)
{
    struct json_member member = {.object = object};
    member.place = json_object_iter((json_t *)(uintptr_t)object);
    set_member(&member);
    return member;
}

void json_next(struct json_member *member)
{
    member->place = json_object_iter_next((json_t *)(uintptr_t)member->object, member->place);
    set_member(member);
}

/* ---- building ---- */

/* A file's name or a message may hold any bytes: wrong ones are written as U+FFFD. */
static struct json *new_string(const char *string)
{
    size_t length = strlen(string);
    if (utf8_check(string, length, NULL)) return ours(json_stringn_nocheck(string, length));
    struct text valid = {0};
    utf8_repair(&valid, string, length);
    struct json *json = ours(json_stringn_nocheck(valid.bytes, valid.length));
    text_free(&valid);
    return json;
}

struct json *json_new_object(void)
{
    return ours(json_object());
}

struct json *json_new_array(void)
{
    return ours(json_array());
}

struct json *json_clone(const struct json *json)
{
    return ours(json_deep_copy(theirs(json)));
}

void json_set(struct json *object, const char *key, struct json *value)
{
    REQUIRE(json_object_set_new(theirs_mutable(object), key, theirs_mutable(value)) == 0);
}

void json_set_string(struct json *object, const char *key, const char *string)
{
    json_set(object, key, new_string(string));
}

void json_set_int(struct json *object, const char *key, int64_t value)
{
    json_set(object, key, ours(json_integer(value)));
}

void json_set_number(struct json *object, const char *key, double value)
{
    json_set(object, key, ours(json_real(value)));
}

void json_set_bool(struct json *object, const char *key, bool value)
{
    json_set(object, key, ours(json_boolean(value)));
}

void json_set_null(struct json *object, const char *key)
{
    json_set(object, key, ours(json_null()));
}

void json_remove(struct json *object, const char *key)
{
    json_object_del(theirs_mutable(object), key); /* an absent key is as good as removed */
}

void json_append(struct json *array, struct json *value)
{
    REQUIRE(json_array_append_new(theirs_mutable(array), theirs_mutable(value)) == 0);
}

void json_append_string(struct json *array, const char *string)
{
    json_append(array, new_string(string));
}

void json_append_int(struct json *array, int64_t value)
{
    json_append(array, ours(json_integer(value)));
}

/* ---- writing: our own walk, since jansson writes 1e-12 as 9.9999999999999998e-13 ---- */

static void print_number(struct text *out, double value)
{
    char digits[32];
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value) break;
    }
    text_puts(out, digits);
    if (!strpbrk(digits, ".e"))
        text_puts(out, ".0"); /* so that it stays a number, not an integer */
}

static void print_scalar(struct text *out, const json_t *json)
{
    if (json_is_real(json)) {
        print_number(out, json_real_value(json));
        return;
    }
    char *bytes = json_dumps(json, JSON_ENCODE_ANY);
    REQUIRE(bytes);
    text_puts(out, bytes);
    free(bytes);
}

static void print_break(struct text *out, int indent, int depth, bool first)
{
    if (!first) text_puts(out, ",");
    if (indent) text_printf(out, "\n%*s", indent * depth, "");
}

static void print_value(struct text *out, const struct json *json, int indent, int depth);

static void print_members(struct text *out, const struct json *object, int indent, int depth)
{
    for (struct json_member m = json_first(object); m.key; json_next(&m)) {
        print_break(out, indent, depth + 1, m.place == json_first(object).place);
        json_t *key = json_string(m.key);
        print_scalar(out, key);
        json_decref(key);
        text_puts(out, indent ? ": " : ":");
        print_value(out, m.value, indent, depth + 1);
    }
}

static void print_value(struct text *out, const struct json *json, int indent, int depth)
{
    enum json_kind kind = json_kind(json);
    if (kind != JSON_KIND_OBJECT && kind != JSON_KIND_ARRAY) {
        print_scalar(out, theirs(json));
        return;
    }
    size_t count = json_size(json);
    text_puts(out, kind == JSON_KIND_OBJECT ? "{" : "[");
    if (kind == JSON_KIND_OBJECT) print_members(out, json, indent, depth);
    for (size_t i = 0; kind == JSON_KIND_ARRAY && i < count; i++) {
        print_break(out, indent, depth + 1, i == 0);
        print_value(out, json_at(json, i), indent, depth + 1);
    }
    if (count && indent) text_printf(out, "\n%*s", indent * depth, "");
    text_puts(out, kind == JSON_KIND_OBJECT ? "}" : "]");
}

void json_print(struct text *out, const struct json *json, int indent)
{
    print_value(out, json, indent, 0);
}

int json_write_file(const char *path, const struct json *json, struct error *err)
{
    struct output out = {0};
    if (output_open(&out, path, err)) return -1;
    struct text text = {0};
    json_print(&text, json, 2);
    text_puts(&text, "\n");
    output_write(&out, text.bytes, text.length);
    text_free(&text);
    return output_commit(&out, err);
}

void json_library_version(char version[VERSION_SIZE])
{
    snprintf(version, VERSION_SIZE, "%s", jansson_version_str());
}
