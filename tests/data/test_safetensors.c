/* data/safetensors: what is written is read back; every way in which a header can lie is refused
 * by name. */
#include "data/safetensors.h"
#include "data/output.h"
#include "tests/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file of the given header and data_size bytes 0, 1, 2, ...; its path, freshly allocated. */
static char *file_of(const char *name, const char *header, size_t data_size)
{
    struct text text = {0};
    unsigned char length[8] = {0};
    size_t size = strlen(header);
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)size >> 8 * i);
    text_append(&text, (char *)length, 8);
    text_append(&text, header, size);
    for (size_t i = 0; i < data_size; i++) text_append(&text, &(char){(char)i}, 1);
    char *path = scratch_file(name, text.bytes, text.length);
    text_free(&text);
    return path;
}

static void check_refused(const char *path, const char *word, const char *word2)
{
    struct safetensors *st;
    struct error err = {0};
    check_failed(safetensors_open(&st, path, &err), &err, STATUS_WORLD, word, word2);
    ck_assert_ptr_null(st);
}

START_TEST(written_tensors_are_read_back)
{
    static const float matrix[6] = {1, -2, 3.5f, 4, 5, 1e-30f};
    static const int64_t whole[2] = {-1, 7};
    static const double scalar = 0.25;
    const struct tensor tensors[] = {
        {.name = "b", .dtype = DTYPE_F32, .rank = 2, .shape = {2, 3}, .data = matrix},
        {.name = "whole", .dtype = DTYPE_I64, .rank = 1, .shape = {2}, .data = whole},
        {.name = "a/\"\xc3\xa9\"", .dtype = DTYPE_F64, .rank = 0, .data = &scalar},
        {.name = "a", .dtype = DTYPE_F32, .rank = 2, .shape = {0, 3}, .data = NULL},
    };
    static const char *const metadata[] = {"note", "x", NULL};
    struct error err = {0};
    char *path = xasprintf("%s/m.safetensors", scratch_folder());
    check_ok(safetensors_write(path, tensors, 4, metadata, &err), &err);
    struct safetensors *st;
    check_ok(safetensors_open(&st, path, &err), &err);
    ck_assert_int_eq(safetensors_count(st), 4);
    const struct tensor *found = safetensors_find(st, "b");
    ck_assert_ptr_nonnull(found);
    float values[6];
    tensor_to_f32(values, found);
    ck_assert_mem_eq(values, matrix, sizeof matrix);
    char buffer[128];
    ck_assert_str_eq(tensor_describe(buffer, found), "f32 [2, 3]");
    ck_assert_mem_eq(safetensors_find(st, "whole")->data, whole, sizeof whole);
    ck_assert(!tensor_is_float(safetensors_find(st, "whole")));
    tensor_to_f32(values, safetensors_find(st, "a/\"\xc3\xa9\""));
    ck_assert_float_eq(values[0], 0.25f);
    ck_assert_uint_eq(tensor_elements(safetensors_find(st, "a")), 0);
    ck_assert_ptr_null(safetensors_find(st, "c"));
    safetensors_close(st);
    free(path);
}
END_TEST

/* Bytes made by the reference writer (safetensors 0.8.0, save_file) from the same tensors. */
START_TEST(bytes_equal_the_reference_writers)
{
    static const float one[2] = {1, 2};
    static const int64_t whole[1] = {3};
    const struct tensor tensors[] = {
        {.name = "z", .dtype = DTYPE_F32, .rank = 1, .shape = {2}, .data = one},
        {.name = "k", .dtype = DTYPE_I64, .rank = 1, .shape = {1}, .data = whole},
        {.name = "a", .dtype = DTYPE_F32, .rank = 2, .shape = {2, 1}, .data = one},
    };
    static const char expected[] =
        "\xc8\0\0\0\0\0\0\0"
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"k\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]},"
        "\"a\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[8,16]},"
        "\"z\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[16,24]}}    "
        "\3\0\0\0\0\0\0\0\0\0\x80?\0\0\0@\0\0\x80?\0\0\0@";
    struct error err = {0};
    struct text text = {0};
    char *path = xasprintf("%s/r.safetensors", scratch_folder());
    check_ok(safetensors_write(path, tensors, 3, NULL, &err), &err);
    check_ok(read_whole_file(&text, path, 4096, &err), &err);
    ck_assert_uint_eq(text.length, sizeof expected - 1);
    ck_assert_mem_eq(text.bytes, expected, text.length);
    text_free(&text);
    free(path);
}
END_TEST

START_TEST(half_precision_is_exact)
{
    /* f16: 1, -2, 65504, smallest subnormal, -0, inf; bf16: 1, -3.140625, nan */
    static const uint16_t half[6] = {0x3c00, 0xc000, 0x7bff, 0x0001, 0x8000, 0x7c00};
    static const uint16_t brain[3] = {0x3f80, 0xc049, 0x7fc0};
    struct tensor tensor = {.dtype = DTYPE_F16, .rank = 1, .shape = {6}, .data = half};
    float values[6];
    tensor_to_f32(values, &tensor);
    const float expected[6] = {1, -2, 65504, 0x1p-24f, -0.0f, INFINITY};
    ck_assert_mem_eq(values, expected, sizeof expected);
    tensor = (struct tensor){.dtype = DTYPE_BF16, .rank = 1, .shape = {3}, .data = brain};
    tensor_to_f32(values, &tensor);
    ck_assert(values[0] == 1 && values[1] == -3.140625f && isnan(values[2]));
}
END_TEST

/* Sign, exponent and fraction of each, in double precision; one that is not finite is found. */
START_TEST(every_half_is_exact)
{
    for (unsigned bits = 0; bits < 1 << 16; bits++) {
        uint16_t half = (uint16_t)bits;
        int exponent = (int)(bits >> 10 & 31), fraction = (int)(bits & 1023);
        double size = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
        struct tensor tensor = {.dtype = DTYPE_F16, .rank = 1, .shape = {1}, .data = &half};
        float value;
        ck_assert(tensor_to_f32(&value, &tensor) == (exponent != 31));
        ck_assert(!signbit(value) == (bits < 1 << 15));
        if (exponent == 31)
            ck_assert(fraction ? isnan(value) : isinf(value));
        else
            ck_assert(fabs((double)value) == size);
    }
}
END_TEST

START_TEST(what_is_not_finite_is_found_anywhere)
{
    enum { COUNT = 10000 };
    static float values[COUNT], copy[COUNT];
    struct tensor tensor = {.dtype = DTYPE_F32, .rank = 1, .shape = {COUNT}, .data = values};
    static const size_t places[] = {0, 4095, 4096, 8191, 9999};
    ck_assert(tensor_to_f32(copy, &tensor));
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        values[places[i]] = i % 2 ? NAN : -INFINITY;
        ck_assert(!tensor_to_f32(copy, &tensor));
        ck_assert_mem_eq(copy, values, sizeof copy);
        values[places[i]] = 1;
    }
    tensor.shape[0] = 0;
    ck_assert(tensor_to_f32(copy, &tensor));
}
END_TEST

START_TEST(lying_headers_are_refused)
{
    static const struct {
        const char *header;
        size_t data;
        const char *word, *word2;
    } cases[] = {
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, "\"a\"",
         "truncated"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "\"a\"", "need 8"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 8, "end at byte 4",
         "data at 8"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "hole", "\"a\""},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
         4, "overlap", "\"b\""},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}",
         12, "hole", "\"b\""},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "data_offsets", ""},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "data_offsets", ""},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "data_offsets", ""},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "shape[0]", ""},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}", 4, "shape[0]", ""},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":4,\"data_offsets\":[0,4]}}", 4, "shape is",
         "integer"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
         "9 dimensions", ""},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387905],\"data_offsets\":[0,4]}}", 4,
         "overflows", "\"a\""},
        {"{\"a\":{\"dtype\":\"F64\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
         "overflows", ""},
        {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "no dtype", ""},
        {"{\"a\":7}", 0, "no dtype", ""},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},"
         "\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}",
         0, "duplicate", "header:1:"},
        {"{\"__metadata__\":{\"n\":1}}", 0, "__metadata__", "string"},
        {"{\"a\":", 4, "header:1:", "not JSON"},
        {" {}", 0, "begin with '{'", ""},
        {"", 10, "begin with '{'", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = file_of("lie.safetensors", cases[i].header, cases[i].data);
        check_refused(path, cases[i].word, cases[i].word2);
        free(path);
    }
}
END_TEST

START_TEST(unknown_dtypes_are_kept_as_other)
{
    char *path = file_of("other.safetensors",
                         "{\"a\":{\"dtype\":\"F4\",\"shape\":[8],\"data_offsets\":[0,4]},"
                         "\"m\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[4,6]}}",
                         6);
    struct safetensors *st;
    struct error err = {0};
    check_ok(safetensors_open(&st, path, &err), &err);
    ck_assert_int_eq(safetensors_find(st, "a")->dtype, DTYPE_OTHER);
    ck_assert_int_eq(safetensors_find(st, "m")->dtype, DTYPE_OTHER);
    ck_assert(!tensor_is_float(safetensors_find(st, "m")));
    ck_assert_mem_eq(safetensors_find(st, "m")->data, "\4\5", 2);
    char buffer[128];
    ck_assert_str_eq(tensor_describe(buffer, safetensors_find(st, "a")), "other [8]");
    safetensors_close(st);
    free(path);
}
END_TEST

START_TEST(broken_files_are_refused)
{
    char *path = scratch_file("short.safetensors", "\5\0\0\0", 4);
    check_refused(path, "4 bytes", "too few");
    free(path);
    path = scratch_file("long.safetensors", "\xff\0\0\0\0\0\0\0{}", 10);
    check_refused(path, "truncated", "255");
    free(path);
    path = scratch_file("huge.safetensors", "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10);
    check_refused(path, "limit", "100000000");
    free(path);
    path = scratch_file("zip.safetensors", "PK\3\4\0\0\0\0\0\0\0\0", 12);
    check_refused(path, "pickle", "safe_serialization");
    free(path);
    path = scratch_file("model.pt", "\x80\2}q\0.\0\0\0\0\0\0", 12);
    check_refused(path, "pickle", "model.pt");
    free(path);
    check_refused("/nonexistent/x.safetensors", "/nonexistent/x.safetensors", "cannot open");
}
END_TEST

/* A legal header of 0x280 bytes begins like a pickle of protocol 2. */
START_TEST(header_of_640_bytes_is_no_pickle)
{
    char header[641];
    memset(header, ' ', 640);
    memcpy(header, "{}", 2);
    header[640] = '\0';
    char *path = file_of("h640.safetensors", header, 0);
    struct safetensors *st;
    struct error err = {0};
    check_ok(safetensors_open(&st, path, &err), &err);
    ck_assert_int_eq(safetensors_count(st), 0);
    safetensors_close(st);
    free(path);
}
END_TEST

static char *folder_with(const char *name, const char *index)
{
    char *folder = xasprintf("%s/%s", scratch_folder(), name);
    struct error err = {0};
    check_ok(make_folder(folder, &err), &err);
    if (index) {
        char *file = xasprintf("%s/model.safetensors.index.json", name);
        free(scratch_file(file, index, strlen(index)));
        free(file);
    }
    return folder;
}

START_TEST(shards_are_joined)
{
    char *folder = folder_with("shards", "{\"metadata\":{\"total_size\":3},\"weight_map\":"
                                         "{\"a\":\"1.safetensors\",\"b\":\"2.safetensors\","
                                         "\"c\":\"1.safetensors\"}}");
    free(file_of("shards/1.safetensors",
                 "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                 "\"c\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
                 2));
    free(file_of("shards/2.safetensors",
                 "{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1));
    struct safetensors *st;
    struct error err = {0};
    check_ok(safetensors_open(&st, folder, &err), &err);
    ck_assert_int_eq(safetensors_count(st), 3);
    ck_assert_mem_eq(safetensors_find(st, "c")->data, "\1", 1);
    ck_assert_mem_eq(safetensors_find(st, "b")->data, "\0", 1);
    safetensors_close(st);
    free(folder);
}
END_TEST

START_TEST(bad_shards_are_refused)
{
    static const struct {
        const char *index, *word;
    } cases[] = {
        {"{\"weight_map\":{\"a\":\"9.safetensors\"}}", "missing"},
        {"{\"weight_map\":{\"a\":\"../shards2/1.safetensors\"}}", "no shard's name"},
        {"{\"weight_map\":{\"a\":\"..\"}}", "no shard's name"},
        {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "no shard's name"},
        {"{\"weight_map\":{\"a\":\"1.bin\"}}", "no shard's name"},
        {"{\"weight_map\":{\"a\":1}}", "not a string"},
        {"{\"weight_map\":{\"b\":\"1.safetensors\"}}", "\"b\" is not in 1.safetensors"},
        {"{\"weight_map\":{\"a\":\"1.safetensors\",\"b\":\"2.safetensors\"}}", "another shard"},
        {"{\"weight_map\":{}}", "weight_map"},
        {"[]", "weight_map"},
        {"{", "not JSON"},
    };
    free(folder_with("shards2", NULL));
    free(file_of("shards2/1.safetensors",
                 "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1));
    free(file_of("shards2/2.safetensors",
                 "{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                 "\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1,1]}}",
                 1));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *folder = folder_with("shards2", cases[i].index);
        check_refused(folder, cases[i].word, "");
        free(folder);
    }
}
END_TEST

START_TEST(folders_without_safetensors_are_refused)
{
    char *folder = folder_with("none", NULL);
    check_refused(folder, "no model.safetensors", folder);
    free(scratch_file("none/pytorch_model.bin", "PK\3\4", 4));
    check_refused(folder, "pickle", "safe_serialization");
    free(folder);
}
END_TEST

START_TEST(real_model_is_read)
{
    const char *path = shared("models/all-MiniLM-L6-v2");
    if (!path) return;
    struct safetensors *st;
    struct error err = {0};
    check_ok(safetensors_open(&st, path, &err), &err);
    const struct tensor *words = safetensors_find(st, "embeddings.word_embeddings.weight");
    ck_assert(words && words->rank == 2 && words->shape[0] == 30522 && words->shape[1] == 384);
    ck_assert_int_eq(words->dtype, DTYPE_F32);
    safetensors_close(st);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(written_tensors_are_read_back),
                                    TEST(bytes_equal_the_reference_writers),
                                    TEST(half_precision_is_exact),
                                    TEST(every_half_is_exact),
                                    TEST(what_is_not_finite_is_found_anywhere),
                                    TEST(lying_headers_are_refused),
                                    TEST(unknown_dtypes_are_kept_as_other),
                                    TEST(broken_files_are_refused),
                                    TEST(header_of_640_bytes_is_no_pickle),
                                    TEST(shards_are_joined),
                                    TEST(bad_shards_are_refused),
                                    TEST(folders_without_safetensors_are_refused),
                                    TEST(real_model_is_read),
                                    {0}};
    return run_tests("data/safetensors", rows);
}
