/* See softmax.h. */
#include "distill/softmax.h"
#include "nn/numbers.h"
#include "nn/simd.h"

#include <math.h>

/* In 16 lanes, since compilers take a maximum apart only where NaN may be ignored. */
SIMD_CLONES
static float row_maximum(const float *x, int n)
{
    float lanes[16];
    int j = 0;
    for (int k = 0; k < 16; k++) lanes[k] = -INFINITY;
    for (; j + 16 <= n; j += 16)
        for (int k = 0; k < 16; k++) lanes[k] = x[j + k] > lanes[k] ? x[j + k] : lanes[k];
    for (; j < n; j++) lanes[0] = x[j] > lanes[0] ? x[j] : lanes[0];
    for (int k = 1; k < 16; k++) lanes[0] = lanes[k] > lanes[0] ? lanes[k] : lanes[0];
    return lanes[0];
}

SIMD_CLONES
double softmax(float *p, const float *x, int n, double temperature)
{
    const float inverse = (float)(1 / temperature), largest = row_maximum(x, n);
    for (int j = 0; j < n; j++) {
        float below = (x[j] - largest) * inverse;
        p[j] = below < EXPONENT_LOW ? EXPONENT_LOW : below;
    }
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int j = 0; j < n; j++) {
        p[j] = exponential_within(p[j]);
        sum += (double)p[j];
    }
    const float share = (float)(1 / sum);
#pragma omp simd
    for (int j = 0; j < n; j++) p[j] *= share;
    return (double)largest / temperature + log(sum);
}

SIMD_CLONES
double softmax_divergence(const float *p, const float *x, double temperature, double log_x,
                          const float *y, double log_y, int n)
{
    const double inverse = 1 / temperature;
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int j = 0; j < n; j++)
        sum += (double)p[j] * (((double)x[j] * inverse - log_x) - ((double)y[j] - log_y));
    return sum;
}

/* ---- the divergence of two rows, without memory for their probabilities ---- */

enum { BLOCK = 128 }; /* entries exponentiated at once */

/* softmax(x / temperature) = share * e^((x - largest) * inverse) */
struct exponential {
    float largest, inverse, share;
    double scale;   /* 1 / temperature */
    double log_sum; /* log(sum of exp(x / temperature)) */
};

/* p [n], n <= BLOCK.  In two loops, since compilers take no comparison into the second where NaN
 * may not be ignored. */
SIMD_CLONES
static void probabilities(float *restrict p, const float *restrict x, int n,
                          const struct exponential *of)
{
    const float largest = of->largest, inverse = of->inverse, share = of->share;
    for (int j = 0; j < n; j++) {
        float below = (x[j] - largest) * inverse;
        p[j] = below < EXPONENT_LOW ? EXPONENT_LOW : below;
    }
#pragma omp simd
    for (int j = 0; j < n; j++) p[j] = share * exponential_within(p[j]);
}

static int block_size(int n, int first)
{
    return n - first < BLOCK ? n - first : BLOCK;
}

static struct exponential exponential_of(const float *x, int n, double temperature)
{
    struct exponential of = {row_maximum(x, n), (float)(1 / temperature), 1, 1 / temperature, 0};
    float p[BLOCK];
    double sum = 0;
    for (int first = 0; first < n; first += BLOCK) {
        const int size = block_size(n, first);
        probabilities(p, x + first, size, &of);
        for (int j = 0; j < size; j++) sum += (double)p[j];
    }
    of.share = (float)(1 / sum);
    of.log_sum = (double)of.largest / temperature + log(sum);
    return of;
}

/* log p - log q of one entry */
static double log_ratio(const struct exponential *p, float target, const struct exponential *q,
                        float x)
{
    return ((double)target - (double)x) * p->scale - (p->log_sum - q->log_sum);
}

double softmax_kl(const float *target, const float *x, int n, double temperature, double factor,
                  float *d_x, float *d_target)
{
    const struct exponential of_target = exponential_of(target, n, temperature);
    const struct exponential of_x = exponential_of(x, n, temperature);
    const float change = (float)(factor / temperature);
    float p[BLOCK], q[BLOCK];
    double kl = 0;
    for (int first = 0; first < n; first += BLOCK) {
        const int size = block_size(n, first);
        probabilities(p, target + first, size, &of_target);
        for (int j = 0; j < size; j++)
            kl += (double)p[j] * log_ratio(&of_target, target[first + j], &of_x, x[first + j]);
    }
    for (int first = 0; (d_x || d_target) && first < n; first += BLOCK) {
        const int size = block_size(n, first);
        probabilities(p, target + first, size, &of_target);
        probabilities(q, x + first, size, &of_x);
        for (int j = 0; d_x && j < size; j++) d_x[first + j] += change * (q[j] - p[j]);
        for (int j = first; d_target && j < first + size; j++) {
            const double above = log_ratio(&of_target, target[j], &of_x, x[j]) - kl;
            d_target[j] += change * p[j - first] * (float)above;
        }
    }
    return kl;
}
