/* data/options: parsing, errors and suggestions. */
#define _GNU_SOURCE
#include "tests/support.h"

#include "data/options.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    bool flag;
    int layers, threads;
    double rate;
    const char *model;
    struct string_list set;
} values;

static const struct option options[] = {
    {"q", OPTION_FLAG, &values.flag, NULL, "per query"},
    {"layers", OPTION_INT, &values.layers, "L", "stop after block L"},
    {"rate", OPTION_DOUBLE, &values.rate, "R", "a rate"},
    {"model", OPTION_STRING, &values.model, "DIR", "the model's folder"},
    {"set", OPTION_LIST, &values.set, "KEY=VALUE", "set a key"},
    OPTION_THREADS(&values.threads),
    {0},
};
static const struct command_help help = {"embed", "[OPTIONS] [TEXTS]", "embed texts", options,
                                         NULL};

static void reset(void)
{
    free(values.set.items);
    memset(&values, 0, sizeof values);
}

START_TEST(options_stand_anywhere)
{
    reset();
    struct error err = {0};
    char *argv[] = {"embed",      "first",    "--layers", "3",         "-",  "-q",
                    "--rate=0.5", "--set",    "a.b=-1",   "--model",   "-x", "second",
                    "--",         "--layers", "-q",       "--set=c=d", NULL};
    int argc = sizeof argv / sizeof *argv - 1;
    int first = options_parse(&help, argc, argv, &err);
    ck_assert_msg(first > 0, "%s", err.message);
    ck_assert_int_eq(argc - first, 6);
    const char *operands[] = {"first", "-", "second", "--layers", "-q", "--set=c=d"};
    for (int i = 0; i < 6; i++) ck_assert_str_eq(argv[first + i], operands[i]);
    ck_assert_int_eq(values.layers, 3);
    ck_assert_double_eq(values.rate, 0.5);
    ck_assert_str_eq(values.model, "-x");
    ck_assert(values.flag);
    ck_assert_uint_eq(values.set.count, 1);
    ck_assert_str_eq(values.set.items[0], "a.b=-1");
}
END_TEST

START_TEST(no_arguments_are_no_operands)
{
    reset();
    struct error err = {0};
    char *argv[] = {"embed", NULL};
    ck_assert_int_eq(options_parse(&help, 1, argv, &err), 1);
}
END_TEST

static void check_bad(const char *a, const char *b, const char *word, const char *other)
{
    reset();
    struct error err = {0};
    char *argv[] = {"embed", (char *)a, (char *)b, NULL};
    int first = options_parse(&help, b ? 3 : 2, argv, &err);
    ck_assert_int_eq(first, -1);
    check_failed(first, &err, STATUS_USAGE, word, other);
}

START_TEST(mistakes_are_named)
{
    check_bad("--layer", "3", "unknown option --layer", "did you mean --layers?");
    check_bad("--layer=3", NULL, "unknown option --layer;", "--layers?");
    check_bad("--hlep", NULL, "--hlep", "--help?");
    check_bad("--quite", NULL, "--quite", "--quiet?");
    check_bad("--banana", NULL, "unknown option --banana", "retort embed --help");
    check_bad("-z", NULL, "unknown option -z", "--help");
    check_bad("--q", NULL, "unknown option --q", "--help");
    check_bad("-model", "x", "unknown option -model", "--model");
    check_bad("--layers", "three", "--layers", "\"three\" is not a whole number");
    check_bad("--layers", "3x", "--layers", "not a whole number");
    check_bad("--layers", "", "--layers", "not a whole number");
    check_bad("--layers", "-1", "--layers", "out of range");
    check_bad("--layers", "99999999999", "--layers", "out of range");
    check_bad("--rate", "nan", "--rate", "not a number");
    check_bad("--rate", "1e999", "--rate", "not a number");
    check_bad("--model", NULL, "--model needs a value", "--model DIR");
    check_bad("--set", NULL, "--set needs a value", "KEY=VALUE");
}
END_TEST

START_TEST(flags_take_no_value)
{
    reset();
    const struct option flags[] = {{"quick", OPTION_FLAG, &values.flag, NULL, "quick"}, {0}};
    const struct command_help quick = {"x", "", "x", flags, NULL};
    struct error err = {0};
    char *argv[] = {"x", "--quick=1", NULL};
    check_failed(options_parse(&quick, 2, argv, &err), &err, STATUS_USAGE,
                 "--quick takes no value");
    ck_assert(!values.flag);
}
END_TEST

START_TEST(help_is_no_error)
{
    reset();
    struct error err = {0};
    char *argv[] = {"embed", "--help", "--nonsense", NULL};
    ck_assert_int_eq(options_parse(&help, 3, argv, &err), OPTIONS_HELP);
    ck_assert_int_eq(err.status, 0);
}
END_TEST

/* What a page prints, freshly allocated. */
static char *page(const struct command_help *of, const char *form)
{
    FILE *before = stdout;
    char *bytes = NULL, argument[32];
    size_t length;
    struct error err = {0};
    snprintf(argument, sizeof argument, "--help=%s", form);
    char *argv[] = {"embed", argument, NULL};
    stdout = open_memstream(&bytes, &length);
    int status = options_parse(of, 2, argv, &err);
    fclose(stdout);
    stdout = before;
    ck_assert_int_eq(status, OPTIONS_HELP);
    return bytes;
}

START_TEST(pages_come_from_the_table)
{
    const struct option few[] = {
        {"q", OPTION_FLAG, &values.flag, NULL, "a model's [only]: \\"},
        {"top-k", OPTION_INT, &values.layers, "K", ".5 of all"},
        {"model", OPTION_STRING, &values.model, "DIR", "a folder"},
        {"set", OPTION_LIST, &values.set, "A:B", "a key"},
        {0},
    };
    const struct command_help tricky = {"embed", "[X]", "Embeds all.", few, "One.\n  x -1\nTwo."};
    char *man = page(&tricky, "man"), *bash = page(&tricky, "bash"), *zsh = page(&tricky, "zsh");
    const char *expected_man =
        ".TH RETORT\\-EMBED 1 \"\" \"retort " RETORT_VERSION "\" \"retort\"\n"
        ".SH NAME\nretort\\-embed \\- embeds all\n"
        ".SH SYNOPSIS\n\\fBretort embed\\fR [X]\n"
        ".SH DESCRIPTION\nEmbeds all.\n.PP\nOne.\n.PP\n.EX\n  x \\-1\n.EE\n.PP\nTwo.\n"
        ".SH OPTIONS\n"
        ".TP\n\\fB\\-q\\fR\na model\\(aqs [only]: \\e\n"
        ".TP\n\\fB\\-\\-top\\-k\\fR \\fIK\\fR\n\\&.5 of all\n"
        ".TP\n\\fB\\-\\-model\\fR \\fIDIR\\fR\na folder\n";
    ck_assert_msg(strncmp(man, expected_man, strlen(expected_man)) == 0, "%s", man);
    ck_assert_str_eq(bash, "    embed) options=' -q --top-k --model --set --quiet --help' ;;\n");
    const char *expected_zsh = "    (embed)\n        _arguments \\\n"
                               "            '-q[a model'\\''s \\[only\\]\\: \\\\]' \\\n"
                               "            '--top-k[.5 of all]:K: ' \\\n"
                               "            '--model[a folder]:DIR:_files -/' \\\n"
                               "            '*--set[a key]:A\\:B:_files' \\\n";
    ck_assert_msg(strncmp(zsh, expected_zsh, strlen(expected_zsh)) == 0, "%s", zsh);
    free(man);
    free(bash);
    free(zsh);
    check_bad("--help=pdf", NULL, "--help=pdf is unknown", "man, bash or zsh");
}
END_TEST

START_TEST(nearest_is_a_slip_or_nothing)
{
    const char *names[] = {"run", "plan", "score", "embed", "evaluate", "distill.epochs"};
    const struct {
        const char *word, *nearest;
    } rows[] = {
        {"rnu", "run"},
        {"paln", "plan"},
        {"scores", "score"},
        {"eval", "evaluate"},
        {"embde", "embed"},
        {"distill.epoch", "distill.epochs"},
        {"bananas", NULL},
        {"e", NULL},
        {"", NULL},
        {"evaluations", NULL},
        {"evalaute", "evaluate"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *nearest = nearest_name(rows[i].word, names, 6);
        ck_assert_msg((!nearest && !rows[i].nearest) ||
                          (nearest && rows[i].nearest && strcmp(nearest, rows[i].nearest) == 0),
                      "%s: %s, expected %s", rows[i].word, nearest ? nearest : "nothing",
                      rows[i].nearest ? rows[i].nearest : "nothing");
    }
    char lengthy[1000];
    memset(lengthy, 'x', sizeof lengthy - 1), lengthy[sizeof lengthy - 1] = '\0';
    ck_assert_ptr_null(nearest_name(lengthy, names, 6));
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(options_stand_anywhere),
        TEST(no_arguments_are_no_operands),
        TEST(mistakes_are_named),
        TEST(flags_take_no_value),
        TEST(help_is_no_error),
        TEST(pages_come_from_the_table),
        TEST(nearest_is_a_slip_or_nothing),
        {0},
    };
    return run_tests("data/options", rows);
}
