/* See search.h.
 *
 * Work is cut twice: queries into blocks, rows into slices where the blocks alone would leave
 * workers idle.  One item is a block and a slice; it walks the slice in tiles that stay in the
 * cache, multiplies, and offers what beats the worst score kept so far.  Tiles start at multiples
 * of TILE whatever the slices are, so that a score does not depend on the pool; the order of hits
 * is total, so that neither does the merge.
 */
#include "student/search.h"

#include "data/guard.h"
#include "nn/dnn.h"
#include "nn/simd.h"
#include <stdlib.h>

enum {
    BLOCK = 128, /* queries */
    TILE = 512,  /* rows: 256 KiB at 128 dimensions */
    GROUP = 64,  /* scores compared at once with the worst kept */
    ITEMS_PER_WORKER = 2
};

struct search {
    struct hit *hits; /* [num_queries, k]: those of slice 0, in the end all */
    struct hit *more; /* [num_slices - 1, num_queries, k]: those of the other slices */
    const float *queries, *vectors;
    size_t num_queries, num_vectors, num_slices, num_blocks, num_workers;
    size_t dim, k;
    struct worker {
        float *scores;   /* [BLOCK, TILE] */
        struct dnn *dnn; /* opened when first needed: a single query does without */
    } * workers;         /* [num_workers] */
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The first row of a slice, a multiple of TILE; of slice num_slices: the end. */
static size_t slice_start(const struct search *search, size_t slice)
{
    size_t tiles = (search->num_vectors + TILE - 1) / TILE;
    return smaller(tiles * slice / search->num_slices * TILE, search->num_vectors);
}

static struct hit *slice_hits(const struct search *search, size_t slice, size_t query)
{
    struct hit *hits =
        slice ? search->more + (slice - 1) * search->num_queries * search->k : search->hits;
    return hits + query * search->k;
}

/* The processor foresees reading in one sweep; four rows side by side it takes for four short ones,
 * and waits for memory: three times as long for a million rows.  So they are asked for ahead. */
static void ask_ahead(const float *from, size_t count)
{
    enum { AHEAD = 4096, LINE = 64 }; /* bytes; what memory hands out together */
    uintptr_t begin = (uintptr_t)from + AHEAD, end = begin + count * sizeof *from;
    for (uintptr_t line = begin; line < end; line += LINE) __builtin_prefetch((const void *)line);
}

/* scores [rows] = vectors [rows, dim] query.  Four rows at a time: one sum alone would wait for its
 * additions. */
SIMD_CLONES static void multiply_one(float *scores, const float *query, const float *vectors,
                                     size_t rows, size_t dim)
{
    for (size_t row = 0; row < rows; row += 4) {
        const float *a = vectors + row * dim;
        size_t left = rows - row;
        const float *b = left > 1 ? a + dim : a, *c = left > 2 ? b + dim : a,
                    *d = left > 3 ? c + dim : a;
        float sum_a = 0, sum_b = 0, sum_c = 0, sum_d = 0;
        ask_ahead(a, 4 * dim);
#pragma omp simd reduction(+ : sum_a, sum_b, sum_c, sum_d)
        for (size_t i = 0; i < dim; i++) {
            sum_a += query[i] * a[i];
            sum_b += query[i] * b[i];
            sum_c += query[i] * c[i];
            sum_d += query[i] * d[i];
        }
        const float sums[4] = {sum_a, sum_b, sum_c, sum_d};
        for (size_t i = 0; i < smaller(left, 4); i++) scores[row + i] = sums[i];
    }
}

/* worker->scores [count, rows] = queries [count, dim] vectors [rows, dim]^T. */
static void multiply(struct worker *worker, const float *queries, size_t count,
                     const float *vectors, size_t rows, size_t dim)
{
    if (count == 1) {
        multiply_one(worker->scores, queries, vectors, rows, dim);
        return;
    }
    const struct dnn_product product = {
        .m = (int)count, .n = (int)rows, .k = (int)dim, .transpose_b = true};
    if (!worker->dnn) worker->dnn = dnn_open();
    dnn_multiply(worker->dnn, worker->scores, queries, vectors, &product);
}

static bool any_above(const float *scores, size_t count, float bar)
{
    int above = 0;
#pragma omp simd reduction(| : above)
    for (size_t i = 0; i < count; i++) above |= scores[i] > bar;
    return above;
}

/* Rows come in rising order, so that one equal to the worst kept never replaces it. */
static void offer_all(struct top_k *top, const float *scores, size_t count, size_t first_row)
{
    size_t i = 0;
    for (; i < count && top->count < top->k; i++)
        top_k_offer(top, first_row + i, (double)scores[i]);
    for (; i < count; i += GROUP) {
        size_t end = smaller(i + GROUP, count);
        if (!any_above(scores + i, end - i, (float)top->hits[0].score)) continue;
        for (size_t j = i; j < end; j++) top_k_offer(top, first_row + j, (double)scores[j]);
    }
}

static void search_item(void *arg, size_t item, int worker_index)
{
    const struct search *search = arg;
    size_t slice = item / search->num_blocks, first = item % search->num_blocks * BLOCK;
    size_t count = smaller(BLOCK, search->num_queries - first), dim = search->dim;
    size_t end = slice_start(search, slice + 1);
    struct worker *worker = &search->workers[worker_index];
    struct top_k tops[BLOCK];
    for (size_t q = 0; q < count; q++)
        tops[q] = top_k_start(slice_hits(search, slice, first + q), search->k);
    for (size_t row = slice_start(search, slice); row < end; row += TILE) {
        size_t rows = smaller(TILE, end - row);
        multiply(worker, search->queries + first * dim, count, search->vectors + row * dim, rows,
                 dim);
        for (size_t q = 0; q < count; q++)
            offer_all(&tops[q], worker->scores + q * rows, rows, row);
    }
}

/* Joins one query's slices and sorts. */
static void merge_query(void *arg, size_t query, int worker)
{
    const struct search *search = arg;
    struct top_k top = top_k_start(slice_hits(search, 0, query), search->k);
    (void)worker;
    top.count = smaller(search->k, slice_start(search, 1));
    for (size_t slice = 1; slice < search->num_slices; slice++) {
        size_t rows = slice_start(search, slice + 1) - slice_start(search, slice);
        const struct hit *hits = slice_hits(search, slice, query);
        for (size_t i = 0; i < smaller(search->k, rows); i++)
            top_k_offer(&top, hits[i].row, hits[i].score);
    }
    top_k_finish(&top);
}

static void release_search(void *arg)
{
    struct search *search = arg;
    for (size_t w = 0; search->workers && w < search->num_workers; w++) {
        free(search->workers[w].scores);
        dnn_close(search->workers[w].dnn);
    }
    free(search->workers);
    free(search->more);
}

static void cut_work(struct search *search)
{
    size_t tiles = (search->num_vectors + TILE - 1) / TILE;
    size_t wanted = search->num_workers * ITEMS_PER_WORKER;
    search->num_blocks = (search->num_queries + BLOCK - 1) / BLOCK;
    search->num_slices = smaller((wanted + search->num_blocks - 1) / search->num_blocks, tiles);
}

size_t search_top_k(struct hit *hits, const float *queries, size_t num_queries,
                    const float *vectors, size_t num_vectors, int dim, int k, struct pool *pool)
{
    REQUIRE(dim > 0 && k >= 0);
    size_t found = smaller((size_t)k, num_vectors);
    if (found == 0 || num_queries == 0) return found;
    struct search search = {.hits = hits,
                            .queries = queries,
                            .vectors = vectors,
                            .num_queries = num_queries,
                            .num_vectors = num_vectors,
                            .num_workers = (size_t)pool_size(pool),
                            .dim = (size_t)dim,
                            .k = (size_t)k};
    cut_work(&search);
    hold(&search, release_search);
    search.more = xcalloc((search.num_slices - 1) * num_queries * search.k, sizeof *search.more);
    search.workers = xcalloc(search.num_workers, sizeof *search.workers);
    for (size_t w = 0; w < search.num_workers; w++)
        search.workers[w].scores = xaligned(smaller(num_queries, BLOCK) * TILE, sizeof(float));

    pool_run(pool, search.num_blocks * search.num_slices, search_item, &search);
    pool_run(pool, num_queries, merge_query, &search);

    release_search(let_go(&search));
    return found;
}
