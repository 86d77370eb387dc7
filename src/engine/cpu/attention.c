#include "engine/cpu/attention.h"

#include "base/size.h"
#include "engine/cpu/attention-private.h"

#include <math.h>
#include <omp.h>

/* Packed keys and values are made for as many heads at a time as fit here. */
#define PACKED_BYTES ((size_t)32 << 20)

const CgAttentionPath *const cg_attention_paths[] = {
#ifdef __x86_64__
    &cg_attention_amx,      &cg_attention_avx512bf16,
    &cg_attention_avx512,   &cg_attention_avx2,
#endif
    &cg_attention_portable, NULL,
};

static void plan_init(CgAttentionPlan *p, const CgAttentionPath *path, const CgAttention *a)
{
    *p = (CgAttentionPlan){
        .a = a, .scale_log2 = (float)(fabs((double)a->scale) * M_LOG2E), .negate = a->scale < 0};
    path->plan(p);
    p->kv_bytes = cg_size_align(p->kv_bytes, 64);
    /* A page between the threads' parts. */
    p->work_bytes = cg_size_align(p->work_bytes, 4096);
}

/* Keys and values of one sample that stay in L2 beside the rest: then the heads of a query block
 * follow each other, and its rows come from memory once. Otherwise the blocks of a head do. */
#define RESIDENT_BYTES ((size_t)512 << 10)

/* Heads FIRST .. FIRST + COUNT - 1, counted over all samples. */
static void run_heads(const CgAttentionPath *path, const CgAttentionPlan *p, int first, int count,
                      int threads, char *packed, char *work)
{
    const CgAttention *a = p->a;
    int chunks = (a->tk + CG_ATTENTION_PACK - 1) / CG_ATTENTION_PACK;
    int blocks = (a->tq + p->block_q - 1) / p->block_q;
    /* Heads that take turns: those of a sample, or each alone. */
    int turn = a->heads * p->kv_bytes <= RESIDENT_BYTES && count % a->heads == 0 ? a->heads : 1;

#pragma omp parallel num_threads(threads)
    {
        char *own = work + (size_t)omp_get_thread_num() * p->work_bytes;
#pragma omp for schedule(static)
        for (int64_t i = 0; i < (int64_t)count * chunks; i++) {
            int h = (int)(i / chunks), chunk = (int)(i % chunks);
            path->pack(p, (first + h) / a->heads, (first + h) % a->heads, chunk * CG_ATTENTION_PACK,
                       packed + (size_t)h * p->kv_bytes);
        }
        /* Dynamic: a busy core must not hold up the others, and causal blocks differ. */
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < (int64_t)count * blocks; i++) {
            int block = (int)(i / turn % blocks);
            int h = (int)(i / turn / blocks * turn + i % turn);
            path->run(p, (first + h) / a->heads, (first + h) % a->heads, block * p->block_q,
                      packed + (size_t)h * p->kv_bytes, own);
        }
    }
}

gboolean cg_attention_run(const CgAttentionPath *path, const CgAttention *a, int threads,
                          CgPool *pool, GError **error)
{
    CgAttentionPlan p;
    size_t total = (size_t)a->n * a->heads;
    if (total == 0 || a->tq == 0)
        return TRUE;
    g_assert(a->tk > 0 && a->head_dim > 0);
    plan_init(&p, path, a);
    size_t group = CLAMP(PACKED_BYTES / p.kv_bytes, 1, total);
    if (group > (size_t)a->heads)
        group -= group % a->heads; /* whole samples */
    size_t bytes = group * p.kv_bytes + (size_t)threads * p.work_bytes;
    char *scratch = cg_pool_scratch(pool, bytes);
    if (!scratch) {
        g_set_error(error, CG_ERROR, CG_ERROR_MEMORY,
                    "attention: no memory for %zu bytes of scratch; use fewer or smaller images",
                    bytes);
        return FALSE;
    }
    for (size_t first = 0; first < total; first += group)
        run_heads(path, &p, (int)first, (int)MIN(group, total - first), threads, scratch,
                  scratch + group * p.kv_bytes);
    return TRUE;
}

void cg_attention_store_lse(const CgAttention *a, int sample, int head, int query, int count,
                            const float *max, const float *sum)
{
    if (!a->lse)
        return;
    float *lse = a->lse + ((size_t)sample * a->heads + head) * a->tq + query;
    for (int i = 0; i < MIN(count, a->tq - query); i++)
        lse[i] = (float)(max[i] * M_LN2 + log(sum[i]));
}

gboolean cg_cpu_attention(const CgAttention *a, CgPool *pool, GError **error)
{
    const CgCpuFeatures *cpu = cg_cpu_features();
    for (int i = 0; cg_attention_paths[i]; i++) {
        const CgAttentionPath *path = cg_attention_paths[i];
        if ((path->dtypes & (1u << a->dtype)) && path->available(cpu))
            return cg_attention_run(path, a, cg_threads(), pool, error);
    }
    g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED, "attention: no kernel for %s",
                cg_dtype_name(a->dtype));
    return FALSE;
}
