/* data/threads: every item once, on workers that persist. */
#define _GNU_SOURCE
#include "data/threads.h"

#include "data/guard.h"
#include "tests/support.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

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
    struct meeting *meeting = arg;
    sigset_t blocked;
    (void)item;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    meeting->worker_of[worker] = sigismember(&blocked, SIGINT);
    pthread_barrier_wait(&meeting->barrier);
}

START_TEST(signals_go_to_the_main_thread)
{
    struct meeting meeting;
    struct pool *pool = pool_open(2);
    pthread_barrier_init(&meeting.barrier, NULL, 2);
    pool_run(pool, 2, look_at_signals, &meeting);
    ck_assert_int_eq(meeting.worker_of[0], 0);
    ck_assert_int_eq(meeting.worker_of[1], 1);
    pthread_barrier_destroy(&meeting.barrier);
    pool_close(pool);
}
END_TEST

static void note_thread(void *arg, size_t item, int worker)
{
    ck_assert_int_eq(worker, 0);
    ((pthread_t *)arg)[item] = pthread_self();
}

START_TEST(the_caller_is_worker_0)
{
    pthread_t threads[2];
    struct pool *pool = pool_open(1);
    pool_run(pool, 2, note_thread, threads);
    ck_assert(pthread_equal(threads[0], pthread_self()));
    ck_assert(pthread_equal(threads[1], pthread_self()));
    pool_close(pool);
}
END_TEST

/* ---- teams ---- */

enum { STEPS = 300, TEAMS = 3, TEAM_SIZE = 3 };

/* Each number of a step is the sum of the team's step before, and the team's own number. */
struct sums {
    struct pool *pool;
    uint32_t rows[TEAMS][STEPS][TEAM_SIZE];
};

static void sum_steps(void *arg, size_t item, int worker)
{
    struct sums *sums = arg;
    size_t number = item / TEAM_SIZE, index = item % TEAM_SIZE;
    struct team *team = pool_team(sums->pool, number);
    (void)worker;
    for (size_t s = 0; s < STEPS; s++) {
        uint32_t sum = 1 + (uint32_t)number;
        for (int i = 0; s > 0 && i < TEAM_SIZE; i++) sum += sums->rows[number][s - 1][i];
        sums->rows[number][s][index] = sum;
        team_wait(team);
    }
}

/* More workers than cores, too, which sleep at once. */
START_TEST(a_team_goes_in_step)
{
    struct sums *sums = xcalloc(1, sizeof *sums);
    sums->pool = pool_open(TEAMS * TEAM_SIZE);
    for (int round = 0; round < 5; round++) {
        memset(sums->rows, 0, sizeof sums->rows);
        pool_run_teams(sums->pool, TEAMS, TEAM_SIZE, sum_steps, sums);
        for (uint32_t t = 0; t < TEAMS; t++)
            for (uint32_t s = 0, want = 1 + t; s < STEPS; s++, want = TEAM_SIZE * want + 1 + t)
                for (int i = 0; i < TEAM_SIZE; i++) ck_assert_uint_eq(sums->rows[t][s][i], want);
    }
    team_wait(NULL);
    pool_close(sums->pool);
    free(sums);
}
END_TEST

static void refuse_one(void *arg, size_t item, int worker)
{
    struct team *team = pool_team(arg, item / 2);
    (void)worker;
    team_wait(team);
    if (item == 3) refused("no memory for item 3");
    for (int s = 0; s < 10; s++) team_wait(team);
}

static void wait_together(void *arg, size_t item, int worker)
{
    (void)worker;
    for (int s = 0; s < 10; s++) team_wait(pool_team(arg, item / 2));
}

static void run_and_refuse(void *pool)
{
    pool_run_teams(pool, 2, 2, refuse_one, pool);
}

static void run_in_peace(void *pool)
{
    pool_run_teams(pool, 2, 2, wait_together, pool);
}

/* Nobody is left waiting, and the pool serves again. */
START_TEST(memory_refused_to_one_is_refused_to_the_team)
{
    struct pool *pool = pool_open(4);
    for (int round = 0; round < 100; round++) {
        struct error err = {0};
        ck_assert_int_eq(guarded(run_and_refuse, pool, &err), -1);
        ck_assert_int_eq(err.status, STATUS_NO_MEMORY);
        ck_assert_str_eq(err.message, "no memory for item 3");
        ck_assert_int_eq(guarded(run_in_peace, pool, &err), 0);
    }
    pool_close(pool);
}
END_TEST

START_TEST(shares_are_whole_units_and_all_there_is)
{
    for (int n = 0; n < 70; n++)
        for (int unit = 1; unit < 20; unit += 3)
            for (int count = 1, next = 0; count < 6; count++, next = 0)
                for (int i = 0; i < count; i++) {
                    struct team_share share = {i, count};
                    int first = share_first(share, n, unit), end = share_end(share, n, unit);
                    int units = (n + unit - 1) / unit;
                    ck_assert_int_eq(first, next);
                    ck_assert(first <= end && (first % unit == 0 || first == n));
                    ck_assert_int_le(end - first, (units / count + 1) * unit);
                    ck_assert(i + 1 < count || end == n);
                    next = end;
                }
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(every_item_runs_once_in_every_round),
        TEST(items_are_handed_out_in_rising_order),
        TEST(workers_run_at_the_same_time),
        TEST(default_size_is_the_cores_we_may_use),
        TEST(signals_go_to_the_main_thread),
        TEST(the_caller_is_worker_0),
        TEST(a_team_goes_in_step),
        TEST(memory_refused_to_one_is_refused_to_the_team),
        TEST(shares_are_whole_units_and_all_there_is),
        {0},
    };
    return run_tests("data/threads", rows);
}
