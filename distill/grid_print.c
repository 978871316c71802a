/* The grid for people: aligned for a terminal, Markdown for a README.  See grid.h. */
#include "distill/grid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- cells, each freshly allocated ---- */

/* ".6512" for 0.6512 with 4 digits, "-.02" likewise; "1.0000" keeps its one; "" for NaN. */
static char *short_number(double value, int digits)
{
    if (isnan(value)) return xstrdup("");
    char *number = xasprintf("%.*f", digits, value);
    char *zero = number + (number[0] == '-');
    if (zero[0] == '0' && zero[1] == '.') memmove(zero, zero + 1, strlen(zero));
    return number;
}

static char *interval_cell(struct interval value, bool intervals)
{
    char *mean = short_number(value.mean, 4);
    if (!intervals || isnan(value.mean) || isnan(value.low) || isnan(value.high)) return mean;
    char *low = short_number(value.low, 3), *high = short_number(value.high, 3);
    char *cell = xasprintf("%s [%s %s]", mean, low, high);
    free(mean);
    free(low);
    free(high);
    return cell;
}

static char *seeds_cell(double mean, double deviation)
{
    char *number = short_number(mean, 4), *off = short_number(deviation, 4);
    char *cell = isnan(deviation) ? xstrdup(number) : xasprintf("%s +-%s", number, off);
    free(number);
    free(off);
    return cell;
}

static char *cost_cell(double value)
{
    if (isnan(value)) return xstrdup("");
    return fabs(value) >= 100 ? xasprintf("%.0f", value) : xasprintf("%.3g", value);
}

static char *count_cell(int value)
{
    return value ? xasprintf("%d", value) : xstrdup("");
}

/* ---- tables of cells ---- */

struct table {
    int rows, cols;
    char **cells; /* [rows, cols], owned; NULL: empty; the first row is the header */
};

static struct table table_new(int rows, int cols)
{
    return (struct table){
        .rows = rows, .cols = cols, .cells = xcalloc((size_t)(rows * cols), sizeof(char *))};
}

static void table_set(struct table *table, int row, int col, char *cell)
{
    table->cells[row * table->cols + col] = cell;
}

static const char *table_cell(const struct table *table, int row, int col)
{
    const char *cell = table->cells[row * table->cols + col];
    return cell ? cell : "";
}

static void table_free(struct table *table)
{
    for (int i = 0; i < table->rows * table->cols; i++) free(table->cells[i]);
    free(table->cells);
}

static int column_width(const struct table *table, int col)
{
    size_t width = 3; /* what a rule under a Markdown header needs */
    for (int row = 0; row < table->rows; row++) {
        size_t length = strlen(table_cell(table, row, col));
        if (length > width) width = length;
    }
    return (int)width;
}

/* Under a Markdown header: names to the left, numbers to the right. */
static void print_rule(const struct table *table, struct text *out)
{
    for (int col = 0; col < table->cols; col++) {
        text_puts(out, col ? " " : "| ");
        for (int i = 1; i < column_width(table, col); i++) text_puts(out, "-");
        text_puts(out, col ? ": |" : "- |");
    }
    text_puts(out, "\n");
}

static void print_table(const struct table *table, enum grid_style style, struct text *out)
{
    const bool markdown = style == GRID_MARKDOWN;
    for (int row = 0; row < table->rows; row++) {
        text_puts(out, markdown ? "| " : "");
        for (int col = 0; col < table->cols; col++) {
            const int width = column_width(table, col);
            const bool last = col + 1 == table->cols;
            text_printf(out, "%*s", col ? width : -width, table_cell(table, row, col));
            text_puts(out, !markdown ? (last ? "" : "  ") : last ? " |" : " | ");
        }
        text_puts(out, "\n");
        if (markdown && row == 0) print_rule(table, out);
    }
}

static void print_header(struct table *table, const struct grid *grid)
{
    static const char *const point[] = {"system", "layers", "dim"};
    static const char *const costs[] = {"texts/s", "bytes/vector", "ms/query"};
    for (int i = 0; i < 3; i++) {
        table_set(table, 0, i, xstrdup(point[i]));
        if (!grid->seeds) table_set(table, 0, 3 + grid->num_measures + i, xstrdup(costs[i]));
    }
    for (int m = 0; m < grid->num_measures; m++)
        table_set(table, 0, 3 + m, xstrdup(grid->measures[m]));
}

void grid_print(const struct grid *grid, enum grid_style style, bool intervals, struct text *out)
{
    const int last = 3 + grid->num_measures;
    struct table table = table_new((int)grid->count + 1, grid->seeds ? last : last + 3);
    print_header(&table, grid);
    for (int i = 0; i < (int)grid->count; i++) {
        const struct grid_row *row = &grid->rows[i];
        table_set(&table, i + 1, 0, xstrdup(row->system));
        table_set(&table, i + 1, 1, count_cell(row->layers));
        table_set(&table, i + 1, 2, count_cell(row->dim));
        for (int m = 0; m < grid->num_measures; m++)
            table_set(&table, i + 1, 3 + m,
                      grid->seeds ? seeds_cell(row->values[m].mean, row->deviations[m])
                                  : interval_cell(row->values[m], intervals));
        if (grid->seeds) continue;
        table_set(&table, i + 1, last, cost_cell(row->texts_per_s));
        table_set(&table, i + 1, last + 1, cost_cell(row->bytes_per_vector));
        table_set(&table, i + 1, last + 2, cost_cell(row->ms_per_query));
    }
    print_table(&table, style, out);
    table_free(&table);
}

/* ---- layers x dims ---- */

void grid_print_matrix(const struct grid *grid, const char *system, const char *measure,
                       bool intervals, struct text *out)
{
    const int at = grid_measure(grid, measure);
    REQUIRE(at >= 0);
    int num_layers, num_dims;
    int *layers = grid_axis(grid, system, false, &num_layers),
        *dims = grid_axis(grid, system, true, &num_dims);
    struct table table = table_new(num_layers + 1, num_dims + 1);
    table_set(&table, 0, 0, xstrdup("layers \\ dim"));
    for (int j = 0; j < num_dims; j++) table_set(&table, 0, j + 1, count_cell(dims[j]));
    for (int i = 0; i < num_layers; i++) {
        table_set(&table, i + 1, 0, count_cell(layers[i]));
        for (int j = 0; j < num_dims; j++) {
            const struct grid_row *row = grid_find(grid, system, layers[i], dims[j]);
            if (row) table_set(&table, i + 1, j + 1, interval_cell(row->values[at], intervals));
        }
    }
    if (num_layers) print_table(&table, GRID_MARKDOWN, out);
    table_free(&table);
    free(layers);
    free(dims);
}
