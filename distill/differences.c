/* See differences.h. */
#include "distill/differences.h"
#include "distill/tsv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char HEADER[] = "system_a\tsystem_b\tlayers\tdim\tmeasure\tdifference\tlow\thigh";
enum { COLUMNS = 8 };

void differences_add(struct differences *differences, const struct difference *difference)
{
    GROW(differences->list, differences->count, &differences->capacity);
    struct difference *copy = &differences->list[differences->count++];
    *copy = *difference;
    copy->system_a = tsv_text(difference->system_a);
    copy->system_b = tsv_text(difference->system_b);
    copy->measure = tsv_text(difference->measure);
}

const struct difference *differences_find(const struct differences *differences,
                                          const struct difference *like)
{
    for (size_t i = 0; i < differences->count; i++) {
        const struct difference *one = &differences->list[i];
        if (one->layers == like->layers && one->dim == like->dim &&
            strcmp(one->system_a, like->system_a) == 0 &&
            strcmp(one->system_b, like->system_b) == 0 && strcmp(one->measure, like->measure) == 0)
            return one;
    }
    return NULL;
}

void differences_free(struct differences *differences)
{
    for (size_t i = 0; i < differences->count; i++) {
        free(differences->list[i].system_a);
        free(differences->list[i].system_b);
        free(differences->list[i].measure);
    }
    free(differences->list);
    *differences = (struct differences){0};
}

int differences_write(const struct differences *differences, const char *path, struct error *err)
{
    struct output out = {0};
    if (output_open(&out, path, err)) return -1;
    output_printf(&out, "%s\n", HEADER);
    for (size_t i = 0; i < differences->count; i++) {
        const struct difference *one = &differences->list[i];
        output_printf(&out, "%s\t%s", one->system_a, one->system_b);
        tsv_write_count(&out, one->layers);
        tsv_write_count(&out, one->dim);
        output_printf(&out, "\t%s", one->measure);
        tsv_write_fixed(&out, one->value.mean, 6);
        tsv_write_fixed(&out, one->value.low, 6);
        tsv_write_fixed(&out, one->value.high, 6);
        output_printf(&out, "\n");
    }
    return output_commit(&out, err);
}

static int read_line(struct differences *out, struct lines *lines, char *line, struct error *err)
{
    char *cells[COLUMNS];
    size_t count = split_tabs(line, cells, COLUMNS);
    if (count != COLUMNS)
        return fail(err, "%s: %zu columns, wanted %d", lines_where(lines), count, COLUMNS);
    struct difference one = {.system_a = cells[0], .system_b = cells[1], .measure = cells[4]};
    if (tsv_read_count(&one.layers, lines, cells[2], err) ||
        tsv_read_count(&one.dim, lines, cells[3], err) ||
        tsv_read_number(&one.value.mean, lines, cells[5], err) ||
        tsv_read_number(&one.value.low, lines, cells[6], err) ||
        tsv_read_number(&one.value.high, lines, cells[7], err))
        return -1;
    differences_add(out, &one);
    return 0;
}

int differences_read(struct differences *out, const char *path, struct error *err)
{
    struct lines *lines;
    char *line;
    size_t length;
    *out = (struct differences){0};
    if (lines_open(&lines, path, err)) return -1;
    int status = lines_next(lines, &line, &length, err);
    if (status >= 0 && (status == 0 || strcmp(line, HEADER) != 0))
        status =
            fail(err, "%s: the first line is not the header of differences", lines_name(lines));
    while (status >= 0 && (status = lines_next(lines, &line, &length, err)) > 0)
        status = read_line(out, lines, line, err) ? -1 : 1;
    if (status < 0) differences_free(out);
    lines_close(lines);
    return status;
}
