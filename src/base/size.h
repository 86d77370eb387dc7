/* size: arithmetic on sizes that cannot overflow silently. */
#ifndef CG_BASE_SIZE_H
#define CG_BASE_SIZE_H

#include <glib.h>
#include <stdint.h>

/* *OUT = A * B (or A + B); FALSE and *OUT untouched on overflow of size_t. */
static inline gboolean cg_size_mul(size_t a, size_t b, size_t *out)
{
    size_t r;
    if (__builtin_mul_overflow(a, b, &r))
        return FALSE;
    *out = r;
    return TRUE;
}

static inline gboolean cg_size_add(size_t a, size_t b, size_t *out)
{
    size_t r;
    if (__builtin_add_overflow(a, b, &r))
        return FALSE;
    *out = r;
    return TRUE;
}

/* A rounded up to a multiple of STEP (a power of two). */
static inline size_t cg_size_align(size_t a, size_t step)
{
    return (a + step - 1) & ~(step - 1);
}

#endif
