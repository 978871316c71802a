/* The table of named parameters: see params.h. */
#include "nn/params.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int params_add(struct params *params, const char *name, int rows, int cols, bool decay)
{
    REQUIRE(!params->values && rows > 0 && cols > 0);
    REQUIRE(strlen(name) < sizeof params->list->name && params_find(params, name) < 0);
    GROW(params->list, params->count, &params->capacity);
    struct param *param = &params->list[params->count];
    *param = (struct param){.rows = rows, .cols = cols, .offset = params->size, .decay = decay};
    strcpy(param->name, name);
    params->size += params_param_size(param);
    return (int)params->count++;
}

void params_alloc(struct params *params)
{
    REQUIRE(!params->values);
    params->values = xaligned(params->size, sizeof *params->values);
}

int params_find(const struct params *params, const char *name)
{
    for (size_t i = 0; i < params->count; i++)
        if (strcmp(params->list[i].name, name) == 0) return (int)i;
    return -1;
}

float *params_values(const struct params *params, int index)
{
    REQUIRE(params->values && index >= 0 && (size_t)index < params->count);
    return params->values + params->list[index].offset;
}

size_t params_param_size(const struct param *param)
{
    return (size_t)param->rows * param->cols;
}

static bool is_norm_gain(const char *name)
{
    static const char end[] = "LayerNorm.weight";
    size_t length = strlen(name), tail = sizeof end - 1;
    return length >= tail && strcmp(name + length - tail, end) == 0;
}

/* The stream of a parameter is its name's hash, so that its values do not depend on what else is in
 * the table. */
void params_init_random(struct params *params, int first, int last, double deviation, uint64_t seed)
{
    for (int i = first; i < last; i++) {
        const struct param *param = &params->list[i];
        float *values = params_values(params, i);
        uint64_t stream = hash64(param->name, strlen(param->name), 0);
        float fixed = is_norm_gain(param->name) ? 1 : 0;
        for (size_t j = 0; j < params_param_size(param); j++)
            values[j] = param->decay ? (float)(deviation * random_normal(seed, stream, j)) : fixed;
    }
}

static bool shape_matches(const struct param *param, const struct tensor *tensor)
{
    if (tensor->rank == 1) return param->rows == 1 && tensor->shape[0] == (size_t)param->cols;
    return tensor->rank == 2 && tensor->shape[0] == (size_t)param->rows &&
           tensor->shape[1] == (size_t)param->cols;
}

static int load_one(const struct param *param, float *values, const struct tensor *tensor,
                    const char *where, struct error *err)
{
    char got[128];
    if (!shape_matches(param, tensor))
        return fail(err, "%s: tensor %s is %s, but config.json asks for [%d, %d]", where,
                    tensor->name, tensor_describe(got, tensor), param->rows, param->cols);
    if (!tensor_is_float(tensor))
        return fail(err, "%s: tensor %s is %s; retort reads weights in F32, F16, BF16 or F64",
                    where, tensor->name, tensor_describe(got, tensor));
    if (tensor_to_f32(values, tensor)) return 0;
    size_t i = 0;
    while (isfinite(values[i])) i++;
    return fail(err, "%s: tensor %s holds %s at element %zu", where, tensor->name,
                isnan(values[i]) ? "NaN" : "infinity", i);
}

int params_load(struct params *params, int first, int last, const struct safetensors *st,
                const char *(*translate)(const char *name, char buffer[160], const void *arg),
                const void *arg, const char *where, struct error *err)
{
    for (int i = first; i < last; i++) {
        const struct param *param = &params->list[i];
        char buffer[160];
        const char *name = translate ? translate(param->name, buffer, arg) : param->name;
        const struct tensor *tensor = safetensors_find(st, name);
        if (!tensor)
            return fail(err, "%s: tensor %s [%d, %d] is missing", where, name, param->rows,
                        param->cols);
        if (load_one(param, params_values(params, i), tensor, where, err)) return -1;
    }
    return 0;
}

struct tensor params_tensor(const struct params *params, int index, const char *name)
{
    const struct param *param = &params->list[index];
    return (struct tensor){
        .name = name,
        .dtype = DTYPE_F32,
        .rank = param->decay ? 2 : 1,
        .shape = {(size_t)(param->decay ? param->rows : param->cols), (size_t)param->cols},
        .data = params_values(params, index)};
}

void params_free(struct params *params)
{
    free(params->list);
    free(params->values);
    *params = (struct params){0};
}
