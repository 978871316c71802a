/* The kernels of kernels.h, once for each instruction set: see the Makefile.
 *
 * Plain loops that compilers vectorise, which is why exp, tanh and the normal distribution are
 * polynomials here and sums are declared reductions; only the small matrix product names vectors,
 * so that its sums stay in registers.  No intrinsics: measured, they were not needed.
 */
#include "nn/kernels.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#ifndef KERNELS
#define KERNELS kernels_portable
#endif

#if defined(__AVX512F__)
enum { LANES = 16, WIDEST = 4 };
#define NAME "avx512"
#elif defined(__AVX2__)
enum { LANES = 8, WIDEST = 2 };
#define NAME "avx2"
#else
enum { LANES = 4, WIDEST = 2 };
#define NAME "portable"
#endif

#define INLINE static inline __attribute__((always_inline))

/* ---- numbers ---- */

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

INLINE const void *at(const void *values, size_t i, enum element element)
{
    return (const char *)values + i * (element == ELEMENT_BF16 ? 2 : 4);
}

/* Calls `function` with the element as a constant, so that each case is compiled for itself. */
#define BY_ELEMENT(element, function, ...)                                                         \
    ((element) == ELEMENT_BF16 ? function(__VA_ARGS__, ELEMENT_BF16)                               \
                               : function(__VA_ARGS__, ELEMENT_F32))

static void to_bf16(uint16_t *out, const float *in, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) out[i] = narrow(in[i]);
}

static void to_f32(float *out, const void *in, enum element element, size_t n)
{
    if (element == ELEMENT_F32) {
        memcpy(out, in, n * sizeof *out);
        return;
    }
    const uint16_t *halves = in;
#pragma omp simd
    for (size_t i = 0; i < n; i++) out[i] = widen(halves[i]);
}

static void add(float *sum, const float *more, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) sum[i] += more[i];
}

INLINE void add_rows_of(float *d_bias, const void *values, int rows, int cols, enum element element)
{
    for (int row = 0; row < rows; row++) {
        const void *from = at(values, (size_t)row * cols, element);
#pragma omp simd
        for (int i = 0; i < cols; i++) d_bias[i] += get(from, i, element);
    }
}

static void add_rows(float *d_bias, const void *values, enum element element, int rows, int cols)
{
    BY_ELEMENT(element, add_rows_of, d_bias, values, rows, cols);
}

/* ---- exponential, normal distribution, tanh ---- */

/* e^x: 2^n e^r with n = round(x / ln 2) and |r| <= ln 2 / 2, e^r by Cephes' expf polynomial.
 * Relative error 2e-7; x is clamped to [-87.3, 88.3], where 2^n is a normal number.  Adding 1.5 *
 * 2^23 rounds, and leaves n in the low bits. */
INLINE float exponential(float x)
{
    x = x < -87.3f ? -87.3f : x;
    x = x > 88.3f ? 88.3f : x;
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
    return p * float_of((bits_of(shifted) << 23) + 0x3f800000u);
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

/* tanh(y) for GELU's tanh form: 1 - 2 / (1 + e^2y). */
INLINE float hyperbolic_tangent(float y)
{
    return 1 - 2 / (1 + exponential(2 * y));
}

/* f(x), and f'(x) in *slope. */
INLINE float activate(float x, float *slope, enum activation activation)
{
    if (activation == ACTIVATION_RELU) {
        *slope = x < 0 ? 0.0f : 1.0f;
        return x < 0 ? 0.0f : x;
    }
    if (activation == ACTIVATION_GELU) { /* x P(N < x) */
        float below = 0.5f + normal_above_half(x);
        *slope = below + x * 0.398942280f * exponential(-0.5f * x * x);
        return x * below;
    }
    /* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
    float tangent = hyperbolic_tangent(0.797884561f * x * (1 + 0.044715f * x * x));
    float inner_slope = 0.797884561f * (1 + 0.134145f * x * x);
    *slope = 0.5f * (1 + tangent) + 0.5f * x * (1 - tangent * tangent) * inner_slope;
    return 0.5f * x * (1 + tangent);
}

INLINE void activation_forward_of(void *out, const void *in, size_t n, enum activation activation,
                                  enum element element)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float slope;
        put(out, i, element, activate(get(in, i, element), &slope, activation));
    }
}

static void activation_forward(void *out, const void *in, size_t n, enum activation activation,
                               enum element element)
{
    if (activation == ACTIVATION_GELU)
        BY_ELEMENT(element, activation_forward_of, out, in, n, ACTIVATION_GELU);
    else if (activation == ACTIVATION_GELU_TANH)
        BY_ELEMENT(element, activation_forward_of, out, in, n, ACTIVATION_GELU_TANH);
    else
        BY_ELEMENT(element, activation_forward_of, out, in, n, ACTIVATION_RELU);
}

/* out = f(in)  =>  d_in = d_out f'(in) */
INLINE void activation_backward_of(void *d_in, void *out, const void *d_out, const void *in,
                                   size_t n, enum activation activation, enum element element)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float slope, d = get(d_out, i, element);
        float value = activate(get(in, i, element), &slope, activation);
        put(out, i, element, value);
        put(d_in, i, element, d * slope);
    }
}

static void activation_backward(void *d_in, void *out, const void *d_out, const void *in, size_t n,
                                enum activation activation, enum element element)
{
    if (activation == ACTIVATION_GELU)
        BY_ELEMENT(element, activation_backward_of, d_in, out, d_out, in, n, ACTIVATION_GELU);
    else if (activation == ACTIVATION_GELU_TANH)
        BY_ELEMENT(element, activation_backward_of, d_in, out, d_out, in, n, ACTIVATION_GELU_TANH);
    else
        BY_ELEMENT(element, activation_backward_of, d_in, out, d_out, in, n, ACTIVATION_RELU);
}

/* ---- layer normalisation (Ba, Kiros, Hinton 2016; torch.nn.LayerNorm: biased variance) ---- */

INLINE float row_sum(const float *x, int n)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++) sum += x[i];
    return sum;
}

INLINE float row_squares(const float *x, float mean, int n)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
    return sum;
}

INLINE void keep_normal(const struct norm_forward *norm, int row, float inverse,
                        enum element element)
{
    const float *centred = norm->out + (size_t)row * norm->cols;
    void *normal = (void *)at(norm->normal, (size_t)row * norm->cols, element);
#pragma omp simd
    for (int i = 0; i < norm->cols; i++) put(normal, i, element, centred[i] * inverse);
}

static void norm_forward_row(const struct norm_forward *norm, int row)
{
    int cols = norm->cols;
    const float *x = norm->x + (size_t)row * cols, *gain = norm->gain, *bias = norm->bias;
    const float *y = norm->y ? norm->y + (size_t)row * cols : NULL;
    float *out = norm->out + (size_t)row * cols;
    if (y) {
#pragma omp simd
        for (int i = 0; i < cols; i++) out[i] = x[i] + y[i];
        x = out;
    }
    float mean = row_sum(x, cols) / (float)cols;
    float variance = row_squares(x, mean, cols) / (float)cols;
    float inverse = 1 / sqrtf(variance + (float)norm->epsilon);
#pragma omp simd
    for (int i = 0; i < cols; i++) out[i] = x[i] - mean;
    if (norm->inverse) norm->inverse[row] = inverse;
    if (norm->normal) BY_ELEMENT(norm->element, keep_normal, norm, row, inverse);
#pragma omp simd
    for (int i = 0; i < cols; i++) out[i] = out[i] * inverse * gain[i] + bias[i];
    if (norm->out_bf16) to_bf16(norm->out_bf16 + (size_t)row * cols, out, cols);
}

static void norm_forward(const struct norm_forward *norm)
{
    for (int row = 0; row < norm->rows; row++) norm_forward_row(norm, row);
}

/* n = (x - mean) r, out = gain n + bias, r = 1 / deviation  =>
 * d_x = r (g - mean(g) - n mean(g n)) with g = d_out gain; d_gain += d_out n; d_bias += d_out. */
INLINE void norm_backward_row(const struct norm_backward *norm, int row, enum element element)
{
    int cols = norm->cols;
    const float *d_out = norm->d_out + (size_t)row * cols, *gain = norm->gain;
    const void *normal = at(norm->normal, (size_t)row * cols, element);
    float *d_x = norm->d_x + (size_t)row * cols, *d_gain = norm->d_gain, *d_bias = norm->d_bias;
    float sum = 0, dot = 0;
#pragma omp simd reduction(+ : sum, dot)
    for (int i = 0; i < cols; i++) {
        float d = d_out[i], n = get(normal, i, element), g = d * gain[i];
        d_gain[i] += d * n;
        d_bias[i] += d;
        sum += g;
        dot += g * n;
    }
    float inverse = norm->inverse[row], mean = sum / (float)cols, slope = dot / (float)cols;
#pragma omp simd
    for (int i = 0; i < cols; i++)
        d_x[i] = inverse * (d_out[i] * gain[i] - mean - get(normal, i, element) * slope);
}

static void norm_backward(const struct norm_backward *norm)
{
    for (int row = 0; row < norm->rows; row++)
        BY_ELEMENT(norm->element, norm_backward_row, norm, row);
}

/* ---- dropout ---- */

/* Two rounds of a 32-bit mixer (the constants are MurmurHash3's finaliser) over the key and the
 * index. */
static void dropout(float *out, const float *in, size_t n, const struct dropout *dropout)
{
    uint32_t low = (uint32_t)dropout->key, high = (uint32_t)(dropout->key >> 32);
    uint32_t threshold = dropout->threshold;
    float scale = dropout->scale;
#pragma omp simd
    for (uint32_t i = 0; i < (uint32_t)n; i++) {
        uint32_t hash = i * 0x9e3779b1u + low;
        hash = (hash ^ hash >> 16) * 0x85ebca6bu;
        hash = ((hash ^ hash >> 13) + high) * 0xc2b2ae35u;
        hash ^= hash >> 16;
        out[i] = hash >= threshold ? in[i] * scale : 0.0f;
    }
}

/* ---- small matrix products ---- */

typedef float vector __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

/* A block of c: `rows` rows of `vectors` vectors.  Both are constants where this is inlined. */
INLINE void multiply_block(const struct product *p, int row, int col, int rows, int vectors)
{
    vector sum[6][WIDEST];
    float *c = p->c + (size_t)row * p->c_row + col;
    const float *a = p->a + (size_t)row * p->a_row, *b = p->b + col;
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            sum[r][v] = p->add ? *(vector *)(c + r * p->c_row + v * LANES) : (vector){0};
    for (int l = 0; l < p->k; l++, a += p->a_col, b += p->b_row)
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                sum[r][v] += a[r * p->a_row] * *(const vector *)(b + v * LANES);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) *(vector *)(c + r * p->c_row + v * LANES) = sum[r][v];
}

/* All rows of the columns col .. col + vectors * LANES - 1. */
INLINE void multiply_columns(const struct product *p, int col, int vectors)
{
    int row = 0;
    for (; row + 6 <= p->m; row += 6) multiply_block(p, row, col, 6, vectors);
    if (p->m - row >= 4) multiply_block(p, row, col, 4, vectors), row += 4;
    if (p->m - row >= 2) multiply_block(p, row, col, 2, vectors), row += 2;
    if (p->m - row >= 1) multiply_block(p, row, col, 1, vectors);
}

static void multiply(const struct product *p)
{
    int col = 0, end = (p->n + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
    for (; col + WIDEST * LANES <= end; col += WIDEST * LANES) multiply_columns(p, col, WIDEST);
    for (; col + 2 * LANES <= end; col += 2 * LANES) multiply_columns(p, col, 2);
    for (; col < end; col += LANES) multiply_columns(p, col, 1);
}

/* ---- attention's rows ---- */

static void softmax_forward(float *values, int rows, int n, size_t stride)
{
    for (int row = 0; row < rows; row++) {
        float *p = values + (size_t)row * stride, highest = -INFINITY, sum = 0;
#pragma omp simd reduction(max : highest)
        for (int i = 0; i < n; i++) highest = p[i] > highest ? p[i] : highest;
#pragma omp simd reduction(+ : sum)
        for (int i = 0; i < n; i++) {
            p[i] = exponential(p[i] - highest);
            sum += p[i];
        }
        float scale = 1 / sum;
#pragma omp simd
        for (int i = 0; i < n; i++) p[i] *= scale;
    }
}

/* p = softmax(s)  =>  d_s = p (d_p - <p, d_p>) */
static void softmax_backward(float *d_p, const float *p, const float *dot, int rows, int n,
                             size_t stride)
{
    for (int row = 0; row < rows; row++) {
        float *d = d_p + (size_t)row * stride, of_row = dot[row];
        const float *from = p + (size_t)row * stride;
#pragma omp simd
        for (int i = 0; i < n; i++) d[i] = from[i] * (d[i] - of_row);
    }
}

static void row_dots(float *dot, const float *a, const float *b, int rows, int n, size_t stride)
{
    for (int row = 0; row < rows; row++) {
        const float *x = a + (size_t)row * stride, *y = b + (size_t)row * stride;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int i = 0; i < n; i++) sum += x[i] * y[i];
        dot[row] = sum;
    }
}

INLINE void gather_of(float *out, const void *in, int rows, int cols, size_t in_row, float scale,
                      enum element element)
{
    int padded = (cols + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
    for (int row = 0; row < rows; row++, out += padded) {
        const void *from = at(in, (size_t)row * in_row, element);
#pragma omp simd
        for (int i = 0; i < cols; i++) out[i] = scale * get(from, i, element);
        for (int i = cols; i < padded; i++) out[i] = 0;
    }
}

static void gather(float *out, const void *in, enum element element, int rows, int cols,
                   size_t in_row, float scale)
{
    BY_ELEMENT(element, gather_of, out, in, rows, cols, in_row, scale);
}

INLINE void scatter_of(void *out, const float *in, int rows, int cols, size_t out_row, float scale,
                       enum element element)
{
    int padded = (cols + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
    for (int row = 0; row < rows; row++, in += padded) {
        void *to = (void *)at(out, (size_t)row * out_row, element);
#pragma omp simd
        for (int i = 0; i < cols; i++) put(to, i, element, scale * in[i]);
    }
}

static void scatter(void *out, enum element element, const float *in, int rows, int cols,
                    size_t out_row, float scale)
{
    BY_ELEMENT(element, scatter_of, out, in, rows, cols, out_row, scale);
}

/* By tiles of one cache line each way, so that every line read or written is used whole. */
static void transpose(float *out, const float *in, int rows, int cols)
{
    int in_row = (cols + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
    int out_row = (rows + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
    for (int top = 0; top < out_row; top += KERNEL_LANES) {
        int inside = rows - top < KERNEL_LANES ? rows - top : KERNEL_LANES;
        for (int col = 0; col < cols; col++) {
            float *to = out + (size_t)col * out_row + top;
            for (int i = 0; i < inside; i++) to[i] = in[(size_t)(top + i) * in_row + col];
            for (int i = inside; i < KERNEL_LANES; i++) to[i] = 0;
        }
    }
}

const struct kernels KERNELS = {.name = NAME,
                                .to_bf16 = to_bf16,
                                .to_f32 = to_f32,
                                .add = add,
                                .add_rows = add_rows,
                                .norm_forward = norm_forward,
                                .norm_backward = norm_backward,
                                .activation_forward = activation_forward,
                                .activation_backward = activation_backward,
                                .dropout = dropout,
                                .multiply = multiply,
                                .softmax_forward = softmax_forward,
                                .softmax_backward = softmax_backward,
                                .gather = gather,
                                .transpose = transpose,
                                .scatter = scatter,
                                .row_dots = row_dots};
