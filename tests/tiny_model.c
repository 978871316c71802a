/* See tiny_model.h. */
#include "tests/tiny_model.h"

#include "data/output.h"
#include "data/safetensors.h"
#include "tests/support.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const tiny_words[] = {"the",  "cat",  "dog",   "bird",  "sat", "ran",  "on",
                                  "in",   "a",    "house", "tree",  "sea", "blue", "green",
                                  "slow", "fast", "what",  "where", "who", NULL};
enum { MAX_TENSORS = 64, POSITIONS = 48, INTERMEDIATE = 24 };

static void write_text(const char *folder, const char *name, const char *bytes)
{
    struct output out = {0};
    struct error err = {0};
    char *path = path_join(folder, name), *parent = path_folder(path);
    check_ok(make_folder(parent, &err), &err);
    check_ok(output_open(&out, path, &err), &err);
    output_write(&out, bytes, strlen(bytes));
    check_ok(output_commit(&out, &err), &err);
    free(parent);
    free(path);
}

/* How many words there are. */
static size_t write_vocabulary(const char *folder)
{
    struct text text = {0};
    size_t count = 5 + 2 * 36;
    text_puts(&text, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
    for (const char *c = "abcdefghijklmnopqrstuvwxyz0123456789"; *c; c++)
        text_printf(&text, "%c\n##%c\n", *c, *c);
    for (size_t i = 0; tiny_words[i]; i++)
        if (strlen(tiny_words[i]) > 1) text_printf(&text, "%s\n", tiny_words[i]), count++;
    write_text(folder, "vocab.txt", text.bytes);
    text_free(&text);
    write_text(folder, "tokenizer_config.json",
               "{\"do_lower_case\": true, \"tokenizer_class\": \"BertTokenizer\", "
               "\"model_max_length\": 40}\n");
    return count;
}

static void write_config(const char *folder, size_t vocab_size)
{
    struct text text = {0};
    text_printf(&text,
                "{\"model_type\": \"bert\", \"architectures\": [\"BertModel\"], "
                "\"hidden_act\": \"gelu\", \"vocab_size\": %zu, \"hidden_size\": %d, "
                "\"num_hidden_layers\": %d, \"num_attention_heads\": 2, "
                "\"intermediate_size\": %d, \"max_position_embeddings\": %d, "
                "\"type_vocab_size\": 2, \"pad_token_id\": 0, \"layer_norm_eps\": 1e-12}\n",
                vocab_size, TINY_HIDDEN, TINY_LAYERS, INTERMEDIATE, POSITIONS);
    write_text(folder, "config.json", text.bytes);
    text_free(&text);
}

static void write_modules(const char *folder, const struct tiny_model *model)
{
    static const char module[] = "{\"idx\": %d, \"name\": \"%d\", \"path\": \"%s\", \"type\": "
                                 "\"sentence_transformers.models.%s\"}";
    struct text text = {0};
    text_puts(&text, "[");
    text_printf(&text, module, 0, 0, "", "Transformer");
    text_puts(&text, ", ");
    text_printf(&text, module, 1, 1, "1_Pooling", "Pooling");
    if (model->normalize) {
        text_puts(&text, ", ");
        text_printf(&text, module, 2, 2, "2_Normalize", "Normalize");
    }
    text_puts(&text, "]\n");
    write_text(folder, "modules.json", text.bytes);
    text_clear(&text);
    text_printf(&text,
                "{\"word_embedding_dimension\": %d, \"pooling_mode_mean_tokens\": true, "
                "\"pooling_mode_cls_token\": false}\n",
                TINY_HIDDEN);
    write_text(folder, "1_Pooling/config.json", text.bytes);
    text_clear(&text);
    text_printf(&text,
                "{\"similarity_fn_name\": \"%s\", \"prompts\": {\"query\": \"%s\", "
                "\"document\": \"%s\"}}\n",
                model->similarity ? model->similarity : "cosine",
                model->query_prompt ? model->query_prompt : "",
                model->document_prompt ? model->document_prompt : "");
    write_text(folder, "config_sentence_transformers.json", text.bytes);
    text_free(&text);
}

struct tensors {
    struct tensor list[MAX_TENSORS];
    int count;
    struct arena arena;
    uint64_t seed;
};

/* rows 0: a vector.  Values of deviation 0.3 around middle, so that layers differ visibly. */
static void add_tensor(struct tensors *tensors, const char *name, size_t rows, size_t cols,
                       double middle)
{
    REQUIRE(tensors->count < MAX_TENSORS);
    size_t n = (rows ? rows : 1) * cols;
    float *values = arena_alloc(&tensors->arena, n * sizeof *values);
    for (size_t i = 0; i < n; i++)
        values[i] =
            (float)(middle + 0.3 * random_normal(tensors->seed, (uint64_t)tensors->count, i));
    struct tensor *tensor = &tensors->list[tensors->count++];
    *tensor = (struct tensor){.name = arena_strndup(&tensors->arena, name, strlen(name)),
                              .dtype = DTYPE_F32,
                              .rank = rows ? 2 : 1,
                              .shape = {rows ? rows : cols, cols},
                              .data = values};
}

static void add_linear(struct tensors *tensors, const char *prefix, size_t rows, size_t cols)
{
    char name[128];
    snprintf(name, sizeof name, "%s.weight", prefix);
    add_tensor(tensors, name, rows, cols, 0);
    snprintf(name, sizeof name, "%s.bias", prefix);
    add_tensor(tensors, name, 0, rows, 0);
}

static void add_norm(struct tensors *tensors, const char *prefix)
{
    char name[128];
    snprintf(name, sizeof name, "%s.weight", prefix);
    add_tensor(tensors, name, 0, TINY_HIDDEN, 1);
    snprintf(name, sizeof name, "%s.bias", prefix);
    add_tensor(tensors, name, 0, TINY_HIDDEN, 0);
}

static void add_layer(struct tensors *tensors, int layer)
{
    static const char *const square[] = {"attention.self.query", "attention.self.key",
                                         "attention.self.value", "attention.output.dense"};
    char name[96];
    for (size_t i = 0; i < sizeof square / sizeof *square; i++) {
        snprintf(name, sizeof name, "encoder.layer.%d.%s", layer, square[i]);
        add_linear(tensors, name, TINY_HIDDEN, TINY_HIDDEN);
    }
    snprintf(name, sizeof name, "encoder.layer.%d.attention.output.LayerNorm", layer);
    add_norm(tensors, name);
    snprintf(name, sizeof name, "encoder.layer.%d.intermediate.dense", layer);
    add_linear(tensors, name, INTERMEDIATE, TINY_HIDDEN);
    snprintf(name, sizeof name, "encoder.layer.%d.output.dense", layer);
    add_linear(tensors, name, TINY_HIDDEN, INTERMEDIATE);
    snprintf(name, sizeof name, "encoder.layer.%d.output.LayerNorm", layer);
    add_norm(tensors, name);
}

static void write_weights(const char *folder, size_t vocab_size, uint64_t seed)
{
    struct tensors tensors = {.seed = seed};
    struct error err = {0};
    add_tensor(&tensors, "embeddings.word_embeddings.weight", vocab_size, TINY_HIDDEN, 0);
    add_tensor(&tensors, "embeddings.position_embeddings.weight", POSITIONS, TINY_HIDDEN, 0);
    add_tensor(&tensors, "embeddings.token_type_embeddings.weight", 2, TINY_HIDDEN, 0);
    add_norm(&tensors, "embeddings.LayerNorm");
    for (int layer = 0; layer < TINY_LAYERS; layer++) add_layer(&tensors, layer);
    char *path = path_join(folder, "model.safetensors");
    check_ok(safetensors_write(path, tensors.list, tensors.count, NULL, &err), &err);
    free(path);
    arena_free(&tensors.arena);
}

char *tiny_model(const char *name, const struct tiny_model *model)
{
    char *folder = path_join(scratch_folder(), name);
    size_t vocab_size = write_vocabulary(folder);
    write_config(folder, vocab_size);
    write_modules(folder, model);
    write_weights(folder, vocab_size, model->seed);
    return folder;
}
