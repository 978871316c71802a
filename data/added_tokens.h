/* Tokens that are found in the text itself, before it is cut into words ("[SEP]" written by an
 * author is one), as tokenizers' AddedVocabulary does it. */
#ifndef RETORT_ADDED_TOKENS_H
#define RETORT_ADDED_TOKENS_H

#include "data/base.h"

struct added_token {
    char *pattern; /* what is looked for; the normal form of the content where `normalized` */
    size_t length;
    int32_t id;
    bool single_word;    /* only where no letter or digit stands beside it */
    bool lstrip, rstrip; /* takes the white space before, behind it with it */
    bool normalized;     /* looked for in the normal form of the text, not in the text as it came */
    bool special;
};

struct added_tokens {
    struct added_token *items;
    size_t count, capacity;
    bool begins[2][256]; /* [normalized][byte]: some pattern begins so */
};

/* The pattern is copied; an empty one is ignored; of two with one id the later stays. */
void added_tokens_add(struct added_tokens *added, const struct added_token *token);
void added_tokens_free(struct added_tokens *added);

/* Pieces of a text between matches, in order:
 *     struct added_scan scan = {.added = added, .text = text, .length = length};
 *     while (added_next(&scan)) ...   // scan.token; where it is NULL, scan.begin to scan.end
 * Of the matches at the leftmost place the longest counts. */
struct added_scan {
    const struct added_tokens *added;
    bool normalized;
    const char *text;
    size_t length;
    const struct added_token *token;
    size_t begin, end;
    /* private */
    size_t next, done;                 /* where to search on; end of what was given */
    const struct added_token *pending; /* a match whose preceding text was given first */
    size_t pending_end;
};
bool added_next(struct added_scan *scan);

#endif
