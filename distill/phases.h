/* The two phases of training: HPD on all texts without labels, then distillation
 * on queries with their candidates, or on scored pairs.  A phase_context holds what a step needs;
 * the trainer calls hpd_step, and distil_step or pairs_step. */
#ifndef RETORT_PHASES_H
#define RETORT_PHASES_H

#include "data/sequences.h"
#include "distill/dev_eval.h"
#include "distill/step_batch.h"
#include "distill/tap_schedule.h"
#include "distill/trainer.h"
#include "nn/tape.h"

enum { MAX_TAP_LAYERS = 64, MAX_TARGETS = MAX_TAP_LAYERS + 1 };

/* A matrix of targets of all texts, by row of the collection: [rows, width]. */
struct text_targets {
    const float *queries, *documents;
    int width;
};

/* Pairs of documents, and the scores that losses copy, by target: [count] each, from 0 to 1. */
enum { PAIR_TARGETS = 2 };
struct train_pairs {
    const struct scored_pair *pairs;
    size_t count;
    const float *scores[PAIR_TARGETS]; /* NULL: not wanted */
};
uint64_t pair_steps_per_epoch(const struct train_pairs *pairs, int batch_pairs);

struct phase_context {
    struct dual_encoder *de;
    struct tape *tape;
    struct objective objective;                  /* all but the rows */
    struct tap_schedule schedule;                /* the rows of each step */
    const struct sequences *queries, *documents; /* of the whole collection, by row */
    struct text_targets targets[MAX_TARGETS];
    int num_targets;
    uint64_t seed;
    bool dropout;

    const uint32_t *hpd_texts; /* HPD: rows, queries counted after all documents */
    size_t num_hpd_texts;
    int batch_texts;

    const struct train_set *train; /* distillation */
    int batch_queries;             /* or pairs */
    const struct train_pairs *pairs;
    const struct dev_eval *dev;
    struct refresh *refresh; /* of train's candidates */

    struct step_batch batch; /* below: memory of a step, kept between steps */
    struct tape_text *texts;
    struct text_place {
        bool is_query;
        uint32_t row; /* of the collection */
    } * places;       /* of texts */
    struct target_rows step_targets[MAX_TARGETS];
    float *step_target_values[MAX_TARGETS];
    float *z[MAX_TAP_LAYERS], *d_z[MAX_TAP_LAYERS];
    int most_layers; /* of a step: z and d_z beyond are NULL */
    size_t rows_capacity;
    float *pair_scores[PAIR_TARGETS];
    uint32_t *order; /* of HPD texts, or of pairs, in `epoch` */
    uint64_t epoch;
    bool has_order;
};

/* After de, tape, objective, schedule and the fields above `batch` are set. */
void phase_prepare(struct phase_context *context);
double hpd_step(void *context, uint64_t step, struct adamw *adamw, struct report *report);
double distil_step(void *context, uint64_t step, struct adamw *adamw, struct report *report);
double pairs_step(void *context, uint64_t step, struct adamw *adamw, struct report *report);
/* Releases the step memory, the objective and the tape. */
void phase_release(struct phase_context *context);

#endif
