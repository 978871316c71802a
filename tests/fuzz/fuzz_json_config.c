/* Any bytes as each of the JSON files of a model's folder: refused in one sentence, or read into
 * fields within their bounds; and JSON that is read prints to what reads back to the same print. */
#include <stdlib.h>
#include <string.h>

#include "data/json.h"
#include "data/model_folder.h"
#include "data/tokenizer.h"
#include "tests/fuzz/support.h"

static void check_print(const uint8_t *bytes, size_t size)
{
    struct json *json, *again;
    struct text first = {0}, second = {0};
    struct error err = {0};
    int status = json_parse(&json, (const char *)bytes, size, "fuzz.json", &err);
    check_answer(status, &err);
    if (status) return;
    json_print(&first, json, (int)(size % 3));
    REQUIRE(json_parse(&again, first.bytes, first.length, "print", &err) == 0);
    json_print(&second, again, (int)(size % 3));
    REQUIRE(first.length == second.length && !memcmp(first.bytes, second.bytes, first.length));
    text_free(&first);
    text_free(&second);
    json_free(again);
    json_free(json);
}

static void check_config(const char *folder)
{
    struct hf_config config;
    struct error err = {0};
    int status = hf_config_read(&config, folder, &err);
    check_answer(status, &err);
    if (status) return;
    REQUIRE(config.num_heads > 0 && config.hidden_size % config.num_heads == 0);
    REQUIRE(config.num_layers > 0 && config.vocab_size > 0 && config.num_labels > 0);
    REQUIRE(config.pad_token_id >= 0 && config.pad_token_id < config.vocab_size);
}

static void check_modules(const char *folder)
{
    struct st_config config;
    struct error err = {0};
    int status = st_config_read(&config, folder, &err);
    check_answer(status, &err);
    if (status) return;
    REQUIRE(config.query_prompt && config.document_prompt && *config.similarity);
    REQUIRE(!config.dense_folder || (config.dense_in > 0 && config.dense_out > 0));
    st_config_free(&config);
}

static void check_tokenizer(const char *folder)
{
    struct tokenizer *tok;
    struct token_list ids = {0};
    struct error err = {0};
    int status = tokenizer_open(&tok, folder, &err);
    check_answer(status, &err);
    if (status) return;
    tokenizer_encode(tok, &ids, "a text [SEP] abab", "another", 12);
    for (size_t i = 0; i < ids.count; i++)
        REQUIRE(ids.ids[i] >= 0 && ids.ids[i] < tokenizer_vocab_size(tok));
    char *exported = xasprintf("%s/export", fuzz_folder());
    REQUIRE(tokenizer_export(tok, exported, 12, &err) == 0);
    token_list_free(&ids);
    tokenizer_close(tok);
    free(exported);
}

/* The files, what stands in them unless they are the input, and who reads their folder. */
static const struct file {
    const char *folder, *name, *usual;
    void (*check)(const char *folder);
} files[] = {
    {"c", "config.json", "{}", check_config},
    {"s", "modules.json",
     "[{\"type\":\"sentence_transformers.models.Transformer\",\"path\":\"\"},"
     "{\"type\":\"sentence_transformers.models.Pooling\",\"path\":\"1_Pooling\"},"
     "{\"type\":\"sentence_transformers.models.Dense\",\"path\":\"2_Dense\"}]",
     check_modules},
    {"s", "1_Pooling/config.json", "{\"pooling_mode\":\"cls\"}", check_modules},
    {"s", "2_Dense/config.json",
     "{\"in_features\":8,\"out_features\":4,\"activation_function\":"
     "\"torch.nn.modules.linear.Identity\"}",
     check_modules},
    {"s", "sentence_bert_config.json", "{}", check_modules},
    {"s", "config_sentence_transformers.json", "{}", check_modules},
    {"t", "tokenizer.json",
     "{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"[UNK]\":0,\"[SEP]\":1,\"a\":2,\"##b\":3}},"
     "\"normalizer\":{\"type\":\"BertNormalizer\"},"
     "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}}",
     check_tokenizer},
    {"t", "tokenizer_config.json", "{}", check_tokenizer},
    {"t", "special_tokens_map.json", "{}", check_tokenizer},
    {"v", "vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\n##b\n", check_tokenizer},
    {"v", "tokenizer_config.json", "{}", check_tokenizer},
};
enum { NUM_FILES = sizeof files / sizeof *files };

static void put(const struct file *file, const void *bytes, size_t size)
{
    char *name = xasprintf("%s/%s", file->folder, file->name);
    fuzz_file(name, bytes, size);
    free(name);
}

/* The first byte says which file it is. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static bool prepared;
    if (size == 0) return 0;
    for (int i = 0; i < NUM_FILES && !prepared; i++)
        put(&files[i], files[i].usual, strlen(files[i].usual));
    prepared = true;
    const struct file *file = &files[*bytes % NUM_FILES];
    char *folder = xasprintf("%s/%s", fuzz_folder(), file->folder);
    put(file, bytes + 1, size - 1);
    check_print(bytes + 1, size - 1);
    file->check(folder);
    put(file, file->usual, strlen(file->usual));
    free(folder);
    return 0;
}
