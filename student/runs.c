/* See runs.h. */
#define _GNU_SOURCE
#include "student/runs.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/output.h"

enum {
    NUMBER_BYTES = 10, /* of the longest number */
    PIECE = 1 << 18,   /* bytes read from a run in a file at once */
    WRITTEN = 1 << 20  /* and written to one */
};

struct run {
    struct text bytes; /* all of it, or what was read of it last */
    const unsigned char *next, *end;
    uint64_t place, left; /* of the file: not yet read */
    struct text name;     /* of its present term; NULL bytes at the end */
    uint64_t start;       /* of the name */
    size_t count;         /* of its rows */
};

uint64_t name_start(const char *name, size_t length)
{
    uint64_t start = 0;
    memcpy(&start, name, length < sizeof start ? length : sizeof start);
    return be64toh(start);
}

/* ---- numbers ---- */

static unsigned char *put_number(unsigned char *at, uint64_t number)
{
    for (; number >= 128; number >>= 7) *at++ = (unsigned char)(number | 128);
    *at++ = (unsigned char)number;
    return at;
}

static uint64_t take_number(struct run *run)
{
    uint64_t number = *run->next & 127;
    for (int shift = 7; *run->next++ & 128; shift += 7)
        number |= (uint64_t)(*run->next & 127) << shift;
    return number;
}

void run_append(struct text *run, const char *name, size_t length, const struct occurrences *rows,
                size_t count)
{
    unsigned char piece[4096], *at = put_number(piece, length);
    text_append(run, (const char *)piece, (size_t)(at - piece));
    text_append(run, name, length);
    at = put_number(piece, count);
    uint32_t before = UINT32_MAX;
    for (size_t i = 0; i < count; before = rows[i++].row) {
        if (piece + sizeof piece - at < 2 * NUMBER_BYTES) {
            text_append(run, (const char *)piece, (size_t)(at - piece));
            at = piece;
        }
        at = put_number(at, (uint32_t)(rows[i].row - before));
        at = put_number(at, rows[i].times);
    }
    text_append(run, (const char *)piece, (size_t)(at - piece));
}

/* ---- reading a run ---- */

/* At least `wanted` bytes are there after it, or all that is left. */
static int fill(struct runs *runs, struct run *run, size_t wanted, struct error *err)
{
    if ((size_t)(run->end - run->next) >= wanted || !run->left) return 0;
    struct text rest = {0};
    text_append(&rest, (const char *)run->next, (size_t)(run->end - run->next));
    size_t piece = wanted > PIECE ? wanted : PIECE;
    if (piece > run->left) piece = (size_t)run->left;
    char *bytes = xmalloc(piece);
    ssize_t got = pread(runs->file, bytes, piece, (off_t)run->place);
    int status = 0;
    if (got < 0) status = fail_errno(err, "%s: cannot read a temporary file there", runs->folder);
    if (status == 0 && got < (ssize_t)piece)
        status = fail(err, "%s: a temporary file there was cut short", runs->folder);
    text_append(&rest, bytes, piece);
    free(bytes);
    text_free(&run->bytes);
    run->bytes = rest;
    run->next = (const unsigned char *)rest.bytes;
    run->end = run->next + rest.length;
    run->place += piece, run->left -= piece;
    return status;
}

static int next_term_of(struct runs *runs, struct run *run, struct error *err)
{
    if (fill(runs, run, NUMBER_BYTES, err)) return -1;
    if (run->next == run->end) {
        text_free(&run->name);
        text_free(&run->bytes);
        return 0;
    }
    size_t length = (size_t)take_number(run);
    if (fill(runs, run, length + NUMBER_BYTES, err)) return -1;
    text_clear(&run->name);
    text_append(&run->name, (const char *)run->next, length);
    run->start = name_start(run->name.bytes, length);
    run->next += length;
    run->count = (size_t)take_number(run);
    return 0;
}

static int read_rows(struct runs *runs, struct run *run, struct occurrences *rows,
                     struct error *err)
{
    uint32_t row = UINT32_MAX;
    for (size_t i = 0; i < run->count; i++) {
        if (run->end - run->next < 2 * NUMBER_BYTES && fill(runs, run, 2 * NUMBER_BYTES, err))
            return -1;
        row += (uint32_t)take_number(run);
        rows[i] = (struct occurrences){row, (uint32_t)take_number(run)};
    }
    return 0;
}

/* ---- merging: a heap of runs by their present term, equal ones by their order ---- */

struct merge {
    struct runs *runs;
    struct run **heap; /* the next on top */
    size_t count;
    struct text name; /* of the term at work */
    struct occurrences *rows;
    size_t num_rows, capacity;
};

static bool before(const struct run *a, const struct run *b)
{
    if (a->start != b->start) return a->start < b->start;
    int order = strcmp(a->name.bytes, b->name.bytes);
    return order < 0 || (order == 0 && a < b);
}

static void sift_down(struct merge *merge, size_t parent)
{
    struct run *run = merge->heap[parent];
    for (size_t child = 2 * parent + 1; child < merge->count; child = 2 * parent + 1) {
        if (child + 1 < merge->count && before(merge->heap[child + 1], merge->heap[child])) child++;
        if (!before(merge->heap[child], run)) break;
        merge->heap[parent] = merge->heap[child];
        parent = child;
    }
    merge->heap[parent] = run;
}

static int fill_heap(struct merge *merge, size_t first, struct error *err)
{
    struct runs *runs = merge->runs;
    merge->heap = xcalloc(runs->count - first, sizeof *merge->heap);
    for (size_t i = first; i < runs->count; i++) {
        if (next_term_of(runs, &runs->items[i], err)) return -1;
        if (runs->items[i].name.bytes) merge->heap[merge->count++] = &runs->items[i];
    }
    for (size_t i = merge->count / 2; i-- > 0;) sift_down(merge, i);
    return 0;
}

/* Takes the rows of the topmost run's term, and its next term. */
static int take_top(struct merge *merge, struct error *err)
{
    struct run *run = merge->heap[0];
    while (merge->capacity - merge->num_rows < run->count)
        merge->rows = grow(merge->rows, &merge->capacity, sizeof *merge->rows);
    if (read_rows(merge->runs, run, merge->rows + merge->num_rows, err)) return -1;
    merge->num_rows += run->count;
    if (next_term_of(merge->runs, run, err)) return -1;
    if (!run->name.bytes) merge->heap[0] = merge->heap[--merge->count];
    if (merge->count) sift_down(merge, 0);
    return 0;
}

static int take_term(struct merge *merge, struct error *err)
{
    const struct text *name = &merge->heap[0]->name;
    text_clear(&merge->name);
    text_append(&merge->name, name->bytes, name->length);
    merge->num_rows = 0;
    while (merge->count && strcmp(merge->heap[0]->name.bytes, merge->name.bytes) == 0)
        if (take_top(merge, err)) return -1;
    return 0;
}

static int merge_from(struct runs *runs, size_t first, list_reader *list, void *arg,
                      struct error *err)
{
    struct merge merge = {.runs = runs};
    int status = fill_heap(&merge, first, err);
    while (status == 0 && merge.count) {
        status = take_term(&merge, err);
        if (status == 0) status = list(arg, &merge.name, merge.rows, merge.num_rows, err);
    }
    free(merge.heap);
    free(merge.rows);
    text_free(&merge.name);
    return status;
}

int runs_merge(struct runs *runs, list_reader *list, void *arg, struct error *err)
{
    return merge_from(runs, 0, list, arg, err);
}

/* ---- to the file ---- */

struct spill {
    struct runs *runs;
    struct text bytes; /* not yet written */
};

static int write_out(struct spill *spill, struct error *err)
{
    struct runs *runs = spill->runs;
    for (size_t at = 0; at < spill->bytes.length;) {
        ssize_t put = pwrite(runs->file, spill->bytes.bytes + at, spill->bytes.length - at,
                             (off_t)runs->file_size);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return fail_errno(err, "%s: cannot write a temporary file", runs->folder);
        at += (size_t)put;
        runs->file_size += (uint64_t)put;
    }
    text_clear(&spill->bytes);
    return 0;
}

static int spill_list(void *arg, const struct text *name, const struct occurrences *rows,
                      size_t count, struct error *err)
{
    struct spill *spill = arg;
    run_append(&spill->bytes, name->bytes, name->length, rows, count);
    return spill->bytes.length < WRITTEN ? 0 : write_out(spill, err);
}

static int open_file(struct runs *runs, struct error *err)
{
    char *path = path_join(runs->folder, ".retort-runs-XXXXXX");
    runs->file = mkostemp(path, O_CLOEXEC);
    int status =
        runs->file < 0 ? fail_errno(err, "%s: cannot create a temporary file", runs->folder) : 0;
    if (status == 0) unlink(path);
    free(path);
    return status;
}

static void run_free(struct run *run)
{
    text_free(&run->bytes);
    text_free(&run->name);
}

/* All runs in memory become one in the file. */
static int spill_held(struct runs *runs, struct error *err)
{
    if (!runs->in_file && open_file(runs, err)) return -1;
    struct spill spill = {.runs = runs};
    uint64_t place = runs->file_size;
    size_t first = runs->in_file;
    if (first == 0) runs->in_file = 1; /* the file is there to be closed */
    int status = merge_from(runs, first, spill_list, &spill, err);
    if (status == 0) status = write_out(&spill, err);
    text_free(&spill.bytes);
    for (size_t i = first; i < runs->count; i++) run_free(&runs->items[i]);
    runs->items[first] = (struct run){.place = place, .left = runs->file_size - place};
    runs->in_file = runs->count = first + 1;
    runs->held = 0;
    return status;
}

int runs_add(struct runs *runs, struct text *bytes, struct error *err)
{
    GROW(runs->items, runs->count, &runs->capacity);
    struct run *run = &runs->items[runs->count++];
    *run = (struct run){.bytes = *bytes};
    *bytes = (struct text){0};
    run->bytes.capacity = run->bytes.length + 1; /* no more than what counts as held */
    run->bytes.bytes = xrealloc(run->bytes.bytes, run->bytes.capacity, 1);
    run->next = (const unsigned char *)run->bytes.bytes;
    run->end = run->next + run->bytes.length;
    runs->held += run->bytes.length;
    return runs->held > runs->memory ? spill_held(runs, err) : 0;
}

void runs_free(struct runs *runs)
{
    for (size_t i = 0; i < runs->count; i++) run_free(&runs->items[i]);
    if (runs->in_file) close(runs->file);
    free(runs->items);
    *runs = (struct runs){0};
}
