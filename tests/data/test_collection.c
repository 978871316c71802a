/* data/collection: BEIR collections and lists of texts. */
#define _GNU_SOURCE
#include "tests/support.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/collection.h"
#include "data/output.h"

struct member {
    const char *name, *content;
};

/* A tar of the members (the last one zeroed); its path, in static storage. */
static const char *make_tar(const struct member *members)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/set.tar", scratch_folder());
    struct archive *archive = archive_write_new();
    archive_write_set_format_ustar(archive);
    ck_assert_int_eq(archive_write_open_filename(archive, path), ARCHIVE_OK);
    for (; members->name; members++) {
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, members->name);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_size(entry, (int64_t)strlen(members->content));
        archive_write_header(archive, entry);
        archive_write_data(archive, members->content, strlen(members->content));
        archive_entry_free(entry);
    }
    archive_write_free(archive);
    return path;
}

static int read_members(struct collection *out, const struct member *members, struct error *err)
{
    *err = (struct error){0};
    return collection_read(out, make_tar(members), err);
}

static const char corpus[] =
    "{\"_id\": \"d1\", \"title\": \"A\", \"text\": \"first\", \"metadata\": {\"url\": \"x\"}}\n"
    "{\"text\": \"second \\u00e4\", \"_id\": \"d 2\", \"title\": \"\"}\r\n"
    "\n"
    "{\"_id\": 3, \"text\": \"\", \"title\": \"only title\"}\n"
    "{\"_id\": \"\xc3\xa4\", \"text\": \"\", \"title\": null}";
static const char queries[] = "{\"_id\": \"q1\", \"text\": \"what\", \"title\": \"not this\"}\n"
                              "{\"_id\": -2, \"text\": \"\"}\n";

static void check_texts(const struct texts *texts, const char *const rows[][2], size_t count)
{
    ck_assert_uint_eq(texts->count, count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_str_eq(texts->ids[i], rows[i][0]);
        ck_assert_str_eq(texts->values[i], rows[i][1]);
        ck_assert_int_eq(texts_find(texts, rows[i][0]), (int)i);
    }
    ck_assert_int_eq(texts_find(texts, "none"), -1);
}

START_TEST(titles_are_known_and_queries_and_splits_are_added)
{
    static const struct member members[] = {
        {"corpus.jsonl", corpus}, {"queries.jsonl", queries}, {"qrels/m.tsv", "q1\td1\t1\n"}, {0}};
    static const uint32_t lengths[] = {1, 0, 10, 0};
    static const char *const names[] = {"a", "m", "z"};
    struct collection collection;
    struct error err;
    check_ok(read_members(&collection, members, &err), &err);
    for (size_t d = 0; d < 4; d++)
        ck_assert_uint_eq(collection.documents.title_lengths[d], lengths[d]);
    ck_assert_uint_eq(collection.queries.title_lengths[0], 0);
    check_ok(collection_add_query(&collection, "new", "text", &err), &err);
    ck_assert_str_eq(collection.queries.values[texts_find(&collection.queries, "new")], "text");
    check_failed(collection_add_query(&collection, "q1", "", &err), &err, STATUS_WORLD, "q1");
    err = (struct error){0};
    for (int i = 2; i >= 0; i -= 2)
        qrels_add(collection_add_split(&collection, names[i], &err), names[i], "d1", 1);
    for (size_t i = 0; i < 3; i++) ck_assert_str_eq(collection.splits[i].name, names[i]);
    ck_assert_ptr_nonnull(qrels_find(&collection_split(&collection, "z")->qrels, "z"));
    ck_assert_ptr_null(collection_add_split(&collection, "m", &err));
    ck_assert_int_eq(err.status, STATUS_WORLD);
    collection_free(&collection);
}
END_TEST

START_TEST(a_collection_is_read_whatever_its_order)
{
    static const struct member members[] = {
        {"set/qrels/train.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t1\nq9\td1\t1\n"},
        {"set/README.md", "\xff not text"},
        {"set/qrels/test.tsv", "q1\td 2\t2\nq1\tunknown\t1\n"},
        {"set/qrels/notes.txt", "not judgements"},
        {"set/queries.jsonl", queries},
        {"set/other/test.tsv", "not judgements"},
        {"set/corpus.jsonl", corpus},
        {NULL, NULL}};
    struct collection collection;
    struct error err;
    check_ok(read_members(&collection, members, &err), &err);
    check_texts(
        &collection.documents,
        (const char *const[][2]){
            {"d1", "A first"}, {"d 2", "second \xc3\xa4"}, {"3", "only title"}, {"\xc3\xa4", ""}},
        4);
    check_texts(&collection.queries, (const char *const[][2]){{"q1", "what"}, {"-2", ""}}, 2);
    ck_assert_uint_eq(collection.num_splits, 2);
    ck_assert_str_eq(collection.splits[0].name, "test");
    ck_assert_str_eq(collection.splits[1].name, "train");
    const struct split *test = collection_split(&collection, "test");
    ck_assert_int_eq(qrels_grade(qrels_find(&test->qrels, "q1"), "d 2"), 2);
    ck_assert_int_eq(qrels_grade(qrels_find(&test->qrels, "q1"), "unknown"), 1);
    ck_assert_ptr_null(collection_split(&collection, "dev"));
    collection_free(&collection);
    ck_assert_ptr_null(collection.documents.ids);
    collection_free(&collection);
}
END_TEST

START_TEST(a_corpus_alone_is_a_collection)
{
    static const struct member members[] = {{"corpus.jsonl", corpus}, {NULL, NULL}};
    struct collection collection;
    struct error err;
    check_ok(read_members(&collection, members, &err), &err);
    ck_assert_uint_eq(collection.documents.count, 4);
    ck_assert_uint_eq(collection.queries.count, 0);
    ck_assert_uint_eq(collection.num_splits, 0);
    collection_free(&collection);
    char *folder = xasprintf("%s/folder/qrels", scratch_folder());
    check_ok(make_folder(folder, &err), &err);
    free(scratch_file("folder/corpus.jsonl", corpus, strlen(corpus)));
    free(scratch_file("folder/qrels/test.tsv", "q\td1\t1\n", 7));
    free(folder);
    folder = xasprintf("%s/folder", scratch_folder());
    check_ok(collection_read(&collection, folder, &err), &err);
    ck_assert_uint_eq(collection.num_splits, 1);
    collection_free(&collection);
    free(folder);
}
END_TEST

/* The file is refused, as corpus or queries, with these words. */
static void check_corpus_refused(const char *content, const char *word, const char *another)
{
    const struct member members[] = {{"x/corpus.jsonl", content}, {NULL, NULL}};
    struct collection collection;
    struct error err;
    check_failed(read_members(&collection, members, &err), &err, STATUS_WORLD, "x/corpus.jsonl",
                 word, another);
    ck_assert_ptr_null(collection.documents.ids);
}

#define GOOD "{\"_id\": \"d1\", \"text\": \"t\"}\n"

START_TEST(bad_documents_are_refused_with_file_and_line)
{
    check_corpus_refused("", "corpus is empty", "");
    check_corpus_refused("\n\n", "corpus is empty", "");
    check_corpus_refused(GOOD "{\"_id\": \"d2\", \"text\": \"t\"\n", "jsonl:2", "JSON");
    check_corpus_refused(GOOD "[1]\n", "jsonl:2", "not a JSON object");
    check_corpus_refused(GOOD "{\"_id\": \"d2\"}\n", "jsonl:2", "\"text\"");
    check_corpus_refused(GOOD "{\"_id\": \"d2\", \"text\": null}\n", "jsonl:2", "\"text\"");
    check_corpus_refused(GOOD "{\"_id\": \"d2\", \"text\": 5}\n", "jsonl:2", "must be a string");
    check_corpus_refused(GOOD "{\"_id\": \"d2\", \"text\": \"\", \"title\": []}\n", "jsonl:2",
                         "\"title\"");
    check_corpus_refused(GOOD "{\"text\": \"t\"}\n", "jsonl:2", "\"_id\"");
    check_corpus_refused(GOOD "{\"_id\": 1.5, \"text\": \"t\"}\n", "jsonl:2", "\"_id\"");
    check_corpus_refused(GOOD "{\"_id\": \"\", \"text\": \"t\"}\n", "jsonl:2", "empty");
    check_corpus_refused(GOOD "{\"_id\": \"a\\tb\", \"text\": \"t\"}\n", "jsonl:2", "tab");
    check_corpus_refused(GOOD "{\"_id\": \"a\\n\", \"text\": \"t\"}\n", "jsonl:2", "newline");
    check_corpus_refused(GOOD "\n" GOOD, "jsonl:3", "d1 stands twice");
    check_corpus_refused(GOOD "{\"_id\": \"d2\", \"text\": \"\xff\"}\n", "jsonl:2", "UTF-8");
    check_corpus_refused(GOOD "{\"_id\": \"d2\", \"text\": \"\\u0000\"}\n", "jsonl:2", "");
}
END_TEST

START_TEST(what_is_not_one_collection_is_refused)
{
    struct collection collection;
    struct error err;
    static const struct member none[] = {{"test.tsv", "1\ta\tb\n"}, {NULL, NULL}};
    check_failed(read_members(&collection, none, &err), &err, STATUS_WORLD, "set.tar",
                 "no corpus.jsonl");
    static const struct member two[] = {
        {"a/corpus.jsonl", GOOD}, {"b/corpus.jsonl", GOOD}, {NULL, NULL}};
    check_failed(read_members(&collection, two, &err), &err, STATUS_WORLD, "a/corpus.jsonl",
                 "b/corpus.jsonl", "one collection");
    static const struct member splits[] = {{"corpus.jsonl", GOOD},
                                           {"qrels/a.tsv", "q\td1\t1\n"},
                                           {"qrels/a.tsv.gz", "q\td1\t1\n"},
                                           {NULL, NULL}};
    check_failed(read_members(&collection, splits, &err), &err, STATUS_WORLD, "already a split a");
    static const struct member alien[] = {
        {"corpus.jsonl", GOOD}, {"qrels/test.tsv", "q\tx\t1\nr\ty\t1\n"}, {NULL, NULL}};
    check_failed(read_members(&collection, alien, &err), &err, STATUS_WORLD, "split test",
                 "none of its 2 judgements");
    static const struct member long_name[] = {
        {"corpus.jsonl", GOOD},
        {"qrels/a_split_with_a_name_of_many_letters.tsv", "q\td1\t1\n"},
        {NULL, NULL}};
    check_failed(read_members(&collection, long_name, &err), &err, STATUS_WORLD, "a_split", "31");
    static const struct member bad_line[] = {
        {"corpus.jsonl", GOOD}, {"x/qrels/test.tsv", "q\td1\t1\nq\n"}, {NULL, NULL}};
    check_failed(read_members(&collection, bad_line, &err), &err, STATUS_WORLD,
                 "x/qrels/test.tsv:2");
    ck_assert_ptr_null(collection.documents.ids);
    err = (struct error){0};
    check_failed(collection_read(&collection, "/nonexistent", &err), &err, STATUS_WORLD,
                 "/nonexistent");
}
END_TEST

/* ---- lists of texts ---- */

static int read_list(struct texts *out, struct arena *strings, const char *content,
                     struct error *err)
{
    *err = (struct error){0};
    char *path = scratch_file("list", content, strlen(content));
    int status = texts_read(out, strings, path, err);
    free(path);
    return status;
}

START_TEST(lists_of_texts_are_read_in_both_forms)
{
    struct texts texts;
    struct arena strings = {0};
    struct error err;
    check_ok(read_list(&texts, &strings, "\xef\xbb\xbfq1\twhat is\tthis\r\nq 2\t\n", &err), &err);
    check_texts(&texts, (const char *const[][2]){{"q1", "what is\tthis"}, {"q 2", ""}}, 2);
    texts_free(&texts);
    check_ok(read_list(&texts, &strings, queries, &err), &err);
    check_texts(&texts, (const char *const[][2]){{"q1", "what"}, {"-2", ""}}, 2);
    texts_free(&texts);
    check_ok(read_list(&texts, &strings, "", &err), &err);
    ck_assert_uint_eq(texts.count, 0);
    texts_free(&texts);
    arena_free(&strings);
}
END_TEST

START_TEST(bad_lists_are_refused_with_file_and_line)
{
    struct texts texts;
    struct arena strings = {0};
    struct error err;
    check_failed(read_list(&texts, &strings, "q1\ta\nq2 b\n", &err), &err, STATUS_WORLD, "list:2",
                 "no tab");
    check_failed(read_list(&texts, &strings, "q1\ta\n\n", &err), &err, STATUS_WORLD, "list:2",
                 "no tab");
    check_failed(read_list(&texts, &strings, "\ta\n", &err), &err, STATUS_WORLD, "list:1", "empty");
    check_failed(read_list(&texts, &strings, "a\tb\na\tc\n", &err), &err, STATUS_WORLD, "list:2",
                 "a stands twice");
    check_failed(read_list(&texts, &strings, GOOD "q2\tb\n", &err), &err, STATUS_WORLD, "list:2",
                 "JSON");
    ck_assert_ptr_null(texts.ids);
    arena_free(&strings);
}
END_TEST

/* ---- the shared collections ---- */

/* ---- documents in blocks ---- */

static int append_block(void *arg, const struct document_block *block, struct error *err)
{
    struct text *all = arg;
    struct document document = {0};
    int status = 0;
    text_puts(all, "[");
    for (size_t i = 0; status == 0 && i < block->count; i++) {
        status = block_document(&document, block, i, err);
        if (status == 0) text_printf(all, "(%s|%s)", document.id.bytes, document.text.bytes);
    }
    text_puts(all, "]");
    document_free(&document);
    return status;
}

START_TEST(documents_come_in_blocks)
{
    static const struct member members[] = {
        {"set/queries.jsonl", "not JSON, not read\n"}, {"set/corpus.jsonl", corpus}, {0}};
    struct text all = {0};
    struct error err = {0};
    check_ok(collection_walk(make_tar(members), 1, append_block, &all, &err), &err);
    ck_assert_str_eq(all.bytes, "[(d1|A first)][(d 2|second \xc3\xa4)][(3|only title)]"
                                "[(\xc3\xa4|)]");
    text_clear(&all);
    check_ok(collection_walk(make_tar(members), 150, append_block, &all, &err), &err);
    ck_assert_str_eq(all.bytes, "[(d1|A first)(d 2|second \xc3\xa4)(3|only title)][(\xc3\xa4|)]");
    text_free(&all);
}
END_TEST

START_TEST(bad_blocks_are_refused_with_file_and_line)
{
    static const struct member without[] = {{"queries.jsonl", queries}, {0}},
                               empty[] = {{"corpus.jsonl", "\n"}, {0}},
                               two[] = {{"a/corpus.jsonl", corpus},
                                        {"b/corpus.jsonl", corpus},
                                        {0}},
                               bad[] = {{"corpus.jsonl",
                                         "{\"_id\": \"a\", \"text\": \"\"}\n\n{\"_id\": \"a\"}"},
                                        {0}};
    static const struct {
        const struct member *members;
        const char *said;
    } cases[] = {{without, "no corpus.jsonl"},
                 {empty, "the corpus is empty"},
                 {two, "already documents"},
                 {bad, "corpus.jsonl:3: \"text\" is nothing"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text all = {0};
        struct error err = {0};
        int status = collection_walk(make_tar(cases[i].members), 1000, append_block, &all, &err);
        check_failed(status, &err, STATUS_WORLD, "set.tar", cases[i].said);
        text_free(&all);
    }
}
END_TEST

START_TEST(shared_collections_have_their_published_sizes)
{
    if (skip_slow()) return;
    static const struct {
        const char *path;
        size_t documents, queries, judgements;
    } rows[] = {{"datasets/scifact.tar.gz", 5183, 300, 339},
                {"datasets/nfcorpus.tar.gz", 3633, 323, 12334},
                {"datasets/cranfield.tar.gz", 1400, 225, 1612},
                {"datasets/wikiqa.tar.gz", 26196, 243, 293}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows && shared(rows[i].path); i++) {
        struct collection collection;
        struct error err = {0};
        check_ok(collection_read(&collection, shared(rows[i].path), &err), &err);
        ck_assert_uint_eq(collection.documents.count, rows[i].documents);
        const struct qrels *test = &collection_split(&collection, "test")->qrels;
        ck_assert_uint_eq(test->count, rows[i].queries);
        size_t judgements = 0;
        for (size_t q = 0; q < test->count; q++) judgements += test->queries[q].count;
        ck_assert_uint_eq(judgements, rows[i].judgements);
        collection_free(&collection);
    }
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(titles_are_known_and_queries_and_splits_are_added),
        TEST(a_collection_is_read_whatever_its_order),
        TEST(a_corpus_alone_is_a_collection),
        TEST(bad_documents_are_refused_with_file_and_line),
        TEST(what_is_not_one_collection_is_refused),
        TEST(lists_of_texts_are_read_in_both_forms),
        TEST(bad_lists_are_refused_with_file_and_line),
        TEST(documents_come_in_blocks),
        TEST(bad_blocks_are_refused_with_file_and_line),
        TEST(shared_collections_have_their_published_sizes),
        {0},
    };
    return run_tests("data/collection", rows);
}
