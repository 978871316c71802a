/* The table of encoder families: everything in which they differ is a row's data. */
#ifndef RETORT_ARCHITECTURE_H
#define RETORT_ARCHITECTURE_H

#include <stdbool.h>

struct architecture {
    const char *model_type;       /* of config.json */
    const char *prefix;           /* of the encoder's tensors in a checkpoint with a head */
    const char *bare_class;       /* of the encoder without a head */
    bool positions_after_padding; /* the first position is pad_token_id + 1 */
    bool has_types;               /* adds a token type embedding */
    bool may_project;             /* embeddings may be narrower than the hidden states */
    const char *const (
        *renamed)[2]; /* pairs {canonical stem, own stem}, ended by {NULL}; or NULL */
};

/* NULL if retort does not know it. */
const struct architecture *architecture_find(const char *model_type);
/* "bert, roberta, ...", for messages. */
const char *architecture_list(void);

#endif
