#define _GNU_SOURCE
#include "distill/manifest.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/json.h"
#include "data/output.h"

static int is_no_dot(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Not logs, tables with times or paths, caches in the order of the work. */
static bool is_reproducible(const char *name)
{
    static const char *const varying[] = {"manifest.json", "grid.tsv", "grid_dev.tsv",
                                          "export/README.md", "teachers.tsv"};
    for (size_t i = 0; i < sizeof varying / sizeof *varying; i++)
        if (strcmp(name, varying[i]) == 0) return false;
    const char *dot = strrchr(name, '.');
    bool is_log = strncmp(name, "train/", 6) == 0 && dot && strcmp(dot, ".tsv") == 0;
    return !is_log && !(dot && strcmp(dot, ".cache") == 0);
}

static int hash_below(struct json *files, const struct job_run *run, const char *name,
                      struct error *err);

static int hash_folder(struct json *files, const struct job_run *run, const char *path,
                       const char *name, struct error *err)
{
    struct dirent **entries;
    int count = scandir(path, &entries, is_no_dot, alphasort), status = 0;
    for (int e = 0; e < count; e++) {
        char *below = path_join(name, entries[e]->d_name);
        if (!status) status = hash_below(files, run, below, err);
        free(below);
        free(entries[e]);
    }
    if (count >= 0) free(entries);
    return status;
}

/* Adds name: hash where it is a reproducible file of the run, and those below it where it is a
 * folder. */
static int hash_below(struct json *files, const struct job_run *run, const char *name,
                      struct error *err)
{
    struct stat info;
    char hex[33], *path = job_run_path(run, name);
    bool there = stat(path, &info) == 0;
    int status = 0;
    if (there && S_ISDIR(info.st_mode)) {
        status = hash_folder(files, run, path, name, err);
    } else if (there && S_ISREG(info.st_mode) && is_reproducible(name)) {
        status = hash_file(hex, path, err);
        if (!status) json_set_string(files, name, hex);
    }
    free(path);
    return status;
}

/* What the stages of the job left. */
static int hash_files(struct json *out, const struct job_run *run, struct error *err)
{
    int status = 0;
    for (const struct stage *stage = job_stages; stage->name; stage++) {
        const char *const *files = stage_files(stage->name);
        if (!stage_is_wanted(stage, run->job)) continue;
        for (; files && *files && !status; files++) status = hash_below(out, run, *files, err);
    }
    return status;
}

static void set_stages(struct json *manifest, const struct job_run *run)
{
    struct json *stages = json_new_object();
    for (const struct stage *stage = job_stages; stage->name; stage++) {
        char key[33];
        double seconds;
        if (!stage_mark_read(key, &seconds, run->folder, stage->name)) continue;
        struct json *entry = json_new_object();
        json_set_string(entry, "key", key);
        json_set_number(entry, "seconds", seconds);
        json_set(stages, stage->name, entry);
    }
    json_set(manifest, "stages", stages);
}

/* "model name" of /proc/cpuinfo, or "unknown". */
static char *processor(void)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[512];
    char *found = NULL;
    while (file && !found && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon)
            found = xstrndup(colon + 2, strcspn(colon + 2, "\n"));
    }
    if (file) fclose(file);
    return found ? found : xstrdup("unknown");
}

int manifest_write(const struct job_run *run, const struct tap *picked, struct error *err)
{
    struct json *manifest = json_new_object(), *files = json_new_object();
    enum precision precision = run->job->precision;
    char *name = processor();
    int status = precision_resolve(&precision, err);
    json_set_string(manifest, "retort", RETORT_VERSION);
    json_set_string(manifest, "job", run->job->name);
    json_set_string(manifest, "collection", run->collection_hash);
    json_set_string(manifest, "teacher", run->teacher_hash);
    if (*run->scores_hash) json_set_string(manifest, "scores", run->scores_hash);
    if (*run->encoder_hash) json_set_string(manifest, "encoder", run->encoder_hash);
    if (*run->targets_hash) json_set_string(manifest, "vectors", run->targets_hash);
    json_set_int(manifest, "seed", run->job->seed);
    json_set_int(manifest, "training_seed", run->job->distill.seed);
    json_set_int(manifest, "threads", pool_size(run->pool));
    json_set_string(manifest, "precision", precision_name(precision));
    json_set_string(manifest, "processor", name);
    json_set_string(manifest, "measured_on", run->test_is_dev ? "dev" : "test");
    json_set_int(manifest, "layers", picked->layer);
    json_set_int(manifest, "dim", picked->dim);
    set_stages(manifest, run);
    if (!status) status = hash_files(files, run, err);
    json_set(manifest, "files", files);
    char *path = job_run_path(run, "manifest.json");
    if (!status) status = json_write_file(path, manifest, err);
    free(path);
    free(name);
    json_free(manifest);
    return status;
}
