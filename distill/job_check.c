/* What follows from a job's keys together: defaults that depend on others, and contradictions.
 *
 * A contradiction names both keys and where one was set; which to change is the user's choice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/metrics.h"
#include "distill/evaluation.h"
#include "distill/job_keys.h"
#include "distill/pick.h"

/* The first grid column, and the smallest dimension a default tap is given; the smallest that a
 * step draws. */
enum { SMALLEST_DIM = 16, SMALLEST_WIDTH = 8 };

int contradiction(const struct job *job, int row, struct error *err, const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return fail_usage(err, "%s: %s %s", job->places[row] ? job->places[row] : job->path,
                      job_keys[row].name, message);
}

/* ---- derived defaults ---- */

static char *name_of_file(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return dot && dot > name ? xstrndup(name, (size_t)(dot - name)) : xstrdup(name);
}

static void add_int(struct int_list *list, int value)
{
    list->items = xrealloc(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = value;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* Where a step has the full model alone, it.  Or else every layer: the full width at the last one,
 * half of it at the one before, and so on; and the last layer at each of these dims, which the
 * diagonal alone leaves to chance (on nfcorpus a PCA of the full student then did better there). */
static void derive_taps(struct job *job, int width)
{
    int layers = (int)job->student.init.layers.count, last = 0;
    struct tap_list *taps = &job->student.taps;
    if (taps->count) return;
    taps->items = xrealloc(taps->items, 2 * (size_t)layers, sizeof *taps->items);
    if (job->distill.taps == TAPS_DRAWN && !job->distill.sample.layers && !job->distill.sample.dims)
        taps->items[taps->count++] = (struct tap){layers, width};
    if (taps->count) return;
    for (int pass = 0; pass < 2; pass++)
        for (int layer = 1; layer <= layers; layer++) {
            int dim = larger(width >> smaller(layers - layer, 30), smaller(SMALLEST_DIM, width));
            if (pass == 0 && layer < layers) taps->items[taps->count++] = (struct tap){layer, dim};
            if (pass == 1 && dim > last) taps->items[taps->count++] = (struct tap){layers, dim};
            if (pass == 1) last = dim;
        }
}

static void derive_dims(struct job *job, int width)
{
    if (job->evaluate.dims.count) return;
    for (int dim = SMALLEST_DIM; dim < width; dim *= 2) add_int(&job->evaluate.dims, dim);
    add_int(&job->evaluate.dims, width);
}

static void derive_sample(struct job *job, int width)
{
    int layers = (int)job->student.init.layers.count;
    struct int_list *from = &job->distill.sample.from, *widths = &job->distill.sample.widths;
    bool has_layers = from->count > 0, has_widths = widths->count > 0;
    int first = job->distill.sample.embeddings ? 0 : 1;
    for (int layer = first; !has_layers && layer < layers; layer++) add_int(from, layer);
    for (int dim = SMALLEST_WIDTH; !has_widths && dim < width; dim *= 2) add_int(widths, dim);
    if (!has_widths && job->distill.sample.full_width == FULL_WIDTH_NONE) add_int(widths, width);
}

/* What follows from the student's width. */
static void derive_of_width(struct job *job, int width)
{
    derive_taps(job, width);
    derive_sample(job, width);
    derive_dims(job, width);
}

static void replace(char **string, const char *value)
{
    char *copy = xstrdup(value);
    free(*string);
    *string = copy;
}

/* Sentences are documents: one prefix, one limit; what is taught is taught on them. */
static void derive_pairs(struct job *job)
{
    if (!job->places[KEY_OF(data.query_prefix)])
        replace(&job->data.query_prefix, job->data.document_prefix);
    if (!job->places[KEY_OF(data.max_query_tokens)])
        job->data.max_query_tokens = job->data.max_document_tokens;
    if (!job->places[KEY_OF(teach.pairs)]) replace(&job->teach.pairs, job->data.pairs);
}

void job_derive(struct job *job)
{
    if (job_has_pairs(job)) derive_pairs(job);
    if (!*job->name) {
        free(job->name);
        job->name = name_of_file(job->path);
    }
    const char *from = job->student.init.from;
    job->student.init.kind = strcmp(from, "teacher") == 0  ? INIT_TEACHER
                             : strcmp(from, "random") == 0 ? INIT_RANDOM
                                                           : INIT_FOLDER;
    job_derive_teacher(job);
    if (!job->places[KEY_OF(distill.seed)]) job->distill.seed = job->seed;
    if (!job->places[KEY_OF(distill.max_document_tokens)])
        job->distill.max_document_tokens = job->data.max_document_tokens;
    for (size_t i = 0; !job->places[KEY_OF(evaluate.layers)] && i < job->student.init.layers.count;
         i++)
        add_int(&job->evaluate.layers, (int)i + 1);
    if (job->student.projection && job->student.init.layers.count)
        derive_of_width(job, job->student.projection);
}

bool job_is_none(const char *value)
{
    return strcmp(value, "none") == 0;
}

bool job_has_pairs(const struct job *job)
{
    return !job_is_none(job->data.pairs);
}

bool job_has_pair_scores(const struct job *job)
{
    return !job->teacher.absent || job->distill.hpd.source != VECTORS_NONE;
}

const char *job_data_path(const struct job *job)
{
    return job_has_pairs(job) ? job->data.pairs : job->data.collection;
}

/* ---- contradictions ---- */

static int check_name(const struct job *job, struct error *err)
{
    const char *name = job->name;
    if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return contradiction(job, KEY_OF(name), err, "is %s, but it names a folder below runs/",
                             name);
    return 0;
}

static int check_splits(const struct job *job, struct error *err)
{
    const char *train = job->data.train_split, *dev = job->data.dev_split,
               *test = job->data.test_split;
    if (strcmp(dev, test) == 0)
        return contradiction(job, KEY_OF(data.dev_split), err,
                             "and data.test_split are both %s: the grid would be measured on what "
                             "chose the model",
                             dev);
    if (strcmp(train, test) == 0)
        return contradiction(job, KEY_OF(data.train_split), err,
                             "and data.test_split are both %s: the grid would be measured on what "
                             "was learnt",
                             train);
    if (strcmp(train, dev) == 0)
        return contradiction(job, KEY_OF(data.dev_split), err,
                             "and data.train_split are both %s; leave dev_split away and set "
                             "data.dev_fraction",
                             dev);
    return 0;
}

/* Queries that the job makes. */
static int check_made(const struct job *job, struct error *err)
{
    if (!(job->data.queries & QUERIES_MADE)) return 0;
    if (!job->data.made.kinds) return contradiction(job, KEY_OF(data.made.kinds), err, "is empty");
    if (job->data.made.min_words > job->data.made.max_words)
        return contradiction(job, KEY_OF(data.made.min_words), err,
                             "is %d, more than data.made.max_words %d", job->data.made.min_words,
                             job->data.made.max_words);
    if (job->data.made.keep > job->mine.scored)
        return contradiction(job, KEY_OF(data.made.keep), err,
                             "is %d, but mine.scored is %d: every query would be kept; set it to "
                             "all",
                             job->data.made.keep, job->mine.scored);
    if (job->distill.epochs > 0 && !job_has_scores(job))
        return contradiction(job, KEY_OF(data.queries), err,
                             "makes queries whose labels are a teacher's scores, but there are "
                             "neither teacher.model nor teacher.scores; set distill.epochs to 0 to "
                             "train on vectors alone");
    if (job->teacher.taught && job_is_none(job->teach.pairs))
        return contradiction(
            job, KEY_OF(data.queries), err,
            "makes queries whose labels are a teacher's scores, but teacher.model "
            "is teach, by labels; teach it in a job of its own, or by teach.pairs");
    return 0;
}

/* Losses that the data has nothing for, by key. */
static int check_kind_of_loss(const struct job *job, struct error *err)
{
    const struct {
        double weight;
        bool of_pairs;
        int row;
    } losses[] = {
        {job->distill.loss.info_nce, false, KEY_OF(distill.loss.info_nce)},
        {job->distill.loss.listwise_kl, false, KEY_OF(distill.loss.listwise_kl)},
        {job->distill.loss.margin_mse, false, KEY_OF(distill.loss.margin_mse)},
        {job->distill.loss.ranknet, false, KEY_OF(distill.loss.ranknet)},
        {job->distill.loss.lambda, false, KEY_OF(distill.loss.lambda)},
        {job->distill.loss.adr_mse, false, KEY_OF(distill.loss.adr_mse)},
        {job->distill.loss.cosent, true, KEY_OF(distill.loss.cosent)},
        {job->distill.loss.angle, true, KEY_OF(distill.loss.angle)},
        {job->distill.loss.cosine_mse, true, KEY_OF(distill.loss.cosine_mse)},
    };
    bool pairs = job_has_pairs(job);
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
        if (losses[i].weight > 0 && losses[i].of_pairs != pairs)
            return contradiction(job, losses[i].row, err,
                                 pairs ? "is %g, but data.pairs has no queries with candidates; "
                                         "losses of pairs are cosent, angle and cosine_mse"
                                       : "is %g, but it compares the scored pairs of data.pairs, "
                                         "which a collection has not",
                                 losses[i].weight);
    return 0;
}

/* Keys of queries that sentences do not have; job.yaml has both, equal. */
static int check_sides(const struct job *job, struct error *err)
{
    if (strcmp(job->data.query_prefix, job->data.document_prefix) != 0)
        return contradiction(job, KEY_OF(data.query_prefix), err,
                             "is not data.document_prefix, which stands before both sentences of "
                             "data.pairs; leave it away");
    if (job->data.max_query_tokens != job->data.max_document_tokens)
        return contradiction(job, KEY_OF(data.max_query_tokens), err,
                             "is %d, but both sentences of data.pairs are cut at "
                             "data.max_document_tokens (%d); leave it away",
                             job->data.max_query_tokens, job->data.max_document_tokens);
    return 0;
}

/* One kind of data, and what is asked of pairs. */
static int check_data(const struct job *job, struct error *err)
{
    if (check_kind_of_loss(job, err)) return -1;
    if (!job_has_pairs(job)) return 0;
    if (!job_is_none(job->data.collection))
        return contradiction(job, KEY_OF(data.pairs), err,
                             "and data.collection are both given; a job is of one of them");
    if (check_sides(job, err)) return -1;
    if (job->evaluate.systems & SYSTEM_BM25)
        return contradiction(job, KEY_OF(evaluate.systems), err,
                             "has bm25, but data.pairs has no documents to rank");
    if (job->distill.similarity != SIMILARITY_COSINE)
        return contradiction(job, KEY_OF(distill.similarity), err,
                             "is dot, but pairs are trained and measured by their cosines");
    if (job->teacher.scores.count)
        return contradiction(job, KEY_OF(teacher.scores), err,
                             "name queries and documents; any program's scores of sentence pairs "
                             "are the first column of data.pairs");
    if (job->distill.pair_targets & TARGET_TEACHER && !job_has_pair_scores(job))
        return contradiction(job, KEY_OF(distill.pair_targets), err,
                             "has teacher, but teacher.model, distill.hpd.encoder and "
                             "distill.hpd.targets are all none");
    if (job->data.queries & QUERIES_MADE)
        return contradiction(job, KEY_OF(data.queries), err,
                             "makes queries from documents, but data.pairs are trained on as they "
                             "are");
    if (!job->distill.pair_targets)
        return contradiction(job, KEY_OF(distill.pair_targets), err, "is empty");
    if (job->teacher.taught && job_is_none(job->teach.pairs))
        return contradiction(job, KEY_OF(teach.pairs), err,
                             "is none, but data.pairs has no labelled queries to teach by");
    return 0;
}

static int count_bits(int bits)
{
    return __builtin_popcount((unsigned)bits);
}

/* Each source needs what it mines by. */
static int check_sources(const struct job *job, struct error *err)
{
    int row = KEY_OF(mine.sources), sources = job->mine.sources;
    if (!sources) return contradiction(job, row, err, "is empty");
    if (sources & MINE_TEACHER && job->distill.hpd.source == VECTORS_NONE)
        return contradiction(job, row, err,
                             "has teacher, but there are no vectors: teacher.model, "
                             "distill.hpd.encoder and distill.hpd.targets are all none");
    if (sources & MINE_SCORES && !job->teacher.scores.count)
        return contradiction(job, row, err, "has scores, but teacher.scores is empty");
    return 0;
}

static int check_mining(const struct job *job, struct error *err)
{
    int most = job->mine.depth * count_bits(job->mine.sources);
    if (check_sources(job, err)) return -1;
    if (job->mine.scored > most)
        return contradiction(job, KEY_OF(mine.scored), err,
                             "is %d, but mine.sources of mine.depth %d give at most %d",
                             job->mine.scored, job->mine.depth, most);
    if (job->mine.negatives_per_query > job->mine.scored)
        return contradiction(job, KEY_OF(mine.negatives_per_query), err,
                             "is %d, more than mine.scored %d", job->mine.negatives_per_query,
                             job->mine.scored);
    return 0;
}

/* Whether the list rises and stays within `most`, the value of `limit`; 0: not known yet. */
static int check_rising(const struct job *job, int row, const struct int_list *list, int most,
                        const char *limit, struct error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0 && list->items[i] <= list->items[i - 1])
            return contradiction(job, row, err, "must rise, but %d stands before %d",
                                 list->items[i - 1], list->items[i]);
        if (most && list->items[i] > most)
            return contradiction(job, row, err, "has %d, but %s %d", list->items[i], limit, most);
    }
    return 0;
}

/* width 0: not known yet. */
static int check_taps(const struct job *job, int width, struct error *err)
{
    int row = KEY_OF(student.taps), layers = (int)job->student.init.layers.count;
    const struct tap_list *taps = &job->student.taps;
    if (job->student.activation != DENSE_IDENTITY && !job->student.projection)
        return contradiction(job, KEY_OF(student.activation), err,
                             "follows the projection, but student.projection is none");
    for (size_t i = 0; i < taps->count; i++) {
        struct tap tap = taps->items[i], before = i ? taps->items[i - 1] : (struct tap){0, 0};
        if (tap.layer > layers)
            return contradiction(job, row, err,
                                 "has layer %d, but student.init.layers give the student %d",
                                 tap.layer, layers);
        if (width && tap.dim > width)
            return contradiction(job, row, err, "has dimension %d, but the student's width is %d",
                                 tap.dim, width);
        bool rises =
            tap.layer > before.layer || (tap.layer == before.layer && tap.dim > before.dim);
        if (!rises)
            return contradiction(job, row, err, "must rise, but [%d, %d] stands before [%d, %d]",
                                 before.layer, before.dim, tap.layer, tap.dim);
    }
    if (!width || !taps->count) return 0;
    struct tap last = taps->items[taps->count - 1];
    if (last.layer != layers || last.dim != width)
        return contradiction(job, row, err,
                             "must end with the full model, [%d, %d], or its last layers and "
                             "dimensions would not be trained",
                             layers, width);
    return 0;
}

/* width 0: not known yet. */
static int check_sample(const struct job *job, int width, struct error *err)
{
    int layers = (int)job->student.init.layers.count, chosen = job->distill.sample.layers;
    enum full_width full = job->distill.sample.full_width;
    if (job->distill.taps != TAPS_DRAWN) return 0;
    if (!job->distill.sample.dims && full == FULL_WIDTH_NONE)
        return contradiction(job, KEY_OF(distill.sample.dims), err,
                             "is 0 and distill.sample.full_width none: a step would have no taps");
    if (!job->distill.sample.dims && chosen && full != FULL_WIDTH_ALL)
        return contradiction(job, KEY_OF(distill.sample.dims), err,
                             "is 0 and distill.sample.full_width not all: the layers that "
                             "distill.sample.layers draws would have no taps");
    return check_rising(job, KEY_OF(distill.sample.from), &job->distill.sample.from, layers - 1,
                        "the layers below the last end at", err) ||
                   check_rising(job, KEY_OF(distill.sample.widths), &job->distill.sample.widths,
                                width, "the student's width is", err)
               ? -1
               : 0;
}

static int check_losses(const struct job *job, struct error *err)
{
    double lists = job->distill.loss.listwise_kl + job->distill.loss.margin_mse +
                   job->distill.loss.ranknet + job->distill.loss.lambda + job->distill.loss.adr_mse;
    double pairs =
        job->distill.loss.cosent + job->distill.loss.angle + job->distill.loss.cosine_mse;
    double taught = job->distill.loss.info_nce + lists + pairs + job->distill.loss.hpd.start +
                    job->distill.loss.hpd.end + job->distill.loss.align.start +
                    job->distill.loss.align.end;
    if (taught == 0 && job->distill.epochs > 0)
        return contradiction(job, KEY_OF(distill.epochs), err,
                             "is %d, but every weight in distill.loss (self_kl, coordinate_kl and "
                             "compress aside) is 0",
                             job->distill.epochs);
    if (!job_has_scores(job) && lists > 0)
        return contradiction(job, KEY_OF(distill.loss.listwise_kl), err,
                             "and its like in distill.loss copy scores, but teacher.model is none "
                             "and teacher.scores empty; set their weights to 0");
    if (job_uses_hpd(job) && job->distill.hpd.source == VECTORS_NONE)
        return contradiction(job, KEY_OF(distill.hpd.epochs), err,
                             "and distill.loss.hpd copy vectors, but teacher.model, "
                             "distill.hpd.encoder and distill.hpd.targets are all none; set them "
                             "to 0");
    if (job->distill.hpd.epochs == 0 && job->distill.epochs == 0)
        return contradiction(job, KEY_OF(distill.epochs), err,
                             "and distill.hpd.epochs are both 0: nothing is trained");
    if (job->mine.negatives_per_query == 0 && lists > 0)
        return contradiction(job, KEY_OF(mine.negatives_per_query), err,
                             "is 0, but listwise_kl, margin_mse, ranknet, lambda and adr_mse in "
                             "distill.loss compare a query's documents; set their weights to 0");
    if (job->distill.max_document_tokens > job->data.max_document_tokens)
        return contradiction(job, KEY_OF(distill.max_document_tokens), err,
                             "is %d, more than data.max_document_tokens (%d)",
                             job->distill.max_document_tokens, job->data.max_document_tokens);
    return 0;
}

static bool is_correlation(const char *word)
{
    enum correlation ignored;
    return correlation_parse(&ignored, word);
}

/* The measure's canonical name, so that ndcg@10 and ndcg_cut_10 are seen to be the same. */
static int check_measure(const struct job *job, const char *word, char name[32], struct error *err)
{
    struct measure measure;
    struct error why = {0};
    int row = KEY_OF(evaluate.measures);
    if (job_has_pairs(job)) {
        if (!is_correlation(word))
            return contradiction(job, row, err, "has %s, but pairs have spearman and pearson",
                                 word);
        strcpy(name, word);
        return 0;
    }
    if (measure_parse(&measure, word, &why)) return contradiction(job, row, err, "%s", why.message);
    if (measure_is_count(measure))
        return contradiction(job, row, err, "has %s, a count: it has no mean over queries", word);
    measure_name(name, measure);
    return 0;
}

static int check_measures(const struct job *job, struct error *err)
{
    const struct string_list *measures = &job->evaluate.measures;
    if (!measures->count) return contradiction(job, KEY_OF(evaluate.measures), err, "is empty");
    for (size_t i = 0; i < measures->count; i++) {
        char name[32], other[32];
        if (check_measure(job, measures->items[i], name, err)) return -1;
        for (size_t j = 0; j < i; j++) {
            if (check_measure(job, measures->items[j], other, err)) return -1;
            if (strcmp(name, other) == 0)
                return contradiction(job, KEY_OF(evaluate.measures), err, "has %s twice", name);
        }
    }
    return 0;
}

static bool has_int(const struct int_list *list, int value)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i] == value) return true;
    return list->count == 0; /* not known yet */
}

/* The rule is asked of the grid's own columns and points. */
static int check_pick(const struct job *job, struct error *err)
{
    struct pick_rule rule;
    struct error why = {0};
    char names[MAX_MEASURES][32];
    const char *measures[MAX_MEASURES];
    int row = KEY_OF(export.pick), count = (int)job->evaluate.measures.count;
    if (count > MAX_MEASURES)
        return contradiction(job, KEY_OF(evaluate.measures), err, "has %d, at most %d", count,
                             MAX_MEASURES);
    for (int i = 0; i < count; i++) {
        if (check_measure(job, job->evaluate.measures.items[i], names[i], err)) return -1;
        measures[i] = names[i];
    }
    if (pick_parse(&rule, job->export.pick, &why) || pick_check(&rule, measures, count, &why))
        return contradiction(job, row, err, "%s", why.message);
    if (rule.point.layer && (!has_int(&job->evaluate.layers, rule.point.layer) ||
                             !has_int(&job->evaluate.dims, rule.point.dim)))
        return contradiction(job, row, err,
                             "is layers %d, dim %d, which evaluate.layers and evaluate.dims lack",
                             rule.point.layer, rule.point.dim);
    return 0;
}

static int check_evaluation(const struct job *job, struct error *err)
{
    int layers = (int)job->student.init.layers.count;
    if (check_rising(job, KEY_OF(evaluate.layers), &job->evaluate.layers, layers,
                     "the number of student.init.layers is", err) ||
        check_rising(job, KEY_OF(evaluate.dims), &job->evaluate.dims, job->student.projection,
                     "student.projection is", err) ||
        check_measures(job, err))
        return -1;
    if (!(job->evaluate.systems & SYSTEM_STUDENT))
        return contradiction(job, KEY_OF(evaluate.systems), err,
                             "has no student: nothing could be picked or exported");
    return check_pick(job, err);
}

int job_check(const struct job *job, struct error *err)
{
    if (!job->student.init.layers.count)
        return contradiction(job, KEY_OF(student.init.layers), err, "is empty");
    if (check_name(job, err) || check_data(job, err) || check_splits(job, err) ||
        check_made(job, err) || job_check_teacher(job, err) || check_mining(job, err) ||
        check_taps(job, job->student.projection, err) ||
        check_sample(job, job->student.projection, err) || check_losses(job, err))
        return -1;
    return check_evaluation(job, err);
}

/* ---- what the models tell ---- */

static int fit_layers(const struct job *job, const struct job_models *models, struct error *err)
{
    const struct int_list *layers = &job->student.init.layers;
    for (size_t i = 0; job->student.init.kind != INIT_RANDOM && i < layers->count; i++)
        if (layers->items[i] > models->start->num_layers)
            return contradiction(job, KEY_OF(student.init.layers), err,
                                 "has %d, but the model has %d layers", layers->items[i],
                                 models->start->num_layers);
    if (models->teacher && job->distill.hpd.layer > models->teacher->num_layers)
        return contradiction(job, KEY_OF(distill.hpd.layer), err,
                             "is %d, but the teacher has %d layers", job->distill.hpd.layer,
                             models->teacher->num_layers);
    return 0;
}

static int fit_align(const struct job *job, const struct job_models *models, int width,
                     struct error *err)
{
    const struct int_list *layers = &job->distill.align.layers;
    for (size_t i = 0; i < layers->count; i++)
        if (layers->items[i] > models->aligned->num_layers)
            return contradiction(job, KEY_OF(distill.align.layers), err,
                                 "has %d, but that model has %d layers", layers->items[i],
                                 models->aligned->num_layers);
    if (layers->count && width > models->aligned_width)
        return contradiction(job, KEY_OF(distill.align.layers), err,
                             "align a student %d wide with layers of width %d", width,
                             models->aligned_width);
    return 0;
}

int job_fit(struct job *job, const struct job_models *models, struct error *err)
{
    if (fit_layers(job, models, err)) return -1;
    int width = job->student.projection ? job->student.projection : models->start->hidden_size;
    if (job_uses_hpd(job) && width > models->vector_width)
        return contradiction(job, KEY_OF(student.projection), err,
                             "makes the student %d wide, but the HPD targets come from vectors of "
                             "width %d; set distill.hpd.epochs and distill.loss.hpd to 0",
                             width, models->vector_width);
    if (fit_align(job, models, width, err)) return -1;
    derive_of_width(job, width);
    if (check_taps(job, width, err) || check_sample(job, width, err)) return -1;
    if (check_rising(job, KEY_OF(evaluate.dims), &job->evaluate.dims, width,
                     "the student's width is", err))
        return -1;
    return check_pick(job, err); /* its point is among the dims now */
}
