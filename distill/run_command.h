/* retort run: does what is not yet done of a job. */
#ifndef RETORT_RUN_COMMAND_H
#define RETORT_RUN_COMMAND_H

#include "distill/job.h"

int run_command(int argc, char **argv, struct error *err);

/* Reads the job and does its stages up to and including `until` (NULL: all) in the folder `output`
 * (NULL: runs/NAME). */
int job_file_run(const char *path, const struct string_list *settings, const char *output,
                 const char *until, struct error *err);

#endif
