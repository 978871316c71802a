/* What the report says of sentence pairs: the splits, and the pairs on which the picked student and
 * people disagree most. */
#include <stdlib.h>

#include "data/metrics.h"
#include "distill/pair_set.h"
#include "distill/report_page.h"
#include "distill/tsv.h"

enum { SHOWN = 4, EXCERPT = 300 };

/* ---- the data ---- */

static void split_row(struct page *page, const char *use, const char *name,
                      const struct pair_set *set)
{
    double low = set->count ? set->pairs[0].score : 0, high = low, sum = 0;
    size_t alike = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct scored_pair *pair = &set->pairs[i];
        if (pair->score < low) low = pair->score;
        if (pair->score > high) high = pair->score;
        sum += pair->score;
        alike += pair->first == pair->second;
    }
    html_row(&page->out, "%s (%s)", use, name);
    html_number(&page->out, "%zu", set->count);
    html_number(&page->out, "%g", low);
    html_number(&page->out, "%.2f", set->count ? sum / (double)set->count : 0);
    html_number(&page->out, "%g", high);
    html_number(&page->out, "%zu", alike);
    html_row_end(&page->out);
}

/* Sentences of `set` that stand in a train pair too. */
static size_t count_seen(const struct pair_set *train, const struct pair_set *set, size_t documents,
                         size_t *count)
{
    uint32_t *learnt, *rows;
    size_t num_learnt = pair_set_documents(&learnt, train, documents), seen = 0;
    *count = pair_set_documents(&rows, set, documents);
    for (size_t i = 0, at = 0; i < *count; i++) {
        while (at < num_learnt && learnt[at] < rows[i]) at++;
        seen += at < num_learnt && learnt[at] == rows[i];
    }
    free(learnt);
    free(rows);
    return seen;
}

void page_pairs_data(struct page *page)
{
    static const char *const headers[] = {"split", "pairs",   "lowest score",
                                          "mean",  "highest", "of a sentence with itself"};
    const struct job *job = page->job;
    const struct collection *collection = page->collection;
    struct pair_set train, dev, test;
    pair_sets_split(&train, &dev, collection, job);
    pair_set_of(&test, collection, job->data.test_split);
    html_table(&page->out, "Pairs and their scores", headers, sizeof headers / sizeof *headers);
    split_row(page, "train", job->data.train_split, &train);
    split_row(page, "dev",
              collection_pairs(collection, job->data.dev_split) ? job->data.dev_split
                                                                : "a share of train",
              &dev);
    split_row(page, "test", job->data.test_split, &test);
    html_table_end(&page->out);
    size_t sentences, seen = count_seen(&train, &test, collection->documents.count, &sentences);
    html_paragraph(&page->out, "Of the %zu sentences in test pairs %zu stand in train pairs too.",
                   sentences, seen);
    if (job->data.max_train_queries)
        html_paragraph(&page->out, "data.max_train_queries keeps at most %d train pairs.",
                       job->data.max_train_queries);
    pair_set_free(&train);
    pair_set_free(&dev);
    pair_set_free(&test);
}

/* ---- examples ---- */

/* Labels and scores of a system, pair by pair, and where each stands in [0, 1] by rank. */
struct judged_pairs {
    double *labels, *scores, *label_ranks, *score_ranks;
    size_t count, label_capacity, score_capacity;
};

static int pair_row(void *arg, struct lines *lines, char **cells, struct error *err)
{
    struct judged_pairs *pairs = arg;
    GROW(pairs->labels, pairs->count, &pairs->label_capacity);
    GROW(pairs->scores, pairs->count, &pairs->score_capacity);
    if (tsv_read_number(&pairs->labels[pairs->count], lines, cells[0], err) ||
        tsv_read_number(&pairs->scores[pairs->count], lines, cells[1], err))
        return -1;
    pairs->count++;
    return 0;
}

static void judged_pairs_free(struct judged_pairs *pairs)
{
    free(pairs->labels);
    free(pairs->scores);
    free(pairs->label_ranks);
    free(pairs->score_ranks);
}

static int compare_values(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The share of values below each, half of its equals counted. */
static double *shares_below(const double *values, size_t n)
{
    double *sorted = xcalloc(n, sizeof *sorted), *shares = xcalloc(n, sizeof *shares);
    for (size_t i = 0; i < n; i++) sorted[i] = values[i];
    qsort(sorted, n, sizeof *sorted, compare_values);
    for (size_t i = 0; i < n; i++) {
        size_t low = 0, high = n;
        while (low < high) {
            size_t middle = (low + high) / 2;
            if (sorted[middle] < values[i])
                low = middle + 1;
            else
                high = middle;
        }
        for (high = low; high < n && sorted[high] == values[i];) high++;
        shares[i] = (double)(low + high) / 2 / (double)n;
    }
    free(sorted);
    return shares;
}

static void show_pair(struct page *page, const struct pair_set *test,
                      const struct judged_pairs *judged, size_t i)
{
    text_puts(&page->out, "<article class=\"query\">\n");
    html_paragraph(&page->out,
                   "People: %g, above %.0f %% of the pairs; the picked student: cosine %.3f, above "
                   "%.0f %%.",
                   judged->labels[i], 100 * judged->label_ranks[i], judged->scores[i],
                   100 * judged->score_ranks[i]);
    if (page->collection && i < test->count) {
        const char *const *texts = page->collection->documents.values;
        text_puts(&page->out, "<ol>\n<li>");
        html_excerpt(&page->out, texts[test->pairs[i].first], EXCERPT);
        text_puts(&page->out, "</li>\n<li>");
        html_excerpt(&page->out, texts[test->pairs[i].second], EXCERPT);
        text_puts(&page->out, "</li>\n</ol>\n");
    }
    text_puts(&page->out, "</article>\n");
}

/* The SHOWN pairs that the student ranks highest (sign 1) or lowest (-1) above people. */
static void show_extremes(struct page *page, const struct pair_set *test,
                          const struct judged_pairs *judged, double sign)
{
    double before = 2;
    size_t last = judged->count;
    for (int shown = 0; shown < SHOWN; shown++) {
        size_t best = judged->count;
        double best_gap = 0;
        for (size_t i = 0; i < judged->count; i++) {
            double gap = sign * (judged->score_ranks[i] - judged->label_ranks[i]);
            bool later = gap < before || (gap == before && i > last);
            if (later && gap > best_gap) best = i, best_gap = gap;
        }
        if (best == judged->count) break;
        show_pair(page, test, judged, best);
        before = best_gap, last = best;
    }
}

int page_pairs_examples(struct page *page, struct error *err)
{
    struct judged_pairs judged = {0};
    struct pair_set test = {0};
    char *name = xasprintf("pairs/student-l%d-d%d.tsv", page->picked->layers, page->picked->dim);
    char *path = page_path(page, name);
    int status = tsv_read_table(path, "label\tscore", pair_row, &judged, err);
    if (page->collection) pair_set_of(&test, page->collection, page->job->data.test_split);
    if (!status && !judged.count)
        html_missing(&page->out, "No scores of the picked student: the run has no %s.", name);
    if (!status && judged.count) {
        judged.label_ranks = shares_below(judged.labels, judged.count);
        judged.score_ranks = shares_below(judged.scores, judged.count);
        if (!page->collection)
            html_missing(&page->out,
                         "The pairs are not there (%s), so that there are no sentences "
                         "to show.",
                         page->no_collection);
        text_puts(&page->out, "<h3>More alike to the student than to people</h3>\n");
        show_extremes(page, &test, &judged, 1);
        text_puts(&page->out, "<h3>Less alike to the student than to people</h3>\n");
        show_extremes(page, &test, &judged, -1);
    }
    judged_pairs_free(&judged);
    pair_set_free(&test);
    free(path);
    free(name);
    return status;
}
