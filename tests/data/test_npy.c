/* data/npy: numpy's own bytes, and headers that lie. */
#include "data/npy.h"
#include "data/output.h"
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

/* A version 1 file with this dictionary, padded as numpy does, and data. */
static char *file_of(const char *dictionary, const void *data, size_t size)
{
    struct text text = {0};
    size_t length = (10 + strlen(dictionary) + 1 + 63) / 64 * 64 - 10;
    text_append(&text, "\x93NUMPY\1", 8);
    text_append(&text, (char[2]){(char)length, (char)(length >> 8)}, 2);
    text_puts(&text, dictionary);
    while (text.length < length + 9) text_puts(&text, " ");
    text_puts(&text, "\n");
    text_append(&text, data, size);
    char *path = scratch_file("x.npy", text.bytes, text.length);
    text_free(&text);
    return path;
}

START_TEST(written_matrix_is_read_back)
{
    static const float values[6] = {1, 2, 3, -4, 5, 0.1f};
    struct error err = {0};
    char *path = xasprintf("%s/m.npy", scratch_folder());
    check_ok(npy_write(path, values, 3, 2, &err), &err);
    struct matrix matrix;
    check_ok(npy_read(&matrix, path, &err), &err);
    ck_assert_uint_eq(matrix.rows, 3);
    ck_assert_uint_eq(matrix.cols, 2);
    ck_assert_mem_eq(matrix.values, values, sizeof values);
    matrix_free(&matrix);
    ck_assert_ptr_null(matrix.values);
    free(path);
}
END_TEST

/* numpy.save (2.4) of float32 [[1, 2]]. */
START_TEST(bytes_equal_numpys)
{
    struct text text = {0};
    struct error err = {0};
    char *path = xasprintf("%s/n.npy", scratch_folder());
    check_ok(npy_write(path, (const float[2]){1, 2}, 1, 2, &err), &err);
    check_ok(read_whole_file(&text, path, 4096, &err), &err);
    static const char start[] = "\x93NUMPY\1\0v\0{'descr': '<f4', 'fortran_order': False, "
                                "'shape': (1, 2), }                    ";
    ck_assert_uint_eq(text.length, 136);
    ck_assert_mem_eq(text.bytes, start, sizeof start - 1);
    ck_assert_mem_eq(text.bytes + 127, "\n\0\0\x80?\0\0\0@", 9);
    text_free(&text);
    free(path);
}
END_TEST

START_TEST(other_shapes_and_types_are_read)
{
    static const double doubles[3] = {1, -2.5, 1e10};
    static const float floats[2] = {7, 8};
    struct matrix matrix;
    struct error err = {0};
    char *path = file_of("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }", doubles, 24);
    check_ok(npy_read(&matrix, path, &err), &err);
    ck_assert(matrix.rows == 3 && matrix.cols == 1);
    ck_assert(matrix.values[0] == 1 && matrix.values[1] == -2.5f && matrix.values[2] == 1e10f);
    matrix_free(&matrix);
    free(path);
    path = file_of("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 1), }", floats, 8);
    check_ok(npy_read(&matrix, path, &err), &err);
    ck_assert(matrix.rows == 2 && matrix.values[1] == 8);
    matrix_free(&matrix);
    free(path);
    path = file_of("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 5), }", NULL, 0);
    check_ok(npy_read(&matrix, path, &err), &err);
    ck_assert(matrix.rows == 0 && matrix.cols == 5);
    matrix_free(&matrix);
    free(path);
}
END_TEST

START_TEST(bad_files_are_refused)
{
    static const struct {
        const char *dictionary, *word;
    } cases[] = {
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (1, 1), }", "'<i8'"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", "Fortran"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1), }", "dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }", "dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2), }", "dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2", "dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, }", "dimensions"},
        {"{'fortran_order': False, 'shape': (1, 1), }", "descr"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1), }", "3 x 1"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1), }", "8 bytes of data"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 2), }", "header"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 1), }", "dimen"},
    };
    struct matrix matrix;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        char *path = file_of(cases[i].dictionary, "12345678", 8);
        check_failed(npy_read(&matrix, path, &err), &err, STATUS_WORLD, cases[i].word, path);
        ck_assert_ptr_null(matrix.values);
        free(path);
    }
}
END_TEST

START_TEST(other_files_are_refused)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *word;
    } cases[] = {{"hello, world", 12, "not a .npy"},     {"\x93NUM", 4, "not a .npy"},
                 {"\x93NUMPY\x9\0v\0", 10, "version 9"}, {"\x93NUMPY\1\0v\0{'d", 13, "truncated"},
                 {"\x93NUMPY\2\0v\0", 10, "truncated"},  {"\x93NUMPY\2\0v\0v\0", 12, "header of"}};
    struct matrix matrix;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        char *path = scratch_file("bad.npy", cases[i].bytes, cases[i].size);
        check_failed(npy_read(&matrix, path, &err), &err, STATUS_WORLD, cases[i].word);
        free(path);
    }
    struct error err = {0};
    check_failed(npy_read(&matrix, "/nonexistent.npy", &err), &err, STATUS_WORLD, "cannot open");
}
END_TEST

START_TEST(matrices_are_mapped_by_type)
{
    static const uint16_t halves[6] = {1, 2, 3, 4, 5, 65535};
    static const char dictionary[] = "{'descr': '<u2', 'fortran_order': False, 'shape': (3, 2), }";
    struct npy_map map;
    struct matrix matrix;
    struct error err = {0};
    char *path = file_of(dictionary, halves, sizeof halves);
    check_ok(npy_map_open(&map, path, NPY_U16, &err), &err);
    ck_assert(map.rows == 3 && map.cols == 2);
    ck_assert_mem_eq(map.values, halves, sizeof halves);
    npy_map_close(&map);
    ck_assert_ptr_null(map.values);
    check_failed(npy_map_open(&map, path, NPY_I8, &err), &err, STATUS_WORLD, "'<u2', not '|i1'");
    ck_assert_ptr_null(map.values);
    err = (struct error){0};
    check_failed(npy_read(&matrix, path, &err), &err, STATUS_WORLD, "'<u2'", "only '<f4'");
    free(path);

    err = (struct error){0};
    path = file_of(dictionary, halves, sizeof halves - 1);
    check_failed(npy_map_open(&map, path, NPY_U16, &err), &err, STATUS_WORLD, "11 bytes of data");
    free(path);
    err = (struct error){0};
    path = scratch_file("empty.npy", "", 0);
    check_failed(npy_map_open(&map, path, NPY_U16, &err), &err, STATUS_WORLD, "not a .npy");
    free(path);
    err = (struct error){0};
    path = scratch_file(
        "odd.npy",
        "\x93NUMPY\1\0\x3b\0{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1)}\n7", 70);
    check_failed(npy_map_open(&map, path, NPY_U8, &err), &err, STATUS_WORLD, "multiple of 64");
    free(path);
}
END_TEST

START_TEST(rows_of_unknown_number_make_the_same_file)
{
    struct error err = {0};
    float values[12];
    struct text whole = {0}, parts = {0};
    struct npy_writer writer;
    char *a = xasprintf("%s/whole.npy", scratch_folder());
    char *b = xasprintf("%s/parts.npy", scratch_folder());
    for (uint64_t i = 0; i < 12; i++) values[i] = test_value(1, i);
    check_ok(npy_write(a, values, 4, 3, &err), &err);
    check_ok(npy_writer_open(&writer, b, 3, &err), &err);
    npy_writer_rows(&writer, values, 1);
    npy_writer_rows(&writer, values + 3, 3);
    check_ok(npy_writer_commit(&writer, &err), &err);
    check_ok(read_whole_file(&whole, a, 4096, &err), &err);
    check_ok(read_whole_file(&parts, b, 4096, &err), &err);
    ck_assert_uint_eq(whole.length, parts.length);
    ck_assert_mem_eq(whole.bytes, parts.bytes, whole.length);
    text_free(&whole);
    text_free(&parts);
    free(a);
    free(b);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(written_matrix_is_read_back),
                                    TEST(bytes_equal_numpys),
                                    TEST(other_shapes_and_types_are_read),
                                    TEST(bad_files_are_refused),
                                    TEST(other_files_are_refused),
                                    TEST(matrices_are_mapped_by_type),
                                    TEST(rows_of_unknown_number_make_the_same_file),
                                    {0}};
    return run_tests("data/npy", rows);
}
