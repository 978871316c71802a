/* The tiny cross-encoder of tests/golden/cross_encoder (scripts/golden_cross_encoder.py): its
 * pairs, its expected values, and damaged copies of its folder. */
#ifndef RETORT_TESTS_TINY_TEACHER_H
#define RETORT_TESTS_TINY_TEACHER_H

#include "data/safetensors.h"
#include "teacher/cross_encoder.h"

#define TINY_TEACHER "tests/golden/cross_encoder"
enum { TINY_HIDDEN = 32, TINY_LAYERS = 3, TINY_MAX_LENGTH = 48, TINY_SHORT_LENGTH = 20 };

struct tiny_lines {
    const char *first[64], *second[64]; /* of each line, split at its first tab */
    size_t count;
    struct text bytes;
};
/* A small file of the folder; lines without a tab have an empty second part. */
void tiny_lines_read(struct tiny_lines *out, const char *path);
void tiny_lines_free(struct tiny_lines *lines);

/* Opens a folder; fails the test where that fails. */
struct cross_encoder *tiny_teacher_open(const char *folder, enum precision precision);

struct tiny_variant {
    const char *name;                                 /* of the copy, in the scratch folder */
    void (*edit)(struct tensor *tensors, int *count); /* NULL: the weights as they are */
    const char *config_from, *config_to;              /* replaced in config.json, NULL: nothing */
};
/* A changed copy of the folder, its path freshly allocated. */
char *tiny_variant_make(const struct tiny_variant *variant);
struct tensor *tiny_find(struct tensor *tensors, int count, const char *name);

#endif
