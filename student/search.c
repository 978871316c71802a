/* See search.h.
 *
 * Work is cut twice: queries into blocks, rows into slices where the blocks alone would leave
 * workers idle.  One item is a block and a slice; it walks the slice in tiles that stay in the
 * cache, multiplies, and offers what beats the worst score kept so far.  Tiles of a matrix product
 * start at multiples of their size whatever the slices are, so that a score does not depend on the
 * pool; the order of hits is total, so that neither does the merge.
 *
 * Many queries are a matrix product (of signs, our own), with a row of scores for each vector; few
 * go one after the other over a tile that the first has brought into the cache.
 */
#include "student/search.h"

#include "data/guard.h"
#include "nn/dnn.h"
#include "nn/kernels.h"
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 256,     /* queries */
    FEW = 16,        /* fewer than so many are faster one by one: measured */
    MANY_ROWS = 256, /* of a tile: as many scores as fit into the second cache */
    FEW_ROWS = 1024, /* fit into it for the next query */
    ONE_ROWS = 8192, /* memory is read in long sweeps */
    ITEMS_PER_WORKER = 2
};

struct search {
    struct hit *hits; /* [num_queries, k]: those of slice 0, in the end all */
    struct hit *more; /* [num_slices - 1, num_queries, k]: those of the other slices */
    const struct stored_vectors *vectors;
    const struct dots *dots;
    const void *queries; /* [num_queries, dim], stored as the vectors are */
    void *stored;        /* the same, where they are not the caller's */
    float *query_scales; /* [num_queries] of int8 */
    size_t num_queries, num_slices, num_blocks, num_workers;
    size_t dim, k, row_bytes;
    size_t found; /* of each query: k, or all vectors */
    size_t tile;  /* rows */
    bool wide;    /* no product of the type is to be had: numbers are widened to f32 before */
    struct worker {
        float *scores;    /* [tile, BLOCK], or [tile] of few queries */
        float *bars;      /* [BLOCK + tile]: the worst scores kept, or all the worst of one query */
        uint32_t *places; /* as many as scores */
        uint64_t *kept;   /* [BLOCK, room]: a reservoir a query */
        char *rows;       /* the last tile's copy, with room behind */
        void *query;      /* one, zeros behind */
        struct turned_signs turned; /* a block */
        uint32_t *differ;           /* as many as places, of signs */
        float *wide;                /* [tile + BLOCK, dim] */
        struct dnn *dnn;            /* opened when first needed: a single query does without */
    } * workers;                    /* [num_workers] */
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The first row of a slice, a multiple of the tile; of slice num_slices: the end. */
static size_t slice_start(const struct search *search, size_t slice)
{
    size_t tiles = (search->vectors->count + search->tile - 1) / search->tile;
    return smaller(tiles * slice / search->num_slices * search->tile, search->vectors->count);
}

static struct hit *slice_hits(const struct search *search, size_t slice, size_t query)
{
    struct hit *hits =
        slice ? search->more + (slice - 1) * search->num_queries * search->k : search->hits;
    return hits + query * search->k;
}

/* ---- products ---- */

/* Whether rows may be read as dots.h wants: with more behind them. */
static bool has_room(const struct search *search, size_t first, size_t rows)
{
    size_t end = first + (rows + DOTS_ROWS - 1) / DOTS_ROWS * DOTS_ROWS;
    return end * search->row_bytes + DOTS_SLACK <= search->vectors->count * search->row_bytes;
}

/* At most so many rows at the end have no room behind; with those that fill up sixteen. */
static size_t rows_kept_back(const struct search *search)
{
    return DOTS_SLACK / search->row_bytes + 1 + DOTS_ROWS;
}

/* Rows of the next tile.  What has no room behind is left for a tile of its own; but oneDNN reads
 * no more than it is given. */
static size_t tile_size(const struct search *search, size_t first, size_t end, bool exact)
{
    size_t rows = smaller(search->tile, end - first), back = rows_kept_back(search);
    if (exact || has_room(search, first, rows) || rows <= back + DOTS_ROWS) return rows;
    return (rows - back) / DOTS_ROWS * DOTS_ROWS;
}

static const void *tile_rows(const struct search *search, const struct worker *worker, size_t first,
                             size_t rows, bool exact)
{
    const char *values = (const char *)search->vectors->values + first * search->row_bytes;
    if (exact || has_room(search, first, rows)) return values;
    memcpy(worker->rows, values, rows * search->row_bytes);
    return worker->rows;
}

static const void *stored_query(const struct search *search, size_t query)
{
    return (const char *)search->queries + query * search->row_bytes;
}

static size_t padded_query(const struct search *search)
{
    return (search->row_bytes + DOTS_SLACK - 1) / DOTS_SLACK * DOTS_SLACK;
}

static void widen(float *out, const void *in, size_t n, enum vector_type type)
{
    if (type == VECTOR_BF16) kernels_best()->to_f32(out, in, ELEMENT_BF16, n);
    if (type == VECTOR_INT8)
        for (size_t i = 0; i < n; i++) out[i] = ((const int8_t *)in)[i];
}

/* worker->scores [rows, count] = vectors [rows, dim] queries [count, dim]^T, without scales. */
static void multiply_many(const struct search *search, struct worker *worker, const void *vectors,
                          size_t rows, const void *queries, size_t count)
{
    static const enum element elements[] = {ELEMENT_F32, ELEMENT_BF16, ELEMENT_INT8};
    enum vector_type type = search->vectors->type;
    if (search->wide) {
        float *to = worker->wide + BLOCK * search->dim;
        widen(worker->wide, queries, count * search->dim, type);
        widen(to, vectors, rows * search->dim, type);
        vectors = to, queries = worker->wide;
    }
    const struct dnn_product product = {.m = (int)rows,
                                        .n = (int)count,
                                        .k = (int)search->dim,
                                        .transpose_b = true,
                                        .element = search->wide ? ELEMENT_F32 : elements[type]};
    if (!worker->dnn) worker->dnn = dnn_open();
    dnn_multiply(worker->dnn, worker->scores, vectors, queries, &product);
}

/* worker->scores [rows] of one query. */
static void multiply_one(const struct search *search, struct worker *worker, const void *vectors,
                         size_t rows, const void *query, const float *scales)
{
    size_t padded = padded_query(search);
    memcpy(worker->query, query, search->row_bytes);
    memset((char *)worker->query + search->row_bytes, 0, padded - search->row_bytes);
    search->dots->one[search->vectors->type](worker->scores, worker->query, vectors, rows,
                                             search->dim);
    if (scales)
        for (size_t i = 0; i < rows; i++) worker->scores[i] *= scales[i];
}

/* ---- offers: rows come in rising order, so that one equal to the worst kept never replaces it. */

/* worker->scores [rows, count] of count queries that have been offered as many rows each. */
static void offer_many(const struct search *search, const struct worker *worker,
                       struct reservoir *best, size_t count, size_t first, size_t rows)
{
    const float *scales = search->vectors->scales, *scores = worker->scores;
    size_t row = 0;
    for (; row < rows && best->count < best->k; row++)
        for (size_t q = 0; q < count; q++) {
            float scale = scales ? scales[first + row] : 1;
            reservoir_offer(&best[q], (uint32_t)(first + row), scores[row * count + q] * scale);
        }
    if (row == rows) return;
    if (scales) scales += first + row;
    scores += row * count;
    size_t found =
        search->dots->above(worker->places, scores, scales, worker->bars, rows - row, count);
    for (size_t i = 0; i < found; i++) {
        size_t place = worker->places[i], at = place / count, q = place % count;
        float scale = scales ? scales[at] : 1;
        reservoir_offer(&best[q], (uint32_t)(first + row + at), scores[place] * scale);
        worker->bars[q] = best[q].bar;
    }
}

/* worker->scores [rows] of one query, scales included. */
static void offer_one(const struct search *search, const struct worker *worker,
                      struct reservoir *best, size_t first, size_t rows)
{
    const float *scores = worker->scores;
    size_t row = 0;
    for (; row < rows && best->count < best->k; row++)
        reservoir_offer(best, (uint32_t)(first + row), scores[row]);
    if (row == rows) return;
    if (worker->bars[0] != best->bar)
        for (size_t i = 0; i < search->tile; i++) worker->bars[i] = best->bar;
    size_t found =
        search->dots->above(worker->places, scores + row, NULL, worker->bars, 1, rows - row);
    for (size_t i = 0; i < found; i++) {
        size_t at = row + worker->places[i];
        reservoir_offer(best, (uint32_t)(first + at), scores[at]);
    }
}

/* The rows of a tile to a block of signs: product and comparison are one.  The limit is how many
 * differ in the worst kept. */
static void offer_signs(const struct search *search, const struct worker *worker,
                        struct reservoir *best, const void *vectors, size_t first, size_t rows)
{
    const struct turned_signs *turned = &worker->turned;
    size_t found = search->dots->signs_below(worker->places, worker->differ, turned, vectors, rows);
    for (size_t i = 0; i < found; i++) {
        size_t at = worker->places[i] / turned->count, q = worker->places[i] % turned->count;
        int dim = (int)search->dim, score = dim - 2 * (int)worker->differ[i];
        reservoir_offer(&best[q], (uint32_t)(first + at), (float)score);
        if (best[q].bar > -INFINITY) turned->limits[q] = (dim - (int)best[q].bar) / 2;
    }
}

/* ---- items ---- */

/* Whether a block is multiplied by oneDNN. */
static bool is_product(const struct search *search, size_t count)
{
    return count >= FEW && search->vectors->type != VECTOR_BINARY;
}

static void search_tile(const struct search *search, struct worker *worker, struct reservoir *best,
                        size_t first_query, size_t count, size_t first, size_t rows)
{
    bool product = is_product(search, count);
    const void *vectors = tile_rows(search, worker, first, rows, product);
    const float *scales = search->vectors->scales ? search->vectors->scales + first : NULL;
    if (product) {
        multiply_many(search, worker, vectors, rows, stored_query(search, first_query), count);
        offer_many(search, worker, best, count, first, rows);
    } else if (count >= FEW) {
        offer_signs(search, worker, best, vectors, first, rows);
    } else {
        for (size_t q = 0; q < count; q++) {
            const void *query = stored_query(search, first_query + q);
            multiply_one(search, worker, vectors, rows, query, scales);
            offer_one(search, worker, &best[q], first, rows);
        }
    }
}

static void search_item(void *arg, size_t item, int worker_index)
{
    const struct search *search = arg;
    size_t slice = item / search->num_blocks, first = item % search->num_blocks * BLOCK;
    size_t count = smaller(BLOCK, search->num_queries - first);
    size_t end = slice_start(search, slice + 1);
    struct worker *worker = &search->workers[worker_index];
    struct reservoir best[BLOCK];
    for (size_t i = 0; i < BLOCK + search->tile; i++) worker->bars[i] = -INFINITY;
    for (size_t q = 0; q < count; q++)
        best[q] = reservoir_start(worker->kept + q * reservoir_room(search->found), search->found);
    if (count >= FEW && search->vectors->type == VECTOR_BINARY) {
        worker->turned.count = count;
        dots_turn_signs(&worker->turned, stored_query(search, first));
        for (size_t q = 0; q < BLOCK; q++) worker->turned.limits[q] = q < count ? INT32_MAX : 0;
    }
    for (size_t row = slice_start(search, slice), rows; row < end; row += rows) {
        rows = tile_size(search, row, end, is_product(search, count));
        search_tile(search, worker, best, first, count, row, rows);
    }
    for (size_t q = 0; q < count; q++)
        reservoir_finish(&best[q], slice_hits(search, slice, first + q));
}

/* Joins one query's slices and sorts; the first slice's hits are offered where they lie. */
static void merge_query(void *arg, size_t query, int worker)
{
    const struct search *search = arg;
    struct top_k top = top_k_start(slice_hits(search, 0, query), search->k);
    (void)worker;
    for (size_t slice = 0; slice < search->num_slices; slice++) {
        size_t rows = slice_start(search, slice + 1) - slice_start(search, slice);
        const struct hit *hits = slice_hits(search, slice, query);
        for (size_t i = 0; i < smaller(search->k, rows); i++)
            top_k_offer(&top, hits[i].row, hits[i].score);
    }
    top_k_finish(&top);
    for (size_t i = 0; search->query_scales && i < top.count; i++)
        top.hits[i].score *= (double)search->query_scales[query];
}

/* ---- the whole ---- */

static void release_search(void *arg)
{
    struct search *search = arg;
    for (size_t w = 0; search->workers && w < search->num_workers; w++) {
        struct worker *worker = &search->workers[w];
        free(worker->scores), free(worker->bars), free(worker->places);
        free(worker->kept), free(worker->rows), free(worker->query), free(worker->wide);
        free(worker->differ), free(worker->turned.words), free(worker->turned.limits);
        dnn_close(worker->dnn);
    }
    free(search->workers);
    free(search->more);
    free(search->stored);
    free(search->query_scales);
}

static void cut_work(struct search *search)
{
    size_t tiles = (search->vectors->count + search->tile - 1) / search->tile;
    size_t wanted = search->num_workers * ITEMS_PER_WORKER;
    search->num_blocks = (search->num_queries + BLOCK - 1) / BLOCK;
    search->num_slices = smaller((wanted + search->num_blocks - 1) / search->num_blocks, tiles);
}

static void store_queries(struct search *search, const float *queries)
{
    enum vector_type type = search->vectors->type;
    search->queries = queries;
    if (type == VECTOR_F32) return;
    search->queries = search->stored = xmalloc(search->num_queries * search->row_bytes);
    if (type == VECTOR_INT8)
        search->query_scales = xcalloc(search->num_queries, sizeof *search->query_scales);
    store_vectors(search->stored, search->query_scales, queries, search->num_queries,
                  search->vectors->dim, type);
}

static void open_signs(const struct search *search, struct worker *worker, size_t columns)
{
    worker->differ = xcalloc(columns * search->tile, sizeof *worker->differ);
    worker->turned.dim = search->dim;
    worker->turned.words = xaligned(dots_turned_size(columns, search->dim), sizeof(uint32_t));
    worker->turned.limits = xaligned(BLOCK, sizeof *worker->turned.limits);
}

static void open_workers(struct search *search)
{
    bool many = search->num_queries >= FEW;
    size_t columns = many ? smaller(search->num_queries, BLOCK) : 1, tile = search->tile;
    size_t copied = rows_kept_back(search) + 2 * DOTS_ROWS;
    search->workers = xcalloc(search->num_workers, sizeof *search->workers);
    for (size_t w = 0; w < search->num_workers; w++) {
        struct worker *worker = &search->workers[w];
        worker->scores = xaligned(columns * tile + DOTS_ROWS, sizeof(float));
        worker->bars = xaligned(BLOCK + tile, sizeof(float));
        worker->places = xcalloc(columns * tile, sizeof *worker->places);
        worker->kept = xcalloc(smaller(search->num_queries, BLOCK) * reservoir_room(search->found),
                               sizeof *worker->kept);
        worker->rows = xaligned(copied * search->row_bytes + DOTS_SLACK, 1);
        worker->query = xaligned(padded_query(search), 1);
        if (many && search->vectors->type == VECTOR_BINARY) open_signs(search, worker, columns);
        if (many && search->wide)
            worker->wide = xaligned((BLOCK + tile) * search->dim, sizeof(float));
    }
}

/* Whether many queries need wider numbers than the vectors'. */
static bool needs_wide(enum vector_type type)
{
    return (type == VECTOR_BF16 && !dnn_has_fast_bf16()) ||
           (type == VECTOR_INT8 && !dnn_has_exact_int8());
}

size_t search_top_k(struct hit *hits, const float *queries, size_t num_queries,
                    const struct stored_vectors *vectors, int k, struct pool *pool)
{
    REQUIRE(vectors->dim > 0 && vectors->count <= UINT32_MAX && k >= 0);
    size_t found = smaller((size_t)k, vectors->count);
    if (found == 0 || num_queries == 0) return found;
    struct search search = {.hits = hits,
                            .vectors = vectors,
                            .dots = dots_best(),
                            .num_queries = num_queries,
                            .num_workers = (size_t)pool_size(pool),
                            .dim = (size_t)vectors->dim,
                            .k = (size_t)k,
                            .found = found,
                            .row_bytes = stored_bytes(vectors->type, vectors->dim),
                            .tile = num_queries == 1    ? ONE_ROWS
                                    : num_queries < FEW ? FEW_ROWS
                                                        : MANY_ROWS};
    search.wide = num_queries >= FEW && needs_wide(vectors->type);
    cut_work(&search);
    hold(&search, release_search);
    store_queries(&search, queries);
    search.more = xcalloc((search.num_slices - 1) * num_queries * search.k, sizeof *search.more);
    open_workers(&search);

    pool_run(pool, search.num_blocks * search.num_slices, search_item, &search);
    pool_run(pool, num_queries, merge_query, &search);

    release_search(let_go(&search));
    return found;
}

struct rescoring {
    struct hit *hits;             /* [num_queries, k] */
    const struct hit *candidates; /* [num_queries, count] */
    size_t k, count;
    const float *queries;
    const struct stored_vectors *vectors;
};

static void rescore_query(void *arg, size_t query, int worker)
{
    const struct rescoring *r = arg;
    struct top_k top = top_k_start(r->hits + query * r->k, r->k);
    const float *values = r->queries + query * (size_t)r->vectors->dim;
    (void)worker;
    for (size_t i = 0; i < r->count; i++) {
        size_t row = r->candidates[query * r->count + i].row;
        top_k_offer(&top, row, stored_dot(r->vectors, row, values));
    }
    top_k_finish(&top);
}

size_t search_rescored(struct hit *hits, const float *queries, size_t num_queries,
                       const struct stored_vectors *vectors, int k, int times, struct pool *pool)
{
    REQUIRE(times >= 0);
    if (times == 0) times = vectors->type == VECTOR_BINARY ? 4 : 1;
    if (times == 1 || vectors->type == VECTOR_F32)
        return search_top_k(hits, queries, num_queries, vectors, k, pool);
    size_t count = smaller(smaller((size_t)k * (size_t)times, INT_MAX), vectors->count);
    struct hit *candidates = hold(xcalloc(num_queries * count, sizeof *candidates), free);
    search_top_k(candidates, queries, num_queries, vectors, (int)count, pool);
    struct rescoring rescoring = {hits, candidates, (size_t)k, count, queries, vectors};
    pool_run(pool, num_queries, rescore_query, &rescoring);
    free(let_go(candidates));
    return smaller((size_t)k, vectors->count);
}
