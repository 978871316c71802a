/* RUN/report.html: one page that shows a run, made of the plain files of its folder and of the
 * collection, with nothing else to load.  The same folder gives the same bytes; what a run has not
 * reached yet is named in its place.
 */
#ifndef RETORT_REPORT_H
#define RETORT_REPORT_H

#include "distill/job_run.h"

/* folder: of a run, whose job.yaml was read as job.  collection: the job's, or NULL, and
 * no_collection says why there are no texts.  output: a path, "-" is stdout.  Fails where a file of
 * the run cannot be read as what it should be. */
int report_write(const struct job *job, const char *folder, const struct collection *collection,
                 const char *no_collection, const char *output, struct error *err);

#endif
