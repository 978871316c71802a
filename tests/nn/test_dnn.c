/* nn/dnn: every product against naive sums in double, over odd shapes and both element types. */
#include "tests/support.h"

#include "nn/dnn.h"
#include "nn/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int shapes[][3] = {/* rows, outputs, inputs */
                                {1, 1, 1},    {1, 16, 16},  {3, 33, 17},  {16, 64, 64},
                                {17, 96, 40}, {97, 31, 65}, {130, 48, 7}, {5, 384, 100}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* Values of a stream, rounded to what the element holds, as f32 and as elements. */
struct matrix {
    float *f32;
    void *elements;
};

static struct matrix matrix_of(uint64_t stream, int rows, int cols, enum element element)
{
    size_t count = (size_t)rows * cols;
    struct matrix m = {xaligned(count, sizeof *m.f32), xaligned(count, sizeof *m.f32)};
    for (size_t i = 0; i < count; i++) m.f32[i] = test_value(stream, i);
    if (element == ELEMENT_BF16) {
        kernels_portable.to_bf16(m.elements, m.f32, count);
        kernels_portable.to_f32(m.f32, m.elements, element, count);
    } else {
        memcpy(m.elements, m.f32, count * sizeof *m.f32);
    }
    return m;
}

static void matrix_free(struct matrix *m)
{
    free(m->f32);
    free(m->elements);
}

/* c [m, n] (+)= op(a) op(b), in double. */
static void naive(float *c, const float *a, const float *b, const struct dnn_product *p)
{
    for (int i = 0; i < p->m; i++)
        for (int j = 0; j < p->n; j++) {
            double sum = p->add ? c[(size_t)i * p->n + j] : 0;
            for (int l = 0; l < p->k; l++) {
                size_t at_a = p->transpose_a ? (size_t)l * p->m + i : (size_t)i * p->k + l;
                size_t at_b = p->transpose_b ? (size_t)j * p->k + l : (size_t)l * p->n + j;
                sum += (double)a[at_a] * b[at_b];
            }
            c[(size_t)i * p->n + j] = (float)sum;
        }
}

/* The shares of y's columns give its bytes, and each writes its own alone. */
static void check_shares(struct dnn *dnn, const struct dnn_weights *weights, const void *x,
                         const float *bias, const int shape[3], enum dnn_store store)
{
    int rows = shape[0], outputs = shape[1];
    size_t size = (size_t)rows * outputs * (store == DNN_WRITE_BF16 ? 2 : 4);
    char *whole = xaligned(size, 1), *shares = xaligned(size, 1);
    dnn_linear_forward(dnn, whole, x, weights, bias, rows, store);
    for (int count = 1; count <= 5; count++) {
        memset(shares, 0x55, size);
        for (int i = count - 1; i >= 0; i--) /* not in the order of the columns */
            dnn_linear_forward_share(dnn, shares, x, weights, bias, rows, store,
                                     (struct team_share){i, count});
        ck_assert_mem_eq(shares, whole, size);
    }
    free(whole), free(shares);
}

static void check_linear(struct dnn *dnn, const int shape[3], enum element element)
{
    int rows = shape[0], outputs = shape[1], inputs = shape[2];
    struct matrix w = matrix_of(1, outputs, inputs, element);
    struct matrix x = matrix_of(2, rows, inputs, element);
    struct matrix d_y = matrix_of(3, rows, outputs, element);
    struct matrix bias = matrix_of(4, 1, outputs, ELEMENT_F32);
    size_t room = (size_t)(rows + outputs) * (inputs + outputs);
    float *want = xaligned(room, 4), *got = xaligned(room, 4), *wide = xaligned(room, 4);
    struct dnn_weights *forward = dnn_weights_open(outputs, inputs, element, DNN_FORWARD);
    struct dnn_weights *backward = dnn_weights_open(outputs, inputs, element, DNN_BACKWARD);
    dnn_weights_pack(dnn, forward, w.f32);
    dnn_weights_pack(dnn, backward, w.f32);

    for (int i = 0; i < rows; i++)
        memcpy(want + (size_t)i * outputs, bias.f32, (size_t)outputs * sizeof *want);
    naive(want, x.f32, w.f32,
          &(struct dnn_product){rows, outputs, inputs, .transpose_b = true, .add = true});
    dnn_linear_forward(dnn, got, x.elements, forward, bias.f32, rows, DNN_WRITE_F32);
    check_close(got, want, (size_t)rows * outputs, 1e-5);
    check_shares(dnn, forward, x.elements, bias.f32, shape, DNN_WRITE_F32);
    if (element == ELEMENT_BF16) {
        check_shares(dnn, forward, x.elements, NULL, shape, DNN_WRITE_BF16);
        dnn_linear_forward(dnn, wide, x.elements, forward, bias.f32, rows, DNN_WRITE_BF16);
        kernels_portable.to_f32(got, wide, ELEMENT_BF16, (size_t)rows * outputs);
        check_close(got, want, (size_t)rows * outputs, 0.0041); /* half a unit of 8 bits */
    }
    struct dnn_product up = {rows, inputs, outputs, .add = true};
    for (int i = 0; i < rows * inputs; i++) got[i] = want[i] = 3;
    naive(want, d_y.f32, w.f32, &up);
    dnn_linear_backward(dnn, got, d_y.elements, backward, rows, DNN_ADD_F32);
    check_close(got, want, (size_t)rows * inputs, 1e-5);
    struct dnn_product across = {outputs, inputs, rows, .transpose_a = true, .add = true};
    for (int i = 0; i < outputs * inputs; i++) got[i] = want[i] = -2;
    naive(want, d_y.f32, x.f32, &across);
    dnn_linear_gradient(dnn, got, d_y.elements, x.elements,
                        (struct dnn_shape){rows, outputs, inputs}, element);
    check_close(got, want, (size_t)outputs * inputs, 1e-5);

    dnn_weights_close(forward);
    dnn_weights_close(backward);
    free(want), free(got), free(wide);
    matrix_free(&w), matrix_free(&x), matrix_free(&d_y), matrix_free(&bias);
}

START_TEST(linear_products_and_their_gradients_equal_naive_sums)
{
    struct dnn *dnn = dnn_open();
    for (int i = 0; i < SHAPES; i++) {
        check_linear(dnn, shapes[i], ELEMENT_F32);
        if (dnn_has_fast_bf16()) check_linear(dnn, shapes[i], ELEMENT_BF16);
    }
    dnn_close(dnn);
}
END_TEST

START_TEST(free_products_equal_naive_sums_in_every_orientation)
{
    struct dnn *dnn = dnn_open();
    for (int i = 0; i < SHAPES; i++)
        for (int bits = 0; bits < 8; bits++) {
            struct dnn_product p = {.m = shapes[i][0],
                                    .n = shapes[i][1],
                                    .k = shapes[i][2],
                                    .transpose_a = (bits & 1) != 0,
                                    .transpose_b = (bits & 2) != 0,
                                    .add = (bits & 4) != 0};
            struct matrix a = matrix_of(1, p.m, p.k, ELEMENT_F32);
            struct matrix b = matrix_of(2, p.k, p.n, ELEMENT_F32);
            struct matrix got = matrix_of(3, p.m, p.n, ELEMENT_F32);
            struct matrix want = matrix_of(3, p.m, p.n, ELEMENT_F32);
            naive(want.f32, a.f32, b.f32, &p);
            dnn_multiply(dnn, got.f32, a.f32, b.f32, &p);
            check_close(got.f32, want.f32, (size_t)p.m * p.n, 1e-5);
            matrix_free(&a), matrix_free(&b), matrix_free(&got), matrix_free(&want);
        }
    dnn_close(dnn);
}
END_TEST

/* Whole numbers: exact. */
START_TEST(int8_products_equal_naive_sums)
{
    struct dnn *dnn = dnn_open();
    for (int i = 0; i < SHAPES && dnn_has_exact_int8(); i++) {
        struct dnn_product p = {.m = shapes[i][0],
                                .n = shapes[i][1],
                                .k = shapes[i][2],
                                .transpose_b = true,
                                .element = ELEMENT_INT8};
        struct matrix a = matrix_of(1, p.m, p.k, ELEMENT_F32);
        struct matrix b = matrix_of(2, p.k, p.n, ELEMENT_F32);
        struct matrix got = matrix_of(3, p.m, p.n, ELEMENT_F32);
        struct matrix want = matrix_of(3, p.m, p.n, ELEMENT_F32);
        int8_t *small_a = a.elements, *small_b = b.elements;
        for (int l = 0; l < p.m * p.k; l++) {
            a.f32[l] = l % 5 ? roundf(127 * a.f32[l]) : 127;
            small_a[l] = (int8_t)a.f32[l];
        }
        for (int l = 0; l < p.k * p.n; l++) {
            b.f32[l] = l % 7 ? roundf(127 * b.f32[l]) : -127;
            small_b[l] = (int8_t)b.f32[l];
        }
        naive(want.f32, a.f32, b.f32, &p);
        dnn_multiply(dnn, got.f32, small_a, small_b, &p);
        check_close(got.f32, want.f32, (size_t)p.m * p.n, 0);
        matrix_free(&a), matrix_free(&b), matrix_free(&got), matrix_free(&want);
    }
    dnn_close(dnn);
}
END_TEST

START_TEST(no_rows_change_nothing)
{
    float y[2] = {1, 2}, d_w[4] = {1, 2, 3, 4};
    const float w[4] = {0};
    struct dnn *dnn = dnn_open();
    struct dnn_weights *weights = dnn_weights_open(2, 2, ELEMENT_F32, DNN_FORWARD);
    dnn_weights_pack(dnn, weights, w);
    dnn_linear_forward(dnn, y, y, weights, NULL, 0, DNN_WRITE_F32);
    dnn_linear_gradient(dnn, d_w, y, y, (struct dnn_shape){0, 2, 2}, ELEMENT_F32);
    ck_assert_float_eq(y[1], 2);
    ck_assert_float_eq(d_w[3], 4);
    dnn_weights_close(weights);
    dnn_close(dnn);
}
END_TEST

/* More shapes than the table keeps: it starts afresh and stays right. */
START_TEST(many_shapes_are_survived)
{
    enum { MOST = 1100 };
    float *x = xaligned(MOST, sizeof *x), *y = xaligned(MOST, sizeof *y);
    const float w = 3;
    struct dnn *dnn = dnn_open();
    struct dnn_weights *weights = dnn_weights_open(1, 1, ELEMENT_F32, DNN_FORWARD);
    dnn_weights_pack(dnn, weights, &w);
    for (int i = 0; i < MOST; i++) x[i] = (float)i;
    for (int rows = 1; rows <= MOST; rows++) {
        dnn_linear_forward(dnn, y, x, weights, NULL, rows, DNN_WRITE_F32);
        ck_assert_float_eq(y[rows - 1], 3 * (float)(rows - 1));
    }
    dnn_weights_close(weights);
    dnn_close(dnn);
    free(x);
    free(y);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(linear_products_and_their_gradients_equal_naive_sums),
        TEST(free_products_equal_naive_sums_in_every_orientation),
        TEST(int8_products_equal_naive_sums),
        TEST(no_rows_change_nothing),
        TEST(many_shapes_are_survived),
        {0},
    };
    return run_tests("nn/dnn", rows);
}
