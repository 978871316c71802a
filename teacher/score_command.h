/* retort score: pairs of texts in, the teacher's raw logits out.  See commands in
 * distill/main.c. */
#ifndef RETORT_SCORE_COMMAND_H
#define RETORT_SCORE_COMMAND_H

#include "data/base.h"

int score_command(int argc, char **argv, struct error *err);

#endif
