/* See pair_queue.h.  Table and lists are flat arrays, and nothing is freed before the end: a word
 * of n symbols adds at most 3 n nodes. */
#include "data/pair_queue.h"

#include <stdlib.h>

/* One word of a list; node 0 is no node. */
struct pair_node {
    uint32_t word, next;
};

/* A pair's place in the heap; its count when it was last put there. */
struct pair_entry {
    int64_t count;
    uint32_t pair;
};

/* ---- the table: open addressing, at most half full ---- */

static size_t slot_of(const struct pair_queue *queue, int32_t left, int32_t right)
{
    uint64_t key = (uint64_t)left << 32 | (uint32_t)right;
    size_t mask = queue->num_slots - 1, at = (size_t)((key * 0x9e3779b97f4a7c15u) >> 32) & mask;
    for (; queue->slots[at]; at = (at + 1) & mask) {
        const struct pair *pair = &queue->pairs[queue->slots[at] - 1];
        if (pair->left == left && pair->right == right) break;
    }
    return at;
}

static void grow_table(struct pair_queue *queue)
{
    free(queue->slots);
    queue->num_slots = queue->num_slots ? 2 * queue->num_slots : 1024;
    queue->slots = xcalloc(queue->num_slots, sizeof *queue->slots);
    for (size_t i = 0; i < queue->num_pairs; i++) {
        const struct pair *pair = &queue->pairs[i];
        queue->slots[slot_of(queue, pair->left, pair->right)] = (uint32_t)i + 1;
    }
}

/* The pair's index; it is added where it is new. */
static size_t find_pair(struct pair_queue *queue, int32_t left, int32_t right)
{
    if (2 * queue->num_pairs >= queue->num_slots) grow_table(queue);
    size_t slot = slot_of(queue, left, right);
    if (!queue->slots[slot]) {
        REQUIRE(queue->num_pairs < UINT32_MAX);
        GROW(queue->pairs, queue->num_pairs, &queue->pairs_capacity);
        queue->pairs[queue->num_pairs++] = (struct pair){.left = left, .right = right};
        queue->slots[slot] = (uint32_t)queue->num_pairs;
    }
    return queue->slots[slot] - 1;
}

/* ---- words ---- */

static void add_word(struct pair_queue *queue, struct pair *pair, uint32_t word)
{
    if (pair->words && queue->nodes[pair->words].word == word) return;
    if (queue->num_nodes == 0) queue->num_nodes = 1;
    REQUIRE(queue->num_nodes < UINT32_MAX);
    GROW(queue->nodes, queue->num_nodes, &queue->nodes_capacity);
    queue->nodes[queue->num_nodes] = (struct pair_node){.word = word, .next = pair->words};
    pair->words = (uint32_t)queue->num_nodes++;
}

void pair_queue_change(struct pair_queue *queue, int32_t left, int32_t right, int64_t change,
                       uint32_t word)
{
    size_t index = find_pair(queue, left, right);
    queue->pairs[index].count += change;
    if (change <= 0) return;
    REQUIRE(index >= queue->num_committed);
    add_word(queue, &queue->pairs[index], word);
}

bool pair_queue_word(const struct pair_queue *queue, uint32_t *at, uint32_t *word)
{
    if (!*at) return false;
    *word = queue->nodes[*at].word;
    *at = queue->nodes[*at].next;
    return true;
}

/* ---- the heap: the pair that comes first on top ---- */

static bool before(const struct pair_queue *queue, struct pair_entry a, struct pair_entry b)
{
    if (a.count != b.count) return a.count > b.count;
    const struct pair *left = &queue->pairs[a.pair], *right = &queue->pairs[b.pair];
    return left->left != right->left ? left->left < right->left : left->right < right->right;
}

static void sift_up(struct pair_queue *queue, size_t child)
{
    struct pair_entry *heap = queue->heap, entry = heap[child];
    for (; child > 0 && before(queue, entry, heap[(child - 1) / 2]); child = (child - 1) / 2)
        heap[child] = heap[(child - 1) / 2];
    heap[child] = entry;
}

/* Puts the entry where the top was. */
static void sift_down(struct pair_queue *queue, struct pair_entry entry)
{
    struct pair_entry *heap = queue->heap;
    size_t hole = 0, child;
    while ((child = 2 * hole + 1) < queue->num_entries) {
        if (child + 1 < queue->num_entries && before(queue, heap[child + 1], heap[child])) child++;
        if (!before(queue, heap[child], entry)) break;
        heap[hole] = heap[child];
        hole = child;
    }
    heap[hole] = entry;
}

void pair_queue_commit(struct pair_queue *queue)
{
    for (; queue->num_committed < queue->num_pairs; queue->num_committed++) {
        int64_t count = queue->pairs[queue->num_committed].count;
        if (count == 0) continue;
        GROW(queue->heap, queue->num_entries, &queue->heap_capacity);
        queue->heap[queue->num_entries] =
            (struct pair_entry){.count = count, .pair = (uint32_t)queue->num_committed};
        sift_up(queue, queue->num_entries++);
    }
}

/* Counts have fallen since pairs were put into the heap: one that comes to the top goes down to
 * where it belongs now. */
bool pair_queue_pop(struct pair_queue *queue, struct pair *out)
{
    while (queue->num_entries) {
        struct pair_entry top = queue->heap[0];
        *out = queue->pairs[top.pair];
        bool found = top.count == out->count;
        top.count = out->count;
        if (found || out->count == 0) top = queue->heap[--queue->num_entries];
        if (queue->num_entries) sift_down(queue, top);
        if (found) return true;
    }
    return false;
}

void pair_queue_free(struct pair_queue *queue)
{
    free(queue->pairs);
    free(queue->slots);
    free(queue->nodes);
    free(queue->heap);
    *queue = (struct pair_queue){0};
}
