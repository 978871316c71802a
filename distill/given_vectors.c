/* See given_vectors.h. */
#include "distill/given_vectors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/lines.h"
#include "data/progress.h"

/* One side of the collection. */
struct side {
    const char *name; /* "document" or "query" */
    const struct texts *texts;
    struct matrix *rows;
    bool *there; /* [texts->count] */
};
struct giving {
    struct side documents, queries;
    const char *path; /* of the matrix */
    struct matrix given;
    size_t read, unknown;
};

char *given_ids_path(const char *path)
{
    size_t length = strlen(path);
    bool npy = length > 4 && strcmp(path + length - 4, ".npy") == 0;
    return xasprintf("%.*s.ids", (int)(npy ? length - 4 : length), path);
}

static int put_row(struct giving *giving, struct side *side, size_t row, struct lines *lines,
                   struct error *err)
{
    size_t width = giving->given.cols;
    const float *from = giving->given.values + giving->read * width;
    if (side->there[row])
        return fail(err, "%s: %s %s stands twice", lines_where(lines), side->name,
                    side->texts->ids[row]);
    for (size_t j = 0; j < width; j++)
        if (!isfinite(from[j]))
            return fail(err, "%s: row %zu, of %s %s, holds what is no finite number", giving->path,
                        giving->read, side->name, side->texts->ids[row]);
    memcpy(side->rows->values + row * width, from, width * sizeof *from);
    side->there[row] = true;
    return 0;
}

/* One line: whose the next row is. */
static int take_line(struct giving *giving, char *line, struct lines *lines, struct error *err)
{
    char *tab = strchr(line, '\t'), *id = tab ? tab + 1 : line;
    if (tab) *tab = '\0';
    if (giving->read == giving->given.rows)
        return fail(err, "%s: a line for row %zu, but %s has %zu rows", lines_where(lines),
                    giving->read, giving->path, giving->given.rows);
    bool any = !tab, document = any || strcmp(line, "document") == 0,
         query = any || strcmp(line, "query") == 0;
    if (!document && !query)
        return fail(err, "%s: \"%s\" before a tab; write document<TAB>ID or query<TAB>ID",
                    lines_where(lines), line);
    int64_t d = document ? texts_find(giving->documents.texts, id) : -1,
            q = query ? texts_find(giving->queries.texts, id) : -1;
    if (d >= 0 && q >= 0)
        return fail(err, "%s: %s is a document and a query; write document<TAB>%s or query<TAB>%s",
                    lines_where(lines), id, id, id);
    int status = 0;
    if (d >= 0)
        status = put_row(giving, &giving->documents, (size_t)d, lines, err);
    else if (q >= 0)
        status = put_row(giving, &giving->queries, (size_t)q, lines, err);
    else
        giving->unknown++;
    giving->read++;
    return status;
}

static int take_lines(struct giving *giving, const char *ids, struct error *err)
{
    struct lines *lines;
    char *line;
    size_t length;
    int got, status = 0;
    if (lines_open(&lines, ids, err)) return -1;
    while (!status && (got = lines_next(lines, &line, &length, err)) != 0)
        status = got < 0 ? -1 : take_line(giving, line, lines, err);
    lines_close(lines);
    if (!status && giving->read != giving->given.rows)
        status = fail(err, "%s: %zu lines for the %zu rows of %s", ids, giving->read,
                      giving->given.rows, giving->path);
    return status;
}

/* rows NULL: all texts of the side must be there. */
static int check_there(const struct giving *giving, const struct side *side, const char *what,
                       const uint32_t *rows, size_t count, struct error *err)
{
    size_t missing = 0, first = 0;
    for (size_t i = count; i-- > 0;) {
        size_t row = rows ? rows[i] : i;
        if (side->there[row]) continue;
        missing++;
        first = row;
    }
    if (!missing) return 0;
    return fail(err, "%s: %zu of %zu %s have no vector; the first is %s", giving->path, missing,
                count, what, side->texts->ids[first]);
}

static struct side side_of(const char *name, const struct texts *texts, struct matrix *rows,
                           size_t width)
{
    *rows = (struct matrix){xaligned(texts->count * width, sizeof(float)), texts->count, width};
    return (struct side){name, texts, rows, xcalloc(texts->count, sizeof(bool))};
}

int given_vectors_read(struct matrix *documents, struct matrix *queries, const struct job_run *run,
                       const char *path, struct error *err)
{
    struct giving giving = {.path = path};
    *documents = *queries = (struct matrix){0};
    if (npy_read(&giving.given, path, err)) return -1;
    size_t width = giving.given.cols;
    const struct collection *collection = &run->collection;
    giving.documents = side_of("document", &collection->documents, documents, width);
    giving.queries = side_of("query", &collection->queries, queries, width);
    char *ids = given_ids_path(path);
    int status = take_lines(&giving, ids, err);
    if (!status && giving.unknown)
        note("%s: %zu of %zu rows are of texts that the collection does not have", path,
             giving.unknown, giving.read);
    if (!status)
        status = check_there(&giving, &giving.documents, "documents", NULL, documents->rows, err) ||
                         check_there(&giving, &giving.queries, "train queries", run->train.rows,
                                     run->train.count, err) ||
                         check_there(&giving, &giving.queries, "dev queries", run->dev.rows,
                                     run->dev.count, err)
                     ? -1
                     : 0;
    free(ids);
    free(giving.documents.there);
    free(giving.queries.there);
    matrix_free(&giving.given);
    if (status) {
        matrix_free(documents);
        matrix_free(queries);
    }
    return status;
}
