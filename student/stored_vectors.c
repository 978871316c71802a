/* See stored_vectors.h. */
#include "student/stored_vectors.h"

#include "nn/kernels.h"
#include <math.h>
#include <string.h>

static const char *const names[VECTOR_TYPES] = {[VECTOR_F32] = "f32",
                                                [VECTOR_BF16] = "bf16",
                                                [VECTOR_INT8] = "int8",
                                                [VECTOR_BINARY] = "binary"};

const char *vector_type_name(enum vector_type type)
{
    return names[type];
}

int vector_type_find(enum vector_type *out, const char *name)
{
    for (int type = 0; type < VECTOR_TYPES; type++)
        if (strcmp(names[type], name) == 0) {
            *out = (enum vector_type)type;
            return 0;
        }
    return -1;
}

size_t stored_bytes(enum vector_type type, int dim)
{
    size_t values = (size_t)dim;
    switch (type) {
    case VECTOR_F32:
        return values * sizeof(float);
    case VECTOR_BF16:
        return values * sizeof(uint16_t);
    case VECTOR_INT8:
        return values;
    default:
        return (values + 7) / 8;
    }
}

/* Returns the scale; that of zeros is 1. */
static float store_int8(int8_t *out, const float *values, int dim)
{
    float largest = 0;
    for (int i = 0; i < dim; i++) largest = fmaxf(largest, fabsf(values[i]));
    double step = largest > 0 ? (double)largest / 127 : 1;
    for (int i = 0; i < dim; i++) out[i] = (int8_t)lrint((double)values[i] / step);
    return (float)step;
}

static void store_signs(unsigned char *out, const float *values, int dim)
{
    memset(out, 0, stored_bytes(VECTOR_BINARY, dim));
    for (int i = 0; i < dim; i++)
        if (values[i] > 0) out[i / 8] |= (unsigned char)(0x80 >> i % 8);
}

void store_vectors(void *out, float *scales, const float *values, size_t n, int dim,
                   enum vector_type type)
{
    size_t bytes = stored_bytes(type, dim);
    if (type == VECTOR_F32) memcpy(out, values, n * bytes);
    if (type == VECTOR_BF16) kernels_best()->to_bf16(out, values, n * (size_t)dim);
    for (size_t row = 0; row < n; row++, values += dim) {
        void *stored = (char *)out + row * bytes;
        if (type == VECTOR_INT8) scales[row] = store_int8(stored, values, dim);
        if (type == VECTOR_BINARY) store_signs(stored, values, dim);
    }
}

static double value_of(const void *row, size_t i, enum vector_type type)
{
    float value;
    switch (type) {
    case VECTOR_F32:
        return (double)((const float *)row)[i];
    case VECTOR_BF16:
        memcpy(&value, &(uint32_t){(uint32_t)((const uint16_t *)row)[i] << 16}, sizeof value);
        return (double)value;
    case VECTOR_INT8:
        return ((const int8_t *)row)[i];
    default:
        return ((const unsigned char *)row)[i / 8] & 0x80 >> i % 8 ? 1 : -1;
    }
}

static const void *row_at(const struct stored_vectors *vectors, size_t row)
{
    return (const char *)vectors->values + row * stored_bytes(vectors->type, vectors->dim);
}

void stored_row(float *out, const struct stored_vectors *vectors, size_t row)
{
    const void *values = row_at(vectors, row);
    double scale = vectors->scales ? (double)vectors->scales[row] : 1;
    for (size_t i = 0; i < (size_t)vectors->dim; i++)
        out[i] = (float)(scale * value_of(values, i, vectors->type));
}

double stored_dot(const struct stored_vectors *vectors, size_t row, const float *query)
{
    const void *values = row_at(vectors, row);
    double sum = 0, scale = vectors->scales ? (double)vectors->scales[row] : 1;
    for (size_t i = 0; i < (size_t)vectors->dim; i++)
        sum += (double)query[i] * value_of(values, i, vectors->type);
    return scale * sum;
}
