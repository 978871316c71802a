/* Any bytes, divided by lines of "--", as corpus, queries and judgements of a collection in a
 * folder, as a list of texts and as sentence pairs. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "data/collection.h"
#include "data/progress.h"
#include "data/sts.h"
#include "tests/fuzz/support.h"

static void check_texts(const struct texts *texts)
{
    for (size_t i = 0; i < texts->count; i++) {
        REQUIRE(*texts->ids[i] && !strpbrk(texts->ids[i], "\t\r\n"));
        REQUIRE(texts_find(texts, texts->ids[i]) == (int64_t)i && texts->values[i]);
    }
}

static void try_collection(const uint8_t *bytes, size_t size)
{
    static const char *const names[] = {"set/corpus.jsonl", "set/queries.jsonl",
                                        "set/qrels/test.tsv"};
    for (int part = 0; part < 3; part++) {
        const uint8_t *end = part < 2 ? memmem(bytes, size, "--\n", 3) : NULL;
        size_t length = end ? (size_t)(end - bytes) : size;
        fuzz_file(names[part], bytes, length);
        length += end ? 3 : 0;
        bytes += length;
        size -= length;
    }
    struct collection collection;
    struct error err = {0};
    char *path = xasprintf("%s/set", fuzz_folder());
    int status = collection_read(&collection, path, &err);
    check_answer(status, &err);
    REQUIRE((status == 0) == (collection.documents.count > 0));
    check_texts(&collection.documents);
    check_texts(&collection.queries);
    collection_free(&collection);
    free(path);
}

static void try_lists(const uint8_t *bytes, size_t size)
{
    struct texts texts;
    struct arena strings = {0};
    struct sts_pairs pairs;
    struct error err = {0};
    const char *path = fuzz_file("list.tsv", bytes, size);
    check_answer(texts_read(&texts, &strings, path, &err), &err);
    check_texts(&texts);
    texts_free(&texts);
    arena_free(&strings);
    err = (struct error){0};
    check_answer(sts_read(&pairs, path, "test", &err), &err);
    sts_free(&pairs);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    try_lists(bytes, size);
    try_collection(bytes, size);
    return 0;
}
