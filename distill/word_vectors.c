#include "distill/word_vectors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "distill/pca.h"

enum { WINDOW = 50, SPREAD = 4, STREAM_PROJECTION = 0xc00 };
static const double smoothing = 0.75;

/* All texts' tokens, WINDOW times -1 between two of them; and where each token stands. */
struct stream {
    int32_t *tokens;
    size_t count, capacity;
    size_t *starts;     /* [vocab + 1]: token i stands at places[starts[i]] .. */
    uint32_t *places;   /* those of tokens, ordered by token */
    double *neighbours; /* [vocab] sum of a token's counts */
    double total;       /* of the smoothed neighbours */
    int vocab;
};

struct projection {
    const struct stream *stream;
    const float *random; /* [vocab, width] */
    float *rows;         /* [present, width] */
    const int32_t *present;
    int width;
};

static void stream_push(struct stream *stream, int32_t token)
{
    GROW(stream->tokens, stream->count, &stream->capacity);
    stream->tokens[stream->count++] = token;
}

static void stream_read(struct stream *stream, const struct word_vectors *how)
{
    struct token_list list = {0};
    for (int i = 0; i < WINDOW; i++) stream_push(stream, -1);
    for (size_t t = 0; t < how->count; t++) {
        tokenizer_encode_plain(how->tok, &list, how->texts[t]);
        for (size_t i = 0; i < list.count; i++) stream_push(stream, list.ids[i]);
        for (int i = 0; i < WINDOW; i++) stream_push(stream, -1);
    }
    token_list_free(&list);
}

static void stream_index(struct stream *stream)
{
    size_t vocab = (size_t)stream->vocab;
    stream->starts = xcalloc(vocab + 1, sizeof *stream->starts);
    stream->places = xcalloc(stream->count, sizeof *stream->places);
    for (size_t i = 0; i < stream->count; i++)
        if (stream->tokens[i] >= 0) stream->starts[stream->tokens[i] + 1]++;
    for (size_t v = 0; v < vocab; v++) stream->starts[v + 1] += stream->starts[v];
    size_t *next = xcalloc(vocab, sizeof *next);
    memcpy(next, stream->starts, vocab * sizeof *next);
    for (size_t i = 0; i < stream->count; i++)
        if (stream->tokens[i] >= 0) stream->places[next[stream->tokens[i]]++] = (uint32_t)i;
    free(next);
}

/* counts [vocab] of token i's neighbours, added. */
static void count_neighbours(double *counts, const struct stream *stream, int32_t token)
{
    for (size_t p = stream->starts[token]; p < stream->starts[token + 1]; p++) {
        const int32_t *at = stream->tokens + stream->places[p];
        for (int d = 1; d <= WINDOW; d++) {
            if (at[-d] >= 0) counts[at[-d]]++;
            if (at[d] >= 0) counts[at[d]]++;
        }
    }
}

/* A token's row of m, times the random matrix. */
static void project_row(void *arg, size_t item, int worker)
{
    (void)worker;
    const struct projection *projection = arg;
    const struct stream *stream = projection->stream;
    int32_t token = projection->present[item];
    size_t width = (size_t)projection->width;
    float *row = projection->rows + item * width;
    double *counts = xcalloc((size_t)stream->vocab, sizeof *counts);
    count_neighbours(counts, stream, token);
    for (int j = 0; j < stream->vocab; j++) {
        if (counts[j] == 0) continue;
        double context = pow(stream->neighbours[j], smoothing) / stream->total;
        float weight = (float)log(counts[j] / (stream->neighbours[token] * context));
        if (weight <= 0) continue;
        const float *random = projection->random + (size_t)j * width;
        for (size_t k = 0; k < width; k++) row[k] += weight * random[k];
    }
    free(counts);
}

static void sum_row(void *arg, size_t token, int worker)
{
    (void)worker;
    struct stream *stream = arg;
    for (size_t p = stream->starts[token]; p < stream->starts[token + 1]; p++) {
        const int32_t *at = stream->tokens + stream->places[p];
        for (int d = 1; d <= WINDOW; d++) stream->neighbours[token] += (at[-d] >= 0) + (at[d] >= 0);
    }
}

/* Scores of the rows' components, into the vectors of the present tokens, all of one length. */
static void place_vectors(float *vectors, const struct word_vectors *how, const struct pca *pca,
                          const struct projection *projection, size_t present)
{
    size_t width = (size_t)how->dim;
    float *scores = xaligned(present * width, sizeof *scores);
    pca_apply(pca, projection->rows, present, scores);
    for (size_t i = 0; i < present; i++) {
        float *score = scores + i * width,
              *vector = vectors + (size_t)projection->present[i] * width;
        double squares = 0;
        for (size_t k = 0; k < width; k++) {
            double root = pow(pca->eigenvalues[k], 0.25);
            score[k] = root > 0 ? (float)(score[k] / root) : 0;
            squares += (double)score[k] * score[k];
        }
        double scale = squares > 0 ? how->deviation / sqrt(squares / (double)width) : 0;
        for (size_t k = 0; k < width; k++) vector[k] = (float)(scale * score[k]);
    }
    free(scores);
}

static int project(float *vectors, const struct word_vectors *how, const struct stream *stream,
                   struct pool *pool, struct error *err)
{
    size_t vocab = (size_t)stream->vocab, present = 0, dim = (size_t)how->dim, width = SPREAD * dim;
    int32_t *tokens = xcalloc(vocab, sizeof *tokens);
    for (size_t v = 0; v < vocab; v++)
        if (stream->neighbours[v] > 0) tokens[present++] = (int32_t)v;
    if (width > present) width = present;
    float *random = xaligned(vocab * width, sizeof *random);
    float *rows = xaligned(present * width, sizeof *rows);
    for (size_t i = 0; i < vocab * width; i++)
        random[i] = (float)random_normal(how->seed, STREAM_PROJECTION, i);
    struct projection projection = {stream, random, rows, tokens, (int)width};
    pool_run(pool, present, project_row, &projection);
    struct pca pca = {0};
    int status = present < dim ? fail(err,
                                      "the texts hold only %zu different tokens for vectors of "
                                      "width %zu; set teach.word_vectors to false",
                                      present, dim)
                               : pca_fit(&pca, rows, present, (int)width, how->dim, true, err);
    if (!status) place_vectors(vectors, how, &pca, &projection, present);
    pca_free(&pca);
    free(rows);
    free(random);
    free(tokens);
    return status;
}

int word_vectors_make(float *vectors, const struct word_vectors *how, struct pool *pool,
                      struct error *err)
{
    struct stream stream = {.vocab = how->vocab_size};
    size_t vocab = (size_t)how->vocab_size;
    stream_read(&stream, how);
    stream_index(&stream);
    stream.neighbours = xcalloc(vocab, sizeof *stream.neighbours);
    pool_run(pool, vocab, sum_row, &stream);
    for (size_t v = 0; v < vocab; v++) stream.total += pow(stream.neighbours[v], smoothing);
    int status = project(vectors, how, &stream, pool, err);
    free(stream.tokens);
    free(stream.starts);
    free(stream.places);
    free(stream.neighbours);
    return status;
}
