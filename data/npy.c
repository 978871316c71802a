/* See npy.h.  Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#include "data/npy.h"

#include "data/guard.h"
#include "data/output.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void matrix_free(struct matrix *matrix)
{
    free(matrix->values);
    *matrix = (struct matrix){0};
}

/* ---- reading ---- */

static const struct npy_type_row {
    const char *descr;
    size_t size; /* bytes of an element */
} types[NPY_TYPES] = {
    [NPY_F32] = {"'<f4'", 4}, [NPY_F64] = {"'<f8'", 8}, [NPY_U16] = {"'<u2'", 2},
    [NPY_U64] = {"'<u8'", 8}, [NPY_I8] = {"'|i1'", 1},  [NPY_U8] = {"'|u1'", 1},
};

struct npy_format {
    enum npy_type type;
    size_t rows, cols;
    size_t start; /* of the data, in the file */
};

/* The text after 'key': in the header's Python dictionary, or NULL. */
static const char *member(const char *header, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s'", key);
    const char *place = strstr(header, quoted);
    if (!place) return NULL;
    place += strlen(quoted);
    place += strspn(place, " ");
    if (*place != ':') return NULL;
    place++;
    return place + strspn(place, " ");
}

/* "(3, 4)", "(3,)": one or two sizes. */
static bool parse_shape(struct npy_format *out, const char *shape)
{
    size_t sizes[2] = {0, 1};
    int rank = 0;
    if (!shape || *shape++ != '(') return false;
    for (;;) {
        shape += strspn(shape, " ");
        if (*shape == ')') break;
        if (rank == 2 || *shape < '0' || *shape > '9') return false;
        char *end;
        unsigned long long size = strtoull(shape, &end, 10);
        if (size > INT64_MAX) return false;
        sizes[rank++] = (size_t)size;
        shape = end + strspn(end, " ");
        if (*shape == ',')
            shape++;
        else if (*shape != ')')
            return false;
    }
    out->rows = sizes[0], out->cols = sizes[1];
    return rank > 0;
}

static int parse_header(struct npy_format *out, const char *header, const char *path,
                        struct error *err)
{
    const char *descr = member(header, "descr"), *order = member(header, "fortran_order");
    if (!descr || !order)
        return fail(err, "%s: the .npy header lacks descr or fortran_order", path);
    while (out->type < NPY_TYPES && strncmp(descr, types[out->type].descr, 5) != 0) out->type++;
    if (out->type == NPY_TYPES)
        return fail(err, "%s: elements are of type %.12s, which is not read here", path, descr);
    if (!parse_shape(out, member(header, "shape")))
        return fail(err, "%s: the shape must have one or two dimensions", path);
    if (strncmp(order, "False", 5) && out->rows != 1 && out->cols != 1)
        return fail(err, "%s: in Fortran order: save it with numpy.ascontiguousarray first", path);
    return 0;
}

/* All before the data. */
static int read_header(struct npy_format *out, const struct file_map *map, const char *path,
                       struct error *err)
{
    const unsigned char *start = map->bytes;
    if (map->size < 10 || memcmp(start, "\x93NUMPY", 6) != 0)
        return fail(err, "%s: not a .npy file", path);
    if (start[6] < 1 || start[6] > 3)
        return fail(err, "%s: .npy version %d is not known", path, start[6]);
    size_t length = start[8] | (size_t)start[9] << 8, before = start[6] > 1 ? 12 : 10;
    if (map->size < before) return fail(err, "%s: truncated header", path);
    if (before == 12) length |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
    if (length > 65536) return fail(err, "%s: a header of %zu bytes", path, length);
    if (map->size - before < length) return fail(err, "%s: truncated header", path);
    char *header = hold(xstrndup((const char *)start + before, length), free);
    int status = parse_header(out, header, path, err);
    free(let_go(header));
    out->start = before + length;
    return status;
}

/* The data must end where the file ends. */
static int check_size(const struct npy_format *format, size_t size, const char *path,
                      struct error *err)
{
    size_t bytes, element = types[format->type].size;
    if (__builtin_mul_overflow(format->rows, format->cols, &bytes) ||
        __builtin_mul_overflow(bytes, element, &bytes) || bytes != size - format->start)
        return fail(err,
                    "%s: the header says %zu x %zu elements of %zu bytes, the file has %zu bytes "
                    "of data",
                    path, format->rows, format->cols, element, size - format->start);
    return 0;
}

static int map_matrix(struct npy_format *out, struct file_map *map, const char *path,
                      struct error *err)
{
    *out = (struct npy_format){0};
    if (file_map_open(map, path, false, err) == 0 && read_header(out, map, path, err) == 0 &&
        check_size(out, map->size, path, err) == 0)
        return 0;
    file_map_close(map);
    return -1;
}

static void copy_values(float *out, const unsigned char *bytes, size_t count, enum npy_type type)
{
    double value;
    if (type == NPY_F32 && count) memcpy(out, bytes, count * sizeof *out);
    for (size_t i = 0; type == NPY_F64 && i < count; i++) {
        memcpy(&value, bytes + i * sizeof value, sizeof value);
        out[i] = (float)value;
    }
}

int npy_read(struct matrix *out, const char *path, struct error *err)
{
    struct npy_format format;
    struct file_map map = {0};
    *out = (struct matrix){0};
    if (map_matrix(&format, &map, path, err)) return -1;
    hold(&map, file_map_release);
    int status = 0;
    if (format.type == NPY_F32 || format.type == NPY_F64) {
        size_t count = format.rows * format.cols;
        *out = (struct matrix){xaligned(count, sizeof(float)), format.rows, format.cols};
        copy_values(out->values, map.bytes + format.start, count, format.type);
    } else {
        status = fail(err, "%s: elements are of type %s: only '<f4' and '<f8' are read", path,
                      types[format.type].descr);
    }
    file_map_close(let_go(&map));
    return status;
}

int npy_shape(size_t *rows, size_t *cols, const char *path, struct error *err)
{
    struct npy_format format;
    struct file_map map = {0};
    *rows = *cols = 0;
    if (map_matrix(&format, &map, path, err)) return -1;
    file_map_close(&map);
    *rows = format.rows, *cols = format.cols;
    return 0;
}

int npy_map_open(struct npy_map *out, const char *path, enum npy_type type, struct error *err)
{
    struct npy_format format;
    *out = (struct npy_map){0};
    if (map_matrix(&format, &out->file, path, err)) return -1;
    out->values = out->file.bytes + format.start;
    out->rows = format.rows, out->cols = format.cols;
    if (format.type == type && format.start % 64 == 0) return 0;
    npy_map_close(out);
    return format.type == type
               ? fail(err, "%s: its data begin at byte %zu, not at a multiple of 64", path,
                      format.start)
               : fail(err, "%s: elements are of type %s, not %s", path, types[format.type].descr,
                      types[type].descr);
}

void npy_map_close(struct npy_map *map)
{
    file_map_close(&map->file);
    *map = (struct npy_map){0};
}

/* ---- writing ---- */

void npy_header(struct output *out, enum npy_type type, size_t rows, size_t cols)
{
    char header[192], digits[24];
    int growth =
        21 - snprintf(digits, sizeof digits, "%zu", rows); /* numpy leaves room to append */
    int length = snprintf(header, sizeof header,
                          "{'descr': %s, 'fortran_order': False, 'shape': (%zu, %zu), }%*s",
                          types[type].descr, rows, cols, growth, "");
    int padded = (10 + length + 1 + 63) / 64 * 64 - 10;
    const unsigned char start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)padded, 0};
    output_write(out, start, sizeof start);
    output_printf(out, "%s%*s", header, padded - length, "\n");
}

int npy_write(const char *path, const float *values, size_t rows, size_t cols, struct error *err)
{
    struct output out = {0};
    if (output_open(&out, path, err)) return -1;
    npy_header(&out, NPY_F32, rows, cols);
    if (rows && cols) output_write(&out, values, rows * cols * sizeof *values);
    return output_commit(&out, err);
}

int npy_writer_open(struct npy_writer *writer, const char *path, size_t cols, struct error *err)
{
    *writer = (struct npy_writer){.cols = cols};
    if (output_open(&writer->out, path, err)) return -1;
    if (writer->out.path) npy_header(&writer->out, NPY_F32, 0, cols);
    return 0;
}

void npy_writer_rows(struct npy_writer *writer, const float *values, size_t rows)
{
    size_t bytes = rows * writer->cols * sizeof *values;
    writer->rows += rows;
    if (writer->out.path)
        output_write(&writer->out, values, bytes);
    else
        text_append(&writer->waiting, (const char *)values, bytes);
}

/* The header has the same length for any number of rows. */
int npy_writer_commit(struct npy_writer *writer, struct error *err)
{
    if (writer->out.path) rewind(writer->out.file);
    npy_header(&writer->out, NPY_F32, writer->rows, writer->cols);
    if (writer->waiting.length)
        output_write(&writer->out, writer->waiting.bytes, writer->waiting.length);
    text_free(&writer->waiting);
    return output_commit(&writer->out, err);
}

void npy_writer_abandon(struct npy_writer *writer)
{
    text_free(&writer->waiting);
    output_abandon(&writer->out);
}
