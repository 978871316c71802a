/* Command-line options from one table per command; the table drives parsing and --help.
 *
 *     const char *model = NULL; int layers = 0;
 *     const struct option options[] = {
 *         {"model", OPTION_STRING, &model, "DIR", "the model's folder"},
 *         {"layers", OPTION_INT, &layers, "L", "stop after block L (all)"},
 *         {0}};
 *     const struct command_help help = {.command = "embed", .usage = "--model DIR [TEXTS.txt]",
 *                                       .summary = "embed texts, one a line", .options = options};
 *     int first = options_parse(&help, argc, argv, err); // index of the first operand
 *     if (first < 0) return first == OPTIONS_HELP ? 0 : -1;
 */
#ifndef RETORT_OPTIONS_H
#define RETORT_OPTIONS_H

#include "data/base.h"

enum option_kind {
    OPTION_FLAG,   /* bool; --name */
    OPTION_INT,    /* int, 0 or more */
    OPTION_DOUBLE, /* double */
    OPTION_STRING, /* const char * */
    OPTION_LIST    /* struct string_list: may be repeated */
};
struct string_list {
    const char **items;
    size_t count, capacity;
};
struct option {
    const char *name; /* without dashes; a one-letter name is -x */
    enum option_kind kind;
    void *value;
    const char *argument; /* placeholder, NULL for flags */
    const char *help;
};
struct command_help {
    const char *command, *usage, *summary;
    const struct option *options; /* ends with a zeroed row */
    const char *details;          /* lines after the options, wrapped unless indented; or NULL */
};

enum { OPTIONS_HELP = -2 };
/* Rows that many commands share:  const struct option options[] = {..., OPTION_THREADS(&threads),
 * {0}}; */
/* clang-format off */
#define OPTION_THREADS(value) {"threads", OPTION_INT, (value), "N", "worker threads (one per core)"}
#define OPTION_PRECISION(value) \
    {"precision", OPTION_STRING, (value), "P", "of matrix products: auto, f32, bf16 or int8 (auto)"}
/* clang-format on */

/* Options may stand before or after operands; operands are moved to argv's end, in order; "--"
 * ends options, "-" is an operand; --name=value and --name value.  --help (-h) and
 * --quiet are every command's.  Unknown: error with the nearest name, STATUS_USAGE. */
int options_parse(const struct command_help *help, int argc, char **argv, struct error *err);
void options_print_help(const struct command_help *help);
/* --help=FORM, printed from the same table: "man" a manual page, "bash" and "zsh" the command's
 * part of a completion script.  Another form is an error. */
int options_print_page(const struct command_help *help, const char *form, struct error *err);
/* Text for a manual page, safe at the beginning of a line. */
void roff_print(const char *text, size_t length);
/* Text for a field of a zsh completion, within single quotes. */
void zsh_print(const char *text);

/* The closest of names to word by edit distance, if close enough to be a slip (else NULL). */
const char *nearest_name(const char *word, const char *const *names, size_t count);

#endif
