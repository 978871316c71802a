/* The kinds of numbers that activations and packed weights are stored as. */
#ifndef RETORT_ELEMENT_H
#define RETORT_ELEMENT_H

#include <stddef.h>

enum element {
    ELEMENT_F32,  /* float */
    ELEMENT_BF16, /* upper half of a float, as uint16_t */
    ELEMENT_INT8  /* activations uint8_t, weights int8_t, in products alone: nn/quantize.h */
};
size_t element_size(enum element element); /* in bytes */

#endif
