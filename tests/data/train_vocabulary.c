/* Trains a vocabulary, for scripts/check_vocabulary.py:
 *
 *     train_vocabulary VOCAB_SIZE MIN_FREQUENCY LIMIT_ALPHABET LOWERCASE FOLDER < LINES
 *
 * A line is a JSON string, a text; LOWERCASE is 0 or 1.  The tokenizer is exported into FOLDER.
 * The processor time that counting and training took goes to stderr. */
#define _GNU_SOURCE
#include "data/json.h"
#include "data/wordpiece_train.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int stop(const struct error *err)
{
    fprintf(stderr, "train_vocabulary: %s\n", err->message);
    return err->status;
}

static double processor_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

int main(int argc, char **argv)
{
    struct tokenizer *tok;
    struct error err = {0};
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    double counting = 0;
    if (argc != 6) return EXIT_FAILURE;
    struct wordpiece_training how = {.vocab_size = atoi(argv[1]),
                                     .min_frequency = atoi(argv[2]),
                                     .limit_alphabet = atoi(argv[3]),
                                     .lowercase = atoi(argv[4]) != 0};
    struct wordpiece_trainer *trainer = wordpiece_trainer_open(&how);
    while ((length = getline(&line, &size, stdin)) > 0) {
        struct json *json;
        if (json_parse_line(&json, line, (size_t)length, "stdin", &err)) return stop(&err);
        double start = processor_seconds();
        wordpiece_trainer_add(trainer, json_as_string(json));
        counting += processor_seconds() - start;
        json_free(json);
    }
    double start = processor_seconds();
    if (wordpiece_trainer_train(trainer, &tok, &err)) return stop(&err);
    fprintf(stderr, "counted in %.3f s, trained in %.3f s\n", counting,
            processor_seconds() - start);
    if (tokenizer_export(tok, argv[5], 512, &err)) return stop(&err);
    tokenizer_close(tok);
    wordpiece_trainer_close(trainer);
    free(line);
    return EXIT_SUCCESS;
}
