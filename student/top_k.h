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

#endif
