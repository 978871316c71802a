/* data/sentences: where one ends, and where it only looks so. */
#include "data/sentences.h"
#include "data/unicode.h"
#include "tests/support.h"

#include <string.h>

/* The sentences of a text, joined by "|". */
static void check_sentences(const char *text, const char *expected)
{
    struct text joined = {0};
    struct sentences sentences = sentences_of(text);
    struct span span;
    while (sentences_next(&sentences, &span)) {
        ck_assert_uint_gt(span.length, 0);
        if (joined.length) text_puts(&joined, "|");
        text_append(&joined, text + span.start, span.length);
    }
    ck_assert_str_eq(joined.bytes ? joined.bytes : "", expected);
    text_free(&joined);
}

START_TEST(a_stop_and_white_space_end_a_sentence)
{
    check_sentences("", "");
    check_sentences(" \n\t ", "");
    check_sentences("No stop at all", "No stop at all");
    check_sentences("One. Two! Three?  Four", "One.|Two!|Three?|Four");
    check_sentences(" One...\nTwo?! Three\xe2\x80\xa6 Four. ",
                    "One...|Two?!|Three\xe2\x80\xa6|Four.");
    check_sentences("He said \"no.\" Then (he left.) 5 came.",
                    "He said \"no.\"|Then (he left.)|5 came.");
    check_sentences("\xc3\x89t\xc3\xa9. \xc3\x89poque.", "\xc3\x89t\xc3\xa9.|\xc3\x89poque.");
}
END_TEST

START_TEST(a_blank_line_ends_one_without_a_stop)
{
    check_sentences("A heading\n\nA line\nand its end\n \r\n\nlast",
                    "A heading|A line\nand its end|last");
}
END_TEST

START_TEST(what_only_looks_like_an_end)
{
    static const char *const whole[] = {
        "It is 3.14 or .5 at www.example.org/a.html",
        "J. R. R. Tolkien met Dr. Smith and Prof. Jones.",
        "As in Fig. 3, e.g. Paris, i.e. France",
        "In the U.S. Army",
        "Smith et al. Showed it",
        "It grew by approx. five percent vs. none",
        "Is it? perhaps",
        "ends with an initial J.",
        "\xc3\x89. Zola wrote",
    };
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) check_sentences(whole[i], whole[i]);
    check_sentences("It is 5. Then 6. He saw himself! J. left.",
                    "It is 5.|Then 6.|He saw himself!|J. left.");
    check_sentences("The final. Next.", "The final.|Next.");
}
END_TEST

START_TEST(full_width_stops_need_no_space)
{
    check_sentences(
        "\xe4\xbd\xa0\xe5\xa5\xbd\xe3\x80\x82\xe4\xb8\x96\xe7\x95\x8c\xef\xbc\x81\xe3\x80\x8d"
        "a",
        "\xe4\xbd\xa0\xe5\xa5\xbd\xe3\x80\x82|\xe4\xb8\x96\xe7\x95\x8c\xef\xbc\x81\xe3\x80\x8d|a");
}
END_TEST

/* Random texts of stops, spaces and words: all but white space is in some sentence, in order, and
 * no code point is cut. */
START_TEST(sentences_cover_the_text)
{
    static const char *const pieces[] = {
        ".", "!",        " ", "\n", "a", "B", "\xc3\xa9", "\xe3\x80\x82", ")", "Dr", "\xe2\x80\xa6",
        "7", "\xc2\xa0", "\""};
    for (uint64_t round = 0; round < 2000; round++) {
        struct text text = {0};
        struct span span;
        size_t behind = 0;
        text_puts(&text, "");
        for (uint64_t i = 0; i < random_bits(1, round, 0) % 40; i++)
            text_puts(&text, pieces[random_bits(2, round, i) % (sizeof pieces / sizeof *pieces)]);
        struct sentences sentences = sentences_of(text.bytes);
        while (sentences_next(&sentences, &span)) {
            ck_assert_uint_ge(span.start, behind);
            ck_assert(utf8_check(text.bytes + span.start, span.length, NULL));
            for (; behind < span.start;) {
                uint32_t code;
                behind += utf8_decode(&code, text.bytes + behind, text.bytes + text.length);
                ck_assert(unicode_is_space(code));
            }
            behind = span.start + span.length;
        }
        ck_assert_uint_le(behind, text.length);
        text_free(&text);
    }
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(a_stop_and_white_space_end_a_sentence),
        TEST(a_blank_line_ends_one_without_a_stop),
        TEST(what_only_looks_like_an_end),
        TEST(full_width_stops_need_no_space),
        TEST(sentences_cover_the_text),
        {0},
    };
    return run_tests("data/sentences", rows);
}
