/* See names.h.  Open addressing, linear probing, at most half full. */
#include "student/names.h"

#include <stdlib.h>
#include <string.h>

enum { FEWEST_SLOTS = 64 };

static bool is_string(const struct name_table *table, size_t number, const char *string,
                      size_t length)
{
    const char *name = names_at(table, number);
    return strncmp(name, string, length) == 0 && name[length] == '\0';
}

int64_t names_find(const struct name_table *table, const char *string, size_t length)
{
    size_t at = hash64(string, length, 0);
    for (size_t probes = 0; probes < table->num_slots; probes++, at++) {
        uint32_t slot = table->slots[at & (table->num_slots - 1)];
        if (!slot) return -1;
        if (is_string(table, slot - 1, string, length)) return slot - 1;
    }
    return -1;
}

const char *names_at(const struct name_table *table, size_t number)
{
    if (number >= table->count || table->starts[number] >= table->length) return "";
    return table->bytes + table->starts[number];
}

static void put_slot(struct names *names, const char *string, size_t length, size_t number)
{
    size_t mask = names->table.num_slots - 1, at = hash64(string, length, 0) & mask;
    while (names->slots[at]) at = (at + 1) & mask;
    names->slots[at] = (uint32_t)number + 1;
}

static void grow_slots(struct names *names)
{
    struct name_table *table = &names->table;
    free(names->slots);
    table->num_slots = table->num_slots ? 2 * table->num_slots : FEWEST_SLOTS;
    table->slots = names->slots = xcalloc(table->num_slots, sizeof *names->slots);
    for (size_t i = 0; i < table->count; i++) {
        const char *name = names_at(table, i);
        put_slot(names, name, strlen(name), i);
    }
}

bool names_add(struct names *names, const char *string, size_t length)
{
    struct name_table *table = &names->table;
    if (names_find(table, string, length) >= 0) return false;
    REQUIRE(table->count < UINT32_MAX - 1);
    if (2 * table->count >= table->num_slots) grow_slots(names);
    GROW(names->starts, table->count, &names->capacity);
    table->starts = names->starts;
    names->starts[table->count] = names->bytes.length;
    put_slot(names, string, length, table->count++);
    text_append(&names->bytes, string, length);
    text_append(&names->bytes, "", 1);
    table->bytes = names->bytes.bytes;
    table->length = names->bytes.length;
    return true;
}

void names_free(struct names *names)
{
    text_free(&names->bytes);
    free(names->starts);
    free(names->slots);
    *names = (struct names){0};
}
