/* retort plan: checks a job, says what each stage will do and cost, and does nothing. */
#ifndef RETORT_PLAN_COMMAND_H
#define RETORT_PLAN_COMMAND_H

#include "data/base.h"

int plan_command(int argc, char **argv, struct error *err);

#endif
