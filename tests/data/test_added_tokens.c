/* data/added_tokens: which pieces of a text are tokens, and which spaces they take along. */
#include "data/added_tokens.h"
#include "tests/support.h"

#include <string.h>

static struct added_tokens added_of(const struct added_token *tokens, size_t count)
{
    struct added_tokens added = {0};
    for (size_t i = 0; i < count; i++) {
        struct added_token token = tokens[i];
        token.length = strlen(token.pattern);
        added_tokens_add(&added, &token);
    }
    return added;
}

/* The pieces as "text|<7>|text". */
static void check_pieces(const struct added_tokens *added, bool normalized, const char *text,
                         const char *expected)
{
    struct text found = {0};
    struct added_scan scan = {
        .added = added, .normalized = normalized, .text = text, .length = strlen(text)};
    text_puts(&found, "");
    while (added_next(&scan)) {
        if (found.length) text_puts(&found, "|");
        if (scan.token)
            text_printf(&found, "<%d>", (int)scan.token->id);
        else
            text_append(&found, text + scan.begin, scan.end - scan.begin);
    }
    ck_assert_msg(!strcmp(found.bytes, expected), "\"%s\" gives \"%s\", not \"%s\"", text,
                  found.bytes, expected);
    text_free(&found);
}

START_TEST(leftmost_longest_match_counts)
{
    const struct added_token tokens[] = {{.pattern = (char[]){"ab"}, .id = 1},
                                         {.pattern = (char[]){"abc"}, .id = 2},
                                         {.pattern = (char[]){"bcd"}, .id = 3},
                                         {.pattern = (char[]){"N"}, .id = 4, .normalized = true}};
    struct added_tokens added = added_of(tokens, 4);
    check_pieces(&added, false, "", "");
    check_pieces(&added, false, "plain N", "plain N");
    check_pieces(&added, false, "xabcdx", "x|<2>|dx");
    check_pieces(&added, false, "abab", "<1>|<1>");
    check_pieces(&added, false, "aab", "a|<1>");
    check_pieces(&added, false, "bcdab", "<3>|<1>");
    check_pieces(&added, true, "abN", "ab|<4>");
    added_tokens_free(&added);
    ck_assert_ptr_null(added.items);
}
END_TEST

START_TEST(single_words_stand_alone)
{
    const struct added_token token = {.pattern = (char[]){"fox"}, .id = 1, .single_word = true};
    struct added_tokens added = added_of(&token, 1);
    check_pieces(&added, false, "fox", "<1>");
    check_pieces(&added, false, "a fox, fox-fox", "a |<1>|, |<1>|-|<1>");
    check_pieces(&added, false, "foxes fox_ 1fox foxfox", "foxes fox_ 1fox foxfox");
    check_pieces(&added, false,
                 "\xc3\xa9"
                 "fox fox\xcc\x81 \xe2\x80\x94"
                 "fox",
                 "\xc3\xa9"
                 "fox fox\xcc\x81 \xe2\x80\x94|<1>");
    added_tokens_free(&added);
}
END_TEST

START_TEST(spaces_are_taken_along)
{
    const struct added_token tokens[] = {{.pattern = (char[]){"[L]"}, .id = 1, .lstrip = true},
                                         {.pattern = (char[]){"[R]"}, .id = 2, .rstrip = true}};
    struct added_tokens added = added_of(tokens, 2);
    check_pieces(&added, false, "a  [L]  b", "a|<1>|  b");
    check_pieces(&added, false, "a \t\xe3\x80\x80[L]", "a|<1>");
    check_pieces(&added, false, "  [R] \n b", "  |<2>|b");
    check_pieces(&added, false, "[R]  [L]", "<2>|<1>");
    check_pieces(&added, false, " [L][R] ", "<1>|<2>");
    added_tokens_free(&added);
}
END_TEST

START_TEST(the_later_of_one_id_stays)
{
    const struct added_token tokens[] = {{.pattern = (char[]){"a"}, .id = 1},
                                         {.pattern = (char[]){""}, .id = 2},
                                         {.pattern = (char[]){"b"}, .id = 1, .special = true}};
    struct added_tokens added = added_of(tokens, 3);
    ck_assert_uint_eq(added.count, 1);
    ck_assert(added.items[0].special);
    check_pieces(&added, false, "ab", "a|<1>");
    added_tokens_free(&added);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(leftmost_longest_match_counts),
                                    TEST(single_words_stand_alone),
                                    TEST(spaces_are_taken_along),
                                    TEST(the_later_of_one_id_stays),
                                    {0}};
    return run_tests("data/added_tokens", rows);
}
