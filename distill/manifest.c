#define _GNU_SOURCE
#include "distill/manifest.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/json.h"
#include "data/output.h"

/* Names of the regular files in a folder below the run, sorted. */
static int is_file_name(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Not logs, tables with times, job.yaml with its paths, caches in the order of the work. */
static bool is_reproducible(const char *name)
{
    static const char *const varying[] = {"job.yaml",    "log.txt",      "manifest.json",
                                          "grid.tsv",    "grid_dev.tsv", "export/README.md",
                                          "report.html", "progress.tsv", "teachers.tsv"};
    for (size_t i = 0; i < sizeof varying / sizeof *varying; i++)
        if (strcmp(name, varying[i]) == 0) return false;
    const char *dot = strrchr(name, '.');
    bool is_log = strncmp(name, "train/", 6) == 0 && dot && strcmp(dot, ".tsv") == 0;
    return !is_log && !(dot && strcmp(dot, ".cache") == 0);
}

/* Adds "folder/name": hash for every reproducible file of folder ("" is the run itself). */
static int hash_files(struct json *files, const struct job_run *run, const char *folder,
                      struct error *err)
{
    struct dirent **entries;
    char *path = *folder ? job_run_path(run, folder) : xstrdup(run->folder);
    int count = scandir(path, &entries, is_file_name, alphasort), status = 0;
    for (int e = 0; e < count; e++) {
        char hex[33];
        struct stat info;
        char *file = path_join(path, entries[e]->d_name);
        char *name =
            *folder ? xasprintf("%s/%s", folder, entries[e]->d_name) : xstrdup(entries[e]->d_name);
        if (!status && is_reproducible(name) && stat(file, &info) == 0 && S_ISREG(info.st_mode)) {
            status = hash_file(hex, file, err);
            if (!status) json_set_string(files, name, hex);
        }
        free(name);
        free(file);
        free(entries[e]);
    }
    if (count >= 0) free(entries);
    free(path);
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
    static const char *const folders[] = {"",      "teacher",   "representations", "targets",
                                          "train", "trec",      "student",         "export",
                                          "made",  "made/qrels"};
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
    for (size_t f = 0; f < sizeof folders / sizeof *folders && !status; f++)
        status = hash_files(files, run, folders[f], err);
    json_set(manifest, "files", files);
    char *path = job_run_path(run, "manifest.json");
    if (!status) status = json_write_file(path, manifest, err);
    free(path);
    free(name);
    json_free(manifest);
    return status;
}
