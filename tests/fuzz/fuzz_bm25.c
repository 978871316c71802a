/* Any bytes as a BM25 index: refused in one sentence, or opened; then searches, ids and the full
 * check stay within it. */
#include "student/bm25.h"
#include "tests/fuzz/support.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const queries[] = {"the cat sat", "river the unknown", "a b c d e f g h"};
    struct hit hits[20];
    struct bm25 *index;
    struct error err = {0};
    const char *path = fuzz_file("x.bm25", bytes, size);
    int status = bm25_open(&index, path, &err);
    check_answer(status, &err);
    REQUIRE(status || bm25_is_index(path));
    if (status) return 0;
    for (size_t q = 0; q < sizeof queries / sizeof *queries; q++)
        for (size_t k = 1; k <= 20; k += 19) {
            size_t found = bm25_search(index, queries[q], k, hits);
            REQUIRE(found <= k);
            for (size_t i = 0; i < found; i++) {
                REQUIRE(hits[i].row < bm25_facts(index).documents);
                REQUIRE(bm25_id(index, hits[i].row));
            }
        }
    status = bm25_verify(index, &err);
    check_answer(status, &err);
    bm25_free(index);
    return 0;
}
