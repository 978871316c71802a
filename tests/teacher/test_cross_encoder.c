/* teacher/cross_encoder: logits and representations against transformers', and what is refused. */
#include "teacher/cross_encoder.h"
#include "tests/golden.h"
#include "tests/support.h"
#include "tests/tiny_teacher.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/json.h"
#include "data/metrics.h"
#include "data/output.h"
#include "nn/dnn.h"

/* ---- logits from token ids: every architecture's head ---- */

static void add_sequence(struct batch *batch, const struct json *ids, const struct json *types)
{
    int32_t id[1024], type[1024] = {0};
    size_t length = json_size(ids);
    ck_assert_uint_le(length, 1024);
    for (size_t i = 0; i < length; i++) {
        int64_t value = 0;
        ck_assert(json_as_integer(&value, json_at(ids, i), 0, 1 << 20));
        id[i] = (int32_t)value;
        if (json_as_integer(&value, json_at(types, i), 0, 1)) type[i] = (int32_t)value;
    }
    batch_add(batch, id, type, length);
}

static void read_inputs(struct batch *batch, const char *folder)
{
    struct error err = {0};
    struct json *inputs;
    char *path = path_join(folder, "inputs.json");
    check_ok(json_read_file(&inputs, path, &err), &err);
    const struct json *ids = json_get(inputs, "ids"), *types = json_get(inputs, "token_types");
    for (size_t s = 0; s < json_size(ids); s++)
        add_sequence(batch, json_at(ids, s), json_at(types, s));
    json_free(inputs);
    free(path);
}

static void check_golden_logits(const char *folder, enum precision precision, double tolerance)
{
    struct error err = {0};
    struct cross_encoder *ce;
    struct batch batch = {0};
    check_ok(cross_encoder_open_weights(&ce, folder, precision, &err), &err);
    read_inputs(&batch, folder);
    size_t n = (size_t)batch.num_seqs * (size_t)cross_encoder_num_labels(ce);
    char *path = path_join(folder, "expected.safetensors");
    struct safetensors *st = golden_open(path);
    float *expected = golden(st, n, "logits"), *logits = xcalloc(n, sizeof *logits);
    struct encoder_pass *pass = encoder_pass_open(cross_encoder_encoder(ce));
    cross_encoder_logits(ce, pass, &batch, logits);
    check_close(logits, expected, n, tolerance);
    encoder_pass_close(pass);
    safetensors_close(st);
    batch_free(&batch);
    cross_encoder_close(ce);
    free(expected);
    free(logits);
    free(path);
}

static const char *const own[] = {"bert",        "bert_tanh",  "roberta",
                                  "xlm_roberta", "distilbert", "electra"};
static const char *const theirs[] = {"bert",        "bert_3labels", "roberta",
                                     "xlm_roberta", "distilbert",   "electra"};
enum { ARCHITECTURES = sizeof own / sizeof *own };

static bool has_bf16(void)
{
    struct error err = {0};
    enum precision precision = PRECISION_BF16;
    return precision_resolve(&precision, &err) == 0;
}

/* bf16 is checked where the processor has it. */
START_TEST(logits_of_every_architecture)
{
    for (size_t i = 0; i < ARCHITECTURES; i++) {
        char folder[128];
        snprintf(folder, sizeof folder, "tests/golden/encoders/%s", own[i]);
        check_golden_logits(folder, PRECISION_F32, 1e-4);
        if (has_bf16()) check_golden_logits(folder, PRECISION_BF16, 0.04);
    }
}
END_TEST

START_TEST(logits_of_shared_encoders)
{
    for (size_t i = 0; i < ARCHITECTURES; i++) {
        char name[128];
        snprintf(name, sizeof name, "golden/%s", theirs[i]);
        const char *found = shared(name);
        if (!found) return;
        char *folder = xstrdup(found);
        check_golden_logits(folder, PRECISION_F32, 1e-4);
        if (has_bf16()) check_golden_logits(folder, PRECISION_BF16, 0.04);
        free(folder);
    }
}
END_TEST

/* From another project's test material: converted from ONNX, ids given, padding at the end. */
START_TEST(logits_of_shared_xlm_roberta_cross_encoder)
{
    const char *found = shared("models/tiny-random-xlm-roberta-ce");
    if (!found) return;
    struct error err = {0};
    struct cross_encoder *ce;
    struct json *expected;
    char *folder = xstrdup(found), *path = path_join(folder, "expected.json");
    check_ok(cross_encoder_open_weights(&ce, folder, PRECISION_F32, &err), &err);
    check_ok(json_read_file(&expected, path, &err), &err);
    const struct json *ids = json_get(expected, "input_ids");
    struct batch batch = {0};
    const int lengths[] = {10, 7};
    for (size_t s = 0; s < 2; s++) {
        int32_t id[16], type[16] = {0};
        for (int i = 0; i < lengths[s]; i++) {
            int64_t value = 0;
            ck_assert(json_as_integer(&value, json_at(json_at(ids, s), (size_t)i), 0, 1000));
            id[i] = (int32_t)value;
        }
        batch_add(&batch, id, type, (size_t)lengths[s]);
    }
    float logits[2], wanted[2];
    for (size_t s = 0; s < 2; s++) {
        double value = 0;
        ck_assert(json_as_number(&value, json_at(json_at(json_get(expected, "logits"), s), 0)));
        wanted[s] = (float)value;
    }
    struct encoder_pass *pass = encoder_pass_open(cross_encoder_encoder(ce));
    cross_encoder_logits(ce, pass, &batch, logits);
    check_close(logits, wanted, 2, 1e-4);
    encoder_pass_close(pass);
    batch_free(&batch);
    json_free(expected);
    cross_encoder_close(ce);
    free(path);
    free(folder);
}
END_TEST

/* ---- scores of texts ---- */

/* column: 0 for 48 tokens, 1 for 20. */
static void check_tiny_scores(enum precision precision, int max_length, int column,
                              double tolerance)
{
    struct tiny_lines pairs, expected;
    tiny_lines_read(&pairs, TINY_TEACHER "/pairs.tsv");
    tiny_lines_read(&expected, TINY_TEACHER "/logits.tsv");
    ck_assert_uint_eq(pairs.count, 20);
    ck_assert_uint_eq(expected.count, 20);
    float wanted[20], logits[20];
    for (size_t i = 0; i < 20; i++)
        wanted[i] = strtof(column ? expected.second[i] : expected.first[i], NULL);
    struct cross_encoder *ce = tiny_teacher_open(TINY_TEACHER, precision);
    struct pool *pool = pool_open(2);
    cross_encoder_score(ce, pool, pairs.first, pairs.second, 20, max_length, logits);
    check_close(logits, wanted, 20, tolerance);
    pool_close(pool);
    cross_encoder_close(ce);
    tiny_lines_free(&pairs);
    tiny_lines_free(&expected);
}

START_TEST(scores_equal_transformers)
{
    check_tiny_scores(PRECISION_F32, TINY_MAX_LENGTH, 0, 1e-5);
    check_tiny_scores(PRECISION_F32, TINY_SHORT_LENGTH, 1, 1e-5);
    if (has_bf16()) check_tiny_scores(PRECISION_BF16, TINY_MAX_LENGTH, 0, 0.03);
}
END_TEST

START_TEST(scores_do_not_depend_on_the_pool)
{
    enum { N = 300 };
    static const char *queries[N], *documents[N];
    static float one[N], three[N];
    struct tiny_lines pairs;
    tiny_lines_read(&pairs, TINY_TEACHER "/pairs.tsv");
    for (size_t i = 0; i < N; i++) {
        queries[i] = pairs.first[i % pairs.count];
        documents[i] = pairs.second[i * 7 % pairs.count];
    }
    struct cross_encoder *ce = tiny_teacher_open(TINY_TEACHER, PRECISION_F32);
    struct pool *pool = pool_open(1);
    cross_encoder_score(ce, pool, queries, documents, N, 64, one);
    pool_close(pool);
    pool = pool_open(3);
    cross_encoder_score(ce, pool, queries, documents, N, 64, three);
    pool_close(pool);
    ck_assert_mem_eq(one, three, sizeof one);
    cross_encoder_close(ce);
    tiny_lines_free(&pairs);
}
END_TEST

START_TEST(lengths_are_bounded_by_the_model)
{
    struct cross_encoder *ce = tiny_teacher_open(TINY_TEACHER, PRECISION_F32);
    ck_assert_int_eq(cross_encoder_max_length(ce, 0), 48);
    ck_assert_int_eq(cross_encoder_max_length(ce, 512), 48);
    ck_assert_int_eq(cross_encoder_max_length(ce, 20), 20);
    ck_assert_int_eq(cross_encoder_text_input(ce, FORM_SINGLE, 20).max_length, 20);
    ck_assert_int_eq(cross_encoder_text_input(ce, FORM_PAIR, 20).max_length, 39);
    ck_assert_int_eq(cross_encoder_text_input(ce, FORM_PAIR, 40).max_length, 48);
    ck_assert_int_eq(cross_encoder_text_input(ce, FORM_PAIR, 0).max_length, 48);
    cross_encoder_close(ce);
}
END_TEST

/* 300 real pairs; the precisions' figures are those that the program promises. */
static void check_shared_pairs(enum precision precision, double tolerance, double correlation)
{
    enum { N = 300 };
    struct error err = {0};
    char *model = xstrdup(shared("models/minilm-l6-ce"));
    char *pairs_path = xstrdup(shared("golden/minilm-l6-ce/pairs.tsv"));
    char *logits_path = xstrdup(shared("golden/minilm-l6-ce/logits.tsv"));
    struct cross_encoder *ce = tiny_teacher_open(model, precision);
    struct text pairs = {0}, expected = {0};
    check_ok(read_whole_file(&pairs, pairs_path, 1 << 24, &err), &err);
    check_ok(read_whole_file(&expected, logits_path, 1 << 20, &err), &err);
    static const char *queries[N], *documents[N];
    static float logits[N];
    static double wanted[N], got[N];
    char *at = pairs.bytes, *number = expected.bytes;
    for (size_t i = 0; i < N; i++) {
        char *tab = strchr(at, '\t'), *end = strchr(at, '\n');
        ck_assert(tab && end && tab < end);
        *tab = *end = '\0';
        queries[i] = at, documents[i] = tab + 1, at = end + 1;
        wanted[i] = strtod(number, &number);
    }
    struct pool *pool = pool_open(0);
    cross_encoder_score(ce, pool, queries, documents, N, 512, logits);
    pool_close(pool);
    double worst = 0;
    for (size_t i = 0; i < N; i++) {
        got[i] = logits[i];
        worst = fmax(worst, fabs(got[i] - wanted[i]));
    }
    double rho = spearman(got, wanted, N);
    printf("%s: largest difference of %d logits %.2g, Spearman %.6f\n", precision_name(precision),
           N, worst, rho);
    ck_assert_msg(worst <= tolerance, "largest difference %g", worst);
    ck_assert_msg(rho >= correlation, "Spearman %.6f", rho);
    text_free(&pairs);
    text_free(&expected);
    cross_encoder_close(ce);
    free(model);
    free(pairs_path);
    free(logits_path);
}

START_TEST(scores_of_shared_cross_encoder)
{
    if (skip_slow() || !shared("golden/minilm-l6-ce/pairs.tsv")) return;
    check_shared_pairs(PRECISION_F32, 2e-3, 0.99999);
    if (has_bf16()) check_shared_pairs(PRECISION_BF16, 0.1, 0.999);
    if (dnn_has_fast_int8()) check_shared_pairs(PRECISION_INT8, 0.4, 0.998);
}
END_TEST

/* ---- representations ---- */

static void check_representations(enum text_form form)
{
    enum { N = 8, LAYERS = TINY_LAYERS + 1 };
    static float values[LAYERS][N * TINY_HIDDEN];
    float *out[LAYERS] = {values[0], values[1], values[2], values[3]};
    struct tiny_lines texts;
    tiny_lines_read(&texts, TINY_TEACHER "/texts.txt");
    ck_assert_uint_eq(texts.count, N);
    struct cross_encoder *ce = tiny_teacher_open(TINY_TEACHER, PRECISION_F32);
    struct pool *pool = pool_open(2);
    struct text_input input = {form, TINY_SHORT_LENGTH};
    const int layers[LAYERS] = {0, 1, 2, 3};
    cross_encoder_represent(ce, pool, texts.first, N, input, layers, LAYERS, out);

    struct safetensors *st = golden_open(TINY_TEACHER "/represent.safetensors");
    for (int l = 0; l < LAYERS; l++) {
        float *expected = golden(st, N * TINY_HIDDEN, "%s.%d", text_form_name(form), l);
        check_close(values[l], expected, N * TINY_HIDDEN, 1e-5);
        free(expected);
    }
    safetensors_close(st);

    /* One layer alone, stopping there, gives the same bytes. */
    static float alone[N * TINY_HIDDEN];
    float *only[] = {alone};
    const int second[] = {2};
    cross_encoder_represent(ce, pool, texts.first, N, input, second, 1, only);
    ck_assert_mem_eq(alone, values[2], sizeof alone);
    pool_close(pool);
    cross_encoder_close(ce);
    tiny_lines_free(&texts);
}

START_TEST(representations_equal_transformers)
{
    check_representations(FORM_SINGLE);
    check_representations(FORM_PAIR);
}
END_TEST

START_TEST(forms_have_names)
{
    struct error err = {0};
    enum text_form form;
    check_ok(text_form_parse(&form, "pair", &err), &err);
    ck_assert_int_eq(form, FORM_PAIR);
    check_ok(text_form_parse(&form, "single", &err), &err);
    ck_assert_int_eq(form, FORM_SINGLE);
    check_failed(text_form_parse(&form, "double", &err), &err, STATUS_USAGE, "double",
                 "single or pair");
}
END_TEST

/* ---- what is refused ---- */

static void check_refused(const struct tiny_variant *variant, const char *word, const char *other)
{
    struct error err = {0};
    struct cross_encoder *ce;
    char *folder = tiny_variant_make(variant);
    check_failed(cross_encoder_open(&ce, folder, PRECISION_F32, &err), &err, STATUS_WORLD,
                 variant->name, word, other);
    ck_assert_ptr_null(ce);
    free(folder);
}

static void drop(struct tensor *tensors, int *count, const char *name)
{
    *tiny_find(tensors, *count, name) = tensors[*count - 1];
    --*count;
}

static void drop_classifier(struct tensor *tensors, int *count)
{
    drop(tensors, count, "classifier.weight");
    drop(tensors, count, "classifier.bias");
}

static void drop_classifier_bias(struct tensor *tensors, int *count)
{
    drop(tensors, count, "classifier.bias");
}

static void drop_pooler(struct tensor *tensors, int *count)
{
    drop(tensors, count, "bert.pooler.dense.weight");
    drop(tensors, count, "bert.pooler.dense.bias");
}

static void flatten_classifier(struct tensor *tensors, int *count)
{
    tiny_find(tensors, *count, "classifier.weight")->rank = 1;
    tiny_find(tensors, *count, "classifier.weight")->shape[0] = TINY_HIDDEN;
}

static void narrow_classifier(struct tensor *tensors, int *count)
{
    tiny_find(tensors, *count, "classifier.weight")->shape[1] = TINY_HIDDEN / 2;
}

static void cut_vocabulary(struct tensor *tensors, int *count)
{
    tiny_find(tensors, *count, "bert.embeddings.word_embeddings.weight")->shape[0] = 100;
}

static void put_nan(struct tensor *tensors, int *count)
{
    static const uint16_t half_nan[] = {0x7e00};
    struct tensor *bias = tiny_find(tensors, *count, "classifier.bias");
    bias->data = half_nan;
}

START_TEST(broken_models_are_refused)
{
    const struct tiny_variant bare = {"bare", drop_classifier, NULL, NULL};
    check_refused(&bare, "no classification head", "bare encoder");
    const struct tiny_variant no_bias = {"no-bias", drop_classifier_bias, NULL, NULL};
    check_refused(&no_bias, "classifier.bias", "missing");
    const struct tiny_variant no_pooler = {"no-pooler", drop_pooler, NULL, NULL};
    check_refused(&no_pooler, "pooler.dense.weight", "missing");
    const struct tiny_variant flat = {"flat", flatten_classifier, NULL, NULL};
    check_refused(&flat, "classifier.weight", "[labels, hidden size]");
    const struct tiny_variant narrow = {"narrow", narrow_classifier, NULL, NULL};
    check_refused(&narrow, "classifier.weight", "[1, 16]");
    const struct tiny_variant nan = {"nan", put_nan, NULL, NULL};
    check_refused(&nan, "classifier.bias", "NaN");
    const struct tiny_variant small = {"small-vocabulary", cut_vocabulary, "\"vocab_size\": 182",
                                       "\"vocab_size\": 100"};
    check_refused(&small, "ids up to 181", "only 100 word embeddings");
    const struct tiny_variant gpt = {"gpt", NULL, "\"model_type\": \"bert\"",
                                     "\"model_type\": \"gpt2\""};
    check_refused(&gpt, "model_type", "gpt2");
}
END_TEST

/* What config.json calls the model does not matter; what tensors there are does. */
START_TEST(architectures_field_is_not_believed)
{
    const struct tiny_variant variant = {"renamed", NULL, "BertForSequenceClassification",
                                         "BertModel"};
    char *folder = tiny_variant_make(&variant);
    struct cross_encoder *ce = tiny_teacher_open(folder, PRECISION_F32);
    ck_assert_int_eq(cross_encoder_num_labels(ce), 1);
    cross_encoder_close(ce);
    free(folder);
}
END_TEST

START_TEST(missing_folder_is_refused)
{
    struct error err = {0};
    struct cross_encoder *ce;
    check_failed(cross_encoder_open(&ce, "no/such/model", PRECISION_F32, &err), &err, STATUS_WORLD,
                 "no/such/model");
}
END_TEST

/* ---- fingerprint ---- */

static void nudge_weight(struct tensor *tensors, int *count)
{
    static const uint16_t half_one[] = {0x3c00};
    tiny_find(tensors, *count, "classifier.bias")->data = half_one;
}

static struct hash128 fingerprint(const char *folder, enum precision precision)
{
    struct cross_encoder *ce = tiny_teacher_open(folder, precision);
    struct hash128 hash = cross_encoder_fingerprint(ce);
    cross_encoder_close(ce);
    return hash;
}

static bool same_hash(struct hash128 a, struct hash128 b)
{
    return a.low == b.low && a.high == b.high;
}

/* Another calibration, other scores: they must not be taken from a cache. */
START_TEST(calibration_is_part_of_the_fingerprint)
{
    static const char *const queries[] = {"a cat", "the sea"}, *const documents[] = {"b", "blue"};
    if (!dnn_has_fast_int8()) return;
    struct pool *pool = pool_open(2), *one = pool_open(1);
    struct cross_encoder *ce = tiny_teacher_open(TINY_TEACHER, PRECISION_INT8),
                         *same = tiny_teacher_open(TINY_TEACHER, PRECISION_INT8);
    struct hash128 before = cross_encoder_fingerprint(ce);
    ck_assert(!same_hash(before, fingerprint(TINY_TEACHER, PRECISION_F32)));
    cross_encoder_calibrate(ce, pool, queries, documents, 2, 20);
    cross_encoder_calibrate(same, one, queries, documents, 2, 20);
    ck_assert(!same_hash(before, cross_encoder_fingerprint(ce)));
    ck_assert(same_hash(cross_encoder_fingerprint(same), cross_encoder_fingerprint(ce)));
    cross_encoder_close(ce), cross_encoder_close(same);
    pool_close(pool), pool_close(one);
}
END_TEST

START_TEST(fingerprint_tells_models_apart)
{
    const struct tiny_variant copy = {"copy", NULL, NULL, NULL},
                              nudged = {"nudged", nudge_weight, NULL, NULL},
                              tanh_gelu = {"tanh-gelu", NULL, "\"hidden_act\": \"gelu\"",
                                           "\"hidden_act\": \"gelu_new\""};
    char *same = tiny_variant_make(&copy), *other = tiny_variant_make(&nudged),
         *activation = tiny_variant_make(&tanh_gelu);
    struct hash128 hash = fingerprint(TINY_TEACHER, PRECISION_F32);
    ck_assert(same_hash(hash, fingerprint(same, PRECISION_F32)));
    ck_assert(!same_hash(hash, fingerprint(other, PRECISION_F32)));
    ck_assert(!same_hash(hash, fingerprint(activation, PRECISION_F32)));
    if (has_bf16()) ck_assert(!same_hash(hash, fingerprint(same, PRECISION_BF16)));
    char *path = path_join(same, "tokenizer.json");
    FILE *file = fopen(path, "a");
    ck_assert(file && fputs("\n", file) >= 0 && fclose(file) == 0);
    ck_assert(!same_hash(hash, fingerprint(same, PRECISION_F32)));
    free(path);
    free(same);
    free(other);
    free(activation);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(logits_of_every_architecture),
                                    TEST(logits_of_shared_encoders),
                                    TEST(logits_of_shared_xlm_roberta_cross_encoder),
                                    TEST(scores_equal_transformers),
                                    TEST(scores_do_not_depend_on_the_pool),
                                    TEST(lengths_are_bounded_by_the_model),
                                    TEST(scores_of_shared_cross_encoder),
                                    TEST(representations_equal_transformers),
                                    TEST(forms_have_names),
                                    TEST(broken_models_are_refused),
                                    TEST(architectures_field_is_not_believed),
                                    TEST(missing_folder_is_refused),
                                    TEST(calibration_is_part_of_the_fingerprint),
                                    TEST(fingerprint_tells_models_apart),
                                    {0}};
    return run_tests("teacher/cross_encoder", rows);
}
