/* retort export: a student of chosen layers and dims as a sentence-transformers folder. */
#ifndef RETORT_EXPORT_COMMAND_H
#define RETORT_EXPORT_COMMAND_H

#include "data/base.h"

int export_command(int argc, char **argv, struct error *err);

#endif
