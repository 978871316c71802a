/* The report's results: the heat map layers x dims, quality against cost, the picked student beside
 * other systems, and the paired differences. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "distill/report_page.h"

/* Systems that are measured at the student's points; all others have one point or none. */
static bool has_grid(const char *system)
{
    static const char *const names[] = {"student", "no-teacher", "init", "pca"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        if (strcmp(system, names[n]) == 0) return true;
    return false;
}

/* ---- heat maps ---- */

/* The lowest and highest mean of all systems that have a heat map, so that these share colours. */
static void heat_range(const struct grid *grid, double *low, double *high)
{
    *low = INFINITY, *high = -INFINITY;
    for (size_t i = 0; i < grid->count; i++)
        if (has_grid(grid->rows[i].system) && !isnan(grid->rows[i].values[0].mean)) {
            *low = fmin(*low, grid->rows[i].values[0].mean);
            *high = fmax(*high, grid->rows[i].values[0].mean);
        }
}

static void fill_cells(struct interval *cells, const struct page *page, const char *system,
                       struct plot_heat *plot)
{
    for (int r = 0; r < plot->num_rows; r++)
        for (int c = 0; c < plot->num_columns; c++) {
            const struct grid_row *row =
                grid_find(&page->grid, system, plot->rows[r], plot->columns[c]);
            struct interval none = {NAN, NAN, NAN};
            cells[r * plot->num_columns + c] = row ? row->values[0] : none;
            if (row && row == page->picked) plot->picked_row = r, plot->picked_column = c;
        }
}

/* All measures and costs of a system's rows. */
static void system_table(struct page *page, const char *system, const char *caption)
{
    const struct grid *grid = &page->grid;
    const char **headers = xcalloc((size_t)grid->num_measures + 5, sizeof *headers);
    size_t count = 0;
    headers[count++] = "layers";
    headers[count++] = "dims";
    for (int m = 0; m < grid->num_measures; m++) headers[count++] = grid->measures[m];
    headers[count++] = "texts/s";
    headers[count++] = "bytes/vector";
    headers[count++] = "ms/query";
    html_table(&page->out, caption, headers, count);
    for (size_t i = 0; i < grid->count; i++) {
        const struct grid_row *row = &grid->rows[i];
        if (strcmp(row->system, system) != 0) continue;
        html_row(&page->out, "%d", row->layers);
        html_number(&page->out, "%d", row->dim);
        for (int m = 0; m < grid->num_measures; m++)
            html_interval(&page->out, row->values[m], false);
        html_short(&page->out, row->texts_per_s);
        html_short(&page->out, row->bytes_per_vector);
        html_short(&page->out, row->ms_per_query);
        html_row_end(&page->out);
    }
    html_table_end(&page->out);
    free(headers);
}

static void heat_map(struct page *page, const char *system, const char *who)
{
    char id[48], title[128];
    struct plot_heat plot = {
        .row_name = "layers", .column_name = "dimensions", .picked_row = -1, .picked_column = -1};
    int *rows = grid_axis(&page->grid, system, false, &plot.num_rows),
        *columns = grid_axis(&page->grid, system, true, &plot.num_columns);
    struct interval *cells =
        xcalloc((size_t)plot.num_rows * (size_t)plot.num_columns, sizeof *cells);
    plot.rows = rows, plot.columns = columns, plot.cells = cells;
    fill_cells(cells, page, system, &plot);
    heat_range(&page->grid, &plot.low, &plot.high);
    snprintf(id, sizeof id, "heat-%s", system);
    snprintf(title, sizeof title, "%s of %s", page->measure, who);
    plot.label = (struct plot_label){
        id, title,
        "A row for each number of layers, a column for each number of dimensions; each cell has "
        "the value on the test split and its 95 % interval, darker is better. The outlined "
        "cell is the picked point. The table beneath has every measure."};
    if (plot.num_rows) {
        html_figure(&page->out, title);
        plot_heat(&page->out, &plot);
        html_details(&page->out, "All measures and costs");
        system_table(page, system, title);
        html_details_end(&page->out);
        html_figure_end(&page->out);
    }
    free(rows);
    free(columns);
    free(cells);
}

/* ---- quality against cost ---- */

enum cost { COST_BYTES, COST_MS };

static double cost_of(const struct grid_row *row, enum cost cost)
{
    return cost == COST_BYTES ? row->bytes_per_vector : row->ms_per_query;
}

/* No other student is at least as good for at most the cost, and better in one of the two. */
static bool on_front(const struct grid *grid, const struct grid_row *row, enum cost cost)
{
    const double quality = row->values[0].mean, price = cost_of(row, cost);
    if (isnan(quality) || isnan(price)) return false;
    for (size_t i = 0; i < grid->count; i++) {
        const struct grid_row *other = &grid->rows[i];
        double other_quality = other->values[0].mean, other_price = cost_of(other, cost);
        if (strcmp(other->system, "student") == 0 && other_quality >= quality &&
            other_price <= price && (other_quality > quality || other_price < price))
            return false;
    }
    return true;
}

struct cost_plot {
    struct plot_series *series;
    char **names;
    size_t count, capacity, names_capacity;
};

static int by_x(const void *left, const void *right)
{
    const struct plot_point *a = left, *b = right;
    return (a->x > b->x) - (a->x < b->x);
}

/* Owns both; points in the order of cost. */
static void add_series(struct cost_plot *out, char *name, struct plot_point *points, size_t count)
{
    qsort(points, count, sizeof *points, by_x);
    GROW(out->series, out->count, &out->capacity);
    GROW(out->names, out->count, &out->names_capacity);
    out->names[out->count] = name;
    out->series[out->count++] =
        (struct plot_series){.name = name, .points = points, .count = count};
}

/* The points of a system with so many layers (0: any). */
static void add_system(struct cost_plot *out, const struct grid *grid, const char *system,
                       int layers, enum cost cost)
{
    struct plot_point *points = xcalloc(grid->count, sizeof *points);
    size_t count = 0;
    for (size_t i = 0; i < grid->count; i++) {
        const struct grid_row *row = &grid->rows[i];
        const struct interval *value = &row->values[0];
        double price = cost_of(row, cost);
        if (strcmp(row->system, system) == 0 && (!layers || row->layers == layers) &&
            !isnan(value->mean) && price > 0)
            points[count++] = (struct plot_point){price, value->mean, value->low, value->high};
    }
    char *name = layers ? xasprintf("%s, %d layer%s", system, layers, layers == 1 ? "" : "s")
                        : xstrdup(system);
    add_series(out, name, points, count);
    out->series[out->count - 1].joined = cost == COST_BYTES; /* times are too noisy for a line */
}

static void add_front(struct cost_plot *out, const struct grid *grid, enum cost cost)
{
    struct plot_point *points = xcalloc(grid->count, sizeof *points);
    size_t count = 0;
    for (size_t i = 0; i < grid->count; i++)
        if (strcmp(grid->rows[i].system, "student") == 0 && on_front(grid, &grid->rows[i], cost) &&
            cost_of(&grid->rows[i], cost) > 0)
            points[count++] = (struct plot_point){cost_of(&grid->rows[i], cost),
                                                  grid->rows[i].values[0].mean, NAN, NAN};
    add_series(out, xstrdup("best student for its cost"), points, count);
    out->series[out->count - 1].joined = out->series[out->count - 1].plain = true;
}

static void fill_series(struct cost_plot *out, const struct grid *grid, enum cost cost)
{
    int num_layers, *layers = grid_axis(grid, "student", false, &num_layers);
    for (int l = 0; l < num_layers; l++) add_system(out, grid, "student", layers[l], cost);
    if (num_layers) add_system(out, grid, "pca", layers[num_layers - 1], cost);
    for (size_t i = 0; i < grid->count; i++) /* baselines */
        if (grid->rows[i].dim && !has_grid(grid->rows[i].system))
            add_system(out, grid, grid->rows[i].system, 0, cost);
    if (cost != COST_BYTES) add_front(out, grid, cost);
    free(layers);
}

static void cost_plot_free(struct cost_plot *plot)
{
    for (size_t s = 0; s < plot->count; s++) {
        free(plot->series[s].points);
        free(plot->names[s]);
    }
    free(plot->series);
    free(plot->names);
}

static size_t levels_of(struct plot_level levels[2], const struct page *page)
{
    static const char *const systems[] = {"teacher", "bm25"};
    const char *const names[] = {job_has_pairs(page->job) ? "teacher" : "teacher, re-ranking",
                                 "BM25"};
    const struct grid *grid = &page->grid;
    size_t count = 0;
    for (int s = 0; s < 2; s++) {
        const struct grid_row *row = grid_find(grid, systems[s], 0, 0);
        if (row && !isnan(row->values[0].mean))
            levels[count++] = (struct plot_level){names[s], row->values[0].mean};
    }
    return count;
}

static void cost_table(struct page *page, enum cost cost, const char *caption)
{
    const char *const headers[] = {"layers", "dims",
                                   cost == COST_BYTES ? "bytes/vector" : "ms/query", page->measure,
                                   "none is better and cheaper"};
    html_details(&page->out, "The numbers");
    html_table(&page->out, caption, headers, 5);
    for (size_t i = 0; i < page->grid.count; i++) {
        const struct grid_row *row = &page->grid.rows[i];
        if (strcmp(row->system, "student") != 0) continue;
        html_row(&page->out, "%d", row->layers);
        html_number(&page->out, "%d", row->dim);
        html_short(&page->out, cost_of(row, cost));
        html_interval(&page->out, row->values[0], false);
        html_number(&page->out, "%s", on_front(&page->grid, row, cost) ? "yes" : "");
        html_row_end(&page->out);
    }
    html_table_end(&page->out);
    html_details_end(&page->out);
}

static void cost_figure(struct page *page, enum cost cost)
{
    char title[96];
    struct cost_plot series = {0};
    struct plot_level levels[2];
    bool bytes = cost == COST_BYTES;
    snprintf(title, sizeof title, "%s against %s", page->measure,
             bytes ? "bytes a vector" : "milliseconds a query");
    fill_series(&series, &page->grid, cost);
    struct plot_point picked = {NAN, NAN, NAN, NAN};
    if (page->picked)
        picked = (struct plot_point){cost_of(page->picked, cost), page->picked->values[0].mean, NAN,
                                     NAN};
    const struct plot_curves plot = {
        .label = {bytes ? "pareto-bytes" : "pareto-ms", title,
                  "A point for each size of the student, a colour for each number of layers, "
                  "with 95 % intervals; the cost is on a logarithmic scale. Dashed lines are "
                  "systems without vectors. Up and to the left is better; the ring marks the "
                  "picked point. The table beneath has the numbers."},
        .x_label = bytes ? "bytes a vector" : "milliseconds a query, model and search",
        .y_label = page->measure,
        .x_log = true,
        .x_own = bytes,
        .series = series.series,
        .num_series = series.count,
        .levels = levels,
        .num_levels = levels_of(levels, page),
        .picked = picked.x > 0 && !isnan(picked.y) ? &picked : NULL};
    html_figure(&page->out, title);
    plot_curves(&page->out, &plot);
    cost_table(page, cost, title);
    html_figure_end(&page->out);
    cost_plot_free(&series);
}

/* Every cell of the grids of several seeds. */
static void seeds_table(struct page *page)
{
    const struct grid *grid = &page->seeds;
    const char *headers[2 + GRID_MEASURES] = {"system", "seeds"};
    if (!grid->count) return;
    for (int m = 0; m < grid->num_measures; m++) headers[2 + m] = grid->measures[m];
    text_puts(&page->out, "<h3>Over seeds</h3>\n");
    html_paragraph(&page->out,
                   "Means over trainings that differ in their seed alone, each in its folder "
                   "seed-K, with the deviation between them.");
    html_table(&page->out, "Mean and deviation", headers, 2 + (size_t)grid->num_measures);
    for (size_t r = 0; r < grid->count; r++) {
        const struct grid_row *row = &grid->rows[r];
        if (row->layers && row->dim)
            html_row(&page->out, "%s, %d \xc3\x97 %d", row->system, row->layers, row->dim);
        else
            html_row(&page->out, "%s", row->system);
        html_number(&page->out, "%d", grid->seeds);
        for (int m = 0; m < grid->num_measures; m++) {
            double off = row->deviations[m];
            if (isnan(off))
                html_fixed(&page->out, row->values[m].mean);
            else
                html_number(&page->out, "%.4f \xc2\xb1 %.4f", row->values[m].mean, off);
        }
        html_row_end(&page->out);
    }
    html_table_end(&page->out);
}

void page_grid(struct page *page)
{
    html_section(&page->out, "grid", "Quality by size");
    if (page->grid.count && page->grid.num_measures) {
        html_paragraph(&page->out,
                       "%s on %s with 95 %% bootstrap intervals over its %s (%d draws). One model "
                       "holds every size: the first layers, the first dimensions.",
                       page->measure, page_measured_on(page), page->many,
                       page->job->evaluate.resamples);
        text_puts(&page->out, "<div class=\"plots\">\n");
        heat_map(page, "student", "the student");
        heat_map(page, "no-teacher", "the control without a teacher");
        heat_map(page, "init", "the student before training");
        heat_map(page, "pca", "the student, its vectors cut by a PCA");
        text_puts(&page->out, "</div>\n<h3>Quality against cost</h3>\n<div class=\"plots\">\n");
        cost_figure(page, COST_BYTES);
        if (!job_has_pairs(page->job)) cost_figure(page, COST_MS);
        text_puts(&page->out, "</div>\n");
    } else {
        html_missing(&page->out, "No grid.tsv yet: the evaluate stage has not run.");
    }
    seeds_table(page);
    html_section_end(&page->out);
}
