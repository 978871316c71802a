/* A pool of POSIX threads: see threads.h.
 *
 * One round at a time: pool_run publishes the work and wakes the workers, each takes the next item
 * until none is left, the caller too, and the last to finish wakes the caller.
 */
#define _GNU_SOURCE
#include "data/threads.h"
#include "data/guard.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- waiting ---- */

/* A count that threads wait for to move. */
struct event {
    atomic_uint count;
    atomic_int sleepers;
    bool patient; /* look before sleeping */
    pthread_mutex_t mutex;
    pthread_cond_t moved;
};

static void event_init(struct event *event, bool patient)
{
    event->patient = patient;
    pthread_mutex_init(&event->mutex, NULL);
    pthread_cond_init(&event->moved, NULL);
}

static void event_destroy(struct event *event)
{
    pthread_cond_destroy(&event->moved);
    pthread_mutex_destroy(&event->mutex);
}

static void event_move(struct event *event)
{
    atomic_fetch_add(&event->count, 1);
    if (atomic_load(&event->sleepers) == 0) return; /* who is about to sleep looks once more */
    pthread_mutex_lock(&event->mutex);
    pthread_cond_broadcast(&event->moved);
    pthread_mutex_unlock(&event->mutex);
}

static void relax(void)
{
#ifdef __x86_64__
    __builtin_ia32_pause();
#endif
}

/* Whether the count moves soon. */
static bool moves_soon(struct event *event, unsigned seen)
{
    enum { LOOKS = 64 };
    const double patience = 50e-6; /* seconds: about what waking a thread takes */
    double began = seconds_now();
    do {
        for (int i = 0; i < LOOKS; i++) {
            if (atomic_load_explicit(&event->count, memory_order_acquire) != seen) return true;
            relax();
        }
    } while (seconds_now() - began < patience);
    return false;
}

/* Returns when the count is no longer what was seen. */
static void event_wait(struct event *event, unsigned seen)
{
    if (event->patient && moves_soon(event, seen)) return;
    pthread_mutex_lock(&event->mutex);
    atomic_fetch_add(&event->sleepers, 1);
    while (atomic_load(&event->count) == seen) pthread_cond_wait(&event->moved, &event->mutex);
    atomic_fetch_sub(&event->sleepers, 1);
    pthread_mutex_unlock(&event->mutex);
}

/* ---- the pool ---- */

enum { CACHE_LINE = 64 };

struct team {
    const struct pool *pool;
    _Alignas(CACHE_LINE) atomic_int arrived;
    _Alignas(CACHE_LINE) struct event together;
};

struct worker {
    struct pool *pool;
    int index;
    pthread_t thread;
};

struct pool {
    struct worker *workers; /* [size], the first of them the caller */
    struct team *teams;     /* [size] */
    int size, num_threads;  /* workers; of them, threads started */
    /* written before a round begins, constant within it */
    void (*work)(void *arg, size_t item, int worker);
    void *arg;
    size_t num_items;
    int team_size;
    bool guarded; /* the caller is */
    bool closing;
    pthread_mutex_t mutex;
    struct error refusal; /* under mutex, of the round: status 0 while nobody was refused memory */
    atomic_bool broken;   /* somebody was */
    _Alignas(CACHE_LINE) atomic_size_t next_item;
    _Alignas(CACHE_LINE) atomic_int busy; /* threads that have not finished the round */
    _Alignas(CACHE_LINE) struct event begun;
    _Alignas(CACHE_LINE) struct event done;
};

/* The worker's share of a round. */
static void run_items(void *arg)
{
    const struct worker *worker = arg;
    struct pool *pool = worker->pool;
    size_t item;
    while ((item = atomic_fetch_add(&pool->next_item, 1)) < pool->num_items)
        pool->work(pool->arg, item, worker->index);
}

/* The others stop, too: before their next item, and where they wait for their team. */
static void break_round(struct pool *pool, const struct error *err)
{
    pthread_mutex_lock(&pool->mutex);
    if (!pool->refusal.status) pool->refusal = *err;
    pthread_mutex_unlock(&pool->mutex);
    atomic_store(&pool->next_item, pool->num_items);
    atomic_store(&pool->broken, true);
    for (int t = 0; t < pool->size; t++) event_move(&pool->teams[t].together);
}

static void take_part(struct worker *worker)
{
    struct error err = {0};
    if (!worker->pool->guarded)
        run_items(worker);
    else if (guarded(run_items, worker, &err))
        break_round(worker->pool, &err);
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct pool *pool = worker->pool;
    for (unsigned seen = 0;; seen++) {
        event_wait(&pool->begun, seen);
        if (pool->closing) return NULL;
        take_part(worker);
        if (atomic_fetch_sub(&pool->busy, 1) == 1) event_move(&pool->done);
    }
}

static int num_usable_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN); /* more cores than a cpu_set_t holds */
    return online > 0 ? (int)online : 1;
}

/* Starts all workers but the caller; 0, or the number of the error at the first that could not
 * be. */
static int start_workers(struct pool *pool)
{
    sigset_t all, before; /* signals are the main thread's business */
    int number = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool->num_threads + 1 < pool->size) {
        struct worker *worker = &pool->workers[pool->num_threads + 1];
        number = pthread_create(&worker->thread, NULL, worker_main, worker);
        if (number) break;
        pool->num_threads++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return number;
}

static void release_pool(void *pool)
{
    pool_close(pool);
}

static void init_pool(struct pool *pool, int size)
{
    int cores = num_usable_cores();
    pool->size = size > 0 ? size : cores;
    bool patient = pool->size <= cores;
    pthread_mutex_init(&pool->mutex, NULL);
    event_init(&pool->begun, patient);
    event_init(&pool->done, patient);
    hold(pool, release_pool);
    pool->workers = xcalloc((size_t)pool->size, sizeof *pool->workers);
    pool->teams = xaligned((size_t)pool->size, sizeof *pool->teams);
    for (int i = 0; i < pool->size; i++) {
        pool->workers[i] = (struct worker){.pool = pool, .index = i};
        pool->teams[i].pool = pool;
        event_init(&pool->teams[i].together, patient);
    }
    let_go(pool);
}

struct pool *pool_open(int num_threads)
{
    struct pool *pool = xaligned(1, sizeof *pool);
    init_pool(pool, num_threads);
    hold(pool, release_pool);
    int number = start_workers(pool);
    if (number)
        refused("cannot start thread %d: %s; use fewer threads", pool->num_threads + 1,
                strerror(number));
    return let_go(pool);
}

int pool_size(const struct pool *pool)
{
    return pool->size;
}

static void run_round(struct pool *pool, size_t num_items, int team_size,
                      void (*work)(void *arg, size_t item, int worker), void *arg)
{
    if (num_items == 0) return;
    REQUIRE(atomic_load(&pool->busy) == 0);
    pool->work = work;
    pool->arg = arg;
    pool->num_items = num_items;
    pool->team_size = team_size;
    pool->guarded = is_guarded();
    pool->refusal = (struct error){0};
    atomic_store(&pool->broken, false);
    atomic_store(&pool->next_item, 0);
    for (int t = 0; t < pool->size; t++) atomic_store(&pool->teams[t].arrived, 0);
    unsigned finished = atomic_load(&pool->done.count);
    atomic_store(&pool->busy, pool->num_threads);
    event_move(&pool->begun);
    take_part(&pool->workers[0]);
    if (pool->num_threads > 0) event_wait(&pool->done, finished);
    if (pool->refusal.status) refused("%s", pool->refusal.message);
}

void pool_run(struct pool *pool, size_t num_items, void (*work)(void *arg, size_t item, int worker),
              void *arg)
{
    run_round(pool, num_items, 1, work, arg);
}

void pool_close(struct pool *pool)
{
    if (!pool) return;
    pool->closing = true;
    event_move(&pool->begun);
    for (int i = 1; i <= pool->num_threads; i++) pthread_join(pool->workers[i].thread, NULL);
    for (int t = 0; pool->teams && t < pool->size; t++) event_destroy(&pool->teams[t].together);
    event_destroy(&pool->begun);
    event_destroy(&pool->done);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->workers);
    free(pool->teams);
    free(pool);
}

/* ---- teams ---- */

void pool_run_teams(struct pool *pool, size_t num_teams, int size,
                    void (*work)(void *arg, size_t item, int worker), void *arg)
{
    REQUIRE(size > 0 && num_teams * (size_t)size <= (size_t)pool->size);
    run_round(pool, num_teams * (size_t)size, size, work, arg);
}

struct team *pool_team(struct pool *pool, size_t number)
{
    REQUIRE(number < (size_t)pool->size);
    return &pool->teams[number];
}

void team_wait(struct team *team)
{
    if (!team || team->pool->team_size == 1) return;
    unsigned seen = atomic_load(&team->together.count);
    if (atomic_load(&team->pool->broken)) refused("out of memory");
    if (atomic_fetch_add(&team->arrived, 1) + 1 == team->pool->team_size) {
        atomic_store(&team->arrived, 0);
        event_move(&team->together);
    } else {
        event_wait(&team->together, seen);
    }
    if (atomic_load(&team->pool->broken)) refused("out of memory");
}

static int share_bound(int index, int count, int n, int unit)
{
    int units = (n + unit - 1) / unit;
    long long bound = (long long)units * index / count * unit;
    return bound < n ? (int)bound : n;
}

int share_first(struct team_share share, int n, int unit)
{
    return share_bound(share.index, share.count, n, unit);
}

int share_end(struct team_share share, int n, int unit)
{
    return share_bound(share.index + 1, share.count, n, unit);
}
