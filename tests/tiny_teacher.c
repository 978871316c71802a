/* See tiny_teacher.h. */
#include "tests/tiny_teacher.h"
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

#include "data/output.h"

void tiny_lines_read(struct tiny_lines *out, const char *path)
{
    struct error err = {0};
    *out = (struct tiny_lines){0};
    check_ok(read_whole_file(&out->bytes, path, 1 << 20, &err), &err);
    char *at = out->bytes.bytes;
    while (*at) {
        char *end = strchr(at, '\n');
        ck_assert(end && out->count < 64);
        *end = '\0';
        char *tab = strchr(at, '\t');
        out->first[out->count] = at;
        out->second[out->count++] = tab ? tab + 1 : "";
        if (tab) *tab = '\0';
        at = end + 1;
    }
}

void tiny_lines_free(struct tiny_lines *lines)
{
    text_free(&lines->bytes);
}

struct cross_encoder *tiny_teacher_open(const char *folder, enum precision precision)
{
    struct error err = {0};
    struct cross_encoder *ce;
    check_ok(cross_encoder_open(&ce, folder, precision, &err), &err);
    return ce;
}

struct tensor *tiny_find(struct tensor *tensors, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(tensors[i].name, name) == 0) return &tensors[i];
    ck_abort_msg("no tensor %s", name);
    return NULL;
}

static void copy_file(const char *folder, const char *name, const char *from, const char *to)
{
    struct error err = {0};
    struct text bytes = {0};
    struct output out = {0};
    char *source = path_join(TINY_TEACHER, name), *target = path_join(folder, name);
    check_ok(read_whole_file(&bytes, source, 1 << 20, &err), &err);
    char *place = from ? strstr(bytes.bytes, from) : NULL;
    size_t before = place ? (size_t)(place - bytes.bytes) : bytes.length;
    ck_assert_msg(place || !from, "%s lacks %s", name, from);
    check_ok(output_open(&out, target, &err), &err);
    output_write(&out, bytes.bytes, before);
    if (place) output_printf(&out, "%s%s", to, place + strlen(from));
    check_ok(output_commit(&out, &err), &err);
    text_free(&bytes);
    free(source);
    free(target);
}

char *tiny_variant_make(const struct tiny_variant *variant)
{
    struct error err = {0};
    struct tensor tensors[128];
    struct safetensors *st;
    char *folder = path_join(scratch_folder(), variant->name);
    check_ok(make_folder(folder, &err), &err);
    copy_file(folder, "config.json", variant->config_from, variant->config_to);
    copy_file(folder, "tokenizer.json", NULL, NULL);
    copy_file(folder, "tokenizer_config.json", NULL, NULL);
    check_ok(safetensors_open(&st, TINY_TEACHER, &err), &err);
    int count = safetensors_count(st);
    ck_assert_int_le(count, 100);
    for (int i = 0; i < count; i++) tensors[i] = *safetensors_at(st, i);
    if (variant->edit) variant->edit(tensors, &count);
    char *path = path_join(folder, "model.safetensors");
    check_ok(safetensors_write(path, tensors, count, NULL, &err), &err);
    free(path);
    safetensors_close(st);
    return folder;
}
