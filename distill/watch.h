/* What a run's folder tells about the run, as text: for retort watch.
 *
 * All of it is read from plain files that the run writes anyway (marks of stages, training logs,
 * log.txt) and from progress.tsv; whether a process works in the folder, its lock says.
 */
#ifndef RETORT_WATCH_H
#define RETORT_WATCH_H

#include "data/base.h"

/* Appends a snapshot to *out: a line that says whether the run works, has finished or where it
 * stopped, a line a stage, training, the end of the log; of a run with --seeds also a line a seed,
 * and the same of the one in work.  rows: of the terminal, which the log
 * fills; 0: not known.  Fails where the folder is no run's. */
int watch_snapshot(struct text *out, bool *working, const char *folder, int rows,
                   struct error *err);

#endif
