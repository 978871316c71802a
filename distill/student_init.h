/* The student before training: its shape from the job, its weights from the teacher's layers, a
 * folder, or random numbers. */
#ifndef RETORT_STUDENT_INIT_H
#define RETORT_STUDENT_INIT_H

#include "distill/job_run.h"
#include "distill/pca.h"

/* Where a new projection comes from. */
struct student_start {
    const struct pca *pca; /* of the vectors that HPD copies (targets.h); NULL: these are another
                            * model's, or HPD does not follow */
    double length;         /* mean length of those vectors, before the PCA made it 1 */
    bool of_folder;        /* they are the vectors of the folder that the student starts from */
};
/* The job's student with initial weights.  Blocks are copies of student.init.layers of the teacher
 * or the folder, which have them (job_fit).  The projection is
 *   from the teacher, or from the encoder that HPD copies, where HPD follows: the PCA of its
 *     vectors, so that a copied layer's output starts as an estimate of the HPD target (as a start
 *     for the ranking losses it is bad: docs/methods.md);
 *   from a folder: the folder's own Dense module of that size;
 *   else the PCA (centred) of the new student's own pooled vectors of the collection's documents;
 *   where neither fits: normal numbers of deviation 0.02;
 *   where start is NULL: zero.
 * It is to be trained: in the precision of training. */
int student_init(struct dual_encoder *out, struct job_run *run, const struct student_start *start,
                 struct error *err);
/* The same shape with weights from a file of checkpoint.h, in the job's precision; in int8,
 * calibrated for texts of the collection. */
int student_load(struct dual_encoder *out, struct job_run *run, const char *weights_path,
                 struct error *err);

#endif
