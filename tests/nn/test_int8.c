/* int8: its kernels and linear layers against naive twins in double; an encoder in int8 against
 * f32, and alone against among others. */
#include "tests/encoder_twin.h"
#include "tests/support.h"

#include "data/threads.h"
#include "nn/dnn.h"
#include "nn/encode.h"
#include "nn/kernels_int8.h"
#include "nn/quantize.h"
#include "nn/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int sizes[] = {1, 2, 7, 15, 16, 17, 31, 33, 64, 100, 384, 387};
enum { SIZES = sizeof sizes / sizeof *sizes, ROWS = 17, MOST = ROWS * 400 };

static float a[MOST], b[MOST], c[MOST], factor[400], scale[400], sum[400], bias[400];
static uint8_t bytes[MOST + 1];
static float row_scale[ROWS], row_low[ROWS];
static const struct quantized rows_out = {bytes, row_scale, row_low};

static void fill(float *values, uint64_t stream, size_t n, double by)
{
    for (size_t i = 0; i < n; i++) values[i] = (float)(by * test_value(stream, i));
}

/* Calls check for the table of every instruction set up to the best that this processor has. */
static void with_each_table(void (*check)(const struct int8_kernels *k))
{
    const struct int8_kernels *all[] = {&kernels_int8_portable, &kernels_int8_avx2,
                                        &kernels_int8_avx512, &kernels_int8_avx512_bf16,
                                        &kernels_int8_amx};
    int i = 0;
    do check(all[i]);
    while (all[i++] != int8_kernels_best());
}

/* out = values in the element's storage; values become what is stored. */
static void store(void *out, float *values, enum element element, size_t n)
{
    uint16_t *halves = out;
    if (element == ELEMENT_BF16) {
        kernels_best()->to_bf16(halves, values, n);
        kernels_best()->to_f32(values, halves, element, n);
    } else {
        memcpy(out, values, n * sizeof *values);
    }
}

/* ---- kernels ---- */

/* Row `row` of rows_out against what the twin makes of x [cols]: the lowest value is 0, the highest
 * 255, each other the nearest (or its neighbour, where x stands between two). */
static void check_row(int row, const double *x, int cols, double slack)
{
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < cols; i++) low = fmin(low, x[i]), high = fmax(high, x[i]);
    double step = (high - low) / 255;
    ck_assert_double_eq_tol(row_low[row], low, slack + 1e-30 + 1e-6 * fabs(low));
    ck_assert_double_eq_tol(row_scale[row], step, slack + 1e-30 + 1e-5 * step);
    for (int i = 0; i < cols; i++) {
        double back = (double)row_scale[row] * bytes[row * cols + i] + (double)row_low[row];
        ck_assert_double_eq_tol(back, x[i], 0.501 * step + slack + 1e-30 + 1e-6 * fabs(x[i]));
        if (slack == 0 && cols > 1 && x[i] == low) ck_assert_uint_eq(bytes[row * cols + i], 0);
        if (slack == 0 && cols > 1 && x[i] == high) ck_assert_uint_eq(bytes[row * cols + i], 255);
    }
}

static void check_quantize(const struct int8_kernels *k)
{
    for (int s = 0; s < SIZES; s++)
        for (int e = 0; e < 2; e++) {
            int cols = sizes[s];
            double x[400];
            fill(a, 1, (size_t)ROWS * cols, 3);
            fill(factor, 2, (size_t)cols, 1);
            for (int i = 0; i < 4 * cols; i++) a[i] *= powf(10, (float)(i / cols * 9 - 18));
            store(b, a, (enum element)e, (size_t)ROWS * cols);
            bytes[ROWS * cols] = 77;
            k->quantize(&rows_out, b, (enum element)e, factor, ROWS, cols);
            ck_assert_uint_eq(bytes[ROWS * cols], 77);
            for (int row = 0; row < ROWS; row++) {
                for (int i = 0; i < cols; i++) x[i] = a[row * cols + i] * factor[i];
                check_row(row, x, cols, 0);
            }
        }
}

START_TEST(rows_are_quantised_to_the_nearest_byte)
{
    with_each_table(check_quantize);
}
END_TEST

static void check_extremes(const struct int8_kernels *k)
{
    enum { COLS = 19 };
    static const float values[] = {0, -3, 1e-40f, NAN, INFINITY, -INFINITY, 1e38f};
    enum { EXTREMES = sizeof values / sizeof *values };
    for (int i = 0; i < COLS; i++) factor[i] = 1;
    for (int v = 0; v < EXTREMES; v++)
        for (int i = 0; i < COLS; i++)
            a[v * COLS + i] = v < 2 || i == 7 ? values[v] : v == 2 ? 0 : (float)(i - 9);
    k->quantize(&rows_out, a, ELEMENT_F32, factor, EXTREMES, COLS);
    for (int v = 0; v < 3; v++) { /* constant, or as good as */
        ck_assert(row_scale[v] == 0 && row_low[v] == (v == 1 ? -3 : 0));
        for (int i = 0; i < COLS; i++) ck_assert_uint_eq(bytes[v * COLS + i], 0);
    }
    for (int v = 3; v < 6; v++) {
        ck_assert(row_scale[v] == 0 && isnan(row_low[v]));
        for (int i = 0; i < COLS; i++) ck_assert_uint_eq(bytes[v * COLS + i], 0);
    }
    ck_assert_float_eq_tol(row_scale[6], 1e38f / 255, 1e31f);
    ck_assert_uint_eq(bytes[6 * COLS + 7], 255);
}

START_TEST(constant_tiny_and_infinite_rows)
{
    with_each_table(check_extremes);
}
END_TEST

/* a: products, whole numbers; channels; rows. */
static struct channels make_products(int cols)
{
    for (int i = 0; i < ROWS * cols; i++)
        a[i] = (float)(int)(random_bits(4, 1, (uint64_t)i) % 40000000) - 2e7f;
    fill(scale, 5, (size_t)cols, 1e-3), fill(sum, 6, (size_t)cols, 3),
        fill(bias, 7, (size_t)cols, 1);
    for (int i = 0; i < cols; i++) scale[i] = fabsf(scale[i]);
    fill(row_scale, 8, ROWS, 1e-4), fill(row_low, 9, ROWS, 1);
    for (int row = 0; row < ROWS; row++) row_scale[row] = fabsf(row_scale[row]);
    row_scale[3] = 0;
    return (struct channels){scale, sum, bias};
}

static double number_of(int row, int col, int cols)
{
    return (double)row_scale[row] * scale[col] * a[row * cols + col] +
           (double)row_low[row] * sum[col] + bias[col];
}

/* Errors observed: f32 2e-7 of the largest; bf16 is half a unit of its 8 bits. */
static void check_dequantize(const struct int8_kernels *k)
{
    for (int s = 0; s < SIZES; s++)
        for (int e = 0; e < 2; e++) {
            int cols = sizes[s];
            struct channels channels = make_products(cols);
            size_t count = (size_t)ROWS * cols;
            for (size_t i = 0; i < count; i++)
                c[i] = (float)number_of((int)i / cols, (int)i % cols, cols);
            k->dequantize(b, (enum element)e, a, &rows_out, &channels, ROWS, cols);
            kernels_best()->to_f32(e ? a : b, b, (enum element)e, e ? count : 0);
            check_close(e ? a : b, c, count, e ? 4e-3 : 1e-6);
            if (!e) { /* in place */
                k->dequantize(a, ELEMENT_F32, a, &rows_out, &channels, ROWS, cols);
                ck_assert_mem_eq(a, b, count * sizeof *a);
            }
        }
}

START_TEST(products_become_numbers)
{
    with_each_table(check_dequantize);
}
END_TEST

static double activation(double x, enum activation kind)
{
    if (kind == ACTIVATION_RELU) return x > 0 ? x : 0;
    if (kind == ACTIVATION_GELU) return 0.5 * x * erfc(-x / sqrt(2));
    return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979) * (x + 0.044715 * x * x * x)));
}

static void check_activate(const struct int8_kernels *k)
{
    for (int s = 0; s < SIZES; s++)
        for (int kind = 0; kind < 3; kind++) {
            int cols = sizes[s];
            static double x[MOST];
            struct channels channels = make_products(cols);
            fill(factor, 2, (size_t)cols, 1);
            for (int i = 0; i < ROWS * cols; i++)
                x[i] = activation(number_of(i / cols, i % cols, cols), (enum activation)kind) *
                       factor[i % cols];
            k->activate(&rows_out, factor, a, &rows_out, &channels, ROWS, cols,
                        (enum activation)kind);
            for (int row = 0; row < ROWS; row++) check_row(row, x + row * cols, cols, 1e-4);
        }
}

START_TEST(activations_between_products)
{
    with_each_table(check_activate);
}
END_TEST

/* ---- linear layers ---- */

enum { WEIGHTS = 387 * 100 };
static float weights[WEIGHTS], largest[400];
static int8_t weight_bytes[WEIGHTS];

/* What the bytes say is within half a step of the weights. */
START_TEST(weights_are_quantised_by_channel)
{
    struct quantization q = {0};
    for (int calibrated = 0; calibrated < 2; calibrated++)
        for (int s = 0; s < SIZES; s++) {
            int outputs = 100, inputs = sizes[s];
            fill(weights, 11, (size_t)outputs * inputs, 0.1);
            fill(largest, 12, (size_t)inputs, 4);
            for (int k = 0; k < inputs; k++) largest[k] = k % 5 ? fabsf(largest[k]) : 0;
            for (int k = 0; k < inputs; k++) weights[k] = 0; /* an output without weights */
            quantization_free(&q);
            quantization_of(&q, weight_bytes, weights, outputs, inputs,
                            calibrated ? largest : NULL);
            for (int j = 0; j < outputs; j++) {
                double total = 0, most = 0;
                for (int k = 0; k < inputs; k++) {
                    double want = (double)weights[j * inputs + k] / (double)q.factor[k];
                    double got = (double)q.scale[j] * weight_bytes[j * inputs + k];
                    ck_assert_double_eq_tol(got, want, 0.501 * (double)q.scale[j] + 1e-30);
                    total += got, most = fmax(most, fabs(want));
                }
                ck_assert_double_eq_tol(q.sum[j], total, 1e-6 * (1 + fabs(total)));
                ck_assert_double_eq_tol(q.scale[j], most / 127, 1e-30 + 1e-6 * most);
            }
        }
    quantization_free(&q);
}
END_TEST

START_TEST(factors_give_large_inputs_to_the_weights)
{
    struct quantization q = {0};
    const float of[] = {1, 0, 0.5f, 2, -4, 0.25f}; /* [2, 3]: largest 2, 4, 0.5 */
    const float channels[] = {8, 1, 0};            /* the last counts as a thousandth of 3 */
    quantization_of(&q, weight_bytes, of, 2, 3, channels);
    ck_assert_float_eq_tol(q.factor[0], 0.5f, 1e-6f);
    ck_assert_float_eq_tol(q.factor[1], 2, 1e-6f);
    ck_assert_float_eq_tol(q.factor[2], sqrtf(0.5f / 3e-3f), 1e-4f);
    const float unread[] = {1, 0, 2, 0};
    quantization_free(&q);
    quantization_of(&q, weight_bytes, unread, 2, 2, channels);
    ck_assert(q.factor[1] == 0 && weight_bytes[1] == 0 && weight_bytes[3] == 0);
    quantization_free(&q);
}
END_TEST

/* Whole numbers: exact, however many rows there are. */
START_TEST(products_of_bytes_are_exact)
{
    static const int shapes[][2] = {{1, 1}, {3, 5}, {15, 17}, {100, 387}, {64, 64}, {33, 100}};
    static const int rows_of[] = {0, 1, 2, 15, 16, 17};
    if (!dnn_has_fast_int8()) return;
    struct dnn *dnn = dnn_open();
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        int outputs = shapes[s][0], inputs = shapes[s][1];
        struct dnn_weights *w = dnn_weights_open(outputs, inputs, ELEMENT_INT8, DNN_FORWARD);
        for (int i = 0; i < outputs * inputs; i++)
            weight_bytes[i] = (int8_t)(random_bits(1, s, (uint64_t)i) % 255 - 127);
        for (int i = 0; i < ROWS * inputs; i++)
            bytes[i] = (uint8_t)(i < inputs ? 255 : random_bits(2, s, (uint64_t)i) % 256);
        dnn_weights_pack(dnn, w, weight_bytes);
        for (size_t r = 0; r < sizeof rows_of / sizeof *rows_of; r++) {
            dnn_linear_forward(dnn, a, bytes, w, NULL, rows_of[r], DNN_WRITE_F32);
            for (int i = 0; i < rows_of[r] * outputs; i++) {
                int want = 0;
                for (int k = 0; k < inputs; k++)
                    want +=
                        bytes[i / outputs * inputs + k] * weight_bytes[i % outputs * inputs + k];
                ck_assert_int_eq((int)a[i], want);
            }
        }
        dnn_weights_close(w);
    }
    dnn_close(dnn);
}
END_TEST

/* ---- encoders ---- */

/* Random weights of this size let errors grow: observed 0.03 at most. */
START_TEST(an_encoder_in_int8_is_close_to_f32)
{
    if (!dnn_has_fast_int8()) return;
    for (int t = 0; t < TRIALS; t++) {
        struct fixture exact, f;
        fixture_open(&exact, &trials[t], PRECISION_F32);
        fixture_open(&f, &trials[t], PRECISION_INT8);
        struct encoder_pass *pass = encoder_pass_open(&f.encoder),
                            *wanted = encoder_pass_open(&exact.encoder);
        int layers = f.config.num_layers;
        size_t count = (size_t)f.batch.num_tokens * f.config.hidden_size;
        encoder_forward(pass, &f.batch, (struct forward_mode){.num_layers = layers});
        encoder_forward(wanted, &exact.batch, (struct forward_mode){.num_layers = layers});
        ck_assert_mem_eq(encoder_hidden(pass, 0), encoder_hidden(wanted, 0), count * sizeof(float));
        check_close(encoder_hidden(pass, layers), encoder_hidden(wanted, layers), count, 0.05);
        ck_assert_mem_ne(encoder_hidden(pass, layers), encoder_hidden(wanted, layers), count);
        encoder_pass_close(pass), encoder_pass_close(wanted);
        fixture_close(&f), fixture_close(&exact);
    }
}
END_TEST

/* To the byte, in a used pass and in a batch of several blocks of rows. */
START_TEST(a_sequence_in_int8_does_not_depend_on_its_neighbours)
{
    if (!dnn_has_fast_int8()) return;
    struct fixture f;
    fixture_open(&f, &trials[0], PRECISION_INT8);
    struct encoder_pass *pass = encoder_pass_open(&f.encoder),
                        *alone = encoder_pass_open(&f.encoder);
    const struct forward_mode mode = {.num_layers = 2};
    struct batch all = {0}, one = {0};
    int hidden = f.config.hidden_size;
    for (int s = 0; s < 40; s++) {
        int32_t ids[30];
        size_t length = (size_t)(1 + s * 7 % 30);
        for (size_t i = 0; i < length; i++)
            ids[i] = (int32_t)(random_bits(6, (uint64_t)s, i) % VOCAB);
        batch_add(&all, ids, NULL, length);
    }
    encoder_forward(pass, &f.batch, mode);
    encoder_forward(pass, &all, mode);
    for (int s = 0; s < 40; s++) {
        int start = all.offsets[s], length = all.offsets[s + 1] - start;
        batch_clear(&one);
        batch_add(&one, all.ids + start, NULL, (size_t)length);
        encoder_forward(alone, &one, mode);
        ck_assert_mem_eq(encoder_hidden(pass, 2) + (size_t)start * hidden, encoder_hidden(alone, 2),
                         (size_t)(length * hidden) * sizeof(float));
    }
    encoder_pass_close(pass), encoder_pass_close(alone);
    batch_free(&all), batch_free(&one);
    fixture_close(&f);
}
END_TEST

/* What block 1 reads is known: the embeddings.  The threads do not matter. */
START_TEST(calibration_is_what_the_layers_meet)
{
    if (!dnn_has_fast_int8()) return;
    struct fixture f;
    fixture_open(&f, &trials[0], PRECISION_INT8);
    size_t count = encoder_channels(&f.config), hidden = 12, offsets[] = {0, 5, 8};
    int lengths[] = {5, 3};
    const struct sequences two = {.ids = f.batch.ids,
                                  .types = f.batch.types,
                                  .offsets = offsets,
                                  .lengths = lengths,
                                  .count = 2};
    float first[200], expected[12] = {0};
    ck_assert_uint_eq(count, 2 * (3 * 12 + 20));
    ck_assert_ptr_null(encoder_calibration(&f.encoder));
    for (int threads = 1; threads < 4; threads++) {
        struct pool *pool = pool_open(threads);
        struct fixture fresh;
        fixture_open(&fresh, &trials[0], PRECISION_INT8);
        encode_calibrate(&fresh.encoder, pool, &two, (struct forward_mode){.num_layers = 2});
        const float *now = encoder_calibration(&fresh.encoder);
        if (threads == 1) memcpy(first, now, count * sizeof *first);
        ck_assert_mem_eq(now, first, count * sizeof *first);
        fixture_close(&fresh);
        pool_close(pool);
    }
    struct encoder_pass *pass = encoder_pass_open(&f.encoder);
    encoder_forward(pass, &f.batch, (struct forward_mode){.num_layers = 0});
    for (size_t i = 0; i < 8 * hidden; i++)
        expected[i % hidden] = fmaxf(expected[i % hidden], fabsf(encoder_hidden(pass, 0)[i]));
    /* What layers read may be bf16. */
    for (size_t i = 0; i < hidden; i++)
        ck_assert_double_eq_tol(first[i], expected[i], expected[i] / 256);
    for (size_t i = 0; i < count; i++) ck_assert(first[i] > 0);
    encoder_calibrate(&f.encoder, first);
    ck_assert(packed_layer_of(&f.encoder, 0)->qkv.int8.factor[0] != 1);
    encoder_pass_close(pass);
    fixture_close(&f);
}
END_TEST

START_TEST(nan_weights_give_nan)
{
    if (!dnn_has_fast_int8()) return;
    struct fixture f;
    fixture_open(&f, &trials[0], PRECISION_INT8);
    int word = params_find(&f.params, "embeddings.word_embeddings.weight");
    params_values(&f.params, word)[(size_t)f.batch.ids[1] * 12 + 3] = NAN;
    struct encoder_pass *pass = encoder_pass_open(&f.encoder);
    encoder_forward(pass, &f.batch, (struct forward_mode){.num_layers = 2});
    for (int i = 0; i < 12; i++) ck_assert(isnan(encoder_hidden(pass, 2)[12 + i]));
    encoder_pass_close(pass);
    fixture_close(&f);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(rows_are_quantised_to_the_nearest_byte),
        TEST(constant_tiny_and_infinite_rows),
        TEST(products_become_numbers),
        TEST(activations_between_products),
        TEST(weights_are_quantised_by_channel),
        TEST(factors_give_large_inputs_to_the_weights),
        TEST(products_of_bytes_are_exact),
        TEST(an_encoder_in_int8_is_close_to_f32),
        TEST(a_sequence_in_int8_does_not_depend_on_its_neighbours),
        TEST(calibration_is_what_the_layers_meet),
        TEST(nan_weights_give_nan),
        {0},
    };
    return run_tests("nn/int8", rows);
}
