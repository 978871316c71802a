/* The table of job keys.  Defaults follow docs/methods.md where it has a value. */
#include "distill/job_keys.h"
#include "distill/recipes.h"

#include <limits.h>
#include <string.h>

static const struct key_word precisions[] = {{"auto", PRECISION_AUTO},
                                             {"f32", PRECISION_F32},
                                             {"bf16", PRECISION_BF16},
                                             {"int8", PRECISION_INT8},
                                             {0}};
static const struct key_word sources[] = {
    {"bm25", MINE_BM25}, {"teacher", MINE_TEACHER}, {"scores", MINE_SCORES}, {0}};
static const struct key_word query_sources[] = {
    {"labelled", QUERIES_LABELLED}, {"made", QUERIES_MADE}, {"both", QUERIES_BOTH}, {0}};
static const struct key_word made_kinds[] = {{"title", MADE_TITLE}, {"crop", MADE_CROP}, {0}};
static const struct key_word made_weights[] = {
    {"probability", MADE_WEIGHT_PROBABILITY}, {"none", MADE_WEIGHT_NONE}, {0}};
static const struct key_word everything[] = {{"all", 0}, {0}};
static const struct key_word taught[] = {{"teach", 1}, {"none", 0}, {0}};
static const struct key_word missing_scores[] = {
    {"drop", MISSING_DROP}, {"lowest", MISSING_LOWEST}, {"teacher", MISSING_TEACHER}, {0}};
static const struct key_word at_random[] = {{"random", 0}, {0}};
static const struct key_word trained[] = {{"train", 0}, {0}};
static const struct key_word nothing[] = {{"none", 0}, {0}};
static const struct key_word teach_sources[] = {
    {"bm25", TEACH_BM25}, {"guide", TEACH_GUIDE}, {"random", TEACH_RANDOM}, {0}};
static const struct key_word origins[] = {{"teacher", INIT_TEACHER}, {"random", INIT_RANDOM}, {0}};
static const struct key_word activations[] = {{"none", DENSE_IDENTITY}, {"tanh", DENSE_TANH}, {0}};
static const struct key_word pair_targets[] = {
    {"labels", TARGET_LABELS}, {"teacher", TARGET_TEACHER}, {0}};
static const struct key_word no_projection[] = {{"none", 0}, {0}};
static const struct key_word poolings[] = {{"mean", POOLING_MEAN}, {"cls", POOLING_CLS}, {0}};
static const struct key_word by_probe[] = {{"probe", BY_PROBE}, {0}};
static const struct key_word forms[] = {
    {"probe", BY_PROBE}, {"single", FORM_SINGLE}, {"pair", FORM_PAIR}, {0}};
static const struct key_word similarities[] = {
    {"cosine", SIMILARITY_COSINE}, {"dot", SIMILARITY_DOT}, {0}};
static const struct key_word weightings[] = {
    {"uniform", TAP_WEIGHTS_UNIFORM}, {"log", TAP_WEIGHTS_LOG}, {"inv", TAP_WEIGHTS_INV}, {0}};
static const struct key_word tap_policies[] = {{"listed", TAPS_LISTED}, {"drawn", TAPS_DRAWN}, {0}};
static const struct key_word hpd_losses[] = {
    {"mse", HPD_MSE}, {"cosine", HPD_COSINE}, {"gram", HPD_GRAM}, {0}};
static const struct key_word counts[] = {{"all", EVERY}, {0}};
static const struct key_word full_widths[] = {
    {"none", FULL_WIDTH_NONE}, {"last", FULL_WIDTH_LAST}, {"all", FULL_WIDTH_ALL}, {0}};
static const struct key_word schedules[] = {
    {"linear", SCHEDULE_LINEAR}, {"cosine", SCHEDULE_COSINE}, {"constant", SCHEDULE_CONSTANT}, {0}};
static const struct key_word averages[] = {
    {"none", AVERAGE_NONE}, {"ema", AVERAGE_EMA}, {"last", AVERAGE_LAST}, {0}};
static const struct key_word systems[] = {{"student", SYSTEM_STUDENT},
                                          {"init", SYSTEM_INIT},
                                          {"no-teacher", SYSTEM_NO_TEACHER},
                                          {"bm25", SYSTEM_BM25},
                                          {"teacher", SYSTEM_TEACHER},
                                          {"pca", SYSTEM_PCA},
                                          {0}};
static const struct key_word formats[] = {{"sentence-transformers", FORMAT_SENTENCE_TRANSFORMERS},
                                          {0}};

/* Name and offset of a field of struct job. */
#define KEY(field) #field, offsetof(struct job, field)
/* Bounds. */
#define FROM(least)          .low = (least), .high = INT_MAX
#define BETWEEN(least, most) .low = (least), .high = (most)

/* clang-format off */
const struct key job_keys[] = {
    {KEY(name), KEY_STRING, "", .help = "name of the run; its folder is runs/NAME",
     .derived = "the file's name"},
    {KEY(seed), KEY_INT, "13", .help = "seed of everything random", FROM(0)},
    {KEY(threads), KEY_INT, "0", .help = "worker threads; 0: one per core",
     BETWEEN(0, 1024)},
    {KEY(precision), KEY_WORD, "auto",
     .help = "of matrix products; auto: bf16 where the processor is fast at it; int8: calibrated "
             "on the collection, for all but training, which is auto then",
     .words = precisions},

    {KEY(data.collection), KEY_WORD_OR_PATH, "none",
     .help = "BEIR collection: a folder, .zip, .tar.gz or .tar.zst", .words = nothing,
     .derived = "required, or `data.pairs`"},
    {KEY(data.pairs), KEY_WORD_OR_PATH, "none",
     .help = "instead of a collection: a folder or archive whose train.tsv, dev.tsv and test.tsv "
             "have a score and two sentences a line (STS)",
     .words = nothing},
    {KEY(data.query_prefix), KEY_STRING, "",
     .help = "put before every query, for the student"},
    {KEY(data.document_prefix), KEY_STRING, "",
     .help = "put before every document, or sentence of data.pairs, for the student"},
    {KEY(data.train_split), KEY_STRING, "train", .help = "qrels, or pairs, to learn from"},
    {KEY(data.dev_split), KEY_STRING, "dev",
     .help = "those to choose the best checkpoint by; a share of train where there are none"},
    {KEY(data.test_split), KEY_STRING, "test",
     .help = "those that the grid is measured on"},
    {KEY(data.max_query_tokens), KEY_INT, "64",
     .help = "longer queries are cut, for the student", "tokens", BETWEEN(3, 8192)},
    {KEY(data.max_document_tokens), KEY_INT, "200",
     .help = "longer documents, or sentences, are cut, for the student", "tokens",
     BETWEEN(3, 8192)},
    {KEY(data.dev_fraction), KEY_DOUBLE, "0.1",
     .help = "train queries (or pairs) that become dev, by a hash of their ids (or sentences), "
             "where there is no dev split",
     "share", BETWEEN(0, 0.9)},
    {KEY(data.max_train_queries), KEY_INT, "0",
     .help = "use at most so many train queries, or pairs; 0: all", "queries", FROM(0)},
    {KEY(data.drop_same_id), KEY_BOOL, "false",
     .help = "a document with the query's own id is never retrieved (ArguAna, Quora)"},
    {KEY(data.queries), KEY_WORD, "labelled",
     .help = "queries to learn from: data.train_split's, those made from the documents, or both",
     .words = query_sources},
    {KEY(data.made.kinds), KEY_WORDS, "[title, crop]",
     .help = "what queries are made of: titles, sentences", .words = made_kinds},
    {KEY(data.made.per_document), KEY_INT, "2",
     .help = "made of one document, at most: its title, then sentences", "queries",
     BETWEEN(1, 1000)},
    {KEY(data.made.queries), KEY_INT, "5000", .help = "made in all, at most; 0: no limit",
     "queries", FROM(0)},
    {KEY(data.made.min_words), KEY_INT, "5", .help = "no sentence with fewer is a query", "words",
     BETWEEN(1, 1000)},
    {KEY(data.made.max_words), KEY_INT, "40", .help = "a longer sentence is cropped to its first",
     "words", BETWEEN(1, 1000)},
    {KEY(data.made.remove), KEY_DOUBLE, "0.9",
     .help = "made queries that are removed from the document that is their positive, in training "
             "and as dev",
     "share", BETWEEN(0, 1)},
    {KEY(data.made.keep), KEY_INT_OR_WORD, "1",
     .help = "made train queries are kept whose document the teacher ranks so high among the "
             "candidates, or all",
     "rank", BETWEEN(1, 10000), .words = everything},
    {KEY(data.made.weight), KEY_WORD, "probability",
     .help = "of a made query: how often it is drawn, in the share of epochs that is the teacher's "
             "probability of its document among the candidates (at distill.teacher_temperature); "
             "none: in all",
     .words = made_weights},

    {KEY(teacher.model), KEY_WORD_OR_PATH, NULL,
     .help = "cross-encoder: a Hugging Face folder (config.json, model.safetensors, tokenizer); "
             "teach: the job makes it; none: scores come from teacher.scores, or from nobody",
     .words = taught},
    {KEY(teacher.precision), KEY_WORD, "auto",
     .help = "of the teacher's matrix products", .words = precisions, .derived = "`precision`"},
    {KEY(teacher.max_length), KEY_INT, "256",
     .help = "longer pairs are cut, for the teacher", "tokens", BETWEEN(8, 8192)},

    {KEY(teacher.scores), KEY_PATHS, "[]",
     .help = "files of scores, each another teacher's: TREC runs, or query-id, document-id, score "
             "lines (docs/outside-teacher.md)"},
    {KEY(teacher.weights), KEY_NUMBERS, "[]",
     .help = "of teacher.model, where there is one, then of each file of teacher.scores",
     BETWEEN(0, 1e6), .derived = "1 each"},
    {KEY(teacher.missing), KEY_WORD, "drop",
     .help = "a candidate that no file of teacher.scores has: is left out, gets its query's lowest "
             "score, or teacher.model's",
     .words = missing_scores, .derived = "teacher; drop where teacher.model is none"},

    {KEY(teach.init), KEY_WORD_OR_PATH, "random",
     .help = "where a taught teacher begins: a Hugging Face encoder or cross-encoder, or random",
     .words = at_random},
    {KEY(teach.shape.layers), KEY_INT, "3", .help = "of a teacher that begins at random",
     "layers", BETWEEN(1, 100)},
    {KEY(teach.shape.hidden_size), KEY_INT, "128", .help = "of its hidden states", "values",
     BETWEEN(1, 16384)},
    {KEY(teach.shape.heads), KEY_INT, "4", .help = "attention heads; they divide hidden_size",
     BETWEEN(1, 1024)},
    {KEY(teach.shape.intermediate_size), KEY_INT, "512", .help = "of its feed-forward layers",
     "values", BETWEEN(1, 65536)},
    {KEY(teach.shape.positions), KEY_INT, "512", .help = "the longest pair it can ever read",
     "tokens", BETWEEN(8, 8192)},
    {KEY(teach.vocabulary), KEY_WORD_OR_PATH, "train",
     .help = "of a teacher that begins at random: a folder with a tokenizer; train: WordPiece "
             "from the collection",
     .words = trained},
    {KEY(teach.vocabulary_size), KEY_INT, "8000", .help = "of a trained vocabulary, at most",
     "tokens", BETWEEN(32, 1000000)},
    {KEY(teach.word_vectors), KEY_BOOL, "true",
     .help = "word embeddings that begin at random begin as vectors of co-occurrence counts"},
    {KEY(teach.pairs), KEY_WORD_OR_PATH, "none",
     .help = "learn from scored pairs, not from labels: score<TAB>query<TAB>document lines, a "
             ".tsv or a folder or archive with train.tsv and dev.tsv",
     .words = nothing, .derived = "`none`; `data.pairs` where the job is of pairs"},
    {KEY(teach.sources), KEY_WORDS, "[bm25, random]",
     .help = "where negatives come from; guide: by teach.guide's vectors",
     .words = teach_sources},
    {KEY(teach.candidates), KEY_INT, "32",
     .help = "documents per query that its negatives are drawn from, from the sources in turn",
     "documents", BETWEEN(1, 10000)},
    {KEY(teach.guide), KEY_WORD_OR_PATH, "none",
     .help = "a dual encoder (a folder) whose similarities are mixed into the softmax target",
     .words = nothing},
    {KEY(teach.guide_weight), KEY_DOUBLE, "0.4", .help = "share of the guide in the target",
     "share", BETWEEN(0, 1)},
    {KEY(teach.guide_temperature), KEY_DOUBLE, "0.05",
     .help = "the guide's similarities are divided by it", BETWEEN(1e-4, 1e4)},
    {KEY(teach.found_positives), KEY_BOOL, "false",
     .help = "learn only from positives that a source finds within mine.depth"},
    {KEY(teach.negatives_per_query), KEY_INT, "7",
     .help = "documents beside the positive of one query in one step", "documents",
     BETWEEN(1, 1000)},
    {KEY(teach.loss.softmax), KEY_DOUBLE, "1",
     .help = "weight of the listwise cross-entropy over a query's documents", BETWEEN(0, 1e6),
     .derived = "`1`; `0` where the job is of pairs"},
    {KEY(teach.loss.bce), KEY_DOUBLE, "0",
     .help = "weight of the binary cross-entropy of each pair's label", BETWEEN(0, 1e6)},
    {KEY(teach.loss.margin_mse), KEY_DOUBLE, "0",
     .help = "weight of the squared error of score differences, with teach.pairs",
     BETWEEN(0, 1e6)},
    {KEY(teach.loss.mse), KEY_DOUBLE, "0",
     .help = "weight of the squared error of scores, with teach.pairs", BETWEEN(0, 1e6),
     .derived = "`0`; `1` where the job is of pairs"},
    {KEY(teach.epochs), KEY_INT, "3", .help = "passes over the train queries", "epochs",
     BETWEEN(1, 1000)},
    {KEY(teach.batch_queries), KEY_INT, "16", .help = "queries in a step", "queries",
     BETWEEN(1, 65536)},
    {KEY(teach.learning_rate), KEY_DOUBLE, "5e-5", .help = "highest rate", BETWEEN(0, 1)},
    {KEY(teach.weight_decay), KEY_DOUBLE, "0.01", .help = "AdamW's, on matrices only",
     BETWEEN(0, 1)},
    {KEY(teach.clip_norm), KEY_DOUBLE, "1", .help = "largest norm of the gradient; 0: no limit",
     BETWEEN(0, 1e6)},
    {KEY(teach.dropout), KEY_DOUBLE, "0.1", .help = "while training", "share", BETWEEN(0, 0.9)},
    {KEY(teach.warmup), KEY_DOUBLE, "0.1", .help = "the rate rises from 0 for so long",
     "share of the steps", BETWEEN(0, 1)},
    {KEY(teach.schedule), KEY_WORD, "linear", .help = "how the rate falls afterwards",
     .words = schedules},
    {KEY(teach.layer_decay), KEY_DOUBLE, "1",
     .help = "the rate falls by this factor with every block downwards, and to the embeddings",
     BETWEEN(0.01, 1)},
    {KEY(teach.average), KEY_WORD, "none",
     .help = "what dev sees and what is kept: the weights, or their mean along the way: "
             "exponential, or of the last steps",
     .words = averages},
    {KEY(teach.ema_decay), KEY_DOUBLE, "0.99",
     .help = "ema: weights of one step before count less by this factor",
     BETWEEN(0, 0.999999)},
    {KEY(teach.average_share), KEY_DOUBLE, "0.25",
     .help = "last: the end of the phase, which is averaged",
     "share of the steps", BETWEEN(0, 1)},
    {KEY(teach.init_share), KEY_DOUBLE, "0",
     .help = "what is left is a weighted mean of teach.init's weights and the taught ones",
     "share", BETWEEN(0, 1)},
    {KEY(teach.evaluations_per_epoch), KEY_INT, "2",
     .help = "how often dev is evaluated; the best model is kept", BETWEEN(1, 1000)},
    {KEY(teach.patience), KEY_INT, "0",
     .help = "stop after so many evaluations without a better one; 0: never", "evaluations",
     BETWEEN(0, 1000)},
    {KEY(teach.dev_queries), KEY_INT, "100",
     .help = "dev queries whose candidates are re-ranked in an evaluation", "queries", FROM(1)},

    {KEY(mine.sources), KEY_WORDS, "[bm25]",
     .help = "where candidates come from; teacher: by the vectors that HPD copies, or would; "
             "scores: what the files of teacher.scores hold",
     .words = sources,
     .derived = "`[bm25]`; `[bm25, teacher]` where distill.hpd.encoder or distill.hpd.targets is "
                "given"},
    {KEY(mine.depth), KEY_INT, "100", .help = "how deep each source is read",
     "documents", BETWEEN(1, 10000)},
    {KEY(mine.scored), KEY_INT, "32",
     .help = "candidates per query that the teacher scores, beside the labelled positives",
     "documents", BETWEEN(1, 10000)},
    {KEY(mine.positives), KEY_INT, "8",
     .help = "labelled positives per query that are used, highest grade first", "documents",
     BETWEEN(1, 1000)},
    {KEY(mine.negatives_per_query), KEY_INT, "7",
     .help = "hard negatives of one query in one step", "documents", BETWEEN(0, 1000)},
    {KEY(mine.false_negative_margin), KEY_DOUBLE, "0",
     .help = "no InfoNCE negative if its logit is above the best positive's less this margin",
     "standard deviations of the logits", BETWEEN(-100, 100)},
    {KEY(mine.bm25_k1), KEY_DOUBLE, "0.9",
     .help = "BM25: how fast term frequency saturates", BETWEEN(0, 10)},
    {KEY(mine.bm25_b), KEY_DOUBLE, "0.4", .help = "BM25: how much length counts",
     BETWEEN(0, 1)},
    {KEY(mine.refresh_steps), KEY_INT, "0",
     .help = "the student being trained mines anew after every so many steps; 0: never", "steps",
     FROM(0)},
    {KEY(mine.refresh_depth), KEY_INT, "30",
     .help = "how deep it is read then; what is new joins the first candidates", "documents",
     BETWEEN(1, 10000)},

    {KEY(probe.queries), KEY_INT, "200",
     .help = "dev queries that the layer probe uses", "queries", FROM(1)},
    {KEY(probe.documents), KEY_INT, "5000",
     .help = "documents that the layer probe searches, the relevant ones among them", "documents",
     FROM(1)},

    {KEY(student.recipe), KEY_WORD, "retort",
     .help = "a method of the field: it gives values to keys that are not given",
     .words = recipe_words},
    {KEY(student.init.from), KEY_WORD_OR_PATH, "teacher",
     .help = "where the weights come from; a path: a sentence-transformers folder",
     .words = origins},
    {KEY(student.init.layers), KEY_INTS, "[1, 2, 3]",
     .help = "blocks of the source, from 1, that become the student's, in this order; 0: a "
             "random block",
     BETWEEN(0, 1000)},
    {KEY(student.projection), KEY_INT_OR_WORD, "128",
     .help = "size of the shared linear head after pooling; none: the hidden state itself",
     "dimensions", BETWEEN(1, 16384), .words = no_projection},
    {KEY(student.activation), KEY_WORD, "none",
     .help = "after the projection (HPD as published: tanh)", .words = activations},
    {KEY(student.pooling), KEY_WORD, "mean",
     .help = "how a text's tokens become one vector", .words = poolings},
    {KEY(student.taps), KEY_TAPS, "[]",
     .help = "sub-models that are trained, rising; the last one is the full model",
     BETWEEN(1, 16384),
     .derived = "every layer, half the width a layer less, and the last at each width: "
                "`[[1, 32], [2, 64], [3, 32], [3, 64], [3, 128]]`"},

    {KEY(distill.hpd.encoder), KEY_WORD_OR_PATH, "none",
     .help = "a dual encoder (a sentence-transformers folder) whose vectors are copied instead of "
             "the teacher's early layer",
     .words = nothing},
    {KEY(distill.hpd.targets), KEY_WORD_OR_PATH, "none",
     .help = "FILE.npy of vectors to copy instead, by any program; FILE.ids says whose they are "
             "(docs/outside-teacher.md)",
     .words = nothing},
    {KEY(distill.hpd.layer), KEY_INT_OR_WORD, "probe",
     .help = "teacher layer whose vectors are copied, 0: embeddings; probe: best on dev",
     BETWEEN(0, 1000), .words = by_probe},
    {KEY(distill.hpd.form), KEY_WORD, "probe",
     .help = "how a text is put into the teacher: alone or paired with itself", .words = forms},
    {KEY(distill.hpd.centred), KEY_BOOL, "false",
     .help = "subtract the mean, queries' and documents' each their own, before the PCA"},
    {KEY(distill.hpd.loss), KEY_WORD, "mse",
     .help = "of vectors against their targets; gram: the cosines among a step's texts against "
             "those of their targets",
     .words = hpd_losses},
    {KEY(distill.hpd.epochs), KEY_INT, "0",
     .help = "passes over all texts in the first stage; 0: none", "epochs", BETWEEN(0, 1000),
     .derived = "`0`; `2` where distill.hpd.encoder or distill.hpd.targets is given"},
    {KEY(distill.hpd.batch_texts), KEY_INT, "128",
     .help = "texts in a step", "texts", BETWEEN(1, 65536)},
    {KEY(distill.hpd.max_texts), KEY_INT, "0",
     .help = "use at most so many texts; 0: all", "texts", FROM(0)},
    {KEY(distill.hpd.learning_rate), KEY_DOUBLE, "1e-4",
     .help = "highest rate of the first stage", BETWEEN(0, 1)},
    {KEY(distill.align.layers), KEY_INTS, "[]",
     .help = "a layer, from 0, of the teacher (or of distill.hpd.encoder) for each layer of the "
             "student to come near to; []: none",
     BETWEEN(0, 1000)},
    {KEY(distill.loss.info_nce), KEY_DOUBLE, "1",
     .help = "weight of the labels: cross-entropy among mined and in-batch negatives",
     BETWEEN(0, 1e6), .derived = "`1`; of pairs `0`"},
    {KEY(distill.loss.listwise_kl), KEY_DOUBLE, "1",
     .help = "weight of the teacher's distribution over each query's candidates", BETWEEN(0, 1e6),
     .derived = "`1`; `0` of pairs, and where no teacher scores candidates"},
    {KEY(distill.loss.margin_mse), KEY_DOUBLE, "0",
     .help = "weight of the teacher's margins between positive and negatives", BETWEEN(0, 1e6)},
    {KEY(distill.loss.ranknet), KEY_DOUBLE, "0",
     .help = "weight of the teacher's order of each pair of candidates (RankNet)", BETWEEN(0, 1e6)},
    {KEY(distill.loss.lambda), KEY_DOUBLE, "0",
     .help = "weight of the same, each pair by its share of nDCG (LambdaLoss)", BETWEEN(0, 1e6)},
    {KEY(distill.loss.adr_mse), KEY_DOUBLE, "0",
     .help = "weight of the squared error of soft ranks (ADR-MSE)", BETWEEN(0, 1e6)},
    {KEY(distill.loss.self_kl), KEY_DOUBLE, "1",
     .help = "weight of the full student's distribution, for the smaller taps", BETWEEN(0, 1e6)},
    {KEY(distill.loss.coordinate_kl), KEY_DOUBLE, "0",
     .help = "weight of the last layer's distribution over coordinates, for the layers below it "
             "(2DMSE, AdaptiveLayerLoss)",
     BETWEEN(0, 1e6)},
    {KEY(distill.loss.compress), KEY_DOUBLE, "0",
     .help = "weight of a layer's own projection to a tap's dimensions (ESE)", BETWEEN(0, 1e6)},
    {KEY(distill.loss.cosent), KEY_DOUBLE, "0",
     .help = "weight of the order of pairs by score, at cosine / distill.temperature",
     .derived = "`0`; of pairs `1`", BETWEEN(0, 1e6)},
    {KEY(distill.loss.angle), KEY_DOUBLE, "0",
     .help = "weight of the same order by AnglE's angle in complex space", BETWEEN(0, 1e6)},
    {KEY(distill.loss.cosine_mse), KEY_DOUBLE, "0",
     .help = "weight of (cosine - score)^2 of pairs, scores mapped so that train's lie from 0 to 1",
     BETWEEN(0, 1e6)},
    {KEY(distill.loss.hpd), KEY_RANGE, "0",
     .help = "weight of the PCA targets, from the first step to the last", BETWEEN(0, 1e6),
     .derived = "`0`; `[1, 0.1]` where distill.hpd.epochs is not 0"},
    {KEY(distill.loss.align), KEY_RANGE, "0",
     .help = "weight of the targets of distill.align.layers, from the first step to the last",
     BETWEEN(0, 1e6)},
    {KEY(distill.info_nce.both_directions), KEY_BOOL, "false",
     .help = "info_nce is the mean of both: a document chooses among the queries, too"},
    {KEY(distill.coordinate_kl.temperature), KEY_DOUBLE, "0.3",
     .help = "of both distributions of coordinates", BETWEEN(1e-4, 1e4)},
    {KEY(distill.coordinate_kl.rising_weights), KEY_BOOL, "false",
     .help = "coordinate_kl weighs ln(2 + layer)"},
    {KEY(distill.coordinate_kl.detached), KEY_BOOL, "true",
     .help = "coordinate_kl moves the lower layer alone"},
    {KEY(distill.pair_targets), KEY_WORDS, "[labels]",
     .help = "the scores that losses of pairs copy: the file's, the teacher's, or both, each with "
             "the full weight",
     .words = pair_targets},
    {KEY(distill.temperature), KEY_DOUBLE, "0.05",
     .help = "student scores are similarity / temperature", BETWEEN(1e-4, 1e4)},
    {KEY(distill.teacher_temperature), KEY_DOUBLE, "1",
     .help = "the teacher's scores are divided by it in listwise_kl and data.made.weight",
     BETWEEN(1e-4, 1e4)},
    {KEY(distill.similarity), KEY_WORD, "cosine",
     .help = "of a query's and a document's vectors", .words = similarities},
    {KEY(distill.taps), KEY_WORD, "listed",
     .help = "a step trains all of student.taps, or what distill.sample draws for it",
     .words = tap_policies},
    {KEY(distill.sample.layers), KEY_INT_OR_WORD, "1",
     .help = "layers below the last in a step, beside the last", "layers", BETWEEN(0, 1000),
     .words = counts},
    {KEY(distill.sample.from), KEY_INTS, "[]", .help = "what they are drawn from, rising; 0: the "
     "embeddings", "layers", BETWEEN(0, 1000), .derived = "all below the last"},
    {KEY(distill.sample.embeddings), KEY_BOOL, "false",
     .help = "layer 0, the embeddings' output, is among them where they are not given"},
    {KEY(distill.sample.dims), KEY_INT_OR_WORD, "1", .help = "widths of a layer in a step",
     "dimensions", BETWEEN(0, 1000), .words = counts},
    {KEY(distill.sample.widths), KEY_INTS, "[]", .help = "what they are drawn from, rising",
     "dimensions", BETWEEN(1, 16384), 
     .derived = "8, 16, 32, ... below the full width; and that, where full_width is none"},
    {KEY(distill.sample.full_width), KEY_WORD, "all",
     .help = "which layers of a step have the full width besides", .words = full_widths},
    {KEY(distill.sample.same_widths), KEY_BOOL, "false",
     .help = "one draw of widths for all layers of a step"},
    {KEY(distill.tap_weights), KEY_WORD, "uniform",
     .help = "weight of a tap of layer l: 1, 1 / (1 + ln l) or 1 / l",
     .words = weightings},
    {KEY(distill.epochs), KEY_INT, "4",
     .help = "passes over the train queries in the second stage", "epochs", BETWEEN(0, 1000)},
    {KEY(distill.batch_queries), KEY_INT, "32", .help = "queries in a step",
     "queries", BETWEEN(1, 65536)},
    {KEY(distill.max_document_tokens), KEY_INT, "200",
     .help = "longer documents are cut while training; less is faster, and worse at few layers "
             "where more is embedded",
     "tokens", BETWEEN(3, 8192),
     .derived = "`data.max_document_tokens`"},
    {KEY(distill.learning_rate), KEY_DOUBLE, "2e-4",
     .help = "highest rate of the second stage", BETWEEN(0, 1)},
    {KEY(distill.weight_decay), KEY_DOUBLE, "0.01",
     .help = "AdamW's, on matrices only", BETWEEN(0, 1)},
    {KEY(distill.clip_norm), KEY_DOUBLE, "1",
     .help = "largest norm of the gradient; 0: no limit", BETWEEN(0, 1e6)},
    {KEY(distill.dropout), KEY_DOUBLE, "0.1", .help = "while training", "share",
     BETWEEN(0, 0.9)},
    {KEY(distill.warmup), KEY_DOUBLE, "0.1",
     .help = "the rate rises from 0 for so long", "share of the steps", BETWEEN(0, 1)},
    {KEY(distill.schedule), KEY_WORD, "linear",
     .help = "how the rate falls afterwards", .words = schedules},
    {KEY(distill.layer_decay), KEY_DOUBLE, "1",
     .help = "the rate falls by this factor with every block downwards, and to the embeddings",
     BETWEEN(0.01, 1)},
    {KEY(distill.average), KEY_WORD, "none",
     .help = "what dev sees and what is kept of the second stage: the weights, or their mean along "
             "the way: exponential, or of the last steps",
     .words = averages},
    {KEY(distill.ema_decay), KEY_DOUBLE, "0.99",
     .help = "ema: weights of one step before count less by this factor",
     BETWEEN(0, 0.999999)},
    {KEY(distill.average_share), KEY_DOUBLE, "0.25",
     .help = "last: the end of the phase, which is averaged",
     "share of the steps", BETWEEN(0, 1)},
    {KEY(distill.principal_axes), KEY_BOOL, "true",
     .help = "after training the projection turns the dimensions between two trained widths to "
             "their principal axes: nothing changes at these widths, fewer dimensions than trained "
             "get better"},
    {KEY(distill.evaluations_per_epoch), KEY_INT, "2",
     .help = "how often dev is evaluated; the best model is kept", BETWEEN(1, 1000)},
    {KEY(distill.patience), KEY_INT, "0",
     .help = "the second stage stops after so many evaluations without a better mean over taps; "
             "0: never",
     "evaluations", BETWEEN(0, 1000)},
    {KEY(distill.seed), KEY_INT, "13",
     .help = "seed of the student's training alone: first weights, order, draws, dropout", FROM(0),
     .derived = "`seed`"},
    {KEY(distill.checkpoint_minutes), KEY_DOUBLE, "1",
     .help = "a killed run loses at most so much", "minutes", BETWEEN(0, 1440)},

    {KEY(evaluate.layers), KEY_INTS, "[]", .help = "rows of the grid, rising",
     "layers", BETWEEN(1, 1000), .derived = "all layers of the student"},
    {KEY(evaluate.dims), KEY_INTS, "[]", .help = "columns of the grid, rising",
     "dimensions", BETWEEN(1, 16384), .derived = "16, 32, 64, ... up to the full width"},
    {KEY(evaluate.rerank_depth), KEY_INT, "100",
     .help = "of BM25's list that the teacher re-ranks", "documents", BETWEEN(1, 10000)},
    {KEY(evaluate.resamples), KEY_INT, "2000",
     .help = "bootstrap draws behind the 95 % intervals", "draws", BETWEEN(100, 1000000)},
    {KEY(evaluate.systems), KEY_WORDS,
     "[student, init, no-teacher, bm25, teacher, pca]", .help = "what stands in the grid",
     .words = systems,
     .derived = "`[student, init, no-teacher, bm25, teacher, pca]`; of pairs without bm25"},
    {KEY(evaluate.baselines), KEY_PATHS, "[]",
     .help = "folders of existing dual encoders, for the grid"},
    {KEY(evaluate.measures), KEY_STRINGS,
     "[ndcg_cut_10, recip_rank_cut_10, recall_100, map]",
     .help = "trec_eval's names, or of pairs spearman and pearson; the first one chooses",
     .derived = "`[ndcg_cut_10, recip_rank_cut_10, recall_100, map]`; of pairs `[spearman, "
                "pearson]`"},

    {KEY(export.pick), KEY_STRING, "smallest index_bytes with ndcg@10 >= 0.97 * full",
     .help = "rule that picks layers and dimensions from the grid",
     .derived = "`smallest index_bytes with ndcg@10 >= 0.97 * full`; of pairs with spearman"},
    {KEY(export.formats), KEY_WORDS, "[sentence-transformers]",
     .help = "what is written", .words = formats},

    {KEY(card.license), KEY_STRING, "",
     .help = "licence of the model, for its card: an SPDX identifier or a text"},
    {KEY(card.teacher_license), KEY_STRING, "",
     .help = "licence of the teacher and of the weights that the student starts from"},
    {KEY(card.training_data_license), KEY_STRING, "", .help = "licence of the collection"},
    {KEY(card.base_model), KEY_STRING, "",
     .help = "name of the teacher on the Hugging Face Hub, for the model card"},
    {KEY(card.intended_use), KEY_STRING, "",
     .help = "what the model is for and what not, for its card"},
    {0},
};
/* clang-format on */

enum { NUM_KEYS = sizeof job_keys / sizeof *job_keys - 1 };

int job_key_count(void)
{
    return NUM_KEYS;
}

int job_key_find(const char *name)
{
    for (int row = 0; row < NUM_KEYS; row++)
        if (strcmp(job_keys[row].name, name) == 0) return row;
    return -1;
}

int job_key_at(size_t offset)
{
    int row = 0;
    while (row < NUM_KEYS && job_keys[row].offset != offset) row++;
    REQUIRE(row < NUM_KEYS);
    return row;
}

bool job_key_is_section(const char *name)
{
    size_t length = strlen(name);
    for (int row = 0; row < NUM_KEYS; row++)
        if (strncmp(job_keys[row].name, name, length) == 0 && job_keys[row].name[length] == '.')
            return true;
    return false;
}

static const char *last_word(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

/* All keys, then all sections they stand in; names that are not a key's own are arena strings. */
static size_t all_names(const char *names[2 * NUM_KEYS], struct arena *arena)
{
    size_t count = 0;
    for (int row = 0; row < NUM_KEYS; row++) names[count++] = job_keys[row].name;
    for (int row = 0; row < NUM_KEYS; row++) {
        const char *name = job_keys[row].name, *dot = strrchr(name, '.');
        if (dot && count < 2 * NUM_KEYS)
            names[count++] = arena_strndup(arena, name, (size_t)(dot - name));
    }
    return count;
}

int job_key_unknown(const char *place, const char *name, struct error *err)
{
    const char *names[2 * NUM_KEYS];
    struct arena arena = {0};
    size_t count = all_names(names, &arena);
    const char *nearest = nearest_name(name, names, count), *word = last_word(name);
    bool same_word = nearest && strcmp(last_word(nearest), word) == 0;
    for (size_t i = 0; !same_word && i < count; i++) /* the right word in the wrong section */
        if ((same_word = strcmp(last_word(names[i]), word) == 0)) nearest = names[i];
    if (nearest)
        fail_usage(err, "%s: unknown key %s; did you mean %s?", place, name, nearest);
    else
        fail_usage(err, "%s: unknown key %s; retort plan --reference lists all keys", place, name);
    arena_free(&arena);
    return -1;
}
