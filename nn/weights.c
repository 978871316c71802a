/* The encoder's rows of the parameter table, their loading and their packing: see encoder.h and
 * weights.h. */
#include "nn/weights.h"

#include "data/guard.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table: names and shapes ---- */

enum size {
    SIZE_ONE,
    SIZE_HIDDEN,
    SIZE_INNER,
    SIZE_EMBEDDING,
    SIZE_VOCAB,
    SIZE_POSITIONS,
    SIZE_TYPES
};

struct row {
    const char *name;
    enum size rows, cols;
};

/* Weights of query, key and value stand end to end, and so do their biases: together they are one
 * [3 H, H] product. */
enum { QUERY_WEIGHT, QUERY_BIAS = 3, ATTENTION_WEIGHT = 6, LAYER_ROWS = 16 };
static const struct row layer_rows[LAYER_ROWS] = {
    {"attention.self.query.weight", SIZE_HIDDEN, SIZE_HIDDEN},
    {"attention.self.key.weight", SIZE_HIDDEN, SIZE_HIDDEN},
    {"attention.self.value.weight", SIZE_HIDDEN, SIZE_HIDDEN},
    {"attention.self.query.bias", SIZE_ONE, SIZE_HIDDEN},
    {"attention.self.key.bias", SIZE_ONE, SIZE_HIDDEN},
    {"attention.self.value.bias", SIZE_ONE, SIZE_HIDDEN},
    {"attention.output.dense.weight", SIZE_HIDDEN, SIZE_HIDDEN},
    {"attention.output.dense.bias", SIZE_ONE, SIZE_HIDDEN},
    {"attention.output.LayerNorm.weight", SIZE_ONE, SIZE_HIDDEN},
    {"attention.output.LayerNorm.bias", SIZE_ONE, SIZE_HIDDEN},
    {"intermediate.dense.weight", SIZE_INNER, SIZE_HIDDEN},
    {"intermediate.dense.bias", SIZE_ONE, SIZE_INNER},
    {"output.dense.weight", SIZE_HIDDEN, SIZE_INNER},
    {"output.dense.bias", SIZE_ONE, SIZE_HIDDEN},
    {"output.LayerNorm.weight", SIZE_ONE, SIZE_HIDDEN},
    {"output.LayerNorm.bias", SIZE_ONE, SIZE_HIDDEN},
};

static const struct row embedding_rows[] = {
    {"embeddings.word_embeddings.weight", SIZE_VOCAB, SIZE_EMBEDDING},
    {"embeddings.position_embeddings.weight", SIZE_POSITIONS, SIZE_EMBEDDING},
    {"embeddings.token_type_embeddings.weight", SIZE_TYPES, SIZE_EMBEDDING},
    {"embeddings.LayerNorm.weight", SIZE_ONE, SIZE_EMBEDDING},
    {"embeddings.LayerNorm.bias", SIZE_ONE, SIZE_EMBEDDING},
    {"embeddings_project.weight", SIZE_HIDDEN, SIZE_EMBEDDING},
    {"embeddings_project.bias", SIZE_ONE, SIZE_HIDDEN},
};
enum { EMBEDDING_ROWS = sizeof embedding_rows / sizeof *embedding_rows };

static int size_of(const struct encoder_config *config, enum size size)
{
    switch (size) {
    case SIZE_HIDDEN:
        return config->hidden_size;
    case SIZE_INNER:
        return config->intermediate_size;
    case SIZE_EMBEDDING:
        return config->embedding_size;
    case SIZE_VOCAB:
        return config->vocab_size;
    case SIZE_POSITIONS:
        return config->max_positions;
    case SIZE_TYPES:
        return config->type_vocab_size;
    default:
        return 1;
    }
}

static bool projects(const struct encoder_config *config)
{
    return config->embedding_size != config->hidden_size;
}

static bool has_row(const struct encoder_config *config, const struct row *row)
{
    if (row->rows == SIZE_TYPES) return config->type_vocab_size > 0;
    if (strncmp(row->name, "embeddings_project", 18) == 0) return projects(config);
    return true;
}

static void declare_row(struct params *params, const struct encoder_config *config,
                        const struct row *row, const char *name)
{
    int rows = size_of(config, row->rows), cols = size_of(config, row->cols);
    int index = params_add(params, name, rows, cols, row->rows != SIZE_ONE);
    params->list[index].by_rows = row->rows == SIZE_VOCAB;
}

void encoder_declare(struct encoder *encoder, const struct encoder_config *config,
                     struct params *params)
{
    REQUIRE(config->num_heads > 0 && config->hidden_size % config->num_heads == 0);
    *encoder =
        (struct encoder){.config = *config, .params = params, .first_param = (int)params->count};
    for (int i = 0; i < EMBEDDING_ROWS; i++)
        if (has_row(config, &embedding_rows[i]))
            declare_row(params, config, &embedding_rows[i], embedding_rows[i].name);
    for (int layer = 0; layer < config->num_layers; layer++)
        for (int i = 0; i < LAYER_ROWS; i++) {
            char name[112];
            snprintf(name, sizeof name, "encoder.layer.%d.%s", layer, layer_rows[i].name);
            declare_row(params, config, &layer_rows[i], name);
        }
    encoder->last_param = (int)params->count;
}

/* ---- views ---- */

/* The encoder's row number `index`, inside block. */
static float *view(const struct encoder *encoder, int index, float *block)
{
    return block + encoder->params->list[encoder->first_param + index].offset;
}

static int embedding_rows_of(const struct encoder *encoder)
{
    int rows = encoder->last_param - encoder->first_param;
    return rows - LAYER_ROWS * encoder->config.num_layers;
}

int encoder_layer_of(const struct encoder *encoder, int index)
{
    int row = index - encoder->first_param - embedding_rows_of(encoder);
    return row < 0 ? 0 : 1 + row / LAYER_ROWS;
}

struct layer_params weights_of_layer(const struct encoder *encoder, int layer, float *block)
{
    int first = embedding_rows_of(encoder) + layer * LAYER_ROWS;
    int rest = first + ATTENTION_WEIGHT;
    return (struct layer_params){.qkv_weight = view(encoder, first + QUERY_WEIGHT, block),
                                 .qkv_bias = view(encoder, first + QUERY_BIAS, block),
                                 .attention_weight = view(encoder, rest, block),
                                 .attention_bias = view(encoder, rest + 1, block),
                                 .attention_gain = view(encoder, rest + 2, block),
                                 .attention_shift = view(encoder, rest + 3, block),
                                 .inner_weight = view(encoder, rest + 4, block),
                                 .inner_bias = view(encoder, rest + 5, block),
                                 .outer_weight = view(encoder, rest + 6, block),
                                 .outer_bias = view(encoder, rest + 7, block),
                                 .output_gain = view(encoder, rest + 8, block),
                                 .output_shift = view(encoder, rest + 9, block)};
}

struct embedding_params weights_of_embedding(const struct encoder *encoder, float *block)
{
    struct embedding_params params = {.words = view(encoder, 0, block),
                                      .positions = view(encoder, 1, block)};
    int next = 2;
    if (encoder->config.type_vocab_size > 0) params.types = view(encoder, next++, block);
    params.gain = view(encoder, next++, block);
    params.shift = view(encoder, next++, block);
    if (projects(&encoder->config)) {
        params.project_weight = view(encoder, next++, block);
        params.project_bias = view(encoder, next++, block);
    }
    REQUIRE(next == embedding_rows_of(encoder));
    return params;
}

/* ---- loading ---- */

struct naming {
    const struct encoder_config *config;
    const struct safetensors *st;
    const char *prefix; /* the architecture's, or "" where the file has bare names */
};

/* The checkpoint's name for a canonical one.  Old checkpoints call a norm's weight gamma and its
 * bias beta. */
static const char *checkpoint_name(const char *canonical, char buffer[160], const void *arg)
{
    const struct naming *naming = arg;
    char own[160], old[160];
    encoder_tensor_name(naming->config, canonical, own);
    snprintf(buffer, 160, "%s%.140s", naming->prefix, own);
    if (safetensors_find(naming->st, buffer)) return buffer;
    static const char *const renamed[][2] = {{"LayerNorm.weight", "LayerNorm.gamma"},
                                             {"LayerNorm.bias", "LayerNorm.beta"}};
    for (int i = 0; i < 2; i++) {
        size_t stem = strlen(buffer), tail = strlen(renamed[i][0]);
        if (stem < tail || strcmp(buffer + stem - tail, renamed[i][0]) != 0) continue;
        snprintf(old, sizeof old, "%.*s%s", (int)(stem - tail), buffer, renamed[i][1]);
        if (safetensors_find(naming->st, old)) strcpy(buffer, old);
    }
    return buffer;
}

int encoder_load(struct encoder *encoder, const struct safetensors *st, const char *where,
                 struct error *err)
{
    char own[160], prefixed[192];
    encoder_tensor_name(&encoder->config, "embeddings.word_embeddings.weight", own);
    snprintf(prefixed, sizeof prefixed, "%s%s", encoder_prefix(&encoder->config), own);
    bool bare = !safetensors_find(st, prefixed) && safetensors_find(st, own);
    struct naming naming = {&encoder->config, st, bare ? "" : encoder_prefix(&encoder->config)};
    if (params_load(encoder->params, encoder->first_param, encoder->last_param, st, checkpoint_name,
                    &naming, where, err))
        return -1;
    encoder_refresh(encoder);
    return 0;
}

int encoder_tensors(struct tensor *list, const struct encoder *encoder, int num_layers,
                    const char *prefix, struct arena *names)
{
    int count = 0;
    for (int i = encoder->first_param; i < encoder->last_param; i++) {
        const char *canonical = encoder->params->list[i].name;
        int block;
        char own[160], name[192];
        if (sscanf(canonical, "encoder.layer.%d.", &block) == 1 && block >= num_layers) continue;
        encoder_tensor_name(&encoder->config, canonical, own);
        int length = snprintf(name, sizeof name, "%s%s", prefix, own);
        list[count++] =
            params_tensor(encoder->params, i, arena_strndup(names, name, (size_t)length));
    }
    return count;
}

/* ---- packed copies ---- */

/* A matrix that products read, and where its packed copies stand. */
struct place {
    struct packed_linear *linear;
    const float *values; /* [outputs, inputs] */
    int outputs, inputs;
};
struct packing {
    struct dnn_weights *to;
    struct place place;
};

struct packed_weights {
    struct packed_layer *layers;
    struct packed_linear projection;
    bool listed[2];       /* directions that are to be packed now */
    struct packing *list; /* and into what */
    size_t list_count, list_capacity;
    struct dnn **dnn; /* [num_dnn]: one a worker, to reorder the weights */
    int num_dnn;
    float *largest; /* [encoder_channels]: what int8 is calibrated with; NULL: nothing */
    pthread_mutex_t lock;
    bool backward_wanted, backward_fresh;
};

const struct packed_layer *packed_layer_of(const struct encoder *encoder, int layer)
{
    return &encoder->packed->layers[layer];
}

struct dnn_weights *const *packed_projection(const struct encoder *encoder)
{
    return encoder->packed->projection.weights;
}

static size_t layer_channels(const struct encoder_config *config)
{
    return 3 * (size_t)config->hidden_size + (size_t)config->intermediate_size;
}

size_t encoder_channels(const struct encoder_config *config)
{
    return layer_channels(config) * (size_t)config->num_layers;
}

/* Visits every matrix that products read. */
static void each_packed(const struct encoder *encoder,
                        void (*visit)(const struct encoder *encoder, const struct place *place))
{
    const struct encoder_config *config = &encoder->config;
    float *block = encoder->params->values;
    int hidden = config->hidden_size, inner = config->intermediate_size;
    for (int i = 0; i < config->num_layers; i++) {
        struct layer_params from = weights_of_layer(encoder, i, block);
        struct packed_layer *to = &encoder->packed->layers[i];
        const struct place places[] = {
            {&to->qkv, from.qkv_weight, 3 * hidden, hidden},
            {&to->attention, from.attention_weight, hidden, hidden},
            {&to->inner, from.inner_weight, inner, hidden},
            {&to->outer, from.outer_weight, hidden, inner},
        };
        for (int p = 0; p < 4; p++) visit(encoder, &places[p]);
    }
    if (projects(config))
        visit(encoder, &(struct place){&encoder->packed->projection,
                                       weights_of_embedding(encoder, block).project_weight, hidden,
                                       config->embedding_size});
}

/* The embedding projection stays f32: see nn/embedding.c. */
static enum element element_of(const struct encoder *encoder, const struct place *place)
{
    static const enum element elements[] = {[PRECISION_F32] = ELEMENT_F32,
                                            [PRECISION_BF16] = ELEMENT_BF16,
                                            [PRECISION_INT8] = ELEMENT_INT8};
    bool is_projection = place->linear == &encoder->packed->projection;
    return is_projection ? ELEMENT_F32 : elements[encoder->precision];
}

/* Copies of one matrix stand side by side in the list, so that its values are read from memory
 * once. */
static void open_and_list(const struct encoder *encoder, const struct place *place)
{
    struct packed_weights *all = encoder->packed;
    for (int direction = DNN_FORWARD; direction <= DNN_BACKWARD; direction++) {
        struct dnn_weights **to = &place->linear->weights[direction];
        if (!all->listed[direction]) continue;
        if (!*to)
            *to = dnn_weights_open(place->outputs, place->inputs, element_of(encoder, place),
                                   (enum dnn_direction)direction);
        GROW(all->list, all->list_count, &all->list_capacity);
        all->list[all->list_count++] = (struct packing){*to, *place};
    }
}

static void pack_int8(const struct packed_weights *packed, struct dnn *dnn,
                      const struct packing *packing)
{
    const struct place *place = &packing->place;
    int8_t *bytes = hold(xmalloc((size_t)place->outputs * (size_t)place->inputs), free);
    quantization_of(&place->linear->int8, bytes, place->values, place->outputs, place->inputs,
                    packed->largest ? packed->largest + place->linear->first_channel : NULL);
    dnn_weights_pack(dnn, packing->to, bytes);
    free(let_go(bytes));
}

static void pack_item(void *arg, size_t item, int worker)
{
    const struct encoder *encoder = arg;
    const struct packed_weights *packed = encoder->packed;
    const struct packing *packing = &packed->list[item];
    if (element_of(encoder, &packing->place) == ELEMENT_INT8)
        pack_int8(packed, packed->dnn[worker], packing);
    else
        dnn_weights_pack(packed->dnn[worker], packing->to, packing->place.values);
}

/* Packs anew what is wanted of each matrix; pool NULL: this thread. */
static void pack(const struct encoder *encoder, bool forward, bool backward, struct pool *pool)
{
    struct packed_weights *packed = encoder->packed;
    int workers = pool ? pool_size(pool) : 1;
    if (workers > packed->num_dnn)
        packed->dnn = xrealloc(packed->dnn, (size_t)workers, sizeof *packed->dnn);
    while (packed->num_dnn < workers) {
        packed->dnn[packed->num_dnn] = dnn_open();
        packed->num_dnn++;
    }
    packed->listed[DNN_FORWARD] = forward;
    packed->listed[DNN_BACKWARD] = backward;
    packed->list_count = 0;
    each_packed(encoder, open_and_list);
    if (pool)
        pool_run(pool, packed->list_count, pack_item, (void *)encoder);
    else
        for (size_t i = 0; i < packed->list_count; i++) pack_item((void *)encoder, i, 0);
}

static void close_packed(const struct encoder *encoder, const struct place *place)
{
    (void)encoder;
    for (int direction = DNN_FORWARD; direction <= DNN_BACKWARD; direction++)
        dnn_weights_close(place->linear->weights[direction]);
    quantization_free(&place->linear->int8);
}

void encoder_init(struct encoder *encoder, enum precision precision)
{
    REQUIRE(precision != PRECISION_AUTO && encoder->params->values && !encoder->packed);
    encoder->precision = precision;
    encoder->packed = xcalloc(1, sizeof *encoder->packed);
    REQUIRE(pthread_mutex_init(&encoder->packed->lock, NULL) == 0);
    encoder->packed->layers =
        xcalloc((size_t)encoder->config.num_layers, sizeof *encoder->packed->layers);
    for (int i = 0; i < encoder->config.num_layers; i++) {
        struct packed_layer *layer = &encoder->packed->layers[i];
        size_t hidden = (size_t)encoder->config.hidden_size;
        layer->qkv.first_channel = (size_t)i * layer_channels(&encoder->config);
        layer->attention.first_channel = layer->qkv.first_channel + hidden;
        layer->inner.first_channel = layer->attention.first_channel + hidden;
        layer->outer.first_channel = layer->inner.first_channel + hidden;
    }
}

void encoder_refresh_by(struct encoder *encoder, struct pool *pool)
{
    struct packed_weights *packed = encoder->packed;
    pack(encoder, true, packed->backward_wanted, pool);
    packed->backward_fresh = packed->backward_wanted;
}

void encoder_calibrate(struct encoder *encoder, const float *largest)
{
    size_t count = encoder_channels(&encoder->config);
    struct packed_weights *packed = encoder->packed;
    REQUIRE(encoder->precision == PRECISION_INT8);
    if (!packed->largest) packed->largest = xmalloc(count * sizeof *packed->largest);
    memcpy(packed->largest, largest, count * sizeof *largest);
    encoder_refresh(encoder);
}

const float *encoder_calibration(const struct encoder *encoder)
{
    return encoder->packed->largest;
}

void encoder_refresh(struct encoder *encoder)
{
    encoder_refresh_by(encoder, NULL);
}

void packed_for_backward(const struct encoder *encoder)
{
    struct packed_weights *packed = encoder->packed;
    pthread_mutex_lock(&packed->lock);
    if (!packed->backward_fresh) pack(encoder, false, true, NULL);
    packed->backward_wanted = packed->backward_fresh = true;
    pthread_mutex_unlock(&packed->lock);
}

void encoder_free(struct encoder *encoder)
{
    if (encoder->packed) {
        if (encoder->packed->layers) each_packed(encoder, close_packed);
        for (int d = 0; d < encoder->packed->num_dnn; d++) dnn_close(encoder->packed->dnn[d]);
        free(encoder->packed->dnn);
        free(encoder->packed->list);
        pthread_mutex_destroy(&encoder->packed->lock);
        free(encoder->packed->layers);
        free(encoder->packed->largest);
        free(encoder->packed);
    }
    *encoder = (struct encoder){0};
}
