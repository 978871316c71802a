/* What a job's teachers say of pairs of a query and a document: teacher.model, the files of
 * teacher.scores (any program's), or all of them together.
 *
 * One teacher's scores are taken as they are.  Of several, each but the first is mapped by a line,
 * so that over the pairs which both it and the first have scored it has the first one's mean and
 * deviation; a pair's score is the mean, weighted by teacher.weights, of what those say that have
 * scored it.  The first is teacher.model where that is one of them, else the first file: its units
 * are those of distill.teacher_temperature.  Why so:
 *   - a line leaves a teacher's order and the proportions of its differences, which the losses are
 *     made of, and is the same for every query: a mean and deviation per query would give a query
 *     whose candidates are all alike as wide a spread as one with a clear answer;
 *   - over common pairs, because a teacher that was shown only the best candidates has another mean
 *     for that reason alone;
 *   - to the first one's units and not to 0 and 1, so that another teacher beside it changes
 *     neither temperatures nor margins.
 *
 * A pair without a score in any file is *missing*: its score is teacher.model's where
 * teacher.missing is teacher, else NaN, with which the caller does what that key says (mine.h).
 *
 *     struct row_pairs pairs = {queries, documents, n};
 *     if (teacher_scores(scores, run, "scores.cache", &pairs, true, &missing, err)) return -1;
 */
#ifndef RETORT_TEACHER_SCORES_H
#define RETORT_TEACHER_SCORES_H

#include "distill/job_run.h"

struct row_pairs {
    const uint32_t *queries, *documents; /* rows of the collection; a query's pairs stand together,
                                            none twice */
    size_t count;
    /* whose document texts are read; NULL: the run's collection's, but a made query's own document
     * as the student is given it (made_queries.h) */
    const struct collection *searched;
};

/* scores [pairs->count]; *missing: how many no file has.  cache: the run folder's file with
 * teacher.model's logits.  fit: the lines are fitted on these pairs, said, and written to
 * teachers.tsv (teacher, weight, pairs, common pairs, slope, offset, correlation with the first);
 * else they are read from there.
 *
 * Errors: files that are not there or not read (data/run.h); in a fit, a file with none of the
 * pairs, and one that has fewer than two pairs in common with the first or only one score there. */
int teacher_scores(float *scores, struct job_run *run, const char *cache,
                   const struct row_pairs *pairs, bool fit, size_t *missing, struct error *err);

/* ---- for tests ---- */

/* y = slope x + offset has, over the n pairs where neither is NaN, the mean and deviation of
 * `first`.  False where fewer than two are common or either has no deviation there. */
struct score_line {
    double slope, offset, correlation;
    size_t common;
};
bool score_line_fit(struct score_line *out, const float *x, const float *first, size_t n);

#endif
