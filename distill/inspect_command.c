/* retort inspect: tells what a path is and calls what describes it. */
#include "distill/inspect_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/json.h"
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

/* ---- job files ---- */

static int inspect_job(struct text *out, const char *path, struct error *err)
{
    struct job job;
    if (job_read(&job, path, NULL, err)) return -1;
    const char *const keys[] = {
        "name",          job_has_pairs(&job) ? "data.pairs" : "data.collection",
        "teacher.model", "student",
        "distill.loss",  "evaluate",
        "export"};
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
    return length >= end_length && strcmp(string + length - end_length, end) == 0;
}

/* config.json of a pooling or dense module says nothing of an encoder. */
static bool is_module(const char *folder)
{
    struct json *config = NULL;
    struct error ignored = {0};
    char *path = path_join(folder, "config.json");
    bool is = json_read_file(&config, path, &ignored) == 0 && !json_get(config, "model_type") &&
              (json_get(config, "in_features") || json_get(config, "include_prompt"));
    json_free(config);
    free(path);
    return is;
}

static int inspect_folder(struct text *out, const char *path, const char *tokenizer,
                          struct error *err)
{
    bool is_sts;
    if (has(path, "job.yaml") && has(path, "stages")) return inspect_run_folder(out, path, err);
    if (has(path, "index.json") && has(path, "vectors.npy")) return inspect_index(out, path, err);
    if (is_module(path)) return inspect_module(out, path, err);
    if (has(path, "config.json")) return inspect_model(out, path, err);
    if (has(path, "tokenizer.json")) return inspect_tokenizer(out, path, err);
    if (sts_detect(&is_sts, path, err)) return -1;
    return is_sts ? inspect_sts(out, path, err) : inspect_collection(out, path, tokenizer, err);
}

/* A text file by its first line: 6 columns are a run, 3 or 4 judgements, or 3 with numbers first
 * sentence pairs, with numbers last that are not whole scores. */
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
    bool graded = false, scored = false;
    if (got > 0) {
        for (const char *at = line; *at; at++) tabs += *at == '\t';
        columns = split_white(line, fields, 8);
        graded = columns == 3 &&
                 (strcmp(fields[2], "score") == 0 || !fields[2][strspn(fields[2], "+-0123456789")]);
        scored = columns == 3 && !graded && *fields[2] &&
                 !fields[2][strspn(fields[2], "+-.0123456789eE")];
    }
    lines_close(lines);
    if (got < 0) return -1;
    if (got == 0) return fail(err, "%s: is empty", path);
    if (scored) return inspect_pair_scores(out, path, err);
    if (is_json || (tabs == 1 && columns != 4 && columns != 6))
        return inspect_texts(out, path, tokenizer, err);
    if (columns == 6 && tabs != 2) return inspect_run(out, path, err);
    if (graded || (columns == 4 && tabs != 2)) return inspect_qrels(out, path, err);
    if (tabs == 2) return inspect_sts(out, path, err);
    return fail(err, "%s: neither model, vectors, collection, judgements, run nor texts", path);
}

/* Files that their beginning or the end of their name tells. */
static const struct {
    const char *start, *end;
    int (*inspect)(struct text *out, const char *path, struct error *err);
} kinds[] = {
    {"\x93"
     "NUMPY",
     "", inspect_npy},
    {"retort-scores 1\n", "", inspect_score_cache},
    {"retort-bm25 ", "", inspect_bm25},
    {"system\tlayers\tdim\tmeasure\t", "", inspect_grid_seeds},
    {"system\tlayers\tdim\t", "", inspect_grid},
    {"system_a\tsystem_b\t", "", inspect_differences},
    {"layer\tform\tcentred\t", "", inspect_probe},
    {"teacher\tweight\tpairs\t", "", inspect_teachers},
    {"query\tdocument\tkind\tremoved\t", "", inspect_made},
    {"label\tscore\n", "", inspect_compared},
    {"stage\tsince\t", "", inspect_progress},
    {"phase\tkind\tstep\t", "", inspect_train_log},
    {"<!DOCTYPE html", "", inspect_page},
    {"---\n", ".md", inspect_card},
    {"", "log.txt", inspect_log},
    {"", ".ids", inspect_ids},
    {"", "ids.txt", inspect_ids},
    {"", "vocab.txt", inspect_vocabulary},
    {"", ".json", inspect_json},
    {"", ".yaml", inspect_job},
    {"", ".yml", inspect_job},
    {"", ".safetensors", inspect_safetensors},
    {"", ".bin", inspect_safetensors}, /* which says what to do with a pickle */
    {"", ".pt", inspect_safetensors},
    {"", ".pth", inspect_safetensors},
};

/* A hash, a tab and seconds: stages/NAME. */
static bool is_mark(const char *start)
{
    return strspn(start, "0123456789abcdef") == 32 && start[32] == '\t';
}

static int inspect_file(struct text *out, const char *path, const char *tokenizer,
                        struct error *err)
{
    static const char *const archives[] = {".zip",  ".tar",    ".tgz", ".tar.gz", ".tar.zst",
                                           ".tzst", ".tar.xz", ".txz", ".tar.bz2"};
    char start[65] = "";
    FILE *file = fopen(path, "rb");
    if (!file) return fail_errno(err, "%s: cannot open", path);
    start[fread(start, 1, 64, file)] = '\0';
    fclose(file);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (strncmp(start, kinds[k].start, strlen(kinds[k].start)) == 0 &&
            ends_with(path, kinds[k].end))
            return kinds[k].inspect(out, path, err);
    if (is_mark(start)) return inspect_mark(out, path, err);
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
                   "the folder of a job's run and every file in it.",
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
