/* NumPy .npy files (version 1.0, C order): f32, f64 matrices in and f32 matrices out, streamed
 * row by row; matrices of some more types mapped where they lie. */
#ifndef RETORT_NPY_H
#define RETORT_NPY_H

#include "data/base.h"
#include "data/file_map.h"
#include "data/output.h"

/* A matrix [rows, cols] of f32 in memory. */
struct matrix {
    float *values; /* 64-byte aligned, row-major */
    size_t rows, cols;
};
void matrix_free(struct matrix *matrix);

enum npy_type { NPY_F32, NPY_F64, NPY_U16, NPY_U64, NPY_I8, NPY_U8, NPY_TYPES };

/* 1-D files are read as one column. */
int npy_read(struct matrix *out, const char *path, struct error *err);
/* What the header of such a file says. */
int npy_shape(size_t *rows, size_t *cols, const char *path, struct error *err);
int npy_write(const char *path, const float *values, size_t rows, size_t cols, struct error *err);
/* Rows whose number is known only at the end.  A file's header is filled in at commit; for
 * stdout, which cannot be rewound, the rows wait in memory. */
struct npy_writer {
    struct output out;
    struct text waiting; /* stdout only */
    size_t rows, cols;
};
int npy_writer_open(struct npy_writer *writer, const char *path, size_t cols, struct error *err);
void npy_writer_rows(struct npy_writer *writer, const float *values, size_t rows);
int npy_writer_commit(struct npy_writer *writer, struct error *err);
void npy_writer_abandon(struct npy_writer *writer); /* accepts a zeroed or committed one */
/* The header of a [rows, cols] file; the rows follow through output_write. */
void npy_header(struct output *out, enum npy_type type, size_t rows, size_t cols);

/* A file's matrix, read as it is looked at (data/file_map.h): only the header and the size are
 * checked.  values: [rows, cols] of the type, 64-byte aligned. */
struct npy_map {
    const void *values;
    size_t rows, cols;
    struct file_map file;
};
int npy_map_open(struct npy_map *out, const char *path, enum npy_type type, struct error *err);
void npy_map_close(struct npy_map *map);

#endif
