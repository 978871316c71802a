/* What the fuzz harnesses of file readers share: bytes as files of a folder that is removed when
 * the program ends. */
#ifndef RETORT_TESTS_FUZZ_SUPPORT_H
#define RETORT_TESTS_FUZZ_SUPPORT_H

#include <stddef.h>
#include <stdint.h>

#include "data/base.h"

/* What a harness defines; libFuzzer or replay.c calls it. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The folder; static storage. */
const char *fuzz_folder(void);
/* Writes FOLDER/name, whose folders are made; its path, in static storage until the next call. */
const char *fuzz_file(const char *name, const void *bytes, size_t size);
/* A reader's answer is 0, or -1 and one sentence about the world. */
void check_answer(int status, const struct error *err);

#endif
