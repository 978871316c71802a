#include "tests/tiny_student.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/support.h"

static const char config[] =
    "{\"model_type\": \"bert\", \"architectures\": [\"BertForSequenceClassification\"],"
    " \"id2label\": {\"0\": \"LABEL_0\"}, \"label2id\": {\"LABEL_0\": 0},"
    " \"problem_type\": \"regression\", \"classifier_dropout\": null,"
    " \"sentence_transformers\": {\"activation_fn\": \"torch.nn.modules.linear.Identity\"},"
    " \"vocab_size\": 80, \"hidden_size\": 16, \"num_hidden_layers\": 3,"
    " \"num_attention_heads\": 2, \"intermediate_size\": 32, \"max_position_embeddings\": 24,"
    " \"type_vocab_size\": 2, \"pad_token_id\": 0, \"hidden_act\": \"gelu\","
    " \"layer_norm_eps\": 1e-12, \"hidden_dropout_prob\": 0.1,"
    " \"attention_probs_dropout_prob\": 0.1, \"initializer_range\": 0.02}\n";
static const char tokenizer_config[] =
    "{\"do_lower_case\": true, \"model_max_length\": 512, \"tokenizer_class\": \"BertTokenizer\","
    " \"unk_token\": \"[UNK]\", \"sep_token\": \"[SEP]\", \"pad_token\": \"[PAD]\","
    " \"cls_token\": \"[CLS]\", \"mask_token\": \"[MASK]\"}\n";
static const char words[] =
    "[PAD] [UNK] [CLS] [SEP] [MASK] . cat dog fish bird house river moon sun "
    "red blue old new the a in of sat ran ate saw ";

static void put(const char *name, const char *bytes, size_t length)
{
    free(scratch_file(name, bytes, length));
}

const char *tiny_student_folder(void)
{
    static char folder[4096];
    struct text vocabulary = {0};
    if (*folder) return folder;
    snprintf(folder, sizeof folder, "%s/tiny", scratch_folder());
    REQUIRE(mkdir(folder, 0777) == 0 || errno == EEXIST); /* of a test before this one */
    text_puts(&vocabulary, words);
    for (size_t i = 0; i < vocabulary.length; i++)
        if (vocabulary.bytes[i] == ' ') vocabulary.bytes[i] = '\n';
    for (char letter = 'b'; letter <= 'z'; letter++) text_printf(&vocabulary, "%c\n", letter);
    for (char letter = 'a'; letter <= 'z'; letter++) text_printf(&vocabulary, "##%c\n", letter);
    put("tiny/vocab.txt", vocabulary.bytes, vocabulary.length);
    put("tiny/config.json", config, strlen(config));
    put("tiny/tokenizer_config.json", tokenizer_config, strlen(tokenizer_config));
    text_free(&vocabulary);
    return folder;
}

void tiny_student_make(struct dual_encoder *out, const struct tiny_shape *shape)
{
    struct error err = {0};
    struct hf_config hf;
    struct encoder_config like;
    const char *folder = tiny_student_folder();
    check_ok(hf_config_read(&hf, folder, &err), &err);
    check_ok(encoder_config_from_hf(&like, &hf, &err), &err);
    like.hidden_dropout = like.attention_dropout = shape->dropout;
    check_ok(dual_encoder_create(out, &like, shape->layers, shape->output_size, shape->pooling,
                                 folder, PRECISION_F32, &err),
             &err);
    for (size_t p = 0; p < out->params.count; p++) {
        const struct param *param = &out->params.list[p];
        bool is_gain = strstr(param->name, "LayerNorm.weight") != NULL;
        float *values = params_values(&out->params, (int)p);
        for (size_t i = 0; i < params_param_size(param); i++)
            values[i] = 0.3f * test_value(p, i) + (is_gain ? 1.0f : 0.0f);
    }
    encoder_refresh(&out->encoder);
}
