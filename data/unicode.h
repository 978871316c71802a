/* UTF-8, and code points as Hugging Face's tokenizers library sees them.  The only file that
 * includes utf8proc; where the two disagree (unicode_tables.h lists every code point) the
 * tokenizers library is right.
 */
#ifndef RETORT_UNICODE_H
#define RETORT_UNICODE_H

#include "data/base.h"

/* Whether all bytes are valid UTF-8 (no surrogates, no overlong forms, at most U+10FFFF); where
 * it is not, *bad is the offset of the first wrong byte (bad may be NULL). */
bool utf8_check(const char *bytes, size_t length, size_t *bad);
/* Decodes one code point at bytes < end; the number of bytes it takes.  A byte that begins no
 * valid sequence is U+FFFD and takes one. */
size_t utf8_decode(uint32_t *code, const char *bytes, const char *end);
/* Encodes; the number of bytes written. */
size_t utf8_encode(char out[4], uint32_t code);
/* Appends the bytes with U+FFFD for every wrong one. */
void utf8_repair(struct text *out, const char *bytes, size_t length);
/* The start of the code point that ends at bytes > start. */
const char *utf8_previous(const char *start, const char *bytes);

bool unicode_is_space(uint32_t code);       /* White_Space: 25 code points */
bool unicode_is_dropped(uint32_t code);     /* what BERT's cleaning removes; \t \n \r are not */
bool unicode_is_punctuation(uint32_t code); /* a word of its own to BERT */
bool unicode_is_mark(uint32_t code);        /* nonspacing: an accent */
bool unicode_is_word(uint32_t code);        /* \w of a regular expression */
bool unicode_is_small(uint32_t code);       /* a lower-case letter (Ll) */

/* Full lower case, without context; 1 or 2 code points. */
int unicode_lower(uint32_t out[2], uint32_t code);

/* Canonical decomposition, in full; 1 to 4 code points. */
enum { UNICODE_MAX_DECOMPOSITION = 4 };
int unicode_decompose(uint32_t out[UNICODE_MAX_DECOMPOSITION], uint32_t code);
int unicode_combining_class(uint32_t code); /* 0: a starter, nothing is moved across it */

void unicode_library_version(char version[VERSION_SIZE]);

#endif
