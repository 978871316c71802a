/* See grid.h. */
#include "distill/grid.h"
#include "distill/correlation.h"
#include "distill/tsv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const FIRST_COLUMNS[] = {"system", "layers", "dim"};
static const char *const LAST_COLUMNS[] = {"texts_per_s", "bytes_per_vector", "ms_per_query"};
enum { FIRST = 3, LAST = 3, MOST_COLUMNS = FIRST + 3 * GRID_MEASURES + LAST };

void grid_init(struct grid *grid, const char *const *measures, int num_measures)
{
    REQUIRE(num_measures >= 0 && num_measures <= GRID_MEASURES);
    *grid = (struct grid){.num_measures = num_measures};
    grid->measures = xcalloc((size_t)num_measures, sizeof *grid->measures);
    for (int i = 0; i < num_measures; i++) grid->measures[i] = xstrdup(measures[i]);
}

struct grid_row *grid_add(struct grid *grid, const char *system, int layers, int dim)
{
    GROW(grid->rows, grid->count, &grid->capacity);
    struct grid_row *row = &grid->rows[grid->count++];
    *row = (struct grid_row){
        .system = tsv_text(system),
        .layers = layers,
        .dim = dim,
        .values = xcalloc((size_t)grid->num_measures, sizeof *row->values),
        .texts_per_s = NAN,
        .bytes_per_vector = NAN,
        .ms_per_query = NAN,
        .model_parameters = NAN,
    };
    for (int i = 0; i < grid->num_measures; i++)
        row->values[i] = (struct interval){.mean = NAN, .low = NAN, .high = NAN};
    return row;
}

struct grid_row *grid_find(const struct grid *grid, const char *system, int layers, int dim)
{
    for (size_t i = 0; i < grid->count; i++) {
        struct grid_row *row = &grid->rows[i];
        if (row->layers == layers && row->dim == dim && strcmp(row->system, system) == 0)
            return row;
    }
    return NULL;
}

int grid_measure(const struct grid *grid, const char *measure)
{
    for (int i = 0; i < grid->num_measures; i++)
        if (strcmp(grid->measures[i], measure) == 0) return i;
    return -1;
}

static int by_int(const void *left, const void *right)
{
    int a = *(const int *)left, b = *(const int *)right;
    return (a > b) - (a < b);
}

int *grid_axis(const struct grid *grid, const char *system, bool dims, int *count)
{
    int *values = xcalloc(grid->count, sizeof *values), found = 0;
    for (size_t i = 0; i < grid->count; i++) {
        const struct grid_row *row = &grid->rows[i];
        if (row->layers && row->dim && strcmp(row->system, system) == 0)
            values[found++] = dims ? row->dim : row->layers;
    }
    qsort(values, (size_t)found, sizeof *values, by_int);
    *count = 0;
    for (int i = 0; i < found; i++)
        if (!*count || values[i] != values[*count - 1]) values[(*count)++] = values[i];
    return values;
}

void grid_free(struct grid *grid)
{
    for (int i = 0; i < grid->num_measures; i++) free(grid->measures[i]);
    for (size_t i = 0; i < grid->count; i++) {
        free(grid->rows[i].system);
        free(grid->rows[i].values);
        free(grid->rows[i].deviations);
    }
    free(grid->measures);
    free(grid->rows);
    *grid = (struct grid){0};
}

int grid_measure_name(char name[32], const char *word)
{
    struct measure measure;
    struct error ignored = {0};
    enum correlation kind;
    if (correlation_parse(&kind, word)) {
        strcpy(name, word);
        return 0;
    }
    if (measure_parse(&measure, word, &ignored)) return -1;
    measure_name(name, measure);
    return 0;
}

/* ---- writing ---- */

int grid_write(const struct grid *grid, const char *path, struct error *err)
{
    struct output out = {0};
    if (output_open(&out, path, err)) return -1;
    output_printf(&out, "%s\t%s\t%s", FIRST_COLUMNS[0], FIRST_COLUMNS[1], FIRST_COLUMNS[2]);
    for (int m = 0; m < grid->num_measures; m++) {
        const char *name = grid->measures[m];
        output_printf(&out, "\t%s\t%s_low\t%s_high", name, name, name);
    }
    for (int i = 0; i < LAST; i++) output_printf(&out, "\t%s", LAST_COLUMNS[i]);
    for (size_t i = 0; i < grid->count; i++) {
        const struct grid_row *row = &grid->rows[i];
        output_printf(&out, "\n%s", row->system);
        tsv_write_count(&out, row->layers);
        tsv_write_count(&out, row->dim);
        for (int m = 0; m < grid->num_measures; m++) {
            tsv_write_fixed(&out, row->values[m].mean, 6);
            tsv_write_fixed(&out, row->values[m].low, 6);
            tsv_write_fixed(&out, row->values[m].high, 6);
        }
        tsv_write_short(&out, row->texts_per_s);
        tsv_write_short(&out, row->bytes_per_vector);
        tsv_write_short(&out, row->ms_per_query);
    }
    output_printf(&out, "\n");
    return output_commit(&out, err);
}

/* ---- reading ---- */

static int expect_column(struct lines *lines, char **fields, int at, const char *name,
                         const char *suffix, struct error *err)
{
    size_t length = strlen(name);
    if (strncmp(fields[at], name, length) == 0 && strcmp(fields[at] + length, suffix) == 0)
        return 0;
    return fail(err, "%s: column %d is \"%s\" where a grid has %s%s", lines_where(lines), at + 1,
                fields[at], name, suffix);
}

/* Fills the measures of *out from the header's fields. */
static int read_header(struct grid *out, struct lines *lines, char **fields, int count,
                       struct error *err)
{
    if (count < FIRST + LAST || (count - FIRST - LAST) % 3 || count > MOST_COLUMNS)
        return fail(err,
                    "%s: the header has %d columns; a grid has system, layers, dim, three for "
                    "each measure, texts_per_s, bytes_per_vector, ms_per_query",
                    lines_where(lines), count);
    const char *measures[GRID_MEASURES];
    const int num_measures = (count - FIRST - LAST) / 3;
    for (int i = 0; i < FIRST; i++)
        if (expect_column(lines, fields, i, FIRST_COLUMNS[i], "", err)) return -1;
    for (int m = 0; m < num_measures; m++) {
        const int at = FIRST + 3 * m;
        measures[m] = fields[at];
        if (expect_column(lines, fields, at + 1, measures[m], "_low", err) ||
            expect_column(lines, fields, at + 2, measures[m], "_high", err))
            return -1;
    }
    for (int i = 0; i < LAST; i++)
        if (expect_column(lines, fields, count - LAST + i, LAST_COLUMNS[i], "", err)) return -1;
    grid_init(out, measures, num_measures);
    return 0;
}

static int read_row(struct grid *grid, struct lines *lines, char **fields, struct error *err)
{
    int layers = 0, dim = 0;
    if (tsv_read_count(&layers, lines, fields[1], err) ||
        tsv_read_count(&dim, lines, fields[2], err))
        return -1;
    if (grid_find(grid, fields[0], layers, dim))
        return fail(err, "%s: %s at layers %d, dim %d a second time", lines_where(lines), fields[0],
                    layers, dim);
    struct grid_row *row = grid_add(grid, fields[0], layers, dim);
    char **cell = fields + FIRST;
    for (int m = 0; m < grid->num_measures; m++, cell += 3)
        if (tsv_read_number(&row->values[m].mean, lines, cell[0], err) ||
            tsv_read_number(&row->values[m].low, lines, cell[1], err) ||
            tsv_read_number(&row->values[m].high, lines, cell[2], err))
            return -1;
    if (tsv_read_number(&row->texts_per_s, lines, cell[0], err) ||
        tsv_read_number(&row->bytes_per_vector, lines, cell[1], err) ||
        tsv_read_number(&row->ms_per_query, lines, cell[2], err))
        return -1;
    return 0;
}

static int read_lines(struct grid *out, struct lines *lines, struct error *err)
{
    char *line, *fields[MOST_COLUMNS];
    size_t length;
    int got = lines_next(lines, &line, &length, err);
    if (got < 0) return -1;
    if (got == 0) return fail(err, "%s: empty; a grid has a header line", lines_name(lines));
    const int columns = (int)split_tabs(line, fields, MOST_COLUMNS);
    if (read_header(out, lines, fields, columns, err)) return -1;
    while ((got = lines_next(lines, &line, &length, err)) > 0) {
        const int count = (int)split_tabs(line, fields, MOST_COLUMNS);
        if (count != columns)
            return fail(err, "%s: %d columns, the header has %d", lines_where(lines), count,
                        columns);
        if (read_row(out, lines, fields, err)) return -1;
    }
    return got;
}

int grid_read(struct grid *out, const char *path, struct error *err)
{
    struct lines *lines;
    *out = (struct grid){0};
    if (lines_open(&lines, path, err)) return -1;
    int status = read_lines(out, lines, err);
    if (status) grid_free(out);
    lines_close(lines);
    return status;
}
