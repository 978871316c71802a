/* data/id_list: ids come back, and lines that were changed are noticed. */
#include "data/id_list.h"
#include "tests/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 4 };
static const char *const ids[N] = {"a", "doc 2", "\xc3\xbc", "MED-10"};

static char *write_list(size_t count)
{
    struct id_writer writer;
    struct error err = {0};
    char *folder = xstrdup(scratch_folder());
    check_ok(id_writer_open(&writer, folder, count, &err), &err);
    for (size_t i = 0; i < count; i++) id_writer_add(&writer, ids[i]);
    check_ok(id_writer_commit(&writer, &err), &err);
    id_writer_abandon(&writer);
    return folder;
}

START_TEST(ids_come_back_in_any_order)
{
    struct id_list list;
    struct error err = {0};
    const size_t order[] = {3, 0, 1, 2, 1, 3};
    const char *id, *first;
    char *folder = write_list(N);
    check_ok(id_list_open(&list, folder, N, &err), &err);
    check_ok(id_list_get(&first, &list, 0, &err), &err);
    for (size_t i = 0; i < 6; i++) {
        check_ok(id_list_get(&id, &list, order[i], &err), &err);
        ck_assert_str_eq(id, ids[order[i]]);
    }
    ck_assert_str_eq(first, ids[0]);
    id_list_close(&list);
    id_list_close(&list);
    /* The file itself is as it was. */
    struct text text = {0};
    char *path = path_join(folder, "ids.txt");
    check_ok(read_whole_file(&text, path, 100, &err), &err);
    ck_assert_str_eq(text.bytes, "a\ndoc 2\n\xc3\xbc\nMED-10\n");
    text_free(&text);
    free(path), free(folder);
}
END_TEST

START_TEST(an_empty_list_is_one)
{
    struct id_list list;
    struct error err = {0};
    char *folder = write_list(0);
    check_ok(id_list_open(&list, folder, 0, &err), &err);
    id_list_close(&list);
    free(folder);
}
END_TEST

static void check_lines(const char *lines, size_t count, size_t row, const char *word)
{
    struct id_list list;
    struct error err = {0};
    const char *id;
    char *folder = write_list(N);
    if (lines) free(scratch_file("ids.txt", lines, strlen(lines)));
    int status = id_list_open(&list, folder, count, &err);
    if (status == 0) status = id_list_get(&id, &list, row, &err);
    check_failed(status, &err, STATUS_WORLD, word, "make the index again");
    id_list_close(&list);
    free(folder);
}

START_TEST(changed_lines_are_noticed)
{
    check_lines(NULL, N + 1, 0, "[4, 1] instead of [5, 1]");
    check_lines("a\ndoc 2\n\xc3\xbc\n", N, 0, "ids.txt: 11 bytes instead of the 18");
    check_lines("ab\noc 2\n\xc3\xbc\nMED-10\n", N, 0, "ids.txt:1:");
    check_lines("ab\noc 2\n\xc3\xbc\nMED-10\n", N, 1, "ids.txt:2:");
    check_lines("a\nd\nc 2\n\xc3\xbc\nMED-10\n", N, 1, "ids.txt:2:");
    check_lines("a\ndoc 2\n\xc3\xbc\nMED-10!", N, 3, "ids.txt:4:");
}
END_TEST

/* Offsets that lead out of the file, or backwards. */
START_TEST(offsets_are_not_believed)
{
    static const uint64_t wrong[][N] = {
        {2, 1, 11, 18}, {2, 1000, 11, 18}, {2, 2, 11, 18}, {UINT64_MAX, 8, 11, 18}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct id_list list;
        struct error err = {0};
        struct output out = {0};
        const char *id;
        char *folder = write_list(N), *path = path_join(folder, "id_offsets.npy");
        check_ok(output_open(&out, path, &err), &err);
        npy_header(&out, NPY_U64, N, 1);
        output_write(&out, wrong[i], sizeof wrong[i]);
        check_ok(output_commit(&out, &err), &err);
        check_ok(id_list_open(&list, folder, N, &err), &err);
        check_failed(id_list_get(&id, &list, i == 3 ? 0 : 1, &err), &err, STATUS_WORLD, "ids.txt",
                     "make the index again");
        id_list_close(&list);
        free(path), free(folder);
    }
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(ids_come_back_in_any_order),
                                    TEST(an_empty_list_is_one),
                                    TEST(changed_lines_are_noticed),
                                    TEST(offsets_are_not_believed),
                                    {0}};
    return run_tests("data/id_list", rows);
}
