/* data/progress: what is said on stderr, on a terminal and off it, and the interruption flag. */
#define _GNU_SOURCE
#include "data/progress.h"
#include "data/output.h"
#include "tests/support.h"

#include <fcntl.h>
#include <regex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* Runs talk with stderr going to descriptor. */
static void with_stderr(int descriptor, void (*talk)(void))
{
    int saved = dup(STDERR_FILENO);
    fflush(stderr);
    dup2(descriptor, STDERR_FILENO);
    talk();
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
}

/* What talk says on a stderr that is a file; freshly allocated. */
static char *said(void (*talk)(void))
{
    struct error err = {0};
    struct text text = {0};
    char *path = path_join(scratch_folder(), "stderr");
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    with_stderr(file, talk);
    close(file);
    check_ok(read_whole_file(&text, path, 1 << 20, &err), &err);
    free(path);
    return text.bytes;
}

/* The same on a terminal, 60 columns wide; NULL, loudly, where the machine gives us none. */
static char *said_on_terminal(void (*talk)(void))
{
    struct winsize size = {.ws_row = 24, .ws_col = 60};
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0) {
        perror("SKIPPED: a test needs a pseudo-terminal");
        return NULL;
    }
    char *bytes = xcalloc(65536, 1);
    ck_assert(grantpt(master) == 0 && unlockpt(master) == 0);
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    struct termios settings;
    tcgetattr(terminal, &settings);
    cfmakeraw(&settings);
    tcsetattr(terminal, TCSANOW, &settings);
    ioctl(terminal, TIOCSWINSZ, &size);
    setenv("TERM", "xterm", 1);
    with_stderr(terminal, talk);
    size_t length = 0;
    ck_assert_int_eq(write(terminal, "\4", 1), 1); /* marks the end */
    while (length == 0 || bytes[length - 1] != '\4') {
        ssize_t got = read(master, bytes + length, 65535 - length);
        ck_assert_int_gt(got, 0);
        length += (size_t)got;
    }
    bytes[length - 1] = '\0';
    close(terminal);
    close(master);
    return bytes;
}

static void assert_matches(const char *string, const char *pattern)
{
    regex_t regex;
    REQUIRE(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) == 0);
    ck_assert_msg(regexec(&regex, string, 0, NULL, 0) == 0, "\"%s\" does not match \"%s\"", string,
                  pattern);
    regfree(&regex);
}

static void note_and_warn(void)
{
    note("read %d documents", 7);
    warn("%s is odd", "x");
}

START_TEST(messages_are_one_line_each)
{
    char *text = said(note_and_warn);
    ck_assert_str_eq(text, "retort: read 7 documents\nretort: warning: x is odd\n");
    free(text);
    messages_quiet(true);
    text = said(note_and_warn);
    messages_quiet(false);
    ck_assert_str_eq(text, "retort: warning: x is odd\n");
    free(text);
}
END_TEST

START_TEST(the_log_gets_messages_with_a_time)
{
    struct error err = {0};
    struct text text = {0};
    char *path = path_join(scratch_folder(), "log.txt");
    check_ok(messages_log(path, &err), &err);
    messages_quiet(true); /* the log hears more than the terminal */
    free(said(note_and_warn));
    messages_quiet(false);
    check_ok(read_whole_file(&text, path, 1000, &err), &err);
    size_t length = text.length; /* a killed process must not lose them */
    check_ok(messages_log(NULL, &err), &err);
    free(said(note_and_warn));
    check_ok(read_whole_file(&text, path, 1000, &err), &err);
    ck_assert_uint_eq(text.length, length);
    assert_matches(text.bytes, "^20[0-9-]{8}T[0-9:]{8}Z read 7 documents\n"
                               "20[0-9-]{8}T[0-9:]{8}Z warning: x is odd\n$");
    check_failed(messages_log("/no/such/log", &err), &err, STATUS_WORLD, "/no/such/log", "log");
    text_free(&text);
    free(path);
}
END_TEST

static void finish_work(void)
{
    struct progress progress;
    progress_start(&progress, "scoring", "pairs", 500, 100);
    for (int i = 0; i < 400; i++) progress_add(&progress, 1);
    progress_end(&progress);
}

static void stop_early(void)
{
    struct progress progress;
    progress_start(&progress, "scoring", "pairs", 500, 0);
    progress_add(&progress, 20);
    progress_end(&progress);
}

static void unknown_total(void)
{
    struct progress progress;
    progress_start(&progress, "reading", "lines", 0, 0);
    progress.started -= 100; /* as if it had taken 100 s */
    progress_add(&progress, 314);
    progress_end(&progress);
}

START_TEST(off_a_terminal_there_is_one_line_at_the_end)
{
    char *text = said(finish_work);
    assert_matches(text, "^retort: scoring: 400 pairs \\(100 were there already\\) in "
                         "[0-9.]+ s, [0-9]+/s\n$");
    free(text);
    text = said(stop_early);
    assert_matches(text, "^retort: scoring: stopped at 20 of 500 pairs after [0-9.]+ s\n$");
    free(text);
    text = said(unknown_total);
    ck_assert_str_eq(text, "retort: reading: 314 lines in 1 min 40 s, 3.14/s\n");
    free(text);
}
END_TEST

static void half_of_an_hour(void)
{
    struct progress progress;
    progress_start(&progress, "scoring", "pairs", 1000, 200);
    progress.started -= 1000; /* 0.3 pairs a second, 500 to go */
    progress_add(&progress, 300);
    note("in between");
}

START_TEST(on_a_terminal_the_line_shows_rate_and_time_left)
{
    char *text = said_on_terminal(half_of_an_hour);
    if (!text) return;
    ck_assert_str_eq(text, "\r\033[Kscoring: 500 of 1000 pairs (50%), 0.30/s, 27 min 47 s left"
                           "\r\033[Kretort: in between\n");
    free(text);
    messages_quiet(true);
    text = said_on_terminal(half_of_an_hour);
    messages_quiet(false);
    ck_assert_str_eq(text, "");
    free(text);
}
END_TEST

static void long_name(void)
{
    struct progress progress;
    progress_start(&progress, "a name so long that the line would be wrapped by the terminal",
                   "pairs", 0, 0);
    progress_add(&progress, 1);
}

START_TEST(a_drawn_line_is_cut_to_the_width)
{
    char *text = said_on_terminal(long_name);
    if (!text) return;
    ck_assert_str_eq(text, "\r\033[Ka name so long that the line would be wrapped by the termin");
    free(text);
    note("wiped");
}
END_TEST

/* A child that polls the flag, then works on: how it ends after num_signals SIGINTs. */
static int end_after_signals(int num_signals)
{
    int ready[2];
    char byte;
    int status;
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO);
        interrupt_install();
        REQUIRE(!interrupted());
        if (write(ready[1], "x", 1) != 1) _exit(1);
        while (!interrupted()) usleep(1000);
        if (write(ready[1], "y", 1) != 1) _exit(1);
        for (int i = 0; num_signals > 1 && i < 10000; i++) usleep(1000);
        _exit(STATUS_INTERRUPTED);
    }
    for (int i = 0; i < num_signals; i++) {
        ck_assert_int_eq(read(ready[0], &byte, 1), 1);
        kill(child, i ? SIGTERM : SIGINT);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    close(ready[0]), close(ready[1]);
    return status;
}

START_TEST(the_first_signal_sets_the_flag_and_the_second_kills)
{
    int status = end_after_signals(1);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), STATUS_INTERRUPTED);
    status = end_after_signals(2);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGTERM);
}
END_TEST

START_TEST(an_ignored_signal_stays_ignored)
{
    signal(SIGINT, SIG_IGN);
    interrupt_install();
    raise(SIGINT);
    ck_assert(!interrupted());
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(messages_are_one_line_each),
        TEST(the_log_gets_messages_with_a_time),
        TEST(off_a_terminal_there_is_one_line_at_the_end),
        TEST(on_a_terminal_the_line_shows_rate_and_time_left),
        TEST(a_drawn_line_is_cut_to_the_width),
        TEST(the_first_signal_sets_the_flag_and_the_second_kills),
        TEST(an_ignored_signal_stays_ignored),
        {0},
    };
    return run_tests("data/progress", rows);
}
