/* Opening a cross-encoder, scoring pairs. */
#include "teacher/cross_encoder_parts.h"

#include <stdlib.h>
#include <string.h>

#include "data/output.h"
#include "nn/encode.h"

/* ---- opening ---- */

void cross_encoder_alloc(struct cross_encoder *ce, const struct encoder_config *config,
                         enum precision precision)
{
    encoder_declare(&ce->encoder, config, &ce->params);
    head_declare(&ce->head, &ce->params);
    params_alloc(&ce->params);
    encoder_init(&ce->encoder, precision);
}

static int read_weights(struct cross_encoder *ce, const char *folder, enum precision precision,
                        const struct safetensors *st, struct error *err)
{
    struct hf_config hf;
    struct encoder_config config;
    if (hf_config_read(&hf, folder, err) || encoder_config_from_hf(&config, &hf, err) ||
        head_find(&ce->head, &hf, &config, st, folder, err))
        return -1;
    cross_encoder_alloc(ce, &config, precision);
    if (head_load(&ce->head, &ce->params, st, folder, err)) return -1;
    return encoder_load(&ce->encoder, st, folder, err);
}

static int open_weights(struct cross_encoder *ce, const char *folder, enum precision precision,
                        struct error *err)
{
    struct safetensors *st;
    if (safetensors_open(&st, folder, err)) return -1;
    int status = read_weights(ce, folder, precision, st, err);
    safetensors_close(st);
    return status;
}

/* Names and hashes of the tokenizer's files. */
static int hash_tokenizer(struct text *out, const char *folder, struct error *err)
{
    static const char *const names[] = {"tokenizer.json", "vocab.txt", "tokenizer_config.json"};
    int status = 0;
    for (size_t i = 0; status == 0 && i < sizeof names / sizeof *names; i++) {
        char *path = path_join(folder, names[i]);
        char hex[33];
        if (path_exists(path)) {
            status = hash_file(hex, path, err);
            if (!status) text_printf(out, " %s %s", names[i], hex);
        }
        free(path);
    }
    return status;
}

static int open_tokenizer(struct cross_encoder *ce, const char *folder, struct error *err)
{
    ce->folder = xstrdup(folder);
    if (tokenizer_open(&ce->tokenizer, folder, err)) return -1;
    return hash_tokenizer(&ce->tokenizer_hashes, folder, err);
}

static int check_ids(const struct cross_encoder *ce, struct error *err)
{
    int ids = tokenizer_vocab_size(ce->tokenizer), rows = ce->encoder.config.vocab_size;
    if (ids <= rows) return 0;
    return fail(err,
                "%s: the tokenizer has ids up to %d, the model only %d word embeddings; they "
                "do not belong together",
                ce->folder, ids - 1, rows);
}

int cross_encoder_add_tokenizer(struct cross_encoder *ce, const char *folder, struct error *err)
{
    return open_tokenizer(ce, folder, err) || check_ids(ce, err) ? -1 : 0;
}

/* Hands out a model that was opened with this status. */
static int opened(struct cross_encoder **out, struct cross_encoder *ce, int status)
{
    if (status) cross_encoder_close(ce);
    *out = status ? NULL : ce;
    return status;
}

int cross_encoder_open_weights(struct cross_encoder **out, const char *folder,
                               enum precision precision, struct error *err)
{
    struct cross_encoder *ce = xcalloc(1, sizeof *ce);
    int status = precision_resolve(&precision, err);
    if (!status) status = open_weights(ce, folder, precision, err);
    return opened(out, ce, status);
}

/* Both take long to read: weights and tokenizer are read side by side. */
enum part { PART_WEIGHTS, PART_TOKENIZER, NUM_PARTS };
struct opening {
    struct cross_encoder *ce;
    const char *folder;
    enum precision precision;
    struct error errors[NUM_PARTS];
};

static void open_part(void *arg, size_t part, int worker)
{
    struct opening *opening = arg;
    struct error *err = &opening->errors[part];
    (void)worker;
    if (part == PART_WEIGHTS)
        open_weights(opening->ce, opening->folder, opening->precision, err);
    else
        open_tokenizer(opening->ce, opening->folder, err);
}

int cross_encoder_open(struct cross_encoder **out, const char *folder, enum precision precision,
                       struct error *err)
{
    *out = NULL;
    if (precision_resolve(&precision, err)) return -1;
    struct opening opening = {
        .ce = xcalloc(1, sizeof *opening.ce), .folder = folder, .precision = precision};
    struct pool *pool = pool_open(NUM_PARTS);
    pool_run(pool, NUM_PARTS, open_part, &opening);
    pool_close(pool);
    int status = 0;
    for (int part = 0; part < NUM_PARTS && !status; part++)
        if (opening.errors[part].status) *err = opening.errors[part], status = -1;
    if (!status) status = check_ids(opening.ce, err);
    return opened(out, opening.ce, status);
}

void cross_encoder_close(struct cross_encoder *ce)
{
    if (!ce) return;
    encoder_free(&ce->encoder);
    params_free(&ce->params);
    tokenizer_close(ce->tokenizer);
    text_free(&ce->tokenizer_hashes);
    free(ce->folder);
    free(ce);
}

/* ---- what it is ---- */

const struct encoder_config *cross_encoder_config(const struct cross_encoder *ce)
{
    return &ce->encoder.config;
}

const struct encoder *cross_encoder_encoder(const struct cross_encoder *ce)
{
    return &ce->encoder;
}

const struct tokenizer *cross_encoder_tokenizer(const struct cross_encoder *ce)
{
    return ce->tokenizer;
}

int cross_encoder_num_labels(const struct cross_encoder *ce)
{
    return ce->head.num_labels;
}

int cross_encoder_max_length(const struct cross_encoder *ce, int wanted)
{
    int length = encoder_max_tokens(&ce->encoder.config);
    int stated = tokenizer_model_max_length(ce->tokenizer);
    if (stated > 0 && stated < length) length = stated;
    if (wanted > 0 && wanted < length) length = wanted;
    return length;
}

/* Weights are hashed as loaded, so that the same model stored in shards is the same; of the
 * configuration only what the computation reads. */
static struct hash128 weights_fingerprint(const struct cross_encoder *ce)
{
    const struct encoder_config *config = &ce->encoder.config;
    struct hash128 weights = hash128(ce->params.values, ce->params.size * sizeof(float));
    struct text text = {0};
    text_printf(&text, "%016llx%016llx %s %s %d %d %d %d %.17g", (unsigned long long)weights.high,
                (unsigned long long)weights.low, precision_name(ce->encoder.precision),
                encoder_bare_class(config), config->num_layers, config->num_heads,
                config->first_position, (int)config->activation, config->layer_norm_eps);
    struct hash128 hash = hash128(text.bytes, text.length);
    text_free(&text);
    return hash;
}

struct hash128 cross_encoder_fingerprint(const struct cross_encoder *ce)
{
    REQUIRE(ce->tokenizer_hashes.length);
    struct hash128 weights = weights_fingerprint(ce);
    struct text text = {0};
    text_append(&text, (const char *)&weights, sizeof weights);
    text_append(&text, ce->tokenizer_hashes.bytes, ce->tokenizer_hashes.length);
    const float *calibration = encoder_calibration(&ce->encoder);
    if (calibration)
        text_append(&text, (const char *)calibration,
                    encoder_channels(&ce->encoder.config) * sizeof *calibration);
    struct hash128 hash = hash128(text.bytes, text.length);
    text_free(&text);
    return hash;
}

/* ---- scoring ---- */

/* The head reads first tokens, so the last block is run for them alone. */
static struct forward_mode scoring_mode(const struct cross_encoder *ce)
{
    return (struct forward_mode){.num_layers = ce->encoder.config.num_layers, .first_only = true};
}

/* The head on sequence s of a batch that was run in that mode. */
static void score_sequence(const struct cross_encoder *ce, const struct encoder_pass *pass, int s,
                           float *scratch, float *logits)
{
    const float *hidden = encoder_hidden(pass, ce->encoder.config.num_layers);
    size_t width = (size_t)ce->head.hidden_size;
    head_forward(&ce->head, &ce->params, hidden + (size_t)s * width, scratch, logits);
}

void cross_encoder_logits(const struct cross_encoder *ce, struct encoder_pass *pass,
                          const struct batch *batch, float *logits)
{
    size_t labels = (size_t)ce->head.num_labels;
    float *scratch = xmalloc((size_t)ce->head.hidden_size * sizeof *scratch);
    encoder_forward(pass, batch, scoring_mode(ce));
    for (int s = 0; s < batch->num_seqs; s++)
        score_sequence(ce, pass, s, scratch, logits + (size_t)s * labels);
    free(scratch);
}

void cross_encoder_calibrate(struct cross_encoder *ce, struct pool *pool,
                             const char *const *queries, const char *const *documents, size_t n,
                             int max_length)
{
    struct sequences pairs;
    sequences_encode(&pairs, ce->tokenizer, pool, queries, documents, n, "", max_length);
    encode_calibrate(&ce->encoder, pool, &pairs, scoring_mode(ce));
    sequences_free(&pairs);
}

struct score_work {
    const struct cross_encoder *ce;
    float *logits; /* [n, num_labels] */
};

static void score_done(void *arg, int worker, const struct encoder_pass *pass,
                       const struct batch *batch, const uint32_t *items)
{
    (void)worker;
    const struct score_work *work = arg;
    size_t labels = (size_t)work->ce->head.num_labels;
    float *scratch = xmalloc((size_t)work->ce->head.hidden_size * sizeof *scratch);
    for (int s = 0; s < batch->num_seqs; s++)
        score_sequence(work->ce, pass, s, scratch, work->logits + items[s] * labels);
    free(scratch);
}

void cross_encoder_score_chunks(const struct cross_encoder *ce, struct encode_workers *workers,
                                const struct sequences *pairs, const struct chunks *chunks,
                                float *logits)
{
    struct score_work work = {.ce = ce, .logits = logits};
    encode_chunks(workers, pairs, chunks, scoring_mode(ce), score_done, &work);
}

void cross_encoder_score(const struct cross_encoder *ce, struct pool *pool,
                         const char *const *queries, const char *const *documents, size_t n,
                         int max_length, float *logits)
{
    struct sequences pairs;
    struct chunks chunks;
    struct encode_workers *workers = encode_workers_open(&ce->encoder, pool);
    sequences_encode(&pairs, ce->tokenizer, pool, queries, documents, n, "", max_length);
    chunks_cut(&chunks, pairs.lengths, pairs.count, ENCODE_TOKEN_BUDGET);
    cross_encoder_score_chunks(ce, workers, &pairs, &chunks, logits);
    chunks_free(&chunks);
    sequences_free(&pairs);
    encode_workers_close(workers);
}
