/* Numbers as loops want them, to be compiled into each for its instruction set (nn/kernels*.c,
 * SIMD_CLONES): bf16 as storage, exponential, normal distribution, activations. */
#ifndef RETORT_NUMBERS_H
#define RETORT_NUMBERS_H

#include "nn/kernels.h"

#include <string.h>

#define INLINE static inline __attribute__((always_inline))

INLINE float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINE uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Round to nearest, ties to even; a NaN keeps a bit that makes it one. */
INLINE uint16_t narrow(float value)
{
    uint32_t bits = bits_of(value);
    uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    uint32_t nan = bits >> 16 | 0x40;
    return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? nan : rounded);
}

INLINE float widen(uint16_t half)
{
    return float_of((uint32_t)half << 16);
}

INLINE float get(const void *values, size_t i, enum element element)
{
    return element == ELEMENT_BF16 ? widen(((const uint16_t *)values)[i])
                                   : ((const float *)values)[i];
}

INLINE void put(void *values, size_t i, enum element element, float value)
{
    if (element == ELEMENT_BF16)
        ((uint16_t *)values)[i] = narrow(value);
    else
        ((float *)values)[i] = value;
}

/* element_size, known to the compiler. */
INLINE size_t size_of(enum element element)
{
    return element == ELEMENT_BF16 ? 2 : 4;
}

INLINE const void *at(const void *values, size_t i, enum element element)
{
    return (const char *)values + i * size_of(element);
}

/* Calls `function` with the element as a constant, so that each case is compiled for itself. */
#define BY_ELEMENT(element, function, ...)                                                         \
    ((element) == ELEMENT_BF16 ? function(__VA_ARGS__, ELEMENT_BF16)                               \
                               : function(__VA_ARGS__, ELEMENT_F32))

/* ---- exponential, normal distribution, tanh ---- */

/* e^x for EXPONENT_LOW <= x <= 88, 0 at EXPONENT_LOW: 2^n e^r with n = round(x / ln 2), ln 2 in two
 * parts (Cody and Waite), |r| <= ln 2 / 2, e^r by Cephes' expf polynomial.  Relative error 2e-7.
 * Adding 1.5 * 2^23 rounds, and leaves n in the low bits: no branch and no conversion, so that
 * loops over it vectorise. */
#define EXPONENT_LOW (-88.0f)
INLINE float exponential_within(float x)
{
    float shifted = x * 1.44269504f + 12582912.0f;
    float n = shifted - 12582912.0f;
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1;
    return p * float_of((bits_of(shifted) << 23) + 0x3f800000u); /* 2^n, 0 for n = -127 */
}

/* e^x for x <= 88, 0 below EXPONENT_LOW. */
INLINE float exponential(float x)
{
    return exponential_within(x < EXPONENT_LOW ? EXPONENT_LOW : x);
}

/* P(N(0,1) < x) - 1/2 = x P(x^2) / Q(x^2), a rational least-maximum fit on |x| <= 5.6: absolute
 * error 2e-7. */
INLINE float normal_above_half(float x)
{
    x = x < -5.6f ? -5.6f : x;
    x = x > 5.6f ? 5.6f : x;
    float t = x * x;
    float p = 1.080213450e-10f;
    p = p * t - 2.199746987e-08f;
    p = p * t + 3.361888714e-06f;
    p = p * t + 1.824934290e-04f;
    p = p * t + 4.587716880e-03f;
    p = p * t + 3.711496064e-02f;
    p = p * t + 3.989421259e-01f;
    float q = 6.625664455e-05f;
    q = q * t + 1.901623476e-03f;
    q = q * t + 2.978742212e-02f;
    q = q * t + 2.596975300e-01f;
    q = q * t + 1;
    return x * p / q;
}

/* The same to 1.4e-5 and without a division, for results that are rounded to bf16: |x| <= 4.2. */
INLINE float normal_above_half_coarse(float x)
{
    x = x < -4.2f ? -4.2f : x;
    x = x > 4.2f ? 4.2f : x;
    float t = x * x;
    float p = -2.7691293e-12f;
    p = p * t + 2.8970540e-10f;
    p = p * t - 1.3646837e-08f;
    p = p * t + 3.8698835e-07f;
    p = p * t - 7.4847021e-06f;
    p = p * t + 1.0631375e-04f;
    p = p * t - 1.1609539e-03f;
    p = p * t + 9.9307885e-03f;
    p = p * t - 6.6458210e-02f;
    p = p * t + 3.9893511e-01f;
    return x * p;
}

/* tanh(y) for GELU's tanh form: 1 - 2 / (1 + e^2y), 1 beyond y = 20. */
INLINE float hyperbolic_tangent(float y)
{
    y = y > 20 ? 20.0f : y;
    return 1 - 2 / (1 + exponential(2 * y));
}

/* f(x), and f'(x) in *slope. */
INLINE float activate(float x, float *slope, enum activation activation, enum element element)
{
    if (activation == ACTIVATION_RELU) {
        *slope = x < 0 ? 0.0f : 1.0f;
        return x < 0 ? 0.0f : x;
    }
    if (activation == ACTIVATION_GELU) { /* x P(N < x) */
        float above = element == ELEMENT_BF16 ? normal_above_half_coarse(x) : normal_above_half(x);
        float below = 0.5f + above;
        *slope = below + x * 0.398942280f * exponential(-0.5f * x * x);
        return x * below;
    }
    /* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
    float tangent = hyperbolic_tangent(0.797884561f * x * (1 + 0.044715f * x * x));
    float inner_slope = 0.797884561f * (1 + 0.134145f * x * x);
    *slope = 0.5f * (1 + tangent) + 0.5f * x * (1 - tangent * tangent) * inner_slope;
    return 0.5f * x * (1 + tangent);
}

#endif
