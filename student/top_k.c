/* See top_k.h. */
#include "student/top_k.h"

#include "data/base.h"
#include <math.h>
#include <stdlib.h>

static bool better(struct hit a, struct hit b)
{
    return a.score > b.score || (a.score == b.score && a.row < b.row);
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

static void sift_up(struct hit *heap, size_t child)
{
    struct hit hit = heap[child];
    for (; child > 0 && better(heap[(child - 1) / 2], hit); child = (child - 1) / 2)
        heap[child] = heap[(child - 1) / 2];
    heap[child] = hit;
}

static void sift_down(struct hit *heap, size_t count, struct hit hit)
{
    size_t parent = 0;
    for (size_t child = 1; child < count; child = 2 * parent + 1) {
        if (child + 1 < count && better(heap[child], heap[child + 1])) child++;
        if (!better(hit, heap[child])) break;
        heap[parent] = heap[child];
        parent = child;
    }
    heap[parent] = hit;
}

void top_k_offer(struct top_k *top, size_t row, double score)
{
    if (!top_k_admits(top, row, score)) return;
    if (top->count == top->k) {
        sift_down(top->hits, top->count, hit_of(row, score));
        return;
    }
    top->hits[top->count++] = hit_of(row, score);
    sift_up(top->hits, top->count - 1);
}

static int compare_hits(const void *left, const void *right)
{
    const struct hit *a = left, *b = right;
    return better(*b, *a) - better(*a, *b);
}

void top_k_finish(struct top_k *top)
{
    qsort(top->hits, top->count, sizeof *top->hits, compare_hits);
}
