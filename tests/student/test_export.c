/* student/export and student/verify: the classic layout, one length everywhere, vectors that are
 * the student's, and damage that is noticed. */
#include "student/export.h"
#include "tests/support.h"
#include "tests/tiny_student.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/json.h"
#include "data/npy.h"
#include "data/output.h"
#include "nn/dnn.h"

enum { OUT = 6, TEXTS = 5, LENGTH = 20 };
static const char *const texts[TEXTS] = {
    "the cat sat in the old house", "a dog", "", "Red fish ran. Blue fish ate the moon",
    "the cat sat in the old house of the new moon and the red sun and the blue river and so on"};

static void make_student(struct dual_encoder *out, int output_size, enum pooling pooling)
{
    const struct tiny_shape shape = {.layers = 3, .output_size = output_size, .pooling = pooling};
    tiny_student_make(out, &shape);
    out->max_length = LENGTH;
    free(out->query_prompt);
    out->query_prompt = xstrdup("cat ");
}

static struct json *read_json(const char *folder, const char *name)
{
    struct json *json = NULL;
    struct error err = {0};
    char *path = path_join(folder, name);
    check_ok(json_read_file(&json, path, &err), &err);
    free(path);
    return json;
}

static int64_t integer(const struct json *object, const char *key)
{
    int64_t value = -1;
    ck_assert_msg(json_as_integer(&value, json_get(object, key), 0, 1 << 30), "no integer %s", key);
    return value;
}

static char *exported(const struct dual_encoder *de, const char *name,
                      const struct export_options *options)
{
    struct error err = {0};
    char *folder = path_join(scratch_folder(), name);
    check_ok(dual_encoder_export(de, options, folder, &err), &err);
    return folder;
}

static void unit_vectors(const struct dual_encoder *de, int layer, int dim, float *out)
{
    struct pool *pool = pool_open(1);
    float *z = xcalloc((size_t)(TEXTS * de->output_size), sizeof *z);
    const struct embed_request request = {
        .texts = texts, .count = TEXTS, .prompt = "", .layers = &layer, .num_layers = 1};
    dual_encoder_embed(de, pool, &request, &z);
    vectors_cut(out, z, TEXTS, de->output_size, dim, true);
    free(z);
    pool_close(pool);
}

/* Reopened as a stranger would, the folder's own vectors are the student's at the point. */
static void check_round_trip(int output_size, enum pooling pooling, int layers, int dim)
{
    struct dual_encoder de, back;
    struct error err = {0};
    float expected[TEXTS * TINY_STUDENT_HIDDEN], got[TEXTS * TINY_STUDENT_HIDDEN];
    const struct export_options options = {.layers = layers, .dim = dim, .normalize = true};
    make_student(&de, output_size, pooling);
    char *folder = exported(&de, "round", &options);
    check_ok(dual_encoder_open(&back, folder, 0, PRECISION_F32, &err), &err);
    ck_assert_int_eq(back.encoder.config.num_layers, layers);
    ck_assert_int_eq(back.output_size, dim);
    ck_assert_int_eq(back.max_length, LENGTH);
    ck_assert_int_eq(back.pooling, pooling);
    ck_assert(back.normalize);
    ck_assert_str_eq(back.query_prompt, "cat ");
    unit_vectors(&de, layers, dim, expected);
    unit_vectors(&back, layers, dim, got);
    check_close(got, expected, (size_t)(TEXTS * dim), 1e-6);
    dual_encoder_free(&back);
    dual_encoder_free(&de);
    free(folder);
}

START_TEST(an_exported_point_is_the_student_cut_there)
{
    check_round_trip(OUT, POOLING_MEAN, 3, OUT);
    check_round_trip(OUT, POOLING_MEAN, 2, 4);
    check_round_trip(OUT, POOLING_CLS, 1, 1);
    check_round_trip(0, POOLING_MEAN, 2, TINY_STUDENT_HIDDEN);
    check_round_trip(0, POOLING_CLS, 2, 5);
}
END_TEST

/* In int8 a model takes its calibration along, of the layers that are kept. */
START_TEST(calibration_goes_along)
{
    if (!dnn_has_fast_int8()) return;
    struct dual_encoder de, whole, cut;
    struct error err = {0};
    struct export_check check;
    const struct export_options all = {.layers = 3, .dim = OUT}, two = {.layers = 2, .dim = OUT};
    struct pool *pool = pool_open(2);
    make_student(&de, OUT, POOLING_MEAN);
    char *plain = exported(&de, "plain", &all);
    check_ok(dual_encoder_open(&whole, plain, 0, PRECISION_INT8, &err), &err);
    ck_assert_ptr_null(encoder_calibration(&whole.encoder));
    dual_encoder_calibrate(&whole, pool, texts, TEXTS);
    char *folder = exported(&whole, "calibrated", &two);
    check_ok(dual_encoder_verify(&check, &whole, &two, folder, texts, TEXTS, pool, &err), &err);
    check_ok(dual_encoder_open(&cut, folder, 1, PRECISION_INT8, &err), &err);
    ck_assert_mem_eq(encoder_calibration(&cut.encoder), encoder_calibration(&whole.encoder),
                     encoder_channels(&cut.encoder.config) * sizeof(float));
    dual_encoder_free(&cut);
    char *path = path_join(folder, CALIBRATION_FILE);
    check_ok(npy_write(path, (const float[]){1, -1}, 2, 1, &err), &err);
    check_failed(dual_encoder_open(&cut, folder, 0, PRECISION_INT8, &err), &err, STATUS_WORLD,
                 "int8.npy is [2, 1]");
    err = (struct error){0};
    check_ok(dual_encoder_open(&cut, folder, 0, PRECISION_F32, &err), &err);
    dual_encoder_free(&cut), dual_encoder_free(&whole), dual_encoder_free(&de);
    pool_close(pool);
    free(path), free(folder), free(plain);
}
END_TEST

static void check_config(const char *folder)
{
    static const char *const gone[] = {"id2label", "label2id", "problem_type", "classifier_dropout",
                                       "sentence_transformers"};
    struct json *config = read_json(folder, "config.json");
    ck_assert_uint_eq(json_size(json_get(config, "architectures")), 1);
    ck_assert_str_eq(json_as_string(json_at(json_get(config, "architectures"), 0)), "BertModel");
    ck_assert_str_eq(json_get_string(config, "model_type"), "bert");
    ck_assert_int_eq(integer(config, "num_hidden_layers"), 2);
    ck_assert_int_eq(integer(config, "hidden_size"), TINY_STUDENT_HIDDEN);
    ck_assert_int_ge(integer(config, "max_position_embeddings"), LENGTH);
    for (size_t k = 0; k < sizeof gone / sizeof *gone; k++)
        ck_assert_msg(!json_get(config, gone[k]), "config.json keeps %s", gone[k]);
    json_free(config);
}

static void check_pooling(const char *folder)
{
    struct json *config = read_json(folder, "1_Pooling/config.json");
    static const char *const off[] = {"pooling_mode_cls_token", "pooling_mode_max_tokens",
                                      "pooling_mode_mean_sqrt_len_tokens",
                                      "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken"};
    ck_assert_uint_eq(json_size(config), 8);
    ck_assert_int_eq(integer(config, "word_embedding_dimension"), TINY_STUDENT_HIDDEN);
    ck_assert(json_bool_or(config, "pooling_mode_mean_tokens", false));
    ck_assert(json_bool_or(config, "include_prompt", false));
    for (size_t k = 0; k < sizeof off / sizeof *off; k++)
        ck_assert_msg(!json_bool_or(config, off[k], true), "%s is not false", off[k]);
    json_free(config);
}

static void check_modules(const char *folder)
{
    static const char *const types[] = {"Transformer", "Pooling", "Dense", "Normalize"};
    static const char *const paths[] = {"", "1_Pooling", "2_Dense", "3_Normalize"};
    struct json *modules = read_json(folder, "modules.json");
    ck_assert_uint_eq(json_size(modules), 4);
    for (size_t m = 0; m < 4; m++) {
        const struct json *module = json_at(modules, m);
        char type[80], name[8];
        snprintf(type, sizeof type, "sentence_transformers.models.%s", types[m]);
        snprintf(name, sizeof name, "%zu", m);
        ck_assert_int_eq(integer(module, "idx"), (int64_t)m);
        ck_assert_str_eq(json_get_string(module, "name"), name);
        ck_assert_str_eq(json_get_string(module, "path"), paths[m]);
        ck_assert_str_eq(json_get_string(module, "type"), type);
    }
    json_free(modules);
}

/* One length in all places. */
static void check_lengths(const char *folder)
{
    struct json *sentence = read_json(folder, "sentence_bert_config.json");
    struct json *tokenizer = read_json(folder, "tokenizer_config.json");
    struct json *full = read_json(folder, "tokenizer.json");
    ck_assert_int_eq(integer(sentence, "max_seq_length"), LENGTH);
    ck_assert(!json_bool_or(sentence, "do_lower_case", true));
    ck_assert_int_eq(integer(tokenizer, "model_max_length"), LENGTH);
    const struct json *truncation = json_get(full, "truncation");
    if (json_kind(truncation) != JSON_KIND_NULL)
        ck_assert_int_eq(integer(truncation, "max_length"), LENGTH);
    json_free(sentence), json_free(tokenizer), json_free(full);
}

static void check_sentence_transformers(const char *folder)
{
    struct json *config = read_json(folder, "config_sentence_transformers.json");
    const struct json *prompts = json_get(config, "prompts");
    ck_assert_ptr_nonnull(
        json_get_string(json_get(config, "__version__"), "sentence_transformers"));
    ck_assert_str_eq(json_get_string(prompts, "query"), "cat ");
    ck_assert_str_eq(json_get_string(prompts, "document"), "");
    ck_assert_int_eq(json_kind(json_get(config, "default_prompt_name")), JSON_KIND_NULL);
    ck_assert_str_eq(json_get_string(config, "similarity_fn_name"), "cosine");
    ck_assert_ptr_null(json_get(config, "truncate_dim"));
    json_free(config);
}

static void check_dense(const char *folder)
{
    struct json *config = read_json(folder, "2_Dense/config.json");
    struct safetensors *st = NULL;
    struct error err = {0};
    char *path = path_join(folder, "2_Dense");
    ck_assert_uint_eq(json_size(config), 4);
    ck_assert_int_eq(integer(config, "in_features"), TINY_STUDENT_HIDDEN);
    ck_assert_int_eq(integer(config, "out_features"), 4);
    ck_assert(json_bool_or(config, "bias", false));
    ck_assert_str_eq(json_get_string(config, "activation_function"),
                     "torch.nn.modules.linear.Identity");
    check_ok(safetensors_open(&st, path, &err), &err);
    ck_assert_int_eq(safetensors_count(st), 2);
    const struct tensor *weight = safetensors_find(st, "linear.weight");
    const struct tensor *bias = safetensors_find(st, "linear.bias");
    ck_assert(weight && weight->rank == 2 && weight->shape[0] == 4 &&
              weight->shape[1] == TINY_STUDENT_HIDDEN && weight->dtype == DTYPE_F32);
    ck_assert(bias && bias->rank == 1 && bias->shape[0] == 4);
    safetensors_close(st);
    json_free(config);
    free(path);
}

static void check_tensors(const char *folder)
{
    struct safetensors *st = NULL;
    struct error err = {0};
    check_ok(safetensors_open(&st, folder, &err), &err);
    ck_assert_int_eq(safetensors_count(st), 5 + 2 * 16);
    for (int i = 0; i < safetensors_count(st); i++) {
        const struct tensor *tensor = safetensors_at(st, i);
        bool is_encoder = strncmp(tensor->name, "embeddings.", 11) == 0 ||
                          strncmp(tensor->name, "encoder.layer.0.", 16) == 0 ||
                          strncmp(tensor->name, "encoder.layer.1.", 16) == 0;
        ck_assert_msg(is_encoder, "%s is none of the encoder's", tensor->name);
        bool is_vector = strstr(tensor->name, "LayerNorm") || strstr(tensor->name, ".bias");
        ck_assert_int_eq(tensor->rank, is_vector ? 1 : 2);
        ck_assert_int_eq(tensor->dtype, DTYPE_F32);
    }
    ck_assert_ptr_nonnull(safetensors_find(st, "encoder.layer.1.attention.self.query.weight"));
    safetensors_close(st);
}

START_TEST(the_layout_is_the_classic_one)
{
    static const char *const files[] = {"special_tokens_map.json", "vocab.txt", "README.md"};
    struct dual_encoder de;
    const struct export_options options = {
        .layers = 2, .dim = 4, .normalize = true, .card = "# A card\n"};
    make_student(&de, OUT, POOLING_MEAN);
    char *folder = exported(&de, "layout", &options);
    check_config(folder);
    check_pooling(folder);
    check_modules(folder);
    check_lengths(folder);
    check_sentence_transformers(folder);
    check_dense(folder);
    check_tensors(folder);
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        char *path = path_join(folder, files[f]);
        ck_assert_msg(path_exists(path), "no %s", files[f]);
        free(path);
    }
    dual_encoder_free(&de);
    free(folder);
}
END_TEST

START_TEST(a_folder_of_several_sizes_names_them)
{
    struct dual_encoder de;
    const struct tap taps[] = {{1, 2}, {2, 4}, {3, 4}, {3, OUT}};
    const struct export_options options = {.layers = 3, .dim = OUT, .taps = taps, .num_taps = 4};
    make_student(&de, OUT, POOLING_MEAN);
    char *folder = exported(&de, "sizes", &options);
    struct json *config = read_json(folder, "config.json");
    struct json *modules = read_json(folder, "modules.json");
    const struct json *dims = json_get(config, "matryoshka_dimensions");
    const int expected[] = {2, 4, OUT};
    ck_assert_uint_eq(json_size(dims), 3);
    for (size_t d = 0; d < 3; d++) {
        int64_t value = 0;
        ck_assert(json_as_integer(&value, json_at(dims, d), 0, 100));
        ck_assert_int_eq(value, expected[d]);
    }
    ck_assert_uint_eq(json_size(modules), 3);
    json_free(config), json_free(modules);
    dual_encoder_free(&de);
    free(folder);
}
END_TEST

START_TEST(without_projection_and_cut_there_is_no_dense_module)
{
    struct dual_encoder de;
    const struct export_options options = {
        .layers = 1, .dim = TINY_STUDENT_HIDDEN, .normalize = true};
    make_student(&de, 0, POOLING_MEAN);
    char *folder = exported(&de, "plain", &options);
    struct json *modules = read_json(folder, "modules.json");
    char *dense = path_join(folder, "2_Dense");
    ck_assert_uint_eq(json_size(modules), 3);
    ck_assert(!path_exists(dense));
    json_free(modules);
    dual_encoder_free(&de);
    free(dense), free(folder);
}
END_TEST

START_TEST(an_activation_goes_along)
{
    struct dual_encoder de, back;
    struct error err = {0};
    const struct export_options options = {.layers = 2, .dim = 4, .normalize = true};
    struct export_check check;
    struct pool *pool = pool_open(1);
    make_student(&de, OUT, POOLING_MEAN);
    de.activation = DENSE_TANH;
    char *folder = exported(&de, "tanh", &options);
    struct json *config = read_json(folder, "2_Dense/config.json");
    ck_assert_str_eq(json_get_string(config, "activation_function"),
                     "torch.nn.modules.activation.Tanh");
    check_ok(dual_encoder_verify(&check, &de, &options, folder, texts, TEXTS, pool, &err), &err);
    check_ok(dual_encoder_open(&back, folder, 0, PRECISION_F32, &err), &err);
    ck_assert_int_eq(back.activation, DENSE_TANH);
    de.activation = DENSE_IDENTITY; /* the folder is none of this model's */
    ck_assert(dual_encoder_verify(&check, &de, &options, folder, texts, TEXTS, pool, &err));
    pool_close(pool);
    json_free(config);
    dual_encoder_free(&back), dual_encoder_free(&de);
    free(folder);
}
END_TEST

static int verify(const struct dual_encoder *de, const struct export_options *options,
                  const char *folder, struct export_check *check, struct error *err)
{
    struct pool *pool = pool_open(1);
    int status = dual_encoder_verify(check, de, options, folder, texts, TEXTS, pool, err);
    pool_close(pool);
    return status;
}

/* XORs one byte of a file, so many from its end. */
static void damage(const char *folder, const char *name, long from_end)
{
    char *path = path_join(folder, name);
    FILE *file = fopen(path, "r+b");
    ck_assert(file && fseek(file, -from_end, SEEK_END) == 0);
    int byte = fgetc(file);
    ck_assert(fseek(file, -from_end, SEEK_END) == 0 && fputc(byte ^ 0x40, file) != EOF);
    fclose(file);
    free(path);
}

START_TEST(verification_passes_what_is_equal_and_fails_what_is_not)
{
    struct dual_encoder de;
    struct error err = {0};
    struct export_check check;
    const struct export_options options = {.layers = 2, .dim = 4, .normalize = true};
    const struct export_options other = {.layers = 2, .dim = 3, .normalize = true};
    make_student(&de, OUT, POOLING_MEAN);
    char *folder = exported(&de, "verified", &options);
    check_ok(verify(&de, &options, folder, &check, &err), &err);
    ck_assert_uint_eq(check.texts, TEXTS);
    ck_assert_uint_eq(check.token_mismatches, 0);
    ck_assert(check.worst_cosine_distance < 1e-6);
    check_failed(verify(&de, &other, folder, &check, &err), &err, STATUS_WORLD, "reads back as",
                 "4 dims");
    err = (struct error){0};
    damage(folder, "2_Dense/model.safetensors", 5); /* the exponent of a weight */
    check_failed(verify(&de, &options, folder, &check, &err), &err, STATUS_WORLD, "verified");
    dual_encoder_free(&de);
    free(folder);
}
END_TEST

START_TEST(other_tokens_fail_verification)
{
    struct dual_encoder de;
    struct error err = {0};
    struct export_check check;
    struct text json = {0};
    const struct export_options options = {.layers = 1, .dim = 4, .normalize = true};
    make_student(&de, OUT, POOLING_MEAN);
    char *folder = exported(&de, "tokens", &options);
    char *path = path_join(folder, "tokenizer.json");
    check_ok(read_whole_file(&json, path, 1 << 20, &err), &err);
    char *cat = strstr(json.bytes, "\"cat\""), *dog = strstr(json.bytes, "\"dog\"");
    ck_assert(cat && dog);
    memcpy(cat, "\"dog\"", 5);
    memcpy(dog, "\"cat\"", 5);
    struct output out = {0};
    check_ok(output_open(&out, path, &err), &err);
    output_write(&out, json.bytes, json.length);
    check_ok(output_commit(&out, &err), &err);
    check_failed(verify(&de, &options, folder, &check, &err), &err, STATUS_WORLD,
                 "3 of 5 texts have other token ids");
    text_free(&json);
    dual_encoder_free(&de);
    free(path), free(folder);
}
END_TEST

START_TEST(a_student_that_is_not_finite_fails_verification)
{
    struct dual_encoder de;
    struct error err = {0};
    struct export_check check;
    const struct export_options options = {.layers = 1, .dim = 4, .normalize = true};
    make_student(&de, OUT, POOLING_MEAN);
    char *folder = exported(&de, "nan", &options);
    params_values(&de.params, de.projection_weight)[0] = NAN;
    check_failed(verify(&de, &options, folder, &check, &err), &err, STATUS_WORLD, "differs");
    dual_encoder_free(&de);
    free(folder);
}
END_TEST

START_TEST(points_that_are_not_there_and_foreign_folders_are_refused)
{
    struct dual_encoder de;
    struct error err = {0};
    make_student(&de, OUT, POOLING_MEAN);
    char *folder = path_join(scratch_folder(), "foreign");
    struct export_options options = {.layers = 4, .dim = 4};
    check_failed(dual_encoder_export(&de, &options, folder, &err), &err, STATUS_USAGE, "--layers");
    err = (struct error){0};
    options = (struct export_options){.layers = 1, .dim = OUT + 1};
    check_failed(dual_encoder_export(&de, &options, folder, &err), &err, STATUS_USAGE, "--dim");
    err = (struct error){0};
    ck_assert(!path_exists(folder));
    options.dim = OUT;
    check_ok(make_folder(folder, &err), &err);
    free(scratch_file("foreign/thesis.tex", "years", 5));
    check_failed(dual_encoder_export(&de, &options, folder, &err), &err, STATUS_WORLD, "foreign",
                 "not replaced");
    dual_encoder_free(&de);
    free(folder);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(an_exported_point_is_the_student_cut_there),
                                    TEST(calibration_goes_along),
                                    TEST(the_layout_is_the_classic_one),
                                    TEST(a_folder_of_several_sizes_names_them),
                                    TEST(without_projection_and_cut_there_is_no_dense_module),
                                    TEST(an_activation_goes_along),
                                    TEST(verification_passes_what_is_equal_and_fails_what_is_not),
                                    TEST(other_tokens_fail_verification),
                                    TEST(a_student_that_is_not_finite_fails_verification),
                                    TEST(points_that_are_not_there_and_foreign_folders_are_refused),
                                    {0}};
    return run_tests("student/export", rows);
}
