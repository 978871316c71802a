/* See run_progress.h. */
#include "distill/run_progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "data/output.h"
#include "data/progress.h"
#include "distill/tsv.h"

static const char columns[] = "stage\tsince\twhat\tunit\tdone\ttotal\tper_second";

static char *file_path(const char *folder)
{
    return path_join(folder, "progress.tsv");
}

/* work: NULL where none is counted yet. */
static void write_progress(const struct run_progress *progress, const struct progress *work)
{
    struct error ignored = {0};
    struct output out = {0};
    char *path = file_path(progress->folder);
    if (output_open(&out, path, &ignored) == 0) {
        output_printf(&out, "%s\n%s\t%.0f", columns, progress->stage, progress->since);
        output_printf(&out, "\t%s\t%s", work ? work->what : "", work ? work->unit : "");
        tsv_write_fixed(&out, work ? (double)work->done : NAN, 0);
        tsv_write_fixed(&out, work && work->total ? (double)work->total : NAN, 0);
        tsv_write_short(&out, work ? progress_rate(work) : NAN);
        output_printf(&out, "\n");
        output_replace(&out, &ignored);
    }
    free(path);
}

static void observe(void *arg, const struct progress *work)
{
    write_progress(arg, work);
}

void run_progress_begin(struct run_progress *progress)
{
    progress->since = (double)time(NULL);
    write_progress(progress, NULL);
    progress_observe(observe, progress);
}

void run_progress_end(void)
{
    progress_observe(NULL, NULL);
}

void run_progress_leave(const char *folder, const char *stage)
{
    const struct run_progress next = {.folder = folder, .stage = stage};
    char *path = file_path(folder);
    if (stage)
        write_progress(&next, NULL);
    else
        unlink(path);
    free(path);
}

static int state_row(void *arg, struct lines *lines, char **cells, struct error *err)
{
    struct run_state *state = arg;
    snprintf(state->stage, sizeof state->stage, "%s", cells[0]);
    snprintf(state->what, sizeof state->what, "%s", cells[2]);
    snprintf(state->unit, sizeof state->unit, "%s", cells[3]);
    int status = tsv_read_number(&state->since, lines, cells[1], err);
    if (!status) status = tsv_read_number(&state->done, lines, cells[4], err);
    if (!status) status = tsv_read_number(&state->total, lines, cells[5], err);
    return status ? status : tsv_read_number(&state->per_second, lines, cells[6], err);
}

int run_state_read(struct run_state *out, const char *folder, struct error *err)
{
    *out = (struct run_state){0};
    char *path = file_path(folder);
    int status = tsv_read_table(path, columns, state_row, out, err);
    free(path);
    if (status) *out = (struct run_state){0};
    return status;
}
