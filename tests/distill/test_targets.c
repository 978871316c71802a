/* distill/targets: HPD targets against a naive computation, each side with its own mean. */
#include "distill/targets.h"
#include "distill/pca.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/output.h"

enum { DOCUMENTS = 30, QUERIES = 9, TRAIN = 6, WIDTH = 5, SIZE = 3 };
static uint32_t train_rows[TRAIN] = {8, 1, 2, 3, 5, 0};

static float value(int side, int row, int j) /* queries point another way than documents */
{
    return test_value(90 + (uint64_t)side, (uint64_t)(row * WIDTH + j)) + (j == side ? 2 : 0);
}

static void write_vectors(const char *folder, const char *name, int side, int rows)
{
    struct error err = {0};
    float values[DOCUMENTS * WIDTH];
    char *path = path_join(folder, name);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < WIDTH; j++) values[i * WIDTH + j] = value(side, i, j);
    check_ok(npy_write(path, values, (size_t)rows, WIDTH, &err), &err);
    free(path);
}

static void unit_row(double out[WIDTH], int side, int row)
{
    double squares = 0;
    for (int j = 0; j < WIDTH; j++) squares += pow((double)value(side, row, j), 2);
    for (int j = 0; j < WIDTH; j++) out[j] = (double)value(side, row, j) / sqrt(squares);
}

/* The mean that the side's rows lose; zero where not centred. */
static void naive_mean(double mean[WIDTH], int side, bool centred)
{
    int count = side ? TRAIN : DOCUMENTS;
    memset(mean, 0, WIDTH * sizeof *mean);
    for (int i = 0; centred && i < count; i++) {
        double unit[WIDTH];
        unit_row(unit, side, side ? (int)train_rows[i] : i);
        for (int j = 0; j < WIDTH; j++) mean[j] += unit[j] / count;
    }
}

static void check_side(const struct matrix *targets, const struct pca *pca, int side, bool centred)
{
    double mean[WIDTH];
    naive_mean(mean, side, centred);
    for (size_t i = 0; i < targets->rows; i++) {
        double unit[WIDTH];
        unit_row(unit, side, (int)i);
        for (int d = 0; d < SIZE; d++) {
            double sum = 0;
            for (int j = 0; j < WIDTH; j++)
                sum += (double)pca->components[d * WIDTH + j] * (unit[j] - mean[j]);
            ck_assert_double_eq_tol((double)targets->values[i * SIZE + (size_t)d], sum, 1e-5);
        }
    }
    for (int j = 0; side == 0 && j < WIDTH; j++)
        ck_assert_double_eq_tol((double)pca->mean[j], mean[j], 1e-6);
}

static void check_targets(const char *name, bool centred)
{
    struct error err = {0};
    char *folder = path_join(scratch_folder(), name);
    const char *parts[] = {"", "representations", "targets", "representations/4"};
    for (int p = 0; p < 4; p++) {
        char *path = path_join(folder, parts[p]);
        check_ok(make_folder(path, &err), &err);
        free(path);
    }
    write_vectors(folder, "representations/documents.npy", 0, DOCUMENTS);
    write_vectors(folder, "representations/queries.npy", 1, QUERIES);
    /* An aligned layer's vectors: the same here, so that its targets are known. */
    write_vectors(folder, "representations/4/documents.npy", 0, DOCUMENTS);
    write_vectors(folder, "representations/4/queries.npy", 1, QUERIES);
    int aligned[] = {4};
    struct job job = {.student.projection = SIZE,
                      .distill = {.hpd.centred = centred, .align.layers = {aligned, 1}}};
    struct job_run run = {
        .job = &job, .folder = folder, .train = {.rows = train_rows, .count = TRAIN}};
    run.collection.documents.count = DOCUMENTS;
    run.collection.queries.count = QUERIES;
    double length = 0, naive = 0;
    check_ok(targets_make(&run, &length, &err), &err);
    for (int i = 0; i < DOCUMENTS; i++) {
        double squares = 0;
        for (int j = 0; j < WIDTH; j++) squares += pow((double)value(0, i, j), 2);
        naive += sqrt(squares) / DOCUMENTS;
    }
    ck_assert_double_eq_tol(length, naive, 1e-6);

    struct targets targets;
    struct pca pca;
    char *path = path_join(folder, "pca.safetensors");
    check_ok(pca_read(&pca, path, &err), &err);
    check_ok(targets_read(&targets, &run, &err), &err);
    ck_assert_int_eq((int)targets.all[0].documents.cols, SIZE);
    check_side(&targets.all[0].documents, &pca, 0, centred);
    check_side(&targets.all[0].queries, &pca, 1, centred);
    ck_assert_uint_eq(targets.count, 2);
    check_side(&targets.all[1].documents, &pca, 0, centred);
    check_side(&targets.all[1].queries, &pca, 1, centred);
    targets_free(&targets);
    pca_free(&pca);
    run.collection.queries.count++;
    check_failed(targets_read(&targets, &run, &err), &err, STATUS_WORLD, "targets/queries.npy",
                 "9 rows for 10 texts");
    free(path), free(folder);
}

START_TEST(as_published)
{
    check_targets("raw", false);
}
END_TEST

START_TEST(each_side_loses_its_own_mean)
{
    check_targets("centred", true);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(as_published), TEST(each_side_loses_its_own_mean), {0}};
    return run_tests("distill/targets", rows);
}
