#include "nn/tape.h"

#include <stdlib.h>
#include <string.h>

#include "nn/encode.h"

const size_t tape_keep_bytes = (size_t)3 << 30;

/* What one batch keeps between forward and backward. */
struct tape_batch {
    struct batch batch;
    struct encoder_pass *pass; /* own, where activations are kept; else the lane's */
    float *kept;               /* of the head: [num_layers][num_seqs, kept_size] */
    size_t kept_capacity;
};

struct lane {
    struct encoder_pass *pass;
    struct gradients own;        /* of its batches, but for the first lane's */
    struct gradients *gradients; /* what its batches add to */
    float *z, *d_z, *d_kept, *d_hidden;
    size_t rows, hidden_values;
};

struct tape {
    const struct encoder *encoder;
    struct tape_head head;
    struct pool *pool;
    size_t keep_bytes;
    bool keep;
    struct lane *lanes;
    size_t num_lanes;
    struct tape_batch *batches;
    size_t num_batches, batch_capacity;
    struct chunks chunks;
    const struct tape_text *texts;
    const int *layers;
    int num_layers;
    uint64_t dropout_seed;
    float *const *z;
    const float *const *d_z;
};

struct tape *tape_open(const struct encoder *encoder, const struct tape_head *head,
                       struct pool *pool, size_t keep_bytes)
{
    struct tape *tape = xcalloc(1, sizeof *tape);
    *tape =
        (struct tape){.encoder = encoder, .head = *head, .pool = pool, .keep_bytes = keep_bytes};
    tape->num_lanes = (size_t)pool_size(pool);
    tape->lanes = xcalloc(tape->num_lanes, sizeof *tape->lanes);
    for (size_t l = 0; l < tape->num_lanes; l++) {
        tape->lanes[l].pass = encoder_pass_open(encoder);
        if (l > 0) gradients_init(&tape->lanes[l].own, encoder->params);
    }
    return tape;
}

static size_t hidden_size(const struct tape *tape)
{
    return (size_t)tape->encoder->config.hidden_size;
}

/* Where the head's kept values of one tapped layer begin. */
static float *kept_at(const struct tape *tape, const struct tape_batch *own, int l)
{
    return own->kept + (size_t)l * (size_t)own->batch.num_seqs * (size_t)tape->head.kept_size;
}

static struct forward_mode mode_of(const struct tape *tape, size_t c)
{
    return (struct forward_mode){.num_layers = tape->layers[tape->num_layers - 1],
                                 .keep = tape->keep,
                                 .dropout = tape->dropout_seed != 0,
                                 .dropout_seed = random_bits(tape->dropout_seed, 1, c)};
}

static void lane_reserve(struct lane *lane, const struct tape *tape, const struct batch *batch)
{
    size_t rows = (size_t)batch->num_seqs;
    size_t values = (size_t)batch->num_tokens * hidden_size(tape) * (size_t)tape->num_layers;
    if (rows > lane->rows) {
        size_t width = (size_t)tape->head.output_size;
        lane->z = xrealloc(lane->z, rows * width, sizeof(float));
        lane->d_z = xrealloc(lane->d_z, rows * width, sizeof(float));
        lane->d_kept = xrealloc(lane->d_kept, rows * (size_t)tape->head.kept_size, sizeof(float));
        lane->rows = rows;
    }
    if (values > lane->hidden_values) {
        lane->d_hidden = xrealloc(lane->d_hidden, values, sizeof(float));
        lane->hidden_values = values;
    }
}

static void fill_batch(struct tape *tape, size_t c)
{
    struct tape_batch *own = &tape->batches[c];
    batch_clear(&own->batch);
    for (size_t at = tape->chunks.starts[c]; at < tape->chunks.starts[c + 1]; at++) {
        const struct tape_text *text = &tape->texts[tape->chunks.order[at]];
        batch_add(&own->batch, text->ids, text->types, (size_t)text->length);
    }
    size_t size =
        (size_t)own->batch.num_seqs * (size_t)tape->head.kept_size * (size_t)tape->num_layers;
    if (size > own->kept_capacity) {
        own->kept = xrealloc(own->kept, size, sizeof(float));
        own->kept_capacity = size;
    }
    if (tape->keep && !own->pass) own->pass = encoder_pass_open(tape->encoder);
}

static struct encoder_pass *pass_of(const struct tape *tape, const struct lane *lane, size_t c)
{
    return tape->keep ? tape->batches[c].pass : lane->pass;
}

/* Copies rows of a batch between its own order and the step's: the row of batch sequence s is
 * order[first + s]. */
static void rows_out(float *all, const float *own, const uint32_t *order, size_t n, size_t width)
{
    for (size_t s = 0; s < n; s++)
        memcpy(all + order[s] * width, own + s * width, width * sizeof *own);
}

static void rows_in(float *own, const float *all, const uint32_t *order, size_t n, size_t width)
{
    for (size_t s = 0; s < n; s++)
        memcpy(own + s * width, all + order[s] * width, width * sizeof *own);
}

static void forward_batch(struct tape *tape, struct lane *lane, size_t c)
{
    fill_batch(tape, c);
    struct tape_batch *own = &tape->batches[c];
    lane_reserve(lane, tape, &own->batch);
    struct encoder_pass *pass = pass_of(tape, lane, c);
    encoder_forward(pass, &own->batch, mode_of(tape, c));
    for (int l = 0; l < tape->num_layers; l++) {
        tape->head.forward(tape->head.model, pass, &own->batch, tape->layers[l],
                           kept_at(tape, own, l), lane->z);
        rows_out(tape->z[l], lane->z, tape->chunks.order + tape->chunks.starts[c],
                 (size_t)own->batch.num_seqs, (size_t)tape->head.output_size);
    }
}

static void backward_batch(struct tape *tape, struct lane *lane, size_t c)
{
    struct tape_batch *own = &tape->batches[c];
    size_t values = (size_t)own->batch.num_tokens * hidden_size(tape);
    lane_reserve(lane, tape, &own->batch);
    struct encoder_pass *pass = pass_of(tape, lane, c);
    if (!tape->keep) {
        struct forward_mode mode = mode_of(tape, c);
        mode.keep = true;
        encoder_forward(pass, &own->batch, mode);
    }
    int deepest = tape->layers[tape->num_layers - 1];
    const float **d_hidden = xcalloc((size_t)deepest + 1, sizeof *d_hidden);
    for (int l = 0; l < tape->num_layers; l++) {
        float *d = lane->d_hidden + (size_t)l * values;
        rows_in(lane->d_z, tape->d_z[l], tape->chunks.order + tape->chunks.starts[c],
                (size_t)own->batch.num_seqs, (size_t)tape->head.output_size);
        tape->head.backward(tape->head.model, &own->batch, kept_at(tape, own, l), lane->d_z,
                            lane->d_kept, d, lane->gradients->values);
        d_hidden[tape->layers[l]] = d;
    }
    gradients_touch(lane->gradients, own->batch.ids, (size_t)own->batch.num_tokens);
    encoder_backward(pass, &own->batch, d_hidden, lane->gradients->values);
    free(d_hidden);
}

static void forward_lane(void *arg, size_t item, int worker)
{
    (void)worker;
    struct tape *tape = arg;
    for (size_t c = item; c < tape->num_batches; c += tape->num_lanes)
        forward_batch(tape, &tape->lanes[item], c);
}

static void backward_lane(void *arg, size_t item, int worker)
{
    (void)worker;
    struct tape *tape = arg;
    struct lane *lane = &tape->lanes[item];
    if (lane->gradients == &lane->own) gradients_clear(&lane->own, NULL);
    for (size_t c = item; c < tape->num_batches; c += tape->num_lanes)
        backward_batch(tape, lane, c);
}

static void cut(struct tape *tape, size_t n)
{
    int *lengths = xcalloc(n, sizeof *lengths);
    size_t tokens = 0;
    for (size_t i = 0; i < n; i++) tokens += (size_t)(lengths[i] = tape->texts[i].length);
    chunks_free(&tape->chunks);
    chunks_share(&tape->chunks, lengths, n, ENCODE_TOKEN_BUDGET, tape->num_lanes);
    free(lengths);
    tape->num_batches = tape->chunks.num_chunks;
    while (tape->batch_capacity < tape->num_batches) {
        size_t old = tape->batch_capacity;
        tape->batches =
            xrealloc(tape->batches, grown(&tape->batch_capacity), sizeof *tape->batches);
        memset(tape->batches + old, 0, (tape->batch_capacity - old) * sizeof *tape->batches);
    }
    int deepest = tape->layers[tape->num_layers - 1];
    tape->keep =
        tokens <= INT32_MAX && encoder_kept_bytes(&tape->encoder->config, deepest, (int)tokens,
                                                  tape->encoder->precision) <= tape->keep_bytes;
}

void tape_forward(struct tape *tape, struct adamw *adamw, const struct tape_text *texts, size_t n,
                  const int *layers, int num_layers, uint64_t dropout_seed, float *const *z)
{
    for (size_t i = 0; adamw && i < n; i++)
        gradients_touch(&adamw->gradients, texts[i].ids, (size_t)texts[i].length);
    if (adamw) adamw_catch_up(adamw, tape->encoder->params, tape->pool);
    tape->texts = texts;
    tape->layers = layers;
    tape->num_layers = num_layers;
    tape->dropout_seed = dropout_seed;
    tape->z = z;
    cut(tape, n);
    pool_run(tape->pool, tape->num_lanes, forward_lane, tape);
}

void tape_backward(struct tape *tape, const float *const *d_z, struct gradients *gradients)
{
    const struct gradients **others = xcalloc(tape->num_lanes, sizeof *others);
    tape->d_z = d_z;
    tape->lanes[0].gradients = gradients;
    for (size_t l = 1; l < tape->num_lanes; l++)
        others[l - 1] = tape->lanes[l].gradients = &tape->lanes[l].own;
    pool_run(tape->pool, tape->num_lanes, backward_lane, tape);
    gradients_add(gradients, others, tape->num_lanes - 1, tape->pool);
    free(others);
}

void tape_close(struct tape *tape)
{
    if (!tape) return;
    for (size_t c = 0; c < tape->batch_capacity; c++) {
        batch_free(&tape->batches[c].batch);
        encoder_pass_close(tape->batches[c].pass);
        free(tape->batches[c].kept);
    }
    for (size_t l = 0; l < tape->num_lanes; l++) {
        struct lane *lane = &tape->lanes[l];
        encoder_pass_close(lane->pass);
        gradients_free(&lane->own);
        free(lane->z);
        free(lane->d_z);
        free(lane->d_kept);
        free(lane->d_hidden);
    }
    chunks_free(&tape->chunks);
    free(tape->batches);
    free(tape->lanes);
    free(tape);
}
