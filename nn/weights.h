/* Where an encoder's parameters stand: views of a block by layer, and the packed copies that
 * products read. */
#ifndef RETORT_WEIGHTS_H
#define RETORT_WEIGHTS_H

#include "nn/layer.h"

/* Views into block, which has the layout of encoder->params->values: the values themselves, or
 * gradients. */
struct layer_params weights_of_layer(const struct encoder *encoder, int layer, float *block);
struct embedding_params weights_of_embedding(const struct encoder *encoder, float *block);

struct packed_weights;
/* Of block `layer` (0-based), and of the embedding projection [direction] (NULLs where there is
 * none). */
const struct packed_layer *packed_layer_of(const struct encoder *encoder, int layer);
struct dnn_weights *const *packed_projection(const struct encoder *encoder);
/* Makes sure that the copies for backward are there and up to date; from any thread.  Once called,
 * encoder_refresh packs them too. */
void packed_for_backward(const struct encoder *encoder);

#endif
