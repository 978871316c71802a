/* oneDNN's best matrix product of each type among the encoder's own shapes, on all cores. */
#include "tests/bench/product.h"

#include "tests/bench/bench.h"

#include <stdlib.h>

/* ---- f32 and bf16: as the encoder multiplies on its way down, which oneDNN does alone ---- */

struct linear {
    struct dnn *dnn;
    struct dnn_weights *weights;
    struct dnn_shape shape;
    enum dnn_store store;
    void *x, *y;
};

static void *open_linear(const struct dnn_shape *shape, enum element element)
{
    struct linear *linear = xcalloc(1, sizeof *linear);
    size_t count = (size_t)shape->outputs * (size_t)shape->inputs;
    size_t size_x = (size_t)shape->rows * (size_t)shape->inputs * element_size(element);
    size_t size_y = (size_t)shape->rows * (size_t)shape->outputs * element_size(element);
    float *values = xaligned(count, sizeof *values);
    for (size_t i = 0; i < count; i++) values[i] = 1.0f / (float)(1 + i % 61);
    *linear = (struct linear){
        .dnn = dnn_open(),
        .weights = dnn_weights_open(shape->inputs, shape->outputs, element, DNN_BACKWARD),
        .shape = *shape,
        .store = element == ELEMENT_BF16 ? DNN_WRITE_BF16 : DNN_WRITE_F32,
        .x = xaligned(size_x, 1),
        .y = xaligned(size_y, 1)};
    dnn_weights_pack(linear->dnn, linear->weights, values);
    if (element == ELEMENT_F32)
        for (size_t i = 0; i < size_x / 4; i++) ((float *)linear->x)[i] = values[i % count];
    else
        for (size_t i = 0; i < size_x / 2; i++)
            ((uint16_t *)linear->x)[i] = (uint16_t)(0x3f00 + i % 61);
    free(values);
    return linear;
}

static void *open_f32(const struct dnn_shape *shape)
{
    return open_linear(shape, ELEMENT_F32);
}

static void *open_bf16(const struct dnn_shape *shape)
{
    return dnn_has_fast_bf16() ? open_linear(shape, ELEMENT_BF16) : NULL;
}

static void multiply_linear(void *product)
{
    struct linear *linear = product;
    dnn_linear_backward(linear->dnn, linear->y, linear->x, linear->weights, linear->shape.rows,
                        linear->store);
}

static void close_linear(void *product)
{
    struct linear *linear = product;
    if (!linear) return;
    dnn_weights_close(linear->weights);
    dnn_close(linear->dnn);
    free(linear->x), free(linear->y);
    free(linear);
}

const struct product_kind product_f32 = {open_f32, multiply_linear, close_linear};
const struct product_kind product_bf16 = {open_bf16, multiply_linear, close_linear};

/* ---- the best shape ---- */

/* Of MiniLM-L6 and BERT-base: queries, keys and values; both halves of the feed-forward.  Rows: a
 * block of the encoder's, and a few of them. */
static const struct dnn_shape shapes[] = {
    {128, 1152, 384}, {512, 1152, 384}, {128, 1536, 384}, {512, 1536, 384}, {128, 384, 1536},
    {512, 384, 1536}, {128, 2304, 768}, {512, 2304, 768}, {128, 768, 3072}, {512, 768, 3072}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

struct contest {
    struct pool *pool;
    const struct product_kind *kind;
    double item_flops;   /* about, of one item */
    int repeats;         /* products of one item */
    void **products;     /* [workers] */
    struct seconds best; /* that a Gflop took, of all shapes */
};

static void multiply_item(void *arg, size_t item, int worker)
{
    struct contest *contest = arg;
    (void)item;
    for (int i = 0; i < contest->repeats; i++) contest->kind->multiply(contest->products[worker]);
}

static double flops_of(const struct dnn_shape *shape)
{
    return 2.0 * shape->rows * shape->outputs * shape->inputs;
}

static double smaller(double a, double b)
{
    return a > 0 && a < b ? a : b;
}

static void try_shape(struct contest *contest, const struct dnn_shape *shape)
{
    size_t workers = (size_t)pool_size(contest->pool), items = 4 * workers;
    for (size_t w = 0; w < workers; w++) contest->products[w] = contest->kind->open(shape);
    contest->repeats = 1 + (int)(contest->item_flops / flops_of(shape));
    pool_run(contest->pool, workers, multiply_item, contest); /* compiles */
    struct seconds began = clocks_now();
    pool_run(contest->pool, items, multiply_item, contest);
    struct seconds ended = clocks_now(), *best = &contest->best;
    for (size_t w = 0; w < workers; w++) contest->kind->close(contest->products[w]);
    double gflops = 1e-9 * flops_of(shape) * contest->repeats * (double)items;
    best->wall = smaller(best->wall, (ended.wall - began.wall) / gflops);
    best->processor = smaller(best->processor, (ended.processor - began.processor) / gflops);
}

static void run_contest(void *arg)
{
    struct contest *contest = arg;
    contest->best = (struct seconds){0};
    for (int s = 0; s < SHAPES; s++) try_shape(contest, &shapes[s]);
}

static void release_contest(void *object)
{
    struct contest *contest = object;
    free(contest->products);
    free(contest);
}

static void add_contest(struct bench *bench, const char *precision, enum peak peak,
                        const struct product_kind *kind)
{
    void *probe = kind->open(&shapes[0]);
    if (!probe) return;
    kind->close(probe);
    struct contest *contest = xcalloc(1, sizeof *contest);
    *contest = (struct contest){
        .pool = bench->pool,
        .kind = kind,
        .item_flops = (double)bench_size(bench, 1000, 100) * 1e6,
        .products = xcalloc((size_t)pool_size(bench->pool), sizeof *contest->products)};
    bench_own(bench, contest, release_contest);
    bench_add(bench, &(struct work){.name = "peak-product",
                                    .precision = precision,
                                    .units = {{"Gflop/s", 1}},
                                    .peak = peak,
                                    .is_peak = true,
                                    .cost = 1e9,
                                    .run = run_contest,
                                    .arg = contest,
                                    .counted = &contest->best});
}

void add_products(struct bench *bench)
{
    add_contest(bench, "f32", PEAK_F32, &product_f32);
    add_contest(bench, "bf16", PEAK_BF16, &product_bf16);
    add_contest(bench, "int8", PEAK_INT8, &product_int8);
}
