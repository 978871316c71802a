/* A tiny student with random weights, and the model folder that its tokenizer comes from: for tests
 * that need no particular weights. */
#ifndef RETORT_TESTS_TINY_STUDENT_H
#define RETORT_TESTS_TINY_STUDENT_H

#include "student/dual_encoder.h"

enum { TINY_STUDENT_HIDDEN = 16, TINY_STUDENT_POSITIONS = 24 };

/* In the scratch folder: config.json of a classifier of 3 layers, vocab.txt, tokenizer_config.json.
 * Its words: "cat dog fish bird house river moon sun red blue old new the a in of sat ran ate saw",
 * and letters. */
const char *tiny_student_folder(void);

struct tiny_shape {
    int layers, output_size; /* output_size 0: no projection */
    enum pooling pooling;
    double dropout;
};
void tiny_student_make(struct dual_encoder *out, const struct tiny_shape *shape);

#endif
