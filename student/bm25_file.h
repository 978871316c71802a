/* The bytes of a BM25 index, which are its memory too; for student/bm25*.c.
 *
 *     "retort-bm25 1\n\0\0"
 *     lists      per term, in the order of the terms: where it has many documents
 *                (bm25_has_windows) one struct bm25_window for each window of BM25_WINDOW rows;
 *                then one struct bm25_posting a document, rows rising
 *     terms      struct bm25_term each
 *     names      of the terms, rising: a struct name_table's bytes, starts and slots
 *     ids        of the documents: bytes and starts
 *     struct bm25_footer
 *
 * Numbers are little-endian.  Every section begins at a multiple of 8 bytes; between them are
 * zeros.  Weights are multiples of a quantum that is a power of two, so that a sum of them in
 * double is exact in whatever order they are added, up to 4096 times the largest that can be
 * (bm25_quantum): searches add them in many orders.
 */
#ifndef RETORT_BM25_FILE_H
#define RETORT_BM25_FILE_H

#include "data/file_map.h"
#include "student/bm25.h"
#include "student/names.h"

enum {
    BM25_MAGIC_SIZE = 16,
    BM25_WINDOW = 2048,   /* rows */
    BM25_WINDOWED = 8,    /* postings a window, in the mean, from which on a list has them */
    BM25_RANKS = 4,       /* 1, 10, 100, 1000 */
    BM25_HASHED = 1 << 20 /* bytes that the checksum takes at once */
};
extern const char bm25_magic[BM25_MAGIC_SIZE + 1];

struct bm25_posting {
    uint32_t row;
    float weight; /* what the term adds to the row's score */
};
struct bm25_window {
    uint32_t end; /* how many of the list's postings are in this window and those before it */
    float most;   /* weight in this one, 0 where there is none */
};
union bm25_cell {
    struct bm25_posting posting;
    struct bm25_window window;
};
struct bm25_term {
    uint64_t list; /* its first cell of all */
    uint32_t documents;
    float best
        [BM25_RANKS]; /* its largest weight, the 10th, 100th, 1000th largest; 0: there is none */
    uint32_t zero;
};
struct bm25_footer {
    uint64_t documents, terms, postings, cells;
    uint64_t name_bytes, name_slots;
    uint64_t ids, id_bytes; /* as many as documents, or none */
    double k1, b, mean_length;
    uint64_t checksum; /* of all before the footer: hash64 of each BM25_HASHED bytes, seeded by
                          that of those before */
    char magic[BM25_MAGIC_SIZE];
};

struct bm25 {
    struct bm25_footer footer;
    const char *bytes;
    size_t size;
    struct file_map map;          /* of bytes; empty where they are memory of their own */
    char *path;                   /* for messages */
    const union bm25_cell *lists; /* [footer.cells] */
    const struct bm25_term *terms;
    struct name_table names, ids;
    size_t num_windows;
};

/* Of the list's weights; scratch [count]. */
void bm25_best(float best[BM25_RANKS], const union bm25_cell *postings, size_t count,
               float *scratch);
size_t bm25_windows(size_t documents); /* how many there are */
bool bm25_has_windows(size_t postings, size_t num_windows);
double bm25_quantum(size_t documents, double k1);
/* Of bytes[size] that begin and end as an index does; takes them, in every case. */
int bm25_view(struct bm25 *out, const char *path, struct error *err);

#endif
