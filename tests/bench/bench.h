/* What the parts of the bench share: the works that are measured, and the phases of an encoder.
 *
 * Each part adds its works to one list; bench.c runs the list from top to bottom, ROUNDS times, so
 * that all works see the same moments of a shared machine, and keeps the best of each.  The
 * processor's peaks are works as any other.
 */
#ifndef RETORT_TESTS_BENCH_H
#define RETORT_TESTS_BENCH_H

#include "data/threads.h"
#include "nn/encoder.h"

#include <stdio.h>

/* What a work is held against: all cores' flop/s of a type, or bytes/s read from memory. */
enum peak { PEAK_NONE, PEAK_F32, PEAK_BF16, PEAK_INT8, PEAK_BINARY, PEAK_READ, NUM_PEAKS };

/* Parts of an encoder's time.  qkv, output (W_o) and ffn (with its activation) are matrix products,
 * attention is what happens inside each sequence, quantise what int8 needs around its products
 * (with the activation); other is all else, with waiting. */
enum phase {
    PHASE_TOKENISE,
    PHASE_QKV,
    PHASE_ATTENTION,
    PHASE_OUTPUT,
    PHASE_FFN,
    PHASE_QUANTIZE,
    PHASE_NORM,
    PHASE_OTHER,
    NUM_PHASES
};
struct phases {
    const struct encoder *encoder;
    double flops[NUM_PHASES]; /* of one run */
    double seconds[NUM_PHASES];
};

struct seconds {
    double wall, processor; /* of all threads */
};
struct seconds clocks_now(void);

struct work {
    const char *name, *precision; /* precision "-": none to choose */
    struct unit {
        const char *name; /* NULL: none */
        double amount;    /* that one run does */
    } units[2];
    enum peak peak;
    bool is_peak;   /* a measure of the peak, not a work held against it */
    double cost;    /* flops or bytes of one run */
    const char *by; /* growth.c: what `size` is of; its cost is what the time should grow with */
    size_t size;
    void (*run)(void *arg);
    void *arg;
    const struct seconds *counted; /* what counts of a run, filled by it; NULL: all of it */
    struct phases *phases;         /* filled from the best run; NULL: not asked for */
    struct seconds least;          /* of the runs so far, each on its own; 0: none yet */
    double busy;                   /* share of all cores that the run with the least wall had */
};

struct bench {
    struct pool *pool; /* one worker a core */
    bool tiny;         /* only to see that everything runs */
    const char *path;  /* of the table */
    struct bench_texts *texts;
    struct work *works;
    size_t count, capacity;
    struct owned {
        void *object;
        void (*release)(void *object);
    } * owned;
    size_t num_owned, owned_capacity;
};
void bench_add(struct bench *bench, const struct work *work);
/* Releases the object at the end, in reverse order. */
void bench_own(struct bench *bench, void *object, void (*release)(void *object));
/* A size of the real bench, or of the tiny one. */
size_t bench_size(const struct bench *bench, size_t real, size_t tiny);

void add_processor(struct bench *bench); /* processor.c: loops of one instruction */
void add_products(struct bench *bench);  /* product.c: oneDNN's best */
void add_encoders(struct bench *bench);  /* encoders.c */
void add_commands(struct bench *bench);  /* commands.c: the program's, whole */
void add_search(struct bench *bench);    /* search.c: with the read bandwidth */
void add_lexical(struct bench *bench);   /* lexical.c: BM25, tokenising */
void add_growth(struct bench *bench);    /* growth.c: works of several sizes, in place of these */
/* The table of these, on stdout and as tab-separated values. */
void print_growth(FILE *tsv, const struct bench *bench);

/* phases.c: from start to stop, the time that all workers spend in each phase of this encoder (one
 * at a time) is added up. */
void phases_start(const struct encoder *encoder, int cores);
void phases_stop(double seconds[NUM_PHASES]);

#endif
