/* attention: fused softmax(scale * q k^T) v that never holds a tq x tk matrix.
 *
 * Queries are cut into blocks, keys into blocks that stay in cache; the softmax is carried along
 * from one key block to the next (running maximum and sum: Dao et al. 2022, "FlashAttention",
 * algorithm 1). Any head_dim, tq and tk >= 1, f32 or bf16; sums are f32. Each (sample, head, query
 * block) does the same arithmetic whichever thread runs it, so the bytes do not depend on the
 * number of threads.
 */
#ifndef CG_ENGINE_CPU_ATTENTION_H
#define CG_ENGINE_CPU_ATTENTION_H

#include "engine/engine.h"
#include "engine/pool.h"

/* y of A on cg_threads() threads, with the fastest path that this processor has. POOL lends the
 * scratch (cg_pool_scratch): packed keys and values (at most 32 MiB, or one head's) and 100 KiB a
 * thread (300 KiB at head_dim 512). NaN or infinity in q, k or v stays visible in y.
 * FALSE with CG_ERROR_UNSUPPORTED (dtype) or CG_ERROR_MEMORY. */
gboolean cg_cpu_attention(const CgAttention *a, CgPool *pool, GError **error);

/* As CgEngineOps.attention_backward says, the same bytes for any number of threads. bf16 is
 * computed in f32. POOL lends at most 64 MiB, or what one head takes. */
gboolean cg_cpu_attention_backward(const CgAttention *a, const CgAttentionGradient *g, CgPool *pool,
                                   GError **error);

#endif
