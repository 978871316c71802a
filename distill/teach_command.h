/* retort teach: a cross-encoder from labels or scored pairs.  See commands in distill/main.c. */
#ifndef RETORT_TEACH_COMMAND_H
#define RETORT_TEACH_COMMAND_H

#include "data/base.h"

int teach_command(int argc, char **argv, struct error *err);

#endif
