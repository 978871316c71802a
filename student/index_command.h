/* retort index: the documents of a collection as an index folder (student/index.h). */
#ifndef RETORT_INDEX_COMMAND_H
#define RETORT_INDEX_COMMAND_H

#include "data/base.h"

int index_command(int argc, char **argv, struct error *err);

#endif
