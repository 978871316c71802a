/* Refused memory, and how it becomes an error where the process must not end.
 *
 * xmalloc and its friends have no caller checks.  Where they get no memory, control leaves for the
 * innermost `guarded` of the thread, which returns -1; where there is none, the process ends with a
 * line on stderr.  The program has no guard.  The library has one around each of its calls, and a
 * pool hands what a worker met to the thread that waits for it.
 *
 *     static void embed(void *arg)
 *     {
 *         float *z = hold(xaligned(n, sizeof *z), free);
 *         ...                                // memory refused in here frees z, and is gone
 *         free(let_go(z));
 *     }
 *
 *     if (guarded(embed, &call, err)) ...    // "out of memory (4096 bytes wanted)"
 *
 * What the guard's caller can reach is the caller's to release: X_free accepts a half-built X.
 * What a function below knows by a local variable alone, it holds as long as memory may be refused.
 * Code that no guard stands above need not hold anything.
 */
#ifndef RETORT_GUARD_H
#define RETORT_GUARD_H

#include "data/base.h"

/* Runs work(arg).  0, or -1 with STATUS_NO_MEMORY where memory was refused below. */
int guarded(void (*work)(void *arg), void *arg, struct error *err);
/* Whether this thread is inside of one. */
bool is_guarded(void);

/* Until it is let go, object is released when memory is refused, before those held earlier.  The
 * release may not take memory.  Returns object. */
void *hold(void *object, void (*release)(void *object));
/* object, the last one held: its release is the caller's again. */
void *let_go(void *object);

/* To be called before a library that cannot say that memory was refused to it, but crashes: below a
 * guard, it is refused here unless so many bytes are free.  Another thread may take them yet. */
void need_memory(size_t bytes);

/* Ends the work of the innermost guard, or the process: memory, or a thread, was refused. */
_Noreturn void refused(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
