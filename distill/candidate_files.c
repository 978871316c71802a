/* Candidates as TREC runs: see mine.h. */
#include "distill/mine.h"

#include "data/output.h"
#include "data/run.h"
#include <math.h>
#include <string.h>

static const char *const kind_names[] = {
    [CANDIDATE_POSITIVE] = "positive",
    [CANDIDATE_NEGATIVE] = "negative",
    [CANDIDATE_FALSE_NEGATIVE] = "false-negative",
};
enum { KINDS = sizeof kind_names / sizeof *kind_names };
static const struct {
    int bit;
    const char *name;
} source_names[] = {
    {CANDIDATE_BM25, "bm25"}, {CANDIDATE_TEACHER, "teacher"}, {CANDIDATE_STUDENT, "student"}};
enum { SOURCES = sizeof source_names / sizeof *source_names };

/* "negative:bm25+teacher" */
static void write_tag(struct output *out, const struct candidate *candidate)
{
    output_printf(out, "%s", kind_names[candidate->kind]);
    char before = ':';
    for (int s = 0; s < SOURCES; s++) {
        if (!(candidate->sources & source_names[s].bit)) continue;
        output_printf(out, "%c%s", before, source_names[s].name);
        before = '+';
    }
}

static int write_set(struct output *out, const struct candidate_set *set,
                     const struct collection *collection, struct error *err)
{
    const char *query = collection->queries.ids[set->query];
    for (size_t i = 0; i < set->count; i++) {
        const struct candidate *candidate = &set->candidates[i];
        const char *document = collection->documents.ids[candidate->document];
        if (!isfinite(candidate->score))
            return fail(err, "the score of query %s and document %s is not a finite number", query,
                        document);
        output_printf(out, "%s\tQ0\t%s\t%zu\t%.9g\t", query, document, i + 1,
                      (double)candidate->score);
        write_tag(out, candidate);
        output_printf(out, "\n");
    }
    return 0;
}

/* Not run_write: that would sort by score, and the order of a set is part of it.  Tabs, since ids
 * may hold spaces. */
int candidate_sets_write(const struct candidate_sets *sets, const struct collection *collection,
                         const char *path, struct error *err)
{
    struct output out = {0};
    int status = output_open(&out, path, err);
    for (size_t s = 0; status == 0 && s < sets->count; s++)
        status = write_set(&out, &sets->sets[s], collection, err);
    if (status == 0) return output_commit(&out, err);
    output_abandon(&out);
    return -1;
}

/* The bit of the source that the first `length` bytes name; 0: of none. */
static int source_named(const char *name, size_t length)
{
    for (int s = 0; s < SOURCES; s++)
        if (strlen(source_names[s].name) == length && !memcmp(source_names[s].name, name, length))
            return source_names[s].bit;
    return 0;
}

static bool parse_tag(struct candidate *out, const char *tag)
{
    size_t length = strcspn(tag, ":");
    int kind = 0;
    while (kind < KINDS &&
           (strlen(kind_names[kind]) != length || memcmp(kind_names[kind], tag, length)))
        kind++;
    if (kind == KINDS) return false;
    out->kind = (enum candidate_kind)kind;
    for (tag += length; *tag; tag += length) {
        tag++; /* the colon, or a plus */
        length = strcspn(tag, "+");
        int bit = source_named(tag, length);
        if (!bit || bit <= out->sources) return false; /* each once, in the table's order */
        out->sources |= bit;
    }
    return true;
}

static int read_candidate(struct candidate_set *set, const struct collection *collection,
                          const char *query, const struct ranked *line, const char *path,
                          struct error *err)
{
    struct candidate candidate = {.score = (float)line->score};
    int64_t document = texts_find(&collection->documents, line->document);
    if (document < 0)
        return fail(err, "%s: document %s is not in the collection; remove the file to mine again",
                    path, line->document);
    candidate.document = (uint32_t)document;
    if (!parse_tag(&candidate, line->tag))
        return fail(err, "%s: query %s, document %s: unknown tag \"%s\"", path, query,
                    line->document, line->tag);
    if (candidate.kind == CANDIDATE_POSITIVE && set->count &&
        set->candidates[set->count - 1].kind != CANDIDATE_POSITIVE)
        return fail(err, "%s: query %s: positive %s does not stand before the others", path, query,
                    line->document);
    candidate_set_add(set, candidate);
    return 0;
}

static int read_set(struct candidate_sets *sets, const struct collection *collection,
                    const struct ranked_query *lines, const char *path, struct error *err)
{
    int64_t query = texts_find(&collection->queries, lines->id);
    if (query < 0)
        return fail(err, "%s: query %s is not in the collection; remove the file to mine again",
                    path, lines->id);
    struct candidate_set *set = candidate_sets_add(sets, (uint32_t)query);
    for (size_t i = 0; i < lines->count; i++)
        if (read_candidate(set, collection, lines->id, &lines->documents[i], path, err)) return -1;
    return 0;
}

int candidate_sets_read(struct candidate_sets *sets, const struct collection *collection,
                        const char *path, struct error *err)
{
    struct run run = {0};
    int status = run_read(&run, path, err);
    candidate_sets_init(sets, collection->queries.count);
    for (size_t q = 0; status == 0 && q < run.count; q++)
        status = read_set(sets, collection, &run.queries[q], path, err);
    if (status) candidate_sets_free(sets);
    run_free(&run);
    return status;
}
