/* See model_folder.h.  Defaults are those of transformers' configuration classes and of
 * sentence-transformers. */
#include "data/model_folder.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "data/guard.h"
#include "data/json.h"
#include "data/output.h"

/* ---- config.json ---- */

/* Beyond these a size is a mistake, and the products of two still fit 64 bits. */
enum {
    MOST_TOKENS = 10000000,
    MOST_WIDTH = 1 << 17,
    MOST_LAYERS = 1000,
    MOST_HEADS = 4096,
    MOST_POSITIONS = 10000000,
    MOST_LABELS = 100000
};

/* What a family calls things, and its defaults. */
struct family {
    const char *model_type;
    const char *hidden_size, *num_layers, *num_heads, *intermediate_size, *hidden_act;
    const char *hidden_dropout, *attention_dropout;
    int pad_token_id, type_vocab_size, embedding_size; /* embedding_size 0: as hidden_size */
};

#define BERT_NAMES                                                                                 \
    "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act",  \
        "hidden_dropout_prob", "attention_probs_dropout_prob"

static const struct family families[] = {
    {"bert", BERT_NAMES, 0, 2, 0},
    {"roberta", BERT_NAMES, 1, 2, 0},
    {"xlm-roberta", BERT_NAMES, 1, 2, 0},
    {"electra", BERT_NAMES, 0, 2, 128},
    {"distilbert", "dim", "n_layers", "n_heads", "hidden_dim", "activation", "dropout",
     "attention_dropout", 0, 0, 0},
};

static const struct family *find_family(const char *model_type)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (!strcmp(families[i].model_type, model_type)) return &families[i];
    return NULL;
}

/* Copies a string that must fit. */
static int copy_string(char *out, size_t size, const char *string, const char *key,
                       const char *path, struct error *err)
{
    if (strlen(string) >= size)
        return fail(err, "%s: \"%s\" is too long: \"%.40s...\"", path, key, string);
    memcpy(out, string, strlen(string) + 1);
    return 0;
}

/* A size that has no default. */
static int need_size(int *out, const struct json *config, const char *key, int max,
                     const char *path, struct error *err)
{
    *out = 0;
    if (json_get_int(out, config, key, 1, max, path, err)) return -1;
    return *out ? 0 : fail(err, "%s: \"%s\" is missing", path, key);
}

static int read_sizes(struct hf_config *out, const struct json *config, const struct family *family,
                      const char *path, struct error *err)
{
    if (need_size(&out->vocab_size, config, "vocab_size", MOST_TOKENS, path, err) ||
        need_size(&out->hidden_size, config, family->hidden_size, MOST_WIDTH, path, err) ||
        need_size(&out->num_layers, config, family->num_layers, MOST_LAYERS, path, err) ||
        need_size(&out->num_heads, config, family->num_heads, MOST_HEADS, path, err) ||
        need_size(&out->intermediate_size, config, family->intermediate_size, MOST_WIDTH, path,
                  err) ||
        need_size(&out->max_positions, config, "max_position_embeddings", MOST_POSITIONS, path,
                  err))
        return -1;
    if (out->hidden_size % out->num_heads)
        return fail(err, "%s: %s %d is not a multiple of %s %d", path, family->hidden_size,
                    out->hidden_size, family->num_heads, out->num_heads);
    out->embedding_size = family->embedding_size ? family->embedding_size : out->hidden_size;
    out->type_vocab_size = family->type_vocab_size;
    out->pad_token_id = family->pad_token_id;
    if (family->embedding_size &&
        json_get_int(&out->embedding_size, config, "embedding_size", 1, MOST_WIDTH, path, err))
        return -1;
    if (family->type_vocab_size &&
        json_get_int(&out->type_vocab_size, config, "type_vocab_size", 1, MOST_LABELS, path, err))
        return -1;
    return json_get_int(&out->pad_token_id, config, "pad_token_id", 0, out->vocab_size - 1, path,
                        err);
}

/* transformers: the length of id2label, unless num_labels says otherwise; 2 where neither is
 * given. */
static int read_labels(int *out, const struct json *config, const char *path, struct error *err)
{
    const struct json *labels = json_get(config, "id2label");
    enum json_kind kind = json_kind(labels);
    *out = 2;
    if (kind == JSON_KIND_OBJECT && json_size(labels) > 0 && json_size(labels) <= MOST_LABELS)
        *out = (int)json_size(labels);
    else if (kind != JSON_KIND_NONE && kind != JSON_KIND_NULL)
        return fail(err, "%s: \"id2label\" is %s of %zu, must be an object of 1 to %d labels", path,
                    json_kind_name(labels), json_size(labels), MOST_LABELS);
    return json_get_int(out, config, "num_labels", 1, MOST_LABELS, path, err);
}

static int read_numbers(struct hf_config *out, const struct json *config,
                        const struct family *family, const char *path, struct error *err)
{
    out->layer_norm_eps = 1e-12;
    out->initializer_range = 0.02;
    out->hidden_dropout = out->attention_dropout = 0.1;
    if (json_get_number(&out->layer_norm_eps, config, "layer_norm_eps", 0, 1, path, err) ||
        json_get_number(&out->initializer_range, config, "initializer_range", 0, 100, path, err) ||
        json_get_number(&out->hidden_dropout, config, family->hidden_dropout, 0, 0.99, path, err) ||
        json_get_number(&out->attention_dropout, config, family->attention_dropout, 0, 0.99, path,
                        err))
        return -1;
    return read_labels(&out->num_labels, config, path, err);
}

/* Variations of the architecture that would give wrong numbers if they were overlooked. */
static int refuse_variants(const struct json *config, const char *path, struct error *err)
{
    const char *positions = json_string_or(config, "position_embedding_type", "absolute");
    if (strcmp(positions, "absolute") != 0)
        return fail(err, "%s: position_embedding_type \"%s\" is not supported, only \"absolute\"",
                    path, positions);
    if (json_size(json_get(config, "pruned_heads")) > 0)
        return fail(err, "%s: pruned_heads are not supported: save the model with all heads", path);
    if (json_bool_or(config, "is_decoder", false) ||
        json_bool_or(config, "add_cross_attention", false))
        return fail(err, "%s: is_decoder is set: only encoders are supported", path);
    return 0;
}

static int read_config(struct hf_config *out, const struct json *config, const char *path,
                       struct error *err)
{
    if (json_kind(config) != JSON_KIND_OBJECT)
        return fail(err, "%s is %s, must be an object", path, json_kind_name(config));
    const char *type = json_get_string(config, "model_type");
    if (!type) return fail(err, "%s: \"model_type\" is missing", path);
    const struct family *family = find_family(type);
    if (!family)
        return fail(err,
                    "%s: model_type \"%.60s\" is not supported; retort knows bert, roberta, "
                    "xlm-roberta, distilbert and electra",
                    path, type);
    const char *class = json_as_string(json_at(json_get(config, "architectures"), 0));
    const char *activation = json_string_or(config, family->hidden_act, "gelu");
    if (copy_string(out->model_type, sizeof out->model_type, type, "model_type", path, err) ||
        copy_string(out->architecture, sizeof out->architecture, class ? class : "",
                    "architectures", path, err) ||
        copy_string(out->hidden_act, sizeof out->hidden_act, activation, family->hidden_act, path,
                    err) ||
        refuse_variants(config, path, err) || read_sizes(out, config, family, path, err))
        return -1;
    return read_numbers(out, config, family, path, err);
}

int hf_config_read(struct hf_config *out, const char *folder, struct error *err)
{
    struct json *config;
    char *path = hold(path_join(folder, "config.json"), free);
    *out = (struct hf_config){0};
    int status = json_read_file(&config, path, err);
    if (status == 0) status = read_config(out, config, path, err);
    json_free(config);
    free(let_go(path));
    return status;
}

/* ---- sentence-transformers ---- */

/* Reads folder/name into *out, NULL where there is no such file. */
static int read_optional(struct json **out, const char *folder, const char *name, struct error *err)
{
    char *path = hold(path_join(folder, name), free);
    *out = NULL;
    int status = path_exists(path) ? json_read_file(out, path, err) : 0;
    free(let_go(path));
    return status;
}

/* New (>= 5.4): pooling_mode, a name or a list of one.  Old: one flag a mode, mean where none is
 * set. */
static const char *pooling_name(const struct json *config)
{
    static const char *const flags[] = {
        "pooling_mode_cls_token",           "pooling_mode_max_tokens",
        "pooling_mode_mean_tokens",         "pooling_mode_mean_sqrt_len_tokens",
        "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken"};
    static const char *const names[] = {"cls",          "max",      "mean", "mean_sqrt_len_tokens",
                                        "weightedmean", "lasttoken"};
    const struct json *mode = json_get(config, "pooling_mode");
    if (json_kind(mode) == JSON_KIND_ARRAY && json_size(mode) == 1) mode = json_at(mode, 0);
    if (json_as_string(mode)) return json_as_string(mode);
    if (mode) return "several modes";
    const char *found = NULL;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (json_bool_or(config, flags[i], false)) found = found ? "several modes" : names[i];
    return found ? found : "mean";
}

static int read_pooling(struct st_config *out, const char *folder, struct error *err)
{
    struct json *config;
    char *path = hold(path_join(folder, "config.json"), free);
    int status = json_read_file(&config, path, err);
    const char *name = pooling_name(config);
    if (status) {
        /* the reader said why */
    } else if (!strcmp(name, "mean") || !strcmp(name, "cls")) {
        out->pooling = *name == 'm' ? POOLING_MEAN : POOLING_CLS;
    } else {
        status = fail(err, "%s: pooling by %s is not supported, only mean and cls", path, name);
    }
    if (status == 0 && !json_bool_or(config, "include_prompt", true))
        status = fail(err, "%s: include_prompt false is not supported", path);
    json_free(config);
    free(let_go(path));
    return status;
}

const char *dense_class(enum dense_activation activation)
{
    static const char *const classes[] = {
        [DENSE_IDENTITY] = "torch.nn.modules.linear.Identity",
        [DENSE_TANH] = "torch.nn.modules.activation.Tanh",
    };
    return classes[activation];
}

static int check_dense(struct st_config *out, const struct json *config, const char *path,
                       struct error *err)
{
    static const char *const feature_keys[] = {"module_input_name", "module_output_name"};
    /* Without the key the module applies a tanh. */
    const char *class = json_string_or(config, "activation_function", dense_class(DENSE_TANH));
    bool tanh = strcmp(class, dense_class(DENSE_TANH)) == 0;
    if (!tanh && strcmp(class, dense_class(DENSE_IDENTITY)) != 0)
        return fail(err, "%s: activation_function %s is not supported, only Identity and Tanh",
                    path, class);
    out->dense_activation = tanh ? DENSE_TANH : DENSE_IDENTITY;
    if (json_bool_or(config, "use_residual", false))
        return fail(err, "%s: use_residual is not supported", path);
    for (int i = 0; i < 2; i++) {
        const char *feature = json_string_or(config, feature_keys[i], "sentence_embedding");
        if (strcmp(feature, "sentence_embedding") != 0)
            return fail(err, "%s: %s \"%s\" is not supported, only the sentence embedding", path,
                        feature_keys[i], feature);
    }
    return 0;
}

static int read_dense(struct st_config *out, const char *folder, struct error *err)
{
    struct json *config;
    out->dense_folder = xstrdup(folder);
    out->dense_bias = true;
    char *path = hold(path_join(folder, "config.json"), free);
    int status = json_read_file(&config, path, err);
    if (status == 0) status = check_dense(out, config, path, err);
    if (status == 0)
        status = need_size(&out->dense_in, config, "in_features", MOST_WIDTH, path, err);
    if (status == 0)
        status = need_size(&out->dense_out, config, "out_features", MOST_WIDTH, path, err);
    if (status == 0) status = json_get_bool(&out->dense_bias, config, "bias", path, err);
    json_free(config);
    free(let_go(path));
    return status;
}

enum module { MODULE_TRANSFORMER, MODULE_POOLING, MODULE_DENSE, MODULE_NORMALIZE, NUM_MODULES };
static const char *const module_names[] = {"Transformer", "Pooling", "Dense", "Normalize"};

/* The module that a class path of either layout means; NUM_MODULES where it is none of ours. */
static enum module module_of(const char *class)
{
    const char *name = strrchr(class, '.');
    int module = NUM_MODULES;
    if (name && !strncmp(class, "sentence_transformers.", 22))
        for (module = 0; module < NUM_MODULES; module++)
            if (!strcmp(name + 1, module_names[module])) break;
    return (enum module)module;
}

/* One element of modules.json; *next is the first module that may still come. */
static int read_module(struct st_config *out, int *next, const struct json *entry,
                       const char *folder, const char *where, struct error *err)
{
    const char *class = json_get_string(entry, "type"), *path = json_string_or(entry, "path", "");
    if (!class) return fail(err, "%s: a module has no \"type\"", where);
    enum module module = module_of(class);
    if (module == NUM_MODULES)
        return fail(err,
                    "%s: module %.100s is not supported, only Transformer, Pooling, Dense, "
                    "Normalize",
                    where, class);
    if ((int)module < *next || (*next < 2 && (int)module != *next))
        return fail(err,
                    "%s: module %s stands in an unexpected place: the order is Transformer, "
                    "Pooling, Dense, Normalize",
                    where, module_names[module]);
    *next = (int)module + 1;
    if (strstr(path, "..") || *path == '/')
        return fail(err, "%s: path \"%s\" leaves the folder", where, path);
    if (module == MODULE_TRANSFORMER && *path)
        return fail(err,
                    "%s: the transformer is in the subfolder \"%s\": load the model with a recent "
                    "sentence-transformers and save it again",
                    where, path);
    if (module == MODULE_NORMALIZE) out->normalize = true;
    char *place = hold(path_join(folder, path), free);
    int status = module == MODULE_POOLING ? read_pooling(out, place, err)
                 : module == MODULE_DENSE ? read_dense(out, place, err)
                                          : 0;
    free(let_go(place));
    return status;
}

static int read_modules(struct st_config *out, const char *folder, struct error *err)
{
    struct json *modules;
    if (read_optional(&modules, folder, "modules.json", err)) return -1;
    if (!modules) return 0; /* a bare Hugging Face folder */
    out->is_sentence_transformer = true;
    hold(modules, json_release);
    char *where = hold(path_join(folder, "modules.json"), free);
    int status = 0, next = 0;
    if (json_kind(modules) != JSON_KIND_ARRAY)
        status = fail(err, "%s is %s, must be an array", where, json_kind_name(modules));
    for (size_t i = 0; i < json_size(modules) && status == 0; i++)
        status = read_module(out, &next, json_at(modules, i), folder, where, err);
    if (status == 0 && next < 2) status = fail(err, "%s: no %s module", where, module_names[next]);
    free(let_go(where));
    json_free(let_go(modules));
    return status;
}

/* The file is named after the architecture in old folders. */
static int read_lengths(struct st_config *out, const char *folder, struct error *err)
{
    static const char *const names[] = {
        "sentence_bert_config.json",        "sentence_roberta_config.json",
        "sentence_distilbert_config.json",  "sentence_camembert_config.json",
        "sentence_xlm-roberta_config.json", "sentence_albert_config.json"};
    struct json *config = NULL;
    size_t i = 0;
    for (; i < sizeof names / sizeof *names && !config; i++)
        if (read_optional(&config, folder, names[i], err)) return -1;
    if (!config) return 0;
    int status =
        json_get_int(&out->max_seq_length, config, "max_seq_length", 1, INT_MAX, names[i - 1], err);
    if (status == 0)
        status = json_get_bool(&out->lowercase, config, "do_lower_case", names[i - 1], err);
    json_free(config);
    return status;
}

static int read_prompt(char **out, const struct json *prompts, const char *const *names,
                       const char *where, struct error *err)
{
    for (; *names; names++) {
        const struct json *prompt = json_get(prompts, *names);
        if (!prompt || json_kind(prompt) == JSON_KIND_NULL) continue;
        if (!json_as_string(prompt))
            return fail(err, "%s: prompt \"%s\" is %s, must be a string", where, *names,
                        json_kind_name(prompt));
        char *copy = xstrdup(json_as_string(prompt));
        free(*out);
        *out = copy;
        return 0;
    }
    return 0;
}

static int read_similarity(struct st_config *out, const struct json *config, const char *where,
                           struct error *err)
{
    static const char *const known[] = {"cosine", "dot", "euclidean", "manhattan"};
    const char *name = json_string_or(config, "similarity_fn_name", "cosine");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i], name))
            return copy_string(out->similarity, sizeof out->similarity, name, "similarity_fn_name",
                               where, err);
    return fail(err,
                "%s: similarity_fn_name \"%.40s\" is not known: cosine, dot, euclidean, manhattan",
                where, name);
}

static int read_main(struct st_config *out, const char *folder, struct error *err)
{
    static const char *const query[] = {"query", NULL};
    static const char *const document[] = {"document", "passage", "corpus", NULL};
    static const char name[] = "config_sentence_transformers.json";
    struct json *config;
    if (read_optional(&config, folder, name, err)) return -1;
    hold(config, json_release);
    const struct json *prompts = json_get(config, "prompts");
    int status = read_similarity(out, config, name, err);
    if (status == 0)
        status = json_get_int(&out->truncate_dim, config, "truncate_dim", 1, MOST_WIDTH, name, err);
    if (status == 0) status = read_prompt(&out->query_prompt, prompts, query, name, err);
    if (status == 0) status = read_prompt(&out->document_prompt, prompts, document, name, err);
    json_free(let_go(config));
    return status;
}

int st_config_read(struct st_config *out, const char *folder, struct error *err)
{
    *out = (struct st_config){.pooling = POOLING_MEAN, .query_prompt = xstrdup("")};
    out->document_prompt = xstrdup("");
    if (read_modules(out, folder, err) || read_lengths(out, folder, err) ||
        read_main(out, folder, err)) {
        st_config_free(out);
        return -1;
    }
    return 0;
}

void st_config_free(struct st_config *config)
{
    free(config->dense_folder);
    free(config->query_prompt);
    free(config->document_prompt);
    *config = (struct st_config){0};
}

void st_config_release(void *config)
{
    st_config_free(config);
}
