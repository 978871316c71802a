/* Representations on disk: see representations.h.
 *
 * What BASE.json says is compared byte for byte with what would be written now; it is removed
 * before BASE.npy is replaced and written after it, so that it never stands beside other rows than
 * its own. */
#define _GNU_SOURCE
#include "teacher/representations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/npy.h"
#include "data/output.h"
#include "data/progress.h"

struct making {
    const struct representation *spec;
    struct pool *pool;
    const struct texts *texts;
    char *npy, *ids, *json, *part, *part_json; /* paths */
    struct text description;                   /* of what is wanted, the content of BASE.json */
    struct text header;                        /* of the .npy file */
    FILE *file;                                /* part */
};

static size_t row_bytes(const struct making *making)
{
    return (size_t)cross_encoder_config(making->spec->ce)->hidden_size * sizeof(float);
}

/* ---- what is wanted ---- */

static struct hash128 hash_texts(const struct texts *texts)
{
    struct hash128 chain[3] = {{0}};
    for (size_t i = 0; i < texts->count; i++) {
        chain[1] = hash128(texts->ids[i], strlen(texts->ids[i]));
        chain[2] = hash128(texts->values[i], strlen(texts->values[i]));
        chain[0] = hash128(chain, sizeof chain);
    }
    return chain[0];
}

static void describe(struct making *making)
{
    const struct representation *spec = making->spec;
    struct hash128 teacher = cross_encoder_fingerprint(spec->ce);
    struct hash128 texts = hash_texts(making->texts);
    text_printf(&making->description,
                "{\n  \"teacher\": \"%016llx%016llx\",\n  \"form\": \"%s\",\n  \"layer\": %d,\n"
                "  \"max_length\": %d,\n  \"texts\": \"%016llx%016llx\",\n  \"rows\": %zu,\n"
                "  \"cols\": %d\n}\n",
                (unsigned long long)teacher.high, (unsigned long long)teacher.low,
                text_form_name(spec->input.form), spec->layer, spec->input.max_length,
                (unsigned long long)texts.high, (unsigned long long)texts.low, making->texts->count,
                cross_encoder_config(spec->ce)->hidden_size);
}

static void make_header(struct making *making)
{
    char *bytes = NULL;
    size_t length = 0;
    struct output out = {.file = open_memstream(&bytes, &length)};
    REQUIRE(out.file);
    npy_header(&out, NPY_F32, making->texts->count, row_bytes(making) / sizeof(float));
    fclose(out.file);
    text_append(&making->header, bytes, length);
    free(bytes);
}

/* ---- what is there ---- */

/* Size of a regular file, -1 where there is none. */
static long long file_size(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) ? (long long)info.st_size : -1;
}

static bool file_says(const char *path, const struct text *wanted)
{
    struct error ignored = {0};
    struct text found = {0};
    bool same = path_exists(path) && read_whole_file(&found, path, 1 << 16, &ignored) == 0 &&
                found.length == wanted->length &&
                memcmp(found.bytes, wanted->bytes, wanted->length) == 0;
    text_free(&found);
    return same;
}

static bool is_made(const struct making *making)
{
    size_t whole = making->header.length + making->texts->count * row_bytes(making);
    return file_says(making->json, &making->description) && path_exists(making->ids) &&
           file_size(making->npy) == (long long)whole;
}

static int write_description(const char *path, const struct text *description, struct error *err)
{
    struct output out = {0};
    if (output_open(&out, path, err)) return -1;
    output_write(&out, description->bytes, description->length);
    return output_commit(&out, err);
}

/* Opens the part that an earlier run left, cut to whole blocks, or a new one; *rows: how many it
 * holds. */
static int open_part(struct making *making, size_t *rows, struct error *err)
{
    size_t header = making->header.length, block = REPRESENTATION_BLOCK * row_bytes(making);
    *rows = 0;
    if (file_says(making->part_json, &making->description) &&
        file_size(making->part) >= (long long)header) {
        size_t blocks = ((size_t)file_size(making->part) - header) / block;
        *rows = blocks * REPRESENTATION_BLOCK;
        if (truncate(making->part, (off_t)(header + blocks * block)) ||
            !(making->file = fopen(making->part, "ab")))
            return fail_errno(err, "%s: cannot be continued", making->part);
        return 0;
    }
    if (remove(making->part) && path_exists(making->part))
        return fail_errno(err, "%s: cannot be removed", making->part);
    if (write_description(making->part_json, &making->description, err)) return -1;
    making->file = fopen(making->part, "wb");
    if (!making->file) return fail_errno(err, "%s: cannot be created", making->part);
    fwrite(making->header.bytes, 1, header, making->file); /* a failure shows when it is flushed */
    return 0;
}

/* ---- making ---- */

static int append_block(struct making *making, size_t first, size_t count, float *rows,
                        struct error *err)
{
    const struct representation *spec = making->spec;
    cross_encoder_represent(spec->ce, making->pool, making->texts->values + first, count,
                            spec->input, &spec->layer, 1, &rows);
    if (fwrite(rows, row_bytes(making), count, making->file) != count || fflush(making->file) ||
        fdatasync(fileno(making->file)))
        return fail_errno(err, "%s: cannot be written", making->part);
    return 0;
}

static int append_rows(struct making *making, size_t done, struct error *err)
{
    size_t n = making->texts->count;
    float *rows = xmalloc(REPRESENTATION_BLOCK * row_bytes(making));
    struct progress progress = {0};
    progress_start(&progress, "representing", "texts", n, done);
    int status = 0;
    while (status == 0 && done < n) {
        size_t count = n - done < REPRESENTATION_BLOCK ? n - done : REPRESENTATION_BLOCK;
        status = append_block(making, done, count, rows, err);
        done += count;
        if (status) break;
        progress_add(&progress, count);
        if (done < n && interrupted()) {
            status = fail(err, "interrupted; run it again to go on");
            err->status = STATUS_INTERRUPTED;
        }
    }
    progress_end(&progress);
    free(rows);
    return status;
}

static int write_ids(const struct making *making, struct error *err)
{
    struct output out = {0};
    if (output_open(&out, making->ids, err)) return -1;
    for (size_t i = 0; i < making->texts->count; i++)
        output_printf(&out, "%s\n", making->texts->ids[i]);
    return output_commit(&out, err);
}

static int finish(struct making *making, struct error *err)
{
    if (remove(making->json) && path_exists(making->json))
        return fail_errno(err, "%s: cannot be removed", making->json);
    if (write_ids(making, err)) return -1;
    if (rename(making->part, making->npy))
        return fail_errno(err, "%s: cannot be renamed to %s", making->part, making->npy);
    if (write_description(making->json, &making->description, err)) return -1;
    remove(making->part_json); /* describes nothing any more */
    return 0;
}

static int make(struct making *making, struct error *err)
{
    size_t done;
    if (is_made(making)) {
        remove(making->part_json); /* a kill at the very end leaves it */
        return 0;
    }
    int status = open_part(making, &done, err);
    if (!status) status = append_rows(making, done, err);
    if (making->file && fclose(making->file) && !status)
        status = fail_errno(err, "%s: cannot be written", making->part);
    return status ? -1 : finish(making, err);
}

int representations_make(const struct representation *spec, struct pool *pool,
                         const struct texts *texts, const char *base, struct error *err)
{
    struct making making = {.spec = spec,
                            .pool = pool,
                            .texts = texts,
                            .npy = xasprintf("%s.npy", base),
                            .ids = xasprintf("%s.ids", base),
                            .json = xasprintf("%s.json", base),
                            .part = xasprintf("%s.npy.part", base),
                            .part_json = xasprintf("%s.npy.part.json", base)};
    describe(&making);
    make_header(&making);
    int status = make(&making, err);
    free(making.npy);
    free(making.ids);
    free(making.json);
    free(making.part);
    free(making.part_json);
    text_free(&making.description);
    text_free(&making.header);
    return status;
}
