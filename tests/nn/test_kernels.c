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

static void fill(float *values, uint64_t stream, size_t n, double scale)
{
    for (size_t i = 0; i < n; i++) values[i] = (float)(scale * test_value(stream, i));
}

/* Calls check for the table of every instruction set up to the best that this processor has. */
static void with_each_table(void (*check)(const struct kernels *k))
{
    const struct kernels *all[] = {&kernels_portable, &kernels_avx2, &kernels_avx512};
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
    for (int i = 0; i < 36; i++) ck_assert_uint_eq(halves[i], known[i % KNOWN].half);
    ck_assert_uint_eq(halves[36], 0);
    k->to_f32(b, halves, ELEMENT_BF16, 36);
    for (int i = 0; i < 36; i++) {
        uint32_t bits;
        memcpy(&bits, &b[i], 4);
        ck_assert_uint_eq(bits, (uint32_t)known[i % KNOWN].half << 16);
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
    k->softmax_forward(a, 1, 40, 40);
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

static void check_product(const struct kernels *k, int m, int n, int depth, bool transposed,
                          bool sum)
{
    size_t room = (size_t)kernel_padded(n);
    fill(a, 1, (size_t)m * depth, 1), fill(b, 2, (size_t)depth * room, 1);
    fill(got, 3, (size_t)m * room, 1), fill(want, 3, (size_t)m * room, 1);
    struct product p = {.m = m,
                        .n = n,
                        .k = depth,
                        .c = got,
                        .c_row = room,
                        .a = a,
                        .a_row = transposed ? 1 : (size_t)depth,
                        .a_col = transposed ? (size_t)m : 1,
                        .b = b,
                        .b_row = room,
                        .add = sum};
    k->multiply(&p);
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
            double total = sum ? want[i * room + j] : 0;
            for (int l = 0; l < depth; l++)
                total += (double)a[i * p.a_row + l * p.a_col] * b[l * room + j];
            want[i * room + j] = (float)total;
        }
        check_close(got + i * room, want + i * room, (size_t)n, 2e-5);
    }
}

static void check_products(const struct kernels *k)
{
    static const int rows[] = {0, 1, 2, 3, 5, 6, 7, 11, 24}, depths[] = {0, 1, 15, 17, 64};
    static const int cols[] = {1, 15, 16, 17, 33, 64, 80, 129};
    for (int i = 0; i < 9; i++)
        for (int j = 0; j < 8; j++)
            for (int l = 0; l < 5; l++)
                for (int bits = 0; bits < 4; bits++)
                    check_product(k, rows[i], cols[j], depths[l], bits & 1, bits & 2);
}

START_TEST(small_products_equal_naive_sums)
{
    with_each_table(check_products);
}
END_TEST

static void check_softmax(const struct kernels *k)
{
    enum { ROWS = 3, STRIDE = 400 };
    for (int s = 1; s < SIZES; s++) {
        int n = sizes[s];
        float dot[ROWS];
        fill(a, 1, (size_t)ROWS * STRIDE, 60), fill(d, 2, (size_t)ROWS * STRIDE, 1);
        memcpy(got, a, sizeof(float) * ROWS * STRIDE);
        k->softmax_forward(got, ROWS, n, STRIDE);
        k->row_dots(dot, got, d, ROWS, n, STRIDE);
        memcpy(b, d, sizeof(float) * ROWS * STRIDE);
        k->softmax_backward(b, got, dot, ROWS, n, STRIDE);
        for (int r = 0; r < ROWS; r++) {
            const float *x = a + r * STRIDE, *up = d + r * STRIDE;
            double highest = -INFINITY, sum = 0, inner = 0;
            for (int i = 0; i < n; i++) highest = fmax(highest, x[i]);
            for (int i = 0; i < n; i++) sum += exp(x[i] - highest);
            for (int i = 0; i < n; i++) inner += exp(x[i] - highest) / sum * up[i];
            ck_assert_double_eq_tol(dot[r], inner, 1e-5);
            for (int i = 0; i < n; i++) {
                double p = exp(x[i] - highest) / sum;
                ck_assert_double_eq_tol(got[r * STRIDE + i], p, 1e-6);
                ck_assert_double_eq_tol(b[r * STRIDE + i], p * (up[i] - inner), 3e-6);
            }
            for (int i = n; i < kernel_padded(n); i++) ck_assert(got[r * STRIDE + i] == 0);
            if (n % KERNEL_LANES == 0) ck_assert(got[r * STRIDE + n] == a[r * STRIDE + n]);
        }
    }
}

START_TEST(softmax_and_its_gradient_equal_the_formulas)
{
    with_each_table(check_softmax);
}
END_TEST

static void check_gather(const struct kernels *k)
{
    for (int s = 1; s < SIZES; s++)
        for (int e = 0; e < 2; e++) {
            int rows = sizes[s], cols = sizes[SIZES - s], stride = cols + 3;
            int padded = kernel_padded(cols), tall = kernel_padded(rows);
            fill(a, 1, (size_t)rows * stride, 1);
            store(b, a, (enum element)e, (size_t)rows * stride);
            k->gather(got, b, (enum element)e, rows, cols, (size_t)stride, 0.5f);
            k->transpose(d, got, rows, cols, (size_t)padded, 2);
            memset(c, 0, sizeof(float) * (size_t)rows * stride);
            k->scatter(c, (enum element)e, got, rows, cols, (size_t)stride, 2);
            k->to_f32(want, c, (enum element)e, (size_t)rows * stride);
            for (int i = 0; i < rows; i++)
                for (int j = 0; j < padded; j++) {
                    float value = j < cols ? a[i * stride + j] : 0;
                    ck_assert_float_eq(got[i * padded + j], 0.5f * value);
                    if (j < cols) ck_assert_float_eq(d[j * tall + i], value);
                    if (j < stride) ck_assert_float_eq(want[i * stride + j], value);
                }
            for (int j = 0; j < cols; j++)
                for (int i = rows; i < tall; i++) ck_assert_float_eq(d[j * tall + i], 0);
        }
}

START_TEST(heads_are_gathered_transposed_and_scattered)
{
    with_each_table(check_gather);
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
        TEST(heads_are_gathered_transposed_and_scattered),
        {0},
    };
    return run_tests("nn/kernels", rows);
}
