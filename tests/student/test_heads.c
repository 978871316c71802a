/* student/heads: pooling and projection against double twins, their gradients by differences. */
#include "tests/support.h"
#include "tests/tiny_student.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SEQUENCES = 4, TOKENS = 1 + 5 + 1 + 7, OUT = 6, H = TINY_STUDENT_HIDDEN };
static const int lengths[SEQUENCES] = {1, 5, 1, 7};

struct heads_case {
    struct dual_encoder de;
    struct encoder_pass *pass;
    struct batch batch;
    int width;       /* of z */
    double *hidden;  /* [TOKENS, H], of layer 1 */
    double *weights; /* [width * H + width]: projection and bias; NULL: none */
    double *c;       /* [SEQUENCES, width]: the functional is sum c z */
};

static void heads_open(struct heads_case *out, int output_size, enum pooling pooling,
                       enum dense_activation activation)
{
    const struct tiny_shape shape = {.layers = 2, .output_size = output_size, .pooling = pooling};
    *out = (struct heads_case){0};
    tiny_student_make(&out->de, &shape);
    out->de.activation = activation;
    int32_t ids[8], types[8] = {0};
    for (int s = 0; s < SEQUENCES; s++) {
        for (int t = 0; t < lengths[s]; t++) ids[t] = (7 * s + 3 * t) % 80;
        batch_add(&out->batch, ids, types, (size_t)lengths[s]);
    }
    out->pass = encoder_pass_open(&out->de.encoder);
    encoder_forward(out->pass, &out->batch, (struct forward_mode){.num_layers = 2});
    out->width = output_size ? output_size : H;
    out->hidden = xcalloc(TOKENS * H, sizeof *out->hidden);
    for (int i = 0; i < TOKENS * H; i++) out->hidden[i] = encoder_hidden(out->pass, 1)[i];
    out->c = xcalloc((size_t)(SEQUENCES * out->width), sizeof *out->c);
    for (int i = 0; i < SEQUENCES * out->width; i++) out->c[i] = test_value(91, (uint64_t)i);
    if (!output_size) return;
    const struct params *params = &out->de.params;
    out->weights = xcalloc((size_t)(output_size * (H + 1)), sizeof *out->weights);
    for (int i = 0; i < output_size * H; i++)
        out->weights[i] = params_values(params, out->de.projection_weight)[i];
    for (int i = 0; i < output_size; i++)
        out->weights[output_size * H + i] = params_values(params, out->de.projection_bias)[i];
}

static void heads_close(struct heads_case *heads)
{
    encoder_pass_close(heads->pass);
    batch_free(&heads->batch);
    dual_encoder_free(&heads->de);
    free(heads->hidden), free(heads->weights), free(heads->c);
}

/* z [SEQUENCES, width] from the definition. */
static void twin(double *z, const struct heads_case *heads)
{
    for (int s = 0, first = 0; s < SEQUENCES; first += lengths[s++]) {
        double pooled[H] = {0};
        int tokens = heads->de.pooling == POOLING_CLS ? 1 : lengths[s];
        for (int t = 0; t < tokens; t++)
            for (int j = 0; j < H; j++) pooled[j] += heads->hidden[(first + t) * H + j] / tokens;
        for (int i = 0; i < heads->width; i++) {
            double sum = heads->weights ? heads->weights[heads->width * H + i] : pooled[i];
            for (int j = 0; heads->weights && j < H; j++)
                sum += heads->weights[i * H + j] * pooled[j];
            z[s * heads->width + i] = heads->de.activation == DENSE_TANH ? tanh(sum) : sum;
        }
    }
}

static double functional(const struct heads_case *heads)
{
    double z[SEQUENCES * H], sum = 0;
    twin(z, heads);
    for (int i = 0; i < SEQUENCES * heads->width; i++) sum += heads->c[i] * z[i];
    return sum;
}

static float difference(const struct heads_case *heads, double *value)
{
    double kept = *value, step = 1e-3;
    *value = kept + step;
    double up = functional(heads);
    *value = kept - step;
    double down = functional(heads);
    *value = kept;
    return (float)((up - down) / (2 * step));
}

static void check_forward(const struct heads_case *heads)
{
    float pooled[SEQUENCES * H], z[SEQUENCES * H], expected[SEQUENCES * H];
    double exact[SEQUENCES * H];
    dual_encoder_heads(&heads->de, heads->pass, &heads->batch, 1, pooled, z);
    twin(exact, heads);
    for (int i = 0; i < SEQUENCES * heads->width; i++) expected[i] = (float)exact[i];
    check_close(z, expected, (size_t)(SEQUENCES * heads->width), 1e-6);
}

static void check_backward(struct heads_case *heads)
{
    const struct params *params = &heads->de.params;
    float pooled[SEQUENCES * H], z[SEQUENCES * H], d_z[SEQUENCES * H], d_pooled[SEQUENCES * H];
    float d_hidden[TOKENS * H], expected[TOKENS * H];
    float *d_params = xcalloc(params->size, sizeof *d_params);
    for (size_t i = 0; i < params->size; i++) d_params[i] = 0.5f;
    dual_encoder_heads(&heads->de, heads->pass, &heads->batch, 1, pooled, z);
    for (int i = 0; i < SEQUENCES * heads->width; i++) d_z[i] = (float)heads->c[i];
    dual_encoder_heads_backward(&heads->de, &heads->batch, pooled, d_z, d_pooled, d_hidden,
                                d_params);
    for (int i = 0; i < TOKENS * H; i++) expected[i] = difference(heads, &heads->hidden[i]);
    check_close(d_hidden, expected, TOKENS * H, 1e-5);
    size_t head = heads->weights ? params->list[heads->de.projection_weight].offset : params->size;
    for (size_t i = 0; i < head; i++) ck_assert(d_params[i] == 0.5f);
    for (size_t i = head; i < params->size; i++)
        expected[i - head] = 0.5f + difference(heads, &heads->weights[i - head]);
    check_close(d_params + head, expected, params->size - head, 1e-5);
    free(d_params);
}

static void check_case(int output_size, enum pooling pooling, enum dense_activation activation)
{
    struct heads_case heads;
    heads_open(&heads, output_size, pooling, activation);
    check_forward(&heads);
    check_backward(&heads);
    heads_close(&heads);
}

START_TEST(mean_and_projection)
{
    check_case(OUT, POOLING_MEAN, DENSE_IDENTITY);
}
END_TEST

START_TEST(projection_and_tanh)
{
    check_case(OUT, POOLING_MEAN, DENSE_TANH);
    check_case(1, POOLING_CLS, DENSE_TANH);
}
END_TEST

START_TEST(cls_and_projection)
{
    check_case(OUT, POOLING_CLS, DENSE_IDENTITY);
}
END_TEST

START_TEST(mean_alone)
{
    check_case(0, POOLING_MEAN, DENSE_IDENTITY);
}
END_TEST

START_TEST(cls_alone)
{
    check_case(0, POOLING_CLS, DENSE_IDENTITY);
}
END_TEST

START_TEST(pooled_and_z_may_be_one_buffer_without_projection)
{
    struct heads_case heads;
    float pooled[SEQUENCES * H], z[SEQUENCES * H], both[SEQUENCES * H];
    heads_open(&heads, 0, POOLING_MEAN, DENSE_IDENTITY);
    dual_encoder_heads(&heads.de, heads.pass, &heads.batch, 2, pooled, z);
    dual_encoder_heads(&heads.de, heads.pass, &heads.batch, 2, both, both);
    ck_assert_mem_eq(z, both, sizeof z);
    ck_assert_mem_eq(z, pooled, sizeof z);
    heads_close(&heads);
}
END_TEST

START_TEST(a_sequence_of_one_token_is_that_token)
{
    struct heads_case heads;
    float pooled[SEQUENCES * H], z[SEQUENCES * H];
    heads_open(&heads, 0, POOLING_MEAN, DENSE_IDENTITY);
    dual_encoder_heads(&heads.de, heads.pass, &heads.batch, 1, pooled, z);
    ck_assert_mem_eq(z, encoder_hidden(heads.pass, 1), H * sizeof *z);
    ck_assert_mem_eq(z + 2 * H, encoder_hidden(heads.pass, 1) + 6 * H, H * sizeof *z);
    heads_close(&heads);
}
END_TEST

START_TEST(vectors_are_cut_before_they_are_normalised)
{
    const float z[] = {3, 4, 12, 0, 0, 5, -2, 0, 9};
    const float plain[] = {3, 4, 0, 0, -2, 0}, unit[] = {0.6f, 0.8f, 0, 0, -1, 0};
    float out[6];
    vectors_cut(out, z, 3, 3, 2, false);
    ck_assert_mem_eq(out, plain, sizeof plain);
    vectors_cut(out, z, 3, 3, 2, true);
    check_close(out, unit, 6, 1e-7);
    ck_assert(out[2] == 0 && out[3] == 0);
}
END_TEST

START_TEST(large_and_small_vectors_have_unit_length)
{
    const float z[] = {3e30f, -4e30f, 3e-30f, 4e-30f};
    const float unit[] = {0.6f, -0.8f, 0.6f, 0.8f};
    float out[4];
    vectors_cut(out, z, 2, 2, 2, true);
    check_close(out, unit, 4, 1e-6);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(mean_and_projection),
                                    TEST(projection_and_tanh),
                                    TEST(cls_and_projection),
                                    TEST(mean_alone),
                                    TEST(cls_alone),
                                    TEST(pooled_and_z_may_be_one_buffer_without_projection),
                                    TEST(a_sequence_of_one_token_is_that_token),
                                    TEST(vectors_are_cut_before_they_are_normalised),
                                    TEST(large_and_small_vectors_have_unit_length),
                                    {0}};
    return run_tests("student/heads", rows);
}
