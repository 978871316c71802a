/* Exact search of vectors of each type, and how fast memory can be read at all. */
#include "student/search.h"

#include "tests/bench/bench.h"

#include "data/base.h"
#include "nn/simd.h"

#include <stdlib.h>

enum { DIM = 128, HITS = 100, QUERIES = 256, PIECE = 4096 /* vectors that are made at once */ };

/* A million vectors; of signs eight, which are as many bytes as the million of int8: fewer would
 * stay in the cache. */
struct collection_of_type {
    struct pool *pool;
    struct stored_vectors stored;
    char *values;
    float *scales;        /* of int8 */
    const float *queries; /* [QUERIES, DIM] */
    struct hit *hits;     /* [QUERIES, HITS] */
};

struct reading {
    struct pool *pool;
    const unsigned char *bytes;
    size_t size;
    unsigned char *bits; /* [READS] */
};
enum { READS = 256 /* pieces */ };

static void fill_piece(void *arg, size_t piece, int worker)
{
    struct collection_of_type *c = arg;
    float values[DIM];
    (void)worker;
    for (size_t row = piece * PIECE; row < (piece + 1) * PIECE && row < c->stored.count; row++) {
        for (size_t i = 0; i < DIM; i += 4) {
            uint64_t bits = random_bits(1, 2, row * DIM + i);
            for (size_t j = 0; j < 4; j++) values[i + j] = (float)(bits >> 16 * j & 1023) - 512;
        }
        store_vectors(c->values + row * stored_bytes(c->stored.type, DIM),
                      c->scales ? c->scales + row : NULL, values, 1, DIM, c->stored.type);
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
    const struct reading *reading = arg;
    size_t size = reading->size / READS;
    (void)worker;
    reading->bits[piece] = read_all(reading->bytes + piece * size, size);
}

static void run_read(void *arg)
{
    const struct reading *reading = arg;
    pool_run(reading->pool, READS, read_piece, arg);
}

static void run_one(void *arg)
{
    const struct collection_of_type *c = arg;
    search_top_k(c->hits, c->queries, 1, &c->stored, HITS, c->pool);
}

static void run_many(void *arg)
{
    const struct collection_of_type *c = arg;
    search_top_k(c->hits, c->queries, QUERIES, &c->stored, HITS, c->pool);
}

static void release_collection(void *object)
{
    struct collection_of_type *c = object;
    free(c->values), free(c->scales), free(c->hits);
    free(c);
}

static void release_reading(void *object)
{
    struct reading *reading = object;
    free(reading->bits);
    free(reading);
}

static struct collection_of_type *make_collection(struct bench *bench, enum vector_type type,
                                                  const float *queries)
{
    struct collection_of_type *c = xcalloc(1, sizeof *c);
    size_t count = bench_size(bench, 1000000, 100000) * (type == VECTOR_BINARY ? 8 : 1);
    *c = (struct collection_of_type){.pool = bench->pool,
                                     .values = xaligned(count, stored_bytes(type, DIM)),
                                     .queries = queries,
                                     .hits = xcalloc((size_t)QUERIES * HITS, sizeof(struct hit))};
    if (type == VECTOR_INT8) c->scales = xcalloc(count, sizeof *c->scales);
    c->stored = (struct stored_vectors){type, count, DIM, c->values, c->scales};
    pool_run(bench->pool, (count + PIECE - 1) / PIECE, fill_piece, c);
    bench_own(bench, c, release_collection);
    return c;
}

static void add_read(struct bench *bench, const struct collection_of_type *c)
{
    struct reading *reading = xcalloc(1, sizeof *reading);
    double bytes = (double)(c->stored.count * stored_bytes(c->stored.type, DIM));
    *reading = (struct reading){bench->pool, (const unsigned char *)c->values, (size_t)bytes,
                                xcalloc(READS, 1)};
    bench_own(bench, reading, release_reading);
    bench_add(bench, &(struct work){.name = "peak-read",
                                    .precision = "-",
                                    .units = {{"GB/s", 1e-9 * bytes}},
                                    .peak = PEAK_READ,
                                    .is_peak = true,
                                    .cost = bytes,
                                    .run = run_read,
                                    .arg = reading});
}

void add_search(struct bench *bench)
{
    static const enum peak peaks[VECTOR_TYPES] = {PEAK_F32, PEAK_BF16, PEAK_INT8, PEAK_BINARY};
    struct collection_of_type *collections[VECTOR_TYPES];
    float *queries = xaligned((size_t)QUERIES * DIM, sizeof *queries);
    bench_own(bench, queries, free);
    for (size_t i = 0; i < (size_t)QUERIES * DIM; i++) queries[i] = (float)random_normal(1, 1, i);
    for (int t = 0; t < VECTOR_TYPES; t++)
        collections[t] = make_collection(bench, (enum vector_type)t, queries);
    add_read(bench, collections[VECTOR_F32]);
    for (int t = 0; t < VECTOR_TYPES; t++) {
        double count = (double)collections[t]->stored.count, flops = 2.0 * QUERIES * DIM * count;
        double bytes = count * (double)(stored_bytes(collections[t]->stored.type, DIM) +
                                        (t == VECTOR_INT8 ? sizeof(float) : 0));
        struct work one = {.name = "search-one",
                           .precision = vector_type_name((enum vector_type)t),
                           .units = {{"GB/s", 1e-9 * bytes}},
                           .peak = PEAK_READ,
                           .cost = bytes,
                           .run = run_one,
                           .arg = collections[t]};
        struct work many = {.name = "search-many",
                            .precision = one.precision,
                            .units = {{"Gflop/s", 1e-9 * flops}},
                            .peak = peaks[t],
                            .cost = flops,
                            .run = run_many,
                            .arg = collections[t]};
        bench_add(bench, &one);
        bench_add(bench, &many);
    }
}
