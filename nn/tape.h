/* One training step's sequences through an encoder and a head: forward at the tapped layers,
 * backward from the gradient of what the head gives.
 *
 * The sequences are cut into packed batches of about the same number of tokens, as many for each of
 * the lanes, which are one a core; batch c always belongs to lane c mod lanes and each lane sums
 * its own gradients, which are then added in lane order: the same bytes whatever the threads do,
 * for the same number of lanes.  Where the activations of all batches fit into
 * keep_bytes they are kept; otherwise a batch is run forward again just before its backward
 * (gradient caching, Gao et al. 2021), with the same dropout masks: memory is bounded by the token
 * budget, not the step.
 *
 *     struct tape *tape = tape_open(&encoder, &head, pool, keep_bytes);
 *     tape_forward(tape, &adamw, texts, n, layers, num_layers, seed, z); // z[i]: [n, output_size]
 *     ... losses fill d_z ...
 *     tape_backward(tape, d_z, &adamw.gradients);                     // adds to gradients
 */
#ifndef RETORT_TAPE_H
#define RETORT_TAPE_H

#include "nn/encoder.h"
#include "nn/optimizer.h"

/* What a model puts on its encoder's hidden states: a student's pooling and projection, a teacher's
 * classifier. */
struct tape_head {
    const void *model;
    int output_size; /* values that it gives a sequence and layer */
    int kept_size;   /* values that backward needs of a sequence and layer */
    /* After encoder_forward: writes kept [num_seqs, kept_size] and out [num_seqs, output_size]. */
    void (*forward)(const void *model, const struct encoder_pass *pass, const struct batch *batch,
                    int layer, float *kept, float *out);
    /* Writes d_hidden [num_tokens, hidden_size], adds to d_params; scratch [num_seqs, kept_size] */
    void (*backward)(const void *model, const struct batch *batch, const float *kept,
                     const float *d_out, float *scratch, float *d_hidden, float *d_params);
};

struct tape_text {
    const int32_t *ids, *types;
    int length;
};

/* What a job lets a tape keep. */
extern const size_t tape_keep_bytes; /* 3 GiB */

struct tape;
/* The encoder's params are the whole model's; both are borrowed, *head is copied. */
struct tape *tape_open(const struct encoder *encoder, const struct tape_head *head,
                       struct pool *pool, size_t keep_bytes);
/* adamw: what updates the encoder's params, to do first what the rows of these texts wait for; NULL
 * where nothing does.  layers rising; dropout_seed 0: no dropout.  texts must stay valid until
 * tape_backward. */
void tape_forward(struct tape *tape, struct adamw *adamw, const struct tape_text *texts, size_t n,
                  const int *layers, int num_layers, uint64_t dropout_seed, float *const *z);
void tape_backward(struct tape *tape, const float *const *d_z, struct gradients *gradients);
void tape_close(struct tape *tape);

#endif
