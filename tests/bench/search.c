/* Exact search of a million vectors, and how fast memory can be read at all. */
#include "student/search.h"

#include "tests/bench/bench.h"

#include "data/base.h"
#include "nn/simd.h"

#include <stdlib.h>

enum { DIM = 128, HITS = 100, QUERIES = 256, PIECE = 4096 /* vectors that are read at once */ };

struct vectors {
    struct pool *pool;
    float *values, *queries; /* [count, DIM], [QUERIES, DIM] */
    size_t count;
    struct hit *hits;
    unsigned char *bits; /* [pieces] */
};

static size_t pieces_of(const struct vectors *vectors)
{
    return (vectors->count + PIECE - 1) / PIECE;
}

static size_t piece_end(const struct vectors *vectors, size_t piece)
{
    return (piece + 1) * PIECE < vectors->count ? (piece + 1) * PIECE : vectors->count;
}

static void fill_piece(void *arg, size_t piece, int worker)
{
    const struct vectors *vectors = arg;
    (void)worker;
    for (size_t i = piece * PIECE * DIM; i < piece_end(vectors, piece) * DIM; i += 4) {
        uint64_t bits = random_bits(1, 2, i);
        for (size_t j = 0; j < 4; j++)
            vectors->values[i + j] = (float)(bits >> 16 * j & 1023) - 512;
    }
}

/* Every byte read once, and as little as possible done with it. */
SIMD_CLONES static unsigned char read_all(const unsigned char *bytes, size_t count)
{
    unsigned char bits = 0;
#pragma omp simd reduction(| : bits)
    for (size_t i = 0; i < count; i++) bits |= bytes[i];
    return bits;
}

static void read_piece(void *arg, size_t piece, int worker)
{
    const struct vectors *vectors = arg;
    size_t first = piece * PIECE, count = piece_end(vectors, piece) - first;
    const void *values = vectors->values + first * DIM;
    (void)worker;
    vectors->bits[piece] = read_all(values, count * DIM * sizeof(float));
}

static void run_read(void *arg)
{
    struct vectors *vectors = arg;
    pool_run(vectors->pool, pieces_of(vectors), read_piece, vectors);
}

static void search(struct vectors *vectors, size_t queries)
{
    search_top_k(vectors->hits, vectors->queries, queries, vectors->values, vectors->count, DIM,
                 HITS, vectors->pool);
}

static void run_one(void *arg)
{
    search(arg, 1);
}

static void run_many(void *arg)
{
    search(arg, QUERIES);
}

static void release_vectors(void *object)
{
    struct vectors *vectors = object;
    free(vectors->values), free(vectors->queries);
    free(vectors->hits), free(vectors->bits);
    free(vectors);
}

void add_search(struct bench *bench)
{
    struct vectors *vectors = xcalloc(1, sizeof *vectors);
    size_t count = bench_size(bench, 1000000, 100000);
    *vectors = (struct vectors){.pool = bench->pool,
                                .values = xaligned(count * DIM, sizeof(float)),
                                .queries = xaligned((size_t)QUERIES * DIM, sizeof(float)),
                                .count = count,
                                .hits = xcalloc((size_t)QUERIES * HITS, sizeof(struct hit))};
    vectors->bits = xcalloc(pieces_of(vectors), sizeof *vectors->bits);
    pool_run(bench->pool, pieces_of(vectors), fill_piece, vectors);
    for (size_t i = 0; i < (size_t)QUERIES * DIM; i++)
        vectors->queries[i] = (float)random_normal(1, 1, i);
    bench_own(bench, vectors, release_vectors);

    double bytes = (double)(count * DIM * sizeof(float));
    double flops = 2.0 * QUERIES * DIM * (double)count;
    struct work work = {.name = "peak-read",
                        .precision = "-",
                        .units = {{"GB/s", 1e-9 * bytes}},
                        .peak = PEAK_READ,
                        .is_peak = true,
                        .cost = bytes,
                        .run = run_read,
                        .arg = vectors};
    bench_add(bench, &work);
    work.name = "search-one", work.precision = "f32";
    work.is_peak = false, work.run = run_one;
    bench_add(bench, &work);
    work = (struct work){.name = "search-many",
                         .precision = "f32",
                         .units = {{"Gflop/s", 1e-9 * flops}},
                         .peak = PEAK_F32,
                         .cost = flops,
                         .run = run_many,
                         .arg = vectors};
    bench_add(bench, &work);
}
