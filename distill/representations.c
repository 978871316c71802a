/* Representations on disk: see representations.h.
 *
 * What BASE.json says is compared byte for byte with what would be written now; it is removed
 * before BASE.npy is replaced and written after it, so that it never stands beside other rows than
 * its own. */
#define _GNU_SOURCE
#include "distill/representations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/output.h"
#include "data/progress.h"

/* The files of one layer. */
struct making {
    int layer;
    const struct texts *texts;
    size_t row_bytes;
    char *npy, *ids, *json, *part, *part_json; /* paths */
    struct text description;                   /* of what is wanted, the content of BASE.json */
    struct text header;                        /* of the .npy file */
    FILE *file;                                /* part */
};

/* ---- models ---- */

static void teacher_rows(const void *arg, struct pool *pool, const char *const *texts, size_t n,
                         const int *layers, int num_layers, float *const *out)
{
    const struct teacher_source *source = arg;
    cross_encoder_represent(source->ce, pool, texts, n, source->input, layers, num_layers, out);
}

struct representation representation_of_teacher(const struct teacher_source *source)
{
    struct representation spec = {.rows = teacher_rows,
                                  .source = source,
                                  .width = (size_t)cross_encoder_config(source->ce)->hidden_size};
    struct hash128 teacher = cross_encoder_fingerprint(source->ce);
    snprintf(spec.model, sizeof spec.model,
             "\"teacher\": \"%016llx%016llx\", \"form\": \"%s\", \"max_length\": %d",
             (unsigned long long)teacher.high, (unsigned long long)teacher.low,
             text_form_name(source->input.form), source->input.max_length);
    return spec;
}

static void encoder_rows(const void *arg, struct pool *pool, const char *const *texts, size_t n,
                         const int *layers, int num_layers, float *const *out)
{
    const struct encoder_source *source = arg;
    const struct embed_request request = {.texts = texts,
                                          .count = n,
                                          .prompt = source->prompt,
                                          .max_length = source->max_length,
                                          .layers = layers,
                                          .num_layers = num_layers};
    dual_encoder_embed(source->encoder, pool, &request, out);
}

struct representation representation_of_encoder(const struct encoder_source *source)
{
    struct representation spec = {
        .rows = encoder_rows, .source = source, .width = (size_t)source->encoder->output_size};
    struct hash128 prompt = hash128(source->prompt, strlen(source->prompt));
    snprintf(spec.model, sizeof spec.model,
             "\"encoder\": \"%s\", \"precision\": \"%s\", \"prompt\": \"%016llx\", "
             "\"max_length\": %d",
             source->fingerprint, precision_name(source->encoder->encoder.precision),
             (unsigned long long)prompt.low, source->max_length);
    return spec;
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

static void describe(struct making *making, const struct representation *spec, struct hash128 texts)
{
    text_printf(&making->description,
                "{\n  %s,\n  \"layer\": %d,\n"
                "  \"texts\": \"%016llx%016llx\",\n  \"rows\": %zu,\n"
                "  \"cols\": %zu\n}\n",
                spec->model, making->layer, (unsigned long long)texts.high,
                (unsigned long long)texts.low, making->texts->count, spec->width);
}

static void make_header(struct making *making)
{
    char *bytes = NULL;
    size_t length = 0;
    struct output out = {.file = open_memstream(&bytes, &length)};
    REQUIRE(out.file);
    npy_header(&out, NPY_F32, making->texts->count, making->row_bytes / sizeof(float));
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
    size_t whole = making->header.length + making->texts->count * making->row_bytes;
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

/* Whole blocks in the part that an earlier run left; -1: there is none that goes on. */
static long long blocks_left(const struct making *making)
{
    long long header = (long long)making->header.length, size = file_size(making->part);
    if (!file_says(making->part_json, &making->description) || size < header) return -1;
    return (size - header) / (long long)(REPRESENTATION_BLOCK * making->row_bytes);
}

/* Opens the part, cut to so many blocks, or a new one where blocks is -1. */
static int open_part(struct making *making, long long blocks, struct error *err)
{
    size_t header = making->header.length, block = REPRESENTATION_BLOCK * making->row_bytes;
    if (blocks >= 0) {
        if (truncate(making->part, (off_t)(header + (size_t)blocks * block)) ||
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

/* The layers that are not there yet. */
struct layers {
    const struct representation *spec;
    struct pool *pool;
    const struct texts *texts;
    struct making *files[MAX_REPRESENTED];
    int numbers[MAX_REPRESENTED], count;
};

static int append_rows(struct making *making, const float *rows, size_t count, struct error *err)
{
    if (fwrite(rows, making->row_bytes, count, making->file) != count || fflush(making->file) ||
        fdatasync(fileno(making->file)))
        return fail_errno(err, "%s: cannot be written", making->part);
    return 0;
}

static int append_block(struct layers *layers, size_t first, size_t count, float *const *rows,
                        struct error *err)
{
    const struct representation *spec = layers->spec;
    spec->rows(spec->source, layers->pool, layers->texts->values + first, count, layers->numbers,
               layers->count, rows);
    for (int l = 0; l < layers->count; l++)
        if (append_rows(layers->files[l], rows[l], count, err)) return -1;
    return 0;
}

static int append_all(struct layers *layers, size_t done, struct error *err)
{
    size_t n = layers->texts->count, block = REPRESENTATION_BLOCK * layers->spec->width;
    float *rows[MAX_REPRESENTED], *all = xcalloc((size_t)layers->count * block, sizeof *all);
    for (int l = 0; l < layers->count; l++) rows[l] = all + (size_t)l * block;
    struct progress progress = {0};
    progress_start(&progress, "representing", "texts", n, done);
    int status = 0;
    while (status == 0 && done < n) {
        size_t count = n - done < REPRESENTATION_BLOCK ? n - done : REPRESENTATION_BLOCK;
        status = append_block(layers, done, count, rows, err);
        done += count;
        if (status) break;
        progress_add(&progress, count);
        if (done < n && interrupted()) status = fail_interrupted(err);
    }
    progress_end(&progress);
    free(all);
    return status;
}

static int write_ids(const char *path, const struct texts *texts, struct error *err)
{
    struct output out = {0};
    if (output_open(&out, path, err)) return -1;
    for (size_t i = 0; i < texts->count; i++) output_printf(&out, "%s\n", texts->ids[i]);
    return output_commit(&out, err);
}

static int finish(struct making *making, struct error *err)
{
    if (remove(making->json) && path_exists(making->json))
        return fail_errno(err, "%s: cannot be removed", making->json);
    if (write_ids(making->ids, making->texts, err)) return -1;
    if (rename(making->part, making->npy))
        return fail_errno(err, "%s: cannot be renamed to %s", making->part, making->npy);
    if (write_description(making->json, &making->description, err)) return -1;
    remove(making->part_json); /* describes nothing any more */
    return 0;
}

/* All layers go on from the block that the last of them has. */
static int make(struct layers *layers, struct error *err)
{
    long long blocks = INT64_MAX;
    for (int l = 0; l < layers->count; l++) {
        long long left = blocks_left(layers->files[l]);
        if (left < blocks) blocks = left;
    }
    int status = 0;
    for (int l = 0; l < layers->count && !status; l++)
        status = open_part(layers->files[l], blocks, err);
    if (!status)
        status = append_all(layers, blocks > 0 ? (size_t)blocks * REPRESENTATION_BLOCK : 0, err);
    for (int l = 0; l < layers->count; l++) {
        FILE *file = layers->files[l]->file;
        if (file && fclose(file) && !status)
            status = fail_errno(err, "%s: cannot be written", layers->files[l]->part);
    }
    for (int l = 0; l < layers->count && !status; l++) status = finish(layers->files[l], err);
    return status;
}

static void making_free(struct making *making)
{
    free(making->npy);
    free(making->ids);
    free(making->json);
    free(making->part);
    free(making->part_json);
    text_free(&making->description);
    text_free(&making->header);
}

int representations_make(const struct representation *spec, struct pool *pool,
                         const struct texts *texts, const int *numbers, const char *const *bases,
                         int num_layers, struct error *err)
{
    struct making making[MAX_REPRESENTED];
    struct layers layers = {.spec = spec, .pool = pool, .texts = texts};
    struct hash128 hash = hash_texts(texts);
    REQUIRE(num_layers <= MAX_REPRESENTED);
    for (int l = 0; l < num_layers; l++) {
        making[l] = (struct making){.layer = numbers[l],
                                    .texts = texts,
                                    .row_bytes = spec->width * sizeof(float),
                                    .npy = xasprintf("%s.npy", bases[l]),
                                    .ids = xasprintf("%s.ids", bases[l]),
                                    .json = xasprintf("%s.json", bases[l]),
                                    .part = xasprintf("%s.npy.part", bases[l]),
                                    .part_json = xasprintf("%s.npy.part.json", bases[l])};
        describe(&making[l], spec, hash);
        make_header(&making[l]);
        if (is_made(&making[l])) {
            remove(making[l].part_json); /* a kill at the very end leaves it */
            continue;
        }
        layers.numbers[layers.count] = numbers[l];
        layers.files[layers.count++] = &making[l];
    }
    int status = layers.count ? make(&layers, err) : 0;
    for (int l = 0; l < num_layers; l++) making_free(&making[l]);
    return status;
}

int representations_write(const struct matrix *rows, const struct texts *texts, const char *base,
                          struct error *err)
{
    char *npy = xasprintf("%s.npy", base), *ids = xasprintf("%s.ids", base),
         *json = xasprintf("%s.json", base);
    int status = remove(json) && path_exists(json) ? fail_errno(err, "%s: cannot be removed", json)
                                                   : write_ids(ids, texts, err);
    if (!status) status = npy_write(npy, rows->values, rows->rows, rows->cols, err);
    free(npy);
    free(ids);
    free(json);
    return status;
}
