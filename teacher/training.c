#include "teacher/training.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/json.h"
#include "data/output.h"
#include "data/output_folder.h"
#include "nn/architecture.h"
#include "teacher/cross_encoder_parts.h"
#include "teacher/mimetic.h"

/* ---- beginning ---- */

/* A new head, or the folder's where that gives one logit. */
static int find_head(struct head *head, const struct hf_config *hf,
                     const struct encoder_config *config, const struct safetensors *st,
                     const char *folder, bool *is_new, struct error *err)
{
    struct error none = {0};
    *is_new = head_find(head, hf, config, st, folder, &none) != 0 || head->num_labels != 1;
    return *is_new ? head_new(head, config, err) : 0;
}

/* Of a new head: random, but its dense layer is the folder's where that has one of this shape (a
 * pooler). */
static void begin_head(struct cross_encoder *ce, const struct safetensors *st, uint64_t seed)
{
    int first = ce->head.first_param;
    double deviation = ce->encoder.config.initializer_range;
    const char *prefixes[] = {ce->head.prefix, ""};
    bool stored = false;
    for (int p = 0; p < 2 && !stored; p++) {
        struct error none = {0};
        struct head dense = ce->head;
        dense.prefix = prefixes[p];
        stored = head_load_dense(&dense, &ce->params, st, &none) == 0;
    }
    params_init_random(&ce->params, stored ? first + 2 : first, first + 4, deviation, seed);
}

static int begin_from(struct cross_encoder *ce, const char *folder, const struct safetensors *st,
                      const struct training_start *start, enum precision precision,
                      struct error *err)
{
    struct hf_config hf;
    struct encoder_config config;
    bool is_new;
    if (hf_config_read(&hf, folder, err) || encoder_config_from_hf(&config, &hf, err) ||
        find_head(&ce->head, &hf, &config, st, folder, &is_new, err))
        return -1;
    config.hidden_dropout = config.attention_dropout = start->dropout;
    cross_encoder_alloc(ce, &config, precision);
    if (is_new)
        begin_head(ce, st, start->seed);
    else if (head_load(&ce->head, &ce->params, st, folder, err))
        return -1;
    if (encoder_load(&ce->encoder, st, folder, err)) return -1;
    return cross_encoder_add_tokenizer(ce, folder, err);
}

int cross_encoder_begin(struct cross_encoder **out, const char *folder,
                        const struct training_start *start, struct error *err)
{
    struct cross_encoder *ce = xcalloc(1, sizeof *ce);
    struct safetensors *st = NULL;
    enum precision precision = precision_of_training(start->precision);
    int status = precision_resolve(&precision, err);
    if (!status) status = safetensors_open(&st, folder, err);
    if (!status) status = begin_from(ce, folder, st, start, precision, err);
    safetensors_close(st);
    if (status) {
        cross_encoder_close(ce);
        ce = NULL;
    }
    *out = ce;
    return status;
}

int cross_encoder_new(struct cross_encoder **out, const struct encoder_config *config,
                      struct tokenizer *tokenizer, const struct training_start *start,
                      struct error *err)
{
    struct cross_encoder *ce = xcalloc(1, sizeof *ce);
    struct encoder_config own = *config;
    enum precision precision = precision_of_training(start->precision);
    *out = NULL;
    ce->tokenizer = tokenizer;
    REQUIRE(config->vocab_size >= tokenizer_vocab_size(tokenizer));
    own.hidden_dropout = own.attention_dropout = start->dropout;
    if (precision_resolve(&precision, err) || head_new(&ce->head, &own, err)) {
        cross_encoder_close(ce);
        return -1;
    }
    cross_encoder_alloc(ce, &own, precision);
    params_init_random(&ce->params, 0, (int)ce->params.count, own.initializer_range, start->seed);
    mimetic_attention(&ce->encoder, start->seed);
    encoder_refresh(&ce->encoder);
    *out = ce;
    return 0;
}

/* ---- forward and backward ---- */

struct encoder *cross_encoder_trained(struct cross_encoder *ce)
{
    return &ce->encoder;
}

/* kept [num_seqs, 2 hidden_size]: the first token's hidden state, and the dense layer's output. */
static void logits_forward(const void *model, const struct encoder_pass *pass,
                           const struct batch *batch, int layer, float *kept, float *out)
{
    const struct cross_encoder *ce = model;
    size_t width = (size_t)ce->head.hidden_size;
    const float *hidden = encoder_hidden(pass, layer);
    float *scratch = xmalloc(width * sizeof *scratch);
    for (int s = 0; s < batch->num_seqs; s++) {
        float *first = kept + 2 * width * (size_t)s;
        memcpy(first, hidden + (size_t)batch->offsets[s] * width, width * sizeof *first);
        head_dense(&ce->head, &ce->params, first, first + width);
        head_forward(&ce->head, &ce->params, first, scratch, out + s);
    }
    free(scratch);
}

static void logits_backward(const void *model, const struct batch *batch, const float *kept,
                            const float *d_out, float *scratch, float *d_hidden, float *d_params)
{
    const struct cross_encoder *ce = model;
    size_t width = (size_t)ce->head.hidden_size;
    memset(d_hidden, 0, (size_t)batch->num_tokens * width * sizeof *d_hidden);
    for (int s = 0; s < batch->num_seqs; s++) {
        const float *first = kept + 2 * width * (size_t)s;
        head_backward(&ce->head, &ce->params, first, first + width, d_out + s, scratch,
                      d_hidden + (size_t)batch->offsets[s] * width, d_params);
    }
}

struct tape *cross_encoder_tape(const struct cross_encoder *ce, struct pool *pool,
                                size_t keep_bytes)
{
    REQUIRE(ce->head.num_labels == 1);
    const struct tape_head head = {.model = ce,
                                   .output_size = 1,
                                   .kept_size = 2 * ce->head.hidden_size,
                                   .forward = logits_forward,
                                   .backward = logits_backward};
    return tape_open(&ce->encoder, &head, pool, keep_bytes);
}

/* ---- writing ---- */

static struct json *new_config(const struct encoder_config *config)
{
    struct json *out = json_new_object();
    json_set_string(out, "model_type", config->architecture->model_type);
    json_set_string(out, "hidden_act", "gelu");
    json_set_int(out, "vocab_size", config->vocab_size);
    json_set_int(out, "hidden_size", config->hidden_size);
    json_set_int(out, "num_hidden_layers", config->num_layers);
    json_set_int(out, "num_attention_heads", config->num_heads);
    json_set_int(out, "intermediate_size", config->intermediate_size);
    json_set_int(out, "max_position_embeddings", config->max_positions);
    json_set_int(out, "type_vocab_size", config->type_vocab_size);
    json_set_number(out, "layer_norm_eps", config->layer_norm_eps);
    json_set_number(out, "initializer_range", config->initializer_range);
    json_set_number(out, "hidden_dropout_prob", config->hidden_dropout);
    json_set_number(out, "attention_probs_dropout_prob", config->attention_dropout);
    json_set_int(out, "pad_token_id", 0);
    return out;
}

/* BertModel -> BertForSequenceClassification */
static void set_class(struct json *config, const struct encoder_config *encoder)
{
    const char *bare = encoder_bare_class(encoder);
    size_t stem = strlen(bare) - strlen("Model");
    char *class = xasprintf("%.*sForSequenceClassification", (int)stem, bare);
    struct json *classes = json_new_array();
    json_append_string(classes, class);
    json_set(config, "architectures", classes);
    free(class);
}

/* One label, and raw logits for sentence-transformers, which takes their sigmoid otherwise. */
static void set_label(struct json *config)
{
    struct json *names = json_new_object(), *ids = json_new_object(), *st = json_new_object();
    json_set_string(names, "0", "LABEL_0");
    json_set_int(ids, "LABEL_0", 0);
    json_set(config, "id2label", names);
    json_set(config, "label2id", ids);
    json_remove(config, "num_labels");
    json_remove(config, "problem_type");
    json_remove(config, "sbert_ce_default_activation_function");
    json_set_string(st, "activation_fn", "torch.nn.modules.linear.Identity");
    json_set_string(st, "version", "5.0.0");
    json_set(config, "sentence_transformers", st);
}

static int write_config(const struct cross_encoder *ce, const char *folder, struct error *err)
{
    struct json *config = NULL;
    if (ce->folder) {
        char *source = path_join(ce->folder, "config.json");
        int status = json_read_file(&config, source, err);
        free(source);
        if (status) return -1;
    } else {
        config = new_config(&ce->encoder.config);
    }
    set_class(config, &ce->encoder.config);
    set_label(config);
    json_remove(config, "torch_dtype");
    json_remove(config, "_name_or_path");
    json_set_string(config, "dtype", "float32");
    char *path = path_join(folder, "config.json");
    int status = json_write_file(path, config, err);
    free(path);
    json_free(config);
    return status;
}

static int write_weights(const struct cross_encoder *ce, const char *folder, struct error *err)
{
    struct arena names = {0};
    struct tensor *list = xcalloc(ce->params.count, sizeof *list);
    const struct encoder *encoder = &ce->encoder;
    int count = encoder_tensors(list, encoder, encoder->config.num_layers,
                                encoder_prefix(&encoder->config), &names);
    for (int i = ce->head.first_param; i < ce->head.first_param + 4; i++) {
        char name[160];
        head_tensor_name(&ce->head, ce->params.list[i].name, name);
        list[count++] = params_tensor(&ce->params, i, arena_strndup(&names, name, strlen(name)));
    }
    int status = safetensors_write_model(folder, list, count, err);
    free(list);
    arena_free(&names);
    return status;
}

int cross_encoder_write(const struct cross_encoder *ce, const char *folder, int max_length,
                        struct error *err)
{
    struct output_folder out = {0};
    if (output_folder_open(&out, folder, "model.safetensors", err)) return -1;
    if (write_config(ce, out.temporary, err) || write_weights(ce, out.temporary, err) ||
        tokenizer_export(ce->tokenizer, out.temporary, max_length, err)) {
        output_folder_abandon(&out);
        return -1;
    }
    return output_folder_commit(&out, err);
}
