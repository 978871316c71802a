/* AdamW with decoupled weight decay (Loshchilov & Hutter 2019, Algorithm 2, as torch.optim.AdamW),
 * clipping by the joint norm (torch.nn.utils.clip_grad_norm_) and learning-rate schedules
 * (transformers' get_linear/cosine_schedule_with_warmup).
 *
 *     struct adamw adamw = {0};
 *     adamw_init(&adamw, &params);
 *     for (uint64_t step = 0; step < total; step++) {
 *         ... d_params ...
 *         double norm = gradient_norm(d_params, params.size, pool);
 *         double rate = base_rate * schedule_factor(SCHEDULE_LINEAR, step, warmup, total);
 *         adamw_step(&adamw, &params, d_params, clip_scale(norm, 1.0), rate, pool);
 *     }
 *
 * Everything is cut into pieces that depend on the size alone: the same bytes for any pool (NULL:
 * this thread).  Details that have caused bugs: epsilon is added after the bias correction of v;
 * the decay multiplies the value before the update and by the scheduled rate; the first step of a
 * warm-up has rate 0.
 */
#ifndef RETORT_OPTIMIZER_H
#define RETORT_OPTIMIZER_H

#include "data/threads.h"
#include "nn/params.h"

struct adamw {
    double beta1, beta2, epsilon, weight_decay; /* usual: 0.9, 0.999, 1e-8, 0.01 */
    uint64_t step;                              /* updates done */
    float *m, *v;                               /* [params->size], layout of params->values */
};
/* The usual constants, zero moments; after params_alloc. */
void adamw_init(struct adamw *adamw, const struct params *params);
void adamw_free(struct adamw *adamw);
/* One update of all parameters; gradients [params->size] are multiplied by gradient_scale first
 * (clipping). */
void adamw_step(struct adamw *adamw, struct params *params, const float *gradients,
                double gradient_scale, double learning_rate, struct pool *pool);
/* Euclidean norm, accumulated in double; NaN or infinity where a gradient is. */
double gradient_norm(const float *gradients, size_t size, struct pool *pool);
/* min(1, max_norm / (norm + 1e-6)); 1 where max_norm <= 0. */
double clip_scale(double norm, double max_norm);

enum schedule { SCHEDULE_CONSTANT, SCHEDULE_LINEAR, SCHEDULE_COSINE };
/* Factor of the base rate at 0-based step: up linearly for warmup_steps, then constant, or down to
 * 0 at total_steps. */
double schedule_factor(enum schedule schedule, uint64_t step, uint64_t warmup_steps,
                       uint64_t total_steps);

#endif
