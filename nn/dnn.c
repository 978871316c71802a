/* oneDNN behind a few functions, and kernels of our own on weights that it has packed: see dnn.h.
 *
 * A oneDNN matmul is described, compiled (0.2 ms) and then executed any number of times with other
 * pointers.  Compiled ones are kept in an open-addressing table by everything that the code depends
 * on.  oneDNN's own cache would answer in microseconds too, but is shared, locked and would still
 * need the descriptors.
 */
#include "nn/dnn.h"

#include "data/guard.h"
#include "nn/kernels.h"

#include <dnnl.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Memory that oneDNN was refused is refused to us; any other failure is our bug. */
#define CHECK(call) check((call), __LINE__, #call)
static void check(dnnl_status_t status, int line, const char *call)
{
    if (status == dnnl_out_of_memory) refused("out of memory (in oneDNN)");
    if (status != dnnl_success) require_failed(__FILE__, line, call);
}

/* For hold. */
#define RELEASE(kind)                                                                              \
    static void release_##kind(void *object)                                                       \
    {                                                                                              \
        CHECK(dnnl_##kind##_destroy(object));                                                      \
    }
RELEASE(engine)
RELEASE(memory)
RELEASE(post_ops)
RELEASE(primitive)
RELEASE(primitive_attr)
RELEASE(primitive_desc)

/* What a compiled product depends on: c [m, n] = a [m, k] b [k, n]. */
struct key {
    int m, n, k;
    int element; /* enum element of a and b */
    int store;   /* enum dnn_store */
    int layouts; /* LAYOUT_* bits */
};
enum { LAYOUT_A_TRANSPOSED = 1, LAYOUT_B_TRANSPOSED = 2, LAYOUT_B_PACKED = 4, LAYOUT_BIAS = 8 };

struct primitive {
    struct key key;
    dnnl_primitive_t primitive; /* NULL: an empty slot */
    dnnl_memory_t a, b, c, bias, scratch;
};

enum {
    TABLE_SIZE = 2048, /* slots, a power of two */
    TABLE_LIMIT = 1024 /* primitives kept; more shapes than that start the table afresh */
};

/* What oneDNN takes to compile a product is below 1 MiB; other workers compile at the same time. */
static const size_t compile_room = 8 << 20;

struct dnn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    struct primitive *table;
    int count;
    struct room {
        void *memory;
        size_t size;
    } scratch, columns; /* of products; of some of one's columns */
};

struct dnn_weights {
    int outputs, inputs;
    enum element element;
    enum dnn_direction direction;
    dnnl_memory_desc_t layout; /* of b [k, n] */
    int block;                 /* columns of b that the layout keeps together, with all rows: packed
                                  is such blocks, end to end */
    size_t block_size;         /* bytes of one */
    bool plain_blocks;         /* each as nn/kernels.h wants b to lie */
    void *packed;
};

size_t element_size(enum element element)
{
    static const size_t sizes[] = {4, 2, 1, 1};
    return sizes[element];
}

/* Of the left operand of a product; see also b_type. */
static dnnl_data_type_t data_type(enum element element)
{
    static const dnnl_data_type_t types[] = {dnnl_f32, dnnl_bf16, dnnl_s8, dnnl_u8};
    return types[element];
}

static dnnl_data_type_t b_type(enum element element)
{
    return data_type(element == ELEMENT_UINT8 ? ELEMENT_INT8 : element);
}

/* Row-major [rows, cols], or its transpose stored row-major. */
static dnnl_memory_desc_t plain(int rows, int cols, dnnl_data_type_t type, bool transposed)
{
    dnnl_memory_desc_t layout;
    dnnl_dims_t dims = {rows, cols};
    CHECK(dnnl_memory_desc_init_by_tag(&layout, 2, dims, type, transposed ? dnnl_ba : dnnl_ab));
    return layout;
}

/* ---- descriptors ---- */

static dnnl_primitive_attr_t attributes(const struct key *key)
{
    dnnl_primitive_attr_t attr;
    CHECK(dnnl_primitive_attr_create(&attr));
    hold(attr, release_primitive_attr);
    CHECK(dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
    if (key->store == DNN_ADD_F32) {
        dnnl_post_ops_t post;
        CHECK(dnnl_post_ops_create(&post));
        hold(post, release_post_ops);
        CHECK(dnnl_post_ops_append_sum(post, 1));
        CHECK(dnnl_primitive_attr_set_post_ops(attr, post));
        CHECK(dnnl_post_ops_destroy(let_go(post)));
    }
    return let_go(attr);
}

/* packed: layout of b, or NULL to let oneDNN choose it (with LAYOUT_B_PACKED) or take a plain one.
 * NULL where oneDNN cannot. */
static dnnl_primitive_desc_t describe(dnnl_engine_t engine, const struct key *key,
                                      const dnnl_memory_desc_t *packed)
{
    dnnl_data_type_t type = data_type((enum element)key->element);
    dnnl_data_type_t type_b = b_type((enum element)key->element);
    dnnl_data_type_t out = key->store == DNN_WRITE_BF16 ? dnnl_bf16 : dnnl_f32;
    dnnl_memory_desc_t a = plain(key->m, key->k, type, key->layouts & LAYOUT_A_TRANSPOSED);
    dnnl_memory_desc_t b = plain(key->k, key->n, type_b, key->layouts & LAYOUT_B_TRANSPOSED);
    dnnl_memory_desc_t c = plain(key->m, key->n, out, false);
    dnnl_memory_desc_t bias = plain(1, key->n, dnnl_f32, false);
    if (packed)
        b = *packed;
    else if (key->layouts & LAYOUT_B_PACKED)
        CHECK(dnnl_memory_desc_init_by_tag(&b, 2, (dnnl_dims_t){key->k, key->n}, type_b,
                                           dnnl_format_tag_any));
    dnnl_matmul_desc_t product;
    CHECK(dnnl_matmul_desc_init(&product, &a, &b, key->layouts & LAYOUT_BIAS ? &bias : NULL, &c));
    need_memory(compile_room);
    dnnl_primitive_attr_t attr = attributes(key);
    dnnl_primitive_desc_t desc = NULL;
    dnnl_status_t status = dnnl_primitive_desc_create(&desc, &product, attr, engine, NULL);
    CHECK(dnnl_primitive_attr_destroy(attr));
    if (status == dnnl_out_of_memory) CHECK(status);
    return status == dnnl_success ? desc : NULL;
}

static dnnl_memory_t handle(dnnl_engine_t engine, dnnl_primitive_desc_t desc, dnnl_query_t what,
                            int index)
{
    dnnl_memory_t memory;
    const dnnl_memory_desc_t *layout = dnnl_primitive_desc_query_md(desc, what, index);
    CHECK(dnnl_memory_create(&memory, layout, engine, DNNL_MEMORY_NONE));
    return memory;
}

/* ---- the table of compiled products ---- */

static void primitive_free(void *primitive)
{
    struct primitive *slot = primitive;
    const dnnl_memory_t handles[] = {slot->a, slot->b, slot->c, slot->bias, slot->scratch};
    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++)
        if (handles[i]) CHECK(dnnl_memory_destroy(handles[i]));
    if (slot->primitive) CHECK(dnnl_primitive_destroy(slot->primitive));
    *slot = (struct primitive){0};
}

static void reserve(struct room *room, size_t size)
{
    if (size <= room->size) return;
    free(room->memory);
    *room = (struct room){0};
    room->memory = xaligned(size, 1);
    room->size = size;
}

/* Compiled, with memory for its scratchpad. */
static struct primitive primitive_make(struct dnn *dnn, const struct key *key,
                                       const dnnl_memory_desc_t *packed)
{
    struct primitive made = {.key = *key};
    dnnl_primitive_desc_t desc = describe(dnn->engine, key, packed);
    REQUIRE(desc);
    hold(desc, release_primitive_desc);
    hold(&made, primitive_free);
    CHECK(dnnl_primitive_create(&made.primitive, desc));
    made.a = handle(dnn->engine, desc, dnnl_query_src_md, 0);
    made.b = handle(dnn->engine, desc, dnnl_query_weights_md, 0);
    made.c = handle(dnn->engine, desc, dnnl_query_dst_md, 0);
    if (key->layouts & LAYOUT_BIAS) made.bias = handle(dnn->engine, desc, dnnl_query_weights_md, 1);
    made.scratch = handle(dnn->engine, desc, dnnl_query_scratchpad_md, 0);
    reserve(&dnn->scratch, dnnl_memory_desc_get_size(
                               dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0)));
    let_go(&made);
    CHECK(dnnl_primitive_desc_destroy(let_go(desc)));
    return made;
}

static void table_clear(struct dnn *dnn)
{
    for (int i = 0; i < TABLE_SIZE; i++)
        if (dnn->table[i].primitive) primitive_free(&dnn->table[i]);
    dnn->count = 0;
}

static struct primitive *primitive_for(struct dnn *dnn, const struct key *key,
                                       const dnnl_memory_desc_t *packed)
{
    size_t at = hash64(key, sizeof *key, 0) % TABLE_SIZE;
    while (dnn->table[at].primitive && memcmp(&dnn->table[at].key, key, sizeof *key) != 0)
        at = (at + 1) % TABLE_SIZE;
    if (dnn->table[at].primitive) return &dnn->table[at];
    if (dnn->count == TABLE_LIMIT) {
        table_clear(dnn);
        at = hash64(key, sizeof *key, 0) % TABLE_SIZE;
    }
    dnn->table[at] = primitive_make(dnn, key, packed);
    dnn->count++;
    return &dnn->table[at];
}

/* c [m, n] (+)= a [m, k] b [k, n] + bias. */
static void execute(struct dnn *dnn, const struct key *key, const dnnl_memory_desc_t *packed,
                    void *c, const void *a, const void *b, const float *bias)
{
    if (key->m == 0) return;
    omp_set_num_threads(1); /* the calling thread's own setting: products are not split further */
    struct primitive *slot = primitive_for(dnn, key, packed);
    CHECK(dnnl_memory_set_data_handle(slot->a, (void *)a));
    CHECK(dnnl_memory_set_data_handle(slot->b, (void *)b));
    CHECK(dnnl_memory_set_data_handle(slot->c, c));
    CHECK(dnnl_memory_set_data_handle(slot->scratch, dnn->scratch.memory));
    if (bias) CHECK(dnnl_memory_set_data_handle(slot->bias, (void *)bias));
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, slot->a},
                                   {DNNL_ARG_WEIGHTS, slot->b},
                                   {DNNL_ARG_DST, slot->c},
                                   {DNNL_ARG_SCRATCHPAD, slot->scratch},
                                   {DNNL_ARG_BIAS, slot->bias}};
    CHECK(dnnl_primitive_execute(slot->primitive, dnn->stream, bias ? 5 : 4, arguments));
}

/* ---- one thread's oneDNN ---- */

static void release_dnn(void *dnn)
{
    dnn_close(dnn);
}

struct dnn *dnn_open(void)
{
    struct dnn *dnn = hold(xcalloc(1, sizeof *dnn), release_dnn);
    dnn->table = xcalloc(TABLE_SIZE, sizeof *dnn->table);
    need_memory(compile_room);
    CHECK(dnnl_engine_create(&dnn->engine, dnnl_cpu, 0));
    CHECK(dnnl_stream_create(&dnn->stream, dnn->engine, dnnl_stream_default_flags));
    return let_go(dnn);
}

void dnn_close(struct dnn *dnn)
{
    if (!dnn) return;
    if (dnn->table) table_clear(dnn);
    if (dnn->stream) CHECK(dnnl_stream_destroy(dnn->stream));
    if (dnn->engine) CHECK(dnnl_engine_destroy(dnn->engine));
    free(dnn->scratch.memory);
    free(dnn->columns.memory);
    free(dnn->table);
    free(dnn);
}

/* Whether oneDNN would multiply by these instructions, or AMX, in the implementation named so. */
static bool multiplies_by(struct key key, const char *implementation, const char *instructions)
{
    dnnl_engine_t engine;
    CHECK(dnnl_engine_create(&engine, dnnl_cpu, 0));
    hold(engine, release_engine);
    dnnl_primitive_desc_t desc = describe(engine, &key, NULL);
    const char *name = "";
    if (desc) CHECK(dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, (void *)&name));
    bool found = strncmp(name, implementation, strlen(implementation)) == 0 &&
                 (strstr(name, instructions) || strstr(name, "amx"));
    if (desc) CHECK(dnnl_primitive_desc_destroy(desc));
    CHECK(dnnl_engine_destroy(let_go(engine)));
    return found;
}

bool dnn_has_fast_bf16(void)
{
    struct key key = {512, 384, 384, ELEMENT_BF16, DNN_WRITE_BF16, LAYOUT_B_PACKED};
    return kernels_best()->multiplies_bf16 && multiplies_by(key, "brg", "bf16");
}

bool dnn_has_fast_int8(void)
{
    return multiplies_by((struct key){512, 384, 384, ELEMENT_UINT8, DNN_WRITE_F32, LAYOUT_B_PACKED},
                         "brg", "vnni");
}

bool dnn_has_exact_int8(void)
{
    return multiplies_by(
        (struct key){256, 256, 128, ELEMENT_INT8, DNN_WRITE_F32, LAYOUT_B_TRANSPOSED}, "", "vnni");
}

void dnn_library_version(char version[VERSION_SIZE])
{
    const dnnl_version_t *loaded = dnnl_version();
    snprintf(version, VERSION_SIZE, "%d.%d.%d", loaded->major, loaded->minor, loaded->patch);
}

/* ---- weights ---- */

static void release_weights(void *weights)
{
    dnn_weights_close(weights);
}

static enum element element_of_x(const struct dnn_weights *weights)
{
    return weights->element == ELEMENT_INT8 ? ELEMENT_UINT8 : weights->element;
}

/* Numbers in a word of 4 bytes: of so many rows, one below the other, in a plain block. */
static int word_of(enum element element)
{
    return 4 / (int)element_size(element);
}

/* A layout of columns without blocks has blocks of 1.  In a plain block, rows (of bf16 pairs of
 * rows, of bytes fours) follow each other. */
static void find_blocks(struct dnn_weights *weights)
{
    const dnnl_blocking_desc_t *blocks = &weights->layout.format_desc.blocking;
    int inner = blocks->inner_nblks, word = word_of(weights->element);
    dnnl_dim_t columns = 1, all = 1;
    for (int i = 0; i < inner; i++) {
        all *= blocks->inner_blks[i];
        if (blocks->inner_idxs[i] == 1) columns *= blocks->inner_blks[i];
    }
    weights->block = (int)columns;
    weights->block_size = (size_t)blocks->strides[1] * element_size(weights->element);
    weights->plain_blocks = inner == (word > 1 ? 3 : 2) && blocks->inner_idxs[0] == 0 &&
                            blocks->inner_idxs[1] == 1 &&
                            (word == 1 || blocks->inner_blks[2] == word) &&
                            blocks->strides[0] == all && columns % KERNEL_LANES == 0;
}

/* The layout that oneDNN prefers for a tall product; measured to be the same, and as fast, for any
 * number of rows. */
struct dnn_weights *dnn_weights_open(int outputs, int inputs, enum element element,
                                     enum dnn_direction direction)
{
    REQUIRE(outputs > 0 && inputs > 0);
    struct dnn_weights *weights = hold(xcalloc(1, sizeof *weights), release_weights);
    weights->outputs = outputs;
    weights->inputs = inputs;
    weights->element = element;
    weights->direction = direction;
    struct key key = {.m = 512,
                      .n = direction == DNN_FORWARD ? outputs : inputs,
                      .k = direction == DNN_FORWARD ? inputs : outputs,
                      .element = element_of_x(weights),
                      .store = DNN_WRITE_F32,
                      .layouts = LAYOUT_B_PACKED};
    dnnl_engine_t engine;
    CHECK(dnnl_engine_create(&engine, dnnl_cpu, 0));
    hold(engine, release_engine);
    dnnl_primitive_desc_t desc = describe(engine, &key, NULL);
    REQUIRE(desc);
    weights->layout = *dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0);
    find_blocks(weights);
    CHECK(dnnl_primitive_desc_destroy(desc));
    CHECK(dnnl_engine_destroy(let_go(engine)));
    weights->packed = xaligned(dnnl_memory_desc_get_size(&weights->layout), 1);
    return let_go(weights);
}

void dnn_weights_pack(struct dnn *dnn, struct dnn_weights *weights, const void *values)
{
    omp_set_num_threads(1);
    dnnl_data_type_t type = weights->element == ELEMENT_INT8 ? dnnl_s8 : dnnl_f32;
    bool forward = weights->direction == DNN_FORWARD;
    dnnl_memory_desc_t from = forward ? plain(weights->inputs, weights->outputs, type, true)
                                      : plain(weights->outputs, weights->inputs, type, false);
    dnnl_primitive_desc_t desc;
    need_memory(compile_room);
    CHECK(dnnl_reorder_primitive_desc_create(&desc, &from, dnn->engine, &weights->layout,
                                             dnn->engine, NULL));
    hold(desc, release_primitive_desc);
    dnnl_primitive_t reorder;
    CHECK(dnnl_primitive_create(&reorder, desc));
    hold(reorder, release_primitive);
    dnnl_memory_t source, target;
    CHECK(dnnl_memory_create(&source, &from, dnn->engine, (void *)values));
    hold(source, release_memory);
    CHECK(dnnl_memory_create(&target, &weights->layout, dnn->engine, weights->packed));
    hold(target, release_memory);
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, target}};
    CHECK(dnnl_primitive_execute(reorder, dnn->stream, 2, arguments));
    CHECK(dnnl_memory_destroy(let_go(target)));
    CHECK(dnnl_memory_destroy(let_go(source)));
    CHECK(dnnl_primitive_destroy(let_go(reorder)));
    CHECK(dnnl_primitive_desc_destroy(let_go(desc)));
}

void dnn_weights_close(struct dnn_weights *weights)
{
    if (!weights) return;
    free(weights->packed);
    free(weights);
}

/* ---- products ---- */

/* Columns first .. first + count - 1 of y, whole blocks. */
struct columns {
    int first, count;
};

/* Whether a product is nn/kernels.h's: faster than oneDNN's where weights come from a cache behind
 * the second level, as with few rows, and no slower with many; writes a share of columns where it
 * belongs, and gives a row the same bytes whatever the others and however columns are shared. */
static bool is_ours(const struct dnn_weights *weights, enum dnn_store store)
{
    const struct kernels *kernels = kernels_best();
    bool fast = weights->element == ELEMENT_F32 ||
                (weights->element == ELEMENT_BF16 && kernels->multiplies_bf16) ||
                (weights->element == ELEMENT_INT8 && kernels->multiplies_int8);
    return fast && weights->plain_blocks && weights->inputs % word_of(weights->element) == 0 &&
           store != DNN_ADD_F32;
}

static const void *block_at(const struct dnn_weights *weights, int column)
{
    return (const char *)weights->packed + (size_t)(column / weights->block) * weights->block_size;
}

/* By way of memory of our own, where the rows of y have no room for whole vectors. */
static void multiply_ragged(struct dnn *dnn, const struct product *product)
{
    size_t size = element_size(product->c_element), n = (size_t)product->n;
    size_t room = (size_t)kernel_padded(product->n), row = room * size;
    reserve(&dnn->columns, (size_t)product->m * row + room * sizeof(float));
    char *c = dnn->columns.memory;
    struct product padded = *product;
    padded.c = c;
    padded.c_row = room;
    if (product->bias) padded.bias = memcpy(c + product->m * row, product->bias, n * sizeof(float));
    kernels_best()->multiply(&padded);
    for (int i = 0; i < product->m; i++)
        memcpy((char *)product->c + i * product->c_row * size, c + i * row, n * size);
}

static void multiply_blocks(struct dnn *dnn, void *y, const void *x,
                            const struct dnn_weights *weights, const float *bias, int rows,
                            enum dnn_store store, struct columns columns)
{
    size_t word = (size_t)word_of(weights->element);
    struct product product = {.element = weights->element,
                              .m = rows,
                              .k = weights->inputs,
                              .c_element = store == DNN_WRITE_BF16 ? ELEMENT_BF16 : ELEMENT_F32,
                              .c_row = (size_t)weights->outputs,
                              .a = x,
                              .a_row = (size_t)weights->inputs,
                              .a_col = word,
                              .b_row = word * (size_t)weights->block,
                              .next_bytes = weights->block_size};
    int end = columns.first + columns.count;
    for (int first = columns.first; first < end; first += weights->block) {
        product.n = end - first < weights->block ? end - first : weights->block;
        product.c = (char *)y + (size_t)first * element_size(product.c_element);
        product.b = block_at(weights, first);
        product.bias = bias ? bias + first : NULL;
        int next = first + weights->block;
        product.next = next < end ? block_at(weights, next) : NULL;
        if (product.n % KERNEL_LANES == 0)
            kernels_best()->multiply(&product);
        else
            multiply_ragged(dnn, &product);
    }
}

/* oneDNN writes no part of longer rows: by way of memory of our own. */
static void execute_columns(struct dnn *dnn, const struct key *key, void *y, const void *x,
                            const struct dnn_weights *weights, const float *bias,
                            struct columns columns)
{
    size_t size = key->store == DNN_WRITE_BF16 ? sizeof(uint16_t) : sizeof(float);
    size_t own = (size_t)columns.count * size, all = (size_t)weights->outputs * size;
    int block = weights->block;
    dnnl_memory_desc_t layout = weights->layout;
    layout.dims[1] = columns.count;
    layout.padded_dims[1] = (columns.count + block - 1) / block * block;
    reserve(&dnn->columns, (size_t)key->m * own);
    execute(dnn, key, &layout, dnn->columns.memory, x, block_at(weights, columns.first),
            bias ? bias + columns.first : NULL);
    for (int i = 0; i < key->m; i++)
        memcpy((char *)y + (size_t)i * all + (size_t)columns.first * size,
               (const char *)dnn->columns.memory + (size_t)i * own, own);
}

void dnn_linear_forward_share(struct dnn *dnn, void *y, const void *x,
                              const struct dnn_weights *weights, const float *bias, int rows,
                              enum dnn_store store, struct team_share share)
{
    REQUIRE(weights->direction == DNN_FORWARD);
    int outputs = weights->outputs, first = share_first(share, outputs, weights->block);
    struct columns columns = {first, share_end(share, outputs, weights->block) - first};
    struct key key = {.m = rows,
                      .n = columns.count,
                      .k = weights->inputs,
                      .element = element_of_x(weights),
                      .store = store,
                      .layouts = LAYOUT_B_PACKED | (bias ? LAYOUT_BIAS : 0)};
    if (columns.count == 0) return;
    if (is_ours(weights, store))
        multiply_blocks(dnn, y, x, weights, bias, rows, store, columns);
    else if (columns.count == outputs)
        execute(dnn, &key, &weights->layout, y, x, weights->packed, bias);
    else
        execute_columns(dnn, &key, y, x, weights, bias, columns);
}

void dnn_linear_forward(struct dnn *dnn, void *y, const void *x, const struct dnn_weights *weights,
                        const float *bias, int rows, enum dnn_store store)
{
    dnn_linear_forward_share(dnn, y, x, weights, bias, rows, store, (struct team_share){0, 1});
}

/* y = x W^T  =>  d_x = d_y W */
void dnn_linear_backward(struct dnn *dnn, void *d_x, const void *d_y,
                         const struct dnn_weights *weights, int rows, enum dnn_store store)
{
    REQUIRE(weights->direction == DNN_BACKWARD);
    struct key key = {rows,  weights->inputs, weights->outputs, weights->element,
                      store, LAYOUT_B_PACKED};
    execute(dnn, &key, &weights->layout, d_x, d_y, weights->packed, NULL);
}

/* y = x W^T  =>  d_w += d_y^T x */
void dnn_linear_gradient(struct dnn *dnn, float *d_w, const void *d_y, const void *x,
                         struct dnn_shape shape, enum element element)
{
    if (shape.rows == 0) return;
    struct key key = {shape.outputs, shape.inputs, shape.rows,
                      element,       DNN_ADD_F32,  LAYOUT_A_TRANSPOSED};
    execute(dnn, &key, NULL, d_w, d_y, x, NULL);
}

void dnn_multiply(struct dnn *dnn, float *c, const void *a, const void *b,
                  const struct dnn_product *product)
{
    int layouts = (product->transpose_a ? LAYOUT_A_TRANSPOSED : 0) |
                  (product->transpose_b ? LAYOUT_B_TRANSPOSED : 0);
    struct key key = {product->m,
                      product->n,
                      product->k,
                      product->element,
                      product->add ? DNN_ADD_F32 : DNN_WRITE_F32,
                      layouts};
    execute(dnn, &key, NULL, c, a, b, NULL);
}
