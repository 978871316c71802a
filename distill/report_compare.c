/* The report's comparison: the picked student beside every other system, and the differences query
 * by query, or on the same pairs. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "distill/report_page.h"

enum { MOST_ROWS = 48 };

/* The rows of the grid that the picked student is compared with, and what to call them. */
struct compared {
    const struct grid_row *rows[MOST_ROWS];
    char *names[MOST_ROWS];
    size_t count;
};

static void add_row(struct compared *out, const struct grid_row *row, const char *name)
{
    if (!row || out->count == MOST_ROWS || isnan(row->values[0].mean)) return;
    for (size_t i = 0; i < out->count; i++)
        if (out->rows[i] == row) return;
    out->names[out->count] =
        row->layers ? xasprintf("%s, %d \xc3\x97 %d", name, row->layers, row->dim) : xstrdup(name);
    out->rows[out->count++] = row;
}

static const struct grid_row *largest(const struct grid *grid, const char *system)
{
    const struct grid_row *best = NULL;
    for (size_t i = 0; i < grid->count; i++) {
        const struct grid_row *row = &grid->rows[i];
        if (strcmp(row->system, system) == 0 &&
            (!best || row->layers > best->layers ||
             (row->layers == best->layers && row->dim > best->dim)))
            best = row;
    }
    return best;
}

static const char *const ours[][2] = {
    {"teacher", "teacher, re-ranking BM25"},
    {"bm25", "BM25"},
    {"student", "student, full"},
    {"no-teacher", "labels alone"},
    {"init", "before training"},
    {"pca", "cut by a PCA instead"},
};
enum { NUM_OURS = sizeof ours / sizeof *ours };

/* Not a baseline. */
static bool is_ours(const char *system)
{
    for (int s = 0; s < NUM_OURS; s++)
        if (strcmp(system, ours[s][0]) == 0) return true;
    return false;
}

static const char *title_of(const struct page *page, const char *system)
{
    if (job_has_pairs(page->job) && strcmp(system, "teacher") == 0) return system;
    for (int s = 0; s < NUM_OURS; s++)
        if (strcmp(system, ours[s][0]) == 0) return ours[s][1];
    return system;
}

static void choose_rows(struct compared *out, const struct page *page)
{
    const struct grid *grid = &page->grid;
    const struct grid_row *full = largest(grid, "student"),
                          *picked = page->picked ? page->picked : full;
    *out = (struct compared){0};
    add_row(out, grid_find(grid, "teacher", 0, 0), title_of(page, "teacher"));
    add_row(out, picked, page->picked ? "student, picked" : title_of(page, "student"));
    add_row(out, full, title_of(page, "student"));
    add_row(out, grid_find(grid, "bm25", 0, 0), title_of(page, "bm25"));
    if (picked) {
        add_row(out, grid_find(grid, "no-teacher", picked->layers, picked->dim),
                title_of(page, "no-teacher"));
        add_row(out, grid_find(grid, "init", picked->layers, picked->dim), title_of(page, "init"));
        add_row(out, grid_find(grid, "pca", picked->layers, picked->dim), title_of(page, "pca"));
    }
    for (size_t i = 0; i < grid->count; i++)
        if (!is_ours(grid->rows[i].system)) add_row(out, &grid->rows[i], grid->rows[i].system);
}

static void compared_table(struct page *page, const struct compared *compared, const char *caption)
{
    const struct grid *grid = &page->grid;
    const char **headers = xcalloc((size_t)grid->num_measures + 3, sizeof *headers);
    size_t count = 0;
    headers[count++] = "system";
    for (int m = 0; m < grid->num_measures; m++) headers[count++] = grid->measures[m];
    headers[count++] = "bytes/vector";
    headers[count++] = "ms/query";
    html_details(&page->out, "All measures");
    html_table(&page->out, caption, headers, count);
    for (size_t r = 0; r < compared->count; r++) {
        const struct grid_row *row = compared->rows[r];
        html_row(&page->out, "%s", compared->names[r]);
        for (int m = 0; m < grid->num_measures; m++)
            html_interval(&page->out, row->values[m], false);
        html_short(&page->out, row->bytes_per_vector);
        html_short(&page->out, row->ms_per_query);
        html_row_end(&page->out);
    }
    html_table_end(&page->out);
    html_details_end(&page->out);
    free(headers);
}

static void systems_figure(struct page *page)
{
    struct compared compared;
    struct plot_interval rows[MOST_ROWS];
    char title[96];
    choose_rows(&compared, page);
    for (size_t r = 0; r < compared.count; r++)
        rows[r] = (struct plot_interval){compared.names[r], compared.rows[r]->values[0],
                                         compared.rows[r] == page->picked};
    snprintf(title, sizeof title, "%s of each system", page->measure);
    const struct plot_intervals plot = {
        .label = {"systems", title,
                  "A row for each system (layers \xc3\x97 dimensions) with its value on the test "
                  "split and the 95 % interval. The table beneath has every measure."},
        .x_label = page->measure,
        .rows = rows,
        .count = compared.count};
    html_figure(&page->out, title);
    plot_intervals(&page->out, &plot);
    compared_table(page, &compared, title);
    html_figure_end(&page->out);
    for (size_t r = 0; r < compared.count; r++) free(compared.names[r]);
}

/* ---- differences ---- */

static bool is_picked(const struct page *page, const struct difference *one)
{
    return page->picked && one->layers == page->picked->layers && one->dim == page->picked->dim &&
           strcmp(one->system_a, "student") == 0;
}

static void differences_table(struct page *page, const char *caption)
{
    static const char *const headers[] = {"student less", "measure", "difference", "so it is"};
    html_details(&page->out, "All measures");
    html_table(&page->out, caption, headers, 4);
    for (size_t i = 0; i < page->differences.count; i++) {
        const struct difference *one = &page->differences.list[i];
        if (!is_picked(page, one)) continue;
        html_row(&page->out, "%s", title_of(page, one->system_b));
        html_number(&page->out, "%s", one->measure);
        html_interval(&page->out, one->value, true);
        html_number(&page->out, "%s",
                    one->value.low > 0    ? "better"
                    : one->value.high < 0 ? "worse"
                                          : "not told apart");
        html_row_end(&page->out);
    }
    html_table_end(&page->out);
    html_details_end(&page->out);
}

static void differences_figure(struct page *page)
{
    struct plot_interval rows[MOST_ROWS];
    size_t count = 0;
    char title[96], x_label[64];
    snprintf(x_label, sizeof x_label, "difference, %s", page->paired);
    for (size_t i = 0; i < page->differences.count && count < MOST_ROWS; i++) {
        const struct difference *one = &page->differences.list[i];
        if (is_picked(page, one) && strcmp(one->measure, page->grid.measures[0]) == 0 &&
            !isnan(one->value.mean))
            rows[count++] =
                (struct plot_interval){title_of(page, one->system_b), one->value, false};
    }
    if (!count) return;
    snprintf(title, sizeof title, "%s of the picked student less that of \xe2\x80\xa6",
             page->measure);
    const struct plot_intervals plot = {
        .label = {"differences", title,
                  "A row for each other system with the paired difference and its 95 % interval; "
                  "right of zero the student is better, left of it worse, across it the test split "
                  "does not tell. The table beneath has every measure."},
        .x_label = x_label,
        .rows = rows,
        .count = count,
        .differences = true};
    html_figure(&page->out, title);
    plot_intervals(&page->out, &plot);
    differences_table(page, title);
    html_figure_end(&page->out);
}

void page_comparison(struct page *page)
{
    html_section(&page->out, "compared", "Compared");
    if (page->grid.count && page->grid.num_measures) {
        html_paragraph(
            &page->out,
            "The intervals of two systems may overlap and one still be better: what decides "
            "is the difference %s.",
            page->paired);
        text_puts(&page->out, "<div class=\"plots\">\n");
        systems_figure(page);
        differences_figure(page);
        text_puts(&page->out, "</div>\n");
    } else {
        html_missing(&page->out, "Nothing to compare yet: the evaluate stage has not run.");
    }
    html_section_end(&page->out);
}
