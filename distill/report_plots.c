/* See report_plots.h.  Drawn 400 units wide, which a phone shows nearly one to one. */
#include "distill/report_plots.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "distill/report_html.h"

enum { WIDTH = 400, HEIGHT = 264, LEFT = 52, RIGHT = 12, TOP = 12, BOTTOM = 44, MOST_TICKS = 24 };

static void svg_start(struct text *out, const struct plot_label *label, int width, int height)
{
    text_printf(out,
                "<svg role=\"img\" viewBox=\"0 0 %d %d\" aria-labelledby=\"%s-t %s-d\" "
                "xmlns=\"http://www.w3.org/2000/svg\"><title id=\"%s-t\">",
                width, height, label->id, label->id, label->id);
    html_text(out, label->title);
    text_printf(out, "</title><desc id=\"%s-d\">", label->id);
    html_text(out, label->description);
    text_puts(out, "</desc>\n");
}

static void draw_line(struct text *out, const char *class, double x1, double y1, double x2,
                      double y2)
{
    text_printf(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", class,
                x1, y1, x2, y2);
}

static void draw_words(struct text *out, const char *attributes, double x, double y,
                       const char *words)
{
    text_printf(out, "<text %s x=\"%.1f\" y=\"%.1f\">", attributes, x, y);
    html_text(out, words);
    text_puts(out, "</text>");
}

/* The mark of a series: shapes as well as colours tell series apart. */
static void draw_mark(struct text *out, size_t series, double x, double y)
{
    static const char *const shapes[] = {
        "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",  /* circle */
        "M-3.6 -3.6h7.2v7.2h-7.2z",             /* square */
        "M0 -5L4.6 3.4h-9.2z",                  /* triangle */
        "M0 -5.2L5.2 0L0 5.2L-5.2 0z",          /* diamond */
        "M0 5L4.6 -3.4h-9.2z",                  /* triangle upside down */
        "M-5 -1.8h10v3.6h-10z",                 /* bar */
        "M-1.8 -5h3.6v10h-3.6z",                /* post */
        "M-4.5 0L-1.5 -4.5h3L4.5 0L1.5 4.5h-3z" /* hexagon */
    };
    text_printf(out, "<path class=\"dot\" transform=\"translate(%.1f %.1f)\" d=\"%s\"/>", x, y,
                shapes[series % PLOT_SERIES]);
}

/* ---- scales ---- */

struct scale {
    double from, to; /* values at the pixels */
    double from_px, to_px;
    bool log;
    double ticks[MOST_TICKS];
    int num_ticks;
};

static double place(const struct scale *scale, double value)
{
    double share = scale->log ? log(value / scale->from) / log(scale->to / scale->from)
                              : (value - scale->from) / (scale->to - scale->from);
    return scale->from_px + share * (scale->to_px - scale->from_px);
}

static double nice_step(double span, int most)
{
    double raw = span / most, power = pow(10, floor(log10(raw))), mantissa = raw / power;
    return power * (mantissa <= 1 ? 1 : mantissa <= 2 ? 2 : mantissa <= 5 ? 5 : 10);
}

/* Widens the scale to whole steps and puts the ticks there. */
static void scale_linear(struct scale *scale, int most)
{
    if (!(scale->to > scale->from)) {
        double pad = scale->from != 0 ? fabs(scale->from) / 10 : 1;
        scale->from -= pad, scale->to += pad;
    }
    double step = nice_step(scale->to - scale->from, most);
    double first = floor(scale->from / step + 1e-9), last = ceil(scale->to / step - 1e-9);
    scale->from = first * step, scale->to = last * step;
    scale->num_ticks = 0;
    for (double k = first; k <= last && scale->num_ticks < MOST_TICKS; k++)
        scale->ticks[scale->num_ticks++] = k * step;
}

/* Ticks at 1, 2 and 5 times powers of ten; at more of them where the scale is short. */
static void scale_log(struct scale *scale)
{
    static const double steps[] = {1, 2, 5, 1.5, 3, 4, 7};
    const int few = 3, many = sizeof steps / sizeof *steps;
    scale->log = true;
    scale->from /= 1.15, scale->to *= 1.15;
    int used = scale->to / scale->from > 20 ? few : many;
    scale->num_ticks = 0;
    for (double power = floor(log10(scale->from)); pow(10, power) <= scale->to; power++)
        for (int s = 0; s < used; s++) {
            double tick = steps[s] * pow(10, power);
            if (tick >= scale->from && tick <= scale->to && scale->num_ticks < MOST_TICKS)
                scale->ticks[scale->num_ticks++] = tick;
        }
}

static int by_number(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Ticks at the values themselves, those left out that stand too close to the one before. */
static void ticks_at(struct scale *scale, double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_number);
    scale->num_ticks = 0;
    for (size_t i = 0; i < count && scale->num_ticks < MOST_TICKS; i++) {
        int n = scale->num_ticks;
        double apart = n ? place(scale, values[i]) - place(scale, scale->ticks[n - 1]) : 1e9;
        if (apart >= 36) scale->ticks[scale->num_ticks++] = values[i];
    }
}

/* ---- curves ---- */

static void widen(struct scale *scale, double value)
{
    if (isnan(value)) return;
    scale->from = fmin(scale->from, value);
    scale->to = fmax(scale->to, value);
}

static void fit_y(struct scale *y, const struct plot_curves *plot)
{
    *y =
        (struct scale){.from = INFINITY, .to = -INFINITY, .from_px = HEIGHT - BOTTOM, .to_px = TOP};
    for (size_t s = 0; s < plot->num_series; s++)
        for (size_t p = 0; p < plot->series[s].count; p++) {
            widen(y, plot->series[s].points[p].y);
            widen(y, plot->series[s].points[p].low);
            widen(y, plot->series[s].points[p].high);
        }
    for (size_t l = 0; l < plot->num_levels; l++) widen(y, plot->levels[l].y);
    if (y->from > 0 && y->from < y->to / 2) y->from = 0;
    scale_linear(y, 5);
}

static size_t fit_x(struct scale *x, const struct plot_curves *plot)
{
    size_t count = 0, capacity = 0;
    double *values = NULL;
    *x = (struct scale){.from = INFINITY, .to = -INFINITY, .from_px = LEFT, .to_px = WIDTH - RIGHT};
    for (size_t s = 0; s < plot->num_series; s++)
        for (size_t p = 0; p < plot->series[s].count; p++) {
            GROW(values, count, &capacity);
            values[count++] = plot->series[s].points[p].x;
            widen(x, plot->series[s].points[p].x);
        }
    if (count && plot->x_log) scale_log(x);
    if (count && !plot->x_log) {
        double most = x->to;
        bool spread = x->to > x->from;
        scale_linear(x, 6);
        if (spread) x->to = most; /* no empty stretch after the last step */
        while (x->ticks[x->num_ticks - 1] > x->to) x->num_ticks--;
    }
    if (count && plot->x_own) ticks_at(x, values, count);
    free(values);
    return count;
}

static void draw_axes(struct text *out, const struct scale *x, const struct scale *y,
                      const char *x_label, const char *y_label)
{
    char number[32];
    for (int t = 0; t < y->num_ticks; t++) {
        double at = place(y, y->ticks[t]);
        draw_line(out, "grid", x->from_px, at, x->to_px, at);
        snprintf(number, sizeof number, "%.6g", y->ticks[t]);
        draw_words(out, "class=\"tick\" text-anchor=\"end\"", x->from_px - 6, at + 4, number);
    }
    for (int t = 0; t < x->num_ticks; t++) {
        double at = place(x, x->ticks[t]);
        draw_line(out, "axis", at, HEIGHT - BOTTOM, at, HEIGHT - BOTTOM + 4);
        snprintf(number, sizeof number, "%.6g", x->ticks[t]);
        draw_words(out, "class=\"tick\" text-anchor=\"middle\"", at, HEIGHT - BOTTOM + 17, number);
    }
    draw_line(out, "axis", x->from_px, HEIGHT - BOTTOM, x->to_px, HEIGHT - BOTTOM);
    draw_words(out, "text-anchor=\"middle\"", (x->from_px + x->to_px) / 2, HEIGHT - 8, x_label);
    text_printf(out, "<text text-anchor=\"middle\" transform=\"translate(13 %.1f) rotate(-90)\">",
                (y->from_px + y->to_px) / 2);
    html_text(out, y_label);
    text_puts(out, "</text>\n");
}

static void draw_series(struct text *out, const struct plot_series *series, size_t index,
                        const struct scale *x, const struct scale *y)
{
    text_printf(out, "<g class=\"s%zu\">", index % PLOT_SERIES);
    if (series->joined && series->count > 1) {
        text_puts(out, "<polyline class=\"line\" points=\"");
        for (size_t p = 0; p < series->count; p++)
            text_printf(out, "%s%.1f,%.1f", p ? " " : "", place(x, series->points[p].x),
                        place(y, series->points[p].y));
        text_puts(out, "\"/>");
    }
    for (size_t p = 0; p < series->count; p++) {
        const struct plot_point *point = &series->points[p];
        double at = place(x, point->x);
        if (!isnan(point->low) && !isnan(point->high))
            draw_line(out, "bar", at, place(y, point->low), at, place(y, point->high));
        if (!series->plain || series->count == 1) draw_mark(out, index, at, place(y, point->y));
    }
    text_puts(out, "</g>\n");
}

/* Lines for what has no x, named above, or below where another one is close above. */
static void draw_levels(struct text *out, const struct plot_curves *plot, const struct scale *x,
                        const struct scale *y)
{
    for (size_t l = 0; l < plot->num_levels; l++) {
        double at = place(y, plot->levels[l].y);
        bool below = false;
        for (size_t o = 0; o < plot->num_levels; o++) {
            double above = at - place(y, plot->levels[o].y);
            below = below || (above > 0 && above < 30);
        }
        text_puts(out, "<g class=\"s7\">");
        draw_line(out, "level", x->from_px, at, x->to_px, at);
        text_puts(out, "</g>");
        draw_words(out, "class=\"tick\"", x->from_px + 6, below ? at + 14 : at - 5,
                   plot->levels[l].name);
    }
}

/* What the colours and shapes mean, as a list beneath the plot. */
static void draw_key(struct text *out, const struct plot_curves *plot)
{
    static const char start[] = "<svg viewBox=\"0 0 26 14\" aria-hidden=\"true\" "
                                "xmlns=\"http://www.w3.org/2000/svg\">";
    text_puts(out, "<ul class=\"key\">");
    for (size_t s = 0; s < plot->num_series; s++) {
        if (!plot->series[s].count) continue;
        text_printf(out, "<li class=\"s%zu\">%s", s % PLOT_SERIES, start);
        if (plot->series[s].joined) draw_line(out, "line", 1, 7, 25, 7);
        if (!plot->series[s].plain) draw_mark(out, s, 13, 7);
        text_puts(out, "</svg><span>");
        html_text(out, plot->series[s].name);
        text_puts(out, "</span></li>");
    }
    if (plot->picked)
        text_printf(out,
                    "<li>%s<circle class=\"ring\" cx=\"13\" cy=\"7\" r=\"6\"/></svg>"
                    "<span>the picked point</span></li>",
                    start);
    text_puts(out, "</ul>\n");
}

void plot_curves(struct text *out, const struct plot_curves *plot)
{
    struct scale x, y;
    if (!fit_x(&x, plot)) return;
    fit_y(&y, plot);
    svg_start(out, &plot->label, WIDTH, HEIGHT);
    draw_axes(out, &x, &y, plot->x_label, plot->y_label);
    draw_levels(out, plot, &x, &y);
    for (size_t s = 0; s < plot->num_series; s++)
        if (plot->series[s].count) draw_series(out, &plot->series[s], s, &x, &y);
    if (plot->picked)
        text_printf(out, "<circle class=\"ring\" cx=\"%.1f\" cy=\"%.1f\" r=\"9\"/>",
                    place(&x, plot->picked->x), place(&y, plot->picked->y));
    text_puts(out, "</svg>\n");
    draw_key(out, plot);
}

/* ---- heat map ---- */

enum { CELL_WIDTH = 88, CELL_HEIGHT = 44, HEAT_LEFT = 56, HEAT_TOP = 40 };

static void draw_cell(struct text *out, const struct plot_heat *plot, int row, int column)
{
    const struct interval *value = &plot->cells[row * plot->num_columns + column];
    double x = HEAT_LEFT + column * CELL_WIDTH, y = HEAT_TOP + row * CELL_HEIGHT;
    if (isnan(value->mean)) return;
    double share =
        plot->high > plot->low ? (value->mean - plot->low) / (plot->high - plot->low) : 1;
    share = fmax(0, fmin(1, share));
    bool picked = row == plot->picked_row && column == plot->picked_column;
    char words[48];
    text_printf(out,
                "<rect class=\"edge\" x=\"%.0f\" y=\"%.0f\" width=\"%d\" height=\"%d\" "
                "fill=\"var(--heat)\" fill-opacity=\"%.2f\"/>",
                x, y, CELL_WIDTH, CELL_HEIGHT, .04 + .48 * share);
    if (picked)
        text_printf(out,
                    "<rect class=\"ring\" x=\"%.0f\" y=\"%.0f\" width=\"%d\" height=\"%d\" "
                    "stroke-width=\"3\"/>",
                    x + 2, y + 2, CELL_WIDTH - 4, CELL_HEIGHT - 4);
    snprintf(words, sizeof words, "%.4f", value->mean);
    draw_words(out, "class=\"strong\" text-anchor=\"middle\"", x + CELL_WIDTH / 2., y + 19, words);
    if (isnan(value->low) || isnan(value->high)) return;
    snprintf(words, sizeof words, "%.3f\xe2\x80\x93%.3f", value->low, value->high);
    draw_words(out, "text-anchor=\"middle\"", x + CELL_WIDTH / 2., y + 35, words);
}

void plot_heat(struct text *out, const struct plot_heat *plot)
{
    int width = HEAT_LEFT + plot->num_columns * CELL_WIDTH + 2;
    int height = HEAT_TOP + plot->num_rows * CELL_HEIGHT + 2;
    char number[16];
    text_printf(out,
                "<div class=\"scroll%s\" tabindex=\"0\" role=\"group\" aria-label=\"heat map\">"
                "<div style=\"min-width:%dpx;max-width:%dpx\">",
                plot->num_columns > 5 ? " wide" : "", width * 17 / 20, width * 23 / 20);
    svg_start(out, &plot->label, width, height);
    draw_words(out, "class=\"tick\"", 2, HEAT_TOP - 8, plot->row_name);
    draw_words(out, "class=\"tick\" text-anchor=\"middle\"",
               HEAT_LEFT + plot->num_columns * CELL_WIDTH / 2., 14, plot->column_name);
    for (int c = 0; c < plot->num_columns; c++) {
        snprintf(number, sizeof number, "%d", plot->columns[c]);
        draw_words(out, "text-anchor=\"middle\"", HEAT_LEFT + (c + .5) * CELL_WIDTH, HEAT_TOP - 8,
                   number);
    }
    for (int r = 0; r < plot->num_rows; r++) {
        snprintf(number, sizeof number, "%d", plot->rows[r]);
        draw_words(out, "text-anchor=\"end\"", HEAT_LEFT - 10,
                   HEAT_TOP + (r + .5) * CELL_HEIGHT + 4, number);
        for (int c = 0; c < plot->num_columns; c++) draw_cell(out, plot, r, c);
    }
    text_puts(out, "</svg></div></div>\n");
}

/* ---- intervals ---- */

enum { ROW_HEIGHT = 42, ROWS_TOP = 6, SIDE = 10, NAME_EXCERPT = 32 };

static void draw_interval(struct text *out, const struct plot_intervals *plot, size_t index,
                          const struct scale *x)
{
    const struct plot_interval *row = &plot->rows[index];
    double y = ROWS_TOP + (double)index * ROW_HEIGHT;
    char words[80];
    bool whole = !isnan(row->value.low) && !isnan(row->value.high);
    text_printf(out, "<text%s x=\"%d\" y=\"%.1f\">", row->strong ? " class=\"strong\"" : "", SIDE,
                y + 14);
    html_excerpt(out, row->name, NAME_EXCERPT);
    text_puts(out, "</text>");
    snprintf(words, sizeof words, plot->differences ? "%+.4f" : "%.4f", row->value.mean);
    if (whole)
        snprintf(words + strlen(words), sizeof words - strlen(words),
                 plot->differences ? " [%+.3f, %+.3f]" : " [%.3f, %.3f]", row->value.low,
                 row->value.high);
    draw_words(out,
               row->strong ? "class=\"strong\" text-anchor=\"end\""
                           : "class=\"tick\" text-anchor=\"end\"",
               WIDTH - SIDE, y + 14, words);
    text_printf(out, "<g class=\"s%d\">", row->strong ? 1 : 0);
    if (whole)
        draw_line(out, "bar", place(x, row->value.low), y + 26, place(x, row->value.high), y + 26);
    draw_mark(out, row->strong ? 3 : 0, place(x, row->value.mean), y + 26);
    text_puts(out, "</g>\n");
}

void plot_intervals(struct text *out, const struct plot_intervals *plot)
{
    const double bottom = ROWS_TOP + (double)plot->count * ROW_HEIGHT;
    struct scale x = {.from = 0, .to = 0, .from_px = SIDE + 8, .to_px = WIDTH - SIDE - 8};
    char number[32];
    for (size_t r = 0; r < plot->count; r++) {
        widen(&x, plot->rows[r].value.mean);
        widen(&x, plot->rows[r].value.low);
        widen(&x, plot->rows[r].value.high);
    }
    scale_linear(&x, 6);
    svg_start(out, &plot->label, WIDTH, (int)bottom + 42);
    for (int t = 0; t < x.num_ticks; t++) {
        double at = place(&x, x.ticks[t]);
        bool zero = plot->differences && fabs(x.ticks[t]) < 1e-12;
        for (size_t r = 0; r < plot->count; r++) { /* not through the names */
            double y = ROWS_TOP + (double)r * ROW_HEIGHT;
            draw_line(out, zero ? "axis" : "grid", at, y + 19, at, y + 33);
        }
        draw_line(out, "axis", at, bottom, at, bottom + 4);
        snprintf(number, sizeof number, "%.6g", zero ? 0 : x.ticks[t]);
        draw_words(out, "class=\"tick\" text-anchor=\"middle\"", at, bottom + 17, number);
    }
    draw_line(out, "axis", x.from_px, bottom, x.to_px, bottom);
    draw_words(out, "text-anchor=\"middle\"", WIDTH / 2., bottom + 36, plot->x_label);
    text_puts(out, "\n");
    for (size_t r = 0; r < plot->count; r++) draw_interval(out, plot, r, &x);
    text_puts(out, "</svg>\n");
}
