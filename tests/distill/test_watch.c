/* distill/run_progress, train_log, watch: what a run writes about its progress, and what is made of
 * it; the command is tested by test_watch.sh. */
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/output.h"
#include "data/progress.h"
#include "distill/run_progress.h"
#include "distill/train_log.h"
#include "distill/watch.h"

/* A file of the run folder, NAME of which the folder exists. */
static void put(const char *folder, const char *name, const char *content)
{
    struct output out = {0};
    struct error err = {0};
    char *path = path_join(folder, name);
    check_ok(output_open(&out, path, &err), &err);
    output_write(&out, content, strlen(content));
    check_ok(output_commit(&out, &err), &err);
    free(path);
}

static char *run_folder(const char *name)
{
    struct error err = {0};
    char *folder = path_join(scratch_folder(), name);
    char *stages = path_join(folder, "stages"), *train = path_join(folder, "train");
    check_ok(make_folder(stages, &err), &err);
    check_ok(make_folder(train, &err), &err);
    put(folder, "job.yaml",
        "data: {collection: c}\nteacher: {model: m}\nmine: {sources: [bm25, teacher]}\n");
    free(stages);
    free(train);
    return folder;
}

static void mark(const char *folder, const char *stage, const char *seconds)
{
    char *name = path_join("stages", stage);
    char *content = xasprintf("0123456789abcdef0123456789abcdef\t%s\n", seconds);
    put(folder, name, content);
    free(name);
    free(content);
}

static char *snapshot(const char *folder, bool *working, int rows)
{
    struct text out = {0};
    struct error err = {0};
    check_ok(watch_snapshot(&out, working, folder, rows, &err), &err);
    return out.bytes;
}

static void check_shows(const char *folder, bool working, const char *const *lines)
{
    bool works;
    char *shown = snapshot(folder, &works, 0);
    ck_assert_int_eq(works, working);
    for (; *lines; lines++)
        ck_assert_msg(strstr(shown, *lines) != NULL, "no \"%s\" in:\n%s", *lines, shown);
    free(shown);
}
#define CHECK_SHOWS(folder, working, ...)                                                          \
    check_shows(folder, working, (const char *const[]){__VA_ARGS__, NULL})

START_TEST(progress_is_read_as_it_was_written)
{
    char *folder = run_folder("written");
    struct error err = {0};
    struct run_state state;
    struct progress work;
    struct run_progress progress = {.folder = folder, .stage = "score"};
    check_ok(run_state_read(&state, folder, &err), &err);
    ck_assert_str_eq(state.stage, "");
    run_progress_begin(&progress);
    check_ok(run_state_read(&state, folder, &err), &err);
    ck_assert_str_eq(state.stage, "score");
    ck_assert(state.since > 1.7e9 && *state.what == '\0' && isnan(state.done));
    messages_quiet(true);
    progress_start(&work, "scoring", "pairs", 1000, 200);
    work.started -= 100, work.shown -= 100;
    progress_add(&work, 300);
    check_ok(run_state_read(&state, folder, &err), &err);
    ck_assert_str_eq(state.what, "scoring");
    ck_assert_str_eq(state.unit, "pairs");
    ck_assert(state.done == 500 && state.total == 1000);
    ck_assert_double_eq_tol(state.per_second, 3, 0.01);
    progress_add(&work, 100); /* within the same second */
    check_ok(run_state_read(&state, folder, &err), &err);
    ck_assert(state.done == 500);
    progress_end(&work);
    check_ok(run_state_read(&state, folder, &err), &err);
    ck_assert(state.done == 600);
    progress_start(&work, "reading", "lines", 0, 0);
    run_progress_end();
    check_ok(run_state_read(&state, folder, &err), &err);
    ck_assert(state.done == 0 && isnan(state.total));
    progress_start(&work, "unseen", "things", 7, 0);
    check_ok(run_state_read(&state, folder, &err), &err);
    ck_assert_str_eq(state.what, "reading");
    run_progress_leave(folder, "train");
    check_ok(run_state_read(&state, folder, &err), &err);
    ck_assert(strcmp(state.stage, "train") == 0 && state.since == 0);
    run_progress_leave(folder, NULL);
    check_ok(run_state_read(&state, folder, &err), &err);
    ck_assert_str_eq(state.stage, "");
    messages_quiet(false);
    free(folder);
}
END_TEST

START_TEST(a_folder_that_cannot_be_written_stops_nothing)
{
    struct run_progress progress = {.folder = "/no/such/folder", .stage = "score"};
    run_progress_begin(&progress);
    run_progress_end();
    run_progress_leave("/no/such/folder", "train");
    run_progress_leave("/no/such/folder", NULL);
}
END_TEST

static const char header[] = "stage\tsince\twhat\tunit\tdone\ttotal\tper_second\n";

static void put_progress(const char *folder, const char *row)
{
    char *content = xasprintf("%s%s", header, row);
    put(folder, "progress.tsv", content);
    free(content);
}

START_TEST(a_stopped_run_says_where)
{
    char *folder = run_folder("stopped");
    CHECK_SHOWS(folder, false, "stopped before the first stage", "\n  embed     waiting\n");
    mark(folder, "embed", "12.3");
    mark(folder, "mine", "207.4");
    mark(folder, "train", "9.9"); /* another job's */
    CHECK_SHOWS(folder, false, "nobody works here; stopped after stage mine\n",
                "goes on\n  embed     done            12 s\n  mine      done      3 min 27 s\n"
                "  score     waiting\n  train     waiting\n");
    put_progress(folder, "mine\t0\t\t\t\t\t\n"); /* its mark is another job's, too */
    CHECK_SHOWS(folder, false, "stopped after stage embed\n", "\n  mine      waiting\n");
    put_progress(folder, "score\t1700000000\tscoring\tpairs\t500\t1000\t3\n");
    CHECK_SHOWS(folder, false, "stopped in stage score\n",
                "\n  score     stopped   scoring: 500 of 1000 pairs (50%)\n  train     waiting\n");
    free(folder);
}
END_TEST

START_TEST(a_run_at_work_says_how_long)
{
    struct error err = {0};
    char *folder = run_folder("working");
    mark(folder, "embed", "1");
    mark(folder, "mine", "1");
    put_progress(folder, "score\t1700000000\tscoring\tpairs\t500\t1000\t0.3\n");
    int lock = folder_lock(folder, &err);
    ck_assert_int_ge(lock, 0);
    CHECK_SHOWS(folder, true, ": working, stage 3 of 7\n",
                " so far   scoring: 500 of 1000 pairs (50%), 0.30/s, 27 min 47 s left\n");
    put(folder, "progress.tsv", "half a li"); /* what is read while it goes must not end a watch */
    CHECK_SHOWS(folder, true, ": working, stage 3 of 7\n");
    close(lock);
    struct text out = {0};
    bool working;
    check_failed(watch_snapshot(&out, &working, folder, 0, &err), &err, STATUS_WORLD,
                 "progress.tsv", "header");
    text_free(&out);
    free(folder);
}
END_TEST

/* Steps 2 and 3 stand twice: the run was killed and went on from step 1. */
static const char log_rows[] = "phase\tkind\tstep\tname\tvalue\n"
                               "distil\ttrain\t1\tloss\t8\n"
                               "distil\tdev\t1\tndcg_cut_10 (1, 8)\t0.25\n"
                               "distil\tdev\t1\tdev_mean\t0.25\n"
                               "distil\ttrain\t2\tloss\t100\n"
                               "distil\ttrain\t3\tloss\t100\n"
                               "distil\ttrain\t2\tloss\t6\n"
                               "distil\ttrain\t2\tlearning_rate\t0.1\n"
                               "distil\ttrain\t3\tloss\t4\n"
                               "distil\tdev\t3\tndcg_cut_10 (1, 8)\t0.2\n"
                               "distil\tdev\t3\tdev_mean\t0.2\n";

START_TEST(training_is_read_from_its_log)
{
    struct error err = {0};
    struct train_log log;
    char *folder = run_folder("training");
    check_ok(train_log_read(&log, folder, "distil", &err), &err);
    ck_assert_uint_eq(log.count, 0);
    put(folder, "train/distil.tsv", log_rows);
    check_ok(train_log_read(&log, folder, "distil", &err), &err);
    ck_assert_uint_eq(log.count, 4);
    ck_assert(log.last_step == 3 && log.series[0].count == 3);
    ck_assert(log.series[0].points[1].value == 6);
    ck_assert(train_log_is_loss(&log.series[0]) && !train_log_is_loss(&log.series[3]));
    ck_assert_str_eq(log_series_title(&log, &log.series[1]), "(1, 8)");
    ck_assert(train_log_best(&log)->step == 1);
    train_log_free(&log);
    mark(folder, "embed", "1"), mark(folder, "mine", "1"), mark(folder, "score", "1");
    put_progress(folder, "train\t1700000000\tdistil\tsteps\t4\t9\t2\n");
    CHECK_SHOWS(folder, false, "  distil     step 3; losses, mean of the last 20 steps: loss 6\n",
                "nDCG@10 on dev, best 0.2500 at step 1; last:\n               (1, 8) 0.2000  "
                "mean of the taps 0.2000\n");
    put_progress(folder, "train\t1700000000\thpd\tsteps\t4\t9\t2\n"); /* distil is another job's */
    bool working;
    char *shown = snapshot(folder, &working, 0);
    ck_assert_ptr_null(strstr(shown, "  distil "));
    free(shown);
    put(folder, "train/distil.tsv", "phase\tkind\tstep\tname\tvalue\ndistil\ttrain\t1\tlo");
    put_progress(folder, "train\t1700000000\tdistil\tsteps\t4\t9\t2\n");
    CHECK_SHOWS(folder, false, "distil.tsv:2: 4 columns, wanted 5\n");
    check_failed(train_log_read(&log, folder, "distil", &err), &err, STATUS_WORLD, "distil.tsv:2");
    train_log_free(&log);
    free(folder);
}
END_TEST

static int count_lines(const char *string)
{
    int count = 0;
    for (; *string; string++) count += *string == '\n';
    return count;
}

START_TEST(the_log_fills_the_terminal)
{
    bool working;
    struct text log = {0};
    char *folder = run_folder("logged");
    for (int i = 0; i < 1000; i++) text_printf(&log, "2026-01-01T00:00:00Z line %d \033[1m\n", i);
    put(folder, "log.txt", log.bytes);
    char *shown = snapshot(folder, &working, 40);
    ck_assert_int_eq(count_lines(shown), 39);
    ck_assert_ptr_nonnull(strstr(shown, "Z line 999 ?[1m\n"));
    ck_assert_ptr_nonnull(strstr(shown, "\nlog\n2026-01-01T00:00:00Z line 972 "));
    free(shown);
    shown = snapshot(folder, &working, 5);
    ck_assert_ptr_nonnull(strstr(shown, "\nlog\n2026-01-01T00:00:00Z line 999 "));
    free(shown);
    shown = snapshot(folder, &working, 0);
    ck_assert_ptr_nonnull(strstr(shown, "\nlog\n2026-01-01T00:00:00Z line 995 "));
    free(shown);
    put(folder, "log.txt", "only one line");
    CHECK_SHOWS(folder, false, "\nlog\nonly one line\n");
    put(folder, "log.txt", "");
    shown = snapshot(folder, &working, 0);
    ck_assert_ptr_null(strstr(shown, "log\n"));
    free(shown);
    text_free(&log);
    free(folder);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {
        TEST(progress_is_read_as_it_was_written),
        TEST(a_folder_that_cannot_be_written_stops_nothing),
        TEST(a_stopped_run_says_where),
        TEST(a_run_at_work_says_how_long),
        TEST(training_is_read_from_its_log),
        TEST(the_log_fills_the_terminal),
        {0},
    };
    return run_tests("distill/watch", rows);
}
