/* A run: for each query the documents that a system found, with scores, in TREC's text form. */
#ifndef RETORT_RUN_H
#define RETORT_RUN_H

#include "data/base.h"
#include "data/lines.h"
#include "data/output.h"

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
    struct ranked_query *queries; /* in order of first appearance */
    size_t count, capacity;
    struct strmap rows; /* query id -> index of queries */
    struct arena ids;
    const char *last_tag; /* tags that repeat are kept once */
};

/* TREC: "qid Q0 docid rank score tag", divided by white space, or by exactly five tabs, so that
 * ids may hold spaces. The order is that of the file; the rank column is ignored, as trec_eval
 * does; blank lines are skipped.  Refused, with file and line: other columns, a document twice
 * for one query, a score that is not a finite number. */
int run_read(struct run *out, const char *path, struct error *err);
int run_read_lines(struct run *out, struct lines *lines, struct error *err);
/* Scores of pairs, as any program may write them: a run, or lines "qid docid score", divided by
 * white space or by exactly two tabs; line by line, told apart by the columns.  A header of names
 * above three columns is skipped.  Refused as run_read does, and a file without scores. */
int run_read_scores(struct run *out, const char *path, struct error *err);
/* Appends; strings are copied.  The caller adds no document twice. */
void run_add(struct run *run, const char *query, const char *document, double score,
             const char *tag);
const struct ranked_query *run_find(const struct run *run, const char *query); /* or NULL */
/* Sorts every query's list by score descending, ties by document id descending (trec_eval's
 * rule); scores are compared as 32-bit floats, as trec_eval 9 and pytrec_eval do. */
void run_sort(struct run *run);
/* Written sorted, rank from 1, scores rounded to 32 bits with the 9 digits that keep these
 * apart, whole or not at all; "-" or NULL is stdout.  Columns are divided by tabs where an id
 * holds a space.  Fails also on a score that is not finite and an id or tag that no column can
 * hold. */
int run_write(struct run *run, const char *path, struct error *err);
/* Whether a tag is one word, which any reader of runs takes: STATUS_USAGE names --tag. */
int run_check_tag(const char *tag, struct error *err);
/* One line, for what is written as it is found; its columns are divided by tabs where an id holds a
 * space, or all of them shall be. */
void run_line(struct output *out, const char *query, const struct ranked *ranked, size_t rank,
              bool tabs);
void run_free(struct run *run);

#endif
