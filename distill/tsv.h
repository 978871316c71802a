/* Cells of the tab-separated tables that a run writes (grid.tsv, differences.tsv): an empty cell is
 * no value. */
#ifndef RETORT_TSV_H
#define RETORT_TSV_H

#include "data/lines.h"
#include "data/output.h"

/* A copy of string that fits into one cell: tabs and line ends become spaces (a folder's name may
 * hold anything). */
char *tsv_text(const char *string);
/* A tab, then the value with so many decimals; nothing after the tab for NaN, for a count of 0. */
void tsv_write_fixed(struct output *out, double value, int decimals);
void tsv_write_short(struct output *out, double value); /* 6 significant digits */
void tsv_write_count(struct output *out, int value);

/* NaN for an empty cell; -1 with file and line where it is no finite number. */
int tsv_read_number(double *out, struct lines *lines, const char *cell, struct error *err);
/* 0 for an empty cell; -1 with file and line where it is not a whole number up to a million. */
int tsv_read_count(int *out, struct lines *lines, const char *cell, struct error *err);

/* Calls row for each line below the header of the table at path, which must have these columns, at
 * most 16; 0 where there is no such file. */
typedef int tsv_row(void *arg, struct lines *lines, char **cells, struct error *err);
int tsv_read_table(const char *path, const char *header, tsv_row *row, void *arg,
                   struct error *err);

#endif
