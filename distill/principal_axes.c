/* See principal_axes.h. */
#include "distill/principal_axes.h"

#include <stdlib.h>
#include <string.h>

#include "distill/moments.h"

/* The sum over the layers of the second moments of z, [width, width], the upper triangle. */
static double *moments_of(const struct dual_encoder *student, struct pool *pool,
                          const char *const *texts, size_t count, int max_length,
                          const struct axes *axes)
{
    const int width = student->output_size;
    const size_t size = count * (size_t)width, square = (size_t)width * (size_t)width;
    const struct embed_request request = {.texts = texts,
                                          .count = count,
                                          .prompt = student->document_prompt,
                                          .max_length = max_length,
                                          .layers = axes->layers,
                                          .num_layers = axes->num_layers};
    double *sum = xcalloc(square, sizeof *sum), *moments = xcalloc(square, sizeof *sum);
    float *vectors = xaligned(size, sizeof *vectors);
    float **z = xcalloc((size_t)axes->num_layers, sizeof *z);
    for (int l = 0; l < axes->num_layers; l++) z[l] = xaligned(size, sizeof **z);
    dual_encoder_embed(student, pool, &request, z);
    for (int l = 0; l < axes->num_layers; l++) {
        vectors_cut(vectors, z[l], count, width, width, axes->cosine);
        second_moments(moments, vectors, count, NULL, width);
        for (size_t i = 0; i < square; i++) sum[i] += moments[i];
        free(z[l]);
    }
    free(z);
    free(vectors);
    free(moments);
    return sum;
}

/* rows [size, cols] = vectors [size, size] rows. */
static void turn_rows(float *rows, const double *vectors, size_t size, size_t cols)
{
    double *turned = xcalloc(size * cols, sizeof *turned);
    for (size_t i = 0; i < size; i++)
        for (size_t k = 0; k < size; k++)
            for (size_t j = 0; j < cols; j++)
                turned[i * cols + j] += vectors[i * size + k] * (double)rows[k * cols + j];
    for (size_t i = 0; i < size * cols; i++) rows[i] = (float)turned[i];
    free(turned);
}

/* The block's own rows and columns of the moments decide. */
static int turn_block(struct dual_encoder *student, const double *moments, int begin, int end,
                      struct error *err)
{
    size_t width = (size_t)student->output_size, first = (size_t)begin,
           size = (size_t)(end - begin);
    size_t cols = (size_t)student->encoder.config.hidden_size;
    double *block = xcalloc(size * size, sizeof *block), *values = xcalloc(size, sizeof *values);
    double *vectors = xcalloc(size * size, sizeof *vectors);
    for (size_t i = 0; i < size; i++)
        memcpy(block + i * size, moments + (first + i) * width + first, size * sizeof *block);
    int status = eigen_largest(values, vectors, block, (int)size, (int)size);
    if (status)
        fail(err, "LAPACK finds no principal axes of the student's dimensions %d to %d (status %d)",
             begin + 1, end, status);
    if (!status) {
        float *weight = params_values(&student->params, student->projection_weight);
        turn_rows(weight + first * cols, vectors, size, cols);
        if (student->projection_bias >= 0)
            turn_rows(params_values(&student->params, student->projection_bias) + first, vectors,
                      size, 1);
    }
    free(vectors);
    free(values);
    free(block);
    return status ? -1 : 0;
}

int turn_to_principal_axes(struct dual_encoder *student, struct pool *pool,
                           const char *const *texts, size_t count, int max_length,
                           const struct axes *axes, struct error *err)
{
    if (student->projection_weight < 0 || student->activation != DENSE_IDENTITY || count == 0)
        return 0;
    double *moments = moments_of(student, pool, texts, count, max_length, axes);
    int status = 0, begin = 0;
    for (size_t b = 0; b <= axes->num_widths && !status; b++) {
        int end = b < axes->num_widths ? axes->widths[b] : student->output_size;
        if (end > student->output_size) end = student->output_size;
        if (end > begin) status = turn_block(student, moments, begin, end, err);
        begin = end > begin ? end : begin;
    }
    free(moments);
    return status;
}
