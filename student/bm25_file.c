/* Opening and checking an index: see bm25.h and bm25_file.h. */
#define _GNU_SOURCE
#include "student/bm25_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char bm25_magic[BM25_MAGIC_SIZE + 1] = "retort-bm25 1\n\0";
static const char any_version[] = "retort-bm25 ";

struct bm25_settings bm25_defaults(void)
{
    return (struct bm25_settings){.k1 = 0.9, .b = 0.4, .memory = (size_t)256 << 20};
}

size_t bm25_windows(size_t documents)
{
    return (documents + BM25_WINDOW - 1) / BM25_WINDOW;
}

bool bm25_has_windows(size_t postings, size_t num_windows)
{
    return postings / BM25_WINDOWED >= num_windows;
}

double bm25_quantum(size_t documents, double k1)
{
    double rarest = log(1 + ((double)documents - 0.5) / 1.5); /* the idf of a single document */
    int exponent;
    frexp(rarest * (k1 + 1), &exponent);
    return ldexp(1, exponent - 41);
}

/* The k-th largest of values [n], k from 1, which are reordered: quickselect (Hoare 1961). */
static float kth_largest(float *values, size_t n, size_t k)
{
    size_t first = 0, last = n - 1, wanted = k - 1;
    while (first < last) {
        float pivot = values[first + (last - first) / 2];
        size_t i = first, j = last;
        for (;;) {
            while (values[i] > pivot) i++;
            while (values[j] < pivot) j--;
            if (i >= j) break;
            float other = values[i];
            values[i++] = values[j];
            values[j--] = other;
        }
        if (wanted <= j)
            last = j;
        else
            first = j + 1;
    }
    return values[wanted];
}

void bm25_best(float best[BM25_RANKS], const union bm25_cell *postings, size_t count,
               float *scratch)
{
    size_t rank = 1000; /* of best[BM25_RANKS - 1] */
    for (size_t i = 0; i < count; i++) scratch[i] = postings[i].posting.weight;
    for (size_t i = BM25_RANKS; i-- > 0; rank /= 10) {
        best[i] = rank <= count ? kth_largest(scratch, count, rank) : 0;
        if (rank <= count) count = rank; /* the larger ones are among the first */
    }
}

/* ---- opening ---- */

/* Where sections lie, one after another. */
struct layout {
    const char *bytes;
    size_t at, size;
    bool fits;
};

static const void *next_section(struct layout *layout, uint64_t count, size_t element)
{
    size_t length;
    layout->at = (layout->at + 7) / 8 * 8;
    const char *section = layout->bytes + layout->at;
    if (__builtin_mul_overflow(count, element, &length) || layout->at > layout->size ||
        length > layout->size - layout->at)
        layout->fits = false;
    else
        layout->at += length;
    return section;
}

/* Its bytes and starts; slots are another section. */
static struct name_table next_names(struct layout *layout, uint64_t count, uint64_t length)
{
    struct name_table table = {.length = length, .count = count};
    table.bytes = next_section(layout, length, 1);
    table.starts = next_section(layout, count, sizeof *table.starts);
    return table;
}

static bool ends_in_nul(const struct name_table *table)
{
    return table->length == 0 || table->bytes[table->length - 1] == '\0';
}

static bool is_sane(const struct bm25_footer *footer)
{
    uint64_t slots = footer->name_slots;
    return footer->documents < UINT32_MAX && footer->terms < UINT32_MAX &&
           footer->cells >= footer->postings && (slots & (slots - 1)) == 0 &&
           (footer->ids == 0 || footer->ids == footer->documents) && footer->k1 >= 0 &&
           footer->k1 <= BM25_MOST_K1 && footer->b >= 0 && footer->b <= 1 &&
           footer->mean_length >= 0 && isfinite(footer->mean_length);
}

int bm25_view(struct bm25 *out, const char *path, struct error *err)
{
    const struct bm25_footer *footer = &out->footer;
    out->path = xstrdup(path);
    if (out->size < BM25_MAGIC_SIZE || memcmp(out->bytes, any_version, sizeof any_version - 1) != 0)
        return fail(err, "%s: not a BM25 index of retort", path);
    if (memcmp(out->bytes, bm25_magic, BM25_MAGIC_SIZE) != 0)
        return fail(err, "%s: a BM25 index of another version; make it again", path);
    struct layout layout = {out->bytes, BM25_MAGIC_SIZE, 0, true};
    if (out->size >= BM25_MAGIC_SIZE + sizeof *footer) {
        layout.size = out->size - sizeof *footer;
        memcpy(&out->footer, out->bytes + layout.size, sizeof *footer);
    }
    if (memcmp(footer->magic, bm25_magic, BM25_MAGIC_SIZE) != 0)
        return fail(err, "%s: cut off; make the index again", path);
    out->lists = next_section(&layout, footer->cells, sizeof *out->lists);
    out->terms = next_section(&layout, footer->terms, sizeof *out->terms);
    out->names = next_names(&layout, footer->terms, footer->name_bytes);
    out->names.slots = next_section(&layout, footer->name_slots, sizeof *out->names.slots);
    out->names.num_slots = footer->name_slots;
    out->ids = next_names(&layout, footer->ids, footer->id_bytes);
    next_section(&layout, 0, 1);
    if (!layout.fits || layout.at != layout.size || !is_sane(footer) || !ends_in_nul(&out->names) ||
        !ends_in_nul(&out->ids))
        return fail(err, "%s: damaged, its parts do not fit its size; make the index again", path);
    out->num_windows = bm25_windows(footer->documents);
    return 0;
}

int bm25_open(struct bm25 **out, const char *path, struct error *err)
{
    struct bm25 *index = xcalloc(1, sizeof *index);
    int status = file_map_open(&index->map, path, false, err);
    *out = NULL;
    index->bytes = (const char *)index->map.bytes;
    index->size = index->map.size;
    if (status == 0) status = bm25_view(index, path, err);
    if (status)
        bm25_free(index);
    else
        *out = index;
    return status;
}

bool bm25_is_index(const char *path)
{
    char start[sizeof any_version] = "";
    struct stat info;
    if (stat(path, &info) || !S_ISREG(info.st_mode)) return false;
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    size_t got = fread(start, 1, sizeof any_version - 1, file);
    fclose(file);
    return got == sizeof any_version - 1 && strcmp(start, any_version) == 0;
}

void bm25_free(struct bm25 *index)
{
    if (!index) return;
    if (!index->map.bytes) free((void *)index->bytes);
    file_map_close(&index->map);
    free(index->path);
    free(index);
}

struct bm25_facts bm25_facts(const struct bm25 *index)
{
    const struct bm25_footer *footer = &index->footer;
    return (struct bm25_facts){.documents = footer->documents,
                               .terms = footer->terms,
                               .postings = footer->postings,
                               .bytes = index->size,
                               .k1 = footer->k1,
                               .b = footer->b,
                               .mean_length = footer->mean_length};
}

const char *bm25_id(const struct bm25 *index, size_t row)
{
    return names_at(&index->ids, row);
}

/* ---- all of it ---- */

static uint64_t checksum_of(const char *bytes, size_t size)
{
    uint64_t checksum = 0;
    for (size_t at = 0; at < size; at += BM25_HASHED)
        checksum = hash64(bytes + at, size - at < BM25_HASHED ? size - at : BM25_HASHED, checksum);
    return checksum;
}

/* The windows of a list say what its postings do. */
static bool windows_agree(const struct bm25 *index, const union bm25_cell *windows,
                          const union bm25_cell *postings, size_t count)
{
    size_t i = 0;
    for (size_t w = 0; w < index->num_windows; w++) {
        float most = 0;
        for (; i < count && postings[i].posting.row / BM25_WINDOW == w; i++)
            if (postings[i].posting.weight > most) most = postings[i].posting.weight;
        if (windows[w].window.end != i || windows[w].window.most != most) return false;
    }
    return i == count;
}

static bool best_agree(const struct bm25_term *term, const union bm25_cell *postings)
{
    float best[BM25_RANKS], *scratch = xcalloc(term->documents, sizeof *scratch);
    bm25_best(best, postings, term->documents, scratch);
    free(scratch);
    return memcmp(best, term->best, sizeof best) == 0;
}

static bool list_is_sound(const struct bm25 *index, const struct bm25_term *term, size_t *cell)
{
    size_t count = term->documents;
    bool windowed = bm25_has_windows(count, index->num_windows);
    size_t tables = windowed ? index->num_windows : 0;
    size_t left = index->footer.cells - *cell;
    if (term->list != *cell || count == 0 || tables > left || count > left - tables) return false;
    const union bm25_cell *windows = index->lists + *cell, *postings = windows + tables;
    for (size_t i = 0; i < count; i++) {
        struct bm25_posting posting = postings[i].posting;
        if (posting.row >= index->footer.documents || !(posting.weight > 0) ||
            !isfinite(posting.weight) || (i && posting.row <= postings[i - 1].posting.row))
            return false;
    }
    *cell += tables + count;
    return best_agree(term, postings) &&
           (!windowed || windows_agree(index, windows, postings, count));
}

static int verify_terms(const struct bm25 *index, struct error *err)
{
    const char *before = "";
    size_t cell = 0, postings = 0;
    for (size_t t = 0; t < index->footer.terms; t++) {
        const char *name = names_at(&index->names, t);
        if (strcmp(before, name) >= 0 ||
            names_find(&index->names, name, strlen(name)) != (int64_t)t ||
            !list_is_sound(index, &index->terms[t], &cell))
            return fail(err, "%s: damaged at its term %zu; make the index again", index->path,
                        t + 1);
        postings += index->terms[t].documents;
        before = name;
    }
    return cell == index->footer.cells && postings == index->footer.postings
               ? 0
               : fail(err, "%s: damaged, lists are missing; make the index again", index->path);
}

static int verify_ids(const struct bm25 *index, struct error *err)
{
    size_t at = 0;
    for (size_t row = 0; row < index->ids.count; row++) {
        const char *id = names_at(&index->ids, row);
        if (index->ids.starts[row] != at || !*id)
            return fail(err, "%s: damaged at the id of document %zu; make the index again",
                        index->path, row + 1);
        at += strlen(id) + 1;
    }
    return 0;
}

int bm25_verify(const struct bm25 *index, struct error *err)
{
    size_t size = index->size - sizeof index->footer;
    if (checksum_of(index->bytes, size) != index->footer.checksum)
        return fail(err, "%s: damaged, its checksum is another; make the index again", index->path);
    return verify_terms(index, err) || verify_ids(index, err) ? -1 : 0;
}
