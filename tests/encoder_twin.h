/* Small encoders for tests, and a naive twin of the encoder in double: straight from the formulas,
 * one token and one head at a time, dropout included.
 *
 *     struct fixture f;
 *     fixture_open(&f, &trials[0], PRECISION_F32);
 *     struct twin twin = twin_of(&f, values);                // values [params.size], double
 *     double loss = twin_loss(&twin, f.taps, states);
 *     fixture_close(&f);
 * */
#ifndef RETORT_TESTS_ENCODER_TWIN_H
#define RETORT_TESTS_ENCODER_TWIN_H

#include "nn/encoder.h"

enum { VOCAB = 23, MOST_LAYERS = 2 };

struct trial {
    const char *family;
    enum activation activation;
    int hidden, embedding, heads, inner, layers;
    int lengths[4]; /* ended by 0 */
    double dropout;
};
enum { TRIALS = 6 };
extern const struct trial trials[TRIALS]; /* of every family, odd sizes, lengths 1, 17 and more */

struct fixture {
    struct encoder_config config;
    struct params params;
    struct encoder encoder;
    struct batch batch;
    float *taps;   /* [layers + 1, tokens, hidden] */
    size_t states; /* values in taps */
};
void fixture_open(struct fixture *f, const struct trial *trial, enum precision precision);
void fixture_close(struct fixture *f);

/* Kept, all layers, with the trial's dropout. */
struct forward_mode training(const struct fixture *f);
/* states [layers + 1, tokens, hidden] = the hidden states of the pass. */
void collect(float *states, const struct encoder_pass *pass, const struct fixture *f);
/* Adds the gradient of the sum over layers of <hidden_l, taps_l>. */
void backward(struct encoder_pass *pass, const struct fixture *f, float *d_params);

struct twin {
    const struct encoder_config *config;
    const struct params *params;
    const double *values; /* layout of params->values */
    const struct batch *batch;
    double dropout; /* 0: none */
    uint64_t seed;
};
/* The twin of f's training forward; fills values [params.size] from f's. */
struct twin twin_of(const struct fixture *f, double *values);
/* The loss sum over layers of <x_l, taps_l>; the hidden states too, in states unless NULL.
 * taps, states: [layers + 1, tokens, hidden]. */
double twin_loss(const struct twin *twin, const float *taps, float *states);

#endif
