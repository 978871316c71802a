/* See made_queries.h. */
#include "distill/made_queries.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/json.h"
#include "data/output.h"
#include "data/terms.h"

/* Hashes that decide different things of the same query. */
enum { HASH_WORDS = 1, HASH_CHOICE = 0x11, HASH_SHARE = 0x12, HASH_REMOVAL = 0x13 };

/* ---- pieces ---- */

struct piece {
    struct span span; /* of the document's text */
    bool is_title;
    int number;     /* of the sentence, from 1 */
    uint64_t words; /* hash */
};
struct pieces { /* of one document */
    struct piece *list;
    size_t count, capacity;
    struct text term, words; /* scratch */
};

static void pieces_free(struct pieces *pieces)
{
    free(pieces->list);
    text_free(&pieces->term);
    text_free(&pieces->words);
}

static uint64_t hash_of(const struct text *words)
{
    return hash64(words->bytes ? words->bytes : "", words->length, HASH_WORDS);
}

/* Reads at most `most` words of a text: how many; pieces->words is they.  Where there are more,
 * *length becomes the bytes up to the last one's end. */
static int read_words(struct pieces *pieces, const char *text, size_t *length, int most)
{
    const char *at = text, *end = text + *length;
    int count = 0;
    text_clear(&pieces->words);
    while (count < most && next_term(&at, &pieces->term) && at <= end) {
        text_append(&pieces->words, pieces->term.bytes, pieces->term.length);
        text_puts(&pieces->words, " ");
        count++;
    }
    const char *next = at;
    bool more = count == most && next_term(&next, &pieces->term) && next <= end;
    if (more) *length = (size_t)(at - text);
    return count;
}

/* The piece at span, where its length is right. */
static void add_piece(struct pieces *pieces, const struct job *job, const char *text,
                      struct piece piece)
{
    int least = piece.is_title ? 1 : job->data.made.min_words;
    int count =
        read_words(pieces, text + piece.span.start, &piece.span.length, job->data.made.max_words);
    if (count < least) return;
    piece.words = hash_of(&pieces->words);
    GROW(pieces->list, pieces->count, &pieces->capacity);
    pieces->list[pieces->count++] = piece;
}

static void find_pieces(struct pieces *pieces, const struct job *job, const char *text,
                        size_t title_length)
{
    struct sentences sentences = sentences_of(text + title_length);
    struct piece piece = {.span = {0, title_length}, .is_title = true};
    pieces->count = 0;
    if (title_length) add_piece(pieces, job, text, piece);
    piece.is_title = false;
    while (sentences_next(&sentences, &piece.span)) {
        piece.span.start += title_length;
        piece.number++;
        add_piece(pieces, job, text, piece);
    }
}

/* ---- what stands more than once ---- */

struct hashes {
    uint64_t *list;
    size_t count, capacity;
};

static void add_hash(struct hashes *hashes, uint64_t hash)
{
    GROW(hashes->list, hashes->count, &hashes->capacity);
    hashes->list[hashes->count++] = hash;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Keeps those that stand more than once, sorted. */
static void keep_repeated(struct hashes *hashes)
{
    size_t kept = 0, behind;
    if (hashes->count) qsort(hashes->list, hashes->count, sizeof *hashes->list, by_value);
    for (size_t i = 0; i < hashes->count; i = behind) {
        for (behind = i + 1; behind < hashes->count && hashes->list[behind] == hashes->list[i];)
            behind++;
        if (behind > i + 1) hashes->list[kept++] = hashes->list[i];
    }
    hashes->count = kept;
}

static bool is_repeated(const struct hashes *hashes, uint64_t hash)
{
    return hashes->count && bsearch(&hash, hashes->list, hashes->count, sizeof hash, by_value);
}

/* Of all pieces of the documents, and of the queries, each of which counts as two. */
static void find_repeated(struct hashes *out, const struct collection *collection,
                          const struct job *job)
{
    struct pieces pieces = {0};
    for (size_t d = 0; d < collection->documents.count; d++) {
        find_pieces(&pieces, job, collection->documents.values[d],
                    collection->documents.title_lengths[d]);
        for (size_t p = 0; p < pieces.count; p++) add_hash(out, pieces.list[p].words);
    }
    for (size_t q = 0; q < collection->queries.count; q++) {
        size_t length = strlen(collection->queries.values[q]);
        read_words(&pieces, collection->queries.values[q], &length, job->data.made.max_words);
        for (int twice = 0; twice < 2; twice++) add_hash(out, hash_of(&pieces.words));
    }
    pieces_free(&pieces);
    keep_repeated(out);
}

/* ---- choosing ---- */

struct made {
    struct piece piece;
    uint32_t document;
    uint64_t order;
};
struct choosing {
    const struct collection *collection;
    const struct job *job;
    struct hashes repeated;
    struct made *list; /* chosen so far */
    size_t count, capacity;
    struct text id; /* scratch */
};

static uint64_t hash_piece(struct choosing *choosing, const struct made *made, uint64_t what)
{
    const char *document = choosing->collection->documents.ids[made->document];
    text_clear(&choosing->id);
    if (made->piece.is_title)
        text_printf(&choosing->id, "%s#title", document);
    else
        text_printf(&choosing->id, "%s#s%d", document, made->piece.number);
    return hash64(choosing->id.bytes, choosing->id.length,
                  (uint64_t)choosing->job->seed ^ what << 32);
}

/* Titles first, then by the hash. */
static int by_order(const void *a, const void *b)
{
    const struct made *x = a, *y = b;
    if (x->piece.is_title != y->piece.is_title) return x->piece.is_title ? -1 : 1;
    if (x->order != y->order) return x->order < y->order ? -1 : 1;
    return (x->piece.number > y->piece.number) - (x->piece.number < y->piece.number);
}

static bool has_words(const char *text, size_t length, struct text *term)
{
    const char *at = text, *end = text + length;
    return at < end && next_term(&at, term) && at <= end;
}

static bool may_be_query(const struct choosing *choosing, const struct piece *piece,
                         const char *text, struct text *term)
{
    int kind = piece->is_title ? MADE_TITLE : MADE_CROP;
    size_t behind = piece->span.start + piece->span.length;
    return choosing->job->data.made.kinds & kind &&
           !is_repeated(&choosing->repeated, piece->words) &&
           (has_words(text, piece->span.start, term) ||
            has_words(text + behind, strlen(text + behind), term));
}

static void choose_of_document(struct choosing *choosing, struct pieces *pieces, uint32_t document)
{
    const struct job *job = choosing->job;
    const char *text = choosing->collection->documents.values[document];
    size_t before = choosing->count, most = (size_t)job->data.made.per_document;
    find_pieces(pieces, job, text, choosing->collection->documents.title_lengths[document]);
    for (size_t p = 0; p < pieces->count; p++) {
        struct made made = {.piece = pieces->list[p], .document = document};
        if (!may_be_query(choosing, &made.piece, text, &pieces->term)) continue;
        made.order = hash_piece(choosing, &made, HASH_CHOICE);
        GROW(choosing->list, choosing->count, &choosing->capacity);
        choosing->list[choosing->count++] = made;
    }
    size_t found = choosing->count - before;
    if (found) qsort(choosing->list + before, found, sizeof *choosing->list, by_order);
    if (found > most) choosing->count = before + most;
}

/* Keeps data.made.queries of the chosen ones, in their order. */
static void keep_share(struct choosing *choosing)
{
    size_t most = (size_t)choosing->job->data.made.queries, kept = 0;
    if (!most || choosing->count <= most) return;
    uint64_t *keys = xcalloc(choosing->count, sizeof *keys);
    bool *chosen = xcalloc(choosing->count, sizeof *chosen);
    for (size_t i = 0; i < choosing->count; i++)
        keys[i] = hash_piece(choosing, &choosing->list[i], HASH_SHARE);
    choose_smallest(chosen, keys, choosing->count, most);
    for (size_t i = 0; i < choosing->count; i++)
        if (chosen[i]) choosing->list[kept++] = choosing->list[i];
    choosing->count = kept;
    free(chosen);
    free(keys);
}

static void choose(struct choosing *choosing)
{
    struct pieces pieces = {0};
    find_repeated(&choosing->repeated, choosing->collection, choosing->job);
    for (size_t d = 0; d < choosing->collection->documents.count; d++)
        choose_of_document(choosing, &pieces, (uint32_t)d);
    pieces_free(&pieces);
    keep_share(choosing);
}

/* ---- texts ---- */

/* The text without the spans, which rise; a space stands for each. */
static const char *text_without(struct arena *strings, const char *text, const struct span *spans,
                                size_t count)
{
    struct text rest = {0};
    size_t at = 0, length = strlen(text);
    text_puts(&rest, "");
    for (size_t s = 0; s <= count; s++) {
        size_t end = s < count ? spans[s].start : length;
        for (; at < end && text[at] == ' ';) at++;
        if (rest.length && at < end && rest.bytes[rest.length - 1] != ' ') text_puts(&rest, " ");
        text_append(&rest, text + at, end - at);
        if (s < count) at = end + spans[s].length;
    }
    while (rest.length && rest.bytes[rest.length - 1] == ' ') rest.length--;
    const char *kept = arena_strndup(strings, rest.bytes, rest.length);
    text_free(&rest);
    return kept;
}

/* Line breaks and other white space become one space each. */
static void append_query(struct text *out, const char *text, size_t length)
{
    bool space = false;
    for (size_t i = 0; i < length; i++) {
        bool white = text[i] == ' ' || (text[i] >= '\t' && text[i] <= '\r');
        if (space && !white) text_puts(out, " ");
        if (!white) text_append(out, text + i, 1);
        space = white;
    }
}

static int add_query(struct made_queries *out, struct collection *collection,
                     struct choosing *choosing, const struct made *made, struct error *err)
{
    const char *text = collection->documents.values[made->document];
    struct text query = {0};
    struct made_query one = {
        .document = made->document, .span = made->piece.span, .is_title = made->piece.is_title};
    if (hash_place(hash_piece(choosing, made, HASH_REMOVAL)) < choosing->job->data.made.remove)
        one.remainder = text_without(&out->strings, text, &one.span, 1);
    append_query(&query, text + one.span.start, one.span.length);
    int status = collection_add_query(collection, choosing->id.bytes, query.bytes, err);
    if (!status) out->list[out->count++] = one;
    text_free(&query);
    return status;
}

static int add_all(struct made_queries *out, struct collection *collection,
                   struct choosing *choosing, struct error *err)
{
    struct qrels *qrels = collection_add_split(collection, MADE_SPLIT, err);
    if (!qrels) return -1;
    out->first = collection->queries.count;
    out->list = xcalloc(choosing->count, sizeof *out->list);
    for (size_t i = 0; i < choosing->count; i++) {
        const struct made *made = &choosing->list[i];
        if (add_query(out, collection, choosing, made, err)) return -1;
        qrels_add(qrels, choosing->id.bytes, collection->documents.ids[made->document], 1);
    }
    return 0;
}

int made_queries_add(struct made_queries *out, struct collection *collection, const struct job *job,
                     struct error *err)
{
    struct choosing choosing = {.collection = collection, .job = job};
    *out = (struct made_queries){0};
    if (!(job->data.queries & QUERIES_MADE)) return 0;
    choose(&choosing);
    int status = add_all(out, collection, &choosing, err);
    if (status) made_queries_free(out);
    free(choosing.repeated.list);
    free(choosing.list);
    text_free(&choosing.id);
    return status;
}

const struct made_query *made_query_of(const struct made_queries *made, uint32_t query)
{
    return made->count && query >= made->first ? &made->list[query - made->first] : NULL;
}

struct made_counts made_queries_count(const struct made_queries *made)
{
    struct made_counts counts = {0};
    for (size_t i = 0; i < made->count; i++) {
        counts.titles += made->list[i].is_title;
        counts.removed += made->list[i].remainder != NULL;
    }
    return counts;
}

const char *made_queries_warning(const struct made_queries *made, const struct job *job)
{
    if (!job->teacher.scores.count || !made_queries_count(made).removed) return NULL;
    return "teacher.scores must be of documents without the query that is removed from them, as "
           "made/queries.jsonl says, or the query's own words stand in them; set "
           "data.made.remove to 0 where the program reads whole documents";
}

void made_queries_free(struct made_queries *made)
{
    free(made->list);
    arena_free(&made->strings);
    *made = (struct made_queries){0};
}

/* ---- the dev queries' collection ---- */

static int by_start(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

struct collection made_queries_hidden(struct made_queries *made,
                                      const struct collection *collection,
                                      const struct query_set *dev)
{
    struct collection view = *collection;
    size_t documents = collection->documents.count, q = 0;
    const char **values = NULL;
    struct span *spans = xcalloc(dev->count, sizeof *spans);
    while (q < dev->count) {
        const struct made_query *one = made_query_of(made, dev->rows[q]), *next = one;
        size_t count = 0;
        /* A document's queries stand together. */
        for (; next && next->document == one->document;
             next = ++q < dev->count ? made_query_of(made, dev->rows[q]) : NULL)
            if (next->remainder) spans[count++] = next->span;
        if (!one) q++;
        if (!count) continue;
        if (!values) {
            values = xcalloc(documents, sizeof *values);
            memcpy(values, collection->documents.values, documents * sizeof *values);
        }
        qsort(spans, count, sizeof *spans, by_start);
        values[one->document] = text_without(&made->strings, values[one->document], spans, count);
    }
    free(spans);
    if (values) view.documents.values = values;
    return view;
}

/* ---- files ---- */

static int write_qrels(const struct made_queries *made, const struct query_set *set,
                       const char *folder, const char *name, struct error *err)
{
    struct output out = {0};
    size_t last = set->count; /* a set's made queries stand behind its others */
    bool any = last && made_query_of(made, set->rows[last - 1]);
    char *path = xasprintf("%s/qrels/%s.tsv", folder, name);
    if (!any) remove(path); /* an earlier job's */
    int status = any ? output_open(&out, path, err) : 0;
    free(path);
    if (status || !any) return status;
    output_printf(&out, "query-id\tcorpus-id\tscore\n");
    for (size_t q = 0; q < set->count; q++)
        if (made_query_of(made, set->rows[q]))
            output_printf(&out, "%s\t%s\t1\n", set->judged[q]->id,
                          set->judged[q]->judgements[0].document);
    return output_commit(&out, err);
}

static int write_texts(const struct made_queries *made, const struct collection *collection,
                       const char *folder, struct error *err)
{
    struct output out = {0};
    struct text line = {0};
    char *path = path_join(folder, "queries.jsonl");
    int status = output_open(&out, path, err);
    free(path);
    if (status) return -1;
    for (size_t i = 0; i < made->count; i++) {
        const struct made_query *one = &made->list[i];
        struct json *json = json_new_object();
        json_set_string(json, "_id", collection->queries.ids[made->first + i]);
        json_set_string(json, "text", collection->queries.values[made->first + i]);
        json_set_string(json, "document", collection->documents.ids[one->document]);
        json_set_string(json, "kind", one->is_title ? "title" : "crop");
        json_set_bool(json, "removed", one->remainder != NULL);
        text_clear(&line);
        json_print(&line, json, 0);
        output_printf(&out, "%s\n", line.bytes);
        json_free(json);
    }
    text_free(&line);
    return output_commit(&out, err);
}

int made_queries_write(const struct made_queries *made, const struct collection *collection,
                       const struct query_set *train, const struct query_set *dev,
                       const char *folder, struct error *err)
{
    char *qrels = path_join(folder, "qrels");
    int status = make_folder(qrels, err);
    free(qrels);
    if (status || write_texts(made, collection, folder, err) ||
        write_qrels(made, train, folder, "train", err))
        return -1;
    return write_qrels(made, dev, folder, "dev", err);
}
