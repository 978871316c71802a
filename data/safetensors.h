/* safetensors files: named tensors, memory-mapped, every header field checked before use.
 * Format: 8 bytes little-endian header length, JSON header, data
 * (https://github.com/huggingface/safetensors).
 *
 *     struct safetensors *st;
 *     if (safetensors_open(&st, "models/x", err)) return -1; // a folder or a file
 *     const struct tensor *w = safetensors_find(st, "encoder.layer.0.output.dense.weight");
 *     tensor_to_f32(values, w);
 *     safetensors_close(st);
 */
#ifndef RETORT_SAFETENSORS_H
#define RETORT_SAFETENSORS_H

#include "data/base.h"

enum dtype {
    DTYPE_F32,
    DTYPE_F16,
    DTYPE_BF16,
    DTYPE_F64,
    DTYPE_I64,
    DTYPE_I32,
    DTYPE_U8,
    DTYPE_OTHER
};

enum { TENSOR_MAX_RANK = 8 };

struct tensor {
    const char *name;
    enum dtype dtype;
    int rank;
    size_t shape[TENSOR_MAX_RANK];
    const void *data; /* row-major, little-endian; may be unaligned */
};

struct safetensors;

/* path: a .safetensors file, or a folder with model.safetensors or model.safetensors.index.json
 * (sharded).  A folder with only pytorch_model.bin or *.pt is refused with the way to convert it
 * (pickles run code). */
int safetensors_open(struct safetensors **out, const char *path, struct error *err);
int safetensors_count(const struct safetensors *st);
const struct tensor *safetensors_at(const struct safetensors *st, int index);
const struct tensor *safetensors_find(const struct safetensors *st, const char *name); /* or NULL */
void safetensors_close(struct safetensors *st);
void safetensors_release(void *st); /* the same, for hold (guard.h) */

size_t tensor_elements(const struct tensor *tensor);
bool tensor_is_float(const struct tensor *tensor); /* F32, F16, BF16, F64 */
/* Copies all elements as f32, and says whether all are finite; tensor_is_float must hold. */
bool tensor_to_f32(float *out, const struct tensor *tensor);
/* "f32 [30522, 384]", for messages; static-size buffer supplied by the caller. */
const char *tensor_describe(char buffer[128], const struct tensor *tensor);

/* Writes tensors (metadata {"format":"pt"} plus the given pairs, NULL-terminated key, value,
 * ..., or NULL), atomically.  Ordered by dtype size descending, then name, as the reference
 * writer does: same input, same bytes. */
int safetensors_write(const char *path, const struct tensor *tensors, int count,
                      const char *const *metadata, struct error *err);
/* As the model.safetensors of a folder, without pairs. */
int safetensors_write_model(const char *folder, const struct tensor *tensors, int count,
                            struct error *err);

#endif
