/* retort inspect: tells what a path is and calls what describes it. */
#include "distill/inspect_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/lines.h"
#include "data/options.h"
#include "data/output.h"
#include "data/sts.h"
#include "distill/audit.h"
#include "distill/inspect.h"
#include "distill/job.h"

enum { LABEL_WIDTH = 14, BAR_WIDTH = 40 };

/* ---- facts ---- */

void fact(struct text *out, const char *label, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char line[2048];
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    size_t length = strlen(line);
    while (length && line[length - 1] == ' ') length--;
    text_printf(out, "%-*s %.*s\n", LABEL_WIDTH, label, (int)length, line);
}

int print_facts(const struct text *facts, struct error *err)
{
    struct output out = {0};
    if (output_open(&out, "-", err)) return -1;
    output_write(&out, facts->bytes, facts->length);
    return output_commit(&out, err);
}

const char *short_number(char buffer[16], double number)
{
    static const char *const prefixes[] = {"", " k", " M", " G", " T"};
    int prefix = 0;
    while (number >= 999.5 && prefix < 4) number /= 1000, prefix++;
    snprintf(buffer, 16, "%.3g%s", number, prefixes[prefix]);
    return buffer;
}

const char *short_bytes(char buffer[16], double bytes)
{
    char number[16];
    short_number(number, bytes);
    snprintf(buffer, 16, "%.12s%s", number, strchr(number, ' ') ? "B" : " B");
    return buffer;
}

/* Bins 0, 1, 2-3, 4-7, ... of sorted values, from the first that is not empty to the last. */
static void histogram(struct text *out, const size_t *values, size_t count)
{
    size_t bins[65] = {0}, most = 1;
    int first = 64, last = 0;
    for (size_t i = 0; i < count; i++) {
        int bin = values[i] ? 64 - __builtin_clzll(values[i]) : 0;
        bins[bin]++;
        if (bins[bin] > most) most = bins[bin];
        if (bin < first) first = bin;
        if (bin > last) last = bin;
    }
    for (int bin = first; bin <= last; bin++) {
        size_t from = bin ? (size_t)1 << (bin - 1) : 0, below = (size_t)1 << bin;
        int length = (int)(bins[bin] * BAR_WIDTH / most);
        char bar[BAR_WIDTH + 1] = "";
        memset(bar, '#', (size_t)length);
        fact(out, "", "%6zu to %-6zu %6zu %s", from, below - 1, bins[bin], bar);
    }
}

void distribution(struct text *out, const char *label, const char *unit, size_t *values,
                  size_t count, bool bars)
{
    if (!count) return;
    struct lengths lengths = lengths_of(values, count);
    fact(out, label, "%s: mean %.1f, median %zu, 90 %% within %zu, 99 %% within %zu, at most %zu",
         unit, lengths.mean, lengths.median, lengths.p90, lengths.p99, lengths.most);
    if (bars) histogram(out, values, count);
}

/* ---- run folders ---- */

/* The first lines of a table in a run folder, if it is there. */
static void table_facts(struct text *out, const char *folder, const char *name, size_t most)
{
    char *path = path_join(folder, name);
    struct lines *lines;
    struct error ignored = {0};
    char *line;
    size_t length, count = 0;
    if (path_exists(path) && lines_open(&lines, path, &ignored) == 0) {
        while (lines_next(lines, &line, &length, &ignored) > 0)
            if (count++ < most) fact(out, count == 1 ? name : "", "%s", line);
        if (count > most) fact(out, "", "... and %zu more", count - most);
        lines_close(lines);
    }
    free(path);
}

static int inspect_run_folder(struct text *out, const char *folder)
{
    static const char *const parts[] = {
        "stages/embed",    "stages/mine",   "stages/score",    "stages/train",
        "stages/evaluate", "stages/export", "candidates.trec", "scores.cache",
        "pca.safetensors", "export",        "report.html",
    };
    fact(out, "kind", "run of a job");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char *path = path_join(folder, parts[i]);
        fact(out, i ? "" : "parts", "%-16s %s", parts[i], path_exists(path) ? "there" : "not yet");
        free(path);
    }
    table_facts(out, folder, "grid.tsv", 24);
    return 0;
}

/* ---- job files ---- */

static int inspect_job(struct text *out, const char *path, struct error *err)
{
    static const char *const keys[] = {"name",    "data.collection", "teacher.model",
                                       "student", "distill.loss",    "evaluate",
                                       "export"};
    struct job job;
    if (job_read(&job, path, NULL, err)) return -1;
    fact(out, "kind", "job file, without mistakes; retort plan says more");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) job_print_keys(&job, keys[i], out);
    job_free(&job);
    return 0;
}

/* ---- what is it ---- */

static bool has(const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    bool there = path_exists(path);
    free(path);
    return there;
}

static bool ends_with(const char *string, const char *end)
{
    size_t length = strlen(string), end_length = strlen(end);
    return length > end_length && strcmp(string + length - end_length, end) == 0;
}

static int inspect_folder(struct text *out, const char *path, const char *tokenizer,
                          struct error *err)
{
    bool is_sts;
    if (has(path, "job.yaml") && has(path, "stages")) return inspect_run_folder(out, path);
    if (has(path, "index.json") && has(path, "vectors.npy")) return inspect_index(out, path, err);
    if (has(path, "config.json")) return inspect_model(out, path, err);
    if (sts_detect(&is_sts, path, err)) return -1;
    return is_sts ? inspect_sts(out, path, err) : inspect_collection(out, path, tokenizer, err);
}

/* A text file by its first line: 6 columns are a run, 3 or 4 judgements, or 3 with numbers first
 * sentence pairs. */
static int inspect_lines(struct text *out, const char *path, const char *tokenizer,
                         struct error *err)
{
    struct lines *lines;
    char *line = NULL, *fields[8];
    size_t length;
    if (lines_open(&lines, path, err)) return -1;
    int got = lines_next(lines, &line, &length, err);
    bool is_json = got > 0 && line[0] == '{';
    size_t tabs = 0, columns = 0;
    bool graded = false;
    if (got > 0) {
        for (const char *at = line; *at; at++) tabs += *at == '\t';
        columns = split_white(line, fields, 8);
        graded = columns == 3 &&
                 (strcmp(fields[2], "score") == 0 || !fields[2][strspn(fields[2], "+-0123456789")]);
    }
    lines_close(lines);
    if (got < 0) return -1;
    if (got == 0) return fail(err, "%s: is empty", path);
    if (is_json || (tabs == 1 && columns != 4 && columns != 6))
        return inspect_texts(out, path, tokenizer, err);
    if (columns == 6 && tabs != 2) return inspect_run(out, path, err);
    if (graded || (columns == 4 && tabs != 2)) return inspect_qrels(out, path, err);
    if (tabs == 2) return inspect_sts(out, path, err);
    return fail(err, "%s: neither model, vectors, collection, judgements, run nor texts", path);
}

static int inspect_file(struct text *out, const char *path, const char *tokenizer,
                        struct error *err)
{
    static const char *const archives[] = {".zip",  ".tar",    ".tgz", ".tar.gz", ".tar.zst",
                                           ".tzst", ".tar.xz", ".txz", ".tar.bz2"};
    char start[17] = "";
    FILE *file = fopen(path, "rb");
    if (!file) return fail_errno(err, "%s: cannot open", path);
    size_t length = fread(start, 1, 16, file);
    fclose(file);
    if (length >= 6 && memcmp(start, "\x93NUMPY", 6) == 0) return inspect_npy(out, path, err);
    if (length == 16 && memcmp(start, "retort-scores 1\n", 16) == 0)
        return inspect_score_cache(out, path, err);
    if (ends_with(path, ".yaml") || ends_with(path, ".yml")) return inspect_job(out, path, err);
    if (ends_with(path, ".safetensors")) return inspect_safetensors(out, path, err);
    for (size_t i = 0; i < sizeof archives / sizeof *archives; i++)
        if (ends_with(path, archives[i])) return inspect_folder(out, path, tokenizer, err);
    return inspect_lines(out, path, tokenizer, err);
}

int inspect_command(int argc, char **argv, struct error *err)
{
    const char *tokenizer = NULL;
    const struct option options[] = {
        {"tokenizer", OPTION_STRING, &tokenizer, "DIR",
         "count lengths in tokens of this model's tokenizer instead of words"},
        {0},
    };
    const struct command_help help = {
        .command = "inspect",
        .usage = "[--tokenizer DIR] PATH",
        .summary = "Says what PATH is, in a screenful: a model's folder, a collection or archive, "
                   ".safetensors, .npy, judgements, a run, an index, a score cache, a job file, "
                   "the folder of a job's run.",
        .options = options,
    };
    int first = options_parse(&help, argc, argv, err);
    if (first < 0) return first == OPTIONS_HELP ? 0 : -1;
    if (argc - first != 1) return fail_usage(err, "give one PATH");
    const char *path = argv[first];
    struct stat info;
    struct text out = {0};
    if (stat(path, &info)) return fail_errno(err, "%s", path);
    int status = S_ISDIR(info.st_mode) ? inspect_folder(&out, path, tokenizer, err)
                                       : inspect_file(&out, path, tokenizer, err);
    if (status == 0) status = print_facts(&out, err);
    text_free(&out);
    return status;
}
