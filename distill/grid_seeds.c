/* See grid_seeds.h. */
#include "distill/grid_seeds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "distill/tsv.h"

static const char HEADER[] = "system\tlayers\tdim\tmeasure\tmean\tdeviation\tseeds";

static void add_row(struct grid *grid, const char *system, int layers, int dim)
{
    struct grid_row *row = grid_add(grid, system, layers, dim);
    row->deviations = xcalloc((size_t)grid->num_measures, sizeof *row->deviations);
    for (int m = 0; m < grid->num_measures; m++) row->deviations[m] = NAN;
}

/* ---- means ---- */

static int add_mean(struct grid *out, const struct grid *grids, int count,
                    const struct grid_row *like, struct error *err)
{
    add_row(out, like->system, like->layers, like->dim);
    struct grid_row *row = &out->rows[out->count - 1];
    for (int m = 0; m < out->num_measures; m++) {
        double sum = 0, squares = 0;
        for (int pass = 0; pass < 2; pass++)
            for (int g = 0; g < count; g++) {
                const struct grid_row *one =
                    grid_find(&grids[g], like->system, like->layers, like->dim);
                if (!one)
                    return fail(err, "the grid of seed number %d has no %s at layers %d, dim %d",
                                g + 1, like->system, like->layers, like->dim);
                double value = one->values[m].mean, off = value - sum / count;
                if (pass == 0)
                    sum += value;
                else
                    squares += off * off;
            }
        row->values[m].mean = sum / count;
        if (count > 1) row->deviations[m] = sqrt(squares / (count - 1));
    }
    return 0;
}

int grid_over_seeds(struct grid *out, const struct grid *grids, int count, struct error *err)
{
    int status = 0;
    grid_init(out, (const char *const *)grids->measures, grids->num_measures);
    out->seeds = count;
    for (int g = 0; g < count && !status; g++) {
        bool same = grids[g].num_measures == out->num_measures;
        for (int m = 0; same && m < out->num_measures; m++)
            same = strcmp(grids[g].measures[m], out->measures[m]) == 0;
        if (!same) status = fail(err, "the grid of seed number %d has other measures", g + 1);
    }
    for (size_t r = 0; r < grids->count && !status; r++)
        status = add_mean(out, grids, count, &grids->rows[r], err);
    if (status) grid_free(out);
    return status;
}

/* ---- the file ---- */

int grid_seeds_write(const struct grid *grid, const char *path, struct error *err)
{
    struct output out = {0};
    if (output_open(&out, path, err)) return -1;
    output_printf(&out, "%s\n", HEADER);
    for (size_t r = 0; r < grid->count; r++)
        for (int m = 0; m < grid->num_measures; m++) {
            const struct grid_row *row = &grid->rows[r];
            output_printf(&out, "%s", row->system);
            tsv_write_count(&out, row->layers);
            tsv_write_count(&out, row->dim);
            output_printf(&out, "\t%s", grid->measures[m]);
            tsv_write_fixed(&out, row->values[m].mean, 6);
            tsv_write_fixed(&out, row->deviations[m], 6);
            tsv_write_count(&out, grid->seeds);
            output_printf(&out, "\n");
        }
    return output_commit(&out, err);
}

struct measure_list {
    char *names[GRID_MEASURES];
    int count;
};

static int note_measure(void *arg, struct lines *lines, char **cells, struct error *err)
{
    struct measure_list *list = arg;
    for (int m = 0; m < list->count; m++)
        if (strcmp(list->names[m], cells[3]) == 0) return 0;
    if (list->count == GRID_MEASURES)
        return fail(err, "%s: more than %d measures", lines_where(lines), GRID_MEASURES);
    list->names[list->count++] = xstrdup(cells[3]);
    return 0;
}

static int read_cell(void *arg, struct lines *lines, char **cells, struct error *err)
{
    struct grid *grid = arg;
    int layers, dim;
    if (tsv_read_count(&layers, lines, cells[1], err) ||
        tsv_read_count(&dim, lines, cells[2], err) ||
        tsv_read_count(&grid->seeds, lines, cells[6], err))
        return -1;
    if (!grid_find(grid, cells[0], layers, dim)) add_row(grid, cells[0], layers, dim);
    struct grid_row *row = grid_find(grid, cells[0], layers, dim);
    int m = grid_measure(grid, cells[3]);
    return tsv_read_number(&row->values[m].mean, lines, cells[4], err) ||
                   tsv_read_number(&row->deviations[m], lines, cells[5], err)
               ? -1
               : 0;
}

int grid_seeds_read(struct grid *out, const char *path, struct error *err)
{
    struct measure_list list = {0};
    *out = (struct grid){0};
    int status = tsv_read_table(path, HEADER, note_measure, &list, err);
    grid_init(out, (const char *const *)list.names, list.count);
    if (!status) status = tsv_read_table(path, HEADER, read_cell, out, err);
    if (status) grid_free(out);
    for (int m = 0; m < list.count; m++) free(list.names[m]);
    return status;
}
