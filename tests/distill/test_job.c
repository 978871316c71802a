/* distill/job: defaults, every type of value, mistakes with their place, contradictions, and the
 * way back to YAML. */
#include "tests/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/output.h"
#include "distill/job_keys.h"

static const char smallest[] = "data: {collection: c.tar.gz}\n"
                               "teacher: {model: ../m}\n";

/* Reads a job of this text, with settings up to a NULL. */
static int read_with(struct job *job, const char *yaml, const char *const *settings,
                     struct error *err)
{
    char *path = scratch_file("slim.yaml", yaml, strlen(yaml));
    struct string_list list = {0};
    *err = (struct error){0};
    for (; settings && *settings; settings++) {
        GROW(list.items, list.count, &list.capacity);
        list.items[list.count++] = *settings;
    }
    int result = job_read(job, path, &list, err);
    free(list.items);
    free(path);
    return result;
}

static char *smallest_and(const char *more)
{
    return xasprintf("%s%s", smallest, more);
}

static void check_ints(const struct int_list *list, int count, const int *expected)
{
    ck_assert_uint_eq(list->count, count);
    for (int i = 0; i < count; i++) ck_assert_int_eq(list->items[i], expected[i]);
}

START_TEST(defaults_and_what_follows_from_them)
{
    struct job job;
    struct error err;
    check_ok(read_with(&job, smallest, NULL, &err), &err);
    ck_assert_str_eq(job.name, "slim");
    ck_assert_int_eq(job.seed, 13);
    char *collection = xasprintf("%s/c.tar.gz", scratch_folder());
    char *model = xasprintf("%s/../m", scratch_folder());
    ck_assert_str_eq(job.data.collection, collection);
    ck_assert_str_eq(job.teacher.model, model);
    ck_assert_str_eq(job.data.query_prefix, "");
    ck_assert_int_eq(job.mine.sources, MINE_BM25);
    ck_assert_int_eq(job.student.init.kind, INIT_TEACHER);
    ck_assert_int_eq(job.student.projection, 128);
    ck_assert_int_eq(job.distill.hpd.layer, BY_PROBE);
    ck_assert_int_eq(job.distill.hpd.form, BY_PROBE);
    ck_assert(!job_uses_hpd(&job) && !job_uses_vectors(&job));
    ck_assert_double_eq(job.distill.loss.hpd.start, 0);
    ck_assert_int_eq(job.evaluate.systems, 63);
    ck_assert_uint_eq(job.evaluate.measures.count, 4);
    ck_assert_str_eq(job.evaluate.measures.items[3], "map");
    ck_assert_uint_eq(job.evaluate.baselines.count, 0);
    check_ints(&job.evaluate.layers, 3, (int[]){1, 2, 3});
    check_ints(&job.evaluate.dims, 4, (int[]){16, 32, 64, 128});
    const struct tap taps[] = {{1, 32}, {2, 64}, {3, 32}, {3, 64}, {3, 128}};
    ck_assert_uint_eq(job.student.taps.count, 5);
    ck_assert_mem_eq(job.student.taps.items, taps, sizeof taps);
    job_free(&job);
    ck_assert_ptr_null(job.path);
    free(collection), free(model);
}
END_TEST

START_TEST(every_type_is_read)
{
    struct job job;
    struct error err;
    char *yaml = smallest_and("name: '7'\nseed: 0\nprecision: f32\n"
                              "student:\n"
                              "  init: {from: ./students/a, layers: [1, 3]}\n"
                              "  projection: none\n"
                              "  pooling: cls\n"
                              "  taps: [[1, 8], [2, 384]]\n"
                              "mine: {sources: [bm25], bm25_b: 0.75}\n"
                              "distill:\n"
                              "  hpd: {layer: 0, form: pair, centred: Yes}\n"
                              "  loss: {hpd: 0.5}\n"
                              "  learning_rate: +2.5E-5\n"
                              "  similarity: dot\n"
                              "evaluate:\n"
                              "  baselines: [/abs/m, rel/m]\n"
                              "  systems: [bm25, student]\n"
                              "  layers: [2]\n"
                              "  dims: []\n"
                              "export:\n");
    check_ok(read_with(&job, yaml, NULL, &err), &err);
    ck_assert_str_eq(job.name, "7");
    ck_assert_int_eq(job.seed, 0);
    ck_assert_int_eq(job.precision, PRECISION_F32);
    ck_assert_int_eq(job.teacher.precision, PRECISION_F32);
    ck_assert_int_eq(job.student.init.kind, INIT_FOLDER);
    ck_assert(strstr(job.student.init.from, "/./students/a"));
    check_ints(&job.student.init.layers, 2, (int[]){1, 3});
    ck_assert_int_eq(job.student.projection, 0);
    ck_assert_int_eq(job.student.pooling, POOLING_CLS);
    ck_assert_int_eq(job.student.taps.items[1].dim, 384);
    ck_assert_int_eq(job.mine.sources, MINE_BM25);
    ck_assert_double_eq(job.mine.bm25_b, 0.75);
    ck_assert_int_eq(job.distill.hpd.layer, 0);
    ck_assert_int_eq(job.distill.hpd.form, FORM_PAIR);
    ck_assert(job.distill.hpd.centred);
    ck_assert_double_eq(job.distill.loss.hpd.start, 0.5);
    ck_assert_double_eq(job.distill.loss.hpd.end, 0.5);
    ck_assert_double_eq(job.distill.learning_rate, 2.5e-5);
    ck_assert_int_eq(job.distill.similarity, SIMILARITY_DOT);
    ck_assert_str_eq(job.evaluate.baselines.items[0], "/abs/m");
    ck_assert(strncmp(job.evaluate.baselines.items[1], "/tmp/", 5) == 0);
    ck_assert_int_eq(job.evaluate.systems, SYSTEM_STUDENT | SYSTEM_BM25);
    check_ints(&job.evaluate.layers, 1, (int[]){2});
    ck_assert_uint_eq(job.evaluate.dims.count, 0);
    job_free(&job);
    free(yaml);
}
END_TEST

START_TEST(settings_come_last_and_are_yaml)
{
    struct job job;
    struct error err;
    char *yaml = smallest_and("distill: {epochs: 5}\n");
    const char *settings[] = {"distill.epochs=6",
                              "distill.epochs=7",
                              "evaluate.dims=[8, 16]",
                              "distill.loss={info_nce: 0, hpd: [0.5, 0]}",
                              "data.collection=here.zip",
                              "data.query_prefix=\"query: \"",
                              "export.pick=largest ndcg@10 with layers <= 2",
                              NULL};
    check_ok(read_with(&job, yaml, settings, &err), &err);
    ck_assert_int_eq(job.distill.epochs, 7);
    check_ints(&job.evaluate.dims, 2, (int[]){8, 16});
    ck_assert_double_eq(job.distill.loss.info_nce, 0);
    ck_assert_double_eq(job.distill.loss.listwise_kl, 1);
    ck_assert_double_eq(job.distill.loss.hpd.end, 0);
    ck_assert_str_eq(job.data.collection, "here.zip");
    ck_assert_str_eq(job.data.query_prefix, "query: ");
    ck_assert_str_eq(job.export.pick, "largest ndcg@10 with layers <= 2");
    job_free(&job);
    free(yaml);
}
END_TEST

START_TEST(mistakes_have_a_place_and_say_what_is_wanted)
{
    const struct {
        const char *yaml, *place, *words, *more;
    } rows[] = {
        {"distill: {epoch: 3}", "slim.yaml:3:11: ", "unknown key distill.epoch;",
         "did you mean distill.epochs?"},
        {"distil:\n  epochs: 3", "slim.yaml:3:1: ", "unknown key distil;", "did you mean distill?"},
        {"learning_rate: 1", "slim.yaml:3:1: ", "unknown key learning_rate;", "learning_rate?"},
        {"bananas: 1", "slim.yaml:3:1: ", "unknown key bananas;", "--reference"},
        {"student:\n  hpd: 1", "slim.yaml:4:3: ", "student.hpd", ".hpd?"},
        {"student.taps: [[3, 128]]\nstudent: {taps: [[3, 128]]}",
         "slim.yaml:4:17: ", "student.taps is here twice", "slim.yaml:3:15"},
        {"seed: 1\nseed: 2", "slim.yaml:4:1: ", "twice", "line 3"},
        {"seed: many", "slim.yaml:3:7: ", "seed wants a whole number of at least 0", "not many"},
        {"seed: '1'", "slim.yaml:3:7: ", "seed wants", "not the text \"1\""},
        {"seed: 1.5", "slim.yaml:3:7: ", "seed wants", "not 1.5"},
        {"seed: 0x10", "slim.yaml:3:7: ", "seed wants", "not 0x10"},
        {"seed: -1", "slim.yaml:3:7: ", "seed wants", "not -1"},
        {"seed: 99999999999999999999", "slim.yaml:3:7: ", "seed wants", "not 9999"},
        {"seed:", "slim.yaml:3:6: ", "seed wants", "not nothing"},
        {"seed: {a: 1}", "slim.yaml:3:7: ", "seed wants", "not a map"},
        {"seed: [1]", "slim.yaml:3:7: ", "seed wants", "not a list of 1"},
        {"distill: {dropout: 1}", "slim.yaml:3:20: ", "a number from 0 to 0.9", "not 1"},
        {"distill: {dropout: '0.1'}", "slim.yaml:3:20: ", "a number", "not the text \"0.1\""},
        {"distill: {dropout: .inf}", "slim.yaml:3:20: ", "a number", "not .inf"},
        {"distill: {dropout: 1e}", "slim.yaml:3:20: ", "a number", "not 1e"},
        {"distill: {dropout: nan}", "slim.yaml:3:20: ", "a number", "not nan"},
        {"distill: {loss: {hpd: [1, 2, 3]}}", "slim.yaml:3:23: ", "or [start, end]", "list of 3"},
        {"distill: {loss: {hpd: [1, x]}}", "slim.yaml:3:27: ", "distill.loss.hpd", "not x"},
        {"distill: 3", "slim.yaml:3:10: ", "distill is a section", "not a value"},
        {"distill: [3]", "slim.yaml:3:10: ", "distill is a section", "not a list"},
        {"data.drop_same_id: maybe", "slim.yaml:3:20: ", "true or false", "not maybe"},
        {"student: {pooling: meen}", "slim.yaml:3:20: ", "one of mean, cls", "did you mean mean?"},
        {"mine: {sources: bm25}", "slim.yaml:3:17: ", "a list of some of bm25, teacher",
         "not bm25"},
        {"mine: {sources: [bm52]}", "slim.yaml:3:18: ", "not bm52", "did you mean bm25?"},
        {"student: {projection: wide}", "slim.yaml:3:23: ", "none or a whole number from 1",
         "not wide"},
        {"student: {init: {layers: [-1]}}", "slim.yaml:3:27: ", "whole numbers from 0", "not -1"},
        {"student: {taps: [1, 32]}", "slim.yaml:3:18: ", "[layer, dim] pairs", "not 1"},
        {"student: {taps: [[1, x]]}", "slim.yaml:3:18: ", "[layer, dim] pairs", "list of 2"},
        {"evaluate: {baselines: [a, [b]]}", "slim.yaml:3:27: ", "a list of paths", "a list of 1"},
        {"evaluate: {baselines: ['']}", "slim.yaml:3:24: ", "a list of paths", "the text \"\""},
        {"export: {formats: [onnx]}", "slim.yaml:3:20: ", "sentence-transformers", "not onnx"},
        {"name: [a]", "slim.yaml:3:7: ", "name wants a text", "not a list"},
        {"? [a]\n: 1", "slim.yaml:3:3: ", "a key must be a word", "map"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct job job;
        struct error err;
        char *yaml = smallest_and(rows[i].yaml);
        int result = read_with(&job, yaml, NULL, &err);
        check_failed(result, &err, STATUS_USAGE, rows[i].place, rows[i].words, rows[i].more);
        ck_assert_ptr_null(job.name);
        free(yaml);
    }
}
END_TEST

START_TEST(settings_are_checked_like_the_file)
{
    const struct {
        const char *setting, *words, *more;
    } rows[] = {
        {"distill.epochs", "--set distill.epochs", "KEY=VALUE"},
        {"distill.epoch=3", "--set distill.epoch=3: unknown key distill.epoch", "distill.epochs?"},
        {"distill.epochs=x", "--set distill.epochs=x: distill.epochs wants", "not x"},
        {"distill={epoch: 3}", "unknown key distill.epoch", "distill.epochs?"},
        {"distill=3", "--set distill=3: distill is a section", "not a value"},
        {"evaluate.dims=[8", "--set evaluate.dims=[8", "not YAML"},
        {"evaluate.dims=[64, 32]", "--set evaluate.dims=[64, 32]: ", "evaluate.dims must rise"},
        {"=3", "--set =3", "unknown key"},
        {"data.collection=", "data.collection wants none or a path", "not nothing"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct job job;
        struct error err;
        int result = read_with(&job, smallest, (const char *[]){rows[i].setting, NULL}, &err);
        check_failed(result, &err, STATUS_USAGE, rows[i].words, rows[i].more);
    }
}
END_TEST

START_TEST(contradictions_are_refused)
{
    const struct {
        const char *setting, *words, *more;
    } rows[] = {
        {"student.taps=[[4, 128]]", "has layer 4", "student.init.layers give the student 3"},
        {"student.taps=[[3, 256]]", "has dimension 256", "width is 128"},
        {"student.taps=[[1, 32], [2, 64]]", "must end with the full model", "[3, 128]"},
        {"student.taps=[[2, 64], [1, 64], [3, 128]]", "must rise", "[2, 64] stands before [1, 64]"},
        {"student.taps=[[3, 128], [3, 128]]", "must rise", "[3, 128]"},
        {"student.init.layers=[]", "student.init.layers", "is empty"},
        {"evaluate.dims=[64, 256]", "has 256", "student.projection is 128"},
        {"evaluate.dims=[64, 64]", "must rise", "64"},
        {"evaluate.layers=[3, 4]", "has 4", "student.init.layers is 3"},
        {"evaluate.systems=[bm25]", "has no student", "exported"},
        {"evaluate.measures=[]", "evaluate.measures", "is empty"},
        {"evaluate.measures=[map, map]", "map twice", "evaluate.measures"},
        {"evaluate.measures=[ndcg@10, ndcg_cut_10]", "ndcg_cut_10 twice", "evaluate.measures"},
        {"evaluate.measures=[P_1, P_2, P_3, P_4, P_5, P_6, P_7, P_8, P_9, P_10, P_11, P_12, P_13, "
         "P_14, P_15, P_16, P_17]",
         "evaluate.measures has 17", "at most 16"},
        {"evaluate.measures=[num_rel]", "evaluate.measures", "a count"},
        {"evaluate.measures=[ndgc]", "evaluate.measures", "ndgc"},
        {"mine.sources=[]", "mine.sources", "is empty"},
        {"mine.scored=101", "is 101", "mine.depth 100 give at most 100"},
        {"mine.negatives_per_query=33", "is 33", "mine.scored 32"},
        {"mine.negatives_per_query=0", "listwise_kl", "compare"},
        {"data.dev_split=test", "data.test_split", "both test"},
        {"data.train_split=test", "data.test_split", "both test"},
        {"data.dev_split=train", "data.train_split", "data.dev_fraction"},
        {"distill.loss={info_nce: 0, listwise_kl: 0, hpd: 0}", "distill.epochs is 4", "is 0"},
        {"distill={epochs: 0, hpd: {epochs: 0}}", "distill.epochs", "nothing is trained"},
        {"name=a/b", "name is a/b", "folder"},
        {"name=..", "name is ..", "folder"},
        {"export.pick=", "export.pick", "rule"},
        {"export.pick=smallest bananas", "export.pick", "bananas"},
        {"export.pick=smallest index_bytes with mrr@20 >= full", "export.pick",
         "recip_rank_cut_20"},
        {"export.pick=layers = 3 dim = 48", "export.pick", "evaluate.dims lack"},
        {"student={projection: none, activation: tanh, taps: [[3, 384]]}", "student.activation",
         "projection is none"},
        {"distill.loss.cosent=1", "cosent is 1", "scored pairs"},
        {"evaluate.measures=[spearman]", "evaluate.measures", "spearman"},
        {"data.pairs=p.tar.gz", "data.pairs", "data.collection are both given"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct job job;
        struct error err;
        int result = read_with(&job, smallest, (const char *[]){rows[i].setting, NULL}, &err);
        check_failed(result, &err, STATUS_USAGE, rows[i].words, rows[i].more);
    }
}
END_TEST

START_TEST(a_contradiction_names_where_its_key_was_set)
{
    struct job job;
    struct error err;
    char *yaml = smallest_and("mine:\n  scored: 500\n");
    check_failed(read_with(&job, yaml, NULL, &err), &err, STATUS_USAGE,
                 "slim.yaml:4:11: mine.scored");
    free(yaml);
}
END_TEST

START_TEST(required_keys_and_absent_files)
{
    struct job job;
    struct error err;
    const char *inputs[] = {"", "data:\n", "data: {collection: c}\n", "- a\n", "text\n"};
    const char *words[] = {"data.collection is missing", "data.collection is missing",
                           "teacher.model is missing", "a job is a map of keys",
                           "a job is a map of keys"};
    for (size_t i = 0; i < 5; i++)
        check_failed(read_with(&job, inputs[i], NULL, &err), &err, STATUS_USAGE, words[i]);
    err = (struct error){0};
    check_failed(job_read(&job, "/nonexistent/job.yaml", NULL, &err), &err, STATUS_WORLD,
                 "/nonexistent/job.yaml");
}
END_TEST

static void check_round_trip(const char *yaml, const char *const *settings)
{
    struct job job, again;
    struct error err;
    struct text first = {0}, second = {0};
    check_ok(read_with(&job, yaml, settings, &err), &err);
    job_print(&job, &first);
    check_ok(read_with(&again, first.bytes, NULL, &err), &err);
    job_print(&again, &second);
    ck_assert_str_eq(first.bytes, second.bytes);
    ck_assert_str_eq(job.name, again.name);
    ck_assert_str_eq(job.data.query_prefix, again.data.query_prefix);
    text_free(&first);
    text_free(&second);
    job_free(&job);
    job_free(&again);
}

START_TEST(printed_jobs_read_back_the_same)
{
    check_round_trip(smallest, NULL);
    check_round_trip(smallest,
                     (const char *[]){"student.projection=none", "student.taps=[[1, 20], [3, 384]]",
                                      "distill.learning_rate=1.2345678901234567e-5",
                                      "student.init.from=random",
                                      "evaluate.baselines=[a b, \"-\", 'it''s']",
                                      "distill.hpd.layer=2", "name=no", NULL});
    check_round_trip(smallest, (const char *[]){"student.init.from=models/x", "name=\"0\"",
                                                "data.query_prefix=\"a\\\"b\\\\c\\n\\t: #\\x01\\x85"
                                                "\\u2028\\ufeff\\u00e9\\U0001f600 \"",
                                                NULL});
}
END_TEST

START_TEST(printed_keys_are_those_below_a_prefix)
{
    struct job job;
    struct error err;
    struct text text = {0};
    check_ok(read_with(&job, smallest, NULL, &err), &err);
    job_print_keys(&job, "probe", &text);
    ck_assert_str_eq(text.bytes, "probe.queries: 200\nprobe.documents: 5000\n");
    text_clear(&text);
    job_print_keys(&job, "student.taps", &text);
    ck_assert_str_eq(text.bytes, "student.taps: [[1, 32], [2, 64], [3, 32], [3, 64], [3, 128]]\n");
    text_clear(&text);
    job_print_keys(&job, "mine.scor", &text);
    ck_assert_uint_eq(text.length, 0);
    text_free(&text);
    job_free(&job);
}
END_TEST

START_TEST(printed_jobs_are_nested_and_absolute)
{
    struct job job;
    struct error err;
    struct text text = {0};
    check_ok(read_with(&job, smallest, (const char *[]){"teacher.model=m", NULL}, &err), &err);
    job_print(&job, &text);
    char *here = getcwd(NULL, 0), *model = xasprintf("\nteacher:\n  model: %s/m\n", here);
    ck_assert_msg(strncmp(text.bytes, "name: slim\nseed: 13\n", 20) == 0, "%s", text.bytes);
    ck_assert_msg(strstr(text.bytes, model) != NULL, "%s", text.bytes);
    ck_assert_msg(
        strstr(text.bytes,
               "\nstudent:\n  recipe: retort\n  init:\n    from: teacher\n    layers: [1, 2, 3]\n"
               "  projection: 128\n") != NULL,
        "%s", text.bytes);
    ck_assert_msg(strstr(text.bytes, "\ndistill:\n  hpd:\n    encoder: none\n") != NULL, "%s",
                  text.bytes);
    free(here), free(model);
    text_free(&text);
    job_free(&job);
}
END_TEST

START_TEST(models_complete_a_job)
{
    const struct encoder_config teacher = {.num_layers = 6, .hidden_size = 384};
    const struct encoder_config wide = {.num_layers = 12, .hidden_size = 768};
    struct job_models models = {&teacher, &teacher, 384, &teacher, 384};
    struct job job;
    struct error err;
    check_ok(read_with(&job, smallest, (const char *[]){"student.projection=none", NULL}, &err),
             &err);
    ck_assert_uint_eq(job.student.taps.count, 0);
    check_ok(job_fit(&job, &models, &err), &err);
    ck_assert_uint_eq(job.student.taps.count, 5);
    ck_assert_int_eq(job.student.taps.items[0].dim, 96);
    ck_assert_int_eq(job.student.taps.items[4].dim, 384);
    check_ints(&job.evaluate.dims, 6, (int[]){16, 32, 64, 128, 256, 384});
    job_free(&job);
    const struct {
        const char *setting, *words, *more;
        const struct encoder_config *start;
        const char *and_setting;
    } rows[] = {
        {"student.init.layers=[1, 2, 7]", "has 7", "6 layers", &teacher, NULL},
        {"distill.hpd.layer=7", "is 7", "teacher has 6 layers", &teacher, NULL},
        {"student={projection: 512, taps: [[3, 512]]}", "512 wide", "width 384", &teacher,
         "distill.hpd.epochs=1"},
        {"student={projection: none, taps: [[3, 128]]}", "must end with", "[3, 384]", &teacher,
         NULL},
        {"student.projection=none", "768 wide", "width 384", &wide, "distill.loss.hpd=1"},
        {"distill.align.layers=[1, 2, 7]", "has 7", "6 layers", &teacher, NULL},
        {"distill.align.layers=[1, 2, 3]", "a student 128 wide", "width 96", &teacher, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const settings[] = {rows[i].setting, rows[i].and_setting, NULL};
        check_ok(read_with(&job, smallest, settings, &err), &err);
        models.start = rows[i].start;
        models.aligned_width = strstr(rows[i].more, "96") ? 96 : 384;
        int result = job_fit(&job, &models, &err);
        check_failed(result, &err, STATUS_USAGE, rows[i].words, rows[i].more);
        job_free(&job);
    }
}
END_TEST

/* A model folder below the scratch folder with this many labels and layers of this width. */
static void put_config(const char *name, int labels, int layers, int width)
{
    struct error err = {0};
    char *folder = xasprintf("%s/%s", scratch_folder(), name);
    char *file = xasprintf("%s/config.json", name);
    char *config = xasprintf("{\"model_type\": \"bert\", \"num_hidden_layers\": %d, "
                             "\"hidden_size\": %d, \"num_attention_heads\": 4, "
                             "\"intermediate_size\": 64, \"vocab_size\": 100, \"num_labels\": %d, "
                             "\"hidden_act\": \"gelu\", \"max_position_embeddings\": 64, "
                             "\"type_vocab_size\": 2}",
                             layers, width, labels);
    check_ok(make_folder(folder, &err), &err);
    free(scratch_file(file, config, strlen(config)));
    free(folder), free(file), free(config);
}

START_TEST(models_are_looked_at_before_the_work)
{
    static const char yaml[] = "data: {collection: c}\nteacher: {model: teacher}\n"
                               "student: {projection: none, init: {layers: [1, 2]}}\n";
    struct job job;
    struct error err;
    put_config("teacher", 1, 2, 32);
    put_config("three", 3, 2, 32);
    put_config("deep", 2, 12, 32);
    char *deep = xasprintf("student.init={from: %s/deep, layers: [10, 12]}", scratch_folder());
    char *wanting = xasprintf("student.init={from: %s/teacher, layers: [3]}", scratch_folder());
    char *three = xasprintf("teacher.model=%s/three", scratch_folder());
    check_ok(read_with(&job, yaml, (const char *[]){deep, NULL}, &err), &err);
    check_ok(job_fit_models(&job, &err), &err);
    ck_assert_int_eq(job.student.taps.items[0].dim, 16);
    ck_assert_int_eq(job.student.taps.items[2].dim, 32);
    job_free(&job);
    const struct {
        const char *setting, *words, *more;
        int status;
    } rows[] = {
        {wanting, "student.init.layers has 3", "2 layers", STATUS_USAGE},
        {three, "three: gives 3 logits a pair", "must give one", STATUS_WORLD},
        {"teacher.model=/nonexistent/m", "/nonexistent/m", "", STATUS_WORLD},
        {"evaluate.baselines=[/nonexistent/b]", "/nonexistent/b", "", STATUS_WORLD},
        {"student.init.from=/nonexistent/i", "/nonexistent/i", "", STATUS_WORLD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_ok(read_with(&job, yaml, (const char *[]){rows[i].setting, NULL}, &err), &err);
        check_failed(job_fit_models(&job, &err), &err, rows[i].status, rows[i].words, rows[i].more);
        job_free(&job);
    }
    free(deep), free(wanting), free(three);
}
END_TEST

START_TEST(every_key_is_documented_and_well_formed)
{
    struct text text = {0};
    job_reference(&text);
    for (int row = 0; row < job_key_count(); row++) {
        const struct key *key = &job_keys[row];
        char *cell = xasprintf("| `%s` | ", key->name);
        ck_assert_msg(strstr(text.bytes, cell) != NULL, "%s", key->name);
        ck_assert_msg(key->help && *key->help && !strchr(key->help, '|'), "%s", key->name);
        ck_assert_int_eq(job_key_find(key->name), row);
        ck_assert_int_eq(job_key_at(key->offset), row);
        ck_assert(!job_key_is_section(key->name));
        free(cell);
    }
    ck_assert_msg(strstr(text.bytes, "| `seed` | `13` | a whole number of at least 0 |") != NULL,
                  "%s", text.bytes);
    ck_assert_ptr_nonnull(
        strstr(text.bytes, "| `teacher.model` | required | teach, none or a path |"));
    text_free(&text);
}
END_TEST

START_TEST(shipped_jobs_are_valid)
{
    const char *paths[] = {"configs/scifact.yaml", "configs/nfcorpus.yaml", "configs/wikiqa.yaml"};
    for (size_t i = 0; i < 3; i++) {
        struct job job;
        struct error err = {0};
        check_ok(job_read(&job, paths[i], NULL, &err), &err);
        ck_assert_uint_eq(strlen(job.name), strlen(paths[i]) - strlen("configs/.yaml"));
        job_free(&job);
    }
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(defaults_and_what_follows_from_them),
        TEST(every_type_is_read),
        TEST(settings_come_last_and_are_yaml),
        TEST(mistakes_have_a_place_and_say_what_is_wanted),
        TEST(settings_are_checked_like_the_file),
        TEST(contradictions_are_refused),
        TEST(a_contradiction_names_where_its_key_was_set),
        TEST(required_keys_and_absent_files),
        TEST(printed_jobs_read_back_the_same),
        TEST(printed_keys_are_those_below_a_prefix),
        TEST(printed_jobs_are_nested_and_absolute),
        TEST(models_complete_a_job),
        TEST(models_are_looked_at_before_the_work),
        TEST(every_key_is_documented_and_well_formed),
        TEST(shipped_jobs_are_valid),
        {0},
    };
    return run_tests("distill/job", rows);
}
