/* Searching a BM25 index: see bm25.h.
 *
 * MaxScore by windows of rows (Turtle & Flood 1995; its window bounds as in Ding & Suel 2011,
 * block-max).  In each window a term has a bound, the largest weight it has there.  The terms whose
 * bounds together cannot lift a document over the k-th best score so far need not be looked at, but
 * for documents that others bring up: the lists of these others are summed in a small array, which
 * stays in the nearest cache, and what may yet get over the threshold is looked up in the rest, the
 * largest bound first.  A window whose bounds do not add up to the threshold is left out.
 *
 * From the start the threshold is what the k-th best document of a single term has (Kane & Tompa
 * 2018).
 *
 * Nothing of this is approximate: sums of weights are exact in every order (bm25_file.h), bounds
 * too, and rows rise, so that a later row with an equal score would come after all that are kept.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/terms.h"
#include "student/bm25_file.h"

enum {
    NEAR = 8,    /* postings of a cache line */
    LOOK_UP = 16 /* postings that are added in the time in which one is looked up */
};

struct cursor {
    const union bm25_cell *windows; /* NULL: the list is short */
    const union bm25_cell *postings;
    size_t count;
    size_t begin, end; /* postings in the window */
    double most;       /* weight there */
};
struct candidate {
    uint32_t offset; /* row in the window */
    double score;    /* so far */
};
struct search {
    const struct bm25 *index;
    struct cursor *cursors;
    size_t count;
    struct cursor **order; /* [count], rising by their bounds in the window */
    double *sums;          /* [count + 1] of the bounds of the first of them */
    struct top_k top;
    double floor; /* k documents or more have a larger score, as is known from the start */
    double scores[BM25_WINDOW]; /* of the window's rows; all 0 between windows */
    size_t num_touched;
    uint32_t touched[BM25_WINDOW + 1]; /* offsets of scores that are not 0, and room for one */
    struct candidate candidates[BM25_WINDOW + 1];
};

/* ---- terms ---- */

static int compare_numbers(const void *left, const void *right)
{
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    return (a > b) - (a < b);
}

/* The query's distinct known terms; returns how many. */
static size_t find_terms(const struct bm25 *index, const char *query, size_t **out)
{
    size_t *numbers = NULL, count = 0, capacity = 0, distinct = 0;
    struct text term = {0};
    while (next_term(&query, &term)) {
        int64_t number = names_find(&index->names, term.bytes, term.length);
        if (number < 0) continue;
        GROW(numbers, count, &capacity);
        numbers[count++] = (size_t)number;
    }
    text_free(&term);
    if (count) qsort(numbers, count, sizeof *numbers, compare_numbers);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || numbers[i] != numbers[i - 1]) numbers[distinct++] = numbers[i];
    *out = numbers;
    return distinct;
}

/* False where a damaged file has no such list. */
static bool open_cursor(struct cursor *out, const struct bm25 *index, size_t number)
{
    const struct bm25_term *term = &index->terms[number];
    size_t count = term->documents, cells = index->footer.cells;
    size_t windows = bm25_has_windows(count, index->num_windows) ? index->num_windows : 0;
    if (term->list > cells || windows + count > cells - term->list) return false;
    const union bm25_cell *list = index->lists + term->list;
    *out = (struct cursor){
        .windows = windows ? list : NULL, .postings = list + windows, .count = count};
    return true;
}

/* What the term's k-th best document is known to have at least: a bound just below it, which that
 * document itself gets over. */
static double floor_of(const struct bm25_term *term, size_t k)
{
    size_t rank = 1;
    for (size_t i = 0; i < BM25_RANKS; i++, rank *= 10)
        if (rank >= k) return nextafter((double)term->best[i], 0);
    return 0;
}

static void open_cursors(struct search *search, const char *query)
{
    size_t *numbers, count = find_terms(search->index, query, &numbers);
    search->cursors = xcalloc(count, sizeof *search->cursors);
    search->order = xcalloc(count, sizeof *search->order);
    search->sums = xcalloc(count + 1, sizeof *search->sums);
    for (size_t i = 0; i < count; i++) {
        struct cursor *cursor = &search->cursors[search->count];
        if (!open_cursor(cursor, search->index, numbers[i])) continue;
        search->order[search->count++] = cursor;
        search->floor =
            fmax(search->floor, floor_of(&search->index->terms[numbers[i]], search->top.k));
    }
    free(numbers);
}

/* ---- windows ---- */

/* The first window from `window` on in which there may be a posting, or num_windows. */
static size_t next_window(const struct search *search, size_t window)
{
    size_t next = search->index->num_windows;
    for (size_t i = 0; i < search->count; i++) {
        const struct cursor *cursor = &search->cursors[i];
        if (cursor->windows) return window;
        if (cursor->end == cursor->count) continue;
        size_t its = cursor->postings[cursor->end].posting.row / BM25_WINDOW;
        if (its < next) next = its;
    }
    return next > window ? next : window;
}

static void enter_window(struct cursor *cursor, size_t window)
{
    if (cursor->windows) {
        size_t end = cursor->windows[window].window.end;
        size_t begin = window ? cursor->windows[window - 1].window.end : 0;
        cursor->end = end < cursor->count ? end : cursor->count;
        cursor->begin = begin < cursor->end ? begin : cursor->end;
        cursor->most = (double)cursor->windows[window].window.most;
        return;
    }
    float most = 0;
    size_t at = cursor->begin = cursor->end;
    for (; at < cursor->count && cursor->postings[at].posting.row / BM25_WINDOW <= window; at++)
        if (cursor->postings[at].posting.weight > most) most = cursor->postings[at].posting.weight;
    cursor->end = at;
    cursor->most = (double)most;
}

/* Enters the window; the number of terms, in order, that alone do not get over the threshold. */
static size_t enter_all(struct search *search, size_t window, double threshold)
{
    size_t left_out = 0;
    for (size_t i = 0; i < search->count; i++) enter_window(&search->cursors[i], window);
    for (size_t i = 1; i < search->count; i++) {
        struct cursor *cursor = search->order[i];
        size_t at = i;
        for (; at > 0 && search->order[at - 1]->most > cursor->most; at--)
            search->order[at] = search->order[at - 1];
        search->order[at] = cursor;
    }
    for (size_t i = 0; i < search->count; i++) {
        search->sums[i + 1] = search->sums[i] + search->order[i]->most;
        if (search->sums[i + 1] <= threshold) left_out = i + 1;
    }
    return left_out;
}

/* A damaged file may repeat rows, with weights of 0: they are not touched more often than there is
 * room. */
static void add_list(struct search *search, const struct cursor *cursor)
{
    size_t touched = search->num_touched;
    for (size_t i = cursor->begin; i < cursor->end; i++) {
        struct bm25_posting posting = cursor->postings[i].posting;
        uint32_t offset = posting.row % BM25_WINDOW;
        double score = search->scores[offset];
        search->touched[touched] = offset;
        touched += (score == 0) & (touched < BM25_WINDOW);
        search->scores[offset] = score + (double)posting.weight;
    }
    search->num_touched = touched;
}

/* Scores beyond least become candidates, and all of them 0; returns how many. */
static size_t take_candidates(struct search *search, double least)
{
    size_t count = 0;
    for (size_t i = 0; i < search->num_touched; i++) {
        uint32_t offset = search->touched[i];
        double score = search->scores[offset];
        search->scores[offset] = 0;
        search->candidates[count] = (struct candidate){offset, score};
        count += score > least;
    }
    search->num_touched = 0;
    return count;
}

/* The row's weight in the list, which has postings in the window, or 0.  Rows are spread evenly
 * enough that it is near where it would be if they were so exactly; what costs here is memory that
 * is in no cache. */
static double weight_of(const struct cursor *cursor, uint32_t row)
{
    const union bm25_cell *postings = cursor->postings;
    size_t begin = cursor->begin, end = cursor->end, step = NEAR;
    size_t low = begin + row % BM25_WINDOW * (end - begin) / BM25_WINDOW, high = low;
    if (postings[low].posting.row <= row) {
        for (; high < end && postings[high].posting.row <= row; step *= 2) low = high, high += step;
        if (high > end) high = end;
    } else {
        for (; low > begin && postings[low].posting.row > row; step *= 2) {
            high = low;
            low = low - begin > step ? low - step : begin;
        }
    }
    /* The last of low .. high - 1 whose row is not larger, or low. */
    for (size_t count = high - low; count > 1;) {
        size_t half = count / 2;
        low += (postings[low + half].posting.row <= row) * half;
        count -= half;
    }
    return postings[low].posting.row == row ? (double)postings[low].posting.weight : 0;
}

static void look_up(struct search *search, size_t count, const struct cursor *cursor,
                    size_t first_row)
{
    for (size_t i = 0; i < count; i++)
        search->candidates[i].score +=
            weight_of(cursor, (uint32_t)first_row + search->candidates[i].offset);
}

/* The same by the whole list, where that is shorter work. */
static void add_whole_list(struct search *search, size_t count, const struct cursor *cursor)
{
    struct candidate *candidates = search->candidates;
    double *scores = search->scores;
    for (size_t i = 0; i < count; i++) scores[candidates[i].offset] = candidates[i].score;
    for (size_t i = cursor->begin; i < cursor->end; i++) {
        struct bm25_posting posting = cursor->postings[i].posting;
        scores[posting.row % BM25_WINDOW] += (double)posting.weight;
    }
    for (size_t i = 0; i < count; i++) candidates[i].score = scores[candidates[i].offset];
    for (size_t i = cursor->begin; i < cursor->end; i++)
        scores[cursor->postings[i].posting.row % BM25_WINDOW] = 0;
    for (size_t i = 0; i < count; i++) scores[candidates[i].offset] = 0;
}

/* Adds the term's weights to the candidates; returns how many stay beyond least. */
static size_t complete(struct search *search, size_t count, const struct cursor *cursor,
                       size_t first_row, double least)
{
    size_t kept = 0, length = cursor->end - cursor->begin;
    if (length == 0) return count;
    if (count * LOOK_UP < length)
        look_up(search, count, cursor, first_row);
    else
        add_whole_list(search, count, cursor);
    for (size_t i = 0; i < count; i++) {
        search->candidates[kept] = search->candidates[i];
        kept += search->candidates[i].score > least;
    }
    return kept;
}

static void search_window(struct search *search, size_t window)
{
    struct top_k *top = &search->top;
    double threshold = top->count == top->k ? top->hits[0].score : 0;
    if (threshold < search->floor) threshold = search->floor;
    size_t first_row = window * BM25_WINDOW, left_out = enter_all(search, window, threshold);
    if (left_out == search->count) return;
    for (size_t i = left_out; i < search->count; i++) add_list(search, search->order[i]);
    size_t count = take_candidates(search, threshold - search->sums[left_out]);
    for (size_t i = left_out; count && i-- > 0;)
        count = complete(search, count, search->order[i], first_row, threshold - search->sums[i]);
    for (size_t i = 0; i < count; i++) {
        struct candidate candidate = search->candidates[i];
        size_t row = first_row + candidate.offset;
        if (top->count == top->k && candidate.score < top->hits[0].score) continue;
        if (row < search->index->footer.documents) top_k_offer(top, row, candidate.score);
    }
}

size_t bm25_search(const struct bm25 *index, const char *query, size_t k, struct hit *hits)
{
    struct search search;
    if (k == 0) return 0;
    memset(&search, 0, offsetof(struct search, touched));
    search.index = index;
    search.top = top_k_start(hits, k);
    open_cursors(&search, query);
    for (size_t w = 0; (w = next_window(&search, w)) < index->num_windows; w++)
        search_window(&search, w);
    free(search.cursors);
    free(search.order);
    free(search.sums);
    top_k_finish(&search.top);
    return search.top.count;
}
