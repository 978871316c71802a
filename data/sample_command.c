#include "data/sample_command.h"

#include <stdlib.h>

#include "data/options.h"
#include "data/output.h"
#include "data/output_folder.h"
#include "data/progress.h"
#include "data/sample.h"

static const char marker[] = "sample.txt";

/* What the folder is, and the sign that it is ours to replace. */
static int write_marker(const struct sample *sample, const char *folder, int seed,
                        struct error *err)
{
    struct output out;
    char *path = path_join(folder, marker);
    int status = output_open(&out, path, err);
    free(path);
    if (status) return -1;
    output_printf(&out, "Written by retort %s: retort sample --documents %zu --seed %d\n",
                  RETORT_VERSION, sample->num_documents, seed);
    return output_commit(&out, err);
}

static int write_folder(const struct sample *sample, const char *path, int seed, struct error *err)
{
    struct output_folder out;
    if (output_folder_open(&out, path, marker, err)) return -1;
    if (sample_write(sample, out.temporary, err) ||
        write_marker(sample, out.temporary, seed, err)) {
        output_folder_abandon(&out);
        return -1;
    }
    if (output_folder_commit(&out, err)) return -1;
    note("%s: %zu documents, %zu queries", path, sample->num_documents, sample->num_queries);
    return 0;
}

int sample_command(int argc, char **argv, struct error *err)
{
    int documents = SAMPLE_DOCUMENTS, seed = 13;
    const struct option options[] = {
        {"documents", OPTION_INT, &documents, "N", "how many documents, from 120 to 20000 (4200)"},
        {"seed", OPTION_INT, &seed, "S", "another seed gives another collection (13)"},
        {0}};
    const struct command_help help = {
        .command = "sample",
        .usage = "[--documents N] [--seed S] DIR",
        .summary = "Writes a small collection of our own, in which words mislead.",
        .options = options,
        .details =
            "DIR: a new folder, or one that this command wrote.  It becomes a BEIR folder: "
            "corpus.jsonl, queries.jsonl, qrels/train.tsv, dev.tsv and test.tsv with grades 1 and "
            "2; equal options give equal bytes.\n"
            "The documents tell who did what to which thing, in which town, when, or that nobody "
            "did; queries ask for it in other words, and the nearest words are often about its "
            "contrary.  The texts are made of words and sentences written for it, and free to use.",
    };
    int first = options_parse(&help, argc, argv, err);
    if (first < 0) return first == OPTIONS_HELP ? 0 : -1;
    if (argc - first != 1) return fail_usage(err, "give one DIR, the folder to write");
    if (documents < SAMPLE_MIN_DOCUMENTS || documents > SAMPLE_MAX_DOCUMENTS)
        return fail_usage(err, "--documents is %d, must be from %d to %d", documents,
                          SAMPLE_MIN_DOCUMENTS, SAMPLE_MAX_DOCUMENTS);
    struct sample sample;
    sample_make(&sample, documents, (uint64_t)seed);
    int status = write_folder(&sample, argv[first], seed, err);
    sample_free(&sample);
    return status;
}
