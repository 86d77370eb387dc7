/* pool: activation memory that is returned, not freed.
 *
 * Blocks are reused by size, so that a steady sampling or training step asks the system for
 * nothing. Large blocks are 2 MiB aligned with transparent huge pages asked for; every block is
 * 64-byte aligned. One thread of control takes and gives.
 */
#ifndef CG_ENGINE_POOL_H
#define CG_ENGINE_POOL_H

#include "tensor/tensor.h"

typedef struct CgPool CgPool;

CgPool *cg_pool_new(void);
/* One whose large blocks are mere address space until they are touched, however much memory there
 * is: for a run that computes nothing. */
CgPool *cg_pool_new_virtual(void);
/* Tensors still alive keep the pool's memory until they go. */
void cg_pool_unref(CgPool *pool);
/* A tensor whose memory goes back to the pool with its last reference. */
CgTensor *cg_pool_tensor(CgPool *pool, CgDType dtype, CgShape shape);
/* SIZE bytes of scratch that stay valid until the next call (one arena, grown when needed). */
void *cg_pool_scratch(CgPool *pool, size_t size);
/* Frees what is not in use. */
void cg_pool_trim(CgPool *pool);

typedef struct {
    size_t held, in_use, peak_in_use;
    size_t scratch; /* of in_use: the arena */
    guint64 system_allocations;
} CgPoolStats;
CgPoolStats cg_pool_stats(const CgPool *pool);

#endif
