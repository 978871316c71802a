/* Pairs of neighbouring symbols by how often they occur, for training a vocabulary: which pair is
 * the most frequent now, and in which words it stands.
 *
 * The queue of tokenizers' BpeTrainer (bpe/trainer.rs), and simpler, by what is true of such
 * training: neighbours change only where a merge puts its new symbol, so a pair gets all its words
 * at once, when the younger of its two symbols is made; from then on its count can only fall.
 *
 *     pair_queue_change(&queue, left, right, 12, word); ...    // for all pairs of all words
 *     pair_queue_commit(&queue);
 *     while (pair_queue_pop(&queue, &pair)) {
 *         for (uint32_t at = pair.words; pair_queue_word(&queue, &at, &word);)
 *             ...                                              // pair_queue_change
 *         pair_queue_commit(&queue);
 *     }
 */
#ifndef RETORT_PAIR_QUEUE_H
#define RETORT_PAIR_QUEUE_H

#include "data/base.h"

struct pair {
    int32_t left, right; /* >= 0 */
    int64_t count;
    uint32_t words; /* where its list of words begins: pair_queue_word */
};

/* Private, but for zeroing. */
struct pair_queue {
    struct pair *pairs;
    uint32_t *slots; /* [num_slots]: index of a pair + 1 */
    struct pair_node *nodes;
    struct pair_entry *heap;
    size_t num_pairs, num_slots, num_nodes, num_entries;
    size_t pairs_capacity, nodes_capacity, heap_capacity;
    size_t num_committed;
};

/* Adds to a pair's count, which stays >= 0; where change > 0, the pair stands in the word, maybe
 * no longer.  A pair can be added to until the first commit after it was new.  What a word changes
 * must come in one go: words are told apart by the last one only. */
void pair_queue_change(struct pair_queue *queue, int32_t left, int32_t right, int64_t change,
                       uint32_t word);
/* Puts the new pairs into the queue, unless they count 0. */
void pair_queue_commit(struct pair_queue *queue);

/* Takes out the pair with the highest count, of equal ones that with the smallest left, then right
 * symbol.  False when the queue is empty. */
bool pair_queue_pop(struct pair_queue *queue, struct pair *out);
/* The next word of a list; false at its end. */
bool pair_queue_word(const struct pair_queue *queue, uint32_t *at, uint32_t *word);

void pair_queue_free(struct pair_queue *queue);

#endif
