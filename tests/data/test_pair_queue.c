/* data/pair_queue: the order in which pairs come, and their words. */
#include "data/pair_queue.h"
#include "tests/support.h"

static void check_pop(struct pair_queue *queue, int left, int right, int count)
{
    struct pair pair;
    ck_assert(pair_queue_pop(queue, &pair));
    ck_assert_int_eq(pair.left, left);
    ck_assert_int_eq(pair.right, right);
    ck_assert_int_eq(pair.count, count);
}

START_TEST(frequent_pairs_come_first_then_small_ones)
{
    struct pair_queue queue = {0};
    struct pair pair;
    ck_assert(!pair_queue_pop(&queue, &pair));
    pair_queue_change(&queue, 2, 1, 5, 0);
    pair_queue_change(&queue, 1, 9, 5, 0);
    pair_queue_change(&queue, 1, 3, 5, 0);
    pair_queue_change(&queue, 7, 7, 2, 0);
    pair_queue_change(&queue, 7, 7, 4, 1);
    pair_queue_change(&queue, 8, 8, 3, 1);
    pair_queue_change(&queue, 8, 8, -3, 1); /* nothing is left of it */
    pair_queue_commit(&queue);
    check_pop(&queue, 7, 7, 6);
    check_pop(&queue, 1, 3, 5);
    check_pop(&queue, 1, 9, 5);
    check_pop(&queue, 2, 1, 5);
    ck_assert(!pair_queue_pop(&queue, &pair));
    pair_queue_free(&queue);
}
END_TEST

START_TEST(words_of_a_pair_are_each_given_once)
{
    struct pair_queue queue = {0};
    struct pair pair;
    for (uint32_t word = 0; word < 9; word++)
        for (int times = 0; times < 3; times++) pair_queue_change(&queue, 1, 2, 1, word);
    pair_queue_commit(&queue);
    ck_assert(pair_queue_pop(&queue, &pair));
    uint32_t at = pair.words, word, seen = 0, count = 0;
    for (; pair_queue_word(&queue, &at, &word); count++) seen |= 1u << word;
    ck_assert_uint_eq(count, 9);
    ck_assert_uint_eq(seen, 0x1ff);
    pair_queue_free(&queue);
}
END_TEST

START_TEST(pairs_that_lost_come_later)
{
    struct pair_queue queue = {0};
    struct pair pair;
    pair_queue_change(&queue, 1, 2, 5, 0);
    pair_queue_change(&queue, 3, 4, 9, 1);
    pair_queue_change(&queue, 5, 6, 8, 2);
    pair_queue_change(&queue, 7, 8, 1, 2);
    pair_queue_commit(&queue);
    check_pop(&queue, 3, 4, 9);
    pair_queue_change(&queue, 5, 6, -4, 1);
    pair_queue_change(&queue, 7, 8, -1, 2);
    pair_queue_change(&queue, 9, 1, 4, 3); /* as frequent as 5 6 is now */
    pair_queue_commit(&queue);
    check_pop(&queue, 1, 2, 5);
    check_pop(&queue, 5, 6, 4);
    check_pop(&queue, 9, 1, 4);
    ck_assert(!pair_queue_pop(&queue, &pair));
    pair_queue_free(&queue);
}
END_TEST

/* Every pair that was put in comes out, in order. */
START_TEST(many_pairs_are_sorted)
{
    enum { SYMBOLS = 120 };
    struct pair_queue queue = {0};
    struct pair pair, last = {.count = INT64_MAX};
    for (uint32_t i = 0; i < SYMBOLS * SYMBOLS; i++)
        pair_queue_change(&queue, (int32_t)(i % SYMBOLS), (int32_t)(i / SYMBOLS),
                          (int64_t)(random_bits(1, 2, i) % 50), i);
    pair_queue_commit(&queue);
    size_t count = 0, expected = 0;
    for (uint32_t i = 0; i < SYMBOLS * SYMBOLS; i++) expected += random_bits(1, 2, i) % 50 > 0;
    for (; pair_queue_pop(&queue, &pair); count++, last = pair) {
        bool later = pair.left > last.left || (pair.left == last.left && pair.right > last.right);
        ck_assert(pair.count < last.count || (pair.count == last.count && later));
    }
    ck_assert_uint_eq(count, expected);
    pair_queue_free(&queue);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(frequent_pairs_come_first_then_small_ones),
                                    TEST(words_of_a_pair_are_each_given_once),
                                    TEST(pairs_that_lost_come_later),
                                    TEST(many_pairs_are_sorted),
                                    {0}};
    return run_tests("data/pair_queue", rows);
}
