/* How fast retort is on this machine, and how near to what the processor can do.
 *
 *     [ROUNDS=3] [SCALE=tiny] [WORKS="score-mix search-one"] bench [growth] TSV
 *
 * A table on stdout, the same as tab-separated values in the file TSV.  A work's peak is the larger
 * of two rates of the same run: a loop of nothing but the type's multiply-add instruction, and the
 * best matrix product of oneDNN among the encoder's own shapes; for what reads more than it
 * computes, the bandwidth of memory.  Times are the wall's, on all cores, the best of many.
 *
 * Two columns more help to read the table of a machine that others use too: busy is the share of
 * all cores that the best run had, below 1 where it waited or where something else ran beside it;
 * "by cpu" is the fraction of the peak with both in processor seconds, which other load changes
 * little, and in which waiting does not count.
 *
 * With "growth" other works are run, each in several sizes: growth.c.
 */
#define _GNU_SOURCE
#include "tests/bench/bench.h"
#include "tests/bench/texts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- the list ---- */

void bench_add(struct bench *bench, const struct work *work)
{
    GROW(bench->works, bench->count, &bench->capacity);
    bench->works[bench->count++] = *work;
}

static bool is_named(const char *name, const struct work *work)
{
    return strcmp(name, work->name) == 0;
}

/* Refuses a name that no work has, and says which there are. */
static int check_name(const struct bench *bench, const char *name)
{
    for (size_t w = 0; w < bench->count; w++)
        if (is_named(name, &bench->works[w])) return 0;
    fprintf(stderr, "bench: no work is called \"%s\"; there are", name);
    for (size_t w = 0; w < bench->count; w++) {
        bool said = false;
        for (size_t v = 0; v < w; v++)
            said = said || is_named(bench->works[v].name, &bench->works[w]);
        if (!said) fprintf(stderr, " %s", bench->works[w].name);
    }
    fprintf(stderr, "\n");
    return -1;
}

/* Keeps the works that are named, and the peaks. */
static int keep_named(struct bench *bench, const char *names)
{
    struct text words = {0};
    text_puts(&words, names);
    int status = 0;
    size_t kept = 0;
    bool *wanted = xcalloc(bench->count, sizeof *wanted);
    char *rest = words.bytes, *name;
    while (!status && (name = strtok_r(rest, " ", &rest))) {
        status = check_name(bench, name);
        for (size_t w = 0; w < bench->count; w++)
            wanted[w] = wanted[w] || is_named(name, &bench->works[w]);
    }
    for (size_t w = 0; w < bench->count; w++)
        if (wanted[w] || bench->works[w].is_peak) bench->works[kept++] = bench->works[w];
    bench->count = kept;
    free(wanted);
    text_free(&words);
    return status;
}

void bench_own(struct bench *bench, void *object, void (*release)(void *object))
{
    GROW(bench->owned, bench->num_owned, &bench->owned_capacity);
    bench->owned[bench->num_owned++] = (struct owned){object, release};
}

size_t bench_size(const struct bench *bench, size_t real, size_t tiny)
{
    return bench->tiny ? tiny : real;
}

/* ---- measuring ---- */

struct seconds clocks_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (struct seconds){seconds_now(), (double)time.tv_sec + 1e-9 * (double)time.tv_nsec};
}

static void run_once(const struct bench *bench, struct work *work)
{
    struct phases *phases = work->phases;
    double seconds_of[NUM_PHASES];
    int cores = pool_size(bench->pool);
    if (phases) phases_start(phases->encoder, cores);
    struct seconds began = clocks_now();
    work->run(work->arg);
    struct seconds taken = clocks_now();
    taken.wall -= began.wall, taken.processor -= began.processor;
    if (phases) phases_stop(seconds_of);

    if (work->counted) taken = *work->counted;
    bool first = work->least.wall <= 0;
    if (first || taken.processor < work->least.processor) work->least.processor = taken.processor;
    if (!first && taken.wall >= work->least.wall) return;
    work->least.wall = taken.wall;
    work->busy = taken.processor / (taken.wall * cores);
    if (!phases) return;
    double rest = taken.wall * cores;
    for (int p = 0; p < PHASE_OTHER; p++) rest -= seconds_of[p];
    seconds_of[PHASE_OTHER] = rest;
    memcpy(phases->seconds, seconds_of, sizeof seconds_of);
}

/* Short works are run again and again: one of the runs will be left in peace. */
static void run_round(const struct bench *bench)
{
    double least = bench->tiny ? 0.03 : 0.4;
    for (size_t w = 0; w < bench->count; w++) {
        double began = seconds_now();
        do run_once(bench, &bench->works[w]);
        while (seconds_now() - began < least);
    }
}

/* ---- reporting ---- */

/* Flop/s or bytes/s, the best of each kind: of all cores, and of one for a processor second. */
struct peaks {
    double wall[NUM_PEAKS], processor[NUM_PEAKS];
};

static void find_peaks(struct peaks *peaks, const struct bench *bench)
{
    for (size_t w = 0; w < bench->count; w++) {
        const struct work *work = &bench->works[w];
        if (!work->is_peak) continue;
        double rate = work->cost / work->least.wall;
        if (rate > peaks->wall[work->peak]) peaks->wall[work->peak] = rate;
        rate = work->cost / work->least.processor;
        if (rate > peaks->processor[work->peak]) peaks->processor[work->peak] = rate;
    }
}

static void print_row(FILE *tsv, const struct work *work, const struct unit *unit,
                      const struct peaks *peaks)
{
    double rate = unit->amount / work->least.wall;
    double wall = peaks->wall[work->peak], processor = peaks->processor[work->peak];
    printf("%-16s %-9s %10.*f %-12s ", work->name, work->precision, rate < 100 ? 2 : 0, rate,
           unit->name);
    fprintf(tsv, "%s\t%s\t%.6g\t%s\t", work->name, work->precision, rate, unit->name);
    if (wall > 0) {
        double fraction = work->cost / work->least.wall / wall;
        printf("%16.3f %6.2f %7.3f\n", fraction, work->busy,
               work->cost / work->least.processor / processor);
        fprintf(tsv, "%.4f\n", fraction);
    } else {
        printf("%16s %6.2f\n", "", work->busy);
        fprintf(tsv, "\n");
    }
}

static void print_works(FILE *tsv, const struct bench *bench, const struct peaks *peaks)
{
    printf("%-16s %-9s %10s %-12s %16s %6s %7s\n", "work", "precision", "rate", "unit",
           "fraction of peak", "busy", "by cpu");
    fprintf(tsv, "work\tprecision\trate\tunit\tfraction_of_peak\n");
    for (size_t w = 0; w < bench->count; w++) {
        const struct work *work = &bench->works[w];
        for (int u = 0; u < 2 && work->units[u].name; u++)
            print_row(tsv, work, &work->units[u], peaks);
    }
}

/* A line for the share of the time, and one for the fraction of the peak meanwhile, by cpu: other
 * load lengthens all phases alike. */
static void print_phases(const struct work *work, const struct peaks *peaks)
{
    const struct phases *phases = work->phases;
    double all = 0;
    for (int p = 0; p < NUM_PHASES; p++) all += phases->seconds[p];
    printf("%-16s %-9s %-11s", work->name, work->precision, "% of time");
    for (int p = 0; p < NUM_PHASES; p++) printf(" %9.1f", 100 * phases->seconds[p] / all);
    printf("\n%-16s %-9s %-11s", "", "", "of peak");
    for (int p = 0; p < PHASE_QUANTIZE; p++)
        if (phases->flops[p] > 0) {
            double seconds = work->least.processor * phases->seconds[p] / all;
            printf(" %9.2f", phases->flops[p] / seconds / peaks->processor[work->peak]);
        } else {
            printf(" %9s", "");
        }
    printf("\n");
}

static void print_all_phases(const struct bench *bench, const struct peaks *peaks)
{
    static const char *const names[NUM_PHASES] = {"tokenise", "qkv",      "attention", "output",
                                                  "ffn",      "quantise", "norm",      "other"};
    printf("\n%-16s %-9s %-11s", "phases of", "precision", "");
    for (int p = 0; p < NUM_PHASES; p++) printf(" %9s", names[p]);
    printf("\n");
    for (size_t w = 0; w < bench->count; w++)
        if (bench->works[w].phases) print_phases(&bench->works[w], peaks);
}

static void release(struct bench *bench)
{
    while (bench->num_owned > 0) {
        struct owned *owned = &bench->owned[--bench->num_owned];
        owned->release(owned->object);
    }
    free(bench->owned);
    free(bench->works);
    pool_close(bench->pool);
}

static void add_works(struct bench *bench, bool growth)
{
    if (growth) {
        add_growth(bench);
        return;
    }
    add_processor(bench);
    add_products(bench);
    add_encoders(bench);
    add_commands(bench);
    add_search(bench);
    add_lexical(bench);
}

static void print_all(FILE *tsv, const struct bench *bench, bool growth)
{
    struct peaks peaks = {0};
    if (growth) {
        print_growth(tsv, bench);
        return;
    }
    find_peaks(&peaks, bench);
    print_works(tsv, bench, &peaks);
    print_all_phases(bench, &peaks);
}

/* 0, 1 where the table cannot be written, 2 where WORKS names what there is not. */
static int run_bench(struct bench *bench, bool growth, int rounds)
{
    const char *names = getenv("WORKS");
    add_works(bench, growth);
    if (names && keep_named(bench, names)) return 2;
    FILE *tsv = fopen(bench->path, "w");
    if (!tsv) {
        perror(bench->path);
        return 1;
    }
    for (int round = 0; round < rounds; round++) {
        fprintf(stderr, "round %d of %d\n", round + 1, rounds);
        run_round(bench);
    }
    print_all(tsv, bench, growth);
    return fclose(tsv) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *rounds_wanted = getenv("ROUNDS"), *scale = getenv("SCALE");
    int rounds = rounds_wanted ? atoi(rounds_wanted) : 3;
    bool growth = argc == 3 && strcmp(argv[1], "growth") == 0;
    if (argc != 2 + growth || rounds < 1) {
        fprintf(stderr, "usage: [ROUNDS=3] [SCALE=tiny] [WORKS=NAMES] bench [growth] TSV\n");
        return 2;
    }
    struct bench bench = {
        .pool = pool_open(0), .tiny = scale && strcmp(scale, "tiny") == 0, .path = argv[argc - 1]};
    bench.texts = bench_texts_open(bench.tiny);
    bench_own(&bench, bench.texts, bench_texts_close);
    int status = run_bench(&bench, growth, rounds);
    release(&bench);
    return status;
}
