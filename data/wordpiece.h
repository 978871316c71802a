/* WordPiece: words cut into the longest pieces that the vocabulary has (Schuster & Nakajima
 * 2012), as tokenizers' BertPreTokenizer and WordPiece do it. */
#ifndef RETORT_WORDPIECE_H
#define RETORT_WORDPIECE_H

#include "data/base.h"

/* A growing list of token ids. */
struct id_list {
    int32_t *ids;
    size_t count, capacity;
};
void id_list_append(struct id_list *list, int32_t id);
void id_list_free(struct id_list *list);

struct wordpiece {
    struct strmap first;       /* pieces that begin a word: every token */
    struct strmap continuing;  /* the others, without their prefix ("##") */
    size_t longest;            /* bytes of the longest token */
    int32_t unknown_id;        /* of a word that cannot be cut */
    size_t max_chars_per_word; /* a longer word is unknown */
    char *prefix, *unknown_token;
};

/* Adds a token; the string must live as long as the model. */
void wordpiece_add(struct wordpiece *model, const char *token, int32_t id);
void wordpiece_free(struct wordpiece *model);

/* The next word of a normal form, from *text on, which moves behind it: what stands between white
 * space and punctuation, or one punctuation mark.  False where there is none left. */
bool wordpiece_next_word(const char **word, size_t *length, const char **text, const char *end);

/* Appends the ids of the pieces of a normal form's words; stops early, at a word's end, once *out
 * holds `enough`. */
void wordpiece_encode(const struct wordpiece *model, struct id_list *out, const char *text,
                      size_t length, size_t enough);

#endif
