/* student/top_k: against sorting everything. */
#include "student/top_k.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>

static bool before(struct hit a, struct hit b)
{
    return a.score > b.score || (a.score == b.score && a.row < b.row);
}

static int compare(const void *left, const void *right)
{
    const struct hit *a = left, *b = right;
    return before(*a, *b) ? -1 : before(*b, *a);
}

enum { ROWS = 300 };

/* Scores on a coarse grid, so that ties are many. */
static double coarse_score(size_t row)
{
    return floor(10 * (double)test_value(1, row));
}

START_TEST(keeps_the_best_in_any_order_of_offers)
{
    struct hit all[ROWS], hits[ROWS];
    for (size_t row = 0; row < ROWS; row++) all[row] = (struct hit){row, coarse_score(row)};
    qsort(all, ROWS, sizeof *all, compare);
    const size_t ks[] = {0, 1, 2, 3, 10, 299, 300};
    for (size_t i = 0; i < sizeof ks / sizeof *ks; i++)
        for (uint64_t stream = 0; stream < 5; stream++) {
            uint32_t order[ROWS];
            random_permutation(order, ROWS, 1, stream);
            struct top_k top = top_k_start(hits, ks[i]);
            for (size_t j = 0; j < ROWS; j++) top_k_offer(&top, order[j], coarse_score(order[j]));
            top_k_finish(&top);
            ck_assert_uint_eq(top.count, ks[i]);
            for (size_t j = 0; j < ks[i]; j++) ck_assert_uint_eq(hits[j].row, all[j].row);
        }
}
END_TEST

START_TEST(holds_all_where_there_are_fewer)
{
    struct hit hits[5];
    struct top_k top = top_k_start(hits, 5);
    top_k_offer(&top, 7, 1);
    top_k_offer(&top, 3, 2);
    top_k_finish(&top);
    ck_assert_uint_eq(top.count, 2);
    ck_assert_uint_eq(hits[0].row, 3);
    ck_assert_uint_eq(hits[1].row, 7);
}
END_TEST

START_TEST(nan_comes_last)
{
    struct hit hits[3];
    struct top_k top = top_k_start(hits, 3);
    const double scores[] = {NAN, 1, NAN, -INFINITY, 2, NAN};
    for (size_t row = 0; row < 6; row++) top_k_offer(&top, row, scores[row]);
    top_k_finish(&top);
    ck_assert_uint_eq(hits[0].row, 4);
    ck_assert_uint_eq(hits[1].row, 1);
    ck_assert_uint_eq(hits[2].row, 0);
    ck_assert(hits[2].score == -INFINITY);
    ck_assert(!top_k_admits(&top, 9, NAN));
}
END_TEST

/* In rising rows, with zeros of both signs, ties, infinities and NaN. */
START_TEST(a_reservoir_keeps_what_the_heap_keeps)
{
    const size_t ks[] = {0, 1, 2, 3, 10, 100, 299, 300, 301};
    for (size_t i = 0; i < sizeof ks / sizeof *ks; i++)
        for (uint64_t stream = 0; stream < 5; stream++) {
            struct hit heap[301], hits[301];
            uint64_t *keys = xcalloc(reservoir_room(ks[i]), sizeof *keys);
            struct top_k top = top_k_start(heap, ks[i]);
            struct reservoir reservoir = reservoir_start(keys, ks[i]);
            for (uint32_t row = 0; row < ROWS; row++) {
                float score = roundf(6 * test_value(stream, row));
                if (row % 50 == 7) score = row % 4 ? -INFINITY : INFINITY;
                if (row % 31 == 3) score = NAN;
                if (row % 17 == 2) score = -score;
                top_k_offer(&top, row, (double)score);
                reservoir_offer(&reservoir, row, score);
            }
            top_k_finish(&top);
            reservoir_finish(&reservoir, hits);
            ck_assert_uint_eq(reservoir.count, top.count);
            qsort(hits, reservoir.count, sizeof *hits, compare);
            for (size_t j = 0; j < top.count; j++) {
                ck_assert_uint_eq(hits[j].row, heap[j].row);
                ck_assert(hits[j].score == heap[j].score);
            }
            free(keys);
        }
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(keeps_the_best_in_any_order_of_offers),
        TEST(holds_all_where_there_are_fewer),
        TEST(nan_comes_last),
        TEST(a_reservoir_keeps_what_the_heap_keeps),
        {0},
    };
    return run_tests("student/top_k", rows);
}
