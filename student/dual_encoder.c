/* Opening, making and releasing a dual encoder. */
#include "student/dual_encoder.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "data/guard.h"
#include "data/npy.h"
#include "data/output.h"

static int min_length(int a, int b)
{
    if (a <= 0) return b;
    if (b <= 0) return a;
    return a < b ? a : b;
}

static int open_tokenizer(struct dual_encoder *de, const char *folder, struct error *err)
{
    if (tokenizer_open(&de->tokenizer, folder, err)) return -1;
    de->folder = xstrdup(folder);
    int vocab = tokenizer_vocab_size(de->tokenizer), rows = de->encoder.config.vocab_size;
    if (vocab > rows)
        return fail(
            err,
            "%s: the tokenizer has ids up to %d, the model only %d word embeddings; they do "
            "not belong together",
            folder, vocab - 1, rows);
    return 0;
}

/* Adds the head's rows and fixes the table; values are zero from here. */
static void declare(struct dual_encoder *de, const struct encoder_config *config, int output_size,
                    bool bias, enum precision precision)
{
    encoder_declare(&de->encoder, config, &de->params);
    de->projection_weight = de->projection_bias = -1;
    de->output_size = config->hidden_size;
    if (output_size > 0) {
        de->output_size = output_size;
        de->projection_weight =
            params_add(&de->params, "projection.weight", output_size, config->hidden_size, true);
        if (bias)
            de->projection_bias = params_add(&de->params, "projection.bias", 1, output_size, false);
    }
    params_alloc(&de->params);
    encoder_init(&de->encoder, precision);
}

/* A Dense module calls its tensors linear.weight and linear.bias. */
static const char *dense_name(const char *name, char buffer[160], const void *arg)
{
    (void)buffer, (void)arg;
    return strcmp(name, "projection.weight") == 0 ? "linear.weight" : "linear.bias";
}

static int load_weights(struct dual_encoder *de, const char *folder, const struct st_config *st,
                        struct error *err)
{
    struct safetensors *tensors = NULL;
    if (safetensors_open(&tensors, folder, err)) return -1;
    hold(tensors, safetensors_release); /* packing takes memory */
    int status = encoder_load(&de->encoder, tensors, folder, err);
    safetensors_close(let_go(tensors));
    if (status || de->projection_weight < 0) return status;
    if (safetensors_open(&tensors, st->dense_folder, err)) return -1;
    status = params_load(&de->params, de->projection_weight, (int)de->params.count, tensors,
                         dense_name, NULL, st->dense_folder, err);
    safetensors_close(tensors);
    return status;
}

static int check_calibration(const struct matrix *read, const struct encoder_config *config,
                             const char *path, struct error *err)
{
    size_t layers = (size_t)config->num_layers, cols = encoder_channels(config) / layers;
    if (read->rows < layers || read->cols != cols)
        return fail(err,
                    "%s is [%zu, %zu], not [%zu, %zu] as this model's calibration is; remove "
                    "it or export the model again",
                    path, read->rows, read->cols, layers, cols);
    for (size_t i = 0; i < layers * cols; i++)
        if (!(read->values[i] >= 0 && read->values[i] <= FLT_MAX))
            return fail(err, "%s: value %zu is no size of a number", path, i);
    return 0;
}

static void release_matrix(void *matrix)
{
    matrix_free(matrix);
}

/* The folder's own, where it has one. */
static int calibrate(struct dual_encoder *de, const char *folder, struct error *err)
{
    struct matrix read = {0};
    char *path = hold(path_join(folder, CALIBRATION_FILE), free);
    int status = 0;
    if (de->encoder.precision == PRECISION_INT8 && path_exists(path)) {
        hold(&read, release_matrix);
        status = npy_read(&read, path, err);
        if (!status) status = check_calibration(&read, &de->encoder.config, path, err);
        if (!status) encoder_calibrate(&de->encoder, read.values);
        matrix_free(let_go(&read));
    }
    free(let_go(path));
    return status;
}

static int check_shape(const struct st_config *st, const struct encoder_config *config,
                       int num_layers, const char *folder, struct error *err)
{
    if (num_layers > config->num_layers)
        return fail_usage(err, "%s has %d layers, not %d", folder, config->num_layers, num_layers);
    if (st->dense_folder && st->dense_in != config->hidden_size)
        return fail(err, "%s: in_features is %d, the encoder gives %d values", st->dense_folder,
                    st->dense_in, config->hidden_size);
    return 0;
}

static int open_parts(struct dual_encoder *out, const char *folder, int num_layers,
                      enum precision precision, struct st_config *st, struct error *err)
{
    struct hf_config hf;
    struct encoder_config config;
    if (precision_resolve(&precision, err) || st_config_read(st, folder, err) ||
        hf_config_read(&hf, folder, err) || encoder_config_from_hf(&config, &hf, err) ||
        check_shape(st, &config, num_layers, folder, err))
        return -1;
    if (num_layers > 0) config.num_layers = num_layers;
    declare(out, &config, st->dense_folder ? st->dense_out : 0, st->dense_bias, precision);
    out->pooling = st->pooling;
    out->activation = st->dense_activation;
    out->normalize = st->normalize;
    out->query_prompt = xstrdup(st->query_prompt);
    out->document_prompt = xstrdup(st->document_prompt);
    if (open_tokenizer(out, folder, err)) return -1;
    if (st->lowercase && !tokenizer_lowercases(out->tokenizer))
        return fail(err,
                    "%s: sentence_bert_config.json says do_lower_case, but the tokenizer keeps "
                    "capitals; set \"lowercase\" in tokenizer.json or do_lower_case to false",
                    folder);
    if (load_weights(out, folder, st, err) || calibrate(out, folder, err)) return -1;
    int stated =
        st->max_seq_length > 0 ? st->max_seq_length : tokenizer_model_max_length(out->tokenizer);
    out->max_length = min_length(stated, encoder_max_tokens(&config));
    return 0;
}

int dual_encoder_open(struct dual_encoder *out, const char *folder, int num_layers,
                      enum precision precision, struct error *err)
{
    *out = (struct dual_encoder){0};
    struct st_config st = {0};
    hold(&st, st_config_release);
    int status = open_parts(out, folder, num_layers, precision, &st, err);
    st_config_free(let_go(&st));
    if (status) dual_encoder_free(out);
    return status;
}

int dual_encoder_create(struct dual_encoder *out, const struct encoder_config *like, int num_layers,
                        int output_size, enum pooling pooling, const char *tokenizer_folder,
                        enum precision precision, struct error *err)
{
    *out = (struct dual_encoder){0};
    struct encoder_config config = *like;
    config.num_layers = num_layers;
    if (precision_resolve(&precision, err)) return -1;
    declare(out, &config, output_size, true, precision);
    out->pooling = pooling;
    out->normalize = true;
    out->query_prompt = xstrdup("");
    out->document_prompt = xstrdup("");
    out->max_length = encoder_max_tokens(&config);
    int status = open_tokenizer(out, tokenizer_folder, err);
    if (status) dual_encoder_free(out);
    return status;
}

void dual_encoder_free(struct dual_encoder *de)
{
    encoder_free(&de->encoder);
    params_free(&de->params);
    tokenizer_close(de->tokenizer);
    free(de->query_prompt);
    free(de->document_prompt);
    free(de->folder);
    *de = (struct dual_encoder){0};
}
