/* Any bytes as a model: refused in one sentence, or read such that every tensor lies in the file
 * and can be converted. */
#include <stdlib.h>
#include <string.h>

#include "data/safetensors.h"
#include "tests/fuzz/support.h"

static void read_tensor(const struct safetensors *st, const struct tensor *tensor)
{
    char described[128];
    REQUIRE(safetensors_find(st, tensor->name) == tensor);
    REQUIRE(strlen(tensor_describe(described, tensor)) > 4);
    if (!tensor_is_float(tensor)) return;
    float *values = xmalloc(tensor_elements(tensor) * sizeof *values + 1);
    tensor_to_f32(values, tensor);
    free(values);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct safetensors *st;
    struct error err = {0};
    int status = safetensors_open(&st, fuzz_file("m.safetensors", bytes, size), &err);
    check_answer(status, &err);
    REQUIRE((status == 0) == (st != NULL));
    for (int i = 0; st && i < safetensors_count(st); i++) read_tensor(st, safetensors_at(st, i));
    safetensors_close(st);
    return 0;
}
