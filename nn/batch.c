/* Packed batches and their cutting: see batch.h. */
#include "nn/batch.h"

#include <stdlib.h>
#include <string.h>

void batch_clear(struct batch *batch)
{
    batch->num_seqs = 0;
    batch->num_tokens = 0;
}

/* The capacity is what there is, should more be refused. */
static size_t capacity_for(size_t wanted, size_t capacity)
{
    while (wanted > capacity || !capacity) grown(&capacity);
    return capacity;
}

static void reserve(struct batch *batch, size_t seqs, size_t tokens)
{
    if (seqs + 1 > batch->seq_capacity) {
        size_t capacity = capacity_for(seqs + 1, batch->seq_capacity);
        batch->offsets = xrealloc(batch->offsets, capacity, sizeof *batch->offsets);
        batch->seq_capacity = capacity;
    }
    if (tokens > batch->token_capacity || !batch->ids) {
        size_t capacity = capacity_for(tokens, batch->token_capacity);
        batch->token_capacity = 0;
        batch->ids = xrealloc(batch->ids, capacity, sizeof *batch->ids);
        batch->types = xrealloc(batch->types, capacity, sizeof *batch->types);
        batch->token_capacity = capacity;
    }
}

void batch_add(struct batch *batch, const int32_t *ids, const int32_t *types, size_t length)
{
    size_t start = (size_t)batch->num_tokens;
    REQUIRE(length <= INT32_MAX - start);
    reserve(batch, (size_t)batch->num_seqs + 1, start + length);
    for (size_t i = 0; i < length; i++) {
        batch->ids[start + i] = ids[i];
        batch->types[start + i] = types ? types[i] : 0;
    }
    batch->offsets[0] = 0;
    batch->num_tokens = (int)(start + length);
    batch->offsets[++batch->num_seqs] = batch->num_tokens;
}

void batch_free(struct batch *batch)
{
    free(batch->offsets);
    free(batch->ids);
    free(batch->types);
    *batch = (struct batch){0};
}

static int by_key(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* One 64-bit key holds both criteria: descending length above, ascending index below. */
static void order_by_length(uint32_t *order, const int *lengths, size_t count)
{
    uint64_t *keys = xmalloc(count * sizeof *keys);
    for (size_t i = 0; i < count; i++) {
        REQUIRE(lengths[i] >= 0);
        keys[i] = (uint64_t)(INT32_MAX - lengths[i]) << 32 | (uint32_t)i;
    }
    qsort(keys, count, sizeof *keys, by_key);
    for (size_t i = 0; i < count; i++) order[i] = (uint32_t)keys[i];
    free(keys);
}

void chunks_cut(struct chunks *out, const int *lengths, size_t count, int token_budget)
{
    REQUIRE(count <= UINT32_MAX);
    *out = (struct chunks){0};
    out->order = xmalloc(count * sizeof *out->order);
    out->starts = xmalloc((count + 1) * sizeof *out->starts);
    order_by_length(out->order, lengths, count);
    out->starts[0] = 0;
    int64_t used = 0;
    for (size_t i = 0; i < count; i++) {
        int length = lengths[out->order[i]];
        if (i > out->starts[out->num_chunks] && used + length > token_budget) {
            out->starts[++out->num_chunks] = i;
            used = 0;
        }
        used += length;
    }
    if (count > 0) out->starts[++out->num_chunks] = count;
}

static size_t num_shared(const int *lengths, size_t count, int token_budget, size_t shares)
{
    uint64_t tokens = 0, round = (uint64_t)token_budget * shares;
    for (size_t i = 0; i < count; i++) tokens += (uint64_t)lengths[i];
    size_t rounds = (size_t)((tokens + round - 1) / round), wanted = (rounds ? rounds : 1) * shares;
    return wanted < count ? wanted : count;
}

/* Dealt out by length to and fro: 0 1 2 2 1 0 0 1 ... */
void chunks_share(struct chunks *out, const int *lengths, size_t count, int token_budget,
                  size_t shares)
{
    REQUIRE(count <= UINT32_MAX && token_budget > 0 && shares > 0);
    size_t num_chunks = num_shared(lengths, count, token_budget, shares), filled = 0;
    uint32_t *by_length = xmalloc(count * sizeof *by_length);
    order_by_length(by_length, lengths, count);
    *out = (struct chunks){.order = xmalloc(count * sizeof *out->order),
                           .starts = xcalloc(num_chunks + 1, sizeof *out->starts),
                           .num_chunks = num_chunks};
    for (size_t c = 0; c < num_chunks; c++) {
        for (size_t first = 0; first < count; first += num_chunks) {
            size_t rank = first + (first / num_chunks % 2 ? num_chunks - 1 - c : c);
            if (rank < count) out->order[filled++] = by_length[rank];
        }
        out->starts[c + 1] = filled;
    }
    free(by_length);
}

void chunks_free(struct chunks *chunks)
{
    free(chunks->order);
    free(chunks->starts);
    *chunks = (struct chunks){0};
}
