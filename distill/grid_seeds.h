/* The grid over several seeds: each cell's mean over the grids of runs that differ in their
 * training's seed alone, and the deviation between them.
 *
 *     struct grid grids[3], mean;
 *     ... grid_read(&grids[i], "runs/x/seed-13/grid.tsv", err) ...
 *     if (grid_over_seeds(&mean, grids, 3, err)) return -1;
 *     if (grid_seeds_write(&mean, "runs/x/grid_seeds.tsv", err)) return -1;
 *
 * The file has a line for each cell: system, layers, dim, measure, mean, deviation, seeds.  The
 * deviation is that of a sample, with n - 1 below the root; empty where there is one seed.
 */
#ifndef RETORT_GRID_SEEDS_H
#define RETORT_GRID_SEEDS_H

#include "distill/grid.h"

/* Rows and their order are those of the first grid; fails where another lacks one, or has other
 * measures.  Intervals and costs, which are one run's, are not in it. */
int grid_over_seeds(struct grid *out, const struct grid *grids, int count, struct error *err);
int grid_seeds_write(const struct grid *grid, const char *path, struct error *err);
/* No rows where there is no such file. */
int grid_seeds_read(struct grid *out, const char *path, struct error *err);

#endif
