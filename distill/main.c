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
#include "data/sample_command.h"
#include "distill/embed_command.h"
#include "distill/evaluate_command.h"
#include "distill/export_command.h"
#include "distill/inspect_command.h"
#include "distill/plan_command.h"
#include "distill/report_command.h"
#include "distill/run_command.h"
#include "distill/versions.h"
#include "distill/teach_command.h"
#include "distill/watch_command.h"
#include "student/index_command.h"
#include "student/search_command.h"
#include "teacher/rerank_command.h"
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
    {"teach", teach_command, "make a cross-encoder from labels or scored pairs"},
    {"score", score_command, "score query/document pairs with a cross-encoder"},
    {"rerank", rerank_command, "put a run's documents in a cross-encoder's order"},
    {"embed", embed_command, "embed texts, one a line, to a .npy file"},
    {"index", index_command, "embed a collection's documents for search"},
    {"search", search_command, "find the nearest documents of queries in an index"},
    {"metrics", metrics_command, "print trec_eval's measures of a run"},
    {"evaluate", evaluate_command, "measure a dual encoder at every size on a collection"},
    {"export", export_command, "write a dual encoder of chosen layers and dimensions"},
    {"report", report_command, "write a page that shows a run"},
    {"inspect", inspect_command, "say what a model, collection, run, ... is"},
    {"sample", sample_command, "write a small collection to try everything on"},
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
            "\nretort COMMAND --help explains a command, retort --version names this version\n"
            "and those of its libraries.\n"
            "--help=man prints a manual page, retort --help=bash and =zsh completion scripts.\n"
            "Exit status: 0 done, 1 a file or its content is wrong, 2 the call or the job "
            "file is\nwrong, 130 interrupted.\n");
}

/* ---- pages about the program: each command prints its own part, from its table of options ---- */

static void print_man(void)
{
    printf(".TH RETORT 1 \"\" \"retort %s\" \"retort\"\n.SH NAME\n"
           "retort \\- distils a re\\-ranker into a retriever\n.SH SYNOPSIS\n"
           "\\fBretort\\fR \\fICOMMAND\\fR [OPTIONS] ...\n.SH DESCRIPTION\n"
           "Distils a cross\\-encoder into a slim dual encoder of chosen layers and dimensions.\n"
           "Data goes through standard input and output, messages through standard error.\n"
           ".SH COMMANDS\n",
           RETORT_VERSION);
    for (const struct command *command = commands; command->name; command++) {
        printf(".TP\n.BR retort\\-%s (1)\n", command->name);
        roff_print(command->summary, strlen(command->summary));
        putchar('\n');
    }
    puts(".SH EXIT STATUS\n0 done, 1 a file or its content is wrong, 2 the call or the job file is "
         "wrong, 130 interrupted.");
}

static void print_names(const char *separator)
{
    for (const struct command *command = commands; command->name; command++)
        printf("%s%s", command->name, separator);
}

static int print_parts(const char *option, struct error *err)
{
    for (const struct command *command = commands; command->name; command++) {
        char *argv[] = {(char *)command->name, (char *)option, NULL};
        if (command->run(2, argv, err)) return -1;
    }
    return 0;
}

static int print_bash(struct error *err)
{
    printf("# bash completion of retort %s\n_retort()\n{\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} options=\n    COMPREPLY=()\n"
           "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
           "        COMPREPLY=($(compgen -W '",
           RETORT_VERSION);
    print_names(" ");
    printf("--help --version' -- \"$word\"))\n        return\n    fi\n"
           "    case ${COMP_WORDS[1]} in\n");
    if (print_parts("--help=bash", err)) return -1;
    puts("    esac\n    case $word in\n"
         "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n    esac\n}\n"
         "complete -o default -F _retort retort");
    return 0;
}

static int print_zsh(struct error *err)
{
    printf("#compdef retort\n# zsh completion of retort %s\nlocal -a commands\ncommands=(\n",
           RETORT_VERSION);
    for (const struct command *command = commands; command->name; command++) {
        printf("    '%s:", command->name);
        zsh_print(command->summary);
        puts("'");
    }
    puts("    '--help:list the commands'\n    '--version:name this version'\n)\n"
         "if (( CURRENT == 2 )); then\n    _describe command commands\n    return\nfi\n"
         "shift words\n(( CURRENT-- ))\ncase $words[1] in");
    if (print_parts("--help=zsh", err)) return -1;
    puts("esac");
    return 0;
}

static int print_page(const char *form, struct error *err)
{
    if (strcmp(form, "bash") == 0) return print_bash(err);
    if (strcmp(form, "zsh") == 0) return print_zsh(err);
    if (strcmp(form, "man") == 0)
        print_man();
    else if (strcmp(form, "commands") == 0)
        print_names("\n");
    else
        return fail_usage(err, "--help=%s is unknown; it is man, bash, zsh or commands", form);
    return 0;
}

/* ---- calls ---- */

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
    struct error err = {0};
    if (strcmp(option, "--version") == 0)
        versions_print();
    else if (strcmp(option, "--help") == 0 || strcmp(option, "-h") == 0)
        print_usage(stdout);
    else if (strncmp(option, "--help=", 7) == 0)
        print_page(option + 7, &err);
    else
        fail_usage(&err, "unknown option %s; retort --help says more", option);
    if (!err.status) close_stdout(&err);
    if (err.status) fprintf(stderr, "retort: %s\n", err.message);
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
