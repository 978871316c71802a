/* See lexical.h. */
#include "student/lexical.h"

#include <stdlib.h>

#include "data/progress.h"
#include "data/run.h"
#include "student/query_blocks.h"

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
    struct pool *pool;
    const char *const *texts; /* of the queries of a block */
    size_t top;
    const char *tag;
    struct hit *hits; /* [QUERY_BLOCK, top] */
    size_t counts[QUERY_BLOCK];
};

static void search_one(void *arg, size_t query, int worker)
{
    struct searching *all = arg;
    struct hit *hits = all->hits + query * all->top;
    (void)worker;
    all->counts[query] = bm25_search(all->index, all->texts[query], all->top, hits);
}

static int search_block(void *arg, struct output *out, const char *const *ids,
                        const char *const *texts, size_t n, struct error *err)
{
    struct searching *all = arg;
    (void)err;
    all->texts = texts;
    pool_run(all->pool, n, search_one, all);
    for (size_t q = 0; q < n; q++)
        for (size_t i = 0; i < all->counts[q]; i++) {
            struct hit hit = all->hits[q * all->top + i];
            struct ranked ranked = {bm25_id(all->index, hit.row), hit.score, all->tag};
            run_line(out, ids[q], &ranked, i + 1, false);
        }
    return 0;
}

int lexical_search(const struct lexical_search *search, const char *path, struct error *err)
{
    struct bm25 *index;
    if (bm25_open(&index, search->index, err)) return -1;
    size_t documents = bm25_facts(index).documents;
    struct searching all = {.index = index,
                            .pool = pool_open(search->threads),
                            .top = search->top < documents ? search->top : documents,
                            .tag = search->tag};
    all.hits = xcalloc(QUERY_BLOCK * all.top, sizeof *all.hits);
    int status = answer_queries(path, search_block, &all, err);
    free(all.hits);
    pool_close(all.pool);
    bm25_free(index);
    return status;
}
