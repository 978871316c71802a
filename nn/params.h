/* The named parameters of a model, in one block, described by one table.
 *
 * The table drives load, save, count, gradient check, optimiser and export.  Gradients and
 * optimiser moments live in blocks of equal layout: the gradient of values[i] is d_values[i].
 *
 *     struct params params = {0};
 *     encoder_declare(&config, &params);                          // adds the encoder's rows
 *     int head = params_add(&params, "projection.weight", 128, 384, true);
 *     params_alloc(&params); // the table is fixed from here on
 *     params_load(&params, st, names, err);
 *     float *w = params_values(&params, head);                    // [128, 384]
 */
#ifndef RETORT_PARAMS_H
#define RETORT_PARAMS_H

#include "data/safetensors.h"

struct param {
    char name[112]; /* canonical (BERT's Hugging Face) name, without a model prefix */
    int rows, cols; /* [rows, cols]; a vector is [1, cols] */
    size_t offset;  /* of its first value in the block */
    bool decay;     /* weight decay applies: matrices and embeddings, not biases and norms */
    bool by_rows;   /* a training step reads few of its rows: word embeddings.  One at most. */
};

struct params {
    struct param *list;
    size_t count, capacity;
    float *values; /* [size]; NULL until params_alloc */
    size_t size;
};

int params_add(struct params *params, const char *name, int rows, int cols,
               bool decay);                                     /* its index */
void params_alloc(struct params *params);                       /* values zeroed */
int params_find(const struct params *params, const char *name); /* index or -1 */
float *params_values(const struct params *params, int index);
size_t params_param_size(const struct param *param); /* rows * cols */
/* Normal(0, deviation) for decayed parameters, 1 for *LayerNorm.weight, 0 for other vectors. */
void params_init_random(struct params *params, int first, int last, double deviation,
                        uint64_t seed);
/* Reads parameters first..last-1: the tensor is looked up as translate(name) (NULL: the name
 * itself).  Missing tensor, wrong shape (a [n] vector matches [1, n]), not a float type, or NaN/Inf
 * inside: an error that names it. */
int params_load(struct params *params, int first, int last, const struct safetensors *st,
                const char *(*translate)(const char *name, char buffer[160], const void *arg),
                const void *arg, const char *where, struct error *err);
/* Row `index` as a tensor of this name, which is not copied: a decayed parameter is a matrix, also
 * where it has one row (RoBERTa's token types), any other a vector. */
struct tensor params_tensor(const struct params *params, int index, const char *name);
void params_free(struct params *params);

#endif
