/* A checkpoint is the parameter table three times (values, first and second moments), a fourth time
 * where weights are averaged, and one "state" tensor of 64-bit integers: step, best as double bits,
 * finished, identity, waited. */
#include "distill/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "data/output.h"

enum { STATE_WORDS = 6 };

static struct tensor tensor_of(const struct param *param, const char *name, const float *block)
{
    return (struct tensor){.name = name,
                           .dtype = DTYPE_F32,
                           .rank = 2,
                           .shape = {(size_t)param->rows, (size_t)param->cols},
                           .data = block + param->offset};
}

/* Appends one block's tensors, their names prefixed, to list. */
static size_t add_block(struct tensor *list, size_t count, struct arena *names,
                        const struct params *params, const char *prefix, const float *block)
{
    for (size_t i = 0; i < params->count; i++) {
        char *name = xasprintf("%s%s", prefix, params->list[i].name);
        list[count++] =
            tensor_of(&params->list[i], arena_strndup(names, name, strlen(name)), block);
        free(name);
    }
    return count;
}

int weights_write(const struct params *params, const char *path, struct error *err)
{
    struct arena names = {0};
    struct tensor *list = xcalloc(params->count, sizeof *list);
    size_t count = add_block(list, 0, &names, params, "", params->values);
    int status = safetensors_write(path, list, (int)count, NULL, err);
    free(list);
    arena_free(&names);
    return status;
}

int weights_read(struct params *params, const char *path, struct error *err)
{
    struct safetensors *st = NULL;
    if (safetensors_open(&st, path, err)) return -1;
    int status = params_load(params, 0, (int)params->count, st, NULL, NULL, path, err);
    safetensors_close(st);
    return status;
}

int checkpoint_write(const struct params *params, const struct adamw *adamw, const float *average,
                     const struct checkpoint_state *state, const char *path, struct error *err)
{
    uint64_t words[STATE_WORDS] = {
        state->step, 0, state->finished, state->identity.low, state->identity.high, state->waited};
    memcpy(&words[1], &state->best, sizeof state->best);
    struct arena names = {0};
    struct tensor *list = xcalloc(4 * params->count + 1, sizeof *list);
    size_t count = add_block(list, 0, &names, params, "", params->values);
    count = add_block(list, count, &names, params, "m.", adamw->m);
    count = add_block(list, count, &names, params, "v.", adamw->v);
    if (average) count = add_block(list, count, &names, params, "average.", average);
    list[count++] = (struct tensor){
        .name = "state", .dtype = DTYPE_I64, .rank = 1, .shape = {STATE_WORDS}, .data = words};
    int status = safetensors_write(path, list, (int)count, NULL, err);
    free(list);
    arena_free(&names);
    return status;
}

static int read_block(float *block, const struct params *params, const char *prefix,
                      const struct safetensors *st, const char *path, struct error *err)
{
    for (size_t i = 0; i < params->count; i++) {
        const struct param *param = &params->list[i];
        char name[160];
        snprintf(name, sizeof name, "%s%s", prefix, param->name);
        const struct tensor *tensor = safetensors_find(st, name);
        if (!tensor || tensor->dtype != DTYPE_F32 ||
            tensor_elements(tensor) != params_param_size(param))
            return fail(err,
                        "%s: no tensor %s of the model's shape; delete the file to start again",
                        path, name);
        tensor_to_f32(block + param->offset, tensor);
    }
    return 0;
}

bool checkpoint_state_of(struct checkpoint_state *out, const struct safetensors *st)
{
    const struct tensor *tensor = safetensors_find(st, "state");
    uint64_t words[STATE_WORDS];
    if (!tensor || tensor->dtype != DTYPE_I64 || tensor_elements(tensor) != STATE_WORDS)
        return false;
    memcpy(words, tensor->data, sizeof words);
    *out = (struct checkpoint_state){.step = words[0],
                                     .finished = words[2] != 0,
                                     .identity = {.low = words[3], .high = words[4]},
                                     .waited = words[5]};
    memcpy(&out->best, &words[1], sizeof out->best);
    return true;
}

int checkpoint_read(struct params *params, struct adamw *adamw, float *average,
                    struct checkpoint_state *state, const char *path, struct error *err)
{
    if (!path_exists(path)) return 0;
    struct safetensors *st = NULL;
    struct checkpoint_state read;
    if (safetensors_open(&st, path, err)) return -1;
    int status = 0;
    if (checkpoint_state_of(&read, st) && read.identity.low == state->identity.low &&
        read.identity.high == state->identity.high)
        status = read_block(params->values, params, "", st, path, err) ||
                         read_block(adamw->m, params, "m.", st, path, err) ||
                         read_block(adamw->v, params, "v.", st, path, err) ||
                         (average && read_block(average, params, "average.", st, path, err))
                     ? -1
                     : 1;
    safetensors_close(st);
    if (status <= 0) return status;
    adamw_resume(adamw, read.step);
    *state = read;
    return 1;
}
