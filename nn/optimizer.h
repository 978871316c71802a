/* AdamW with decoupled weight decay (Loshchilov & Hutter 2019, Algorithm 2, as torch.optim.AdamW),
 * clipping by the joint norm (torch.nn.utils.clip_grad_norm_) and learning-rate schedules
 * (transformers' get_linear/cosine_schedule_with_warmup).
 *
 *     struct adamw adamw = {0};
 *     adamw_init(&adamw, &params);
 *     for (uint64_t step = 0; step < total; step++) {
 *         gradients_clear(&adamw.gradients, pool);
 *         tape_forward(tape, &adamw, ...);
 *         tape_backward(tape, d_z, &adamw.gradients);
 *         double norm = gradients_norm(&adamw.gradients, pool);
 *         double rate = base_rate * schedule_factor(SCHEDULE_LINEAR, step, warmup, total);
 *         adamw_step(&adamw, &params, clip_scale(norm, 1.0), rate, pool);
 *     }
 *     adamw_settle(&adamw, &params, pool);
 *
 * Rows of the embedding table that a step does not list (gradients.h) have a gradient of zero, but
 * still decay and still follow their moments.  Their updates wait until somebody reads the row, and
 * are then done one by one by the same operations: the values are those of updating all rows in
 * every step, to the byte, while a step passes over the rows of its own texts alone.
 *
 * A parameter may learn at a rate of its own, a fixed multiple of the common one (layer-wise decay:
 * Howard & Ruder 2018, section 3.1; Clark et al. 2020, ELECTRA's appendix A): adamw_decay_layers.
 *
 * Everything is cut into pieces that depend on the sizes alone: the same bytes for any pool (NULL:
 * this thread).  Details that have caused bugs: epsilon is added after the bias correction of v;
 * the decay multiplies the value before the update and by the scheduled rate; the first step of a
 * warm-up has rate 0.
 */
#ifndef RETORT_OPTIMIZER_H
#define RETORT_OPTIMIZER_H

#include "nn/encoder.h"
#include "nn/gradients.h"

struct adamw_rates;
struct adamw {
    double beta1, beta2, epsilon, weight_decay; /* usual: 0.9, 0.999, 1e-8, 0.01 */
    uint64_t step;                              /* updates done */
    float *m, *v;                               /* [params->size], layout of params->values */
    struct gradients gradients;                 /* what the next update takes */
    double *rate_factors;      /* [params->count] of the learning rate, by parameter; 1 at first */
    struct adamw_rates *rates; /* [params->count]: of the update that is being done */
    uint64_t *row_steps;       /* [rows of the table]: updates done, by row */
    struct adamw_rates *past;  /* the table's, of the last num_past updates */
    size_t num_past, past_capacity;
};
/* The usual constants, zero moments; after params_alloc. */
void adamw_init(struct adamw *adamw, const struct params *params);
void adamw_free(struct adamw *adamw);
/* Block l of the encoder's L, from 1, learns at decay^(L - l) of the rate, the embeddings at
 * decay^L, what is no part of the encoder at the rate itself.  Before the first step. */
void adamw_decay_layers(struct adamw *adamw, const struct encoder *encoder, double decay);
/* One update of all parameters by adamw->gradients, which are multiplied by gradient_scale first
 * (clipping). */
void adamw_step(struct adamw *adamw, struct params *params, double gradient_scale,
                double learning_rate, struct pool *pool);
/* Does the updates that the listed rows of adamw->gradients, or all rows, wait for: before their
 * values are read. */
void adamw_catch_up(struct adamw *adamw, struct params *params, struct pool *pool);
void adamw_settle(struct adamw *adamw, struct params *params, struct pool *pool);
/* After values and moments were set to what they are after so many updates of all rows. */
void adamw_resume(struct adamw *adamw, uint64_t step);
/* min(1, max_norm / (norm + 1e-6)); 1 where max_norm <= 0. */
double clip_scale(double norm, double max_norm);

enum schedule { SCHEDULE_CONSTANT, SCHEDULE_LINEAR, SCHEDULE_COSINE };
/* Factor of the base rate at 0-based step: up linearly for warmup_steps, then constant, or down to
 * 0 at total_steps. */
double schedule_factor(enum schedule schedule, uint64_t step, uint64_t warmup_steps,
                       uint64_t total_steps);

#endif
