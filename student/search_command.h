/* retort search: the nearest documents of an index for each query, as a TREC run. */
#ifndef RETORT_SEARCH_COMMAND_H
#define RETORT_SEARCH_COMMAND_H

#include "data/base.h"

int search_command(int argc, char **argv, struct error *err);

#endif
