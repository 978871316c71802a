/* retort metrics: a run's measures against judgements, trec_eval's way. */
#ifndef RETORT_METRICS_COMMAND_H
#define RETORT_METRICS_COMMAND_H

#include "data/base.h"

int metrics_command(int argc, char **argv, struct error *err);

#endif
