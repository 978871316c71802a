/* See watch.h. */
#define _GNU_SOURCE
#include "distill/watch.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "data/output.h"
#include "data/progress.h"
#include "distill/job_run.h"
#include "distill/run_progress.h"
#include "distill/seeds.h"
#include "distill/train_log.h"

enum { LOG_LINES = 5, LOG_TAIL = 8192, TAPS_A_LINE = 5, MEAN_STEPS = 20 };

struct watched {
    const char *folder;
    struct job job; /* of the folder's job.yaml, where this version can read it */
    bool has_job;
    bool working;           /* a process has the folder's lock */
    struct run_state state; /* stage "": no progress.tsv */
    size_t current;         /* stage of state, else the first without a mark */
};

/* ---- stages ---- */

static bool has_mark(const struct watched *run, size_t stage, double *seconds)
{
    char key[33];
    return stage_mark_read(key, seconds, run->folder, job_stages[stage].name);
}

/* Where the job is not known, a stage that not every job wants is its own if it is, or was, worked
 * on. */
static bool is_own(const struct watched *run, size_t stage)
{
    double seconds;
    if (run->has_job) return stage_is_wanted(&job_stages[stage], &run->job);
    return !job_stages[stage].wanted || has_mark(run, stage, &seconds) ||
           strcmp(job_stages[stage].name, run->state.stage) == 0;
}

/* Stages of the job before `end`. */
static size_t num_stages(const struct watched *run, size_t end)
{
    size_t count = 0;
    for (size_t s = 0; s < end && job_stages[s].name; s++) count += is_own(run, s);
    return count;
}

/* Marks of the current stage and of those after it may be another job's, from before. */
static size_t current_stage(const struct watched *run)
{
    size_t stage = 0;
    double seconds;
    for (size_t s = 0; *run->state.stage && job_stages[s].name; s++)
        if (strcmp(job_stages[s].name, run->state.stage) == 0) return s;
    while (job_stages[stage].name && (!is_own(run, stage) || has_mark(run, stage, &seconds)))
        stage++;
    return stage;
}

static bool has_begun(const struct watched *run)
{
    return *run->state.stage && run->state.since > 0;
}

static void headline(struct text *out, const struct watched *run)
{
    const char *folder = run->folder, *name = job_stages[run->current].name;
    if (run->working && name) {
        text_printf(out, "%s: working, stage %zu of %zu\n", folder,
                    num_stages(run, run->current + 1), num_stages(run, SIZE_MAX));
    } else if (run->working) {
        text_printf(out, "%s: working\n", folder);
    } else if (!name) {
        text_printf(out, "%s: finished; %s/report.html shows it\n", folder, folder);
    } else {
        text_printf(out, "%s: nobody works here; ", folder);
        if (has_begun(run))
            text_printf(out, "stopped in stage %s", name);
        else if (num_stages(run, run->current))
            text_printf(out, "stopped after stage %s", job_stages[run->current - 1].name);
        else
            text_puts(out, "stopped before the first stage");
        text_printf(out, "\nretort run %s/job.yaml --output %s goes on\n", folder, folder);
    }
}

/* How far the work of the current stage is; "" where nothing counts it. */
static void work_line(char line[PROGRESS_LINE], const struct watched *run)
{
    const struct run_state *state = &run->state;
    const struct progress work = {.what = state->what,
                                  .unit = state->unit,
                                  .total = isnan(state->total) ? 0 : (size_t)state->total,
                                  .done = isnan(state->done) ? 0 : (size_t)state->done};
    bool moves = run->working && state->per_second > 0;
    *line = '\0';
    if (*state->what) progress_line(line, &work, moves ? state->per_second : 0);
}

static void current_row(struct text *out, const struct watched *run)
{
    char line[PROGRESS_LINE], time_so_far[DURATION_SIZE];
    if (run->working) {
        double so_far = has_begun(run) ? fmax(0, (double)time(NULL) - run->state.since) : 0;
        text_printf(out, "working %12s so far", duration_words(time_so_far, floor(so_far)));
    } else {
        text_puts(out, has_begun(run) ? "stopped" : "waiting");
    }
    work_line(line, run);
    text_printf(out, "%s%s\n", *line ? "   " : "", line);
}

/* Of the stages before `end`. */
static void stage_rows(struct text *out, const struct watched *run, size_t end)
{
    char took[DURATION_SIZE];
    double seconds;
    for (size_t s = 0; s < end && job_stages[s].name; s++) {
        if (!is_own(run, s)) continue;
        text_printf(out, "  %-10s", job_stages[s].name);
        if (s == run->current)
            current_row(out, run);
        else if (s < run->current && has_mark(run, s, &seconds))
            text_printf(out, "done    %12s\n", duration_words(took, seconds));
        else
            text_puts(out, "waiting\n");
    }
}

/* ---- training ---- */

static double mean_of_last(const struct log_series *series)
{
    size_t count = series->count < MEAN_STEPS ? series->count : MEAN_STEPS;
    double sum = 0;
    for (size_t p = series->count - count; p < series->count; p++) sum += series->points[p].value;
    return sum / (double)count;
}

static void losses(struct text *out, const struct train_log *log)
{
    text_printf(out, "losses, mean of the last %d steps:", MEAN_STEPS);
    for (size_t s = 0; s < log->count; s++)
        if (train_log_is_loss(&log->series[s]))
            text_printf(out, " %s %.4g", log->series[s].name, mean_of_last(&log->series[s]));
    text_puts(out, "\n");
}

static void dev_measures(struct text *out, const struct train_log *log)
{
    const struct log_point *best = train_log_best(log);
    int taps = 0;
    if (!best) return;
    text_printf(out, "             %s on dev, best %.4f at step %.0f; last:",
                train_log_has_taps(log) ? train_log_measure(log) : "quality", best->value,
                best->step);
    for (size_t s = 0; s < log->count; s++) {
        const struct log_series *series = &log->series[s];
        if (strcmp(series->kind, "dev") != 0) continue;
        const struct log_point *last = &series->points[series->count - 1];
        text_printf(out, "%s%s %.4f", taps++ % TAPS_A_LINE ? "  " : "\n               ",
                    log_series_title(log, series), last->value);
    }
    text_puts(out, "\n");
}

static void phase_lines(struct text *out, const struct watched *run, const char *phase, bool whole)
{
    struct train_log log;
    struct error err = {0};
    /* While the run writes, the last row may be cut. */
    if (train_log_read(&log, run->folder, phase, &err) && !run->working)
        text_printf(out, "  %s\n", err.message);
    if (log.count) {
        const struct log_point *best = train_log_best(&log);
        text_printf(out, "  %-10s step %.0f; ", phase, log.last_step);
        if (whole) {
            losses(out, &log);
            dev_measures(out, &log);
        } else if (best) {
            text_printf(out, "best dev %.4f at step %.0f\n", best->value, best->step);
        } else {
            text_puts(out, "done\n");
        }
    }
    train_log_free(&log);
}

static bool is_stage(size_t stage, const char *name)
{
    return job_stages[stage].name && strcmp(job_stages[stage].name, name) == 0;
}

/* The phases up to the one in work; of an earlier job's training, nothing. */
static void training(struct text *out, const struct watched *run)
{
    size_t last = 0, stage = 0;
    while (!is_stage(stage, "train")) stage++;
    if (run->current < stage) return;
    if (run->current == stage) {
        while (train_phases[last] && strcmp(train_phases[last], run->state.what) != 0) last++;
        if (!train_phases[last]) return;
    } else {
        while (train_phases[last + 1]) last++;
    }
    text_printf(out, "\ntraining%s\n", run->current == stage ? ", as of the last checkpoint" : "");
    for (size_t p = 0; p <= last; p++)
        phase_lines(out, run, train_phases[p], p == last && run->current == stage);
}

/* ---- the log ---- */

/* The end of a file, NUL-terminated; "" where there is none. */
static void read_tail(char tail[LOG_TAIL + 1], const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t length = 0;
    if (file) {
        if (fseek(file, -LOG_TAIL, SEEK_END)) rewind(file); /* shorter than that */
        length = fread(tail, 1, LOG_TAIL, file);
        fclose(file);
    }
    while (length && tail[length - 1] == '\n') length--;
    tail[length] = '\0';
}

/* Names of files may hold anything; a terminal must not obey it. */
static void append_plain(struct text *out, const char *string)
{
    for (const char *c = string; *c; c++) {
        bool control = ((unsigned char)*c < 0x20 && *c != '\n') || *c == 0x7f;
        text_append(out, control ? "?" : c, 1);
    }
}

static void log_lines(struct text *out, const struct watched *run, int count)
{
    char tail[LOG_TAIL + 1];
    char *path = path_join(run->folder, "log.txt");
    read_tail(tail, path);
    free(path);
    const char *from = tail + strlen(tail);
    for (int line = 0; from > tail && line < count; line++) do
            from--;
        while (from > tail && *from != '\n');
    if (!*tail) return;
    text_puts(out, "\nlog\n");
    append_plain(out, *from == '\n' ? from + 1 : from);
    text_puts(out, "\n");
}

/* ---- all of it ---- */

static int count_lines(const struct text *text)
{
    int count = 0;
    for (size_t i = 0; i < text->length; i++) count += text->bytes[i] == '\n';
    return count;
}

static void close_run(struct watched *run)
{
    if (run->has_job) job_free(&run->job);
}

/* The folder is a run's; it must live as long as *out. */
static int open_run(struct watched *out, const char *folder, struct error *err)
{
    struct error why = {0}, no_job = {0};
    char *path = path_join(folder, "job.yaml");
    *out = (struct watched){.folder = folder, .working = folder_is_locked(folder)};
    out->has_job = job_read(&out->job, path, NULL, &no_job) == 0;
    free(path);
    if (run_state_read(&out->state, folder, &why) && !out->working) {
        close_run(out);
        *err = why;
        return -1;
    }
    out->current = current_stage(out);
    return 0;
}

static void show(struct text *out, const struct watched *run, int rows)
{
    enum { LOG_HEAD = 3 }; /* an empty line, "log", the line where the cursor stands */
    headline(out, run);
    stage_rows(out, run, SIZE_MAX);
    training(out, run);
    int room = rows - count_lines(out) - LOG_HEAD;
    log_lines(out, run, !rows ? LOG_LINES : room > 1 ? room : 1);
}

/* ---- runs of several seeds ---- */

static int is_seed(const struct dirent *entry)
{
    return strncmp(entry->d_name, "seed-", 5) == 0;
}

struct seed_folders {
    struct dirent **entries;
    int count; /* 0 where the run's own stages are not behind it: then they are not in work */
};

static void find_seeds(struct seed_folders *out, const struct watched *run)
{
    *out = (struct seed_folders){0};
    if (run->current != seeds_own_stage() || has_begun(run)) return;
    out->count = scandir(run->folder, &out->entries, is_seed, versionsort);
    if (out->count < 0) out->count = 0;
}

static void seed_folders_free(struct seed_folders *seeds)
{
    for (int s = 0; s < seeds->count; s++) free(seeds->entries[s]);
    free(seeds->entries);
}

/* A row a seed; *done: how many have finished; the folder of one in work, freshly allocated, or
 * NULL. */
static char *seed_rows(struct text *out, const struct watched *run,
                       const struct seed_folders *seeds, int *done)
{
    char *at_work = NULL;
    *done = 0;
    for (int s = 0; s < seeds->count; s++) {
        struct watched seed;
        struct error ignored = {0};
        const char *name = seeds->entries[s]->d_name;
        char *folder = path_join(run->folder, name);
        bool known =
                 run_folder_check(folder, &ignored) == 0 && open_run(&seed, folder, &ignored) == 0,
             working = known && seed.working, finished = known && !job_stages[seed.current].name;
        text_printf(out, "  %-10s%s\n", name,
                    working    ? "working"
                    : finished ? "finished"
                               : "stopped");
        *done += !working && finished;
        if (working && !at_work) at_work = xstrdup(folder);
        if (known) close_run(&seed);
        free(folder);
    }
    return at_work;
}

static void seeds_headline(struct text *out, const struct watched *run, bool finished)
{
    const char *folder = run->folder;
    if (run->working)
        text_printf(out, "%s: working, seed by seed\n", folder);
    else if (finished)
        text_printf(out, "%s: finished; %s/grid_seeds.tsv has the means over seeds\n", folder,
                    folder);
    else
        text_printf(out,
                    "%s: nobody works here; stopped before all seeds were done\n"
                    "retort run %s/job.yaml --output %s --seeds N goes on\n",
                    folder, folder, folder);
}

/* What the seeds share, a row for each, and the one in work as a run of its own. */
static void show_seeds(struct text *out, const struct watched *run,
                       const struct seed_folders *seeds, int rows)
{
    struct text lines = {0};
    struct watched seed;
    struct error ignored = {0};
    int done;
    char *grid = path_join(run->folder, "grid_seeds.tsv"),
         *at_work = seed_rows(&lines, run, seeds, &done);
    seeds_headline(out, run, done == seeds->count && path_exists(grid));
    stage_rows(out, run, run->current);
    text_puts(out, lines.bytes);
    if (at_work && open_run(&seed, at_work, &ignored) == 0) {
        text_puts(out, "\n");
        show(out, &seed, rows);
        close_run(&seed);
    }
    text_free(&lines);
    free(at_work);
    free(grid);
}

int watch_snapshot(struct text *out, bool *working, const char *folder, int rows, struct error *err)
{
    struct watched run;
    struct seed_folders seeds;
    if (run_folder_check(folder, err) || open_run(&run, folder, err)) return -1;
    find_seeds(&seeds, &run);
    if (seeds.count)
        show_seeds(out, &run, &seeds, rows);
    else
        show(out, &run, rows);
    *working = run.working;
    seed_folders_free(&seeds);
    close_run(&run);
    return 0;
}
