#include "nn/encode.h"

#include "data/guard.h"

#include <math.h>
#include <stdlib.h>

struct encode_workers {
    const struct encoder *encoder;
    struct pool *pool;
    struct encoder_pass **passes; /* [pool_size] */
    struct batch *batches;        /* [pool_size] */
    bool alone;                   /* no teams */
};

struct encode_work {
    struct encode_workers *workers;
    const struct sequences *sequences;
    const struct chunks *chunks;
    struct forward_mode mode;
    encode_done *done;
    void *arg;
    int team_size; /* threads to a chunk */
};

static const uint32_t *items_of(const struct encode_work *work, size_t chunk)
{
    return work->chunks->order + work->chunks->starts[chunk];
}

/* batch holds the sequences of the chunk. */
static void fill_batch(struct batch *batch, const struct encode_work *work, size_t chunk)
{
    const struct sequences *all = work->sequences;
    const uint32_t *items = items_of(work, chunk);
    size_t count = work->chunks->starts[chunk + 1] - work->chunks->starts[chunk];
    batch_clear(batch);
    for (size_t s = 0; s < count; s++) {
        size_t at = all->offsets[items[s]];
        batch_add(batch, all->ids + at, all->types + at, (size_t)all->lengths[items[s]]);
    }
}

static void encode_chunk(void *arg, size_t chunk, int worker)
{
    const struct encode_work *work = arg;
    struct encoder_pass *pass = work->workers->passes[worker];
    struct batch *batch = &work->workers->batches[worker];
    fill_batch(batch, work, chunk);
    encoder_forward(pass, batch, work->mode);
    work->done(work->arg, worker, pass, batch, items_of(work, chunk));
}

/* One thread of the team that encodes a chunk, by the pass of the chunk's number. */
static void encode_share(void *arg, size_t item, int worker)
{
    const struct encode_work *work = arg;
    size_t chunk = item / (size_t)work->team_size;
    int index = (int)(item % (size_t)work->team_size);
    struct encoder_pass *pass = work->workers->passes[chunk];
    encoder_forward_share(pass, index, pool_team(work->workers->pool, chunk));
    if (index == 0)
        work->done(work->arg, worker, pass, &work->workers->batches[chunk], items_of(work, chunk));
}

static void encode_by_teams(struct encode_work *work)
{
    const struct encode_workers *workers = work->workers;
    size_t num_chunks = work->chunks->num_chunks;
    for (size_t c = 0; c < num_chunks; c++) {
        fill_batch(&workers->batches[c], work, c);
        encoder_forward_begin(workers->passes[c], &workers->batches[c], work->mode,
                              work->team_size);
    }
    pool_run_teams(workers->pool, num_chunks, work->team_size, encode_share, work);
}

static void release_workers(void *workers)
{
    encode_workers_close(workers);
}

struct encode_workers *encode_workers_open(const struct encoder *encoder, struct pool *pool)
{
    size_t count = (size_t)pool_size(pool);
    struct encode_workers *workers = hold(xcalloc(1, sizeof *workers), release_workers);
    workers->encoder = encoder;
    workers->pool = pool;
    workers->batches = xcalloc(count, sizeof *workers->batches);
    workers->passes = xcalloc(count, sizeof *workers->passes);
    for (size_t w = 0; w < count; w++) workers->passes[w] = encoder_pass_open(encoder);
    return let_go(workers);
}

void encode_workers_close(struct encode_workers *workers)
{
    if (!workers) return;
    for (int w = 0; workers->passes && w < pool_size(workers->pool); w++) {
        encoder_pass_close(workers->passes[w]);
        batch_free(&workers->batches[w]);
    }
    free(workers->passes);
    free(workers->batches);
    free(workers);
}

void encode_chunks(struct encode_workers *workers, const struct sequences *sequences,
                   const struct chunks *chunks, struct forward_mode mode, encode_done *done,
                   void *arg)
{
    struct encode_work work = {.workers = workers,
                               .sequences = sequences,
                               .chunks = chunks,
                               .mode = mode,
                               .done = done,
                               .arg = arg};
    size_t size = (size_t)pool_size(workers->pool), num_chunks = chunks->num_chunks;
    if (num_chunks == 0) return;
    work.team_size = workers->alone ? 1 : (int)(size / num_chunks);
    if (work.team_size > 1)
        encode_by_teams(&work);
    else
        pool_run(workers->pool, num_chunks, encode_chunk, &work);
}

static void ignore(void *arg, int worker, const struct encoder_pass *pass,
                   const struct batch *batch, const uint32_t *items)
{
    (void)arg, (void)worker, (void)pass, (void)batch, (void)items;
}

static void release_chunks(void *chunks)
{
    chunks_free(chunks);
}

void encode_sequences(struct encode_workers *workers, const struct sequences *sequences,
                      int num_layers, encode_done *done, void *arg)
{
    struct chunks chunks = {0};
    hold(&chunks, release_chunks);
    chunks_cut(&chunks, sequences->lengths, sequences->count, ENCODE_TOKEN_BUDGET);
    encode_chunks(workers, sequences, &chunks, (struct forward_mode){.num_layers = num_layers},
                  done, arg);
    chunks_free(let_go(&chunks));
}

void encode_calibrate(struct encoder *encoder, struct pool *pool, const struct sequences *sequences,
                      struct forward_mode mode)
{
    size_t channels = encoder_channels(&encoder->config), count = (size_t)pool_size(pool);
    float *largest = hold(xcalloc(count * channels, sizeof *largest), free);
    struct encode_workers *workers = hold(encode_workers_open(encoder, pool), release_workers);
    struct chunks chunks = {0};
    hold(&chunks, release_chunks);
    chunks_cut(&chunks, sequences->lengths, sequences->count, ENCODE_TOKEN_BUDGET);
    workers->alone = true; /* each pass observes its own thread */
    for (size_t w = 0; w < count; w++)
        encoder_pass_observe(workers->passes[w], largest + w * channels);
    encode_chunks(workers, sequences, &chunks, mode, ignore, NULL);
    for (size_t w = 1; w < count; w++)
        for (size_t c = 0; c < channels; c++)
            largest[c] = fmaxf(largest[c], largest[w * channels + c]);
    encoder_calibrate(encoder, largest);
    chunks_free(let_go(&chunks));
    encode_workers_close(let_go(workers));
    free(let_go(largest));
}
