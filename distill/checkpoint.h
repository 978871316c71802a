/* Weights of a student, alone or with the optimiser's moments, as safetensors files. */
#ifndef RETORT_CHECKPOINT_H
#define RETORT_CHECKPOINT_H

#include "data/safetensors.h"
#include "nn/optimizer.h"

struct checkpoint_state {
    uint64_t step;   /* steps done */
    double best;     /* best dev value so far; -2 before the first */
    uint64_t waited; /* evaluations since then */
    bool finished;
    struct hash128 identity; /* of what is being trained */
};

int weights_write(const struct params *params, const char *path, struct error *err);
/* Every parameter must be there with its shape. */
int weights_read(struct params *params, const char *path, struct error *err);

/* After adamw_settle; average (NULL: none): of the weights. */
int checkpoint_write(const struct params *params, const struct adamw *adamw, const float *average,
                     const struct checkpoint_state *state, const char *path, struct error *err);
/* The state alone; false where the file is no checkpoint. */
bool checkpoint_state_of(struct checkpoint_state *out, const struct safetensors *st);
/* 1: read; 0: none there, or of another identity; -1: *err. */
int checkpoint_read(struct params *params, struct adamw *adamw, float *average,
                    struct checkpoint_state *state, const char *path, struct error *err);

#endif
