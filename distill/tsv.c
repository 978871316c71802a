/* See tsv.h. */
#include "distill/tsv.h"

#include <math.h>
#include <stdlib.h>

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
