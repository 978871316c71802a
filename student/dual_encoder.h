/* The student: a dual encoder useful at many taps (layer, dim), a 2D Matryoshka encoder.
 *
 *     h_l  = mean (or CLS) over all tokens of block l's output      [hidden_size]
 *     z_l  = P h_l + b, or h_l where there is no projection         [output_size]
 *            (tanh of it where the model has that activation)
 *     e    = z_l[0:d], then divided by its norm                     cut first, then normalise
 *
 * One projection serves all layers.  Opened from a sentence-transformers folder, a bare Hugging
 * Face encoder, or a retort checkpoint (a sentence-transformers folder with all layers); made from
 * a teacher's layers by dual_encoder_create.
 */
#ifndef RETORT_DUAL_ENCODER_H
#define RETORT_DUAL_ENCODER_H

#include "data/threads.h"
#include "data/tokenizer.h"
#include "nn/encode.h"
#include "nn/encoder.h"
#include "nn/tape.h"

struct tap {
    int layer, dim; /* 1..num_layers, 1..output_size */
};

struct dual_encoder {
    struct params params;
    struct encoder encoder;
    struct tokenizer *tokenizer;
    enum pooling pooling;
    enum dense_activation activation;       /* after the projection */
    bool normalize;                         /* the model's own modules.json says so */
    int projection_weight, projection_bias; /* rows of params, -1 where there is no projection */
    int output_size;                        /* of z: rows of the projection, or hidden_size */
    int max_length;                         /* tokens, special ones included */
    char *query_prompt, *document_prompt;   /* prepended to texts; "" if none */
    char *folder;                           /* where the tokenizer was read */
};

/* In a model's folder, for int8: the encoder's calibration, [layers, encoder_channels / layers] f32
 * (nn/encoder.h).  Other readers of such folders do not look at it. */
#define CALIBRATION_FILE "int8.npy"

/* num_layers 0: all that the folder has.  In int8, calibrated by the folder's int8.npy where there
 * is one (export.h). */
int dual_encoder_open(struct dual_encoder *out, const char *folder, int num_layers,
                      enum precision precision, struct error *err);
/* A new student: the shape of `like` with num_layers blocks, all values zero, tokenizer of
 * tokenizer_folder; output_size 0: no projection.  The caller fills params, calls
 * encoder_refresh, and may set an activation. */
int dual_encoder_create(struct dual_encoder *out, const struct encoder_config *like, int num_layers,
                        int output_size, enum pooling pooling, const char *tokenizer_folder,
                        enum precision precision, struct error *err);
void dual_encoder_free(struct dual_encoder *de);
/* Calibrates a model in int8 for texts like these, all its layers. */
void dual_encoder_calibrate(struct dual_encoder *de, struct pool *pool, const char *const *texts,
                            size_t n);

/* z of one batch at one layer: pooled [num_seqs, hidden_size] and z [num_seqs, output_size] (may be
 * the same buffer where there is no projection), after encoder_forward. */
void dual_encoder_heads(const struct dual_encoder *de, const struct encoder_pass *pass,
                        const struct batch *batch, int layer, float *pooled, float *z);
/* The reverse: adds to d_params, writes d_pooled [num_seqs, hidden_size] (scratch) and d_hidden
 * [num_tokens, hidden_size].
 */
void dual_encoder_heads_backward(const struct dual_encoder *de, const struct batch *batch,
                                 const float *pooled, const float *d_z, float *d_pooled,
                                 float *d_hidden, float *d_params);

/* A tape over the encoder with these heads: it gives z.  *de must stay where it is. */
struct tape *dual_encoder_tape(const struct dual_encoder *de, struct pool *pool, size_t keep_bytes);

/* What to embed, and how. */
struct embed_request {
    const char *const *texts; /* [count] */
    size_t count;
    const char *prompt; /* put before every text; "" for none */
    int max_length;     /* tokens kept of a text; 0: the model's own limit, which always holds */
    const int *layers;  /* [num_layers] */
    int num_layers;
    /* Of this encoder and pool, kept from call to call: opening them takes as long as embedding a
     * short text.  NULL: opened for this call. */
    struct encode_workers *workers;
};
/* z of the texts at each of the layers: out[i] is [count, output_size] at layers[i], raw (neither
 * cut nor normalised). */
void dual_encoder_embed(const struct dual_encoder *de, struct pool *pool,
                        const struct embed_request *request, float *const *out);
/* Cuts rows of [n, from] to the first dim values and divides each by its norm if normalize (a zero
 * row stays zero); out is [n, dim], may not overlap. */
void vectors_cut(float *out, const float *z, size_t n, int from, int dim, bool normalize);
/* Both, at the request's one layer: [count, dim], freshly allocated. */
float *dual_encoder_vectors(const struct dual_encoder *de, struct pool *pool,
                            const struct embed_request *request, int dim, bool normalize);

#endif
