/* retort sample: a small collection of our own, to try everything on. */
#ifndef RETORT_SAMPLE_COMMAND_H
#define RETORT_SAMPLE_COMMAND_H

#include "data/base.h"

int sample_command(int argc, char **argv, struct error *err);

#endif
