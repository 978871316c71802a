/* Workers: one POSIX thread a core, kept for the life of the pool.
 *
 * Data-parallel work hands each worker whole items; numerical libraries inside a worker run
 * single-threaded (measured faster and far steadier under other load than threads inside each
 * product).
 */
#ifndef RETORT_THREADS_H
#define RETORT_THREADS_H

#include <stddef.h>

struct pool;

/* n workers; n <= 0: one per core this process may use (affinity respected).  A thread that the
 * system does not give is refused as memory is (guard.h). */
struct pool *pool_open(int num_threads);
int pool_size(const struct pool *pool);
/* Calls work(arg, item, worker) once for each item in 0..num_items-1, items in rising order,
 * whichever worker is free next; returns when all are done.  With num_items == pool_size, item w
 * runs on some worker, not necessarily w.  Not reentrant.  Where memory is refused to a worker and
 * the caller is guarded, items not yet begun are left out and the caller is refused it, once all
 * workers rest. */
void pool_run(struct pool *pool, size_t num_items, void (*work)(void *arg, size_t item, int worker),
              void *arg);
void pool_close(struct pool *pool);

#endif
