/* The log of a training phase, RUN/train/PHASE.tsv (trainer.h), as curves: for the report and for
 * watching.
 *
 *     struct train_log log;
 *     int status = train_log_read(&log, "runs/scifact", "distil", err);
 *     ... log.series ...
 *     train_log_free(&log);
 */
#ifndef RETORT_TRAIN_LOG_H
#define RETORT_TRAIN_LOG_H

#include "data/base.h"

struct log_point {
    double step, value;
};
struct log_series {
    char *kind, *name; /* "train", "dev"; "info_nce", "ndcg_cut_10 (2, 64)", "spearman (2, 64)" */
    struct log_point *points; /* by step */
    size_t count, capacity;
};
struct train_log {
    struct log_series *series; /* in order of appearance, none empty */
    size_t count, capacity;
    double last_step;
};

extern const char *const train_phases[]; /* in their order, ends with NULL */

/* Empty where the phase has no log yet.  On failure *out holds the rows before the wrong one. */
int train_log_read(struct train_log *out, const char *folder, const char *phase, struct error *err);
int train_log_read_file(struct train_log *out, const char *path, struct error *err);
void train_log_free(struct train_log *log);
/* A part of the loss or their sum; not the rate and the gradient's norm. */
bool train_log_is_loss(const struct log_series *series);
/* Whether dev was measured at several taps: a student's phase. */
bool train_log_has_taps(const struct train_log *log);
/* What is measured on dev: "nDCG@10", "Spearman", or "dev" where there are no taps. */
const char *train_log_measure(const struct train_log *log);
/* "2, 64" for a tap's measure, "mean of the taps" ("dev" where there are none), or the name as it
 * is. */
const char *log_series_title(const struct train_log *log, const struct log_series *series);
/* The first highest mean of the dev measures, whose weights are kept; NULL: none. */
const struct log_point *train_log_best(const struct train_log *log);

#endif
