/* data/score_cache: what survives a kill at any byte, damage anywhere, concatenation. */
#include "data/score_cache.h"
#include "tests/support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAGIC = 16, RECORD = 24 };

static struct hash128 key_of(uint64_t i)
{
    return hash128(&i, sizeof i);
}

static float score_of(uint64_t i)
{
    return test_value(1, i) * 10;
}

static size_t file_size(const char *path)
{
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    return (size_t)info.st_size;
}

static struct score_cache *open_cache(const char *path)
{
    struct error err = {0};
    struct score_cache *cache;
    check_ok(score_cache_open(&cache, path, &err), &err);
    return cache;
}

/* Writes records first .. first + n - 1 into a cache file, new or not. */
static void write_records(const char *path, uint64_t first, uint64_t n)
{
    struct error err = {0};
    struct score_cache *cache = open_cache(path);
    for (uint64_t i = first; i < first + n; i++) score_cache_add(cache, key_of(i), score_of(i));
    check_ok(score_cache_flush(cache, &err), &err);
    score_cache_close(cache);
}

static void assert_holds(const struct score_cache *cache, uint64_t first, uint64_t n)
{
    for (uint64_t i = first; i < first + n; i++) {
        float score;
        ck_assert_msg(score_cache_find(cache, key_of(i), &score), "record %d is missing", (int)i);
        ck_assert(score == score_of(i));
    }
}

static char *scratch_path(const char *name)
{
    return xasprintf("%s/%s", scratch_folder(), name);
}

static struct text read_all(const char *path)
{
    struct text bytes = {0};
    FILE *file = fopen(path, "rb");
    ck_assert(file);
    char buffer[4096];
    size_t got;
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0) text_append(&bytes, buffer, got);
    fclose(file);
    return bytes;
}

START_TEST(scores_come_back)
{
    char *path = scratch_path("round.bin");
    write_records(path, 0, 5000);
    write_records(path, 5000, 1);
    ck_assert_uint_eq(file_size(path), MAGIC + 5001 * RECORD);
    struct score_cache *cache = open_cache(path);
    ck_assert_uint_eq(score_cache_count(cache), 5001);
    assert_holds(cache, 0, 5001);
    float score = 7;
    ck_assert(!score_cache_find(cache, key_of(5001), &score));
    ck_assert(score == 7);
    score_cache_close(cache);
    free(path);
}
END_TEST

START_TEST(layout_is_the_documented_one)
{
    char *path = scratch_path("layout.bin");
    struct error err = {0};
    struct score_cache *cache = open_cache(path);
    score_cache_add(cache, (struct hash128){.low = 0x0807060504030201, .high = 0x1817161514131211},
                    1.0f);
    check_ok(score_cache_flush(cache, &err), &err);
    score_cache_close(cache);
    struct text bytes = read_all(path);
    ck_assert_uint_eq(bytes.length, MAGIC + RECORD);
    unsigned char expected[MAGIC + RECORD] = "retort-scores 1\n\1\2\3\4\5\6\7\10"
                                             "\21\22\23\24\25\26\27\30\0\0\200\77";
    uint32_t check = (uint32_t)hash64(expected + MAGIC, 20, 0);
    for (int i = 0; i < 4; i++) expected[MAGIC + 20 + i] = (unsigned char)(check >> (8 * i));
    ck_assert_mem_eq(bytes.bytes, expected, sizeof expected);
    text_free(&bytes);
    free(path);
}
END_TEST

START_TEST(first_score_of_a_key_stays)
{
    char *path = scratch_path("twice.bin");
    struct error err = {0};
    struct score_cache *cache = open_cache(path);
    score_cache_add(cache, key_of(1), 0.5f);
    score_cache_add(cache, key_of(1), 0.75f);
    float score;
    ck_assert(score_cache_find(cache, key_of(1), &score) && score == 0.5f);
    check_ok(score_cache_flush(cache, &err), &err);
    check_ok(score_cache_flush(cache, &err), &err);
    score_cache_close(cache);
    ck_assert_uint_eq(file_size(path), MAGIC + RECORD);
    free(path);
}
END_TEST

START_TEST(nothing_is_on_disk_before_flush)
{
    char *path = scratch_path("unflushed.bin");
    struct score_cache *cache = open_cache(path);
    score_cache_add(cache, key_of(1), 1);
    score_cache_close(cache);
    ck_assert_uint_eq(file_size(path), MAGIC);
    free(path);
}
END_TEST

/* A kill may leave any prefix of the file: the whole records in it survive, and the next run
 * appends after them. */
START_TEST(cut_at_every_byte)
{
    struct error err = {0};
    char *whole_path = scratch_path("whole.bin");
    write_records(whole_path, 0, 4);
    struct text whole = read_all(whole_path);
    for (size_t cut = 0; cut <= whole.length; cut++) {
        char *path = scratch_file("cut.bin", whole.bytes, cut);
        uint64_t kept = cut < MAGIC ? 0 : (cut - MAGIC) / RECORD;
        struct score_cache *cache = open_cache(path);
        ck_assert_uint_eq(score_cache_count(cache), kept);
        assert_holds(cache, 0, kept);
        for (uint64_t i = kept; i < 4; i++) score_cache_add(cache, key_of(i), score_of(i));
        check_ok(score_cache_flush(cache, &err), &err);
        score_cache_close(cache);
        struct text again = read_all(path);
        ck_assert_uint_eq(again.length, whole.length);
        ck_assert_mem_eq(again.bytes, whole.bytes, whole.length);
        text_free(&again);
        free(path);
    }
    text_free(&whole);
    free(whole_path);
}
END_TEST

START_TEST(damage_at_every_byte_ends_the_reading)
{
    char *whole_path = scratch_path("good.bin");
    write_records(whole_path, 0, 3);
    struct text whole = read_all(whole_path);
    for (size_t at = MAGIC; at < whole.length; at++) {
        whole.bytes[at] ^= 0x20;
        char *path = scratch_file("damaged.bin", whole.bytes, whole.length);
        whole.bytes[at] ^= 0x20;
        uint64_t kept = (at - MAGIC) / RECORD;
        struct score_cache *cache = open_cache(path);
        ck_assert_uint_eq(score_cache_count(cache), kept);
        assert_holds(cache, 0, kept);
        score_cache_close(cache);
        ck_assert_uint_eq(file_size(path), MAGIC + kept * RECORD);
        free(path);
    }
    text_free(&whole);
    free(whole_path);
}
END_TEST

START_TEST(concatenated_files_are_one_cache)
{
    char *one = scratch_path("one.bin"), *two = scratch_path("two.bin");
    write_records(one, 0, 10);
    write_records(two, 5, 20);
    struct text joined = read_all(one), second = read_all(two);
    text_append(&joined, second.bytes, second.length);
    char *path = scratch_file("joined.bin", joined.bytes, joined.length);
    struct score_cache *cache = open_cache(path);
    ck_assert_uint_eq(score_cache_count(cache), 25);
    assert_holds(cache, 0, 25);
    score_cache_close(cache);
    ck_assert_uint_eq(file_size(path), joined.length);
    text_free(&joined);
    text_free(&second);
    free(path);
    free(one);
    free(two);
}
END_TEST

/* The first of two joined files was torn: nothing of the second is lost, and the file may still be
 * appended to. */
START_TEST(torn_file_before_another)
{
    char *one = scratch_path("torn.bin"), *two = scratch_path("after.bin");
    write_records(one, 0, 3);
    write_records(two, 3, 2);
    struct text first = read_all(one), second = read_all(two);
    first.length -= 7;
    text_append(&first, second.bytes, second.length);
    char *path = scratch_file("torn-joined.bin", first.bytes, first.length);
    struct score_cache *cache = open_cache(path);
    ck_assert_uint_eq(score_cache_count(cache), 4);
    assert_holds(cache, 0, 2);
    assert_holds(cache, 3, 2);
    score_cache_close(cache);
    write_records(path, 2, 1);
    cache = open_cache(path);
    ck_assert_uint_eq(score_cache_count(cache), 5);
    assert_holds(cache, 0, 5);
    score_cache_close(cache);
    text_free(&first);
    text_free(&second);
    free(path);
    free(one);
    free(two);
}
END_TEST

START_TEST(second_writer_is_refused)
{
    char *path = scratch_path("locked.bin");
    struct error err = {0};
    struct score_cache *first = open_cache(path), *second;
    check_failed(score_cache_open(&second, path, &err), &err, STATUS_WORLD, "locked.bin",
                 "in use by another process");
    ck_assert_ptr_null(second);
    score_cache_close(first);
    score_cache_close(open_cache(path));
    free(path);
}
END_TEST

START_TEST(other_files_are_left_alone)
{
    static const char text[] = "query\tdocument, and more than sixteen bytes\n";
    char *path = scratch_file("pairs.tsv", text, sizeof text - 1);
    struct error err = {0};
    struct score_cache *cache;
    check_failed(score_cache_open(&cache, path, &err), &err, STATUS_WORLD, "pairs.tsv",
                 "not a score cache");
    ck_assert_uint_eq(file_size(path), sizeof text - 1);
    err = (struct error){0};
    check_failed(score_cache_open(&cache, scratch_folder(), &err), &err, STATUS_WORLD,
                 "cannot open");
    err = (struct error){0};
    char *nowhere = scratch_path("no/such/folder.bin");
    check_failed(score_cache_open(&cache, nowhere, &err), &err, STATUS_WORLD, "No such file");
    free(nowhere);
    free(path);
}
END_TEST

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A disk that is full after two and a half records (a limit on the file's size stands for it). */
START_TEST(failed_write_is_taken_back)
{
    char *path = scratch_path("full.bin");
    struct error err = {0};
    struct score_cache *cache = open_cache(path);
    signal(SIGXFSZ, SIG_IGN);
    limit_file_size(MAGIC + 2 * RECORD + 12);
    for (uint64_t i = 0; i < 5; i++) score_cache_add(cache, key_of(i), score_of(i));
    check_failed(score_cache_flush(cache, &err), &err, STATUS_WORLD, "full.bin", "cannot write");
    ck_assert_uint_eq(file_size(path), MAGIC);
    limit_file_size(RLIM_INFINITY);
    err = (struct error){0};
    check_ok(score_cache_flush(cache, &err), &err);
    score_cache_close(cache);
    cache = open_cache(path);
    assert_holds(cache, 0, 5);
    score_cache_close(cache);
    free(path);
}
END_TEST

START_TEST(devices_are_refused)
{
    struct error err = {0};
    struct score_cache *cache;
    check_failed(score_cache_open(&cache, "/dev/null", &err), &err, STATUS_WORLD, "/dev/null",
                 "not a regular file");
}
END_TEST

START_TEST(keys_tell_everything_apart)
{
    struct hash128 model = {1, 2}, other = {1, 3};
    struct hash128 keys[] = {score_key(model, 256, "ab", "c"), score_key(model, 256, "a", "bc"),
                             score_key(model, 128, "ab", "c"), score_key(other, 256, "ab", "c"),
                             score_key(model, 256, "c", "ab"), score_key(model, 256, "", "abc"),
                             score_key(model, 256, "abc", "")};
    enum { COUNT = sizeof keys / sizeof *keys };
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < i; j++)
            ck_assert(keys[i].low != keys[j].low && keys[i].high != keys[j].high);
    struct hash128 again = score_key(model, 256, "ab", "c");
    ck_assert(again.low == keys[0].low && again.high == keys[0].high);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(scores_come_back),
                                    TEST(layout_is_the_documented_one),
                                    TEST(first_score_of_a_key_stays),
                                    TEST(nothing_is_on_disk_before_flush),
                                    TEST(cut_at_every_byte),
                                    TEST(damage_at_every_byte_ends_the_reading),
                                    TEST(concatenated_files_are_one_cache),
                                    TEST(torn_file_before_another),
                                    TEST(second_writer_is_refused),
                                    TEST(other_files_are_left_alone),
                                    TEST(failed_write_is_taken_back),
                                    TEST(devices_are_refused),
                                    TEST(keys_tell_everything_apart),
                                    {0}};
    return run_tests("data/score_cache", rows);
}
