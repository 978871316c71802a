/* Runs in memory, sorted trec_eval's way, from and to text: see run.h. */
#define _GNU_SOURCE
#include "data/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/output.h"

static struct ranked_query *query_row(struct run *run, const char *id)
{
    struct ranked_query *last = run->count ? &run->queries[run->count - 1] : NULL;
    if (last && strcmp(last->id, id) == 0) return last; /* runs come query by query */
    int64_t row = strmap_find(&run->rows, id);
    if (row >= 0) return &run->queries[row];
    GROW(run->queries, run->count, &run->capacity);
    struct ranked_query *query = &run->queries[run->count];
    *query = (struct ranked_query){.id = arena_strndup(&run->ids, id, strlen(id))};
    strmap_insert(&run->rows, query->id, (int64_t)run->count++);
    return query;
}

void run_add(struct run *run, const char *query_id, const char *document, double score,
             const char *tag)
{
    struct ranked_query *query = query_row(run, query_id);
    if (!run->last_tag || strcmp(run->last_tag, tag) != 0)
        run->last_tag = arena_strndup(&run->ids, tag, strlen(tag));
    GROW(query->documents, query->count, &query->capacity);
    const char *copy = arena_strndup(&run->ids, document, strlen(document));
    query->documents[query->count++] = (struct ranked){copy, score, run->last_tag};
}

const struct ranked_query *run_find(const struct run *run, const char *query)
{
    int64_t row = strmap_find(&run->rows, query);
    return row < 0 ? NULL : &run->queries[row];
}

void run_free(struct run *run)
{
    for (size_t i = 0; i < run->count; i++) free(run->queries[i].documents);
    free(run->queries);
    strmap_free(&run->rows);
    arena_free(&run->ids);
    *run = (struct run){0};
}

static int by_score(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    float x = (float)a->score, y = (float)b->score;
    if (x != y) return x < y ? 1 : -1;
    return -strcmp(a->document, b->document);
}

void run_sort(struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        struct ranked_query *query = &run->queries[i];
        if (query->count) qsort(query->documents, query->count, sizeof *query->documents, by_score);
    }
}

/* ---- reading ---- */

/* Hashes of the (query, document) pairs read so far, at most half full; 0 is an empty slot.
 * Eight bytes a pair tell that it is new; that it is not is then looked up in the query's list. */
struct seen {
    uint64_t *slots;
    size_t count, capacity;
};

/* Whether hash was not there before; it is now. */
static bool seen_insert(struct seen *seen, uint64_t hash)
{
    if (seen->count * 2 >= seen->capacity) {
        struct seen larger = {.capacity = seen->capacity ? seen->capacity * 2 : 1024};
        larger.slots = xcalloc(larger.capacity, sizeof *larger.slots);
        for (size_t i = 0; i < seen->capacity; i++)
            if (seen->slots[i]) seen_insert(&larger, seen->slots[i]);
        free(seen->slots);
        *seen = larger;
    }
    hash += hash == 0;
    size_t mask = seen->capacity - 1, at = hash & mask;
    while (seen->slots[at] && seen->slots[at] != hash) at = (at + 1) & mask;
    if (seen->slots[at]) return false;
    seen->slots[at] = hash;
    seen->count++;
    return true;
}

static bool is_ranked(const struct ranked_query *query, const char *document)
{
    for (size_t i = 0; query && i < query->count; i++)
        if (strcmp(query->documents[i].document, document) == 0) return true;
    return false;
}

/* Whether the field is a finite number. */
static bool parse_score(double *out, const char *field)
{
    char *end;
    *out = strtod(field, &end);
    return end != field && *end == '\0' && isfinite(*out);
}

static size_t count_tabs(const char *line)
{
    size_t tabs = 0;
    for (; *line; line++) tabs += *line == '\t';
    return tabs;
}

/* A file of ranked documents that is being read. */
struct reading {
    struct run *out;
    struct seen seen;
    struct lines *lines;
    bool pairs; /* lines of three columns are fine, too */
};
struct cells {
    char *query, *document, *score, *tag;
};

/* 1; 0 where the line is blank or the header of three columns. */
static int cut_line(struct cells *out, char *line, const struct reading *reading, struct error *err)
{
    enum { QUERY, Q0, DOCUMENT, RANK, SCORE, TAG, COLUMNS };
    char *fields[COLUMNS];
    size_t tabs = count_tabs(line);
    bool by_tabs = tabs == COLUMNS - 1 || (reading->pairs && tabs == 2);
    size_t count = by_tabs ? split_tabs(line, fields, COLUMNS) : split_white(line, fields, COLUMNS);
    if (count == 0) return 0;
    if (count == COLUMNS) {
        *out = (struct cells){fields[QUERY], fields[DOCUMENT], fields[SCORE], fields[TAG]};
        return 1;
    }
    if (!reading->pairs || count != 3)
        return fail(err, "%s: %zu columns; a run's line is \"query Q0 document rank score tag\"%s",
                    lines_where(reading->lines), count,
                    reading->pairs ? ", a pair's \"query document score\"" : "");
    *out = (struct cells){fields[0], fields[1], fields[2], ""};
    char *end;
    strtod(out->score, &end);
    return lines_number(reading->lines) > 1 || end != out->score;
}

static int read_ranked(struct reading *reading, char *line, struct error *err)
{
    struct lines *lines = reading->lines;
    struct cells cells = {0};
    double score;
    int kind = cut_line(&cells, line, reading, err);
    if (kind <= 0) return kind;
    if (!*cells.query || !*cells.document)
        return fail(err, "%s: an id is empty", lines_where(lines));
    if (!parse_score(&score, cells.score))
        return fail(err, "%s: the score \"%s\" is not a finite number", lines_where(lines),
                    cells.score);
    uint64_t pair =
        hash64(cells.document, strlen(cells.document), hash64(cells.query, strlen(cells.query), 0));
    if (!seen_insert(&reading->seen, pair) &&
        is_ranked(run_find(reading->out, cells.query), cells.document))
        return fail(err, "%s: document %s stands twice for query %s", lines_where(lines),
                    cells.document, cells.query);
    run_add(reading->out, cells.query, cells.document, score, cells.tag);
    return 0;
}

static int read_all(struct run *out, struct lines *lines, bool pairs, struct error *err)
{
    *out = (struct run){0};
    struct reading reading = {.out = out, .lines = lines, .pairs = pairs};
    char *line;
    size_t length;
    int got, status = 0;
    while (status == 0 && (got = lines_next(lines, &line, &length, err)) != 0)
        status = got < 0 ? -1 : read_ranked(&reading, line, err);
    if (status == 0 && pairs && out->count == 0)
        status = fail(err, "%s: holds no scores", lines_name(lines));
    free(reading.seen.slots);
    if (status) run_free(out);
    return status;
}

int run_read_lines(struct run *out, struct lines *lines, struct error *err)
{
    return read_all(out, lines, false, err);
}

static int read_file(struct run *out, const char *path, bool pairs, struct error *err)
{
    *out = (struct run){0};
    struct lines *lines;
    if (lines_open(&lines, path, err)) return -1;
    int status = read_all(out, lines, pairs, err);
    lines_close(lines);
    return status;
}

int run_read(struct run *out, const char *path, struct error *err)
{
    return read_file(out, path, false, err);
}

int run_read_scores(struct run *out, const char *path, struct error *err)
{
    return read_file(out, path, true, err);
}

/* ---- writing ---- */

int run_check_tag(const char *tag, struct error *err)
{
    if (*tag && !strpbrk(tag, " \t\r\n")) return 0;
    return fail_usage(err, "--tag must be one word");
}

static int check_column(const char *what, const char *value, bool *spaced, struct error *err)
{
    if (!*value) return fail(err, "a run cannot hold an empty %s", what);
    if (strpbrk(value, "\t\r\n"))
        return fail(err, "a run cannot hold a tab or newline: %s \"%s\"", what, value);
    if (strchr(value, ' ')) *spaced = true;
    return 0;
}

/* Whether everything can be written and read back; *spaced: some column holds a space. */
static int check_run(const struct run *run, bool *spaced, struct error *err)
{
    *spaced = false;
    for (size_t i = 0; i < run->count; i++) {
        const struct ranked_query *query = &run->queries[i];
        if (check_column("query id", query->id, spaced, err)) return -1;
        for (size_t j = 0; j < query->count; j++) {
            const struct ranked *ranked = &query->documents[j];
            if (check_column("document id", ranked->document, spaced, err) ||
                check_column("tag", ranked->tag, spaced, err))
                return -1;
            if (!isfinite((float)ranked->score))
                return fail(err, "the score of document %s for query %s is not a finite number",
                            ranked->document, query->id);
        }
    }
    return 0;
}

void run_line(struct output *out, const char *query, const struct ranked *ranked, size_t rank,
              bool tabs)
{
    char space = tabs || strchr(query, ' ') || strchr(ranked->document, ' ') ? '\t' : ' ';
    output_printf(out, "%s%cQ0%c%s%c%zu%c%.9g%c%s\n", query, space, space, ranked->document, space,
                  rank, space, ranked->score, space, ranked->tag);
}

int run_write(struct run *run, const char *path, struct error *err)
{
    bool spaced;
    if (check_run(run, &spaced, err)) return -1;
    run_sort(run);
    struct output out = {0};
    if (output_open(&out, path, err)) return -1;
    /* The reader takes one mark away from the first line. */
    static const char mark[] = "\xef\xbb\xbf";
    if (run->count && strncmp(run->queries[0].id, mark, 3) == 0) output_printf(&out, "%s", mark);
    for (size_t i = 0; i < run->count; i++) {
        const struct ranked_query *query = &run->queries[i];
        for (size_t j = 0; j < query->count; j++) {
            const struct ranked *ranked = &query->documents[j];
            struct ranked line = {ranked->document, (double)(float)ranked->score, ranked->tag};
            run_line(&out, query->id, &line, j + 1, spaced);
        }
    }
    return output_commit(&out, err);
}
