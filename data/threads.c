/* A pool of POSIX threads: see threads.h.
 *
 * One round at a time: pool_run publishes the work and wakes the workers, each takes the next item
 * until none is left, and the last to finish wakes the caller.  The caller only waits, so that a
 * worker index always means the same thread.
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

struct worker {
    struct pool *pool;
    int index;
    pthread_t thread;
};

struct pool {
    struct worker *workers;
    int num_workers;
    pthread_mutex_t mutex;
    pthread_cond_t wake, done;
    /* under mutex */
    uint64_t round;
    int busy;
    bool closing;
    struct error refusal; /* of the round: status 0 while no worker was refused memory */
    /* written before a round begins, constant within it */
    void (*work)(void *arg, size_t item, int worker);
    void *arg;
    size_t num_items;
    bool guarded; /* the caller is */
    atomic_size_t next_item;
};

/* Waits for a round later than seen; false when the pool closes. */
static bool wait_for_round(struct pool *pool, uint64_t *seen)
{
    pthread_mutex_lock(&pool->mutex);
    while (pool->round == *seen && !pool->closing) pthread_cond_wait(&pool->wake, &pool->mutex);
    bool open = !pool->closing;
    *seen = pool->round;
    pthread_mutex_unlock(&pool->mutex);
    return open;
}

/* The worker's share of a round. */
static void run_items(void *arg)
{
    const struct worker *worker = arg;
    struct pool *pool = worker->pool;
    size_t item;
    while ((item = atomic_fetch_add(&pool->next_item, 1)) < pool->num_items)
        pool->work(pool->arg, item, worker->index);
}

static void *worker_main(void *arg)
{
    const struct worker *worker = arg;
    struct pool *pool = worker->pool;
    uint64_t seen = 0;
    while (wait_for_round(pool, &seen)) {
        struct error err = {0};
        if (!pool->guarded)
            run_items(arg);
        else if (guarded(run_items, arg, &err))
            atomic_store(&pool->next_item, pool->num_items); /* the others stop, too */
        pthread_mutex_lock(&pool->mutex);
        if (err.status) pool->refusal = err;
        if (--pool->busy == 0) pthread_cond_signal(&pool->done);
        pthread_mutex_unlock(&pool->mutex);
    }
    return NULL;
}

static int num_usable_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN); /* more cores than a cpu_set_t holds */
    return online > 0 ? (int)online : 1;
}

/* Starts so many workers; 0, or the number of the error at the first that could not be. */
static int start_workers(struct pool *pool, int count)
{
    sigset_t all, before; /* signals are the main thread's business */
    int number = 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool->num_workers < count) {
        struct worker *worker = &pool->workers[pool->num_workers];
        *worker = (struct worker){.pool = pool, .index = pool->num_workers};
        number = pthread_create(&worker->thread, NULL, worker_main, worker);
        if (number) break;
        pool->num_workers++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return number;
}

static void release_pool(void *pool)
{
    pool_close(pool);
}

struct pool *pool_open(int num_threads)
{
    struct pool *pool = xcalloc(1, sizeof *pool);
    int count = num_threads > 0 ? num_threads : num_usable_cores();
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->done, NULL);
    hold(pool, release_pool);
    pool->workers = xcalloc((size_t)count, sizeof *pool->workers);
    int number = start_workers(pool, count);
    if (number)
        refused("cannot start thread %d: %s; use fewer threads", pool->num_workers + 1,
                strerror(number));
    return let_go(pool);
}

int pool_size(const struct pool *pool)
{
    return pool->num_workers;
}

void pool_run(struct pool *pool, size_t num_items, void (*work)(void *arg, size_t item, int worker),
              void *arg)
{
    if (num_items == 0) return;
    pthread_mutex_lock(&pool->mutex);
    REQUIRE(pool->busy == 0);
    pool->work = work;
    pool->arg = arg;
    pool->num_items = num_items;
    pool->guarded = is_guarded();
    pool->refusal = (struct error){0};
    atomic_store(&pool->next_item, 0);
    pool->busy = pool->num_workers;
    pool->round++;
    pthread_cond_broadcast(&pool->wake);
    while (pool->busy > 0) pthread_cond_wait(&pool->done, &pool->mutex);
    struct error refusal = pool->refusal;
    pthread_mutex_unlock(&pool->mutex);
    if (refusal.status) refused("%s", refusal.message);
}

void pool_close(struct pool *pool)
{
    if (!pool) return;
    pthread_mutex_lock(&pool->mutex);
    pool->closing = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    for (int i = 0; i < pool->num_workers; i++) pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->done);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->workers);
    free(pool);
}
