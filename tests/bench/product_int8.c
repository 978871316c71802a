/* oneDNN's product of unsigned by signed bytes, which retort does not use yet: what int8 would have
 * to give.  So this file, too, knows oneDNN. */
#include "tests/bench/product.h"

#include <dnnl.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(call) REQUIRE((call) == dnnl_success)

enum { X, W, Y, SCRATCH, MEMORIES };

struct bytes {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t primitive;
    dnnl_memory_t memories[MEMORIES];
    void *values[MEMORIES];
};

/* NULL where oneDNN has none. */
static dnnl_primitive_desc_t describe(dnnl_engine_t engine, const struct dnn_shape *shape)
{
    dnnl_memory_desc_t x, w, y;
    dnnl_matmul_desc_t matmul;
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_dims_t x_dims = {shape->rows, shape->inputs}, w_dims = {shape->inputs, shape->outputs},
                y_dims = {shape->rows, shape->outputs};
    CHECK(dnnl_memory_desc_init_by_tag(&x, 2, x_dims, dnnl_u8, dnnl_ab));
    CHECK(dnnl_memory_desc_init_by_tag(&w, 2, w_dims, dnnl_s8, dnnl_format_tag_any));
    CHECK(dnnl_memory_desc_init_by_tag(&y, 2, y_dims, dnnl_s32, dnnl_ab));
    CHECK(dnnl_matmul_desc_init(&matmul, &x, &w, NULL, &y));
    CHECK(dnnl_primitive_attr_create(&attr));
    CHECK(dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
    if (dnnl_primitive_desc_create(&desc, &matmul, attr, engine, NULL) != dnnl_success) desc = NULL;
    CHECK(dnnl_primitive_attr_destroy(attr));
    return desc;
}

static void close_int8(void *product)
{
    struct bytes *bytes = product;
    for (int i = 0; i < MEMORIES; i++) {
        if (bytes->memories[i]) CHECK(dnnl_memory_destroy(bytes->memories[i]));
        free(bytes->values[i]);
    }
    if (bytes->primitive) CHECK(dnnl_primitive_destroy(bytes->primitive));
    CHECK(dnnl_stream_destroy(bytes->stream));
    CHECK(dnnl_engine_destroy(bytes->engine));
    free(bytes);
}

static void add_memory(struct bytes *bytes, int which, dnnl_primitive_desc_t desc,
                       dnnl_query_t what)
{
    const dnnl_memory_desc_t *layout = dnnl_primitive_desc_query_md(desc, what, 0);
    size_t size = dnnl_memory_desc_get_size(layout);
    void *values = bytes->values[which] = xaligned(size + 1, 1);
    memset(values, 3, size);
    CHECK(dnnl_memory_create(&bytes->memories[which], layout, bytes->engine, values));
}

static void *open_int8(const struct dnn_shape *shape)
{
    struct bytes *bytes = xcalloc(1, sizeof *bytes);
    CHECK(dnnl_engine_create(&bytes->engine, dnnl_cpu, 0));
    CHECK(dnnl_stream_create(&bytes->stream, bytes->engine, dnnl_stream_default_flags));
    dnnl_primitive_desc_t desc = describe(bytes->engine, shape);
    if (!desc) {
        close_int8(bytes);
        return NULL;
    }
    CHECK(dnnl_primitive_create(&bytes->primitive, desc));
    add_memory(bytes, X, desc, dnnl_query_src_md);
    add_memory(bytes, W, desc, dnnl_query_weights_md);
    add_memory(bytes, Y, desc, dnnl_query_dst_md);
    add_memory(bytes, SCRATCH, desc, dnnl_query_scratchpad_md);
    CHECK(dnnl_primitive_desc_destroy(desc));
    return bytes;
}

static void multiply_int8(void *product)
{
    struct bytes *bytes = product;
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, bytes->memories[X]},
                                   {DNNL_ARG_WEIGHTS, bytes->memories[W]},
                                   {DNNL_ARG_DST, bytes->memories[Y]},
                                   {DNNL_ARG_SCRATCHPAD, bytes->memories[SCRATCH]}};
    omp_set_num_threads(1); /* the calling thread's own setting */
    CHECK(dnnl_primitive_execute(bytes->primitive, bytes->stream, 4, arguments));
}

const struct product_kind product_int8 = {open_int8, multiply_int8, close_int8};
