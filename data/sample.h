/* A collection of our own, to try everything on: the chronicle of a county that never was, written
 * from the words and sentences of data/sample_words.c.  Equal arguments give equal bytes.
 *
 *     query            spades rented in Pebblecombe at noon
 *     BM25's second    In Pebblecombe, the judge would not rent the costly lantern in autumn.
 *                      At midday, the scribe showed the shovel in Pebblecombe.
 *     83rd, wanted     The scribe did not hesitate to hire the red spade in Pebblecombe at midday.
 *
 * How it is built.  A fact is an action, an object, its quality, who, in which town, when, and
 * whether it happened at all.  A document states one or two facts of a town.  Documents come in
 * families of SAMPLE_FAMILY: three state the family's fact, three differ from it in who, when or
 * the quality, the others are its near duplicates and are not it: it did not happen, or something
 * else did, often the contrary, or to another thing, or all of its words are there and belong to
 * two facts ("mended the boat, did not sell the lamp" for "sold the boat").  Queries ask for the
 * first fact of one of these documents by some of its parts, so that what misleads one query is
 * what another looks for.  Each text draws its sentences and, for each word, one of the synonyms on
 * its own: how a thing is said does not tell what is relevant.
 *
 * Judgements come from the facts, over all documents: grade 2 states all that is asked; grade 1
 * all but one of who, when and the quality; everything else is not relevant.
 *
 * Why words mislead.  Query and document share a word for a thing about half of the time, less
 * often where it is inflected.  Towns alone have one name: it keeps what is relevant within BM25's
 * reach, and does not tell it from the rest of its family.  "Did not hesitate to mend" and "could
 * not resist mending" happened, "almost mended" and "was too late" did not; "mended but never sold
 * it" did and did not.  One vector for a document must keep apart who did what to which of two
 * things; a reader of both texts need not.  Every meaning is there hundreds of times, so that a
 * small model can learn the synonyms from what stands beside them, and the rest from the train
 * split.
 *
 * Splits are by pair of action and object: what is asked in one is asked in no other.  Every
 * fourth concept of three synonyms keeps the last from train queries, not from documents. */
#ifndef RETORT_SAMPLE_H
#define RETORT_SAMPLE_H

#include "data/base.h"
#include "data/sample_words.h"

enum {
    SAMPLE_FAMILY = 12,
    SAMPLE_DOCUMENTS = 350 * SAMPLE_FAMILY, /* 3185 train queries, 210 dev, 350 test */
    SAMPLE_MIN_DOCUMENTS = 10 * SAMPLE_FAMILY,
    SAMPLE_MAX_DOCUMENTS = 20000 /* time grows with the square */
};

struct sample_fact {
    int8_t values[SAMPLE_FACETS]; /* which concept, or SAMPLE_UNSAID */
};
enum { SAMPLE_UNSAID = -1, SAMPLE_MAX_FACTS = 4 };
struct sample_document {
    const char *title, *text;
    struct sample_fact facts[SAMPLE_MAX_FACTS];
    int num_facts;
};
enum sample_split { SAMPLE_TRAIN, SAMPLE_DEV, SAMPLE_TEST, SAMPLE_SPLITS };
struct sample_query {
    const char *text;
    struct sample_fact fact;
    unsigned asked; /* bits 1 << facet */
    enum sample_split split;
};
struct sample {
    struct sample_document *documents;
    struct sample_query *queries; /* train, dev, test */
    size_t num_documents, num_queries;
    struct arena strings;
};

/* documents: SAMPLE_MIN_DOCUMENTS to SAMPLE_MAX_DOCUMENTS. */
void sample_make(struct sample *out, int documents, uint64_t seed);
void sample_free(struct sample *sample);
/* 0, 1 or 2. */
int sample_grade(const struct sample_query *query, const struct sample_document *document);
/* Writes corpus.jsonl (d1, d2, ...), queries.jsonl (q1, q2, ...), qrels/train.tsv, qrels/dev.tsv
 * and qrels/test.tsv into a folder. */
int sample_write(const struct sample *sample, const char *folder, struct error *err);

#endif
