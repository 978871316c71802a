/* The families and their names: see architecture.h; configuration and tensor names of encoder.h
 * that follow from them.
 *
 * Canonical names are BERT's (transformers' modeling_bert.py).  DistilBERT's are of
 * modeling_distilbert.py.
 */
#include "nn/architecture.h"

#include "nn/encoder.h"

#include <stdio.h>
#include <string.h>

static const char *const distilbert_names[][2] = {
    {"encoder.layer.", "transformer.layer."},
    {"attention.self.query.", "attention.q_lin."},
    {"attention.self.key.", "attention.k_lin."},
    {"attention.self.value.", "attention.v_lin."},
    {"attention.output.dense.", "attention.out_lin."},
    {"attention.output.LayerNorm.", "sa_layer_norm."},
    {"intermediate.dense.", "ffn.lin1."},
    {"output.dense.", "ffn.lin2."},
    {"output.LayerNorm.", "output_layer_norm."},
    {NULL, NULL},
};

static const struct architecture architectures[] = {
    {"bert", "bert.", "BertModel", .has_types = true},
    {"roberta", "roberta.", "RobertaModel", .positions_after_padding = true, .has_types = true},
    {"xlm-roberta", "roberta.", "XLMRobertaModel", .positions_after_padding = true,
     .has_types = true},
    {"distilbert", "distilbert.", "DistilBertModel", .renamed = distilbert_names},
    {"electra", "electra.", "ElectraModel", .has_types = true, .may_project = true},
};

const struct architecture *architecture_find(const char *model_type)
{
    for (size_t i = 0; i < sizeof architectures / sizeof *architectures; i++)
        if (strcmp(architectures[i].model_type, model_type) == 0) return &architectures[i];
    return NULL;
}

const char *architecture_list(void)
{
    return "bert, roberta, xlm-roberta, distilbert, electra";
}

static int activation_parse(enum activation *out, const char *name, struct error *err)
{
    static const struct {
        const char *name;
        enum activation activation;
    } known[] = {{"gelu", ACTIVATION_GELU},
                 {"gelu_python", ACTIVATION_GELU},
                 {"gelu_new", ACTIVATION_GELU_TANH},
                 {"gelu_pytorch_tanh", ACTIVATION_GELU_TANH},
                 {"relu", ACTIVATION_RELU}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, name) == 0) return *out = known[i].activation, 0;
    return fail(err,
                "config.json: hidden_act \"%s\" is not supported; retort knows gelu, gelu_new, "
                "gelu_pytorch_tanh and relu",
                name);
}

int encoder_config_from_hf(struct encoder_config *out, const struct hf_config *hf,
                           struct error *err)
{
    const struct architecture *kind = architecture_find(hf->model_type);
    if (!kind)
        return fail(err, "config.json: model_type \"%s\" is not supported; retort knows %s",
                    hf->model_type, architecture_list());
    int embedding = hf->embedding_size ? hf->embedding_size : hf->hidden_size;
    *out = (struct encoder_config){
        .architecture = kind,
        .vocab_size = hf->vocab_size,
        .hidden_size = hf->hidden_size,
        .embedding_size = kind->may_project ? embedding : hf->hidden_size,
        .num_layers = hf->num_layers,
        .num_heads = hf->num_heads,
        .intermediate_size = hf->intermediate_size,
        .max_positions = hf->max_positions,
        .first_position = kind->positions_after_padding ? hf->pad_token_id + 1 : 0,
        .type_vocab_size = kind->has_types ? hf->type_vocab_size : 0,
        .layer_norm_eps = hf->layer_norm_eps,
        .hidden_dropout = hf->hidden_dropout,
        .attention_dropout = hf->attention_dropout,
        .initializer_range = hf->initializer_range,
    };
    if (out->first_position < 0 || out->first_position >= out->max_positions)
        return fail(err, "config.json: pad_token_id %d leaves none of %d positions",
                    hf->pad_token_id, hf->max_positions);
    if (out->hidden_size % out->num_heads)
        return fail(err, "config.json: hidden_size %d is not a multiple of %d attention heads",
                    out->hidden_size, out->num_heads);
    return activation_parse(&out->activation, hf->hidden_act, err);
}

int encoder_max_tokens(const struct encoder_config *config)
{
    return config->max_positions - config->first_position;
}

const char *encoder_prefix(const struct encoder_config *config)
{
    return config->architecture->prefix;
}

const char *encoder_bare_class(const struct encoder_config *config)
{
    return config->architecture->bare_class;
}

/* The stem that `name` begins with, or NULL. */
static const char *const *renaming(const struct architecture *kind, const char *name)
{
    if (!kind->renamed) return NULL;
    for (int i = 0; kind->renamed[i][0]; i++)
        if (strncmp(name, kind->renamed[i][0], strlen(kind->renamed[i][0])) == 0)
            return kind->renamed[i];
    return NULL;
}

/* A name is read as stems that the table renames ("encoder.layer.", "output.dense.") and characters
 * that it keeps ("0.", "weight"); every stem begins the name or follows a '.'. */
const char *encoder_tensor_name(const struct encoder_config *config, const char *canonical,
                                char buffer[160])
{
    size_t used = 0;
    const char *from = canonical;
    while (*from) {
        bool at_start = from == canonical || from[-1] == '.';
        const char *const *pair = at_start ? renaming(config->architecture, from) : NULL;
        const char *piece = pair ? pair[1] : from;
        size_t length = pair ? strlen(piece) : 1;
        REQUIRE(used + length < 160);
        memcpy(buffer + used, piece, length);
        used += length;
        from += pair ? strlen(pair[0]) : 1;
    }
    buffer[used] = '\0';
    return buffer;
}
