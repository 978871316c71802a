/* The library: see retort.h.  A thin layer over the embedder and the index: it checks what a caller
 * may get wrong, takes turns, and keeps errors in its own struct, whose layout may not change. */
#include "student/retort.h"

#include "data/guard.h"
#include "nn/dnn.h"
#include "student/embedder.h"
#include "student/index.h"
#include "student/search.h"

#include <limits.h>
#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_THREADS = 1024 };

struct retort_model {
    struct embedder embedder;
    pthread_mutex_t turn; /* the embedder's workers serve one call at a time */
};

struct retort_index {
    struct vector_index vectors;
    struct embedder embedder;
    int rescore;
    pthread_mutex_t turn;
};

const char *retort_version(void)
{
    return RETORT_VERSION;
}

/* The status; *error, where there is one, says what err says. */
static int report(struct retort_error *error, const struct error *err)
{
    if (error) {
        *error = (struct retort_error){.status = err->status};
        if (err->status) snprintf(error->message, sizeof error->message, "%s", err->message);
    }
    return err->status;
}

static int check_texts(const char *const *texts, size_t n, const void *out, struct error *err)
{
    if (n && (!texts || !out)) return fail_usage(err, "texts and the buffer may not be NULL");
    if (n > UINT32_MAX) return fail_usage(err, "at most %u texts a call, not %zu", UINT32_MAX, n);
    for (size_t i = 0; i < n; i++)
        if (!texts[i]) return fail_usage(err, "text %zu is NULL", i);
    return 0;
}

/* As the caller wants them, or all defaults. */
static int read_options(struct embedder_options *out, const struct retort_options *options,
                        struct error *err)
{
    const struct retort_options none = {0}, *o = options ? options : &none;
    if (o->layers < 0 || o->dim < 0)
        return fail_usage(err, "layers and dim must be at least 0, not %d and %d", o->layers,
                          o->dim);
    if (o->threads < 0 || o->threads > MAX_THREADS)
        return fail_usage(err, "threads must be from 0 to %d, not %d", MAX_THREADS, o->threads);
    if (o->rescore < 0) return fail_usage(err, "rescore must be at least 0, not %d", o->rescore);
    if (o->precision < RETORT_AUTO || o->precision > RETORT_INT8)
        return fail_usage(err, "precision %d is unknown", o->precision);
    for (size_t i = 0; i < sizeof o->reserved / sizeof *o->reserved; i++)
        if (o->reserved[i]) return fail_usage(err, "reserved fields of the options must be 0");
    enum precision precision = PRECISION_F32; /* chosen here: precision_resolve would print it */
    if (o->precision == RETORT_BF16 || (o->precision == RETORT_AUTO && dnn_has_fast_bf16()))
        precision = PRECISION_BF16;
    if (o->precision == RETORT_INT8) precision = PRECISION_INT8;
    *out = (struct embedder_options){o->layers, o->dim, o->threads, precision};
    return 0;
}

/* Products leave the thread that they run on with one OpenMP thread; this one is the caller's. */
static void run_guarded(void (*work)(void *arg), void *arg, struct error *err)
{
    int threads = omp_get_max_threads();
    guarded(work, arg, err);
    omp_set_num_threads(threads);
}

/* One call that opens, for its guard. */
struct opening {
    const char *folder, *model; /* model: of an index, may be NULL */
    const struct retort_options *options;
    struct error *err;
    struct retort_model *opened_model; /* of the two the one wanted; half-built on failure */
    struct retort_index *opened_index;
};

/* ---- embed ---- */

static void open_model(void *arg)
{
    struct opening *opening = arg;
    struct retort_model *model = opening->opened_model = xcalloc(1, sizeof *model);
    struct embedder_options tap;
    pthread_mutex_init(&model->turn, NULL);
    if (read_options(&tap, opening->options, opening->err) == 0)
        embedder_open(&model->embedder, opening->folder, &tap, opening->err);
}

int retort_open(struct retort_model **model, const char *folder,
                const struct retort_options *options, struct retort_error *error)
{
    struct error err = {0};
    struct opening opening = {.folder = folder, .options = options, .err = &err};
    if (model) *model = NULL;
    if (!model || !folder)
        fail_usage(&err, "model and folder may not be NULL");
    else
        run_guarded(open_model, &opening, &err);
    if (err.status)
        retort_close(opening.opened_model);
    else
        *model = opening.opened_model;
    return report(error, &err);
}

void retort_close(struct retort_model *model)
{
    if (!model) return;
    embedder_close(&model->embedder);
    pthread_mutex_destroy(&model->turn);
    free(model);
}

size_t retort_dim(const struct retort_model *model)
{
    return (size_t)model->embedder.dim;
}

size_t retort_layers(const struct retort_model *model)
{
    return (size_t)model->embedder.layers;
}

/* NULL where there is no such role. */
static const char *prompt_of(const struct dual_encoder *encoder, int role)
{
    switch (role) {
    case RETORT_TEXT:
        return "";
    case RETORT_QUERY:
        return encoder->query_prompt;
    case RETORT_DOCUMENT:
        return encoder->document_prompt;
    default:
        return NULL;
    }
}

struct embedding {
    const struct embedder *embedder;
    float *vectors;
    const char *const *texts;
    size_t n;
    const char *prompt;
};

static void embed(void *arg)
{
    const struct embedding *e = arg;
    embedder_texts(e->embedder, e->vectors, e->texts, e->n, e->prompt);
}

int retort_embed(struct retort_model *model, int role, const char *const *texts, size_t n,
                 float *vectors, struct retort_error *error)
{
    struct error err = {0};
    const char *prompt = model ? prompt_of(&model->embedder.encoder, role) : NULL;
    if (!model)
        fail_usage(&err, "model may not be NULL");
    else if (!prompt)
        fail_usage(&err, "role %d is unknown", role);
    else if (check_texts(texts, n, vectors, &err) == 0 && n > 0) {
        struct embedding embedding = {&model->embedder, vectors, texts, n, prompt};
        pthread_mutex_lock(&model->turn);
        run_guarded(embed, &embedding, &err);
        pthread_mutex_unlock(&model->turn);
    }
    return report(error, &err);
}

/* ---- search ---- */

/* Vectors of two models mean nothing to each other. */
static int check_fingerprint(const struct embedder *embedder, const struct index_info *info,
                             const char *folder, struct error *err)
{
    char fingerprint[33];
    if (embedder_fingerprint(fingerprint, embedder, err)) return -1;
    if (strcmp(fingerprint, info->fingerprint) == 0) return 0;
    return fail(err, "%s: not the model that the index was made with, or changed since", folder);
}

static int open_parts(struct retort_index *out, const struct opening *opening, struct error *err)
{
    struct embedder_options tap;
    const struct retort_options *options = opening->options;
    if (options && (options->layers || options->dim))
        return fail_usage(err, "layers and dim are the index's own: leave them 0");
    if (read_options(&tap, options, err) || vector_index_open(&out->vectors, opening->folder, err))
        return -1;
    const struct index_info *info = &out->vectors.info;
    const char *model = opening->model ? opening->model : info->model;
    tap.layers = info->layers;
    tap.dim = info->dim;
    if (!path_exists(model))
        return fail(err, "%s: the model of %s is not there; give its place", model,
                    opening->folder);
    if (embedder_open(&out->embedder, model, &tap, err) ||
        check_fingerprint(&out->embedder, info, model, err))
        return -1;
    out->embedder.normalize = info->normalized;
    out->rescore = options ? options->rescore : 0;
    return 0;
}

static void open_index(void *arg)
{
    struct opening *opening = arg;
    struct retort_index *index = opening->opened_index = xcalloc(1, sizeof *index);
    pthread_mutex_init(&index->turn, NULL);
    open_parts(index, opening, opening->err);
}

int retort_index_open(struct retort_index **index, const char *folder, const char *model,
                      const struct retort_options *options, struct retort_error *error)
{
    struct error err = {0};
    struct opening opening = {.folder = folder, .model = model, .options = options, .err = &err};
    if (index) *index = NULL;
    if (!index || !folder)
        fail_usage(&err, "index and folder may not be NULL");
    else
        run_guarded(open_index, &opening, &err);
    if (err.status)
        retort_index_close(opening.opened_index);
    else
        *index = opening.opened_index;
    return report(error, &err);
}

void retort_index_close(struct retort_index *index)
{
    if (!index) return;
    embedder_close(&index->embedder);
    vector_index_free(&index->vectors);
    pthread_mutex_destroy(&index->turn);
    free(index);
}

size_t retort_index_count(const struct retort_index *index)
{
    return index->vectors.info.count;
}

struct searching {
    struct retort_index *index;
    const char *const *queries;
    size_t n, k;
    struct retort_hit *out;
    struct error *err;
};

/* found hits of n queries, found places a query, become the caller's, k places a query; none of
 * them where an id cannot be read. */
static void name_hits(const struct searching *s, const struct hit *hits, size_t found)
{
    int status = 0;
    const char **ids = hold(xcalloc(s->n * found, sizeof *ids), free);
    for (size_t i = 0; i < s->n * found && status == 0; i++)
        status = id_list_get(&ids[i], &s->index->vectors.ids, hits[i].row, s->err);
    for (size_t q = 0; q < s->n && status == 0; q++)
        for (size_t i = 0; i < s->k; i++) {
            size_t at = q * found + i;
            s->out[q * s->k + i] =
                i < found ? (struct retort_hit){ids[at], hits[at].score} : (struct retort_hit){0};
        }
    free(let_go(ids));
}

static void search(void *arg)
{
    const struct searching *s = arg;
    const struct stored_vectors *stored = &s->index->vectors.vectors;
    const struct embedder *embedder = &s->index->embedder;
    size_t found = s->k < stored->count ? s->k : stored->count;
    float *vectors = hold(xaligned(s->n * (size_t)embedder->dim, sizeof *vectors), free);
    struct hit *hits = hold(xcalloc(s->n * found, sizeof *hits), free);
    embedder_texts(embedder, vectors, s->queries, s->n, embedder->encoder.query_prompt);
    search_rescored(hits, vectors, s->n, stored, (int)found, s->index->rescore, embedder->pool);
    name_hits(s, hits, found);
    free(let_go(hits));
    free(let_go(vectors));
}

int retort_search(struct retort_index *index, const char *const *queries, size_t n, size_t k,
                  struct retort_hit *hits, struct retort_error *error)
{
    struct error err = {0};
    if (!index)
        fail_usage(&err, "index may not be NULL");
    else if (k < 1 || k > INT_MAX)
        fail_usage(&err, "k must be from 1 to %d, not %zu", INT_MAX, k);
    else if (check_texts(queries, n, hits, &err) == 0 && n > 0) {
        struct searching searching = {index, queries, n, k, hits, &err};
        pthread_mutex_lock(&index->turn);
        run_guarded(search, &searching, &err);
        pthread_mutex_unlock(&index->turn);
    }
    return report(error, &err);
}
