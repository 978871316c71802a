/* retort's side of scripts/bench_peers: does a work whenever stdin asks for it, and says how long
 * that took (the requests: scripts/bench_peers/rounds.py).
 *
 *     peers tokenise MODEL TEXTS                  tokenise: all texts, on one core
 *     peers search VECTORS QUERIES DIM K THREADS  one: the first queries, each alone; many: all
 *     peers bm25 DOCUMENTS QUERIES K THREADS      build; then query: all queries
 *     peers train MODEL PRECISION DROPOUT RATE THREADS NAME=STEPS...     NAME: its steps
 *
 * TEXTS, and DOCUMENTS and QUERIES of bm25, are lines; VECTORS and QUERIES of search floats, DIM to
 * a row; STEPS 32-bit whole numbers: how many steps, then of each step how many sequences, then of
 * each sequence its length and its ids.  A cross-encoder is trained: even sequences of a step are
 * to score -1, odd ones 1, by the mean squared error.  What is opened lives as long as the process.
 */
#define _GNU_SOURCE
#include "data/lines.h"
#include "data/sequences.h"
#include "nn/optimizer.h"
#include "student/bm25.h"
#include "student/search.h"
#include "teacher/training.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What a run leaves, until the next. */
struct result {
    const void *bytes;
    size_t size;
};
struct work {
    const char *name;
    struct result (*run)(void *arg);
    void *arg;
    struct result result;
};

static _Noreturn void stop(const char *message)
{
    fprintf(stderr, "peers: %s\n", message);
    exit(EXIT_FAILURE);
}

/* ---- files ---- */

struct bytes {
    char *values;
    size_t size;
};

/* A whole file; aligned, for vectors. */
static struct bytes read_file(const char *path)
{
    struct bytes out;
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) stop(path);
    out.size = (size_t)ftell(file);
    out.values = xaligned(out.size + 1, 1);
    rewind(file);
    if (fread(out.values, 1, out.size, file) != out.size) stop(path);
    fclose(file);
    return out;
}

struct text_lines {
    struct arena arena;
    const char **lines;
    size_t count, capacity;
};

static void read_texts(struct text_lines *out, const char *path)
{
    struct error err = {0};
    struct lines *lines;
    char *line;
    size_t length;
    int got;
    if (lines_open(&lines, path, &err)) stop(err.message);
    while ((got = lines_next(lines, &line, &length, &err)) > 0) {
        GROW(out->lines, out->count, &out->capacity);
        out->lines[out->count++] = arena_strndup(&out->arena, line, length);
    }
    if (got < 0) stop(err.message);
    lines_close(lines);
}

/* ---- tokenise ---- */

struct tokenising {
    struct pool *pool;
    struct tokenizer *tokenizer;
    struct text_lines texts;
    struct sequences sequences;
};

static struct result tokenise(void *arg)
{
    enum { NO_LIMIT = 1 << 20 };
    struct tokenising *all = arg;
    struct sequences *out = &all->sequences;
    sequences_free(out);
    sequences_encode(out, all->tokenizer, all->pool, all->texts.lines, NULL, all->texts.count, "",
                     NO_LIMIT);
    return (struct result){out->ids, out->offsets[out->count] * sizeof *out->ids};
}

static size_t open_tokenising(struct work *works, char **arguments)
{
    struct error err = {0};
    struct tokenising *all = xcalloc(1, sizeof *all);
    if (tokenizer_open(&all->tokenizer, arguments[0], &err)) stop(err.message);
    read_texts(&all->texts, arguments[1]);
    all->pool = pool_open(1);
    works[0] = (struct work){.name = "tokenise", .run = tokenise, .arg = all};
    return 1;
}

/* ---- search ---- */

enum { QUERIES_ALONE = 16 };

struct searching {
    struct pool *pool;
    struct stored_vectors vectors;
    const float *queries;
    size_t num_queries;
    int k;
    struct hit *hits; /* [num_queries, k] */
};

static struct result search_alone(void *arg)
{
    const struct searching *all = arg;
    for (size_t q = 0; q < QUERIES_ALONE; q++)
        search_top_k(all->hits + q * (size_t)all->k, all->queries + q * (size_t)all->vectors.dim, 1,
                     &all->vectors, all->k, all->pool);
    return (struct result){all->hits, QUERIES_ALONE * (size_t)all->k * sizeof *all->hits};
}

static struct result search_together(void *arg)
{
    const struct searching *all = arg;
    search_top_k(all->hits, all->queries, all->num_queries, &all->vectors, all->k, all->pool);
    return (struct result){all->hits, all->num_queries * (size_t)all->k * sizeof *all->hits};
}

static size_t open_search(struct work *works, char **arguments)
{
    struct searching *all = xcalloc(1, sizeof *all);
    struct bytes vectors = read_file(arguments[0]), queries = read_file(arguments[1]);
    int dim = atoi(arguments[2]), k = atoi(arguments[3]);
    size_t row = (size_t)dim * sizeof(float);
    *all = (struct searching){.pool = pool_open(atoi(arguments[4])),
                              .vectors = {.type = VECTOR_F32,
                                          .count = vectors.size / row,
                                          .dim = dim,
                                          .values = vectors.values},
                              .queries = (const float *)queries.values,
                              .num_queries = queries.size / row,
                              .k = k};
    REQUIRE(all->num_queries >= QUERIES_ALONE && all->vectors.count >= (size_t)k);
    all->hits = xcalloc(all->num_queries * (size_t)k, sizeof *all->hits);
    works[0] = (struct work){.name = "one", .run = search_alone, .arg = all};
    works[1] = (struct work){.name = "many", .run = search_together, .arg = all};
    return 2;
}

/* ---- BM25 ---- */

struct lexical {
    struct pool *pool;
    struct text_lines documents, queries;
    struct bm25 *index;
    size_t k;
    struct hit *hits; /* [queries, k]; beyond what was found: score 0 */
};

static struct result build(void *arg)
{
    struct lexical *all = arg;
    bm25_free(all->index);
    all->index = bm25_build(all->documents.lines, all->documents.count, 0.9, 0.4, all->pool);
    return (struct result){0};
}

static void search_query(void *arg, size_t query, int worker)
{
    const struct lexical *all = arg;
    struct hit *hits = all->hits + query * all->k;
    (void)worker;
    size_t found = bm25_search(all->index, all->queries.lines[query], all->k, hits);
    memset(hits + found, 0, (all->k - found) * sizeof *hits);
}

static struct result search_all(void *arg)
{
    struct lexical *all = arg;
    REQUIRE(all->index);
    pool_run(all->pool, all->queries.count, search_query, all);
    return (struct result){all->hits, all->queries.count * all->k * sizeof *all->hits};
}

static size_t open_bm25(struct work *works, char **arguments)
{
    struct lexical *all = xcalloc(1, sizeof *all);
    read_texts(&all->documents, arguments[0]);
    read_texts(&all->queries, arguments[1]);
    all->k = (size_t)atoi(arguments[2]);
    all->pool = pool_open(atoi(arguments[3]));
    all->hits = xcalloc(all->queries.count * all->k, sizeof *all->hits);
    works[0] = (struct work){.name = "build", .run = build, .arg = all};
    works[1] = (struct work){.name = "query", .run = search_all, .arg = all};
    return 2;
}

/* ---- training ---- */

/* What all lists of steps are learnt with. */
struct learner {
    struct pool *pool;
    struct cross_encoder *ce;
    struct tape *tape;
    struct adamw adamw;
    float *logits, *d_logits;
    double rate;
    bool drops;
    uint64_t steps; /* taken */
};
struct lesson {
    struct learner *learner;
    const int32_t *numbers;
    double *losses; /* [number of steps] */
};

enum { MOST_SEQUENCES = 4096 };

/* Reads a step's sequences, which stay in the file's numbers; returns how many. */
static size_t read_step(struct tape_text *texts, const int32_t **at)
{
    static const int32_t types[MOST_SEQUENCES]; /* a sequence is one text: all zero */
    size_t count = (size_t) * (*at)++;
    REQUIRE(count <= MOST_SEQUENCES);
    for (size_t i = 0; i < count; i++) {
        int length = *(*at)++;
        REQUIRE(length <= MOST_SEQUENCES);
        texts[i] = (struct tape_text){*at, types, length};
        *at += length;
    }
    return count;
}

/* Returns the mean squared error and writes its gradient. */
static double squared_error(float *d_logits, const float *logits, size_t n)
{
    double loss = 0;
    for (size_t i = 0; i < n; i++) {
        double error = logits[i] - (i % 2 ? 1 : -1);
        loss += error * error / (double)n;
        d_logits[i] = (float)(2 * error / (double)n);
    }
    return loss;
}

/* As retort teach does it. */
static double learn(struct learner *learner, const struct tape_text *texts, size_t n)
{
    struct encoder *encoder = cross_encoder_trained(learner->ce);
    struct params *params = encoder->params;
    const int layer = encoder->config.num_layers;
    const float *d_logits = learner->d_logits;
    uint64_t seed = learner->drops ? random_bits(1, 1, learner->steps) | 1 : 0;
    learner->steps++;
    struct gradients *gradients = &learner->adamw.gradients;
    gradients_clear(gradients, learner->pool);
    tape_forward(learner->tape, &learner->adamw, texts, n, &layer, 1, seed, &learner->logits);
    double loss = squared_error(learner->d_logits, learner->logits, n);
    tape_backward(learner->tape, &d_logits, gradients);
    double norm = gradients_norm(gradients, learner->pool);
    adamw_step(&learner->adamw, params, clip_scale(norm, 1), learner->rate, learner->pool);
    encoder_refresh_by(encoder, learner->pool);
    return loss;
}

static struct result take_steps(void *arg)
{
    struct lesson *lesson = arg;
    struct tape_text texts[MOST_SEQUENCES];
    const int32_t *at = lesson->numbers;
    size_t steps = (size_t)*at++;
    for (size_t s = 0; s < steps; s++) {
        size_t n = read_step(texts, &at);
        lesson->losses[s] = learn(lesson->learner, texts, n);
    }
    return (struct result){lesson->losses, steps * sizeof *lesson->losses};
}

static struct learner *open_learner(char **arguments)
{
    struct error err = {0};
    struct learner *learner = xcalloc(1, sizeof *learner);
    struct training_start start = {.dropout = atof(arguments[2]), .seed = 1};
    if (precision_parse(&start.precision, arguments[1], &err) ||
        cross_encoder_begin(&learner->ce, arguments[0], &start, &err))
        stop(err.message);
    struct params *params = cross_encoder_trained(learner->ce)->params;
    learner->pool = pool_open(atoi(arguments[4]));
    learner->tape = cross_encoder_tape(learner->ce, learner->pool, tape_keep_bytes);
    learner->logits = xcalloc(MOST_SEQUENCES, sizeof *learner->logits);
    learner->d_logits = xcalloc(MOST_SEQUENCES, sizeof *learner->d_logits);
    learner->rate = atof(arguments[3]);
    learner->drops = start.dropout > 0;
    adamw_init(&learner->adamw, params);
    return learner;
}

static size_t open_training(struct work *works, char **arguments)
{
    struct learner *learner = open_learner(arguments);
    size_t count = 0;
    for (char **list = arguments + 5; *list; list++) {
        struct lesson *lesson = xcalloc(1, sizeof *lesson);
        char *equals = strchr(*list, '=');
        if (!equals) stop(*list);
        *equals = '\0';
        lesson->learner = learner;
        lesson->numbers = (const int32_t *)read_file(equals + 1).values;
        lesson->losses = xcalloc((size_t)lesson->numbers[0], sizeof *lesson->losses);
        works[count++] = (struct work){.name = *list, .run = take_steps, .arg = lesson};
    }
    return count;
}

/* ---- requests ---- */

static double processor_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void run(struct work *work)
{
    double wall = seconds_now(), processor = processor_now();
    work->result = work->run(work->arg);
    wall = seconds_now() - wall, processor = processor_now() - processor;
    printf("%.9g %.9g\n", wall, processor);
}

static void keep(const struct work *work, const char *path)
{
    const struct result *result = &work->result;
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(result->bytes, 1, result->size, file) != result->size || fclose(file))
        stop(path);
    printf("kept\n");
}

static struct work *find_work(struct work *works, size_t count, const char *name)
{
    for (size_t w = 0; w < count; w++)
        if (strcmp(works[w].name, name) == 0) return &works[w];
    stop(name);
}

static void answer(char *line, struct work *works, size_t count)
{
    char *fields[3];
    size_t got = split_white(line, fields, 3);
    if (got == 2 && strcmp(fields[0], "run") == 0)
        run(find_work(works, count, fields[1]));
    else if (got == 3 && strcmp(fields[0], "keep") == 0)
        keep(find_work(works, count, fields[1]), fields[2]);
    else
        stop("a request is run NAME or keep NAME FILE");
}

int main(int argc, char **argv)
{
    static const struct part {
        const char *name;
        int arguments; /* at least */
        size_t (*open)(struct work *works, char **arguments);
    } parts[] = {{"tokenise", 2, open_tokenising},
                 {"search", 5, open_search},
                 {"bm25", 4, open_bm25},
                 {"train", 6, open_training}};
    struct work *works = xcalloc((size_t)argc + 2, sizeof *works);
    size_t count = 0, size = 0;
    char *line = NULL;
    for (size_t p = 0; argc > 1 && p < sizeof parts / sizeof *parts; p++)
        if (strcmp(argv[1], parts[p].name) == 0 && argc - 2 >= parts[p].arguments)
            count = parts[p].open(works, argv + 2);
    if (!count) stop("usage: see tests/peers/peers.c");
    for (printf("ready\n"), fflush(stdout); getline(&line, &size, stdin) > 0; fflush(stdout)) {
        line[strcspn(line, "\n")] = '\0';
        answer(line, works, count);
    }
    return EXIT_SUCCESS;
}
