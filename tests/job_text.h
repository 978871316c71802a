/* Reading a job of a text, for tests. */
#ifndef RETORT_TESTS_JOB_TEXT_H
#define RETORT_TESTS_JOB_TEXT_H

#include "distill/job.h"

/* settings: of --set, up to a NULL; NULL: none.  Messages call the text "slim.yaml". */
int read_job_text(struct job *out, const char *yaml, const char *const *settings,
                  struct error *err);

#endif
