/* BM25 over a collection whose words are as often as words are, and tokenising. */
#include "student/bm25.h"

#include "tests/bench/bench.h"
#include "tests/bench/texts.h"

#include "data/sequences.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- BM25 ---- */

enum { WORDS = 100000, QUERY_WORDS = 6, HITS = 100 };

struct lexical {
    struct pool *pool;
    const char **documents, **queries;
    size_t num_documents, num_queries;
    struct arena arena;
    struct bm25 *index;
};

/* Zipf's law: a word's rank is r with a probability of about 1 / (r ln WORDS).  Its letters are its
 * rank, so that frequent words are short. */
static void append_word(struct text *text, uint64_t stream, uint64_t index)
{
    char letters[8];
    size_t length = 0;
    unsigned rank = (unsigned)exp(random_uniform(5, stream, index) * log(WORDS));
    for (; rank; rank /= 26) letters[length++] = (char)('a' + rank % 26);
    if (text->length) text_puts(text, " ");
    text_append(text, letters, length);
}

const char **zipf_texts(struct arena *arena, size_t n, uint64_t stream, size_t words)
{
    const char **out = xcalloc(n, sizeof *out);
    struct text text = {0};
    for (size_t i = 0; i < n; i++) {
        size_t length = words ? words : bench_mixed_length(i);
        text_clear(&text);
        for (size_t j = 0; j < length; j++) append_word(&text, stream + i, j);
        out[i] = arena_strndup(arena, text.bytes, text.length);
    }
    text_free(&text);
    return out;
}

static struct bm25 *build(const struct lexical *lexical)
{
    return bm25_build(lexical->documents, lexical->num_documents, 0.9, 0.4, lexical->pool);
}

static void run_build(void *arg)
{
    bm25_free(build(arg));
}

static void search_query(void *arg, size_t query, int worker)
{
    const struct lexical *lexical = arg;
    struct hit hits[HITS];
    (void)worker;
    bm25_search(lexical->index, lexical->queries[query], HITS, hits);
}

static void run_queries(void *arg)
{
    struct lexical *lexical = arg;
    pool_run(lexical->pool, lexical->num_queries, search_query, lexical);
}

static void release_lexical(void *object)
{
    struct lexical *lexical = object;
    bm25_free(lexical->index);
    free(lexical->documents), free(lexical->queries);
    arena_free(&lexical->arena);
    free(lexical);
}

static void add_bm25(struct bench *bench)
{
    struct lexical *lexical = xcalloc(1, sizeof *lexical);
    *lexical = (struct lexical){.pool = bench->pool,
                                .num_documents = bench_size(bench, 50000, 2000),
                                .num_queries = bench_size(bench, 1000, 50)};
    lexical->documents = zipf_texts(&lexical->arena, lexical->num_documents, 1, 0);
    lexical->queries = zipf_texts(&lexical->arena, lexical->num_queries, 1 << 20, QUERY_WORDS);
    lexical->index = build(lexical);
    bench_own(bench, lexical, release_lexical);
    bench_add(bench, &(struct work){.name = "bm25-build",
                                    .precision = "-",
                                    .units = {{"docs/s", (double)lexical->num_documents}},
                                    .run = run_build,
                                    .arg = lexical});
    bench_add(bench, &(struct work){.name = "bm25-query",
                                    .precision = "-",
                                    .units = {{"queries/s", (double)lexical->num_queries}},
                                    .run = run_queries,
                                    .arg = lexical});
}

/* ---- tokenising ---- */

struct tokenising {
    struct pool *pool;
    const struct tokenizer *tokenizer;
    const char **texts;
    size_t count, bytes;
};

static void run_tokenise(void *arg)
{
    const struct tokenising *all = arg;
    struct sequences sequences;
    sequences_encode(&sequences, all->tokenizer, all->pool, all->texts, NULL, all->count, "", 256);
    sequences_free(&sequences);
}

static void release_tokenising(void *object)
{
    struct tokenising *all = object;
    free(all->texts);
    free(all);
}

static void add_tokenising(struct bench *bench)
{
    const struct sample *sample = &bench->texts->sample;
    struct tokenising *all = xcalloc(1, sizeof *all);
    *all = (struct tokenising){.pool = bench->pool,
                               .tokenizer = bench->texts->tokenizer,
                               .texts = xcalloc(sample->num_documents, sizeof *all->texts),
                               .count = sample->num_documents};
    for (size_t d = 0; d < all->count; d++) {
        all->texts[d] = sample->documents[d].text;
        all->bytes += strlen(all->texts[d]);
    }
    bench_own(bench, all, release_tokenising);
    bench_add(bench, &(struct work){.name = "tokenise",
                                    .precision = "-",
                                    .units = {{"texts/s", (double)all->count},
                                              {"MB/s", 1e-6 * (double)all->bytes}},
                                    .run = run_tokenise,
                                    .arg = all});
}

void add_lexical(struct bench *bench)
{
    add_bm25(bench);
    add_tokenising(bench);
}
