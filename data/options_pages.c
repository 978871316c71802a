/* The table of a command's options as a manual page and as its part of completion scripts: see
 * options.h. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/options.h"

/* What every command has beside its own. */
static const struct option common[] = {
    {"quiet", OPTION_FLAG, NULL, NULL, "no messages but warnings"},
    {"help", OPTION_FLAG, NULL, NULL, "print how the command is called and do nothing"},
    {0}};

static void each_option(const struct command_help *help, void (*print)(const struct option *))
{
    for (const struct option *option = help->options; option->name; option++) print(option);
    for (const struct option *option = common; option->name; option++) print(option);
}

static const char *dashes(const struct option *option)
{
    return option->name[1] ? "--" : "-";
}

/* ---- manual page ---- */

/* A minus that can be copied into a shell, not a hyphen; so with the quotes. */
static void roff_char(char c)
{
    static const char *const escaped[] = {['\\'] = "\\e",  ['-'] = "\\-",   ['\''] = "\\(aq",
                                          ['`'] = "\\(ga", ['^'] = "\\(ha", ['~'] = "\\(ti"};
    size_t code = (unsigned char)c;
    if (code < sizeof escaped / sizeof *escaped && escaped[code])
        fputs(escaped[code], stdout);
    else
        putchar(c);
}

void roff_print(const char *text, size_t length)
{
    if (length && *text == '.') fputs("\\&", stdout); /* no request */
    for (size_t i = 0; i < length; i++) roff_char(text[i]);
}

static void roff_line(const char *text)
{
    roff_print(text, strlen(text));
    putchar('\n');
}

static void man_option(const struct option *option)
{
    fputs(".TP\n\\fB", stdout);
    roff_print(dashes(option), strlen(dashes(option)));
    roff_print(option->name, strlen(option->name));
    fputs("\\fR", stdout);
    if (option->argument) {
        fputs(" \\fI", stdout);
        roff_print(option->argument, strlen(option->argument));
        fputs("\\fR", stdout);
    }
    putchar('\n');
    roff_line(option->help);
}

/* Indented lines stand as they are, each other line is a paragraph. */
static void man_details(const char *details)
{
    bool example = false;
    while (*details) {
        size_t length = strcspn(details, "\n");
        bool indented = *details == ' ';
        if (example && !indented) puts(".EE");
        if (!example && indented) puts(".PP\n.EX");
        if (!indented && length) puts(".PP");
        if (indented || length) {
            roff_print(details, length);
            putchar('\n');
        }
        example = indented;
        details += length + (details[length] == '\n');
    }
    if (example) puts(".EE");
}

/* The summary of --help as a sentence, or as what stands behind a name. */
static void man_summary(const char *summary, bool sentence)
{
    size_t length = strlen(summary);
    if (length && summary[length - 1] == '.') length--;
    if (!length) return;
    putchar(sentence ? toupper((unsigned char)*summary) : tolower((unsigned char)*summary));
    roff_print(summary + 1, length - 1);
    puts(sentence ? "." : "");
}

static void print_man(const struct command_help *help)
{
    fputs(".TH RETORT\\-", stdout);
    for (const char *c = help->command; *c; c++) putchar(toupper((unsigned char)*c));
    printf(" 1 \"\" \"retort %s\" \"retort\"\n.SH NAME\nretort\\-%s \\- ", RETORT_VERSION,
           help->command);
    man_summary(help->summary, false);
    printf(".SH SYNOPSIS\n\\fBretort %s\\fR ", help->command);
    roff_line(help->usage);
    puts(".SH DESCRIPTION");
    man_summary(help->summary, true);
    if (help->details) man_details(help->details);
    puts(".SH OPTIONS");
    each_option(help, man_option);
    puts(".SH EXIT STATUS\n0 done, 1 a file or its content is wrong, 2 the call or the job file is "
         "wrong, 130 interrupted.\n.SH SEE ALSO\n.BR retort (1)");
}

/* ---- completion ---- */

static void bash_option(const struct option *option)
{
    printf(" %s%s", dashes(option), option->name);
}

/* Of zsh's _arguments and _describe: a colon or bracket ends a field. */
void zsh_print(const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\'", stdout);
        else if (strchr("[]:\\", *text))
            putchar('\\');
        putchar(*text);
    }
}

static const char *zsh_action(const struct option *option)
{
    if (option->kind == OPTION_INT || option->kind == OPTION_DOUBLE) return " ";
    if (strcmp(option->argument, "DIR") == 0 || strcmp(option->argument, "INDEX") == 0)
        return "_files -/";
    return "_files";
}

static void zsh_option(const struct option *option)
{
    printf("            '%s%s%s[", option->kind == OPTION_LIST ? "*" : "", dashes(option),
           option->name);
    zsh_print(option->help);
    putchar(']');
    if (option->argument) {
        putchar(':');
        zsh_print(option->argument);
        printf(":%s", zsh_action(option));
    }
    puts("' \\");
}

static void print_bash(const struct command_help *help)
{
    printf("    %s) options='", help->command);
    each_option(help, bash_option);
    puts("' ;;");
}

static void print_zsh(const struct command_help *help)
{
    printf("    (%s)\n        _arguments \\\n", help->command);
    each_option(help, zsh_option);
    puts("            '*:file:_files'\n        ;;");
}

int options_print_page(const struct command_help *help, const char *form, struct error *err)
{
    if (strcmp(form, "man") == 0)
        print_man(help);
    else if (strcmp(form, "bash") == 0)
        print_bash(help);
    else if (strcmp(form, "zsh") == 0)
        print_zsh(help);
    else
        return fail_usage(err, "--help=%s is unknown; help comes as man, bash or zsh", form);
    return 0;
}
