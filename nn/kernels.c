/* The kernels of kernels.h, once for each instruction set: see the Makefile.
 *
 * Plain loops that compilers vectorise, which is why exp, tanh and the normal distribution are
 * polynomials here and sums are declared reductions; the small matrix product and the softmax name
 * vectors, so that their sums stay in registers.  Intrinsics are two: bf16's conversion and product
 * of pairs, which compilers do not find.
 */
#include "nn/numbers.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif
#if defined(__AMX_BF16__)
#include "nn/tiles.h"
enum { BLOCK_ROWS = 2 * TILE, MULTIPLIES_INT8 = true };
#else
enum { BLOCK_ROWS = 4 * 6, MULTIPLIES_INT8 = false }; /* rows of multiply_columns */
#endif

#ifndef TABLE
#define TABLE kernels_portable
#define NAME  "portable"
#endif

#if defined(__AVX512BF16__)
enum { LANES = 16, WIDEST = 4, MULTIPLIES_BF16 = true };
#elif defined(__AVX512F__)
enum { LANES = 16, WIDEST = 4, MULTIPLIES_BF16 = false };
#elif defined(__AVX2__)
enum { LANES = 8, WIDEST = 2, MULTIPLIES_BF16 = false };
#else
enum { LANES = 4, WIDEST = 2, MULTIPLIES_BF16 = false };
#endif

/* n rounded up to KERNEL_LANES; the compiler sees that no remainder is left. */
#define PADDED(n) (((n) + KERNEL_LANES - 1) & ~(KERNEL_LANES - 1))

/* ---- vectors ---- */

typedef float vector __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t mask __attribute__((vector_size(4 * LANES)));
/* Each a float, or two bf16 of which the first is in the lower half. */
typedef uint32_t words __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

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

INLINE void narrow_vector(uint16_t *out, vector value)
{
#if defined(__AVX512BF16__)
    __m256bh narrowed = _mm512_cvtneps_pbh((__m512)value);
    memcpy(out, &narrowed, sizeof narrowed);
#else
    for (int lane = 0; lane < LANES; lane++) out[lane] = narrow(value[lane]);
#endif
}

INLINE void put_vector(void *values, size_t i, enum element element, vector value)
{
    if (element == ELEMENT_BF16)
        narrow_vector((uint16_t *)values + i, value);
    else
        *(vector *)((float *)values + i) = value;
}

static void to_bf16(uint16_t *out, const float *in, size_t n)
{
#if defined(__AVX512BF16__)
    for (; n >= LANES; n -= LANES, in += LANES, out += LANES)
        narrow_vector(out, *(const vector *)in);
#endif
#pragma omp simd
    for (size_t i = 0; i < n; i++) out[i] = narrow(in[i]);
}

INLINE void put_all(void *out, size_t first, enum element element, const float *in, size_t n)
{
    if (element == ELEMENT_BF16)
        to_bf16((uint16_t *)out + first, in, n);
    else
        memcpy((float *)out + first, in, n * sizeof *in);
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

enum { PIECE = 64 }; /* values between a function and their narrowing */

INLINE void activation_forward_of(void *out, const void *in, size_t n, enum activation activation,
                                  enum element element)
{
    for (size_t i = 0; i < n; i += PIECE) {
        float values[PIECE], slope;
        size_t count = n - i < PIECE ? n - i : PIECE;
#pragma omp simd
        for (size_t j = 0; j < count; j++)
            values[j] = activate(get(in, i + j, element), &slope, activation, element);
        put_all(out, i, element, values, count);
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
    for (size_t i = 0; i < n; i += PIECE) {
        float values[PIECE], d_values[PIECE];
        size_t count = n - i < PIECE ? n - i : PIECE;
#pragma omp simd
        for (size_t j = 0; j < count; j++) {
            float slope, d = get(d_out, i + j, element);
            values[j] = activate(get(in, i + j, element), &slope, activation, element);
            d_values[j] = d * slope;
        }
        put_all(out, i, element, values, count);
        put_all(d_in, i, element, d_values, count);
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

INLINE void finish_norm(float *out, const float *gain, const float *bias, float mean, float inverse,
                        int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++) out[i] = (out[i] - mean) * inverse * gain[i] + bias[i];
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
        finish_norm(out, norm->gain, norm->bias, mean, inverse, cols);
        if (norm->out_bf16) to_bf16(norm->out_bf16 + first, out, cols);
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

INLINE words spread(const void *word)
{
    uint32_t value;
    memcpy(&value, word, sizeof value);
    return (words){0} + value;
}

INLINE vector add_product(vector sum, words a, words b, enum element element)
{
    if (element == ELEMENT_F32) return sum + (vector)a * (vector)b;
#if defined(__AVX512BF16__)
    return (vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
    sum += (vector)(a << 16) * (vector)(b << 16);
    return sum + (vector)(a & 0xffff0000u) * (vector)(b & 0xffff0000u);
#endif
}

/* A block of c: `rows` rows of `vectors` vectors.  Both are constants where this is inlined. */
INLINE void multiply_block(const struct product *p, int row, int col, int rows, int vectors,
                           enum element element)
{
    vector sum[6][WIDEST];
    size_t size = size_of(element), a_row = p->a_row * size, a_col = p->a_col * size;
    size_t b_row = p->b_row * size;
    size_t at = (size_t)row * p->c_row + col;
    const char *a = (const char *)p->a + row * a_row, *b = (const char *)p->b + 4 * (size_t)col;
    int words_deep = element == ELEMENT_BF16 ? (p->k + 1) / 2 : p->k;
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            sum[r][v] = p->add    ? *(vector *)((float *)p->c + at + r * p->c_row + v * LANES)
                        : p->bias ? *(const vector *)(p->bias + col + v * LANES)
                                  : (vector){0};
    for (int l = 0; l < words_deep; l++, a += a_col, b += b_row)
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            words of_row = spread(a + r * a_row);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                sum[r][v] =
                    add_product(sum[r][v], of_row, *(const words *)(b + 4 * v * LANES), element);
        }
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            put_vector(p->c, at + r * p->c_row + v * LANES, p->c_element, sum[r][v]);
}

/* All rows of the columns col .. col + vectors * LANES - 1. */
INLINE void multiply_columns(const struct product *p, int col, int vectors, enum element element)
{
    int row = 0;
    for (; row + 6 <= p->m; row += 6) multiply_block(p, row, col, 6, vectors, element);
    if (p->m - row >= 4) multiply_block(p, row, col, 4, vectors, element), row += 4;
    if (p->m - row >= 2) multiply_block(p, row, col, 2, vectors, element), row += 2;
    if (p->m - row >= 1) multiply_block(p, row, col, 1, vectors, element);
}

INLINE void multiply_of(const struct product *p, enum element element)
{
    int col = 0, end = PADDED(p->n), widest = WIDEST * LANES;
    for (; col + widest <= end; col += widest) multiply_columns(p, col, WIDEST, element);
    for (; col + 2 * LANES <= end; col += 2 * LANES) multiply_columns(p, col, 2, element);
    for (; col < end; col += LANES) multiply_columns(p, col, 1, element);
}

static void multiply(const struct product *p)
{
#if defined(__AMX_BF16__)
    if (p->element != ELEMENT_F32) {
        multiply_by_tiles(p);
        return;
    }
#endif
    BY_ELEMENT(p->element, multiply_of, p);
}

static void pack_rows(void *out, const void *in, enum element element, int rows, int cols,
                      size_t in_row)
{
    int padded = PADDED(cols), together = element == ELEMENT_BF16 ? 2 : 1;
    uint32_t *to = out;
    for (int row = 0; row < rows; row += together, to += padded) {
        const void *first = at(in, (size_t)row * in_row, element);
        const uint16_t *even = first, *odd = even + in_row;
        if (element == ELEMENT_F32) {
            memcpy(to, first, (size_t)cols * sizeof *to);
        } else if (row + 1 < rows) {
#pragma omp simd
            for (int i = 0; i < cols; i++) to[i] = even[i] | (uint32_t)odd[i] << 16;
        } else {
#pragma omp simd
            for (int i = 0; i < cols; i++) to[i] = even[i];
        }
        for (int i = cols; i < padded; i++) to[i] = 0;
    }
}

/* By tiles of one cache line each way, so that every line read or written is used whole. */
static void pack_columns(void *out, const void *in, enum element element, int rows, int cols,
                         size_t in_row)
{
    size_t out_row = (size_t)PADDED(rows), from_row = in_row * size_of(element);
    int pairs = element == ELEMENT_BF16 ? cols / 2 : cols;
    for (int top = 0; top < rows; top += KERNEL_LANES) {
        int inside = rows - top < KERNEL_LANES ? rows - top : KERNEL_LANES;
        const char *from = (const char *)in + (size_t)top * from_row;
        uint32_t *to = (uint32_t *)out + top;
        for (int word = 0; word < pairs; word++, to += out_row, from += 4) {
            for (int i = 0; i < inside; i++) memcpy(&to[i], from + i * from_row, 4);
            for (int i = inside; i < KERNEL_LANES; i++) to[i] = 0;
        }
        if (element == ELEMENT_BF16 && cols % 2) {
            memset(to, 0, 4 * KERNEL_LANES);
            for (int i = 0; i < inside; i++) memcpy(&to[i], from + i * from_row, 2);
        }
    }
}

/* ---- attention's rows ---- */

/* Of the lanes below n. */
INLINE vector first_lanes(vector values, vector otherwise, int n)
{
    mask lane;
    for (int i = 0; i < LANES; i++) lane[i] = i;
    mask is_first = lane < n;
    return (vector)(((mask)values & is_first) | ((mask)otherwise & ~is_first));
}

INLINE float row_largest(const float *x, int n)
{
    vector largest = (vector){0} + x[0];
    int i = 0;
    for (; i + LANES <= n; i += LANES) largest = larger(largest, *(const vector *)(x + i));
    if (i < n) largest = larger(largest, first_lanes(*(const vector *)(x + i), largest, n - i));
    return largest_of(largest);
}

/* 2^x for x <= 1: 2^n 2^r with n = round(x), 2^r by a least-maximum fit.  Relative error 3e-7;
 * below -126 the result stays 2^-126, since 2^n must be a normal number. */
INLINE vector powers_of_two(vector x)
{
    x = larger(x, (vector){0} - 126);
    vector shifted = x + 12582912.0f; /* 1.5 * 2^23 rounds, and leaves n in the low bits */
    vector r = x - (shifted - 12582912.0f);
    vector p = r * 1.327647174e-3f + 9.675541540e-3f;
    p = p * r + 5.550713276e-2f;
    p = p * r + 2.402211972e-1f;
    p = p * r + 6.931469671e-1f;
    p = p * r + 1.000000072e+0f;
    return (vector)((words)p + ((words)shifted << 23));
}

/* p becomes 2^(scale p - highest), whole vectors of it; returns the sum. */
INLINE float power_row(float *p, int n, float scale, float highest)
{
    vector total = {0};
    for (int i = 0; i < n; i += LANES) {
        vector power = powers_of_two(*(vector *)(p + i) * scale - highest);
        if (i + LANES > n) power = first_lanes(power, (vector){0}, n - i);
        *(vector *)(p + i) = power;
        total += power;
    }
    return total_of(total);
}

/* A few rows by turns: of each, one step waits for the one before. */
INLINE void softmax_of(void *out, float *values, int rows, int n, size_t stride, float scale,
                       enum element element)
{
    enum { FEW = 8 };
    scale *= 1.44269504f; /* e^x = 2^(x / ln 2) */
    int padded = PADDED(n), whole = (n + LANES - 1) / LANES * LANES;
    for (int first = 0; first < rows; first += FEW) {
        float *p = values + (size_t)first * stride, highest[FEW], share[FEW];
        int few = rows - first < FEW ? rows - first : FEW;
        for (int row = 0; row < few; row++) highest[row] = scale * row_largest(p + row * stride, n);
        for (int row = 0; row < few; row++)
            share[row] = 1 / power_row(p + row * stride, n, scale, highest[row]);
        for (int row = 0; row < few; row++) {
            size_t at_row = (first + row) * stride;
            for (int i = 0; i < whole; i += LANES)
                put_vector(out, at_row + i, element,
                           *(vector *)(p + row * stride + i) * share[row]);
            for (int i = whole; i < padded; i += LANES)
                put_vector(out, at_row + i, element, (vector){0});
        }
    }
}

static void softmax_forward(void *out, enum element element, float *values, int rows, int n,
                            size_t stride, float scale)
{
    BY_ELEMENT(element, softmax_of, out, values, rows, n, stride, scale);
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

INLINE void row_dots_of(float *dot, const void *a, const void *b, int rows, int n, size_t stride,
                        enum element element)
{
    for (int row = 0; row < rows; row++) {
        const void *x = at(a, (size_t)row * stride, element);
        const void *y = at(b, (size_t)row * stride, element);
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int i = 0; i < n; i++) sum += get(x, i, element) * get(y, i, element);
        dot[row] = sum;
    }
}

static void row_dots(float *dot, const void *a, const void *b, enum element element, int rows,
                     int n, size_t stride)
{
    BY_ELEMENT(element, row_dots_of, dot, a, b, rows, n, stride);
}

INLINE void scatter_of(void *out, const float *in, int rows, int cols, size_t out_row, float scale,
                       enum element element)
{
    int padded = PADDED(cols), whole = cols / LANES * LANES;
    for (int row = 0; row < rows; row++, in += padded) {
        void *to = (void *)at(out, (size_t)row * out_row, element);
        for (int i = 0; i < whole; i += LANES)
            put_vector(to, i, element, *(const vector *)(in + i) * scale);
        for (int i = whole; i < cols; i++) put(to, i, element, scale * in[i]);
    }
}

static void scatter(void *out, enum element element, const float *in, int rows, int cols,
                    size_t out_row, float scale)
{
    BY_ELEMENT(element, scatter_of, out, in, rows, cols, out_row, scale);
}

const struct kernels TABLE = {.name = NAME,
                              .multiplies_bf16 = MULTIPLIES_BF16,
                              .multiplies_int8 = MULTIPLIES_INT8,
                              .block_rows = BLOCK_ROWS,
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
                              .pack_rows = pack_rows,
                              .pack_columns = pack_columns,
                              .scatter = scatter,
                              .row_dots = row_dots};
