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

static enum dnn_store store_narrow(const struct step *step)
{
    return step->element == ELEMENT_BF16 ? DNN_WRITE_BF16 : DNN_WRITE_F32;
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

static void drop(const struct step *step, float *values, int layer, enum dropout_place place)
{
    struct dropout_masks masks = {step->hidden_dropout, step->seed, layer, place};
    int hidden = step->config->hidden_size;
    dropout_rows(step->kernels, &masks, values, 0, step->tokens, hidden, (size_t)hidden);
}

/* out = LN(x + branch), in f32 and, for bf16 products, narrowed into out_n. */
static void add_and_norm(const struct step *step, struct norm_forward norm, void *out_n)
{
    bool narrow = step->element == ELEMENT_BF16;
    norm.rows = step->tokens;
    norm.cols = step->config->hidden_size;
    norm.element = step->element;
    norm.epsilon = step->config->layer_norm_eps;
    norm.out_bf16 = narrow ? out_n : NULL;
    step->kernels->norm_forward(&norm);
    step_clear_surplus(step, norm.out, norm.cols, ELEMENT_F32);
    if (narrow) step_clear_surplus(step, out_n, norm.cols, ELEMENT_BF16);
}

/* What products read: x itself in f32, its bf16 copy otherwise. */
static const void *narrowed(const struct step *step, const float *x, const void *copy)
{
    return step->element == ELEMENT_BF16 ? copy : x;
}

static float *attended_of(const struct step *step, const struct layer_kept *kept)
{
    return step->element == ELEMENT_BF16 ? step->scratch.attended : kept->attended;
}

/* kept->context = attention(x) */
static void attend(const struct step *step, int layer, const struct layer_params *params,
                   const struct packed_layer *packed, const struct layer_kept *kept, const float *x)
{
    struct attention attention = attention_of(step, layer);
    dnn_linear_forward(step->dnn, kept->qkv, narrowed(step, x, step->scratch.x),
                       packed->qkv[DNN_FORWARD], params->qkv_bias, step->rows, DNN_WRITE_F32);
    attention_forward(&attention, kept->context, kept->qkv);
    step_clear_surplus(step, kept->context, step->config->hidden_size, step->element);
}

/* The block from kept->context on.  x and out may be the same. */
static void finish_block(const struct step *step, int layer, const struct layer_params *params,
                         const struct packed_layer *packed, const struct layer_kept *kept,
                         float *out, const float *x)
{
    const struct scratch *scratch = &step->scratch;
    int rows = step->rows;
    size_t inner_count = (size_t)step->tokens * step->config->intermediate_size;
    float *branch = scratch->branch, *attended = attended_of(step, kept);

    dnn_linear_forward(step->dnn, branch, kept->context, packed->attention[DNN_FORWARD],
                       params->attention_bias, rows, DNN_WRITE_F32);
    drop(step, branch, layer, DROPOUT_ATTENTION_OUTPUT);
    add_and_norm(step,
                 (struct norm_forward){.out = attended,
                                       .normal = kept->attention_normal,
                                       .inverse = kept->attention_inverse,
                                       .x = x,
                                       .y = branch,
                                       .gain = params->attention_gain,
                                       .bias = params->attention_shift},
                 kept->attended);
    dnn_linear_forward(step->dnn, kept->inner, kept->attended, packed->inner[DNN_FORWARD],
                       params->inner_bias, rows, store_narrow(step));
    step->kernels->activation_forward(scratch->active, kept->inner, inner_count,
                                      step->config->activation, step->element);
    step_clear_surplus(step, scratch->active, step->config->intermediate_size, step->element);
    dnn_linear_forward(step->dnn, branch, scratch->active, packed->outer[DNN_FORWARD],
                       params->outer_bias, rows, DNN_WRITE_F32);
    drop(step, branch, layer, DROPOUT_OUTPUT);
    add_and_norm(step,
                 (struct norm_forward){.out = out,
                                       .normal = kept->output_normal,
                                       .inverse = kept->output_inverse,
                                       .x = attended,
                                       .y = branch,
                                       .gain = params->output_gain,
                                       .bias = params->output_shift},
                 scratch->x);
}

void layer_forward(const struct step *step, int layer, const struct layer_params *params,
                   const struct packed_layer *packed, const struct layer_kept *kept, float *out,
                   const float *x)
{
    attend(step, layer, params, packed, kept, x);
    finish_block(step, layer, params, packed, kept, out, x);
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
    attend(step, 0, params, packed, kept, x);
    gather_first(step->batch, kept->context, kept->context, hidden * element_size(step->element));
    step_clear_surplus(first, kept->context, (int)hidden, step->element);
    gather_first(step->batch, out, x, hidden * sizeof *x);
    finish_block(first, 0, params, packed, kept, out, out);
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
        drop(step, dropped, layer, place);
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
    dnn_linear_backward(step->dnn, scratch->d_inner, scratch->d_branch, packed->outer[DNN_BACKWARD],
                        step->rows, store_narrow(step));
    step->kernels->activation_backward(scratch->d_inner, scratch->active, scratch->d_inner,
                                       kept->inner, (size_t)step->tokens * inner,
                                       step->config->activation, step->element);
    step_clear_surplus(step, scratch->d_inner, inner, step->element);
    step_clear_surplus(step, scratch->active, inner, step->element);
    linear_gradients(step, grads->outer_weight, grads->outer_bias, scratch->d_branch,
                     scratch->active, hidden, inner);
    linear_gradients(step, grads->inner_weight, grads->inner_bias, scratch->d_inner, kept->attended,
                     inner, hidden);
    dnn_linear_backward(step->dnn, d_x, scratch->d_inner, packed->inner[DNN_BACKWARD], step->rows,
                        DNN_ADD_F32);
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
                        packed->attention[DNN_BACKWARD], step->rows, store_narrow(step));
    linear_gradients(step, grads->attention_weight, grads->attention_bias, scratch->d_branch,
                     kept->context, hidden, hidden);
    attention_backward(&attention, scratch->d_qkv, scratch->d_context, kept->context, kept->qkv);
    step_clear_surplus(step, scratch->d_qkv, 3 * hidden, step->element);
    if (step->element == ELEMENT_BF16) step_narrow(step, scratch->x, x, hidden);
    linear_gradients(step, grads->qkv_weight, grads->qkv_bias, scratch->d_qkv,
                     narrowed(step, x, scratch->x), 3 * hidden, hidden);
    dnn_linear_backward(step->dnn, d_x, scratch->d_qkv, packed->qkv[DNN_BACKWARD], step->rows,
                        DNN_ADD_F32);
}
