/* Values of job keys by type: what a key takes, reading it from YAML, releasing it (job_keys.h). */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/output.h"
#include "distill/job_keys.h"

struct reading {
    const struct key *key;
    const struct key_source *source;
    struct error *err;
};

/* What a type of key can do with its field. */
struct key_kind {
    int (*set)(void *field, const struct yaml_node *node, const struct reading *reading);
    void (*free)(void *field); /* NULL: nothing allocated */
};

char *key_place(const struct key_source *source, const struct yaml_node *node)
{
    if (!source->is_file) return xstrdup(source->name);
    return xasprintf("%s:%d:%d", source->name, node->line, node->column);
}

/* ---- messages ---- */

static void describe_words(const struct key *key, struct text *out)
{
    for (const struct key_word *word = key->words; word->word; word++)
        text_printf(out, "%s%s", word == key->words ? "" : ", ", word->word);
}

static void describe_bounds(const struct key *key, struct text *out)
{
    if (key->high >= INT_MAX)
        text_printf(out, " of at least %g", key->low);
    else
        text_printf(out, " from %g to %.10g", key->low, key->high);
}

static void describe_number(const char *what, const struct key *key, struct text *out)
{
    text_puts(out, what);
    describe_bounds(key, out);
}

void key_describe(const struct key *key, struct text *out)
{
    static const char *const plain[] = {
        [KEY_STRING] = "a text",
        [KEY_BOOL] = "true or false",
        [KEY_TAPS] = "a list of [layer, dim] pairs",
        [KEY_STRINGS] = "a list of texts",
        [KEY_PATHS] = "a list of paths",
        [KEY_WORD] = "one of ",
        [KEY_WORDS] = "a list of some of ",
    };
    if ((size_t)key->type < sizeof plain / sizeof *plain && plain[key->type])
        text_puts(out, plain[key->type]);
    if (key->words) describe_words(key, out);
    switch (key->type) {
    case KEY_WORD_OR_PATH:
        text_puts(out, " or a path");
        break;
    case KEY_INT_OR_WORD:
        describe_number(" or a whole number", key, out);
        break;
    case KEY_INT:
        describe_number("a whole number", key, out);
        break;
    case KEY_INTS:
        describe_number("a list of whole numbers", key, out);
        break;
    case KEY_NUMBERS:
        describe_number("a list of numbers", key, out);
        break;
    case KEY_DOUBLE:
        describe_number("a number", key, out);
        break;
    case KEY_RANGE:
        describe_number("a number", key, out);
        text_puts(out, ", or [start, end]");
        break;
    default:
        break;
    }
}

static void describe_node(const struct yaml_node *node, struct text *out)
{
    if (node->kind == YAML_MAP)
        text_puts(out, "a map");
    else if (node->kind == YAML_LIST)
        text_printf(out, "a list of %zu", node->count);
    else if (!*node->scalar && !node->quoted)
        text_puts(out, "nothing");
    else
        text_printf(out, node->quoted ? "the text \"%.200s\"" : "%.200s", node->scalar);
}

/* "job.yaml:3:5: distill.epochs wants a whole number from 0 to 1000, not many"; -1. */
static int wrong(const struct reading *reading, const struct yaml_node *node)
{
    struct text wanted = {0}, given = {0};
    char *place = key_place(reading->source, node);
    const char *names[64], *nearest = NULL;
    size_t count = 0;
    key_describe(reading->key, &wanted);
    describe_node(node, &given);
    for (const struct key_word *word = reading->key->words; word && word->word; word++)
        names[count++] = word->word;
    if (node->kind == YAML_SCALAR) nearest = nearest_name(node->scalar, names, count);
    fail_usage(reading->err, "%s: %s wants %s, not %s%s%s%s", place, reading->key->name,
               wanted.bytes, given.bytes, nearest ? "; did you mean " : "", nearest ? nearest : "",
               nearest ? "?" : "");
    text_free(&wanted);
    text_free(&given);
    free(place);
    return -1;
}

/* ---- scalars from YAML ---- */

static bool parse_double(double *out, const struct key *key, const struct yaml_node *node)
{
    if (node->kind != YAML_SCALAR || node->quoted || !*node->scalar) return false;
    if (node->scalar[strspn(node->scalar, "0123456789+-.eE")]) return false; /* no hex, inf, nan */
    char *end;
    *out = strtod(node->scalar, &end);
    return *end == '\0' && isfinite(*out) && *out >= key->low && *out <= key->high;
}

static bool parse_int(int *out, const struct key *key, const struct yaml_node *node)
{
    if (node->kind != YAML_SCALAR || node->quoted || !*node->scalar) return false;
    if (node->scalar[strspn(node->scalar, "0123456789+-")]) return false;
    char *end;
    errno = 0;
    long number = strtol(node->scalar, &end, 10);
    if (*end || errno || (double)number < key->low || (double)number > key->high) return false;
    *out = (int)number;
    return true;
}

static const struct key_word *find_word(const struct key *key, const struct yaml_node *node)
{
    if (node->kind != YAML_SCALAR) return NULL;
    for (const struct key_word *word = key->words; word->word; word++)
        if (strcmp(word->word, node->scalar) == 0) return word;
    return NULL;
}

static int set_int(void *field, const struct yaml_node *node, const struct reading *reading)
{
    return parse_int(field, reading->key, node) ? 0 : wrong(reading, node);
}

static int set_word(void *field, const struct yaml_node *node, const struct reading *reading)
{
    const struct key_word *word = find_word(reading->key, node);
    if (!word) return wrong(reading, node);
    *(int *)field = word->value;
    return 0;
}

static int set_int_or_word(void *field, const struct yaml_node *node, const struct reading *reading)
{
    return find_word(reading->key, node) ? set_word(field, node, reading)
                                         : set_int(field, node, reading);
}

static int set_double(void *field, const struct yaml_node *node, const struct reading *reading)
{
    return parse_double(field, reading->key, node) ? 0 : wrong(reading, node);
}

static int set_range(void *field, const struct yaml_node *node, const struct reading *reading)
{
    double *range = field;
    if (node->kind == YAML_LIST && node->count == 2)
        return set_double(&range[0], node->items[0], reading) ||
                       set_double(&range[1], node->items[1], reading)
                   ? -1
                   : 0;
    if (set_double(&range[0], node, reading)) return -1;
    range[1] = range[0];
    return 0;
}

static int set_bool(void *field, const struct yaml_node *node, const struct reading *reading)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"true", true},   {"yes", true}, {"on", true},
                 {"false", false}, {"no", false}, {"off", false}};
    for (size_t i = 0; node->kind == YAML_SCALAR && i < sizeof words / sizeof *words; i++)
        if (!node->quoted && strcasecmp(node->scalar, words[i].word) == 0) {
            *(bool *)field = words[i].value;
            return 0;
        }
    return wrong(reading, node);
}

static int set_string(void *field, const struct yaml_node *node, const struct reading *reading)
{
    if (node->kind != YAML_SCALAR) return wrong(reading, node);
    *(char **)field = xstrdup(node->scalar);
    return 0;
}

static int set_path(void *field, const struct yaml_node *node, const struct reading *reading)
{
    if (node->kind != YAML_SCALAR || !*node->scalar) return wrong(reading, node);
    const char *folder = reading->source->folder;
    *(char **)field = folder ? path_join(folder, node->scalar) : xstrdup(node->scalar);
    return 0;
}

static int set_word_or_path(void *field, const struct yaml_node *node,
                            const struct reading *reading)
{
    return find_word(reading->key, node) ? set_string(field, node, reading)
                                         : set_path(field, node, reading);
}

/* ---- lists from YAML; what was filled when a mistake is met belongs to the field already ---- */

static int set_words(void *field, const struct yaml_node *node, const struct reading *reading)
{
    int bits = 0;
    if (node->kind != YAML_LIST) return wrong(reading, node);
    for (size_t i = 0; i < node->count; i++) {
        int bit = 0;
        if (set_word(&bit, node->items[i], reading)) return -1;
        bits |= bit;
    }
    *(int *)field = bits;
    return 0;
}

static int set_ints(void *field, const struct yaml_node *node, const struct reading *reading)
{
    struct int_list *list = field;
    if (node->kind != YAML_LIST) return wrong(reading, node);
    list->items = xcalloc(node->count, sizeof *list->items);
    list->count = node->count;
    for (size_t i = 0; i < node->count; i++)
        if (set_int(&list->items[i], node->items[i], reading)) return -1;
    return 0;
}

static int set_numbers(void *field, const struct yaml_node *node, const struct reading *reading)
{
    struct number_list *list = field;
    if (node->kind != YAML_LIST) return wrong(reading, node);
    list->items = xcalloc(node->count, sizeof *list->items);
    list->count = node->count;
    for (size_t i = 0; i < node->count; i++)
        if (set_double(&list->items[i], node->items[i], reading)) return -1;
    return 0;
}

static int set_taps(void *field, const struct yaml_node *node, const struct reading *reading)
{
    struct tap_list *list = field;
    if (node->kind != YAML_LIST) return wrong(reading, node);
    list->items = xcalloc(node->count, sizeof *list->items);
    list->count = node->count;
    for (size_t i = 0; i < node->count; i++) {
        const struct yaml_node *pair = node->items[i];
        if (pair->kind != YAML_LIST || pair->count != 2) return wrong(reading, pair);
        if (!parse_int(&list->items[i].layer, reading->key, pair->items[0]) ||
            !parse_int(&list->items[i].dim, reading->key, pair->items[1]))
            return wrong(reading, pair);
    }
    return 0;
}

static int set_list(struct string_list *list, const struct yaml_node *node,
                    const struct reading *reading,
                    int (*set)(void *, const struct yaml_node *, const struct reading *))
{
    if (node->kind != YAML_LIST) return wrong(reading, node);
    for (size_t i = 0; i < node->count; i++) {
        char *item = NULL;
        if (set(&item, node->items[i], reading)) return -1;
        GROW(list->items, list->count, &list->capacity);
        list->items[list->count++] = item;
    }
    return 0;
}

static int set_strings(void *field, const struct yaml_node *node, const struct reading *reading)
{
    return set_list(field, node, reading, set_string);
}

static int set_paths(void *field, const struct yaml_node *node, const struct reading *reading)
{
    return set_list(field, node, reading, set_path);
}

/* ---- release ---- */

static void free_string(void *field)
{
    free(*(char **)field);
    *(char **)field = NULL;
}

static void free_ints(void *field)
{
    struct int_list *list = field;
    free(list->items);
    *list = (struct int_list){0};
}

static void free_numbers(void *field)
{
    struct number_list *list = field;
    free(list->items);
    *list = (struct number_list){0};
}

static void free_taps(void *field)
{
    struct tap_list *list = field;
    free(list->items);
    *list = (struct tap_list){0};
}

static void free_strings(void *field)
{
    struct string_list *list = field;
    for (size_t i = 0; i < list->count; i++) free((char *)list->items[i]);
    free(list->items);
    *list = (struct string_list){0};
}

static const struct key_kind kinds[] = {
    [KEY_STRING] = {set_string, free_string},
    [KEY_WORD_OR_PATH] = {set_word_or_path, free_string},
    [KEY_INT] = {set_int, NULL},
    [KEY_INT_OR_WORD] = {set_int_or_word, NULL},
    [KEY_DOUBLE] = {set_double, NULL},
    [KEY_RANGE] = {set_range, NULL},
    [KEY_BOOL] = {set_bool, NULL},
    [KEY_WORD] = {set_word, NULL},
    [KEY_WORDS] = {set_words, NULL},
    [KEY_INTS] = {set_ints, free_ints},
    [KEY_NUMBERS] = {set_numbers, free_numbers},
    [KEY_TAPS] = {set_taps, free_taps},
    [KEY_STRINGS] = {set_strings, free_strings},
    [KEY_PATHS] = {set_paths, free_strings},
};

int key_set(struct job *job, const struct key *key, const struct yaml_node *node,
            const struct key_source *source, struct error *err)
{
    const struct reading reading = {key, source, err};
    key_free(job, key);
    return kinds[key->type].set((char *)job + key->offset, node, &reading);
}

void key_free(struct job *job, const struct key *key)
{
    if (kinds[key->type].free) kinds[key->type].free((char *)job + key->offset);
}
