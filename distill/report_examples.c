/* The report's examples: test queries where the picked student differs most from the teacher, for
 * the better and for the worse, with what both rank first. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/output.h"
#include "distill/query_set.h"
#include "distill/report_page.h"

enum { SHOWN = 3, RANKS = 5, OVERLAP = 10, EXCERPT = 160, QUERY_EXCERPT = 300 };

/* One query in both runs.  gain: the student's quality less the other's; without a collection the
 * share of the first OVERLAP documents that both have. */
struct example {
    const char *id;
    const struct judged_query *judged;          /* NULL without a collection */
    const struct ranked_query *student, *other; /* NULL: nothing was found */
    double student_value, other_value, gain;
};
struct examples {
    const char *opponent; /* what the other system is called */
    struct run student, other;
    struct query_set queries;
    struct example *list;
    size_t count;
};

/* ---- finding them ---- */

static int read_run(struct run *out, const struct page *page, const char *name, struct error *err)
{
    char *path = page_path(page, name);
    int status = path_exists(path) ? run_read(out, path, err) : 1;
    free(path);
    if (!status) run_sort(out);
    return status;
}

/* 1: a run is not there. */
static int read_runs(struct examples *out, const struct page *page, struct error *err)
{
    char name[64];
    snprintf(name, sizeof name, "trec/student-l%d-d%d.trec", page->picked->layers,
             page->picked->dim);
    int status = read_run(&out->student, page, name, err);
    if (status) return status;
    out->opponent = "the teacher";
    status = read_run(&out->other, page, "trec/teacher.trec", err);
    if (status <= 0) return status;
    out->opponent = "BM25";
    return read_run(&out->other, page, "trec/bm25.trec", err);
}

static double shared_part(const struct ranked_query *one, const struct ranked_query *other)
{
    size_t a = one->count < OVERLAP ? one->count : OVERLAP;
    size_t b = other->count < OVERLAP ? other->count : OVERLAP, both = 0;
    for (size_t i = 0; i < a; i++)
        for (size_t j = 0; j < b; j++)
            both += strcmp(one->documents[i].document, other->documents[j].document) == 0;
    return a ? (double)both / (double)a : 0;
}

/* By gain, ties by id: the same order on every machine. */
static int by_gain(const void *left, const void *right)
{
    const struct example *a = left, *b = right;
    if (a->gain != b->gain) return a->gain < b->gain ? -1 : 1;
    return strcmp(a->id, b->id);
}

static void measure_examples(struct examples *examples, const struct page *page,
                             struct measure measure)
{
    struct query_set train, dev;
    query_sets_split(&train, &dev, page->collection, page->job);
    query_set_measured(&examples->queries, &dev, page->collection, page->job);
    query_set_free(&train);
    query_set_free(&dev);
    examples->list = xcalloc(examples->queries.count, sizeof *examples->list);
    for (size_t q = 0; q < examples->queries.count; q++) {
        const struct judged_query *judged = examples->queries.judged[q];
        struct example one = {.id = judged->id,
                              .judged = judged,
                              .student = run_find(&examples->student, judged->id),
                              .other = run_find(&examples->other, judged->id)};
        one.student_value = measure_query(measure, judged, one.student);
        one.other_value = measure_query(measure, judged, one.other);
        one.gain = one.student_value - one.other_value;
        examples->list[examples->count++] = one;
    }
}

static void compare_examples(struct examples *examples)
{
    examples->list = xcalloc(examples->student.count, sizeof *examples->list);
    for (size_t q = 0; q < examples->student.count; q++) {
        const struct ranked_query *student = &examples->student.queries[q];
        const struct ranked_query *other = run_find(&examples->other, student->id);
        if (other)
            examples->list[examples->count++] =
                (struct example){.id = student->id,
                                 .student = student,
                                 .other = other,
                                 .gain = shared_part(student, other)};
    }
}

static void examples_free(struct examples *examples)
{
    run_free(&examples->student);
    run_free(&examples->other);
    query_set_free(&examples->queries);
    free(examples->list);
}

/* ---- showing them ---- */

static const char *text_of(const struct texts *texts, const char *id)
{
    int64_t row = texts_find(texts, id);
    return row < 0 ? NULL : texts->values[row];
}

static void show_ranking(struct page *page, const char *heading, const struct ranked_query *ranking,
                         const struct judged_query *judged)
{
    text_puts(&page->out, "<div><h5>");
    html_text(&page->out, heading);
    text_puts(&page->out, "</h5>\n");
    if (!ranking) html_paragraph(&page->out, "Found nothing.");
    if (ranking) text_puts(&page->out, "<ol>\n");
    for (size_t d = 0; ranking && d < ranking->count && d < RANKS; d++) {
        const char *id = ranking->documents[d].document;
        const char *text = page->collection ? text_of(&page->collection->documents, id) : NULL;
        int grade = judged ? qrels_grade(judged, id) : 0;
        text_puts(&page->out, "<li>");
        if (grade > 0) text_printf(&page->out, "<span class=\"grade\">relevant: %d</span> ", grade);
        if (text) html_excerpt(&page->out, text, EXCERPT);
        text_puts(&page->out, " <span class=\"id\">");
        html_text(&page->out, id);
        text_puts(&page->out, "</span></li>\n");
    }
    text_puts(&page->out, ranking ? "</ol></div>\n" : "</div>\n");
}

static void show_example(struct page *page, const struct examples *examples,
                         const struct example *one)
{
    const char *id = one->id;
    const char *text = page->collection ? text_of(&page->collection->queries, id) : NULL;
    text_puts(&page->out, "<article class=\"query\"><h4>");
    if (text) html_excerpt(&page->out, text, QUERY_EXCERPT);
    text_puts(&page->out, " <span class=\"id\">");
    html_text(&page->out, id);
    text_puts(&page->out, "</span></h4>\n");
    if (one->judged) {
        text_printf(&page->out, "<p class=\"%s\">", one->gain > 0 ? "up" : "down");
        html_printf(&page->out, "%s %.4f, %s %.4f: %+.4f; %zu documents are judged relevant.",
                    "student", one->student_value, examples->opponent, one->other_value, one->gain,
                    qrels_relevant(one->judged));
        text_puts(&page->out, "</p>\n");
    } else {
        html_paragraph(&page->out, "%.0f of the first %d documents are the same.",
                       one->gain * OVERLAP, OVERLAP);
    }
    text_puts(&page->out, "<div class=\"sides\">\n");
    show_ranking(page, "the picked student", one->student, one->judged);
    show_ranking(page, examples->opponent, one->other, one->judged);
    text_puts(&page->out, "</div></article>\n");
}

static void show_measured(struct page *page, const struct examples *examples)
{
    size_t worse = 0, better = 0;
    for (size_t e = 0; e < examples->count; e++) {
        worse += examples->list[e].gain < 0;
        better += examples->list[e].gain > 0;
    }
    html_paragraph(&page->out,
                   "By %s the picked student is better than %s on %zu of %zu test queries, worse "
                   "on %zu, equal on %zu. Below are those where it differs most.",
                   page->measure, examples->opponent, better, examples->count, worse,
                   examples->count - better - worse);
    text_puts(&page->out, "<h3>Where the student does better</h3>\n");
    if (!better) html_paragraph(&page->out, "Nowhere.");
    for (size_t e = 0; e < SHOWN && e < better; e++)
        show_example(page, examples, &examples->list[examples->count - 1 - e]);
    text_puts(&page->out, "<h3>Where the student does worse</h3>\n");
    if (!worse) html_paragraph(&page->out, "Nowhere.");
    for (size_t e = 0; e < SHOWN && e < worse; e++)
        show_example(page, examples, &examples->list[e]);
}

static void show_unmeasured(struct page *page, const struct examples *examples)
{
    html_missing(&page->out,
                 "The collection is not there (%s), so that there are neither texts nor judgements "
                 "to show: below are the ids where the first %d documents of the picked student "
                 "and of %s have least in common.",
                 page->no_collection, OVERLAP, examples->opponent);
    for (size_t e = 0; e < SHOWN && e < examples->count; e++)
        show_example(page, examples, &examples->list[e]);
}

static int find_and_show(struct page *page, struct examples *examples, struct error *err)
{
    struct measure measure;
    struct error ignored = {0};
    int status = read_runs(examples, page, err);
    if (status < 0) return -1;
    if (status > 0) {
        html_missing(&page->out, "No rankings of the picked student and of the teacher or BM25 to "
                                 "compare: the run has no such files in trec/.");
        return 0;
    }
    bool measured =
        page->collection && measure_parse(&measure, page->grid.measures[0], &ignored) == 0;
    if (measured)
        measure_examples(examples, page, measure);
    else
        compare_examples(examples);
    if (examples->count) qsort(examples->list, examples->count, sizeof *examples->list, by_gain);
    if (strcmp(examples->opponent, "the teacher") != 0)
        html_missing(&page->out,
                     "The run has no ranking by the teacher (evaluate.systems lacks it, "
                     "or no scores of test queries are there): BM25 stands in its "
                     "place.");
    if (measured)
        show_measured(page, examples);
    else
        show_unmeasured(page, examples);
    return 0;
}

int page_examples(struct page *page, struct error *err)
{
    struct examples examples = {0};
    int status = 0;
    html_section(&page->out, "examples", "Examples");
    if (page->picked && job_has_pairs(page->job))
        status = page_pairs_examples(page, err);
    else if (page->picked)
        status = find_and_show(page, &examples, err);
    else
        html_missing(&page->out, "No examples yet: no point of the grid is picked.");
    html_section_end(&page->out);
    examples_free(&examples);
    return status;
}
