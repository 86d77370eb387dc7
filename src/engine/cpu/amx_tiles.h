/* amx_tiles: the tile instructions of AMX, or the same in plain C.
 *
 * Eight tiles of 16 rows x 64 bytes. With CG_AMX_EMULATED defined before inclusion the tiles are
 * arrays of the including file and every operation gives the processor's bits (Intel SDM volume 2,
 * TDPBF16PS): tests run the tile algorithms on any machine that way. Tile numbers are literals.
 *
 *     amx_begin(), amx_end()             configure all tiles to full size; release them
 *     amx_zero(T)
 *     amx_load(T, pointer, stride)       16 rows of 64 bytes, STRIDE bytes apart
 *     amx_store(T, pointer, stride)
 *     amx_dot(C, A, B)                   C[m][n] += sum over k of A[m][2k..2k+1] . B[k][2n..2n+1]
 *
 * amx_begin() needs cg_cpu_features()->amx_bf16 (the kernel grants the tile state there).
 */
#ifndef CG_ENGINE_CPU_AMX_TILES_H
#define CG_ENGINE_CPU_AMX_TILES_H

#include <stddef.h>
#include <stdint.h>

#ifdef CG_AMX_EMULATED

#include "tensor/dtype.h"

#include <float.h>
#include <math.h>
#include <string.h>

static _Thread_local union {
    uint16_t bf16[16][32];
    float f32[16][16];
} amx_tiles[8];

/* Subnormal inputs count as zero and subnormal results become zero. */
static inline float amx_flush(float x)
{
    return fabsf(x) < FLT_MIN ? copysignf(0.0f, x) : x;
}

static inline float amx_bf16(uint16_t h)
{
    return amx_flush(cg_f32_from_bf16(h));
}

static inline void amx_begin(void)
{
    memset(amx_tiles, 0, sizeof amx_tiles);
}

static inline void amx_end(void)
{
}

static inline void amx_zero(int t)
{
    memset(&amx_tiles[t], 0, sizeof amx_tiles[t]);
}

static inline void amx_load(int t, const void *from, size_t stride)
{
    for (int i = 0; i < 16; i++)
        memcpy(amx_tiles[t].bf16[i], (const char *)from + i * stride, 64);
}

static inline void amx_store(int t, void *to, size_t stride)
{
    for (int i = 0; i < 16; i++)
        memcpy((char *)to + i * stride, amx_tiles[t].bf16[i], 64);
}

/* The first and the second elements of the pairs are summed apart, from zero, by fused
 * multiply-adds; then both sums, then the old value are added. */
static inline void amx_dot(int c, int a, int b)
{
    for (int m = 0; m < 16; m++) {
        float sum[2][16] = {0};
        for (int k = 0; k < 16; k++) {
            float a0 = amx_bf16(amx_tiles[a].bf16[m][2 * k]);
            float a1 = amx_bf16(amx_tiles[a].bf16[m][2 * k + 1]);
            for (int n = 0; n < 16; n++) {
                sum[0][n] = amx_flush(fmaf(a0, amx_bf16(amx_tiles[b].bf16[k][2 * n]), sum[0][n]));
                sum[1][n] =
                    amx_flush(fmaf(a1, amx_bf16(amx_tiles[b].bf16[k][2 * n + 1]), sum[1][n]));
            }
        }
        for (int n = 0; n < 16; n++)
            amx_tiles[c].f32[m][n] =
                amx_flush(amx_flush(amx_tiles[c].f32[m][n]) + amx_flush(sum[0][n] + sum[1][n]));
    }
}

#else

#include <immintrin.h>

static inline void amx_begin(void)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } config = {.palette = 1};
    for (int t = 0; t < 8; t++) {
        config.row_bytes[t] = 64;
        config.rows[t] = 16;
    }
    /* The intrinsics do not all tell the compiler that they read memory. */
    __asm__ volatile("" : : "r"(&config) : "memory");
    _tile_loadconfig(&config);
}

#define amx_end()   _tile_release()
#define amx_zero(t) _tile_zero(t)
#define amx_load(t, from, stride)                                                                  \
    do {                                                                                           \
        __asm__ volatile("" : : : "memory");                                                       \
        _tile_loadd(t, from, stride);                                                              \
    } while (0)
#define amx_store(t, to, stride)                                                                   \
    do {                                                                                           \
        _tile_stored(t, to, stride);                                                               \
        __asm__ volatile("" : : : "memory");                                                       \
    } while (0)
#define amx_dot(c, a, b) _tile_dpbf16ps(c, a, b)

#endif

#endif
