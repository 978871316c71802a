/* retort inspect: what a path is, in a screenful. */
#ifndef RETORT_INSPECT_COMMAND_H
#define RETORT_INSPECT_COMMAND_H

#include "data/base.h"

int inspect_command(int argc, char **argv, struct error *err);

#endif
