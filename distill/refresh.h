/* Mining that follows the student: what the student finds wrongly at some step of its training
 * joins the candidates that it learns from (ANCE, Xiong et al. 2021, here with the teacher's
 * scores).
 *
 * A refresh embeds all documents and the train queries with the full student as it is, takes each
 * query's first mine.refresh_depth documents, and adds those that are neither labelled nor there
 * already to the query's first candidates, those of scores.trec; what an earlier refresh added
 * makes room.  The teachers score what is new (teacher_scores.h), by way of the run's cache; what
 * has no score leaves, and false negatives are marked again over all.  Where the job has no scores,
 * what is new joins as it is.  The result is written, then read back to train on:
 *
 *     train/candidates.STEP.trec    all candidates from that step on (mine.h)
 */
#ifndef RETORT_REFRESH_H
#define RETORT_REFRESH_H

#include "distill/job_run.h"
#include "distill/step_batch.h"

struct refresh {
    struct job_run *run;
    const struct dual_encoder *student;
    const struct candidate_sets *first; /* scored; what the set's queries begin with */
    struct train_set *set;              /* its queries' candidates are replaced */
    struct candidate_sets found;        /* what they are replaced by; zero at first */
};
/* The candidates from `step` on: made, or, where `again`, read from what was made then. */
int refresh_run(struct refresh *refresh, uint64_t step, bool again, struct error *err);
/* Gives the queries their first candidates back. */
void refresh_end(struct refresh *refresh);

#endif
