/* Runs a harness without a fuzzing engine, so that any compiler's build repeats what was found:
 *
 *     replay_qrels FILE...     each file once
 *     replay_qrels             every file of tests/fuzz/seeds/qrels, and mutations of it, the same
 *                              at every run
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "data/output.h"
#include "tests/fuzz/support.h"

enum { LARGEST = 1 << 20, MUTATIONS = 300, MUTATIONS_IF_SLOW = 10 };

/* One change at a random place: a byte, a cut, a piece removed, a piece said twice. */
static void mutate(struct text *text, uint64_t stream, uint64_t step)
{
    if (!text->length) return;
    uint64_t bits = random_bits(7, stream, step);
    size_t at = (size_t)(bits >> 32) % text->length;
    size_t piece = (size_t)(bits >> 16 & 0xffff) % (text->length - at) + 1;
    static const char telling[] = "\t\n\r \"{}\\-.0\xff\x80\xc3\x1f\x8b/";
    switch (bits % 5) {
    case 0:
        text->bytes[at] ^= (char)(1 << (bits >> 8 & 7));
        break;
    case 1:
        text->bytes[at] = telling[(bits >> 8) % (sizeof telling - 1)];
        break;
    case 2:
        text->length = at;
        break;
    case 3:
        memmove(text->bytes + at, text->bytes + at + piece, text->length - at - piece);
        text->length -= piece;
        break;
    default: {
        char *copy = xstrndup(text->bytes + at, piece);
        text_append(text, copy, piece);
        free(copy);
    }
    }
}

static void run(const struct text *text)
{
    /* An allocation of its own: a sanitizer sees a read beyond it. */
    uint8_t *bytes = xmalloc(text->length);
    if (text->length) memcpy(bytes, text->bytes, text->length);
    LLVMFuzzerTestOneInput(bytes, text->length);
    free(bytes);
}

static void read_input(struct text *out, const char *path)
{
    struct error err = {0};
    if (read_whole_file(out, path, LARGEST, &err) == 0) return;
    fprintf(stderr, "%s\n", err.message);
    exit(EXIT_FAILURE);
}

static void run_mutations(const struct text *seed, uint64_t stream)
{
    int mutations = getenv("RETORT_SKIP_SLOW") ? MUTATIONS_IF_SLOW : MUTATIONS;
    for (int m = 0; m < mutations; m++) {
        struct text text = {0};
        text_append(&text, seed->bytes ? seed->bytes : "", seed->length);
        for (int change = 0; change <= m % 4; change++)
            mutate(&text, stream, (uint64_t)(m * 4 + change));
        run(&text);
        text_free(&text);
    }
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int run_seeds(const char *program)
{
    const char *name = strstr(program, "replay_");
    char *folder = xasprintf("tests/fuzz/seeds/%s", name ? name + strlen("replay_") : "");
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, not_hidden, alphasort);
    if (count <= 0) fprintf(stderr, "%s: no seeds; call this from the root\n", folder);
    for (int i = 0; i < count; i++) {
        char *path = path_join(folder, entries[i]->d_name);
        struct text text = {0};
        read_input(&text, path);
        run(&text);
        run_mutations(&text, (uint64_t)i);
        text_free(&text);
        free(path);
        free(entries[i]);
    }
    free(entries);
    free(folder);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_all(int argc, char **argv)
{
    if (argc == 1) return run_seeds(argv[0]);
    for (int i = 1; i < argc; i++) {
        struct text text = {0};
        read_input(&text, argv[i]);
        run(&text);
        text_free(&text);
    }
    return EXIT_SUCCESS;
}

/* The readers warn a lot about such input: what a child says is shown only if it fails. */
int main(int argc, char **argv)
{
    FILE *said = tmpfile();
    REQUIRE(said);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        dup2(fileno(said), STDERR_FILENO);
        exit(run_all(argc, argv));
    }
    int status;
    REQUIRE(waitpid(child, &status, 0) == child);
    if (status == 0) return EXIT_SUCCESS;
    rewind(said);
    for (int c; (c = getc(said)) != EOF;) putc(c, stderr);
    return EXIT_FAILURE;
}
