/* YAML trees from libyaml's events: see yaml.h.
 *
 * Events rather than libyaml's documents, because the refusals (aliases, tags, depth) then happen
 * where the thing stands, before anything is built from it. */
#include "data/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "data/output.h"

enum { MAX_DEPTH = 32, MAX_BYTES = 1 << 20 };

struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the one last read */
    struct yaml_tree *yaml;
    const char *input;
    struct error *err;
};

/* Elements of a list or map while it grows. */
struct growing {
    struct yaml_node **nodes;
    size_t count, capacity;
};

static int fail_at(struct reader *reader, yaml_mark_t mark, const char *problem, const char *what)
{
    return fail_usage(reader->err, "%s:%zu:%zu: %s%s", reader->yaml->path, mark.line + 1,
                      mark.column + 1, problem, what);
}

/* Whether the indentation of a line (from 0) has a tab, the mistake behind libyaml's vaguest
 * messages. */
static bool tab_indents(const char *input, size_t line)
{
    for (; line > 0; line--) {
        input = strchr(input, '\n');
        if (!input) return false;
        input++;
    }
    return input[strspn(input, " ")] == '\t';
}

/* libyaml counts bytes, not lines, when it cannot decode. */
static yaml_mark_t mark_of_offset(const char *input, size_t offset)
{
    yaml_mark_t mark = {0};
    for (size_t i = 0; i < offset && input[i]; i++) {
        mark.column++;
        if (input[i] == '\n') mark.line++, mark.column = 0;
    }
    return mark;
}

static int fail_libyaml(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    const char *problem = parser->problem ? parser->problem : "unreadable";
    REQUIRE(parser->error != YAML_MEMORY_ERROR);
    if (parser->error == YAML_READER_ERROR)
        return fail_at(reader, mark_of_offset(reader->input, parser->problem_offset),
                       "not UTF-8 text: ", problem);
    if (tab_indents(reader->input, parser->problem_mark.line))
        return fail_at(reader, parser->problem_mark, "indent with spaces; YAML allows no tab here",
                       "");
    char context[128] = "";
    if (parser->context && parser->context_mark.line != parser->problem_mark.line)
        snprintf(context, sizeof context, " %s that begins in line %zu", parser->context,
                 parser->context_mark.line + 1);
    else if (parser->context)
        snprintf(context, sizeof context, " %s", parser->context);
    return fail_usage(reader->err, "%s:%zu:%zu: not YAML: %s%s", reader->yaml->path,
                      parser->problem_mark.line + 1, parser->problem_mark.column + 1, problem,
                      context);
}

static int next(struct reader *reader)
{
    yaml_event_delete(&reader->event);
    return yaml_parser_parse(&reader->parser, &reader->event) ? 0 : fail_libyaml(reader);
}

static struct yaml_node *new_node(struct reader *reader, enum yaml_kind kind)
{
    struct yaml_node *node = arena_alloc(&reader->yaml->arena, sizeof *node);
    *node = (struct yaml_node){.kind = kind,
                               .line = (int)reader->event.start_mark.line + 1,
                               .column = (int)reader->event.start_mark.column + 1};
    return node;
}

static int refuse(struct reader *reader, const yaml_char_t *anchor, const yaml_char_t *tag,
                  int depth)
{
    yaml_mark_t mark = reader->event.start_mark;
    if (anchor)
        return fail_at(reader, mark, "anchors and aliases are not supported: write it out", "");
    if (tag && strcmp((const char *)tag, "!") != 0)
        return fail_at(reader, mark, "tags are not supported: remove ", (const char *)tag);
    if (depth > MAX_DEPTH) return fail_at(reader, mark, "nested too deeply", "");
    return 0;
}

static struct yaml_node *read_node(struct reader *reader, int depth);

static struct yaml_node *read_scalar(struct reader *reader, int depth)
{
    const yaml_event_t *event = &reader->event;
    if (refuse(reader, event->data.scalar.anchor, event->data.scalar.tag, depth)) return NULL;
    const char *value = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    if (memchr(value, '\0', length)) {
        fail_at(reader, event->start_mark, "a text with a NUL character", "");
        return NULL;
    }
    struct yaml_node *node = new_node(reader, YAML_SCALAR);
    node->scalar = arena_strndup(&reader->yaml->arena, value, length);
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return node;
}

static void keep(struct growing *growing, struct yaml_node *node)
{
    GROW(growing->nodes, growing->count, &growing->capacity);
    growing->nodes[growing->count++] = node;
}

static struct yaml_node **settle(struct reader *reader, const struct growing *growing)
{
    size_t size = growing->count * sizeof *growing->nodes;
    struct yaml_node **nodes = arena_alloc(&reader->yaml->arena, size);
    if (size) memcpy(nodes, growing->nodes, size);
    return nodes;
}

static struct yaml_node *read_list(struct reader *reader, int depth)
{
    if (refuse(reader, reader->event.data.sequence_start.anchor,
               reader->event.data.sequence_start.tag, depth))
        return NULL;
    struct yaml_node *list = new_node(reader, YAML_LIST), *item;
    struct growing items = {0};
    bool failed = false;
    while (!(failed = next(reader) != 0) && reader->event.type != YAML_SEQUENCE_END_EVENT) {
        item = read_node(reader, depth + 1);
        if ((failed = !item)) break;
        keep(&items, item);
    }
    list->items = settle(reader, &items);
    list->count = items.count;
    free(items.nodes);
    return failed ? NULL : list;
}

/* A map's key, not seen before among keys. */
static struct yaml_node *read_key(struct reader *reader, struct strmap *seen,
                                  const struct growing *keys, int depth)
{
    if (reader->event.type != YAML_SCALAR_EVENT && reader->event.type != YAML_ALIAS_EVENT) {
        fail_at(reader, reader->event.start_mark, "a key must be a word, not a list or a map", "");
        return NULL;
    }
    struct yaml_node *key = read_node(reader, depth);
    if (!key) return NULL;
    int64_t first = strmap_insert(seen, key->scalar, (int64_t)keys->count);
    if (first == (int64_t)keys->count) return key;
    fail_usage(reader->err, "%s:%d:%d: the key %s is here twice; it is also in line %d",
               reader->yaml->path, key->line, key->column, key->scalar, keys->nodes[first]->line);
    return NULL;
}

static struct yaml_node *read_map(struct reader *reader, int depth)
{
    if (refuse(reader, reader->event.data.mapping_start.anchor,
               reader->event.data.mapping_start.tag, depth))
        return NULL;
    struct yaml_node *map = new_node(reader, YAML_MAP), *key, *value;
    struct growing keys = {0}, values = {0};
    struct strmap seen = {0};
    bool failed = false;
    while (!(failed = next(reader) != 0) && reader->event.type != YAML_MAPPING_END_EVENT) {
        key = read_key(reader, &seen, &keys, depth + 1);
        if ((failed = !key || next(reader) != 0)) break;
        value = read_node(reader, depth + 1);
        if ((failed = !value)) break;
        keep(&keys, key);
        keep(&values, value);
    }
    map->keys = settle(reader, &keys);
    map->items = settle(reader, &values);
    map->count = keys.count;
    free(keys.nodes);
    free(values.nodes);
    strmap_free(&seen);
    return failed ? NULL : map;
}

/* The node that begins with the current event; NULL with *err filled. */
static struct yaml_node *read_node(struct reader *reader, int depth)
{
    switch (reader->event.type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(reader, depth);
    case YAML_SEQUENCE_START_EVENT:
        return read_list(reader, depth);
    case YAML_MAPPING_START_EVENT:
        return read_map(reader, depth);
    default:
        REQUIRE(reader->event.type == YAML_ALIAS_EVENT);
        refuse(reader, reader->event.data.alias.anchor, NULL, depth);
        return NULL;
    }
}

/* A stream of no document (root: an empty scalar) or one. */
static int read_stream(struct reader *reader)
{
    if (next(reader) || next(reader)) return -1; /* past the stream's start */
    reader->yaml->root = new_node(reader, YAML_SCALAR);
    reader->yaml->root->scalar = "";
    if (reader->event.type == YAML_STREAM_END_EVENT) return 0;
    if (next(reader)) return -1;
    reader->yaml->root = read_node(reader, 1);
    if (!reader->yaml->root || next(reader) || next(reader)) return -1;
    if (reader->event.type == YAML_STREAM_END_EVENT) return 0;
    return fail_at(reader, reader->event.start_mark, "a second document begins; one is allowed",
                   "");
}

int yaml_read_string(struct yaml_tree *out, const char *path, const char *string, struct error *err)
{
    *out = (struct yaml_tree){.path = xstrdup(path)};
    struct reader reader = {.yaml = out, .input = string, .err = err};
    REQUIRE(yaml_parser_initialize(&reader.parser));
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)string, strlen(string));
    int status = read_stream(&reader);
    yaml_event_delete(&reader.event);
    yaml_parser_delete(&reader.parser);
    if (status) yaml_tree_free(out);
    return status;
}

int yaml_read_file(struct yaml_tree *out, const char *path, struct error *err)
{
    struct text text = {0};
    *out = (struct yaml_tree){0};
    int status = read_whole_file(&text, path, MAX_BYTES, err);
    if (status == 0 && strlen(text.bytes) != text.length)
        status = fail_usage(err, "%s: not a text: it has a NUL byte", path);
    if (status == 0) status = yaml_read_string(out, path, text.bytes, err);
    text_free(&text);
    return status;
}

const struct yaml_node *yaml_find(const struct yaml_node *map, const char *key)
{
    if (map->kind != YAML_MAP) return NULL;
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->keys[i]->scalar, key) == 0) return map->items[i];
    return NULL;
}

void yaml_tree_free(struct yaml_tree *yaml)
{
    arena_free(&yaml->arena);
    free(yaml->path);
    *yaml = (struct yaml_tree){0};
}

/* ---- writing ---- */

/* One character of a double-quoted scalar; how many bytes of `at` it took.  Control characters,
 * line separators and byte-order marks would not come back as they went. */
static size_t append_escaped(const unsigned char *at, struct text *out)
{
    if (*at == '"' || *at == '\\')
        text_printf(out, "\\%c", *at);
    else if (*at < 0x20 || *at == 0x7f)
        text_printf(out, "\\x%02x", *at);
    else if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0)
        return text_printf(out, "\\x%02x", at[1]), 2;
    else if (at[0] == 0xe2 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9))
        return text_printf(out, "\\u20%02x", at[2] - 0x80), 3;
    else if (at[0] == 0xef && at[1] == 0xbb && at[2] == 0xbf)
        return text_puts(out, "\\ufeff"), 3;
    else
        text_append(out, (const char *)at, 1);
    return 1;
}

void yaml_append_string(const char *string, struct text *out)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
    if (*string && *string != '-' && !string[strspn(string, safe)]) {
        text_puts(out, string);
        return;
    }
    text_puts(out, "\"");
    for (const char *at = string; *at;) at += append_escaped((const unsigned char *)at, out);
    text_puts(out, "\"");
}

void yaml_library_version(char version[VERSION_SIZE])
{
    snprintf(version, VERSION_SIZE, "%s", yaml_get_version_string());
}
