/* The library where memory is refused: an error from every call, nothing lost, and the next call as
 * ever.  The linker sends what asks the system for something here first (NO_MEMORY_WRAPS in the
 * Makefile): the k-th request is refused, for every k that there is. */
#define _GNU_SOURCE
#include "nn/dnn.h"
#include "nn/kernels.h"
#include "student/embedder.h"
#include "student/export.h"
#include "student/index.h"
#include "student/retort.h"
#include "tests/support.h"
#include "tests/tiny_model.h"

#include <dirent.h>
#include <dnnl.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what is refused ---- */

static atomic_long requests;      /* since refuse_from */
static atomic_long refused_at;    /* number of the request that is refused; 0: none */
static atomic_bool refused_later; /* those behind it, too */
static atomic_long pieces;        /* allocated less freed, since refuse_from */

static bool refuse(void)
{
    long at = atomic_load(&refused_at), request = atomic_fetch_add(&requests, 1) + 1;
    bool hit = at > 0 && (request == at || (request > at && atomic_load(&refused_later)));
    if (hit) errno = ENOMEM;
    return hit;
}

static void refuse_from(long at, bool later)
{
    atomic_store(&refused_later, later);
    atomic_store(&requests, 0);
    atomic_store(&pieces, 0);
    atomic_store(&refused_at, at);
}

/* Whether anything was refused. */
static bool grant_all(void)
{
    bool any = atomic_load(&requests) >= atomic_load(&refused_at);
    atomic_store(&refused_at, 0);
    return any;
}

static void *counted(void *piece)
{
    if (piece) atomic_fetch_add(&pieces, 1);
    return piece;
}

#define WRAP(result, name, parameters, arguments, otherwise)                                       \
    result __real_##name parameters;                                                               \
    result __wrap_##name parameters;                                                               \
    result __wrap_##name parameters                                                                \
    {                                                                                              \
        return refuse() ? (otherwise) : __real_##name arguments;                                   \
    }
#define WRAP_PIECE(name, parameters, arguments)                                                    \
    void *__real_##name parameters;                                                                \
    void *__wrap_##name parameters;                                                                \
    void *__wrap_##name parameters                                                                 \
    {                                                                                              \
        return refuse() ? NULL : counted(__real_##name arguments);                                 \
    }
#define WRAP_DNNL(name, parameters, arguments)                                                     \
    WRAP(dnnl_status_t, name, parameters, arguments, dnnl_out_of_memory)

WRAP_PIECE(malloc, (size_t size), (size))
WRAP_PIECE(calloc, (size_t count, size_t size), (count, size))
WRAP_PIECE(aligned_alloc, (size_t alignment, size_t size), (alignment, size))

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size)
{
    if (refuse()) return NULL;
    return old ? __real_realloc(old, size) : counted(__real_realloc(old, size));
}

void __real_free(void *piece);
void __wrap_free(void *piece);
void __wrap_free(void *piece)
{
    if (piece) atomic_fetch_sub(&pieces, 1);
    __real_free(piece);
}

WRAP(FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL)
WRAP(void *, mmap, (void *at, size_t size, int protection, int flags, int file, off_t offset),
     (at, size, protection, flags, file, offset), MAP_FAILED)
WRAP(int, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attributes, void *(*start)(void *), void *arg),
     (thread, attributes, start, arg), EAGAIN)
WRAP_DNNL(dnnl_engine_create, (dnnl_engine_t * out, dnnl_engine_kind_t kind, size_t index),
          (out, kind, index))
WRAP_DNNL(dnnl_stream_create, (dnnl_stream_t * out, dnnl_engine_t engine, unsigned flags),
          (out, engine, flags))
WRAP_DNNL(dnnl_memory_create,
          (dnnl_memory_t * out, const dnnl_memory_desc_t *layout, dnnl_engine_t engine, void *at),
          (out, layout, engine, at))
WRAP_DNNL(dnnl_primitive_attr_create, (dnnl_primitive_attr_t * out), (out))
WRAP_DNNL(dnnl_primitive_desc_create,
          (dnnl_primitive_desc_t * out, const_dnnl_op_desc_t product,
           const_dnnl_primitive_attr_t attr, dnnl_engine_t engine,
           const_dnnl_primitive_desc_t forward),
          (out, product, attr, engine, forward))
WRAP_DNNL(dnnl_reorder_primitive_desc_create,
          (dnnl_primitive_desc_t * out, const dnnl_memory_desc_t *from, dnnl_engine_t from_engine,
           const dnnl_memory_desc_t *to, dnnl_engine_t to_engine, const_dnnl_primitive_attr_t attr),
          (out, from, from_engine, to, to_engine, attr))
WRAP_DNNL(dnnl_primitive_create, (dnnl_primitive_t * out, const_dnnl_primitive_desc_t desc),
          (out, desc))
WRAP_DNNL(dnnl_primitive_execute,
          (const_dnnl_primitive_t primitive, dnnl_stream_t stream, int n,
           const dnnl_exec_arg_t *arguments),
          (primitive, stream, n, arguments))

/* ---- what is tried ---- */

enum { TEXTS = 30, DOCUMENTS = 5, TOP = 3 }; /* two batches: both workers have one */

struct scene {
    char *folder, *index_folder;
    const char *texts[TEXTS];
    struct retort_model *model;
    struct retort_index *index;
    float expected[TEXTS * TINY_HIDDEN];
    struct retort_hit hits[TEXTS * TOP];
};

/* precision: what set_scene says. */
static struct retort_options two_threads = {.threads = 2};

static void make_index(struct scene *scene)
{
    static const char *const ids[DOCUMENTS] = {"a", "b", "c", "d", "e"};
    struct index_info info = {
        .layers = TINY_LAYERS, .dim = 6, .normalized = true, .count = DOCUMENTS};
    const struct embedder_options tap = {.dim = 6, .threads = 1, .precision = PRECISION_F32};
    struct embedder embedder;
    struct index_writer writer;
    struct error err = {0};
    float vectors[DOCUMENTS * 6];
    for (size_t i = 0; i < DOCUMENTS * 6; i++) vectors[i] = test_value(5, i);
    info.model = scene->folder;
    scene->index_folder = xasprintf("%s/index", scratch_folder());
    check_ok(embedder_open(&embedder, scene->folder, &tap, &err), &err);
    check_ok(embedder_fingerprint(info.fingerprint, &embedder, &err), &err);
    embedder_close(&embedder);
    check_ok(index_writer_open(&writer, scene->index_folder, &info, &err), &err);
    check_ok(index_writer_add(&writer, ids, vectors, DOCUMENTS, &err), &err);
    check_ok(index_writer_commit(&writer, &err), &err);
}

/* The tiny model, or what is exported of it, which has a tokenizer.json, a dense module and, where
 * the processor can, a calibration of int8. */
static char *make_model(bool exported)
{
    char *tiny = tiny_model(
        "model",
        &(struct tiny_model){
            .seed = 3, .normalize = true, .query_prompt = "query: ", .document_prompt = "the "});
    if (!exported) return tiny;
    const struct export_options options = {.layers = TINY_LAYERS, .dim = 8, .normalize = true};
    char *folder = xasprintf("%s/exported", scratch_folder());
    struct dual_encoder de;
    struct error err = {0};
    struct pool *pool = pool_open(1);
    enum precision precision = dnn_has_fast_int8() ? PRECISION_INT8 : PRECISION_F32;
    check_ok(dual_encoder_open(&de, tiny, 0, precision, &err), &err);
    if (precision == PRECISION_INT8)
        dual_encoder_calibrate(&de, pool, (const char *const[]){"a cat by the sea"}, 1);
    check_ok(dual_encoder_export(&de, &options, folder, &err), &err);
    dual_encoder_free(&de);
    pool_close(pool);
    free(tiny);
    return folder;
}

static void set_scene(struct scene *scene, bool exported)
{
    static const char *const long_texts[] = {
        "the caf\xc3\xa9 where a blue bird sat on the tree in the sea, 1234567890 [SEP] and ran",
        "a slow dog in a house by the sea, what a green tree: where is the fast cat? abcdefghij"};
    *scene = (struct scene){.folder = make_model(exported)};
    two_threads.precision = exported && dnn_has_fast_int8() ? RETORT_INT8 : RETORT_F32;
    for (size_t i = 0; i < TEXTS; i++) scene->texts[i] = long_texts[i % 2] + i / 2;
    make_index(scene);
    ck_assert_int_eq(retort_open(&scene->model, scene->folder, &two_threads, NULL), RETORT_OK);
    ck_assert_int_eq(
        retort_index_open(&scene->index, scene->index_folder, NULL, &two_threads, NULL), RETORT_OK);
    ck_assert_int_eq(
        retort_embed(scene->model, RETORT_QUERY, scene->texts, TEXTS, scene->expected, NULL),
        RETORT_OK);
    ck_assert_int_eq(retort_search(scene->index, scene->texts, TEXTS, TOP, scene->hits, NULL),
                     RETORT_OK);
}

static void strike_scene(struct scene *scene)
{
    retort_index_close(scene->index);
    retort_close(scene->model);
    free(scene->index_folder);
    free(scene->folder);
}

/* Each of the four calls: its status, and in *lost the pieces that it did not free. */

static int try_open(const struct scene *scene, struct retort_error *error, long *lost)
{
    struct retort_model *model = scene->model;
    int status = retort_open(&model, scene->folder, &two_threads, error);
    bool refused = grant_all(), opened = model != NULL;
    retort_close(model);
    *lost = atomic_load(&pieces);
    ck_assert_int_ne(refused, opened);
    return status;
}

static int try_index_open(const struct scene *scene, struct retort_error *error, long *lost)
{
    struct retort_index *index = scene->index;
    int status = retort_index_open(&index, scene->index_folder, NULL, &two_threads, error);
    bool refused = grant_all(), opened = index != NULL;
    retort_index_close(index);
    *lost = atomic_load(&pieces);
    ck_assert_int_ne(refused, opened);
    return status;
}

static int try_embed(const struct scene *scene, struct retort_error *error, long *lost)
{
    static float vectors[TEXTS * TINY_HIDDEN], before[TEXTS * TINY_HIDDEN];
    memset(vectors, 0x55, sizeof vectors);
    memcpy(before, vectors, sizeof vectors);
    int status = retort_embed(scene->model, RETORT_QUERY, scene->texts, TEXTS, vectors, error);
    *lost = atomic_load(&pieces);
    if (grant_all()) {
        ck_assert_mem_eq(vectors, before, sizeof vectors);
        int again = retort_embed(scene->model, RETORT_QUERY, scene->texts, TEXTS, vectors, NULL);
        ck_assert_int_eq(again, RETORT_OK);
    }
    ck_assert_mem_eq(vectors, scene->expected, sizeof vectors);
    return status;
}

/* A model's first n texts: memory of passes and compiled products are kept from call to call. */
static int try_first(const struct scene *scene, size_t n, struct retort_error *error, long *lost)
{
    static float vectors[TEXTS * TINY_HIDDEN];
    const long at = atomic_load(&refused_at);
    const size_t size = n * TINY_HIDDEN * sizeof *vectors;
    struct retort_model *model;
    grant_all();
    ck_assert_int_eq(retort_open(&model, scene->folder, &two_threads, NULL), RETORT_OK);
    refuse_from(at, atomic_load(&refused_later));
    int status = retort_embed(model, RETORT_QUERY, scene->texts, n, vectors, error);
    if (grant_all())
        ck_assert_int_eq(retort_embed(model, RETORT_QUERY, scene->texts, n, vectors, NULL),
                         RETORT_OK);
    if (n == TEXTS) ck_assert_mem_eq(vectors, scene->expected, size);
    retort_close(model);
    *lost = 0; /* what the model keeps is not told apart here; sanitizers see what is lost */
    return status;
}

static int try_first_texts(const struct scene *scene, struct retort_error *error, long *lost)
{
    return try_first(scene, TEXTS, error, lost);
}

/* Both workers encode it, as a team. */
static int try_first_text(const struct scene *scene, struct retort_error *error, long *lost)
{
    return try_first(scene, 1, error, lost);
}

static int try_search(const struct scene *scene, struct retort_error *error, long *lost)
{
    static struct retort_hit hits[TEXTS * TOP], before[TEXTS * TOP];
    memset(hits, 0x55, sizeof hits);
    memcpy(before, hits, sizeof hits);
    int status = retort_search(scene->index, scene->texts, TEXTS, TOP, hits, error);
    *lost = atomic_load(&pieces);
    if (grant_all()) {
        ck_assert_mem_eq(hits, before, sizeof hits);
        ck_assert_int_eq(retort_search(scene->index, scene->texts, TEXTS, TOP, hits, NULL),
                         RETORT_OK);
    }
    ck_assert_mem_eq(hits, scene->hits, sizeof hits);
    return status;
}

static int open_files(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    while (folder && readdir(folder)) count++;
    if (folder) closedir(folder);
    return count;
}

/* A weight file is mapped while a model is read, and never longer. */
static bool weights_are_mapped(void)
{
    char line[512];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) found |= strstr(line, ".safetensors") != NULL;
    if (maps) fclose(maps);
    return found;
}

typedef int trial(const struct scene *scene, struct retort_error *error, long *lost);

/* Refuses the first request, then the second, ... until a call asks for less than that; some of
 * them where sanitizers or valgrind make it slow. */
static void refuse_each(const struct scene *scene, bool later, long least, trial *try_call)
{
    const long step = getenv("RETORT_SKIP_SLOW") ? 31 : 1;
    long at = 1, lost;
    int files = open_files(), status;
    do {
        struct retort_error error = {.status = -1};
        refuse_from(at, later);
        status = try_call(scene, &error, &lost);
        ck_assert_int_eq(status, error.status);
        ck_assert_msg(status == RETORT_NO_MEMORY || status == RETORT_OK, "request %ld: %d, %s", at,
                      status, error.message);
        ck_assert_int_eq(*error.message != '\0', status == RETORT_NO_MEMORY);
        ck_assert_msg(lost == 0, "request %ld: %s: %ld pieces lost", at, error.message, lost);
        ck_assert_int_eq(open_files(), files);
        ck_assert(!weights_are_mapped());
        at += step;
    } while (status != RETORT_OK);
    ck_assert_msg(at > least, "only %ld requests", at);
}

static void check_call(trial *try_call, bool exported, long least)
{
    struct scene scene;
    set_scene(&scene, exported);
    refuse_each(&scene, false, least, try_call);
    refuse_each(&scene, true, least, try_call);
    strike_scene(&scene);
}

START_TEST(open_is_refused_anything)
{
    check_call(try_open, false, 200);
}
END_TEST

START_TEST(open_of_an_export_is_refused_anything)
{
    check_call(try_open, true, 200);
}
END_TEST

START_TEST(embed_is_refused_anything)
{
    check_call(try_embed, false, 200);
}
END_TEST

START_TEST(first_texts_are_refused_anything)
{
    check_call(try_first_texts, false, 250);
}
END_TEST

START_TEST(a_team_is_refused_anything)
{
    long least = kernels_best()->multiplies_int8 ? 30 : 40; /* oneDNN's products ask for more */
    check_call(try_first_text, false, least);
    check_call(try_first_text, true, least);
}
END_TEST

START_TEST(index_open_is_refused_anything)
{
    check_call(try_index_open, false, 200);
}
END_TEST

START_TEST(search_is_refused_anything)
{
    check_call(try_search, false, 200);
}
END_TEST

/* ---- a limit of the system ---- */

static size_t address_space(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    REQUIRE(file && fscanf(file, "%lu", &pages) == 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void limit_memory(size_t further)
{
    const struct rlimit limit = {address_space() + further, RLIM_INFINITY};
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
}

/* In a process of its own: embeds far more texts than memory holds, then a few. */
static void embed_beyond_the_limit(const char *folder, const struct scene *scene, size_t n,
                                   size_t further, const char *words)
{
    struct retort_model *model;
    struct retort_error error;
    float few[TEXTS * TINY_HIDDEN];
    const char **texts = xcalloc(n, sizeof *texts);
    float *vectors = xmalloc(n * TINY_HIDDEN * sizeof *vectors);
    for (size_t i = 0; i < n; i++) texts[i] = scene->texts[i % TEXTS];
    REQUIRE(retort_open(&model, folder, &two_threads, NULL) == RETORT_OK);
    REQUIRE(retort_embed(model, RETORT_QUERY, scene->texts, TEXTS, few, NULL) == RETORT_OK);
    limit_memory(further);
    REQUIRE(retort_embed(model, RETORT_QUERY, texts, n, vectors, &error) == RETORT_NO_MEMORY);
    REQUIRE(strstr(error.message, words));
    memset(few, 0, sizeof few);
    REQUIRE(retort_embed(model, RETORT_QUERY, scene->texts, TEXTS, few, &error) == RETORT_OK);
    REQUIRE(memcmp(few, scene->expected, sizeof few) == 0);
    retort_close(model);
    free(vectors);
    free(texts);
}

START_TEST(a_model_outlives_a_call_beyond_the_limit)
{
    static const struct {
        size_t texts, mebibytes;
        const char *words;
    } cases[] = {{4000000, 128, "out of memory (256000000 bytes wanted)"}, /* the vectors */
                 {1000000, 128, "out of memory"}}; /* the ids of some text, in a worker */
    struct scene scene;
    if (skip_slow()) return; /* sanitizers and valgrind want address space without limit */
    set_scene(&scene, false);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status;
        pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            embed_beyond_the_limit(scene.folder, &scene, cases[i].texts, cases[i].mebibytes << 20,
                                   cases[i].words);
            _exit(0);
        }
        REQUIRE(waitpid(child, &status, 0) == child);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "case %zu: ended with %#x", i,
                      status);
    }
    strike_scene(&scene);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(open_is_refused_anything),
                                    TEST(open_of_an_export_is_refused_anything),
                                    TEST(embed_is_refused_anything),
                                    TEST(first_texts_are_refused_anything),
                                    TEST(a_team_is_refused_anything),
                                    TEST(index_open_is_refused_anything),
                                    TEST(search_is_refused_anything),
                                    TEST(a_model_outlives_a_call_beyond_the_limit),
                                    {0}};
    return run_tests("student/no_memory", rows);
}
