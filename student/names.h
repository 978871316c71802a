/* Strings numbered from 0 in the order in which they came, found by hash; laid out such that they
 * can be written to a file and used where it is mapped.
 *
 *     struct names names = {0};
 *     if (!names_add(&names, term, length)) ...         // it is there already
 *     int64_t number = names_find(&names.table, term, length);
 *     names_free(&names);
 *
 * 12 to 16 bytes a string beside its own.
 */
#ifndef RETORT_NAMES_H
#define RETORT_NAMES_H

#include "data/base.h"

/* A table may come from a file that lies: no lookup leaves its arrays. */
struct name_table {
    const char *bytes; /* each string and a NUL; the last byte is NUL */
    size_t length;
    const uint64_t *starts; /* [count] into bytes */
    size_t count;
    const uint32_t
        *slots; /* [num_slots], a power of two or 0: string + 1, or 0; from its hash on */
    size_t num_slots;
};
/* Its number, or -1. */
int64_t names_find(const struct name_table *table, const char *string, size_t length);
const char *names_at(const struct name_table *table, size_t number); /* "" where there is none */

struct names {
    struct name_table table; /* of what is below */
    struct text bytes;
    uint64_t *starts;
    uint32_t *slots;
    size_t capacity;
};
/* False where it is there already.  A string holds no NUL; there are less than 2^32 - 1. */
bool names_add(struct names *names, const char *string, size_t length);
void names_free(struct names *names);

#endif
