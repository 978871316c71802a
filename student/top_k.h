/* The k best of many scored rows, kept in a bounded heap.
 *
 *     struct top_k top = top_k_start(hits, 10);            // hits: room for 10
 *     for (size_t row = 0; row < n; row++) top_k_offer(&top, row, score[row]);
 *     top_k_finish(&top);                                   // hits[0 .. top.count - 1], best first
 *
 * Order: score descending, ties by smaller row.  It is total, so the result depends on the set of
 * offers alone, not on their order: parts may be ranked apart and merged.  A NaN counts as minus
 * infinity.
 */
#ifndef RETORT_TOP_K_H
#define RETORT_TOP_K_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hit {
    size_t row;
    double score;
};
struct top_k {
    struct hit *hits; /* [k], the caller's; a heap with the worst on top until top_k_finish */
    size_t count, k;
};

struct top_k top_k_start(struct hit *hits, size_t k);
/* Whether row would be kept. */
bool top_k_admits(const struct top_k *top, size_t row, double score);
void top_k_offer(struct top_k *top, size_t row, double score);
/* Sorts what was kept, best first. */
void top_k_finish(struct top_k *top);

/* The same for a stream of f32 scores in rising rows, most of which are too bad: kept unordered in
 * more room than k, of which the best k are picked when it is full.  An offer costs a few
 * nanoseconds, where the heap goes log k steps; the bar rises late. */
struct reservoir {
    uint64_t
        *keys; /* [reservoir_room(k)], the caller's: score and row in one number, best highest */
    size_t count, k;
    float bar; /* what is not above it need not be offered, once k were */
};
size_t reservoir_room(size_t k);
struct reservoir reservoir_start(uint64_t *keys, size_t k);
void reservoir_offer(struct reservoir *reservoir, uint32_t row, float score);
/* hits: the best k, or as many as were offered, in no order. */
void reservoir_finish(struct reservoir *reservoir, struct hit *hits);

#endif
