/* Packed batches: the tokens of all sequences end to end, no padding anywhere; and the cutting of
 * many texts into such batches by a token budget. */
#ifndef RETORT_BATCH_H
#define RETORT_BATCH_H

#include "data/base.h"

struct batch {
    int num_seqs, num_tokens;
    int *offsets; /* [num_seqs + 1]: sequence s is tokens offsets[s] .. offsets[s + 1] - 1 */
    int32_t *ids, *types; /* [num_tokens] */
    size_t seq_capacity, token_capacity;
};
void batch_clear(struct batch *batch);
void batch_add(struct batch *batch, const int32_t *ids, const int32_t *types, size_t length);
void batch_free(struct batch *batch);

/* Sequences grouped into chunks. */
struct chunks {
    uint32_t *order; /* [count of sequences]; in a chunk longest first, ties by index */
    size_t *starts;  /* [num_chunks + 1]: chunk c is order[starts[c]] .. order[starts[c + 1] - 1] */
    size_t num_chunks;
};
/* Chunks of similar lengths, longest first, each within a token budget (one longer sequence is a
 * chunk of its own).  Deterministic in lengths and budget alone. */
void chunks_cut(struct chunks *out, const int *lengths, size_t count, int token_budget);
/* Chunks of nearly the same number of tokens and mixed lengths, so that all cost the same: a
 * multiple of `shares` of them (fewer where there are fewer sequences), as few as stay within the
 * budget, which the length of a sequence may exceed.  Deterministic in the arguments. */
void chunks_share(struct chunks *out, const int *lengths, size_t count, int token_budget,
                  size_t shares);
void chunks_free(struct chunks *chunks);

#endif
