/* A job with several seeds of its training.
 *
 *     runs/NAME/              teacher, embed, mine, score: what no training's seed changes, once
 *       seed-13/ seed-14/     a whole run each, as retort run makes it with distill.seed 13,
 *                             14, ...; what is above is there by symbolic links
 *       grid_seeds.tsv        mean and deviation of every cell of their grids (grid_seeds.h)
 *
 * Teacher, splits and candidates are the same: the deviation is that of the student's training
 * alone.
 */
#ifndef RETORT_SEEDS_H
#define RETORT_SEEDS_H

#include "distill/job.h"

enum { MOST_SEEDS = 100 };
/* The first stage that each seed has for itself: a row of job_stages. */
size_t seeds_own_stage(void);
/* job_file_run for so many seeds, the first of them distill.seed. */
int seeds_run(const char *path, const struct string_list *settings, const char *output,
              const char *until, int count, struct error *err);

#endif
