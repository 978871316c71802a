/* The words and sentences that the sample collection is made of; all of them are data, and only
 * data/sample.c reads them.
 *
 * A concept is a thing that can be meant, a form one way to write it, an inflection one shape of a
 * form.  The forms of a concept are synonyms; inflections are separated by '|', so that a verb is
 * "mend|mended|mended|mending" (do, did, done, doing) and a noun "boat|boats".  Concepts 2n and
 * 2n + 1 of the actions are each other's contrary: mend and break, hide and show.
 *
 * A sentence has places for words, in angle brackets:
 *
 *     "<time>, the <agent> refused to <do> the <quality> <object> <place>."
 *
 * <agent> <quality> <place> <time>, <object> <objects> for one and many, <do> <did> <done> <doing>
 * for the action.  <other ...> is a word of another fact: what is said of it must be true whatever
 * it is. */
#ifndef RETORT_SAMPLE_WORDS_H
#define RETORT_SAMPLE_WORDS_H

/* What a fact consists of. */
enum sample_facet {
    SAMPLE_ACTION,
    SAMPLE_OBJECT,
    SAMPLE_AGENT,
    SAMPLE_QUALITY,
    SAMPLE_PLACE,
    SAMPLE_TIME,
    SAMPLE_DENIED, /* 1: it did not happen; the only facet without words of its own */
    SAMPLE_FACETS
};

enum { SAMPLE_MAX_FORMS = 3 };
struct sample_concept {
    const char *forms[SAMPLE_MAX_FORMS]; /* NULL behind the last */
};
struct sample_facet_words {
    const struct sample_concept *concepts;
    int count;
};
extern const struct sample_facet_words sample_words[SAMPLE_DENIED];

/* Lists of sentences, NULL behind the last.  Statements and questions: [0] that it happened, [1]
 * that it did not.  In statements <other ...> is the same fact with another action, and what is
 * said of it is the contrary: in "did not <other do> the <object> but <did> it" it is denied. */
extern const char *const sample_titles[];
extern const char *const *const sample_statements[2];
extern const char *const sample_asides[]; /* sentences that change nothing */
extern const char *const *const sample_questions[2];

#endif
