/* See top_k.h. */
#include "student/top_k.h"

#include "data/base.h"
#include <math.h>
#include <string.h>

/* Doubles in order are whole numbers in order, once the negative ones' bits are turned; and these
 * are compared sooner. */
static int64_t order_of(double score)
{
    int64_t bits;
    memcpy(&bits, &score, sizeof bits);
    return bits ^ (int64_t)((uint64_t)(bits >> 63) >> 1);
}

/* Without branches: which of two hits is better is not to be foreseen. */
static bool better(struct hit a, struct hit b)
{
    int64_t x = order_of(a.score), y = order_of(b.score);
    return (x > y) | ((x == y) & (a.row < b.row));
}

/* NaN has no place in the order, and 0 and -0 are one. */
static struct hit hit_of(size_t row, double score)
{
    return (struct hit){row, isnan(score) ? -INFINITY : score + 0.0};
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

/* ---- reservoir ---- */

/* Floats in order are whole numbers in order once the negative ones' bits are turned; 0 and -0 are
 * one.  Of equal scores the smaller row is the higher key. */
static uint64_t key_of(uint32_t row, float score)
{
    float value = isnan(score) ? -INFINITY : score + 0.0f;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits ^= bits >> 31 ? UINT32_MAX : (uint32_t)1 << 31;
    return (uint64_t)bits << 32 | (UINT32_MAX - row);
}

static struct hit hit_of_key(uint64_t key)
{
    uint32_t bits = (uint32_t)(key >> 32);
    float value;
    bits ^= bits >> 31 ? (uint32_t)1 << 31 : UINT32_MAX;
    memcpy(&value, &bits, sizeof value);
    return (struct hit){UINT32_MAX - (uint32_t)key, (double)value};
}

/* The highest k of count > k keys come first: quickselect.  No branch depends on a comparison,
 * which nothing could foresee. */
static void pick_highest(uint64_t *keys, size_t count, size_t k)
{
    size_t first = 0, end = count;
    while (first < k && k < end) {
        size_t middle = first + (end - first) / 2, high = first;
        uint64_t pivot = keys[middle];
        keys[middle] = keys[end - 1];
        for (size_t i = first; i < end - 1; i++) {
            uint64_t key = keys[i];
            keys[i] = keys[high];
            keys[high] = key;
            high += key > pivot;
        }
        keys[end - 1] = keys[high];
        keys[high] = pivot;
        /* Before `high` are those above the pivot, behind it those below. */
        if (k <= high)
            end = high;
        else
            first = high + 1;
    }
}

size_t reservoir_room(size_t k)
{
    return 2 * k + 16;
}

struct reservoir reservoir_start(uint64_t *keys, size_t k)
{
    return (struct reservoir){.keys = keys, .k = k, .bar = -INFINITY};
}

static void keep_best(struct reservoir *reservoir)
{
    if (reservoir->count <= reservoir->k) return;
    pick_highest(reservoir->keys, reservoir->count, reservoir->k);
    reservoir->count = reservoir->k;
}

void reservoir_offer(struct reservoir *reservoir, uint32_t row, float score)
{
    if (reservoir->count >= reservoir->k && !(score > reservoir->bar)) return;
    reservoir->keys[reservoir->count++] = key_of(row, score);
    if (reservoir->count < reservoir_room(reservoir->k)) return;
    keep_best(reservoir);
    uint64_t lowest = UINT64_MAX;
    for (size_t i = 0; i < reservoir->count; i++)
        if (reservoir->keys[i] < lowest) lowest = reservoir->keys[i];
    reservoir->bar = (float)hit_of_key(lowest).score;
}

void reservoir_finish(struct reservoir *reservoir, struct hit *hits)
{
    keep_best(reservoir);
    for (size_t i = 0; i < reservoir->count; i++) hits[i] = hit_of_key(reservoir->keys[i]);
}
