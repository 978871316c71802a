/* The kinds of numbers that operands of matrix products are stored as. */
#ifndef RETORT_ELEMENT_H
#define RETORT_ELEMENT_H

#include <stddef.h>

enum element {
    ELEMENT_F32,  /* float */
    ELEMENT_BF16, /* upper half of a float, as uint16_t */
    ELEMENT_INT8, /* int8_t */
    ELEMENT_UINT8 /* uint8_t: on the left of int8 */
};
size_t element_size(enum element element); /* in bytes */

#endif
