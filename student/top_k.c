/* See top_k.h. */
#include "student/top_k.h"

#include "data/base.h"
#include <math.h>

/* Without branches: which of two hits is better is not to be foreseen. */
static bool better(struct hit a, struct hit b)
{
    return (a.score > b.score) | ((a.score == b.score) & (a.row < b.row));
}

/* NaN has no place in the order. */
static struct hit hit_of(size_t row, double score)
{
    return (struct hit){row, isnan(score) ? -INFINITY : score};
}

struct top_k top_k_start(struct hit *hits, size_t k)
{
    return (struct top_k){.hits = hits, .k = k};
}

bool top_k_admits(const struct top_k *top, size_t row, double score)
{
    return top->count < top->k || (top->k && better(hit_of(row, score), top->hits[0]));
}

static void sift_up(struct hit *heap, size_t child, struct hit hit)
{
    for (; child > 0 && better(heap[(child - 1) / 2], hit); child = (child - 1) / 2)
        heap[child] = heap[(child - 1) / 2];
    heap[child] = hit;
}

/* hit in place of the topmost.  The worse children move up all the way, and hit from the bottom,
 * where most hits belong (bottom-up heapsort: Wegener 1993). */
static void sift_down(struct hit *heap, size_t count, struct hit hit)
{
    size_t parent = 0, child = 1;
    for (; child + 1 < count; parent = child, child = 2 * child + 1) {
        child += better(heap[child], heap[child + 1]);
        heap[parent] = heap[child];
    }
    if (child < count) {
        heap[parent] = heap[child];
        parent = child;
    }
    sift_up(heap, parent, hit);
}

void top_k_offer(struct top_k *top, size_t row, double score)
{
    if (!top_k_admits(top, row, score)) return;
    if (top->count == top->k) {
        sift_down(top->hits, top->count, hit_of(row, score));
        return;
    }
    sift_up(top->hits, top->count, hit_of(row, score));
    top->count++;
}

/* The worst of what is left goes to its end, until nothing is. */
void top_k_finish(struct top_k *top)
{
    for (size_t left = top->count; left > 1; left--) {
        struct hit worst = top->hits[0];
        sift_down(top->hits, left - 1, top->hits[left - 1]);
        top->hits[left - 1] = worst;
    }
}
