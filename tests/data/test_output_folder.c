/* data/output_folder: whole or not at all, and nobody's files are lost. */
#include "tests/support.h"

#include <stdio.h>
#include <stdlib.h>

#include "data/output.h"
#include "data/output_folder.h"

static void put(const char *folder, const char *name, const char *content)
{
    char *path = path_join(folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(content, file);
    fclose(file);
    free(path);
}

static bool holds(const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    bool found = path_exists(path);
    free(path);
    return found;
}

START_TEST(appears_at_commit_and_replaces_its_kind)
{
    struct error err = {0};
    struct output_folder out;
    char *path = path_join(scratch_folder(), "a/model");
    check_ok(output_folder_open(&out, path, "marker", &err), &err);
    put(out.temporary, "marker", "1");
    put(out.temporary, "first", "1");
    ck_assert(!path_exists(path));
    check_ok(output_folder_commit(&out, &err), &err);
    ck_assert(holds(path, "first"));
    check_ok(output_folder_open(&out, path, "marker", &err), &err);
    put(out.temporary, "marker", "2");
    ck_assert(holds(path, "first"));
    check_ok(output_folder_commit(&out, &err), &err);
    ck_assert(!holds(path, "first") && holds(path, "marker"));
    free(path);
}
END_TEST

START_TEST(abandoned_leaves_nothing)
{
    struct error err = {0};
    struct output_folder out;
    char *path = path_join(scratch_folder(), "b");
    check_ok(output_folder_open(&out, path, "marker", &err), &err);
    put(out.temporary, "part", "1");
    char *temporary = xstrdup(out.temporary);
    output_folder_abandon(&out);
    ck_assert(!path_exists(path) && !path_exists(temporary));
    output_folder_abandon(&out);
    free(temporary);
    free(path);
}
END_TEST

START_TEST(what_a_killed_writer_left_is_removed)
{
    struct error err = {0};
    struct output_folder out, other;
    char *path = path_join(scratch_folder(), "d"), *orphan = xasprintf("%s.tmp.1", path);
    char *stranger = xasprintf("%s.tmp.backup", path), *living = xasprintf("%s.tmp.2", path);
    check_ok(make_folder(orphan, &err), &err);
    put(orphan, "part", "1");
    check_ok(make_folder(stranger, &err), &err);
    check_ok(output_folder_open(&other, living, "marker", &err), &err);
    check_ok(output_folder_open(&out, path, "marker", &err), &err);
    ck_assert(!path_exists(orphan));
    ck_assert(path_exists(stranger) && path_exists(other.temporary));
    put(out.temporary, "marker", "1");
    check_ok(output_folder_commit(&out, &err), &err);
    output_folder_abandon(&other);
    ck_assert(holds(path, "marker"));
    free(path), free(orphan), free(stranger), free(living);
}
END_TEST

START_TEST(a_folder_that_is_being_filled_is_nobody_elses_orphan)
{
    struct error err = {0};
    struct output_folder first, second;
    char *path = path_join(scratch_folder(), "e"), *busy = xasprintf("%s.tmp.3", path);
    check_ok(output_folder_open(&first, path, "marker", &err), &err);
    ck_assert_int_eq(rename(first.temporary, busy), 0); /* as another process would call it */
    check_ok(output_folder_open(&second, path, "marker", &err), &err);
    ck_assert(path_exists(busy));
    output_folder_abandon(&second);
    remove_folder(busy);
    output_folder_abandon(&first);
    free(path), free(busy);
}
END_TEST

START_TEST(somebody_elses_folder_is_kept)
{
    struct error err = {0};
    struct output_folder out;
    char *path = path_join(scratch_folder(), "c");
    check_ok(make_folder(path, &err), &err);
    put(path, "thesis.tex", "years");
    check_failed(output_folder_open(&out, path, "marker", &err), &err, STATUS_WORLD,
                 "c:", "no marker");
    ck_assert(holds(path, "thesis.tex"));
    free(path);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(appears_at_commit_and_replaces_its_kind),
        TEST(abandoned_leaves_nothing),
        TEST(what_a_killed_writer_left_is_removed),
        TEST(a_folder_that_is_being_filled_is_nobody_elses_orphan),
        TEST(somebody_elses_folder_is_kept),
        {0},
    };
    return run_tests("data/output_folder", rows);
}
