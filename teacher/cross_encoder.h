/* The teacher: a cross-encoder read from a Hugging Face folder.  Scores pairs; gives early-layer
 * representations of texts.
 *
 * Heads, by architecture: BERT tanh pooler + classifier; RoBERTa / XLM-R tanh dense + out_proj on
 * <s>; DistilBERT ReLU pre_classifier + classifier; ELECTRA GELU dense + out_proj.  Scores are raw
 * logits, no sigmoid.
 *
 *     struct cross_encoder *ce;
 *     if (cross_encoder_open(&ce, "models/minilm-l6-ce", PRECISION_AUTO, err)) return -1;
 *     int length = cross_encoder_max_length(ce, 256);
 *     cross_encoder_score(ce, pool, queries, documents, n, length, logits);
 *     cross_encoder_close(ce);
 */
#ifndef RETORT_CROSS_ENCODER_H
#define RETORT_CROSS_ENCODER_H

#include "data/threads.h"
#include "data/tokenizer.h"
#include "nn/encode.h"

struct cross_encoder;

/* Fails if the head's tensors are missing (a bare encoder is no cross-encoder), or the tokenizer
 * has more ids than the model. */
int cross_encoder_open(struct cross_encoder **out, const char *folder, enum precision precision,
                       struct error *err);
/* The same without a tokenizer, which the folder then need not have: only for
 * cross_encoder_logits. */
int cross_encoder_open_weights(struct cross_encoder **out, const char *folder,
                               enum precision precision, struct error *err);
void cross_encoder_close(struct cross_encoder *ce);
/* Calibrates a model in int8 for pairs like these; its scores, and its fingerprint, change. */
void cross_encoder_calibrate(struct cross_encoder *ce, struct pool *pool,
                             const char *const *queries, const char *const *documents, size_t n,
                             int max_length);
const struct encoder_config *cross_encoder_config(const struct cross_encoder *ce);
const struct encoder *cross_encoder_encoder(const struct cross_encoder *ce);
const struct tokenizer *cross_encoder_tokenizer(const struct cross_encoder *ce);
int cross_encoder_num_labels(const struct cross_encoder *ce);
/* min(wanted or no limit where 0, positions, model_max_length). */
int cross_encoder_max_length(const struct cross_encoder *ce, int wanted);
/* Hash of weights, tokenizer, config, precision and calibration, all that scores depend on besides
 * the texts and the maximum length: part of every cached score's key.  Reads all weights: to be
 * asked once. */
struct hash128 cross_encoder_fingerprint(const struct cross_encoder *ce);

/* logits [n, num_labels] for n pairs; batches of similar length by token budget, spread over the
 * pool.  The result of a pair depends on the list as a whole only within rounding; the same list
 * gives the same bytes. */
void cross_encoder_score(const struct cross_encoder *ce, struct pool *pool,
                         const char *const *queries, const char *const *documents, size_t n,
                         int max_length, float *logits);
/* The same for packed token ids, one batch: logits [num_seqs, num_labels]; for golden tests and
 * benches. */
void cross_encoder_logits(const struct cross_encoder *ce, struct encoder_pass *pass,
                          const struct batch *batch, float *logits);
/* For tokenised pairs, chosen chunks of them: only their rows of logits [pairs->count, num_labels]
 * are written. */
void cross_encoder_score_chunks(const struct cross_encoder *ce, struct encode_workers *workers,
                                const struct sequences *pairs, const struct chunks *chunks,
                                float *logits);

/* How a single text is put into the cross-encoder (arXiv 2502.03552 pairs it with itself). */
enum text_form {
    FORM_SINGLE, /* [CLS] x [SEP] */
    FORM_PAIR    /* [CLS] x [SEP] x [SEP]; the mean is over the first copy */
};
/* "single", "pair" */
int text_form_parse(enum text_form *out, const char *name, struct error *err);
const char *text_form_name(enum text_form form);

struct text_input {
    enum text_form form;
    int max_length; /* tokens of the whole input, both copies and special tokens included */
};
/* The input whose text, with two special tokens, has at most max_tokens (0: what the model
 * takes). */
struct text_input cross_encoder_text_input(const struct cross_encoder *ce, enum text_form form,
                                           int max_tokens);
/* Early-layer representations: mean over the text's own tokens, without [CLS] and [SEP]; not
 * normalised.  out[i] is [n, hidden_size] for layers[i].  A text without tokens gives the [CLS]
 * state. */
void cross_encoder_represent(const struct cross_encoder *ce, struct pool *pool,
                             const char *const *texts, size_t n, struct text_input input,
                             const int *layers, int num_layers, float *const *out);

#endif
