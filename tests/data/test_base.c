/* data/base: strings, maps, random numbers. */
#include "tests/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

START_TEST(first_error_is_kept)
{
    struct error err = {0};
    ck_assert_int_eq(fail_usage(&err, "cause %d", 1), -1);
    fail(&err, "consequence");
    ck_assert_str_eq(err.message, "cause 1");
    ck_assert_int_eq(err.status, STATUS_USAGE);
}
END_TEST

START_TEST(a_message_is_one_line)
{
    struct error err = {0};
    fail(&err, "tensor \"%s\"", "a\n\033[31mb\177");
    ck_assert_str_eq(err.message, "tensor \"a??[31mb?\"");
}
END_TEST

START_TEST(messages_hold_no_control_characters)
{
    struct error err = {0};
    fail(&err, "query %s",
         "\x1b[2J\n\x7f"
         "é");
    ck_assert_str_eq(err.message, "query ?[2J??é");
}
END_TEST

START_TEST(map_finds_what_was_inserted_first)
{
    static char keys[1000][12];
    struct strmap map = {0};
    ck_assert_int_eq(strmap_find(&map, "0"), -1);
    for (int i = 0; i < 1000; i++) {
        snprintf(keys[i], sizeof keys[i], "%d", i);
        ck_assert_int_eq(strmap_insert(&map, keys[i], i), i);
    }
    ck_assert_int_eq(strmap_insert(&map, "17", 5), 17);
    for (int i = 0; i < 1000; i++) ck_assert_int_eq(strmap_find(&map, keys[i]), i);
    ck_assert_int_eq(strmap_find_n(&map, "1234", 3), 123);
    ck_assert_int_eq(strmap_find(&map, "1000"), -1);
    strmap_free(&map);
}
END_TEST

START_TEST(text_grows)
{
    struct text text = {0};
    for (int i = 0; i < 100; i++) text_printf(&text, "%02d", i);
    ck_assert_uint_eq(text.length, 200);
    ck_assert_int_eq(strncmp(text.bytes + 196, "9899", 5), 0);
    text_free(&text);
}
END_TEST

START_TEST(random_numbers_have_their_moments)
{
    double sum = 0, squares = 0;
    for (uint64_t i = 0; i < 100000; i++) {
        double x = random_normal(13, 1, i);
        sum += x, squares += x * x;
    }
    ck_assert_double_lt(fabs(sum / 1e5), 0.01);
    ck_assert_double_lt(fabs(squares / 1e5 - 1), 0.02);
    ck_assert_uint_eq(random_bits(1, 2, 3), random_bits(1, 2, 3));
    ck_assert_uint_ne(random_bits(1, 2, 3), random_bits(1, 3, 2));
}
END_TEST

START_TEST(permutation_holds_each_number_once)
{
    uint32_t order[100];
    bool seen[100] = {false};
    random_permutation(order, 100, 1, 2);
    for (int i = 0; i < 100; i++) ck_assert(!seen[order[i]]), seen[order[i]] = true;
}
END_TEST

START_TEST(the_smallest_are_chosen)
{
    const uint64_t keys[] = {5, 1, 5, UINT64_MAX, 0, 5};
    static const char *const expected[] = {"......", "....x.", ".x..x.", "xx..x.",
                                           "xxx.x.", "xxx.xx", "xxxxxx", "xxxxxx"};
    for (size_t count = 0; count < 8; count++) {
        bool chosen[6] = {false};
        choose_smallest(chosen, keys, 6, count);
        for (size_t i = 0; i < 6; i++) ck_assert_int_eq(chosen[i], expected[count][i] == 'x');
    }
    bool none;
    choose_smallest(&none, keys, 0, 3);
    ck_assert_double_eq(hash_place(0), 0);
    ck_assert(hash_place(UINT64_MAX) < 1 && hash_place(UINT64_MAX) > 0.9999);
}
END_TEST

START_TEST(arena_pieces_do_not_overlap)
{
    struct arena arena = {0};
    char *pieces[300];
    for (int i = 0; i < 300; i++) {
        pieces[i] = arena_alloc(&arena, 1000);
        memset(pieces[i], i % 100, 1000);
    }
    for (int i = 0; i < 300; i++) ck_assert_int_eq(pieces[i][999], i % 100);
    ck_assert_str_eq(arena_strndup(&arena, "retort", 3), "ret");
    arena_free(&arena);
    ck_assert_ptr_null(arena.blocks);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(first_error_is_kept),
        TEST(a_message_is_one_line),
        TEST(messages_hold_no_control_characters),
        TEST(map_finds_what_was_inserted_first),
        TEST(text_grows),
        TEST(random_numbers_have_their_moments),
        TEST(permutation_holds_each_number_once),
        TEST(the_smallest_are_chosen),
        TEST(arena_pieces_do_not_overlap),
        {0},
    };
    return run_tests("data/base", rows);
}
