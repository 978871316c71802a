#include "distill/step_batch.h"

#include <stdlib.h>
#include <string.h>

/* Streams of random numbers, so that no two decisions share one. */
enum {
    STREAM_ORDER = 0x100,
    STREAM_POSITIVE = 0x200,
    STREAM_NEGATIVES = 0x300,
    STREAM_WEIGHT = 0x400
};

static double total_weight(const struct train_set *set)
{
    double sum = 0;
    for (size_t q = 0; q < set->count; q++) sum += set->queries[q].weight;
    return sum;
}

size_t queries_per_epoch(const struct train_set *set)
{
    double sum = total_weight(set);
    return sum < 1 ? set->count > 0 : (size_t)sum;
}

uint64_t steps_per_epoch(const struct train_set *set, int batch_queries)
{
    return (queries_per_epoch(set) + (size_t)batch_queries - 1) / (size_t)batch_queries;
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
    batch->next = xrealloc(batch->next, documents, sizeof *batch->next);
    batch->mask = xrealloc(batch->mask, queries * documents, sizeof *batch->mask);
    batch->columns = xrealloc(batch->columns, queries * documents, sizeof *batch->columns);
    batch->teacher = xrealloc(batch->teacher, queries * documents, sizeof *batch->teacher);
}

static uint32_t document_of(const struct train_set *set, uint32_t version)
{
    return set->document_of ? set->document_of[version] : version;
}

/* The column of exactly this version; -1: it is not in the step. */
static int find_column(const struct step_batch *batch, const struct train_set *set,
                       uint32_t version)
{
    int at = batch->column_of[document_of(set, version)];
    while (at >= 0 && batch->documents[at] != version) at = batch->next[at];
    return at;
}

static int column(struct step_batch *batch, const struct train_set *set, uint32_t version)
{
    int at = find_column(batch, set, version);
    if (at >= 0) return at;
    uint32_t document = document_of(set, version);
    at = batch->num_documents++;
    batch->documents[at] = version;
    batch->next[at] = batch->column_of[document];
    batch->column_of[document] = at;
    return at;
}

/* The row that is read for a candidate. */
static uint32_t text_of(const struct train_query *query, size_t candidate)
{
    return candidate == 0 && query->version ? query->version
                                            : query->candidates[candidate].document;
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
    int positive = column(batch, set, text_of(query, (size_t)(at * (double)positives)));
    random_permutation(batch->drawn, n - positives, set->seed ^ STREAM_NEGATIVES,
                       epoch * 0x100000001ull + query->query);
    for (size_t i = 0; i < n - positives && i < (size_t)set->negatives; i++)
        column(batch, set, query->candidates[positives + batch->drawn[i]].document);
    return positive;
}

/* All versions of a document are no negatives in a row of the mask. */
static void unmask(const struct step_batch *batch, const struct train_set *set, uint8_t *mask,
                   uint32_t version)
{
    int at = batch->column_of[document_of(set, version)];
    for (; at >= 0; at = batch->next[at]) mask[at] = 0;
}

/* Labelled positives other than the drawn one are no negatives, nor are those that the teacher
 * rates as high. */
static void fill_mask(struct step_batch *batch, const struct train_set *set, int row,
                      const struct train_query *query)
{
    uint8_t *mask = batch->mask + (size_t)row * (size_t)batch->num_documents;
    memset(mask, 1, (size_t)batch->num_documents);
    for (size_t r = 0; r < query->num_relevant; r++) unmask(batch, set, mask, query->relevant[r]);
    for (size_t c = 0; set->use_teacher && c < query->num_candidates; c++)
        if (query->candidates[c].kind == CANDIDATE_FALSE_NEGATIVE)
            unmask(batch, set, mask, query->candidates[c].document);
    mask[batch->positive[row]] = 1;
}

/* All candidates of the query in the step, whichever query brought them: the drawn positive
 * first. */
static int fill_list(struct step_batch *batch, const struct train_set *set,
                     const struct train_query *query, int row, int count)
{
    int positive = batch->positive[row], first = count++;
    for (size_t c = 0; c < query->num_candidates; c++) {
        const struct candidate *candidate = &query->candidates[c];
        int at = find_column(batch, set, text_of(query, c));
        if (at < 0) continue;
        int place = at == positive ? first : count++;
        batch->columns[place] = at;
        batch->teacher[place] = candidate->score;
    }
    return count;
}

/* The epoch's queries: systematic sampling along a random order.  The weights, one after the other,
 * make a line, which is cut into as many equal parts as there are queries to draw: none is shorter
 * than a weight.  One place, the same in all parts, draws the query that lies there. */
static void order_epoch(struct step_batch *batch, const struct train_set *set, uint64_t epoch)
{
    random_permutation(batch->order, set->count, set->seed ^ STREAM_ORDER, epoch);
    size_t wanted = queries_per_epoch(set), drawn = 0;
    double part = total_weight(set) / (double)wanted, behind = 0;
    double place = part * random_uniform(set->seed ^ STREAM_WEIGHT, epoch, 0);
    for (size_t i = 0; i < set->count && drawn < wanted; i++) {
        bool all_left = set->count - i == wanted - drawn; /* where sums round */
        behind += set->queries[batch->order[i]].weight;
        if (behind <= place && !all_left) continue;
        batch->order[drawn++] = batch->order[i];
        place += part;
    }
}

void step_batch_fill(struct step_batch *batch, const struct train_set *set, int batch_queries,
                     uint64_t step)
{
    reserve(batch, set, batch_queries);
    uint64_t per_epoch = steps_per_epoch(set, batch_queries), epoch = step / per_epoch;
    if (!batch->has_order || batch->epoch != epoch) order_epoch(batch, set, epoch);
    batch->has_order = true;
    batch->epoch = epoch;
    size_t first = (size_t)(step % per_epoch) * (size_t)batch_queries;
    size_t left = queries_per_epoch(set) - first;
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
        count = fill_list(batch, set, query, q, count);
    }
    batch->starts[batch->num_queries] = count;
    for (int d = 0; d < batch->num_documents; d++)
        batch->column_of[document_of(set, batch->documents[d])] = -1;
}

void step_batch_free(struct step_batch *batch)
{
    free(batch->queries);
    free(batch->next);
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
