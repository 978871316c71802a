/* A dual encoder at one tap: texts in, finished vectors out.
 *
 *     struct embedder_options tap = {.layers = 3, .dim = 128};
 *     if (embedder_open(&embedder, "models/x", &tap, err)) return -1;
 *     embedder_texts(&embedder, vectors, texts, n, embedder.encoder.query_prompt);
 *     embedder_close(&embedder);
 */
#ifndef RETORT_EMBEDDER_H
#define RETORT_EMBEDDER_H

#include "student/dual_encoder.h"

struct embedder_options {
    int layers, dim; /* 0: all that the model has, or its own truncate_dim */
    int threads;     /* 0: one a core */
    enum precision precision;
};
struct embedder {
    struct dual_encoder encoder; /* opened up to the tap's layer */
    struct pool *pool;
    struct encode_workers *workers; /* of both, or NULL; an embedder must stay where it is */
    int layers, dim;
    bool normalize; /* divide vectors by their norm: unless the model's similarity is the dot
                       product of raw vectors */
};

/* Fails as dual_encoder_open, and with STATUS_USAGE on a layer or dim that the model has not. */
int embedder_open(struct embedder *out, const char *folder, const struct embedder_options *options,
                  struct error *err);
void embedder_close(struct embedder *embedder);

/* vectors [n, dim]: cut first, then normalised. */
void embedder_texts(const struct embedder *embedder, float *vectors, const char *const *texts,
                    size_t n, const char *prompt);

/* 32 hexadecimal digits of all that an embedding depends on, except dim and precision: weights up
 * to the layer, tokenizer, pooling, maximum length, prompts. */
int embedder_fingerprint(char hex[33], const struct embedder *embedder, struct error *err);

#endif
