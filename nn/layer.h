/* One transformer block, forward and backward, and the embeddings below the first.
 *
 * A team may go forward together: each of its threads calls the same functions with a step of its
 * own, which differs from the others' in `share`, `dnn` and scratch.attention alone.  Products are
 * divided by columns, attention by heads, all else by rows; nothing is divided along a sum, so that
 * the bytes are those of a thread alone.  What a function has written of other rows than the
 * thread's own may be read after the next team_wait.
 */
#ifndef RETORT_LAYER_H
#define RETORT_LAYER_H

#include "nn/dnn.h"
#include "nn/encoder.h"
#include "nn/kernels.h"
#include "nn/quantize.h"

/* A block's parameters, in the parameter block or in a gradient block: hidden size H, intermediate
 * size I. */
struct layer_params {
    float *qkv_weight, *qkv_bias;             /* [3 H, H], [3 H]: query, key, value */
    float *attention_weight, *attention_bias; /* [H, H], [H]: W_o */
    float *attention_gain, *attention_shift;  /* [H]: norm after attention */
    float *inner_weight, *inner_bias;         /* [I, H], [I] */
    float *outer_weight, *outer_bias;         /* [H, I], [H] */
    float *output_gain, *output_shift;        /* [H]: norm at the end */
};
/* Embedding size E. */
struct embedding_params {
    float *words, *positions, *types;     /* [vocab, E], [positions, E], [types, E] or NULL */
    float *gain, *shift;                  /* [E] */
    float *project_weight, *project_bias; /* [H, E], [H]; NULL where E == H */
};

/* The same weights, packed for products. */
struct packed_linear {
    struct dnn_weights *weights[2]; /* [direction] */
    struct quantization int8;       /* in int8, of weights[DNN_FORWARD] */
    size_t first_channel;           /* its inputs' place among the channels of all layers */
};
struct packed_layer {
    struct packed_linear qkv, attention, inner, outer;
};

/* What one block's forward leaves for its backward; for T rows, N stands for the pass's element. */
struct layer_kept {
    void *qkv;                                 /* N [T, 3 H] */
    void *context;                             /* N [T, H] */
    void *attended;                            /* N [T, H]: output of the norm after attention */
    void *inner;                               /* N [T, I]: before the activation */
    void *attention_normal, *output_normal;    /* N [T, H]: of the norms; NULL if not kept */
    float *attention_inverse, *output_inverse; /* [T] */
};
struct embedding_kept {
    float *sum;     /* [T, E] */
    float *normed;  /* [T, E]; where E == H, the hidden state 0 itself */
    void *normal;   /* N [T, E] or NULL */
    float *inverse; /* [T] */
};

/* Memory shared by all blocks of a pass. */
struct scratch {
    void *x;         /* N [T, H]: input of the block; in bf16 written by the norm before it */
    float *branch;   /* [T, H]: what is added to the residual stream */
    float *attended; /* [T, H] */
    void *active;    /* N [T, I]: after the activation */
    struct quantized bytes; /* in int8: what a product reads, [T, the larger of H and I], */
    float *product;         /* and what it gives, [T, the larger of 3 H and I] */
    float *attention;
    void *d_branch, *d_context; /* N [T, H] */
    void *d_inner;              /* N [T, I] */
    void *d_qkv;                /* N [T, 3 H] */
    float *d_normed;            /* [T, E], with a projection */
};

/* One forward or backward over one batch. */
struct step {
    const struct encoder_config *config;
    const struct kernels *kernels;
    const struct int8_kernels *int8; /* products are of bytes; NULL: of the pass's element */
    float *largest;                  /* in int8, of each channel's |x|: raised; or NULL */
    struct dnn *dnn;
    struct team *team;       /* NULL: this thread alone */
    struct team_share share; /* this thread's, of every part of the work of a forward */
    const struct batch *batch;
    enum element element;
    int tokens;
    bool keep;      /* for a backward */
    int block_rows; /* forward goes by this many rows at a time */
    int rows;       /* tokens, rounded up: products have few shapes, surplus rows are zero */
    double hidden_dropout, attention_dropout; /* 0: none */
    uint64_t seed;
    struct scratch scratch;
};

/* x, out: [rows, H]. */
void layer_forward(const struct step *step, int layer, const struct layer_params *params,
                   const struct packed_layer *packed, const struct layer_kept *kept, float *out,
                   const float *x);
/* The same for the first token of each sequence alone; first: the step with as many tokens as there
 * are sequences.  out: [first->rows, H].  No dropout; the context in kept is overwritten. */
void layer_forward_first(const struct step *step, const struct step *first,
                         const struct layer_params *params, const struct packed_layer *packed,
                         const struct layer_kept *kept, float *out, const float *x);
/* d_x is d_out on entry, [rows, H]; x as in forward.  Adds to grads. */
void layer_backward(const struct step *step, int layer, const struct layer_params *params,
                    const struct packed_layer *packed, const struct layer_kept *kept,
                    const struct layer_params *grads, float *d_x, const float *x);

/* out [rows, H]: hidden state 0. */
void embedding_forward(const struct step *step, const struct embedding_params *params,
                       struct dnn_weights *const *projection, const struct embedding_kept *kept,
                       float *out);
/* d_out [rows, H] is overwritten. */
void embedding_backward(const struct step *step, const struct embedding_params *params,
                        struct dnn_weights *const *projection, const struct embedding_kept *kept,
                        const struct embedding_params *grads, float *d_out);

/* Rows first .. first + rows - 1, of which the first `tokens` are tokens, the others surplus. */
struct block {
    int first, rows, tokens;
};
struct block step_rows(const struct step *step); /* all */
/* Of a block, those of this thread. */
struct block own_rows(const struct step *step, const struct block *block);
/* Zeroes a block's surplus rows, so that products over tokens may run over rows; values [rows,
 * cols] are the block's. */
void clear_surplus(const struct block *block, void *values, int cols, enum element element);
/* A block's out [rows, cols] = in [tokens, cols] in the pass's element, surplus rows zero. */
void narrow(const struct step *step, const struct block *block, void *out, const float *in,
            int cols);
/* Row `first` of values [rows, cols]. */
void *from_row(const void *values, int first, int cols, enum element element);
float *f32_row(const float *values, int first, int cols);

/* y [rows, outputs] = x W^T + bias, by the whole team: x and y are complete before and after. */
void product_forward(const struct step *step, void *y, const void *x,
                     const struct dnn_weights *weights, const float *bias, int rows,
                     enum dnn_store store);

#endif
