/* The gradients of attention, cut into tasks; see attention-backward-body.h. */
#include "base/size.h"
#include "engine/check.h"
#include "engine/cpu/attention-private.h"
#include "engine/cpu/attention.h"

#include <math.h>
#include <omp.h>

/* What is packed, and the sums for dq, are made for as many heads at a time as fit here. */
#define PACKED_BYTES ((size_t)64 << 20)
/* A head's keys are cut into slabs until there are so many tasks, or their sums for dq so large:
 * one head of 512 has 8 MiB in each. */
#define TASKS    32
#define DQ_BYTES ((size_t)32 << 20)

/* Floats. */
typedef struct {
    size_t queries, keys, dq; /* of one head; dq of one slab */
    size_t head;              /* all of one head */
    int query_blocks, key_blocks, slabs;
} Sizes;

static Sizes sizes_of(const CgAttentionBackwardPlan *p)
{
    const CgAttention *a = p->a;
    Sizes s;
    int heads = a->n * a->heads;
    s.query_blocks = (a->tq + p->block_q - 1) / p->block_q;
    s.key_blocks = (a->tk + p->block_k - 1) / p->block_k;
    s.queries = (size_t)s.query_blocks * p->query_floats;
    s.keys = (size_t)s.key_blocks * (size_t)p->block_k * p->key_floats;
    s.dq = (size_t)s.query_blocks * p->dq_floats;
    int most = (int)CLAMP(DQ_BYTES / (s.dq * sizeof(float)), 1, (size_t)s.key_blocks);
    s.slabs = CLAMP((TASKS + heads - 1) / heads, 1, most);
    s.head = s.queries + s.keys + (size_t)s.slabs * s.dq;
    return s;
}

/* Heads FIRST .. FIRST + COUNT - 1, counted over all samples. */
static void run_heads(const CgAttentionPath *path, const CgAttentionBackwardPlan *p, const Sizes *s,
                      int first, int count, int threads, float *memory, float *work)
{
    const CgAttention *a = p->a;
#pragma omp parallel num_threads(threads)
    {
        float *own = work + (size_t)omp_get_thread_num() * p->work_floats;
#pragma omp for schedule(static) nowait
        for (int i = 0; i < count * s->query_blocks; i++) {
            int h = i / s->query_blocks, block = i % s->query_blocks;
            path->backward_pack_queries(
                p, (first + h) / a->heads, (first + h) % a->heads, block * p->block_q,
                memory + (size_t)h * s->head + (size_t)block * p->query_floats);
        }
#pragma omp for schedule(static)
        for (int i = 0; i < count * s->key_blocks; i++) {
            int h = i / s->key_blocks, key = i % s->key_blocks * p->block_k;
            path->backward_pack_keys(p, (first + h) / a->heads, (first + h) % a->heads, key,
                                     memory + (size_t)h * s->head + s->queries +
                                         (size_t)key * p->key_floats);
        }
#pragma omp for schedule(dynamic)
        for (int i = 0; i < count * s->slabs; i++) {
            int h = i / s->slabs, slab = i % s->slabs;
            int key = s->key_blocks * slab / s->slabs * p->block_k;
            int end = MIN(a->tk, s->key_blocks * (slab + 1) / s->slabs * p->block_k);
            float *head = memory + (size_t)h * s->head;
            path->backward_run(p, (first + h) / a->heads, (first + h) % a->heads, key, end, head,
                               head + s->queries,
                               head + s->queries + s->keys + (size_t)slab * s->dq, own);
        }
#pragma omp for schedule(static)
        for (int i = 0; i < count * s->query_blocks; i++) {
            int h = i / s->query_blocks, block = i % s->query_blocks;
            float *dq = memory + (size_t)h * s->head + s->queries + s->keys;
            path->backward_finish(p, (first + h) / a->heads, (first + h) % a->heads,
                                  block * p->block_q, dq + (size_t)block * p->dq_floats, s->slabs,
                                  s->dq);
        }
    }
}

gboolean cg_attention_backward_run(const CgAttentionPath *path, const CgAttention *a,
                                   const CgAttentionGradient *g, int threads, CgPool *pool,
                                   GError **error)
{
    CgAttentionBackwardPlan p = {
        .a = a, .g = g, .scale_log2 = (float)(fabs((double)a->scale) * M_LOG2E)};
    int total = a->n * a->heads;
    cg_check_attention_backward(a, g);
    if (total == 0 || a->tq == 0)
        return TRUE;
    path->backward_plan(&p);
    /* Each part starts at a cache line. */
    p.query_floats = cg_size_align(p.query_floats, 16);
    p.dq_floats = cg_size_align(p.dq_floats, 16);
    p.work_floats = cg_size_align(p.work_floats, 1024);
    Sizes s = sizes_of(&p);
    s.head = cg_size_align(s.head, 16);
    int group = (int)CLAMP(PACKED_BYTES / (s.head * sizeof(float)), 1, (size_t)total);
    size_t bytes = ((size_t)group * s.head + (size_t)threads * p.work_floats) * sizeof(float);
    float *scratch = cg_pool_scratch(pool, bytes);
    if (!scratch) {
        g_set_error(error, CG_ERROR, CG_ERROR_MEMORY,
                    "attention: no memory for %zu bytes of scratch; use fewer or smaller images",
                    bytes);
        return FALSE;
    }
    for (int first = 0; first < total; first += group)
        run_heads(path, &p, &s, first, MIN(group, total - first), threads, scratch,
                  scratch + (size_t)group * s.head);
    return TRUE;
}

gboolean cg_cpu_attention_backward(const CgAttention *a, const CgAttentionGradient *g, CgPool *pool,
                                   GError **error)
{
    const CgCpuFeatures *cpu = cg_cpu_features();
    for (int i = 0; cg_attention_paths[i]; i++) {
        const CgAttentionPath *path = cg_attention_paths[i];
        if (path->backward_run && path->available(cpu))
            return cg_attention_backward_run(path, a, g, cg_threads(), pool, error);
    }
    g_assert_not_reached();
}
