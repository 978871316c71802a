/* retort embed: texts, one a line, to a .npy of embeddings; or of a teacher's early-layer
 * representations. */
#ifndef RETORT_EMBED_COMMAND_H
#define RETORT_EMBED_COMMAND_H

#include "data/base.h"

int embed_command(int argc, char **argv, struct error *err);

#endif
