/* retort inspect: what a run leaves: its folder, tables, logs, page, lists of ids (inspect.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/json.h"
#include "data/lines.h"
#include "data/output.h"
#include "data/progress.h"
#include "distill/grid_seeds.h"
#include "distill/inspect.h"
#include "distill/job_run.h"
#include "distill/train_log.h"

enum { ROWS_SHOWN = 24, MOST_COLUMNS = 16 };

/* ---- tables ---- */

static int widths_of(size_t *widths, size_t *rows, const char *path, struct error *err)
{
    struct lines *lines;
    char *line, *cells[MOST_COLUMNS];
    size_t length;
    int got;
    *rows = 0;
    if (lines_open(&lines, path, err)) return -1;
    while ((got = lines_next(lines, &line, &length, err)) > 0) {
        if (++*rows > ROWS_SHOWN + 1) continue;
        size_t columns = split_tabs(line, cells, MOST_COLUMNS);
        for (size_t c = 0; c < columns && c < MOST_COLUMNS; c++)
            if (strlen(cells[c]) > widths[c]) widths[c] = strlen(cells[c]);
    }
    lines_close(lines);
    return got;
}

static int aligned_rows(struct text *out, const size_t *widths, const char *path, struct error *err)
{
    struct lines *lines;
    char *line, *cells[MOST_COLUMNS];
    size_t length, rows = 0;
    int got = 0;
    if (lines_open(&lines, path, err)) return -1;
    while (rows++ <= ROWS_SHOWN && (got = lines_next(lines, &line, &length, err)) > 0) {
        struct text row = {0};
        size_t columns = split_tabs(line, cells, MOST_COLUMNS);
        for (size_t c = 0; c < columns && c < MOST_COLUMNS; c++)
            text_printf(&row, "%s%-*s", c ? "  " : "", (int)widths[c], cells[c]);
        fact(out, "", "%s", row.bytes);
        text_free(&row);
    }
    lines_close(lines);
    return got < 0 ? -1 : 0;
}

static int table_facts(struct text *out, const char *kind, const char *path, struct error *err)
{
    size_t widths[MOST_COLUMNS] = {0}, rows;
    if (widths_of(widths, &rows, path, err)) return -1;
    fact(out, "kind", "%s", kind);
    fact(out, "rows", "%zu", rows - 1);
    if (aligned_rows(out, widths, path, err)) return -1;
    if (rows > ROWS_SHOWN + 1) fact(out, "", "... and %zu more", rows - 1 - ROWS_SHOWN);
    return 0;
}

int inspect_differences(struct text *out, const char *path, struct error *err)
{
    return table_facts(out, "paired differences of systems, with 95 % intervals", path, err);
}

int inspect_probe(struct text *out, const char *path, struct error *err)
{
    return table_facts(out, "probe of the teacher's layers", path, err);
}

int inspect_teachers(struct text *out, const char *path, struct error *err)
{
    return table_facts(out, "how several teachers' scores were brought together", path, err);
}

int inspect_made(struct text *out, const char *path, struct error *err)
{
    return table_facts(out, "what the teacher says of made queries", path, err);
}

int inspect_compared(struct text *out, const char *path, struct error *err)
{
    return table_facts(out, "people's scores of test pairs beside a system's", path, err);
}

int inspect_progress(struct text *out, const char *path, struct error *err)
{
    return table_facts(out, "progress of a run; retort watch shows it", path, err);
}

int inspect_grid(struct text *out, const char *path, struct error *err)
{
    struct grid grid;
    if (grid_read(&grid, path, err)) return -1;
    fact(out, "kind", "grid of systems at layers and dimensions, with 95 %% intervals");
    fact(out, "rows", "%zu", grid.count);
    grid_print(&grid, GRID_PLAIN, true, out);
    grid_free(&grid);
    return 0;
}

int inspect_grid_seeds(struct text *out, const char *path, struct error *err)
{
    struct grid grid;
    if (grid_seeds_read(&grid, path, err)) return -1;
    fact(out, "kind", "grid over %d seeds: means and the deviation between them", grid.seeds);
    fact(out, "rows", "%zu", grid.count);
    grid_print(&grid, GRID_PLAIN, false, out);
    grid_free(&grid);
    return 0;
}

/* ---- logs ---- */

int inspect_train_log(struct text *out, const char *path, struct error *err)
{
    struct train_log log;
    int status = train_log_read_file(&log, path, err);
    const struct log_point *best = train_log_best(&log);
    if (!status) {
        fact(out, "kind", "log of a phase of training");
        fact(out, "steps", "%.0f", log.last_step);
    }
    for (size_t s = 0; s < log.count && !status; s++) {
        const struct log_series *series = &log.series[s];
        fact(out, s ? "" : "values", "%-5s %-24s %5zu, from %.5g to %.5g", series->kind,
             series->name, series->count, series->points[0].value,
             series->points[series->count - 1].value);
    }
    if (best && !status) fact(out, "best", "%.4f on dev at step %.0f", best->value, best->step);
    train_log_free(&log);
    return status;
}

/* A text of lines: how many, the first and the last. */
static int line_facts(struct text *out, const char *label, const char *path, struct error *err)
{
    struct lines *lines;
    struct text first = {0}, last = {0};
    char *line;
    size_t length, count = 0;
    int got;
    if (lines_open(&lines, path, err)) return -1;
    while ((got = lines_next(lines, &line, &length, err)) > 0) {
        if (!count++) text_puts(&first, line);
        text_clear(&last);
        text_puts(&last, line);
    }
    lines_close(lines);
    fact(out, label, "%zu", count);
    if (count) fact(out, "first", "%.200s", first.bytes);
    if (count > 1) fact(out, "last", "%.200s", last.bytes);
    text_free(&first);
    text_free(&last);
    return got;
}

int inspect_log(struct text *out, const char *path, struct error *err)
{
    fact(out, "kind", "log of a run");
    return line_facts(out, "lines", path, err);
}

int inspect_ids(struct text *out, const char *path, struct error *err)
{
    fact(out, "kind", "ids, one a line");
    return line_facts(out, "ids", path, err);
}

int inspect_vocabulary(struct text *out, const char *path, struct error *err)
{
    fact(out, "kind", "vocabulary of a tokenizer, one token a line");
    return line_facts(out, "tokens", path, err);
}

/* ---- pages ---- */

static int first_lines(struct text *out, const char *path, struct error *err)
{
    struct lines *lines;
    char *line;
    size_t length, count = 0;
    int got = 0;
    if (lines_open(&lines, path, err)) return -1;
    while (count++ < ROWS_SHOWN && (got = lines_next(lines, &line, &length, err)) > 0)
        fact(out, "", "%.200s", line);
    lines_close(lines);
    return got < 0 ? -1 : 0;
}

int inspect_card(struct text *out, const char *path, struct error *err)
{
    fact(out, "kind", "model card, of which the beginning is");
    return first_lines(out, path, err);
}

int inspect_page(struct text *out, const char *path, struct error *err)
{
    static const char open[] = "<title>";
    struct lines *lines;
    char *line, *title = NULL;
    size_t length;
    int got = 0;
    if (lines_open(&lines, path, err)) return -1;
    fact(out, "kind", "HTML page; a browser shows it");
    while (!title && (got = lines_next(lines, &line, &length, err)) > 0)
        if ((title = strstr(line, open))) {
            title += strlen(open);
            fact(out, "title", "%.*s", (int)strcspn(title, "<"), title);
        }
    lines_close(lines);
    return got < 0 ? -1 : 0;
}

int inspect_mark(struct text *out, const char *path, struct error *err)
{
    double seconds = 0;
    char *folder = path_folder(path), *above = path_folder(folder), took[DURATION_SIZE], key[33];
    const char *slash = strrchr(path, '/');
    bool there = stage_mark_read(key, &seconds, above, slash ? slash + 1 : path);
    if (there) {
        fact(out, "kind", "mark of a finished stage");
        fact(out, "took", "%s", duration_words(took, seconds));
        fact(out, "hash", "%s, of all that it depends on", key);
    }
    free(above);
    free(folder);
    return there ? 0 : fail(err, "%s: no mark of a stage", path);
}

/* ---- the folder ---- */

/* Those that the job wants; all of them, where this version cannot read it. */
static void stage_facts(struct text *out, const char *folder)
{
    struct job job;
    struct error ignored = {0};
    char *path = path_join(folder, "job.yaml");
    bool known = job_read(&job, path, NULL, &ignored) == 0;
    const char *label = "stages";
    for (const struct stage *stage = job_stages; stage->name; stage++) {
        char key[33], took[DURATION_SIZE];
        double seconds;
        if (known && !stage_is_wanted(stage, &job)) continue;
        bool done = stage_mark_read(key, &seconds, folder, stage->name);
        fact(out, label, "%-10s %s%s", stage->name, done ? "done in " : "not yet",
             done ? duration_words(took, seconds) : "");
        label = "";
    }
    if (known) job_free(&job);
    free(path);
}

static void picked_facts(struct text *out, const char *folder)
{
    char *path = path_join(folder, "manifest.json");
    struct json *manifest = NULL;
    struct error ignored = {0};
    int64_t layers, dim;
    if (path_exists(path) && json_read_file(&manifest, path, &ignored) == 0 &&
        json_as_integer(&layers, json_get(manifest, "layers"), 1, INT32_MAX) &&
        json_as_integer(&dim, json_get(manifest, "dim"), 1, INT32_MAX))
        fact(out, "picked", "%lld layers, %lld dimensions, in export/", (long long)layers,
             (long long)dim);
    json_free(manifest);
    free(path);
}

/* The rows of a grid that say most: BM25, the teacher, the student. */
static void grid_facts(struct text *out, const char *folder)
{
    char *path = path_join(folder, "grid.tsv");
    struct grid grid = {0}, shown = {0};
    struct error err = {0};
    if (path_exists(path) && grid_read(&grid, path, &err)) fact(out, "grid.tsv", "%s", err.message);
    if (grid.num_measures) grid_init(&shown, (const char *const *)grid.measures, grid.num_measures);
    for (size_t r = 0; r < grid.count; r++) {
        const struct grid_row *row = &grid.rows[r];
        if (strcmp(row->system, "student") != 0 && row->layers) continue;
        struct grid_row *copy = grid_add(&shown, row->system, row->layers, row->dim);
        memcpy(copy->values, row->values, (size_t)grid.num_measures * sizeof *row->values);
        copy->texts_per_s = row->texts_per_s;
        copy->bytes_per_vector = row->bytes_per_vector;
        copy->ms_per_query = row->ms_per_query;
    }
    if (shown.count) {
        fact(out, "grid", "%zu of %zu rows of grid.tsv", shown.count, grid.count);
        grid_print(&shown, GRID_PLAIN, false, out);
    }
    grid_free(&grid);
    grid_free(&shown);
    free(path);
}

static void seeds_facts(struct text *out, const char *folder)
{
    char *path = path_join(folder, "grid_seeds.tsv");
    struct grid grid;
    struct error err = {0};
    if (grid_seeds_read(&grid, path, &err))
        fact(out, "grid_seeds.tsv", "%s", err.message);
    else if (grid.count) {
        fact(out, "seeds", "%d, each a run in seed-K; means and deviations:", grid.seeds);
        grid_print(&grid, GRID_PLAIN, false, out);
    }
    grid_free(&grid);
    free(path);
}

int inspect_run_folder(struct text *out, const char *folder, struct error *err)
{
    (void)err;
    fact(out, "kind", "run of a job");
    if (folder_is_locked(folder))
        fact(out, "state", "a process works in it: retort watch %s", folder);
    stage_facts(out, folder);
    picked_facts(out, folder);
    grid_facts(out, folder);
    seeds_facts(out, folder);
    return 0;
}
