/* What a cross-encoder is taught: lists of documents a query, each with a target; and one step's
 * share of them.
 *
 * A target is a label in [0, 1], grade / the highest grade, 0 for a negative; or a score, where the
 * lists come from scored pairs.  Everything that is drawn depends on (seed, epoch, list) alone.
 *
 *     struct teach_set set = {.labelled = true, .others = 7, .seed = 13};
 *     struct teach_list *list = teach_set_add(&set, "a query");
 *     teach_list_add(list, (struct teach_item){.document = "a document", .target = 1});
 *     ...
 *     teach_step_fill(&step, &set, 16, number);
 *     teach_step_free(&step);
 *     teach_set_free(&set);
 */
#ifndef RETORT_TEACH_SET_H
#define RETORT_TEACH_SET_H

#include "data/base.h"

struct teach_item {
    const char *document; /* not owned */
    float target;
    float guide; /* the guide's similarity; 0 where there is none */
};
struct teach_list {
    const char *query; /* not owned */
    struct teach_item *items;
    size_t count, capacity;
};
struct teach_set {
    struct teach_list *lists;
    size_t count, capacity;
    bool labelled;  /* targets are labels: a step's list has one positive and documents below it */
    bool pointwise; /* a loss takes pairs one by one, so that a list of one is useful */
    int others;     /* documents of a list in a step, beside the first drawn */
    uint64_t seed;
};
/* A new, empty list; valid until the next is added. */
struct teach_list *teach_set_add(struct teach_set *set, const char *query);
void teach_list_add(struct teach_list *list, struct teach_item item);
/* Leaves out the lists from which nothing can be learnt: labelled ones need a positive and an item
 * below it, others two items, or one where pointwise.  Returns how many went. */
size_t teach_set_prune(struct teach_set *set);
void teach_set_free(struct teach_set *set);

/* The pairs of one step, list after list. */
struct teach_step {
    int num_lists;
    int *starts; /* [num_lists + 1] */
    const char **queries, **documents;
    float *targets, *guides; /* [pairs] */
    size_t list_capacity, pair_capacity, item_capacity;
    uint32_t *drawn, *order; /* scratch: of one list's items; of the lists in `epoch` */
    uint64_t epoch;
};
/* Step `step` of batch_lists lists each; the last step of an epoch takes what is left. */
void teach_step_fill(struct teach_step *out, const struct teach_set *set, int batch_lists,
                     uint64_t step);
uint64_t teach_steps_per_epoch(const struct teach_set *set, int batch_lists);
void teach_step_free(struct teach_step *step);

/* Target distributions for pair_softmax, [pairs]: of labels, each in proportion to its own (a list
 * of negatives alone: even), mixed with guide_weight times the guide's softmax(similarity /
 * guide_temperature); of scores, their softmax. */
struct teach_mix {
    double guide_weight, guide_temperature;
};
void teach_step_distributions(float *out, const struct teach_step *step,
                              const struct teach_set *set, struct teach_mix mix);

#endif
