/* The grid: what every system reaches at every (layers, dim), in quality, speed and memory; the
 * main result of a job.
 *
 *     struct grid grid = {0};
 *     grid_init(&grid, measures, num_measures);            // "ndcg_cut_10", ...
 *     struct grid_row *row = grid_add(&grid, "student", 3, 128);
 *     row->values[0] = bootstrap_mean(per_query, n, 2000, seed);
 *     row->bytes_per_vector = 512;
 *     if (grid_write(&grid, "runs/x/grid.tsv", err)) return -1;
 *
 * The file: one header line; columns system, layers, dim, then each measure with NAME_low and
 * NAME_high beside it, then texts_per_s, bytes_per_vector, ms_per_query.  A cell is empty where
 * there is no value (bm25 has no layers).
 */
#ifndef RETORT_GRID_H
#define RETORT_GRID_H

#include "data/metrics.h"

enum { GRID_MEASURES = 64 }; /* at most */
struct grid_row {
    char *system;    /* "student", "init", "no-teacher", "bm25", "teacher", "pca", a folder */
    int layers, dim; /* 0: does not apply */
    struct interval *values; /* [num_measures]; NaN: not measured */
    double *deviations;      /* [num_measures] in a grid over seeds (grid_seeds.h), else NULL */
    double texts_per_s, bytes_per_vector, ms_per_query; /* NaN: not measured */
    double model_parameters; /* NaN: not known; not in the file, for pick rules */
};
struct grid {
    char **measures;
    int num_measures;
    int seeds; /* over how many; 0: the grid of one run */
    struct grid_row *rows;
    size_t count, capacity;
};
void grid_init(struct grid *grid, const char *const *measures, int num_measures);
/* A new row, all values NaN; valid until the next grid_add. */
struct grid_row *grid_add(struct grid *grid, const char *system, int layers, int dim);
struct grid_row *grid_find(const struct grid *grid, const char *system, int layers,
                           int dim);                            /* or NULL */
int grid_measure(const struct grid *grid, const char *measure); /* its index, or -1 */
/* The distinct layers (or dims) of the system's points that have both, rising; allocated. */
int *grid_axis(const struct grid *grid, const char *system, bool dims, int *count);
void grid_free(struct grid *grid);

/* The measure's column name: trec_eval's of any spelling that measure_parse takes, or spearman,
 * pearson.  Another word: -1, name unchanged. */
int grid_measure_name(char name[32], const char *word);

int grid_write(const struct grid *grid, const char *path, struct error *err);
/* Errors name file and line: another header, a number that is none, the same system and point
 * twice. */
int grid_read(struct grid *out, const char *path, struct error *err);

/* ---- for people (grid_print.c) ---- */

enum grid_style { GRID_PLAIN, GRID_MARKDOWN };
/* All rows as one table, aligned; with intervals as ".6512 [.620 .682]", over seeds as
 * ".6512 +-.0034" and without costs. */
void grid_print(const struct grid *grid, enum grid_style style, bool intervals, struct text *out);
/* One measure of one system as a Markdown table, a line per number of layers, a column per dim.
 * Nothing where the system has no point with layers and dim. */
void grid_print_matrix(const struct grid *grid, const char *system, const char *measure,
                       bool intervals, struct text *out);

#endif
