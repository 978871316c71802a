/* One training step's texts through the student: forward at the tapped layers, backward from d_z.
 *
 * The texts are cut into packed batches and spread over lanes, one a core; batch c always belongs
 * to lane c mod lanes and each lane sums its own gradients, which are then added in lane order: the
 * same bytes whatever the threads do.  Where the activations of all batches fit into keep_bytes
 * they are kept; otherwise a batch is run forward again just before its backward (gradient caching,
 * Gao et al. 2021), with the same dropout masks: memory is bounded by the token budget, not the
 * step.
 *
 *     struct tape *tape = tape_open(&student, pool, keep_bytes);
 *     tape_forward(tape, texts, n, layers, num_layers, seed, z); // z[i]: [n, output_size]
 *     ... losses fill d_z ...
 *     tape_backward(tape, d_z, gradients);                            // adds to gradients
 */
#ifndef RETORT_TAPE_H
#define RETORT_TAPE_H

#include "student/dual_encoder.h"

struct tape_text {
    const int32_t *ids, *types;
    int length;
};

struct tape;
struct tape *tape_open(const struct dual_encoder *de, struct pool *pool, size_t keep_bytes);
/* layers rising; dropout_seed 0: no dropout.  texts must stay valid until tape_backward. */
void tape_forward(struct tape *tape, const struct tape_text *texts, size_t n, const int *layers,
                  int num_layers, uint64_t dropout_seed, float *const *z);
void tape_backward(struct tape *tape, const float *const *d_z, float *d_params);
void tape_close(struct tape *tape);

#endif
