/* Gradients of which one parameter is visited by rows: see gradients.h. */
#include "nn/gradients.h"

#include "nn/simd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is outside the table is visited in so many pieces, the rows by so many at a time. */
enum { DENSE_PIECES = 256, PIECE_ROWS = 64 };

static const struct param *find_table(const struct params *params)
{
    const struct param *found = NULL;
    for (size_t i = 0; i < params->count; i++) {
        if (!params->list[i].by_rows) continue;
        REQUIRE(!found);
        found = &params->list[i];
    }
    return found;
}

void gradients_init(struct gradients *gradients, const struct params *params)
{
    REQUIRE(params->values);
    const struct param *table = find_table(params);
    size_t rows = table ? (size_t)table->rows : 0;
    *gradients = (struct gradients){.params = params,
                                    .table = table,
                                    .values = xaligned(params->size, sizeof(float)),
                                    .rows = xcalloc(rows, sizeof *gradients->rows),
                                    .is_listed = xcalloc(rows / 64 + 1, sizeof(uint64_t))};
}

void gradients_free(struct gradients *gradients)
{
    free(gradients->values);
    free(gradients->rows);
    free(gradients->is_listed);
    *gradients = (struct gradients){0};
}

void gradients_touch(struct gradients *gradients, const int32_t *rows, size_t count)
{
    if (!gradients->table) return;
    for (size_t i = 0; i < count; i++) {
        REQUIRE(rows[i] >= 0 && rows[i] < gradients->table->rows);
        uint64_t *word = &gradients->is_listed[rows[i] / 64], bit = 1ull << rows[i] % 64;
        if (*word & bit) continue;
        *word |= bit;
        gradients->rows[gradients->num_rows++] = rows[i];
    }
}

/* ---- pieces ---- */

struct walk {
    const struct gradients *gradients;
    gradients_visit *visit;
    void *arg;
};

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t table_size(const struct gradients *gradients)
{
    return gradients->table ? params_param_size(gradients->table) : 0;
}

size_t gradients_pieces(const struct gradients *gradients)
{
    return DENSE_PIECES + (gradients->num_rows + PIECE_ROWS - 1) / PIECE_ROWS;
}

/* first .. last - 1 count what is outside the table: a stretch before it, one behind it. */
static void visit_dense(const struct walk *walk, size_t piece, size_t first, size_t last)
{
    const struct gradients *gradients = walk->gradients;
    size_t before = gradients->table ? gradients->table->offset : SIZE_MAX;
    size_t skipped = table_size(gradients);
    if (first < min_size(last, before))
        walk->visit(walk->arg, piece, first, min_size(last, before));
    if (first < before) first = before;
    if (first < last) walk->visit(walk->arg, piece, first + skipped, last + skipped);
}

static void visit_rows(const struct walk *walk, size_t piece, size_t first, size_t last)
{
    const struct param *table = walk->gradients->table;
    for (size_t i = first; i < last; i++) {
        size_t at = table->offset + (size_t)walk->gradients->rows[i] * (size_t)table->cols;
        walk->visit(walk->arg, piece, at, at + (size_t)table->cols);
    }
}

static void visit_piece(void *arg, size_t piece, int worker)
{
    (void)worker;
    const struct walk *walk = arg;
    if (piece >= DENSE_PIECES) {
        size_t first = (piece - DENSE_PIECES) * PIECE_ROWS;
        visit_rows(walk, piece, first, min_size(first + PIECE_ROWS, walk->gradients->num_rows));
        return;
    }
    size_t size = walk->gradients->params->size - table_size(walk->gradients);
    size_t length = (size + DENSE_PIECES - 1) / DENSE_PIECES;
    length = (length + 15) / 16 * 16;
    visit_dense(walk, piece, min_size(piece * length, size), min_size((piece + 1) * length, size));
}

void gradients_each(const struct gradients *gradients, struct pool *pool, gradients_visit *visit,
                    void *arg)
{
    struct walk walk = {gradients, visit, arg};
    size_t pieces = gradients_pieces(gradients);
    if (pool) {
        pool_run(pool, pieces, visit_piece, &walk);
        return;
    }
    for (size_t piece = 0; piece < pieces; piece++) visit_piece(&walk, piece, 0);
}

/* ---- what is done with them ---- */

static void clear(void *arg, size_t piece, size_t first, size_t last)
{
    (void)piece;
    struct gradients *gradients = arg;
    memset(gradients->values + first, 0, (last - first) * sizeof(float));
}

void gradients_clear(struct gradients *gradients, struct pool *pool)
{
    gradients_each(gradients, pool, clear, gradients);
    for (size_t i = 0; i < gradients->num_rows; i++)
        gradients->is_listed[gradients->rows[i] / 64] = 0;
    gradients->num_rows = 0;
}

struct addition {
    float *sum;
    const struct gradients *const *more;
    size_t count;
};

SIMD_CLONES
static void add_values(float *restrict sum, const float *restrict more, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) sum[i] += more[i];
}

static void add(void *arg, size_t piece, size_t first, size_t last)
{
    (void)piece;
    const struct addition *addition = arg;
    for (size_t m = 0; m < addition->count; m++)
        add_values(addition->sum + first, addition->more[m]->values + first, last - first);
}

void gradients_add(struct gradients *sum, const struct gradients *const *more, size_t count,
                   struct pool *pool)
{
    for (size_t m = 0; m < count; m++) gradients_touch(sum, more[m]->rows, more[m]->num_rows);
    struct addition addition = {sum->values, more, count};
    if (count) gradients_each(sum, pool, add, &addition);
}

SIMD_CLONES
static double sum_of_squares(const float *values, size_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) sum += (double)values[i] * (double)values[i];
    return sum;
}

struct squares {
    const float *values;
    double *sums; /* [pieces] */
};

static void add_squares(void *arg, size_t piece, size_t first, size_t last)
{
    const struct squares *squares = arg;
    squares->sums[piece] += sum_of_squares(squares->values + first, last - first);
}

double gradients_norm(const struct gradients *gradients, struct pool *pool)
{
    size_t pieces = gradients_pieces(gradients);
    struct squares squares = {gradients->values, xcalloc(pieces, sizeof *squares.sums)};
    gradients_each(gradients, pool, add_squares, &squares);
    double sum = 0;
    for (size_t piece = 0; piece < pieces; piece++) sum += squares.sums[piece];
    free(squares.sums);
    return sqrt(sum);
}
