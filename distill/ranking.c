#include "distill/ranking.h"

#include <stdlib.h>
#include <string.h>

#include "student/search.h"

static void add_hits(struct run *out, const struct embedded *embedded, size_t q,
                     const struct hit *hits, size_t count, size_t wanted, bool drop_same_id,
                     const char *tag)
{
    const struct collection *collection = embedded->collection;
    const char *query = collection->queries.ids[embedded->queries->rows[q]];
    for (size_t h = 0; h < count && wanted; h++) {
        size_t row = embedded->documents ? embedded->documents[hits[h].row] : hits[h].row;
        const char *document = collection->documents.ids[row];
        if (drop_same_id && strcmp(document, query) == 0) continue;
        run_add(out, query, document, hits[h].score, tag);
        wanted--;
    }
}

void rank_embedded(struct run *out, const struct embedded *embedded, int dim, bool cosine, int k,
                   bool drop_same_id, const char *tag, struct pool *pool)
{
    size_t queries = embedded->queries->count, documents = embedded->num_documents;
    size_t depth = (size_t)k + drop_same_id;
    if (depth > documents) depth = documents;
    float *u = xaligned(queries * (size_t)dim, sizeof *u);
    float *v = xaligned(documents * (size_t)dim, sizeof *v);
    struct hit *hits = xcalloc(queries * depth, sizeof *hits);
    vectors_cut(u, embedded->zq, queries, embedded->width, dim, cosine);
    vectors_cut(v, embedded->zd, documents, embedded->width, dim, cosine);
    const struct stored_vectors stored = {VECTOR_F32, documents, dim, v, NULL};
    search_top_k(hits, u, queries, &stored, (int)depth, pool);
    *out = (struct run){0};
    for (size_t q = 0; q < queries; q++)
        add_hits(out, embedded, q, hits + q * depth, depth, (size_t)k, drop_same_id, tag);
    run_sort(out);
    free(hits);
    free(v);
    free(u);
}

double measure_run(double *values, struct measure measure, const struct query_set *queries,
                   const struct run *run)
{
    double sum = 0;
    for (size_t q = 0; q < queries->count; q++) {
        const struct judged_query *judged = queries->judged[q];
        values[q] = measure_query(measure, judged, run_find(run, judged->id));
        sum += values[q];
    }
    return queries->count ? sum / (double)queries->count : 0;
}
