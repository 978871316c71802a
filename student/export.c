#include "student/export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/json.h"
#include "data/npy.h"
#include "data/output.h"
#include "data/output_folder.h"

static int write_json(const char *folder, const char *name, struct json *json, struct error *err)
{
    char *path = path_join(folder, name);
    int status = json_write_file(path, json, err);
    free(path);
    json_free(json);
    return status;
}

/* ---- weights ---- */

static int write_encoder(const struct dual_encoder *de, int layers, const char *folder,
                         struct error *err)
{
    struct arena names = {0};
    struct tensor *list = xcalloc(de->params.count, sizeof *list);
    int count = encoder_tensors(list, &de->encoder, layers, "", &names);
    int status = safetensors_write_model(folder, list, count, err);
    free(list);
    arena_free(&names);
    return status;
}

/* The first dim rows of the projection, or of the identity. */
static int write_dense(const struct dual_encoder *de, int dim, const char *folder,
                       struct error *err)
{
    size_t in = (size_t)de->encoder.config.hidden_size, out = (size_t)dim;
    float *identity = NULL;
    const float *weight;
    if (de->projection_weight >= 0) {
        weight = params_values(&de->params, de->projection_weight);
    } else {
        weight = identity = xcalloc(out * in, sizeof *identity);
        for (size_t i = 0; i < out; i++) identity[i * in + i] = 1;
    }
    bool bias = de->projection_bias >= 0;
    struct tensor list[2] = {
        {.name = "linear.weight",
         .dtype = DTYPE_F32,
         .rank = 2,
         .shape = {out, in},
         .data = weight},
        {.name = "linear.bias", .dtype = DTYPE_F32, .rank = 1, .shape = {out}}};
    if (bias) list[1].data = params_values(&de->params, de->projection_bias);
    struct json *config = json_new_object();
    json_set_int(config, "in_features", (int64_t)in);
    json_set_int(config, "out_features", dim);
    json_set_bool(config, "bias", bias);
    json_set_string(config, "activation_function", dense_class(de->activation));
    char *dense = path_join(folder, "2_Dense");
    int status = make_folder(dense, err);
    if (status)
        json_free(config);
    else
        status = write_json(dense, "config.json", config, err);
    if (!status) status = safetensors_write_model(dense, list, 1 + bias, err);
    free(dense);
    free(identity);
    return status;
}

/* ---- configs ---- */

/* Keys of a classifier or of the training library that would make a reader take the encoder for a
 * re-ranker. */
static void drop_head_keys(struct json *config)
{
    static const char *const keys[] = {"id2label",
                                       "label2id",
                                       "num_labels",
                                       "problem_type",
                                       "classifier_dropout",
                                       "classifier_activation",
                                       "seq_classif_dropout",
                                       "qa_dropout",
                                       "summary_activation",
                                       "summary_last_dropout",
                                       "summary_type",
                                       "summary_use_proj",
                                       "sbert_ce_default_activation_function",
                                       "sentence_transformers",
                                       "_name_or_path",
                                       "torch_dtype",
                                       "add_cross_attention",
                                       "is_decoder"};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) json_remove(config, keys[k]);
}

static int write_config(const struct dual_encoder *de, const struct export_options *options,
                        const char *folder, struct error *err)
{
    struct json *config = NULL;
    char *source = path_join(de->folder, "config.json");
    int status = json_read_file(&config, source, err);
    free(source);
    if (status) return -1;
    drop_head_keys(config);
    struct json *classes = json_new_array();
    json_append_string(classes, encoder_bare_class(&de->encoder.config));
    json_set(config, "architectures", classes);
    json_set_int(config, json_get(config, "n_layers") ? "n_layers" : "num_hidden_layers",
                 options->layers);
    json_set_string(config, "dtype", "float32");
    if (options->num_taps) {
        struct json *dims = json_new_array();
        int last = 0;
        for (size_t t = 0; t < options->num_taps; t++)
            if (options->taps[t].dim > last) json_append_int(dims, last = options->taps[t].dim);
        json_set(config, "matryoshka_dimensions", dims);
    }
    return write_json(folder, "config.json", config, err);
}

static int write_pooling(const struct dual_encoder *de, const char *folder, struct error *err)
{
    struct json *config = json_new_object();
    json_set_int(config, "word_embedding_dimension", de->encoder.config.hidden_size);
    json_set_bool(config, "pooling_mode_cls_token", de->pooling == POOLING_CLS);
    json_set_bool(config, "pooling_mode_mean_tokens", de->pooling == POOLING_MEAN);
    json_set_bool(config, "pooling_mode_max_tokens", false);
    json_set_bool(config, "pooling_mode_mean_sqrt_len_tokens", false);
    json_set_bool(config, "pooling_mode_weightedmean_tokens", false);
    json_set_bool(config, "pooling_mode_lasttoken", false);
    json_set_bool(config, "include_prompt", true);
    char *pooling = path_join(folder, "1_Pooling");
    int status = make_folder(pooling, err);
    if (status)
        json_free(config);
    else
        status = write_json(pooling, "config.json", config, err);
    free(pooling);
    return status;
}

static void add_module(struct json *modules, const char *path, const char *type)
{
    char name[16], full[80];
    snprintf(name, sizeof name, "%zu", json_size(modules));
    snprintf(full, sizeof full, "sentence_transformers.models.%s", type);
    struct json *module = json_new_object();
    json_set_int(module, "idx", (int64_t)json_size(modules));
    json_set_string(module, "name", name);
    json_set_string(module, "path", path);
    json_set_string(module, "type", full);
    json_append(modules, module);
}

static int write_modules(const char *folder, bool dense, bool normalize, struct error *err)
{
    struct json *modules = json_new_array();
    add_module(modules, "", "Transformer");
    add_module(modules, "1_Pooling", "Pooling");
    if (dense) add_module(modules, "2_Dense", "Dense");
    if (normalize) add_module(modules, "3_Normalize", "Normalize");
    return write_json(folder, "modules.json", modules, err);
}

static int write_sentence_configs(const struct dual_encoder *de, const char *folder,
                                  struct error *err)
{
    struct json *length = json_new_object();
    json_set_int(length, "max_seq_length", de->max_length);
    json_set_bool(length, "do_lower_case", false);
    if (write_json(folder, "sentence_bert_config.json", length, err)) return -1;
    struct json *versions = json_new_object(), *prompts = json_new_object();
    json_set_string(versions, "sentence_transformers", "5.0.0");
    json_set_string(versions, "transformers", "4.50.0");
    json_set_string(versions, "pytorch", "2.6.0");
    json_set_string(prompts, "query", de->query_prompt);
    json_set_string(prompts, "document", de->document_prompt);
    struct json *config = json_new_object();
    json_set(config, "__version__", versions);
    json_set_string(config, "model_type", "SentenceTransformer");
    json_set(config, "prompts", prompts);
    json_set_null(config, "default_prompt_name");
    json_set_string(config, "similarity_fn_name", "cosine");
    return write_json(folder, "config_sentence_transformers.json", config, err);
}

static int write_card(const char *folder, const char *card, struct error *err)
{
    if (!card) return 0;
    struct output out = {0};
    char *path = path_join(folder, "README.md");
    int status = output_open(&out, path, err);
    free(path);
    if (status) return -1;
    output_write(&out, card, strlen(card));
    return output_commit(&out, err);
}

/* The rows of the layers that are kept. */
static int write_calibration(const struct dual_encoder *de, int layers, const char *folder,
                             struct error *err)
{
    const float *largest = encoder_calibration(&de->encoder);
    if (!largest) return 0;
    size_t all = encoder_channels(&de->encoder.config);
    char *path = path_join(folder, CALIBRATION_FILE);
    int status =
        npy_write(path, largest, (size_t)layers, all / (size_t)de->encoder.config.num_layers, err);
    free(path);
    return status;
}

static int write_all(const struct dual_encoder *de, const struct export_options *options,
                     const char *folder, struct error *err)
{
    bool dense = de->projection_weight >= 0 || options->dim < de->encoder.config.hidden_size;
    if (write_config(de, options, folder, err) || write_encoder(de, options->layers, folder, err) ||
        write_pooling(de, folder, err) || (dense && write_dense(de, options->dim, folder, err)) ||
        write_modules(folder, dense, options->normalize, err) ||
        write_sentence_configs(de, folder, err) || write_card(folder, options->card, err) ||
        write_calibration(de, options->layers, folder, err))
        return -1;
    return tokenizer_export(de->tokenizer, folder, de->max_length, err);
}

int dual_encoder_export(const struct dual_encoder *de, const struct export_options *options,
                        const char *folder, struct error *err)
{
    if (options->layers < 1 || options->layers > de->encoder.config.num_layers)
        return fail_usage(err, "--layers must be from 1 to %d, not %d",
                          de->encoder.config.num_layers, options->layers);
    if (options->dim < 1 || options->dim > de->output_size)
        return fail_usage(err, "--dim must be from 1 to %d, not %d", de->output_size, options->dim);
    struct output_folder out = {0};
    if (output_folder_open(&out, folder, "modules.json", err)) return -1;
    int status = write_all(de, options, out.temporary, err);
    if (!status) return output_folder_commit(&out, err);
    output_folder_abandon(&out);
    return -1;
}
