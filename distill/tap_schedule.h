/* Which rows (tap, loss, weight, target) a training step has.
 *
 * Either all listed taps at every step (Starbucks, Zhuang et al. 2024), or taps drawn anew for each
 * step: some layers below the last, some widths (2DMSE, Li et al. 2024; AdaptiveLayerLoss and
 * Matryoshka2dLoss of sentence-transformers), or all of them (Matryoshka, ESE).  What is drawn
 * depends on (seed, step) alone.
 *
 * Weights.  A row of a term weighs the term's weight, times, for a listed tap of layer l, w(l); for
 * a drawn layer l below the last, w(l) / the number of drawn layers; 1 at the last layer.  w(l) is
 * 1 (uniform), 1 / (1 + ln l) (log; 1 for layer 0) or 1 / l (inv).
 *
 * Terms that are no tap's but a layer's have one row a layer, at its full width: coordinate_kl
 * below the last, weighing 1 or (rising) ln(2 + l) times the term's weight; align, whose matrix of
 * targets is the term's `target` + l - 1.  self_kl has no row at the full tap, compress none
 * at full width.
 */
#ifndef RETORT_TAP_SCHEDULE_H
#define RETORT_TAP_SCHEDULE_H

#include "distill/job.h"
#include "distill/objective.h"

/* A loss with its weight: a cosine from `start` at the first step to `end` at the last. */
struct loss_term {
    enum loss_kind kind;
    double start, end;
    int target;
};

enum { MAX_TERMS = 2 * NUM_LOSSES };
struct tap_schedule {
    struct tap full;
    enum tap_weights layer_weights;
    bool rising_coordinates; /* coordinate_kl weighs ln(2 + l) */
    struct loss_term terms[MAX_TERMS];
    int num_terms;
    uint64_t seed, total_steps;

    const struct tap *listed; /* where nothing is drawn; rising */
    size_t num_listed;

    bool drawn;
    int layers;                  /* drawn of `from` for a step, or EVERY */
    const struct int_list *from; /* layers below the last, rising */
    int dims;                    /* drawn of `widths` for a layer and step, or EVERY */
    const struct int_list *widths;
    enum full_width full_width; /* which layers have the full width besides */
    bool same_widths;           /* all layers of a step have the same */
};
void tap_schedule_term(struct tap_schedule *schedule, enum loss_kind kind, double start, double end,
                       int target);
/* Replaces the rows of *out by those of the step. */
void tap_schedule_rows(struct objective *out, const struct tap_schedule *schedule, uint64_t step);
/* At most so many distinct layers have rows in a step, that of the full tap among them. */
int tap_schedule_most_layers(const struct tap_schedule *schedule);
/* The blocks and widths that any step's rows are of, each rising and once, items freshly allocated:
 * the last block always, of layer 0 nothing. */
void tap_schedule_trained(struct int_list *layers, struct int_list *widths,
                          const struct tap_schedule *schedule);

#endif
