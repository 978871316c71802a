/* Attention by sequence, head and block of queries: see attention.h.
 *
 * A head's q, k, v of one sequence fit the second-level cache (512 x 64: 128 KiB each), so each
 * head gathers them once into f32 panels, and a block of probabilities [BLOCK, length] stays in the
 * first level between softmax and product.  Batched products by oneDNN would need a primitive for
 * each length.
 */
#include "nn/attention.h"

#include "nn/dropout.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 24 }; /* queries; a multiple of the product kernel's rows */

/* The panels of one head of one sequence.  [n, d]: rows padded to kernel_padded(d); [d, n]: to
 * kernel_padded(n). */
struct panels {
    float *v, *k_by_dim;            /* [n, d], [d, n]: k is divided by sqrt(head size) */
    float *p;                       /* [BLOCK, n] */
    float *out;                     /* [n, d] */
    float *v_by_dim, *d_p;          /* [d, n], [BLOCK, n] */
    float *q, *k;                   /* [n, d] */
    float *d_out, *d_q, *d_k, *d_v; /* [n, d] */
    float *dots;                    /* [n] */
};

enum { FLAT_PANELS = 8, DIM_PANELS = 2, BLOCK_PANELS = 2 };

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
                           .out = take(&scratch, flat),
                           .v_by_dim = take(&scratch, by_dim),
                           .d_p = take(&scratch, block),
                           .q = take(&scratch, flat),
                           .k = take(&scratch, flat),
                           .d_out = take(&scratch, flat),
                           .d_q = take(&scratch, flat),
                           .d_k = take(&scratch, flat),
                           .d_v = take(&scratch, flat),
                           .dots = take(&scratch, kernel_padded(n))};
}

/* One head of one sequence: where it is, and how long. */
struct head {
    int number, start, n, d; /* first token, tokens, head size */
    size_t hidden, qkv_row;  /* elements of a row of the context, and of qkv */
    const float *q, *k, *v;  /* its first row in qkv */
    struct dropout_masks masks;
};

static struct head head_at(const struct attention *at, const float *qkv, int seq, int number)
{
    size_t hidden = (size_t)at->num_heads * at->head_size, row = 3 * hidden;
    const float *q = qkv + at->offsets[seq] * row + (size_t)number * at->head_size;
    return (struct head){
        .number = number,
        .start = at->offsets[seq],
        .n = at->offsets[seq + 1] - at->offsets[seq],
        .d = at->head_size,
        .hidden = hidden,
        .qkv_row = row,
        .q = q,
        .k = q + hidden,
        .v = q + 2 * hidden,
        .masks = {at->dropout, at->seed, at->layer, DROPOUT_PROBABILITIES + number}};
}

static float scale_of(const struct head *head)
{
    return 1 / sqrtf((float)head->d);
}

/* First element of the head in part `part` of rows that hold `parts` times the hidden size. */
static size_t first_of(const struct head *head, int part, int parts)
{
    return (head->start * (size_t)parts + (size_t)part) * head->hidden +
           (size_t)head->number * head->d;
}

/* out [n, d] = the head's columns of the context or its gradient. */
static void gather_context(const struct attention *at, float *out, const void *from,
                           const struct head *head)
{
    const char *bytes = (const char *)from + first_of(head, 0, 1) * element_size(at->element);
    at->kernels->gather(out, bytes, at->element, head->n, head->d, head->hidden, 1);
}

static void gather_f32(const struct attention *at, float *out, const float *from,
                       const struct head *head)
{
    at->kernels->gather(out, from, ELEMENT_F32, head->n, head->d, head->qkv_row, 1);
}

/* The first `rows` rows of from, to columns as above; gradients of q and k (parts 0 and 1 of 3) are
 * divided by sqrt(head size) on the way. */
static void scatter_head(const struct attention *at, void *to, const float *from, int rows,
                         const struct head *head, int part, int parts)
{
    float scale = parts == 3 && part < 2 ? scale_of(head) : 1;
    char *bytes = (char *)to + first_of(head, part, parts) * element_size(at->element);
    size_t row = (size_t)parts * head->hidden;
    at->kernels->scatter(bytes, at->element, from, rows, head->d, row, scale);
}

/* p [rows, n] = softmax(q k^T) for the queries from `first`. */
static void probabilities(const struct attention *at, const struct panels *panels,
                          const struct head *head, int first, int rows)
{
    size_t by_dim = kernel_padded(head->n);
    at->kernels->multiply(&(struct product){.m = rows,
                                            .n = head->n,
                                            .k = head->d,
                                            .c = panels->p,
                                            .c_row = by_dim,
                                            .a = head->q + (size_t)first * head->qkv_row,
                                            .a_row = head->qkv_row,
                                            .a_col = 1,
                                            .b = panels->k_by_dim,
                                            .b_row = by_dim});
    at->kernels->softmax_forward(panels->p, rows, head->n, by_dim);
}

/* The same of bf16 operands: k, v and blocks of p are narrowed, sums and the softmax are f32. */
static void head_forward_pairs(const struct attention *at, void *context, const struct head *head)
{
    const struct kernels *kernels = at->kernels;
    struct panels panels = panels_of(at->scratch, head->n, head->d);
    size_t flat = kernel_padded(head->d), by_dim = kernel_padded(head->n);
    uint16_t *k = (uint16_t *)panels.k_by_dim, *v = (uint16_t *)panels.v;
    uint16_t *q = (uint16_t *)panels.q, *p = (uint16_t *)panels.d_p;
    int queries = at->first_only ? 1 : head->n;
    kernels->pack_transposed(k, head->k, head->n, head->d, head->qkv_row, scale_of(head));
    kernels->pack_pairs(v, head->v, head->n, head->d, head->qkv_row, 1);
    kernels->pack_rows(q, head->q, queries, head->d, head->qkv_row, 1);
    for (int first = 0; first < queries; first += BLOCK) {
        int rows = queries - first < BLOCK ? queries - first : BLOCK;
        kernels->multiply_pairs(&(struct pair_product){.m = rows,
                                                       .n = head->n,
                                                       .k = head->d,
                                                       .c = panels.p,
                                                       .c_row = by_dim,
                                                       .a = q + (size_t)first * flat,
                                                       .a_row = flat,
                                                       .b = k});
        kernels->softmax_forward(panels.p, rows, head->n, by_dim);
        dropout_rows(kernels, &head->masks, panels.p, head->start + first, rows, head->n, by_dim);
        kernels->to_bf16(p, panels.p, (size_t)rows * by_dim);
        kernels->multiply_pairs(&(struct pair_product){.m = rows,
                                                       .n = head->d,
                                                       .k = head->n,
                                                       .c = panels.out + (size_t)first * flat,
                                                       .c_row = flat,
                                                       .a = p,
                                                       .a_row = by_dim,
                                                       .b = v});
    }
    scatter_head(at, context, panels.out, queries, head, 0, 1);
}

static void head_forward(const struct attention *at, void *context, const struct head *head)
{
    if (at->element == ELEMENT_BF16) {
        head_forward_pairs(at, context, head);
        return;
    }
    struct panels panels = panels_of(at->scratch, head->n, head->d);
    size_t flat = kernel_padded(head->d), by_dim = kernel_padded(head->n);
    at->kernels->transpose(panels.k_by_dim, head->k, head->n, head->d, head->qkv_row,
                           scale_of(head));
    gather_f32(at, panels.v, head->v, head);
    int queries = at->first_only ? 1 : head->n;
    for (int first = 0; first < queries; first += BLOCK) {
        int rows = queries - first < BLOCK ? queries - first : BLOCK;
        probabilities(at, &panels, head, first, rows);
        dropout_rows(at->kernels, &head->masks, panels.p, head->start + first, rows, head->n,
                     by_dim);
        at->kernels->multiply(&(struct product){.m = rows,
                                                .n = head->d,
                                                .k = head->n,
                                                .c = panels.out + (size_t)first * flat,
                                                .c_row = flat,
                                                .a = panels.p,
                                                .a_row = by_dim,
                                                .a_col = 1,
                                                .b = panels.v,
                                                .b_row = flat});
    }
    scatter_head(at, context, panels.out, queries, head, 0, 1);
}

/* c [n, d] += a^T b for a [rows, n], b [rows, d]: the sums over queries. */
static void add_transposed(const struct attention *at, const struct head *head, float *c,
                           const float *a, const float *b, int rows)
{
    size_t flat = kernel_padded(head->d), by_dim = kernel_padded(head->n);
    at->kernels->multiply(&(struct product){.m = head->n,
                                            .n = head->d,
                                            .k = rows,
                                            .c = c,
                                            .c_row = flat,
                                            .a = a,
                                            .a_row = 1,
                                            .a_col = by_dim,
                                            .b = b,
                                            .b_row = flat,
                                            .add = true});
}

/* out = drop(p) v, p = softmax(s), s = q k^T  =>
 *
 *     d_v += drop(p)^T d_out
 *     d_p  = drop(d_out v^T), by the same mask
 *     d_s  = p (d_p - <out, d_out>), since <p, d_p> = <drop(p) v, d_out> whatever the mask
 *     d_q  = d_s k;  d_k += d_s^T q; both still to be divided by sqrt(head size)
 */
static void block_backward(const struct attention *at, const struct panels *panels,
                           const struct head *head, int first, int rows)
{
    const struct kernels *kernels = at->kernels;
    const struct dropout_masks *masks = &head->masks;
    size_t flat = kernel_padded(head->d), by_dim = kernel_padded(head->n);
    const float *d_out = panels->d_out + (size_t)first * flat;
    probabilities(at, panels, head, first, rows);
    kernels->multiply(&(struct product){.m = rows,
                                        .n = head->n,
                                        .k = head->d,
                                        .c = panels->d_p,
                                        .c_row = by_dim,
                                        .a = d_out,
                                        .a_row = flat,
                                        .a_col = 1,
                                        .b = panels->v_by_dim,
                                        .b_row = by_dim});
    int token = head->start + first;
    dropout_rows(kernels, masks, panels->d_p, token, rows, head->n, by_dim);
    kernels->softmax_backward(panels->d_p, panels->p, panels->dots + first, rows, head->n, by_dim);
    dropout_rows(kernels, masks, panels->p, token, rows, head->n, by_dim);
    add_transposed(at, head, panels->d_v, panels->p, d_out, rows);
    add_transposed(at, head, panels->d_k, panels->d_p, panels->q + (size_t)first * flat, rows);
    kernels->multiply(&(struct product){.m = rows,
                                        .n = head->d,
                                        .k = head->n,
                                        .c = panels->d_q + (size_t)first * flat,
                                        .c_row = flat,
                                        .a = panels->d_p,
                                        .a_row = by_dim,
                                        .a_col = 1,
                                        .b = panels->k,
                                        .b_row = flat});
}

static void head_backward(const struct attention *at, void *d_qkv, const void *d_context,
                          const void *context, const struct head *head)
{
    struct panels panels = panels_of(at->scratch, head->n, head->d);
    const struct kernels *kernels = at->kernels;
    size_t flat = kernel_padded(head->d), bytes = (size_t)head->n * flat * sizeof(float);
    kernels->transpose(panels.k_by_dim, head->k, head->n, head->d, head->qkv_row, scale_of(head));
    kernels->transpose(panels.v_by_dim, head->v, head->n, head->d, head->qkv_row, 1);
    gather_f32(at, panels.q, head->q, head);
    gather_f32(at, panels.k, head->k, head);
    gather_context(at, panels.out, context, head);
    gather_context(at, panels.d_out, d_context, head);
    kernels->row_dots(panels.dots, panels.out, panels.d_out, head->n, head->d, flat);
    memset(panels.d_k, 0, bytes);
    memset(panels.d_v, 0, bytes);
    for (int first = 0; first < head->n; first += BLOCK)
        block_backward(at, &panels, head, first, head->n - first < BLOCK ? head->n - first : BLOCK);
    scatter_head(at, d_qkv, panels.d_q, head->n, head, 0, 3);
    scatter_head(at, d_qkv, panels.d_k, head->n, head, 1, 3);
    scatter_head(at, d_qkv, panels.d_v, head->n, head, 2, 3);
}

void attention_forward(const struct attention *attention, void *context, const float *qkv)
{
    for (int seq = 0; seq < attention->num_seqs; seq++)
        for (int number = 0; number < attention->num_heads; number++) {
            struct head head = head_at(attention, qkv, seq, number);
            head_forward(attention, context, &head);
        }
}

void attention_backward(const struct attention *attention, void *d_qkv, const void *d_context,
                        const void *context, const float *qkv)
{
    for (int seq = 0; seq < attention->num_seqs; seq++)
        for (int number = 0; number < attention->num_heads; number++) {
            struct head head = head_at(attention, qkv, seq, number);
            head_backward(attention, d_qkv, d_context, context, &head);
        }
}
