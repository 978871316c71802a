/* nn/encoder: hidden states and gradients against an independent implementation (PyTorch), for
 * every family; and loading.  Committed models are tiny (scripts/golden_encoders.py); the shared
 * ones are wider and longer. */
#include "tests/golden.h"
#include "tests/support.h"

#include "data/json.h"
#include "nn/dnn.h"
#include "nn/encoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A model folder with inputs and expected values. */
struct model {
    struct params params;
    struct encoder encoder;
    struct batch batch;
    struct safetensors *expected;
};

static struct json *read_json(const char *folder, const char *name)
{
    struct error err = {0};
    struct json *json;
    char *path = xasprintf("%s/%s", folder, name);
    check_ok(json_read_file(&json, path, &err), &err);
    free(path);
    return json;
}

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

static void model_declare(struct model *out, const char *folder, enum precision precision)
{
    struct error err = {0};
    struct hf_config hf;
    struct encoder_config config;
    *out = (struct model){0};
    check_ok(hf_config_read(&hf, folder, &err), &err);
    check_ok(encoder_config_from_hf(&config, &hf, &err), &err);
    encoder_declare(&out->encoder, &config, &out->params);
    params_alloc(&out->params);
    encoder_init(&out->encoder, precision);
}

static void model_open(struct model *out, const char *folder, enum precision precision)
{
    struct error err = {0};
    struct safetensors *st;
    model_declare(out, folder, precision);
    check_ok(safetensors_open(&st, folder, &err), &err);
    check_ok(encoder_load(&out->encoder, st, folder, &err), &err);
    safetensors_close(st);
    char *path = xasprintf("%s/expected.safetensors", folder);
    out->expected = golden_open(path);
    free(path);
    struct json *inputs = read_json(folder, "inputs.json");
    add_sequences(&out->batch, inputs);
    json_free(inputs);
}

static void model_close(struct model *model)
{
    encoder_free(&model->encoder);
    params_free(&model->params);
    batch_free(&model->batch);
    if (model->expected) safetensors_close(model->expected);
}

/* ---- hidden states ---- */

static void check_hidden(const char *folder, enum precision precision, double tolerance)
{
    struct model model;
    model_open(&model, folder, precision);
    struct encoder_pass *pass = encoder_pass_open(&model.encoder);
    int layers = model.encoder.config.num_layers;
    size_t n = (size_t)model.batch.num_tokens * model.encoder.config.hidden_size;
    encoder_forward(pass, &model.batch, (struct forward_mode){.num_layers = layers});
    for (int layer = 0; layer <= layers; layer++) {
        float *expected = golden(model.expected, n, "hidden.%d", layer);
        check_close(encoder_hidden(pass, layer), expected, n, tolerance);
        free(expected);
    }
    encoder_pass_close(pass);
    model_close(&model);
}

static const char *const own[] = {"bert",        "bert_tanh",  "roberta",
                                  "xlm_roberta", "distilbert", "electra"};
static const char *const theirs[] = {"bert",        "bert_3labels", "roberta",
                                     "xlm_roberta", "distilbert",   "electra"};
enum { FAMILIES = sizeof own / sizeof *own };

static const char *own_folder(int family)
{
    static char path[64];
    snprintf(path, sizeof path, "tests/golden/encoders/%s", own[family]);
    return path;
}

static void check_all_hidden(enum precision precision, double tolerance)
{
    for (int i = 0; i < FAMILIES; i++) {
        check_hidden(own_folder(i), precision, tolerance);
        char relative[64];
        snprintf(relative, sizeof relative, "golden/%s", theirs[i]);
        const char *folder = shared(relative);
        if (folder) check_hidden(folder, precision, tolerance);
    }
}

START_TEST(f32_hidden_states_equal_the_reference)
{
    check_all_hidden(PRECISION_F32, 1e-5);
}
END_TEST

START_TEST(bf16_hidden_states_are_near_the_reference)
{
    if (dnn_has_fast_bf16()) check_all_hidden(PRECISION_BF16, 0.03);
}
END_TEST

/* ---- gradients ---- */

/* The gradient of the sum over taps of <hidden.l, tap.l>, for the taps that expected has. */
static float *tapped_gradient(const struct model *model, const struct batch *batch,
                              const struct safetensors *expected)
{
    int layers = model->encoder.config.num_layers;
    size_t n = (size_t)batch->num_tokens * model->encoder.config.hidden_size;
    float *taps[32] = {NULL}, *d_params = xaligned(model->params.size, sizeof *d_params);
    for (int layer = 0; layer <= layers; layer++) {
        char name[32];
        snprintf(name, sizeof name, "tap.%d", layer);
        if (safetensors_find(expected, name)) taps[layer] = golden(expected, n, "%s", name);
    }
    struct encoder_pass *pass = encoder_pass_open(&model->encoder);
    encoder_forward(pass, batch, (struct forward_mode){.num_layers = layers, .keep = true});
    encoder_backward(pass, batch, (const float *const *)taps, d_params);
    encoder_pass_close(pass);
    for (int layer = 0; layer <= layers; layer++) free(taps[layer]);
    return d_params;
}

/* Every gradient within tolerance of its tensor's largest value, and the cosine of all of them
 * together.  A key's bias moves no probability: its gradient is zero but for rounding, and left
 * out. */
static void check_gradients(const struct model *model, const struct batch *batch,
                            const struct safetensors *expected, double tolerance, double cosine)
{
    const struct params *params = &model->params;
    float *d_params = tapped_gradient(model, batch, expected);
    double dot = 0, left = 0, right = 0;
    for (size_t i = 0; i < params->count; i++) {
        char name[160];
        if (strstr(params->list[i].name, "key.bias")) continue;
        size_t n = params_param_size(&params->list[i]);
        encoder_tensor_name(&model->encoder.config, params->list[i].name, name);
        float *want = golden(expected, n, "grad.%s", name), *got = params_values(params, (int)i);
        got = d_params + (got - params->values);
        check_close(got, want, n, tolerance);
        for (size_t j = 0; j < n; j++) {
            dot += (double)want[j] * got[j];
            left += (double)want[j] * want[j], right += (double)got[j] * got[j];
        }
        free(want);
    }
    ck_assert_double_ge(dot / sqrt(left * right), cosine);
    free(d_params);
}

/* The sequences of golden/bert that golden/gradients lists. */
static void select_sequences(struct batch *out, const struct batch *all)
{
    struct json *inputs = read_json(shared("golden/gradients"), "inputs.json");
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

static void check_all_gradients(enum precision precision, double tolerance, double cosine)
{
    struct model model;
    for (int i = 0; i < FAMILIES; i++) {
        model_open(&model, own_folder(i), precision);
        check_gradients(&model, &model.batch, model.expected, tolerance, cosine);
        model_close(&model);
    }
    if (!shared("golden/bert")) return;
    struct batch batch = {0};
    model_open(&model, shared("golden/bert"), precision);
    select_sequences(&batch, &model.batch);
    struct safetensors *expected = golden_open(shared("golden/gradients/expected.safetensors"));
    check_gradients(&model, &batch, expected, tolerance, cosine);
    safetensors_close(expected);
    batch_free(&batch);
    model_close(&model);
}

START_TEST(f32_gradients_equal_the_reference)
{
    check_all_gradients(PRECISION_F32, 1e-4, 0.9999999);
}
END_TEST

START_TEST(bf16_gradients_point_where_the_reference_does)
{
    if (dnn_has_fast_bf16()) check_all_gradients(PRECISION_BF16, 0.1, 0.999);
}
END_TEST

/* ---- loading ---- */

/* The tensors of bert, renamed one by one; the file's path, freshly allocated. */
static char *renamed_copy(void (*rename)(char *name), const char *left_out)
{
    struct error err = {0};
    struct safetensors *st;
    check_ok(safetensors_open(&st, "tests/golden/encoders/bert", &err), &err);
    struct tensor tensors[128];
    char names[128][160];
    int count = 0;
    for (int i = 0; i < safetensors_count(st); i++) {
        tensors[count] = *safetensors_at(st, i);
        if (left_out && strstr(tensors[count].name, left_out)) continue;
        snprintf(names[count], sizeof names[count], "%s", tensors[count].name);
        if (rename) rename(names[count]);
        tensors[count].name = names[count];
        count++;
    }
    char *path = xasprintf("%s/renamed.safetensors", scratch_folder());
    check_ok(safetensors_write(path, tensors, count, NULL, &err), &err);
    safetensors_close(st);
    return path;
}

static int load_copy(struct model *model, char *path, struct error *err)
{
    struct safetensors *st;
    check_ok(safetensors_open(&st, path, err), err);
    model_declare(model, "tests/golden/encoders/bert", PRECISION_F32);
    int result = encoder_load(&model->encoder, st, "copy", err);
    safetensors_close(st);
    free(path);
    return result;
}

static void without_prefix(char *name)
{
    size_t length = strlen(name);
    if (strncmp(name, "bert.", 5) == 0) memmove(name, name + 5, length - 4);
}

static void with_old_norms(char *name)
{
    char *norm = strstr(name, "LayerNorm.");
    if (norm) strcpy(norm + 10, strcmp(norm + 10, "weight") == 0 ? "gamma" : "beta");
}

START_TEST(bare_names_and_old_names_load_the_same)
{
    struct model reference, bare, old;
    struct error err = {0};
    model_open(&reference, own_folder(0), PRECISION_F32);
    check_ok(load_copy(&bare, renamed_copy(without_prefix, NULL), &err), &err);
    check_ok(load_copy(&old, renamed_copy(with_old_norms, NULL), &err), &err);
    size_t bytes = reference.params.size * sizeof(float);
    ck_assert_mem_eq(bare.params.values, reference.params.values, bytes);
    ck_assert_mem_eq(old.params.values, reference.params.values, bytes);
    model_close(&reference), model_close(&bare), model_close(&old);
}
END_TEST

START_TEST(a_missing_tensor_is_named)
{
    struct model model;
    struct error err = {0};
    check_failed(load_copy(&model, renamed_copy(NULL, "layer.1.output.dense.weight"), &err), &err,
                 STATUS_WORLD, "copy", "bert.encoder.layer.1.output.dense.weight", "missing");
    model_close(&model);
}
END_TEST

START_TEST(unknown_architectures_and_activations_are_named)
{
    struct hf_config hf;
    struct encoder_config config;
    struct error err = {0};
    check_ok(hf_config_read(&hf, own_folder(0), &err), &err);
    strcpy(hf.model_type, "gpt2");
    check_failed(encoder_config_from_hf(&config, &hf, &err), &err, STATUS_WORLD, "gpt2",
                 "distilbert");
    strcpy(hf.model_type, "bert");
    strcpy(hf.hidden_act, "silu");
    err = (struct error){0};
    check_failed(encoder_config_from_hf(&config, &hf, &err), &err, STATUS_WORLD, "silu", "gelu");
    strcpy(hf.hidden_act, "relu");
    hf.num_heads = 3;
    err = (struct error){0};
    check_failed(encoder_config_from_hf(&config, &hf, &err), &err, STATUS_WORLD, "20", "3");
    strcpy(hf.model_type, "roberta");
    hf.num_heads = 4, hf.pad_token_id = 23;
    err = (struct error){0};
    check_failed(encoder_config_from_hf(&config, &hf, &err), &err, STATUS_WORLD, "23", "24");
}
END_TEST

START_TEST(families_differ_by_the_table)
{
    struct model model;
    char name[160];
    model_declare(&model, "tests/golden/encoders/distilbert", PRECISION_F32);
    const struct encoder_config *config = &model.encoder.config;
    ck_assert_str_eq(
        encoder_tensor_name(config, "encoder.layer.11.attention.output.dense.bias", name),
        "transformer.layer.11.attention.out_lin.bias");
    ck_assert_str_eq(encoder_tensor_name(config, "encoder.layer.0.output.LayerNorm.weight", name),
                     "transformer.layer.0.output_layer_norm.weight");
    ck_assert_str_eq(encoder_tensor_name(config, "embeddings.LayerNorm.bias", name),
                     "embeddings.LayerNorm.bias");
    ck_assert_str_eq(encoder_prefix(config), "distilbert.");
    ck_assert_str_eq(encoder_bare_class(config), "DistilBertModel");
    ck_assert_int_eq(config->type_vocab_size, 0);
    ck_assert_int_eq(encoder_max_tokens(config), 24);
    model_close(&model);
    model_declare(&model, "tests/golden/encoders/xlm_roberta", PRECISION_F32);
    ck_assert_str_eq(encoder_prefix(&model.encoder.config), "roberta.");
    ck_assert_str_eq(encoder_bare_class(&model.encoder.config), "XLMRobertaModel");
    ck_assert_int_eq(encoder_max_tokens(&model.encoder.config), 22);
    model_close(&model);
}
END_TEST

START_TEST(precisions_have_names_and_are_resolved)
{
    enum precision precision;
    struct error err = {0};
    check_ok(precision_parse(&precision, "bf16", &err), &err);
    ck_assert_int_eq(precision, PRECISION_BF16);
    ck_assert_str_eq(precision_name(PRECISION_AUTO), "auto");
    check_ok(precision_parse(&precision, "int8", &err), &err);
    ck_assert_int_eq(precision, PRECISION_INT8);
    ck_assert_int_eq(precision_of_training(precision), PRECISION_AUTO);
    ck_assert_int_eq(precision_of_training(PRECISION_BF16), PRECISION_BF16);
    if (!dnn_has_fast_int8())
        check_failed(precision_resolve(&precision, &err), &err, STATUS_WORLD, "int8", "f32");
    err = (struct error){0};
    check_failed(precision_parse(&precision, "fp16", &err), &err, STATUS_USAGE, "fp16", "bf16");
    err = (struct error){0};
    precision = PRECISION_AUTO;
    check_ok(precision_resolve(&precision, &err), &err);
    ck_assert_int_eq(precision, dnn_has_fast_bf16() ? PRECISION_BF16 : PRECISION_F32);
    precision = PRECISION_BF16;
    if (dnn_has_fast_bf16())
        check_ok(precision_resolve(&precision, &err), &err);
    else
        check_failed(precision_resolve(&precision, &err), &err, STATUS_WORLD, "bf16", "f32");
    precision = PRECISION_F32;
    err = (struct error){0};
    check_ok(precision_resolve(&precision, &err), &err);
    ck_assert_int_eq(precision, PRECISION_F32);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(f32_hidden_states_equal_the_reference),
        TEST(bf16_hidden_states_are_near_the_reference),
        TEST(f32_gradients_equal_the_reference),
        TEST(bf16_gradients_point_where_the_reference_does),
        TEST(bare_names_and_old_names_load_the_same),
        TEST(a_missing_tensor_is_named),
        TEST(unknown_architectures_and_activations_are_named),
        TEST(families_differ_by_the_table),
        TEST(precisions_have_names_and_are_resolved),
        {0},
    };
    return run_tests("nn/encoder", rows);
}
