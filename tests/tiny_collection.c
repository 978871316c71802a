#define _GNU_SOURCE
#include "tests/tiny_collection.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "data/output.h"
#include "tests/support.h"

static const char *const nouns[] = {"cat", "dog", "fish", "bird", "house", "river", "moon", "sun"};
static const char *const colours[] = {"red", "blue", "old", "new"};
static const char *const verbs[] = {"sat", "ran", "ate", "saw"};

static struct output open_in(const char *folder, const char *name)
{
    struct output out;
    struct error err = {0};
    char *path = path_join(folder, name);
    check_ok(output_open(&out, path, &err), &err);
    free(path);
    return out;
}

static void commit(struct output *out)
{
    struct error err = {0};
    check_ok(output_commit(out, &err), &err);
}

static void write_texts(const char *folder, int documents, int queries)
{
    struct output corpus = open_in(folder, "corpus.jsonl");
    for (int d = 0; d < documents; d++) {
        char id[16];
        snprintf(id, sizeof id, d == documents - 1 ? "q1" : "d%d", d);
        output_printf(&corpus, "{\"_id\": \"%s\", \"text\": \"the %s %s %s in the %s\"}\n", id,
                      colours[d / 8 % 4], nouns[d % 8], verbs[d / 3 % 4], nouns[(d + d / 8) % 8]);
    }
    commit(&corpus);
    struct output asked = open_in(folder, "queries.jsonl");
    for (int q = 0; q < queries; q++)
        output_printf(&asked, "{\"_id\": \"q%d\", \"text\": \"a %s %s\"}\n", q, colours[q / 8 % 4],
                      nouns[q % 8]);
    commit(&asked);
}

static void write_split(const char *folder, const struct tiny_split *split)
{
    char name[64];
    snprintf(name, sizeof name, "%s.tsv", split->name);
    struct output qrels = open_in(folder, name);
    output_printf(&qrels, "query-id\tcorpus-id\tscore\n");
    for (int q = split->first; q < split->behind; q++) {
        if (q % 2 == 0) output_printf(&qrels, "q%d\td%d\t1\n", q, q + 1);
        output_printf(&qrels, "q%d\td%d\t2\n", q, q);
        output_printf(&qrels, "q%d\td%d\t0\n", q, q + 2);
    }
    commit(&qrels);
}

void tiny_collection_read(struct collection *out, int documents, int queries,
                          const struct tiny_split *splits)
{
    static int count;
    struct error err = {0};
    /* Tests share the folder, and each may be a process of its own. */
    char *folder = xasprintf("%s/collection%ld.%d", scratch_folder(), (long)getpid(), count++);
    char *qrels = path_join(folder, "qrels");
    check_ok(make_folder(qrels, &err), &err);
    write_texts(folder, documents, queries);
    for (; splits->name; splits++) write_split(qrels, splits);
    check_ok(collection_read(out, folder, &err), &err);
    free(qrels);
    free(folder);
}
