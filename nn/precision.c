/* Which number type the matrix products use: see encoder.h. */
#include "nn/encoder.h"

#include "data/progress.h"
#include "nn/dnn.h"

#include <stdatomic.h>
#include <string.h>

int precision_parse(enum precision *out, const char *name, struct error *err)
{
    for (int i = PRECISION_AUTO; i <= PRECISION_INT8; i++)
        if (strcmp(precision_name((enum precision)i), name) == 0)
            return *out = (enum precision)i, 0;
    return fail_usage(err, "precision \"%s\" is unknown; use auto, f32, bf16 or int8", name);
}

const char *precision_name(enum precision precision)
{
    static const char *const names[] = {"auto", "f32", "bf16", "int8"};
    return names[precision];
}

int precision_resolve(enum precision *precision, struct error *err)
{
    if (*precision == PRECISION_F32) return 0;
    if (*precision == PRECISION_INT8)
        return dnn_has_fast_int8()
                   ? 0
                   : fail(err, "precision int8: this processor has no fast product of bytes "
                               "(AVX-512 VNNI); use f32 or auto");
    bool fast = dnn_has_fast_bf16();
    if (*precision == PRECISION_BF16)
        return fast ? 0
                    : fail(err, "precision bf16: this processor has no fast bf16 product "
                                "(AVX-512 BF16); use f32 or auto");
    static atomic_flag said = ATOMIC_FLAG_INIT; /* once a run, however many models are opened */
    *precision = fast ? PRECISION_BF16 : PRECISION_F32;
    if (atomic_flag_test_and_set(&said)) return 0;
    note("precision %s%s", precision_name(*precision),
         fast ? "" : ": this processor has no fast bf16 product");
    return 0;
}

enum precision precision_of_training(enum precision precision)
{
    return precision == PRECISION_INT8 ? PRECISION_AUTO : precision;
}
