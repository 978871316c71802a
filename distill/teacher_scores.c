/* See teacher_scores.h. */
#include "distill/teacher_scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/output.h"
#include "data/progress.h"
#include "data/run.h"
#include "distill/tsv.h"

static const char columns[] = "teacher\tweight\tpairs\tcommon\tslope\toffset\tcorrelation";

struct teacher {
    const char *name; /* not owned */
    double weight;
    bool is_file;
    float *scores; /* [pairs]; NaN where it has none */
    size_t scored; /* how many it has */
    struct score_line line;
};
struct teachers {
    struct job_run *run;
    const struct row_pairs *pairs;
    struct teacher *all; /* teacher.model first, where it is one of them */
    size_t count;
};

/* ---- what each says ---- */

static void row_pair(const void *list, size_t index, const char **query, const char **document)
{
    const struct teachers *teachers = list;
    const struct row_pairs *pairs = teachers->pairs;
    const struct collection *collection = &teachers->run->collection;
    uint32_t row = pairs->queries[index], read = pairs->documents[index];
    const struct made_query *made = made_query_of(&teachers->run->made, row);
    bool shortened = !pairs->searched && made && made->remainder && made->document == read;
    *query = collection->queries.values[row];
    if (pairs->searched) collection = pairs->searched;
    *document = shortened ? made->remainder : collection->documents.values[read];
}

/* The end of the pairs of one query that begin at first. */
static size_t query_end(const struct row_pairs *pairs, size_t first)
{
    size_t end = first;
    while (end < pairs->count && pairs->queries[end] == pairs->queries[first]) end++;
    return end;
}

/* The scores that a file has of the pairs, by query: place[d] is document d's pair, -1. */
static void look_up(struct teacher *teacher, const struct run *file, const struct row_pairs *pairs,
                    const struct collection *collection)
{
    int64_t *place = xcalloc(collection->documents.count, sizeof *place);
    for (size_t d = 0; d < collection->documents.count; d++) place[d] = -1;
    for (size_t first = 0, end; first < pairs->count; first = end) {
        end = query_end(pairs, first);
        const struct ranked_query *query =
            run_find(file, collection->queries.ids[pairs->queries[first]]);
        if (!query) continue;
        for (size_t p = first; p < end; p++) place[pairs->documents[p]] = (int64_t)p;
        for (size_t r = 0; r < query->count; r++) {
            int64_t row = texts_find(&collection->documents, query->documents[r].document);
            if (row < 0 || place[row] < 0) continue;
            teacher->scores[place[row]] = (float)query->documents[r].score;
            teacher->scored++;
        }
        for (size_t p = first; p < end; p++) place[pairs->documents[p]] = -1;
    }
    free(place);
}

static int read_teacher(struct teacher *teacher, const struct teachers *teachers, bool fit,
                        struct error *err)
{
    struct run file;
    const struct job_run *run = teachers->run;
    if (run_read_scores(&file, teacher->name, err)) return -1;
    look_up(teacher, &file, teachers->pairs, &run->collection);
    int status = 0;
    if (fit && !teacher->scored)
        status = fail(err,
                      "%s: has none of the pairs of %s/candidates.trec; its first is query %s, "
                      "document %s",
                      teacher->name, run->folder, file.queries[0].id,
                      file.queries[0].documents[0].document);
    run_free(&file);
    return status;
}

/* row: of teacher.weights, which has teacher.model first also where that is not asked. */
static struct teacher *add_teacher(struct teachers *teachers, const char *name, size_t row)
{
    const struct number_list *weights = &teachers->run->job->teacher.weights;
    size_t n = teachers->pairs->count;
    struct teacher *teacher = &teachers->all[teachers->count++];
    *teacher = (struct teacher){.name = name,
                                .weight = weights->count ? weights->items[row] : 1,
                                .scores = xcalloc(n, sizeof(float)),
                                .line = {.slope = 1, .correlation = 1}};
    for (size_t p = 0; p < n; p++) teacher->scores[p] = NAN;
    return teacher;
}

/* Before the model is asked, which takes long. */
static int check_files(const struct job_run *run, struct error *err)
{
    const struct string_list *files = &run->job->teacher.scores;
    for (size_t f = 0; f < files->count; f++)
        if (!path_exists(files->items[f]))
            return fail(err,
                        "%s: is not there; score the pairs of %s/candidates.trec by any program "
                        "(docs/outside-teacher.md)",
                        files->items[f], run->folder);
    return 0;
}

static int ask_all(struct teachers *teachers, const char *cache, bool fit, struct error *err)
{
    struct job_run *run = teachers->run;
    const struct job *job = run->job;
    const struct string_list *files = &job->teacher.scores;
    size_t n = teachers->pairs->count;
    if (check_files(run, err)) return -1;
    teachers->all = xcalloc(files->count + 1, sizeof *teachers->all);
    int status = 0;
    if (job_asks_model(job)) {
        struct teacher *model = add_teacher(teachers, run->teacher_folder, 0);
        model->scored = n;
        status = job_run_score(run, cache, n, row_pair, teachers, model->scores, err);
    }
    for (size_t f = 0; f < files->count && !status; f++) {
        struct teacher *teacher = add_teacher(teachers, files->items[f], f + !job->teacher.absent);
        teacher->is_file = true;
        status = read_teacher(teacher, teachers, fit, err);
    }
    return status;
}

/* ---- bringing them together ---- */

bool score_line_fit(struct score_line *out, const float *x, const float *first, size_t n)
{
    double sum_x = 0, sum_y = 0, xx = 0, yy = 0, xy = 0;
    *out = (struct score_line){.slope = 1};
    for (size_t i = 0; i < n; i++) {
        if (isnan(x[i]) || isnan(first[i])) continue;
        out->common++;
        sum_x += (double)x[i];
        sum_y += (double)first[i];
    }
    if (out->common < 2) return false;
    double mean_x = sum_x / (double)out->common, mean_y = sum_y / (double)out->common;
    for (size_t i = 0; i < n; i++) {
        if (isnan(x[i]) || isnan(first[i])) continue;
        double dx = (double)x[i] - mean_x, dy = (double)first[i] - mean_y;
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    if (!(xx > 0 && yy > 0)) return false;
    out->slope = sqrt(yy / xx);
    out->offset = mean_y - out->slope * mean_x;
    out->correlation = xy / sqrt(xx * yy);
    return true;
}

static int fit_all(struct teachers *teachers, struct error *err)
{
    const struct teacher *first = &teachers->all[0];
    for (size_t t = 1; t < teachers->count; t++) {
        struct teacher *teacher = &teachers->all[t];
        if (!score_line_fit(&teacher->line, teacher->scores, first->scores, teachers->pairs->count))
            return fail(err,
                        "%s: has %zu pairs in common with %s, and there must be two with "
                        "different scores to bring both together",
                        teacher->name, teacher->line.common, first->name);
    }
    return 0;
}

static int write_lines(const struct teachers *teachers, const char *path, struct error *err)
{
    struct output out = {0};
    if (output_open(&out, path, err)) return -1;
    output_printf(&out, "%s\n", columns);
    for (size_t t = 0; t < teachers->count; t++) {
        const struct teacher *teacher = &teachers->all[t];
        char *name = tsv_text(teacher->name);
        output_printf(&out, "%s\t%.17g\t%zu\t%zu\t%.17g\t%.17g\t%.6f\n", name, teacher->weight,
                      teacher->scored, t ? teacher->line.common : teacher->scored,
                      teacher->line.slope, teacher->line.offset, teacher->line.correlation);
        free(name);
    }
    return output_commit(&out, err);
}

struct line_reading {
    struct teachers *teachers;
    size_t row;
};

static int read_line(void *arg, struct lines *lines, char **cells, struct error *err)
{
    struct line_reading *reading = arg;
    if (reading->row == reading->teachers->count)
        return fail(err, "%s: a row too many", lines_where(lines));
    struct score_line *line = &reading->teachers->all[reading->row++].line;
    return tsv_read_number(&line->slope, lines, cells[4], err) ||
                   tsv_read_number(&line->offset, lines, cells[5], err)
               ? -1
               : 0;
}

static int read_lines(struct teachers *teachers, const char *path, struct error *err)
{
    struct line_reading reading = {.teachers = teachers};
    if (tsv_read_table(path, columns, read_line, &reading, err)) return -1;
    if (reading.row == teachers->count) return 0;
    return fail(err, "%s: %zu rows for %zu teachers; delete stages/score to score again", path,
                reading.row, teachers->count);
}

static void say(const struct teachers *teachers)
{
    for (size_t t = 0; t < teachers->count; t++) {
        const struct teacher *teacher = &teachers->all[t];
        if (t == 0)
            note("score: %s: %zu of %zu candidates, weight %g", teacher->name, teacher->scored,
                 teachers->pairs->count, teacher->weight);
        else
            note("score: %s: %zu of %zu candidates, weight %g, times %.4g %+.4g; over %zu common "
                 "pairs its correlation with the first is %.3f%s",
                 teacher->name, teacher->scored, teachers->pairs->count, teacher->weight,
                 teacher->line.slope, teacher->line.offset, teacher->line.common,
                 teacher->line.correlation,
                 teacher->line.correlation < 0 ? ": are higher scores better there?" : "");
    }
}

static int align(struct teachers *teachers, bool fit, struct error *err)
{
    char *path = job_run_path(teachers->run, "teachers.tsv");
    int status = fit ? fit_all(teachers, err) : read_lines(teachers, path, err);
    if (!status && fit) {
        say(teachers);
        status = write_lines(teachers, path, err);
    }
    free(path);
    return status;
}

/* ---- the sum ---- */

/* The weighted mean of those that have scored pair p; *given: whether a file is among them. */
static float mean_score(const struct teachers *teachers, size_t p, bool *given)
{
    double sum = 0, weights = 0;
    *given = false;
    for (size_t t = 0; t < teachers->count; t++) {
        const struct teacher *teacher = &teachers->all[t];
        if (isnan(teacher->scores[p]) || teacher->weight == 0) continue;
        *given = *given || teacher->is_file;
        sum += teacher->weight *
               (teacher->line.slope * (double)teacher->scores[p] + teacher->line.offset);
        weights += teacher->weight;
    }
    return weights > 0 ? (float)(sum / weights) : NAN;
}

static size_t add_up(float *scores, const struct teachers *teachers)
{
    size_t missing = 0;
    for (size_t p = 0; p < teachers->pairs->count; p++) {
        bool given;
        scores[p] = mean_score(teachers, p, &given);
        if (given) continue;
        missing++;
        scores[p] = teachers->run->job->teacher.missing == MISSING_TEACHER
                        ? teachers->all[0].scores[p]
                        : NAN;
    }
    return missing;
}

int teacher_scores(float *scores, struct job_run *run, const char *cache,
                   const struct row_pairs *pairs, bool fit, size_t *missing, struct error *err)
{
    struct teachers teachers = {.run = run, .pairs = pairs};
    const struct job *job = run->job;
    REQUIRE(job_has_scores(job));
    int status = ask_all(&teachers, cache, fit, err);
    *missing = 0;
    if (!status && job->teacher.scores.count) {
        status = align(&teachers, fit, err);
        if (!status) *missing = add_up(scores, &teachers);
    } else if (!status) {
        memcpy(scores, teachers.all[0].scores, pairs->count * sizeof *scores);
    }
    for (size_t t = 0; t < teachers.count; t++) free(teachers.all[t].scores);
    free(teachers.all);
    return status;
}
