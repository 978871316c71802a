/* See seeds.h. */
#define _GNU_SOURCE
#include "distill/seeds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/output.h"
#include "data/progress.h"
#include "distill/grid_seeds.h"
#include "distill/job_run.h"
#include "distill/run_command.h"

struct seeds {
    const char *path, *until;
    const struct string_list *settings;
    struct job job; /* as the file and the settings have it */
    char *folder;
    int count;
    const struct stage *own; /* the first stage that the training's seed changes */
};

static char *seed_folder(const struct seeds *seeds, int seed)
{
    return xasprintf("%s/seed-%d", seeds->folder, seeds->job.distill.seed + seed);
}

/* ---- what the seeds share ---- */

static bool names(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

size_t seeds_own_stage(void)
{
    size_t stage = 0;
    while (!names(job_stages[stage].keys, "distill.seed")) stage++;
    return stage;
}

/* Whether the stage `name` stands before `end`. */
static bool is_before(const char *name, const struct stage *end)
{
    for (const struct stage *stage = job_stages; stage != end; stage++)
        if (strcmp(stage->name, name) == 0) return true;
    return false;
}

/* Whether path is a link to the target. */
static bool leads_to(const char *path, const char *target)
{
    char found[4096];
    ssize_t length = readlink(path, found, sizeof found);
    return length == (ssize_t)strlen(target) && memcmp(found, target, (size_t)length) == 0;
}

static int make_link(const char *path, const char *target, struct error *err)
{
    if (symlink(target, path) == 0) return 0;
    int why = errno;
    if (leads_to(path, target)) return 0;
    if (why == EEXIST)
        return fail(err, "%s: is there already and no link to %s; remove it or its folder", path,
                    target);
    errno = why;
    return fail_errno(err, "%s: cannot link it to %s", path, target);
}

/* own/name -> ../name, seen from where the link is. */
static int link_up(const char *own, const char *name, struct error *err)
{
    struct text target = {0};
    char *path = path_join(own, name), *folder = path_folder(path);
    text_puts(&target, "../");
    for (const char *c = name; *c; c++)
        if (*c == '/') text_puts(&target, "../");
    text_puts(&target, name);
    int status = make_folder(folder, err) || make_link(path, target.bytes, err) ? -1 : 0;
    text_free(&target);
    free(folder);
    free(path);
    return status;
}

static int link_shared(const struct seeds *seeds, const char *own, struct error *err)
{
    int status = make_folder(own, err);
    for (const struct stage *stage = job_stages; !status && stage != seeds->own; stage++) {
        const char *const *files = stage_files(stage->name);
        char *mark = xasprintf("stages/%s", stage->name);
        if (!stage_is_wanted(stage, &seeds->job)) files = NULL;
        if (files) status = link_up(own, mark, err);
        for (; files && *files && !status; files++) status = link_up(own, *files, err);
        free(mark);
    }
    /* The teacher's logits of the test split's pairs. */
    return status ? -1 : link_up(own, "rerank.cache", err);
}

/* ---- seed by seed ---- */

static int run_seed(const struct seeds *seeds, int seed, struct error *err)
{
    const struct string_list *given = seeds->settings;
    char setting[48], *own = seed_folder(seeds, seed);
    struct string_list settings = {.items = xcalloc(given->count + 1, sizeof *settings.items),
                                   .count = given->count + 1};
    for (size_t i = 0; i < given->count; i++) settings.items[i] = given->items[i];
    snprintf(setting, sizeof setting, "distill.seed=%d", seeds->job.distill.seed + seed);
    settings.items[given->count] = setting;
    int status =
        link_shared(seeds, own, err) || job_file_run(seeds->path, &settings, own, seeds->until, err)
            ? -1
            : 0;
    free(settings.items);
    free(own);
    return status;
}

static void print(const struct grid *grid, const char *path)
{
    struct text table = {0};
    note("%s: means over %d seeds, +- the deviation between them", path, grid->seeds);
    grid_print(grid, GRID_PLAIN, false, &table);
    for (char *line = strtok(table.bytes, "\n"); line; line = strtok(NULL, "\n")) note("%s", line);
    text_free(&table);
}

static int write_grid(const struct seeds *seeds, struct error *err)
{
    struct grid *grids = xcalloc((size_t)seeds->count, sizeof *grids), mean = {0};
    char *path = path_join(seeds->folder, "grid_seeds.tsv");
    int status = 0;
    for (int seed = 0; seed < seeds->count && !status; seed++) {
        char *own = seed_folder(seeds, seed), *file = path_join(own, "grid.tsv");
        status = grid_read(&grids[seed], file, err);
        free(file);
        free(own);
    }
    if (!status) status = grid_over_seeds(&mean, grids, seeds->count, err);
    if (!status) status = grid_seeds_write(&mean, path, err);
    if (!status) print(&mean, path);
    grid_free(&mean);
    for (int seed = 0; seed < seeds->count; seed++) grid_free(&grids[seed]);
    free(grids);
    free(path);
    return status;
}

/* Nobody else changes what is shared meanwhile. */
static int run_own_stages(const struct seeds *seeds, struct error *err)
{
    int lock = folder_lock(seeds->folder, err), status = lock < 0 ? -1 : 0;
    for (int seed = 0; seed < seeds->count && !status; seed++) {
        note("seed %d, %d of %d", seeds->job.distill.seed + seed, seed + 1, seeds->count);
        status = run_seed(seeds, seed, err);
    }
    bool measured = !seeds->until || !is_before(seeds->until, seeds->own + 1);
    if (!status && measured) status = write_grid(seeds, err);
    if (lock >= 0) close(lock);
    return status;
}

int seeds_run(const char *path, const struct string_list *settings, const char *output,
              const char *until, int count, struct error *err)
{
    struct seeds seeds = {.path = path,
                          .until = until,
                          .settings = settings,
                          .count = count,
                          .own = &job_stages[seeds_own_stage()]};
    if (job_read(&seeds.job, path, settings, err)) return -1;
    seeds.folder = output ? xstrdup(output) : xasprintf("runs/%s", seeds.job.name);
    bool shared_only = until && is_before(until, seeds.own);
    int status =
        job_file_run(path, settings, seeds.folder, shared_only ? until : seeds.own[-1].name, err);
    if (!status && !shared_only) status = run_own_stages(&seeds, err);
    free(seeds.folder);
    job_free(&seeds.job);
    return status;
}
