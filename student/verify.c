/* Reading an exported folder back: what a user of it will get must be what was trained. */
#include "student/export.h"

#include <math.h>
#include <stdlib.h>

#include "data/sequences.h"

static size_t token_mismatches(const struct dual_encoder *a, const struct dual_encoder *b,
                               const char *const *texts, size_t n, int max_length,
                               struct pool *pool)
{
    struct sequences x, y;
    size_t mismatches = 0;
    sequences_encode(&x, a->tokenizer, pool, texts, NULL, n, a->document_prompt, max_length);
    sequences_encode(&y, b->tokenizer, pool, texts, NULL, n, b->document_prompt, max_length);
    for (size_t i = 0; i < n; i++) {
        bool same = x.lengths[i] == y.lengths[i];
        for (int t = 0; same && t < x.lengths[i]; t++)
            same = x.ids[x.offsets[i] + (size_t)t] == y.ids[y.offsets[i] + (size_t)t];
        mismatches += !same;
    }
    sequences_free(&x);
    sequences_free(&y);
    return mismatches;
}

/* Unit vectors [n, dim] of the texts. */
static float *unit_vectors(const struct dual_encoder *de, int layer, int dim,
                           const char *const *texts, size_t n, struct pool *pool)
{
    const struct embed_request request = {.texts = texts,
                                          .count = n,
                                          .prompt = de->document_prompt,
                                          .layers = &layer,
                                          .num_layers = 1};
    float *z = xaligned(n * (size_t)de->output_size, sizeof *z);
    float *unit = xaligned(n * (size_t)dim, sizeof *unit);
    dual_encoder_embed(de, pool, &request, &z);
    vectors_cut(unit, z, n, de->output_size, dim, true);
    free(z);
    return unit;
}

static double worst_distance(const float *u, const float *v, size_t n, int dim)
{
    double worst = 0;
    for (size_t i = 0; i < n && !isnan(worst); i++) {
        double dot = 0;
        for (int j = 0; j < dim; j++)
            dot += (double)u[i * (size_t)dim + (size_t)j] * v[i * (size_t)dim + (size_t)j];
        if (!(1 - dot <= worst)) worst = 1 - dot;
    }
    return worst;
}

int dual_encoder_verify(struct export_check *out, const struct dual_encoder *de,
                        const struct export_options *options, const char *folder,
                        const char *const *texts, size_t n, struct pool *pool, struct error *err)
{
    struct dual_encoder back;
    if (dual_encoder_open(&back, folder, 0, de->encoder.precision, err)) return -1;
    *out = (struct export_check){.texts = n};
    int status = 0;
    if (back.encoder.config.num_layers != options->layers || back.output_size != options->dim ||
        back.max_length != de->max_length) {
        status = fail(err, "%s: reads back as %d layers, %d dims, %d tokens instead of %d, %d, %d",
                      folder, back.encoder.config.num_layers, back.output_size, back.max_length,
                      options->layers, options->dim, de->max_length);
    } else {
        out->token_mismatches = token_mismatches(de, &back, texts, n, de->max_length, pool);
        float *u = unit_vectors(de, options->layers, options->dim, texts, n, pool);
        float *v = unit_vectors(&back, options->layers, options->dim, texts, n, pool);
        out->worst_cosine_distance = worst_distance(u, v, n, options->dim);
        free(u);
        free(v);
        if (out->token_mismatches ||
            !(out->worst_cosine_distance <= 1e-6 * EXPORT_MAX_DISTANCE_PPM))
            status = fail(err,
                          "%s: differs from the trained model: %zu of %zu texts have other token "
                          "ids, worst cosine distance %.2g",
                          folder, out->token_mismatches, n, out->worst_cosine_distance);
    }
    dual_encoder_free(&back);
    return status;
}
