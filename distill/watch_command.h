/* retort watch: how far a run is, from its plain files. */
#ifndef RETORT_WATCH_COMMAND_H
#define RETORT_WATCH_COMMAND_H

#include "data/base.h"

int watch_command(int argc, char **argv, struct error *err);

#endif
