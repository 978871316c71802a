/* Whole commands, files in and files out: `retort score` and `retort embed` from start to exit, on
 * texts of mixed lengths.  Their fraction of the peak beside score-mix's says what starting,
 * reading, cutting into tokens and writing cost. */
#define _GNU_SOURCE
#include "tests/bench/encoders.h"

#include "data/output.h"
#include "data/output_folder.h"
#include "teacher/training.h"

#include <stdlib.h>
#include <sys/resource.h>

enum { TEXTS = 4096, TINY_TEXTS = 64 };

/* ---- a child that is waited for ---- */

struct command {
    char *line; /* for a shell */
    struct seconds taken;
};

static double processor_of_children(void)
{
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void run_command(void *arg)
{
    struct command *command = arg;
    double began = seconds_now(), used = processor_of_children();
    REQUIRE(system(command->line) == 0);
    command->taken = (struct seconds){seconds_now() - began, processor_of_children() - used};
}

static void release_command(void *object)
{
    struct command *command = object;
    free(command->line);
    free(command);
}

/* ---- what they read ---- */

static void release_folder(void *object)
{
    remove_folder(object);
    free(object);
}

/* A line a text, or a pair with a tab between; returns the file's path. */
static char *write_inputs(const char *folder, const char *name, const struct inputs *inputs)
{
    struct error err = {0};
    struct output out = {0};
    char *path = path_join(folder, name);
    REQUIRE(output_open(&out, path, &err) == 0);
    for (size_t i = 0; i < inputs->count; i++) {
        output_printf(&out, "%s", inputs->first[i]);
        if (inputs->second) output_printf(&out, "\t%s", inputs->second[i]);
        output_printf(&out, "\n");
    }
    REQUIRE(output_commit(&out, &err) == 0);
    return path;
}

/* The command reads the model and these inputs, all in the folder. */
static void add_command(struct bench *bench, const char *folder, const struct cross_encoder *ce,
                        bool pairs)
{
    const char *program = getenv("RETORT");
    struct inputs inputs;
    make_inputs(&inputs, bench, bench_size(bench, TEXTS, TINY_TEXTS), 0, pairs);
    count_flops(&inputs, &ce->encoder.config, 0, pairs);
    char *path = write_inputs(folder, pairs ? "pairs.tsv" : "texts.txt", &inputs);
    struct command *command = xcalloc(1, sizeof *command);
    command->line = xasprintf("%s %s '%s' --quiet '%s' > '%s.out'", program ? program : "./retort",
                              pairs ? "score --teacher" : "embed --model", folder, path, path);
    bench_own(bench, command, release_command);
    bench_add(bench,
              &(struct work){.name = pairs ? "score-command" : "embed-command",
                             .precision = precision_name(ce->encoder.precision),
                             .units = {{pairs ? "pairs/s" : "texts/s", (double)inputs.count}},
                             .peak = peak_of(&ce->encoder),
                             .cost = inputs.all_flops,
                             .run = run_command,
                             .arg = command,
                             .counted = &command->taken});
    free(path);
    free_inputs(&inputs);
}

void add_commands(struct bench *bench)
{
    struct error err = {0};
    const struct cross_encoder *ce = open_model(bench, &minilm, best_precision());
    char *folder = xasprintf("%s.files", bench->path);
    bench_own(bench, folder, release_folder);
    REQUIRE(cross_encoder_write(ce, folder, MAX_LENGTH, &err) == 0);
    add_command(bench, folder, ce, true);
    add_command(bench, folder, ce, false);
}
