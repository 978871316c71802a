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
enum { FORMAT_VERSION = 1 };

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
        return fail(err, "%s: an index of version %d, only %d is known; make it again", path,
                    version, FORMAT_VERSION);
    if (json_get_int(&out->layers, json, "layers", 1, 10000, path, err) ||
        json_get_int(&out->dim, json, "dim", 1, 1000000, path, err) ||
        json_get_bool(&out->normalized, json, "normalized", path, err))
        return -1;
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

/* Lines of index->id_bytes become ids. */
static int split_ids(struct vector_index *index, const char *path, struct error *err)
{
    size_t count = 0, expected = index->info.count;
    char *line = index->id_bytes.bytes, *end;
    index->ids = xcalloc(expected, sizeof *index->ids);
    for (; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        if (count == expected) return fail(err, "%s: more than %zu lines", path, expected);
        index->ids[count++] = line;
    }
    if (*line) return fail(err, "%s: the last line is cut off; make the index again", path);
    if (count < expected)
        return fail(err, "%s: %zu lines instead of %zu; make the index again", path, count,
                    expected);
    return 0;
}

static int read_ids(struct vector_index *index, const char *folder, struct error *err)
{
    char *path = hold(path_join(folder, "ids.txt"), free);
    int status = read_whole_file(&index->id_bytes, path, SIZE_MAX, err);
    if (status == 0 && strlen(index->id_bytes.bytes) != index->id_bytes.length)
        status = fail(err, "%s: a NUL byte inside", path);
    if (status == 0) status = split_ids(index, path, err);
    free(let_go(path));
    return status;
}

static int read_vectors(struct vector_index *index, const char *folder, struct error *err)
{
    const struct index_info *info = &index->info;
    struct matrix *vectors = &index->vectors;
    char *path = hold(path_join(folder, "vectors.npy"), free);
    int status = npy_read(vectors, path, err);
    if (status == 0 && (vectors->rows != info->count || vectors->cols != (size_t)info->dim))
        status = fail(err, "%s: [%zu, %zu] instead of [%zu, %d]; make the index again", path,
                      vectors->rows, vectors->cols, info->count, info->dim);
    if (status == 0 && !all_finite(vectors->values, vectors->rows * vectors->cols))
        status = fail(err, "%s: holds a value that is not finite; make the index again", path);
    free(let_go(path));
    return status;
}

int vector_index_open(struct vector_index *out, const char *folder, struct error *err)
{
    *out = (struct vector_index){0};
    if (read_info(&out->info, folder, err) == 0 && read_ids(out, folder, err) == 0 &&
        read_vectors(out, folder, err) == 0)
        return 0;
    vector_index_free(out);
    return -1;
}

void vector_index_free(struct vector_index *index)
{
    matrix_free(&index->vectors);
    free(index->ids);
    text_free(&index->id_bytes);
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
    if (open_output(&out->vectors, inside, "vectors.npy", err) ||
        open_output(&out->ids, inside, "ids.txt", err)) {
        index_writer_abandon(out);
        return -1;
    }
    npy_header(&out->vectors, info->count, (size_t)info->dim);
    return 0;
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
        output_printf(&writer->ids, "%s\n", ids[i]);
    }
    output_write(&writer->vectors, vectors, n * dim * sizeof *vectors);
    writer->written += n;
    errno = writer->vectors.failed ? writer->vectors.failed : writer->ids.failed;
    return errno ? fail_errno(err, "%s: cannot be written", writer->folder.path) : 0;
}

int index_writer_commit(struct index_writer *writer, struct error *err)
{
    REQUIRE(writer->written == writer->info.count);
    int status = output_commit(&writer->vectors, err);
    if (status == 0) status = output_commit(&writer->ids, err);
    if (status == 0) status = write_info(&writer->info, writer->folder.temporary, err);
    if (status == 0) status = output_folder_commit(&writer->folder, err);
    index_writer_abandon(writer);
    return status;
}

void index_writer_abandon(struct index_writer *writer)
{
    output_abandon(&writer->vectors);
    output_abandon(&writer->ids);
    output_folder_abandon(&writer->folder);
    *writer = (struct index_writer){0};
}
