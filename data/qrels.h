/* Relevance judgements and ranked runs, in TREC's and BEIR's text forms.
 *
 * Both are lists of (query, document, number), grouped by query in order of first appearance.
 */
#ifndef RETORT_QRELS_H
#define RETORT_QRELS_H

#include "data/base.h"
#include "data/source.h"

struct judgement {
    const char *document;
    int grade; /* > 0 relevant; 0 judged not relevant; < 0 treated as unjudged, as trec_eval does */
};
struct judged_query {
    const char *id;
    struct judgement *judgements;
    size_t count, capacity;
};
struct qrels {
    struct judged_query *queries;
    size_t count, capacity;
    struct strmap rows; /* query id -> row of queries */
    struct arena ids;
};
/* BEIR .tsv ("query-id<TAB>corpus-id<TAB>score", header optional) or TREC ("qid 0 docid grade"), told apart by columns.
 * A query/document pair judged twice is an error. */
int qrels_read(struct qrels *out, const char *path, struct error *err);
int qrels_read_lines(struct qrels *out, struct lines *lines, struct error *err);
void qrels_add(struct qrels *qrels, const char *query, const char *document, int grade);
const struct judged_query *qrels_find(const struct qrels *qrels, const char *query); /* or NULL */
int qrels_grade(const struct judged_query *query, const char *document); /* 0 if unjudged */
void qrels_free(struct qrels *qrels);

struct ranked {
    const char *document;
    double score;
    const char *tag; /* last column, as read */
};
struct ranked_query {
    const char *id;
    struct ranked *documents;
    size_t count, capacity;
};
struct run {
    struct ranked_query *queries;
    size_t count, capacity;
    struct strmap rows;
    struct arena ids;
};
/* TREC: "qid Q0 docid rank score tag"; the rank column is ignored, as trec_eval does.  A document twice for one
 * query, a score that is not a finite number: errors with file and line. */
int run_read(struct run *out, const char *path, struct error *err);
/* Appends; strings are copied. */
void run_add(struct run *run, const char *query, const char *document, double score,
             const char *tag);
const struct ranked_query *run_find(const struct run *run, const char *query);
/* Sorts every query's list by score descending, ties by document id descending (trec_eval's rule); scores are
 * compared as 32-bit floats, as trec_eval 9 and pytrec_eval do. */
void run_sort(struct run *run);
/* Written sorted, rank from 1, score with 9 significant digits, atomically; "-" is stdout. */
int run_write(struct run *run, const char *path, struct error *err);
void run_free(struct run *run);

#endif
