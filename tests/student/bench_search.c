/* Speed of exact search: milliseconds a query, and how fast the vectors were read.
 *
 *     bench_search [threads [dim [k]]]      5k to 1M vectors; 1 to 256 queries together
 */
#include "student/search.h"

#include "data/base.h"
#include <stdio.h>
#include <stdlib.h>

static double best_seconds(struct hit *hits, const float *queries, size_t num_queries,
                           const float *vectors, size_t n, int dim, int k, struct pool *pool)
{
    double best = 1e30, begin = seconds_now();
    for (int repeat = 0; repeat < 5 || seconds_now() - begin < 0.5; repeat++) {
        double start = seconds_now();
        search_top_k(hits, queries, num_queries, vectors, n, dim, k, pool);
        double seconds = seconds_now() - start;
        if (seconds < best) best = seconds;
    }
    return best;
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 0, dim = argc > 2 ? atoi(argv[2]) : 128;
    int k = argc > 3 ? atoi(argv[3]) : 100;
    const size_t sizes[] = {5000, 50000, 200000, 1000000}, counts[] = {1, 4, 16, 64, 256};
    size_t largest = 1000000, width = (size_t)dim;
    struct pool *pool = pool_open(threads);
    float *vectors = xaligned(largest * width, sizeof *vectors);
    float *queries = xaligned(256 * width, sizeof *queries);
    struct hit *hits = xcalloc(256 * (size_t)k, sizeof *hits);
    for (size_t i = 0; i < largest * width; i++)
        vectors[i] = (float)(random_bits(1, 2, i) % 1024) - 512;
    for (size_t i = 0; i < 256 * width; i++) queries[i] = (float)random_normal(1, 1, i);
    printf("vectors\tdim\tk\tthreads\tqueries\tms/query\tGB/s\tGflop/s\n");
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            size_t n = sizes[s], count = counts[c];
            double seconds = best_seconds(hits, queries, count, vectors, n, dim, k, pool);
            double bytes = (double)(n * width * sizeof(float));
            double flops = 2.0 * (double)(n * width) * (double)count;
            printf("%zu\t%d\t%d\t%d\t%zu\t%.3f\t%.1f\t%.1f\n", n, dim, k, pool_size(pool), count,
                   1e3 * seconds / (double)count, bytes / seconds / 1e9, flops / seconds / 1e9);
        }
    pool_close(pool);
    free(vectors), free(queries), free(hits);
    return 0;
}
