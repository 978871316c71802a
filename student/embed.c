/* z of many texts at several layers at once. */
#include <stdlib.h>
#include <string.h>

#include "data/guard.h"
#include "nn/encode.h"
#include "student/dual_encoder.h"

struct embed_work {
    const struct dual_encoder *de;
    const struct embed_request *request;
    float *const *out; /* a layer */
    struct embed_scratch {
        float *pooled, *z;
        size_t rows;
    } * scratch; /* [num_workers] */
    size_t num_workers;
};

static void release_work(void *arg)
{
    struct embed_work *work = arg;
    for (size_t w = 0; work->scratch && w < work->num_workers; w++) {
        free(work->scratch[w].pooled);
        free(work->scratch[w].z);
    }
    free(work->scratch);
}

static void release_workers(void *workers)
{
    encode_workers_close(workers);
}

static void release_sequences(void *sequences)
{
    sequences_free(sequences);
}

static void embed_done(void *arg, int worker, const struct encoder_pass *pass,
                       const struct batch *batch, const uint32_t *items)
{
    struct embed_work *work = arg;
    struct embed_scratch *scratch = &work->scratch[worker];
    size_t rows = (size_t)batch->num_seqs, width = (size_t)work->de->output_size;
    if (rows > scratch->rows) {
        size_t hidden = (size_t)work->de->encoder.config.hidden_size;
        scratch->pooled = xrealloc(scratch->pooled, rows * hidden, sizeof(float));
        scratch->z = xrealloc(scratch->z, rows * width, sizeof(float));
        scratch->rows = rows;
    }
    for (int l = 0; l < work->request->num_layers; l++) {
        dual_encoder_heads(work->de, pass, batch, work->request->layers[l], scratch->pooled,
                           scratch->z);
        for (size_t s = 0; s < rows; s++)
            memcpy(work->out[l] + items[s] * width, scratch->z + s * width, width * sizeof(float));
    }
}

void dual_encoder_calibrate(struct dual_encoder *de, struct pool *pool, const char *const *texts,
                            size_t n)
{
    struct sequences sequences;
    sequences_encode(&sequences, de->tokenizer, pool, texts, NULL, n, de->document_prompt,
                     de->max_length);
    encode_calibrate(&de->encoder, pool, &sequences,
                     (struct forward_mode){.num_layers = de->encoder.config.num_layers});
    sequences_free(&sequences);
}

static void embed_by(struct encode_workers *workers, const struct dual_encoder *de,
                     struct pool *pool, const struct embed_request *request, float *const *out)
{
    int max_length = request->max_length, deepest = 0;
    if (max_length <= 0 || max_length > de->max_length) max_length = de->max_length;
    for (int l = 0; l < request->num_layers; l++)
        if (request->layers[l] > deepest) deepest = request->layers[l];
    struct embed_work work = {
        .de = de, .request = request, .out = out, .num_workers = (size_t)pool_size(pool)};
    struct sequences sequences = {0};
    hold(&work, release_work);
    hold(&sequences, release_sequences);
    work.scratch = xcalloc(work.num_workers, sizeof *work.scratch);
    sequences_encode(&sequences, de->tokenizer, pool, request->texts, NULL, request->count,
                     request->prompt, max_length);
    encode_sequences(workers, &sequences, deepest, embed_done, &work);
    sequences_free(let_go(&sequences));
    release_work(let_go(&work));
}

void dual_encoder_embed(const struct dual_encoder *de, struct pool *pool,
                        const struct embed_request *request, float *const *out)
{
    if (request->workers) {
        embed_by(request->workers, de, pool, request, out);
        return;
    }
    struct encode_workers *workers = hold(encode_workers_open(&de->encoder, pool), release_workers);
    embed_by(workers, de, pool, request, out);
    encode_workers_close(let_go(workers));
}

float *dual_encoder_vectors(const struct dual_encoder *de, struct pool *pool,
                            const struct embed_request *request, int dim, bool normalize)
{
    size_t width = (size_t)de->output_size;
    float *z = xaligned(request->count * width, sizeof *z);
    float *vectors = xaligned(request->count * (size_t)dim, sizeof *vectors);
    dual_encoder_embed(de, pool, request, &z);
    vectors_cut(vectors, z, request->count, de->output_size, dim, normalize);
    free(z);
    return vectors;
}
