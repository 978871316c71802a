#include "tests/job_text.h"

#include <stdlib.h>

int read_job_text(struct job *out, const char *yaml, const char *const *settings, struct error *err)
{
    struct string_list list = {0};
    *err = (struct error){0};
    for (; settings && *settings; settings++) {
        GROW(list.items, list.count, &list.capacity);
        list.items[list.count++] = *settings;
    }
    int result = job_read_string(out, "slim.yaml", yaml, &list, err);
    free(list.items);
    return result;
}
