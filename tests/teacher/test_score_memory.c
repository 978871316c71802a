/* retort score takes memory for a block of pairs, however many come. */
#define _GNU_SOURCE
#include "teacher/score_command.h"

#include "tests/support.h"
#include "tests/tiny_teacher.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Long lines of which few tokens are read: the texts are what there is most of. */
enum { LINE_BYTES = 1000 };

_Noreturn static void score(int input)
{
    char *arguments[] = {"score", "--teacher", TINY_TEACHER, "--max-length",
                         "8",     "--threads", "2",          "-"};
    struct error err = {0};
    int output = open("/dev/null", O_WRONLY);
    if (dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(output, STDERR_FILENO) < 0)
        _exit(1);
    int status = score_command(sizeof arguments / sizeof *arguments, arguments, &err);
    _exit(status || fflush(stdout) ? 1 : 0);
}

static void write_pairs(int output, size_t count)
{
    FILE *file = fdopen(output, "w");
    char document[LINE_BYTES];
    memset(document, 'a', sizeof document);
    for (size_t i = 5; i < sizeof document; i += 6) document[i] = ' ';
    ck_assert(file != NULL);
    for (size_t i = 0; i < count; i++)
        fprintf(file, "query %zu\t%.*s\n", i, LINE_BYTES - 20, document);
    ck_assert_int_eq(fclose(file), 0);
}

/* Bytes that scoring so many pairs has at its peak. */
static size_t peak_of(size_t count)
{
    int ends[2], status;
    struct rusage usage;
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        close(ends[1]);
        score(ends[0]);
    }
    close(ends[0]);
    write_pairs(ends[1], count);
    ck_assert_int_eq(wait4(child, &status, 0, &usage), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return (size_t)usage.ru_maxrss * 1024;
}

/* One block has a peak of its own; what oneDNN keeps of compiled products is bounded. */
START_TEST(peak_memory_does_not_grow_with_the_pairs)
{
    if (skip_slow()) return;
    size_t few = peak_of(10000), many = peak_of(100000), texts = (size_t)90000 * LINE_BYTES;
    printf("peak for 10000 pairs %.1f MB, for 100000 %.1f MB\n", 1e-6 * (double)few,
           1e-6 * (double)many);
    ck_assert(many < few + texts / 9);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(peak_memory_does_not_grow_with_the_pairs), {0}};
    return run_tests("teacher/score_memory", rows);
}
