/* See npy.h.  Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#define _GNU_SOURCE
#include "data/npy.h"

#include "data/guard.h"
#include "data/output.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void matrix_free(struct matrix *matrix)
{
    free(matrix->values);
    *matrix = (struct matrix){0};
}

/* ---- reading ---- */

struct npy_format {
    size_t element; /* 4 or 8 bytes */
    size_t rows, cols;
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
    if (!strncmp(descr, "'<f4'", 5))
        out->element = 4;
    else if (!strncmp(descr, "'<f8'", 5))
        out->element = 8;
    else
        return fail(err, "%s: elements are of type %.12s: only '<f4' and '<f8' are read", path,
                    descr);
    if (!parse_shape(out, member(header, "shape")))
        return fail(err, "%s: the shape must have one or two dimensions", path);
    if (strncmp(order, "False", 5) && out->rows != 1 && out->cols != 1)
        return fail(err, "%s: in Fortran order: save it with numpy.ascontiguousarray first", path);
    return 0;
}

/* Reads everything before the data and leaves file there. */
static int read_header(struct npy_format *out, FILE *file, const char *path, struct error *err)
{
    unsigned char start[12];
    if (fread(start, 1, 10, file) != 10 || memcmp(start, "\x93NUMPY", 6) != 0)
        return fail(err, "%s: not a .npy file", path);
    if (start[6] < 1 || start[6] > 3)
        return fail(err, "%s: .npy version %d is not known", path, start[6]);
    size_t length = start[8] | (size_t)start[9] << 8;
    if (start[6] > 1) {
        if (fread(start + 10, 1, 2, file) != 2) return fail(err, "%s: truncated header", path);
        length |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
    }
    if (length > 65536) return fail(err, "%s: a header of %zu bytes", path, length);
    char *header = xcalloc(length + 1, 1);
    int status = fread(header, 1, length, file) == length ? parse_header(out, header, path, err)
                                                          : fail(err, "%s: truncated header", path);
    free(header);
    return status;
}

/* The data must end where the file ends, before anything is allocated for it. */
static int check_size(const struct npy_format *format, FILE *file, const char *path,
                      struct error *err)
{
    struct stat info;
    size_t bytes;
    long place = ftell(file);
    if (fstat(fileno(file), &info) != 0 || place < 0 || !S_ISREG(info.st_mode))
        return fail(err, "%s: not a regular file", path);
    if (__builtin_mul_overflow(format->rows, format->cols, &bytes) ||
        __builtin_mul_overflow(bytes, format->element, &bytes) ||
        bytes != (size_t)info.st_size - (size_t)place)
        return fail(err,
                    "%s: the header says %zu x %zu elements of %zu bytes, the file has %lld bytes "
                    "of data",
                    path, format->rows, format->cols, format->element,
                    (long long)info.st_size - place);
    return 0;
}

static bool read_values(float *out, size_t count, size_t element, FILE *file)
{
    if (element == 4) return fread(out, 4, count, file) == count;
    double chunk[1024];
    for (size_t done = 0; done < count;) {
        size_t n = count - done < 1024 ? count - done : 1024;
        if (fread(chunk, 8, n, file) != n) return false;
        for (size_t i = 0; i < n; i++) out[done + i] = (float)chunk[i];
        done += n;
    }
    return true;
}

int npy_read(struct matrix *out, const char *path, struct error *err)
{
    struct npy_format format = {0};
    *out = (struct matrix){0};
    FILE *file = fopen(path, "rb");
    if (!file) return fail_errno(err, "%s: cannot open", path);
    hold(file, file_release);
    int status = read_header(&format, file, path, err);
    if (status == 0) status = check_size(&format, file, path, err);
    if (status == 0) {
        size_t count = format.rows * format.cols;
        *out = (struct matrix){xaligned(count, sizeof(float)), format.rows, format.cols};
        if (!read_values(out->values, count, format.element, file)) {
            status = fail(err, "%s: read error", path);
            matrix_free(out);
        }
    }
    fclose(let_go(file));
    return status;
}

/* ---- writing ---- */

void npy_header(struct output *out, size_t rows, size_t cols)
{
    char header[192], digits[24];
    int growth =
        21 - snprintf(digits, sizeof digits, "%zu", rows); /* numpy leaves room to append */
    int length = snprintf(header, sizeof header,
                          "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }%*s",
                          rows, cols, growth, "");
    int padded = (10 + length + 1 + 63) / 64 * 64 - 10;
    const unsigned char start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)padded, 0};
    output_write(out, start, sizeof start);
    output_printf(out, "%s%*s", header, padded - length, "\n");
}

int npy_write(const char *path, const float *values, size_t rows, size_t cols, struct error *err)
{
    struct output out = {0};
    if (output_open(&out, path, err)) return -1;
    npy_header(&out, rows, cols);
    if (rows && cols) output_write(&out, values, rows * cols * sizeof *values);
    return output_commit(&out, err);
}

int npy_writer_open(struct npy_writer *writer, const char *path, size_t cols, struct error *err)
{
    *writer = (struct npy_writer){.cols = cols};
    if (output_open(&writer->out, path, err)) return -1;
    if (writer->out.path) npy_header(&writer->out, 0, cols);
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
    npy_header(&writer->out, writer->rows, writer->cols);
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
