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
/* Behind the kind: ":bm25", ":bm25+teacher", "" where none found it. */
static const struct source {
    const char *name;
    int bit;
} sources[] = {{"bm25", CANDIDATE_BM25},
               {"teacher", CANDIDATE_TEACHER},
               {"scores", CANDIDATE_SCORES},
               {"student", CANDIDATE_STUDENT}};
enum { KINDS = 3, SOURCES = sizeof sources / sizeof *sources };

static void append_tag(struct text *out, const struct candidate *candidate)
{
    const char *separator = ":";
    text_puts(out, kind_names[candidate->kind]);
    for (int s = 0; s < SOURCES; s++)
        if (candidate->sources & sources[s].bit) {
            text_printf(out, "%s%s", separator, sources[s].name);
            separator = "+";
        }
}

static int write_set(struct output *out, const struct candidate_set *set,
                     const struct collection *collection, struct error *err)
{
    const char *query = collection->queries.ids[set->query];
    struct text tag = {0};
    int status = 0;
    for (size_t i = 0; i < set->count && !status; i++) {
        const struct candidate *candidate = &set->candidates[i];
        const char *document = collection->documents.ids[candidate->document];
        text_clear(&tag);
        append_tag(&tag, candidate);
        output_printf(out, "%s\tQ0\t%s\t%zu\t%.9g\t%s\n", query, document, i + 1,
                      (double)candidate->score, tag.bytes);
        if (!isfinite(candidate->score))
            status = fail(err, "the score of query %s and document %s is not a finite number",
                          query, document);
    }
    text_free(&tag);
    return status;
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

static bool parse_sources(int *out, const char *names)
{
    *out = 0;
    for (int s = 0; s < SOURCES; s++) {
        size_t length = strlen(sources[s].name);
        if (*names != (*out ? '+' : ':') || strncmp(names + 1, sources[s].name, length) != 0)
            continue;
        *out |= sources[s].bit;
        names += 1 + length;
    }
    return *names == '\0';
}

static bool parse_tag(struct candidate *out, const char *tag)
{
    size_t length = strcspn(tag, ":");
    for (int kind = 0; kind < KINDS; kind++)
        if (strlen(kind_names[kind]) == length && strncmp(tag, kind_names[kind], length) == 0) {
            out->kind = (enum candidate_kind)kind;
            return parse_sources(&out->sources, tag + length);
        }
    return false;
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
