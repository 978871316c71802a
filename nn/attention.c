/* Attention by sequence, head and block of queries: see attention.h.
 *
 * A head's q, k, v of one sequence fit the second-level cache (512 x 64: 128 KiB each), so each
 * head packs once what its products read on the right, and a block of probabilities [BLOCK, length]
 * stays in the first level between softmax and product.  What they read on the left stays where it
 * is.  Batched products by oneDNN would need a primitive for each length.
 */
#include "nn/attention.h"

#include "nn/dropout.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 32 }; /* room for as many queries as the kernels' block_rows */

/* The panels of one head of one sequence of n tokens, d its size.  void: of the pass's element,
 * with room for f32. */
struct panels {
    void *v, *k_by_dim;                 /* right operands [n, d], [d, n] */
    float *p;                           /* [BLOCK, n] */
    void *p_rows;                       /* left operand [BLOCK, n] */
    float *out;                         /* [n, d] */
    void *q_rows;                       /* left operand [n, d], where q itself is none */
    void *v_by_dim;                     /* right operand [d, n] */
    float *d_p;                         /* [BLOCK, n] */
    void *d_p_rows, *p_cols, *d_p_cols; /* left operands [BLOCK, n], [n, BLOCK], [n, BLOCK] */
    void *q, *k, *d_out;                /* right operands [n, d] */
    void *d_out_rows;                   /* as q_rows */
    float *d_q, *d_k, *d_v;             /* [n, d] */
    float *dots;                        /* [n] */
};

enum { FLAT_PANELS = 10, DIM_PANELS = 2, BLOCK_PANELS = 6 };

size_t attention_scratch(int longest, int head_size)
{
    size_t flat = (size_t)longest * kernel_padded(head_size);
    size_t by_dim = (size_t)head_size * kernel_padded(longest);
    size_t block = (size_t)BLOCK * kernel_padded(longest);
    return FLAT_PANELS * flat + DIM_PANELS * by_dim + BLOCK_PANELS * block + kernel_padded(longest);
}

static float *take(float **next, size_t count)
{
    float *taken = *next;
    *next += count;
    return taken;
}

/* Those that forward needs come first: nearby memory is used again for each head. */
static struct panels panels_of(float *scratch, int n, int d)
{
    size_t flat = (size_t)n * kernel_padded(d), by_dim = (size_t)d * kernel_padded(n);
    size_t block = (size_t)BLOCK * kernel_padded(n);
    return (struct panels){.v = take(&scratch, flat),
                           .k_by_dim = take(&scratch, by_dim),
                           .p = take(&scratch, block),
                           .p_rows = take(&scratch, block),
                           .out = take(&scratch, flat),
                           .q_rows = take(&scratch, flat),
                           .v_by_dim = take(&scratch, by_dim),
                           .d_p = take(&scratch, block),
                           .d_p_rows = take(&scratch, block),
                           .p_cols = take(&scratch, block),
                           .d_p_cols = take(&scratch, block),
                           .q = take(&scratch, flat),
                           .k = take(&scratch, flat),
                           .d_out = take(&scratch, flat),
                           .d_out_rows = take(&scratch, flat),
                           .d_q = take(&scratch, flat),
                           .d_k = take(&scratch, flat),
                           .d_v = take(&scratch, flat),
                           .dots = take(&scratch, kernel_padded(n))};
}

/* One head of one sequence: where it is, and how long. */
struct head {
    int number, start, n, d; /* first token, tokens, head size */
    size_t hidden, qkv_row;  /* elements of a row of the context, and of qkv */
    const void *q, *k, *v;   /* its first row in qkv */
    struct dropout_masks masks;
};

static const void *element_at(const struct attention *at, const void *values, size_t i)
{
    return (const char *)values + i * element_size(at->element);
}

static struct head head_at(const struct attention *at, const void *qkv, int seq, int number)
{
    size_t hidden = (size_t)at->num_heads * at->head_size, row = 3 * hidden;
    size_t first = at->offsets[seq] * row + (size_t)number * at->head_size;
    return (struct head){
        .number = number,
        .start = at->offsets[seq],
        .n = at->offsets[seq + 1] - at->offsets[seq],
        .d = at->head_size,
        .hidden = hidden,
        .qkv_row = row,
        .q = element_at(at, qkv, first),
        .k = element_at(at, qkv, first + hidden),
        .v = element_at(at, qkv, first + 2 * hidden),
        .masks = {at->dropout, at->seed, at->layer, DROPOUT_PROBABILITIES + number}};
}

static float scale_of(const struct head *head)
{
    return 1 / sqrtf((float)head->d);
}

/* The head's part `part` of rows that hold `parts` times the hidden size. */
static const void *part_of(const struct attention *at, const void *rows, const struct head *head,
                           int part, int parts)
{
    size_t row = head->start * (size_t)parts + (size_t)part;
    return element_at(at, rows, row * head->hidden + (size_t)head->number * head->d);
}

/* The first `rows` rows of from, to the head's columns; gradients of q and k (parts 0 and 1 of 3)
 * are divided by sqrt(head size) on the way. */
static void scatter_head(const struct attention *at, void *to, const float *from, int rows,
                         const struct head *head, int part, int parts)
{
    float scale = parts == 3 && part < 2 ? scale_of(head) : 1;
    at->kernels->scatter((void *)part_of(at, to, head, part, parts), at->element, from, rows,
                         head->d, (size_t)parts * head->hidden, scale);
}

/* ---- products ---- */

/* Left operands: a(i, l), see struct product. */
struct left {
    const void *at;
    size_t row, col;
};

/* c [m, n] (+)= a b, for b as packed. */
struct shape {
    int m, n, k;
};
static void multiply(const struct attention *at, float *c, struct shape shape, struct left a,
                     const void *b, bool add)
{
    size_t c_row = kernel_padded(shape.n);
    at->kernels->multiply(
        &(struct product){.element = at->element,
                          .m = shape.m,
                          .n = shape.n,
                          .k = shape.k,
                          .c = c,
                          .c_row = c_row,
                          .a = a.at,
                          .a_row = a.row,
                          .a_col = a.col,
                          .b = b,
                          .b_row = at->element == ELEMENT_BF16 ? 2 * c_row : c_row,
                          .add = add});
}

/* The head's rows as they lie, `row` elements apart; copied where a pair would reach beyond the
 * head. */
static struct left head_rows(const struct attention *at, void *copy, const void *rows, size_t row,
                             const struct head *head)
{
    if (at->element == ELEMENT_F32) return (struct left){rows, row, 1};
    if (head->d % 2 == 0) return (struct left){rows, row, 2};
    size_t size = (size_t)head->d * sizeof(uint16_t), flat = kernel_padded(head->d);
    memset(copy, 0, (size_t)head->n * flat * sizeof(uint16_t));
    for (int i = 0; i < head->n; i++)
        memcpy((uint16_t *)copy + i * flat, (const uint16_t *)rows + i * row, size);
    return (struct left){copy, flat, 2};
}

static struct left left_from(const struct attention *at, struct left all, int first)
{
    return (struct left){element_at(at, all.at, first * all.row), all.row, all.col};
}

/* values [rows, n] */
static struct left left_rows(const struct attention *at, void *copy, const float *values, int rows,
                             int n)
{
    size_t row = kernel_padded(n);
    if (at->element == ELEMENT_F32) return (struct left){values, row, 1};
    at->kernels->to_bf16(copy, values, (size_t)rows * row);
    return (struct left){copy, row, 2};
}

/* The transpose of rows, left_rows' result. */
static struct left left_columns(const struct attention *at, void *copy, struct left rows, int count,
                                int n)
{
    if (at->element == ELEMENT_F32) return (struct left){rows.at, 1, rows.row};
    at->kernels->pack_rows(copy, rows.at, ELEMENT_BF16, count, n, rows.row);
    return (struct left){copy, 2, 2 * rows.row};
}

static void pack_rows(const struct attention *at, void *out, const void *rows, size_t row,
                      const struct head *head)
{
    at->kernels->pack_rows(out, rows, at->element, head->n, head->d, row);
}

static void pack_columns(const struct attention *at, void *out, const void *rows,
                         const struct head *head)
{
    at->kernels->pack_columns(out, rows, at->element, head->n, head->d, head->qkv_row);
}

/* ---- forward ---- */

/* drop(softmax(q k^T / sqrt(d))) for `rows` queries q. */
static struct left probabilities(const struct attention *at, const struct panels *panels,
                                 const struct head *head, struct left q, int first, int rows)
{
    size_t by_dim = kernel_padded(head->n);
    multiply(at, panels->p, (struct shape){rows, head->n, head->d}, q, panels->k_by_dim, false);
    if (at->element == ELEMENT_BF16 && head->masks.probability <= 0) {
        at->kernels->softmax_forward(panels->p_rows, ELEMENT_BF16, panels->p, rows, head->n, by_dim,
                                     scale_of(head));
        return (struct left){panels->p_rows, by_dim, 2};
    }
    at->kernels->softmax_forward(panels->p, ELEMENT_F32, panels->p, rows, head->n, by_dim,
                                 scale_of(head));
    dropout_rows(at->kernels, &head->masks, panels->p, head->start + first, rows, head->n, by_dim);
    return left_rows(at, panels->p_rows, panels->p, rows, head->n);
}

static void head_forward(const struct attention *at, void *context, const struct head *head)
{
    struct panels panels = panels_of(at->scratch, head->n, head->d);
    size_t flat = kernel_padded(head->d);
    pack_columns(at, panels.k_by_dim, head->k, head);
    pack_rows(at, panels.v, head->v, head->qkv_row, head);
    struct left q = head_rows(at, panels.q_rows, head->q, head->qkv_row, head);
    int queries = at->first_only ? 1 : head->n, block = at->kernels->block_rows;
    for (int first = 0; first < queries; first += block) {
        int rows = queries - first < block ? queries - first : block;
        struct left p = probabilities(at, &panels, head, left_from(at, q, first), first, rows);
        multiply(at, panels.out + (size_t)first * flat, (struct shape){rows, head->d, head->n}, p,
                 panels.v, false);
    }
    scatter_head(at, context, panels.out, queries, head, 0, 1);
}

/* ---- backward ---- */

/* out = drop(p) v, p = softmax(s), s = q k^T / sqrt(d)  =>
 *
 *     d_v += drop(p)^T d_out
 *     d_p  = drop(d_out v^T), by the same mask
 *     d_s  = p (d_p - <out, d_out>), since <p, d_p> = <drop(p) v, d_out> whatever the mask
 *     d_q  = d_s k;  d_k += d_s^T q; both still to be divided by sqrt(d)
 */
static void block_backward(const struct attention *at, const struct panels *panels,
                           const struct head *head, struct left q, struct left d_out, int first)
{
    const struct kernels *kernels = at->kernels;
    int n = head->n, d = head->d, block = kernels->block_rows;
    int rows = n - first < block ? n - first : block;
    int token = head->start + first;
    size_t flat = kernel_padded(d), by_dim = kernel_padded(n);
    float *p = panels->p, *d_p = panels->d_p;
    multiply(at, p, (struct shape){rows, n, d}, left_from(at, q, first), panels->k_by_dim, false);
    kernels->softmax_forward(p, ELEMENT_F32, p, rows, n, by_dim, scale_of(head));
    multiply(at, d_p, (struct shape){rows, n, d}, left_from(at, d_out, first), panels->v_by_dim,
             false);
    dropout_rows(kernels, &head->masks, d_p, token, rows, n, by_dim);
    kernels->softmax_backward(d_p, p, panels->dots + first, rows, n, by_dim);
    dropout_rows(kernels, &head->masks, p, token, rows, n, by_dim);
    struct left p_rows = left_rows(at, panels->p_rows, p, rows, n);
    struct left d_p_rows = left_rows(at, panels->d_p_rows, d_p, rows, n);
    multiply(at, panels->d_v, (struct shape){n, d, rows},
             left_columns(at, panels->p_cols, p_rows, rows, n),
             element_at(at, panels->d_out, first * flat), true);
    multiply(at, panels->d_k, (struct shape){n, d, rows},
             left_columns(at, panels->d_p_cols, d_p_rows, rows, n),
             element_at(at, panels->q, first * flat), true);
    multiply(at, panels->d_q + first * flat, (struct shape){rows, d, n}, d_p_rows, panels->k,
             false);
}

static void head_backward(const struct attention *at, void *d_qkv, const void *d_context,
                          const void *context, const struct head *head)
{
    struct panels panels = panels_of(at->scratch, head->n, head->d);
    size_t bytes = (size_t)head->n * kernel_padded(head->d) * sizeof(float);
    const void *out = part_of(at, context, head, 0, 1), *d_out = part_of(at, d_context, head, 0, 1);
    pack_columns(at, panels.k_by_dim, head->k, head);
    pack_columns(at, panels.v_by_dim, head->v, head);
    pack_rows(at, panels.q, head->q, head->qkv_row, head);
    pack_rows(at, panels.k, head->k, head->qkv_row, head);
    pack_rows(at, panels.d_out, d_out, head->hidden, head);
    struct left q_rows = head_rows(at, panels.q_rows, head->q, head->qkv_row, head);
    struct left d_out_rows = head_rows(at, panels.d_out_rows, d_out, head->hidden, head);
    at->kernels->row_dots(panels.dots, out, d_out, at->element, head->n, head->d, head->hidden);
    memset(panels.d_k, 0, bytes);
    memset(panels.d_v, 0, bytes);
    for (int first = 0; first < head->n; first += at->kernels->block_rows)
        block_backward(at, &panels, head, q_rows, d_out_rows, first);
    scatter_head(at, d_qkv, panels.d_q, head->n, head, 0, 3);
    scatter_head(at, d_qkv, panels.d_k, head->n, head, 1, 3);
    scatter_head(at, d_qkv, panels.d_v, head->n, head, 2, 3);
}

void attention_forward(const struct attention *attention, void *context, const void *qkv)
{
    int heads = attention->num_heads, all = attention->num_seqs * heads;
    int end = share_end(attention->share, all, 1);
    for (int i = share_first(attention->share, all, 1); i < end; i++) {
        struct head head = head_at(attention, qkv, i / heads, i % heads);
        head_forward(attention, context, &head);
    }
}

void attention_backward(const struct attention *attention, void *d_qkv, const void *d_context,
                        const void *context, const void *qkv)
{
    for (int seq = 0; seq < attention->num_seqs; seq++)
        for (int number = 0; number < attention->num_heads; number++) {
            struct head head = head_at(attention, qkv, seq, number);
            head_backward(attention, d_qkv, d_context, context, &head);
        }
}
