/* nn/kernels: each kernel of each instruction set that runs here, against its naive twin in
 * double. */
#include "tests/support.h"

#include "nn/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int sizes[] = {0, 1, 2, 7, 15, 16, 17, 31, 33, 64, 100, 384, 387};
enum { SIZES = sizeof sizes / sizeof *sizes, MOST = 512 * 400 };

/* Room for every test's values, aligned, reused. */
static float a[MOST], b[MOST], c[MOST], d[MOST], want[MOST], got[MOST];
static _Alignas(64) float room_a[MOST], room_b[MOST]; /* packed operands */
static float bias[MOST];
static uint16_t narrow_got[MOST];

static void fill(float *values, uint64_t stream, size_t n, double scale)
{
    for (size_t i = 0; i < n; i++) values[i] = (float)(scale * test_value(stream, i));
}

/* Calls check for the table of every instruction set up to the best that this processor has. */
static void with_each_table(void (*check)(const struct kernels *k))
{
    const struct kernels *all[] = {&kernels_portable, &kernels_avx2, &kernels_avx512,
                                   &kernels_avx512_bf16, &kernels_amx};
    int i = 0;
    do check(all[i]);
    while (all[i++] != kernels_best());
}

/* A value as its element keeps it. */
static float kept(float value, enum element element)
{
    uint16_t half;
    if (element == ELEMENT_F32) return value;
    kernels_portable.to_bf16(&half, &value, 1);
    uint32_t bits = (uint32_t)half << 16;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* out = values in the element's storage; values become what is stored. */
static void store(void *out, float *values, enum element element, size_t n)
{
    for (size_t i = 0; i < n; i++) values[i] = kept(values[i], element);
    if (element == ELEMENT_BF16)
        kernels_portable.to_bf16(out, values, n);
    else
        memcpy(out, values, n * sizeof *values);
}

/* ---- conversion ---- */

static void check_conversion(const struct kernels *k)
{
    static const struct {
        uint32_t bits;
        uint16_t half;
    } known[] = {
        {0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f818000, 0x3f82}, {0x3f808001, 0x3f81},
        {0x80000000, 0x8000}, {0x00000001, 0x0000}, {0x0000ffff, 0x0001}, {0x7f800000, 0x7f80},
        {0xff800000, 0xff80}, {0x7f7fffff, 0x7f80}, {0x7f800001, 0x7fc0}, {0xffc12345, 0xffc1},
    };
    enum { KNOWN = sizeof known / sizeof *known };
    uint16_t halves[40] = {0};
    for (int i = 0; i < 36; i++) memcpy(&a[i], &known[i % KNOWN].bits, 4);
    k->to_bf16(halves, a, 36);
    for (int i = 0; i < 36; i++) {
        bool denormal = (known[i % KNOWN].bits & 0x7f800000) == 0;
        if (denormal && (halves[i] & 0x7fff) == 0) continue;
        ck_assert_uint_eq(halves[i], known[i % KNOWN].half);
    }
    ck_assert_uint_eq(halves[36], 0);
    k->to_f32(b, halves, ELEMENT_BF16, 36);
    for (int i = 0; i < 36; i++) {
        uint32_t bits;
        memcpy(&bits, &b[i], 4);
        ck_assert_uint_eq(bits, (uint32_t)halves[i] << 16);
    }
}

START_TEST(bf16_rounds_to_nearest_even)
{
    with_each_table(check_conversion);
}
END_TEST

/* ---- sums ---- */

static void check_sums(const struct kernels *k)
{
    for (int i = 0; i < SIZES; i++)
        for (int e = 0; e < 2; e++) {
            int cols = sizes[i], rows = 5;
            fill(a, 1, (size_t)rows * cols, 1);
            fill(want, 2, (size_t)cols, 1);
            memcpy(got, want, (size_t)cols * sizeof *got);
            store(b, a, (enum element)e, (size_t)rows * cols);
            for (int j = 0; j < rows * cols; j++) want[j % (cols ? cols : 1)] += a[j];
            k->add_rows(got, b, (enum element)e, rows, cols);
            check_close(got, want, (size_t)cols, 1e-6);
            k->add(got, got, (size_t)cols);
            for (int j = 0; j < cols; j++) want[j] *= 2;
            check_close(got, want, (size_t)cols, 1e-6);
        }
}

START_TEST(sums_equal_naive_ones)
{
    with_each_table(check_sums);
}
END_TEST

/* ---- activations ---- */

static double activation(double x, enum activation kind)
{
    if (kind == ACTIVATION_RELU) return x > 0 ? x : 0;
    if (kind == ACTIVATION_GELU) return 0.5 * x * erfc(-x / sqrt(2));
    return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979) * (x + 0.044715 * x * x * x)));
}

static double slope(double x, enum activation kind)
{
    if (kind == ACTIVATION_RELU) return x >= 0;
    return (activation(x + 1e-5, kind) - activation(x - 1e-5, kind)) / 2e-5;
}

/* Errors observed: f32 3e-7 times the argument; bf16 is half a unit of its 8 bits. */
static void check_activations(const struct kernels *k)
{
    enum { COUNT = 4001 };
    for (int kind = 0; kind < 3; kind++)
        for (int e = 0; e < 2; e++) {
            for (int i = 0; i < COUNT; i++) a[i] = (float)(i - 2000) * 0.005f;
            fill(d, 3, COUNT, 1);
            store(b, a, (enum element)e, COUNT);
            store(c, d, (enum element)e, COUNT);
            double unit = e ? 0.005 : 1e-6;
            k->activation_forward(got, b, COUNT, (enum activation)kind, (enum element)e);
            k->to_f32(want, got, (enum element)e, COUNT);
            for (int i = 0; i < COUNT; i++)
                ck_assert_double_eq_tol(want[i], activation(a[i], (enum activation)kind),
                                        unit * (1 + fabs((double)a[i])));
            k->activation_backward(c, b, c, b, COUNT, (enum activation)kind, (enum element)e);
            ck_assert_mem_eq(b, got, COUNT * (e ? 2 : 4)); /* the output once more */
            k->to_f32(want, c, (enum element)e, COUNT);
            for (int i = 0; i < COUNT; i++)
                ck_assert_double_eq_tol(want[i], d[i] * slope(a[i], (enum activation)kind),
                                        unit * 1.5 + 1e-6);
        }
}

START_TEST(activations_and_slopes_equal_the_formulas)
{
    with_each_table(check_activations);
}
END_TEST

static void check_not_a_number(const struct kernels *k)
{
    for (int kind = 0; kind < 3; kind++) {
        for (int i = 0; i < 40; i++) a[i] = i % 3 ? 1 : NAN;
        k->activation_forward(got, a, 40, (enum activation)kind, ELEMENT_F32);
        for (int i = 0; i < 40; i++) ck_assert_int_eq(isnan(got[i]) != 0, i % 3 == 0);
    }
    for (int i = 0; i < 40; i++) a[i] = (float)i;
    a[35] = NAN;
    k->softmax_forward(a, ELEMENT_F32, a, 1, 40, 48, 1);
    for (int i = 0; i < 40; i++) ck_assert(isnan(a[i]));
}

START_TEST(not_a_number_stays_so)
{
    with_each_table(check_not_a_number);
}
END_TEST

/* ---- layer normalisation ---- */

enum { NORM_ROWS = 3 };

static void naive_norm(const struct norm_forward *n, double *normal, double *inverse)
{
    for (int r = 0; r < n->rows; r++) {
        double mean = 0, variance = 0;
        for (int i = 0; i < n->cols; i++) {
            double sum = n->x[r * n->cols + i] + (n->y ? (double)n->y[r * n->cols + i] : 0);
            normal[r * n->cols + i] = sum;
            mean += sum / n->cols;
        }
        for (int i = 0; i < n->cols; i++) {
            normal[r * n->cols + i] -= mean;
            variance += normal[r * n->cols + i] * normal[r * n->cols + i] / n->cols;
        }
        inverse[r] = 1 / sqrt(variance + n->epsilon);
        for (int i = 0; i < n->cols; i++) {
            normal[r * n->cols + i] *= inverse[r];
            want[r * n->cols + i] = (float)(normal[r * n->cols + i] * n->gain[i] + n->bias[i]);
        }
    }
}

static void check_norm_size(const struct kernels *k, int cols, enum element element, bool add)
{
    static double normal[NORM_ROWS * 400], inverse[NORM_ROWS];
    float normals[NORM_ROWS * 400], inverses[NORM_ROWS];
    uint16_t halves[NORM_ROWS * 400];
    size_t n = (size_t)NORM_ROWS * cols;
    fill(a, 1, n, 3), fill(b, 2, n, 1), fill(c, 3, n, 1), fill(d, 4, n, 1);
    struct norm_forward f = {.rows = NORM_ROWS,
                             .cols = cols,
                             .out = got,
                             .out_bf16 = halves,
                             .normal = normals,
                             .element = element,
                             .inverse = inverses,
                             .x = a,
                             .y = add ? b : NULL,
                             .gain = c,
                             .bias = d,
                             .epsilon = 1e-5};
    naive_norm(&f, normal, inverse);
    k->norm_forward(&f);
    check_close(got, want, n, 2e-6);
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        k->to_bf16(&half, &got[i], 1);
        ck_assert_uint_eq(halves[i], half);
    }
    k->to_f32(got, normals, element, n);
    for (size_t i = 0; i < n; i++)
        ck_assert_double_eq_tol(got[i], normal[i],
                                (element ? 0.004 : 2e-6) * (1 + fabs(normal[i])));
    for (int r = 0; r < NORM_ROWS; r++) ck_assert_double_eq_tol(inverses[r] / inverse[r], 1, 1e-5);
}

/* d_x by the formula from the same kept values. */
static void check_norm_backward(const struct kernels *k, int cols, enum element element)
{
    size_t n = (size_t)NORM_ROWS * cols;
    float inverses[NORM_ROWS] = {0.5f, 2, 1}, d_gain[800], d_bias[800];
    fill(a, 1, n, 1), fill(b, 2, n, 2), fill(c, 3, (size_t)cols, 1);
    store(d, b, element, n);
    for (int i = 0; i < cols; i++) {
        d_gain[i] = d_bias[i] = 1; /* what was there stays */
        d_gain[400 + i] = d_bias[400 + i] = 1;
        for (int r = 0; r < NORM_ROWS; r++) {
            d_gain[400 + i] += a[r * cols + i] * b[r * cols + i];
            d_bias[400 + i] += a[r * cols + i];
        }
    }
    for (int r = 0; r < NORM_ROWS; r++) {
        double mean = 0, dot = 0;
        for (int i = 0; i < cols; i++) {
            mean += (double)a[r * cols + i] * c[i] / cols;
            dot += (double)a[r * cols + i] * c[i] * b[r * cols + i] / cols;
        }
        for (int i = 0; i < cols; i++)
            want[r * cols + i] = (float)(inverses[r] * ((double)a[r * cols + i] * c[i] - mean -
                                                        b[r * cols + i] * dot));
    }
    k->norm_backward(&(struct norm_backward){.rows = NORM_ROWS,
                                             .cols = cols,
                                             .d_x = a,
                                             .d_gain = d_gain,
                                             .d_bias = d_bias,
                                             .d_out = a,
                                             .normal = d,
                                             .element = element,
                                             .inverse = inverses,
                                             .gain = c});
    check_close(a, want, n, 2e-6);
    check_close(d_gain, d_gain + 400, (size_t)cols, 1e-6);
    check_close(d_bias, d_bias + 400, (size_t)cols, 1e-6);
}

static void check_norms(const struct kernels *k)
{
    for (int i = 2; i < SIZES; i++)
        for (int e = 0; e < 2; e++) {
            check_norm_size(k, sizes[i], (enum element)e, false);
            check_norm_size(k, sizes[i], (enum element)e, true);
            check_norm_backward(k, sizes[i], (enum element)e);
        }
}

START_TEST(norms_and_their_gradients_equal_the_formulas)
{
    with_each_table(check_norms);
}
END_TEST

/* ---- dropout ---- */

static void check_dropout(const struct kernels *k)
{
    enum { COUNT = 100000 };
    struct dropout tenth = {.key = 0x123456789abcdef, .threshold = 429496730, .scale = 1.25f};
    for (int i = 0; i < COUNT; i++) a[i] = 2;
    k->dropout(got, a, COUNT, &tenth);
    kernels_portable.dropout(want, a, COUNT, &tenth);
    ck_assert_mem_eq(got, want, COUNT * sizeof *got); /* one mask, whatever the instructions */
    int dropped = 0, pairs = 0;
    for (int i = 0; i < COUNT; i++) {
        ck_assert(got[i] == 0 || got[i] == 2.5f);
        dropped += got[i] == 0;
        pairs += i > 0 && got[i] == 0 && got[i - 1] == 0;
    }
    ck_assert_int_lt(abs(dropped - COUNT / 10), 400); /* deviation 95 */
    ck_assert_int_lt(abs(pairs - COUNT / 100), 150);
    tenth.key++;
    k->dropout(got, a, COUNT, &tenth);
    int both = 0;
    for (int i = 0; i < COUNT; i++) both += got[i] == 0 && want[i] == 0;
    ck_assert_int_lt(abs(both - COUNT / 100), 150); /* masks of neighbouring keys are unrelated */
}

START_TEST(dropout_drops_its_share_by_key_and_index_alone)
{
    with_each_table(check_dropout);
}
END_TEST

/* ---- small products, softmax, gathering ---- */

/* c [m, n] (+)= a [m, k] b [k, n] from plain a and b, packed as the product wants them; a is given
 * transposed on demand. */
static void check_product(const struct kernels *k, enum element element, const struct product *size,
                          bool transposed)
{
    int m = size->m, n = size->n, depth = size->k, even = (depth + 1) / 2 * 2;
    size_t room = (size_t)kernel_padded(n);
    struct product p = *size;
    memset(a, 0, sizeof *a * (size_t)(m + 1) * (even + 1)); /* zeros behind an odd depth */
    for (int i = 0; i < m; i++) fill(a + i * even, (uint64_t)i, (size_t)depth, 1);
    fill(b, 100, (size_t)depth * n, 1);
    store(c, a, element, (size_t)m * even);
    store(d, b, element, (size_t)depth * n);
    k->pack_rows(room_b, d, element, depth, n, (size_t)n);
    fill(got, 3, (size_t)m * room, 1), fill(want, 3, (size_t)m * room, 1);
    p.element = element, p.c = got, p.c_row = room;
    if (p.bias) fill(bias, 5, room, 1);
    p.a = c, p.a_row = (size_t)even, p.a_col = element == ELEMENT_BF16 ? 2 : 1;
    p.b = room_b, p.b_row = element == ELEMENT_BF16 ? 2 * room : room;
    if (transposed) { /* a^T lies as pack_columns packs a right operand: its words are a's */
        k->pack_columns(room_a, c, element, m, depth, (size_t)even);
        p.a = room_a, p.a_row = p.a_col, p.a_col *= (size_t)kernel_padded(m);
    }
    k->multiply(&p);
    if (p.c_element == ELEMENT_BF16) {
        memcpy(narrow_got, got, (size_t)m * room * sizeof *narrow_got);
        k->to_f32(got, narrow_got, ELEMENT_BF16, (size_t)m * room);
    }
    double tolerance = p.c_element == ELEMENT_BF16 ? 0.004 : 0; /* half a unit of 8 bits */
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double total = p.add ? want[i * room + j] : p.bias ? p.bias[j] : 0;
            for (int l = 0; l < depth; l++) total += (double)a[i * even + l] * b[l * n + j];
            ck_assert_double_eq_tol(got[i * room + j], total,
                                    1e-7 * (depth + 2) + tolerance * fabs(total));
        }
}

static void check_products(const struct kernels *k)
{
    static const int rows[] = {0, 1, 2, 3, 6, 11, 16, 24, 33, 49};
    static const int depths[] = {0, 1, 17, 32, 47, 64};
    static const int cols[] = {1, 15, 17, 33, 64, 80};
    for (int i = 0; i < 10; i++)
        for (int j = 0; j < 6; j++)
            for (int l = 0; l < 6; l++)
                for (int bits = 0; bits < 32; bits++) {
                    struct product size = {.m = rows[i],
                                           .n = cols[j],
                                           .k = depths[l],
                                           .c_element = (enum element)(bits >> 3 & 1),
                                           .bias = bits & 16 ? bias : NULL,
                                           .add = bits & 1};
                    if (size.add && (size.bias || size.c_element)) continue;
                    check_product(k, (enum element)(bits >> 1 & 1), &size, bits & 4);
                }
}

/* Bytes as pack_rows would lay them, were they words: four rows of b side by side. */
static void check_bytes(const struct kernels *k)
{
    static const int sizes_of[][3] = {{0, 16, 4},   {1, 1, 4},     {7, 33, 20},  {16, 32, 64},
                                      {33, 48, 68}, {49, 80, 128}, {65, 64, 384}};
    if (!k->multiplies_int8) return;
    for (size_t s = 0; s < sizeof sizes_of / sizeof *sizes_of; s++) {
        int m = sizes_of[s][0], n = sizes_of[s][1], depth = sizes_of[s][2];
        size_t room = (size_t)kernel_padded(n);
        uint8_t *left = (uint8_t *)room_a;
        int8_t *right = (int8_t *)room_b;
        for (int i = 0; i < m * depth; i++) left[i] = (uint8_t)random_bits(1, s, (uint64_t)i);
        memset(right, 0, room * (size_t)depth);
        for (int l = 0; l < depth; l++)
            for (int j = 0; j < n; j++)
                right[(l / 4 * room + j) * 4 + l % 4] =
                    (int8_t)random_bits(2, (uint64_t)l, (uint64_t)j);
        k->multiply(&(struct product){.element = ELEMENT_INT8,
                                      .m = m,
                                      .n = n,
                                      .k = depth,
                                      .c = got,
                                      .c_row = room,
                                      .a = left,
                                      .a_row = (size_t)depth,
                                      .a_col = 4,
                                      .b = right,
                                      .b_row = 4 * room});
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++) {
                int32_t total = 0;
                for (int l = 0; l < depth; l++)
                    total += left[i * depth + l] * right[(l / 4 * room + j) * 4 + l % 4];
                ck_assert_float_eq(got[i * room + j], (float)total);
            }
    }
}

START_TEST(small_products_equal_naive_sums)
{
    with_each_table(check_products);
    with_each_table(check_bytes);
}
END_TEST

/* Rows of both signs, and of scores far below the highest. */
static void check_softmax_size(const struct kernels *k, int n, float scale)
{
    enum { ROWS = 19, STRIDE = 400 };
    float dot[ROWS];
    uint16_t halves[ROWS * STRIDE], half;
    fill(a, 1, (size_t)ROWS * STRIDE, 60 / (double)scale), fill(d, 2, (size_t)ROWS * STRIDE, 1);
    memcpy(b, a, sizeof(float) * ROWS * STRIDE);
    memcpy(got, a, sizeof(float) * ROWS * STRIDE);
    k->softmax_forward(halves, ELEMENT_BF16, b, ROWS, n, STRIDE, scale);
    k->softmax_forward(got, ELEMENT_F32, got, ROWS, n, STRIDE, scale);
    k->row_dots(dot, got, d, ELEMENT_F32, ROWS, n, STRIDE);
    memcpy(b, d, sizeof(float) * ROWS * STRIDE);
    k->softmax_backward(b, got, dot, ROWS, n, STRIDE);
    for (int r = 0; r < ROWS; r++) {
        const float *x = a + r * STRIDE, *up = d + r * STRIDE, *p_got = got + r * STRIDE;
        double highest = -INFINITY, sum = 0, inner = 0;
        for (int i = 0; i < n; i++) highest = fmax(highest, scale * (double)x[i]);
        for (int i = 0; i < n; i++) sum += exp(scale * (double)x[i] - highest);
        for (int i = 0; i < n; i++) inner += exp(scale * (double)x[i] - highest) / sum * up[i];
        ck_assert_double_eq_tol(dot[r], inner, 1e-5);
        for (int i = 0; i < n; i++) {
            double p = exp(scale * (double)x[i] - highest) / sum;
            ck_assert_double_eq_tol(p_got[i], p, 1e-6 + 1e-5 * p);
            ck_assert_double_eq_tol(b[r * STRIDE + i], p * (up[i] - inner), 3e-6 + 1e-5 * p);
        }
        for (int i = 0; i < kernel_padded(n); i++) {
            k->to_bf16(&half, &p_got[i], 1);
            if (fabsf(p_got[i]) > 1e-37f) ck_assert_uint_eq(halves[r * STRIDE + i], half);
            if (i >= n) ck_assert(p_got[i] == 0 && halves[r * STRIDE + i] == 0);
        }
        if (n % KERNEL_LANES == 0) ck_assert(p_got[n] == a[r * STRIDE + n]);
    }
}

static void check_softmax(const struct kernels *k)
{
    for (int s = 1; s < SIZES; s++) {
        check_softmax_size(k, sizes[s], 1);
        check_softmax_size(k, sizes[s], 0.176776695f);
    }
}

START_TEST(softmax_and_its_gradient_equal_the_formulas)
{
    with_each_table(check_softmax);
}
END_TEST

/* The value at (row, col) of a packed right operand of n columns. */
static float packed_at(const void *packed, enum element element, int row, int col, int n)
{
    size_t padded = (size_t)kernel_padded(n);
    if (element == ELEMENT_F32) return ((const float *)packed)[row * padded + col];
    float value;
    const uint16_t *halves = packed;
    kernels_portable.to_f32(&value, &halves[2 * (row / 2 * padded + col) + row % 2], element, 1);
    return value;
}

static void check_packing_size(const struct kernels *k, enum element element, int rows, int cols)
{
    int stride = cols + 3, step = element == ELEMENT_BF16 ? 2 : 1;
    fill(a, 1, (size_t)rows * stride, 1);
    store(b, a, element, (size_t)rows * stride);
    k->pack_rows(room_b, b, element, rows, cols, (size_t)stride);
    for (int i = 0; i < (rows + step - 1) / step * step; i++)
        for (int j = 0; j < kernel_padded(cols); j++)
            ck_assert_float_eq(packed_at(room_b, element, i, j, cols),
                               i < rows && j < cols ? a[i * stride + j] : 0);
    k->pack_columns(room_b, b, element, rows, cols, (size_t)stride);
    for (int i = 0; i < (cols + step - 1) / step * step; i++)
        for (int j = 0; j < kernel_padded(rows); j++)
            ck_assert_float_eq(packed_at(room_b, element, i, j, rows),
                               i < cols && j < rows ? a[j * stride + i] : 0);
}

static void check_scatter_size(const struct kernels *k, enum element element, int rows, int cols)
{
    int stride = cols + 3, padded = kernel_padded(cols);
    fill(a, 1, (size_t)rows * padded, 1);
    memset(c, 0, sizeof(float) * (size_t)rows * stride);
    k->scatter(c, element, a, rows, cols, (size_t)stride, 0.3f);
    k->to_f32(got, c, element, (size_t)rows * stride);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < stride; j++)
            ck_assert_float_eq(got[i * stride + j],
                               j < cols ? kept(0.3f * a[i * padded + j], element) : 0);
    float dot[400];
    k->row_dots(dot, c, c, element, rows, cols, (size_t)stride);
    for (int i = 0; i < rows; i++) {
        double sum = 0;
        for (int j = 0; j < cols; j++)
            sum += (double)got[i * stride + j] * (double)got[i * stride + j];
        ck_assert_double_eq_tol(dot[i], sum, 1e-5 * (1 + sum));
    }
}

static void check_heads(const struct kernels *k)
{
    for (int s = 1; s < SIZES; s++)
        for (int e = 0; e < 2; e++) {
            check_packing_size(k, (enum element)e, sizes[s], sizes[SIZES - s]);
            check_scatter_size(k, (enum element)e, sizes[s], sizes[SIZES - s]);
        }
}

START_TEST(heads_are_packed_scattered_and_multiplied_by_row)
{
    with_each_table(check_heads);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(bf16_rounds_to_nearest_even),
        TEST(sums_equal_naive_ones),
        TEST(activations_and_slopes_equal_the_formulas),
        TEST(not_a_number_stays_so),
        TEST(norms_and_their_gradients_equal_the_formulas),
        TEST(dropout_drops_its_share_by_key_and_index_alone),
        TEST(small_products_equal_naive_sums),
        TEST(softmax_and_its_gradient_equal_the_formulas),
        TEST(heads_are_packed_scattered_and_multiplied_by_row),
        {0},
    };
    return run_tests("nn/kernels", rows);
}
