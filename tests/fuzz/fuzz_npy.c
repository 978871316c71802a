/* Any bytes as a matrix: refused in one sentence, or read such that it is written and read back
 * equal. */
#include <stdlib.h>
#include <string.h>

#include "data/npy.h"
#include "tests/fuzz/support.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct matrix matrix, again;
    struct npy_map map;
    struct error err = {0};
    const char *file = fuzz_file("x.npy", bytes, size);
    for (int type = 0; type < NPY_TYPES; type++) {
        err = (struct error){0};
        check_answer(npy_map_open(&map, file, (enum npy_type)type, &err), &err);
        npy_map_close(&map);
    }
    err = (struct error){0};
    int status = npy_read(&matrix, file, &err);
    check_answer(status, &err);
    if (status) return 0;
    char *path = xasprintf("%s/again.npy", fuzz_folder());
    REQUIRE(npy_write(path, matrix.values, matrix.rows, matrix.cols, &err) == 0);
    REQUIRE(npy_read(&again, path, &err) == 0);
    REQUIRE(again.rows == matrix.rows && again.cols == matrix.cols);
    size_t count = matrix.rows * matrix.cols;
    REQUIRE(count == 0 || !memcmp(again.values, matrix.values, count * sizeof *again.values));
    matrix_free(&again);
    matrix_free(&matrix);
    free(path);
    return 0;
}
