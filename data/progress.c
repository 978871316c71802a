/* Messages and progress on stderr, and the flag that SIGINT and SIGTERM set: see progress.h. */
#define _GNU_SOURCE
#include "data/progress.h"
#include "data/base.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static struct {
    pthread_mutex_t mutex; /* workers may warn too */
    bool quiet;
    bool line_is_drawn; /* a progress line stands on the terminal and must be wiped first */
    FILE *log;
    progress_observer *observer;
    void *observer_arg;
} state = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* ---- messages ---- */

static void log_line(const char *line)
{
    char stamp[32];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &utc);
    fprintf(state.log, "%s %s\n", stamp, line);
    fflush(state.log);
}

static void say(const char *prefix, bool silenced, const char *format, va_list arguments)
{
    char line[4096];
    int used = snprintf(line, sizeof line, "%s", prefix);
    vsnprintf(line + used, sizeof line - (size_t)used, format, arguments);
    pthread_mutex_lock(&state.mutex);
    if (!silenced) {
        fprintf(stderr, "%sretort: %s\n", state.line_is_drawn ? "\r\033[K" : "", line);
        state.line_is_drawn = false;
    }
    if (state.log) log_line(line);
    pthread_mutex_unlock(&state.mutex);
}

void note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say("", state.quiet, format, arguments);
    va_end(arguments);
}

void warn(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say("warning: ", false, format, arguments);
    va_end(arguments);
}

void messages_quiet(bool quiet)
{
    state.quiet = quiet;
}

int messages_log(const char *path, struct error *err)
{
    FILE *log = NULL;
    if (path && !(log = fopen(path, "ae"))) return fail_errno(err, "%s: cannot open the log", path);
    pthread_mutex_lock(&state.mutex);
    if (state.log) fclose(state.log);
    state.log = log;
    pthread_mutex_unlock(&state.mutex);
    return 0;
}

/* ---- progress ---- */

const char *duration_words(char out[DURATION_SIZE], double seconds)
{
    long whole = (long)(seconds + 0.5);
    if (seconds < 9.95)
        snprintf(out, DURATION_SIZE, "%.1f s", seconds);
    else if (whole < 60)
        snprintf(out, DURATION_SIZE, "%ld s", whole);
    else if (whole < 3600)
        snprintf(out, DURATION_SIZE, "%ld min %02ld s", whole / 60, whole % 60);
    else
        snprintf(out, DURATION_SIZE, "%ld h %02ld min", whole / 3600, whole / 60 % 60);
    return out;
}

static bool on_terminal(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0);
}

static double rate(const struct progress *progress, double now)
{
    double elapsed = now - progress->started;
    return elapsed > 0 ? (double)(progress->done - progress->skipped) / elapsed : 0;
}

double progress_rate(const struct progress *progress)
{
    return rate(progress, seconds_now());
}

/* Digits that suit the size: 3.14, 31.4, 314. */
static int rate_digits(double per_second)
{
    return per_second < 10 ? 2 : per_second < 100 ? 1 : 0;
}

void progress_line(char line[PROGRESS_LINE], const struct progress *progress, double per_second)
{
    char left[DURATION_SIZE];
    size_t size = PROGRESS_LINE;
    int used;
    if (progress->total)
        used = snprintf(line, size, "%s: %zu of %zu %s (%.0f%%)", progress->what, progress->done,
                        progress->total, progress->unit,
                        100.0 * (double)progress->done / (double)progress->total);
    else
        used = snprintf(line, size, "%s: %zu %s", progress->what, progress->done, progress->unit);
    if (per_second > 0 && used >= 0 && (size_t)used < size)
        used += snprintf(line + used, size - (size_t)used, ", %.*f/s", rate_digits(per_second),
                         per_second);
    if (per_second > 0 && progress->total > progress->done && (size_t)used < size)
        snprintf(line + used, size - (size_t)used, ", %s left",
                 duration_words(left, (double)(progress->total - progress->done) / per_second));
}

static void draw(struct progress *progress, double now)
{
    char line[PROGRESS_LINE];
    progress_line(line, progress, rate(progress, now));
    struct winsize window;
    int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 ? window.ws_col : 0;
    if (width < 20) width = 80;
    pthread_mutex_lock(&state.mutex);
    fprintf(stderr, "\r\033[K%.*s", width - 1, line); /* a wrapped line could not be wiped */
    state.line_is_drawn = true;
    pthread_mutex_unlock(&state.mutex);
    progress->drawn = now;
}

void progress_observe(progress_observer *observer, void *arg)
{
    state.observer = observer;
    state.observer_arg = arg;
}

static void show(struct progress *progress, double now)
{
    progress->shown = now;
    if (state.observer) state.observer(state.observer_arg, progress);
}

void progress_start(struct progress *progress, const char *what, const char *unit, size_t total,
                    size_t already_done)
{
    *progress = (struct progress){.what = what,
                                  .unit = unit,
                                  .total = total,
                                  .done = already_done,
                                  .skipped = already_done,
                                  .started = seconds_now()};
    show(progress, progress->started);
}

void progress_add(struct progress *progress, size_t more)
{
    progress->done += more;
    double now = seconds_now();
    if (now - progress->shown >= 1) show(progress, now);
    if (!state.quiet && now - progress->drawn >= 0.1 && on_terminal()) draw(progress, now);
}

void progress_end(struct progress *progress)
{
    char took[DURATION_SIZE];
    double now = seconds_now(), speed = rate(progress, now);
    size_t done = progress->done - progress->skipped;
    show(progress, now);
    if (!progress->done && !progress->total) return; /* it never began: its error says why */
    duration_words(took, now - progress->started);
    if (progress->done < progress->total)
        note("%s: stopped at %zu of %zu %s after %s", progress->what, progress->done,
             progress->total, progress->unit, took);
    else if (progress->skipped)
        note("%s: %zu %s (%zu were there already) in %s, %.*f/s", progress->what, done,
             progress->unit, progress->skipped, took, rate_digits(speed), speed);
    else
        note("%s: %zu %s in %s, %.*f/s", progress->what, done, progress->unit, took,
             rate_digits(speed), speed);
}

/* ---- interruption ---- */

static volatile sig_atomic_t was_interrupted;

static void on_signal(int number)
{
    static const char text[] = "\nretort: stopping at the next safe place; once more to stop now\n";
    if (was_interrupted) {
        signal(number, SIG_DFL);
        raise(number); /* is delivered when this handler returns */
        return;
    }
    was_interrupted = 1;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) return;
}

void interrupt_install(void)
{
    const int numbers[] = {SIGINT, SIGTERM};
    /* Without SA_RESTART a signal would look like a failed read or write to every library. */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < 2; i++)
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL); /* nohup's SIG_IGN stays */
}

bool interrupted(void)
{
    return was_interrupted;
}
