/* Sentences of a text, by a small rule that knows no language.
 *
 * A sentence ends at a blank line, at the text's end, and behind
 *   - the full-width stops of Chinese and Japanese;
 *   - one or more of . ! ? and the ellipsis, with the closing quotes and brackets that follow,
 *     where white space comes next and what begins after that is no small letter.  Not behind an
 *     abbreviation: a word whose last part is a single letter (J., e.g., U.S.), or one of a short
 *     list (Dr, Prof, Fig, vs, et al, ...).
 * Where the rule is wrong, two sentences stay together or one is cut at a full stop: both are
 * texts still.
 *
 *     struct sentences sentences = sentences_of(text);
 *     struct span span;
 *     while (sentences_next(&sentences, &span)) use(text + span.start, span.length);
 */
#ifndef RETORT_SENTENCES_H
#define RETORT_SENTENCES_H

#include "data/base.h"

/* A part of a text, in bytes. */
struct span {
    size_t start, length;
};

struct sentences {
    const char *text, *at, *end;
};
/* text: UTF-8, NUL-terminated, the caller's. */
struct sentences sentences_of(const char *text);
/* The next one, never empty, without the white space around it; false at the text's end. */
bool sentences_next(struct sentences *sentences, struct span *out);

#endif
