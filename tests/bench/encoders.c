/* The encoder at work: scoring pairs, embedding texts, one text at a time, training.
 *
 * Models have random weights.  Flops are those that the result needs, of real tokens: a scorer's
 * last block is counted for the first token of each pair alone, since the head reads no other. */
#include "tests/bench/encoders.h"

#include "teacher/training.h"

#include "tests/bench/texts.h"

#include "nn/dnn.h"
#include "nn/optimizer.h"

#include <stdlib.h>
#include <string.h>

enum { VOCABULARY = 30522, TINY_VOCABULARY = 8000 };

/* ---- models ---- */

const struct shape minilm = {"score-mix", 6, 384, 1536, 12, 1024, 32};
static const struct shape bert_base = {"score-mix-base", 12, 768, 3072, 12, 128, 8};
static const struct shape small_student = {"score-mix-small", 2, 128, 512, 4, 1024, 64};

/* Normal values of a table whose length divides no row's: drawing each would take longer than a
 * round. */
static void fill(struct params *params)
{
    enum { TABLE = 4099 };
    float table[TABLE];
    for (size_t i = 0; i < TABLE; i++) table[i] = 0.02f * (float)random_normal(13, 1, i);
    for (size_t p = 0; p < params->count; p++) {
        const struct param *param = &params->list[p];
        float *values = params_values(params, (int)p);
        bool is_gain = strstr(param->name, "LayerNorm.weight") != NULL;
        for (size_t i = 0; i < params_param_size(param); i++)
            values[i] = is_gain ? 1 : param->decay ? table[(i + 997 * p) % TABLE] : 0;
    }
}

static void release_model(void *object)
{
    struct cross_encoder *ce = object;
    encoder_free(&ce->encoder);
    params_free(&ce->params);
    free(ce);
}

struct cross_encoder *open_model(struct bench *bench, const struct shape *shape,
                                 enum precision precision)
{
    struct error err = {0};
    struct encoder_config config;
    struct cross_encoder *ce = xcalloc(1, sizeof *ce);
    const struct hf_config hf = {.model_type = "bert",
                                 .hidden_act = "gelu",
                                 .vocab_size = bench->tiny ? TINY_VOCABULARY : VOCABULARY,
                                 .hidden_size = shape->hidden,
                                 .embedding_size = shape->hidden,
                                 .num_layers = bench->tiny ? 2 : shape->layers,
                                 .num_heads = shape->heads,
                                 .intermediate_size = shape->inner,
                                 .max_positions = MAX_LENGTH,
                                 .type_vocab_size = 2,
                                 .layer_norm_eps = 1e-12,
                                 .hidden_dropout = 0.1,
                                 .attention_dropout = 0.1,
                                 .initializer_range = 0.02};
    REQUIRE(encoder_config_from_hf(&config, &hf, &err) == 0);
    REQUIRE(head_new(&ce->head, &config, &err) == 0);
    cross_encoder_alloc(ce, &config, precision);
    fill(&ce->params);
    encoder_refresh(&ce->encoder);
    ce->tokenizer = bench->texts->tokenizer; /* borrowed */
    bench_own(bench, ce, release_model);
    return ce;
}

enum precision best_precision(void)
{
    return dnn_has_fast_bf16() ? PRECISION_BF16 : PRECISION_F32;
}

/* ---- flops ---- */

/* Adds those of one block on n tokens, of which the first `outputs` are wanted. */
static void add_block(double flops[NUM_PHASES], const struct encoder_config *config, double n,
                      double outputs)
{
    double hidden = config->hidden_size, inner = config->intermediate_size;
    flops[PHASE_QKV] += 2 * hidden * hidden * (2 * n + outputs);
    flops[PHASE_ATTENTION] += 4 * hidden * n * outputs;
    flops[PHASE_OUTPUT] += 2 * hidden * hidden * outputs;
    flops[PHASE_FFN] += 4 * hidden * inner * outputs;
}

static double add_flops(double flops[NUM_PHASES], const struct encoder_config *config, size_t n,
                        bool first_only)
{
    double sum = 0;
    for (int layer = 0; layer < config->num_layers; layer++) {
        bool last = layer == config->num_layers - 1;
        add_block(flops, config, (double)n, last && first_only ? 1 : (double)n);
    }
    for (int p = 0; p < NUM_PHASES; p++) sum += flops[p];
    return sum;
}

/* ---- pairs and texts of a given length, or (0) of mixed lengths ---- */

void make_inputs(struct inputs *out, struct bench *bench, size_t count, size_t length, bool pairs)
{
    *out = (struct inputs){.pool = bench->pool,
                           .first = xcalloc(count, sizeof *out->first),
                           .second = pairs ? xcalloc(count, sizeof *out->second) : NULL,
                           .count = count};
    for (size_t i = 0; i < count; i++) {
        size_t tokens = (length ? length : bench_mixed_length(i)) - (pairs ? 3 : 2);
        size_t query = !pairs ? tokens : tokens / 3 < 10 ? tokens / 3 : 10;
        out->first[i] = bench_text(bench->texts, 2 * i, query);
        if (pairs) out->second[i] = bench_text(bench->texts, 2 * i + 1, tokens - query);
    }
}

void count_flops(struct inputs *inputs, const struct encoder_config *config, size_t length,
                 bool first_only)
{
    for (size_t i = 0; i < inputs->count; i++)
        inputs->all_flops =
            add_flops(inputs->flops, config, length ? length : bench_mixed_length(i), first_only);
}

void free_inputs(struct inputs *inputs)
{
    free(inputs->first), free(inputs->second);
}

enum peak peak_of(const struct encoder *encoder)
{
    static const enum peak peaks[] = {
        [PRECISION_F32] = PEAK_F32, [PRECISION_BF16] = PEAK_BF16, [PRECISION_INT8] = PEAK_INT8};
    return peaks[encoder->precision];
}

/* ---- scoring ---- */

struct scoring {
    struct inputs inputs;
    const struct cross_encoder *ce;
    float *logits;
    struct phases phases;
};

static void run_scoring(void *arg)
{
    struct scoring *scoring = arg;
    const struct inputs *pairs = &scoring->inputs;
    cross_encoder_score(scoring->ce, pairs->pool, pairs->first, pairs->second, pairs->count,
                        MAX_LENGTH, scoring->logits);
}

static void release_scoring(void *object)
{
    struct scoring *scoring = object;
    free_inputs(&scoring->inputs);
    free(scoring->logits);
    free(scoring);
}

static void add_scoring(struct bench *bench, const struct shape *shape,
                        const struct cross_encoder *ce)
{
    struct scoring *scoring = xcalloc(1, sizeof *scoring);
    struct inputs *inputs = &scoring->inputs;
    size_t count = bench_size(bench, shape->pairs, shape->tiny_pairs);
    make_inputs(inputs, bench, count, 0, true);
    count_flops(inputs, &ce->encoder.config, 0, true);
    scoring->ce = ce;
    scoring->logits = xcalloc(count, sizeof *scoring->logits);
    scoring->phases.encoder = &ce->encoder;
    memcpy(scoring->phases.flops, inputs->flops, sizeof inputs->flops);
    bench_own(bench, scoring, release_scoring);
    bench_add(bench, &(struct work){.name = shape->name,
                                    .precision = precision_name(ce->encoder.precision),
                                    .units = {{"pairs/s", (double)count}},
                                    .peak = peak_of(&ce->encoder),
                                    .cost = inputs->all_flops,
                                    .run = run_scoring,
                                    .arg = scoring,
                                    .phases = &scoring->phases});
}

/* ---- embedding ---- */

struct embedding {
    struct inputs inputs;
    struct embedder embedder;
    float *vectors;
};

/* As retort_embed with all texts. */
static void run_embedding(void *arg)
{
    struct embedding *embedding = arg;
    embedder_texts(&embedding->embedder, embedding->vectors, embedding->inputs.first,
                   embedding->inputs.count, "");
}

/* As retort_embed with each text on its own. */
static void run_latency(void *arg)
{
    struct embedding *embedding = arg;
    for (size_t i = 0; i < embedding->inputs.count; i++)
        embedder_texts(&embedding->embedder, embedding->vectors, embedding->inputs.first + i, 1,
                       "");
}

static void release_embedding(void *object)
{
    struct embedding *embedding = object;
    free_inputs(&embedding->inputs);
    encode_workers_close(embedding->embedder.workers);
    free(embedding->vectors);
    free(embedding);
}

void borrow_encoder(struct embedder *out, const struct cross_encoder *ce, struct pool *pool)
{
    const struct encoder_config *config = &ce->encoder.config;
    *out = (struct embedder){.encoder = {.encoder = ce->encoder,
                                         .tokenizer = ce->tokenizer,
                                         .pooling = POOLING_MEAN,
                                         .normalize = true,
                                         .projection_weight = -1,
                                         .projection_bias = -1,
                                         .output_size = config->hidden_size,
                                         .max_length = MAX_LENGTH},
                             .pool = pool,
                             .layers = config->num_layers,
                             .dim = config->hidden_size,
                             .normalize = true};
    out->workers = encode_workers_open(&out->encoder.encoder, pool);
}

static void add_embedding(struct bench *bench, const char *name, const struct cross_encoder *ce,
                          size_t length, size_t count)
{
    struct embedding *embedding = xcalloc(1, sizeof *embedding);
    make_inputs(&embedding->inputs, bench, count, length, false);
    count_flops(&embedding->inputs, &ce->encoder.config, length, false);
    borrow_encoder(&embedding->embedder, ce, bench->pool);
    embedding->vectors = xaligned(count * (size_t)embedding->embedder.dim, sizeof(float));
    bench_own(bench, embedding, release_embedding);
    bench_add(bench, &(struct work){.name = name,
                                    .precision = precision_name(ce->encoder.precision),
                                    .units = {{"texts/s", (double)count}},
                                    .peak = peak_of(&ce->encoder),
                                    .cost = embedding->inputs.all_flops,
                                    .run = length == 16 ? run_latency : run_embedding,
                                    .arg = embedding});
}

/* ---- training: a step as the trainer does it, with pairs in the place of a batch ---- */

struct training {
    struct inputs inputs;
    struct learner *learner;
    struct sequences pairs;
    struct tape_text *texts;
    float *logits, *d_logits;
};

/* What both lists of pairs are learnt with. */
struct learner {
    struct cross_encoder *ce;
    struct tape *tape;
    struct adamw adamw;
    uint64_t step;
};

static void run_training(void *arg)
{
    struct training *training = arg;
    struct learner *learner = training->learner;
    struct params *params = &learner->ce->params;
    struct pool *pool = training->inputs.pool;
    const int layer = learner->ce->encoder.config.num_layers;
    const float *d_logits = training->d_logits;
    uint64_t seed = random_bits(1, 1, learner->step++) | 1;
    struct gradients *gradients = &learner->adamw.gradients;
    gradients_clear(gradients, pool);
    tape_forward(learner->tape, &learner->adamw, training->texts, training->inputs.count, &layer, 1,
                 seed, &training->logits);
    tape_backward(learner->tape, &d_logits, gradients);
    double norm = gradients_norm(gradients, pool);
    adamw_step(&learner->adamw, params, clip_scale(norm, 1), 1e-6, pool);
    encoder_refresh_by(&learner->ce->encoder, pool);
}

static void release_training(void *object)
{
    struct training *training = object;
    free_inputs(&training->inputs);
    sequences_free(&training->pairs);
    free(training->texts);
    free(training->logits), free(training->d_logits);
    free(training);
}

static void release_learner(void *object)
{
    struct learner *learner = object;
    tape_close(learner->tape);
    adamw_free(&learner->adamw);
    free(learner);
}

static struct learner *open_learner(struct bench *bench, struct cross_encoder *ce)
{
    struct learner *learner = xcalloc(1, sizeof *learner);
    *learner =
        (struct learner){.ce = ce, .tape = cross_encoder_tape(ce, bench->pool, tape_keep_bytes)};
    adamw_init(&learner->adamw, &ce->params);
    bench_own(bench, learner, release_learner);
    return learner;
}

static void add_training(struct bench *bench, const char *name, struct learner *learner,
                         size_t length)
{
    const struct cross_encoder *ce = learner->ce;
    struct training *training = xcalloc(1, sizeof *training);
    size_t count = bench_size(bench, 128, 8);
    training->learner = learner;
    training->logits = xcalloc(count, sizeof *training->logits);
    training->d_logits = xcalloc(count, sizeof *training->d_logits);
    training->texts = xcalloc(count, sizeof *training->texts);
    make_inputs(&training->inputs, bench, count, length, true);
    count_flops(&training->inputs, &ce->encoder.config, length, false);
    sequences_encode(&training->pairs, ce->tokenizer, bench->pool, training->inputs.first,
                     training->inputs.second, count, "", MAX_LENGTH);
    for (size_t i = 0; i < count; i++) {
        size_t at = training->pairs.offsets[i];
        REQUIRE((size_t)training->pairs.lengths[i] == (length ? length : bench_mixed_length(i)));
        training->texts[i] = (struct tape_text){
            training->pairs.ids + at, training->pairs.types + at, training->pairs.lengths[i]};
        training->d_logits[i] = (i % 2 ? 1.0f : -1.0f) / (float)count;
    }
    bench_own(bench, training, release_training);
    bench_add(bench, &(struct work){.name = name,
                                    .precision = precision_name(ce->encoder.precision),
                                    .units = {{"pairs/s", (double)count}},
                                    .peak = peak_of(&ce->encoder),
                                    .cost = 3 * training->inputs.all_flops,
                                    .run = run_training,
                                    .arg = training});
}

/* ---- all of them ---- */

static bool is_fast(enum precision precision)
{
    return precision == PRECISION_BF16   ? dnn_has_fast_bf16()
           : precision == PRECISION_INT8 ? dnn_has_fast_int8()
                                         : true;
}

void add_encoders(struct bench *bench)
{
    for (enum precision p = PRECISION_F32; p <= PRECISION_INT8; p++) {
        if (!is_fast(p)) continue;
        struct cross_encoder *ce = open_model(bench, &minilm, p);
        add_scoring(bench, &minilm, ce);
        add_embedding(bench, "embed-64", ce, 64, bench_size(bench, 512, 16));
        add_embedding(bench, "embed-128", ce, 128, bench_size(bench, 256, 8));
        add_embedding(bench, "latency-16", ce, 16, bench_size(bench, 64, 8));
        if (p != PRECISION_INT8) {
            struct learner *learner = open_learner(bench, ce);
            add_training(bench, "train-64", learner, 64);
            add_training(bench, "train-mix", learner, 0);
        }
        add_scoring(bench, &bert_base, open_model(bench, &bert_base, p));
        add_scoring(bench, &small_student, open_model(bench, &small_student, p));
    }
}
