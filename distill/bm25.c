/* See bm25.h.
 *
 * Building: the documents are cut into parts.  One worker turns a part into a list of (term, row,
 * times) with terms numbered within the part.  Then the parts' vocabularies are joined in order,
 * which numbers terms by their first appearance in the collection whatever the parts were, and
 * every part fills its own stretch of each posting list.
 *
 * Searching: all terms' postings of the next WINDOW rows are summed in a small array before rows
 * beyond are touched, so a search needs no memory in proportion to the collection.
 */
#include "distill/bm25.h"

#include "distill/terms.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 4096, PARTS_PER_WORKER = 4 };

struct posting {
    uint32_t row;
    float weight; /* what the term adds to the row's score */
};
struct bm25 {
    size_t num_documents, num_terms;
    struct strmap terms; /* to 0 .. num_terms - 1 */
    struct arena strings;
    size_t *starts; /* [num_terms + 1]: term t's postings are starts[t] .. starts[t + 1] - 1 */
    struct posting *postings; /* rows rising within a term */
};

/* ---- building ---- */

struct part_term {
    const char *name;
    size_t latest;    /* its last entry in counts */
    size_t documents; /* of this part that hold it */
    size_t number;    /* in the index */
    size_t place;     /* of the part's next posting of this term in the index */
    double idf;
};
struct count {
    uint32_t term, row, times;
};
struct part {
    size_t first, last; /* rows first .. last - 1 */
    struct strmap rows; /* of terms */
    struct arena strings;
    struct part_term *terms;
    size_t num_terms, terms_capacity;
    struct count *counts;
    size_t num_counts, counts_capacity;
};
struct build {
    const char *const *documents;
    size_t num_documents;
    struct part *parts;
    size_t num_parts;
    uint32_t *lengths; /* [num_documents], in terms */
    double k1, b, mean_length;
    struct bm25 *index;
};

static struct part_term *find_or_add_term(struct part *part, const struct text *term)
{
    int64_t row = strmap_find_n(&part->rows, term->bytes, term->length);
    if (row >= 0) return &part->terms[row];
    GROW(part->terms, part->num_terms, &part->terms_capacity);
    struct part_term *added = &part->terms[part->num_terms];
    *added = (struct part_term){.name = arena_strndup(&part->strings, term->bytes, term->length)};
    strmap_insert(&part->rows, added->name, (int64_t)part->num_terms++);
    return added;
}

static void count_term(struct part *part, struct part_term *term, uint32_t row)
{
    if (term->documents && part->counts[term->latest].row == row) {
        part->counts[term->latest].times++;
        return;
    }
    GROW(part->counts, part->num_counts, &part->counts_capacity);
    part->counts[part->num_counts] = (struct count){(uint32_t)(term - part->terms), row, 1};
    term->latest = part->num_counts++;
    term->documents++;
}

static void count_part(void *arg, size_t item, int worker)
{
    struct build *build = arg;
    struct part *part = &build->parts[item];
    struct text term = {0};
    (void)worker;
    for (size_t row = part->first; row < part->last; row++) {
        const char *place = build->documents[row];
        for (; next_term(&place, &term); build->lengths[row]++)
            count_term(part, find_or_add_term(part, &term), (uint32_t)row);
    }
    text_free(&term);
}

static void join_vocabularies(struct build *build)
{
    struct bm25 *index = build->index;
    for (size_t p = 0; p < build->num_parts; p++)
        for (size_t t = 0; t < build->parts[p].num_terms; t++) {
            struct part_term *term = &build->parts[p].terms[t];
            int64_t number = strmap_find(&index->terms, term->name);
            if (number < 0) {
                char *name = arena_strndup(&index->strings, term->name, strlen(term->name));
                number = strmap_insert(&index->terms, name, (int64_t)index->num_terms++);
            }
            term->number = (size_t)number;
        }
}

/* Lays out the posting lists and finds each part's stretch of each. */
static void place_postings(struct build *build)
{
    struct bm25 *index = build->index;
    size_t *starts = index->starts = xcalloc(index->num_terms + 2, sizeof *starts);
    for (size_t p = 0; p < build->num_parts; p++)
        for (size_t t = 0; t < build->parts[p].num_terms; t++)
            starts[build->parts[p].terms[t].number + 2] += build->parts[p].terms[t].documents;
    for (size_t t = 1; t <= index->num_terms; t++) starts[t + 1] += starts[t];

    /* Shifted by one: starts[t + 1] is where term t's next stretch begins, and in the end where its
     * list ends. */
    for (size_t p = 0; p < build->num_parts; p++)
        for (size_t t = 0; t < build->parts[p].num_terms; t++) {
            struct part_term *term = &build->parts[p].terms[t];
            term->place = starts[term->number + 1];
            starts[term->number + 1] += term->documents;
        }
    index->postings = xcalloc(starts[index->num_terms], sizeof *index->postings);
}

static double idf_of(const struct bm25 *index, size_t term)
{
    double df = (double)(index->starts[term + 1] - index->starts[term]);
    return log(1 + ((double)index->num_documents - df + 0.5) / (df + 0.5));
}

static void fill_part(void *arg, size_t item, int worker)
{
    const struct build *build = arg;
    struct part *part = &build->parts[item];
    (void)worker;
    for (size_t t = 0; t < part->num_terms; t++)
        part->terms[t].idf = idf_of(build->index, part->terms[t].number);
    for (size_t i = 0; i < part->num_counts; i++) {
        struct count count = part->counts[i];
        struct part_term *term = &part->terms[count.term];
        double length = build->lengths[count.row] / build->mean_length;
        double norm = build->k1 * (1 - build->b + build->b * length);
        double weight = term->idf * count.times * (build->k1 + 1) / (count.times + norm);
        build->index->postings[term->place++] = (struct posting){count.row, (float)weight};
    }
}

static void cut_parts(struct build *build, struct pool *pool)
{
    size_t n = build->num_documents;
    build->num_parts = pool ? (size_t)pool_size(pool) * PARTS_PER_WORKER : 1;
    build->parts = xcalloc(build->num_parts, sizeof *build->parts);
    for (size_t p = 0; p < build->num_parts; p++) {
        build->parts[p].first = n * p / build->num_parts;
        build->parts[p].last = n * (p + 1) / build->num_parts;
    }
}

static void for_each_part(struct build *build, struct pool *pool,
                          void (*work)(void *arg, size_t item, int worker))
{
    if (pool)
        pool_run(pool, build->num_parts, work, build);
    else
        for (size_t p = 0; p < build->num_parts; p++) work(build, p, 0);
}

static double mean_length(const struct build *build)
{
    uint64_t sum = 0;
    for (size_t row = 0; row < build->num_documents; row++) sum += build->lengths[row];
    return (double)sum / (double)build->num_documents;
}

static void build_free(struct build *build)
{
    for (size_t p = 0; p < build->num_parts; p++) {
        strmap_free(&build->parts[p].rows);
        arena_free(&build->parts[p].strings);
        free(build->parts[p].terms);
        free(build->parts[p].counts);
    }
    free(build->parts);
    free(build->lengths);
}

struct bm25 *bm25_build(const char *const *documents, size_t n, double k1, double b,
                        struct pool *pool)
{
    REQUIRE(n < UINT32_MAX);
    struct bm25 *index = xcalloc(1, sizeof *index);
    struct build build = {.documents = documents,
                          .num_documents = n,
                          .lengths = xcalloc(n, sizeof(uint32_t)),
                          .k1 = k1,
                          .b = b,
                          .index = index};
    index->num_documents = n;
    cut_parts(&build, pool);
    for_each_part(&build, pool, count_part);
    build.mean_length = mean_length(&build); /* 0 or NaN only where there is no posting to use it */
    join_vocabularies(&build);
    place_postings(&build);
    for_each_part(&build, pool, fill_part);
    build_free(&build);
    return index;
}

void bm25_free(struct bm25 *index)
{
    if (!index) return;
    strmap_free(&index->terms);
    arena_free(&index->strings);
    free(index->starts);
    free(index->postings);
    free(index);
}

/* ---- searching ---- */

struct cursor {
    const struct posting *next, *end;
};

static int compare_numbers(const void *left, const void *right)
{
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    return (a > b) - (a < b);
}

/* The query's distinct known terms as cursors at the head of their lists; returns how many. */
static size_t open_cursors(const struct bm25 *index, const char *query, struct cursor **out)
{
    size_t *numbers = NULL, count = 0, capacity = 0, distinct = 0;
    struct text term = {0};
    while (next_term(&query, &term)) {
        int64_t number = strmap_find_n(&index->terms, term.bytes, term.length);
        if (number < 0) continue;
        GROW(numbers, count, &capacity);
        numbers[count++] = (size_t)number;
    }
    text_free(&term);
    if (count) qsort(numbers, count, sizeof *numbers, compare_numbers);
    struct cursor *cursors = xcalloc(count, sizeof *cursors);
    for (size_t i = 0; i < count; i++) {
        if (i && numbers[i] == numbers[i - 1]) continue;
        cursors[distinct++] = (struct cursor){index->postings + index->starts[numbers[i]],
                                              index->postings + index->starts[numbers[i] + 1]};
    }
    free(numbers);
    *out = cursors;
    return distinct;
}

static size_t next_row(const struct cursor *cursors, size_t count)
{
    size_t row = SIZE_MAX;
    for (size_t i = 0; i < count; i++)
        if (cursors[i].next < cursors[i].end && cursors[i].next->row < row)
            row = cursors[i].next->row;
    return row;
}

static void sum_window(double scores[WINDOW], size_t first, struct cursor *cursors, size_t count)
{
    memset(scores, 0, WINDOW * sizeof *scores);
    for (size_t i = 0; i < count; i++) {
        struct cursor *cursor = &cursors[i];
        for (; cursor->next < cursor->end && cursor->next->row < first + WINDOW; cursor->next++)
            scores[cursor->next->row - first] += (double)cursor->next->weight;
    }
}

size_t bm25_search(const struct bm25 *index, const char *query, size_t k, struct hit *hits)
{
    double scores[WINDOW];
    struct cursor *cursors;
    size_t count = open_cursors(index, query, &cursors), first;
    struct top_k top = top_k_start(hits, k);
    while ((first = next_row(cursors, count)) != SIZE_MAX) {
        sum_window(scores, first, cursors, count);
        for (size_t i = 0; i < WINDOW; i++)
            if (scores[i] > 0) top_k_offer(&top, first + i, scores[i]);
    }
    free(cursors);
    top_k_finish(&top);
    return top.count;
}
