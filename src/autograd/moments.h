/* moments: AdamW's two running means in a byte a number instead of four.
 *
 * Block-wise dynamic quantization (Dettmers et al. 2022, "8-bit Optimizers via Block-wise
 * Quantization"; the table is that of bitsandbytes' create_dynamic_map): of every
 * CG_MOMENTS_BLOCK numbers the largest magnitude is kept in f32, and of each number, divided by
 * it, its place in a table of 256 values that covers seven decades: -1 .. 1 for the mean, 0 .. 1
 * for the mean square. The nearest value is taken, of two as near the one closer to zero.
 *
 * One departure: a mean square above zero never becomes zero. AdamW divides by its root, and a
 * number whose gradient is small beside its neighbours' would leap.
 */
#ifndef CG_AUTOGRAD_MOMENTS_H
#define CG_AUTOGRAD_MOMENTS_H

#include <glib.h>

#define CG_MOMENTS_BLOCK 256

/* From 2^-23, below which all is zero, to 1: the exponent and seven bits of the fraction. */
#define CG_MOMENTS_BINS 0xb81

/* One of the two tables. */
typedef struct {
    float values[256];             /* rising */
    int zero;                      /* place of 0 */
    int top;                       /* places above it */
    float middles[256];            /* between the values zero + i and zero + i + 1 */
    guint8 first[CG_MOMENTS_BINS]; /* middles that lie below a bin */
} CgMomentTable;

/* IS_SIGNED: for the mean, else for the mean square. */
void cg_moment_table_init(CgMomentTable *table, gboolean is_signed);

/* One block, COUNT <= CG_MOMENTS_BLOCK numbers. */
void cg_moments_encode(const CgMomentTable *table, const float *x, size_t count, guint8 *codes,
                       float *scale);
void cg_moments_decode(const CgMomentTable *table, const guint8 *codes, float scale, size_t count,
                       float *x);

/* Blocks that COUNT numbers take. */
static inline size_t cg_moments_blocks(size_t count)
{
    return (count + CG_MOMENTS_BLOCK - 1) / CG_MOMENTS_BLOCK;
}

#endif
