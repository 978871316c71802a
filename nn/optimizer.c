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

/* What an update multiplies by, computed in double once. */
struct adamw_rates {
    float gradient_scale, one_minus_beta1, beta2, one_minus_beta2;
    float step_size;          /* rate / (1 - beta1^t) */
    float inverse_correction; /* 1 / sqrt(1 - beta2^t) */
    float epsilon;
    float keep_decayed; /* 1 - rate * weight_decay */
};

void adamw_init(struct adamw *adamw, const struct params *params)
{
    *adamw = (struct adamw){
        .beta1 = 0.9,
        .beta2 = 0.999,
        .epsilon = 1e-8,
        .weight_decay = 0.01,
        .m = xaligned(params->size, sizeof(float)),
        .v = xaligned(params->size, sizeof(float)),
    };
    gradients_init(&adamw->gradients, params);
    adamw->rate_factors = xcalloc(params->count, sizeof *adamw->rate_factors);
    adamw->rates = xcalloc(params->count, sizeof *adamw->rates);
    for (size_t i = 0; i < params->count; i++) adamw->rate_factors[i] = 1;
    const struct param *table = adamw->gradients.table;
    adamw->row_steps = xcalloc(table ? (size_t)table->rows : 0, sizeof *adamw->row_steps);
}

void adamw_free(struct adamw *adamw)
{
    gradients_free(&adamw->gradients);
    free(adamw->m);
    free(adamw->v);
    free(adamw->rate_factors);
    free(adamw->rates);
    free(adamw->row_steps);
    free(adamw->past);
    *adamw = (struct adamw){0};
}

void adamw_decay_layers(struct adamw *adamw, const struct encoder *encoder, double decay)
{
    int layers = encoder->config.num_layers;
    for (int i = encoder->first_param; i < encoder->last_param; i++)
        adamw->rate_factors[i] = pow(decay, layers - encoder_layer_of(encoder, i));
}

/* ---- one update ---- */

SIMD_CLONES
static void update_values(float *restrict p, float *restrict m, float *restrict v,
                          const float *restrict gradients, size_t n,
                          const struct adamw_rates *restrict rates, float keep)
{
    const struct adamw_rates r = *rates;
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
};

static void update_stretch(void *arg, size_t piece, size_t first, size_t last)
{
    (void)piece;
    const struct update_job *job = arg;
    const struct adamw *adamw = job->adamw;
    for (size_t i = 0; i < job->params->count; i++) {
        const struct param *param = &job->params->list[i];
        size_t begin = param->offset > first ? param->offset : first;
        size_t end = param->offset + params_param_size(param);
        if (end > last) end = last;
        if (begin >= end) continue;
        update_values(job->params->values + begin, adamw->m + begin, adamw->v + begin,
                      adamw->gradients.values + begin, end - begin, &adamw->rates[i],
                      param->decay ? adamw->rates[i].keep_decayed : 1.0f);
    }
}

/* Of each parameter, for update adamw->step. */
static void set_rates(struct adamw *adamw, size_t count, double gradient_scale,
                      double learning_rate)
{
    double t = (double)adamw->step;
    double mean = 1 - pow(adamw->beta1, t), square = 1 - pow(adamw->beta2, t);
    for (size_t i = 0; i < count; i++) {
        double rate = learning_rate * adamw->rate_factors[i];
        adamw->rates[i] = (struct adamw_rates){
            .gradient_scale = (float)gradient_scale,
            .one_minus_beta1 = (float)(1 - adamw->beta1),
            .beta2 = (float)adamw->beta2,
            .one_minus_beta2 = (float)(1 - adamw->beta2),
            .step_size = (float)(rate / mean),
            .inverse_correction = (float)(1 / sqrt(square)),
            .epsilon = (float)adamw->epsilon,
            .keep_decayed = (float)(1 - rate * adamw->weight_decay),
        };
    }
}

void adamw_step(struct adamw *adamw, struct params *params, double gradient_scale,
                double learning_rate, struct pool *pool)
{
    const struct gradients *gradients = &adamw->gradients;
    adamw_catch_up(adamw, params, pool);
    adamw->step++;
    set_rates(adamw, params->count, gradient_scale, learning_rate);
    struct update_job job = {adamw, params};
    gradients_each(gradients, pool, update_stretch, &job);
    if (!gradients->table) return;
    for (size_t i = 0; i < gradients->num_rows; i++)
        adamw->row_steps[gradients->rows[i]] = adamw->step;
    GROW(adamw->past, adamw->num_past, &adamw->past_capacity);
    adamw->past[adamw->num_past++] = adamw->rates[gradients->table - params->list];
}

/* ---- rows whose updates wait ---- */

/* The updates of update_values, one after the other, where all gradients are zero: the same
 * operations, so the same bytes.  Values go through in groups that stay in registers or next to
 * them; a group whose moments are zero only decays. */
enum { GROUP = 64 };

SIMD_CLONES
static void decay_group(float *restrict p, size_t n, const struct adamw_rates *restrict rates,
                        size_t steps)
{
    for (size_t s = 0; s < steps; s++) {
        float keep = rates[s].keep_decayed;
#pragma omp simd
        for (size_t i = 0; i < n; i++) p[i] = p[i] * keep;
    }
}

SIMD_CLONES
static void idle_group(float *restrict p, float *restrict m, float *restrict v, size_t n,
                       const struct adamw_rates *restrict rates, size_t steps, bool decay)
{
    for (size_t s = 0; s < steps; s++) {
        const struct adamw_rates r = rates[s];
        float keep = decay ? r.keep_decayed : 1.0f;
#pragma omp simd
        for (size_t i = 0; i < n; i++) {
            float mean = m[i] + r.one_minus_beta1 * (0 - m[i]);
            float square = r.beta2 * v[i];
            m[i] = mean;
            v[i] = square;
            p[i] = p[i] * keep -
                   r.step_size * (mean / (sqrtf(square) * r.inverse_correction + r.epsilon));
        }
    }
}

static bool is_zero(const float *values, size_t n)
{
    uint32_t any = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, sizeof bits);
        any |= bits;
    }
    return any == 0;
}

static void catch_up_row(const struct adamw *adamw, struct params *params, size_t row)
{
    const struct param *table = adamw->gradients.table;
    size_t missed = (size_t)(adamw->step - adamw->row_steps[row]);
    size_t begin = table->offset + row * (size_t)table->cols, end = begin + (size_t)table->cols;
    REQUIRE(missed <= adamw->num_past);
    const struct adamw_rates *rates = adamw->past + adamw->num_past - missed;
    for (size_t at = begin; missed && at < end; at += GROUP) {
        size_t n = end - at < GROUP ? end - at : GROUP;
        float *p = params->values + at, *m = adamw->m + at, *v = adamw->v + at;
        if (!is_zero(m, n) || !is_zero(v, n))
            idle_group(p, m, v, n, rates, missed, table->decay);
        else if (table->decay)
            decay_group(p, n, rates, missed);
    }
    adamw->row_steps[row] = adamw->step;
}

enum { ROWS_AT_A_TIME = 32 };

struct catch_up_job {
    const struct adamw *adamw;
    struct params *params;
    const int32_t *rows; /* NULL: all */
    size_t count;
};

static void catch_up_rows(void *arg, size_t item, int worker)
{
    (void)worker;
    const struct catch_up_job *job = arg;
    size_t first = item * ROWS_AT_A_TIME, last = first + ROWS_AT_A_TIME;
    for (size_t i = first; i < last && i < job->count; i++)
        catch_up_row(job->adamw, job->params, job->rows ? (size_t)job->rows[i] : i);
}

static void catch_up(struct pool *pool, struct catch_up_job job)
{
    size_t items = (job.count + ROWS_AT_A_TIME - 1) / ROWS_AT_A_TIME;
    if (pool) {
        pool_run(pool, items, catch_up_rows, &job);
        return;
    }
    for (size_t item = 0; item < items; item++) catch_up_rows(&job, item, 0);
}

void adamw_catch_up(struct adamw *adamw, struct params *params, struct pool *pool)
{
    const struct gradients *gradients = &adamw->gradients;
    if (gradients->table)
        catch_up(pool, (struct catch_up_job){adamw, params, gradients->rows, gradients->num_rows});
}

void adamw_settle(struct adamw *adamw, struct params *params, struct pool *pool)
{
    const struct param *table = adamw->gradients.table;
    if (table) catch_up(pool, (struct catch_up_job){adamw, params, NULL, (size_t)table->rows});
    adamw->num_past = 0;
}

void adamw_resume(struct adamw *adamw, uint64_t step)
{
    const struct param *table = adamw->gradients.table;
    adamw->step = step;
    adamw->num_past = 0;
    for (int row = 0; table && row < table->rows; row++) adamw->row_steps[row] = step;
}

/* ---- clipping ---- */

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
