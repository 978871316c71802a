#include "distill/step_batch.h"

#include <stdlib.h>
#include <string.h>

/* Streams of random numbers, so that no two decisions share one. */
enum { STREAM_ORDER = 0x100, STREAM_POSITIVE = 0x200, STREAM_NEGATIVES = 0x300 };

uint64_t steps_per_epoch(const struct train_set *set, int batch_queries)
{
    return (set->count + (size_t)batch_queries - 1) / (size_t)batch_queries;
}

static void reserve(struct step_batch *batch, const struct train_set *set, int batch_queries)
{
    size_t queries = (size_t)batch_queries;
    size_t documents = queries * (size_t)(1 + set->negatives);
    if (!batch->column_of) {
        batch->column_of = xcalloc(set->num_documents, sizeof *batch->column_of);
        memset(batch->column_of, 0xff, set->num_documents * sizeof *batch->column_of);
        batch->order = xcalloc(set->count, sizeof *batch->order);
    }
    if (queries <= batch->query_capacity) return;
    batch->query_capacity = queries;
    batch->queries = xrealloc(batch->queries, queries, sizeof *batch->queries);
    batch->positive = xrealloc(batch->positive, queries, sizeof *batch->positive);
    batch->starts = xrealloc(batch->starts, queries + 1, sizeof *batch->starts);
    batch->documents = xrealloc(batch->documents, documents, sizeof *batch->documents);
    batch->mask = xrealloc(batch->mask, queries * documents, sizeof *batch->mask);
    batch->columns = xrealloc(batch->columns, queries * documents, sizeof *batch->columns);
    batch->teacher = xrealloc(batch->teacher, queries * documents, sizeof *batch->teacher);
}

static int column(struct step_batch *batch, uint32_t document)
{
    if (batch->column_of[document] < 0) {
        batch->column_of[document] = batch->num_documents;
        batch->documents[batch->num_documents++] = document;
    }
    return batch->column_of[document];
}

static bool is_positive(const struct candidate *candidate)
{
    return candidate->kind == CANDIDATE_POSITIVE;
}

/* Draws the query's positive and negatives; returns the positive's column. */
static int draw(struct step_batch *batch, const struct train_set *set,
                const struct train_query *query, uint64_t epoch)
{
    size_t n = query->num_candidates, positives = 0;
    if (n > batch->drawn_capacity) {
        batch->drawn = xrealloc(batch->drawn, n, sizeof *batch->drawn);
        batch->drawn_capacity = n;
    }
    while (positives < n && is_positive(&query->candidates[positives])) positives++;
    REQUIRE(positives > 0);
    double at = random_uniform(set->seed ^ STREAM_POSITIVE, epoch, query->query);
    int positive = column(batch, query->candidates[(size_t)(at * (double)positives)].document);
    random_permutation(batch->drawn, n - positives, set->seed ^ STREAM_NEGATIVES,
                       epoch * 0x100000001ull + query->query);
    for (size_t i = 0; i < n - positives && i < (size_t)set->negatives; i++)
        column(batch, query->candidates[positives + batch->drawn[i]].document);
    return positive;
}

/* Labelled positives other than the drawn one are no negatives, nor are those that the teacher
 * rates as high. */
static void fill_mask(struct step_batch *batch, const struct train_set *set, int row,
                      const struct train_query *query)
{
    uint8_t *mask = batch->mask + (size_t)row * (size_t)batch->num_documents;
    memset(mask, 1, (size_t)batch->num_documents);
    for (size_t r = 0; r < query->num_relevant; r++) {
        int at = batch->column_of[query->relevant[r]];
        if (at >= 0) mask[at] = 0;
    }
    for (size_t c = 0; set->use_teacher && c < query->num_candidates; c++) {
        int at = batch->column_of[query->candidates[c].document];
        if (at >= 0 && query->candidates[c].kind == CANDIDATE_FALSE_NEGATIVE) mask[at] = 0;
    }
    mask[batch->positive[row]] = 1;
}

/* All candidates of the query in the step, whichever query brought them: the drawn positive
 * first. */
static int fill_list(struct step_batch *batch, const struct train_query *query, int row, int count)
{
    int positive = batch->positive[row], first = count++;
    for (size_t c = 0; c < query->num_candidates; c++) {
        const struct candidate *candidate = &query->candidates[c];
        int at = batch->column_of[candidate->document];
        if (at < 0) continue;
        int place = at == positive ? first : count++;
        batch->columns[place] = at;
        batch->teacher[place] = candidate->score;
    }
    return count;
}

void step_batch_fill(struct step_batch *batch, const struct train_set *set, int batch_queries,
                     uint64_t step)
{
    reserve(batch, set, batch_queries);
    uint64_t per_epoch = steps_per_epoch(set, batch_queries), epoch = step / per_epoch;
    if (!batch->has_order || batch->epoch != epoch)
        random_permutation(batch->order, set->count, set->seed ^ STREAM_ORDER, epoch);
    batch->has_order = true;
    batch->epoch = epoch;
    size_t first = (size_t)(step % per_epoch) * (size_t)batch_queries;
    size_t left = set->count - first;
    batch->num_queries = left < (size_t)batch_queries ? (int)left : batch_queries;
    batch->num_documents = 0;
    for (int q = 0; q < batch->num_queries; q++) {
        const struct train_query *query = &set->queries[batch->order[first + (size_t)q]];
        batch->queries[q] = query->query;
        batch->positive[q] = draw(batch, set, query, epoch);
    }
    int count = 0;
    for (int q = 0; q < batch->num_queries; q++) {
        const struct train_query *query = &set->queries[batch->order[first + (size_t)q]];
        fill_mask(batch, set, q, query);
        batch->starts[q] = count;
        count = fill_list(batch, query, q, count);
    }
    batch->starts[batch->num_queries] = count;
    for (int d = 0; d < batch->num_documents; d++) batch->column_of[batch->documents[d]] = -1;
}

void step_batch_free(struct step_batch *batch)
{
    free(batch->queries);
    free(batch->documents);
    free(batch->positive);
    free(batch->mask);
    free(batch->starts);
    free(batch->columns);
    free(batch->teacher);
    free(batch->column_of);
    free(batch->order);
    free(batch->drawn);
    *batch = (struct step_batch){0};
}
