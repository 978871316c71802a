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
    const char *prefix; /* of the encoder's tensors in the checkpoint: "bert.", or "" */
    int first_param;    /* rows of params: dense weight, dense bias, out weight, out bias */
    int hidden_size, num_labels;
};

/* Looks for the head among the checkpoint's tensors: what decides is the tensors, not what
 * config.json calls the model. Fails where they are missing: a bare encoder is no cross-encoder. */
int head_find(struct head *out, const struct hf_config *hf, const struct encoder_config *config,
              const struct safetensors *st, const char *where, struct error *err);
/* Adds the head's rows to params, before params_alloc. */
void head_declare(struct head *head, struct params *params);
int head_load(const struct head *head, struct params *params, const struct safetensors *st,
              const char *where, struct error *err);
/* first [hidden_size]: the last hidden state of a sequence's first token; scratch [hidden_size];
 * logits [num_labels]. */
void head_forward(const struct head *head, const struct params *params, const float *first,
                  float *scratch, float *logits);

#endif
