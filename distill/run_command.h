/* retort run: does what is not yet done of a job. */
#ifndef RETORT_RUN_COMMAND_H
#define RETORT_RUN_COMMAND_H

#include "data/base.h"

int run_command(int argc, char **argv, struct error *err);

#endif
