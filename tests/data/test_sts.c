/* data/sts: sentence pairs from files and folders. */
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

#include "data/output.h"
#include "data/sts.h"

static int read_text(struct sts_pairs *out, const char *text, struct error *err)
{
    *err = (struct error){0};
    char *path = scratch_file("pairs.tsv", text, strlen(text));
    int status = sts_read(out, path, "test", err);
    free(path);
    return status;
}

START_TEST(pairs_are_read_with_or_without_header)
{
    static const char *const texts[] = {"score\tsentence1\tsentence2\n5.000\ta\tb c\n0.25\t\t\n",
                                        "\xef\xbb\xbf"
                                        "5.000\ta\tb c\r\n.25\t\t\r\n"};
    for (size_t i = 0; i < 2; i++) {
        struct sts_pairs pairs;
        struct error err;
        check_ok(read_text(&pairs, texts[i], &err), &err);
        ck_assert_uint_eq(pairs.count, 2);
        ck_assert_double_eq(pairs.scores[0], 5);
        ck_assert_double_eq(pairs.scores[1], 0.25);
        ck_assert_str_eq(pairs.first[0], "a");
        ck_assert_str_eq(pairs.second[0], "b c");
        ck_assert_str_eq(pairs.first[1], "");
        ck_assert_str_eq(pairs.second[1], "");
        sts_free(&pairs);
        ck_assert_ptr_null(pairs.scores);
    }
}
END_TEST

START_TEST(splits_become_a_collection)
{
    static const char *const names[] = {"train", "dev", "test"};
    static const char train[] = "5\ta\tb\n1\tb\t\n", test[] = "2.5\tc\ta\n3\ta\ta\n";
    struct collection all;
    struct error err = {0};
    char *made[2];
    char *folder = path_join(scratch_folder(), "splits");
    check_ok(make_folder(folder, &err), &err);
    made[0] = scratch_file("splits/train.tsv", train, strlen(train));
    made[1] = scratch_file("splits/test.tsv", test, strlen(test));
    check_ok(sts_read_collection(&all, folder, names, 3, &err), &err);
    ck_assert_uint_eq(all.documents.count, 4); /* a, b, nothing, c */
    ck_assert_uint_eq(all.queries.count, 0);
    ck_assert_str_eq(all.documents.values[2], "");
    ck_assert_int_eq(texts_find(&all.documents, "c"), 3);
    ck_assert_uint_eq(all.num_pair_splits, 2);
    ck_assert_ptr_null(collection_pairs(&all, "dev"));
    const struct pair_split *split = collection_pairs(&all, "test");
    ck_assert_uint_eq(split->count, 2);
    ck_assert(split->pairs[0].first == 3 && split->pairs[0].second == 0);
    ck_assert(split->pairs[1].first == 0 && split->pairs[1].second == 0);
    ck_assert_double_eq(split->pairs[0].score, 2.5);
    collection_free(&all);
    check_failed(sts_read_collection(&all, folder, names + 1, 1, &err), &err, STATUS_WORLD,
                 "no dev.tsv");
    err = (struct error){0};
    check_ok(sts_read_collection(&all, made[1], names, 3, &err), &err); /* a file is the first */
    ck_assert_uint_eq(all.num_pair_splits, 1);
    ck_assert_uint_eq(collection_pairs(&all, "train")->count, 2);
    collection_free(&all);
    free(made[0]), free(made[1]), free(folder);
}
END_TEST

START_TEST(bad_lines_are_refused_with_file_and_line)
{
    struct sts_pairs pairs;
    struct error err;
    check_failed(read_text(&pairs, "1\ta\tb\n1\ta\n", &err), &err, STATUS_WORLD, "pairs.tsv:2",
                 "2 columns");
    check_failed(read_text(&pairs, "1\ta\tb\tc\n", &err), &err, STATUS_WORLD, "pairs.tsv:1",
                 "4 columns");
    check_failed(read_text(&pairs, "1\ta\tb\n\n", &err), &err, STATUS_WORLD, "pairs.tsv:2");
    check_failed(read_text(&pairs, "1\ta\tb\nx\ta\tb\n", &err), &err, STATUS_WORLD, "pairs.tsv:2",
                 "\"x\"");
    check_failed(read_text(&pairs, "1\ta\tb\ninf\ta\tb\n", &err), &err, STATUS_WORLD, "\"inf\"",
                 "finite");
    check_failed(read_text(&pairs, "nan\ta\tb\n1\ta\tb\n", &err), &err, STATUS_WORLD, "pairs.tsv:1",
                 "\"nan\""); /* no header */
    check_failed(read_text(&pairs, "\ta\tb\n", &err), &err, STATUS_WORLD, "\"\"");
    check_failed(read_text(&pairs, "score\tsentence1\tsentence2\n", &err), &err, STATUS_WORLD,
                 "no sentence pairs");
    ck_assert_ptr_null(pairs.scores);
}
END_TEST

START_TEST(splits_are_found_in_folders)
{
    struct error err = {0};
    struct sts_pairs pairs;
    bool is_sts;
    char *folder = xasprintf("%s/sts", scratch_folder()), *qrels = path_join(folder, "a/qrels");
    check_ok(make_folder(qrels, &err), &err);
    char *test = scratch_file("sts/a/test.tsv", "1\ttest\tb\n", 9);
    free(scratch_file("sts/a/dev.tsv", "1\tdev\tb\n", 8));
    free(scratch_file("sts/a/qrels/other.tsv", "1\ta\tb\n", 6));
    check_ok(sts_read(&pairs, folder, "dev", &err), &err);
    ck_assert_str_eq(pairs.first[0], "dev");
    sts_free(&pairs);
    check_failed(sts_read(&pairs, folder, "other", &err), &err, STATUS_WORLD, "sts",
                 "no other.tsv");
    err = (struct error){0};
    check_ok(sts_detect(&is_sts, folder, &err), &err);
    ck_assert(is_sts);
    check_ok(sts_detect(&is_sts, test, &err), &err);
    ck_assert(is_sts);
    check_ok(sts_detect(&is_sts, qrels, &err), &err);
    ck_assert(is_sts); /* a folder of .tsv files, seen from inside */
    free(scratch_file("sts/a/corpus.jsonl", "", 0));
    check_ok(sts_detect(&is_sts, folder, &err), &err);
    ck_assert(!is_sts);
    check_failed(sts_detect(&is_sts, "/nonexistent", &err), &err, STATUS_WORLD, "/nonexistent");
    free(test);
    free(qrels);
    free(folder);
}
END_TEST

START_TEST(shared_sets_have_their_sizes)
{
    static const struct {
        const char *path, *split;
        size_t pairs;
    } rows[] = {{"datasets/stsb.tar.gz", "train", 5749},
                {"datasets/stsb.tar.gz", "dev", 1500},
                {"datasets/stsb.tar.gz", "test", 1379},
                {"datasets/sickr.tar.gz", "test", 4927}};
    bool is_sts;
    struct error err = {0};
    for (size_t i = 0; i < 4 && shared(rows[i].path); i++) {
        struct sts_pairs pairs;
        check_ok(sts_read(&pairs, shared(rows[i].path), rows[i].split, &err), &err);
        ck_assert_uint_eq(pairs.count, rows[i].pairs);
        sts_free(&pairs);
        check_ok(sts_detect(&is_sts, shared(rows[i].path), &err), &err);
        ck_assert(is_sts);
    }
    if (!shared("datasets/scifact.tar.gz")) return;
    check_ok(sts_detect(&is_sts, shared("datasets/scifact.tar.gz"), &err), &err);
    ck_assert(!is_sts);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(pairs_are_read_with_or_without_header),
        TEST(splits_become_a_collection),
        TEST(bad_lines_are_refused_with_file_and_line),
        TEST(splits_are_found_in_folders),
        TEST(shared_sets_have_their_sizes),
        {0},
    };
    return run_tests("data/sts", rows);
}
