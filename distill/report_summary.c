/* The report's head: what came out, in numbers and sentences; then what was done, by stage. */
#define _GNU_SOURCE
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/output.h"
#include "data/progress.h"
#include "distill/inspect.h"
#include "distill/job_run.h"
#include "distill/pick.h"
#include "distill/report_page.h"

/* ---- what came out ---- */

static void tile(struct text *out, const char *number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void tile(struct text *out, const char *number, const char *format, ...)
{
    char words[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    text_puts(out, "<li><b>");
    html_text(out, number);
    text_puts(out, "</b><span>");
    html_text(out, words);
    text_puts(out, "</span></li>\n");
}

static void quality_tile(struct page *page, const struct grid_row *row, const char *who)
{
    char number[32];
    if (!row || isnan(row->values[0].mean)) return;
    snprintf(number, sizeof number, "%.4f", row->values[0].mean);
    tile(&page->out, number, "%s of %s [%.3f, %.3f]", page->measure, who, row->values[0].low,
         row->values[0].high);
}

static void tiles(struct page *page)
{
    const struct grid_row *picked = page->picked;
    char size[48], bytes[16];
    text_puts(&page->out, "<ul class=\"tiles\">\n");
    quality_tile(page, picked, "the picked student");
    quality_tile(page, grid_find(&page->grid, "teacher", 0, 0),
                 job_has_pairs(page->job) ? "the teacher" : "the teacher, re-ranking");
    quality_tile(page, grid_find(&page->grid, "bm25", 0, 0), "BM25");
    snprintf(size, sizeof size, "%d \xc3\x97 %d", picked->layers, picked->dim);
    tile(&page->out, size, "layers \xc3\x97 dimensions");
    if (!isnan(picked->bytes_per_vector))
        tile(&page->out, short_bytes(bytes, picked->bytes_per_vector), "a text's vector");
    text_puts(&page->out, "</ul>\n");
}

/* What the paired difference to one system says, without saying more than the interval does. */
static void verdict(struct page *page, const char *system, const char *name)
{
    const struct difference like = {.system_a = "student",
                                    .system_b = (char *)system,
                                    .measure = page->grid.measures[0],
                                    .layers = page->picked->layers,
                                    .dim = page->picked->dim};
    const struct difference *found = differences_find(&page->differences, &like);
    if (!found || isnan(found->value.mean)) return;
    const struct interval *value = &found->value;
    text_puts(&page->out, "<li>");
    if (value->low <= 0 && value->high >= 0)
        html_printf(&page->out, "not told apart, by this many %s, from", page->many);
    else
        html_printf(&page->out, "%s than", value->low > 0 ? "better" : "worse");
    html_printf(&page->out, " %s: %+.4f %s, %s [%+.3f, %+.3f]", name, value->mean, page->measure,
                page->paired, value->low, value->high);
    text_puts(&page->out, "</li>\n");
}

static void verdicts(struct page *page)
{
    html_paragraph(&page->out,
                   "On %s the picked student of %d layer%s and %d dimensions is, with 95 %% "
                   "intervals:",
                   page_measured_on(page), page->picked->layers,
                   page->picked->layers == 1 ? "" : "s", page->picked->dim);
    text_puts(&page->out, "<ul>\n");
    verdict(page, "teacher",
            job_has_pairs(page->job) ? "the teacher" : "the teacher re-ranking BM25's list");
    verdict(page, "bm25", "BM25");
    verdict(page, "no-teacher", "the same training on labels alone");
    verdict(page, "init", "the student before training");
    for (size_t i = 0; i < page->job->evaluate.baselines.count; i++) {
        const char *path = page->job->evaluate.baselines.items[i], *slash = strrchr(path, '/');
        const char *name = slash && slash[1] ? slash + 1 : path;
        verdict(page, name, name);
    }
    text_puts(&page->out, "</ul>\n");
}

/* Whether the rule can be explained with what grid_dev.tsv holds: it has no model_parameters. */
static bool parse_rule(struct pick_rule *rule, const struct page *page)
{
    struct error ignored = {0};
    return pick_parse(rule, page->job->export.pick, &ignored) == 0 &&
           !strstr(page->job->export.pick, "model_parameters") &&
           grid_find(&page->dev, "student", page->picked->layers, page->picked->dim) != NULL;
}

static void why_picked(struct page *page)
{
    struct pick_rule rule;
    struct text why = {0};
    text_puts(&page->out, "<p>");
    html_printf(&page->out, "Picked on dev by \xe2\x80\x9c%s\xe2\x80\x9d", page->job->export.pick);
    if (parse_rule(&rule, page)) {
        const struct tap point = {.layer = page->picked->layers, .dim = page->picked->dim};
        pick_explain(&rule, &page->dev, point, &why);
        html_printf(&page->out, ": %s", why.bytes);
    }
    text_puts(&page->out, ".</p>\n");
    text_free(&why);
}

void page_summary(struct page *page)
{
    html_paragraph(&page->out,
                   "A dual encoder whose layers and dimensions are chosen after training; all "
                   "numbers are from the files of the run's folder.");
    if (!page->picked) {
        html_missing(&page->out, "This run is not finished: no point of the grid is picked yet. "
                                 "What is missing is named below; retort run goes on with it.");
        return;
    }
    tiles(page);
    if (page->differences.count) verdicts(page);
    why_picked(page);
}

/* ---- what was done ---- */

/* Bytes of a file, or of all files below a folder; 0 where there is none. */
static double bytes_below(const char *path)
{
    struct stat info;
    struct dirent **entries;
    if (lstat(path, &info)) return 0;
    if (!S_ISDIR(info.st_mode)) return (double)info.st_size;
    int count = scandir(path, &entries, NULL, NULL);
    double sum = 0;
    for (int e = 0; e < count; e++) {
        const char *name = entries[e]->d_name;
        char *below = path_join(path, name);
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) sum += bytes_below(below);
        free(below);
        free(entries[e]);
    }
    if (count >= 0) free(entries);
    return sum;
}

/* NULL for a stage that the page does not show: its own, and what the job does not want. */
static const char *const *files_of(const struct page *page, const struct stage *stage)
{
    return stage_is_wanted(stage, page->job) ? stage_files(stage->name) : NULL;
}

static double stage_bytes(const struct page *page, const char *const *files)
{
    double sum = 0;
    for (size_t f = 0; files[f]; f++) {
        char *path = page_path(page, files[f]);
        sum += bytes_below(path);
        free(path);
    }
    return sum;
}

/* Lines of a file in the folder; 0 where there is none. */
static int count_lines(size_t *count, const struct page *page, const char *name, struct error *err)
{
    struct lines *lines;
    char *line, *path = page_path(page, name);
    size_t length;
    *count = 0;
    int status = path_exists(path) ? lines_open(&lines, path, err) : 1;
    free(path);
    if (status) return status < 0 ? -1 : 0;
    while ((status = lines_next(lines, &line, &length, err)) > 0) ++*count;
    lines_close(lines);
    return status;
}

static void flow(struct page *page)
{
    char key[33], time[DURATION_SIZE], size[16];
    double seconds;
    text_puts(&page->out, "<ol class=\"flow\">\n");
    for (const struct stage *stage = job_stages; stage->name; stage++) {
        const char *const *files = files_of(page, stage);
        if (!files) continue;
        bool done = stage_mark_read(key, &seconds, page->folder, stage->name);
        text_printf(&page->out, "<li><b>%s</b>", stage->name);
        if (done)
            text_printf(&page->out, "<span>%s</span><span>%s</span>", duration_words(time, seconds),
                        short_bytes(size, stage_bytes(page, files)));
        else
            text_puts(&page->out, "not done yet");
        text_puts(&page->out, "</li>\n");
    }
    text_puts(&page->out, "</ol>\n");
}

static void stage_row(struct page *page, const struct stage *stage, size_t lines, double *total)
{
    char key[33], time[DURATION_SIZE], size[16];
    double seconds = 0;
    const char *const *files = files_of(page, stage);
    if (!files) return;
    bool done = stage_mark_read(key, &seconds, page->folder, stage->name);
    *total += seconds;
    html_row(&page->out, "%s", stage->name);
    html_words(&page->out, "%s", stage->summary);
    html_number(&page->out, "%s", done ? duration_words(time, seconds) : "not done yet");
    html_number(&page->out, "%s", short_bytes(size, stage_bytes(page, files)));
    if (lines)
        html_number(&page->out, "%zu", lines);
    else
        html_number(&page->out, "%s", "");
    html_row_end(&page->out);
}

/* A stage that ran again after the export: what stands in the folder is of two runs. */
static void warn_of_changes(struct page *page)
{
    char key[33];
    double seconds;
    const struct json *stages = json_get(page->manifest, "stages");
    for (struct json_member member = json_first(stages); member.key; json_next(&member)) {
        const char *written = json_get_string(member.value, "key");
        if (written && stage_mark_read(key, &seconds, page->folder, member.key) &&
            strcmp(key, written) != 0)
            html_missing(&page->out,
                         "Stage %s ran again, with another job, after the manifest was written: "
                         "later parts of this page are from before. retort run brings them up to "
                         "date.",
                         member.key);
    }
}

int page_stages(struct page *page, struct error *err)
{
    static const char *const headers[] = {"stage", "what it makes", "time", "size", "records"};
    size_t mined, scored;
    double total = 0;
    char time[DURATION_SIZE];
    if (count_lines(&mined, page, "candidates.trec", err) ||
        count_lines(&scored, page, job_has_pairs(page->job) ? "scores.tsv" : "scores.trec", err))
        return -1;
    html_section(&page->out, "stages", "What was done");
    warn_of_changes(page);
    flow(page);
    html_table(&page->out, "Stages, their time when they last ran and what they left on disk",
               headers, 5);
    for (const struct stage *stage = job_stages; stage->name; stage++)
        stage_row(page, stage,
                  strcmp(stage->name, "mine") == 0    ? mined
                  : strcmp(stage->name, "score") == 0 ? scored
                                                      : 0,
                  &total);
    html_table_end(&page->out);
    html_paragraph(&page->out,
                   "Together %s%s%s. Work that a stage found done before (scores in its cache, "
                   "training steps before a checkpoint) is not in its time; log.txt in the run's "
                   "folder has all of it.",
                   duration_words(time, total), page->manifest ? " on " : "",
                   json_string_or(page->manifest, "processor", ""));
    html_section_end(&page->out);
    return 0;
}
