/* NumPy .npy files (version 1.0, C order): f32, f64 matrices in and f32 matrices out, streamed
 * row by row. */
#ifndef RETORT_NPY_H
#define RETORT_NPY_H

#include "data/base.h"
#include "data/output.h"

/* A matrix [rows, cols] of f32 in memory. */
struct matrix {
    float *values; /* 64-byte aligned, row-major */
    size_t rows, cols;
};
void matrix_free(struct matrix *matrix);

/* 1-D files are read as one column. */
int npy_read(struct matrix *out, const char *path, struct error *err);
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
/* The header of a [rows, cols] f32 file; the rows follow through output_write. */
void npy_header(struct output *out, size_t rows, size_t cols);

#endif
