#include "distill/versions.h"

#include <stdio.h>

#include "data/json.h"
#include "data/source.h"
#include "data/unicode.h"
#include "data/yaml.h"
#include "distill/moments.h"
#include "nn/dnn.h"
#include "nn/kernels.h"

static const struct {
    const char *name;
    void (*version)(char version[VERSION_SIZE]);
} libraries[] = {
    {"oneDNN", dnn_library_version},   {"libarchive", source_library_version},
    {"zlib", lines_library_version},   {"libyaml", yaml_library_version},
    {"jansson", json_library_version}, {"utf8proc", unicode_library_version},
    {"LAPACK", lapack_version},        {"xxHash", hash_library_version},
};

void versions_print(void)
{
    printf("retort %s\n", RETORT_VERSION);
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        char version[VERSION_SIZE];
        libraries[i].version(version);
        printf("%s %s\n", libraries[i].name, version);
    }
    printf("kernels %s\nbf16 %s\nint8 %s\n", kernels_best()->name,
           dnn_has_fast_bf16() ? "fast" : "slow", dnn_has_fast_int8() ? "fast" : "slow");
}
