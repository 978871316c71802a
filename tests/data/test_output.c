/* data/output: files that appear whole or not at all. */
#define _GNU_SOURCE
#include "data/output.h"
#include "tests/support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *in_scratch(const char *name)
{
    return path_join(scratch_folder(), name);
}

static void assert_content(const char *path, const char *expected)
{
    struct error err = {0};
    struct text text = {0};
    check_ok(read_whole_file(&text, path, 1 << 20, &err), &err);
    ck_assert_str_eq(text.bytes, expected);
    text_free(&text);
}

/* Entries of a folder without . and .. */
static int count_entries(const char *folder)
{
    int count = 0;
    DIR *listing = opendir(folder);
    ck_assert_ptr_nonnull(listing);
    const struct dirent *entry;
    while ((entry = readdir(listing)))
        count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
    closedir(listing);
    return count;
}

static void write_file(const char *path, const char *content)
{
    struct error err = {0};
    struct output out = {0};
    check_ok(output_open(&out, path, &err), &err);
    output_write(&out, content, strlen(content));
    check_ok(output_commit(&out, &err), &err);
}

START_TEST(commit_replaces_the_old_file_at_once)
{
    char *folder = in_scratch("commit"), *path = path_join(folder, "a.txt");
    struct error err = {0};
    struct output out = {0};
    check_ok(make_folder(folder, &err), &err);
    write_file(path, "old");
    check_ok(output_open(&out, path, &err), &err);
    output_printf(&out, "%s %d", "new", 7);
    output_write(&out, "!", 1);
    fflush(out.file);
    assert_content(path, "old");
    ck_assert_int_eq(count_entries(folder), 2);
    check_ok(output_commit(&out, &err), &err);
    assert_content(path, "new 7!");
    ck_assert_int_eq(count_entries(folder), 1);
    output_abandon(&out); /* a committed one is accepted */
    assert_content(path, "new 7!");
    free(path);
    free(folder);
}
END_TEST

START_TEST(replace_does_as_commit)
{
    char *path = in_scratch("replaced.txt");
    struct error err = {0};
    struct output out = {0};
    write_file(path, "old");
    check_ok(output_open(&out, path, &err), &err);
    output_printf(&out, "new");
    assert_content(path, "old");
    check_ok(output_replace(&out, &err), &err);
    assert_content(path, "new");
    free(path);
}
END_TEST

START_TEST(permissions_follow_the_umask)
{
    char *path = in_scratch("mode.txt");
    struct stat info;
    mode_t before = umask(027);
    write_file(path, "x");
    umask(before);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_int_eq(info.st_mode & 0777, 0640);
    free(path);
}
END_TEST

START_TEST(abandon_leaves_nothing)
{
    char *folder = in_scratch("abandon"), *path = path_join(folder, "a.txt");
    struct error err = {0};
    struct output out = {0};
    check_ok(make_folder(folder, &err), &err);
    check_ok(output_open(&out, path, &err), &err);
    output_write(&out, "half", 4);
    output_abandon(&out);
    ck_assert_int_eq(count_entries(folder), 0);
    output_abandon(&out);
    free(path);
    free(folder);
}
END_TEST

START_TEST(a_link_stays_and_its_target_is_replaced)
{
    char *target = in_scratch("target.txt"), *link = in_scratch("link.txt");
    struct stat info;
    write_file(target, "old");
    ck_assert_int_eq(symlink("target.txt", link), 0);
    write_file(link, "new");
    assert_content(target, "new");
    ck_assert_int_eq(lstat(link, &info), 0);
    ck_assert(S_ISLNK(info.st_mode));
    free(target);
    free(link);
}
END_TEST

/* A pipe stands for all that is no regular file: a mistake here must not replace the machine's
 * /dev/null. */
START_TEST(a_pipe_or_device_is_written_and_never_replaced)
{
    char *path = in_scratch("pipe"), got[16] = "";
    struct stat info;
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    write_file(path, "anything");
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert(S_ISFIFO(info.st_mode));
    ck_assert_int_eq(read(reader, got, sizeof got - 1), 8);
    ck_assert_str_eq(got, "anything");
    close(reader);
    free(path);
}
END_TEST

START_TEST(a_path_that_cannot_be_written_is_an_error)
{
    struct error err = {0};
    struct output out = {0};
    char *absent = in_scratch("no/such/a.txt");
    check_failed(output_open(&out, absent, &err), &err, STATUS_WORLD, absent, "created",
                 "No such file");
    ck_assert_ptr_null(out.file);
    err = (struct error){0};
    check_failed(output_open(&out, scratch_folder(), &err), &err, STATUS_WORLD, scratch_folder(),
                 "folder");
    err = (struct error){0};
    check_failed(output_open(&out, "runs/", &err), &err, STATUS_WORLD, "runs/", "folder");
    free(absent);
}
END_TEST

START_TEST(a_write_error_is_reported_at_commit)
{
    char *folder = in_scratch("failing"), *path = path_join(folder, "a.txt");
    struct error err = {0};
    struct output out = {0};
    struct rlimit before;
    check_ok(make_folder(folder, &err), &err);
    write_file(path, "old");
    getrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){5000, before.rlim_max});
    check_ok(output_open(&out, path, &err), &err);
    for (int i = 0; i < 10000; i++) output_printf(&out, "line %d\n", i);
    int failed = out.failed, result = output_commit(&out, &err);
    setrlimit(RLIMIT_FSIZE, &before);
    ck_assert_int_eq(failed, EFBIG);
    check_failed(result, &err, STATUS_WORLD, path, "cannot be written", "too large");
    ck_assert_ptr_null(out.file);
    assert_content(path, "old");
    ck_assert_int_eq(count_entries(folder), 1);
    free(path);
    free(folder);
}
END_TEST

START_TEST(a_full_standard_output_is_reported_at_commit)
{
    struct error err = {0};
    struct output out = {0};
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    ck_assert_ptr_nonnull(freopen("/dev/full", "w", stdout));
    check_ok(output_open(&out, "-", &err), &err);
    output_printf(&out, "a line\n");
    int result = output_commit(&out, &err);
    ck_assert_int_eq(dup2(saved, STDOUT_FILENO), STDOUT_FILENO);
    clearerr(stdout);
    check_failed(result, &err, STATUS_WORLD, "standard output", "No space left");
    close(saved);
}
END_TEST

START_TEST(lines_on_a_pipe_appear_as_they_are_written)
{
    struct error err = {0};
    struct output out = {0};
    int ends[2];
    char got[16] = "";
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[1], STDOUT_FILENO);
    check_ok(output_open(&out, NULL, &err), &err);
    output_printf(&out, "line\nhal");
    ssize_t length = read(ends[0], got, sizeof got - 1);
    check_ok(output_commit(&out, &err), &err);
    dup2(saved, STDOUT_FILENO);
    ck_assert_int_eq(length, 5);
    ck_assert_str_eq(got, "line\n");
    ck_assert_int_eq(read(ends[0], got, sizeof got - 1), 3); /* commit flushed the rest */
    close(saved), close(ends[0]), close(ends[1]);
}
END_TEST

/* Runs fill in a child inside a small file system of its own, where the machine lets us mount
 * one. */
static void fill_a_small_disk(const char *folder)
{
    struct error err = {0};
    struct output out = {0};
    char *path = path_join(folder, "a.txt"), line[1000];
    memset(line, 'x', sizeof line);
    write_file(path, "old");
    check_ok(output_open(&out, path, &err), &err);
    for (int i = 0; i < 200; i++) output_write(&out, line, sizeof line);
    check_failed(output_commit(&out, &err), &err, STATUS_WORLD, path, "No space left");
    assert_content(path, "old");
    ck_assert_int_eq(count_entries(folder), 1);
    write_file(path, "new"); /* the space was given back */
    assert_content(path, "new");
    free(path);
}

START_TEST(a_full_disk_leaves_the_old_file)
{
    struct error err = {0};
    char *folder = in_scratch("small-disk");
    check_ok(make_folder(folder, &err), &err);
    if (mount("tmpfs", folder, "tmpfs", 0, "size=64k")) {
        fprintf(stderr, "SKIPPED: a_full_disk_leaves_the_old_file may not mount: %s\n",
                strerror(errno));
    } else {
        fill_a_small_disk(folder);
        ck_assert_int_eq(umount(folder), 0);
    }
    free(folder);
}
END_TEST

/* Forks a child that has written half a file and waits to be killed. */
static pid_t fork_half_writer(const char *path)
{
    int ready[2];
    char byte;
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct error err = {0};
        struct output out = {0};
        if (output_open(&out, path, &err)) _exit(1);
        output_write(&out, "half", 4);
        fflush(out.file);
        if (write(ready[1], "x", 1) == 1) pause();
        _exit(1);
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]), close(ready[1]);
    return child;
}

START_TEST(a_killed_writer_leaves_the_old_file_and_its_rest_is_swept)
{
    char *folder = in_scratch("killed"), *path = path_join(folder, "a.txt");
    struct error err = {0};
    check_ok(make_folder(folder, &err), &err);
    write_file(path, "old");
    pid_t child = fork_half_writer(path);
    write_file(path, "newer"); /* a living writer's temporary is not touched */
    ck_assert_int_eq(count_entries(folder), 2);
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    assert_content(path, "newer");
    ck_assert_int_eq(count_entries(folder), 2);
    write_file(path, "newest");
    assert_content(path, "newest");
    ck_assert_int_eq(count_entries(folder), 1);
    free(path);
    free(folder);
}
END_TEST

START_TEST(folders_are_made_with_their_parents)
{
    struct error err = {0};
    char *path = in_scratch("one/two//three/"), *file = scratch_file("plain", "x", 1);
    char *below = path_join(file, "sub");
    check_ok(make_folder(path, &err), &err);
    ck_assert(path_exists(path));
    check_ok(make_folder(path, &err), &err);
    check_failed(make_folder(file, &err), &err, STATUS_WORLD, "plain", "is a file");
    err = (struct error){0};
    check_failed(make_folder(below, &err), &err, STATUS_WORLD, "plain");
    free(path);
    free(file);
    free(below);
}
END_TEST

START_TEST(paths_are_taken_apart_and_joined)
{
    const char *rows[][2] = {{"a", "."},     {"a/b", "a"},  {"/a", "/"},
                             {"/", "."},     {"a/b/", "a"}, {"a//b", "a"},
                             {"../a", ".."}, {"", "."},     {"a/b/c", "a/b"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *folder = path_folder(rows[i][0]);
        if (strcmp(rows[i][0], "/")) ck_assert_str_eq(folder, rows[i][1]);
        free(folder);
    }
    const char *joins[][3] = {{"a", "b", "a/b"},
                              {"a/", "b", "a/b"},
                              {"a", "/b", "/b"},
                              {"/", "b", "/b"},
                              {".", "b", "./b"}};
    for (size_t i = 0; i < sizeof joins / sizeof *joins; i++) {
        char *path = path_join(joins[i][0], joins[i][1]);
        ck_assert_str_eq(path, joins[i][2]);
        free(path);
    }
}
END_TEST

START_TEST(whole_files_are_read_up_to_the_limit)
{
    struct error err = {0};
    struct text text = {0};
    char *bytes = xcalloc(200000, 1), *path, *empty = scratch_file("empty", "", 0);
    memset(bytes, 'y', 199999);
    path = scratch_file("large", bytes, 200000);
    check_ok(read_whole_file(&text, path, 200000, &err), &err);
    ck_assert_uint_eq(text.length, 200000);
    ck_assert_int_eq(memcmp(text.bytes, bytes, 200000), 0);
    check_failed(read_whole_file(&text, path, 199999, &err), &err, STATUS_WORLD, "large", "199999");
    ck_assert_ptr_null(text.bytes);
    err = (struct error){0};
    check_ok(read_whole_file(&text, empty, 10, &err), &err);
    ck_assert_str_eq(text.bytes, "");
    check_failed(read_whole_file(&text, "/no/such", 10, &err), &err, STATUS_WORLD, "/no/such",
                 "No such file");
    err = (struct error){0};
    check_failed(read_whole_file(&text, "/tmp", 10, &err), &err, STATUS_WORLD, "/tmp", "directory");
    text_free(&text);
    free(bytes);
    free(path);
    free(empty);
}
END_TEST

START_TEST(a_locked_folder_is_refused_until_it_is_closed)
{
    char *folder = in_scratch("locked");
    struct error err = {0};
    check_ok(make_folder(folder, &err), &err);
    int first = folder_lock(folder, &err);
    ck_assert_int_ge(first, 0);
    ck_assert(folder_is_locked(folder));
    check_failed(folder_lock(folder, &err), &err, STATUS_WORLD, folder, "another process");
    close(first);
    ck_assert(!folder_is_locked(folder) && !folder_is_locked("no/such/folder"));
    int second = folder_lock(folder, &err);
    ck_assert_int_ge(second, 0);
    close(second);
    err = (struct error){0};
    check_failed(folder_lock("no/such/folder", &err), &err, STATUS_WORLD, "no/such/folder");
    free(folder);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(commit_replaces_the_old_file_at_once),
        TEST(replace_does_as_commit),
        TEST(permissions_follow_the_umask),
        TEST(abandon_leaves_nothing),
        TEST(a_link_stays_and_its_target_is_replaced),
        TEST(a_pipe_or_device_is_written_and_never_replaced),
        TEST(a_path_that_cannot_be_written_is_an_error),
        TEST(a_write_error_is_reported_at_commit),
        TEST(a_full_standard_output_is_reported_at_commit),
        TEST(lines_on_a_pipe_appear_as_they_are_written),
        TEST(a_full_disk_leaves_the_old_file),
        TEST(a_killed_writer_leaves_the_old_file_and_its_rest_is_swept),
        TEST(folders_are_made_with_their_parents),
        TEST(a_locked_folder_is_refused_until_it_is_closed),
        TEST(paths_are_taken_apart_and_joined),
        TEST(whole_files_are_read_up_to_the_limit),
        {0},
    };
    return run_tests("data/output", rows);
}
