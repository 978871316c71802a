/* Embeddings: x_0 = drop(LN(word + position + type)), projected where they are narrower than the
 * hidden states.
 *
 * The projection is in f32 whatever the precision: it is small, and nothing normalises its output,
 * which makes errors in it grow in the first block. */
#include "nn/layer.h"

#include "nn/dropout.h"

#include <string.h>

/* Position of each token inside its sequence decides its row of the position table.  sum: of these
 * rows. */
static void sum_rows(const struct step *step, const struct block *rows,
                     const struct embedding_params *params, float *sum)
{
    const struct batch *batch = step->batch;
    int width = step->config->embedding_size, seq = 0;
    for (int i = rows->first; i < rows->first + rows->tokens; i++) {
        while (i >= batch->offsets[seq + 1]) seq++;
        int position = step->config->first_position + i - batch->offsets[seq];
        float *row = f32_row(sum, i - rows->first, width);
        memcpy(row, params->words + (size_t)batch->ids[i] * width, width * sizeof *row);
        step->kernels->add(row, params->positions + (size_t)position * width, width);
        if (params->types)
            step->kernels->add(row, params->types + (size_t)batch->types[i] * width, width);
    }
}

/* values: those rows'. */
static void drop(const struct step *step, const struct block *rows, float *values)
{
    struct dropout_masks masks = {step->hidden_dropout, step->seed, 0, DROPOUT_EMBEDDINGS};
    int width = step->config->embedding_size;
    dropout_rows(step->kernels, &masks, values, rows->first, rows->tokens, width, (size_t)width);
}

static void norm_rows(const struct step *step, const struct block *rows,
                      const struct embedding_params *params, const struct embedding_kept *kept,
                      float *normed)
{
    int width = step->config->embedding_size, first = rows->first;
    float *sum = f32_row(kept->sum, first, width);
    sum_rows(step, rows, params, sum);
    step->kernels->norm_forward(&(struct norm_forward){
        .rows = rows->tokens,
        .cols = width,
        .out = normed,
        .normal = kept->normal ? from_row(kept->normal, first, width, step->element) : NULL,
        .element = step->element,
        .inverse = kept->inverse ? kept->inverse + first : NULL,
        .x = sum,
        .gain = params->gain,
        .bias = params->shift,
        .epsilon = step->config->layer_norm_eps});
    drop(step, rows, normed);
    clear_surplus(rows, normed, width, ELEMENT_F32);
}

void embedding_forward(const struct step *step, const struct embedding_params *params,
                       struct dnn_weights *const *projection, const struct embedding_kept *kept,
                       float *out)
{
    int width = step->config->embedding_size, hidden = step->config->hidden_size;
    struct block all = step_rows(step), own = own_rows(step, &all);
    float *normed = params->project_weight ? kept->normed : out;
    norm_rows(step, &own, params, kept, f32_row(normed, own.first, width));
    if (params->project_weight) {
        product_forward(step, out, normed, projection[DNN_FORWARD], params->project_bias,
                        step->rows, DNN_WRITE_F32);
        clear_surplus(&own, f32_row(out, own.first, hidden), hidden, ELEMENT_F32);
    }
    if (step->element == ELEMENT_BF16)
        narrow(step, &own, from_row(step->scratch.x, own.first, hidden, step->element),
               f32_row(out, own.first, hidden), hidden);
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
    struct block all = step_rows(step);
    if (params->project_weight) {
        struct dnn_shape shape = {step->rows, hidden, width};
        d_normed = step->scratch.d_normed;
        clear_surplus(&all, d_out, hidden, ELEMENT_F32);
        dnn_linear_gradient(step->dnn, grads->project_weight, d_out, kept->normed, shape,
                            ELEMENT_F32);
        step->kernels->add_rows(grads->project_bias, d_out, ELEMENT_F32, step->tokens, hidden);
        dnn_linear_backward(step->dnn, d_normed, d_out, projection[DNN_BACKWARD], step->rows,
                            DNN_WRITE_F32);
    }
    drop(step, &all, d_normed);
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
