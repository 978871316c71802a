/* See tsv.h. */
#include "distill/tsv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

char *tsv_text(const char *string)
{
    char *copy = xstrdup(string);
    for (char *c = copy; *c; c++)
        if (*c == '\t' || *c == '\n' || *c == '\r') *c = ' ';
    return copy;
}

void tsv_write_fixed(struct output *out, double value, int decimals)
{
    output_printf(out, "\t");
    if (!isnan(value)) output_printf(out, "%.*f", decimals, value);
}

void tsv_write_short(struct output *out, double value)
{
    output_printf(out, "\t");
    if (!isnan(value)) output_printf(out, "%.6g", value);
}

void tsv_write_count(struct output *out, int value)
{
    output_printf(out, "\t");
    if (value) output_printf(out, "%d", value);
}

int tsv_read_number(double *out, struct lines *lines, const char *cell, struct error *err)
{
    char *end;
    *out = NAN;
    if (!*cell) return 0;
    double value = strtod(cell, &end);
    if (*end || !isfinite(value))
        return fail(err, "%s: \"%s\" is not a number", lines_where(lines), cell);
    *out = value;
    return 0;
}

int tsv_read_count(int *out, struct lines *lines, const char *cell, struct error *err)
{
    char *end;
    *out = 0;
    if (!*cell) return 0;
    long value = strtol(cell, &end, 10);
    if (*end || value < 0 || value > 1000000)
        return fail(err, "%s: \"%s\" is not a number of layers or dimensions", lines_where(lines),
                    cell);
    *out = (int)value;
    return 0;
}

/* Lines after the header, cut into as many cells as it has. */
static int read_rows(struct lines *lines, const char *header, tsv_row *row, void *arg,
                     struct error *err)
{
    char *line, *cells[16];
    size_t length, columns = 1;
    for (const char *c = header; *c; c++) columns += *c == '\t';
    int got = lines_next(lines, &line, &length, err);
    if (got < 0) return -1;
    if (got == 0 || strcmp(line, header) != 0)
        return fail(err, "%s: the first line is not the header of this table", lines_name(lines));
    while ((got = lines_next(lines, &line, &length, err)) > 0) {
        size_t count = split_tabs(line, cells, 16);
        if (count != columns)
            return fail(err, "%s: %zu columns, wanted %zu", lines_where(lines), count, columns);
        if (row(arg, lines, cells, err)) return -1;
    }
    return got;
}

int tsv_read_table(const char *path, const char *header, tsv_row *row, void *arg, struct error *err)
{
    struct lines *lines;
    if (!path_exists(path)) return 0;
    if (lines_open(&lines, path, err)) return -1;
    int status = read_rows(lines, header, row, arg, err);
    lines_close(lines);
    return status;
}
