/* See audit.h. */
#include "distill/audit.h"

#include <ctype.h>
#include <stdlib.h>

static int compare_sizes(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

struct lengths lengths_of(size_t *values, size_t count)
{
    if (!count) return (struct lengths){0};
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)values[i];
    qsort(values, count, sizeof *values, compare_sizes);
    return (struct lengths){.mean = sum / (double)count,
                            .median = values[(count - 1) / 2],
                            .p90 = values[(count - 1) * 90 / 100],
                            .p99 = values[(count - 1) * 99 / 100],
                            .most = values[count - 1]};
}

size_t count_words(const char *text)
{
    size_t words = 0;
    for (bool inside = false; *text; text++) {
        bool space = isspace((unsigned char)*text) != 0;
        if (!space && !inside) words++;
        inside = !space;
    }
    return words;
}

size_t count_repeated(const struct texts *texts)
{
    struct strmap seen = {0};
    size_t repeated = 0;
    for (size_t i = 0; i < texts->count; i++)
        if (strmap_insert(&seen, texts->values[i], (int64_t)i) != (int64_t)i) repeated++;
    strmap_free(&seen);
    return repeated;
}

size_t count_empty(const struct texts *texts)
{
    size_t empty = 0;
    for (size_t i = 0; i < texts->count; i++) empty += !*texts->values[i];
    return empty;
}

struct judgement_audit audit_judgements(const struct qrels *qrels)
{
    struct judgement_audit audit = {.queries = qrels->count};
    size_t relevant = 0;
    for (size_t q = 0; q < qrels->count; q++) {
        const struct judged_query *query = &qrels->queries[q];
        size_t found = qrels_relevant(query);
        relevant += found;
        audit.most_relevant = found > audit.most_relevant ? found : audit.most_relevant;
        for (size_t j = 0; j < query->count; j++) {
            int grade = query->judgements[j].grade;
            bool first = audit.judgements++ == 0;
            audit.lowest = first || grade < audit.lowest ? grade : audit.lowest;
            audit.highest = first || grade > audit.highest ? grade : audit.highest;
        }
    }
    if (audit.queries) audit.mean_relevant = (double)relevant / (double)audit.queries;
    return audit;
}

size_t count_unknown_documents(const struct collection *collection, const struct qrels *qrels)
{
    size_t unknown = 0;
    for (size_t q = 0; q < qrels->count; q++)
        for (size_t j = 0; j < qrels->queries[q].count; j++)
            unknown +=
                texts_find(&collection->documents, qrels->queries[q].judgements[j].document) < 0;
    return unknown;
}

size_t count_unknown_queries(const struct collection *collection, const struct qrels *qrels)
{
    size_t unknown = 0;
    for (size_t q = 0; q < qrels->count; q++)
        unknown += texts_find(&collection->queries, qrels->queries[q].id) < 0;
    return unknown;
}

size_t count_shared(const struct collection *collection, const struct qrels *one,
                    const struct qrels *other)
{
    struct strmap seen = {0};
    size_t shared = 0;
    for (int pass = 0; pass < 2; pass++) {
        const struct qrels *qrels = pass ? other : one;
        for (size_t q = 0; q < qrels->count; q++) {
            int64_t row = texts_find(&collection->queries, qrels->queries[q].id);
            if (row < 0) continue;
            const char *text = collection->queries.values[row];
            if (pass)
                shared += strmap_find(&seen, text) >= 0;
            else
                strmap_insert(&seen, text, row);
        }
    }
    strmap_free(&seen);
    return shared;
}
