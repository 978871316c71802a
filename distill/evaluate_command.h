/* retort evaluate: measures of a dual encoder on a collection or on sentence pairs, as a TSV
 * grid. */
#ifndef RETORT_EVALUATE_COMMAND_H
#define RETORT_EVALUATE_COMMAND_H

#include "data/base.h"

int evaluate_command(int argc, char **argv, struct error *err);

#endif
