/* student/dual_encoder: made, embedded, refused. */
#include "student/dual_encoder.h"
#include "student/export.h"
#include "tests/support.h"
#include "tests/tiny_student.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/output.h"

enum { H = TINY_STUDENT_HIDDEN, OUT = 6, TEXTS = 6 };
static const char *const texts[TEXTS] = {
    "the cat sat in the old house",
    "a dog",
    "",
    "a dog",
    "Red fish ran. Blue fish ate the moon",
    "the cat sat in the old house of the new moon and the red sun and the blue river and so on"};

static const struct tiny_shape shape = {.layers = 2, .output_size = OUT, .pooling = POOLING_MEAN};

/* One text at one layer, by the parts that dual_encoder_embed is made of. */
static void embed_alone(const struct dual_encoder *de, const char *text, int max_length, int layer,
                        float *z)
{
    struct token_list tokens = {0};
    struct batch batch = {0};
    float pooled[H];
    tokenizer_encode(de->tokenizer, &tokens, text, NULL, max_length);
    batch_add(&batch, tokens.ids, tokens.types, tokens.count);
    struct encoder_pass *pass = encoder_pass_open(&de->encoder);
    encoder_forward(pass, &batch, (struct forward_mode){.num_layers = layer});
    dual_encoder_heads(de, pass, &batch, layer, pooled, z);
    encoder_pass_close(pass);
    batch_free(&batch);
    token_list_free(&tokens);
}

START_TEST(a_new_student_has_the_shape_asked_for)
{
    struct dual_encoder de;
    tiny_student_make(&de, &shape);
    ck_assert_int_eq(de.encoder.config.num_layers, 2);
    ck_assert_int_eq(de.output_size, OUT);
    ck_assert_int_eq(de.max_length, TINY_STUDENT_POSITIONS);
    ck_assert(de.normalize);
    ck_assert_str_eq(de.query_prompt, "");
    ck_assert_int_eq(de.params.list[de.projection_weight].rows, OUT);
    ck_assert_int_eq(de.params.list[de.projection_weight].cols, H);
    ck_assert_int_eq(de.params.list[de.projection_bias].cols, OUT);
    ck_assert_int_eq(params_find(&de.params, "encoder.layer.2.output.dense.weight"), -1);
    dual_encoder_free(&de);
    ck_assert_ptr_null(de.tokenizer);
    dual_encoder_free(&de);
}
END_TEST

START_TEST(embeddings_are_those_of_each_text_alone)
{
    struct dual_encoder de;
    struct pool *pool = pool_open(2);
    const int layers[] = {2, 1};
    float z2[TEXTS * OUT], z1[TEXTS * OUT], alone[OUT];
    float *const out[] = {z2, z1};
    const struct embed_request request = {
        .texts = texts, .count = TEXTS, .prompt = "", .layers = layers, .num_layers = 2};
    tiny_student_make(&de, &shape);
    dual_encoder_embed(&de, pool, &request, out);
    for (int t = 0; t < TEXTS; t++) {
        embed_alone(&de, texts[t], TINY_STUDENT_POSITIONS, 2, alone);
        check_close(z2 + t * OUT, alone, OUT, 1e-5);
        embed_alone(&de, texts[t], TINY_STUDENT_POSITIONS, 1, alone);
        check_close(z1 + t * OUT, alone, OUT, 1e-5);
    }
    dual_encoder_free(&de);
    pool_close(pool);
}
END_TEST

START_TEST(prompts_and_limits_are_heeded)
{
    struct dual_encoder de;
    struct pool *pool = pool_open(1);
    const int layer = 2;
    float z[TEXTS * OUT], alone[OUT];
    float *const out[] = {z};
    struct embed_request request = {.texts = texts,
                                    .count = TEXTS,
                                    .prompt = "in a house ",
                                    .max_length = 7,
                                    .layers = &layer,
                                    .num_layers = 1};
    tiny_student_make(&de, &shape);
    dual_encoder_embed(&de, pool, &request, out);
    embed_alone(&de, "in a house the cat sat in the old house", 7, 2, alone);
    check_close(z, alone, OUT, 1e-5);
    embed_alone(&de, "in a house ", 7, 2, alone);
    check_close(z + 2 * OUT, alone, OUT, 1e-5);
    request.max_length = 1000; /* beyond the positions: the model's own limit */
    request.prompt = "";
    dual_encoder_embed(&de, pool, &request, out);
    embed_alone(&de, texts[5], TINY_STUDENT_POSITIONS, 2, alone);
    check_close(z + 5 * OUT, alone, OUT, 1e-5);
    request.count = 0;
    dual_encoder_embed(&de, pool, &request, out);
    dual_encoder_free(&de);
    pool_close(pool);
}
END_TEST

/* A student of 2 layers, exported whole. */
static char *whole_folder(const char *name)
{
    struct dual_encoder de;
    struct error err = {0};
    char *folder = path_join(scratch_folder(), name);
    const struct export_options whole = {.layers = 2, .dim = OUT, .normalize = true};
    tiny_student_make(&de, &shape);
    check_ok(dual_encoder_export(&de, &whole, folder, &err), &err);
    dual_encoder_free(&de);
    return folder;
}

static void edit(const char *folder, const char *name, const char *from, const char *to)
{
    struct text text = {0};
    struct error err = {0};
    char *path = path_join(folder, name);
    check_ok(read_whole_file(&text, path, 1 << 20, &err), &err);
    char *at = strstr(text.bytes, from);
    ck_assert_msg(at != NULL, "%s has no %s", path, from);
    struct output out = {0};
    check_ok(output_open(&out, path, &err), &err);
    output_write(&out, text.bytes, (size_t)(at - text.bytes));
    output_printf(&out, "%s%s", to, at + strlen(from));
    check_ok(output_commit(&out, &err), &err);
    text_free(&text);
    free(path);
}

START_TEST(opening_less_than_all_layers)
{
    struct dual_encoder one, two;
    struct error err = {0};
    struct pool *pool = pool_open(1);
    char *folder = whole_folder("fewer");
    const int layer = 1;
    float a[TEXTS * OUT], b[TEXTS * OUT];
    float *const out_a[] = {a}, *const out_b[] = {b};
    const struct embed_request request = {
        .texts = texts, .count = TEXTS, .prompt = "", .layers = &layer, .num_layers = 1};
    check_ok(dual_encoder_open(&one, folder, 1, PRECISION_F32, &err), &err);
    check_ok(dual_encoder_open(&two, folder, 0, PRECISION_F32, &err), &err);
    ck_assert_int_eq(one.encoder.config.num_layers, 1);
    ck_assert_int_eq(two.encoder.config.num_layers, 2);
    dual_encoder_embed(&one, pool, &request, out_a);
    dual_encoder_embed(&two, pool, &request, out_b);
    ck_assert_mem_eq(a, b, sizeof a);
    dual_encoder_free(&one);
    dual_encoder_free(&two);
    pool_close(pool);
    free(folder);
}
END_TEST

START_TEST(a_bare_encoder_folder_opens_with_defaults)
{
    struct dual_encoder de;
    struct error err = {0};
    char *folder = whole_folder("bare");
    char *modules = path_join(folder, "modules.json");
    ck_assert_int_eq(remove(modules), 0);
    check_ok(dual_encoder_open(&de, folder, 0, PRECISION_F32, &err), &err);
    ck_assert_int_eq(de.projection_weight, -1);
    ck_assert_int_eq(de.output_size, H);
    ck_assert_int_eq(de.pooling, POOLING_MEAN);
    ck_assert(!de.normalize);
    dual_encoder_free(&de);
    free(modules), free(folder);
}
END_TEST

static void expect_refused(const char *folder, int layers, int status, const char *word)
{
    struct dual_encoder de;
    struct error err = {0};
    check_failed(dual_encoder_open(&de, folder, layers, PRECISION_F32, &err), &err, status, word);
    ck_assert_ptr_null(de.params.values);
}

START_TEST(what_does_not_belong_together_is_refused)
{
    char *folder = whole_folder("refused");
    expect_refused(folder, 3, STATUS_USAGE, "has 2 layers, not 3");
    edit(folder, "2_Dense/config.json", "\"in_features\": 16", "\"in_features\": 12");
    expect_refused(folder, 0, STATUS_WORLD, "in_features");
    edit(folder, "2_Dense/config.json", "\"in_features\": 12", "\"in_features\": 16");
    edit(folder, "2_Dense/config.json", "\"out_features\": 6", "\"out_features\": 7");
    expect_refused(folder, 0, STATUS_WORLD, "linear.weight");
    edit(folder, "2_Dense/config.json", "\"out_features\": 7", "\"out_features\": 6");
    edit(folder, "config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
    expect_refused(folder, 0, STATUS_WORLD, "encoder.layer.2");
    edit(folder, "config.json", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2");
    edit(folder, "config.json", "\"vocab_size\": 80", "\"vocab_size\": 20");
    expect_refused(folder, 0, STATUS_WORLD, "do not belong together");
    edit(folder, "config.json", "\"vocab_size\": 20", "\"vocab_size\": 80");
    edit(folder, "sentence_bert_config.json", "\"do_lower_case\": false",
         "\"do_lower_case\": true"); /* no harm: the tokenizer lower-cases */
    struct dual_encoder de;
    struct error err = {0};
    check_ok(dual_encoder_open(&de, folder, 0, PRECISION_F32, &err), &err);
    dual_encoder_free(&de);
    edit(folder, "tokenizer_config.json", "\"do_lower_case\": true", "\"do_lower_case\": false");
    edit(folder, "tokenizer.json", "\"lowercase\": true", "\"lowercase\": false");
    expect_refused(folder, 0, STATUS_WORLD, "keeps capitals");
    free(folder);
    expect_refused("/nowhere/model", 0, STATUS_WORLD, "/nowhere/model");
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(a_new_student_has_the_shape_asked_for),
                                    TEST(embeddings_are_those_of_each_text_alone),
                                    TEST(prompts_and_limits_are_heeded),
                                    TEST(opening_less_than_all_layers),
                                    TEST(a_bare_encoder_folder_opens_with_defaults),
                                    TEST(what_does_not_belong_together_is_refused),
                                    {0}};
    return run_tests("student/dual_encoder", rows);
}
