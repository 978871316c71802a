/* data/unicode: UTF-8 by the book; code points as the tokenizers library sees them. */
#include "data/unicode.h"
#include "tests/support.h"

#include <string.h>

START_TEST(valid_utf8_is_accepted)
{
    static const char *const valid[] = {
        "", "plain ASCII, longer than eight bytes", "\xc2\x80 \xdf\xbf",
        "\xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf", "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf"};
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++)
        ck_assert_msg(utf8_check(valid[i], strlen(valid[i]), NULL), "case %zu", i);
}
END_TEST

START_TEST(invalid_utf8_is_found)
{
    static const struct {
        const char *bytes;
        size_t bad;
    } invalid[] = {
        {"abc\x80", 3},          {"\xc0\xaf", 0},
        {"\xc1\xbf", 0},         {"12345678\xff", 8},
        {"\xe0\x80\x80", 0},     {"\xed\xa0\x80", 0},
        {"\xf0\x80\x80\x80", 0}, {"\xf4\x90\x80\x80", 0},
        {"\xf5\x80\x80\x80", 0}, {"a\xc3", 1},
        {"ab\xe2\x82", 2},       {"\xc3\xa9\xf0\x9f\x98", 2},
        {"\xc3\x28", 0},         {"\xe2\x28\xa1", 0},
        {"\xe2\x82\x28", 0},
    };
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        size_t bad = 99;
        ck_assert_msg(!utf8_check(invalid[i].bytes, strlen(invalid[i].bytes), &bad), "case %zu", i);
        ck_assert_uint_eq(bad, invalid[i].bad);
    }
}
END_TEST

START_TEST(every_code_point_survives_encoding)
{
    for (uint32_t code = 0; code < 0x110000; code++) {
        if (code >= 0xd800 && code < 0xe000) continue;
        char bytes[4];
        uint32_t back = 0;
        size_t size = utf8_encode(bytes, code);
        ck_assert(utf8_check(bytes, size, NULL));
        ck_assert_uint_eq(utf8_decode(&back, bytes, bytes + size), size);
        ck_assert_uint_eq(back, code);
        ck_assert_ptr_eq(utf8_previous(bytes, bytes + size), bytes);
    }
}
END_TEST

START_TEST(a_wrong_byte_is_one_replacement)
{
    static const char text[] = "\xe2\x82z";
    uint32_t code = 0;
    ck_assert_uint_eq(utf8_decode(&code, text, text + 3), 1);
    ck_assert_uint_eq(code, 0xfffd);
    ck_assert_uint_eq(utf8_decode(&code, text + 1, text + 3), 1);
    ck_assert_uint_eq(code, 0xfffd);
    ck_assert_uint_eq(utf8_decode(&code, text + 2, text + 3), 1);
    ck_assert_uint_eq(code, 'z');
}
END_TEST

START_TEST(wrong_bytes_are_repaired)
{
    struct text text = {0};
    utf8_repair(&text, "a\xff\xc3\xa9\xe2\x82", 6);
    ck_assert_str_eq(text.bytes, "a\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd");
    text_free(&text);
}
END_TEST

START_TEST(classes_are_as_the_library_has_them)
{
    static const uint32_t punctuation[] = {'!',    '$',    '_',    '~',    0xa1,
                                           0x2014, 0x3002, 0x166d, 0x111c9};
    static const uint32_t letters[] = {'a', '5', 0xe9, 0x20ac, 0x2e43, 0x10ead, 0x61d};
    static const uint32_t dropped[] = {1, 0xb, 0x7f, 0x85, 0xad, 0x200b, 0xfeff, 0xfffd, 0xe000};
    static const uint32_t kept[] = {'\t', '\n', '\r', ' ', 0x8e2, 0x13430, 0x378};
    for (size_t i = 0; i < sizeof punctuation / sizeof *punctuation; i++)
        ck_assert_msg(unicode_is_punctuation(punctuation[i]), "U+%04X", punctuation[i]);
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        ck_assert_msg(!unicode_is_punctuation(letters[i]), "U+%04X", letters[i]);
    for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++)
        ck_assert_msg(unicode_is_dropped(dropped[i]), "U+%04X", dropped[i]);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        ck_assert_msg(!unicode_is_dropped(kept[i]), "U+%04X", kept[i]);
    ck_assert(unicode_is_mark(0x301) && unicode_is_mark(0x1734) && !unicode_is_mark(0x8ca));
    ck_assert(!unicode_is_mark(0x302e) && !unicode_is_mark('a'));
    ck_assert(unicode_is_word('a') && unicode_is_word('_') && unicode_is_word(0x301));
    ck_assert(unicode_is_word(0x24b6) && unicode_is_word(0x200d) && unicode_is_word(0x2160));
    ck_assert(!unicode_is_word('-') && !unicode_is_word(' ') && !unicode_is_word(0xb2));
    size_t spaces = 0;
    for (uint32_t code = 0; code < 0x110000; code++) spaces += unicode_is_space(code);
    ck_assert_uint_eq(spaces, 25);
}
END_TEST

static void check_decomposition(uint32_t code, int count, const uint32_t *expected)
{
    uint32_t out[UNICODE_MAX_DECOMPOSITION];
    ck_assert_int_eq(unicode_decompose(out, code), count);
    ck_assert_mem_eq(out, expected, (size_t)count * sizeof *out);
}

START_TEST(mappings_are_as_the_library_has_them)
{
    uint32_t lower[2];
    static const uint32_t pairs[][2] = {{'A', 'a'},         {0xc4, 0xe4},    {0x3a3, 0x3c3},
                                        {0x1e9e, 0xdf},     {0x1c5, 0x1c6},  {0x10d51, 0x10d71},
                                        {0x16eb8, 0x16ed3}, {0xa7cb, 0x264}, {'1', '1'}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        ck_assert_int_eq(unicode_lower(lower, pairs[i][0]), 1);
        ck_assert_uint_eq(lower[0], pairs[i][1]);
    }
    ck_assert_int_eq(unicode_lower(lower, 0x130), 2);
    ck_assert(lower[0] == 'i' && lower[1] == 0x307);
    check_decomposition('a', 1, (const uint32_t[]){'a'});
    check_decomposition(0x1ed9, 3, (const uint32_t[]){'o', 0x323, 0x302});
    check_decomposition(0xac01, 3, (const uint32_t[]){0x1100, 0x1161, 0x11a8});
    check_decomposition(0x1f82, 4, (const uint32_t[]){0x3b1, 0x313, 0x300, 0x345});
    check_decomposition(0xf900, 1, (const uint32_t[]){0x8c48});
    check_decomposition(0x11938, 1, (const uint32_t[]){0x11938}); /* of Unicode 13 */
    ck_assert_int_eq(unicode_combining_class(0x301), 230);
    ck_assert_int_eq(unicode_combining_class(0x302e), 224);
    ck_assert_int_eq(unicode_combining_class(0x1df9), 0); /* of Unicode 14 */
    ck_assert_int_eq(unicode_combining_class('a'), 0);
}
END_TEST

/* All that the tokenizers see of all code points, in one number; scripts/check_tokenizer.py
 * unicode compares with the library, so that this number changes only with another version of
 * utf8proc or of the tables. */
START_TEST(all_code_points_are_as_compared)
{
    uint64_t hash = 0;
    for (uint32_t code = 0; code < 0x110000; code++) {
        uint32_t row[16] = {code};
        if (code >= 0xd800 && code < 0xe000) continue;
        row[1] = (uint32_t)unicode_lower(row + 2, code);
        row[4] = (uint32_t)unicode_decompose(row + 5, code);
        row[9] = (uint32_t)unicode_combining_class(code);
        row[10] = unicode_is_dropped(code);
        row[11] = unicode_is_punctuation(code);
        row[12] = unicode_is_mark(code);
        row[13] = unicode_is_space(code);
        hash = hash64(row, sizeof row, hash);
    }
    ck_assert_msg(hash == 0xbfa88d9b25dd230b, "the hash is 0x%016llx", (unsigned long long)hash);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(valid_utf8_is_accepted),
                                    TEST(invalid_utf8_is_found),
                                    TEST(every_code_point_survives_encoding),
                                    TEST(a_wrong_byte_is_one_replacement),
                                    TEST(wrong_bytes_are_repaired),
                                    TEST(classes_are_as_the_library_has_them),
                                    TEST(mappings_are_as_the_library_has_them),
                                    TEST(all_code_points_are_as_compared),
                                    {0}};
    return run_tests("data/unicode", rows);
}
