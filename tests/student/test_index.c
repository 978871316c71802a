/* student/index: what is written is read back, whole or not at all, and damage is noticed. */
#define _GNU_SOURCE
#include "student/index.h"
#include "tests/support.h"

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { N = 5, D = 3 };
static const char *const ids[N] = {"a", "doc 2", "\xc3\xbc", "4", "MED-10"};

static const struct index_info info_of_test = {.model = "/models/x",
                                               .fingerprint = "0123456789abcdef0123456789abcdef",
                                               .layers = 2,
                                               .dim = D,
                                               .normalized = true,
                                               .count = N};

static void fill_vectors(float vectors[N * D], uint64_t stream)
{
    for (size_t i = 0; i < N * D; i++) vectors[i] = test_value(stream, i);
}

/* In two parts. */
static int write_index(const char *path, const struct index_info *info, const float *vectors,
                       struct error *err)
{
    struct index_writer writer;
    if (index_writer_open(&writer, path, info, err)) return -1;
    if (index_writer_add(&writer, ids, vectors, 2, err) ||
        index_writer_add(&writer, ids + 2, vectors + 2 * D, info->count - 2, err)) {
        index_writer_abandon(&writer);
        return -1;
    }
    return index_writer_commit(&writer, err);
}

static char *fresh(const char *name)
{
    return xasprintf("%s/%s", scratch_folder(), name);
}

static int entries_of(const char *folder)
{
    int count = 0;
    DIR *listing = opendir(folder);
    ck_assert_ptr_nonnull(listing);
    while (readdir(listing)) count++;
    closedir(listing);
    return count - 2; /* . and .. */
}

static void overwrite(const char *folder, const char *name, const char *bytes)
{
    char *path = xasprintf("%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    ck_assert(file && fputs(bytes, file) >= 0 && fclose(file) == 0);
    free(path);
}

static void check_ids(struct vector_index *index)
{
    struct error err = {0};
    const char *id;
    for (size_t i = 0; i < N; i++) {
        check_ok(id_list_get(&id, &index->ids, i, &err), &err);
        ck_assert_str_eq(id, ids[i]);
    }
}

/* Each type's files: index.json, vectors.npy, two of ids, and scales.npy of int8. */
START_TEST(every_type_is_read_back)
{
    float vectors[N * D], scales[N];
    char stored[sizeof vectors];
    fill_vectors(vectors, 1);
    for (int type = 0; type < VECTOR_TYPES; type++) {
        struct index_info info = info_of_test;
        struct vector_index index;
        struct error err = {0};
        char *path = fresh("types");
        info.type = (enum vector_type)type;
        check_ok(write_index(path, &info, vectors, &err), &err);
        check_ok(vector_index_open(&index, path, &err), &err);
        ck_assert_int_eq(index.info.type, type);
        ck_assert_int_eq(index.vectors.type, type);
        ck_assert_uint_eq(index.vectors.count, N);
        store_vectors(stored, scales, vectors, N, D, info.type);
        ck_assert_mem_eq(index.vectors.values, stored, N * stored_bytes(info.type, D));
        ck_assert((index.vectors.scales != NULL) == (type == VECTOR_INT8));
        if (type == VECTOR_INT8) ck_assert_mem_eq(index.vectors.scales, scales, sizeof scales);
        check_ids(&index);
        ck_assert_int_eq(entries_of(path), type == VECTOR_INT8 ? 5 : 4);
        vector_index_free(&index);
        free(path);
    }
}
END_TEST

START_TEST(what_is_written_is_read_back)
{
    float vectors[N * D];
    struct error err = {0};
    struct vector_index index;
    char *path = fresh("round/trip");
    fill_vectors(vectors, 1);
    check_ok(write_index(path, &info_of_test, vectors, &err), &err);
    check_ok(vector_index_open(&index, path, &err), &err);
    ck_assert_str_eq(index.info.model, "/models/x");
    ck_assert_str_eq(index.info.fingerprint, info_of_test.fingerprint);
    ck_assert_int_eq(index.info.layers, 2);
    ck_assert_int_eq(index.info.dim, D);
    ck_assert(index.info.normalized);
    ck_assert_uint_eq(index.info.count, N);
    check_ids(&index);
    ck_assert(memcmp(index.vectors.values, vectors, sizeof vectors) == 0);
    ck_assert_int_eq(entries_of(path), 4);
    vector_index_free(&index);
    ck_assert_ptr_null(index.vectors.values);
    free(path);
}
END_TEST

START_TEST(an_index_is_replaced_only_when_the_new_one_is_complete)
{
    float old[N * D], new[N * D];
    struct error err = {0};
    struct vector_index index;
    struct index_writer writer;
    char *parent = fresh("replace"), *path = xasprintf("%s/index", parent);
    fill_vectors(old, 1);
    fill_vectors(new, 2);
    check_ok(write_index(path, &info_of_test, old, &err), &err);

    check_ok(index_writer_open(&writer, path, &info_of_test, &err), &err);
    check_ok(index_writer_add(&writer, ids, new, 3, &err), &err);
    index_writer_abandon(&writer);
    check_ok(vector_index_open(&index, path, &err), &err);
    ck_assert(memcmp(index.vectors.values, old, sizeof old) == 0);
    vector_index_free(&index);
    ck_assert_int_eq(entries_of(parent), 1);

    check_ok(write_index(path, &info_of_test, new, &err), &err);
    check_ok(vector_index_open(&index, path, &err), &err);
    ck_assert(memcmp(index.vectors.values, new, sizeof new) == 0);
    vector_index_free(&index);
    ck_assert_int_eq(entries_of(parent), 1);
    free(path), free(parent);
}
END_TEST

START_TEST(folders_of_others_are_left_alone)
{
    float vectors[N * D];
    char *path = fresh("others");
    fill_vectors(vectors, 1);
    struct error err = {0};
    check_ok(make_folder(path, &err), &err);
    overwrite(path, "notes.txt", "mine");
    check_failed(write_index(path, &info_of_test, vectors, &err), &err, STATUS_WORLD, path);
    err = (struct error){0};
    overwrite(path, "index.json", "{\"format\": \"another\"}");
    check_failed(write_index(path, &info_of_test, vectors, &err), &err, STATUS_WORLD, path,
                 "not replaced");
    ck_assert_int_eq(entries_of(path), 2);
    free(path);
}
END_TEST

START_TEST(what_no_index_can_hold_is_refused)
{
    float vectors[N * D];
    struct index_writer writer;
    struct error err = {0};
    char *path = fresh("refused");
    const char *const bad[] = {"fine", "two\nlines"}, *const empty[] = {""};
    fill_vectors(vectors, 1);
    check_ok(index_writer_open(&writer, path, &info_of_test, &err), &err);
    check_failed(index_writer_add(&writer, bad, vectors, 2, &err), &err, STATUS_WORLD, "document 2",
                 "newline");
    err = (struct error){0};
    check_failed(index_writer_add(&writer, empty, vectors, 1, &err), &err, STATUS_WORLD,
                 "document 1", "empty");
    err = (struct error){0};
    vectors[4] = INFINITY;
    check_failed(index_writer_add(&writer, ids, vectors, 3, &err), &err, STATUS_WORLD,
                 "document doc 2", "not finite");
    index_writer_abandon(&writer);
    index_writer_abandon(&writer);
    ck_assert(!path_exists(path));
    free(path);
}
END_TEST

static void check_damage(const char *name, const char *bytes, const char *word, const char *more)
{
    float vectors[N * D];
    struct vector_index index;
    struct error err = {0};
    char *path = fresh("damaged");
    fill_vectors(vectors, 1);
    check_ok(write_index(path, &info_of_test, vectors, &err), &err);
    if (bytes) {
        overwrite(path, name, bytes);
    } else {
        char *file = xasprintf("%s/%s", path, name);
        ck_assert_int_eq(unlink(file), 0);
        free(file);
    }
    check_failed(vector_index_open(&index, path, &err), &err, STATUS_WORLD, word, more);
    ck_assert_ptr_null(index.ids.path);
    remove_folder(path);
    free(path);
}

#define INFO(version, fingerprint, dim, count) TYPED(version, fingerprint, dim, count, "f32")
#define TYPED(version, fingerprint, dim, count, type)                                              \
    "{\"format\": \"retort-index\", \"version\": " version ", \"model\": \"/m\", "                 \
    "\"fingerprint\": \"" fingerprint "\", \"layers\": 2, \"dim\": " dim ", \"vectors\": \"" type  \
    "\", \"normalized\": true, \"count\": " count "}"
#define PRINT "0123456789abcdef0123456789abcdef"

START_TEST(damage_is_named)
{
    check_damage("index.json", NULL, "damaged", "retort index");
    check_damage("index.json", "{", "index.json", "index.json:1");
    check_damage("index.json", "{}", "index.json", "not an index");
    check_damage("index.json", "[1]", "index.json", "not an index");
    check_damage("index.json", INFO("1", PRINT, "3", "5"), "version 1", "retort index");
    check_damage("index.json", INFO("3", PRINT, "3", "5"), "index.json", "version 3");
    check_damage("index.json", TYPED("2", PRINT, "3", "5", "f16"), "index.json", "f16");
    check_damage("index.json", TYPED("2", PRINT, "3", "5", "bf16"), "vectors.npy", "not '<u2'");
    check_damage("index.json", TYPED("2", PRINT, "3", "5", "int8"), "vectors.npy", "not '|i1'");
    check_damage("index.json", INFO("2", "0123", "3", "5"), "index.json", "incomplete");
    check_damage("index.json", INFO("2", PRINT, "3", "-5"), "index.json", "incomplete");
    check_damage("index.json", INFO("2", PRINT, "0", "5"), "index.json", "dim");
    check_damage("index.json", INFO("2", PRINT, "3", "4"), "id_offsets.npy", "instead of [4, 1]");
    check_damage("index.json", INFO("2", PRINT, "65537", "5"), "index.json", "dim");
    check_damage("index.json", INFO("2", PRINT, "4", "5"), "vectors.npy", "instead of [5, 4]");
    check_damage("ids.txt", NULL, "ids.txt", "ids.txt");
    check_damage("ids.txt", "a\nb\nc\nd\n", "ids.txt", "8 bytes instead of the 20");
    check_damage("ids.txt", "", "ids.txt", "0 bytes instead of the 20");
    check_damage("id_offsets.npy", NULL, "id_offsets.npy", "cannot open");
    check_damage("vectors.npy", NULL, "vectors.npy", "vectors.npy");
    check_damage("vectors.npy", "\x93NUMPY", "vectors.npy", "vectors.npy");
}
END_TEST

/* A limit on file sizes stands for a full disk. */
START_TEST(a_full_disk_is_noticed_while_documents_are_added)
{
    enum { ROWS = 1000, WIDTH = 16, BATCH = 100 };
    struct rlimit before, small = {.rlim_cur = 20000};
    struct index_info info = info_of_test;
    struct index_writer writer;
    struct error err = {0};
    const char *names[BATCH];
    float *vectors = xcalloc(BATCH * WIDTH, sizeof *vectors);
    char *path = fresh("full");
    info.count = ROWS, info.dim = WIDTH;
    for (size_t i = 0; i < BATCH; i++) names[i] = "document";
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    check_ok(index_writer_open(&writer, path, &info, &err), &err);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    int status = 0, batches = 0;
    for (; status == 0 && batches < ROWS / BATCH; batches++)
        status = index_writer_add(&writer, names, vectors, BATCH, &err);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    check_failed(status, &err, STATUS_WORLD, path, "cannot be written", "too large");
    ck_assert_int_lt(batches, ROWS / BATCH); /* 6400 bytes each */
    index_writer_abandon(&writer);
    ck_assert(!path_exists(path));
    free(vectors), free(path);
}
END_TEST

START_TEST(missing_rows_are_noticed)
{
    float vectors[N * D];
    struct vector_index index;
    struct error err = {0};
    char *path = fresh("rows"), *file = xasprintf("%s/vectors.npy", path);
    fill_vectors(vectors, 1);
    check_ok(write_index(path, &info_of_test, vectors, &err), &err);
    check_ok(npy_write(file, vectors, N - 1, D, &err), &err);
    check_failed(vector_index_open(&index, path, &err), &err, STATUS_WORLD, "vectors.npy",
                 "[4, 3] instead of [5, 3]");
    free(file), free(path);
}
END_TEST

START_TEST(a_missing_folder_is_named)
{
    struct vector_index index;
    struct error err = {0};
    check_failed(vector_index_open(&index, "/absent/index", &err), &err, STATUS_WORLD,
                 "/absent/index");
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(what_is_written_is_read_back),
        TEST(every_type_is_read_back),
        TEST(an_index_is_replaced_only_when_the_new_one_is_complete),
        TEST(folders_of_others_are_left_alone),
        TEST(what_no_index_can_hold_is_refused),
        TEST(damage_is_named),
        TEST(a_full_disk_is_noticed_while_documents_are_added),
        TEST(missing_rows_are_noticed),
        TEST(a_missing_folder_is_named),
        {0},
    };
    return run_tests("student/index", rows);
}
