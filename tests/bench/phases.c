/* How much of an encoder's time each of its phases takes.
 *
 * The encoder itself has no clock in it: the linker puts the functions below in place of those that
 * it calls (--wrap in the Makefile), in this program alone, and they take the time around them.  So
 * what is measured is the very run whose rate is printed. */
#define _GNU_SOURCE
#include "tests/bench/bench.h"

#include "data/sequences.h"
#include "nn/attention.h"
#include "nn/weights.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { MAX_LAYERS = 24 };

static atomic_bool running;
static atomic_uint_fast64_t nanoseconds[NUM_PHASES];
static int workers;
static const struct packed_layer *layers[MAX_LAYERS];
static int num_layers;

void phases_start(const struct encoder *encoder, int cores)
{
    REQUIRE(encoder->config.num_layers <= MAX_LAYERS);
    workers = cores;
    num_layers = encoder->config.num_layers;
    for (int i = 0; i < num_layers; i++) layers[i] = packed_layer_of(encoder, i);
    for (int p = 0; p < NUM_PHASES; p++) atomic_store(&nanoseconds[p], 0);
    atomic_store(&running, true);
}

void phases_stop(double seconds[NUM_PHASES])
{
    atomic_store(&running, false);
    for (int p = 0; p < NUM_PHASES; p++) seconds[p] = 1e-9 * (double)atomic_load(&nanoseconds[p]);
}

/* 0 where nobody asks. */
static uint64_t begin(void)
{
    struct timespec now;
    if (!atomic_load_explicit(&running, memory_order_relaxed)) return 0;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void end(uint64_t began, enum phase phase, int threads)
{
    uint64_t now = began ? begin() : 0;
    if (now)
        atomic_fetch_add_explicit(&nanoseconds[phase], (now - began) * (uint64_t)threads,
                                  memory_order_relaxed);
}

static enum phase phase_of(const struct dnn_weights *weights)
{
    for (int i = 0; i < num_layers; i++) {
        if (weights == layers[i]->qkv.weights[DNN_FORWARD]) return PHASE_QKV;
        if (weights == layers[i]->attention.weights[DNN_FORWARD]) return PHASE_OUTPUT;
        if (weights == layers[i]->inner.weights[DNN_FORWARD] ||
            weights == layers[i]->outer.weights[DNN_FORWARD])
            return PHASE_FFN;
    }
    return PHASE_OTHER;
}

/* ---- in place of the encoder's calls: __real_x is x, __wrap_x what callers of x get ---- */

void __real_dnn_linear_forward_share(struct dnn *dnn, void *y, const void *x,
                                     const struct dnn_weights *weights, const float *bias, int rows,
                                     enum dnn_store store, struct team_share share);
void __wrap_dnn_linear_forward_share(struct dnn *dnn, void *y, const void *x,
                                     const struct dnn_weights *weights, const float *bias, int rows,
                                     enum dnn_store store, struct team_share share);
void __wrap_dnn_linear_forward_share(struct dnn *dnn, void *y, const void *x,
                                     const struct dnn_weights *weights, const float *bias, int rows,
                                     enum dnn_store store, struct team_share share)
{
    uint64_t began = begin();
    __real_dnn_linear_forward_share(dnn, y, x, weights, bias, rows, store, share);
    if (began) end(began, phase_of(weights), 1);
}

void __real_attention_forward(const struct attention *attention, void *context, const void *qkv);
void __wrap_attention_forward(const struct attention *attention, void *context, const void *qkv);
void __wrap_attention_forward(const struct attention *attention, void *context, const void *qkv)
{
    uint64_t began = begin();
    __real_attention_forward(attention, context, qkv);
    end(began, PHASE_ATTENTION, 1);
}

void __real_sequences_encode(struct sequences *out, const struct tokenizer *tok, struct pool *pool,
                             const char *const *first, const char *const *second, size_t n,
                             const char *prompt, int max_length);
void __wrap_sequences_encode(struct sequences *out, const struct tokenizer *tok, struct pool *pool,
                             const char *const *first, const char *const *second, size_t n,
                             const char *prompt, int max_length);
void __wrap_sequences_encode(struct sequences *out, const struct tokenizer *tok, struct pool *pool,
                             const char *const *first, const char *const *second, size_t n,
                             const char *prompt, int max_length)
{
    uint64_t began = begin();
    __real_sequences_encode(out, tok, pool, first, second, n, prompt, max_length);
    end(began, PHASE_TOKENISE, workers); /* all of them work on it or wait for it */
}

/* ---- kernels are called through a table: it is copied, with two of them changed ---- */

static const struct kernels *best;
static struct kernels timed;

static void timed_norm(const struct norm_forward *norm)
{
    uint64_t began = begin();
    best->norm_forward(norm);
    end(began, PHASE_NORM, 1);
}

static void timed_activation(void *out, const void *in, size_t n, enum activation activation,
                             enum element element)
{
    uint64_t began = begin();
    best->activation_forward(out, in, n, activation, element);
    end(began, PHASE_FFN, 1);
}

const struct kernels *__real_kernels_best(void);
const struct kernels *__wrap_kernels_best(void);

static void copy_kernels(void)
{
    best = __real_kernels_best();
    timed = *best;
    timed.norm_forward = timed_norm;
    timed.activation_forward = timed_activation;
}

const struct kernels *__wrap_kernels_best(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, copy_kernels);
    return &timed;
}

static const struct int8_kernels *best_int8;

static void timed_quantize(const struct quantized *out, const void *in, enum element element,
                           const float *factor, int rows, int cols)
{
    uint64_t began = begin();
    best_int8->quantize(out, in, element, factor, rows, cols);
    end(began, PHASE_QUANTIZE, 1);
}

static void timed_dequantize(void *out, enum element element, const float *product,
                             const struct quantized *rows_of, const struct channels *channels,
                             int rows, int cols)
{
    uint64_t began = begin();
    best_int8->dequantize(out, element, product, rows_of, channels, rows, cols);
    end(began, PHASE_QUANTIZE, 1);
}

static void timed_activate(const struct quantized *out, const float *factor, float *product,
                           const struct quantized *rows_of, const struct channels *channels,
                           int rows, int cols, enum activation activation)
{
    uint64_t began = begin();
    best_int8->activate(out, factor, product, rows_of, channels, rows, cols, activation);
    end(began, PHASE_QUANTIZE, 1);
}

const struct int8_kernels *__real_int8_kernels_best(void);
const struct int8_kernels *__wrap_int8_kernels_best(void);
const struct int8_kernels *__wrap_int8_kernels_best(void)
{
    static const struct int8_kernels timed_int8 = {timed_quantize, timed_dequantize,
                                                   timed_activate};
    best_int8 = __real_int8_kernels_best();
    return &timed_int8;
}
