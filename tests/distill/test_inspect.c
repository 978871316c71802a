/* distill/inspect: what it says of small files of each kind. */
#include "tests/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/npy.h"
#include "data/output.h"
#include "data/safetensors.h"
#include "data/score_cache.h"
#include "distill/inspect.h"
#include "distill/pca.h"
#include "student/index.h"

static char *put(const char *name, const char *content)
{
    char *folder = xstrdup(scratch_folder()), *path = xasprintf("%s/%s", folder, name);
    struct error err = {0};
    char *above = path_folder(path);
    check_ok(make_folder(above, &err), &err);
    free(above);
    free(folder);
    free(path);
    return scratch_file(name, content, strlen(content));
}

static void append(const char *path, const char *bytes)
{
    FILE *file = fopen(path, "ab");
    ck_assert(file != NULL && fputs(bytes, file) >= 0 && fclose(file) == 0);
}

/* Asserts that the facts have this line: label, spaces, the rest. */
static void check_fact(const struct text *facts, const char *label, const char *rest)
{
    char *line = xasprintf("%-14s %s\n", label, rest);
    ck_assert_msg(strstr(facts->bytes, line) != NULL, "no line\n%sin\n%s", line, facts->bytes);
    free(line);
}

START_TEST(numbers_are_short)
{
    const struct {
        double number;
        const char *expected;
    } rows[] = {{0, "0"},        {410, "410"},         {999, "999"},
                {999.6, "1 k"},  {22713216, "22.7 M"}, {1.5e9, "1.5 G"},
                {4.2e13, "42 T"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char buffer[16];
        ck_assert_str_eq(short_number(buffer, rows[i].number), rows[i].expected);
    }
}
END_TEST

START_TEST(bytes_have_a_unit)
{
    char buffer[16];
    ck_assert_str_eq(short_bytes(buffer, 24), "24 B");
    ck_assert_str_eq(short_bytes(buffer, 45.4e6), "45.4 MB");
}
END_TEST

START_TEST(distributions_have_their_percentiles)
{
    struct text out = {0};
    size_t values[101];
    for (size_t i = 0; i <= 100; i++) values[i] = 100 - i;
    distribution(&out, "lengths", "words", values, 101, true);
    check_fact(&out, "lengths",
               "words: mean 50.0, median 50, 90 % within 90, 99 % within 99, at most 100");
    check_fact(&out, "", "     0 to 0           1 #");
    check_fact(&out, "", "     4 to 7           4 ####");
    check_fact(&out, "", "    64 to 127        37 ########################################");
    ck_assert_ptr_null(strstr(out.bytes, "128 to"));
    text_free(&out);
}
END_TEST

START_TEST(collections)
{
    free(put("c/corpus.jsonl", "{\"_id\": \"d1\", \"title\": \"A\", \"text\": \"b c\"}\n"
                               "{\"_id\": \"d2\", \"title\": \"\", \"text\": \"one two\"}\n"
                               "{\"_id\": \"d3\", \"text\": \"one two\"}\n"
                               "{\"_id\": \"d4\", \"text\": \"\"}\n"));
    free(put("c/queries.jsonl", "{\"_id\": \"q1\", \"text\": \"same\"}\n"
                                "{\"_id\": \"q2\", \"text\": \"same\"}\n"
                                "{\"_id\": \"q3\", \"text\": \"other\"}\n"));
    free(put("c/qrels/train.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t1\nq3\td2\t2\nq3\td3\t0\n"));
    free(put("c/qrels/test.tsv", "query-id\tcorpus-id\tscore\nq2\td1\t1\n"));
    char *path = xasprintf("%s/c", scratch_folder());
    struct text out = {0};
    struct error err = {0};
    check_ok(inspect_collection(&out, path, NULL, &err), &err);
    check_fact(&out, "kind", "collection (BEIR layout)");
    check_fact(&out, "documents", "4 (1 of them the same as an earlier one, 1 empty)");
    check_fact(&out, "", "words: mean 1.8, median 2, 90 % within 2, 99 % within 2, at most 3");
    check_fact(&out, "queries", "3 (1 of them the same as an earlier one, 0 empty)");
    check_fact(&out, "train",
               "2 queries, 3 judgements (grades 0 to 2); relevant: 1.0 a query, at most 1");
    check_fact(&out, "leak", "1 queries of train are in test too");
    check_failed(inspect_collection(&out, path, "/nonexistent/model", &err), &err, STATUS_WORLD,
                 "/nonexistent/model");
    text_free(&out);
    free(path);
}
END_TEST

START_TEST(judgements_runs_and_texts)
{
    struct text out = {0};
    struct error err = {0};
    char *qrels = put("a.qrels", "q1 0 d1 2\nq1 0 d2 0\nq2 0 d1 1\n");
    check_ok(inspect_qrels(&out, qrels, &err), &err);
    check_fact(&out, "judged",
               "2 queries, 3 judgements (grades 0 to 2); relevant: 1.0 a query, at most 1");
    char *run = put("a.run", "q1 Q0 d1 1 0.5 x\nq1 Q0 d2 2 -0.25 y\nq2 Q0 d1 1 3 x\n");
    text_clear(&out);
    check_ok(inspect_run(&out, run, &err), &err);
    check_fact(&out, "queries", "2");
    check_fact(&out, "scores", "from -0.25 to 3");
    check_fact(&out, "tags", "x: 2");
    check_fact(&out, "", "y: 1");
    char *texts = put("a.tsv", "1\tone two three\n2\t\n");
    text_clear(&out);
    check_ok(inspect_texts(&out, texts, NULL, &err), &err);
    check_fact(&out, "texts", "2 (0 of them the same as an earlier one, 1 empty)");
    char *pairs = put("b.tsv", "score\tsentence1\tsentence2\n5\ta b\tc\n0.5\td\te\n");
    text_clear(&out);
    check_ok(inspect_sts(&out, pairs, &err), &err);
    check_fact(&out, "pairs", "2 pairs, scores from 0.5 to 5, mean 2.750");
    text_free(&out);
    free(qrels), free(run), free(texts), free(pairs);
}
END_TEST

START_TEST(numbers_on_disk)
{
    struct text out = {0};
    struct error err = {0};
    const float values[] = {3, 4, 0, 0, 0, 2};
    char *npy = xasprintf("%s/v.npy", scratch_folder());
    check_ok(npy_write(npy, values, 3, 2, &err), &err);
    check_ok(inspect_npy(&out, npy, &err), &err);
    check_fact(&out, "vectors", "3 of 2 dimensions");
    check_fact(&out, "lengths", "mean 2.33333, from 0 to 5");
    char *weights = xasprintf("%s/w.safetensors", scratch_folder());
    const struct tensor tensor = {
        .name = "w", .dtype = DTYPE_F32, .rank = 2, .shape = {3, 2}, .data = values};
    check_ok(safetensors_write(weights, &tensor, 1, NULL, &err), &err);
    text_clear(&out);
    check_ok(inspect_safetensors(&out, weights, &err), &err);
    check_fact(&out, "tensors", "1, 6 parameters, 24 B");
    char *cache = xasprintf("%s/s.cache", scratch_folder());
    struct score_cache *scores;
    check_ok(score_cache_open(&scores, cache, &err), &err);
    for (int i = 0; i < 5; i++) score_cache_add(scores, (struct hash128){(uint64_t)i, 7}, 1);
    check_ok(score_cache_flush(scores, &err), &err);
    text_clear(&out); /* while another process writes */
    check_ok(inspect_score_cache(&out, cache, &err), &err);
    check_fact(&out, "scores", "5, from 1 to 1");
    score_cache_close(scores);
    append(cache, "seven..");
    text_clear(&out);
    check_ok(inspect_score_cache(&out, cache, &err), &err);
    check_fact(&out, "scores", "5, from 1 to 1");
    check_fact(&out, "damaged", "7 bytes at the end: a cut record");
    text_free(&out);
    free(npy), free(weights), free(cache);
}
END_TEST

START_TEST(indexes)
{
    struct text out = {0};
    struct error err = {0};
    char *folder = xasprintf("%s/index", scratch_folder());
    const char *ids[] = {"d1", "d2"};
    const float vectors[] = {0.6f, 0.8f, 1, 0};
    const struct index_info info = {.model = (char *)"/m/x",
                                    .fingerprint = "0123456789abcdef0123456789abcdef",
                                    .layers = 3,
                                    .dim = 2,
                                    .count = 2,
                                    .normalized = true};
    struct index_writer writer;
    check_ok(index_writer_open(&writer, folder, &info, &err), &err);
    check_ok(index_writer_add(&writer, ids, vectors, 2, &err), &err);
    check_ok(index_writer_commit(&writer, &err), &err);
    check_ok(inspect_index(&out, folder, &err), &err);
    check_fact(&out, "model", "/m/x, 3 layers, 2 dimensions, of length 1");
    check_fact(&out, "vectors", "2 of 2 dimensions, f32");
    check_fact(&out, "lengths", "mean 1, from 1 to 1");
    check_fact(&out, "documents", "d1 to d2");
    text_free(&out);
    free(folder);
}
END_TEST

START_TEST(tables_of_a_run)
{
    struct text out = {0};
    struct error err = {0};
    char *grid =
        put("grid.tsv", "system\tlayers\tdim\tmap\tmap_low\tmap_high\ttexts_per_s\t"
                        "bytes_per_vector\tms_per_query\n"
                        "bm25\t\t\t0.5\t0.4\t0.6\t\t\t\nstudent\t2\t8\t0.25\t\t\t\t32\t\n");
    check_ok(inspect_grid(&out, grid, &err), &err);
    check_fact(&out, "rows", "2");
    ck_assert_ptr_nonnull(strstr(out.bytes, ".5000 [.400 .600]"));
    text_clear(&out);
    char *log = put("distil.tsv", "phase\tkind\tstep\tname\tvalue\ndistil\ttrain\t1\tloss\t4\n"
                                  "distil\ttrain\t2\tloss\t3.5\ndistil\tdev\t2\tdev_mean\t0.75\n");
    check_ok(inspect_train_log(&out, log, &err), &err);
    check_fact(&out, "steps", "2");
    check_fact(&out, "values", "train loss                         2, from 4 to 3.5");
    check_fact(&out, "best", "0.7500 on dev at step 2");
    text_clear(&out);
    char *probe = put("probe.tsv", "layer\tform\n0\tsingle\n10\tpair\n");
    check_ok(inspect_probe(&out, probe, &err), &err);
    check_fact(&out, "rows", "2");
    check_fact(&out, "", "layer  form");
    check_fact(&out, "", "10     pair");
    struct text many = {0};
    for (int i = 0; i < 40; i++) text_printf(&many, "%d\tx\n", i);
    char *long_table = put("long.tsv", many.bytes);
    text_clear(&out);
    check_ok(inspect_differences(&out, long_table, &err), &err);
    check_fact(&out, "", "24  x");
    ck_assert_ptr_null(strstr(out.bytes, "25  x"));
    check_fact(&out, "", "... and 15 more");
    text_free(&many);
    text_free(&out);
    free(grid), free(log), free(probe), free(long_table);
}
END_TEST

START_TEST(texts_of_a_run)
{
    struct text out = {0};
    struct error err = {0};
    char *ids = put("documents.ids", "d1\nd2\nd9\n");
    check_ok(inspect_ids(&out, ids, &err), &err);
    check_fact(&out, "ids", "3");
    check_fact(&out, "last", "d9");
    char *page = put("report.html", "<!DOCTYPE html>\n<title>a &amp; b</title>\n");
    check_ok(inspect_page(&out, page, &err), &err);
    check_fact(&out, "title", "a &amp; b");
    char *mark = put("stages/train", "0123456789abcdef0123456789abcdef\t90.0\n");
    check_ok(inspect_mark(&out, mark, &err), &err);
    check_fact(&out, "took", "1 min 30 s");
    char *json = put("m.json", "{\"retort\": \"0\", \"files\": {\"a\": 1}, \"n\": 2.5}");
    check_ok(inspect_json(&out, json, &err), &err);
    check_fact(&out, "kind", "manifest of a run");
    check_fact(&out, "", "files                    an object of 1");
    check_fact(&out, "", "n                        2.5");
    check_ok(inspect_json(&out, "tests/golden/tokenizer/tokenizer.json", &err), &err);
    check_fact(&out, "normalizer", "BertNormalizer");
    char *broken = put("broken.json", "{");
    check_failed(inspect_json(&out, broken, &err), &err, STATUS_WORLD, "broken.json");
    text_free(&out);
    free(ids), free(page), free(mark), free(json), free(broken);
}
END_TEST

START_TEST(weights_of_a_run)
{
    struct text out = {0};
    struct error err = {0};
    const float x[] = {1, 2, 3, 4, 6, 5, 9, 8};
    struct pca pca;
    char *path = xasprintf("%s/pca.safetensors", scratch_folder());
    check_ok(pca_fit(&pca, x, 4, 2, 1, true, &err), &err);
    check_ok(pca_write(&pca, path, &err), &err);
    check_ok(inspect_safetensors(&out, path, &err), &err);
    ck_assert_ptr_nonnull(strstr(out.bytes, "1 of 2 dimensions, centred; they explain 9"));
    const double best = 0.5;
    int64_t state[6] = {7, 0, 1, 0, 0, 0};
    memcpy(&state[1], &best, sizeof best);
    const struct tensor tensors[] = {
        {.name = "w", .dtype = DTYPE_F32, .rank = 1, .shape = {2}, .data = x},
        {.name = "m.w", .dtype = DTYPE_F32, .rank = 1, .shape = {2}, .data = x},
        {.name = "v.w", .dtype = DTYPE_F32, .rank = 1, .shape = {2}, .data = x},
        {.name = "state", .dtype = DTYPE_I64, .rank = 1, .shape = {6}, .data = state}};
    check_ok(safetensors_write(path, tensors, 4, NULL, &err), &err);
    text_clear(&out);
    check_ok(inspect_safetensors(&out, path, &err), &err);
    check_fact(&out, "steps", "7, the last one");
    check_fact(&out, "best on dev", "0.5000");
    check_fact(&out, "tensors", "4, 2 parameters and their moments, 72 B");
    pca_free(&pca);
    text_free(&out);
    free(path);
}
END_TEST

START_TEST(models_without_a_tokenizer)
{
    struct text out = {0};
    struct error err = {0};
    check_ok(inspect_model(&out, "tests/golden/encoders/bert", &err), &err);
    check_fact(&out, "kind", "cross-encoder, 1 label");
    check_fact(&out, "positions", "24 tokens; vocabulary 30");
    ck_assert_msg(strstr(out.bytes, "tokenizer      tests/golden/encoders/bert") != NULL, "%s",
                  out.bytes);
    text_free(&out);
    check_failed(inspect_model(&out, scratch_folder(), &err), &err, STATUS_WORLD, "config.json");
}
END_TEST

START_TEST(models)
{
    const char *folder = shared("models/minilm-l6-ce");
    if (!folder) return;
    struct text out = {0};
    struct error err = {0};
    check_ok(inspect_model(&out, folder, &err), &err);
    check_fact(&out, "kind", "cross-encoder, 1 label");
    check_fact(&out, "layers", "6 of width 384, 12 heads, feed-forward 1536 (gelu)");
    check_fact(&out, "tokenizer", "30522 entries, lower-cases");
    text_clear(&out);
    check_ok(inspect_model(&out, shared("models/all-MiniLM-L6-v2"), &err), &err);
    check_fact(&out, "kind", "dual encoder (sentence-transformers)");
    check_fact(&out, "embeddings", "of length 1, compared by cosine");
    text_free(&out);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(numbers_are_short),
        TEST(bytes_have_a_unit),
        TEST(distributions_have_their_percentiles),
        TEST(collections),
        TEST(judgements_runs_and_texts),
        TEST(numbers_on_disk),
        TEST(indexes),
        TEST(tables_of_a_run),
        TEST(texts_of_a_run),
        TEST(weights_of_a_run),
        TEST(models_without_a_tokenizer),
        TEST(models),
        {0},
    };
    return run_tests("distill/inspect", rows);
}
