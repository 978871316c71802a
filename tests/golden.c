/* See golden.h. */
#include "tests/golden.h"
#include "tests/support.h"

#include <stdio.h>
#include <string.h>

struct safetensors *golden_open(const char *path)
{
    struct safetensors *st = NULL;
    struct error err = {0};
    check_ok(safetensors_open(&st, path, &err), &err);
    return st;
}

static const struct tensor *find(const struct safetensors *st, size_t n, const char *name)
{
    const struct tensor *tensor = safetensors_find(st, name);
    ck_assert_msg(tensor != NULL, "golden file lacks %s", name);
    ck_assert_msg(tensor_elements(tensor) == n, "golden %s has %zu values, wanted %zu", name,
                  tensor_elements(tensor), n);
    return tensor;
}

float *golden(const struct safetensors *st, size_t n, const char *format, ...)
{
    char name[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    float *values = xcalloc(n, sizeof *values);
    tensor_to_f32(values, find(st, n, name));
    return values;
}

int *golden_ints(const struct safetensors *st, size_t n, const char *name)
{
    const struct tensor *tensor = find(st, n, name);
    ck_assert_int_eq(tensor->dtype, DTYPE_I32);
    int *values = xcalloc(n, sizeof *values);
    memcpy(values, tensor->data, n * sizeof *values);
    return values;
}

uint8_t *golden_bytes(const struct safetensors *st, size_t n, const char *name)
{
    const struct tensor *tensor = find(st, n, name);
    ck_assert_int_eq(tensor->dtype, DTYPE_U8);
    uint8_t *values = xcalloc(n, 1);
    memcpy(values, tensor->data, n);
    return values;
}
