/* See softmax.h. */
#include "distill/softmax.h"
#include "nn/simd.h"

#include <math.h>

/* e^x for EXP_ZERO <= x <= 0, within 2e-7 of it relatively; 0 at EXP_ZERO.  x = n ln 2 + r,
 * |r| <= ln 2 / 2, ln 2 in two parts (Cody and Waite), e^r by Cephes' polynomial.  No branch and
 * no conversion, so that loops over it vectorise: n is read from the low bits of
 * x / ln 2 + 1.5 * 2^23. */
#define EXP_ZERO (-88.0f)
static inline float exp_negative(float x)
{
    const float round = 12582912.0f;
    float shifted = x * 1.44269504f + round;
    float n = shifted - round;
    float r = x - n * 0.693359375f - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    union {
        float value;
        uint32_t bits;
    } power = {.value = shifted};
    power.bits = (power.bits + 127u) << 23; /* 2^n, 0 for n = -127; the bits of `round` fall out */
    return p * power.value;
}

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
        p[j] = below < EXP_ZERO ? EXP_ZERO : below;
    }
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int j = 0; j < n; j++) {
        p[j] = exp_negative(p[j]);
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

/* e^((x - largest) * inverse) */
static inline float exp_below(float x, float largest, float inverse)
{
    float below = (x - largest) * inverse;
    return exp_negative(below < EXP_ZERO ? EXP_ZERO : below);
}

SIMD_CLONES
static double sum_of_exp(const float *x, int n, float largest, float inverse)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int j = 0; j < n; j++) sum += (double)exp_below(x[j], largest, inverse);
    return sum;
}

/* Both rows are exponentiated again where they are needed: no memory for p and q. */
SIMD_CLONES
double softmax_kl(const float *target, const float *x, int n, double temperature, double factor,
                  float *d_x, float *d_target)
{
    const double scale = 1 / temperature;
    const float inverse = (float)scale, top = row_maximum(target, n), top_x = row_maximum(x, n);
    const double sum = sum_of_exp(target, n, top, inverse),
                 sum_x = sum_of_exp(x, n, top_x, inverse);
    const double offset = ((double)top * scale + log(sum)) - ((double)top_x * scale + log(sum_x));
    const float share = (float)(1 / sum), share_x = (float)(1 / sum_x);
    double kl = 0;
#pragma omp simd reduction(+ : kl)
    for (int j = 0; j < n; j++)
        kl += (double)(share * exp_below(target[j], top, inverse)) *
              (((double)target[j] - (double)x[j]) * scale - offset);
    const float change = (float)(factor * scale);
    for (int j = 0; d_x && j < n; j++)
        d_x[j] += change * (share_x * exp_below(x[j], top_x, inverse) -
                            share * exp_below(target[j], top, inverse));
    for (int j = 0; d_target && j < n; j++) {
        double log_ratio = ((double)target[j] - (double)x[j]) * scale - offset;
        d_target[j] +=
            change * share * exp_below(target[j], top, inverse) * (float)(log_ratio - kl);
    }
    return kl;
}
