/* The student before training: its shape from the job, its weights from the teacher's layers, a
 * folder, or random numbers. */
#ifndef RETORT_STUDENT_INIT_H
#define RETORT_STUDENT_INIT_H

#include "distill/job_run.h"
#include "distill/pca.h"

/* The job's student with initial weights.  Blocks are copies of student.init.layers of the teacher
 * or the folder; the projection is the PCA's components where the student's hidden states have the
 * teacher's width (so that its output starts as the HPD target's estimate, divided by norm: the
 * mean length of the vectors that the PCA normalised), else a folder's own Dense module, else
 * normal numbers of deviation 0.02.  pca NULL: no projection. */
int student_init(struct dual_encoder *out, struct job_run *run, const struct pca *pca, double norm,
                 struct error *err);
/* The same shape with weights from a file of checkpoint.h. */
int student_load(struct dual_encoder *out, struct job_run *run, const char *weights_path,
                 struct error *err);

#endif
