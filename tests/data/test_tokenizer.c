/* data/tokenizer: ids equal to the tokenizers library's, exports that read back, files that are
 * refused by name. */
#include "data/tokenizer.h"
#include "data/json.h"
#include "data/output.h"
#include "tests/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- golden ids: scripts/check_tokenizer.py write ---- */

static void check_ids(const struct token_list *list, const char *ids, const char *types,
                      const char *where)
{
    struct text found_ids = {0}, found_types = {0};
    text_puts(&found_ids, ""), text_puts(&found_types, "");
    for (size_t i = 0; i < list->count; i++) {
        text_printf(&found_ids, "%s%d", i ? " " : "", (int)list->ids[i]);
        text_printf(&found_types, "%s%d", i ? " " : "", (int)list->types[i]);
    }
    ck_assert_msg(!strcmp(found_ids.bytes, ids), "%s: ids %s, expected %s", where, found_ids.bytes,
                  ids);
    ck_assert_msg(!strcmp(found_types.bytes, types), "%s: types %s, expected %s", where,
                  found_types.bytes, types);
    text_free(&found_ids);
    text_free(&found_types);
}

static void check_row(const struct tokenizer *tok, char *const *fields)
{
    struct json *text;
    struct token_list ids = {0};
    struct error err = {0};
    check_ok(json_parse_line(&text, fields[2], strlen(fields[2]), "golden", &err), &err);
    const char *single = json_as_string(text);
    tokenizer_encode(tok, &ids, single ? single : json_as_string(json_at(text, 0)),
                     single ? NULL : json_as_string(json_at(text, 1)), atoi(fields[1]));
    check_ids(&ids, fields[3], fields[4], fields[2]);
    token_list_free(&ids);
    json_free(text);
}

/* Splits a line at its tabs, in place; false where it has not five fields. */
static bool split_row(char **fields, char *line)
{
    for (int i = 0; i < 5; i++) {
        fields[i] = line;
        line += strcspn(line, "\t\n");
        if (*line != (i < 4 ? '\t' : '\n')) return false;
        *line++ = '\0';
    }
    return true;
}

START_TEST(golden_ids)
{
    struct tokenizer *tok = NULL;
    struct text text = {0};
    struct error err = {0};
    char folder[128] = "", *fields[5];
    int rows = 0;
    check_ok(read_whole_file(&text, "tests/golden/tokenizer.tsv", 1 << 24, &err), &err);
    char *line = text.bytes, *end = text.bytes + text.length;
    while (line < end) {
        char *next = strchr(line, '\n') + 1;
        ck_assert(split_row(fields, line));
        if (strcmp(folder, fields[0]) != 0) {
            snprintf(folder, sizeof folder, "%s", fields[0]);
            char *path = xasprintf("tests/golden/%s", folder);
            tokenizer_close(tok);
            check_ok(tokenizer_open(&tok, path, &err), &err);
            free(path);
        }
        check_row(tok, fields);
        rows++;
        line = next;
    }
    ck_assert_int_ge(rows, 1400);
    tokenizer_close(tok);
    text_free(&text);
}
END_TEST

/* llama.cpp's strings for BERT; they were made without special tokens. */
START_TEST(shared_vectors)
{
    const char *path = shared("tokenizers/bert-base-uncased");
    struct tokenizer *tok;
    struct text in = {0}, out = {0};
    struct error err = {0};
    if (!path) return;
    check_ok(tokenizer_open(&tok, path, &err), &err);
    check_ok(read_whole_file(&in, shared("tokenizers/vectors/ggml-vocab-bert-bge.gguf.inp"),
                             1 << 20, &err),
             &err);
    check_ok(read_whole_file(&out, shared("tokenizers/vectors/ggml-vocab-bert-bge.gguf.out"),
                             1 << 20, &err),
             &err);
    static const char rule[] = "\n__ggml_vocab_test__\n";
    int count = 0;
    char *text = in.bytes, *line = out.bytes;
    while (text) {
        char *end = strstr(text, rule), *line_end = line + strcspn(line, "\n");
        if (end) *end = '\0';
        bool last = !*line_end;
        *line_end = '\0';
        struct token_list ids = {0};
        struct text found = {0};
        text_puts(&found, "");
        tokenizer_encode_plain(tok, &ids, text);
        for (size_t i = 0; i < ids.count; i++) text_printf(&found, " %d", (int)ids.ids[i]);
        ck_assert_msg(!strcmp(found.bytes, line), "%s: %s, expected %s", text, found.bytes, line);
        text_free(&found);
        token_list_free(&ids);
        count++;
        text = end && !last ? end + sizeof rule - 1 : NULL;
        line = line_end + 1;
    }
    ck_assert_int_ge(count, 45);
    text_free(&in);
    text_free(&out);
    tokenizer_close(tok);
}
END_TEST

/* ---- the interface ---- */

static struct tokenizer *opened(const char *folder)
{
    struct tokenizer *tok;
    struct error err = {0};
    check_ok(tokenizer_open(&tok, folder, &err), &err);
    return tok;
}

START_TEST(questions_are_answered)
{
    struct tokenizer *tok = opened("tests/golden/tokenizer-cased");
    ck_assert_int_eq(tokenizer_unknown_id(tok), 1);
    ck_assert(tokenizer_is_special(tok, 2) && tokenizer_is_special(tok, 3));
    ck_assert(!tokenizer_is_special(tok, 5));
    ck_assert_int_eq(tokenizer_model_max_length(tok), 0); /* 1e30 */
    ck_assert(!tokenizer_lowercases(tok));
    int size = tokenizer_vocab_size(tok);
    tokenizer_close(tok);
    tok = opened("tests/golden/tokenizer");
    ck_assert_int_eq(tokenizer_vocab_size(tok), size + 7 - 1); /* "fox" is in the vocabulary */
    ck_assert(tokenizer_lowercases(tok));
    tokenizer_close(tok);
}
END_TEST

START_TEST(plain_has_no_specials_and_no_limit)
{
    struct tokenizer *tok = opened("tests/golden/tokenizer");
    struct token_list ids = {0};
    char text[2001] = "";
    for (int i = 0; i < 1000; i++) memcpy(text + 2 * i, "a ", 3);
    tokenizer_encode_plain(tok, &ids, text);
    ck_assert_uint_eq(ids.count, 1000);
    ck_assert_int_eq(ids.ids[0], ids.ids[999]);
    tokenizer_encode(tok, &ids, text, text, 2); /* less than the special tokens: these alone */
    check_ids(&ids, "2 3 3", "0 0 1", "no room");
    tokenizer_encode(tok, &ids,
                     "\xff"
                     "a\xe2\x82",
                     NULL, 9);
    struct token_list clean = {0};
    tokenizer_encode(tok, &clean, "a", NULL, 9);
    ck_assert_uint_eq(ids.count, clean.count); /* wrong bytes are U+FFFD, which is cleaned away */
    ck_assert_mem_eq(ids.ids, clean.ids, clean.count * sizeof *clean.ids);
    token_list_free(&ids);
    token_list_free(&clean);
    tokenizer_close(tok);
}
END_TEST

/* ---- export ---- */

static struct json *exported_json(const char *folder, const char *name)
{
    struct json *json;
    struct error err = {0};
    char *path = path_join(folder, name);
    check_ok(json_read_file(&json, path, &err), &err);
    free(path);
    return json;
}

/* Both tokenizers agree on everything that the golden folders are tested with. */
static void check_same(const struct tokenizer *a, const struct tokenizer *b)
{
    static const char *const texts[] = {"Hello  World [SEP] naïve Z\xc3\xbcrich", "",
                                        ("\xe4\xb8\xad\xe6\x96\x87 [LEFT] \xc3\x89"
                                         "clair Pan!")};
    struct token_list left = {0}, right = {0};
    for (size_t i = 0; i < 3; i++) {
        tokenizer_encode(a, &left, texts[i], i ? texts[0] : NULL, 20);
        tokenizer_encode(b, &right, texts[i], i ? texts[0] : NULL, 20);
        ck_assert_uint_eq(left.count, right.count);
        ck_assert_mem_eq(left.ids, right.ids, left.count * sizeof *left.ids);
        ck_assert_mem_eq(left.types, right.types, left.count * sizeof *left.types);
    }
    ck_assert_int_eq(tokenizer_vocab_size(a), tokenizer_vocab_size(b));
    token_list_free(&left);
    token_list_free(&right);
}

START_TEST(exported_tokenizers_are_the_same)
{
    static const char *const folders[] = {"tests/golden/tokenizer", "tests/golden/tokenizer-cased",
                                          "tests/golden/tokenizer-roberta"};
    static const char *const classes[] = {"BertTokenizer", "BertTokenizer",
                                          "PreTrainedTokenizerFast"};
    for (int i = 0; i < 3; i++) {
        struct tokenizer *tok = opened(folders[i]);
        struct error err = {0};
        char *folder = xasprintf("%s/export%d", scratch_folder(), i);
        check_ok(tokenizer_export(tok, folder, 77, &err), &err);
        struct tokenizer *back = opened(folder);
        check_same(tok, back);
        ck_assert_int_eq(tokenizer_model_max_length(back), 77);
        ck_assert_int_eq(tokenizer_lowercases(back), tokenizer_lowercases(tok));
        struct json *main = exported_json(folder, "tokenizer.json");
        struct json *config = exported_json(folder, "tokenizer_config.json");
        struct json *map = exported_json(folder, "special_tokens_map.json");
        const struct json *cut = json_get(main, "truncation");
        int length = 0;
        check_ok(json_get_int(&length, cut, "max_length", 0, 999, "x", &err), &err);
        ck_assert_int_eq(length, 77);
        ck_assert_str_eq(json_get_string(cut, "strategy"), "LongestFirst");
        ck_assert_int_eq(json_kind(json_get(main, "padding")), JSON_KIND_NULL);
        ck_assert_ptr_null(json_get(config, "max_length"));
        ck_assert_int_eq(json_kind(json_get(config, "do_lower_case")), JSON_KIND_BOOL);
        ck_assert_int_eq(json_bool_or(config, "do_lower_case", false), tokenizer_lowercases(tok));
        ck_assert_str_eq(json_get_string(config, "tokenizer_class"), classes[i]);
        ck_assert_str_eq(json_get_string(map, "cls_token"), "[CLS]");
        ck_assert_str_eq(json_get_string(map, "sep_token"), "[SEP]");
        json_free(main), json_free(config), json_free(map);
        tokenizer_close(tok), tokenizer_close(back);
        free(folder);
    }
}
END_TEST

START_TEST(vocab_txt_is_exported_as_it_came)
{
    struct tokenizer *tok = opened("tests/golden/tokenizer-cased");
    struct text before = {0}, after = {0};
    struct error err = {0};
    char *folder = xasprintf("%s/vocab", scratch_folder());
    char *path = path_join(folder, "vocab.txt");
    check_ok(tokenizer_export(tok, folder, 64, &err), &err);
    check_ok(read_whole_file(&before, "tests/golden/tokenizer-cased/vocab.txt", 1 << 20, &err),
             &err);
    check_ok(read_whole_file(&after, path, 1 << 20, &err), &err);
    ck_assert_uint_eq(before.length, after.length);
    ck_assert_mem_eq(before.bytes, after.bytes, after.length);
    text_free(&before), text_free(&after);
    tokenizer_close(tok);
    free(path), free(folder);
}
END_TEST

/* ---- files of other kinds, and broken ones ---- */

static void put(const char *name, const char *text)
{
    struct error err = {0};
    char *folder = xasprintf("%s/t", scratch_folder());
    char *path = xasprintf("t/%s", name);
    check_ok(make_folder(folder, &err), &err);
    free(scratch_file(path, text, strlen(text)));
    free(path), free(folder);
}

static const char *folder_t(void)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/t", scratch_folder());
    return path;
}

#define MODEL                                                                                      \
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"vocab\":{\"[UNK]\":0,\"[CLS]\":"  \
    "1,"                                                                                           \
    "\"[SEP]\":2,\"a\":3,\"##b\":4}}"
#define SPLIT "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}"
#define CLEAN "\"normalizer\":{\"type\":\"BertNormalizer\"}"
#define POST                                                                                       \
    "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",2],\"cls\":[\"[CLS]\",1]}"

START_TEST(small_tokenizer_works)
{
    struct token_list ids = {0};
    put("tokenizer.json", "{" MODEL "," SPLIT "," CLEAN "," POST "}");
    struct tokenizer *tok = opened(folder_t());
    tokenizer_encode(tok, &ids, "AB a [SEP]", "\xc3\xa1", 99);
    check_ids(&ids, "1 3 4 3 0 0 0 2 3 2", "0 0 0 0 0 0 0 0 1 1", "small"); /* no added tokens */
    tokenizer_close(tok);
    token_list_free(&ids);
}
END_TEST

/* "x" is twice in the list and has one id; "Y" is no special token, so it is looked for in lower
 * case. */
START_TEST(added_tokens_have_the_librarys_ids)
{
    struct token_list ids = {0};
    put("tokenizer.json", "{" MODEL "," SPLIT "," CLEAN "," POST ",\"added_tokens\":["
                          "{\"id\":9,\"content\":\"x\"},{\"id\":7,\"content\":\"Y\"},"
                          "{\"id\":9,\"content\":\"x\",\"special\":true},"
                          "{\"id\":2,\"content\":\"[SEP]\",\"special\":true}]}");
    struct tokenizer *tok = opened(folder_t());
    ck_assert_int_eq(tokenizer_vocab_size(tok), 7);
    tokenizer_encode(tok, &ids, "axa Y y X [SEP]", NULL, 99);
    check_ids(&ids, "1 3 5 3 6 6 0 2 2", "0 0 0 0 0 0 0 0 0", "added");
    ck_assert(tokenizer_is_special(tok, 5) && !tokenizer_is_special(tok, 6));
    tokenizer_close(tok);
    token_list_free(&ids);
}
END_TEST

START_TEST(tokenizer_config_overrides_as_in_transformers)
{
    struct token_list ids = {0};
    put("tokenizer.json", "{" MODEL "," SPLIT "," CLEAN "," POST "}");
    put("tokenizer_config.json", "{\"do_lower_case\":false,\"model_max_length\":40}");
    struct tokenizer *tok = opened(folder_t());
    ck_assert(!tokenizer_lowercases(tok));
    ck_assert_int_eq(tokenizer_model_max_length(tok), 40);
    tokenizer_encode(tok, &ids, "A a", NULL, 99);
    check_ids(&ids, "1 0 3 2", "0 0 0 0", "cased");
    tokenizer_close(tok);
    put("tokenizer_config.json",
        "{\"do_lower_case\":false,\"tokenizer_class\":\"PreTrainedTokenizerFast\"}");
    tok = opened(folder_t());
    ck_assert(tokenizer_lowercases(tok));
    tokenizer_close(tok);
    token_list_free(&ids);
    put("tokenizer_config.json", "{}");
}
END_TEST

static void check_refused(const char *word)
{
    struct tokenizer *tok;
    struct error err = {0};
    check_failed(tokenizer_open(&tok, folder_t(), &err), &err, STATUS_WORLD, word);
    ck_assert_ptr_null(tok);
}

START_TEST(other_tokenizers_are_refused)
{
    static const char *const cases[][2] = {
        {"[]", "an array"},
        {"{", "tokenizer.json:1:"},
        {"{\"version\":\"2.0\"," MODEL "}", "version \"2.0\""},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}}", "a BPE tokenizer"},
        {"{\"model\":{\"type\":\"Unigram\"}}", "a Unigram tokenizer"},
        {"{}", "a nameless tokenizer"},
        {"{\"model\":{\"type\":\"WordPiece\"}}", "no vocab"},
        {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{}}}", "no vocab"},
        {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":-1}}}", "\"a\" is no id"},
        {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":99999999}}}", "\"a\" is no id"},
        {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0,\"b\":0}}}", "same id 0"},
        {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0}}," SPLIT "," CLEAN "}",
         "lacks the unknown token \"[UNK]\""},
        {"{" MODEL "," CLEAN "}", "pre_tokenizer \"none\""},
        {"{" MODEL "," CLEAN ",\"pre_tokenizer\":{\"type\":\"Whitespace\"}}", "\"Whitespace\""},
        {"{" MODEL "," SPLIT "}", "normalizer \"none\""},
        {"{" MODEL "," SPLIT ",\"normalizer\":{\"type\":\"NFKC\"}}", "\"NFKC\""},
        {"{" MODEL "," SPLIT ",\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":1}}",
         "\"lowercase\" is an integer"},
        {"{" MODEL "," SPLIT "," CLEAN ",\"post_processor\":{\"type\":\"Sequence\"}}",
         "post_processor \"Sequence\""},
        {"{" MODEL "," SPLIT "," CLEAN ",\"post_processor\":{\"type\":\"BertProcessing\"}}",
         "lacks cls or sep"},
        {"{" MODEL "," SPLIT "," CLEAN ",\"post_processor\":{\"type\":\"BertProcessing\","
         "\"sep\":[\"x\",77],\"cls\":[\"y\",1]}}",
         "token 77"},
        {"{" MODEL "," SPLIT "," CLEAN ",\"post_processor\":{\"type\":\"TemplateProcessing\","
         "\"single\":[],\"pair\":[]}}",
         "each text once"},
        {"{" MODEL "," SPLIT "," CLEAN ",\"post_processor\":{\"type\":\"TemplateProcessing\","
         "\"single\":[{\"SpecialToken\":{\"id\":\"[X]\",\"type_id\":0}}]}}",
         "\"[X]\" has no ids"},
        {"{" MODEL "," SPLIT "," CLEAN ",\"post_processor\":{\"type\":\"TemplateProcessing\","
         "\"single\":[7]}}",
         "place 0"},
        {"{" MODEL "," SPLIT "," CLEAN ",\"added_tokens\":[{\"id\":1}]}", "added_tokens[0]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put("tokenizer.json", cases[i][0]);
        check_refused(cases[i][1]);
    }
}
END_TEST

START_TEST(bad_vocab_txt_is_refused)
{
    char *path = path_join(folder_t(), "tokenizer.json");
    put("vocab.txt", "");
    unlink(path);
    check_refused("vocab.txt: empty");
    put("vocab.txt", "[UNK]\n\xff\n");
    check_refused("not UTF-8");
    put("vocab.txt", "[PAD]\n[CLS]\n[SEP]\n");
    check_refused("lacks the unknown token");
    put("vocab.txt", "[UNK]\n[CLS]\n");
    check_refused("lacks the sep_token \"[SEP]\"");
    put("vocab.txt", "[UNK]\r\n[CLS]\r\n[SEP]\r\na\na"); /* line ends of Windows, none at the end */
    struct tokenizer *tok = opened(folder_t());
    struct token_list ids = {0};
    tokenizer_encode(tok, &ids, "a", NULL, 9);
    check_ids(&ids, "1 4 2", "0 0 0", "of equal lines the last counts");
    token_list_free(&ids);
    tokenizer_close(tok);
    struct error err = {0};
    check_failed(tokenizer_open(&tok, "/nonexistent", &err), &err, STATUS_WORLD,
                 "no tokenizer.json and no vocab.txt");
    free(path);
}
END_TEST

START_TEST(tokenizers_are_made_of_tokens)
{
    static const char *const tokens[] = {"[SEP]", "A", "##b", "a", "[CLS]", "A", "[UNK]"};
    struct tokenizer *tok;
    struct token_list ids = {0};
    struct error err = {0};
    check_ok(tokenizer_make(&tok, tokens, 7, false, &err), &err);
    tokenizer_encode(tok, &ids, "Ab ab B", "[SEP]", 9);
    check_ids(&ids, "4 5 2 3 2 6 0 0 0", "0 0 0 0 0 0 0 1 1", "of equal tokens the last counts");
    ck_assert_str_eq(tokenizer_token(tok, 6), "[UNK]");
    ck_assert_ptr_null(tokenizer_token(tok, 1));
    ck_assert_ptr_null(tokenizer_token(tok, 7));
    ck_assert_ptr_null(tokenizer_token(tok, -1));
    ck_assert_int_eq(tokenizer_model_max_length(tok), 0);
    tokenizer_close(tok);
    token_list_free(&ids);
    check_failed(tokenizer_make(&tok, tokens, 6, true, &err), &err, STATUS_WORLD,
                 "lacks the unknown token");
    ck_assert_ptr_null(tok);
}
END_TEST

START_TEST(shared_byte_level_tokenizer_is_refused)
{
    const char *path = shared("models/tiny-random-xlm-roberta-ce");
    struct tokenizer *tok;
    struct error err = {0};
    if (!path) return;
    check_failed(tokenizer_open(&tok, path, &err), &err, STATUS_WORLD, "a BPE tokenizer",
                 "only WordPiece");
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(golden_ids),
                                    TEST(shared_vectors),
                                    TEST(questions_are_answered),
                                    TEST(plain_has_no_specials_and_no_limit),
                                    TEST(exported_tokenizers_are_the_same),
                                    TEST(vocab_txt_is_exported_as_it_came),
                                    TEST(small_tokenizer_works),
                                    TEST(added_tokens_have_the_librarys_ids),
                                    TEST(tokenizer_config_overrides_as_in_transformers),
                                    TEST(other_tokenizers_are_refused),
                                    TEST(bad_vocab_txt_is_refused),
                                    TEST(tokenizers_are_made_of_tokens),
                                    TEST(shared_byte_level_tokenizer_is_refused),
                                    {0}};
    return run_tests("data/tokenizer", rows);
}
