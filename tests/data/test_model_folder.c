/* data/model_folder: every kind of folder that is read, and every mistake that is refused by
 * name. */
#include "data/model_folder.h"
#include "data/output.h"
#include "tests/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Writes one file of the test's model folder. */
static void put(const char *name, const char *text)
{
    struct error err = {0};
    char *path = xasprintf("m/%s", name);
    char *whole = path_join(scratch_folder(), path);
    char *folder = path_folder(whole);
    check_ok(make_folder(folder, &err), &err);
    free(scratch_file(path, text, strlen(text)));
    free(folder);
    free(whole);
    free(path);
}

static const char *folder(void)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/m", scratch_folder());
    return path;
}

static void drop(const char *name)
{
    char *path = path_join(folder(), name);
    unlink(path);
    free(path);
}

/* ---- config.json ---- */

#define SIZES                                                                                      \
    "\"vocab_size\":100,\"hidden_size\":24,\"num_hidden_layers\":2,\"num_attention_heads\":3,"     \
    "\"intermediate_size\":48,\"max_position_embeddings\":64"

static struct hf_config read_config(const char *text)
{
    struct hf_config config;
    struct error err = {0};
    put("config.json", text);
    check_ok(hf_config_read(&config, folder(), &err), &err);
    return config;
}

START_TEST(bert_defaults_are_those_of_transformers)
{
    struct hf_config config = read_config("{\"model_type\":\"bert\"," SIZES "}");
    ck_assert_str_eq(config.model_type, "bert");
    ck_assert_str_eq(config.architecture, "");
    ck_assert_str_eq(config.hidden_act, "gelu");
    ck_assert_int_eq(config.vocab_size, 100);
    ck_assert_int_eq(config.hidden_size, 24);
    ck_assert_int_eq(config.embedding_size, 24);
    ck_assert_int_eq(config.num_layers, 2);
    ck_assert_int_eq(config.num_heads, 3);
    ck_assert_int_eq(config.intermediate_size, 48);
    ck_assert_int_eq(config.max_positions, 64);
    ck_assert_int_eq(config.type_vocab_size, 2);
    ck_assert_int_eq(config.pad_token_id, 0);
    ck_assert_int_eq(config.num_labels, 2);
    ck_assert(config.layer_norm_eps == 1e-12 && config.initializer_range == 0.02);
    ck_assert(config.hidden_dropout == 0.1 && config.attention_dropout == 0.1);
}
END_TEST

START_TEST(given_values_are_taken)
{
    struct hf_config config = read_config(
        "{\"model_type\":\"xlm-roberta\",\"architectures\":[\"XLMRobertaModel\"]," SIZES
        ",\"layer_norm_eps\":1e-05,\"type_vocab_size\":1,\"hidden_act\":\"gelu_new\",\"dtype\":"
        "\"float16\",\"id2label\":{\"0\":\"x\"},\"hidden_dropout_prob\":0,\"pruned_heads\":{},"
        "\"attention_probs_dropout_prob\":0.25,\"initializer_range\":0.5,\"is_decoder\":false,"
        "\"position_embedding_type\":null,\"pad_token_id\":7}");
    ck_assert_str_eq(config.architecture, "XLMRobertaModel");
    ck_assert_str_eq(config.hidden_act, "gelu_new");
    ck_assert_int_eq(config.type_vocab_size, 1);
    ck_assert_int_eq(config.pad_token_id, 7);
    ck_assert_int_eq(config.num_labels, 1);
    ck_assert(config.layer_norm_eps == 1e-5 && config.hidden_dropout == 0);
    ck_assert(config.attention_dropout == 0.25 && config.initializer_range == 0.5);
}
END_TEST

START_TEST(families_differ)
{
    struct hf_config config = read_config("{\"model_type\":\"roberta\"," SIZES "}");
    ck_assert_int_eq(config.pad_token_id, 1);
    config = read_config("{\"model_type\":\"electra\"," SIZES ",\"embedding_size\":8}");
    ck_assert_int_eq(config.embedding_size, 8);
    config = read_config("{\"model_type\":\"electra\"," SIZES "}");
    ck_assert_int_eq(config.embedding_size, 128);
    config =
        read_config("{\"model_type\":\"distilbert\",\"vocab_size\":100,\"dim\":24,"
                    "\"n_layers\":2,\"n_heads\":3,\"hidden_dim\":48,\"dropout\":0.2,"
                    "\"max_position_embeddings\":64,\"activation\":\"relu\",\"num_labels\":3}");
    ck_assert_int_eq(config.hidden_size, 24);
    ck_assert_int_eq(config.num_layers, 2);
    ck_assert_int_eq(config.intermediate_size, 48);
    ck_assert_int_eq(config.type_vocab_size, 0);
    ck_assert_int_eq(config.num_labels, 3);
    ck_assert_str_eq(config.hidden_act, "relu");
    ck_assert(config.hidden_dropout == 0.2);
}
END_TEST

START_TEST(num_labels_overrides_id2label)
{
    struct hf_config config =
        read_config("{\"model_type\":\"bert\"," SIZES
                    ",\"num_labels\":1,\"id2label\":{\"0\":\"a\",\"1\":\"b\",\"2\":\"c\"}}");
    ck_assert_int_eq(config.num_labels, 1);
}
END_TEST

#define WITH(more) "{\"model_type\":\"bert\"," SIZES "," more "}"

START_TEST(bad_configs_are_refused)
{
    static const char *const cases[][2] = {
        {"", "config.json:1:"},
        {"[]", "an array"},
        {"{\"vocab_size\":1}", "\"model_type\" is missing"},
        {"{\"model_type\":\"qwen3\"}", "model_type \"qwen3\" is not supported"},
        {"{\"model_type\":\"bert\",\"vocab_size\":10}", "\"hidden_size\" is missing"},
        {"{\"model_type\":\"bert\",\"vocab_size\":10,\"hidden_size\":\"24\"}",
         "\"hidden_size\" is a string"},
        {"{\"model_type\":\"bert\",\"vocab_size\":10,\"hidden_size\":24,\"num_hidden_layers\":1,"
         "\"num_attention_heads\":0}",
         "\"num_attention_heads\" is 0"},
        {"{\"model_type\":\"bert\",\"vocab_size\":-5}", "\"vocab_size\" is -5"},
        {"{\"model_type\":\"bert\",\"vocab_size\":99999999999}", "\"vocab_size\" is 99999999999"},
        {"{\"model_type\":\"bert\",\"vocab_size\":10,\"hidden_size\":2000000}", "hidden_size"},
        {"{\"model_type\":\"bert\",\"vocab_size\":10,\"hidden_size\":24.5}", "a number"},
        {"{\"model_type\":\"bert\",\"vocab_size\":10,\"hidden_size\":24,\"num_hidden_layers\":1,"
         "\"num_attention_heads\":5,\"intermediate_size\":4,\"max_position_embeddings\":4}",
         "hidden_size 24 is not a multiple of num_attention_heads 5"},
        {"{\"model_type\":\"distilbert\",\"vocab_size\":10,\"hidden_size\":24}",
         "\"dim\" is missing"},
        {WITH("\"pruned_heads\":{\"0\":[1]}"), "pruned_heads"},
        {WITH("\"position_embedding_type\":\"relative_key\""), "\"relative_key\""},
        {WITH("\"is_decoder\":true"), "is_decoder"},
        {WITH("\"add_cross_attention\":true"), "is_decoder"},
        {WITH("\"pad_token_id\":100"), "\"pad_token_id\" is 100"},
        {WITH("\"layer_norm_eps\":\"tiny\""), "\"layer_norm_eps\" is a string"},
        {WITH("\"layer_norm_eps\":-1"), "\"layer_norm_eps\" is -1"},
        {WITH("\"hidden_dropout_prob\":1"), "\"hidden_dropout_prob\" is 1"},
        {WITH("\"type_vocab_size\":0"), "\"type_vocab_size\" is 0"},
        {WITH("\"num_labels\":0"), "\"num_labels\" is 0"},
        {WITH("\"id2label\":[1]"), "\"id2label\" is an array"},
        {WITH("\"id2label\":{}"), "\"id2label\" is an object of 0"},
        {WITH("\"hidden_act\":\"an_activation_whose_name_is_much_too_long\""), "too long"},
        {WITH("\"vocab_size\":5"), "duplicate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hf_config config;
        struct error err = {0};
        put("config.json", cases[i][0]);
        check_failed(hf_config_read(&config, folder(), &err), &err, STATUS_WORLD, cases[i][1],
                     "m/config.json");
    }
    struct hf_config config;
    struct error err = {0};
    check_failed(hf_config_read(&config, "/nonexistent", &err), &err, STATUS_WORLD,
                 "/nonexistent/config.json");
}
END_TEST

/* ---- sentence-transformers ---- */

#define OLD "sentence_transformers.models."
#define MODULE(index, path, class)                                                                 \
    "{\"idx\":" #index ",\"name\":\"" #index "\",\"path\":\"" path "\",\"type\":\"" class "\"}"

static void clear(void)
{
    static const char *const names[] = {"modules.json",
                                        "1_Pooling/config.json",
                                        "2_Dense/config.json",
                                        "sentence_bert_config.json",
                                        "sentence_roberta_config.json",
                                        "config_sentence_transformers.json"};
    put("config.json", "{}"); /* so that the folder is there */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) drop(names[i]);
}

static struct st_config read_st(void)
{
    struct st_config config;
    struct error err = {0};
    check_ok(st_config_read(&config, folder(), &err), &err);
    return config;
}

START_TEST(bare_folder_has_defaults)
{
    clear();
    struct st_config config = read_st();
    ck_assert(!config.is_sentence_transformer && !config.normalize && !config.dense_folder);
    ck_assert_int_eq(config.pooling, POOLING_MEAN);
    ck_assert_int_eq(config.max_seq_length, 0);
    ck_assert_int_eq(config.truncate_dim, 0);
    ck_assert_str_eq(config.similarity, "cosine");
    ck_assert_str_eq(config.query_prompt, "");
    ck_assert_str_eq(config.document_prompt, "");
    st_config_free(&config);
    ck_assert_ptr_null(config.query_prompt);
}
END_TEST

START_TEST(classic_layout_is_read)
{
    clear();
    put("modules.json",
        "[" MODULE(0, "", OLD "Transformer") "," MODULE(1, "1_Pooling", OLD "Pooling") "," MODULE(
            2, "2_Dense", OLD "Dense") "," MODULE(3, "3_Normalize", OLD "Normalize") "]");
    put("1_Pooling/config.json", "{\"word_embedding_dimension\":24,\"pooling_mode_cls_token\":true,"
                                 "\"pooling_mode_mean_tokens\":false,\"include_prompt\":true}");
    put("2_Dense/config.json",
        "{\"in_features\":24,\"out_features\":8,\"bias\":false,\"activation_function\":"
        "\"torch.nn.modules.linear.Identity\"}");
    put("sentence_bert_config.json", "{\"max_seq_length\":200,\"do_lower_case\":true}");
    put("config_sentence_transformers.json",
        "{\"prompts\":{\"query\":\"q: \",\"passage\":\"p: \"},\"default_prompt_name\":null,"
        "\"similarity_fn_name\":\"dot\",\"truncate_dim\":4}");
    struct st_config config = read_st();
    ck_assert(config.is_sentence_transformer && config.normalize && config.lowercase);
    ck_assert_int_eq(config.pooling, POOLING_CLS);
    ck_assert_ptr_nonnull(strstr(config.dense_folder, "m/2_Dense"));
    ck_assert_int_eq(config.dense_in, 24);
    ck_assert_int_eq(config.dense_out, 8);
    ck_assert(!config.dense_bias);
    ck_assert_int_eq(config.dense_activation, DENSE_IDENTITY);
    ck_assert_int_eq(config.max_seq_length, 200);
    ck_assert_int_eq(config.truncate_dim, 4);
    ck_assert_str_eq(config.query_prompt, "q: ");
    ck_assert_str_eq(config.document_prompt, "p: ");
    ck_assert_str_eq(config.similarity, "dot");
    st_config_free(&config);
}
END_TEST

START_TEST(new_layout_is_read)
{
    clear();
    put("modules.json",
        "[" MODULE(0, "", "sentence_transformers.base.modules.transformer.Transformer") "," MODULE(
            1, "1_Pooling",
            "sentence_transformers.sentence_transformer.modules.pooling.Pooling") "]");
    put("1_Pooling/config.json", "{\"embedding_dimension\":24,\"pooling_mode\":\"mean\"}");
    put("sentence_bert_config.json", "{\"transformer_task\":\"feature-extraction\"}");
    put("config_sentence_transformers.json", "{\"similarity_fn_name\":null,\"prompts\":"
                                             "{\"query\":\"\",\"document\":\"d: \"}}");
    struct st_config config = read_st();
    ck_assert(config.is_sentence_transformer && !config.normalize && !config.lowercase);
    ck_assert_int_eq(config.pooling, POOLING_MEAN);
    ck_assert_int_eq(config.max_seq_length, 0);
    ck_assert_str_eq(config.document_prompt, "d: ");
    ck_assert_str_eq(config.similarity, "cosine");
    st_config_free(&config);
}
END_TEST

START_TEST(old_length_files_are_read)
{
    clear();
    put("sentence_roberta_config.json", "{\"max_seq_length\":99}");
    struct st_config config = read_st();
    ck_assert_int_eq(config.max_seq_length, 99);
    st_config_free(&config);
}
END_TEST

static void check_refused(const char *name, const char *text, const char *word)
{
    struct st_config config;
    struct error err = {0};
    put(name, text);
    check_failed(st_config_read(&config, folder(), &err), &err, STATUS_WORLD, word);
    ck_assert_ptr_null(config.query_prompt);
}

#define TWO MODULE(0, "", OLD "Transformer") "," MODULE(1, "1_Pooling", OLD "Pooling")

START_TEST(bad_modules_are_refused)
{
    clear();
    put("1_Pooling/config.json", "{\"pooling_mode\":\"mean\"}");
    put("2_Dense/config.json", "{\"in_features\":1,\"out_features\":1,\"activation_function\":"
                               "\"torch.nn.modules.linear.Identity\"}");
    static const char *const cases[][2] = {
        {"{}", "an object"},
        {"[]", "no Transformer module"},
        {"[{\"path\":\"\"}]", "no \"type\""},
        {"[" MODULE(0, "", OLD "Transformer") "]", "no Pooling module"},
        {"[" MODULE(0, "", OLD "CLIPModel") "]", "CLIPModel is not supported"},
        {"[" MODULE(0, "", "evil.Transformer") "]", "evil.Transformer is not supported"},
        {"[" MODULE(0, "0_Transformer", OLD "Transformer") "]", "subfolder \"0_Transformer\""},
        {"[" MODULE(0, "", OLD "Transformer") "," MODULE(1, "2_Dense", OLD "Dense") "]",
         "Dense stands in an unexpected place"},
        {"[" TWO "," MODULE(2, "", OLD "Normalize") "," MODULE(3, "2_Dense", OLD "Dense") "]",
         "Dense stands in an unexpected place"},
        {"[" TWO "," MODULE(2, "2_Dense", OLD "Dense") "," MODULE(3, "2_Dense", OLD "Dense") "]",
         "Dense stands in an unexpected place"},
        {"[" MODULE(0, "", OLD "Transformer") "," MODULE(1, "../x", OLD "Pooling") "]",
         "leaves the folder"},
        {"[" MODULE(0, "", OLD "Transformer") "," MODULE(1, "9_None", OLD "Pooling") "]",
         "9_None/config.json"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_refused("modules.json", cases[i][0], cases[i][1]);
}
END_TEST

START_TEST(bad_module_configs_are_refused)
{
    clear();
    put("modules.json", "[" TWO "," MODULE(2, "2_Dense", OLD "Dense") "]");
    check_refused("1_Pooling/config.json", "{\"pooling_mode_max_tokens\":true}", "pooling by max");
    check_refused("1_Pooling/config.json",
                  "{\"pooling_mode_max_tokens\":true,\"pooling_mode_cls_token\":true}",
                  "several modes");
    check_refused("1_Pooling/config.json", "{\"pooling_mode\":[\"cls\",\"mean\"]}",
                  "several modes");
    check_refused("1_Pooling/config.json", "{\"pooling_mode\":\"lasttoken\"}", "lasttoken");
    check_refused("1_Pooling/config.json", "{\"pooling_mode\":\"mean\",\"include_prompt\":false}",
                  "include_prompt");
    put("1_Pooling/config.json", "{\"pooling_mode\":[\"cls\"]}");
    static const char *const dense[][2] = {
        {"{\"in_features\":4}", "\"out_features\""},
        {"{\"activation_function\":\"torch.nn.modules.activation.GELU\"}", "activation.GELU"},
        {"{\"activation_function\":\"torch.nn.modules.linear.Identity\"}", "\"in_features\""},
        {"{\"activation_function\":\"torch.nn.modules.linear.Identity\",\"in_features\":4,"
         "\"out_features\":0}",
         "\"out_features\" is 0"},
        {"{\"activation_function\":\"torch.nn.modules.linear.Identity\",\"use_residual\":true}",
         "use_residual"},
        {"{\"activation_function\":\"torch.nn.modules.linear.Identity\",\"module_input_name\":"
         "\"token_embeddings\"}",
         "token_embeddings"},
        {"{\"activation_function\":\"torch.nn.modules.linear.Identity\",\"in_features\":4,"
         "\"out_features\":2,\"bias\":1}",
         "\"bias\""},
    };
    for (size_t i = 0; i < sizeof dense / sizeof *dense; i++)
        check_refused("2_Dense/config.json", dense[i][0], dense[i][1]);
}
END_TEST

START_TEST(bad_main_configs_are_refused)
{
    static const char name[] = "config_sentence_transformers.json";
    clear();
    check_refused(name, "{\"truncate_dim\":0}", "\"truncate_dim\" is 0");
    check_refused(name, "{\"similarity_fn_name\":\"hamming\"}", "hamming");
    check_refused(name, "{\"prompts\":{\"query\":3}}", "prompt \"query\"");
    check_refused(name, "{", "not JSON");
    clear();
    check_refused("sentence_bert_config.json", "{\"max_seq_length\":-1}", "max_seq_length");
}
END_TEST

START_TEST(real_folders_are_read)
{
    const char *path = shared("models/all-MiniLM-L6-v2");
    if (!path) return;
    struct error err = {0};
    struct hf_config hf;
    struct st_config st;
    check_ok(hf_config_read(&hf, path, &err), &err);
    ck_assert_int_eq(hf.num_layers, 6);
    check_ok(st_config_read(&st, path, &err), &err);
    ck_assert(st.normalize && st.pooling == POOLING_MEAN && st.max_seq_length == 256);
    st_config_free(&st);
    check_ok(hf_config_read(&hf, shared("models/minilm-l6-ce"), &err), &err);
    ck_assert_int_eq(hf.num_labels, 1);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(bert_defaults_are_those_of_transformers),
                                    TEST(given_values_are_taken),
                                    TEST(families_differ),
                                    TEST(num_labels_overrides_id2label),
                                    TEST(bad_configs_are_refused),
                                    TEST(bare_folder_has_defaults),
                                    TEST(classic_layout_is_read),
                                    TEST(new_layout_is_read),
                                    TEST(old_length_files_are_read),
                                    TEST(bad_modules_are_refused),
                                    TEST(bad_module_configs_are_refused),
                                    TEST(bad_main_configs_are_refused),
                                    TEST(real_folders_are_read),
                                    {0}};
    return run_tests("data/model_folder", rows);
}
