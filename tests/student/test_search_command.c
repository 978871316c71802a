/* retort index and retort search, from a tiny model and collection to a run. */
#define _GNU_SOURCE
#include "data/run.h"
#include "student/embedder.h"
#include "student/index.h"
#include "student/index_command.h"
#include "student/search_command.h"
#include "student/top_k.h"
#include "tests/support.h"
#include "tests/tiny_model.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DOCUMENTS = 30, QUERIES = 4, MAX_ARGUMENTS = 16 };
static const char *const queries[QUERIES] = {"where is the cat", "blue sea", "", "fast dog ran in"};

/* Document d: three to seven words. */
static void document_text(struct text *out, size_t d)
{
    size_t words = 0;
    while (tiny_words[words]) words++;
    text_clear(out);
    for (size_t i = 0; i < 3 + d % 5; i++)
        text_printf(out, "%s%s", i ? " " : "", tiny_words[random_bits(1, d, i) % words]);
}

/* A collection folder; every second document has its first word as title. */
static char *write_collection(const char *name, const char *id_format)
{
    struct text text = {0}, corpus = {0};
    struct error err = {0};
    char id[32], *folder = xasprintf("%s/%s", scratch_folder(), name);
    for (size_t d = 0; d < DOCUMENTS; d++) {
        document_text(&text, d);
        snprintf(id, sizeof id, id_format, d);
        size_t title = d % 2 ? strcspn(text.bytes, " ") : 0;
        text_printf(&corpus, "{\"_id\": \"%s\", \"title\": \"%.*s\", \"text\": \"%s\"}\n", id,
                    (int)title, text.bytes, text.bytes + title + (title > 0));
    }
    check_ok(make_folder(folder, &err), &err);
    char *file = xasprintf("%s/corpus.jsonl", name);
    free(scratch_file(file, corpus.bytes, corpus.length));
    free(file);
    text_free(&text);
    text_free(&corpus);
    return folder;
}

static char *write_queries(const char *name, bool json)
{
    struct text text = {0};
    for (size_t q = 0; q < QUERIES; q++)
        text_printf(&text, json ? "{\"_id\": \"q%zu\", \"text\": \"%s\"}\n" : "q%zu\t%s\n", q,
                    queries[q]);
    char *path = scratch_file(name, text.bytes, text.length);
    text_free(&text);
    return path;
}

/* A call with the arguments of the line, divided by "|"; what it prints goes to *out (may be NULL).
 */
static int call(int (*command)(int, char **, struct error *), const char *line, struct text *out,
                struct error *err)
{
    char *copy = xstrdup(line), *place = copy, *argv[MAX_ARGUMENTS + 1] = {0};
    int argc = 0, before = dup(STDOUT_FILENO);
    while (argc < MAX_ARGUMENTS && (argv[argc] = strsep(&place, "|"))) argc++;
    char *path = scratch_file("stdout", "", 0);
    int file = open(path, O_WRONLY | O_TRUNC);
    fflush(stdout);
    dup2(file, STDOUT_FILENO);
    *err = (struct error){0};
    int status = command(argc, argv, err);
    fflush(stdout);
    dup2(before, STDOUT_FILENO);
    close(before);
    close(file);
    struct error read = {0};
    if (out) check_ok(read_whole_file(out, path, 1 << 20, &read), &read);
    free(path);
    free(copy);
    return status;
}

static int call_index(const char *model, const char *options, const char *index,
                      const char *collection, struct error *err)
{
    char *line = xasprintf("index|--quiet|--precision|f32|--model|%s%s|--output|%s|%s", model,
                           options, index, collection);
    int status = call(index_command, line, NULL, err);
    free(line);
    return status;
}

static int call_search(const char *index, const char *options, const char *file, struct text *out,
                       struct error *err)
{
    char *line = xasprintf("search|--quiet|--precision|f32|--index|%s%s|%s", index, options, file);
    int status = call(search_command, line, out, err);
    free(line);
    return status;
}

/* Each query's documents by cosine in double, from embeddings of the model itself. */
static void rank_naive(struct hit hits[QUERIES][DOCUMENTS], const char *model, int layers, int dim,
                       bool cosine)
{
    struct embedder_options tap = {.layers = layers, .dim = 0, .precision = PRECISION_F32};
    struct embedder embedder;
    struct error err = {0};
    struct text text = {0};
    float q[QUERIES * TINY_HIDDEN], d[TINY_HIDDEN], *zq = q, *zd = d;
    check_ok(embedder_open(&embedder, model, &tap, &err), &err);
    const struct dual_encoder *encoder = &embedder.encoder;
    struct embed_request request = {.texts = queries,
                                    .count = QUERIES,
                                    .prompt = encoder->query_prompt,
                                    .layers = &layers,
                                    .num_layers = 1};
    dual_encoder_embed(encoder, embedder.pool, &request, &zq);
    for (size_t row = 0; row < DOCUMENTS; row++) {
        document_text(&text, row);
        const char *texts[] = {text.bytes};
        request.texts = texts;
        request.count = 1;
        request.prompt = encoder->document_prompt;
        dual_encoder_embed(encoder, embedder.pool, &request, &zd);
        for (size_t query = 0; query < QUERIES; query++) {
            double dot = 0, qq = 0, dd = 0;
            for (int i = 0; i < dim; i++) {
                double a = (double)q[query * TINY_HIDDEN + (size_t)i], b = (double)d[i];
                dot += a * b, qq += a * a, dd += b * b;
            }
            hits[query][row] = (struct hit){row, cosine ? dot / sqrt(qq * dd) : dot};
        }
    }
    text_free(&text);
    embedder_close(&embedder);
}

/* The run has each query's best `top` in order, with their scores. */
static void check_run(const char *bytes, const char *id_format,
                      struct hit naive[QUERIES][DOCUMENTS], size_t top, double scale)
{
    struct run run;
    struct error err = {0};
    char *path = scratch_file("run.trec", bytes, strlen(bytes)), id[32];
    check_ok(run_read(&run, path, &err), &err);
    ck_assert_uint_eq(run.count, QUERIES);
    for (size_t q = 0; q < QUERIES; q++) {
        struct hit best[DOCUMENTS];
        struct top_k order = top_k_start(best, DOCUMENTS);
        for (size_t d = 0; d < DOCUMENTS; d++)
            top_k_offer(&order, naive[q][d].row, naive[q][d].score);
        top_k_finish(&order);
        snprintf(id, sizeof id, "q%zu", q);
        const struct ranked_query *ranked = run_find(&run, id);
        ck_assert_ptr_nonnull(ranked);
        ck_assert_uint_eq(ranked->count, top);
        for (size_t i = 0; i < top; i++) {
            ck_assert_double_eq_tol(ranked->documents[i].score, best[i].score, 3e-6 * scale);
            /* Documents of one score to within rounding may change places. */
            size_t row = DOCUMENTS;
            for (size_t d = 0; d < DOCUMENTS; d++) {
                snprintf(id, sizeof id, id_format, d);
                if (strcmp(id, ranked->documents[i].document) == 0) row = d;
            }
            ck_assert_uint_lt(row, DOCUMENTS);
            ck_assert_double_eq_tol(naive[q][row].score, best[i].score, 3e-6 * scale);
            if (i) ck_assert_double_ge(ranked->documents[i - 1].score, ranked->documents[i].score);
        }
    }
    run_free(&run);
    free(path);
}

START_TEST(the_run_is_the_naive_ranking)
{
    static struct hit naive[QUERIES][DOCUMENTS];
    static const struct {
        const char *options;
        int layers, dim;
    } taps[] = {{"", 3, 16}, {"|--layers|2|--dim|5", 2, 5}, {"|--layers|1", 1, 16}};
    char *model = tiny_model("model", &(struct tiny_model){.seed = 1, .normalize = true});
    char *collection = write_collection("set", "d%zu"), *file = write_queries("queries.tsv", false);
    char *index = path_join(scratch_folder(), "index");
    struct error err;
    struct text run = {0};
    for (size_t t = 0; t < 3; t++) {
        check_ok(call_index(model, taps[t].options, index, collection, &err), &err);
        rank_naive(naive, model, taps[t].layers, taps[t].dim, true);
        check_ok(call_search(index, "|--top|7", file, &run, &err), &err);
        check_run(run.bytes, "d%zu", naive, 7, 1);
        check_ok(call_search(index, "", file, &run, &err), &err); /* 100: more than there are */
        check_run(run.bytes, "d%zu", naive, DOCUMENTS, 1);
    }
    text_free(&run);
    free(index), free(file), free(collection), free(model);
}
END_TEST

/* With all documents rescored, scores are the unrounded query's, off by the documents' rounding. */
START_TEST(every_type_of_vectors_is_searched)
{
    static struct hit naive[QUERIES][DOCUMENTS];
    static const struct {
        const char *type;
        double scale; /* of check_run's tolerance, 3e-6 */
    } types[] = {{"bf16", 1500}, {"int8", 1500}};
    char *model = tiny_model("model", &(struct tiny_model){.seed = 1, .normalize = true});
    char *collection = write_collection("set", "d%zu"), *file = write_queries("queries.tsv", false);
    char *index = path_join(scratch_folder(), "typed");
    struct error err;
    struct text run = {0};
    rank_naive(naive, model, 3, 16, true);
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        char *option = xasprintf("|--vectors|%s", types[t].type);
        check_ok(call_index(model, option, index, collection, &err), &err);
        check_ok(call_search(index, "|--top|30|--rescore|2", file, &run, &err), &err);
        check_run(run.bytes, "d%zu", naive, DOCUMENTS, types[t].scale);
        check_ok(call_search(index, "|--top|30", file, &run, &err), &err);
        check_run(run.bytes, "d%zu", naive, DOCUMENTS, 2 * types[t].scale);
        free(option);
    }
    /* Signs: 16 - 2 (signs that differ). */
    check_ok(call_index(model, "|--vectors|binary", index, collection, &err), &err);
    check_ok(call_search(index, "|--top|3|--rescore|1", file, &run, &err), &err);
    const char *score = strstr(run.bytes, " 1 ");
    ck_assert_ptr_nonnull(score);
    double best = strtod(score + 3, NULL);
    ck_assert(best > 0 && best <= 16 && fmod(best, 2) == 0);
    text_free(&run);
    free(index), free(file), free(collection), free(model);
}
END_TEST

START_TEST(prompts_and_dot_products_are_the_models_own)
{
    static struct hit naive[QUERIES][DOCUMENTS];
    struct tiny_model options = {
        .seed = 2, .similarity = "dot", .query_prompt = "what: ", .document_prompt = "the "};
    char *model = tiny_model("prompted", &options), *collection = write_collection("set", "d%zu");
    char *file = write_queries("queries.tsv", false), *index = path_join(scratch_folder(), "dot");
    struct error err;
    struct text run = {0};
    check_ok(call_index(model, "", index, collection, &err), &err);
    rank_naive(naive, model, 3, 16, false);
    check_ok(call_search(index, "|--top|30", file, &run, &err), &err);
    check_run(run.bytes, "d%zu", naive, DOCUMENTS, 30);
    text_free(&run);
    free(index), free(file), free(collection), free(model);
}
END_TEST

START_TEST(forms_of_queries_and_threads_change_nothing)
{
    char *model = tiny_model("model", &(struct tiny_model){.seed = 1, .normalize = true});
    char *collection = write_collection("set", "d%zu"), *tsv = write_queries("queries.tsv", false);
    char *json = write_queries("queries.jsonl", true), *index = path_join(scratch_folder(), "same");
    struct error err;
    struct text first = {0}, again = {0};
    check_ok(call_index(model, "|--threads|1", index, collection, &err), &err);
    check_ok(call_search(index, "|--threads|1", tsv, &first, &err), &err);
    ck_assert_int_eq(strncmp(first.bytes, "q0 Q0 d", 7), 0);
    ck_assert_ptr_nonnull(strstr(first.bytes, " retort\nq3 Q0 d"));
    check_ok(call_search(index, "|--threads|2", json, &again, &err), &err);
    ck_assert_str_eq(first.bytes, again.bytes);
    check_ok(call_index(model, "|--threads|3", index, collection, &err), &err);
    check_ok(call_search(index, "|--tag|retort", tsv, &again, &err), &err);
    ck_assert_str_eq(first.bytes, again.bytes);
    check_ok(call_search(index, "|--tag|mine|--top|1", tsv, &again, &err), &err);
    ck_assert_ptr_nonnull(strstr(again.bytes, " mine\n"));
    text_free(&first);
    text_free(&again);
    free(index), free(tsv), free(json), free(collection), free(model);
}
END_TEST

START_TEST(ids_with_spaces_are_divided_by_tabs)
{
    static struct hit naive[QUERIES][DOCUMENTS];
    char *model = tiny_model("model", &(struct tiny_model){.seed = 1, .normalize = true});
    char *collection = write_collection("spaced", "d %zu");
    char *file = write_queries("queries.tsv", false), *index = path_join(scratch_folder(), "tabs");
    struct error err;
    struct text run = {0};
    check_ok(call_index(model, "", index, collection, &err), &err);
    check_ok(call_search(index, "|--top|3", file, &run, &err), &err);
    ck_assert_int_eq(strncmp(run.bytes, "q0\tQ0\td ", 8), 0);
    rank_naive(naive, model, 3, 16, true);
    check_run(run.bytes, "d %zu", naive, 3, 1);
    text_free(&run);
    free(index), free(file), free(collection), free(model);
}
END_TEST

START_TEST(another_model_is_refused)
{
    char *model = tiny_model("moving", &(struct tiny_model){.seed = 1, .normalize = true});
    char *collection = write_collection("set", "d%zu"), *file = write_queries("queries.tsv", false);
    char *index = path_join(scratch_folder(), "old");
    struct error err;
    struct text run = {0}, moved_run = {0};
    check_ok(call_index(model, "", index, collection, &err), &err);
    check_ok(call_search(index, "", file, &run, &err), &err);
    char *moved = path_join(scratch_folder(), "moved");
    ck_assert_int_eq(rename(model, moved), 0);
    check_failed(call_search(index, "", file, NULL, &err), &err, STATUS_WORLD, "moving", "--model");
    char *option = xasprintf("|--model|%s", moved);
    check_ok(call_search(index, option, file, &moved_run, &err), &err);
    ck_assert_str_eq(run.bytes, moved_run.bytes);
    free(tiny_model("moving", &(struct tiny_model){.seed = 3, .normalize = true}));
    check_failed(call_search(index, "", file, NULL, &err), &err, STATUS_WORLD, "moving", index);
    free(tiny_model("moving", &(struct tiny_model){.seed = 1, .query_prompt = "where: "}));
    check_failed(call_search(index, "", file, NULL, &err), &err, STATUS_WORLD, "moving", index);
    text_free(&run);
    text_free(&moved_run);
    free(option), free(moved), free(index), free(file), free(collection), free(model);
}
END_TEST

START_TEST(mistakes_of_a_call_to_index)
{
    char *model = tiny_model("model", &(struct tiny_model){.seed = 1});
    char *collection = write_collection("set", "d%zu");
    char *index = path_join(scratch_folder(), "none");
    struct error err;
    check_failed(call(index_command, "index|--output|x|y", NULL, &err), &err, STATUS_USAGE,
                 "--model");
    check_failed(call(index_command, "index|--model|x|y", NULL, &err), &err, STATUS_USAGE,
                 "--output");
    check_failed(call(index_command, "index|--model|x|--output|y", NULL, &err), &err, STATUS_USAGE,
                 "COLLECTION");
    check_failed(call_index(model, "|--layers|4", index, collection, &err), &err, STATUS_USAGE,
                 "3 layers", "4");
    check_failed(call_index(model, "|--dim|17", index, collection, &err), &err, STATUS_USAGE,
                 "16 dimensions", "17");
    check_failed(call_index(model, "|--precision|f23", index, collection, &err), &err, STATUS_USAGE,
                 "f23");
    check_failed(call_index(model, "|--vectors|f16", index, collection, &err), &err, STATUS_USAGE,
                 "--vectors", "f16");
    check_failed(call_index("/absent", "", index, collection, &err), &err, STATUS_WORLD, "/absent");
    check_failed(call_index(model, "", index, "/absent", &err), &err, STATUS_WORLD, "/absent");
    check_failed(call_index(model, "", collection, collection, &err), &err, STATUS_WORLD,
                 collection);
    ck_assert(!path_exists(index));
    free(index), free(collection), free(model);
}
END_TEST

START_TEST(mistakes_of_a_call_to_search)
{
    char *model = tiny_model("model", &(struct tiny_model){.seed = 1});
    char *collection = write_collection("set", "d%zu"), *file = write_queries("queries.tsv", false);
    char *index = path_join(scratch_folder(), "index2");
    char *bad = scratch_file("bad.tsv", "q0\tfine\nq1 has no tab\n", 22);
    struct error err;
    struct text run = {0};
    check_ok(call_index(model, "", index, collection, &err), &err);
    check_failed(call(search_command, "search|x", NULL, &err), &err, STATUS_USAGE, "--index");
    check_failed(call_search(index, "|--top|0", file, NULL, &err), &err, STATUS_USAGE, "--top");
    check_failed(call_search(index, "|--rescore|-1", file, NULL, &err), &err, STATUS_USAGE,
                 "--rescore");
    check_failed(call_search(index, "|--tag|a b", file, NULL, &err), &err, STATUS_USAGE, "--tag");
    check_failed(call_search(index, "|x", file, NULL, &err), &err, STATUS_USAGE, "one file");
    check_failed(call_search("/absent", "", file, NULL, &err), &err, STATUS_WORLD, "/absent");
    check_failed(call_search(collection, "", file, NULL, &err), &err, STATUS_WORLD, "retort index");
    check_failed(call_search(index, "", "/absent", NULL, &err), &err, STATUS_WORLD, "/absent");
    check_failed(call_search(index, "", bad, &run, &err), &err, STATUS_WORLD, "bad.tsv:2");
    ck_assert_uint_eq(run.length, 0);
    text_free(&run);
    free(bad), free(index), free(file), free(collection), free(model);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(the_run_is_the_naive_ranking),
        TEST(every_type_of_vectors_is_searched),
        TEST(prompts_and_dot_products_are_the_models_own),
        TEST(forms_of_queries_and_threads_change_nothing),
        TEST(ids_with_spaces_are_divided_by_tabs),
        TEST(another_model_is_refused),
        TEST(mistakes_of_a_call_to_index),
        TEST(mistakes_of_a_call_to_search),
        {0},
    };
    return run_tests("student/search_command", rows);
}
