/* The library: the same vectors and hits as the layers below it, errors as values, turns. */
#include "student/retort.h"
#include "nn/dnn.h"
#include "student/embedder.h"
#include "student/index.h"
#include "student/search.h"
#include "tests/support.h"
#include "tests/tiny_model.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 4, DOCUMENTS = 7 };
static const char *const texts[N] = {"where is the cat", "", "blue sea", "fast dog ran in"};
static const struct retort_options f32 = {.threads = 2, .precision = RETORT_F32};

static char *make_model(const char *name)
{
    return tiny_model(
        name,
        &(struct tiny_model){
            .seed = 3, .normalize = true, .query_prompt = "query: ", .document_prompt = "the "});
}

static struct retort_model *open_model(const char *folder, const struct retort_options *options)
{
    struct retort_model *model;
    struct retort_error error;
    int status = retort_open(&model, folder, options, &error);
    ck_assert_msg(status == RETORT_OK, "%s", error.message);
    ck_assert_int_eq(error.status, RETORT_OK);
    ck_assert_str_eq(error.message, "");
    return model;
}

/* vectors [N, dim] by the embedder, which has tests of its own. */
static void embed_below(float *vectors, const char *folder, int layers, int dim, const char *prompt)
{
    const struct embedder_options tap = {
        .layers = layers, .dim = dim, .threads = 1, .precision = PRECISION_F32};
    struct embedder embedder;
    struct error err = {0};
    check_ok(embedder_open(&embedder, folder, &tap, &err), &err);
    embedder_texts(&embedder, vectors, texts, N, prompt);
    embedder_close(&embedder);
}

START_TEST(embeds_with_the_prompt_of_the_role)
{
    static const char *const prompts[] = {"", "query: ", "the "};
    char *folder = make_model("roles");
    struct retort_options options = f32;
    options.layers = 2;
    options.dim = 5;
    struct retort_model *model = open_model(folder, &options);
    ck_assert_uint_eq(retort_layers(model), 2);
    ck_assert_uint_eq(retort_dim(model), 5);
    for (int role = RETORT_TEXT; role <= RETORT_DOCUMENT; role++) {
        float got[N * 5] = {0}, expected[N * 5];
        ck_assert_int_eq(retort_embed(model, role, texts, N, got, NULL), RETORT_OK);
        embed_below(expected, folder, 2, 5, prompts[role]);
        ck_assert_mem_eq(got, expected, sizeof got);
        ck_assert(got[0] != got[10]);
    }
    ck_assert_int_eq(retort_embed(model, RETORT_TEXT, NULL, 0, NULL, NULL), RETORT_OK);
    retort_close(model);
    model = open_model(folder, NULL);
    ck_assert_uint_eq(retort_layers(model), TINY_LAYERS);
    ck_assert_uint_eq(retort_dim(model), TINY_HIDDEN);
    retort_close(model);
    retort_close(NULL);
    free(folder);
}
END_TEST

/* vectors: what the type keeps of them. */
static char *make_index(const char *name, const char *model, enum vector_type type,
                        float vectors[DOCUMENTS * 6])
{
    static const char *const ids[DOCUMENTS] = {"a", "b b", "c", "d", "e", "f", "g"};
    struct index_info info = {
        .layers = 3, .dim = 6, .type = type, .normalized = true, .count = DOCUMENTS};
    struct vector_index index;
    const struct embedder_options tap = {.layers = 3, .dim = 6, .precision = PRECISION_F32};
    struct embedder embedder;
    struct index_writer writer;
    struct error err = {0};
    char *folder = xasprintf("%s/%s", scratch_folder(), name);
    info.model = (char *)model;
    check_ok(embedder_open(&embedder, model, &tap, &err), &err);
    check_ok(embedder_fingerprint(info.fingerprint, &embedder, &err), &err);
    embedder_close(&embedder);
    for (size_t i = 0; i < DOCUMENTS * 6; i++) vectors[i] = test_value(5, i);
    memcpy(vectors + 6, vectors, 6 * sizeof *vectors); /* a tie */
    check_ok(index_writer_open(&writer, folder, &info, &err), &err);
    check_ok(index_writer_add(&writer, ids, vectors, DOCUMENTS, &err), &err);
    check_ok(index_writer_commit(&writer, &err), &err);
    check_ok(vector_index_open(&index, folder, &err), &err);
    for (size_t i = 0; i < DOCUMENTS; i++) stored_row(vectors + 6 * i, &index.vectors, i);
    vector_index_free(&index);
    return folder;
}

/* hits [N, k] against a sum in double and a walk through all documents. */
static void check_hits(const struct retort_hit *hits, size_t k, const float *queries,
                       const float *documents)
{
    static const char *const ids[DOCUMENTS] = {"a", "b b", "c", "d", "e", "f", "g"};
    for (size_t q = 0; q < N; q++) {
        bool used[DOCUMENTS] = {false};
        for (size_t i = 0; i < k; i++) {
            size_t best = DOCUMENTS;
            double best_score = -1e9;
            for (size_t d = 0; d < DOCUMENTS; d++) {
                double score = 0;
                for (size_t j = 0; j < 6; j++)
                    score += (double)queries[q * 6 + j] * (double)documents[d * 6 + j];
                if (!used[d] && score > best_score) best = d, best_score = score;
            }
            const struct retort_hit *hit = &hits[q * k + i];
            if (best == DOCUMENTS) {
                ck_assert_ptr_null(hit->id);
                ck_assert_double_eq(hit->score, 0);
                continue;
            }
            used[best] = true;
            ck_assert_str_eq(hit->id, ids[best]);
            ck_assert_double_eq_tol(hit->score, best_score, 1e-6);
        }
    }
}

/* Rescored four times over, three of seven documents are the best of all by the query as it is. */
static void check_type(const char *model, const char *moved, enum vector_type type)
{
    float documents[DOCUMENTS * 6], queries[N * 6];
    char *folder = make_index("index", model, type, documents);
    struct retort_index *index;
    struct retort_error error;
    struct retort_hit hits[N * 9];
    struct retort_options options = f32;
    options.rescore = 4;
    embed_below(queries, model, 3, 6, "query: ");
    for (int i = 0; i < 2; i++) { /* where it was, and a copy elsewhere */
        int status = retort_index_open(&index, folder, i ? moved : NULL, &options, &error);
        ck_assert_msg(status == RETORT_OK, "%s", error.message);
        ck_assert_uint_eq(retort_index_count(index), DOCUMENTS);
        ck_assert_int_eq(retort_search(index, texts, N, 3, hits, NULL), RETORT_OK);
        check_hits(hits, 3, queries, documents);
        ck_assert_int_eq(retort_search(index, texts, N, 9, hits, &error), RETORT_OK);
        check_hits(hits, 9, queries, documents);
        retort_index_close(index);
    }
    free(folder);
}

START_TEST(searches_as_a_walk_through_all_documents)
{
    char *model = make_model("of-index"), *moved = make_model("moved");
    for (int type = 0; type < VECTOR_TYPES; type++)
        check_type(model, moved, (enum vector_type)type);
    retort_index_close(NULL);
    free(moved);
    free(model);
}
END_TEST

/* Ids are looked at when they are found: the caller's hits stay as they were. */
START_TEST(an_id_that_was_changed_is_an_error)
{
    float documents[DOCUMENTS * 6];
    char *model = make_model("changed");
    char *folder = make_index("changed-index", model, VECTOR_F32, documents);
    struct retort_index *index;
    struct retort_error error;
    struct retort_hit hits[DOCUMENTS] = {{"before", 1}};
    free(scratch_file("changed-index/ids.txt", "a\nb b\nc\nd\ne\nf\n\n\n", 16));
    ck_assert_int_eq(retort_index_open(&index, folder, NULL, &f32, &error), RETORT_OK);
    ck_assert_int_eq(retort_search(index, texts, 1, DOCUMENTS, hits, &error), RETORT_BAD_FILE);
    ck_assert_ptr_nonnull(strstr(error.message, "ids.txt:7"));
    ck_assert_str_eq(hits[0].id, "before");
    retort_index_close(index);
    free(folder), free(model);
}
END_TEST

/* ---- errors ---- */

static void check_error(int got, const struct retort_error *error, int status, const char *words)
{
    ck_assert_int_eq(got, status);
    ck_assert_int_eq(error->status, status);
    ck_assert_msg(strstr(error->message, words) != NULL, "does not say \"%s\": %s", words,
                  error->message);
}

static void check_options(const char *folder, struct retort_options options, const char *words)
{
    struct retort_model *model = (struct retort_model *)&options;
    struct retort_error error;
    check_error(retort_open(&model, folder, &options, &error), &error, RETORT_BAD_CALL, words);
    ck_assert_ptr_null(model);
}

START_TEST(bad_calls_are_values)
{
    char *folder = make_model("calls");
    struct retort_model *model;
    struct retort_error e;
    const char *const holed[] = {"a", NULL};
    float vectors[2 * TINY_HIDDEN];
    check_options(folder, (struct retort_options){.layers = 4}, "3 layers, not 4");
    check_options(folder, (struct retort_options){.layers = -1}, "at least 0, not -1");
    check_options(folder, (struct retort_options){.dim = 17}, "16 dimensions, not 17");
    check_options(folder, (struct retort_options){.threads = -1}, "0 to 1024");
    check_options(folder, (struct retort_options){.threads = 1025}, "0 to 1024");
    check_options(folder, (struct retort_options){.precision = 4}, "precision 4");
    check_options(folder, (struct retort_options){.reserved = {0, 0, 1}}, "reserved");
    check_options(folder, (struct retort_options){.rescore = -1}, "rescore");
    check_options(NULL, f32, "may not be NULL");
    check_error(retort_open(NULL, folder, &f32, &e), &e, RETORT_BAD_CALL, "may not be NULL");
    check_error(retort_open(&model, "/nowhere", &f32, &e), &e, RETORT_BAD_FILE, "/nowhere");
    ck_assert_ptr_null(model);
    ck_assert_int_eq(retort_open(&model, "/nowhere", &f32, NULL), RETORT_BAD_FILE);
    model = open_model(folder, &f32);
    check_error(retort_embed(model, 3, texts, 1, vectors, &e), &e, RETORT_BAD_CALL, "role 3");
    check_error(retort_embed(model, 0, holed, 2, vectors, &e), &e, RETORT_BAD_CALL, "text 1 is");
    check_error(retort_embed(model, 0, texts, 1, NULL, &e), &e, RETORT_BAD_CALL, "be NULL");
    check_error(retort_embed(NULL, 0, texts, 1, vectors, &e), &e, RETORT_BAD_CALL, "model may");
    retort_close(model);
    free(folder);
}
END_TEST

/* Vectors are close to those of f32, and the same whatever else is embedded. */
START_TEST(embeds_in_int8)
{
    if (!dnn_has_fast_int8()) return;
    char *folder = make_model("int8");
    const struct retort_options options = {.precision = RETORT_INT8};
    struct retort_model *model = open_model(folder, &options);
    float got[N * TINY_HIDDEN], alone[TINY_HIDDEN], expected[N * TINY_HIDDEN];
    embed_below(expected, folder, 0, 0, "");
    ck_assert_int_eq(retort_embed(model, RETORT_TEXT, texts, N, got, NULL), RETORT_OK);
    check_close(got, expected, N * TINY_HIDDEN, 0.05);
    ck_assert_int_eq(retort_embed(model, RETORT_TEXT, texts + 2, 1, alone, NULL), RETORT_OK);
    ck_assert_mem_eq(alone, got + 2 * TINY_HIDDEN, sizeof alone);
    ck_assert_mem_ne(got, expected, sizeof got);
    retort_close(model);
    free(folder);
}
END_TEST

START_TEST(bad_indexes_are_values)
{
    char *model = make_model("right"),
         *other = tiny_model("wrong", &(struct tiny_model){.seed = 4, .normalize = true});
    float documents[DOCUMENTS * 6];
    char *folder = make_index("indexed", model, VECTOR_F32, documents);
    const struct retort_options layers = {.layers = 1};
    struct retort_index *index = (struct retort_index *)documents;
    struct retort_hit hits[1];
    struct retort_error e;
    check_error(retort_index_open(&index, folder, other, &f32, &e), &e, RETORT_BAD_FILE,
                "not the model");
    ck_assert_ptr_null(index);
    check_error(retort_index_open(&index, folder, "/nowhere", &f32, &e), &e, RETORT_BAD_FILE,
                "give its place");
    check_error(retort_index_open(&index, model, NULL, &f32, &e), &e, RETORT_BAD_FILE, "index");
    check_error(retort_index_open(&index, folder, NULL, &layers, &e), &e, RETORT_BAD_CALL,
                "leave them 0");
    check_error(retort_index_open(&index, NULL, NULL, NULL, &e), &e, RETORT_BAD_CALL, "NULL");
    check_error(retort_search(NULL, texts, 1, 1, hits, &e), &e, RETORT_BAD_CALL, "index may");
    ck_assert_int_eq(retort_index_open(&index, folder, NULL, &f32, &e), RETORT_OK);
    check_error(retort_search(index, texts, 1, 0, hits, &e), &e, RETORT_BAD_CALL, "from 1 to");
    check_error(retort_search(index, texts, 1, 1, NULL, &e), &e, RETORT_BAD_CALL, "be NULL");
    retort_index_close(index);
    free(folder);
    free(other);
    free(model);
}
END_TEST

/* ---- threads ---- */

struct caller {
    struct retort_model *model;
    float vectors[N * TINY_HIDDEN];
};

static void *embed_often(void *arg)
{
    struct caller *caller = arg;
    for (int i = 0; i < 20; i++)
        if (retort_embed(caller->model, RETORT_QUERY, texts, N, caller->vectors, NULL)) break;
    return NULL;
}

START_TEST(threads_share_a_model)
{
    char *folder = make_model("shared");
    struct caller callers[4] = {0};
    pthread_t threads[4];
    float expected[N * TINY_HIDDEN];
    struct retort_model *model = open_model(folder, &f32);
    embed_below(expected, folder, 0, 0, "query: ");
    for (int i = 0; i < 4; i++) {
        callers[i].model = model;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, embed_often, &callers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_mem_eq(callers[i].vectors, expected, sizeof expected);
    }
    retort_close(model);
    free(folder);
}
END_TEST

START_TEST(says_its_version)
{
    ck_assert_str_eq(retort_version(), RETORT_VERSION);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(embeds_with_the_prompt_of_the_role),
                                    TEST(searches_as_a_walk_through_all_documents),
                                    TEST(an_id_that_was_changed_is_an_error),
                                    TEST(bad_calls_are_values),
                                    TEST(embeds_in_int8),
                                    TEST(bad_indexes_are_values),
                                    TEST(threads_share_a_model),
                                    TEST(says_its_version),
                                    {0}};
    return run_tests("student/retort", rows);
}
