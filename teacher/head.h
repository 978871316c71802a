/* The classification head of a cross-encoder: from the hidden state of the first token to logits.
 *
 *     y      = activation(W_dense h_first + b_dense)       [hidden_size]
 *     logits = W_out y + b_out                             [num_labels]
 *
 * Which tensors these are, and the activation, is a row of a table by model type (head.c).  Plain
 * f32 loops: the head is a hundredth of the encoder's work.
 */
#ifndef RETORT_HEAD_H
#define RETORT_HEAD_H

#include "nn/encoder.h"

struct head {
    const struct head_kind *kind;
    const char *prefix; /* of the dense layer in the checkpoint: "bert." of BERT's pooler, or "" */
    int first_param;    /* rows of params: dense weight, dense bias, out weight, out bias */
    int hidden_size, num_labels;
};

/* Looks for the head among the checkpoint's tensors: what decides is the tensors, not what
 * config.json calls the model. Fails where they are missing: a bare encoder is no cross-encoder. */
int head_find(struct head *out, const struct hf_config *hf, const struct encoder_config *config,
              const struct safetensors *st, const char *where, struct error *err);
/* A new head of one label for such an encoder. */
int head_new(struct head *out, const struct encoder_config *config, struct error *err);
/* Adds the head's rows to params, before params_alloc. */
void head_declare(struct head *head, struct params *params);
int head_load(const struct head *head, struct params *params, const struct safetensors *st,
              const char *where, struct error *err);
/* The dense layer alone. */
int head_load_dense(const struct head *head, struct params *params, const struct safetensors *st,
                    struct error *err);
/* What a checkpoint calls one of the head's parameters ("head.out.bias"). */
const char *head_tensor_name(const struct head *head, const char *name, char buffer[160]);
/* first [hidden_size]: the last hidden state of a sequence's first token; scratch [hidden_size];
 * logits [num_labels]. */
void head_forward(const struct head *head, const struct params *params, const float *first,
                  float *scratch, float *logits);
/* From dense [hidden_size], W_dense h_first + b_dense before the activation (head_dense): adds to
 * d_params, writes d_first [hidden_size]; scratch [hidden_size]. */
void head_backward(const struct head *head, const struct params *params, const float *first,
                   const float *dense, const float *d_logits, float *scratch, float *d_first,
                   float *d_params);
void head_dense(const struct head *head, const struct params *params, const float *first,
                float *dense);

#endif
