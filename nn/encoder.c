/* A pass of the encoder over one batch: its memory, the way up, the way down.  See encoder.h. */
#include "nn/encoder.h"

#include "data/guard.h"
#include "nn/attention.h"
#include "nn/weights.h"

#include <stdlib.h>
#include <string.h>

struct encoder_pass {
    const struct encoder *encoder;
    struct step step; /* of the first thread of a team */
    struct dnn **dnn; /* [num_dnn]: one for each that there ever was */
    int num_dnn;
    struct forward_mode mode;
    int longest;             /* tokens of a sequence */
    float **hidden;          /* [num_layers + 1]: [rows, hidden_size] */
    struct layer_kept *kept; /* [num_layers] */
    struct embedding_kept embedding;
    float *d_hidden; /* [rows, hidden_size]: the gradient on its way down */
    void *memory;
    size_t size;
};

static void release_pass(void *pass)
{
    encoder_pass_close(pass);
}

/* Of activations outside the residual stream.  In int8, attention has products of its own. */
static enum element element_for(enum precision precision, const struct kernels *kernels)
{
    bool narrow =
        precision == PRECISION_BF16 || (precision == PRECISION_INT8 && kernels->multiplies_bf16);
    return narrow ? ELEMENT_BF16 : ELEMENT_F32;
}

/* One for each of so many threads. */
static void open_dnn(struct encoder_pass *pass, int threads)
{
    if (threads > pass->num_dnn)
        pass->dnn = xrealloc(pass->dnn, (size_t)threads, sizeof *pass->dnn);
    while (pass->num_dnn < threads) {
        pass->dnn[pass->num_dnn] = dnn_open();
        pass->num_dnn++;
    }
    pass->step.dnn = pass->dnn[0];
}

struct encoder_pass *encoder_pass_open(const struct encoder *encoder)
{
    struct encoder_pass *pass = hold(xcalloc(1, sizeof *pass), release_pass);
    size_t layers = (size_t)encoder->config.num_layers;
    pass->encoder = encoder;
    pass->hidden = xcalloc(layers + 1, sizeof *pass->hidden);
    pass->kept = xcalloc(layers, sizeof *pass->kept);
    pass->step.config = &encoder->config;
    pass->step.kernels = kernels_best();
    pass->step.element = element_for(encoder->precision, pass->step.kernels);
    pass->step.int8 = encoder->precision == PRECISION_INT8 ? int8_kernels_best() : NULL;
    open_dnn(pass, 1);
    return let_go(pass);
}

void encoder_pass_close(struct encoder_pass *pass)
{
    if (!pass) return;
    for (int d = 0; d < pass->num_dnn; d++) dnn_close(pass->dnn[d]);
    free(pass->dnn);
    free(pass->memory);
    free(pass->hidden);
    free(pass->kept);
    free(pass);
}

/* ---- memory: one block, carved anew for each batch ---- */

/* With base NULL, only counts. */
struct carver {
    char *base;
    size_t used;
};

static void *carve(struct carver *carver, size_t rows, int cols, enum element element)
{
    size_t size = rows * cols * element_size(element);
    void *piece = carver->base ? carver->base + carver->used : NULL;
    carver->used += (size + 63) / 64 * 64;
    return piece;
}

static void carve_layer(struct layer_kept *kept, struct carver *carver, const struct step *step)
{
    const struct encoder_config *config = step->config;
    size_t rows = (size_t)step->rows, block = (size_t)step->block_rows;
    enum element element = step->element;
    bool keep = step->keep;
    int hidden = config->hidden_size;
    *kept = (struct layer_kept){
        .qkv = carve(carver, rows, 3 * hidden, element),
        .context = carve(carver, rows, hidden, element),
        .attended = carve(carver, keep ? rows : block, hidden, element),
    };
    if (!keep) return;
    kept->inner = carve(carver, rows, config->intermediate_size, element);
    kept->attention_normal = carve(carver, rows, hidden, element);
    kept->output_normal = carve(carver, rows, hidden, element);
    kept->attention_inverse = carve(carver, rows, 1, ELEMENT_F32);
    kept->output_inverse = carve(carver, rows, 1, ELEMENT_F32);
}

static void carve_embedding(struct embedding_kept *kept, struct carver *carver,
                            const struct step *step)
{
    size_t rows = (size_t)step->rows;
    int width = step->config->embedding_size;
    *kept = (struct embedding_kept){
        .sum = carve(carver, rows, width, ELEMENT_F32),
        .normed = carve(carver, rows, width, ELEMENT_F32),
    };
    if (!step->keep) return;
    kept->normal = carve(carver, rows, width, step->element);
    kept->inverse = carve(carver, rows, 1, ELEMENT_F32);
}

/* Floats that attention needs, of each thread. */
static size_t attention_floats(const struct step *step, int longest)
{
    int head_size = step->config->hidden_size / step->config->num_heads;
    return (attention_scratch(longest, head_size) + KERNEL_LANES - 1) / KERNEL_LANES * KERNEL_LANES;
}

static void carve_scratch(struct scratch *scratch, struct carver *carver, const struct step *step,
                          int longest)
{
    const struct encoder_config *config = step->config;
    size_t rows = (size_t)step->rows, block = (size_t)step->block_rows;
    size_t wanted = step->keep ? rows : block; /* backward works on all rows at once */
    int hidden = config->hidden_size, inner = config->intermediate_size;
    *scratch = (struct scratch){
        .x = carve(carver, rows, hidden, step->element),
        .branch = carve(carver, wanted, hidden, ELEMENT_F32),
        .attended = carve(carver, block, hidden, ELEMENT_F32),
        .active = carve(carver, wanted, inner, step->element),
        .attention = carve(carver, attention_floats(step, longest), step->share.count, ELEMENT_F32),
    };
    if (step->int8) {
        scratch->bytes = (struct quantized){
            .values = carve(carver, block, hidden > inner ? hidden : inner, ELEMENT_UINT8),
            .scale = carve(carver, block, 1, ELEMENT_F32),
            .low = carve(carver, block, 1, ELEMENT_F32),
        };
        scratch->product =
            carve(carver, block, 3 * hidden > inner ? 3 * hidden : inner, ELEMENT_F32);
    }
    if (!step->keep) return;
    scratch->d_branch = carve(carver, rows, hidden, step->element);
    scratch->d_context = carve(carver, rows, hidden, step->element);
    scratch->d_inner = carve(carver, rows, inner, step->element);
    scratch->d_qkv = carve(carver, rows, 3 * hidden, step->element);
    scratch->d_normed = carve(carver, rows, config->embedding_size, ELEMENT_F32);
}

/* Without keep, all layers share one set of activations. */
static size_t carve_pass(struct encoder_pass *pass, char *base, int longest)
{
    struct carver carver = {base, 0};
    struct step *step = &pass->step;
    size_t rows = (size_t)step->rows;
    for (int i = 0; i <= pass->mode.num_layers; i++)
        pass->hidden[i] = carve(&carver, rows, step->config->hidden_size, ELEMENT_F32);
    for (int i = 0; i < pass->mode.num_layers; i++)
        if (step->keep || i == 0)
            carve_layer(&pass->kept[i], &carver, step);
        else
            pass->kept[i] = pass->kept[0];
    carve_embedding(&pass->embedding, &carver, step);
    carve_scratch(&step->scratch, &carver, step, longest);
    pass->d_hidden =
        step->keep ? carve(&carver, rows, step->config->hidden_size, ELEMENT_F32) : NULL;
    return carver.used;
}

/* Multiples of 8 above 32: few shapes to compile, under 1 % of surplus rows in a batch of 512
 * tokens. */
static int rounded_rows(int tokens)
{
    return tokens <= 32 ? tokens : (tokens + 7) / 8 * 8;
}

/* Most rows of a block: what four bytes a number need, and one byte a weight. */
enum { BLOCK_ROWS = 128, BLOCK_ROWS_INT8 = 64 };

/* Tokens, surplus, and equal blocks. */
static void set_rows(struct step *step, int tokens)
{
    step->tokens = tokens;
    step->rows = rounded_rows(tokens);
    int most = step->int8 ? BLOCK_ROWS_INT8 : BLOCK_ROWS;
    int blocks = (step->rows + most - 1) / most;
    step->block_rows = blocks <= 1 ? step->rows : rounded_rows((step->rows + blocks - 1) / blocks);
}

size_t encoder_kept_bytes(const struct encoder_config *config, int num_layers, int num_tokens,
                          enum precision precision)
{
    REQUIRE(num_layers >= 0 && num_layers <= config->num_layers);
    struct encoder_pass pass = {.mode = {.num_layers = num_layers},
                                .step = {.config = config,
                                         .share = {0, 1},
                                         .keep = true,
                                         .element = element_for(precision, kernels_best())},
                                .hidden = xcalloc((size_t)num_layers + 1, sizeof *pass.hidden),
                                .kept = xcalloc((size_t)num_layers, sizeof *pass.kept)};
    set_rows(&pass.step, num_tokens);
    int most = encoder_max_tokens(config);
    size_t bytes = carve_pass(&pass, NULL, num_tokens < most ? num_tokens : most);
    free(pass.hidden);
    free(pass.kept);
    return bytes;
}

/* The longest sequence. */
static int check_batch(const struct encoder_config *config, const struct batch *batch)
{
    int longest = 0;
    for (int seq = 0; seq < batch->num_seqs; seq++) {
        int length = batch->offsets[seq + 1] - batch->offsets[seq];
        REQUIRE(length >= 1 && length <= encoder_max_tokens(config));
        if (length > longest) longest = length;
    }
    for (int i = 0; i < batch->num_tokens; i++) {
        REQUIRE(batch->ids[i] >= 0 && batch->ids[i] < config->vocab_size);
        if (config->type_vocab_size > 0)
            REQUIRE(batch->types[i] >= 0 && batch->types[i] < config->type_vocab_size);
    }
    return longest;
}

void encoder_forward_begin(struct encoder_pass *pass, const struct batch *batch,
                           struct forward_mode mode, int threads)
{
    const struct encoder_config *config = &pass->encoder->config;
    REQUIRE(mode.num_layers >= 0 && mode.num_layers <= config->num_layers);
    int longest = check_batch(config, batch);
    struct step *step = &pass->step;
    pass->mode = mode;
    pass->longest = longest;
    REQUIRE(!step->int8 || (!mode.keep && !mode.dropout));
    REQUIRE(threads == 1 || !step->largest);
    open_dnn(pass, threads);
    step->share = (struct team_share){0, threads};
    step->batch = batch;
    step->keep = mode.keep;
    set_rows(step, batch->num_tokens);
    step->seed = mode.dropout_seed;
    step->hidden_dropout = mode.dropout ? config->hidden_dropout : 0;
    step->attention_dropout = mode.dropout ? config->attention_dropout : 0;
    size_t size = carve_pass(pass, NULL, longest);
    if (size > pass->size) {
        size += size / 8; /* room for the next, slightly larger batch */
        free(pass->memory);
        pass->memory = NULL;
        pass->size = 0;
        pass->memory = xaligned(size, 1);
        pass->size = size;
    }
    carve_pass(pass, pass->memory, longest);
}

/* ---- the way up and the way down ---- */

/* The last block, from its attention on for first tokens alone. */
static void forward_first(struct encoder_pass *pass, const struct step *step)
{
    const struct encoder *encoder = pass->encoder;
    int last = pass->mode.num_layers - 1;
    REQUIRE(last >= 0 && !pass->mode.keep && !pass->mode.dropout);
    struct step first = *step;
    first.tokens = first.batch->num_seqs;
    first.rows = rounded_rows(first.tokens);
    struct layer_params params = weights_of_layer(encoder, last, encoder->params->values);
    layer_forward_first(step, &first, &params, packed_layer_of(encoder, last), &pass->kept[last],
                        pass->hidden[last + 1], pass->hidden[last]);
}

void encoder_forward_share(struct encoder_pass *pass, int index, struct team *team)
{
    const struct encoder *encoder = pass->encoder;
    float *values = encoder->params->values;
    struct forward_mode mode = pass->mode;
    struct step step = pass->step;
    step.team = team;
    step.share.index = index;
    step.dnn = pass->dnn[index];
    step.scratch.attention += (size_t)index * attention_floats(&step, pass->longest);
    struct embedding_params embedding = weights_of_embedding(encoder, values);
    embedding_forward(&step, &embedding, packed_projection(encoder), &pass->embedding,
                      pass->hidden[0]);
    for (int i = 0; i < mode.num_layers - mode.first_only; i++) {
        struct layer_params params = weights_of_layer(encoder, i, values);
        layer_forward(&step, i, &params, packed_layer_of(encoder, i), &pass->kept[i],
                      pass->hidden[i + 1], pass->hidden[i]);
    }
    if (mode.first_only) forward_first(pass, &step);
    team_wait(team);
}

void encoder_forward(struct encoder_pass *pass, const struct batch *batch, struct forward_mode mode)
{
    encoder_forward_begin(pass, batch, mode, 1);
    encoder_forward_share(pass, 0, NULL);
}

void encoder_pass_observe(struct encoder_pass *pass, float *largest)
{
    REQUIRE(pass->step.int8);
    pass->step.largest = largest;
}

const float *encoder_hidden(const struct encoder_pass *pass, int layer)
{
    REQUIRE(layer >= 0 && layer <= pass->mode.num_layers);
    return pass->hidden[layer];
}

/* x_l is read by block l + 1 and by whoever taps it: its gradient is the sum of both. */
static void add_tap(struct encoder_pass *pass, const float *d_tap)
{
    size_t count = (size_t)pass->step.tokens * pass->step.config->hidden_size;
    if (d_tap) pass->step.kernels->add(pass->d_hidden, d_tap, count);
}

void encoder_backward(struct encoder_pass *pass, const struct batch *batch,
                      const float *const *d_hidden, float *d_params)
{
    const struct encoder *encoder = pass->encoder;
    const struct step *step = &pass->step;
    float *values = encoder->params->values;
    REQUIRE(step->keep && batch == step->batch && batch->num_tokens == step->tokens);
    packed_for_backward(encoder);
    int top = pass->mode.num_layers;
    while (top > 0 && !d_hidden[top]) top--;
    memset(pass->d_hidden, 0,
           (size_t)step->rows * step->config->hidden_size * sizeof *pass->d_hidden);
    add_tap(pass, d_hidden[top]);
    for (int i = top - 1; i >= 0; i--) {
        struct layer_params params = weights_of_layer(encoder, i, values);
        struct layer_params grads = weights_of_layer(encoder, i, d_params);
        layer_backward(step, i, &params, packed_layer_of(encoder, i), &pass->kept[i], &grads,
                       pass->d_hidden, pass->hidden[i]);
        add_tap(pass, d_hidden[i]);
    }
    struct embedding_params params = weights_of_embedding(encoder, values);
    struct embedding_params grads = weights_of_embedding(encoder, d_params);
    embedding_backward(step, &params, packed_projection(encoder), &pass->embedding, &grads,
                       pass->d_hidden);
}
