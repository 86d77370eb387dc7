/* dtype: element types and conversion between them. */
#ifndef CG_TENSOR_DTYPE_H
#define CG_TENSOR_DTYPE_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum { CG_F32, CG_BF16, CG_F16, CG_I32, CG_I64, CG_U8, CG_DTYPE_COUNT } CgDType;

size_t cg_dtype_size(CgDType dtype);
/* "f32", "bf16", ... for messages. */
const char *cg_dtype_name(CgDType dtype);
/* "f32" or "bf16", the types that networks compute in; FALSE for anything else. */
gboolean cg_dtype_parse_compute(const char *text, CgDType *dtype);
/* "f32", "f16" or "bf16", the types that weights are stored in. */
gboolean cg_dtype_parse_weights(const char *text, CgDType *dtype);

/* bfloat16, round to nearest even; NaN stays NaN. */
static inline uint16_t cg_bf16_from_f32(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((u >> 16) | 0x40u);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

static inline float cg_f32_from_bf16(uint16_t h)
{
    uint32_t u = (uint32_t)h << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

/* IEEE half, subnormals included. */
float cg_f32_from_f16(uint16_t h);
uint16_t cg_f16_from_f32(float f);

/* COUNT elements from SRC (any alignment) of type FROM to DST of type TO; f32, bf16, f16 only.
 * Multi-threaded for large counts. */
void cg_dtype_convert(const void *src, CgDType from, void *dst, CgDType to, size_t count);

#endif
