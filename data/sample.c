/* See sample.h.
 *
 * Every family, document and query has dice of its own, so that a longer list of texts begins with
 * the same texts. */
#include "data/sample.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "data/output.h"

enum { NOTHING = -1 };
/* How each document of a family differs from the family's fact: in one facet, which has a new value
 * or that of the document's other fact, in exchange. */
static const struct difference {
    int facet;
    bool exchanged;
} differences[SAMPLE_FAMILY] = {
    {NOTHING, false},       {NOTHING, false},        {NOTHING, false},       {SAMPLE_AGENT, false},
    {SAMPLE_TIME, false},   {SAMPLE_QUALITY, false}, {SAMPLE_DENIED, false}, {SAMPLE_DENIED, true},
    {SAMPLE_ACTION, false}, {SAMPLE_OBJECT, false},  {SAMPLE_ACTION, true},  {SAMPLE_ACTION, true},
};
/* A document that differs in one of these from what is asked is of no use. */
static const bool is_decisive[SAMPLE_FACETS] = {
    [SAMPLE_ACTION] = true, [SAMPLE_OBJECT] = true, [SAMPLE_PLACE] = true, [SAMPLE_DENIED] = true};

enum { CYCLE = 10 };
static const enum sample_split split_of[CYCLE] = {
    SAMPLE_TRAIN, SAMPLE_TEST,  SAMPLE_TRAIN, SAMPLE_TRAIN, SAMPLE_DEV,
    SAMPLE_TRAIN, SAMPLE_TRAIN, SAMPLE_TEST,  SAMPLE_TRAIN, SAMPLE_TRAIN,
};
static const char *const split_names[SAMPLE_SPLITS] = {"train", "dev", "test"};
static const int queries_of_family[SAMPLE_SPLITS] = {13, 6, 5}; /* less what comes twice */
enum { MOST_QUERIES = 13 };

/* ---- chance ---- */

enum purpose { FOR_PAIRS, FOR_ORDER, FOR_FACT, FOR_DOCUMENT, FOR_QUERIES };

struct dice {
    uint64_t seed, rolls;
};

static struct dice dice_for(uint64_t seed, enum purpose purpose, size_t index)
{
    return (struct dice){random_bits(seed, purpose, index), 0};
}

/* 0 .. sides - 1 */
static int roll(struct dice *dice, int sides)
{
    return (int)(random_uniform(dice->seed, 0, dice->rolls++) * sides);
}

static const char *draw(struct dice *dice, const char *const *list)
{
    int count = 0;
    while (list[count]) count++;
    return list[roll(dice, count)];
}

/* ---- facts ---- */

static int values_of(enum sample_facet facet)
{
    return facet == SAMPLE_DENIED ? 2 : sample_words[facet].count;
}

static int8_t another(struct dice *dice, enum sample_facet facet, int8_t value)
{
    int values = values_of(facet);
    return (int8_t)((value + 1 + roll(dice, values - 1)) % values);
}

/* What all texts are made from. */
struct county {
    uint64_t seed;
    uint32_t *pairs;  /* of action and object, in a random order */
    uint32_t *places; /* of a pair in that order */
    size_t num_pairs;
};

static struct county county_of(uint64_t seed)
{
    struct county county = {.seed = seed};
    county.num_pairs = (size_t)values_of(SAMPLE_ACTION) * (size_t)values_of(SAMPLE_OBJECT);
    county.pairs = xcalloc(county.num_pairs, sizeof *county.pairs);
    county.places = xcalloc(county.num_pairs, sizeof *county.places);
    random_permutation(county.pairs, county.num_pairs, seed, FOR_PAIRS);
    for (uint32_t i = 0; i < county.num_pairs; i++) county.places[county.pairs[i]] = i;
    return county;
}

/* A family has its pair for itself while there are pairs; towns take turns. */
static struct sample_fact fact_of(const struct county *county, size_t family)
{
    struct sample_fact fact;
    struct dice dice = dice_for(county->seed, FOR_FACT, family);
    int pair = (int)county->pairs[family % county->num_pairs];
    for (enum sample_facet facet = 0; facet < SAMPLE_FACETS; facet++)
        fact.values[facet] = (int8_t)roll(&dice, values_of(facet));
    fact.values[SAMPLE_ACTION] = (int8_t)(pair / values_of(SAMPLE_OBJECT));
    fact.values[SAMPLE_OBJECT] = (int8_t)(pair % values_of(SAMPLE_OBJECT));
    fact.values[SAMPLE_PLACE] = (int8_t)(family % (size_t)values_of(SAMPLE_PLACE));
    fact.values[SAMPLE_DENIED] = roll(&dice, 3) == 0;
    return fact;
}

/* Of the same town, and different otherwise. */
static struct sample_fact another_fact(struct dice *dice, const struct sample_fact *fact)
{
    struct sample_fact result = *fact;
    for (enum sample_facet facet = 0; facet < SAMPLE_FACETS; facet++)
        if (facet != SAMPLE_PLACE) result.values[facet] = another(dice, facet, fact->values[facet]);
    return result;
}

static enum sample_split split_of_fact(const struct county *county, const struct sample_fact *fact)
{
    int pair = fact->values[SAMPLE_ACTION] * values_of(SAMPLE_OBJECT) + fact->values[SAMPLE_OBJECT];
    return split_of[county->places[pair] % CYCLE];
}

/* Makes the difference between a family's fact and a document of it; other is the other fact. */
static void differ(struct sample_fact *fact, struct sample_fact *other,
                   const struct difference *difference, struct dice *dice)
{
    if (difference->facet == NOTHING) return;
    enum sample_facet facet = (enum sample_facet)difference->facet;
    int8_t *value = &fact->values[facet];
    if (difference->exchanged) {
        int8_t kept = *value;
        *value = other->values[facet];
        other->values[facet] = kept;
    } else if (facet == SAMPLE_ACTION && roll(dice, 2)) {
        *value ^= 1; /* the contrary */
    } else {
        *value = another(dice, facet, *value);
    }
}

/* The facts of a document, how many. */
static int document_facts(struct sample_fact facts[2], const struct county *county, size_t row,
                          struct dice *dice)
{
    const struct difference *difference = &differences[row % SAMPLE_FAMILY];
    facts[0] = fact_of(county, row / SAMPLE_FAMILY);
    facts[1] = another_fact(dice, &facts[0]);
    differ(&facts[0], &facts[1], difference, dice);
    return difference->exchanged || roll(dice, 2) ? 2 : 1;
}

/* ---- sentences ---- */

static const struct slot {
    const char *name;
    enum sample_facet facet;
    int inflection;
} slots[] = {
    {"agent", SAMPLE_AGENT, 0},     {"object", SAMPLE_OBJECT, 0}, {"objects", SAMPLE_OBJECT, 1},
    {"quality", SAMPLE_QUALITY, 0}, {"place", SAMPLE_PLACE, 0},   {"time", SAMPLE_TIME, 0},
    {"do", SAMPLE_ACTION, 0},       {"did", SAMPLE_ACTION, 1},    {"done", SAMPLE_ACTION, 2},
    {"doing", SAMPLE_ACTION, 3},
};
enum { NUM_SLOTS = sizeof slots / sizeof *slots };

static const struct slot *find_slot(const char *name, size_t length)
{
    size_t i = 0;
    while (i < NUM_SLOTS &&
           (strlen(slots[i].name) != length || memcmp(slots[i].name, name, length)))
        i++;
    REQUIRE(i < NUM_SLOTS);
    return &slots[i];
}

/* What a text is written with. */
struct writer {
    struct text text;
    struct dice *dice;
    const struct sample_fact *fact, *other;
    bool restrained;         /* keeps to the words of train queries */
    unsigned stated, others; /* facets of fact and of other that were written so far */
};

/* The first form, the common word, half of the time. */
static const char *draw_form(const struct writer *writer, enum sample_facet facet, int concept)
{
    const char *const *forms = sample_words[facet].concepts[concept].forms;
    int count = 1;
    while (count < SAMPLE_MAX_FORMS && forms[count]) count++;
    if (writer->restrained && count == SAMPLE_MAX_FORMS && concept % 4 == 0) count--;
    return count == 1 || roll(writer->dice, 2) ? forms[0]
                                               : forms[1 + roll(writer->dice, count - 1)];
}

static void write_word(struct writer *writer, const char *name, size_t length)
{
    static const char prefix[] = "other ";
    size_t skipped = strncmp(name, prefix, strlen(prefix)) == 0 ? strlen(prefix) : 0;
    const struct slot *slot = find_slot(name + skipped, length - skipped);
    const struct sample_fact *fact = skipped ? writer->other : writer->fact;
    const char *form = draw_form(writer, slot->facet, fact->values[slot->facet]);
    for (int i = 0; i < slot->inflection; i++) form = strchr(form, '|') + 1;
    text_append(&writer->text, form, strcspn(form, "|"));
    *(skipped ? &writer->others : &writer->stated) |= 1u << slot->facet;
}

static void write_sentence(struct writer *writer, const char *sentence)
{
    while (*sentence) {
        size_t length = strcspn(sentence, "<");
        text_append(&writer->text, sentence, length);
        sentence += length;
        if (!*sentence) break;
        length = strcspn(++sentence, ">");
        write_word(writer, sentence, length);
        sentence += length + 1;
    }
}

static void write_capitalised(struct writer *writer, const char *sentence)
{
    size_t begin = writer->text.length;
    write_sentence(writer, sentence);
    char *first = &writer->text.bytes[begin];
    *first = (char)toupper((unsigned char)*first);
}

/* The text so far, kept; the writer goes on with an empty one. */
static const char *finish(struct writer *writer, struct arena *strings)
{
    const char *kept = arena_strndup(strings, writer->text.bytes, writer->text.length);
    text_clear(&writer->text);
    return kept;
}

/* ---- documents ---- */

/* What was said of the fact, and no more. */
static void add_fact(struct sample_document *document, struct sample_fact fact, unsigned said)
{
    for (int facet = 0; facet < SAMPLE_FACETS; facet++)
        if (!(said >> facet & 1)) fact.values[facet] = SAMPLE_UNSAID;
    document->facts[document->num_facts++] = fact;
}

/* What a statement says of others: the same with their values, and that it was the other way.  The
 * quality was that of the fact's object. */
static void add_contrary(struct sample_document *document, const struct writer *writer,
                         unsigned said)
{
    struct sample_fact fact = *writer->fact;
    for (int facet = 0; facet < SAMPLE_FACETS; facet++)
        if (writer->others >> facet & 1) fact.values[facet] = writer->other->values[facet];
    if (writer->others >> SAMPLE_OBJECT & 1) said &= ~(1u << SAMPLE_QUALITY);
    fact.values[SAMPLE_DENIED] = !fact.values[SAMPLE_DENIED];
    add_fact(document, fact, said);
}

/* titled: facets of the fact that the title names. */
static void write_statement(struct sample_document *document, struct writer *writer,
                            const struct sample_fact *fact, unsigned titled)
{
    struct sample_fact other;
    writer->fact = fact, writer->other = &other, writer->stated = titled, writer->others = 0;
    for (enum sample_facet facet = 0; facet < SAMPLE_FACETS; facet++)
        other.values[facet] = another(writer->dice, facet, fact->values[facet]);
    write_capitalised(writer, draw(writer->dice, sample_statements[fact->values[SAMPLE_DENIED]]));
    unsigned said = writer->stated | 1u << SAMPLE_DENIED;
    add_fact(document, *fact, said);
    if (writer->others) add_contrary(document, writer, said);
}

/* Two facts, or the first and perhaps a sentence that tells nothing. */
static void write_document(struct sample_document *document, const struct sample_fact facts[2],
                           int num_facts, struct dice *dice, struct arena *strings)
{
    struct writer writer = {.dice = dice, .fact = &facts[0], .other = &facts[1]};
    write_capitalised(&writer, draw(dice, sample_titles));
    document->title = finish(&writer, strings);
    unsigned titled = writer.stated;
    int first = num_facts == 2 && roll(dice, 2);
    write_statement(document, &writer, &facts[first], first ? 0 : titled);
    if (num_facts == 2) {
        text_puts(&writer.text, " ");
        write_statement(document, &writer, &facts[!first], first ? titled : 0);
    } else if (roll(dice, 3)) {
        text_puts(&writer.text, " ");
        writer.other = &facts[1];
        write_capitalised(&writer, draw(dice, sample_asides));
    }
    document->text = finish(&writer, strings);
    text_free(&writer.text);
}

/* In a random order, so that neighbours are no relatives. */
static void make_documents(struct sample *out, const struct county *county)
{
    uint32_t *order = xcalloc(out->num_documents, sizeof *order);
    random_permutation(order, out->num_documents, county->seed, FOR_ORDER);
    out->documents = xcalloc(out->num_documents, sizeof *out->documents);
    for (size_t i = 0; i < out->num_documents; i++) {
        struct sample_document *document = &out->documents[order[i]];
        struct dice dice = dice_for(county->seed, FOR_DOCUMENT, i);
        struct sample_fact facts[2];
        int num_facts = document_facts(facts, county, i, &dice);
        write_document(document, facts, num_facts, &dice, &out->strings);
    }
    free(order);
}

/* ---- queries ---- */

static int grade_fact(const struct sample_query *query, const struct sample_fact *fact)
{
    int grade = 2;
    for (int facet = 0; facet < SAMPLE_FACETS; facet++)
        if (query->asked >> facet & 1 && fact->values[facet] != query->fact.values[facet])
            grade -= is_decisive[facet] ? 2 : 1;
    return grade > 0 ? grade : 0;
}

int sample_grade(const struct sample_query *query, const struct sample_document *document)
{
    int best = 0;
    for (int i = 0; i < document->num_facts; i++) {
        int grade = grade_fact(query, &document->facts[i]);
        if (grade > best) best = grade;
    }
    return best;
}

static bool is_answered(const struct sample *sample, const struct sample_query *query)
{
    size_t i = 0;
    while (i < sample->num_documents && sample_grade(query, &sample->documents[i]) < 2) i++;
    return i < sample->num_documents;
}

/* A query that stands there already, or that no document answers in full, is left out. */
static void add_query(struct sample *out, struct strmap *seen, struct sample_query query,
                      struct dice *dice)
{
    struct writer writer = {
        .dice = dice, .fact = &query.fact, .restrained = query.split == SAMPLE_TRAIN};
    write_sentence(&writer, draw(dice, sample_questions[query.fact.values[SAMPLE_DENIED]]));
    query.text = finish(&writer, &out->strings);
    query.asked = writer.stated | 1u << SAMPLE_DENIED;
    if (strmap_find(seen, query.text) < 0 && is_answered(out, &query)) {
        strmap_insert(seen, query.text, 0);
        out->queries[out->num_queries++] = query;
    }
    text_free(&writer.text);
}

/* Asks for facts of the family's documents, of the pairs that belong to its split. */
static void ask_family(struct sample *out, struct strmap *seen, const struct county *county,
                       size_t family, enum sample_split split)
{
    struct dice dice = dice_for(county->seed, FOR_QUERIES, family);
    size_t enough = out->num_queries + (size_t)queries_of_family[split];
    for (int tries = 0; tries < 100 && out->num_queries < enough; tries++) {
        struct sample_fact facts[2];
        size_t row = family * SAMPLE_FAMILY + (size_t)roll(&dice, SAMPLE_FAMILY);
        struct dice of_document = dice_for(county->seed, FOR_DOCUMENT, row);
        document_facts(facts, county, row, &of_document);
        struct sample_query query = {.fact = facts[0], .split = split};
        if (split_of_fact(county, &facts[0]) == split) add_query(out, seen, query, &dice);
    }
}

static void make_queries(struct sample *out, const struct county *county)
{
    struct strmap seen = {0};
    size_t families = out->num_documents / SAMPLE_FAMILY;
    out->queries = xcalloc(families * MOST_QUERIES, sizeof *out->queries);
    for (enum sample_split split = 0; split < SAMPLE_SPLITS; split++)
        for (size_t family = 0; family < families; family++) {
            struct sample_fact fact = fact_of(county, family);
            if (split_of_fact(county, &fact) == split)
                ask_family(out, &seen, county, family, split);
        }
    strmap_free(&seen);
}

void sample_make(struct sample *out, int documents, uint64_t seed)
{
    REQUIRE(documents >= SAMPLE_MIN_DOCUMENTS && documents <= SAMPLE_MAX_DOCUMENTS);
    struct county county = county_of(seed);
    *out = (struct sample){.num_documents = (size_t)documents};
    make_documents(out, &county);
    make_queries(out, &county);
    free(county.places);
    free(county.pairs);
}

void sample_free(struct sample *sample)
{
    free(sample->documents);
    free(sample->queries);
    arena_free(&sample->strings);
    *sample = (struct sample){0};
}

/* ---- files ---- */

static int open_in(struct output *out, const char *folder, const char *name, struct error *err)
{
    char *path = path_join(folder, name);
    int status = output_open(out, path, err);
    free(path);
    return status;
}

/* The words need no escapes. */
static int write_texts(const struct sample *sample, const char *folder, struct error *err)
{
    struct output out;
    if (open_in(&out, folder, "corpus.jsonl", err)) return -1;
    for (size_t i = 0; i < sample->num_documents; i++)
        output_printf(&out, "{\"_id\": \"d%zu\", \"title\": \"%s\", \"text\": \"%s\"}\n", i + 1,
                      sample->documents[i].title, sample->documents[i].text);
    if (output_commit(&out, err) || open_in(&out, folder, "queries.jsonl", err)) return -1;
    for (size_t i = 0; i < sample->num_queries; i++)
        output_printf(&out, "{\"_id\": \"q%zu\", \"text\": \"%s\"}\n", i + 1,
                      sample->queries[i].text);
    return output_commit(&out, err);
}

static int write_split(const struct sample *sample, enum sample_split split, const char *folder,
                       struct error *err)
{
    struct output out;
    char name[32];
    snprintf(name, sizeof name, "qrels/%s.tsv", split_names[split]);
    if (open_in(&out, folder, name, err)) return -1;
    output_printf(&out, "query-id\tcorpus-id\tscore\n");
    for (size_t q = 0; q < sample->num_queries; q++) {
        const struct sample_query *query = &sample->queries[q];
        for (size_t d = 0; query->split == split && d < sample->num_documents; d++) {
            int grade = sample_grade(query, &sample->documents[d]);
            if (grade) output_printf(&out, "q%zu\td%zu\t%d\n", q + 1, d + 1, grade);
        }
    }
    return output_commit(&out, err);
}

int sample_write(const struct sample *sample, const char *folder, struct error *err)
{
    char *qrels = path_join(folder, "qrels");
    int status = make_folder(qrels, err);
    if (!status) status = write_texts(sample, folder, err);
    for (enum sample_split split = 0; !status && split < SAMPLE_SPLITS; split++)
        status = write_split(sample, split, folder, err);
    free(qrels);
    return status;
}
