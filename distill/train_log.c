/* See train_log.h. */
#include "distill/train_log.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "distill/tsv.h"

const char *const train_phases[] = {"teach", "hpd", "distil", "no-teacher", NULL};

static struct log_series *find_series(struct train_log *log, const char *kind, const char *name)
{
    for (size_t s = 0; s < log->count; s++)
        if (strcmp(log->series[s].kind, kind) == 0 && strcmp(log->series[s].name, name) == 0)
            return &log->series[s];
    GROW(log->series, log->count, &log->capacity);
    log->series[log->count] = (struct log_series){.kind = xstrdup(kind), .name = xstrdup(name)};
    return &log->series[log->count++];
}

static int log_row(void *arg, struct lines *lines, char **cells, struct error *err)
{
    struct train_log *log = arg;
    double step, value;
    if (tsv_read_number(&step, lines, cells[2], err) ||
        tsv_read_number(&value, lines, cells[4], err))
        return -1;
    if (isnan(step) || isnan(value)) return 0;
    struct log_series *series = find_series(log, cells[1], cells[3]);
    /* A killed run goes on from its last checkpoint and writes these steps again. */
    while (series->count && series->points[series->count - 1].step >= step) series->count--;
    GROW(series->points, series->count, &series->capacity);
    series->points[series->count++] = (struct log_point){step, value};
    log->last_step = fmax(log->last_step, step);
    return 0;
}

int train_log_read_file(struct train_log *out, const char *path, struct error *err)
{
    *out = (struct train_log){0};
    return tsv_read_table(path, "phase\tkind\tstep\tname\tvalue", log_row, out, err);
}

int train_log_read(struct train_log *out, const char *folder, const char *phase, struct error *err)
{
    char *path = xasprintf("%s/train/%s.tsv", folder, phase);
    int status = train_log_read_file(out, path, err);
    free(path);
    return status;
}

void train_log_free(struct train_log *log)
{
    for (size_t s = 0; s < log->count; s++) {
        free(log->series[s].kind);
        free(log->series[s].name);
        free(log->series[s].points);
    }
    free(log->series);
    *log = (struct train_log){0};
}

bool train_log_is_loss(const struct log_series *series)
{
    return strcmp(series->kind, "train") == 0 && strcmp(series->name, "learning_rate") != 0 &&
           strcmp(series->name, "gradient_norm") != 0;
}

/* The first measure of a tap; NULL: there is none. */
static const struct log_series *tap_series(const struct train_log *log)
{
    for (size_t s = 0; s < log->count; s++)
        if (strcmp(log->series[s].kind, "dev") == 0 && strchr(log->series[s].name, '('))
            return &log->series[s];
    return NULL;
}

bool train_log_has_taps(const struct train_log *log)
{
    return tap_series(log) != NULL;
}

const char *train_log_measure(const struct train_log *log)
{
    const struct log_series *tap = tap_series(log);
    if (!tap) return "dev";
    return strncmp(tap->name, "spearman ", 9) == 0 ? "Spearman" : "nDCG@10";
}

const char *log_series_title(const struct train_log *log, const struct log_series *series)
{
    const char *tap = strstr(series->name, " (");
    if (tap) return tap + 1;
    if (strcmp(series->name, "dev_mean") != 0) return series->name;
    return train_log_has_taps(log) ? "mean of the taps" : "dev";
}

const struct log_point *train_log_best(const struct train_log *log)
{
    const struct log_point *best = NULL;
    for (size_t s = 0; s < log->count; s++)
        for (size_t p = 0; p < log->series[s].count; p++)
            if (strcmp(log->series[s].name, "dev_mean") == 0 &&
                (!best || log->series[s].points[p].value > best->value))
                best = &log->series[s].points[p];
    return best;
}
