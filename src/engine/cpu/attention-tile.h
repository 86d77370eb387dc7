/* attention-tile: the two matrix products of the attention as register tiles.
 *
 * Lanes are queries, PANEL = LANES * TILE_V of them; a tile is TILE_R (2..6) keys or dims high. An
 * element is one float, or the 32 bits of a pair of bf16 that the processor multiplies and adds at
 * once. The including file defines
 *
 *     LANES, TILE_V, TILE_R
 *     Vec, vec_set1, vec_load, vec_store, vec_max, vec_mul    LANES floats; max gives its second
 *                                                             argument where either is NaN
 *     Elem, ElemVec, elem_set1, elem_load                     LANES elements
 *     vec_dot(a, b, c)                                        c + a b of elements
 */
#ifndef CG_ENGINE_CPU_ATTENTION_TILE_H
#define CG_ENGINE_CPU_ATTENTION_TILE_H

#include <float.h>
#include <glib.h>
#include <math.h>

#define PANEL (LANES * TILE_V)

#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* s[j] = k[j] . q for ROWS keys; TOP is raised to their maximum. */
static inline __attribute__((always_inline)) void scores_tile(const int rows, const Elem *q,
                                                              const Elem *k, int row, int dim,
                                                              float *s, float *top)
{
    Vec acc[TILE_R][TILE_V];
    UNROLL
    for (int j = 0; j < rows; j++) {
        UNROLL
        for (int x = 0; x < TILE_V; x++)
            acc[j][x] = vec_set1(0.0f);
    }
    for (int i = 0; i < dim; i++) {
        ElemVec b[TILE_V];
        UNROLL
        for (int x = 0; x < TILE_V; x++)
            b[x] = elem_load(q + (size_t)i * PANEL + x * LANES);
        UNROLL
        for (int j = 0; j < rows; j++) {
            ElemVec e = elem_set1(k[(size_t)j * (size_t)row + i]);
            UNROLL
            for (int x = 0; x < TILE_V; x++)
                acc[j][x] = vec_dot(e, b[x], acc[j][x]);
        }
    }
    UNROLL
    for (int x = 0; x < TILE_V; x++) {
        Vec m = vec_load(top + x * LANES);
        UNROLL
        for (int j = 0; j < rows; j++) {
            vec_store(s + j * PANEL + x * LANES, acc[j][x]);
            m = vec_max(acc[j][x], m);
        }
        vec_store(top + x * LANES, m);
    }
}

/* o[j] = o[j] * fade + sum over KEYS of v[key][j] p[key] for ROWS dims. */
static inline __attribute__((always_inline)) void values_tile(const int rows, const Elem *p,
                                                              const Elem *v, int row, int keys,
                                                              const float *fade, float *o)
{
    Vec acc[TILE_R][TILE_V];
    UNROLL
    for (int j = 0; j < rows; j++) {
        UNROLL
        for (int x = 0; x < TILE_V; x++)
            acc[j][x] = vec_mul(vec_load(o + j * PANEL + x * LANES), vec_load(fade + x * LANES));
    }
    for (int t = 0; t < keys; t++) {
        ElemVec b[TILE_V];
        UNROLL
        for (int x = 0; x < TILE_V; x++)
            b[x] = elem_load(p + (size_t)t * PANEL + x * LANES);
        UNROLL
        for (int j = 0; j < rows; j++) {
            ElemVec e = elem_set1(v[(size_t)t * (size_t)row + j]);
            UNROLL
            for (int x = 0; x < TILE_V; x++)
                acc[j][x] = vec_dot(e, b[x], acc[j][x]);
        }
    }
    UNROLL
    for (int j = 0; j < rows; j++) {
        UNROLL
        for (int x = 0; x < TILE_V; x++)
            vec_store(o + j * PANEL + x * LANES, acc[j][x]);
    }
}

/* Each count of rows gets its own code; the full tile is a function by itself, so that the compiler
 * gives it all registers. A file may leave these unused. */
#define ATTENTION_KERNEL static __attribute__((noinline, unused)) void

ATTENTION_KERNEL scores_full(const Elem *q, const Elem *k, int row, int dim, float *s, float *top)
{
    scores_tile(TILE_R, q, k, row, dim, s, top);
}

/* Scores [KEYS][PANEL] of keys [KEYS][row] with q [dim][PANEL]. TOP [PANEL] is raised. */
ATTENTION_KERNEL scores_block(const Elem *q, const Elem *k, int row, int dim, int keys, float *s,
                              float *top)
{
    int t = 0;
    for (; t + TILE_R <= keys; t += TILE_R)
        scores_full(q, k + (size_t)t * (size_t)row, row, dim, s + (size_t)t * PANEL, top);
    k += (size_t)t * (size_t)row;
    s += (size_t)t * PANEL;
    switch (keys - t) {
    case 5:
        scores_tile(MIN(5, TILE_R), q, k, row, dim, s, top);
        break;
    case 4:
        scores_tile(MIN(4, TILE_R), q, k, row, dim, s, top);
        break;
    case 3:
        scores_tile(3, q, k, row, dim, s, top);
        break;
    case 2:
        scores_tile(2, q, k, row, dim, s, top);
        break;
    case 1:
        scores_tile(1, q, k, row, dim, s, top);
        break;
    }
}

ATTENTION_KERNEL values_full(const Elem *p, const Elem *v, int row, int keys, const float *fade,
                             float *o)
{
    values_tile(TILE_R, p, v, row, keys, fade, o);
}

/* o [dim][PANEL] = o * fade + p [keys][PANEL] times values [keys][row]. */
ATTENTION_KERNEL values_block(const Elem *p, const Elem *v, int row, int keys, int dim,
                              const float *fade, float *o)
{
    int i = 0;
    for (; i + TILE_R <= dim; i += TILE_R)
        values_full(p, v + i, row, keys, fade, o + (size_t)i * PANEL);
    v += i;
    o += (size_t)i * PANEL;
    switch (dim - i) {
    case 5:
        values_tile(MIN(5, TILE_R), p, v, row, keys, fade, o);
        break;
    case 4:
        values_tile(MIN(4, TILE_R), p, v, row, keys, fade, o);
        break;
    case 3:
        values_tile(3, p, v, row, keys, fade, o);
        break;
    case 2:
        values_tile(2, p, v, row, keys, fade, o);
        break;
    case 1:
        values_tile(1, p, v, row, keys, fade, o);
        break;
    }
}

/* Scores that a query may not see become -inf. QUERY and KEY are the indices of the first of
 * each. */
static inline void mask_causal(float *s, int keys, int key, int query)
{
    for (int t = MAX(0, query + 1 - key); t < keys; t++) {
        int hidden = MIN(PANEL, key + t - query);
        for (int i = 0; i < hidden; i++)
            s[(size_t)t * PANEL + i] = -INFINITY;
    }
}

/* The maximum over KEYS into TOP; -FLT_MAX when all are -inf, NaN passed over. */
static inline void find_top(const float *s, int keys, float *top)
{
    for (int x = 0; x < PANEL; x += LANES) {
        Vec m = vec_set1(-FLT_MAX);
        for (int t = 0; t < keys; t++)
            m = vec_max(vec_load(s + (size_t)t * PANEL + x), m);
        vec_store(top + x, m);
    }
}

#endif
