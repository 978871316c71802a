/* RUN/progress.tsv: what a run does now, or where it stopped; retort watch reads it, no result
 * depends on it.  One line below a header: the stage, since when, the work of it that counts
 * (scoring, a phase of training), how far that is and its rate.  It is written again at most once a
 * second, always whole, and is not there once every stage is done.
 *
 *     struct run_progress progress = {.folder = folder, .stage = "score"};
 *     run_progress_begin(&progress);   // every struct progress is written from here
 *     ...
 *     run_progress_end();              // to here
 */
#ifndef RETORT_RUN_PROGRESS_H
#define RETORT_RUN_PROGRESS_H

#include "data/base.h"

struct run_progress {
    const char *folder, *stage;
    double since; /* seconds since 1970; 0: not begun */
};

/* What cannot be written is silently not there: a run does not fail for it. */
void run_progress_begin(struct run_progress *progress); /* must live until the end */
void run_progress_end(void);
/* After the last stage that was asked for; stage: the next one that is not done, NULL: none. */
void run_progress_leave(const char *folder, const char *stage);

struct run_state {
    char stage[32]; /* "" where the folder has no progress.tsv */
    char what[64], unit[32];
    double since, done, total, per_second; /* NaN, for the last two: not known */
};
int run_state_read(struct run_state *out, const char *folder, struct error *err);

#endif
