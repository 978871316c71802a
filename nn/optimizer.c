/* See optimizer.h.  The update is torch's single-tensor form in f32, so that checkpoints trained
 * there and here agree:
 *
 *     p *= 1 - rate * decay;  m += (1 - beta1)(g - m);  v = beta2 v + (1 - beta2) g g
 *     p -= rate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
 */
#include "nn/optimizer.h"
#include "nn/simd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A block is worked in so many pieces whatever the pool, and partial sums are added in order. */
enum { PIECES = 256 };

static size_t piece_length(size_t size)
{
    size_t length = (size + PIECES - 1) / PIECES;
    return (length + 15) / 16 * 16;
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void run_pieces(struct pool *pool, void (*work)(void *arg, size_t item, int worker),
                       void *arg)
{
    if (pool) {
        pool_run(pool, PIECES, work, arg);
        return;
    }
    for (size_t i = 0; i < PIECES; i++) work(arg, i, 0);
}

void adamw_init(struct adamw *adamw, const struct params *params)
{
    REQUIRE(params->values);
    *adamw = (struct adamw){
        .beta1 = 0.9,
        .beta2 = 0.999,
        .epsilon = 1e-8,
        .weight_decay = 0.01,
        .m = xaligned(params->size, sizeof(float)),
        .v = xaligned(params->size, sizeof(float)),
    };
}

void adamw_free(struct adamw *adamw)
{
    free(adamw->m);
    free(adamw->v);
    *adamw = (struct adamw){0};
}

/* What one update multiplies by, computed in double once. */
struct update_rates {
    float gradient_scale, one_minus_beta1, beta2, one_minus_beta2;
    float step_size;          /* rate / (1 - beta1^t) */
    float inverse_correction; /* 1 / sqrt(1 - beta2^t) */
    float epsilon;
};

SIMD_CLONES
static void update_values(float *restrict p, float *restrict m, float *restrict v,
                          const float *restrict gradients, size_t n,
                          const struct update_rates *restrict rates, float keep)
{
    const struct update_rates r = *rates;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float g = gradients[i] * r.gradient_scale;
        float mean = m[i] + r.one_minus_beta1 * (g - m[i]);
        float square = r.beta2 * v[i] + r.one_minus_beta2 * g * g;
        m[i] = mean;
        v[i] = square;
        p[i] =
            p[i] * keep - r.step_size * (mean / (sqrtf(square) * r.inverse_correction + r.epsilon));
    }
}

struct update_job {
    struct adamw *adamw;
    struct params *params;
    const float *gradients;
    struct update_rates rates;
    float keep_decayed; /* 1 - rate * weight_decay */
};

static void update_piece(void *arg, size_t item, int worker)
{
    (void)worker;
    const struct update_job *job = arg;
    size_t length = piece_length(job->params->size);
    size_t piece_begin = item * length, piece_end = piece_begin + length;
    for (size_t i = 0; i < job->params->count; i++) {
        const struct param *param = &job->params->list[i];
        size_t begin = param->offset > piece_begin ? param->offset : piece_begin;
        size_t end = min_size(param->offset + params_param_size(param), piece_end);
        if (begin >= end) continue;
        update_values(job->params->values + begin, job->adamw->m + begin, job->adamw->v + begin,
                      job->gradients + begin, end - begin, &job->rates,
                      param->decay ? job->keep_decayed : 1.0f);
    }
}

void adamw_step(struct adamw *adamw, struct params *params, const float *gradients,
                double gradient_scale, double learning_rate, struct pool *pool)
{
    double t = (double)++adamw->step;
    struct update_job job = {
        .adamw = adamw,
        .params = params,
        .gradients = gradients,
        .rates = {.gradient_scale = (float)gradient_scale,
                  .one_minus_beta1 = (float)(1 - adamw->beta1),
                  .beta2 = (float)adamw->beta2,
                  .one_minus_beta2 = (float)(1 - adamw->beta2),
                  .step_size = (float)(learning_rate / (1 - pow(adamw->beta1, t))),
                  .inverse_correction = (float)(1 / sqrt(1 - pow(adamw->beta2, t))),
                  .epsilon = (float)adamw->epsilon},
        .keep_decayed = (float)(1 - learning_rate * adamw->weight_decay),
    };
    run_pieces(pool, update_piece, &job);
}

/* ---- norm and clipping ---- */

SIMD_CLONES
static double sum_of_squares(const float *values, size_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) sum += (double)values[i] * (double)values[i];
    return sum;
}

struct norm_job {
    const float *values;
    size_t size;
    double sums[PIECES];
};

static void norm_piece(void *arg, size_t item, int worker)
{
    (void)worker;
    struct norm_job *job = arg;
    size_t length = piece_length(job->size);
    size_t begin = min_size(item * length, job->size), end = min_size(begin + length, job->size);
    job->sums[item] = sum_of_squares(job->values + begin, end - begin);
}

double gradient_norm(const float *gradients, size_t size, struct pool *pool)
{
    struct norm_job job = {.values = gradients, .size = size};
    run_pieces(pool, norm_piece, &job);
    double sum = 0;
    for (size_t i = 0; i < PIECES; i++) sum += job.sums[i];
    return sqrt(sum);
}

double clip_scale(double norm, double max_norm)
{
    if (max_norm <= 0) return 1;
    double scale = max_norm / (norm + 1e-6);
    return scale < 1 ? scale : 1;
}

/* ---- schedules ---- */

double schedule_factor(enum schedule schedule, uint64_t step, uint64_t warmup_steps,
                       uint64_t total_steps)
{
    if (step < warmup_steps) return (double)step / (double)warmup_steps;
    if (schedule == SCHEDULE_CONSTANT) return 1;
    if (step >= total_steps) return 0;
    double progress = (double)(step - warmup_steps) / (double)(total_steps - warmup_steps);
    return schedule == SCHEDULE_LINEAR ? 1 - progress
                                       : 0.5 * (1 + cos(3.141592653589793 * progress));
}
