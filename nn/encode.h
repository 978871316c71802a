/* Runs an encoder over many sequences: cut into packed batches of similar length, spread over a
 * pool, one pass a worker; where there are fewer batches than workers, such as for one text, a team
 * of workers to a batch. */
#ifndef RETORT_ENCODE_H
#define RETORT_ENCODE_H

#include "data/sequences.h"
#include "nn/encoder.h"

enum {
    ENCODE_TOKEN_BUDGET = 512
}; /* tokens a batch: activations stay in the cache (measured flat from 256 to 512) */

/* A pass and a batch for each worker of a pool, kept from call to call: memory and compiled
 * products are made once. */
struct encode_workers;
struct encode_workers *encode_workers_open(const struct encoder *encoder, struct pool *pool);
void encode_workers_close(struct encode_workers *workers);

/* What a worker does with one batch's hidden states: items[s] is the sequence that batch row s
 * holds. */
typedef void encode_done(void *arg, int worker, const struct encoder_pass *pass,
                         const struct batch *batch, const uint32_t *items);

/* Forward of all sequences without keeping activations; done is called once a batch, by several
 * workers at once. Batches depend on the lengths alone, so the same list gives the same bytes for
 * any pool. */
void encode_sequences(struct encode_workers *workers, const struct sequences *sequences,
                      int num_layers, encode_done *done, void *arg);

/* Calibrates an encoder in int8: for what the linear layers meet in these sequences. */
void encode_calibrate(struct encoder *encoder, struct pool *pool, const struct sequences *sequences,
                      struct forward_mode mode);

/* encode_sequences for the given chunks alone.  What a chunk gives does not depend on which others
 * are run beside it, so part of a list may be computed, or computed later, with the bytes of the
 * whole. */
void encode_chunks(struct encode_workers *workers, const struct sequences *sequences,
                   const struct chunks *chunks, struct forward_mode mode, encode_done *done,
                   void *arg);

#endif
