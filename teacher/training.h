/* A cross-encoder to be trained: begun from a folder or from nothing, run forward and backward by a
 * tape, written as a Hugging Face folder.  How it is trained (losses, optimiser, stopping) is the
 * caller's.
 *
 *     struct cross_encoder *ce;
 *     struct training_start start = {.precision = PRECISION_AUTO, .dropout = 0.1, .seed = 13};
 *     if (cross_encoder_begin(&ce, "models/all-MiniLM-L6-v2", &start, err)) return -1;
 *     struct tape *tape = cross_encoder_tape(ce, pool, keep_bytes);
 *     ... tape_forward at the last layer gives logits [n, 1]; tape_backward; optimiser ...
 *     cross_encoder_write(ce, "my-re-ranker", 256, err);
 */
#ifndef RETORT_TRAINING_H
#define RETORT_TRAINING_H

#include "nn/tape.h"
#include "teacher/cross_encoder.h"

struct training_start {
    enum precision precision;
    double dropout; /* of hidden states and attention, while training; the head has none */
    uint64_t seed;  /* of what is random: a new head; all weights where there is no folder */
};
/* From a Hugging Face folder: a cross-encoder of one logit goes on from its head, any other encoder
 * (a sentence-transformers folder, too) gets a new one, BERT's with the pooler's weights where they
 * are stored. */
int cross_encoder_begin(struct cross_encoder **out, const char *folder,
                        const struct training_start *start, struct error *err);
/* From nothing: random weights of this shape (normal, config->initializer_range; attention as in
 * mimetic.h), BERT's architecture.  The tokenizer is given away, also on failure; its ids must be
 * below config->vocab_size. */
int cross_encoder_new(struct cross_encoder **out, const struct encoder_config *config,
                      struct tokenizer *tokenizer, const struct training_start *start,
                      struct error *err);

/* What an optimiser changes: the encoder, whose params hold the head's too. */
struct encoder *cross_encoder_trained(struct cross_encoder *ce);
/* Gives one logit a sequence, at layer config->num_layers.  *ce must stay where it is. */
struct tape *cross_encoder_tape(const struct cross_encoder *ce, struct pool *pool,
                                size_t keep_bytes);

/* Writes config.json, model.safetensors (f32) and the tokenizer's files, whole or not at all, as
 * transformers' AutoModelForSequenceClassification reads them; max_length: tokens of a pair, in
 * the tokenizer's files.  config.json is the folder's that it was begun from, with what makes it a
 * re-ranker of raw logits, also for sentence-transformers (activation_fn Identity). */
int cross_encoder_write(const struct cross_encoder *ce, const char *folder, int max_length,
                        struct error *err);

#endif
