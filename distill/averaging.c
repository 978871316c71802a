/* See averaging.h. */
#include "distill/averaging.h"

#include <math.h>

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

double averaging_weight(const struct averaging *averaging, uint64_t previous, uint64_t step,
                        uint64_t total_steps)
{
    if (!previous || step <= previous) return 1;
    if (averaging->kind == AVERAGE_EMA)
        return (1 - pow(averaging->decay, (double)(step - previous))) /
               (1 - pow(averaging->decay, (double)step));
    uint64_t start = total_steps - (uint64_t)(averaging->share * (double)total_steps);
    if (step <= start) return 1;
    return (double)(step - larger(previous, start)) / (double)(step - start);
}

enum { PIECE = 1 << 16 };

struct average_job {
    float *average;
    const float *read; /* of average_add */
    float *swapped;    /* of average_swap */
    size_t n;
    double weight;
};

static size_t end_of(const struct average_job *job, size_t item)
{
    size_t first = item * PIECE;
    return job->n - first < PIECE ? job->n : first + PIECE;
}

static void add_piece(void *arg, size_t item, int worker)
{
    (void)worker;
    const struct average_job *job = arg;
    double weight = job->weight;
    for (size_t i = item * PIECE; i < end_of(job, item); i++)
        job->average[i] =
            (float)((1 - weight) * (double)job->average[i] + weight * (double)job->read[i]);
}

static void swap_piece(void *arg, size_t item, int worker)
{
    (void)worker;
    const struct average_job *job = arg;
    for (size_t i = item * PIECE; i < end_of(job, item); i++) {
        float value = job->swapped[i];
        job->swapped[i] = job->average[i];
        job->average[i] = value;
    }
}

static void run_pieces(struct average_job job, struct pool *pool,
                       void (*work)(void *arg, size_t item, int worker))
{
    size_t pieces = (job.n + PIECE - 1) / PIECE;
    if (pool) {
        pool_run(pool, pieces, work, &job);
        return;
    }
    for (size_t item = 0; item < pieces; item++) work(&job, item, 0);
}

void average_add(float *average, const float *values, size_t n, double weight, struct pool *pool)
{
    run_pieces((struct average_job){.average = average, .read = values, .n = n, .weight = weight},
               pool, add_piece);
}

void average_swap(float *average, float *values, size_t n, struct pool *pool)
{
    run_pieces((struct average_job){.average = average, .swapped = values, .n = n}, pool,
               swap_piece);
}
