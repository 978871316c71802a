/* Embeddings: x_0 = drop(LN(word + position + type)), projected where they are narrower than the
 * hidden states.
 *
 * The projection is in f32 whatever the precision: it is small, and nothing normalises its output,
 * which makes errors in it grow in the first block. */
#include "nn/layer.h"

#include "nn/dropout.h"

#include <string.h>

/* Position of each token inside its sequence decides its row of the position table. */
static void sum_rows(const struct step *step, const struct embedding_params *params, float *sum)
{
    const struct batch *batch = step->batch;
    int width = step->config->embedding_size;
    for (int seq = 0; seq < batch->num_seqs; seq++)
        for (int i = batch->offsets[seq]; i < batch->offsets[seq + 1]; i++) {
            int position = step->config->first_position + i - batch->offsets[seq];
            float *row = sum + (size_t)i * width;
            memcpy(row, params->words + (size_t)batch->ids[i] * width, width * sizeof *row);
            step->kernels->add(row, params->positions + (size_t)position * width, width);
            if (params->types)
                step->kernels->add(row, params->types + (size_t)batch->types[i] * width, width);
        }
}

static void drop(const struct step *step, float *values)
{
    struct dropout_masks masks = {step->hidden_dropout, step->seed, 0, DROPOUT_EMBEDDINGS};
    int width = step->config->embedding_size;
    dropout_rows(step->kernels, &masks, values, 0, step->tokens, width, (size_t)width);
}

void embedding_forward(const struct step *step, const struct embedding_params *params,
                       struct dnn_weights *const *projection, const struct embedding_kept *kept,
                       float *out)
{
    int width = step->config->embedding_size, hidden = step->config->hidden_size;
    float *normed = params->project_weight ? kept->normed : out;
    sum_rows(step, params, kept->sum);
    step->kernels->norm_forward(&(struct norm_forward){.rows = step->tokens,
                                                       .cols = width,
                                                       .out = normed,
                                                       .normal = kept->normal,
                                                       .element = step->element,
                                                       .inverse = kept->inverse,
                                                       .x = kept->sum,
                                                       .gain = params->gain,
                                                       .bias = params->shift,
                                                       .epsilon = step->config->layer_norm_eps});
    drop(step, normed);
    if (params->project_weight) {
        step_clear_surplus(step, normed, width, ELEMENT_F32);
        dnn_linear_forward(step->dnn, out, normed, projection[DNN_FORWARD], params->project_bias,
                           step->rows, DNN_WRITE_F32);
    }
    step_clear_surplus(step, out, hidden, ELEMENT_F32);
    if (step->element == ELEMENT_BF16) step_narrow(step, step->scratch.x, out, hidden);
}

/* sum = word + position + type  =>  each row of the three tables gets the gradients of the tokens
 * that used it. */
static void add_to_rows(const struct step *step, const struct embedding_params *grads,
                        const float *d_sum)
{
    const struct batch *batch = step->batch;
    int width = step->config->embedding_size;
    for (int seq = 0; seq < batch->num_seqs; seq++)
        for (int i = batch->offsets[seq]; i < batch->offsets[seq + 1]; i++) {
            int position = step->config->first_position + i - batch->offsets[seq];
            const float *row = d_sum + (size_t)i * width;
            step->kernels->add(grads->words + (size_t)batch->ids[i] * width, row, width);
            step->kernels->add(grads->positions + (size_t)position * width, row, width);
            if (grads->types)
                step->kernels->add(grads->types + (size_t)batch->types[i] * width, row, width);
        }
}

void embedding_backward(const struct step *step, const struct embedding_params *params,
                        struct dnn_weights *const *projection, const struct embedding_kept *kept,
                        const struct embedding_params *grads, float *d_out)
{
    int width = step->config->embedding_size, hidden = step->config->hidden_size;
    float *d_normed = d_out;
    if (params->project_weight) {
        struct dnn_shape shape = {step->rows, hidden, width};
        d_normed = step->scratch.d_normed;
        step_clear_surplus(step, d_out, hidden, ELEMENT_F32);
        dnn_linear_gradient(step->dnn, grads->project_weight, d_out, kept->normed, shape,
                            ELEMENT_F32);
        step->kernels->add_rows(grads->project_bias, d_out, ELEMENT_F32, step->tokens, hidden);
        dnn_linear_backward(step->dnn, d_normed, d_out, projection[DNN_BACKWARD], step->rows,
                            DNN_WRITE_F32);
    }
    drop(step, d_normed);
    step->kernels->norm_backward(&(struct norm_backward){.rows = step->tokens,
                                                         .cols = width,
                                                         .d_x = d_normed,
                                                         .d_gain = grads->gain,
                                                         .d_bias = grads->shift,
                                                         .d_out = d_normed,
                                                         .normal = kept->normal,
                                                         .element = step->element,
                                                         .inverse = kept->inverse,
                                                         .gain = params->gain});
    add_to_rows(step, grads, d_normed);
}
