/* See guard.h. */
#define _GNU_SOURCE
#include "data/guard.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { MOST_HELD = 64 }; /* as deep as calls nest, a few for each */

struct guard {
    struct guard *outer;
    struct error *err;
    jmp_buf place;
    size_t num_held;
    struct held {
        void *object;
        void (*release)(void *object);
    } held[MOST_HELD];
};

/* In the thread's static block: the other kinds are allocated when a thread first touches them, in
 * a library that was loaded by dlopen, and a refusal there ends the process. */
static _Thread_local struct guard *innermost __attribute__((tls_model("initial-exec")));

int guarded(void (*work)(void *arg), void *arg, struct error *err)
{
    struct guard guard;
    guard.outer = innermost;
    guard.err = err;
    guard.num_held = 0;
    innermost = &guard;
    if (setjmp(guard.place)) return -1; /* refused has restored the rest */
    work(arg);
    REQUIRE(innermost == &guard && guard.num_held == 0);
    innermost = guard.outer;
    return 0;
}

bool is_guarded(void)
{
    return innermost != NULL;
}

void *hold(void *object, void (*release)(void *object))
{
    struct guard *guard = innermost;
    if (guard) {
        REQUIRE(guard->num_held < MOST_HELD);
        guard->held[guard->num_held++] = (struct held){object, release};
    }
    return object;
}

void *let_go(void *object)
{
    struct guard *guard = innermost;
    if (guard) {
        REQUIRE(guard->num_held > 0 && guard->held[guard->num_held - 1].object == object);
        guard->num_held--;
    }
    return object;
}

void need_memory(size_t bytes)
{
    if (!innermost) return;
    void *piece = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (piece == MAP_FAILED) refused("out of memory (%zu bytes wanted)", bytes);
    munmap(piece, bytes); /* back to the system: malloc would keep it from those who map */
}

/* The frames of those who hold are still there: nothing has been unwound. */
static void release_all(struct guard *guard)
{
    while (guard->num_held > 0) {
        const struct held *last = &guard->held[--guard->num_held];
        last->release(last->object);
    }
}

_Noreturn void refused(const char *format, ...)
{
    struct guard *guard = innermost;
    char message[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (!guard) {
        fprintf(stderr, "retort: %s\n", message);
        abort();
    }
    release_all(guard);
    if (!guard->err->status) {
        fail(guard->err, "%s", message);
        guard->err->status = STATUS_NO_MEMORY;
    }
    innermost = guard->outer;
    longjmp(guard->place, 1);
}
