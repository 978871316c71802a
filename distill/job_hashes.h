/* What a run depends on, by content: a stage runs again where one of these changes. */
#ifndef RETORT_JOB_HASHES_H
#define RETORT_JOB_HASHES_H

#include "distill/job_run.h"

/* Of texts, judgements and pairs, in their order. */
void hash_collection(char hex[33], const struct collection *collection);
/* Of the models, scores and vectors that run->job names, into run->*_hash; opens the teacher. */
int hash_models(struct job_run *run, struct error *err);

#endif
