/* See safetensors.h.  The whole file is mapped, so a tensor costs memory only where it is read. */
#define _GNU_SOURCE
#include "data/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/file_map.h"
#include "data/guard.h"
#include "data/json.h"
#include "data/output.h"

/* The reference implementation's limit. */
static const uint64_t longest_header = 100000000;

/* In the reference writer's order: data is laid out by this row descending, then by name. */
static const struct dtype_row {
    const char *name;
    enum dtype dtype;
    size_t size;
} dtypes[] = {
    {"BOOL", DTYPE_OTHER, 1},    {"U8", DTYPE_U8, 1},         {"I8", DTYPE_OTHER, 1},
    {"F8_E5M2", DTYPE_OTHER, 1}, {"F8_E4M3", DTYPE_OTHER, 1}, {"I16", DTYPE_OTHER, 2},
    {"U16", DTYPE_OTHER, 2},     {"F16", DTYPE_F16, 2},       {"BF16", DTYPE_BF16, 2},
    {"I32", DTYPE_I32, 4},       {"U32", DTYPE_OTHER, 4},     {"F32", DTYPE_F32, 4},
    {"F64", DTYPE_F64, 8},       {"I64", DTYPE_I64, 8},       {"U64", DTYPE_OTHER, 8},
};
enum { NUM_DTYPES = sizeof dtypes / sizeof *dtypes };

static int row_of(enum dtype dtype)
{
    REQUIRE(dtype != DTYPE_OTHER);
    for (int i = 0;; i++)
        if (dtypes[i].dtype == dtype) return i;
}

struct entry {
    struct tensor tensor; /* first, so that a pointer to it serves the caller */
    size_t begin, end;    /* in the shard's data */
    int shard;
};

struct safetensors {
    struct file_map *shards;
    size_t num_shards, shard_capacity;
    struct entry *entries;
    size_t count, capacity;
    struct strmap rows; /* tensor name -> entry */
    struct arena names;
};

/* ---- one file ---- */

static bool ends_with(const char *name, const char *suffix)
{
    size_t length = strlen(name), tail = strlen(suffix);
    return length >= tail && !strcmp(name + length - tail, suffix);
}

static bool is_pickle_name(const char *name)
{
    static const char *const suffixes[] = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (ends_with(name, suffixes[i])) return true;
    return false;
}

static int refuse_pickle(const char *path, struct error *err)
{
    return fail(
        err,
        "%s is a pickle, which can run code and is not read: convert it to model.safetensors "
        "with Python: from transformers import AutoModelForSequenceClassification as M (AutoModel "
        "where it is no re-ranker); M.from_pretrained(DIR).save_pretrained(DIR, "
        "safe_serialization=True)",
        path);
}

/* A zip (torch.save) or a bare pickle; the brace of a header tells a real length of 0x280 from
 * one. */
static bool looks_like_pickle(const unsigned char *bytes)
{
    return bytes[8] != '{' &&
           (!memcmp(bytes, "PK\3\4", 4) || (bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5));
}

static const struct dtype_row *find_dtype(const char *name)
{
    for (int i = 0; i < NUM_DTYPES; i++)
        if (!strcmp(dtypes[i].name, name)) return &dtypes[i];
    return NULL;
}

static int read_shape(struct tensor *out, const struct json *shape, const char *where,
                      struct error *err)
{
    if (json_kind(shape) != JSON_KIND_ARRAY)
        return fail(err, "%s: shape is %s, must be an array", where, json_kind_name(shape));
    if (json_size(shape) > TENSOR_MAX_RANK)
        return fail(err, "%s: shape has %zu dimensions, at most %d are read", where,
                    json_size(shape), TENSOR_MAX_RANK);
    out->rank = (int)json_size(shape);
    for (int i = 0; i < out->rank; i++) {
        int64_t size;
        if (!json_as_integer(&size, json_at(shape, (size_t)i), 0, INT64_MAX))
            return fail(err, "%s: shape[%d] is not a size", where, i);
        out->shape[i] = (size_t)size;
    }
    return 0;
}

static bool byte_size(size_t *out, const struct tensor *tensor, size_t element)
{
    *out = element;
    for (int i = 0; i < tensor->rank; i++)
        if (__builtin_mul_overflow(*out, tensor->shape[i], out)) return false;
    return true;
}

static int read_offsets(struct entry *out, const struct json *offsets, size_t data_size,
                        const char *where, struct error *err)
{
    int64_t begin, end;
    if (json_size(offsets) != 2 || !json_as_integer(&begin, json_at(offsets, 0), 0, INT64_MAX) ||
        !json_as_integer(&end, json_at(offsets, 1), begin, INT64_MAX))
        return fail(err, "%s: data_offsets must be [begin, end]", where);
    if ((uint64_t)end > data_size)
        return fail(
            err, "%s: its data ends at byte %lld of %zu: the file is truncated or its header lies",
            where, (long long)end, data_size);
    out->begin = (size_t)begin, out->end = (size_t)end;
    return 0;
}

/* One tensor's description; where is "FILE: tensor "NAME"". */
static int read_entry(struct entry *out, const struct json *info, size_t data_size,
                      const char *where, struct error *err)
{
    const char *dtype = json_get_string(info, "dtype");
    if (!dtype) return fail(err, "%s: no dtype", where);
    if (read_shape(&out->tensor, json_get(info, "shape"), where, err)) return -1;
    if (read_offsets(out, json_get(info, "data_offsets"), data_size, where, err)) return -1;
    const struct dtype_row *row = find_dtype(dtype);
    out->tensor.dtype = row ? row->dtype : DTYPE_OTHER;
    size_t expected;
    if (!byte_size(&expected, &out->tensor, row ? row->size : 1))
        return fail(err, "%s: the shape's size overflows", where);
    if (row && expected != out->end - out->begin)
        return fail(err, "%s: %zu bytes of data, but its shape and %s need %zu", where,
                    out->end - out->begin, dtype, expected);
    return 0;
}

static int compare_offsets(const void *a, const void *b)
{
    const struct entry *const *left = a, *const *right = b;
    if ((*left)->begin != (*right)->begin) return (*left)->begin < (*right)->begin ? -1 : 1;
    return ((*left)->end > (*right)->end) - ((*left)->end < (*right)->end);
}

/* The tensors from `first` on must cover the shard's data without hole or overlap. */
static int check_cover(const struct safetensors *st, size_t first, size_t data_size,
                       const char *path, struct error *err)
{
    size_t n = st->count - first, end = 0;
    const struct entry **order = xcalloc(n, sizeof *order);
    for (size_t i = 0; i < n; i++) order[i] = &st->entries[first + i];
    qsort(order, n, sizeof *order, compare_offsets);
    int status = 0;
    for (size_t i = 0; i < n && status == 0; i++) {
        if (order[i]->begin != end)
            status = fail(err, "%s: tensor \"%s\" begins at byte %zu, %s one before it ends at %zu",
                          path, order[i]->tensor.name, order[i]->begin,
                          order[i]->begin < end ? "overlapping: the" : "leaving a hole: the", end);
        end = order[i]->end;
    }
    free(order);
    if (status == 0 && end != data_size)
        status = fail(err, "%s: the tensors end at byte %zu, the file's data at %zu", path, end,
                      data_size);
    return status;
}

static int add_entry(struct safetensors *st, const struct json_member *member,
                     const unsigned char *data, size_t data_size, const char *path,
                     struct error *err)
{
    struct entry entry = {.shard = (int)st->num_shards - 1};
    char *where = xasprintf("%s: tensor \"%.200s\"", path, member->key);
    int status = read_entry(&entry, member->value, data_size, where, err);
    free(where);
    if (status) return -1;
    entry.tensor.name = arena_strndup(&st->names, member->key, strlen(member->key));
    entry.tensor.data = data + entry.begin;
    if (strmap_insert(&st->rows, entry.tensor.name, (int64_t)st->count) != (int64_t)st->count)
        return fail(err, "%s: tensor \"%s\" is in another shard, too", path, entry.tensor.name);
    GROW(st->entries, st->count, &st->capacity);
    st->entries[st->count++] = entry;
    return 0;
}

static int check_metadata(const struct json *metadata, const char *path, struct error *err)
{
    for (struct json_member m = json_first(metadata); m.key; json_next(&m))
        if (!json_as_string(m.value))
            return fail(err, "%s: __metadata__ \"%s\" is %s, must be a string", path, m.key,
                        json_kind_name(m.value));
    return 0;
}

/* header_size is known to lie within the file. */
static int read_header(struct safetensors *st, const struct file_map *map, size_t header_size,
                       const char *path, struct error *err)
{
    struct json *header;
    char *where = hold(xasprintf("%s: header", path), free);
    int status = json_parse(&header, (const char *)map->bytes + 8, header_size, where, err);
    if (status == 0 && json_kind(header) != JSON_KIND_OBJECT)
        status = fail(err, "%s is %s, must be an object", where, json_kind_name(header));
    free(let_go(where));
    hold(header, json_release);
    const unsigned char *data = map->bytes + 8 + header_size;
    size_t data_size = map->size - 8 - header_size, first = st->count;
    for (struct json_member m = json_first(header); m.key && status == 0; json_next(&m))
        status = strcmp(m.key, "__metadata__") ? add_entry(st, &m, data, data_size, path, err)
                                               : check_metadata(m.value, path, err);
    json_free(let_go(header));
    if (status == 0) status = check_cover(st, first, data_size, path, err);
    return status;
}

static int add_file(struct safetensors *st, const char *path, struct error *err)
{
    struct file_map map = {0};
    if (is_pickle_name(path)) return refuse_pickle(path, err);
    GROW(st->shards, st->num_shards, &st->shard_capacity);
    if (file_map_open(&map, path, false, err)) return -1;
    st->shards[st->num_shards++] = map;
    if (map.size < 10)
        return fail(err, "%s: %zu bytes are too few for a safetensors file", path, map.size);
    uint64_t header_size = 0;
    for (int i = 7; i >= 0; i--) header_size = header_size << 8 | map.bytes[i];
    if (looks_like_pickle(map.bytes)) return refuse_pickle(path, err);
    if (header_size > longest_header)
        return fail(
            err, "%s: a header of %llu bytes is beyond the format's limit of %llu: not safetensors",
            path, (unsigned long long)header_size, (unsigned long long)longest_header);
    if (header_size > map.size - 8)
        return fail(err, "%s: truncated: the header needs %llu bytes, the file has %zu", path,
                    (unsigned long long)header_size, map.size);
    if (header_size == 0 || map.bytes[8] != '{')
        return fail(err, "%s: not safetensors: the header does not begin with '{'", path);
    return read_header(st, &map, (size_t)header_size, path, err);
}

/* ---- a folder ---- */

static bool is_plain_name(const char *name)
{
    return *name && *name != '.' && !strchr(name, '/') && !strchr(name, '\\');
}

/* Maps the shard of one weight unless it was mapped; *shard is its number. */
static int add_shard(struct safetensors *st, struct strmap *shards, int *shard, const char *name,
                     const char *folder, const char *index, struct error *err)
{
    if (!is_plain_name(name) || !ends_with(name, ".safetensors"))
        return fail(err, "%s: \"%s\" is no shard's name: a .safetensors file in the same folder is",
                    index, name);
    int64_t known = strmap_find(shards, name);
    *shard = (int)known;
    if (known >= 0) return 0;
    *shard = (int)st->num_shards;
    strmap_insert(shards, name, *shard);
    char *path = hold(path_join(folder, name), free);
    int status = path_exists(path) ? add_file(st, path, err)
                                   : fail(err, "%s: its shard %s is missing", index, path);
    free(let_go(path));
    return status;
}

static int add_shards(struct safetensors *st, const struct json *index, const char *folder,
                      const char *path, struct error *err)
{
    const struct json *weights = json_get(index, "weight_map");
    struct strmap shards = {0};
    int status = 0;
    hold(&shards, strmap_release);
    if (json_kind(weights) != JSON_KIND_OBJECT || json_size(weights) == 0)
        status = fail(err, "%s: no weight_map of tensor names to files", path);
    for (struct json_member m = json_first(weights); m.key && status == 0; json_next(&m)) {
        const char *name = json_as_string(m.value);
        int shard = -1;
        status = name ? add_shard(st, &shards, &shard, name, folder, path, err)
                      : fail(err, "%s: the file of \"%s\" is not a string", path, m.key);
        if (status) break;
        int64_t row = strmap_find(&st->rows, m.key);
        if (row < 0 || st->entries[row].shard != shard)
            status = fail(err, "%s: tensor \"%s\" is not in %s", path, m.key, name);
    }
    strmap_free(let_go(&shards));
    return status;
}

/* Nothing safe to read in the folder: say why. */
static int refuse_folder(const char *folder, struct error *err)
{
    static const char *const pickles[] = {"pytorch_model.bin", "pytorch_model.bin.index.json",
                                          "model.pt", "pytorch_model.pt"};
    for (size_t i = 0; i < sizeof pickles / sizeof *pickles; i++) {
        char *path = path_join(folder, pickles[i]);
        int status = path_exists(path) ? refuse_pickle(path, err) : 0;
        free(path);
        if (status) return -1;
    }
    return fail(err, "%s: no model.safetensors in this folder", folder);
}

static int add_folder(struct safetensors *st, const char *folder, struct error *err)
{
    char *single = hold(path_join(folder, "model.safetensors"), free);
    char *index_path = hold(path_join(folder, "model.safetensors.index.json"), free);
    struct json *index = NULL;
    int status;
    if (path_exists(single)) {
        status = add_file(st, single, err);
    } else if (path_exists(index_path)) {
        status = json_read_file(&index, index_path, err);
        hold(index, json_release);
        if (status == 0) status = add_shards(st, index, folder, index_path, err);
        json_free(let_go(index));
    } else {
        status = refuse_folder(folder, err);
    }
    free(let_go(index_path));
    free(let_go(single));
    return status;
}

/* ---- the interface ---- */

void safetensors_release(void *st)
{
    safetensors_close(st);
}

int safetensors_open(struct safetensors **out, const char *path, struct error *err)
{
    struct stat info;
    *out = NULL;
    if (stat(path, &info) != 0) return fail_errno(err, "%s: cannot open", path);
    struct safetensors *st = hold(xcalloc(1, sizeof *st), safetensors_release);
    int status = S_ISDIR(info.st_mode) ? add_folder(st, path, err) : add_file(st, path, err);
    let_go(st);
    if (status)
        safetensors_close(st);
    else
        *out = st;
    return status;
}

int safetensors_count(const struct safetensors *st)
{
    return (int)st->count;
}

const struct tensor *safetensors_at(const struct safetensors *st, int index)
{
    REQUIRE(index >= 0 && (size_t)index < st->count);
    return &st->entries[index].tensor;
}

const struct tensor *safetensors_find(const struct safetensors *st, const char *name)
{
    int64_t row = strmap_find(&st->rows, name);
    return row < 0 ? NULL : &st->entries[row].tensor;
}

void safetensors_close(struct safetensors *st)
{
    if (!st) return;
    for (size_t i = 0; i < st->num_shards; i++) file_map_close(&st->shards[i]);
    free(st->shards);
    free(st->entries);
    strmap_free(&st->rows);
    arena_free(&st->names);
    free(st);
}

/* ---- tensors ---- */

size_t tensor_elements(const struct tensor *tensor)
{
    size_t count;
    REQUIRE(byte_size(&count, tensor, 1));
    return count;
}

bool tensor_is_float(const struct tensor *tensor)
{
    return tensor->dtype == DTYPE_F32 || tensor->dtype == DTYPE_F16 ||
           tensor->dtype == DTYPE_BF16 || tensor->dtype == DTYPE_F64;
}

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Exponent and fraction in a float's place are the value times 2^(15 - 127), subnormal or not: the
 * product below is exact.  Without branches, so that it vectorises. */
static float float_of_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t bits = bits_of_float(float_of_bits((uint32_t)(half & 0x7fff) << 13) * 0x1p112f);
    uint32_t not_finite = (half & 0x7c00) == 0x7c00 ? 0x7f800000 : 0;
    return float_of_bits(sign | not_finite | bits);
}

static uint16_t unaligned_u16(const unsigned char *bytes)
{
    uint16_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

/* n elements of any float type. */
static void convert(float *restrict out, const unsigned char *data, enum dtype dtype, size_t n)
{
    if (dtype == DTYPE_F32) {
        memcpy(out, data, n * sizeof *out);
    } else if (dtype == DTYPE_F64) {
        for (size_t i = 0; i < n; i++) {
            double value;
            memcpy(&value, data + i * sizeof value, sizeof value);
            out[i] = (float)value;
        }
    } else if (dtype == DTYPE_BF16) {
        for (size_t i = 0; i < n; i++)
            out[i] = float_of_bits((uint32_t)unaligned_u16(data + 2 * i) << 16);
    } else {
        for (size_t i = 0; i < n; i++) out[i] = float_of_half(unaligned_u16(data + 2 * i));
    }
}

/* Without a way out of the loop, so that it vectorises. */
static bool all_finite(const float *values, size_t n)
{
    bool finite = true;
    for (size_t i = 0; i < n; i++) finite &= isfinite(values[i]) != 0;
    return finite;
}

/* In pieces that are looked at while they are in the cache. */
bool tensor_to_f32(float *out, const struct tensor *tensor)
{
    enum { PIECE = 4096 };
    REQUIRE(tensor_is_float(tensor));
    size_t count = tensor_elements(tensor), size = dtypes[row_of(tensor->dtype)].size;
    bool finite = true;
    for (size_t first = 0; first < count; first += PIECE) {
        size_t n = count - first < PIECE ? count - first : PIECE;
        const unsigned char *data = (const unsigned char *)tensor->data + first * size;
        convert(out + first, data, tensor->dtype, n);
        finite = all_finite(out + first, n) && finite;
    }
    return finite;
}

const char *tensor_describe(char buffer[128], const struct tensor *tensor)
{
    static const char *const names[] = {"f32", "f16", "bf16", "f64", "i64", "i32", "u8", "other"};
    int length = snprintf(buffer, 128, "%s [", names[tensor->dtype]);
    for (int i = 0; i < tensor->rank && length < 100; i++)
        length += snprintf(buffer + length, (size_t)(128 - length), "%s%zu", i ? ", " : "",
                           tensor->shape[i]);
    snprintf(buffer + length, (size_t)(128 - length), "]");
    return buffer;
}

/* ---- writing ---- */

static int compare_for_writing(const void *a, const void *b)
{
    const struct tensor *const *left = a, *const *right = b;
    int difference = row_of((*right)->dtype) - row_of((*left)->dtype);
    return difference ? difference : strcmp((*left)->name, (*right)->name);
}

static struct json *describe_for_writing(const struct tensor *tensor, size_t begin, size_t end)
{
    struct json *info = json_new_object(), *shape = json_new_array(), *offsets = json_new_array();
    for (int i = 0; i < tensor->rank; i++) json_append_int(shape, (int64_t)tensor->shape[i]);
    json_append_int(offsets, (int64_t)begin);
    json_append_int(offsets, (int64_t)end);
    json_set_string(info, "dtype", dtypes[row_of(tensor->dtype)].name);
    json_set(info, "shape", shape);
    json_set(info, "data_offsets", offsets);
    return info;
}

/* The header's text, padded so that the data begins at a multiple of 8. */
static void make_header(struct text *out, const struct tensor *const *order, int count,
                        const char *const *metadata)
{
    struct json *header = json_new_object(), *pairs = json_new_object();
    json_set_string(pairs, "format", "pt"); /* transformers does not load without it */
    for (; metadata && metadata[0]; metadata += 2) json_set_string(pairs, metadata[0], metadata[1]);
    json_set(header, "__metadata__", pairs);
    size_t begin = 0;
    for (int i = 0; i < count; i++) {
        size_t size;
        REQUIRE(!json_get(header, order[i]->name)); /* two tensors of one name */
        REQUIRE(byte_size(&size, order[i], dtypes[row_of(order[i]->dtype)].size));
        json_set(header, order[i]->name, describe_for_writing(order[i], begin, begin + size));
        begin += size;
    }
    json_print(out, header, 0);
    json_free(header);
    while (out->length % 8) text_puts(out, " ");
}

int safetensors_write(const char *path, const struct tensor *tensors, int count,
                      const char *const *metadata, struct error *err)
{
    struct output out = {0};
    if (output_open(&out, path, err)) return -1;
    const struct tensor **order = xcalloc((size_t)count, sizeof *order);
    for (int i = 0; i < count; i++) order[i] = &tensors[i];
    qsort(order, (size_t)count, sizeof *order, compare_for_writing);
    struct text header = {0};
    make_header(&header, order, count, metadata);
    unsigned char length[8];
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)header.length >> 8 * i);
    output_write(&out, length, sizeof length);
    output_write(&out, header.bytes, header.length);
    for (int i = 0; i < count; i++) {
        size_t size = tensor_elements(order[i]) * dtypes[row_of(order[i]->dtype)].size;
        if (size) output_write(&out, order[i]->data, size);
    }
    text_free(&header);
    free(order);
    return output_commit(&out, err);
}

int safetensors_write_model(const char *folder, const struct tensor *tensors, int count,
                            struct error *err)
{
    char *path = path_join(folder, "model.safetensors");
    int status = safetensors_write(path, tensors, count, NULL, err);
    free(path);
    return status;
}
