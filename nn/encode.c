#include "nn/encode.h"

#include <stdlib.h>

struct encode_work {
    const struct sequences *sequences;
    const struct chunks *chunks;
    struct encoder_pass **passes; /* [workers] */
    struct batch *batches;        /* [workers] */
    int num_layers;
    encode_done *done;
    void *arg;
};

static void encode_chunk(void *arg, size_t item, int worker)
{
    struct encode_work *work = arg;
    const struct sequences *all = work->sequences;
    const uint32_t *items = work->chunks->order + work->chunks->starts[item];
    size_t count = work->chunks->starts[item + 1] - work->chunks->starts[item];
    struct batch *batch = &work->batches[worker];
    batch_clear(batch);
    for (size_t s = 0; s < count; s++) {
        size_t at = all->offsets[items[s]];
        batch_add(batch, all->ids + at, all->types + at, (size_t)all->lengths[items[s]]);
    }
    encoder_forward(work->passes[worker], batch,
                    (struct forward_mode){.num_layers = work->num_layers});
    work->done(work->arg, worker, work->passes[worker], batch, items);
}

void encode_chunks(const struct encoder *encoder, struct pool *pool,
                   const struct sequences *sequences, const struct chunks *chunks, int num_layers,
                   encode_done *done, void *arg)
{
    size_t workers = (size_t)pool_size(pool);
    struct encode_work work = {.sequences = sequences,
                               .chunks = chunks,
                               .passes = xcalloc(workers, sizeof *work.passes),
                               .batches = xcalloc(workers, sizeof *work.batches),
                               .num_layers = num_layers,
                               .done = done,
                               .arg = arg};
    for (size_t w = 0; w < workers; w++) work.passes[w] = encoder_pass_open(encoder);
    pool_run(pool, chunks->num_chunks, encode_chunk, &work);
    for (size_t w = 0; w < workers; w++) {
        encoder_pass_close(work.passes[w]);
        batch_free(&work.batches[w]);
    }
    free(work.passes);
    free(work.batches);
}

void encode_sequences(const struct encoder *encoder, struct pool *pool,
                      const struct sequences *sequences, int num_layers, encode_done *done,
                      void *arg)
{
    struct chunks chunks;
    chunks_cut(&chunks, sequences->lengths, sequences->count, ENCODE_TOKEN_BUDGET);
    encode_chunks(encoder, pool, sequences, &chunks, num_layers, done, arg);
    chunks_free(&chunks);
}
