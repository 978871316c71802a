/* retort rerank: a TREC run in, its first documents in a cross-encoder's order out. */
#ifndef RETORT_RERANK_COMMAND_H
#define RETORT_RERANK_COMMAND_H

#include "data/base.h"

int rerank_command(int argc, char **argv, struct error *err);

#endif
