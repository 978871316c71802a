/* The BERT-family encoder over packed batches: forward, backward, hidden state of every layer.
 *
 * One encoder serves teacher and student.  BERT, RoBERTa, XLM-R, DistilBERT and ELECTRA differ only
 * in rows of a table (nn/architecture.c): tensor names, first position, token types, an embedding
 * projection.  Post-norm blocks:
 *
 *     x_0 = drop(LN(word[id] + position[p] + type[t]))    (ELECTRA: then embeddings_project)
 *     a_l = LN(x_{l-1} + drop(W_o attention(x_{l-1}) + b_o))
 *     x_l = LN(a_l + drop(W_2 act(W_1 a_l + b_1) + b_2))
 *
 * Layers are counted as Hugging Face's hidden_states: 0 is the embedding output, l the output of
 * block l.
 *
 * Usage, one pass per worker thread:
 *
 *     struct encoder_pass *pass = encoder_pass_open(encoder);
 *     encoder_forward(pass, &batch, (struct forward_mode){.num_layers = 3});
 *     const float *h = encoder_hidden(pass, 3);             // [num_tokens, hidden_size]
 *
 * Details that have caused bugs: GELU is the erf form unless the config says gelu_new; RoBERTa's
 * first position is pad + 1; a single text always has token type 0; layer_norm_eps differs (1e-12
 * BERT, 1e-5 RoBERTa); queries are scaled by 1/sqrt(head size) before the softmax; in bf16 the
 * queries and keys must stay f32 (errors of their products grow in the softmax), and so must the
 * embedding projection, which no norm follows.
 *
 * Any number of threads may run forward and backward on one encoder, each with its own pass.  A
 * batch's result depends on the batch and the mode alone, to the byte, not on what the pass did
 * before nor on the thread.
 */
#ifndef RETORT_ENCODER_H
#define RETORT_ENCODER_H

#include "data/model_folder.h"
#include "data/threads.h"
#include "nn/batch.h"
#include "nn/kernels.h"
#include "nn/params.h"

/* INT8: for forward without keep or dropout (nn/quantize.h). */
enum precision { PRECISION_AUTO, PRECISION_F32, PRECISION_BF16, PRECISION_INT8 };
/* "auto", "f32", "bf16", "int8" */
int precision_parse(enum precision *out, const char *name, struct error *err);
const char *precision_name(enum precision precision);
/* AUTO resolved by a probe (bf16 where oneDNN has a fast bf16 product on this processor), said once
 * on stderr; BF16 or INT8 where the processor cannot: an error. */
int precision_resolve(enum precision *precision, struct error *err);

/* The precision that trains what is used in the given one: AUTO for int8, which has no backward. */
enum precision precision_of_training(enum precision precision);

struct encoder_config {
    const struct architecture *architecture; /* row of the table: names, conventions */
    int vocab_size, hidden_size, embedding_size, num_layers, num_heads, intermediate_size;
    int max_positions;   /* rows of the position table */
    int first_position;  /* 0, or pad + 1 for RoBERTa kinds */
    int type_vocab_size; /* 0: no token types (DistilBERT) */
    enum activation activation;
    double layer_norm_eps, hidden_dropout, attention_dropout, initializer_range;
};
/* Fails, naming the value, on a model_type or hidden_act that retort does not know. */
int encoder_config_from_hf(struct encoder_config *out, const struct hf_config *hf,
                           struct error *err);
/* Tokens a sequence may have: max_positions - first_position. */
int encoder_max_tokens(const struct encoder_config *config);

struct encoder {
    struct encoder_config config;
    struct params *params; /* not owned; the encoder's rows are first_param .. last_param - 1 */
    int first_param, last_param;
    enum precision precision;      /* F32, BF16 or INT8 */
    struct packed_weights *packed; /* copies that products read; NULL until encoder_init */
};
/* Adds the encoder's rows to params (before params_alloc), for config->num_layers layers. */
void encoder_declare(struct encoder *encoder, const struct encoder_config *config,
                     struct params *params);
/* Where parameter `index`, first_param .. last_param - 1, stands: 0 among the embeddings, or its
 * block, from 1. */
int encoder_layer_of(const struct encoder *encoder, int index);
/* After params_alloc: points into the block.  precision must be resolved. */
void encoder_init(struct encoder *encoder, enum precision precision);
/* Reads the encoder's weights from st, whose tensors may carry the architecture's prefix ("bert.")
 * or not, and old names (gamma, beta).  Then encoder_refresh. */
int encoder_load(struct encoder *encoder, const struct safetensors *st, const char *where,
                 struct error *err);
/* What a checkpoint of its first num_layers blocks holds, for safetensors_write: adds to list (room
 * for last_param - first_param) and returns how many; names, with prefix before them, live in
 * `names`. */
int encoder_tensors(struct tensor *list, const struct encoder *encoder, int num_layers,
                    const char *prefix, struct arena *names);
/* Converts and packs the weights for the matrix products; call after the values changed. */
void encoder_refresh(struct encoder *encoder);
void encoder_refresh_by(struct encoder *encoder, struct pool *pool); /* the same, by all workers */
void encoder_free(struct encoder *encoder);
/* Calibration of int8: largest [encoder_channels] is the largest |x| that each input of each linear
 * layer meets, of block 1 first: of qkv [H], W_o [H], W_1 [H], W_2 [I].  Packs the weights anew. */
size_t encoder_channels(const struct encoder_config *config);
void encoder_calibrate(struct encoder *encoder, const float *largest);
const float *encoder_calibration(const struct encoder *encoder); /* NULL: not calibrated */
/* The tensor name that the architecture's checkpoints use for a canonical name, without prefix. */
const char *encoder_tensor_name(const struct encoder_config *config, const char *canonical,
                                char buffer[160]);
/* The architecture's checkpoint prefix ("bert.", "roberta.", "distilbert.", "electra."), its bare
 * class ("BertModel", ...). */
const char *encoder_prefix(const struct encoder_config *config);
const char *encoder_bare_class(const struct encoder_config *config);

struct forward_mode {
    int num_layers;  /* stop after this block, 0..config.num_layers */
    bool keep;       /* keep what backward needs */
    bool dropout;    /* with config's probabilities */
    bool first_only; /* the last block for each sequence's first token alone: its hidden state is
                      * [num_seqs, hidden_size]; a sixth less work for a classifier of 6 layers.
                      * Not with keep or dropout, num_layers > 0. */
    uint64_t dropout_seed; /* the masks depend on it and on (layer, place, token, element) alone */
};

struct encoder_pass; /* activations and scratch of one batch; reused, grows as needed */
struct encoder_pass *encoder_pass_open(const struct encoder *encoder);
void encoder_pass_close(struct encoder_pass *pass);
/* Every id < vocab_size, every sequence 1..encoder_max_tokens long: REQUIREd. */
void encoder_forward(struct encoder_pass *pass, const struct batch *batch,
                     struct forward_mode mode);
/* The same by a team (data/threads.h) whose threads each call encoder_forward_share with their own
 * index in 0..threads - 1, once, after one call of encoder_forward_begin; all is there when they
 * return.  The bytes are encoder_forward's.  batch must stay as it is until then. */
void encoder_forward_begin(struct encoder_pass *pass, const struct batch *batch,
                           struct forward_mode mode, int threads);
void encoder_forward_share(struct encoder_pass *pass, int index, struct team *team);
/* In int8: from now on forward raises largest [encoder_channels] to what it meets; NULL: no
 * longer.  Not by a team. */
void encoder_pass_observe(struct encoder_pass *pass, float *largest);
/* Output of block `layer` (0: embeddings), [num_tokens, hidden_size] f32, valid until the next
 * forward.  All layers 0..num_layers are kept. */
const float *encoder_hidden(const struct encoder_pass *pass, int layer);
/* Adds the gradient of the loss to d_params (layout of params->values), given its gradient with
 * respect to hidden states: d_hidden[layer] is [num_tokens, hidden_size] or NULL, for layer
 * 0..num_layers.  After a forward with keep, same batch.  Taps are summed as the pass comes
 * down. */
void encoder_backward(struct encoder_pass *pass, const struct batch *batch,
                      const float *const *d_hidden, float *d_params);
/* Bytes that a kept forward of so many tokens holds, for memory plans. */
size_t encoder_kept_bytes(const struct encoder_config *config, int num_layers, int num_tokens,
                          enum precision precision);

#endif
