/* retort: the one table of commands.  Each command is NAME_command() in the folder whose work it
 * does; here is only what they have in common: --help, the error line, the exit status, and that a
 * full disk behind stdout is noticed.
 *
 * SIGPIPE keeps its default action: `retort score ... | head` ends quietly, as cat does. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/metrics_command.h"
#include "data/options.h"
#include "distill/embed_command.h"
#include "distill/evaluate_command.h"
#include "distill/export_command.h"
#include "distill/inspect_command.h"
#include "distill/plan_command.h"
#include "distill/report_command.h"
#include "distill/run_command.h"
#include "distill/watch_command.h"
#include "student/index_command.h"
#include "student/search_command.h"
#include "teacher/score_command.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv, struct error *err);
    const char *summary;
};

static const struct command commands[] = {
    {"run", run_command, "do what is not yet done of a job"},
    {"watch", watch_command, "show how far a run is"},
    {"plan", plan_command, "check a job and say what it will do and cost"},
    {"score", score_command, "score query/document pairs with a cross-encoder"},
    {"embed", embed_command, "embed texts, one a line, to a .npy file"},
    {"index", index_command, "embed a collection's documents for search"},
    {"search", search_command, "find the nearest documents of queries in an index"},
    {"metrics", metrics_command, "print trec_eval's measures of a run"},
    {"evaluate", evaluate_command, "measure a dual encoder at every size on a collection"},
    {"export", export_command, "write a dual encoder of chosen layers and dimensions"},
    {"report", report_command, "write a page that shows a run"},
    {"inspect", inspect_command, "say what a model, collection, run, ... is"},
    {0},
};

enum { MAX_COMMANDS = sizeof commands / sizeof *commands };

static void print_usage(FILE *file)
{
    fprintf(file, "Usage: retort COMMAND [OPTIONS] ...\n\n"
                  "Distils a cross-encoder into a slim dual encoder of chosen layers and "
                  "dimensions.\n\n"
                  "Commands:\n");
    for (const struct command *command = commands; command->name; command++)
        fprintf(file, "  %-10s %s\n", command->name, command->summary);
    fprintf(file,
            "\nretort COMMAND --help explains a command, retort --version names this version.\n"
            "Exit status: 0 done, 1 a file or its content is wrong, 2 the call or the job "
            "file is\nwrong, 130 interrupted.\n");
}

static const struct command *find_command(const char *name)
{
    for (const struct command *command = commands; command->name; command++)
        if (strcmp(command->name, name) == 0) return command;
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[MAX_COMMANDS];
    size_t count = 0;
    for (const struct command *command = commands; command->name; command++)
        names[count++] = command->name;
    const char *nearest = nearest_name(name, names, count);
    if (nearest)
        fprintf(stderr, "retort: unknown command %s; did you mean %s?\n", name, nearest);
    else
        fprintf(stderr, "retort: unknown command %s; retort --help lists them\n", name);
    return STATUS_USAGE;
}

/* What was printed may still be in a buffer, and a full disk shows only when it is written. */
static int close_stdout(struct error *err)
{
    errno = 0;
    bool failed = ferror(stdout) != 0;
    if (fclose(stdout) != 0) failed = true;
    if (!failed) return 0;
    return errno ? fail_errno(err, "standard output: cannot be written")
                 : fail(err, "standard output: cannot be written");
}

static int run_one(const struct command *command, int argc, char **argv)
{
    struct error err = {0};
    if (command->run(argc, argv, &err) == 0)
        close_stdout(&err);
    else
        REQUIRE(err.status != 0);
    if (err.status) fprintf(stderr, "retort %s: %s\n", command->name, err.message);
    return err.status;
}

static int general(const char *option)
{
    if (strcmp(option, "--version") == 0)
        printf("retort %s\n", RETORT_VERSION);
    else if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0)
        print_usage(stdout);
    else {
        fprintf(stderr, "retort: unknown option %s; retort --help says more\n", option);
        return STATUS_USAGE;
    }
    struct error err = {0};
    if (close_stdout(&err)) fprintf(stderr, "retort: %s\n", err.message);
    return err.status;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_DFL);
    if (argc < 2) {
        print_usage(stderr);
        return STATUS_USAGE;
    }
    if (argv[1][0] == '-') return general(argv[1]);
    const struct command *command = find_command(argv[1]);
    if (!command) return unknown_command(argv[1]);
    return run_one(command, argc - 1, argv + 1);
}
