/* The report's curves: losses and dev quality of each phase of training, and the probe of the
 * teacher's layers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/output.h"
#include "distill/report_page.h"
#include "distill/train_log.h"
#include "distill/tsv.h"

enum { DRAWN = 120, PARTS = 5 }; /* points of a curve; columns of a table of losses */

/* ---- a phase's log ---- */

/* The points, or means of equal runs of them, so that at most DRAWN are left: a thousand noisy
 * steps as a curve.  Freshly allocated. */
static struct plot_point *thinned(const struct log_series *series, size_t *count)
{
    *count = series->count < DRAWN ? series->count : DRAWN;
    struct plot_point *points = xcalloc(*count, sizeof *points);
    for (size_t b = 0; b < *count; b++) {
        size_t from = b * series->count / *count, to = (b + 1) * series->count / *count;
        double x = 0, y = 0;
        for (size_t p = from; p < to; p++)
            x += series->points[p].step, y += series->points[p].value;
        points[b] = (struct plot_point){x / (double)(to - from), y / (double)(to - from),
                                        .low = NAN, .high = NAN};
    }
    return points;
}

/* ---- losses ---- */

static double mean_between(const struct log_series *series, double from, double to)
{
    double sum = 0;
    size_t count = 0;
    for (size_t p = 0; p < series->count; p++)
        if (series->points[p].step > from && series->points[p].step <= to)
            sum += series->points[p].value, count++;
    return count ? sum / (double)count : NAN;
}

static void loss_table(struct page *page, const struct train_log *log)
{
    char headers[PARTS][48];
    const char *pointers[PARTS + 1] = {"loss"};
    for (int p = 0; p < PARTS; p++) {
        snprintf(headers[p], sizeof headers[p], "steps %.0f\xe2\x80\x93%.0f",
                 floor(log->last_step * p / PARTS) + 1, floor(log->last_step * (p + 1) / PARTS));
        pointers[p + 1] = headers[p];
    }
    html_details(&page->out, "The numbers");
    html_table(&page->out, "Means over a fifth of the steps each", pointers, PARTS + 1);
    for (size_t s = 0; s < log->count; s++) {
        if (strcmp(log->series[s].kind, "train") != 0) continue;
        html_row(&page->out, "%s", log->series[s].name);
        for (int p = 0; p < PARTS; p++) {
            html_short(&page->out, mean_between(&log->series[s], floor(log->last_step * p / PARTS),
                                                floor(log->last_step * (p + 1) / PARTS)));
        }
        html_row_end(&page->out);
    }
    html_table_end(&page->out);
    html_details_end(&page->out);
}

/* ---- quality on dev ---- */

static double value_at(const struct log_series *series, double step)
{
    for (size_t p = 0; p < series->count; p++)
        if (series->points[p].step == step) return series->points[p].value;
    return NAN;
}

/* A line for each evaluation, a column for each series. */
static void dev_table(struct page *page, const struct train_log *log)
{
    enum { MOST = 32 };
    const char *headers[MOST] = {"step"};
    const struct log_series *columns[MOST] = {NULL};
    size_t count = 1;
    for (size_t s = 0; s < log->count && count < MOST; s++)
        if (strcmp(log->series[s].kind, "dev") == 0) {
            headers[count] = log_series_title(log, &log->series[s]);
            columns[count++] = &log->series[s];
        }
    html_details(&page->out, "The numbers");
    html_table(&page->out,
               train_log_has_taps(log) ? "For each tap (layers, dimensions)" : "Quality on dev",
               headers, count);
    for (size_t p = 0; p < columns[1]->count; p++) {
        html_row(&page->out, "%.0f", columns[1]->points[p].step);
        for (size_t c = 1; c < count; c++) {
            html_fixed(&page->out, value_at(columns[c], columns[1]->points[p].step));
        }
        html_row_end(&page->out);
    }
    html_table_end(&page->out);
    html_details_end(&page->out);
}

/* ---- plots ---- */

/* The curves of a kind of the log's series; false where there is none. */
static bool draw_log(struct page *page, const struct train_log *log, bool losses,
                     struct plot_curves plot)
{
    struct plot_series *series = xcalloc(log->count, sizeof *series);
    for (size_t s = 0; s < log->count; s++) {
        const struct log_series *from = &log->series[s];
        if (losses ? !train_log_is_loss(from) : strcmp(from->kind, "dev") != 0) continue;
        struct plot_series *to = &series[plot.num_series++];
        *to = (struct plot_series){
            .name = log_series_title(log, from), .joined = true, .plain = losses};
        to->points = thinned(from, &to->count);
    }
    plot.series = series;
    if (plot.num_series) {
        html_figure(&page->out, plot.label.title);
        plot_curves(&page->out, &plot);
    }
    for (size_t s = 0; s < plot.num_series; s++) free(series[s].points);
    free(series);
    return plot.num_series > 0;
}

/* The figure of a phase's losses, or of its quality on dev. */
static void draw_phase(struct page *page, const struct train_log *log, bool losses,
                       const char *phase)
{
    char id[48], title[96];
    bool taps = train_log_has_taps(log);
    snprintf(id, sizeof id, "%s-%s", losses ? "losses" : "dev", phase);
    snprintf(title, sizeof title, losses ? "Losses in phase %s" : "Quality on dev in phase %s%s",
             phase, taps ? ", by tap" : "");
    const struct plot_curves plot = {
        .label =
            {id, title,
             losses ? "A curve for each loss against the training step; where there are many "
                      "steps, means of neighbouring ones. The table beneath has means over "
                      "fifths."
             : taps ? "Quality on dev after so many steps, a curve for each tap and one for their "
                      "mean. The table beneath has every evaluation."
                    : "Of the re-ranker after so many steps: nDCG@10 of what it re-ranks for dev "
                      "queries, or of scored pairs Spearman's correlation. The table beneath "
                      "has every evaluation."},
        .x_label = "step",
        .y_label = losses ? "loss" : train_log_measure(log)};
    if (!draw_log(page, log, losses, plot)) return;
    if (losses)
        loss_table(page, log);
    else
        dev_table(page, log);
    html_figure_end(&page->out);
}

static void best_step(struct page *page, const struct train_log *log, const char *phase)
{
    const struct log_point *best = train_log_best(log);
    if (best)
        html_paragraph(&page->out,
                       "Phase %s: %.0f steps; the weights kept are those of step %.0f, best on dev "
                       "with %.4f%s.",
                       phase, log->last_step, best->step, best->value,
                       train_log_has_taps(log) ? ", the mean over the taps" : "");
    else
        html_paragraph(&page->out, "Phase %s: %.0f steps; the weights kept are the last ones.",
                       phase, log->last_step);
}

static int phase_curves(struct page *page, const char *phase, int *found, struct error *err)
{
    struct train_log log;
    int status = train_log_read(&log, page->folder, phase, err);
    if (!status && log.count) {
        ++*found;
        text_printf(&page->out, "<h3>%s</h3>\n", phase);
        best_step(page, &log, phase);
        text_puts(&page->out, "<div class=\"plots\">\n");
        draw_phase(page, &log, true, phase);
        draw_phase(page, &log, false, phase);
        text_puts(&page->out, "</div>\n");
    }
    train_log_free(&log);
    return status;
}

int page_training(struct page *page, struct error *err)
{
    int found = 0;
    html_section(&page->out, "training", "Training");
    html_paragraph(&page->out,
                   "hpd copies vectors of single texts, distil learns from the teacher's scores "
                   "and the labels, no-teacher is the control that learns from labels alone.");
    for (size_t p = 0; train_phases[p]; p++)
        if (phase_curves(page, train_phases[p], &found, err)) return -1;
    if (!found) html_missing(&page->out, "No training log yet: the train stage has not begun.");
    html_section_end(&page->out);
    return 0;
}

/* ---- the probe ---- */

enum { PROBE_SERIES = 4 }; /* form single or pair, raw or centred */
static const char *const probe_names[PROBE_SERIES] = {
    "single text", "single text, centred", "paired with itself", "paired with itself, centred"};

struct probe_table {
    struct plot_point *points[PROBE_SERIES];
    size_t count[PROBE_SERIES], capacity[PROBE_SERIES];
};

static int probe_row(void *arg, struct lines *lines, char **cells, struct error *err)
{
    struct probe_table *table = arg;
    double layer, value;
    if (tsv_read_number(&layer, lines, cells[0], err) ||
        tsv_read_number(&value, lines, cells[3], err))
        return -1;
    if (isnan(layer) || isnan(value)) return 0;
    int s = 2 * (strcmp(cells[1], "pair") == 0) + (strcmp(cells[2], "1") == 0);
    GROW(table->points[s], table->count[s], &table->capacity[s]);
    table->points[s][table->count[s]++] =
        (struct plot_point){.x = layer, .y = value, .low = NAN, .high = NAN};
    return 0;
}

/* The point that the run went on with: of representations/choice.json; NULL: not known. */
static const struct plot_point *probe_choice(const struct page *page,
                                             const struct probe_table *table)
{
    struct json *choice = NULL;
    struct error ignored = {0};
    const struct plot_point *found = NULL;
    int64_t layer;
    char *path = page_path(page, "representations/choice.json");
    if (path_exists(path) && json_read_file(&choice, path, &ignored) == 0 &&
        json_as_integer(&layer, json_get(choice, "layer"), 0, 1000)) {
        int s = 2 * (strcmp(json_string_or(choice, "form", ""), "pair") == 0) +
                json_bool_or(choice, "centred", false);
        for (size_t p = 0; p < table->count[s]; p++)
            if (table->points[s][p].x == (double)layer) found = &table->points[s][p];
    }
    json_free(choice);
    free(path);
    return found;
}

static void probe_figure(struct page *page, const struct probe_table *table)
{
    const char *headers[PROBE_SERIES + 1] = {"layer"};
    struct plot_series series[PROBE_SERIES];
    const char *measure = job_has_pairs(page->job) ? "Spearman" : "nDCG@10";
    char title[96];
    snprintf(title, sizeof title, "%s of each teacher layer's vectors on dev", measure);
    for (int s = 0; s < PROBE_SERIES; s++) {
        headers[s + 1] = probe_names[s];
        series[s] =
            (struct plot_series){probe_names[s], table->points[s], table->count[s], true, false};
    }
    const struct plot_curves plot = {
        .label = {"probe-plot", title,
                  "A curve for each way to put a text into the teacher, against the layer whose "
                  "mean vector represents it; layer 0 is the embeddings. The ring marks what the "
                  "run went on with. The table beneath has all values."},
        .x_label = "layer of the teacher",
        .y_label = measure,
        .series = series,
        .num_series = PROBE_SERIES,
        .picked = probe_choice(page, table)};
    html_figure(&page->out, plot.label.title);
    plot_curves(&page->out, &plot);
    html_details(&page->out, "The numbers");
    html_table(&page->out, plot.label.title, headers, PROBE_SERIES + 1);
    for (size_t p = 0; p < table->count[0]; p++) {
        html_row(&page->out, "%.0f", table->points[0][p].x);
        for (int s = 0; s < PROBE_SERIES; s++)
            html_fixed(&page->out, p < table->count[s] ? table->points[s][p].y : NAN);
        html_row_end(&page->out);
    }
    html_table_end(&page->out);
    html_details_end(&page->out);
    html_figure_end(&page->out);
}

int page_probe(struct page *page, struct error *err)
{
    struct probe_table table = {0};
    char *path = page_path(page, "probe.tsv");
    bool pairs = job_has_pairs(page->job);
    int status = tsv_read_table(path,
                                pairs ? "layer\tform\tcentred\tspearman\tpearson"
                                      : "layer\tform\tcentred\tndcg_cut_10\trecip_rank_cut_10",
                                probe_row, &table, err);
    free(path);
    html_section(&page->out, "probe", "Layer probe");
    html_paragraph(&page->out,
                   "How good the mean of a layer's vectors is for single texts, for every layer of "
                   "the teacher: the best one gives %sthe targets of HPD. Centred: less the "
                   "mean of all vectors of its kind.",
                   pairs ? "" : "candidates for mining and ");
    if (pairs)
        html_paragraph(&page->out, "Measured on at most %d dev pairs.", page->job->probe.documents);
    else
        html_paragraph(&page->out,
                       "Measured on at most %d dev queries against at most %d documents.",
                       page->job->probe.queries, page->job->probe.documents);
    if (page->job->distill.hpd.source != VECTORS_TEACHER || !job_uses_vectors(page->job))
        html_missing(&page->out, "This job needs no vectors of the teacher's layers: none is "
                                 "probed.");
    else if (!status && table.count[0])
        probe_figure(page, &table);
    else if (!status)
        html_missing(&page->out, "No probe.tsv yet: the embed stage has not run.");
    html_section_end(&page->out);
    for (int s = 0; s < PROBE_SERIES; s++) free(table.points[s]);
    return status;
}
