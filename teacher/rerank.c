/* See rerank.h. */
#include "teacher/rerank.h"

#include <math.h>
#include <stdlib.h>

static uint32_t row_of(const struct texts *texts, const char *id)
{
    int64_t row = texts_find(texts, id);
    REQUIRE(row >= 0);
    return (uint32_t)row;
}

void rerank_list_of(struct rerank_list *out, const struct run *run, size_t depth,
                    const struct texts *queries, const struct texts *documents)
{
    size_t capacity = 0;
    for (size_t q = 0; q < run->count; q++)
        capacity += run->queries[q].count < depth ? run->queries[q].count : depth;
    *out = (struct rerank_list){.query_texts = queries,
                                .document_texts = documents,
                                .queries = xcalloc(capacity, sizeof *out->queries),
                                .documents = xcalloc(capacity, sizeof *out->documents)};
    for (size_t q = 0; q < run->count; q++) {
        const struct ranked_query *query = &run->queries[q];
        uint32_t row = row_of(queries, query->id);
        for (size_t r = 0; r < query->count && r < depth; r++) {
            out->queries[out->count] = row;
            out->documents[out->count++] = row_of(documents, query->documents[r].document);
        }
    }
}

void rerank_pair(const void *list, size_t index, const char **query, const char **document)
{
    const struct rerank_list *pairs = list;
    *query = pairs->query_texts->values[pairs->queries[index]];
    *document = pairs->document_texts->values[pairs->documents[index]];
}

void rerank_run(struct run *out, const struct rerank_list *list, const float *scores,
                const char *tag)
{
    *out = (struct run){0};
    for (size_t p = 0; p < list->count; p++)
        if (!isnan(scores[p]))
            run_add(out, list->query_texts->ids[list->queries[p]],
                    list->document_texts->ids[list->documents[p]], (double)scores[p], tag);
    run_sort(out);
}

void rerank_list_free(struct rerank_list *list)
{
    free(list->queries);
    free(list->documents);
    *list = (struct rerank_list){0};
}
