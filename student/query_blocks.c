/* See query_blocks.h. */
#include "student/query_blocks.h"

#include "data/progress.h"

static int answer_all(const struct texts *queries, query_block *answer, void *arg,
                      struct error *err)
{
    struct output out = {0};
    struct progress progress;
    int status = output_open(&out, NULL, err);
    progress_start(&progress, "searching", "queries", queries->count, 0);
    for (size_t first = 0, n; status == 0 && first < queries->count && !out.failed; first += n) {
        n = queries->count - first < QUERY_BLOCK ? queries->count - first : QUERY_BLOCK;
        status = answer(arg, &out, queries->ids + first, queries->values + first, n, err);
        progress_add(&progress, n);
        if (status == 0 && interrupted()) {
            status = fail(err, "interrupted");
            err->status = STATUS_INTERRUPTED;
        }
    }
    progress_end(&progress);
    return output_commit(&out, err) || status ? -1 : 0;
}

int answer_queries(const char *path, query_block *answer, void *arg, struct error *err)
{
    struct texts queries = {0};
    struct arena strings = {0};
    int status = texts_read(&queries, &strings, path, err);
    if (status == 0) status = answer_all(&queries, answer, arg, err);
    texts_free(&queries);
    arena_free(&strings);
    return status;
}
