/* Judgements in memory and from text: see qrels.h. */
#define _GNU_SOURCE
#include "data/qrels.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAPPED = 16 }; /* a query with more judgements than this has a map of its documents */

static struct judged_query *query_row(struct qrels *qrels, const char *id)
{
    int64_t row = strmap_find(&qrels->rows, id);
    if (row >= 0) return &qrels->queries[row];
    GROW(qrels->queries, qrels->count, &qrels->capacity);
    struct judged_query *query = &qrels->queries[qrels->count];
    *query = (struct judged_query){.id = arena_strndup(&qrels->ids, id, strlen(id))};
    strmap_insert(&qrels->rows, query->id, (int64_t)qrels->count++);
    return query;
}

static const struct judgement *find_judgement(const struct judged_query *query,
                                              const char *document)
{
    if (query->rows.count) {
        int64_t row = strmap_find(&query->rows, document);
        return row < 0 ? NULL : &query->judgements[row];
    }
    for (size_t i = 0; i < query->count; i++)
        if (strcmp(query->judgements[i].document, document) == 0) return &query->judgements[i];
    return NULL;
}

bool qrels_add(struct qrels *qrels, const char *query_id, const char *document, int grade)
{
    struct judged_query *query = query_row(qrels, query_id);
    if (find_judgement(query, document)) return false;
    GROW(query->judgements, query->count, &query->capacity);
    const char *copy = arena_strndup(&qrels->ids, document, strlen(document));
    query->judgements[query->count++] = (struct judgement){copy, grade};
    if (query->count > MAPPED)
        for (size_t i = query->rows.count; i < query->count; i++)
            strmap_insert(&query->rows, query->judgements[i].document, (int64_t)i);
    return true;
}

const struct judged_query *qrels_find(const struct qrels *qrels, const char *query)
{
    int64_t row = strmap_find(&qrels->rows, query);
    return row < 0 ? NULL : &qrels->queries[row];
}

int qrels_grade(const struct judged_query *query, const char *document)
{
    const struct judgement *judgement = find_judgement(query, document);
    return judgement ? judgement->grade : 0;
}

size_t qrels_relevant(const struct judged_query *query)
{
    size_t relevant = 0;
    for (size_t i = 0; i < query->count; i++) relevant += query->judgements[i].grade > 0;
    return relevant;
}

void qrels_free(struct qrels *qrels)
{
    for (size_t i = 0; i < qrels->count; i++) {
        free(qrels->queries[i].judgements);
        strmap_free(&qrels->queries[i].rows);
    }
    free(qrels->queries);
    strmap_free(&qrels->rows);
    arena_free(&qrels->ids);
    *qrels = (struct qrels){0};
}

/* ---- reading ---- */

/* A whole number, also written "1.0" as some exports do. */
static bool parse_grade(int *out, const char *field)
{
    char *end;
    double value = strtod(field, &end);
    bool plain = *field && strspn(field, "+-0123456789.") == strlen(field) && *end == '\0';
    if (!plain || value != floor(value) || fabs(value) > 1e6) return false;
    *out = (int)value;
    return true;
}

/* Query, document and grade of a line; 0 where it is blank or the header. */
static int parse_judgement(char *fields[4], char *line, struct lines *lines, struct error *err)
{
    bool tabs = strchr(line, '\t') && strchr(strchr(line, '\t') + 1, '\t');
    size_t count = tabs ? split_tabs(line, fields, 4) : split_white(line, fields, 4);
    if (count == 0) return 0;
    if (count == 4) { /* TREC: the second column is an iteration that nobody uses */
        fields[1] = fields[2];
        fields[2] = fields[3];
    } else if (count != 3)
        return fail(err,
                    "%s: %zu columns; a judgement is query<TAB>document<TAB>grade, or TREC's "
                    "\"query 0 document grade\"",
                    lines_where(lines), count);
    return !(count == 3 && lines_number(lines) == 1 && isalpha((unsigned char)*fields[2]));
}

static int read_judgement(struct qrels *out, char *line, struct lines *lines, struct error *err)
{
    char *fields[4];
    int kind = parse_judgement(fields, line, lines, err);
    if (kind <= 0) return kind;
    int grade;
    if (!*fields[0] || !*fields[1]) return fail(err, "%s: an id is empty", lines_where(lines));
    if (!parse_grade(&grade, fields[2]))
        return fail(err, "%s: the grade \"%s\" is not a whole number", lines_where(lines),
                    fields[2]);
    if (!qrels_add(out, fields[0], fields[1], grade))
        return fail(err, "%s: document %s is judged twice for query %s", lines_where(lines),
                    fields[1], fields[0]);
    return 0;
}

int qrels_read_lines(struct qrels *out, struct lines *lines, struct error *err)
{
    *out = (struct qrels){0};
    char *line;
    size_t length;
    int got, status = 0;
    while (status == 0 && (got = lines_next(lines, &line, &length, err)) != 0)
        status = got < 0 ? -1 : read_judgement(out, line, lines, err);
    if (status == 0 && out->count == 0)
        status = fail(err, "%s: holds no judgements", lines_name(lines));
    if (status) qrels_free(out);
    return status;
}

int qrels_read(struct qrels *out, const char *path, struct error *err)
{
    *out = (struct qrels){0};
    struct lines *lines;
    if (lines_open(&lines, path, err)) return -1;
    int status = qrels_read_lines(out, lines, err);
    lines_close(lines);
    return status;
}
