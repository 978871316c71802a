/* What a cross-encoder is made of: inside of teacher/ only. */
#ifndef RETORT_CROSS_ENCODER_PARTS_H
#define RETORT_CROSS_ENCODER_PARTS_H

#include "teacher/cross_encoder.h"
#include "teacher/head.h"

struct cross_encoder {
    struct params params;
    struct encoder encoder;
    struct head head;
    struct tokenizer *tokenizer;  /* NULL where only the weights were opened */
    struct text tokenizer_hashes; /* of its files, for the fingerprint */
    char *folder;                 /* that it was opened from; NULL: none */
};

/* Declares encoder and ce->head and makes room for their values, zero. */
void cross_encoder_alloc(struct cross_encoder *ce, const struct encoder_config *config,
                         enum precision precision);
/* Opens the tokenizer of the folder; it must not have more ids than the model. */
int cross_encoder_add_tokenizer(struct cross_encoder *ce, const char *folder, struct error *err);

#endif
