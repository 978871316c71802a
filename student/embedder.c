/* See embedder.h. */
#include "student/embedder.h"

#include "data/guard.h"
#include "data/output.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Matryoshka vectors are compared by cosine; a model made for the dot product of raw vectors says
 * so and has no Normalize. */
static int choose_tap(struct embedder *out, const char *folder,
                      const struct embedder_options *options, struct error *err)
{
    struct st_config config = {0};
    int width = out->encoder.output_size;
    hold(&config, st_config_release);
    int status = st_config_read(&config, folder, err);
    let_go(&config);
    if (status) return -1;
    out->layers = out->encoder.encoder.config.num_layers;
    out->dim = options->dim ? options->dim : config.truncate_dim ? config.truncate_dim : width;
    out->normalize = config.normalize || strcmp(config.similarity, "dot") != 0;
    st_config_free(&config);
    if (out->dim > width)
        return fail_usage(err, "%s has %d dimensions, not %d", folder, width, out->dim);
    return 0;
}

int embedder_open(struct embedder *out, const char *folder, const struct embedder_options *options,
                  struct error *err)
{
    REQUIRE(options->layers >= 0 && options->dim >= 0);
    *out = (struct embedder){0};
    if (dual_encoder_open(&out->encoder, folder, options->layers, options->precision, err))
        return -1;
    if (choose_tap(out, folder, options, err)) {
        embedder_close(out);
        return -1;
    }
    out->pool = pool_open(options->threads);
    out->workers = encode_workers_open(&out->encoder.encoder, out->pool);
    return 0;
}

void embedder_close(struct embedder *embedder)
{
    encode_workers_close(embedder->workers);
    pool_close(embedder->pool);
    dual_encoder_free(&embedder->encoder);
    *embedder = (struct embedder){0};
}

void embedder_texts(const struct embedder *embedder, float *vectors, const char *const *texts,
                    size_t n, const char *prompt)
{
    int width = embedder->encoder.output_size;
    float *z = hold(xaligned(n * (size_t)width, sizeof *z), free);
    const struct embed_request request = {.texts = texts,
                                          .count = n,
                                          .prompt = prompt,
                                          .layers = &embedder->layers,
                                          .num_layers = 1,
                                          .workers = embedder->workers};
    dual_encoder_embed(&embedder->encoder, embedder->pool, &request, &z);
    vectors_cut(vectors, z, n, width, embedder->dim, embedder->normalize);
    free(let_go(z));
}

static int add_file(struct text *all, const char *folder, const char *name, struct error *err)
{
    char hex[33];
    int status = hash_if_there(hex, folder, name, err);
    if (status == 0 && *hex) text_printf(all, "%s %s\n", name, hex);
    return status;
}

int embedder_fingerprint(char hex[33], const struct embedder *embedder, struct error *err)
{
    const struct dual_encoder *encoder = &embedder->encoder;
    struct hash128 weights =
        hash128(encoder->params.values, encoder->params.size * sizeof *encoder->params.values);
    struct text all = {0};
    hold(&all, text_release);
    text_printf(&all, "%llx %llx %d %d %d\n%s\n%s\n", (unsigned long long)weights.high,
                (unsigned long long)weights.low, embedder->layers, (int)encoder->pooling,
                encoder->max_length, encoder->query_prompt, encoder->document_prompt);
    int status = add_file(&all, encoder->folder, "tokenizer.json", err);
    if (status == 0) status = add_file(&all, encoder->folder, "tokenizer_config.json", err);
    if (status == 0) status = add_file(&all, encoder->folder, "vocab.txt", err);
    hash_hex(hex, hash128(all.bytes, all.length));
    text_free(let_go(&all));
    return status;
}
