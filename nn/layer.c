/* One post-norm transformer block: see encoder.h for the formulas, layer.h for the names.
 *
 * In bf16 the products read and write bf16, except those that feed the residual stream; the stream
 * itself, the norms and every gradient that is summed over tokens stay f32.
 */
#include "nn/layer.h"

#include "nn/attention.h"
#include "nn/dropout.h"

#include <string.h>

void step_clear_surplus(const struct step *step, void *values, int cols, enum element element)
{
    size_t row = (size_t)cols * element_size(element);
    memset((char *)values + (size_t)step->tokens * row, 0,
           (size_t)(step->rows - step->tokens) * row);
}

void step_narrow(const struct step *step, void *out, const float *in, int cols)
{
    size_t count = (size_t)step->tokens * cols;
    if (step->element == ELEMENT_BF16)
        step->kernels->to_bf16(out, in, count);
    else if (out != in)
        memcpy(out, in, count * sizeof *in);
    step_clear_surplus(step, out, cols, step->element);
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
                              .dropout = step->attention_dropout,
                              .seed = step->seed,
                              .layer = layer,
                              .scratch = step->scratch.attention};
}

/* ---- linear layers ---- */

/* x [rows, inputs] as bytes, in scratch. */
static void quantize(const struct step *step, const struct packed_linear *linear, const void *x,
                     int rows, int inputs)
{
    if (step->largest)
        raise_largest(step->largest + linear->first_channel, x, step->element, rows, inputs);
    step->int8->quantize(&step->scratch.bytes, x, step->element, linear->int8.factor, rows, inputs);
}

/* scratch.product [rows, outputs] = those bytes W^T, not yet scaled. */
static void multiply_bytes(const struct step *step, const struct packed_linear *linear, int rows)
{
    dnn_linear_forward(step->dnn, step->scratch.product, step->scratch.bytes.values,
                       linear->weights[DNN_FORWARD], NULL, rows, DNN_WRITE_F32);
}

static struct channels channels_of(const struct packed_linear *linear, const float *bias)
{
    return (struct channels){linear->int8.scale, linear->int8.sum, bias};
}

/* y [rows, outputs] of the element = x W^T + bias. */
static void linear_forward(const struct step *step, const struct packed_linear *linear, void *y,
                           enum element element, const void *x, const float *bias,
                           struct dnn_shape shape)
{
    if (!step->int8) {
        dnn_linear_forward(step->dnn, y, x, linear->weights[DNN_FORWARD], bias, shape.rows,
                           store_as(element));
        return;
    }
    struct channels channels = channels_of(linear, bias);
    quantize(step, linear, x, shape.rows, shape.inputs);
    multiply_bytes(step, linear, shape.rows);
    step->int8->dequantize(y, element, step->scratch.product, &step->scratch.bytes, &channels,
                           shape.rows, shape.outputs);
}

/* What products read: x itself in f32, its bf16 copy otherwise. */
static const void *narrowed(const struct step *step, const float *x, const void *copy)
{
    return step->element == ELEMENT_BF16 ? copy : x;
}

/* ---- forward, by blocks of rows: what one block of rows goes through stays in the second-level
 * cache ---- */

/* Rows first .. first + rows - 1, of which the first `tokens` are tokens. */
struct block {
    int first, rows, tokens;
};

/* Row `first` of values [rows, cols]. */
static void *from_row(const void *values, int first, int cols, enum element element)
{
    return (char *)values + (size_t)first * cols * element_size(element);
}

static float *f32_row(const float *values, int first, int cols)
{
    return from_row(values, first, cols, ELEMENT_F32);
}

static void drop(const struct step *step, float *values, const struct block *block, int layer,
                 enum dropout_place place)
{
    struct dropout_masks masks = {step->hidden_dropout, step->seed, layer, place};
    int hidden = step->config->hidden_size;
    dropout_rows(step->kernels, &masks, values, block->first, block->tokens, hidden,
                 (size_t)hidden);
}

/* Zeroes the rows of values, the block's [rows, cols], that are no tokens. */
static void clear_surplus(const struct block *block, void *values, int cols, enum element element)
{
    void *surplus = from_row(values, block->tokens, cols, element);
    memset(surplus, 0, (size_t)(block->rows - block->tokens) * cols * element_size(element));
}

/* The rows of one norm and the values that its backward needs, in the whole batch's arrays. */
struct norm_rows {
    float *out;     /* the block's */
    void *out_n;    /* the block's, in the pass's element; `out` itself in f32 */
    void *normal;   /* the batch's, or NULL */
    float *inverse; /* likewise */
    const float *x; /* the block's */
    const float *gain, *shift;
};

/* out = LN(x + branch), in f32 and narrowed. */
static void add_and_norm(const struct step *step, const struct block *block,
                         const struct norm_rows *rows)
{
    int hidden = step->config->hidden_size;
    bool narrow = step->element == ELEMENT_BF16, keep = rows->normal != NULL;
    void *normal = keep ? from_row(rows->normal, block->first, hidden, step->element) : NULL;
    step->kernels->norm_forward(
        &(struct norm_forward){.rows = block->tokens,
                               .cols = hidden,
                               .out = rows->out,
                               .out_bf16 = narrow ? rows->out_n : NULL,
                               .normal = normal,
                               .element = step->element,
                               .inverse = keep ? rows->inverse + block->first : NULL,
                               .x = rows->x,
                               .y = step->scratch.branch,
                               .gain = rows->gain,
                               .bias = rows->shift,
                               .epsilon = step->config->layer_norm_eps});
    clear_surplus(block, rows->out, hidden, ELEMENT_F32);
    if (narrow) clear_surplus(block, rows->out_n, hidden, ELEMENT_BF16);
}

/* attended = LN(x + drop(W_o context + b_o)); its f32 values are written to attended, the block's.
 * */
static void attended_forward(const struct step *step, const struct block *block, int layer,
                             const struct layer_params *params, const struct packed_layer *packed,
                             const struct layer_kept *kept, struct norm_rows *norm)
{
    int hidden = step->config->hidden_size;
    void *context = from_row(kept->context, block->first, hidden, step->element);
    clear_surplus(block, context, hidden, step->element);
    linear_forward(step, &packed->attention, step->scratch.branch, ELEMENT_F32, context,
                   params->attention_bias, (struct dnn_shape){block->rows, hidden, hidden});
    drop(step, step->scratch.branch, block, layer, DROPOUT_ATTENTION_OUTPUT);
    norm->normal = kept->attention_normal, norm->inverse = kept->attention_inverse;
    norm->gain = params->attention_gain, norm->shift = params->attention_shift;
    add_and_norm(step, block, norm);
}

/* branch = W_2 act(W_1 attended + b_1) + b_2, the block's, in int8. */
static void feed_forward_int8(const struct step *step, const struct block *block,
                              const struct layer_params *params, const struct packed_layer *packed,
                              const void *attended)
{
    const struct scratch *scratch = &step->scratch;
    int hidden = step->config->hidden_size, inner = step->config->intermediate_size;
    struct channels before = channels_of(&packed->inner, params->inner_bias);
    struct channels after = channels_of(&packed->outer, params->outer_bias);
    quantize(step, &packed->inner, attended, block->rows, hidden);
    multiply_bytes(step, &packed->inner, block->rows);
    step->int8->activate(&scratch->bytes, packed->outer.int8.factor, scratch->product,
                         &scratch->bytes, &before, block->rows, inner, step->config->activation);
    if (step->largest)
        raise_largest(step->largest + packed->outer.first_channel, scratch->product, ELEMENT_F32,
                      block->tokens, inner);
    multiply_bytes(step, &packed->outer, block->rows);
    step->int8->dequantize(scratch->branch, ELEMENT_F32, scratch->product, &scratch->bytes, &after,
                           block->rows, hidden);
}

/* branch = drop(W_2 act(W_1 attended + b_1) + b_2), the block's. */
static void feed_forward(const struct step *step, const struct block *block, int layer,
                         const struct layer_params *params, const struct packed_layer *packed,
                         const struct layer_kept *kept, const void *attended)
{
    const struct scratch *scratch = &step->scratch;
    int inner = step->config->intermediate_size;
    void *before = scratch->active;
    if (step->int8) {
        feed_forward_int8(step, block, params, packed, attended);
        return;
    }
    if (step->keep) before = from_row(kept->inner, block->first, inner, step->element);
    dnn_linear_forward(step->dnn, before, attended, packed->inner.weights[DNN_FORWARD],
                       params->inner_bias, block->rows, store_as(step->element));
    step->kernels->activation_forward(scratch->active, before, (size_t)block->tokens * inner,
                                      step->config->activation, step->element);
    clear_surplus(block, scratch->active, inner, step->element);
    dnn_linear_forward(step->dnn, scratch->branch, scratch->active,
                       packed->outer.weights[DNN_FORWARD], params->outer_bias, block->rows,
                       DNN_WRITE_F32);
    drop(step, scratch->branch, block, layer, DROPOUT_OUTPUT);
}

/* Everything after attention, for one block. `attended` is kept for backward, or else lives in
 * scratch. */
static void block_forward(const struct step *step, const struct block *block, int layer,
                          const struct layer_params *params, const struct packed_layer *packed,
                          const struct layer_kept *kept, float *out, const float *x)
{
    const struct scratch *scratch = &step->scratch;
    int hidden = step->config->hidden_size;
    bool narrow = step->element == ELEMENT_BF16;
    void *attended_n = kept->attended;
    if (step->keep) attended_n = from_row(kept->attended, block->first, hidden, step->element);
    struct norm_rows norm = {.out = narrow ? scratch->attended : attended_n,
                             .out_n = attended_n,
                             .x = f32_row(x, block->first, hidden)};
    attended_forward(step, block, layer, params, packed, kept, &norm);
    feed_forward(step, block, layer, params, packed, kept, attended_n);
    norm = (struct norm_rows){.out = f32_row(out, block->first, hidden),
                              .out_n = from_row(scratch->x, block->first, hidden, step->element),
                              .normal = kept->output_normal,
                              .inverse = kept->output_inverse,
                              .x = norm.out,
                              .gain = params->output_gain,
                              .shift = params->output_shift};
    add_and_norm(step, block, &norm);
}

static struct block block_at(const struct step *step, int first)
{
    int rows = step->rows - first < step->block_rows ? step->rows - first : step->block_rows;
    int tokens = step->tokens - first < rows ? step->tokens - first : rows;
    return (struct block){first, rows, tokens};
}

/* kept->context = attention(x) */
static void attend(const struct step *step, struct attention attention,
                   const struct layer_params *params, const struct packed_layer *packed,
                   const struct layer_kept *kept, const float *x)
{
    int hidden = step->config->hidden_size;
    const void *x_n = narrowed(step, x, step->scratch.x);
    for (int first = 0; first < step->rows; first += step->block_rows)
        linear_forward(step, &packed->qkv, from_row(kept->qkv, first, 3 * hidden, step->element),
                       step->element, from_row(x_n, first, hidden, step->element), params->qkv_bias,
                       (struct dnn_shape){block_at(step, first).rows, 3 * hidden, hidden});
    attention_forward(&attention, kept->context, kept->qkv);
}

/* The layer from kept->context on.  x and out may be the same. */
static void finish(const struct step *step, int layer, const struct layer_params *params,
                   const struct packed_layer *packed, const struct layer_kept *kept, float *out,
                   const float *x)
{
    for (int first = 0; first < step->rows; first += step->block_rows) {
        struct block block = block_at(step, first);
        block_forward(step, &block, layer, params, packed, kept, out, x);
    }
}

void layer_forward(const struct step *step, int layer, const struct layer_params *params,
                   const struct packed_layer *packed, const struct layer_kept *kept, float *out,
                   const float *x)
{
    attend(step, attention_of(step, layer), params, packed, kept, x);
    finish(step, layer, params, packed, kept, out, x);
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
    attention.first_only = true;
    attend(step, attention, params, packed, kept, x);
    gather_first(step->batch, kept->context, kept->context, hidden * element_size(step->element));
    gather_first(step->batch, out, x, hidden * sizeof *x);
    finish(first, 0, params, packed, kept, out, out);
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
    if (step->hidden_dropout > 0) {
        float *dropped = step->scratch.branch;
        memcpy(dropped, norm.d_x, (size_t)norm.rows * norm.cols * sizeof *dropped);
        struct block all = {0, step->rows, step->tokens};
        drop(step, dropped, &all, layer, place);
        d_branch = dropped;
    }
    step_narrow(step, step->scratch.d_branch, d_branch, norm.cols);
}

/* out = LN(attended + drop(W_2 act(W_1 attended + b_1) + b_2)): d_x becomes d_attended. */
static void feed_forward_backward(const struct step *step, int layer,
                                  const struct layer_params *params,
                                  const struct packed_layer *packed, const struct layer_kept *kept,
                                  const struct layer_params *grads, float *d_x)
{
    const struct scratch *scratch = &step->scratch;
    int hidden = step->config->hidden_size, inner = step->config->intermediate_size;
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
    step_clear_surplus(step, scratch->d_inner, inner, step->element);
    step_clear_surplus(step, scratch->active, inner, step->element);
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
    step_clear_surplus(step, scratch->d_qkv, 3 * hidden, step->element);
    if (step->element == ELEMENT_BF16) step_narrow(step, scratch->x, x, hidden);
    linear_gradients(step, grads->qkv_weight, grads->qkv_bias, scratch->d_qkv,
                     narrowed(step, x, scratch->x), 3 * hidden, hidden);
    dnn_linear_backward(step->dnn, d_x, scratch->d_qkv, packed->qkv.weights[DNN_BACKWARD],
                        step->rows, DNN_ADD_F32);
}
