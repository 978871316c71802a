/* data/source: folders and archives, friendly and hostile. */
#define _GNU_SOURCE
#include "tests/support.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "data/output.h"
#include "data/source.h"

/* ---- making archives ---- */

struct entry {
    const char *name, *content;
    unsigned type; /* AE_IFREG where 0 */
    const char *target;
};

enum packing { TAR, TAR_GZ, TAR_ZST, TAR_XZ, TAR_BZ2, ZIP };

static void add_entry(struct archive *archive, const struct entry *row)
{
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname_utf8(entry, row->name);
    archive_entry_set_filetype(entry, row->type ? row->type : AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    if (row->type == AE_IFLNK) archive_entry_set_symlink(entry, row->target);
    if (!row->type && row->target) archive_entry_set_hardlink(entry, row->target);
    size_t length = row->content ? strlen(row->content) : 0;
    archive_entry_set_size(entry, (int64_t)length);
    ck_assert_int_eq(archive_write_header(archive, entry), ARCHIVE_OK);
    if (length) ck_assert_int_eq(archive_write_data(archive, row->content, length), (int)length);
    archive_entry_free(entry);
}

/* An archive of the entries (the last one zeroed) in the scratch folder; its path, freshly
 * allocated. */
static char *make_archive(const char *name, enum packing packing, const struct entry *entries)
{
    char *path = xasprintf("%s/%s", scratch_folder(), name);
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before = uselocale(utf8); /* the writer takes no other names */
    struct archive *archive = archive_write_new();
    if (packing == ZIP)
        archive_write_set_format_zip(archive);
    else
        archive_write_set_format_pax_restricted(archive);
    if (packing == TAR_GZ) archive_write_add_filter_gzip(archive);
    if (packing == TAR_ZST) archive_write_add_filter_zstd(archive);
    if (packing == TAR_XZ) archive_write_add_filter_xz(archive);
    if (packing == TAR_BZ2) archive_write_add_filter_bzip2(archive);
    ck_assert_int_eq(archive_write_open_filename(archive, path), ARCHIVE_OK);
    for (; entries->name; entries++) add_entry(archive, entries);
    ck_assert_int_eq(archive_write_close(archive), ARCHIVE_OK);
    archive_write_free(archive);
    uselocale(before);
    freelocale(utf8);
    return path;
}

/* ---- reading them ---- */

struct reading {
    struct text text; /* "name[line|line|]" for each member */
    const char *skip; /* a member whose lines are left unread */
    const char *stop; /* a member to end the walk at */
    const char *fail; /* a member to fail at */
};

static int read_member(void *arg, const char *name, struct lines *lines, struct error *err)
{
    struct reading *reading = arg;
    if (reading->fail && strcmp(name, reading->fail) == 0) return fail(err, "as told");
    if (reading->stop && strcmp(name, reading->stop) == 0) return 1;
    text_printf(&reading->text, "%s[", name);
    char *line;
    size_t length;
    int got = 0;
    bool skip = reading->skip && strcmp(name, reading->skip) == 0;
    while (!skip && (got = lines_next(lines, &line, &length, err)) > 0)
        text_printf(&reading->text, "%s|", line);
    text_puts(&reading->text, "]");
    return got;
}

/* Frees path. */
static void check_walk(char *path, const char *expected)
{
    struct reading reading = {0};
    struct error err = {0};
    check_ok(source_walk(path, read_member, &reading, &err), &err);
    ck_assert_str_eq(reading.text.bytes ? reading.text.bytes : "", expected);
    text_free(&reading.text);
    free(path);
}

/* Frees path. */
static void check_refused(char *path, const char *word, const char *another)
{
    struct reading reading = {0};
    struct error err = {0};
    int result = source_walk(path, read_member, &reading, &err);
    check_failed(result, &err, STATUS_WORLD, path, word, another);
    text_free(&reading.text);
    free(path);
}

static const struct entry collection[] = {
    {"scifact/", NULL, AE_IFDIR, NULL},
    {"scifact/corpus.jsonl", "a\nb\n", 0, NULL},
    {"./scifact/qrels/test.tsv", "1\t2\t3\r\n", 0, NULL},
    {"scifact\\empty", "", 0, NULL},
    {"scifact/\xc3\xa4 b.tsv", "\xc3\xa4", 0, NULL},
    {0},
};
static const char collection_read[] =
    "scifact/corpus.jsonl[a|b|]scifact/qrels/test.tsv[1\t2\t3|]scifact/empty[]"
    "scifact/\xc3\xa4 b.tsv[\xc3\xa4|]";

START_TEST(every_packing_reads_the_same)
{
    check_walk(make_archive("a.tar", TAR, collection), collection_read);
    check_walk(make_archive("a.tar.gz", TAR_GZ, collection), collection_read);
    check_walk(make_archive("a.tgz", TAR_GZ, collection), collection_read);
    check_walk(make_archive("a.tar.zst", TAR_ZST, collection), collection_read);
    check_walk(make_archive("a.tar.xz", TAR_XZ, collection), collection_read);
    check_walk(make_archive("a.tar.bz2", TAR_BZ2, collection), collection_read);
    check_walk(make_archive("a.zip", ZIP, collection), collection_read);
    check_walk(make_archive("A.ZIP", ZIP, collection), collection_read);
}
END_TEST

START_TEST(archives_are_told_by_content_too)
{
    check_walk(make_archive("b", TAR, collection), collection_read);
    check_walk(make_archive("b_gz", TAR_GZ, collection), collection_read);
    check_walk(make_archive("b.gz", TAR_GZ, collection), collection_read);
    check_walk(make_archive("b_zst", TAR_ZST, collection), collection_read);
    check_walk(make_archive("b_xz", TAR_XZ, collection), collection_read);
    check_walk(make_archive("b_bz2", TAR_BZ2, collection), collection_read);
    check_walk(make_archive("b_zip", ZIP, collection), collection_read);
}
END_TEST

static void write_gzip(const char *path, const char *content)
{
    gzFile file = gzopen(path, "wb");
    REQUIRE(file && gzputs(file, content) >= 0 && gzclose(file) == Z_OK);
}

START_TEST(gzipped_members_are_read_through)
{
    char *packed = xasprintf("%s/packed", scratch_folder());
    write_gzip(packed, "one\ntwo\n");
    struct text bytes = {0};
    struct error err = {0};
    check_ok(read_whole_file(&bytes, packed, 1000, &err), &err);
    char *path = xasprintf("%s/members.tar", scratch_folder());
    struct archive *archive = archive_write_new();
    archive_write_set_format_ustar(archive);
    archive_write_open_filename(archive, path);
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, "x/corpus.jsonl.gz");
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_size(entry, (int64_t)bytes.length);
    archive_write_header(archive, entry);
    archive_write_data(archive, bytes.bytes, bytes.length);
    archive_entry_free(entry);
    add_entry(archive, &(struct entry){"x/after", "three", 0, NULL});
    archive_write_free(archive);
    check_walk(path, "x/corpus.jsonl[one|two|]x/after[three|]");
    check_walk(packed, "packed[one|two|]");
    text_free(&bytes);
}
END_TEST

/* Path of name below the scratch folder's "folder", in static storage. */
static const char *below(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/folder/%s", scratch_folder(), name);
    return path;
}

START_TEST(folders_are_read_in_order)
{
    struct error err = {0};
    check_ok(make_folder(below("qrels"), &err), &err);
    free(scratch_file("folder/qrels/test.tsv", "t\n", 2));
    free(scratch_file("folder/queries.jsonl", "q\n", 2));
    free(scratch_file("folder/B", "b\n", 2));
    free(scratch_file("folder/.hidden", "h\n", 2));
    write_gzip(below("corpus.jsonl.gz"), "c\n");
    ck_assert_int_eq(mkfifo(below("fifo"), 0600), 0);
    ck_assert_int_eq(symlink("B", below("link")), 0);
    static const char expected[] =
        "B[b|]corpus.jsonl[c|]link[b|]qrels/test.tsv[t|]queries.jsonl[q|]";
    check_walk(xasprintf("%s/folder", scratch_folder()), expected);
    check_walk(xasprintf("%s/folder//", scratch_folder()), expected);
    check_walk(xstrdup(below("queries.jsonl")), "queries.jsonl[q|]");
    ck_assert_int_eq(symlink("..", below("qrels/up")), 0);
    check_refused(xasprintf("%s/folder", scratch_folder()), "qrels/up", "leads back");
}
END_TEST

/* One walk, whose text is then expected; *reading is left as it was, its text cleared. */
static void check_reading(struct reading *reading, const char *path, const char *expected)
{
    struct error err = {0};
    check_ok(source_walk(path, read_member, reading, &err), &err);
    ck_assert_str_eq(reading->text.bytes, expected);
    text_free(&reading->text);
}

START_TEST(the_reader_may_skip_stop_and_fail)
{
    static const struct entry entries[] = {
        {"a", "1\n2\n", 0, NULL}, {"b", "not \xff UTF-8", 0, NULL}, {"c", "3\n", 0, NULL}, {0}};
    char *path = make_archive("skip.tar.gz", TAR_GZ, entries);
    check_reading(&(struct reading){.skip = "b"}, path, "a[1|2|]b[]c[3|]");
    check_reading(&(struct reading){.skip = "b", .stop = "c"}, path, "a[1|2|]b[]");
    struct error err = {0};
    struct reading reading = {.fail = "a"};
    check_failed(source_walk(path, read_member, &reading, &err), &err, STATUS_WORLD, "as told");
    check_refused(path, "skip.tar.gz:b:1", "UTF-8");
}
END_TEST

START_TEST(names_that_lead_outside_are_refused)
{
    static const char *const bad[] = {"../x",  "/etc/passwd", "a/../../x", "a/..",
                                      "..",    "..\\x",       "a\\..\\x",  "C:/x",
                                      "C:\\x", "\\\\host\\x", ".//etc/x",  "a\033[2Jb"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct entry entries[] = {{"good", "g", 0, NULL}, {bad[i], "x\n", 0, NULL}, {0}};
        check_refused(make_archive("bad.tar", TAR, entries), "refused", "member");
        check_refused(make_archive("bad.zip", ZIP, entries), "refused", "member");
    }
    static const struct entry fine[] = {
        {"a..b/c..", "1", 0, NULL}, {"xx:y", "2", 0, NULL}, {"./././d", "3", 0, NULL}, {0}};
    check_walk(make_archive("fine.tar", TAR, fine), "a..b/c..[1|]xx:y[2|]d[3|]");
}
END_TEST

START_TEST(hidden_members_are_left_out)
{
    static const struct entry entries[] = {{"._corpus.jsonl", "\xff", 0, NULL},
                                           {"__MACOSX/x/._corpus.jsonl", "\xff", 0, NULL},
                                           {".git/config", "\xff", 0, NULL},
                                           {"x/corpus.jsonl", "c", 0, NULL},
                                           {0}};
    check_walk(make_archive("hidden.tar", TAR, entries), "x/corpus.jsonl[c|]");
    check_walk(make_archive("hidden.zip", ZIP, entries), "x/corpus.jsonl[c|]");
}
END_TEST

START_TEST(links_and_devices_are_refused)
{
    const struct entry symbolic[] = {{"corpus.jsonl", NULL, AE_IFLNK, "/etc/passwd"}, {0}};
    check_refused(make_archive("symbolic.tar", TAR, symbolic), "corpus.jsonl", "link");
    check_refused(make_archive("symbolic.zip", ZIP, symbolic), "corpus.jsonl", "link");
    const struct entry hard[] = {{"a", "x", 0, NULL}, {"b", NULL, 0, "a"}, {0}};
    check_refused(make_archive("hard.tar", TAR, hard), "member b", "link");
    const struct entry device[] = {{"null", NULL, AE_IFCHR, NULL}, {0}};
    check_refused(make_archive("device.tar", TAR, device), "null", "regular");
    const struct entry fifo[] = {{"pipe", NULL, AE_IFIFO, NULL}, {0}};
    check_refused(make_archive("fifo.tar", TAR, fifo), "pipe", "regular");
}
END_TEST

/* Every prefix of the archive must be refused or, cut behind its last member, read whole. */
static void check_cuts(char *path, const char *name)
{
    struct error err = {0};
    struct text bytes = {0};
    check_ok(read_whole_file(&bytes, path, 1 << 20, &err), &err);
    size_t refused = 0, cuts = 0;
    for (size_t length = 0; length < bytes.length; length += 1 + bytes.length / 97) {
        char *cut = scratch_file(name, bytes.bytes, length);
        struct reading reading = {0};
        err = (struct error){0};
        int result = source_walk(cut, read_member, &reading, &err);
        if (result) {
            ck_assert_int_eq(err.status, STATUS_WORLD);
            ck_assert(strstr(err.message, name) != NULL);
            refused++;
        }
        cuts++;
        text_free(&reading.text);
        free(cut);
    }
    ck_assert_msg(refused * 10 >= cuts * 9, "%s: %zu of %zu cuts are refused", name, refused, cuts);
    text_free(&bytes);
    free(path);
}

START_TEST(archives_cut_short_are_refused)
{
    struct text content = {0};
    for (uint64_t i = 0; i < 4000; i++)
        text_printf(&content, "%016llx\n", (unsigned long long)random_bits(3, 4, i));
    const struct entry entries[] = {
        {"first", "1\n", 0, NULL}, {"second", content.bytes, 0, NULL}, {0}};
    check_cuts(make_archive("whole.tar.gz", TAR_GZ, entries), "cut.tar.gz");
    check_cuts(make_archive("whole.tar.zst", TAR_ZST, entries), "cut.tar.zst");
    check_cuts(make_archive("whole.tar.xz", TAR_XZ, entries), "cut.tar.xz");
    check_cuts(make_archive("whole.zip", ZIP, entries), "cut.zip");
    /* A tar without compression may end where it likes, but not within a member: the last tenth
     * is padding. */
    check_cuts(make_archive("whole.tar", TAR, entries), "cut.tar");
    text_free(&content);
}
END_TEST

START_TEST(corrupt_archives_are_refused)
{
    struct text content = {0};
    for (uint64_t i = 0; i < 1000; i++)
        text_printf(&content, "%016llx\n", (unsigned long long)random_bits(5, 6, i));
    const struct entry entries[] = {{"texts", content.bytes, 0, NULL}, {0}};
    struct error err = {0};
    static const struct {
        enum packing packing;
        const char *name;
    } rows[] = {{TAR_GZ, "flip.tar.gz"}, {ZIP, "flip.zip"}};
    for (size_t i = 0; i < 2; i++) {
        struct text bytes = {0};
        char *path = make_archive(rows[i].name, rows[i].packing, entries);
        check_ok(read_whole_file(&bytes, path, 1 << 20, &err), &err);
        bytes.bytes[bytes.length / 2] ^= 0x20;
        check_refused(scratch_file(rows[i].name, bytes.bytes, bytes.length), rows[i].name, "");
        text_free(&bytes);
        free(path);
    }
    check_refused(scratch_file("text.zip", "just text\n", 10), "archive", "text.zip");
    check_refused(scratch_file("nothing.tar", "", 0), "archive", "nothing.tar");
    text_free(&content);
}
END_TEST

START_TEST(bombs_are_refused_read_or_skipped)
{
    if (skip_slow()) return;
    size_t length = 300 << 20;
    char *newlines = xmalloc(length + 1);
    memset(newlines, '\n', length);
    newlines[length] = '\0';
    const struct entry entries[] = {{"bomb", newlines, 0, NULL}, {"last", "x", 0, NULL}, {0}};
    char *paths[] = {make_archive("bomb.tar.zst", TAR_ZST, entries),
                     make_archive("bomb.zip", ZIP, entries)};
    free(newlines);
    for (size_t i = 0; i < 4; i++) {
        struct reading reading = {.skip = i % 2 ? "bomb" : NULL};
        struct error err = {0};
        int result = source_walk(paths[i / 2], read_member, &reading, &err);
        check_failed(result, &err, STATUS_WORLD, "bomb");
        text_free(&reading.text);
    }
    free(paths[0]);
    free(paths[1]);
}
END_TEST

START_TEST(encrypted_members_are_refused)
{
    char *path = xasprintf("%s/secret.zip", scratch_folder());
    struct archive *archive = archive_write_new();
    archive_write_set_format_zip(archive);
    archive_write_set_passphrase(archive, "secret");
    archive_write_set_options(archive, "zip:encryption=traditional");
    ck_assert_int_eq(archive_write_open_filename(archive, path), ARCHIVE_OK);
    add_entry(archive, &(struct entry){"corpus.jsonl", "x\n", 0, NULL});
    archive_write_free(archive);
    check_refused(path, "corpus.jsonl", "encrypted");
}
END_TEST

START_TEST(what_is_not_there_is_said)
{
    check_refused(xstrdup("/nonexistent/x.zip"), "cannot open", "No such file");
}
END_TEST

/* Makes path the standard input and frees it. */
static void read_from(char *path)
{
    ck_assert_ptr_nonnull(freopen(path, "r", stdin));
    free(path);
}

START_TEST(stdin_is_a_text_or_a_tar)
{
    read_from(scratch_file("stdin", "a\nb\n", 4));
    check_walk(xstrdup("-"), "-[a|b|]");
    lseek(STDIN_FILENO, 0, SEEK_SET);
    check_walk(NULL, "-[a|b|]");
    read_from(make_archive("stdin.tar.gz", TAR_GZ, collection));
    check_walk(xstrdup("-"), collection_read);
    read_from(make_archive("stdin.zip", ZIP, collection));
    check_refused(xstrdup("-"), "zip", "pipe");
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(every_packing_reads_the_same),
        TEST(archives_are_told_by_content_too),
        TEST(gzipped_members_are_read_through),
        TEST(folders_are_read_in_order),
        TEST(the_reader_may_skip_stop_and_fail),
        TEST(names_that_lead_outside_are_refused),
        TEST(hidden_members_are_left_out),
        TEST(links_and_devices_are_refused),
        TEST(archives_cut_short_are_refused),
        TEST(corrupt_archives_are_refused),
        TEST(bombs_are_refused_read_or_skipped),
        TEST(encrypted_members_are_refused),
        TEST(what_is_not_there_is_said),
        TEST(stdin_is_a_text_or_a_tar),
        {0},
    };
    return run_tests("data/source", rows);
}
