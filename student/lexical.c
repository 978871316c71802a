/* See lexical.h. */
#include "student/lexical.h"

#include <stdlib.h>

#include "data/collection.h"
#include "data/progress.h"
#include "data/run.h"

enum { BLOCK = 512 }; /* queries searched between two looks at signals */

int lexical_index(const char *output, const char *collection, const struct bm25_settings *settings,
                  int threads, struct error *err)
{
    struct pool *pool = pool_open(threads);
    struct bm25 *index;
    int status = bm25_index_collection(output, collection, settings, pool, err);
    pool_close(pool);
    if (status || bm25_open(&index, output, err)) return -1;
    struct bm25_facts facts = bm25_facts(index);
    note("%s: %zu documents, %zu terms, %zu postings", output, facts.documents, facts.terms,
         facts.postings);
    bm25_free(index);
    return 0;
}

struct searching {
    const struct bm25 *index;
    const char *const *texts; /* of the queries of a block */
    size_t top;
    struct hit *hits; /* [BLOCK, top] */
    size_t counts[BLOCK];
};

static void search_one(void *arg, size_t query, int worker)
{
    struct searching *all = arg;
    struct hit *hits = all->hits + query * all->top;
    (void)worker;
    all->counts[query] = bm25_search(all->index, all->texts[query], all->top, hits);
}

static void print_block(struct output *out, const struct searching *all, const char *const *ids,
                        size_t n, const char *tag)
{
    for (size_t q = 0; q < n; q++)
        for (size_t i = 0; i < all->counts[q]; i++) {
            struct hit hit = all->hits[q * all->top + i];
            struct ranked ranked = {bm25_id(all->index, hit.row), hit.score, tag};
            run_line(out, ids[q], &ranked, i + 1, false);
        }
}

static int search_all(struct searching *all, const struct texts *queries, const char *tag,
                      struct pool *pool, struct error *err)
{
    struct output out = {0};
    struct progress progress;
    int status = output_open(&out, NULL, err);
    progress_start(&progress, "searching", "queries", queries->count, 0);
    for (size_t first = 0; status == 0 && first < queries->count && !out.failed; first += BLOCK) {
        size_t n = queries->count - first < BLOCK ? queries->count - first : BLOCK;
        all->texts = queries->values + first;
        pool_run(pool, n, search_one, all);
        print_block(&out, all, queries->ids + first, n, tag);
        progress_add(&progress, n);
        if (interrupted()) {
            status = fail(err, "interrupted");
            err->status = STATUS_INTERRUPTED;
        }
    }
    progress_end(&progress);
    return output_commit(&out, err) || status ? -1 : 0;
}

int lexical_search(const struct lexical_search *search, const char *path, struct error *err)
{
    struct bm25 *index;
    struct texts queries = {0};
    struct arena strings = {0};
    if (bm25_open(&index, search->index, err)) return -1;
    size_t documents = bm25_facts(index).documents;
    struct searching all = {.index = index,
                            .top = search->top < documents ? search->top : documents};
    int status = texts_read(&queries, &strings, path, err);
    if (status == 0) {
        struct pool *pool = pool_open(search->threads);
        all.hits = xcalloc(BLOCK * all.top, sizeof *all.hits);
        status = search_all(&all, &queries, search->tag, pool, err);
        free(all.hits);
        pool_close(pool);
    }
    texts_free(&queries);
    arena_free(&strings);
    bm25_free(index);
    return status;
}
