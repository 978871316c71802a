/* Prints token ids, for scripts/check_tokenizer.py:
 *
 *     tokenize_lines FOLDER MAX_LENGTH [EXPORT] < LINES
 *
 * A line is a JSON string, a text, or an array of two, a pair.  Out: ids, a tab, type ids.
 * MAX_LENGTH 0: without special tokens, whole.  The processor time that the encoding alone took
 * goes to stderr.  EXPORT: a folder into which the tokenizer is exported first. */
#define _GNU_SOURCE
#include "data/base.h"
#include "data/json.h"
#include "data/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int stop(const struct error *err)
{
    fprintf(stderr, "tokenize_lines: %s\n", err->message);
    return EXIT_FAILURE;
}

static void print_list(const struct token_list *list)
{
    for (size_t i = 0; i < list->count; i++) printf("%s%d", i ? " " : "", (int)list->ids[i]);
    putchar('\t');
    for (size_t i = 0; i < list->count; i++) printf("%s%d", i ? " " : "", (int)list->types[i]);
    putchar('\n');
}

static double processor_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double encode(const struct tokenizer *tok, struct token_list *out, const struct json *line,
                     int max_length)
{
    const char *text = json_as_string(line), *first = json_as_string(json_at(line, 0));
    double start = processor_seconds();
    if (max_length == 0)
        tokenizer_encode_plain(tok, out, text);
    else if (text)
        tokenizer_encode(tok, out, text, NULL, max_length);
    else
        tokenizer_encode(tok, out, first, json_as_string(json_at(line, 1)), max_length);
    return processor_seconds() - start;
}

int main(int argc, char **argv)
{
    struct tokenizer *tok;
    struct token_list ids = {0};
    struct error err = {0};
    char *line = NULL;
    size_t size = 0, count = 0;
    ssize_t length;
    double seconds = 0;
    if (argc < 3) return EXIT_FAILURE;
    if (tokenizer_open(&tok, argv[1], &err)) return stop(&err);
    if (argc > 3 && tokenizer_export(tok, argv[3], atoi(argv[2]), &err)) return stop(&err);
    while ((length = getline(&line, &size, stdin)) > 0) {
        struct json *json;
        if (json_parse_line(&json, line, (size_t)length, "stdin", &err)) return stop(&err);
        seconds += encode(tok, &ids, json, atoi(argv[2]));
        print_list(&ids);
        json_free(json);
        count++;
    }
    if (count)
        fprintf(stderr, "%zu lines, %.3f s, %.0f lines/s\n", count, seconds,
                (double)count / seconds);
    token_list_free(&ids);
    tokenizer_close(tok);
    free(line);
    return EXIT_SUCCESS;
}
