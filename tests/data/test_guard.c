/* data/guard, and the pool below one: what is held is released, and control comes back. */
#include "data/guard.h"
#include "data/threads.h"
#include "tests/support.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What was released, in order. */
static struct text released;

static void note_release(void *name)
{
    text_puts(&released, name);
}

static void check_released(const char *expected)
{
    ck_assert_str_eq(released.bytes ? released.bytes : "", expected);
    text_free(&released);
}

static void hold_three(void *arg)
{
    char a[] = "a", b[] = "b", c[] = "c", d[] = "d";
    hold(a, note_release);
    hold(b, note_release);
    ck_assert_ptr_eq(hold(c, note_release), c);
    ck_assert_ptr_eq(let_go(c), c);
    hold(d, note_release);
    if (arg) refused("no more than %d", *(int *)arg);
    let_go(d);
    let_go(b);
    let_go(a);
}

START_TEST(what_is_held_is_released_newest_first)
{
    struct error err = {0};
    int most = 3;
    ck_assert(!is_guarded());
    check_failed(guarded(hold_three, &most, &err), &err, STATUS_NO_MEMORY, "no more than 3");
    check_released("dba");
    ck_assert(!is_guarded());
}
END_TEST

START_TEST(nothing_is_released_where_nothing_is_refused)
{
    struct error err = {0};
    check_ok(guarded(hold_three, NULL, &err), &err);
    check_released("");
    hold_three(NULL); /* without a guard, too */
    check_released("");
    ck_assert(!is_guarded());
}
END_TEST

struct nested {
    struct error inner;
    bool again;
};

static void run_nested(void *arg)
{
    struct nested *nested = arg;
    char outer[] = "o";
    int most = 1;
    hold(outer, note_release);
    ck_assert_int_eq(guarded(hold_three, &most, &nested->inner), -1);
    ck_assert(is_guarded());
    if (nested->again) refused("%s again", nested->inner.message);
    let_go(outer);
}

START_TEST(the_innermost_guard_is_the_one)
{
    struct error err = {0};
    struct nested nested = {.again = false};
    check_ok(guarded(run_nested, &nested, &err), &err);
    ck_assert_int_eq(nested.inner.status, STATUS_NO_MEMORY);
    check_released("dba");
    nested = (struct nested){.again = true};
    check_failed(guarded(run_nested, &nested, &err), &err, STATUS_NO_MEMORY,
                 "no more than 1 again");
    check_released("dbao");
}
END_TEST

static void fail_then_refuse(void *err)
{
    fail(err, "the file is wrong");
    refused("a consequence");
}

START_TEST(the_first_error_is_kept)
{
    struct error err = {0};
    check_failed(guarded(fail_then_refuse, &err, &err), &err, STATUS_WORLD, "the file is wrong");
}
END_TEST

/* ---- without a guard: the process ends ---- */

/* What a child that runs work says on stderr before it aborts. */
static void check_aborts(void (*work)(void *arg), void *arg, const char *expected)
{
    int ends[2], status;
    char said[256];
    REQUIRE(pipe(ends) == 0);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        work(arg);
        _exit(0);
    }
    close(ends[1]);
    ssize_t length = read(ends[0], said, sizeof said - 1);
    close(ends[0]);
    REQUIRE(waitpid(child, &status, 0) == child);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "ended with %#x", status);
    said[length > 0 ? length : 0] = '\0';
    ck_assert_str_eq(said, expected);
}

static void want_all_memory(void *arg)
{
    xrealloc(NULL, *(size_t *)arg, 2);
}

/* ---- pools ---- */

enum { WORKERS = 3, ITEMS = 1000 };

struct items {
    atomic_int begun;
    size_t refused_at;
    int num_threads;
};

static void run_item(void *arg, size_t item, int worker)
{
    struct items *items = arg;
    char held[] = "w";
    (void)worker;
    atomic_fetch_add(&items->begun, 1);
    if (item != items->refused_at) return;
    hold(held, note_release);
    refused("item %zu wants more", item);
}

static void run_pool(void *arg)
{
    struct items *items = arg;
    struct pool *pool = pool_open(items->num_threads);
    pool_run(pool, ITEMS, run_item, items);
    pool_close(pool);
}

static void run_round(void *arg)
{
    pool_run(((void **)arg)[0], ITEMS, run_item, ((void **)arg)[1]);
}

static void check_pool(int num_threads)
{
    struct pool *pool = pool_open(num_threads);
    struct items items = {.refused_at = 10};
    void *both[] = {pool, &items};
    struct error err = {0}, none = {0};
    check_failed(guarded(run_round, both, &err), &err, STATUS_NO_MEMORY, "item 10 wants more");
    ck_assert_int_ge(atomic_load(&items.begun), 11);
    if (num_threads == 1)
        ck_assert_int_eq(atomic_load(&items.begun), 11); /* the rest is left out */
    check_released("w");
    items = (struct items){.refused_at = ITEMS};
    check_ok(guarded(run_round, both, &none), &none);
    ck_assert_int_eq(atomic_load(&items.begun), ITEMS);
    pool_close(pool);
}

START_TEST(a_pool_hands_on_what_a_worker_was_refused)
{
    check_pool(1);
    check_pool(WORKERS);
}
END_TEST

START_TEST(without_a_guard_the_process_ends)
{
    size_t half = SIZE_MAX / 2 + 1;
    struct items items = {.refused_at = 5, .num_threads = WORKERS};
    check_aborts(want_all_memory, &half,
                 "retort: out of memory (18446744073709551615 bytes wanted)\n");
    check_aborts(run_pool, &items, "retort: item 5 wants more\n");
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(what_is_held_is_released_newest_first),
                                    TEST(nothing_is_released_where_nothing_is_refused),
                                    TEST(the_innermost_guard_is_the_one),
                                    TEST(the_first_error_is_kept),
                                    TEST(a_pool_hands_on_what_a_worker_was_refused),
                                    TEST(without_a_guard_the_process_ends),
                                    {0}};
    return run_tests("data/guard", rows);
}
