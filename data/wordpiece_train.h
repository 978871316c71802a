/* Trains the vocabulary of a BERT tokenizer on texts: the tokens that tokenizers'
 * BertWordPieceTokenizer gets from them, which are those of byte-pair encoding (Sennrich, Haddow &
 * Birch 2016): from the words' characters on, the most frequent pair of neighbouring tokens becomes
 * a token, again and again (bpe/trainer.rs, wordpiece/trainer.rs).
 *
 *     struct wordpiece_training how = WORDPIECE_TRAINING_DEFAULTS;
 *     struct wordpiece_trainer *trainer = wordpiece_trainer_open(&how);
 *     for (size_t i = 0; i < texts->count; i++) wordpiece_trainer_add(trainer, texts->values[i]);
 *     int status = wordpiece_trainer_train(trainer, &tok, err);
 *     wordpiece_trainer_close(trainer);
 *
 * Ids: [PAD] [UNK] [CLS] [SEP] [MASK]; the characters, by code point; those that stand inside
 * words, with "##", by code point; then the merged tokens in the order of their merging.
 *
 * The library itself gives other ids, and now and then other tokens, each time it is run: it
 * numbers the characters with "##" in the order of a hash map with random keys, and of pairs that
 * are equally frequent takes the one with the smaller ids.  Also at random are the characters that
 * it keeps of equally frequent ones where limit_alphabet is too small for all.  With the ids above
 * given to it, its vocabulary is this one, id for id (scripts/check_vocabulary.py).  Here the
 * vocabulary depends on the words and their counts alone, not on the order of the texts.
 */
#ifndef RETORT_WORDPIECE_TRAIN_H
#define RETORT_WORDPIECE_TRAIN_H

#include "data/tokenizer.h"

struct wordpiece_training {
    int vocab_size;     /* at most so many tokens, the special ones included */
    int min_frequency;  /* >= 1; a pair that is rarer becomes no token */
    int limit_alphabet; /* so many different characters at most; 0: all.  See below */
    bool lowercase;     /* an uncased tokenizer, without accents */
};
/* The last three as in BertWordPieceTokenizer. */
#define WORDPIECE_TRAINING_DEFAULTS                                                                \
    {                                                                                              \
        .vocab_size = 8000, .min_frequency = 2, .limit_alphabet = 1000, .lowercase = true          \
    }

struct wordpiece_trainer;

/* The settings are copied. */
struct wordpiece_trainer *wordpiece_trainer_open(const struct wordpiece_training *how);
/* Counts the words of a text, which are those that the tokenizer will see.  Text should be UTF-8;
 * wrong bytes are left out.  "[SEP]" and the like are words as any other.  Memory grows with the
 * number of different words. */
void wordpiece_trainer_add(struct wordpiece_trainer *trainer, const char *text);

/* The vocabulary of all texts so far, as a tokenizer (model_max_length unknown) that the caller
 * closes.  Fewer tokens than vocab_size where no pair is left that is frequent enough.
 *
 * Of more characters than limit_alphabet the most frequent stay, of equal ones those with the lower
 * code point.  The others are left out of the words, and words with them will be [UNK].
 *
 * Errors: no word in the texts; a vocab_size (STATUS_USAGE) that has no room for the special tokens
 * and the characters, where the library would exceed it. */
int wordpiece_trainer_train(const struct wordpiece_trainer *trainer, struct tokenizer **out,
                            struct error *err);
void wordpiece_trainer_close(struct wordpiece_trainer *trainer);

#endif
