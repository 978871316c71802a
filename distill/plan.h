/* What a job will cost, stage by stage, from a few measured facts: tokens to read, time, disk,
 * memory.
 *
 * The unit of work is one token through one layer of the teacher (of the encoder that HPD copies,
 * or of what the student starts from, where there is none); its rate is measured.  A backward
 * pass is twice a forward one; layers of another width count by its square.  Such an estimate is
 * good to a factor of 1.5, which is enough to tell a coffee from a night.
 */
#ifndef RETORT_PLAN_H
#define RETORT_PLAN_H

#include "distill/job.h"

struct plan_facts {
    size_t documents, queries;            /* of the collection */
    size_t learnt;                        /* documents that training may look at */
    size_t train, dev, test;              /* queries, or pairs, after data.max_train_queries */
    size_t made;                          /* queries that the job makes */
    size_t train_positives;               /* labelled positives that become candidates */
    size_t teach_lists, teach_dev;        /* of a taught teacher: train queries, dev pairs */
    double text_bytes;                    /* of all texts in memory */
    double document_tokens, query_tokens; /* means, as the student cuts them */
    double pair_tokens;                   /* mean, as the teacher cuts them */
    const struct encoder_config *teacher; /* the model whose rate that is */
    const struct encoder_config *student, *encoder; /* the latter: distill.hpd.encoder, or NULL */
    int vector_width;                               /* of the vectors that HPD copies */
    int baseline_layers;                            /* of all evaluate.baselines together */
    int threads, seeds; /* trainings of retort run --seeds; 1 without it */
    const char *until;  /* the last stage that is planned; NULL: all */
    double rate;        /* tokens times layers a second of `teacher`; 0: unknown, no times */
};

enum { PLAN_STAGES = 8 };
struct plan_stage {
    const char *name; /* as in job_stages */
    bool wanted;
    char work[128]; /* "29120 pairs of about 231 tokens"; why it is not wanted, or "" */
    double seconds, disk_bytes;
};
struct plan {
    struct plan_stage stages[PLAN_STAGES];
    double seconds, disk_bytes; /* sums */
    double memory_bytes;        /* the largest stage's */
};
void plan_estimate(struct plan *out, const struct job *job, const struct plan_facts *facts);

/* Parameters of an encoder with so many of its layers. */
double encoder_parameters(const struct encoder_config *config, int num_layers);

#endif
