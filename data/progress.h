/* Messages and progress, on stderr only.
 *
 * note() always prints one line ("retort: ..."); progress lines are drawn (with rate and time left)
 * only when stderr is a terminal, otherwise one plain line at the end of the work; --quiet silences
 * both, not warnings.
 */
#ifndef RETORT_PROGRESS_H
#define RETORT_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void messages_quiet(bool quiet);
/* Messages also go, with a time stamp, to this file until it is set to NULL (the log of a run). */
struct error;
int messages_log(const char *path, struct error *err);

struct progress {
    const char *what, *unit; /* "scoring", "pairs" */
    size_t total, done;      /* total 0: unknown */
    double started, drawn;   /* seconds_now */
    double shown;            /* to the observer */
    size_t skipped;          /* done before this run began; not counted in the rate */
};
void progress_start(struct progress *progress, const char *what, const char *unit, size_t total,
                    size_t already_done);
void progress_add(struct progress *progress, size_t more); /* from one thread at a time */
void progress_end(struct progress *progress);
double progress_rate(const struct progress *progress); /* items a second in this run */
enum { PROGRESS_LINE = 256 };
/* "scoring: 500 of 1000 pairs (50%), 0.30/s, 27 min 47 s left"; a rate of 0 is not known. */
void progress_line(char line[PROGRESS_LINE], const struct progress *progress, double per_second);
/* Also shown to an observer, on a terminal or not, quiet or not: at the start of each work, at most
 * once a second during it, and at its end, in the thread that does it.  NULL: to nobody. */
typedef void progress_observer(void *arg, const struct progress *progress);
void progress_observe(progress_observer *observer, void *arg);

enum { DURATION_SIZE = 32 };
/* "3.1 s", "42 s", "27 min 47 s", "3 h 05 min"; returns out. */
const char *duration_words(char out[DURATION_SIZE], double seconds);

/* Set by SIGINT and SIGTERM once interrupt_install was called; long loops poll it, save, and fail
 * with STATUS_INTERRUPTED.  interrupted() is async-signal-safe to read. */
void interrupt_install(void);
bool interrupted(void);

#endif
