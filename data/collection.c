/* BEIR collections and lists of texts: see collection.h. */
#define _GNU_SOURCE
#include "data/collection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/json.h"
#include "data/progress.h"
#include "data/source.h"

/* ---- texts ---- */

int64_t texts_find(const struct texts *texts, const char *id)
{
    return strmap_find(&texts->rows, id);
}

void texts_free(struct texts *texts)
{
    free(texts->ids);
    free(texts->values);
    free(texts->title_lengths);
    strmap_free(&texts->rows);
    *texts = (struct texts){0};
}

static int check_id(const char *id, const char *where, struct error *err)
{
    if (!*id) return fail(err, "%s: the id is empty", where);
    if (strpbrk(id, "\t\r\n"))
        return fail(err, "%s: the id holds a tab or newline, so that no judgement could name it",
                    where);
    return 0;
}

/* id and value stay where they are.  The row, or -1 where the id is there already. */
static int64_t add_text(struct texts *texts, const char *id, const char *value, size_t title_length)
{
    if (texts->count == texts->capacity) {
        size_t capacity = grown(&texts->capacity);
        texts->ids = xrealloc(texts->ids, capacity, sizeof *texts->ids);
        texts->values = xrealloc(texts->values, capacity, sizeof *texts->values);
        texts->title_lengths =
            xrealloc(texts->title_lengths, capacity, sizeof *texts->title_lengths);
    }
    int64_t row = (int64_t)texts->count;
    if (strmap_insert(&texts->rows, id, row) != row) return -1;
    texts->ids[row] = id;
    texts->values[row] = value;
    texts->title_lengths[row] = (uint32_t)title_length;
    texts->count++;
    return row;
}

static int add_line_text(struct texts *texts, const char *id, const char *value,
                         size_t title_length, struct lines *lines, struct error *err)
{
    if (add_text(texts, id, value, title_length) < 0)
        return fail(err, "%s: the id %s stands twice", lines_where(lines), id);
    return 0;
}

/* ---- one line of JSON ---- */

/* A string or whole number as text. */
static int member_id(struct text *out, const struct json *object, const char *where,
                     struct error *err)
{
    const struct json *id = json_get(object, "_id");
    const char *string = json_as_string(id);
    int64_t number;
    text_clear(out);
    if (string)
        text_puts(out, string);
    else if (json_as_integer(&number, id, INT64_MIN, INT64_MAX))
        text_printf(out, "%lld", (long long)number);
    else
        return fail(err, "%s: \"_id\" is %s, must be a string", where, json_kind_name(id));
    return check_id(out->bytes, where, err);
}

/* *out is the member's string; "" where it is optional and absent or null. */
static int member_string(const char **out, const struct json *object, const char *key,
                         bool optional, const char *where, struct error *err)
{
    const struct json *member = json_get(object, key);
    enum json_kind kind = json_kind(member);
    *out = json_as_string(member);
    if (*out) return 0;
    *out = "";
    if (optional && (kind == JSON_KIND_NONE || kind == JSON_KIND_NULL)) return 0;
    return fail(err, "%s: \"%s\" is %s, must be a string", where, key, json_kind_name(member));
}

static void join(struct text *out, const char *title, const char *text)
{
    text_clear(out);
    text_puts(out, title);
    if (*title && *text) text_puts(out, " ");
    text_puts(out, text);
}

static int parse_json(struct document *out, const char *line, size_t length, bool titled,
                      const char *where, struct error *err)
{
    struct json *object;
    if (json_parse_line(&object, line, length, where, err)) return -1;
    const char *title = "", *text;
    int status = json_kind(object) == JSON_KIND_OBJECT
                     ? member_string(&text, object, "text", false, where, err)
                     : fail(err, "%s: not a JSON object", where);
    if (status == 0 && titled) status = member_string(&title, object, "title", true, where, err);
    if (status == 0) status = member_id(&out->id, object, where, err);
    if (status == 0) join(&out->text, title, text);
    out->title_length = strlen(title);
    json_free(object);
    return status;
}

void document_free(struct document *document)
{
    text_free(&document->id);
    text_free(&document->text);
}

/* ---- lists of texts ---- */

static bool is_blank(const char *line)
{
    return line[strspn(line, " \t")] == '\0';
}

static const char *keep(struct arena *strings, const struct text *text)
{
    return arena_strndup(strings, text->bytes, text->length);
}

/* A line of JSON; titled: of a document, whose title comes before the text.  read is reused. */
static int add_json(struct texts *texts, struct arena *strings, struct document *read,
                    const char *line, size_t length, bool titled, struct lines *lines,
                    struct error *err)
{
    if (is_blank(line)) return 0;
    if (parse_json(read, line, length, titled, lines_where(lines), err)) return -1;
    return add_line_text(texts, keep(strings, &read->id), keep(strings, &read->text),
                         read->title_length, lines, err);
}

static int read_json_lines(struct texts *out, struct arena *strings, bool titled,
                           struct lines *lines, struct error *err)
{
    struct document read = {0};
    char *line;
    size_t length;
    int got, status = 0;
    while (status == 0 && (got = lines_next(lines, &line, &length, err)) != 0)
        status = got < 0 ? -1 : add_json(out, strings, &read, line, length, titled, lines, err);
    document_free(&read);
    return status;
}

static int add_tab_separated(struct texts *texts, struct arena *strings, char *line, size_t length,
                             struct lines *lines, struct error *err)
{
    char *tab = strchr(line, '\t');
    if (!tab)
        return fail(err, "%s: no tab; a line is id<TAB>text, or JSON with \"_id\" and \"text\"",
                    lines_where(lines));
    const char *copy = arena_strndup(strings, line, length);
    size_t id_length = (size_t)(tab - line);
    const char *id = arena_strndup(strings, line, id_length);
    if (check_id(id, lines_where(lines), err)) return -1;
    return add_line_text(texts, id, copy + id_length + 1, 0, lines, err);
}

static int read_texts(struct texts *out, struct arena *strings, struct lines *lines,
                      struct error *err)
{
    struct document read = {0};
    char *line;
    size_t length;
    bool json = false;
    int got, status = 0;
    while (status == 0 && (got = lines_next(lines, &line, &length, err)) != 0) {
        if (got > 0 && lines_number(lines) == 1) json = *line == '{';
        if (got < 0)
            status = -1;
        else if (!json)
            status = add_tab_separated(out, strings, line, length, lines, err);
        else
            status = add_json(out, strings, &read, line, length, false, lines, err);
    }
    document_free(&read);
    return status;
}

int texts_read(struct texts *out, struct arena *strings, const char *path, struct error *err)
{
    *out = (struct texts){0};
    struct lines *lines;
    if (lines_open(&lines, path, err)) return -1;
    int status = read_texts(out, strings, lines, err);
    lines_close(lines);
    if (status) texts_free(out);
    return status;
}

/* ---- collections ---- */

static const char corpus_name[] = "corpus.jsonl";

struct reading {
    struct collection *out;
    char *corpus, *queries; /* where they were found, or NULL */
};

/* Notes where the corpus or the queries are; there is one of each. */
static int found_once(char **place, const char *what, struct lines *lines, struct error *err)
{
    if (*place)
        return fail(err, "%s: there are already %s in %s; give one collection alone",
                    lines_name(lines), what, *place);
    *place = xstrdup(lines_name(lines));
    return 0;
}

static int read_split(struct collection *out, const char *name, size_t length, struct lines *lines,
                      struct error *err)
{
    struct split split = {0};
    if (length == 0 || length >= sizeof split.name)
        return fail(err, "%s: a split's name has 1 to %zu bytes", lines_name(lines),
                    sizeof split.name - 1);
    memcpy(split.name, name, length);
    if (collection_split(out, split.name))
        return fail(err, "%s: there is already a split %s; give one collection alone",
                    lines_name(lines), split.name);
    if (qrels_read_lines(&split.qrels, lines, err)) return -1;
    out->splits = xrealloc(out->splits, out->num_splits + 1, sizeof *out->splits);
    out->splits[out->num_splits++] = split;
    return 0;
}

static int read_member(void *arg, const char *name, struct lines *lines, struct error *err)
{
    struct reading *reading = arg;
    struct collection *out = reading->out;
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    size_t length = strlen(base);
    if (strcmp(base, corpus_name) == 0) {
        if (found_once(&reading->corpus, "documents", lines, err)) return -1;
        return read_json_lines(&out->documents, &out->strings, true, lines, err);
    }
    if (strcmp(base, "queries.jsonl") == 0) {
        if (found_once(&reading->queries, "queries", lines, err)) return -1;
        return read_json_lines(&out->queries, &out->strings, false, lines, err);
    }
    bool in_qrels = slash && slash - name >= 5 && memcmp(slash - 5, "qrels", 5) == 0 &&
                    (slash - name == 5 || slash[-6] == '/');
    if (in_qrels && length > 4 && strcmp(base + length - 4, ".tsv") == 0)
        return read_split(out, base, length - 4, lines, err);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct split *)a)->name, ((const struct split *)b)->name);
}

/* Judgements stand, known or not: official sets hold some that no document answers. */
static int check_split(const struct collection *collection, const struct split *split,
                       const char *path, struct error *err)
{
    size_t judgements = 0, unknown_documents = 0, unknown_queries = 0;
    for (size_t i = 0; i < split->qrels.count; i++) {
        const struct judged_query *query = &split->qrels.queries[i];
        judgements += query->count;
        unknown_queries += texts_find(&collection->queries, query->id) < 0;
        for (size_t j = 0; j < query->count; j++)
            unknown_documents +=
                texts_find(&collection->documents, query->judgements[j].document) < 0;
    }
    if (unknown_documents == judgements)
        return fail(err,
                    "%s: split %s: none of its %zu judgements names a document of the corpus; do "
                    "they belong together?",
                    path, split->name, judgements);
    if (unknown_documents)
        warn("%s: split %s: %zu of %zu judgements name documents that are not in the corpus", path,
             split->name, unknown_documents, judgements);
    if (unknown_queries)
        warn("%s: split %s: %zu of %zu judged queries have no text", path, split->name,
             unknown_queries, split->qrels.count);
    return 0;
}

/* corpus: where it was found, or NULL. */
static int check_corpus(const char *corpus, size_t documents, const char *path, struct error *err)
{
    if (!corpus)
        return fail(err,
                    "%s: no corpus.jsonl; a collection is a folder or archive with corpus.jsonl, "
                    "queries.jsonl and qrels/SPLIT.tsv",
                    path);
    return documents ? 0 : fail(err, "%s: the corpus is empty", corpus);
}

static int check_collection(const struct collection *collection, const struct reading *reading,
                            const char *path, struct error *err)
{
    if (check_corpus(reading->corpus, collection->documents.count, path, err)) return -1;
    for (size_t i = 0; i < collection->num_splits; i++)
        if (check_split(collection, &collection->splits[i], path, err)) return -1;
    return 0;
}

int collection_read(struct collection *out, const char *path, struct error *err)
{
    *out = (struct collection){0};
    struct reading reading = {.out = out};
    int status = source_walk(path, read_member, &reading, err);
    if (out->num_splits) qsort(out->splits, out->num_splits, sizeof *out->splits, by_name);
    if (status == 0) status = check_collection(out, &reading, path, err);
    if (status) collection_free(out);
    free(reading.corpus);
    free(reading.queries);
    return status;
}

const struct split *collection_split(const struct collection *collection, const char *name)
{
    for (size_t i = 0; i < collection->num_splits; i++)
        if (strcmp(collection->splits[i].name, name) == 0) return &collection->splits[i];
    return NULL;
}

int collection_add_query(struct collection *collection, const char *id, const char *text,
                         struct error *err)
{
    struct arena *strings = &collection->strings;
    const char *kept = arena_strndup(strings, id, strlen(id));
    if (add_text(&collection->queries, kept, arena_strndup(strings, text, strlen(text)), 0) < 0)
        return fail(err, "there is already a query %s", id);
    return 0;
}

struct qrels *collection_add_split(struct collection *collection, const char *name,
                                   struct error *err)
{
    struct split split = {0};
    REQUIRE(strlen(name) < sizeof split.name);
    if (collection_split(collection, name)) {
        fail(err, "there is already a split %s", name);
        return NULL;
    }
    strcpy(split.name, name);
    collection->splits =
        xrealloc(collection->splits, collection->num_splits + 1, sizeof *collection->splits);
    size_t at = collection->num_splits++;
    for (; at && strcmp(collection->splits[at - 1].name, name) > 0; at--)
        collection->splits[at] = collection->splits[at - 1];
    collection->splits[at] = split;
    return &collection->splits[at].qrels;
}

const struct pair_split *collection_pairs(const struct collection *collection, const char *name)
{
    for (size_t i = 0; i < collection->num_pair_splits; i++)
        if (strcmp(collection->pair_splits[i].name, name) == 0) return &collection->pair_splits[i];
    return NULL;
}

void collection_free(struct collection *collection)
{
    for (size_t i = 0; i < collection->num_pair_splits; i++) free(collection->pair_splits[i].pairs);
    free(collection->pair_splits);
    for (size_t i = 0; i < collection->num_splits; i++) qrels_free(&collection->splits[i].qrels);
    free(collection->splits);
    texts_free(&collection->documents);
    texts_free(&collection->queries);
    arena_free(&collection->strings);
    *collection = (struct collection){0};
}

/* ---- documents in blocks ---- */

enum { MOST_LINES = 1 << 20 }; /* of a block, so that short ones do not fill memory */

struct walk {
    size_t most_bytes;
    block_reader *read;
    void *arg;
    char *corpus; /* where it was found, or NULL */
    size_t count;
    struct document_block block;
    size_t capacity;
};

static void add_line(struct walk *walk, const char *line, size_t length, size_t number)
{
    struct document_block *block = &walk->block;
    GROW(block->lines, block->count, &walk->capacity);
    block->lines[block->count++] = (struct document_line){block->bytes.length, length, number};
    text_append(&block->bytes, line, length + 1);
}

static int give_block(struct walk *walk, struct error *err)
{
    struct document_block *block = &walk->block;
    int status = block->count ? walk->read(walk->arg, block, err) : 0;
    walk->count += block->count;
    block->count = 0;
    text_clear(&block->bytes);
    return status;
}

static int walk_member(void *arg, const char *name, struct lines *lines, struct error *err)
{
    struct walk *walk = arg;
    struct document_block *block = &walk->block;
    const char *slash = strrchr(name, '/');
    char *line;
    size_t length;
    int got, status = 0;
    if (strcmp(slash ? slash + 1 : name, corpus_name) != 0) return 0;
    if (found_once(&walk->corpus, "documents", lines, err)) return -1;
    block->name = walk->corpus;
    while (status == 0 && (got = lines_next(lines, &line, &length, err)) > 0) {
        if (is_blank(line)) continue;
        add_line(walk, line, length, lines_number(lines));
        if (block->bytes.length >= walk->most_bytes || block->count == MOST_LINES)
            status = give_block(walk, err);
    }
    if (status == 0) status = got < 0 ? -1 : give_block(walk, err);
    return status;
}

int collection_walk(const char *path, size_t bytes, block_reader *read, void *arg,
                    struct error *err)
{
    struct walk walk = {.most_bytes = bytes, .read = read, .arg = arg};
    int status = source_walk(path, walk_member, &walk, err);
    if (status == 0) status = check_corpus(walk.corpus, walk.count, path, err);
    text_free(&walk.block.bytes);
    free(walk.block.lines);
    free(walk.corpus);
    return status;
}

int block_document(struct document *out, const struct document_block *block, size_t i,
                   struct error *err)
{
    const struct document_line *line = &block->lines[i];
    struct text where = {0};
    text_printf(&where, "%s:%zu", block->name, line->number);
    int status =
        parse_json(out, block->bytes.bytes + line->start, line->length, true, where.bytes, err);
    text_free(&where);
    return status;
}
