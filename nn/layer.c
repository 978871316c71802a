/* One post-norm transformer block: see encoder.h for the formulas, layer.h for the names.
 *
 * In bf16 the products read and write bf16, except those that feed the residual stream; the stream
 * itself, the norms and every gradient that is summed over tokens stay f32.
 */
#include "nn/layer.h"

#include "nn/attention.h"
#include "nn/dropout.h"

#include <string.h>

/* ---- rows ---- */

struct block step_rows(const struct step *step)
{
    return (struct block){0, step->rows, step->tokens};
}

static int at_most(int value, int limit)
{
    return value < limit ? value : limit;
}

struct block own_rows(const struct step *step, const struct block *block)
{
    int first = share_first(step->share, block->rows, 1);
    int rows = share_end(step->share, block->rows, 1) - first;
    int tokens = block->tokens > first ? at_most(block->tokens - first, rows) : 0;
    return (struct block){block->first + first, rows, tokens};
}

void *from_row(const void *values, int first, int cols, enum element element)
{
    return (char *)values + (size_t)first * cols * element_size(element);
}

float *f32_row(const float *values, int first, int cols)
{
    return from_row(values, first, cols, ELEMENT_F32);
}

void clear_surplus(const struct block *block, void *values, int cols, enum element element)
{
    void *surplus = from_row(values, block->tokens, cols, element);
    memset(surplus, 0, (size_t)(block->rows - block->tokens) * cols * element_size(element));
}

void narrow(const struct step *step, const struct block *block, void *out, const float *in,
            int cols)
{
    size_t count = (size_t)block->tokens * cols;
    if (step->element == ELEMENT_BF16)
        step->kernels->to_bf16(out, in, count);
    else if (out != in)
        memcpy(out, in, count * sizeof *in);
    clear_surplus(block, out, cols, step->element);
}

static enum dnn_store store_as(enum element element)
{
    return element == ELEMENT_BF16 ? DNN_WRITE_BF16 : DNN_WRITE_F32;
}

static struct attention attention_of(const struct step *step, int layer)
{
    const struct encoder_config *config = step->config;
    return (struct attention){.kernels = step->kernels,
                              .element = step->element,
                              .num_heads = config->num_heads,
                              .head_size = config->hidden_size / config->num_heads,
                              .offsets = step->batch->offsets,
                              .num_seqs = step->batch->num_seqs,
                              .share = step->share,
                              .dropout = step->attention_dropout,
                              .seed = step->seed,
                              .layer = layer,
                              .scratch = step->scratch.attention};
}

/* ---- linear layers, of a block of rows ---- */

void product_forward(const struct step *step, void *y, const void *x,
                     const struct dnn_weights *weights, const float *bias, int rows,
                     enum dnn_store store)
{
    team_wait(step->team);
    dnn_linear_forward_share(step->dnn, y, x, weights, bias, rows, store, step->share);
    team_wait(step->team);
}

/* A thread's own rows of a block, counted from the block's first. */
static struct block own_in(const struct step *step, const struct block *block)
{
    return own_rows(step, &(struct block){0, block->rows, block->tokens});
}

static struct quantized bytes_from(const struct step *step, int first, int cols)
{
    const struct quantized *bytes = &step->scratch.bytes;
    return (struct quantized){bytes->values + (size_t)first * cols, bytes->scale + first,
                              bytes->low + first};
}

/* x [rows, inputs] as bytes, in scratch: own rows. */
static void quantize(const struct step *step, const struct packed_linear *linear, const void *x,
                     const struct block *own, int inputs)
{
    struct quantized bytes = bytes_from(step, own->first, inputs);
    const void *from = from_row(x, own->first, inputs, step->element);
    if (step->largest)
        raise_largest(step->largest + linear->first_channel, from, step->element, own->rows,
                      inputs);
    step->int8->quantize(&bytes, from, step->element, linear->int8.factor, own->rows, inputs);
}

/* scratch.product [rows, outputs] = those bytes W^T, not yet scaled. */
static void multiply_bytes(const struct step *step, const struct packed_linear *linear, int rows)
{
    product_forward(step, step->scratch.product, step->scratch.bytes.values,
                    linear->weights[DNN_FORWARD], NULL, rows, DNN_WRITE_F32);
}

static struct channels channels_of(const struct packed_linear *linear, const float *bias)
{
    return (struct channels){linear->int8.scale, linear->int8.sum, bias};
}

/* y [rows, outputs] of the element = what multiply_bytes gave, scaled, + bias: own rows. */
static void dequantize(const struct step *step, const struct packed_linear *linear, void *y,
                       enum element element, const float *bias, const struct block *own,
                       struct dnn_shape shape)
{
    struct channels channels = channels_of(linear, bias);
    struct quantized bytes = bytes_from(step, own->first, shape.inputs);
    step->int8->dequantize(from_row(y, own->first, shape.outputs, element), element,
                           f32_row(step->scratch.product, own->first, shape.outputs), &bytes,
                           &channels, own->rows, shape.outputs);
}

/* y [rows, outputs] of the element = x W^T + bias; own rows are there on return. */
static void linear_forward(const struct step *step, const struct packed_linear *linear, void *y,
                           enum element element, const void *x, const float *bias,
                           struct dnn_shape shape, const struct block *own)
{
    if (!step->int8) {
        product_forward(step, y, x, linear->weights[DNN_FORWARD], bias, shape.rows,
                        store_as(element));
        return;
    }
    quantize(step, linear, x, own, shape.inputs);
    multiply_bytes(step, linear, shape.rows);
    dequantize(step, linear, y, element, bias, own, shape);
}

/* What products read: x itself in f32, its bf16 copy otherwise. */
static const void *narrowed(const struct step *step, const float *x, const void *copy)
{
    return step->element == ELEMENT_BF16 ? copy : x;
}

/* ---- forward, by blocks of rows: what one block of rows goes through stays in the second-level
 * cache.  Of a block a thread has its own rows, but for products. ---- */

/* values: those rows'. */
static void drop(const struct step *step, float *values, const struct block *rows, int layer,
                 enum dropout_place place)
{
    struct dropout_masks masks = {step->hidden_dropout, step->seed, layer, place};
    int hidden = step->config->hidden_size;
    dropout_rows(step->kernels, &masks, values, rows->first, rows->tokens, hidden, (size_t)hidden);
}

/* The rows of one norm and the values that its backward needs, in the whole batch's arrays. */
struct norm_rows {
    float *out;              /* of the first row */
    void *out_n;             /* the same, in the pass's element; `out` itself in f32 */
    void *normal;            /* the batch's, or NULL */
    float *inverse;          /* likewise */
    const float *x, *branch; /* of the first row */
    const float *gain, *shift;
};

/* out = LN(x + branch), in f32 and narrowed. */
static void add_and_norm(const struct step *step, const struct block *rows,
                         const struct norm_rows *norm)
{
    int hidden = step->config->hidden_size;
    bool narrows = step->element == ELEMENT_BF16, keep = norm->normal != NULL;
    void *normal = keep ? from_row(norm->normal, rows->first, hidden, step->element) : NULL;
    step->kernels->norm_forward(
        &(struct norm_forward){.rows = rows->tokens,
                               .cols = hidden,
                               .out = norm->out,
                               .out_bf16 = narrows ? norm->out_n : NULL,
                               .normal = normal,
                               .element = step->element,
                               .inverse = keep ? norm->inverse + rows->first : NULL,
                               .x = norm->x,
                               .y = norm->branch,
                               .gain = norm->gain,
                               .bias = norm->shift,
                               .epsilon = step->config->layer_norm_eps});
    clear_surplus(rows, norm->out, hidden, ELEMENT_F32);
    if (narrows) clear_surplus(rows, norm->out_n, hidden, ELEMENT_BF16);
}

/* One layer, and one block of rows on its way through it. */
struct stage {
    int layer;
    const struct layer_params *params;
    const struct packed_layer *packed;
    const struct layer_kept *kept;
    struct block block, own; /* own: this thread's, counted from the block's first */
    struct block rows;       /* the same, counted from the batch's first */
};

/* Scratch of this thread's rows. */
static float *own_branch(const struct step *step, const struct stage *stage)
{
    return f32_row(step->scratch.branch, stage->own.first, step->config->hidden_size);
}

/* branch = drop(W_o context + b_o) */
static void attention_branch(const struct step *step, const struct stage *stage)
{
    int hidden = step->config->hidden_size;
    const struct layer_kept *kept = stage->kept;
    clear_surplus(&stage->rows, from_row(kept->context, stage->rows.first, hidden, step->element),
                  hidden, step->element);
    linear_forward(step, &stage->packed->attention, step->scratch.branch, ELEMENT_F32,
                   from_row(kept->context, stage->block.first, hidden, step->element),
                   stage->params->attention_bias,
                   (struct dnn_shape){stage->block.rows, hidden, hidden}, &stage->own);
    drop(step, own_branch(step, stage), &stage->rows, stage->layer, DROPOUT_ATTENTION_OUTPUT);
}

/* branch = W_2 act(W_1 attended + b_1) + b_2 in int8 */
static void feed_forward_int8(const struct step *step, const struct stage *stage,
                              const void *attended)
{
    const struct packed_layer *packed = stage->packed;
    const struct block *own = &stage->own;
    int hidden = step->config->hidden_size, inner = step->config->intermediate_size;
    struct channels channels = channels_of(&packed->inner, stage->params->inner_bias);
    struct quantized before = bytes_from(step, own->first, hidden);
    struct quantized after = bytes_from(step, own->first, inner);
    float *product = f32_row(step->scratch.product, own->first, inner);
    quantize(step, &packed->inner, attended, own, hidden);
    multiply_bytes(step, &packed->inner, stage->block.rows);
    step->int8->activate(&after, packed->outer.int8.factor, product, &before, &channels, own->rows,
                         inner, step->config->activation);
    if (step->largest)
        raise_largest(step->largest + packed->outer.first_channel, product, ELEMENT_F32,
                      own->tokens, inner);
    multiply_bytes(step, &packed->outer, stage->block.rows);
    dequantize(step, &packed->outer, step->scratch.branch, ELEMENT_F32, stage->params->outer_bias,
               own, (struct dnn_shape){stage->block.rows, hidden, inner});
}

/* branch = drop(W_2 act(W_1 attended + b_1) + b_2); attended: the block's. */
static void feed_forward(const struct step *step, const struct stage *stage, const void *attended)
{
    const struct scratch *scratch = &step->scratch;
    const struct packed_layer *packed = stage->packed;
    const struct block *block = &stage->block, *own = &stage->own;
    int inner = step->config->intermediate_size;
    enum element element = step->element;
    void *before = scratch->active;
    if (step->int8) {
        feed_forward_int8(step, stage, attended);
        return;
    }
    if (step->keep) before = from_row(stage->kept->inner, block->first, inner, element);
    product_forward(step, before, attended, packed->inner.weights[DNN_FORWARD],
                    stage->params->inner_bias, block->rows, store_as(element));
    void *active = from_row(scratch->active, own->first, inner, element);
    step->kernels->activation_forward(active, from_row(before, own->first, inner, element),
                                      (size_t)own->tokens * inner, step->config->activation,
                                      element);
    clear_surplus(own, active, inner, element);
    product_forward(step, scratch->branch, scratch->active, packed->outer.weights[DNN_FORWARD],
                    stage->params->outer_bias, block->rows, DNN_WRITE_F32);
    drop(step, own_branch(step, stage), &stage->rows, stage->layer, DROPOUT_OUTPUT);
}

/* Everything after attention, for one block. `attended` is kept for backward, or else lives in
 * scratch. */
static void block_forward(const struct step *step, const struct stage *stage, float *out,
                          const float *x)
{
    const struct scratch *scratch = &step->scratch;
    const struct layer_kept *kept = stage->kept;
    int hidden = step->config->hidden_size, first = stage->rows.first, own = stage->own.first;
    bool narrows = step->element == ELEMENT_BF16;
    void *attended = kept->attended;
    if (step->keep) attended = from_row(kept->attended, stage->block.first, hidden, step->element);
    attention_branch(step, stage);
    struct norm_rows norm = {.out_n = from_row(attended, own, hidden, step->element),
                             .normal = kept->attention_normal,
                             .inverse = kept->attention_inverse,
                             .x = f32_row(x, first, hidden),
                             .branch = own_branch(step, stage),
                             .gain = stage->params->attention_gain,
                             .shift = stage->params->attention_shift};
    norm.out = narrows ? f32_row(scratch->attended, own, hidden) : norm.out_n;
    add_and_norm(step, &stage->rows, &norm);
    feed_forward(step, stage, attended);
    norm = (struct norm_rows){.out = f32_row(out, first, hidden),
                              .out_n = from_row(scratch->x, first, hidden, step->element),
                              .normal = kept->output_normal,
                              .inverse = kept->output_inverse,
                              .x = norm.out,
                              .branch = norm.branch,
                              .gain = stage->params->output_gain,
                              .shift = stage->params->output_shift};
    add_and_norm(step, &stage->rows, &norm);
}

/* Waits for the team: in the block before, which may be larger, other rows were a thread's own. */
static void enter_block(const struct step *step, struct stage *stage, int first)
{
    team_wait(step->team);
    int rows = at_most(step->rows - first, step->block_rows);
    int tokens = step->tokens > first ? at_most(step->tokens - first, rows) : 0;
    stage->block = (struct block){first, rows, tokens};
    stage->own = own_in(step, &stage->block);
    stage->rows = own_rows(step, &stage->block);
}

/* kept->context = attention(x) */
static void attend(const struct step *step, struct attention attention, struct stage *stage,
                   const float *x)
{
    int hidden = step->config->hidden_size;
    enum element element = step->element;
    void *qkv = stage->kept->qkv;
    const void *x_n = narrowed(step, x, step->scratch.x);
    for (int first = 0; first < step->rows; first += step->block_rows) {
        enter_block(step, stage, first);
        linear_forward(step, &stage->packed->qkv, from_row(qkv, first, 3 * hidden, element),
                       element, from_row(x_n, first, hidden, element), stage->params->qkv_bias,
                       (struct dnn_shape){stage->block.rows, 3 * hidden, hidden}, &stage->own);
    }
    team_wait(step->team);
    attention_forward(&attention, stage->kept->context, qkv);
}

/* The layer from kept->context on.  x and out may be the same. */
static void finish(const struct step *step, struct stage *stage, float *out, const float *x)
{
    for (int first = 0; first < step->rows; first += step->block_rows) {
        enter_block(step, stage, first);
        block_forward(step, stage, out, x);
    }
}

void layer_forward(const struct step *step, int layer, const struct layer_params *params,
                   const struct packed_layer *packed, const struct layer_kept *kept, float *out,
                   const float *x)
{
    struct stage stage = {layer, params, packed, kept, {0}, {0}, {0}};
    attend(step, attention_of(step, layer), &stage, x);
    finish(step, &stage, out, x);
}

/* out [num_seqs, cols] = the rows of in that begin sequences; out may be in, since no row moves
 * up. */
static void gather_first(const struct batch *batch, void *out, const void *in, size_t row_size)
{
    for (int seq = 0; seq < batch->num_seqs; seq++)
        memmove((char *)out + (size_t)seq * row_size,
                (const char *)in + (size_t)batch->offsets[seq] * row_size, row_size);
}

void layer_forward_first(const struct step *step, const struct step *first,
                         const struct layer_params *params, const struct packed_layer *packed,
                         const struct layer_kept *kept, float *out, const float *x)
{
    size_t hidden = (size_t)step->config->hidden_size;
    struct attention attention = attention_of(step, 0);
    struct stage stage = {0, params, packed, kept, {0}, {0}, {0}};
    attention.first_only = true;
    attend(step, attention, &stage, x);
    team_wait(step->team);
    if (step->share.index == 0) {
        gather_first(step->batch, kept->context, kept->context,
                     hidden * element_size(step->element));
        gather_first(step->batch, out, x, hidden * sizeof *x);
    }
    finish(first, &stage, out, out);
}

/* y = x W^T + b  =>  d_w += d_y^T x;  d_b += column sums of d_y.  Surplus rows of d_y must be
 * zero. */
static void linear_gradients(const struct step *step, float *d_w, float *d_b, const void *d_y,
                             const void *x, int outputs, int inputs)
{
    struct dnn_shape shape = {step->rows, outputs, inputs};
    dnn_linear_gradient(step->dnn, d_w, d_y, x, shape, step->element);
    step->kernels->add_rows(d_b, d_y, step->element, step->tokens, outputs);
}

/* out = LN(x + drop(branch))  =>  d_x, in place of d_out, is also d_drop(branch); d_branch is its
 * dropped copy, narrowed. */
static void norm_and_drop_backward(const struct step *step, struct norm_backward norm, int layer,
                                   enum dropout_place place)
{
    norm.rows = step->tokens;
    norm.cols = step->config->hidden_size;
    norm.element = step->element;
    step->kernels->norm_backward(&norm);
    const float *d_branch = norm.d_x;
    struct block all = step_rows(step);
    if (step->hidden_dropout > 0) {
        float *dropped = step->scratch.branch;
        memcpy(dropped, norm.d_x, (size_t)norm.rows * norm.cols * sizeof *dropped);
        drop(step, dropped, &all, layer, place);
        d_branch = dropped;
    }
    narrow(step, &all, step->scratch.d_branch, d_branch, norm.cols);
}

/* out = LN(attended + drop(W_2 act(W_1 attended + b_1) + b_2)): d_x becomes d_attended. */
static void feed_forward_backward(const struct step *step, int layer,
                                  const struct layer_params *params,
                                  const struct packed_layer *packed, const struct layer_kept *kept,
                                  const struct layer_params *grads, float *d_x)
{
    const struct scratch *scratch = &step->scratch;
    int hidden = step->config->hidden_size, inner = step->config->intermediate_size;
    struct block all = step_rows(step);
    norm_and_drop_backward(step,
                           (struct norm_backward){.d_x = d_x,
                                                  .d_gain = grads->output_gain,
                                                  .d_bias = grads->output_shift,
                                                  .d_out = d_x,
                                                  .normal = kept->output_normal,
                                                  .inverse = kept->output_inverse,
                                                  .gain = params->output_gain},
                           layer, DROPOUT_OUTPUT);
    dnn_linear_backward(step->dnn, scratch->d_inner, scratch->d_branch,
                        packed->outer.weights[DNN_BACKWARD], step->rows, store_as(step->element));
    step->kernels->activation_backward(scratch->d_inner, scratch->active, scratch->d_inner,
                                       kept->inner, (size_t)step->tokens * inner,
                                       step->config->activation, step->element);
    clear_surplus(&all, scratch->d_inner, inner, step->element);
    clear_surplus(&all, scratch->active, inner, step->element);
    linear_gradients(step, grads->outer_weight, grads->outer_bias, scratch->d_branch,
                     scratch->active, hidden, inner);
    linear_gradients(step, grads->inner_weight, grads->inner_bias, scratch->d_inner, kept->attended,
                     inner, hidden);
    dnn_linear_backward(step->dnn, d_x, scratch->d_inner, packed->inner.weights[DNN_BACKWARD],
                        step->rows, DNN_ADD_F32);
}

void layer_backward(const struct step *step, int layer, const struct layer_params *params,
                    const struct packed_layer *packed, const struct layer_kept *kept,
                    const struct layer_params *grads, float *d_x, const float *x)
{
    const struct scratch *scratch = &step->scratch;
    int hidden = step->config->hidden_size;
    struct attention attention = attention_of(step, layer);
    struct block all = step_rows(step);

    feed_forward_backward(step, layer, params, packed, kept, grads, d_x);
    norm_and_drop_backward(step,
                           (struct norm_backward){.d_x = d_x,
                                                  .d_gain = grads->attention_gain,
                                                  .d_bias = grads->attention_shift,
                                                  .d_out = d_x,
                                                  .normal = kept->attention_normal,
                                                  .inverse = kept->attention_inverse,
                                                  .gain = params->attention_gain},
                           layer, DROPOUT_ATTENTION_OUTPUT);
    dnn_linear_backward(step->dnn, scratch->d_context, scratch->d_branch,
                        packed->attention.weights[DNN_BACKWARD], step->rows,
                        store_as(step->element));
    linear_gradients(step, grads->attention_weight, grads->attention_bias, scratch->d_branch,
                     kept->context, hidden, hidden);
    attention_backward(&attention, scratch->d_qkv, scratch->d_context, kept->context, kept->qkv);
    clear_surplus(&all, scratch->d_qkv, 3 * hidden, step->element);
    if (step->element == ELEMENT_BF16) narrow(step, &all, scratch->x, x, hidden);
    linear_gradients(step, grads->qkv_weight, grads->qkv_bias, scratch->d_qkv,
                     narrowed(step, x, scratch->x), 3 * hidden, hidden);
    dnn_linear_backward(step->dnn, d_x, scratch->d_qkv, packed->qkv.weights[DNN_BACKWARD],
                        step->rows, DNN_ADD_F32);
}
