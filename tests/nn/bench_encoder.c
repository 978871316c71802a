/* Encoder speed at MiniLM-L6's shape with random weights: GFLOP/s of real tokens, forward and
 * training, against the best matrix product of this library in the same run.  Lengths are lognormal
 * (median 57, sigma 0.6, 8..256), cut into chunks of 512 tokens.  Times are processor seconds of
 * each thread, so that other load matters less; the best of a few. */
#define _GNU_SOURCE
#include "data/base.h"
#include "data/threads.h"
#include "nn/dnn.h"
#include "nn/encoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SEQUENCES = 64, BUDGET = 512, REPEATS = 3 };

static const struct hf_config shape = {.model_type = "bert",
                                       .hidden_act = "gelu",
                                       .vocab_size = 2000,
                                       .hidden_size = 384,
                                       .num_layers = 6,
                                       .num_heads = 12,
                                       .intermediate_size = 1536,
                                       .max_positions = 512,
                                       .type_vocab_size = 2,
                                       .layer_norm_eps = 1e-12,
                                       .hidden_dropout = 0.1,
                                       .attention_dropout = 0.1};

static double thread_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

struct bench {
    struct params params;
    struct encoder encoder;
    struct batch *batches;
    size_t num_batches;
    bool train, dropout;
    struct encoder_pass *passes[64];
    float *d_params[64], *d_top; /* gradient at the last layer */
    double seconds[64];
};

static double flops_of(const struct encoder_config *config, const struct batch *batch)
{
    double flops = 0, hidden = config->hidden_size, inner = config->intermediate_size;
    for (int s = 0; s < batch->num_seqs; s++) {
        double n = batch->offsets[s + 1] - batch->offsets[s];
        flops += n * (8 * hidden * hidden + 4 * hidden * inner + 4 * hidden * n);
    }
    return flops * config->num_layers;
}

static void make_batches(struct bench *bench)
{
    int lengths[SEQUENCES];
    for (int i = 0; i < SEQUENCES; i++) {
        double length = 57 * exp(0.6 * random_normal(13, 1, (uint64_t)i));
        lengths[i] = length < 8 ? 8 : length > 256 ? 256 : (int)length;
    }
    struct chunks chunks;
    chunks_cut(&chunks, lengths, SEQUENCES, BUDGET);
    bench->batches = xcalloc(chunks.num_chunks, sizeof *bench->batches);
    bench->num_batches = chunks.num_chunks;
    for (size_t c = 0; c < chunks.num_chunks; c++)
        for (size_t i = chunks.starts[c]; i < chunks.starts[c + 1]; i++) {
            int32_t ids[256];
            for (int j = 0; j < 256; j++)
                ids[j] = (int32_t)(random_bits(13, 2 + i, (uint64_t)j) % 2000);
            batch_add(&bench->batches[c], ids, NULL, (size_t)lengths[chunks.order[i]]);
        }
    chunks_free(&chunks);
}

static void open_bench(struct bench *bench, enum precision precision)
{
    struct error err = {0};
    struct encoder_config config;
    *bench = (struct bench){0};
    REQUIRE(encoder_config_from_hf(&config, &shape, &err) == 0);
    encoder_declare(&bench->encoder, &config, &bench->params);
    params_alloc(&bench->params);
    params_init_random(&bench->params, 0, (int)bench->params.count, 0.02, 13);
    encoder_init(&bench->encoder, precision);
    encoder_refresh(&bench->encoder);
    make_batches(bench);
    bench->d_top = xaligned((size_t)1024 * config.hidden_size, sizeof(float));
    for (size_t i = 0; i < (size_t)1024 * config.hidden_size; i++)
        bench->d_top[i] = 1e-3f * (float)random_normal(13, 99, i);
}

static void close_bench(struct bench *bench, int threads)
{
    for (int i = 0; i < threads; i++)
        encoder_pass_close(bench->passes[i]), free(bench->d_params[i]);
    for (size_t i = 0; i < bench->num_batches; i++) batch_free(&bench->batches[i]);
    free(bench->batches), free(bench->d_top);
    encoder_free(&bench->encoder);
    params_free(&bench->params);
}

static void run_item(void *arg, size_t item, int worker)
{
    struct bench *bench = arg;
    double started = thread_seconds();
    int layers = shape.num_layers;
    if (!bench->passes[worker]) bench->passes[worker] = encoder_pass_open(&bench->encoder);
    struct batch *batch = &bench->batches[item];
    encoder_forward(bench->passes[worker], batch,
                    (struct forward_mode){
                        .num_layers = layers, .keep = bench->train, .dropout = bench->dropout});
    if (bench->train) {
        const float *taps[7] = {[6] = bench->d_top};
        if (!bench->d_params[worker])
            bench->d_params[worker] = xaligned(bench->params.size, sizeof(float));
        encoder_backward(bench->passes[worker], batch, taps, bench->d_params[worker]);
    }
    bench->seconds[worker] += thread_seconds() - started;
}

/* GFLOP/s of all threads together: work by the processor time of the average thread. */
static double rate_of(struct bench *bench, struct pool *pool)
{
    double best = 0, flops = 0;
    for (size_t i = 0; i < bench->num_batches; i++)
        flops += flops_of(&bench->encoder.config, &bench->batches[i]);
    if (bench->train) flops *= 3;
    for (int repeat = 0; repeat <= REPEATS; repeat++) {
        double seconds = 0;
        for (int i = 0; i < pool_size(pool); i++) bench->seconds[i] = 0;
        pool_run(pool, bench->num_batches, run_item, bench);
        for (int i = 0; i < pool_size(pool); i++) seconds += bench->seconds[i];
        double rate = flops / seconds * pool_size(pool) * 1e-9;
        if (repeat > 0 && rate > best) best = rate; /* the first compiles and touches memory */
    }
    return best;
}

/* One thread's best product among the encoder's own. */
static double best_product(enum element element)
{
    double best = 0;
    struct dnn *dnn = dnn_open();
    for (int k = 384; k <= 1536; k += 1152) {
        int n = k == 384 ? 1152 : 384;
        struct dnn_weights *weights = dnn_weights_open(n, k, element, DNN_FORWARD);
        float *values = xaligned((size_t)n * k, 4), *x = xaligned((size_t)512 * k, 4);
        float *y = xaligned((size_t)512 * n, 4);
        dnn_weights_pack(dnn, weights, values);
        for (int repeat = 0; repeat < 40; repeat++) {
            double started = thread_seconds();
            for (int i = 0; i < 4; i++)
                dnn_linear_forward(dnn, y, x, weights, NULL, 512, DNN_WRITE_F32);
            double rate = 4 * 2.0 * 512 * n * k / (thread_seconds() - started) * 1e-9;
            if (rate > best) best = rate;
        }
        free(values), free(x), free(y);
        dnn_weights_close(weights);
    }
    dnn_close(dnn);
    return best;
}

int main(void)
{
    struct error err = {0};
    enum precision precisions[] = {PRECISION_F32, PRECISION_AUTO};
    precision_resolve(&precisions[1], &err);
    printf("precision threads work                 GFLOP/s  of the best product\n");
    for (int p = 0; p < 2; p++) {
        if (p == 1 && precisions[1] == PRECISION_F32) break;
        double product = best_product(p ? ELEMENT_BF16 : ELEMENT_F32);
        for (int threads = 1; threads <= 2; threads++)
            for (int work = 0; work < 3; work++) {
                static const char *const names[] = {"forward", "forward+backward", "with dropout"};
                struct bench bench;
                struct pool *pool = pool_open(threads);
                open_bench(&bench, precisions[p]);
                bench.train = work > 0, bench.dropout = work > 1;
                double rate = rate_of(&bench, pool);
                printf("%-9s %7d %-20s %8.1f  %.3f\n", precision_name(precisions[p]), threads,
                       names[work], rate, rate / (product * threads));
                fflush(stdout);
                close_bench(&bench, threads);
                pool_close(pool);
            }
        printf("%-9s %7d %-20s %8.1f\n", precision_name(precisions[p]), 1, "best product", product);
    }
    return 0;
}
