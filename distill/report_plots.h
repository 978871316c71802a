/* Plots of the report as SVG within its page: no script, colours by the page's style (series s0 to
 * s7, each with a shape of its own), a title and a description for who cannot see them.  The caller
 * puts the numbers beside them as a table. */
#ifndef RETORT_REPORT_PLOTS_H
#define RETORT_REPORT_PLOTS_H

#include "data/metrics.h"

enum { PLOT_SERIES = 8 }; /* colours and shapes; beyond that they repeat */

/* id: unique on the page, plain letters; title is also the figure's caption. */
struct plot_label {
    const char *id, *title, *description;
};

/* ---- curves and scattered points ---- */

struct plot_point {
    double x, y;
    double low, high; /* NaN: no interval */
};
struct plot_series {
    const char *name;
    struct plot_point *points; /* by x where they are joined */
    size_t count;
    bool joined, plain; /* by a line; without marks */
};
struct plot_level { /* a horizontal line: what has no x */
    const char *name;
    double y;
};
struct plot_curves {
    struct plot_label label;
    const char *x_label, *y_label;
    bool x_log, x_own; /* logarithmic; ticks at the points' own values */
    const struct plot_series *series;
    size_t num_series;
    const struct plot_level *levels;
    size_t num_levels;
    const struct plot_point *picked; /* ringed; NULL: none */
};
/* Series without points are left out; nothing is drawn where all are empty. */
void plot_curves(struct text *out, const struct plot_curves *plot);

/* ---- heat map ---- */

struct plot_heat {
    struct plot_label label;
    const char *row_name, *column_name;
    const int *rows, *columns;
    int num_rows, num_columns;
    const struct interval *cells; /* [num_rows, num_columns]; NaN: empty */
    double low, high;             /* values of the palest and the darkest cell */
    int picked_row, picked_column;
};
void plot_heat(struct text *out, const struct plot_heat *plot);

/* ---- intervals, one a row ---- */

struct plot_interval {
    const char *name;
    struct interval value;
    bool strong;
};
struct plot_intervals {
    struct plot_label label;
    const char *x_label;
    const struct plot_interval *rows;
    size_t count;
    bool differences; /* a line at zero, signs before the numbers */
};
void plot_intervals(struct text *out, const struct plot_intervals *plot);

#endif
