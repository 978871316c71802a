#define _GNU_SOURCE
#include "distill/watch_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "data/options.h"
#include "data/progress.h"
#include "distill/watch.h"

/* The alternate screen, so that what stood on the terminal comes back; no cursor; long lines are
 * cut at its edge. */
static const char enter_screen[] = "\033[?1049h\033[?25l\033[?7l";
static const char leave_screen[] = "\033[?7h\033[?25h\033[?1049l";

static int print_once(const char *folder, bool *working, struct error *err)
{
    struct text out = {0};
    int status = watch_snapshot(&out, working, folder, 0, err);
    if (!status) fwrite(out.bytes, 1, out.length, stdout);
    text_free(&out);
    return status;
}

static int terminal_rows(void)
{
    struct winsize window;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_row > 0;
    return known ? window.ws_row : 24;
}

/* Over what stood there before: nothing flickers. */
static void draw(const struct text *snapshot, int rows)
{
    const char *line = snapshot->bytes;
    printf("\033[H");
    for (int row = 1; *line && row < rows; row++) {
        size_t length = strcspn(line, "\n");
        printf("%.*s\033[K\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
    printf("\033[J");
    fflush(stdout);
}

static int redraw(const char *folder, bool *working, struct error *err)
{
    struct text out = {0};
    int rows = terminal_rows(), status = watch_snapshot(&out, working, folder, rows, err);
    if (!status) draw(&out, rows);
    text_free(&out);
    return status;
}

static int watch_live(const char *folder, struct error *err)
{
    const struct timespec second = {.tv_sec = 1};
    bool working = true;
    int status = 0;
    interrupt_install();
    printf("%s", enter_screen);
    while (!status && working && !interrupted()) {
        status = redraw(folder, &working, err);
        if (!status && working) nanosleep(&second, NULL); /* a signal ends it */
    }
    printf("%s", leave_screen);
    fflush(stdout);
    if (!interrupted()) return status ? status : print_once(folder, &working, err);
    *err = (struct error){0}; /* what an interrupted read says */
    fail(err, "interrupted; the run is not");
    err->status = STATUS_INTERRUPTED;
    return -1;
}

static bool can_redraw(void)
{
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
}

int watch_command(int argc, char **argv, struct error *err)
{
    bool once = false, working;
    const struct option options[] = {
        {"once", OPTION_FLAG, &once, NULL, "print one snapshot and end, also on a terminal"},
        {0},
    };
    const struct command_help help = {
        .command = "watch",
        .usage = "[--once] RUN",
        .summary = "Shows how far a run is, from the files in its folder: what each stage took, "
                   "how fast the present one goes and how long it has to go, losses and dev "
                   "quality of the training, the end of the log.",
        .options = options,
        .details = "On a terminal it is drawn again every second until the run ends; Ctrl-C ends "
                   "the watching, not the run.  Elsewhere it is printed once.  Where nobody works "
                   "in the folder it says where the run stopped.",
    };
    int first = options_parse(&help, argc, argv, err);
    if (first < 0) return first == OPTIONS_HELP ? 0 : -1;
    if (argc - first != 1) return fail_usage(err, "give one RUN, the folder of a job's run");
    const char *folder = argv[first];
    return once || !can_redraw() ? print_once(folder, &working, err) : watch_live(folder, err);
}
