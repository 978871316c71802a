/* See id_list.h. */
#include "data/id_list.h"

#include "data/guard.h"
#include <stdlib.h>
#include <string.h>

static const char lines_name[] = "ids.txt", ends_name[] = "id_offsets.npy";

static uint64_t end_of(const struct id_list *list, size_t row)
{
    return ((const uint64_t *)list->ends.values)[row];
}

static int open_ends(struct id_list *list, const char *folder, struct error *err)
{
    char *path = hold(path_join(folder, ends_name), free);
    int status = npy_map_open(&list->ends, path, NPY_U64, err);
    if (status == 0 && (list->ends.rows != list->count || list->ends.cols != 1))
        status = fail(err, "%s: [%zu, %zu] instead of [%zu, 1]; make the index again", path,
                      list->ends.rows, list->ends.cols, list->count);
    size_t size = list->count && status == 0 ? end_of(list, list->count - 1) : 0;
    if (status == 0 && size != list->lines.size)
        status = fail(err, "%s: %zu bytes instead of the %zu of %s; make the index again",
                      list->path, list->lines.size, size, ends_name);
    free(let_go(path));
    return status;
}

int id_list_open(struct id_list *out, const char *folder, size_t count, struct error *err)
{
    *out = (struct id_list){.count = count};
    out->path = path_join(folder, lines_name);
    if (file_map_open(&out->lines, out->path, true, err) == 0 && open_ends(out, folder, err) == 0)
        return 0;
    id_list_close(out);
    return -1;
}

void id_list_close(struct id_list *list)
{
    file_map_close(&list->lines);
    npy_map_close(&list->ends);
    free(list->path);
    *list = (struct id_list){0};
}

static bool is_end(unsigned char byte)
{
    return byte == '\n' || byte == '\0';
}

int id_list_get(const char **id, struct id_list *list, size_t row, struct error *err)
{
    REQUIRE(row < list->count);
    uint64_t begin = row ? end_of(list, row - 1) : 0, end = end_of(list, row);
    unsigned char *bytes = list->lines.bytes;
    if (begin + 1 < end && end <= list->lines.size && is_end(bytes[end - 1]) &&
        (begin == 0 || is_end(bytes[begin - 1])) && !memchr(bytes + begin, '\n', end - 1 - begin) &&
        !memchr(bytes + begin, '\0', end - 1 - begin)) {
        bytes[end - 1] = '\0';
        *id = (const char *)bytes + begin;
        return 0;
    }
    return fail(err, "%s:%zu: is not the line that %s means; make the index again", list->path,
                row + 1, ends_name);
}

/* ---- writing ---- */

int id_writer_open(struct id_writer *out, const char *folder, size_t count, struct error *err)
{
    *out = (struct id_writer){0};
    char *lines = path_join(folder, lines_name), *ends = path_join(folder, ends_name);
    int status = output_open(&out->lines, lines, err);
    if (status == 0) status = output_open(&out->ends, ends, err);
    if (status == 0)
        npy_header(&out->ends, NPY_U64, count, 1);
    else
        id_writer_abandon(out);
    free(ends);
    free(lines);
    return status;
}

void id_writer_add(struct id_writer *writer, const char *id)
{
    output_printf(&writer->lines, "%s\n", id);
    writer->end += strlen(id) + 1;
    output_write(&writer->ends, &writer->end, sizeof writer->end);
}

int id_writer_commit(struct id_writer *writer, struct error *err)
{
    int status = output_commit(&writer->lines, err);
    if (status == 0) status = output_commit(&writer->ends, err);
    id_writer_abandon(writer);
    return status;
}

void id_writer_abandon(struct id_writer *writer)
{
    output_abandon(&writer->lines);
    output_abandon(&writer->ends);
    *writer = (struct id_writer){0};
}
