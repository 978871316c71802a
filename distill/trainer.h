/* The training loop: optimiser, schedule, checkpoints, best model on dev, log.  What a step
 * computes is the phase's affair.
 *
 * Everything a step does depends on the weights, the moments and the step's number, so that a run
 * killed at any time goes on from its last checkpoint to the same bytes.  Files in folder:
 *
 *     NAME.checkpoint.safetensors   weights, both moments, their average where one is kept, step,
 *                                   best value so far; replaced whole
 *     NAME.best.safetensors         weights with the best dev value (the last, where none is
 *                                   taken), of the average where one is kept
 *     NAME.tsv                      step, rate, loss and its parts, gradient norm, dev values
 */
#ifndef RETORT_TRAINER_H
#define RETORT_TRAINER_H

#include "data/threads.h"
#include "distill/averaging.h"
#include "nn/encoder.h"
#include "nn/optimizer.h"

/* Named numbers of one step or one evaluation, for the log. */
struct report_entry {
    char name[40];
    double value;
};
struct report {
    struct report_entry *entries;
    size_t count, capacity;
};
void report_add(struct report *report, double value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void report_free(struct report *report);

struct phase {
    const char *name;                                   /* "hpd", "distil", "no-teacher" */
    uint64_t total_steps, warmup_steps, evaluate_every; /* evaluate_every 0: never */
    int patience; /* stops after so many evaluations without a better one; 0: never */
    double learning_rate, weight_decay, clip_norm;
    double layer_decay; /* adamw_decay_layers; 0: none */
    enum schedule schedule;
    struct averaging averaging; /* of the weights that are evaluated and kept */
    double checkpoint_seconds;
    /* Of everything that determines the phase: a checkpoint of another one is not resumed. */
    struct hash128 identity;
    /* Forward, loss and backward of one step (0-based): adds to adamw->gradients, returns the loss.
     * Rows of the embedding table are read after adamw_catch_up alone (tape_forward does it). */
    double (*step)(void *arg, uint64_t step, struct adamw *adamw, struct report *report);
    /* Dev value, higher is better, never NaN; all rows may be read. */
    double (*evaluate)(void *arg, struct report *report);
    /* Before every refresh_every-th step but the first, the checkpoint just written (0: never): may
     * change what later steps read, by the weights as they are; leaves a file that says it all.
     * again: the run goes on behind that step, and what was left then is read. */
    uint64_t refresh_every;
    int (*refresh)(void *arg, uint64_t step, bool again, struct error *err);
    void *arg;
};

/* Trains the model that *encoder stands in, all of encoder->params, from its present weights, or
 * from the phase's checkpoint in folder if there is one; leaves the best weights there.  A phase
 * that was finished before only loads them.  A loss that is not a number stops with an error that
 * names the step.  Fails with STATUS_INTERRUPTED, checkpoint written, when interrupted(). */
int trainer_run(struct encoder *encoder, const struct phase *phase, const char *folder,
                struct pool *pool, struct error *err);

#endif
