/* A student as a sentence-transformers folder of exactly the chosen layers and dims, in the classic
 * layout that every reader takes.
 *
 *     config.json               the source model's, rewritten for a bare encoder of so many layers
 *     model.safetensors         the encoder's tensors without a prefix, F32
 *     tokenizer.json tokenizer_config.json special_tokens_map.json vocab.txt
 *     sentence_bert_config.json modules.json config_sentence_transformers.json
 *     1_Pooling/ [2_Dense/]     3_Normalize has nothing to write
 *     README.md                 the model card
 *     int8.npy                  of a model in int8 that is calibrated: CALIBRATION_FILE
 *
 * One maximum length stands in sentence_bert_config, tokenizer_config and tokenizer.json's
 * truncation, and is at most the positions of config.json.  The Dense module holds the first `dim`
 * rows of the projection (or of the identity, where there is none and dims are cut), so no
 * truncate_dim is needed, which sentence-transformers would apply after normalising.
 */
#ifndef RETORT_EXPORT_H
#define RETORT_EXPORT_H

#include "student/dual_encoder.h"

struct export_options {
    int layers, dim;
    /* A Normalize module at the end; false for a folder whose dims are still to be cut. */
    bool normalize;
    /* Trained taps of a folder of several sizes (config: matryoshka_dimensions), or NULL. */
    const struct tap *taps;
    size_t num_taps;
    const char *card; /* README.md's text; NULL: none */
};
/* The folder appears whole or not at all and replaces an older model there. */
int dual_encoder_export(const struct dual_encoder *de, const struct export_options *options,
                        const char *folder, struct error *err);

/* What reading an exported folder back showed. */
struct export_check {
    size_t texts, token_mismatches;
    double worst_cosine_distance;
};
enum { EXPORT_MAX_DISTANCE_PPM = 10 }; /* cosine distance beyond 1e-5 fails */
/* Opens the folder and compares token ids and embeddings of n texts with the student's at (layers,
 * dim); a mismatch is an error. */
int dual_encoder_verify(struct export_check *out, const struct dual_encoder *de,
                        const struct export_options *options, const char *folder,
                        const char *const *texts, size_t n, struct pool *pool, struct error *err);

#endif
