/* Folders and archives as members: see source.h.  The only file that includes libarchive. */
#define _GNU_SOURCE
#include "data/source.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ARCHIVE_BLOCK = 1 << 16, DEEPEST_FOLDER = 32 };

/* ---- walking ---- */

struct walk {
    const char *path;
    member_reader *member;
    void *arg;
    struct budget budget;
};

static bool ends_with(const char *string, const char *end)
{
    size_t length = strlen(string), wanted = strlen(end);
    return length >= wanted && strcasecmp(string + length - wanted, end) == 0;
}

/* Calls the reader for one text and closes it.  relative: its name in the walk. */
static int visit(struct walk *walk, struct lines *lines, const char *relative, struct error *err)
{
    char *name = xstrdup(relative);
    if (ends_with(name, ".gz")) name[strlen(name) - 3] = '\0';
    int result = walk->member(walk->arg, name, lines, err);
    free(name);
    lines_close(lines);
    return result;
}

/* ---- folders ---- */

/* The folders above, to see loops that links make. */
struct folder {
    const struct folder *parent;
    dev_t device;
    ino_t inode;
    int depth;
};

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int walk_folder(struct walk *walk, const char *path, const char *relative,
                       const struct folder *parent, struct error *err);

static int walk_entry(struct walk *walk, const char *folder, const char *relative, const char *name,
                      const struct folder *parent, struct error *err)
{
    char *path = xasprintf("%s/%s", folder, name);
    char *below = *relative ? xasprintf("%s/%s", relative, name) : xstrdup(name);
    struct stat info;
    int result = 0;
    if (stat(path, &info))
        result = fail_errno(err, "%s: cannot open", path);
    else if (S_ISDIR(info.st_mode))
        result = walk_folder(walk, path, below, parent, err);
    else if (S_ISREG(info.st_mode)) {
        walk->budget.stored += (uint64_t)info.st_size;
        struct lines *lines = lines_new(path, path, NULL, NULL, &walk->budget);
        result = visit(walk, lines, below, err);
    }
    free(below);
    free(path);
    return result;
}

static int walk_folder(struct walk *walk, const char *path, const char *relative,
                       const struct folder *parent, struct error *err)
{
    struct stat info;
    if (stat(path, &info)) return fail_errno(err, "%s: cannot open", path);
    struct folder self = {parent, info.st_dev, info.st_ino, parent ? parent->depth + 1 : 0};
    for (const struct folder *above = parent; above; above = above->parent)
        if (above->device == self.device && above->inode == self.inode)
            return fail(err, "%s: a link leads back to a folder above it", path);
    if (self.depth > DEEPEST_FOLDER) return fail(err, "%s: folders are nested too deeply", path);
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, not_hidden, by_bytes);
    if (count < 0) return fail_errno(err, "%s: cannot read the folder", path);
    int result = 0;
    for (int i = 0; i < count; i++) {
        if (result == 0) result = walk_entry(walk, path, relative, entries[i]->d_name, &self, err);
        free(entries[i]);
    }
    free(entries);
    return result;
}

/* ---- archives ---- */

/* libarchive's own words, with nothing in them that a terminal would obey. */
static int archive_fail(struct archive *archive, const char *name, struct error *err)
{
    const char *reason = archive_error_string(archive);
    char *words = xstrdup(reason ? reason : "unknown error");
    for (char *c = words; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = '?';
    int result =
        fail(err, "%s: cannot read the archive; it may be cut short or corrupt: %s", name, words);
    free(words);
    return result;
}

struct member {
    struct archive *archive;
    const char *where; /* archive:name */
};

static ssize_t read_member(void *arg, void *bytes, size_t size, struct error *err)
{
    const struct member *member = arg;
    ssize_t got = archive_read_data(member->archive, bytes, size);
    return got < 0 ? archive_fail(member->archive, member->where, err) : got;
}

static int check_name(const char *archive, const char *name, struct error *err)
{
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return fail(err, "%s: refused: a member's name holds control characters", archive);
    bool drive = name[0] && name[1] == ':';
    if (name[0] == '/' || drive)
        return fail(err, "%s: refused: member %s has an absolute name", archive, name);
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
            return fail(err, "%s: refused: member %s leads out of the archive", archive, name);
    }
    return 0;
}

/* As in folders: what some systems put beside the files (".DS_Store", "__MACOSX/._corpus.jsonl")
 * is no member. */
static bool is_hidden(const char *name)
{
    return *name == '.' || *name == '\0' || strstr(name, "/.");
}

/* Whether the entry is a text to visit (1), nothing (0: folders, hidden names), or refused (-1). */
static int check_entry(struct walk *walk, struct archive_entry *entry, const char *name,
                       struct error *err)
{
    if (check_name(walk->path, name, err)) return -1;
    if (archive_entry_hardlink(entry) || archive_entry_symlink(entry))
        return fail(err, "%s: refused: member %s is a link", walk->path, name);
    bool folder = archive_entry_filetype(entry) == AE_IFDIR || ends_with(name, "/");
    if (folder || is_hidden(name)) return 0;
    if (archive_entry_filetype(entry) != AE_IFREG)
        return fail(err, "%s: refused: member %s is not a regular file", walk->path, name);
    if (archive_entry_is_encrypted(entry))
        return fail(err, "%s: member %s is encrypted; decrypt the archive first", walk->path, name);
    return 1;
}

/* A freshly allocated name with "/" only and without "./" before it; NULL if the archive gives
 * none. */
static char *member_name(struct archive_entry *entry)
{
    const char *given = archive_entry_pathname(entry);
    if (!given) given = archive_entry_pathname_utf8(entry);
    if (!given) return NULL;
    char *name = xstrdup(given);
    for (char *c = name; *c; c++)
        if (*c == '\\') *c = '/';
    size_t skip = 0;
    while (strncmp(name + skip, "./", 2) == 0) skip += 2;
    memmove(name, name + skip, strlen(name + skip) + 1);
    return name;
}

static int walk_member(struct walk *walk, struct archive *archive, struct archive_entry *entry,
                       struct budget *declared, struct error *err)
{
    char *name = member_name(entry);
    if (!name) return fail(err, "%s: a member's name cannot be read", walk->path);
    int result = check_entry(walk, entry, name, err);
    /* Skipping a member may decompress it: the sizes declared count, as well as what is really
     * read. */
    if (result == 1 && archive_entry_size_is_set(entry) && archive_entry_size(entry) > 0 &&
        budget_spend(declared, (uint64_t)archive_entry_size(entry), walk->path, err))
        result = -1;
    if (result == 1) {
        char *where = xasprintf("%s:%s", walk->path, name);
        struct member member = {archive, where};
        struct lines *lines = lines_new(where, where, read_member, &member, &walk->budget);
        result = visit(walk, lines, name, err);
        free(where);
    }
    free(name);
    return result;
}

static int walk_members(struct walk *walk, struct archive *archive, struct error *err)
{
    struct budget declared = walk->budget;
    int result = 0;
    while (result == 0) {
        struct archive_entry *entry;
        int code = archive_read_next_header(archive, &entry);
        if (code == ARCHIVE_EOF) break;
        if (code != ARCHIVE_OK && code != ARCHIVE_WARN)
            return archive_fail(archive, walk->path, err);
        result = walk_member(walk, archive, entry, &declared, err);
    }
    return result;
}

/* The archive's own bytes.  Gzip is undone here and not by libarchive, which does not look at
 * its check sums. */
struct container {
    struct lines *lines; /* NULL: a file with this path, which libarchive may read in any order */
    const char *path;
    struct error *err;
};

static la_ssize_t read_container(struct archive *archive, void *arg, const void **bytes)
{
    struct container *container = arg;
    const char *piece = NULL;
    ssize_t length = lines_piece(container->lines, &piece, container->err);
    *bytes = piece;
    if (length < 0) archive_set_error(archive, EIO, "read error");
    return length;
}

static int open_archive(struct archive *archive, struct container *container)
{
    if (container->lines) return archive_read_open(archive, container, NULL, read_container, NULL);
    return archive_read_open_filename(archive, container->path, ARCHIVE_BLOCK);
}

static int walk_archive(struct walk *walk, struct container *container, struct error *err)
{
    struct archive *archive = archive_read_new();
    REQUIRE(archive);
    if (container->lines) {
        archive_read_support_filter_zstd(archive);
        archive_read_support_filter_xz(archive);
        archive_read_support_filter_bzip2(archive);
        archive_read_support_format_tar(archive);
    } else {
        /* The other zip reader takes a file without its directory, that is, one cut short. */
        archive_read_support_format_zip_seekable(archive);
    }
    /* Member names are converted to the locale's characters, and "C" has too few of them. */
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
    int result = open_archive(archive, container) == ARCHIVE_OK
                     ? walk_members(walk, archive, err)
                     : archive_fail(archive, walk->path, err);
    if (utf8) {
        uselocale(before);
        freelocale(utf8);
    }
    archive_read_free(archive);
    return result;
}

static int walk_zip(struct walk *walk, struct error *err)
{
    struct stat info;
    if (strcmp(walk->path, "-") == 0 || stat(walk->path, &info) || !S_ISREG(info.st_mode))
        return fail(err, "%s: a zip archive cannot be read from a pipe; give a file", walk->path);
    struct container container = {.path = walk->path};
    return walk_archive(walk, &container, err);
}

/* ---- files and pipes ---- */

enum kind { TEXT, TAR, ZIP };

/* By the name, which holds for archives that are broken, or by the first bytes. */
static enum kind kind_of(const char *path, const char *head, size_t length)
{
    static const char *const tars[] = {".tar",     ".tgz",    ".tzst",   ".txz",    ".tbz2",
                                       ".tar.zst", ".tar.gz", ".tar.xz", ".tar.bz2"};
    static const struct {
        size_t offset;
        const char *bytes;
        enum kind kind;
    } magic[] = {{257, "ustar", TAR}, {0, "\x28\xb5\x2f\xfd", TAR}, {0, "\xfd\x37zXZ", TAR},
                 {4, "1AY&SY", TAR},  {0, "PK\3\4", ZIP},           {0, "PK\5\6", ZIP}};
    if (ends_with(path, ".zip")) return ZIP;
    for (size_t i = 0; i < sizeof tars / sizeof *tars; i++)
        if (ends_with(path, tars[i])) return TAR;
    for (size_t i = 0; i < sizeof magic / sizeof *magic; i++) {
        size_t end = magic[i].offset + strlen(magic[i].bytes);
        if (end <= length &&
            memcmp(head + magic[i].offset, magic[i].bytes, strlen(magic[i].bytes)) == 0)
            return magic[i].kind;
    }
    return TEXT;
}

static int walk_file(struct walk *walk, struct error *err)
{
    struct lines *lines;
    const char *head, *slash = strrchr(walk->path, '/');
    size_t length;
    struct stat info;
    if (stat(walk->path, &info) == 0 && S_ISREG(info.st_mode))
        walk->budget.stored = (uint64_t)info.st_size;
    if (lines_open(&lines, walk->path, err)) return -1;
    int result = lines_peek(lines, &head, &length, 512, err);
    enum kind kind = kind_of(walk->path, head, length);
    if (result == 0 && kind == TEXT) return visit(walk, lines, slash ? slash + 1 : walk->path, err);
    struct container container = {.lines = lines, .err = err};
    if (result == 0)
        result = kind == ZIP ? walk_zip(walk, err) : walk_archive(walk, &container, err);
    lines_close(lines);
    return result;
}

int source_walk(const char *path, member_reader *member, void *arg, struct error *err)
{
    char *trimmed = xstrdup(path ? path : "-"); /* "scifact/" is "scifact" */
    for (size_t n = strlen(trimmed); n > 1 && trimmed[n - 1] == '/'; n--) trimmed[n - 1] = '\0';
    struct walk walk = {.path = trimmed, .member = member, .arg = arg};
    struct stat info;
    bool folder = strcmp(trimmed, "-") && stat(trimmed, &info) == 0 && S_ISDIR(info.st_mode);
    int result = folder ? walk_folder(&walk, trimmed, "", NULL, err) : walk_file(&walk, err);
    free(trimmed);
    return result < 0 ? -1 : 0;
}

void source_library_version(char version[VERSION_SIZE])
{
    int number = archive_version_number(); /* 3006002: 3.6.2 */
    snprintf(version, VERSION_SIZE, "%d.%d.%d", number / 1000000, number / 1000 % 1000,
             number % 1000);
}
