/* Heads by architecture, after transformers: BertPooler + classifier, RobertaClassificationHead,
 * DistilBertForSequenceClassification, ElectraClassificationHead (whose GELU is the erf form,
 * whatever hidden_act says). */
#include "teacher/head.h"

#include "nn/architecture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum head_activation { HEAD_TANH, HEAD_RELU, HEAD_GELU };

struct head_kind {
    const char *model_type, *dense, *out;
    enum head_activation activation;
    bool dense_in_encoder; /* its dense layer has the encoder's prefix */
};

static const struct head_kind kinds[] = {
    {"bert", "pooler.dense", "classifier", HEAD_TANH, true},
    {"roberta", "classifier.dense", "classifier.out_proj", HEAD_TANH, false},
    {"xlm-roberta", "classifier.dense", "classifier.out_proj", HEAD_TANH, false},
    {"distilbert", "pre_classifier", "classifier", HEAD_RELU, false},
    {"electra", "classifier.dense", "classifier.out_proj", HEAD_GELU, false},
    {0},
};

static const struct tensor *find_tensor(const struct safetensors *st, const char *prefix,
                                        const char *module, const char *part)
{
    char name[160];
    snprintf(name, sizeof name, "%s%s.%s", prefix, module, part);
    return safetensors_find(st, name);
}

static int find_kind(const struct head_kind **out, const char *model_type, const char *where,
                     struct error *err)
{
    const struct head_kind *kind = kinds;
    while (kind->model_type && strcmp(kind->model_type, model_type) != 0) kind++;
    *out = kind;
    if (kind->model_type) return 0;
    return fail(err, "%s: no classification head is known for model_type %s", where, model_type);
}

int head_new(struct head *out, const struct encoder_config *config, struct error *err)
{
    const struct head_kind *kind;
    if (find_kind(&kind, config->architecture->model_type, "config.json", err)) return -1;
    *out = (struct head){.kind = kind,
                         .prefix = kind->dense_in_encoder ? encoder_prefix(config) : "",
                         .hidden_size = config->hidden_size,
                         .num_labels = 1};
    return 0;
}

int head_find(struct head *out, const struct hf_config *hf, const struct encoder_config *config,
              const struct safetensors *st, const char *where, struct error *err)
{
    const struct head_kind *kind;
    if (find_kind(&kind, hf->model_type, where, err)) return -1;
    const struct tensor *weight = find_tensor(st, "", kind->out, "weight");
    if (!weight)
        return fail(err,
                    "%s: no classification head (%s.weight is missing); this is a bare encoder, "
                    "not a cross-encoder",
                    where, kind->out);
    char described[128];
    if (weight->rank != 2 || weight->shape[0] < 1 || weight->shape[0] > 1 << 20)
        return fail(err, "%s: %s.weight is %s, not [labels, hidden size]", where, kind->out,
                    tensor_describe(described, weight));

    /* The pooler stands among the encoder's tensors and has their prefix; the others have none. */
    const char *prefix = encoder_prefix(config);
    if (!find_tensor(st, prefix, kind->dense, "weight")) prefix = "";
    *out = (struct head){.kind = kind,
                         .prefix = prefix,
                         .hidden_size = config->hidden_size,
                         .num_labels = (int)weight->shape[0]};
    return 0;
}

void head_declare(struct head *head, struct params *params)
{
    head->first_param =
        params_add(params, "head.dense.weight", head->hidden_size, head->hidden_size, true);
    params_add(params, "head.dense.bias", 1, head->hidden_size, false);
    params_add(params, "head.out.weight", head->num_labels, head->hidden_size, true);
    params_add(params, "head.out.bias", 1, head->num_labels, false);
}

/* head.dense.weight -> bert.pooler.dense.weight, head.out.bias -> classifier.bias, ... */
const char *head_tensor_name(const struct head *head, const char *name, char buffer[160])
{
    bool dense = strncmp(name, "head.dense.", 11) == 0;
    snprintf(buffer, 160, "%s%s%s", dense ? head->prefix : "",
             dense ? head->kind->dense : head->kind->out, strrchr(name, '.'));
    return buffer;
}

static const char *checkpoint_name(const char *name, char buffer[160], const void *arg)
{
    return head_tensor_name(arg, name, buffer);
}

int head_load(const struct head *head, struct params *params, const struct safetensors *st,
              const char *where, struct error *err)
{
    return params_load(params, head->first_param, head->first_param + 4, st, checkpoint_name, head,
                       where, err);
}

int head_load_dense(const struct head *head, struct params *params, const struct safetensors *st,
                    struct error *err)
{
    return params_load(params, head->first_param, head->first_param + 2, st, checkpoint_name, head,
                       "dense", err);
}

/* y[i] = b[i] + sum_j W[i][j] x[j];  W [rows, cols] */
static void linear(float *y, const float *x, const float *weight, const float *bias, int rows,
                   int cols)
{
    for (int i = 0; i < rows; i++) {
        const float *row = weight + (size_t)i * cols;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int j = 0; j < cols; j++) sum += row[j] * x[j];
        y[i] = sum + bias[i];
    }
}

static float activate(float x, enum head_activation activation)
{
    switch (activation) {
    case HEAD_RELU:
        return x > 0 ? x : 0;
    case HEAD_GELU:
        return 0.5f * x * (1 + erff(x * 0.70710678f));
    default:
        return tanhf(x);
    }
}

static float activation_slope(float x, enum head_activation activation)
{
    switch (activation) {
    case HEAD_RELU:
        return x > 0 ? 1 : 0;
    case HEAD_GELU:
        return 0.5f * (1 + erff(x * 0.70710678f)) + x * 0.39894228f * expf(-0.5f * x * x);
    default:
        return 1 - tanhf(x) * tanhf(x);
    }
}

void head_dense(const struct head *head, const struct params *params, const float *first,
                float *dense)
{
    int row = head->first_param;
    linear(dense, first, params_values(params, row), params_values(params, row + 1),
           head->hidden_size, head->hidden_size);
}

void head_forward(const struct head *head, const struct params *params, const float *first,
                  float *scratch, float *logits)
{
    int row = head->first_param;
    head_dense(head, params, first, scratch);
    for (int i = 0; i < head->hidden_size; i++)
        scratch[i] = activate(scratch[i], head->kind->activation);
    linear(logits, scratch, params_values(params, row + 2), params_values(params, row + 3),
           head->num_labels, head->hidden_size);
}

/* Of y[i] = b[i] + sum_j W[i][j] x[j]: d_W[i][j] += d_y[i] x[j]; d_b[i] += d_y[i]; writes d_x[j] =
 * sum_i d_y[i] W[i][j]. */
static void linear_backward(float *d_x, float *d_weight, float *d_bias, const float *d_y,
                            const float *x, const float *weight, int rows, int cols)
{
    memset(d_x, 0, (size_t)cols * sizeof *d_x);
    for (int i = 0; i < rows; i++) {
        const float *w = weight + (size_t)i * cols;
        float *d_w = d_weight + (size_t)i * cols, g = d_y[i];
        for (int j = 0; j < cols; j++) d_w[j] += g * x[j], d_x[j] += g * w[j];
        d_bias[i] += g;
    }
}

static float *gradients_of(const struct params *params, int index, float *d_params)
{
    return d_params + params->list[index].offset;
}

void head_backward(const struct head *head, const struct params *params, const float *first,
                   const float *dense, const float *d_logits, float *scratch, float *d_first,
                   float *d_params)
{
    int row = head->first_param, width = head->hidden_size;
    enum head_activation activation = head->kind->activation;
    for (int i = 0; i < width; i++) scratch[i] = activate(dense[i], activation);
    linear_backward(d_first, gradients_of(params, row + 2, d_params),
                    gradients_of(params, row + 3, d_params), d_logits, scratch,
                    params_values(params, row + 2), head->num_labels, width);
    for (int i = 0; i < width; i++)
        scratch[i] = d_first[i] * activation_slope(dense[i], activation);
    linear_backward(d_first, gradients_of(params, row, d_params),
                    gradients_of(params, row + 1, d_params), scratch, first,
                    params_values(params, row), width, width);
}
