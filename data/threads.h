/* Workers: POSIX threads, one a core with the caller's, kept for the life of the pool.
 *
 * Data-parallel work hands each worker whole items; numerical libraries inside a worker run
 * single-threaded (measured faster and far steadier under other load than threads inside each
 * product).  Where there are fewer pieces of work than workers, a team of workers does each piece:
 * all of a team run the same code, each does its own share of a step, and they wait for each other
 * between steps.
 *
 *     static void add_rows(void *arg, size_t item, int worker)       // two workers to a matrix
 *     {
 *         struct team *team = pool_team(pool, item / 2);
 *         struct team_share share = {(int)(item % 2), 2};
 *         for (int i = share_first(share, n, 1); i < share_end(share, n, 1); i++) ...
 *         team_wait(team);                                           // all rows are there
 *     }
 *     pool_run_teams(pool, num_matrices, 2, add_rows, arg);
 *
 * A worker that waits looks for news for a few dozen microseconds before it sleeps, where the pool
 * has no more workers than there are cores: waking a thread takes longer than most steps.
 */
#ifndef RETORT_THREADS_H
#define RETORT_THREADS_H

#include <stddef.h>

struct pool;

/* n workers, of which the caller of pool_run is one; n <= 0: one per core this process may use
 * (affinity respected).  A thread that the system does not give is refused as memory is
 * (guard.h). */
struct pool *pool_open(int num_threads);
int pool_size(const struct pool *pool);
/* Calls work(arg, item, worker) once for each item in 0..num_items-1, items in rising order,
 * whichever worker is free next; returns when all are done.  Worker 0 is the calling thread.  With
 * num_items == pool_size, item w runs on some worker, not necessarily w.  Not reentrant.  Where
 * memory is refused to a worker and the caller is guarded, items not yet begun are left out and the
 * caller is refused it, once all workers rest. */
void pool_run(struct pool *pool, size_t num_items, void (*work)(void *arg, size_t item, int worker),
              void *arg);
void pool_close(struct pool *pool);

/* The same for items 0..num_teams * size - 1, all at once: item i is thread i % size of team
 * i / size.  num_teams * size <= pool_size. */
struct team;
void pool_run_teams(struct pool *pool, size_t num_teams, int size,
                    void (*work)(void *arg, size_t item, int worker), void *arg);
struct team *pool_team(struct pool *pool, size_t number);
/* Returns when all of the team have called it as often; NULL: the caller works alone.  Where memory
 * was refused to one of them, it is refused to the others here. */
void team_wait(struct team *team);

/* One of the shares that a team divides a step into, and which of n things are in it: first ..
 * end - 1, multiples of `unit` unless end is n. */
struct team_share {
    int index, count;
};
int share_first(struct team_share share, int n, int unit);
int share_end(struct team_share share, int n, int unit);

#endif
