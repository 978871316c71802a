/* See index.h. */
#include "student/index.h"

#include "data/guard.h"
#include "data/json.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char format_name[] = "retort-index";
enum { FORMAT_VERSION = 2, MOST_DIMENSIONS = 65536 };

static const enum npy_type npy_types[VECTOR_TYPES] = {[VECTOR_F32] = NPY_F32,
                                                      [VECTOR_BF16] = NPY_U16,
                                                      [VECTOR_INT8] = NPY_I8,
                                                      [VECTOR_BINARY] = NPY_U8};

/* Columns of vectors.npy. */
static size_t stored_columns(const struct index_info *info)
{
    return info->type == VECTOR_BINARY ? stored_bytes(info->type, info->dim) : (size_t)info->dim;
}

static bool all_finite(const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i])) return false;
    return true;
}

/* ---- index.json ---- */

static int write_info(const struct index_info *info, const char *folder, struct error *err)
{
    struct json *json = json_new_object();
    json_set_string(json, "format", format_name);
    json_set_int(json, "version", FORMAT_VERSION);
    json_set_string(json, "model", info->model);
    json_set_string(json, "fingerprint", info->fingerprint);
    json_set_int(json, "layers", info->layers);
    json_set_int(json, "dim", info->dim);
    json_set_string(json, "vectors", vector_type_name(info->type));
    json_set_bool(json, "normalized", info->normalized);
    json_set_int(json, "count", (int64_t)info->count);
    char *path = path_join(folder, "index.json");
    int status = json_write_file(path, json, err);
    free(path);
    json_free(json);
    return status;
}

static int parse_info(struct index_info *out, const struct json *json, const char *path,
                      struct error *err)
{
    int version = 0;
    int64_t count = 0;
    const char *model = json_get_string(json, "model");
    const char *fingerprint = json_get_string(json, "fingerprint");
    if (strcmp(json_string_or(json, "format", ""), format_name) != 0)
        return fail(err, "%s: not an index of retort", path);
    if (json_get_int(&version, json, "version", 1, INT32_MAX, path, err)) return -1;
    if (version != FORMAT_VERSION)
        return fail(err,
                    "%s: an index of version %d, only %d is known; make it again with retort index",
                    path, version, FORMAT_VERSION);
    if (json_get_int(&out->layers, json, "layers", 1, 10000, path, err) ||
        json_get_int(&out->dim, json, "dim", 1, MOST_DIMENSIONS, path, err) ||
        json_get_bool(&out->normalized, json, "normalized", path, err))
        return -1;
    if (vector_type_find(&out->type, json_string_or(json, "vectors", "")))
        return fail(err, "%s: vectors are f32, bf16, int8 or binary, not \"%s\"", path,
                    json_string_or(json, "vectors", ""));
    if (!model || !fingerprint || strlen(fingerprint) != 32 || !out->layers || !out->dim ||
        !json_as_integer(&count, json_get(json, "count"), 0, UINT32_MAX))
        return fail(err, "%s: incomplete; make the index again", path);
    memcpy(out->fingerprint, fingerprint, 33);
    out->model = xstrdup(model);
    out->count = (size_t)count;
    return 0;
}

static int read_info(struct index_info *out, const char *folder, struct error *err)
{
    struct json *json = NULL;
    char *path = hold(path_join(folder, "index.json"), free);
    int status = path_exists(folder) && !path_exists(path)
                     ? fail(err, "%s: has no index.json; an index is made by retort index", folder)
                     : json_read_file(&json, path, err);
    hold(json, json_release);
    if (status == 0) status = parse_info(out, json, path, err);
    json_free(let_go(json));
    free(let_go(path));
    return status;
}

/* ---- reading ---- */

/* One of the files with a row for each document. */
static int map_rows(struct npy_map *out, const char *folder, const char *name, enum npy_type type,
                    const size_t shape[2], struct error *err)
{
    char *path = hold(path_join(folder, name), free);
    int status = npy_map_open(out, path, type, err);
    if (status == 0 && (out->rows != shape[0] || out->cols != shape[1]))
        status = fail(err, "%s: [%zu, %zu] instead of [%zu, %zu]; make the index again", path,
                      out->rows, out->cols, shape[0], shape[1]);
    free(let_go(path));
    return status;
}

static int map_vectors(struct vector_index *index, const char *folder, struct error *err)
{
    const struct index_info *info = &index->info;
    size_t shape[2] = {info->count, stored_columns(info)};
    if (map_rows(&index->values, folder, "vectors.npy", npy_types[info->type], shape, err))
        return -1;
    shape[1] = 1;
    if (info->type == VECTOR_INT8 &&
        map_rows(&index->scales, folder, "scales.npy", NPY_F32, shape, err))
        return -1;
    index->vectors = (struct stored_vectors){info->type, info->count, info->dim,
                                             index->values.values, index->scales.values};
    return 0;
}

int vector_index_open(struct vector_index *out, const char *folder, struct error *err)
{
    *out = (struct vector_index){0};
    if (read_info(&out->info, folder, err) == 0 &&
        id_list_open(&out->ids, folder, out->info.count, err) == 0 &&
        map_vectors(out, folder, err) == 0)
        return 0;
    vector_index_free(out);
    return -1;
}

void vector_index_free(struct vector_index *index)
{
    npy_map_close(&index->values);
    npy_map_close(&index->scales);
    id_list_close(&index->ids);
    free(index->info.model);
    *index = (struct vector_index){0};
}

/* ---- writing ---- */

/* An index.json of somebody else does not make a folder ours. */
static int check_replaceable(const char *folder, struct error *err)
{
    struct index_info info = {0};
    char *path = path_join(folder, "index.json");
    int status = path_exists(path) ? read_info(&info, folder, err) : 0;
    if (status)
        snprintf(err->message, sizeof err->message,
                 "%s: exists and is no index of retort, so it is not replaced", folder);
    free(info.model);
    free(path);
    return status;
}

static int open_output(struct output *out, const char *folder, const char *name, struct error *err)
{
    char *path = path_join(folder, name);
    int status = output_open(out, path, err);
    free(path);
    return status;
}

int index_writer_open(struct index_writer *out, const char *folder, const struct index_info *info,
                      struct error *err)
{
    *out = (struct index_writer){.info = *info};
    if (check_replaceable(folder, err) ||
        output_folder_open(&out->folder, folder, "index.json", err))
        return -1;
    const char *inside = out->folder.temporary;
    bool scaled = info->type == VECTOR_INT8;
    if (open_output(&out->vectors, inside, "vectors.npy", err) ||
        (scaled && open_output(&out->scales, inside, "scales.npy", err)) ||
        id_writer_open(&out->ids, inside, info->count, err)) {
        index_writer_abandon(out);
        return -1;
    }
    npy_header(&out->vectors, npy_types[info->type], info->count, stored_columns(info));
    if (scaled) npy_header(&out->scales, NPY_F32, info->count, 1);
    return 0;
}

/* The errno of the first write that failed. */
static int failure_of(const struct index_writer *writer)
{
    const struct output *const outputs[] = {&writer->vectors, &writer->scales, &writer->ids.lines,
                                            &writer->ids.ends};
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++)
        if (outputs[i]->failed) return outputs[i]->failed;
    return 0;
}

static void write_vectors(struct index_writer *writer, const float *vectors, size_t n)
{
    const struct index_info *info = &writer->info;
    size_t bytes = n * stored_bytes(info->type, info->dim);
    void *stored = xmalloc(bytes);
    float *scales = info->type == VECTOR_INT8 ? xcalloc(n, sizeof *scales) : NULL;
    store_vectors(stored, scales, vectors, n, info->dim, info->type);
    output_write(&writer->vectors, stored, bytes);
    if (scales) output_write(&writer->scales, scales, n * sizeof *scales);
    free(scales);
    free(stored);
}

int index_writer_add(struct index_writer *writer, const char *const *ids, const float *vectors,
                     size_t n, struct error *err)
{
    size_t dim = (size_t)writer->info.dim;
    REQUIRE(n <= writer->info.count - writer->written);
    for (size_t i = 0; i < n; i++) {
        if (!*ids[i] || strpbrk(ids[i], "\t\n"))
            return fail(err, "document %zu: its id is empty, or holds a tab or newline",
                        writer->written + i + 1);
        if (!all_finite(vectors + i * dim, dim))
            return fail(err, "document %s: its vector is not finite; is the model whole?", ids[i]);
        id_writer_add(&writer->ids, ids[i]);
    }
    write_vectors(writer, vectors, n);
    writer->written += n;
    errno = failure_of(writer);
    return errno ? fail_errno(err, "%s: cannot be written", writer->folder.path) : 0;
}

int index_writer_commit(struct index_writer *writer, struct error *err)
{
    REQUIRE(writer->written == writer->info.count);
    int status = output_commit(&writer->vectors, err);
    if (status == 0 && writer->scales.file) status = output_commit(&writer->scales, err);
    if (status == 0) status = id_writer_commit(&writer->ids, err);
    if (status == 0) status = write_info(&writer->info, writer->folder.temporary, err);
    if (status == 0) status = output_folder_commit(&writer->folder, err);
    index_writer_abandon(writer);
    return status;
}

void index_writer_abandon(struct index_writer *writer)
{
    output_abandon(&writer->vectors);
    output_abandon(&writer->scales);
    id_writer_abandon(&writer->ids);
    output_folder_abandon(&writer->folder);
    *writer = (struct index_writer){0};
}
