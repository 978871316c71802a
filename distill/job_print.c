/* A job back to text: job.yaml, the lines that a stage depends on, the reference of all keys. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/output.h"
#include "data/yaml.h"
#include "distill/job_keys.h"

/* ---- one value ---- */

static void print_int(const void *field, const struct key *key, struct text *out)
{
    (void)key;
    text_printf(out, "%d", *(const int *)field);
}

static void print_word(const void *field, const struct key *key, struct text *out)
{
    for (const struct key_word *word = key->words; word->word; word++)
        if (word->value == *(const int *)field) {
            text_puts(out, word->word);
            return;
        }
    print_int(field, key, out); /* KEY_INT_OR_WORD */
}

/* The shortest digits that read back the same. */
static void append_double(double value, struct text *out)
{
    char digits[40];
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value) break;
    }
    text_puts(out, digits);
}

static void print_double(const void *field, const struct key *key, struct text *out)
{
    (void)key;
    append_double(*(const double *)field, out);
}

static void print_range(const void *field, const struct key *key, struct text *out)
{
    const double *range = field;
    (void)key;
    text_puts(out, "[");
    append_double(range[0], out);
    text_puts(out, ", ");
    append_double(range[1], out);
    text_puts(out, "]");
}

static void print_bool(const void *field, const struct key *key, struct text *out)
{
    (void)key;
    text_puts(out, *(const bool *)field ? "true" : "false");
}

static void append_path(const char *path, struct text *out)
{
    char *here = *path == '/' ? NULL : getcwd(NULL, 0);
    char *absolute = here ? path_join(here, path) : xstrdup(path);
    yaml_append_string(absolute, out);
    free(absolute);
    free(here);
}

static void print_string(const void *field, const struct key *key, struct text *out)
{
    (void)key;
    yaml_append_string(*(char *const *)field, out);
}

static void print_path(const void *field, const struct key *key, struct text *out)
{
    const char *path = *(char *const *)field;
    for (const struct key_word *word = key->words; word && word->word; word++)
        if (strcmp(word->word, path) == 0) {
            text_puts(out, path);
            return;
        }
    append_path(path, out);
}

static void print_words(const void *field, const struct key *key, struct text *out)
{
    const char *separator = "";
    text_puts(out, "[");
    for (const struct key_word *word = key->words; word->word; word++)
        if (*(const int *)field & word->value) {
            text_printf(out, "%s%s", separator, word->word);
            separator = ", ";
        }
    text_puts(out, "]");
}

static void print_ints(const void *field, const struct key *key, struct text *out)
{
    const struct int_list *list = field;
    (void)key;
    text_puts(out, "[");
    for (size_t i = 0; i < list->count; i++)
        text_printf(out, "%s%d", i ? ", " : "", list->items[i]);
    text_puts(out, "]");
}

static void print_numbers(const void *field, const struct key *key, struct text *out)
{
    const struct number_list *list = field;
    (void)key;
    text_puts(out, "[");
    for (size_t i = 0; i < list->count; i++) {
        if (i) text_puts(out, ", ");
        append_double(list->items[i], out);
    }
    text_puts(out, "]");
}

static void print_taps(const void *field, const struct key *key, struct text *out)
{
    const struct tap_list *list = field;
    (void)key;
    text_puts(out, "[");
    for (size_t i = 0; i < list->count; i++)
        text_printf(out, "%s[%d, %d]", i ? ", " : "", list->items[i].layer, list->items[i].dim);
    text_puts(out, "]");
}

static void print_strings(const void *field, const struct key *key, struct text *out)
{
    const struct string_list *list = field;
    text_puts(out, "[");
    for (size_t i = 0; i < list->count; i++) {
        if (i) text_puts(out, ", ");
        if (key->type == KEY_PATHS)
            append_path(list->items[i], out);
        else
            yaml_append_string(list->items[i], out);
    }
    text_puts(out, "]");
}

typedef void print_function(const void *field, const struct key *key, struct text *out);

static print_function *const printers[] = {
    [KEY_STRING] = print_string,    [KEY_WORD_OR_PATH] = print_path, [KEY_INT] = print_int,
    [KEY_INT_OR_WORD] = print_word, [KEY_DOUBLE] = print_double,     [KEY_RANGE] = print_range,
    [KEY_BOOL] = print_bool,        [KEY_WORD] = print_word,         [KEY_WORDS] = print_words,
    [KEY_INTS] = print_ints,        [KEY_TAPS] = print_taps,         [KEY_NUMBERS] = print_numbers,
    [KEY_STRINGS] = print_strings,  [KEY_PATHS] = print_strings,
};

static void print_value(const struct job *job, const struct key *key, struct text *out)
{
    printers[key->type]((const char *)job + key->offset, key, out);
}

/* ---- all keys ---- */

/* How many leading sections (dot-ended) two names share; *length is their common length. */
static int shared_sections(const char *a, const char *b, size_t *length)
{
    int sections = 0;
    *length = 0;
    for (size_t i = 0; a[i] && a[i] == b[i]; i++)
        if (a[i] == '.') sections++, *length = i + 1;
    return sections;
}

/* The lines that open the sections of `name` which the row before it was not in. */
static void open_sections(const char *before, const char *name, struct text *out)
{
    size_t at;
    int depth = shared_sections(before, name, &at);
    for (const char *dot; (dot = strchr(name + at, '.')); depth++) {
        int length = (int)(dot - (name + at));
        text_printf(out, "%*s%.*s:\n", 2 * depth, "", length, name + at);
        at = (size_t)(dot + 1 - name);
    }
    const char *last = strrchr(name, '.');
    text_printf(out, "%*s%s: ", 2 * depth, "", last ? last + 1 : name);
}

void job_print(const struct job *job, struct text *out)
{
    const char *before = "";
    for (const struct key *key = job_keys; key->name; before = key->name, key++) {
        open_sections(before, key->name, out);
        print_value(job, key, out);
        text_puts(out, "\n");
    }
}

void job_print_keys(const struct job *job, const char *prefix, struct text *out)
{
    size_t length = strlen(prefix);
    for (const struct key *key = job_keys; key->name; key++) {
        if (strncmp(key->name, prefix, length) != 0) continue;
        if (key->name[length] != '\0' && key->name[length] != '.') continue;
        text_printf(out, "%s: ", key->name);
        print_value(job, key, out);
        text_puts(out, "\n");
    }
}

void job_reference(struct text *out)
{
    text_puts(out, "| key | default | value | what it does |\n|---|---|---|---|\n");
    for (const struct key *key = job_keys; key->name; key++) {
        text_printf(out, "| `%s` | ", key->name);
        if (!key->fallback)
            text_puts(out, "required");
        else if (key->derived)
            text_puts(out, key->derived);
        else
            text_printf(out, "`%s`", *key->fallback ? key->fallback : "\"\"");
        text_puts(out, " | ");
        key_describe(key, out);
        if (key->unit) text_printf(out, " (%s)", key->unit);
        text_printf(out, " | %s |\n", key->help);
    }
}
