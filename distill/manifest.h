/* manifest.json: what a run was made from and with, so that it can be made again. */
#ifndef RETORT_MANIFEST_H
#define RETORT_MANIFEST_H

#include "distill/job_run.h"

/* Hashes of collection, teacher and every file of the run that a rerun reproduces; version,
 * processor, threads, precision, seed, the stages with their seconds, the picked point. */
int manifest_write(const struct job_run *run, const struct tap *picked, struct error *err);

#endif
