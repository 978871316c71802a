/* distill/representations: files, reuse, going on after a kill, several layers in one pass. */
#include "distill/representations.h"
#include "tests/support.h"
#include "tests/tiny_teacher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/npy.h"
#include "data/output.h"
#include "data/progress.h"

enum { N = 2 * REPRESENTATION_BLOCK + 100, NPY_HEADER = 128 };

struct world {
    struct cross_encoder *ce;
    struct pool *pool;
    struct texts texts;
    struct arena strings;
    struct teacher_source source;
    int layer;
};

/* Texts of two words each. */
static void world_open(struct world *world)
{
    static const char *const words[] = {"cat", "dog",  "house", "river", "tree",
                                        "sun", "rain", "wind",  "cell",  "gene"};
    *world =
        (struct world){.ce = tiny_teacher_open(TINY_TEACHER, PRECISION_F32), .pool = pool_open(2)};
    world->texts.ids = xcalloc(N, sizeof *world->texts.ids);
    world->texts.values = xcalloc(N, sizeof *world->texts.values);
    for (size_t i = 0; i < N; i++) {
        char id[32], value[64];
        int id_length = snprintf(id, sizeof id, "d%zu", i);
        int length =
            snprintf(value, sizeof value, "%s and %s %zu", words[i % 10], words[i / 10 % 10], i);
        world->texts.ids[i] = arena_strndup(&world->strings, id, (size_t)id_length);
        world->texts.values[i] = arena_strndup(&world->strings, value, (size_t)length);
    }
    world->texts.count = N;
    world->source =
        (struct teacher_source){world->ce, cross_encoder_text_input(world->ce, FORM_PAIR, 20)};
    world->layer = 1;
    messages_quiet(true);
}

static void world_close(struct world *world)
{
    cross_encoder_close(world->ce);
    pool_close(world->pool);
    free(world->texts.ids);
    free(world->texts.values);
    arena_free(&world->strings);
}

static int make_layers(struct world *world, const int *layers, const char *const *bases, int count,
                       struct error *err)
{
    const struct representation spec = representation_of_teacher(&world->source);
    return representations_make(&spec, world->pool, &world->texts, layers, bases, count, err);
}

static void make(struct world *world, const char *base)
{
    struct error err = {0};
    check_ok(make_layers(world, &world->layer, &base, 1, &err), &err);
}

static struct text content(const char *base, const char *suffix)
{
    struct error err = {0};
    struct text bytes = {0};
    char *path = xasprintf("%s%s", base, suffix);
    check_ok(read_whole_file(&bytes, path, 1 << 24, &err), &err);
    free(path);
    return bytes;
}

static bool there(const char *base, const char *suffix)
{
    char *path = xasprintf("%s%s", base, suffix);
    bool found = path_exists(path);
    free(path);
    return found;
}

/* A file that was made anew is another one. */
static ino_t identity(const char *base)
{
    struct stat info;
    char *path = xasprintf("%s.npy", base);
    ck_assert_int_eq(stat(path, &info), 0);
    free(path);
    return info.st_ino;
}

START_TEST(files_hold_rows_and_ids)
{
    struct world world;
    struct error err = {0};
    struct matrix matrix;
    world_open(&world);
    char *base = path_join(scratch_folder(), "rows"), *npy = xasprintf("%s.npy", base);
    make(&world, base);
    check_ok(npy_read(&matrix, npy, &err), &err);
    ck_assert_uint_eq(matrix.rows, N);
    ck_assert_uint_eq(matrix.cols, TINY_HIDDEN);
    float *expected = xcalloc(N * TINY_HIDDEN, sizeof *expected);
    cross_encoder_represent(world.ce, world.pool, world.texts.values, N, world.source.input,
                            &world.layer, 1, &expected);
    check_close(matrix.values, expected, N * TINY_HIDDEN, 1e-6);
    struct text ids = content(base, ".ids");
    ck_assert_int_eq(strncmp(ids.bytes, "d0\nd1\nd2\n", 9), 0);
    size_t lines = 0;
    for (size_t i = 0; i < ids.length; i++) lines += ids.bytes[i] == '\n';
    ck_assert_uint_eq(lines, N);
    ck_assert(!there(base, ".npy.part") && !there(base, ".npy.part.json"));
    text_free(&ids);
    matrix_free(&matrix);
    free(expected);
    free(base);
    free(npy);
    world_close(&world);
}
END_TEST

START_TEST(rerun_reuses_and_a_change_does_not)
{
    struct world world;
    world_open(&world);
    char *base = path_join(scratch_folder(), "reuse");
    make(&world, base);
    ino_t first = identity(base);
    struct text before = content(base, ".npy"), description = content(base, ".json");
    make(&world, base);
    ck_assert(identity(base) == first);
    ck_assert_ptr_nonnull(strstr(description.bytes, "\"form\": \"pair\""));
    ck_assert_ptr_nonnull(strstr(description.bytes, "\"layer\": 1"));

    world.layer = 2;
    make(&world, base);
    struct text other = content(base, ".npy");
    ck_assert_uint_eq(other.length, before.length);
    ck_assert(memcmp(other.bytes, before.bytes, before.length) != 0);
    world.layer = 1;
    make(&world, base);
    struct text again = content(base, ".npy");
    ck_assert_mem_eq(again.bytes, before.bytes, before.length);

    ino_t last = identity(base);
    world.texts.values[N - 1] = "another text";
    make(&world, base);
    ck_assert(identity(base) != last);
    text_free(&before);
    text_free(&description);
    text_free(&other);
    text_free(&again);
    free(base);
    world_close(&world);
}
END_TEST

static void put_file(const char *base, const char *suffix, const char *bytes, size_t length)
{
    char *path = xasprintf("%s%s", base, suffix);
    FILE *file = fopen(path, "wb");
    ck_assert(file && fwrite(bytes, 1, length, file) == length && fclose(file) == 0);
    free(path);
}

/* What a kill leaves: the part, torn anywhere, and what it is a part of. */
START_TEST(killed_anywhere_gives_the_same_bytes)
{
    struct world world;
    world_open(&world);
    char *base = path_join(scratch_folder(), "undisturbed");
    make(&world, base);
    struct text whole = content(base, ".npy"), description = content(base, ".json");
    ck_assert_uint_eq(whole.length, NPY_HEADER + N * TINY_HIDDEN * 4);
    const size_t block = (size_t)REPRESENTATION_BLOCK * TINY_HIDDEN * 4;
    const size_t cuts[] = {0,
                           1,
                           NPY_HEADER - 1,
                           NPY_HEADER,
                           NPY_HEADER + 5,
                           NPY_HEADER + block - 1,
                           NPY_HEADER + block,
                           NPY_HEADER + 2 * block + 17,
                           whole.length};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        char *name = xasprintf("killed-%zu", i), *killed = path_join(scratch_folder(), name);
        put_file(killed, ".npy.part.json", description.bytes, description.length);
        put_file(killed, ".npy.part", whole.bytes, cuts[i]);
        make(&world, killed);
        struct text resumed = content(killed, ".npy");
        ck_assert_uint_eq(resumed.length, whole.length);
        ck_assert_mem_eq(resumed.bytes, whole.bytes, whole.length);
        text_free(&resumed);
        free(name);
        free(killed);
    }
    text_free(&whole);
    text_free(&description);
    free(base);
    world_close(&world);
}
END_TEST

/* Whole blocks of the part are trusted: shown by a block that no model gave. */
START_TEST(finished_blocks_are_kept)
{
    struct world world;
    world_open(&world);
    char *base = path_join(scratch_folder(), "source"),
         *killed = path_join(scratch_folder(), "marked");
    make(&world, base);
    struct text whole = content(base, ".npy"), description = content(base, ".json");
    whole.bytes[NPY_HEADER + 3] ^= 0x10;
    size_t cut = NPY_HEADER + (size_t)REPRESENTATION_BLOCK * TINY_HIDDEN * 4 + 9;
    put_file(killed, ".npy.part.json", description.bytes, description.length);
    put_file(killed, ".npy.part", whole.bytes, cut);
    make(&world, killed);
    struct text resumed = content(killed, ".npy");
    ck_assert_mem_eq(resumed.bytes, whole.bytes, whole.length);

    /* A part of something else is not. */
    put_file(killed, ".npy.part", whole.bytes, cut);
    put_file(killed, ".npy.part.json", description.bytes, description.length);
    world.layer = 0;
    make(&world, killed);
    struct text other = content(killed, ".npy");
    ck_assert(memcmp(other.bytes + NPY_HEADER, whole.bytes + NPY_HEADER, 64) != 0);
    text_free(&whole);
    text_free(&description);
    text_free(&resumed);
    text_free(&other);
    free(base);
    free(killed);
    world_close(&world);
}
END_TEST

/* Each as if made alone, also where one is there already and another half. */
START_TEST(layers_are_made_in_one_pass)
{
    struct world world;
    struct error err = {0};
    world_open(&world);
    const int layers[] = {0, 1, 2};
    char *alone[3], *together[3];
    const size_t block = (size_t)REPRESENTATION_BLOCK * TINY_HIDDEN * 4;
    for (int l = 0; l < 3; l++) {
        char *name = xasprintf("alone-%d", l), *other = xasprintf("together-%d", l);
        alone[l] = path_join(scratch_folder(), name);
        together[l] = path_join(scratch_folder(), other);
        world.layer = l;
        make(&world, alone[l]);
        free(name), free(other);
    }
    world.layer = 1;
    make(&world, together[1]);
    ino_t there = identity(together[1]);
    for (int l = 0; l < 3; l += 2) { /* layer 2 was killed a block before layer 0 */
        struct text rows = content(alone[l], ".npy"), description = content(alone[l], ".json");
        put_file(together[l], ".npy.part.json", description.bytes, description.length);
        put_file(together[l], ".npy.part", rows.bytes, NPY_HEADER + (l ? 1 : 2) * block + 5);
        text_free(&rows), text_free(&description);
    }
    check_ok(make_layers(&world, layers, (const char *const *)together, 3, &err), &err);
    ck_assert(identity(together[1]) == there);
    for (int l = 0; l < 3; l++) {
        struct text a = content(alone[l], ".npy"), b = content(together[l], ".npy");
        ck_assert_uint_eq(a.length, b.length);
        ck_assert_mem_eq(a.bytes, b.bytes, a.length);
        text_free(&a), text_free(&b);
        free(alone[l]), free(together[l]);
    }
    world_close(&world);
}
END_TEST

/* Rows from elsewhere replace those of a model, which are made anew afterwards. */
START_TEST(rows_from_elsewhere)
{
    struct world world;
    struct error err = {0};
    world_open(&world);
    char *base = path_join(scratch_folder(), "elsewhere");
    make(&world, base);
    float values[N * 2];
    for (size_t i = 0; i < N * 2; i++) values[i] = (float)i;
    const struct matrix rows = {values, N, 2};
    check_ok(representations_write(&rows, &world.texts, base, &err), &err);
    struct text ids = content(base, ".ids"), npy = content(base, ".npy");
    ck_assert_uint_eq(npy.length, NPY_HEADER + sizeof values);
    ck_assert_mem_eq(npy.bytes + NPY_HEADER, values, sizeof values);
    ck_assert_int_eq(strncmp(ids.bytes, "d0\nd1\n", 6), 0);
    ck_assert(!there(base, ".json"));
    make(&world, base);
    text_free(&npy);
    npy = content(base, ".npy");
    ck_assert_uint_eq(npy.length, NPY_HEADER + N * TINY_HIDDEN * 4);
    text_free(&npy), text_free(&ids);
    free(base);
    world_close(&world);
}
END_TEST

START_TEST(unwritable_place_is_an_error)
{
    struct world world;
    struct error err = {0};
    world_open(&world);
    const char *base = "no/such/folder/x";
    check_failed(make_layers(&world, &world.layer, &base, 1, &err), &err, STATUS_WORLD, base);
    world_close(&world);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(files_hold_rows_and_ids),
                                    TEST(rerun_reuses_and_a_change_does_not),
                                    TEST(killed_anywhere_gives_the_same_bytes),
                                    TEST(finished_blocks_are_kept),
                                    TEST(layers_are_made_in_one_pass),
                                    TEST(rows_from_elsewhere),
                                    TEST(unwritable_place_is_an_error),
                                    {0}};
    return run_tests("distill/representations", rows);
}
