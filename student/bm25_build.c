/* Building an index: see bm25.h.
 *
 * Documents come in blocks, which are cut into parts.  One worker turns a part into a run of
 * posting lists (runs.h); the parts follow each other as their documents do, whatever they were, so
 * that the merged lists are the same.  When all are counted, the mean length is known, and the
 * merge gives each term's list at once with its number of documents: all that a weight needs.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/collection.h"
#include "data/output.h"
#include "data/progress.h"
#include "data/terms.h"
#include "student/bm25_file.h"
#include "student/runs.h"

enum {
    PART_BYTES = 8 << 20, /* of text, about */
    FEWEST_SLOTS = 1024,
    BLOCK_DOCUMENTS = 1 << 16 /* of those in memory */
};

/* ---- parts: documents to runs ---- */

struct part_term {
    uint64_t start; /* name_start of its name */
    const char *name;
    uint32_t documents; /* of this part that hold it */
    uint32_t row;       /* of the last of them, */
    size_t latest;      /* its entry in counts, */
    size_t place;       /* and its place when the rows are put together */
};
/* Of a hash table: open addressing, linear probing, at most half full.  Terms of up to 8 bytes are
 * told by it alone. */
struct part_slot {
    uint64_t start;
    uint32_t length;
    uint32_t term; /* and 1; 0: empty */
};
struct count {
    uint32_t term, row, times;
};
struct part {
    size_t first, last; /* documents of the block: first .. last - 1 */
    struct part_slot *slots;
    size_t num_slots;
    struct arena strings;
    struct part_term *terms;
    size_t num_terms, terms_capacity;
    struct count *counts;
    size_t num_counts, counts_capacity;
    struct text ids; /* each and a NUL */
    struct text run;
    struct error err;
};

/* Where the text of a block's document is; *out is the part's, reused from call to call. */
typedef int document_reader(const void *arg, size_t i, struct document *out, const char **text,
                            struct error *err);

struct build {
    const char *name; /* of the collection, for messages */
    struct bm25_settings settings;
    struct pool *pool;
    struct runs runs;
    struct names ids;
    uint32_t *lengths; /* [num_documents], in terms */
    size_t num_documents, capacity;
    struct part *parts; /* of the block at work */
    document_reader *read;
    const void *block;
};

/* The term's slot, or the empty one that it may have. */
static struct part_slot *slot_of(const struct part *part, uint64_t start, const char *name,
                                 size_t length)
{
    size_t mask = part->num_slots - 1, at = hash64(name, length, 0) & mask;
    for (;; at = (at + 1) & mask) {
        struct part_slot *slot = &part->slots[at];
        if (!slot->term) return slot;
        if (slot->start == start && slot->length == length &&
            (length <= sizeof start || memcmp(part->terms[slot->term - 1].name, name, length) == 0))
            return slot;
    }
}

static void grow_slots(struct part *part)
{
    struct part_slot *old = part->slots;
    size_t count = part->num_slots;
    part->num_slots = count ? 2 * count : FEWEST_SLOTS;
    part->slots = xcalloc(part->num_slots, sizeof *part->slots);
    for (size_t i = 0; i < count; i++)
        if (old[i].term)
            *slot_of(part, old[i].start, part->terms[old[i].term - 1].name, old[i].length) = old[i];
    free(old);
}

static struct part_term *find_or_add_term(struct part *part, const struct text *term)
{
    uint64_t start = name_start(term->bytes, term->length);
    if (2 * part->num_terms >= part->num_slots) grow_slots(part);
    struct part_slot *slot = slot_of(part, start, term->bytes, term->length);
    if (slot->term) return &part->terms[slot->term - 1];
    GROW(part->terms, part->num_terms, &part->terms_capacity);
    struct part_term *added = &part->terms[part->num_terms++];
    *added = (struct part_term){.start = start,
                                .name = arena_strndup(&part->strings, term->bytes, term->length)};
    *slot = (struct part_slot){start, (uint32_t)term->length, (uint32_t)part->num_terms};
    return added;
}

static void count_term(struct part *part, struct part_term *term, uint32_t row)
{
    if (term->documents && term->row == row) {
        part->counts[term->latest].times++;
        return;
    }
    GROW(part->counts, part->num_counts, &part->counts_capacity);
    part->counts[part->num_counts] = (struct count){(uint32_t)(term - part->terms), row, 1};
    term->latest = part->num_counts++;
    term->row = row;
    term->documents++;
}

static int count_documents(struct build *build, struct part *part)
{
    struct document document = {0};
    struct text term = {0};
    int status = 0;
    for (size_t i = part->first; status == 0 && i < part->last; i++) {
        const char *text;
        size_t row = build->num_documents + i;
        status = build->read(build->block, i, &document, &text, &part->err);
        if (status) break;
        text_append(&part->ids, document.id.bytes ? document.id.bytes : "", document.id.length + 1);
        for (; next_term(&text, &term); build->lengths[row]++)
            count_term(part, find_or_add_term(part, &term), (uint32_t)row);
    }
    text_free(&term);
    document_free(&document);
    return status;
}

static int by_name(const void *left, const void *right)
{
    const struct part_term *a = *(const struct part_term *const *)left;
    const struct part_term *b = *(const struct part_term *const *)right;
    return a->start != b->start ? (a->start < b->start ? -1 : 1) : strcmp(a->name, b->name);
}

/* The counts by term, each term's in the order of rows. */
static struct occurrences *gather_rows(struct part *part)
{
    size_t place = 0;
    struct occurrences *rows = xcalloc(part->num_counts, sizeof *rows);
    for (size_t t = 0; t < part->num_terms; t++) {
        part->terms[t].place = place;
        place += part->terms[t].documents;
    }
    for (size_t i = 0; i < part->num_counts; i++) {
        struct count count = part->counts[i];
        rows[part->terms[count.term].place++] = (struct occurrences){count.row, count.times};
    }
    return rows;
}

static void make_run(struct part *part)
{
    struct occurrences *rows = gather_rows(part);
    const struct part_term **order = xcalloc(part->num_terms, sizeof *order);
    for (size_t t = 0; t < part->num_terms; t++) order[t] = &part->terms[t];
    qsort(order, part->num_terms, sizeof *order, by_name);
    for (size_t t = 0; t < part->num_terms; t++)
        run_append(&part->run, order[t]->name, strlen(order[t]->name),
                   rows + order[t]->place - order[t]->documents, order[t]->documents);
    free(order);
    free(rows);
}

static void part_free(struct part *part)
{
    free(part->slots);
    arena_free(&part->strings);
    free(part->terms);
    free(part->counts);
    text_free(&part->ids);
    text_free(&part->run);
    *part = (struct part){0};
}

static void work_part(void *arg, size_t item, int worker)
{
    struct build *build = arg;
    struct part *part = &build->parts[item];
    (void)worker;
    if (count_documents(build, part) == 0) make_run(part);
}

/* ---- blocks ---- */

static int take_ids(struct build *build, const struct part *part, struct error *err)
{
    const char *id = part->ids.bytes;
    for (size_t i = part->first; i < part->last; i++, id += strlen(id) + 1)
        if (*id && !names_add(&build->ids, id, strlen(id)))
            return fail(err, "%s: the id %s stands twice, the second time at document %zu",
                        build->name, id, build->num_documents + i + 1);
    return 0;
}

static int take_part(struct build *build, struct part *part, struct error *err)
{
    if (part->err.status) return fail(err, "%s", part->err.message);
    if (take_ids(build, part, err)) return -1;
    return runs_add(&build->runs, &part->run, err);
}

/* The next `count` documents. */
static int add_block(struct build *build, size_t count, document_reader *read, const void *block,
                     struct error *err)
{
    size_t parts = build->pool ? (size_t)pool_size(build->pool) : 1;
    int status = 0;
    if (count >= UINT32_MAX - 1 - build->num_documents)
        return fail(err, "more than 4 thousand million documents");
    while (build->capacity < build->num_documents + count)
        build->lengths = grow(build->lengths, &build->capacity, sizeof *build->lengths);
    memset(build->lengths + build->num_documents, 0, count * sizeof *build->lengths);
    build->parts = xcalloc(parts, sizeof *build->parts);
    build->read = read;
    build->block = block;
    for (size_t p = 0; p < parts; p++) {
        build->parts[p].first = count * p / parts;
        build->parts[p].last = count * (p + 1) / parts;
    }
    if (build->pool)
        pool_run(build->pool, parts, work_part, build);
    else
        work_part(build, 0, 0);
    for (size_t p = 0; p < parts; p++) {
        if (status == 0) status = take_part(build, &build->parts[p], err);
        part_free(&build->parts[p]);
    }
    free(build->parts);
    build->parts = NULL;
    build->num_documents += count;
    return status;
}

/* ---- the bytes ---- */

/* To a file, or to memory. */
struct sink {
    struct output *file;
    struct text *memory; /* where file is NULL */
    struct text waiting;
    uint64_t checksum, written;
};

static void sink_flush(struct sink *sink)
{
    const struct text *bytes = &sink->waiting;
    if (!bytes->length) return;
    sink->checksum = hash64(bytes->bytes, bytes->length, sink->checksum);
    if (sink->file)
        output_write(sink->file, bytes->bytes, bytes->length);
    else
        text_append(sink->memory, bytes->bytes, bytes->length);
    text_clear(&sink->waiting);
}

static void sink_write(struct sink *sink, const void *bytes, size_t length)
{
    sink->written += length;
    for (const char *at = bytes; length > 0;) {
        size_t room = BM25_HASHED - sink->waiting.length;
        size_t piece = length < room ? length : room;
        text_append(&sink->waiting, at, piece);
        at += piece, length -= piece;
        if (sink->waiting.length == BM25_HASHED) sink_flush(sink);
    }
}

static void sink_align(struct sink *sink)
{
    sink_write(sink, "\0\0\0\0\0\0\0", (size_t)(-sink->written & 7));
}

/* ---- lists ---- */

static int stop(struct error *err)
{
    fail(err, "interrupted");
    err->status = STATUS_INTERRUPTED;
    return -1;
}

struct writer {
    const struct build *build;
    struct sink sink;
    struct names names;
    struct bm25_term *terms;
    size_t capacity;
    struct bm25_footer footer;
    double quantum;
    size_t num_windows;
    struct bm25_window *windows; /* [num_windows] */
    union bm25_cell *postings;
    float *scratch; /* as many */
    size_t postings_capacity;
};

/* norm = k1 * (1 - b + b * length / mean), scale = idf * (k1 + 1) */
static void weigh(struct writer *writer, const struct occurrences *rows, size_t count)
{
    const struct bm25_settings *settings = &writer->build->settings;
    const uint32_t *lengths = writer->build->lengths;
    double df = (double)count, n = (double)writer->footer.documents;
    double scale = log(1 + (n - df + 0.5) / (df + 0.5)) * (settings->k1 + 1);
    double flat = settings->k1 * (1 - settings->b);
    double slope = settings->k1 * settings->b / writer->footer.mean_length;
    double quantum = writer->quantum, per_quantum = 1 / quantum;
    for (size_t i = 0; i < count; i++) {
        double times = rows[i].times, norm = flat + slope * lengths[rows[i].row];
        double quanta = rint(scale * times / (times + norm) * per_quantum);
        writer->postings[i].posting =
            (struct bm25_posting){rows[i].row, (float)(fmax(quanta, 1) * quantum)};
    }
}

static float largest_weight(const union bm25_cell *postings, size_t count)
{
    float most = 0;
    for (size_t i = 0; i < count; i++)
        if (postings[i].posting.weight > most) most = postings[i].posting.weight;
    return most;
}

static void write_windows(struct writer *writer, size_t count)
{
    uint32_t end = 0;
    for (size_t w = 0; w < writer->num_windows; w++) {
        uint32_t first = end;
        while (end < count && writer->postings[end].posting.row / BM25_WINDOW == w) end++;
        writer->windows[w] =
            (struct bm25_window){end, largest_weight(writer->postings + first, end - first)};
    }
    sink_write(&writer->sink, writer->windows, writer->num_windows * sizeof *writer->windows);
    writer->footer.cells += writer->num_windows;
}

static int write_list(void *arg, const struct text *name, const struct occurrences *rows,
                      size_t count, struct error *err)
{
    struct writer *writer = arg;
    struct bm25_footer *footer = &writer->footer;
    if (footer->terms >= UINT32_MAX - 2) return fail(err, "more than 4 thousand million terms");
    if (writer->sink.file && interrupted()) return stop(err);
    while (writer->postings_capacity < count) {
        size_t capacity = grown(&writer->postings_capacity);
        writer->postings = xrealloc(writer->postings, capacity, sizeof *writer->postings);
        writer->scratch = xrealloc(writer->scratch, capacity, sizeof *writer->scratch);
    }
    weigh(writer, rows, count);
    names_add(&writer->names, name->bytes, name->length);
    GROW(writer->terms, footer->terms, &writer->capacity);
    struct bm25_term *term = &writer->terms[footer->terms++];
    *term = (struct bm25_term){.list = footer->cells, .documents = (uint32_t)count};
    bm25_best(term->best, writer->postings, count, writer->scratch);
    if (bm25_has_windows(count, writer->num_windows)) write_windows(writer, count);
    sink_write(&writer->sink, writer->postings, count * sizeof *writer->postings);
    footer->cells += count;
    footer->postings += count;
    return writer->sink.file && writer->sink.file->failed ? -1 : 0;
}

/* ---- all of it ---- */

static double mean_length(const struct build *build)
{
    uint64_t sum = 0;
    for (size_t row = 0; row < build->num_documents; row++) sum += build->lengths[row];
    return build->num_documents ? (double)sum / (double)build->num_documents : 0;
}

static void write_section(struct sink *sink, const void *bytes, size_t length)
{
    sink_align(sink);
    sink_write(sink, bytes, length);
}

static void write_names(struct sink *sink, const struct name_table *table)
{
    write_section(sink, table->bytes, table->length);
    write_section(sink, table->starts, table->count * sizeof *table->starts);
}

/* What follows the lists. */
static void write_rest(struct writer *writer)
{
    struct sink *sink = &writer->sink;
    const struct name_table *names = &writer->names.table, *ids = &writer->build->ids.table;
    struct bm25_footer *footer = &writer->footer;
    write_section(sink, writer->terms, footer->terms * sizeof *writer->terms);
    write_names(sink, names);
    write_section(sink, names->slots, names->num_slots * sizeof *names->slots);
    write_names(sink, ids);
    sink_align(sink);
    sink_flush(sink);
    footer->name_bytes = names->length;
    footer->name_slots = names->num_slots;
    footer->ids = ids->count;
    footer->id_bytes = ids->length;
    footer->checksum = sink->checksum;
    sink_write(sink, footer, sizeof *footer);
    sink_flush(sink);
}

static int write_index(struct build *build, struct output *file, struct text *memory,
                       struct error *err)
{
    const struct bm25_settings *settings = &build->settings;
    struct writer writer = {.build = build,
                            .sink = {.file = file, .memory = memory},
                            .quantum = bm25_quantum(build->num_documents, settings->k1),
                            .num_windows = bm25_windows(build->num_documents)};
    writer.footer = (struct bm25_footer){.documents = build->num_documents,
                                         .k1 = settings->k1,
                                         .b = settings->b,
                                         .mean_length = mean_length(build)};
    memcpy(writer.footer.magic, bm25_magic, BM25_MAGIC_SIZE);
    writer.windows = xcalloc(writer.num_windows, sizeof *writer.windows);
    sink_write(&writer.sink, bm25_magic, BM25_MAGIC_SIZE);
    int status = runs_merge(&build->runs, write_list, &writer, err);
    if (status == 0) write_rest(&writer);
    text_free(&writer.sink.waiting);
    names_free(&writer.names);
    free(writer.terms);
    free(writer.windows);
    free(writer.postings);
    free(writer.scratch);
    return status;
}

static void build_free(struct build *build)
{
    runs_free(&build->runs);
    names_free(&build->ids);
    free(build->lengths);
}

/* ---- documents in memory ---- */

static int text_of(const void *arg, size_t i, struct document *out, const char **text,
                   struct error *err)
{
    const char *const *documents = arg;
    (void)out, (void)err;
    *text = documents[i];
    return 0;
}

struct bm25 *bm25_build(const char *const *documents, size_t n, double k1, double b,
                        struct pool *pool)
{
    struct build build = {
        .settings = {k1, b, SIZE_MAX}, .pool = pool, .runs = {.memory = SIZE_MAX}};
    struct bm25 *index = xcalloc(1, sizeof *index);
    struct text bytes = {0};
    struct error err = {0};
    int status = 0;
    for (size_t i = 0; status == 0 && i < n; i += BLOCK_DOCUMENTS)
        status = add_block(&build, n - i < BLOCK_DOCUMENTS ? n - i : BLOCK_DOCUMENTS, text_of,
                           documents + i, &err);
    if (status == 0) status = write_index(&build, NULL, &bytes, &err);
    index->bytes = bytes.bytes;
    index->size = bytes.length;
    if (status == 0) status = bm25_view(index, "", &err);
    REQUIRE(status == 0);
    build_free(&build);
    return index;
}

/* ---- a collection ---- */

static int parse_document(const void *arg, size_t i, struct document *out, const char **text,
                          struct error *err)
{
    if (block_document(out, arg, i, err)) return -1;
    *text = out->text.bytes;
    return 0;
}

struct collection_build {
    struct build build;
    struct progress progress;
};

static int add_documents(void *arg, const struct document_block *block, struct error *err)
{
    struct collection_build *all = arg;
    if (interrupted()) return stop(err);
    progress_add(&all->progress, block->count);
    return add_block(&all->build, block->count, parse_document, block, err);
}

int bm25_index_collection(const char *path, const char *collection,
                          const struct bm25_settings *settings, struct pool *pool,
                          struct error *err)
{
    struct output file;
    if (output_open(&file, path, err)) return -1;
    char *folder = path_folder(path);
    struct collection_build all = {
        .build = {.name = collection, .settings = *settings, .pool = pool}};
    struct build *build = &all.build;
    build->runs = (struct runs){.memory = settings->memory, .folder = folder};
    progress_start(&all.progress, "indexing", "documents", 0, 0);
    size_t bytes = (size_t)(pool ? pool_size(pool) : 1) * PART_BYTES;
    int status = collection_walk(collection, bytes, add_documents, &all, err);
    progress_end(&all.progress);
    if (status == 0) status = write_index(build, &file, NULL, err);
    if (status == 0 || file.failed)
        status = output_commit(&file, err);
    else
        output_abandon(&file);
    build_free(build);
    free(folder);
    return status;
}
