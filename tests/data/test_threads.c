/* data/threads: every item once, on workers that persist. */
#define _GNU_SOURCE
#include "data/threads.h"
#include "tests/support.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { MANY = 5000, WORKERS = 4 };

struct record {
    atomic_int calls[MANY];
    int worker_of[MANY];
    pthread_t threads[WORKERS];
    atomic_int first_calls[WORKERS];
};

static void count_item(void *arg, size_t item, int worker)
{
    struct record *record = arg;
    atomic_fetch_add(&record->calls[item], 1);
    record->worker_of[item] = worker;
    if (atomic_fetch_add(&record->first_calls[worker], 1) == 0)
        record->threads[worker] = pthread_self();
    else
        REQUIRE(pthread_equal(record->threads[worker], pthread_self()));
}

START_TEST(every_item_runs_once_in_every_round)
{
    const size_t sizes[] = {0, 1, 3, 4, 5, 100, MANY};
    struct record *record = xcalloc(1, sizeof *record);
    struct pool *pool = pool_open(WORKERS);
    ck_assert_int_eq(pool_size(pool), WORKERS);
    for (size_t round = 0; round < sizeof sizes / sizeof *sizes; round++) {
        for (size_t i = 0; i < MANY; i++) atomic_store(&record->calls[i], 0);
        pool_run(pool, sizes[round], count_item, record);
        for (size_t i = 0; i < MANY; i++) {
            ck_assert_int_eq(atomic_load(&record->calls[i]), i < sizes[round]);
            ck_assert(record->worker_of[i] >= 0 && record->worker_of[i] < WORKERS);
        }
    }
    pool_close(pool);
    free(record);
}
END_TEST

static void append_item(void *arg, size_t item, int worker)
{
    struct text *text = arg;
    ck_assert_int_eq(worker, 0);
    text_printf(text, "%zu ", item);
}

START_TEST(items_are_handed_out_in_rising_order)
{
    struct text text = {0};
    struct pool *pool = pool_open(1);
    pool_run(pool, 5, append_item, &text);
    ck_assert_str_eq(text.bytes, "0 1 2 3 4 ");
    pool_close(pool);
    text_free(&text);
}
END_TEST

struct meeting {
    pthread_barrier_t barrier;
    int worker_of[WORKERS];
};

static void meet(void *arg, size_t item, int worker)
{
    struct meeting *meeting = arg;
    meeting->worker_of[item] = worker;
    pthread_barrier_wait(&meeting->barrier); /* returns only when all items run at the same time */
}

START_TEST(workers_run_at_the_same_time)
{
    struct meeting meeting;
    struct pool *pool = pool_open(WORKERS);
    pthread_barrier_init(&meeting.barrier, NULL, WORKERS);
    for (int round = 0; round < 200; round++) {
        int seen = 0;
        pool_run(pool, WORKERS, meet, &meeting);
        for (int i = 0; i < WORKERS; i++) seen |= 1 << meeting.worker_of[i];
        ck_assert_int_eq(seen, (1 << WORKERS) - 1);
    }
    pthread_barrier_destroy(&meeting.barrier);
    pool_close(pool);
}
END_TEST

START_TEST(default_size_is_the_cores_we_may_use)
{
    cpu_set_t before, one;
    ck_assert_int_eq(sched_getaffinity(0, sizeof before, &before), 0);
    struct pool *pool = pool_open(0);
    ck_assert_int_eq(pool_size(pool), CPU_COUNT(&before));
    pool_close(pool);
    int core = 0;
    while (!CPU_ISSET(core, &before)) core++;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    pool = pool_open(-1);
    sched_setaffinity(0, sizeof before, &before);
    ck_assert_int_eq(pool_size(pool), 1);
    pool_close(pool);
    pool_close(NULL);
}
END_TEST

static void look_at_signals(void *arg, size_t item, int worker)
{
    sigset_t blocked;
    (void)item, (void)worker;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    *(int *)arg = sigismember(&blocked, SIGINT);
}

START_TEST(signals_go_to_the_main_thread)
{
    int blocked_in_worker = 0;
    sigset_t blocked;
    struct pool *pool = pool_open(1);
    pool_run(pool, 1, look_at_signals, &blocked_in_worker);
    ck_assert_int_eq(blocked_in_worker, 1);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    ck_assert_int_eq(sigismember(&blocked, SIGINT), 0);
    pool_close(pool);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(every_item_runs_once_in_every_round), TEST(items_are_handed_out_in_rising_order),
        TEST(workers_run_at_the_same_time),        TEST(default_size_is_the_cores_we_may_use),
        TEST(signals_go_to_the_main_thread),       {0},
    };
    return run_tests("data/threads", rows);
}
