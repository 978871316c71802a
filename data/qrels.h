/* Relevance judgements, in TREC's and BEIR's text forms: (query, document, grade), grouped by
 * query in order of first appearance, a query's judgements in the order of the file. */
#ifndef RETORT_QRELS_H
#define RETORT_QRELS_H

#include "data/base.h"
#include "data/lines.h"

struct judgement {
    const char *document;
    int grade; /* > 0 relevant; 0 judged not relevant; < 0 treated as unjudged, as trec_eval does */
};
struct judged_query {
    const char *id;
    struct judgement *judgements;
    size_t count, capacity;
    struct strmap rows; /* document -> index of judgements; empty while these are few */
};
struct qrels {
    struct judged_query *queries;
    size_t count, capacity;
    struct strmap rows; /* query id -> index of queries */
    struct arena ids;
};

/* BEIR .tsv ("query-id<TAB>corpus-id<TAB>score", header optional; ids may hold spaces) or TREC
 * ("qid 0 docid grade"), told apart line by line by the columns; blank lines are skipped.
 * Refused, with file and line: other columns, an empty id, a grade that is no whole number, a
 * document judged twice for one query; and a file without judgements. */
int qrels_read(struct qrels *out, const char *path, struct error *err);
int qrels_read_lines(struct qrels *out, struct lines *lines, struct error *err);
/* Appends; strings are copied.  False, and nothing is changed, where the pair is already judged. */
bool qrels_add(struct qrels *qrels, const char *query, const char *document, int grade);
const struct judged_query *qrels_find(const struct qrels *qrels, const char *query); /* or NULL */
int qrels_grade(const struct judged_query *query, const char *document); /* 0 if unjudged */
size_t qrels_relevant(const struct judged_query *query); /* documents of grade >= 1 */
void qrels_free(struct qrels *qrels);

#endif
