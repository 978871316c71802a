/* Text cut into the terms of lexical search.
 *
 * A term is a maximal run of letters, digits, marks and "_", lower-cased; an ideograph is a term of
 * its own.  No stemming, no stop words.
 *
 *     struct text term = {0};
 *     while (next_term(&place, &term)) use(term.bytes, term.length);
 *     text_free(&term);
 */
#ifndef RETORT_TERMS_H
#define RETORT_TERMS_H

#include "data/base.h"

/* Replaces *term by the next term from *place on and moves *place behind it.  False at the text's
 * end. */
bool next_term(const char **place, struct text *term);

#endif
