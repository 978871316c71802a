/* What a job's teacher is taught from: train lists, and dev lists that choose the best model.
 *
 * From labels: a query's labelled positives, and negatives mined by BM25, by the guide's vectors
 * and at random, in turn (mine_query).  Dev: what BM25 and the guide find is re-ranked, by mean
 * nDCG@10.  From scored pairs: one list a query; dev by Spearman.
 */
#ifndef RETORT_TEACH_DATA_H
#define RETORT_TEACH_DATA_H

#include "data/sts.h"
#include "distill/job_run.h"
#include "distill/teach_set.h"

struct teach_data {
    struct teach_set train;
    struct query_set dev_queries;       /* labels: what dev is measured on */
    const char **queries, **documents;  /* [num_dev] dev pairs, query after query */
    uint32_t *dev_query, *dev_document; /* labels: index into dev_queries, row of the document */
    double *dev_scores;                 /* scored pairs: [num_dev] */
    size_t num_dev;
    struct sts_pairs train_pairs, dev_pairs; /* the texts of scored pairs */
};
int teach_data_make(struct teach_data *out, struct job_run *run, struct error *err);
void teach_data_free(struct teach_data *data);
/* Of the dev pairs' logits [num_dev]; higher is better.  Logits that are all alike correlate by
 * 0. */
double teach_data_measure(const struct teach_data *data, const struct job_run *run,
                          const float *logits);

#endif
