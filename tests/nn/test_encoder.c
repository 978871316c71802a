/* nn/encoder: against an independent implementation (PyTorch), by finite differences, and by its properties. */
#include "tests/support.h"

#include "data/json.h"
#include "data/safetensors.h"
#include "nn/encoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A model folder with inputs and expected values: see scripts/golden_encoders.py. */
struct golden {
    struct params params;
    struct encoder encoder;
    struct batch batch;
    struct safetensors *expected;
};

static void add_sequences(struct batch *batch, const struct json *inputs)
{
    const struct json *ids = json_get(inputs, "ids"), *types = json_get(inputs, "token_types");
    for (size_t s = 0; s < json_size(ids); s++) {
        int32_t id[512], type[512];
        size_t length = json_size(json_at(ids, s));
        for (size_t i = 0; i < length; i++) {
            int64_t value = 0;
            ck_assert(json_as_integer(&value, json_at(json_at(ids, s), i), 0, 100000));
            id[i] = (int32_t)value, value = 0;
            json_as_integer(&value, json_at(json_at(types, s), i), 0, 1);
            type[i] = (int32_t)value;
        }
        batch_add(batch, id, type, length);
    }
}

static void golden_open(struct golden *out, const char *folder, enum precision precision)
{
    struct error err = {0};
    struct hf_config hf;
    struct encoder_config config;
    char path[600];
    *out = (struct golden){0};
    check_ok(hf_config_read(&hf, folder, &err), &err);
    check_ok(encoder_config_from_hf(&config, &hf, &err), &err);
    encoder_declare(&out->encoder, &config, &out->params);
    params_alloc(&out->params);
    encoder_init(&out->encoder, precision);
    struct safetensors *st;
    check_ok(safetensors_open(&st, folder, &err), &err);
    check_ok(encoder_load(&out->encoder, st, folder, &err), &err);
    safetensors_close(st);
    snprintf(path, sizeof path, "%s/expected.safetensors", folder);
    check_ok(safetensors_open(&out->expected, path, &err), &err);
    struct json *inputs;
    snprintf(path, sizeof path, "%s/inputs.json", folder);
    check_ok(json_read_file(&inputs, path, &err), &err);
    add_sequences(&out->batch, inputs);
    json_free(inputs);
}

static void golden_close(struct golden *golden)
{
    encoder_free(&golden->encoder);
    params_free(&golden->params);
    batch_free(&golden->batch);
    safetensors_close(golden->expected);
}

static float *values_of(const struct safetensors *st, const char *name)
{
    const struct tensor *tensor = safetensors_find(st, name);
    ck_assert_msg(tensor != NULL, "%s is missing", name);
    float *values = xmalloc(tensor_elements(tensor) * sizeof *values);
    tensor_to_f32(values, tensor);
    return values;
}

static void check_hidden(const char *folder, enum precision precision, double tolerance)
{
    struct golden golden;
    golden_open(&golden, folder, precision);
    struct encoder_pass *pass = encoder_pass_open(&golden.encoder);
    int layers = golden.encoder.config.num_layers, hidden = golden.encoder.config.hidden_size;
    encoder_forward(pass, &golden.batch, (struct forward_mode){.num_layers = layers});
    for (int layer = 0; layer <= layers; layer++) {
        char name[32];
        snprintf(name, sizeof name, "hidden.%d", layer);
        float *expected = values_of(golden.expected, name);
        check_close(encoder_hidden(pass, layer), expected, (size_t)golden.batch.num_tokens * hidden,
                    tolerance);
        free(expected);
    }
    encoder_pass_close(pass);
    golden_close(&golden);
}

/* The sequences that inputs.json lists, of another folder's batch. */
static void select_sequences(struct batch *out, const struct batch *all, const char *path)
{
    struct error err = {0};
    struct json *inputs;
    check_ok(json_read_file(&inputs, path, &err), &err);
    const struct json *chosen = json_get(inputs, "sequences");
    for (size_t i = 0; i < json_size(chosen); i++) {
        int64_t seq = 0;
        ck_assert(json_as_integer(&seq, json_at(chosen, i), 0, all->num_seqs - 1));
        int start = all->offsets[seq];
        batch_add(out, all->ids + start, all->types + start,
                  (size_t)(all->offsets[seq + 1] - start));
    }
    json_free(inputs);
}

/* Adds up to the gradient of sum over taps of <hidden, tap>, given the taps "tap.L" of expected. */
static void tapped_backward(const struct encoder *encoder, const struct batch *batch,
                            const struct safetensors *expected, float *d_params)
{
    int layers = encoder->config.num_layers;
    float *taps[32] = {NULL};
    for (int layer = 0; layer <= layers; layer++) {
        char name[32];
        snprintf(name, sizeof name, "tap.%d", layer);
        if (safetensors_find(expected, name)) taps[layer] = values_of(expected, name);
    }
    struct encoder_pass *pass = encoder_pass_open(encoder);
    encoder_forward(pass, batch, (struct forward_mode){.num_layers = layers, .keep = true});
    encoder_backward(pass, batch, (const float *const *)taps, d_params);
    encoder_pass_close(pass);
    for (int layer = 0; layer <= layers; layer++) free(taps[layer]);
}

/* Every "grad.NAME" of expected, within tolerance of its largest value; cosine too where asked. */
static void check_gradients(const struct golden *golden, const struct batch *batch,
                            const struct safetensors *expected, double tolerance, double cosine)
{
    const struct params *params = &golden->params;
    float *d_params = xaligned(params->size, sizeof *d_params);
    tapped_backward(&golden->encoder, batch, expected, d_params);
    double dot = 0, left = 0, right = 0;
    for (size_t i = 0; i < params->count; i++) {
        char name[160];
        snprintf(name, sizeof name, "grad.%s", params->list[i].name);
        float *want = values_of(expected, name), *got = d_params + params->list[i].offset;
        size_t n = params_param_size(&params->list[i]);
        /* a key's bias moves no probability: its gradient is zero but for rounding */
        if (!strstr(name, "key.bias")) check_close(got, want, n, tolerance);
        for (size_t j = 0; j < n; j++)
            dot += (double)want[j] * got[j], left += (double)want[j] * want[j],
                right += (double)got[j] * got[j];
        free(want);
    }
    ck_assert_double_ge(dot / sqrt(left * right), cosine);
    free(d_params);
}

static void check_shared_gradients(enum precision precision, double tolerance, double cosine)
{
    const char *folder = shared("golden/bert");
    if (!folder) return;
    struct golden golden;
    golden_open(&golden, folder, precision);
    struct error err = {0};
    struct batch batch = {0};
    struct safetensors *expected;
    select_sequences(&batch, &golden.batch, shared("golden/gradients/inputs.json"));
    check_ok(safetensors_open(&expected, shared("golden/gradients/expected.safetensors"), &err),
             &err);
    check_gradients(&golden, &batch, expected, tolerance, cosine);
    safetensors_close(expected);
    batch_free(&batch);
    golden_close(&golden);
}

static const char *const families[] = {"bert",        "bert_3labels", "roberta",
                                       "xlm_roberta", "distilbert",   "electra"};
enum { FAMILIES = sizeof families / sizeof *families };

/* Observed: 2e-6. */
START_TEST(f32_hidden_states_equal_the_shared_golden)
{
    for (int i = 0; i < FAMILIES; i++) {
        char relative[64];
        snprintf(relative, sizeof relative, "golden/%s", families[i]);
        const char *folder = shared(relative);
        if (folder) check_hidden(folder, PRECISION_F32, 1e-4);
    }
}
END_TEST

START_TEST(f32_gradients_equal_the_shared_golden)
{
    check_shared_gradients(PRECISION_F32, 1e-4, 0.9999999);
}
END_TEST

START_TEST(bf16_gradients_point_where_the_shared_golden_do)
{
    check_shared_gradients(PRECISION_BF16, 0.05, 0.999);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(f32_hidden_states_equal_the_shared_golden),
        TEST(f32_gradients_equal_the_shared_golden),
        TEST(bf16_gradients_point_where_the_shared_golden_do),
        {0},
    };
    return run_tests("nn/encoder", rows);
}
