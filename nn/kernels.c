/* The kernels of kernels.h, once for each instruction set: see the Makefile.
 *
 * Plain loops that compilers vectorise, which is why exp, tanh and the normal distribution are
 * polynomials here and sums are declared reductions; only the small matrix product names vectors,
 * so that its sums stay in registers.  No intrinsics: measured, they were not needed.
 */
#include "nn/numbers.h"

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

/* n rounded up to KERNEL_LANES; the compiler sees that no remainder is left. */
#define PADDED(n) (((n) + KERNEL_LANES - 1) & ~(KERNEL_LANES - 1))

/* ---- vectors ---- */

typedef float vector __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t mask __attribute__((vector_size(4 * LANES)));

#if defined(__AVX512F__)
#define TURNED(v, n)                                                                               \
    __builtin_shufflevector(v, v, n, (n + 1) % 16, (n + 2) % 16, (n + 3) % 16, (n + 4) % 16,       \
                            (n + 5) % 16, (n + 6) % 16, (n + 7) % 16, (n + 8) % 16, (n + 9) % 16,  \
                            (n + 10) % 16, (n + 11) % 16, (n + 12) % 16, (n + 13) % 16,            \
                            (n + 14) % 16, (n + 15) % 16)
#elif defined(__AVX2__)
#define TURNED(v, n)                                                                               \
    __builtin_shufflevector(v, v, n, (n + 1) % 8, (n + 2) % 8, (n + 3) % 8, (n + 4) % 8,           \
                            (n + 5) % 8, (n + 6) % 8, (n + 7) % 8)
#else
#define TURNED(v, n) __builtin_shufflevector(v, v, n, (n + 1) % 4, (n + 2) % 4, (n + 3) % 4)
#endif

/* The larger of each pair; a's where either is NaN. */
INLINE vector larger(vector a, vector b)
{
    mask is_b = b > a;
    return (vector)(((mask)b & is_b) | ((mask)a & ~is_b));
}

/* The sum of all lanes, by halves. */
INLINE float total_of(vector v)
{
#if defined(__AVX512F__)
    v += TURNED(v, 8);
#endif
#if defined(__AVX2__)
    v += TURNED(v, 4);
#endif
    v += TURNED(v, 2);
    v += TURNED(v, 1);
    return v[0];
}

INLINE float largest_of(vector v)
{
#if defined(__AVX512F__)
    v = larger(v, TURNED(v, 8));
#endif
#if defined(__AVX2__)
    v = larger(v, TURNED(v, 4));
#endif
    v = larger(v, TURNED(v, 2));
    return larger(v, TURNED(v, 1))[0];
}

/* ---- conversion, sums ---- */

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

/* ---- activations ---- */

INLINE void activation_forward_of(void *out, const void *in, size_t n, enum activation activation,
                                  enum element element)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float slope;
        put(out, i, element, activate(get(in, i, element), &slope, activation, element));
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
        float value = activate(get(in, i, element), &slope, activation, element);
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

/* sum [n] = x + y, or x where y is NULL; returns its total. */
INLINE float row_sum(float *sum, const float *x, const float *y, int n)
{
    float total = 0;
    if (y) {
#pragma omp simd reduction(+ : total)
        for (int i = 0; i < n; i++) total += sum[i] = x[i] + y[i];
    } else {
#pragma omp simd reduction(+ : total)
        for (int i = 0; i < n; i++) total += sum[i] = x[i];
    }
    return total;
}

INLINE float row_squares(const float *x, float mean, int n)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
    return sum;
}

INLINE void keep_normal(const struct norm_forward *norm, int row, float mean, float inverse,
                        enum element element)
{
    const float *sum = norm->out + (size_t)row * norm->cols;
    void *normal = (void *)at(norm->normal, (size_t)row * norm->cols, element);
#pragma omp simd
    for (int i = 0; i < norm->cols; i++) put(normal, i, element, (sum[i] - mean) * inverse);
}

INLINE void finish_norm(float *out, uint16_t *out_bf16, const float *gain, const float *bias,
                        float mean, float inverse, int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++) {
        out[i] = (out[i] - mean) * inverse * gain[i] + bias[i];
        if (out_bf16) out_bf16[i] = narrow(out[i]);
    }
}

static void norm_forward(const struct norm_forward *norm)
{
    int cols = norm->cols;
    for (int row = 0; row < norm->rows; row++) {
        size_t first = (size_t)row * cols;
        float *out = norm->out + first;
        float total = row_sum(out, norm->x + first, norm->y ? norm->y + first : NULL, cols);
        float mean = total / (float)cols;
        float variance = row_squares(out, mean, cols) / (float)cols;
        float inverse = 1 / sqrtf(variance + (float)norm->epsilon);
        if (norm->inverse) norm->inverse[row] = inverse;
        if (norm->normal) BY_ELEMENT(norm->element, keep_normal, norm, row, mean, inverse);
        if (norm->out_bf16)
            finish_norm(out, norm->out_bf16 + first, norm->gain, norm->bias, mean, inverse, cols);
        else
            finish_norm(out, NULL, norm->gain, norm->bias, mean, inverse, cols);
    }
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
    int col = 0, end = PADDED(p->n);
    for (; col + WIDEST * LANES <= end; col += WIDEST * LANES) multiply_columns(p, col, WIDEST);
    for (; col + 2 * LANES <= end; col += 2 * LANES) multiply_columns(p, col, 2);
    for (; col < end; col += LANES) multiply_columns(p, col, 1);
}

/* ---- attention's rows ---- */

/* Of a row of whole vectors. */
INLINE float row_largest(const float *x, int padded)
{
    vector largest = *(const vector *)x;
    for (int i = LANES; i < padded; i += LANES) largest = larger(largest, *(const vector *)(x + i));
    return largest_of(largest);
}

INLINE float row_total(const float *x, int padded)
{
    vector total = *(const vector *)x;
    for (int i = LANES; i < padded; i += LANES) total += *(const vector *)(x + i);
    return total_of(total);
}

/* Rows are worked on whole, padding included: short rows would otherwise be mostly remainder
 * loops. */
static void softmax_forward(float *values, int rows, int n, size_t stride)
{
    int padded = PADDED(n);
    for (int row = 0; row < rows; row++) {
        float *p = values + (size_t)row * stride;
        for (int i = n; i < padded; i++) p[i] = -INFINITY;
        float highest = row_largest(p, padded);
#pragma omp simd
        for (int i = 0; i < padded; i++) p[i] = exponential(p[i] - highest);
        for (int i = n; i < padded; i++) p[i] = 0;
        float scale = 1 / row_total(p, padded);
#pragma omp simd
        for (int i = 0; i < padded; i++) p[i] *= scale;
    }
}

/* p = softmax(s)  =>  d_s = p (d_p - <p, d_p>) */
static void softmax_backward(float *d_p, const float *p, const float *dot, int rows, int n,
                             size_t stride)
{
    int padded = PADDED(n);
    for (int row = 0; row < rows; row++) {
        float *d = d_p + (size_t)row * stride, of_row = dot[row];
        const float *from = p + (size_t)row * stride;
#pragma omp simd
        for (int i = 0; i < padded; i++) d[i] = from[i] * (d[i] - of_row);
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
    int padded = PADDED(cols);
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
    int padded = PADDED(cols);
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
static void transpose(float *out, const float *in, int rows, int cols, size_t in_row, float scale)
{
    int out_row = PADDED(rows);
    for (int top = 0; top < out_row; top += KERNEL_LANES) {
        int inside = rows - top < KERNEL_LANES ? rows - top : KERNEL_LANES;
        for (int col = 0; col < cols; col++) {
            const float *from = in + (size_t)top * in_row + col;
            float *to = out + (size_t)col * out_row + top;
            for (int i = 0; i < inside; i++) to[i] = scale * from[(size_t)i * in_row];
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
