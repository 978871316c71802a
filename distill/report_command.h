/* retort report: one page that shows a run. */
#ifndef RETORT_REPORT_COMMAND_H
#define RETORT_REPORT_COMMAND_H

#include "data/base.h"

int report_command(int argc, char **argv, struct error *err);

#endif
