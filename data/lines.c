/* Bytes, gunzipped where they begin like gzip, cut into lines: see lines.h.  The only file that
 * includes zlib. */
#define _GNU_SOURCE
#include "data/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "data/progress.h"

enum {
    PIECE = 1 << 16,         /* raw bytes asked for at once */
    FIRST_BUFFER = 1 << 18,  /* for lines; doubles while one does not fit */
    LONGEST_LINE = 64 << 20, /* bytes */
    BOMB_SIZE = 256 << 20,   /* bytes that may come out of a file of any size */
    BOMB_RATIO = 400         /* beyond BOMB_SIZE; text stays below 100, gzip can reach 1030 */
};
static const uint64_t largest_total = (uint64_t)64 << 30; /* bytes */

struct lines {
    char *path;        /* to open; "-" is stdin */
    char *name;        /* for messages */
    byte_reader *read; /* NULL: from fd */
    void *arg;
    int fd; /* -1 before it is opened */
    struct budget *budget, own;

    bool started, gzipped;
    bool member_ended; /* a gzip member's end was reached; another may follow */
    bool input_ended, ended;
    z_stream inflate;
    unsigned char *input; /* [PIECE] raw bytes, where they are gzipped */

    char *buffer; /* [capacity + 1] text; start..end is not yet returned */
    size_t start, end, capacity;
    size_t number;
    struct text where;
};

/* ---- raw bytes ---- */

static int open_file(struct lines *lines, struct error *err)
{
    bool standard = strcmp(lines->path, "-") == 0;
    lines->fd = standard ? STDIN_FILENO : open(lines->path, O_RDONLY | O_CLOEXEC);
    return lines->fd < 0 ? fail_errno(err, "%s: cannot open", lines->name) : 0;
}

/* Up to size bytes into bytes; 0 at the end, -1 on error. */
static ssize_t raw_read(struct lines *lines, void *bytes, size_t size, struct error *err)
{
    if (interrupted()) {
        fail(err, "%s: interrupted", lines->name);
        err->status = STATUS_INTERRUPTED;
        return -1;
    }
    if (lines->read) return lines->read(lines->arg, bytes, size, err);
    if (lines->fd < 0 && open_file(lines, err)) return -1;
    ssize_t got;
    do got = read(lines->fd, bytes, size);
    while (got < 0 && errno == EINTR && !interrupted());
    return got < 0 ? fail_errno(err, "%s: cannot read", lines->name) : got;
}

/* ---- gunzip ---- */

static void start_gunzip(struct lines *lines, const char *bytes, size_t length)
{
    lines->gzipped = true;
    lines->input = xmalloc(PIECE);
    memcpy(lines->input, bytes, length);
    lines->inflate.next_in = lines->input;
    lines->inflate.avail_in = (uInt)length;
    REQUIRE(inflateInit2(&lines->inflate, 15 + 16) == Z_OK); /* 32 KiB window, gzip wrapping */
}

/* More raw bytes if none are left; 1, 0 at the end, -1. */
static int refill_input(struct lines *lines, struct error *err)
{
    if (lines->inflate.avail_in) return 1;
    if (lines->input_ended) return 0;
    ssize_t got = raw_read(lines, lines->input, PIECE, err);
    if (got < 0) return -1;
    lines->input_ended = got == 0;
    lines->inflate.next_in = lines->input;
    lines->inflate.avail_in = (uInt)got;
    return got > 0;
}

static ssize_t gunzip(struct lines *lines, char *bytes, size_t size, struct error *err)
{
    z_stream *inflating = &lines->inflate;
    inflating->next_out = (unsigned char *)bytes;
    inflating->avail_out = (uInt)size;
    while (inflating->avail_out == size) {
        int more = refill_input(lines, err);
        if (more < 0) return -1;
        if (lines->member_ended) {
            /* Zeros after the last member are padding (tapes, block devices), anything else one
             * more member. */
            if (!more || *inflating->next_in == 0) return 0;
            inflateReset(inflating);
            lines->member_ended = false;
        }
        if (!more) return fail(err, "%s: the gzip stream is cut short", lines->name);
        int code = inflate(inflating, Z_NO_FLUSH);
        lines->member_ended = code == Z_STREAM_END;
        if (code != Z_OK && code != Z_STREAM_END)
            return fail(err, "%s: the gzip stream is corrupt: %s", lines->name,
                        inflating->msg ? inflating->msg : "unexpected data");
    }
    return (ssize_t)(size - inflating->avail_out);
}

/* ---- text ---- */

int budget_spend(struct budget *budget, uint64_t bytes, const char *name, struct error *err)
{
    budget->given += bytes;
    if (budget->given > largest_total)
        return fail(err, "%s: more than 64 GiB of text; split the collection", name);
    if (budget->stored && budget->given > BOMB_SIZE && budget->given / BOMB_RATIO > budget->stored)
        return fail(err,
                    "%s: expands more than %d times: a decompression bomb; unpack it yourself "
                    "if you trust it",
                    name, BOMB_RATIO);
    return 0;
}

static void make_room(struct lines *lines)
{
    if (lines->start) {
        memmove(lines->buffer, lines->buffer + lines->start, lines->end - lines->start);
        lines->end -= lines->start;
        lines->start = 0;
    }
    if (lines->end < lines->capacity) return;
    lines->capacity = lines->capacity ? lines->capacity * 2 : FIRST_BUFFER;
    lines->buffer = xrealloc(lines->buffer, lines->capacity + 1, 1);
}

/* The first bytes tell whether the text is gzipped; a pipe may give them one by one. */
static int start_text(struct lines *lines, struct error *err)
{
    lines->started = true;
    while (lines->end < 3) {
        ssize_t got = raw_read(lines, lines->buffer + lines->end, PIECE - lines->end, err);
        if (got < 0) return -1;
        if (got == 0) break;
        lines->end += (size_t)got;
    }
    if (lines->end < 2 || memcmp(lines->buffer, "\x1f\x8b", 2) != 0)
        return budget_spend(lines->budget, lines->end, lines->name, err);
    start_gunzip(lines, lines->buffer, lines->end);
    lines->end = 0;
    return 0;
}

/* Appends to the buffer, or sets ended. */
static int fill(struct lines *lines, struct error *err)
{
    make_room(lines);
    if (!lines->started) return start_text(lines, err);
    size_t room = lines->capacity - lines->end;
    char *bytes = lines->buffer + lines->end;
    ssize_t got =
        lines->gzipped ? gunzip(lines, bytes, room, err) : raw_read(lines, bytes, room, err);
    if (got < 0) return -1;
    lines->ended = got == 0;
    lines->end += (size_t)got;
    return budget_spend(lines->budget, (uint64_t)got, lines->name, err);
}

/* The length of the well-formed sequence (Unicode 15, table 3-7) at bytes, whose first is not
 * ASCII; 0 if none. */
static size_t utf8_sequence(const unsigned char *bytes, size_t length)
{
    unsigned char first = bytes[0];
    size_t wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || wanted > length) return 0;
    unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (bytes[1] < low || bytes[1] > high) return 0;
    for (size_t i = 2; i < wanted; i++)
        if ((bytes[i] & 0xc0) != 0x80) return 0;
    return wanted;
}

/* The offset of the first byte that is NUL or not UTF-8, or length. */
static size_t first_bad_byte(const char *line, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)line;
    size_t at = 0;
    while (at < length) {
        uint64_t eight;
        if (length - at >= 8 && (memcpy(&eight, bytes + at, 8), true) &&
            ((eight | (eight - 0x0101010101010101u)) & 0x8080808080808080u) == 0) {
            at += 8; /* all ASCII and none zero */
        } else if (bytes[at] < 0x80) {
            if (bytes[at] == 0) return at;
            at++;
        } else {
            size_t sequence = utf8_sequence(bytes + at, length - at);
            if (!sequence) return at;
            at += sequence;
        }
    }
    return length;
}

/* Takes length bytes from the buffer, and the newline after them where there is one. */
static int take_line(struct lines *lines, size_t length, char **line, size_t *line_length,
                     struct error *err)
{
    char *bytes = lines->buffer + lines->start;
    lines->start += length + (lines->start + length < lines->end);
    if (lines->number++ == 0 && length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
        bytes += 3, length -= 3;
    if (length && bytes[length - 1] == '\r') length--;
    bytes[length] = '\0';
    size_t bad = first_bad_byte(bytes, length);
    if (bad < length)
        return fail(err, "%s: byte %zu of the line is %s; the text must be UTF-8",
                    lines_where(lines), bad + 1, bytes[bad] ? "not UTF-8" : "NUL");
    *line = bytes;
    *line_length = length;
    return 1;
}

int lines_next(struct lines *lines, char **line, size_t *length, struct error *err)
{
    size_t searched = 0;
    for (;;) {
        size_t have = lines->end - lines->start;
        char *newline = have > searched
                            ? memchr(lines->buffer + lines->start + searched, '\n', have - searched)
                            : NULL;
        if (newline)
            return take_line(lines, (size_t)(newline - lines->buffer) - lines->start, line, length,
                             err);
        if (lines->ended) return have ? take_line(lines, have, line, length, err) : 0;
        if (have > LONGEST_LINE)
            return fail(err, "%s:%zu: the line is longer than 64 MiB", lines->name,
                        lines->number + 1);
        searched = have;
        if (fill(lines, err)) return -1;
    }
}

int lines_peek(struct lines *lines, const char **bytes, size_t *length, size_t wanted,
               struct error *err)
{
    int result = 0;
    while (result == 0 && lines->end < wanted && !lines->ended) result = fill(lines, err);
    *bytes = lines->buffer;
    *length = lines->end;
    return result;
}

ssize_t lines_piece(struct lines *lines, const char **bytes, struct error *err)
{
    while (lines->start == lines->end && !lines->ended)
        if (fill(lines, err)) return -1;
    *bytes = lines->buffer + lines->start;
    ssize_t length = (ssize_t)(lines->end - lines->start);
    lines->start = lines->end;
    return length;
}

/* ---- opening and closing ---- */

struct lines *lines_new(const char *path, const char *name, byte_reader *read, void *arg,
                        struct budget *budget)
{
    struct lines *lines = xmalloc(sizeof *lines);
    *lines = (struct lines){.path = xstrdup(path), .name = xstrdup(name), .fd = -1};
    lines->read = read;
    lines->arg = arg;
    lines->budget = budget ? budget : &lines->own;
    return lines;
}

int lines_open(struct lines **out, const char *path, struct error *err)
{
    if (!path) path = "-";
    struct lines *lines =
        lines_new(path, strcmp(path, "-") == 0 ? "stdin" : path, NULL, NULL, NULL);
    *out = NULL;
    if (open_file(lines, err)) {
        lines_close(lines);
        return -1;
    }
    struct stat info;
    if (fstat(lines->fd, &info) == 0 && S_ISREG(info.st_mode))
        lines->own.stored = (uint64_t)info.st_size;
    *out = lines;
    return 0;
}

void lines_close(struct lines *lines)
{
    if (!lines) return;
    if (lines->gzipped) inflateEnd(&lines->inflate);
    if (lines->fd > STDIN_FILENO) close(lines->fd);
    text_free(&lines->where);
    free(lines->input);
    free(lines->buffer);
    free(lines->name);
    free(lines->path);
    free(lines);
}

const char *lines_where(struct lines *lines)
{
    text_clear(&lines->where);
    text_printf(&lines->where, "%s:%zu", lines->name, lines->number);
    return lines->where.bytes;
}

const char *lines_name(const struct lines *lines)
{
    return lines->name;
}

size_t lines_number(const struct lines *lines)
{
    return lines->number;
}

/* ---- fields ---- */

size_t split_tabs(char *line, char **fields, size_t max)
{
    size_t count = 0;
    for (char *field; (field = strsep(&line, "\t")); count++)
        if (count < max) fields[count] = field;
    return count;
}

size_t split_white(char *line, char **fields, size_t max)
{
    size_t count = 0;
    for (char *field; (field = strsep(&line, " \t"));)
        if (*field && count++ < max) fields[count - 1] = field;
    return count;
}

void lines_library_version(char version[VERSION_SIZE])
{
    snprintf(version, VERSION_SIZE, "%s", zlibVersion());
}
