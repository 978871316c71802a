/* Command-line options: see options.h. */
#include "data/options.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/progress.h"

enum { HELP_WIDTH = 80, HELP_INDENT = 22, LONGEST_NAME = 64 };

/* ---- nearest name ---- */

static size_t smallest(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap neighbours) from a to b: Damerau's distance in its
 * restricted form. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t rows[3][LONGEST_NAME + 1], n = strlen(b), m = strlen(a);
    size_t *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= n; j++) last[j] = j;
    for (size_t i = 1; i <= m; i++) {
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            row[j] =
                smallest(smallest(last[j], row[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = smallest(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = last, last = row, row = oldest;
    }
    return last[n];
}

const char *nearest_name(const char *word, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    size_t best = SIZE_MAX, length = strlen(word);
    if (length > LONGEST_NAME) return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t name_length = strlen(names[i]);
        if (name_length > LONGEST_NAME) continue;
        size_t distance = edit_distance(word, names[i]);
        bool beginning = length >= 3 && strncmp(word, names[i], length) == 0;
        size_t longer = length > name_length ? length : name_length;
        if (!beginning && distance * 3 > longer) continue;
        if (distance < best) best = distance, nearest = names[i];
    }
    return nearest;
}

/* ---- values ---- */

static const char *dashes(const char *name)
{
    return strlen(name) == 1 ? "-" : "--";
}

static int set_int(int *out, const struct option *option, const char *value, struct error *err)
{
    char *end;
    errno = 0;
    long number = strtol(value, &end, 10);
    if (end == value || *end)
        return fail_usage(err, "%s%s: \"%s\" is not a whole number", dashes(option->name),
                          option->name, value);
    if (errno || number < 0 || number > INT_MAX)
        return fail_usage(err, "%s%s: %s is out of range (0 to %d)", dashes(option->name),
                          option->name, value, INT_MAX);
    *out = (int)number;
    return 0;
}

static int set_double(double *out, const struct option *option, const char *value,
                      struct error *err)
{
    char *end;
    double number = strtod(value, &end);
    if (end == value || *end || !isfinite(number))
        return fail_usage(err, "%s%s: \"%s\" is not a number", dashes(option->name), option->name,
                          value);
    *out = number;
    return 0;
}

static int set_value(const struct option *option, const char *value, struct error *err)
{
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)option->value = true;
        return 0;
    case OPTION_INT:
        return set_int(option->value, option, value, err);
    case OPTION_DOUBLE:
        return set_double(option->value, option, value, err);
    case OPTION_STRING:
        *(const char **)option->value = value;
        return 0;
    case OPTION_LIST:
        break;
    }
    struct string_list *list = option->value;
    GROW(list->items, list->count, &list->capacity);
    list->items[list->count++] = value;
    return 0;
}

/* ---- parsing ---- */

static const struct option *find_option(const struct command_help *help, const char *name,
                                        size_t length)
{
    for (const struct option *option = help->options; option->name; option++)
        if (strlen(option->name) == length && memcmp(option->name, name, length) == 0)
            return option;
    return NULL;
}

static int unknown_option(const struct command_help *help, const char *argument, const char *name,
                          size_t length, struct error *err)
{
    const char *names[LONGEST_NAME] = {"help", "quiet"};
    size_t count = 2;
    for (const struct option *option = help->options; option->name && count < LONGEST_NAME;
         option++)
        if (strlen(option->name) > 1) names[count++] = option->name;
    char *word = xstrndup(name, length);
    const char *nearest = nearest_name(word, names, count);
    int shown = (int)(name + length - argument);
    if (nearest)
        fail_usage(err, "unknown option %.*s; did you mean --%s?", shown, argument, nearest);
    else
        fail_usage(err, "unknown option %.*s; see retort %s --help", shown, argument,
                   help->command);
    free(word);
    return -1;
}

/* Handles argv[at], which begins with a dash; the number of arguments used (1 or 2), -1 or
 * OPTIONS_HELP. */
static int parse_one(const struct command_help *help, int argc, char **argv, int at,
                     struct error *err)
{
    const char *argument = argv[at];
    bool is_long = argument[1] == '-';
    const char *name = argument + (is_long ? 2 : 1);
    const char *equals = is_long ? strchr(name, '=') : NULL;
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const struct option *option = is_long == (length == 1) ? NULL : find_option(help, name, length);
    if (!option) {
        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) return OPTIONS_HELP;
        if (strncmp(argument, "--help=", 7) == 0) return OPTIONS_HELP;
        if (strcmp(argument, "--quiet") == 0) return messages_quiet(true), 1;
        return unknown_option(help, argument, name, length, err);
    }
    if (option->kind == OPTION_FLAG) {
        if (equals) return fail_usage(err, "--%s takes no value", option->name);
        return set_value(option, NULL, err) ? -1 : 1;
    }
    if (equals) return set_value(option, equals + 1, err) ? -1 : 1;
    if (at + 1 >= argc)
        return fail_usage(err, "%s needs a value: %s %s", argument, argument, option->argument);
    return set_value(option, argv[at + 1], err) ? -1 : 2;
}

/* What "--help" or "--help=FORM" asks for. */
static int print_asked(const struct command_help *help, const char *argument, struct error *err)
{
    const char *form = strchr(argument, '=');
    if (form) return options_print_page(help, form + 1, err) ? -1 : OPTIONS_HELP;
    options_print_help(help);
    return OPTIONS_HELP;
}

int options_parse(const struct command_help *help, int argc, char **argv, struct error *err)
{
    char **operands = xcalloc((size_t)argc + 1, sizeof *operands);
    char **options = xcalloc((size_t)argc + 1, sizeof *options);
    int num_operands = 0, num_options = 0, used = 1, at = 1;
    for (; at < argc; at += used) {
        used = 1;
        if (strcmp(argv[at], "--") == 0) {
            options[num_options++] = argv[at++];
            while (at < argc) operands[num_operands++] = argv[at++];
            break;
        }
        if (argv[at][0] != '-' || argv[at][1] == '\0') {
            operands[num_operands++] = argv[at];
            continue;
        }
        used = parse_one(help, argc, argv, at, err);
        if (used < 0) break;
        for (int i = 0; i < used; i++) options[num_options++] = argv[at + i];
    }
    if (used > 0) {
        memcpy(argv + 1, options, (size_t)num_options * sizeof *argv);
        memcpy(argv + 1 + num_options, operands, (size_t)num_operands * sizeof *argv);
    }
    free(operands);
    free(options);
    if (used == OPTIONS_HELP) return print_asked(help, argv[at], err);
    return used < 0 ? used : 1 + num_options;
}

/* ---- help ---- */

/* Words of text, wrapped; the cursor stands at `indent`, where later lines begin too. */
static void print_wrapped(const char *text, int indent)
{
    int column = indent;
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        int length = (int)strcspn(text, " "), space = column > indent;
        if (space && column + space + length > HELP_WIDTH) {
            printf("\n%*s", indent, "");
            column = indent, space = 0;
        }
        printf("%*s%.*s", space, "", length, text);
        column += space + length;
        text += length;
    }
    putchar('\n');
}

static void print_option(const char *name, const char *argument, const char *help)
{
    int column =
        printf("  %s%s%s%s", dashes(name), name, argument ? " " : "", argument ? argument : "");
    if (column + 2 > HELP_INDENT) {
        putchar('\n');
        column = 0;
    }
    printf("%*s", HELP_INDENT - column, "");
    print_wrapped(help, HELP_INDENT);
}

/* Line by line; indented lines as they are. */
static void print_details(const char *details)
{
    while (*details) {
        size_t length = strcspn(details, "\n");
        char *line = xstrndup(details, length);
        if (*line == ' ')
            puts(line);
        else
            print_wrapped(line, 0);
        free(line);
        details += length + (details[length] == '\n');
    }
}

void options_print_help(const struct command_help *help)
{
    printf("Usage: retort %s %s\n\n", help->command, help->usage);
    print_wrapped(help->summary, 0);
    printf("\nOptions:\n");
    for (const struct option *option = help->options; option->name; option++)
        print_option(option->name, option->argument, option->help);
    print_option("quiet", NULL, "no messages but warnings");
    print_option("help", NULL, "print this and do nothing");
    if (!help->details) return;
    putchar('\n');
    print_details(help->details);
}
