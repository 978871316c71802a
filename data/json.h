/* JSON (jansson) as trees: parsed strictly, looked up, built and written.  The only file that
 * includes jansson, whose own names begin with json_ too; none of those below is one of them.
 *
 *     struct json *config;
 *     if (json_read_file(&config, "models/x/config.json", err)) return -1;
 *     const char *type = json_get_string(config, "model_type"); // NULL: absent or no string
 *     int layers = 0;
 *     if (json_get_int(&layers, config, "num_hidden_layers", 1, 1000, "config.json", err)) ...
 *     json_free(config);
 *
 * Refused with "where:line:column: ...": duplicate keys, invalid UTF-8, "\u0000", nesting beyond
 * 2048 levels, anything after the value.  Integers beyond 64 bits become numbers (model_max_length
 * is often 1e30 in full).
 *
 * Every accessor takes NULL for a value that is not there and answers as for a value of the wrong
 * type, so that lookups can be chained.  Looked-up values and strings belong to the tree.  A tree
 * may be read by many threads.
 */
#ifndef RETORT_JSON_H
#define RETORT_JSON_H

#include "data/base.h"

struct json;

/* ---- reading ---- */

/* where is for messages: a file's name. */
int json_parse(struct json **out, const char *bytes, size_t length, const char *where,
               struct error *err);
/* One line of JSONL; where names file and line, the message adds the column. */
int json_parse_line(struct json **out, const char *line, size_t length, const char *where,
                    struct error *err);
int json_read_file(struct json **out, const char *path, struct error *err);
void json_free(struct json *json);
void json_release(void *json); /* the same, for hold (guard.h) */

/* ---- looking up ---- */

enum json_kind {
    JSON_KIND_NONE, /* NULL: not there */
    JSON_KIND_NULL,
    JSON_KIND_BOOL,
    JSON_KIND_INTEGER,
    JSON_KIND_NUMBER, /* written with a point or an exponent, or too big for 64 bits */
    JSON_KIND_STRING,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT
};
enum json_kind json_kind(const struct json *json);
const char *json_kind_name(const struct json *json); /* "an object", "nothing", ... for messages */

const struct json *json_get(const struct json *object, const char *key); /* or NULL */
const struct json *json_at(const struct json *array, size_t index);      /* or NULL */
size_t json_size(const struct json *json); /* elements of an array, members of an object, else 0 */

const char *json_as_string(const struct json *json); /* or NULL */
size_t json_string_bytes(const struct json *json);   /* length; 0 where it is not a string */
/* False, *out untouched, where the value is of another type or outside min..max. */
bool json_as_integer(int64_t *out, const struct json *json, int64_t min, int64_t max);
bool json_as_number(double *out, const struct json *json); /* integers too */
bool json_as_bool(bool *out, const struct json *json);

const char *json_get_string(const struct json *object, const char *key); /* or NULL */
const char *json_string_or(const struct json *object, const char *key, const char *fallback);
bool json_bool_or(const struct json *object, const char *key, bool fallback);

/* Checked members for configs: *out keeps its value where the key is absent or null; a wrong
 * type or a value out of bounds fails with "where: key is ..., must be ...". */
int json_get_int(int *out, const struct json *object, const char *key, int min, int max,
                 const char *where, struct error *err);
int json_get_number(double *out, const struct json *object, const char *key, double min, double max,
                    const char *where, struct error *err);
int json_get_bool(bool *out, const struct json *object, const char *key, const char *where,
                  struct error *err);

/* Members in the order in which they were written:
 *     for (struct json_member m = json_first(object); m.key; json_next(&m)) use(m.key, m.value); */
struct json_member {
    const char *key; /* NULL at the end */
    const struct json *value;
    const struct json *object;
    void *place;
};
struct json_member json_first(const struct json *object); /* no members where it is no object */
void json_next(struct json_member *member);

/* ---- building and writing ---- */

struct json *json_new_object(void);
struct json *json_new_array(void);
struct json *json_clone(const struct json *json); /* deep */
/* The value is given away.  An existing key keeps its place; a new one comes last.  Keys are
 * UTF-8; in strings, wrong bytes become U+FFFD. */
void json_set(struct json *object, const char *key, struct json *value);
void json_set_string(struct json *object, const char *key, const char *string); /* copied */
void json_set_int(struct json *object, const char *key, int64_t value);
void json_set_number(struct json *object, const char *key, double value); /* finite */
void json_set_bool(struct json *object, const char *key, bool value);
void json_set_null(struct json *object, const char *key);
void json_remove(struct json *object, const char *key);
void json_append(struct json *array, struct json *value); /* given away */
void json_append_string(struct json *array, const char *string);
void json_append_int(struct json *array, int64_t value);

/* Appends the text: members in their order, UTF-8 unescaped, numbers in the shortest form that
 * reads back equal.  indent 0: one line without any space, else that many spaces a level. */
void json_print(struct text *out, const struct json *json, int indent);
/* Indented by 2, with a newline at the end, whole or not at all. */
int json_write_file(const char *path, const struct json *json, struct error *err);

void json_library_version(char version[VERSION_SIZE]);

#endif
