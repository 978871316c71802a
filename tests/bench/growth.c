/* How the cost of a token, a text, a query or a document grows with what there is of it: the length
 * of texts, how many come in a call, threads, documents.
 *
 * What a work should grow with is its cost; a row's expected ratio is its cost for one unit to that
 * of the first row of the same name. */
#include "student/bm25.h"
#include "student/index.h"
#include "student/search.h"

#include "tests/bench/encoders.h"
#include "tests/bench/texts.h"

#include "data/sequences.h"
#include "nn/dnn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- encoders: by tokens of a text, texts in a call, threads ---- */

struct encoding {
    struct inputs inputs;
    const struct cross_encoder *ce; /* scores pairs; NULL: the embedder embeds texts */
    struct embedder embedder;
    size_t at_once; /* texts in a call */
    int max_length;
    float *out;
};

static void run_encoding(void *arg)
{
    struct encoding *encoding = arg;
    const struct inputs *inputs = &encoding->inputs;
    for (size_t first = 0; first < inputs->count; first += encoding->at_once) {
        size_t left = inputs->count - first;
        size_t n = left < encoding->at_once ? left : encoding->at_once;
        if (encoding->ce)
            cross_encoder_score(encoding->ce, inputs->pool, inputs->first + first,
                                inputs->second + first, n, encoding->max_length, encoding->out);
        else
            embedder_texts(&encoding->embedder, encoding->out, inputs->first + first, n, "");
    }
}

static void release_encoding(void *object)
{
    struct encoding *encoding = object;
    free_inputs(&encoding->inputs);
    encode_workers_close(encoding->embedder.workers);
    free(encoding->out);
    free(encoding);
}

/* Of count texts, or pairs, of `length` tokens (0: mixed). */
static struct encoding *make_encoding(struct bench *bench, const struct cross_encoder *ce,
                                      bool pairs, size_t length, size_t count)
{
    struct encoding *encoding = xcalloc(1, sizeof *encoding);
    make_inputs(&encoding->inputs, bench, count, length, pairs);
    count_flops(&encoding->inputs, &ce->encoder.config, length, pairs);
    borrow_encoder(&encoding->embedder, ce, bench->pool);
    encoding->ce = pairs ? ce : NULL;
    encoding->at_once = count;
    encoding->max_length = encoder_max_tokens(&ce->encoder.config);
    encoding->out = xaligned(count * (size_t)encoding->embedder.dim, sizeof(float));
    bench_own(bench, encoding, release_encoding);
    return encoding;
}

static struct work encoding_work(const char *name, const char *by, size_t size,
                                 struct encoding *encoding)
{
    return (struct work){.name = name,
                         .precision = precision_name(encoding->embedder.encoder.encoder.precision),
                         .by = by,
                         .size = size,
                         .run = run_encoding,
                         .arg = encoding};
}

/* A token costs the linear layers' flops, the same in all texts, and attention's, which grow with
 * the length. */
static void add_lengths(struct bench *bench, const struct cross_encoder *ce)
{
    size_t tokens = bench_size(bench, 1 << 14, 1 << 10);
    for (int pairs = 0; pairs < 2; pairs++)
        for (size_t length = 16; length <= 512; length *= 2) {
            struct encoding *encoding = make_encoding(bench, ce, pairs, length, tokens / length);
            struct work work = encoding_work(pairs ? "score" : "embed", "tokens", length, encoding);
            work.units[0] = (struct unit){"token", (double)tokens};
            work.cost = encoding->inputs.all_flops;
            bench_add(bench, &work);
        }
}

/* A call's texts are cut into batches of ENCODE_TOKEN_BUDGET tokens; where they are fewer than the
 * cores, cores share a batch. */
static void add_calls(struct bench *bench, const struct cross_encoder *ce)
{
    size_t count = bench_size(bench, 512, 16), length = 64;
    for (size_t at_once = 1; at_once <= count; at_once *= 8) {
        struct encoding *encoding = make_encoding(bench, ce, false, length, count);
        encoding->at_once = at_once;
        struct work work = encoding_work("embed-64", "texts a call", at_once, encoding);
        work.units[0] = (struct unit){"text", (double)count};
        work.cost = (double)count;
        bench_add(bench, &work);
    }
}

static void release_pool(void *pool)
{
    pool_close(pool);
}

static void add_threads(struct bench *bench, const struct cross_encoder *ce)
{
    size_t count = bench_size(bench, 512, 16);
    for (int threads = 1; threads <= pool_size(bench->pool); threads *= 2) {
        struct encoding *encoding = make_encoding(bench, ce, true, 0, count);
        encoding->inputs.pool = pool_open(threads);
        bench_own(bench, encoding->inputs.pool, release_pool);
        struct work work = encoding_work("score-mix", "threads", (size_t)threads, encoding);
        work.units[0] = (struct unit){"pair", (double)count};
        work.cost = (double)count / threads;
        bench_add(bench, &work);
    }
}

/* ---- by documents ---- */

enum { DIM = 128, HITS = 100, QUERY_WORDS = 6, QUERIES = 64 };

/* What all sizes share: the largest collection, of which the others are the first documents. */
struct documents {
    struct pool *pool;
    const struct tokenizer *tokenizer;
    const char **texts, **queries; /* [most], [QUERIES] */
    const char **ids;
    float *vectors, *query_vector; /* [most, DIM], [DIM] */
    struct arena arena;
    char *folder;
};
struct size {
    struct documents *documents;
    size_t count;
    struct bm25 *index; /* of the first `count`, once it was built */
};

static void run_index(void *arg)
{
    const struct size *size = arg;
    const struct documents *all = size->documents;
    struct error err = {0};
    struct index_writer writer;
    const struct index_info info = {.model = (char *)"none",
                                    .fingerprint = "00000000000000000000000000000000",
                                    .layers = 1,
                                    .dim = DIM,
                                    .count = size->count};
    REQUIRE(index_writer_open(&writer, all->folder, &info, &err) == 0);
    REQUIRE(index_writer_add(&writer, all->ids, all->vectors, size->count, &err) == 0);
    REQUIRE(index_writer_commit(&writer, &err) == 0);
}

static void run_search(void *arg)
{
    const struct size *size = arg;
    const struct documents *all = size->documents;
    struct hit hits[HITS];
    const struct stored_vectors stored = {
        .type = VECTOR_F32, .count = size->count, .dim = DIM, .values = all->vectors};
    search_top_k(hits, all->query_vector, 1, &stored, HITS, all->pool);
}

static void run_bm25_build(void *arg)
{
    struct size *size = arg;
    const struct documents *all = size->documents;
    bm25_free(size->index);
    size->index = bm25_build(all->texts, size->count, 0.9, 0.4, all->pool);
}

static void run_bm25_queries(void *arg)
{
    struct size *size = arg;
    const struct documents *all = size->documents;
    struct hit hits[HITS];
    if (!size->index) run_bm25_build(size);
    for (size_t q = 0; q < QUERIES; q++) bm25_search(size->index, all->queries[q], HITS, hits);
}

static void run_tokenise(void *arg)
{
    const struct size *size = arg;
    const struct documents *all = size->documents;
    struct sequences sequences;
    sequences_encode(&sequences, all->tokenizer, all->pool, all->texts, NULL, size->count, "", 256);
    sequences_free(&sequences);
}

static void release_documents(void *object)
{
    struct documents *all = object;
    remove_folder(all->folder);
    free(all->texts), free(all->queries), free(all->ids);
    free(all->vectors), free(all->query_vector);
    arena_free(&all->arena);
    free(all->folder);
    free(all);
}

static void release_size(void *object)
{
    struct size *size = object;
    bm25_free(size->index);
    free(size);
}

static struct documents *make_documents(struct bench *bench, size_t most)
{
    struct documents *all = xcalloc(1, sizeof *all);
    *all = (struct documents){.pool = bench->pool,
                              .tokenizer = bench->texts->tokenizer,
                              .ids = xcalloc(most, sizeof *all->ids),
                              .vectors = xaligned(most * DIM, sizeof(float)),
                              .query_vector = xaligned(DIM, sizeof(float)),
                              .folder = xasprintf("%s.index", bench->path)};
    all->texts = zipf_texts(&all->arena, most, 1, 0);
    all->queries = zipf_texts(&all->arena, QUERIES, 1 << 30, QUERY_WORDS);
    for (size_t d = 0; d < most; d++) {
        char id[24];
        all->ids[d] =
            arena_strndup(&all->arena, id, (size_t)snprintf(id, sizeof id, "d%zu", d + 1));
    }
    for (size_t i = 0; i < most * DIM; i++)
        all->vectors[i] = (float)(random_bits(1, 2, i) & 1023) - 512;
    for (size_t i = 0; i < DIM; i++) all->query_vector[i] = (float)random_normal(1, 1, i);
    bench_own(bench, all, release_documents);
    return all;
}

/* The words of a query stand in documents as often as in any others of the collection: what is
 * found by reading all postings takes time as their number does. */
static void add_documents(struct bench *bench)
{
    static const struct {
        const char *name, *unit;
        void (*run)(void *arg);
        size_t repeats; /* units in a run, or 0: as many as documents */
    } kinds[] = {{"index", "document", run_index, 0},
                 {"tokenise", "document", run_tokenise, 0},
                 {"bm25-build", "document", run_bm25_build, 0},
                 {"bm25-query", "query", run_bm25_queries, QUERIES},
                 {"search-one", "query", run_search, 1}};
    size_t most = bench_size(bench, 1000000, 4000);
    struct documents *all = make_documents(bench, most);
    for (size_t count = most / 1000 > 1000 ? most / 1000 : 1000; count <= most; count *= 10) {
        struct size *size = xcalloc(1, sizeof *size);
        *size = (struct size){.documents = all, .count = count};
        bench_own(bench, size, release_size);
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            double units = kinds[k].repeats ? (double)kinds[k].repeats : (double)count;
            bench_add(bench, &(struct work){.name = kinds[k].name,
                                            .precision = "-",
                                            .by = "documents",
                                            .size = count,
                                            .units = {{kinds[k].unit, units}},
                                            .cost = units * (kinds[k].repeats ? (double)count : 1),
                                            .run = kinds[k].run,
                                            .arg = size});
        }
    }
}

/* ---- all of them ---- */

void add_growth(struct bench *bench)
{
    const struct cross_encoder *ce = open_model(bench, &minilm, best_precision());
    add_lengths(bench, ce);
    add_calls(bench, ce);
    add_threads(bench, ce);
    add_documents(bench);
}

/* The first work of the same name. */
static const struct work *first_of(const struct bench *bench, const struct work *work)
{
    const struct work *first = bench->works;
    while (strcmp(first->name, work->name) != 0) first++;
    return first;
}

void print_growth(FILE *tsv, const struct bench *bench)
{
    printf("%-12s %-9s %-12s %8s %12s %-10s %9s %9s\n", "work", "precision", "grows by", "size",
           "seconds", "per", "to first", "expected");
    fprintf(tsv, "work\tprecision\tby\tsize\tseconds\tper\tto_first\texpected\n");
    for (size_t w = 0; w < bench->count; w++) {
        const struct work *work = &bench->works[w], *first = first_of(bench, work);
        double units = work->units[0].amount, of_first = first->units[0].amount;
        double seconds = work->least.wall / units;
        double ratio = seconds / (first->least.wall / of_first);
        double expected = work->cost / units / (first->cost / of_first);
        printf("%-12s %-9s %-12s %8zu %12.3e %-10s %9.3f %9.3f\n", work->name, work->precision,
               work->by, work->size, seconds, work->units[0].name, ratio, expected);
        fprintf(tsv, "%s\t%s\t%s\t%zu\t%.4e\t%s\t%.3f\t%.3f\n", work->name, work->precision,
                work->by, work->size, seconds, work->units[0].name, ratio, expected);
    }
}
