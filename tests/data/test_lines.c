/* data/lines: texts plain, gzipped and broken. */
#include "tests/support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "data/lines.h"
#include "data/progress.h"

/* gzip of bytes, freshly allocated. */
static unsigned char *gzip(const void *bytes, size_t length, size_t *packed_length)
{
    z_stream stream = {0};
    REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    size_t capacity = deflateBound(&stream, length) + 64;
    unsigned char *packed = xmalloc(capacity);
    stream.next_in = (unsigned char *)bytes;
    stream.avail_in = (uInt)length;
    stream.next_out = packed;
    stream.avail_out = (uInt)capacity;
    REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    *packed_length = capacity - stream.avail_out;
    deflateEnd(&stream);
    return packed;
}

static char *scratch_text(const char *name, const char *text)
{
    return scratch_file(name, text, strlen(text));
}

/* All lines joined by "|", or the error; freshly allocated. */
static int read_all(struct text *out, const char *path, struct error *err)
{
    struct lines *lines;
    if (lines_open(&lines, path, err)) return -1;
    char *line;
    size_t length;
    int got;
    while ((got = lines_next(lines, &line, &length, err)) > 0) {
        ck_assert_uint_eq(strlen(line), length);
        text_printf(out, "%zu:%s|", lines_number(lines), line);
    }
    lines_close(lines);
    return got;
}

/* Frees path. */
static void check_text(char *path, const char *expected)
{
    struct error err = {0};
    struct text text = {0};
    check_ok(read_all(&text, path, &err), &err);
    ck_assert_str_eq(text.bytes ? text.bytes : "", expected);
    text_free(&text);
    free(path);
}

/* Reading fails at the place and for the reason named, after the lines expected.  Frees path. */
static void check_refused(char *path, const char *place, const char *reason, const char *expected)
{
    struct error err = {0};
    struct text text = {0};
    check_failed(read_all(&text, path, &err), &err, STATUS_WORLD, place, reason);
    if (expected) ck_assert_str_eq(text.bytes ? text.bytes : "", expected);
    text_free(&text);
    free(path);
}

START_TEST(line_ends_and_byte_order_mark_are_removed)
{
    check_text(scratch_text("unix", "a\n\nb c\n"), "1:a|2:|3:b c|");
    check_text(scratch_text("windows", "a\r\n\r\nb"), "1:a|2:|3:b|");
    check_text(scratch_text("mark", "\xef\xbb\xbf"
                                    "a\n\xef\xbb\xbf"
                                    "b\n"),
               "1:a|2:\xef\xbb\xbf"
               "b|");
    check_text(scratch_text("only_mark", "\xef\xbb\xbf"), "1:|");
    check_text(scratch_text("inner_return", "a\rb\n\r"), "1:a\rb|2:|");
    check_text(scratch_text("empty", ""), "");
    check_text(scratch_text("one", "x"), "1:x|");
}
END_TEST

START_TEST(gzip_is_told_by_content)
{
    size_t first_length, second_length;
    unsigned char *first = gzip("a\nb", 3, &first_length);
    unsigned char *second = gzip("c\nd\n", 4, &second_length);
    check_text(scratch_file("plain_name", first, first_length), "1:a|2:b|");
    struct text both = {0};
    text_append(&both, (char *)first, first_length);
    text_append(&both, (char *)second, second_length);
    check_text(scratch_file("two.gz", both.bytes, both.length), "1:a|2:bc|3:d|");
    char zeros[512] = {0};
    text_append(&both, zeros, sizeof zeros); /* padding */
    check_text(scratch_file("padded.gz", both.bytes, both.length), "1:a|2:bc|3:d|");
    check_text(scratch_text("named.gz", "not packed\n"), "1:not packed|");
    text_free(&both);
    free(first);
    free(second);
}
END_TEST

START_TEST(broken_gzip_is_refused)
{
    char bytes[20000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = i % 80 ? (char)('a' + random_bits(1, 2, i) % 20) : '\n';
    size_t length;
    unsigned char *packed = gzip(bytes, sizeof bytes, &length);
    check_refused(scratch_file("cut.gz", packed, length - 5), "cut.gz", "cut short", NULL);
    check_refused(scratch_file("header.gz", packed, 5), "header.gz", "cut short", "");
    packed[length - 6] ^= 1; /* the check sum */
    check_refused(scratch_file("sum.gz", packed, length), "sum.gz", "gzip stream is corrupt", NULL);
    packed[length - 6] ^= 1;
    struct text tail = {0};
    text_append(&tail, (char *)packed, length);
    text_puts(&tail, "tail");
    check_refused(scratch_file("tail.gz", tail.bytes, tail.length), "tail.gz", "gzip stream", NULL);
    text_free(&tail);
    free(packed);
}
END_TEST

START_TEST(what_is_not_utf8_is_refused_with_its_line)
{
    static const char *const bad[] = {"\x80",
                                      "\xc0\xaf",
                                      "\xc1\xbf",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xe4\xb8",
                                      "\xff",
                                      "\xc3(",
                                      "\xe2\x82"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        for (size_t before = 0; before < 20;
             before += 3) { /* the fast path takes eight at a time */
            struct text text = {0};
            text_puts(&text, "fine\n");
            for (size_t j = 0; j < before; j++) text_puts(&text, "x");
            text_puts(&text, bad[i]);
            text_puts(&text, "\nlast");
            char place[64];
            snprintf(place, sizeof place, "bad:2: byte %zu", before + 1);
            check_refused(scratch_file("bad", text.bytes, text.length), place, "UTF-8", "1:fine|");
            text_free(&text);
        }
    check_text(scratch_text("good", "\xc2\x80\xdf\xbf \xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80 "
                                    "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\n"),
               "1:\xc2\x80\xdf\xbf \xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80 "
               "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf|");
}
END_TEST

START_TEST(nul_bytes_are_refused)
{
    check_refused(scratch_file("nul", "a\nbcdefghijk\0l\n", 15), "nul:2: byte 11", "NUL", "1:a|");
}
END_TEST

START_TEST(long_lines_grow_the_buffer_up_to_a_limit)
{
    struct text text = {0};
    for (size_t i = 0; i < 3000000; i++)
        text_append(&text, i % 100 ? "x" : "\xc3\xa4", i % 100 ? 1 : 2);
    size_t length = text.length;
    text_puts(&text, "\nshort\n");
    struct lines *lines;
    struct error err = {0};
    char *line;
    size_t got;
    char *path = scratch_file("long", text.bytes, text.length);
    check_ok(lines_open(&lines, path, &err), &err);
    free(path);
    ck_assert_int_eq(lines_next(lines, &line, &got, &err), 1);
    ck_assert_uint_eq(got, length);
    ck_assert_int_eq(memcmp(line, text.bytes, length), 0);
    ck_assert_int_eq(lines_next(lines, &line, &got, &err), 1);
    ck_assert_str_eq(line, "short");
    ck_assert(strstr(lines_where(lines), "long:2") != NULL);
    ck_assert_int_eq(lines_next(lines, &line, &got, &err), 0);
    lines_close(lines);
    text_free(&text);
}
END_TEST

START_TEST(endless_lines_are_refused)
{
    if (skip_slow()) return;
    size_t length = 66 << 20, packed_length;
    char *endless = xmalloc(length);
    memset(endless, 'x', length);
    memcpy(endless, "first\n", 6);
    unsigned char *packed = gzip(endless, length, &packed_length);
    free(endless);
    check_refused(scratch_file("endless", packed, packed_length), "endless:2", "64 MiB",
                  "1:first|");
    free(packed);
}
END_TEST

START_TEST(bombs_are_refused)
{
    if (skip_slow()) return;
    size_t length = 300 << 20, packed_length;
    char *newlines = xmalloc(length);
    memset(newlines, '\n', length);
    unsigned char *packed = gzip(newlines, length, &packed_length);
    free(newlines);
    struct lines *lines;
    struct error err = {0};
    char *line;
    size_t got_length;
    int got;
    char *path = scratch_file("bomb.gz", packed, packed_length);
    check_ok(lines_open(&lines, path, &err), &err);
    free(path);
    while ((got = lines_next(lines, &line, &got_length, &err)) > 0) {
    }
    check_failed(got, &err, STATUS_WORLD, "bomb.gz", "bomb");
    lines_close(lines);
    free(packed);
}
END_TEST

START_TEST(what_cannot_be_read_is_said)
{
    check_refused(xstrdup("/nonexistent/file"), "/nonexistent/file: cannot open", "No such file",
                  "");
    check_refused(xstrdup(scratch_folder()), scratch_folder(), "directory", "");
}
END_TEST

START_TEST(fields_are_cut)
{
    char *fields[3];
    char tabs[] = "a\t\tb c\t";
    ck_assert_uint_eq(split_tabs(tabs, fields, 3), 4);
    ck_assert_str_eq(fields[1], "");
    ck_assert_str_eq(fields[2], "b c");
    char white[] = "  a \t b ";
    ck_assert_uint_eq(split_white(white, fields, 3), 2);
    ck_assert_str_eq(fields[0], "a");
    ck_assert_str_eq(fields[1], "b");
    char none[] = " \t";
    ck_assert_uint_eq(split_white(none, fields, 3), 0);
}
END_TEST

/* The last test: the interrupt stays noticed. */
START_TEST(an_interrupt_ends_the_reading)
{
    struct error err = {0};
    struct text text = {0};
    char *path = scratch_text("interrupted", "a\n");
    interrupt_install();
    raise(SIGINT);
    check_failed(read_all(&text, path, &err), &err, STATUS_INTERRUPTED, "interrupted");
    free(path);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(line_ends_and_byte_order_mark_are_removed),
        TEST(gzip_is_told_by_content),
        TEST(broken_gzip_is_refused),
        TEST(what_is_not_utf8_is_refused_with_its_line),
        TEST(nul_bytes_are_refused),
        TEST(long_lines_grow_the_buffer_up_to_a_limit),
        TEST(endless_lines_are_refused),
        TEST(bombs_are_refused),
        TEST(what_cannot_be_read_is_said),
        TEST(fields_are_cut),
        TEST(an_interrupt_ends_the_reading),
        {0},
    };
    return run_tests("data/lines", rows);
}
