/* attention-private: what the paths of the fused attention share, and the table of them. */
#ifndef CG_ENGINE_CPU_ATTENTION_PRIVATE_H
#define CG_ENGINE_CPU_ATTENTION_PRIVATE_H

#include "base/system.h"
#include "engine/cpu/attention.h"

/* How one call is cut up, made by the path. */
typedef struct {
    const CgAttention *a;
    float scale_log2;  /* |scale| * log2(e): p = 2^(scale_log2 * (s - max)) */
    gboolean negate;   /* scale < 0: q was packed with its sign turned */
    int block_q;       /* queries that run() does at once */
    int block_k;       /* keys between two updates of maximum and sum */
    int dim;           /* head_dim as packed */
    int row;           /* elements from one packed key or value to the next */
    size_t kv_bytes;   /* packed keys and values of one head of one sample */
    size_t work_bytes; /* scratch of one thread */
} CgAttentionPlan;

/* The same for the gradients. Sizes in floats, blocks are packed one after the other. */
typedef struct {
    const CgAttention *a;
    const CgAttentionGradient *g;
    float scale_log2;
    int block_q, block_k;
    int dim, row, wide;  /* head_dim; the floats from one packed row to the next: keys, queries */
    size_t query_floats; /* a block of queries */
    size_t key_floats;   /* one key and its value */
    size_t dq_floats;    /* sums for a block of queries */
    size_t work_floats;  /* scratch of one thread */
} CgAttentionBackwardPlan;

/* Keys that one call of pack() does. */
#define CG_ATTENTION_PACK 64

typedef struct {
    const char *name;
    guint dtypes; /* bits 1 << CgDType */
    gboolean (*available)(const CgCpuFeatures *cpu);
    /* block_q .. work_bytes; the rest is filled in. */
    void (*plan)(CgAttentionPlan *p);
    /* Keys and values KEY .. KEY + CG_ATTENTION_PACK - 1 of a head into its part KV. */
    void (*pack)(const CgAttentionPlan *p, int sample, int head, int key, void *kv);
    /* Queries QUERY .. QUERY + block_q - 1 of a head. KV and WORK are 64-byte aligned. */
    void (*run)(const CgAttentionPlan *p, int sample, int head, int query, const void *kv,
                void *work);

    /* Gradients, in any type; all NULL where another path must serve. */
    void (*backward_plan)(CgAttentionBackwardPlan *p);
    /* block_q queries from QUERY; block_k keys from KEY. */
    void (*backward_pack_queries)(const CgAttentionBackwardPlan *p, int sample, int head, int query,
                                  float *to);
    void (*backward_pack_keys)(const CgAttentionBackwardPlan *p, int sample, int head, int key,
                               float *to);
    /* dk and dv of keys KEY .. END - 1, and their part of dq (all of a head's blocks). */
    void (*backward_run)(const CgAttentionBackwardPlan *p, int sample, int head, int key, int end,
                         float *queries, const float *keys, float *dq, float *work);
    /* dq of block_q queries from the sums of SLABS parts, PITCH apart. */
    void (*backward_finish)(const CgAttentionBackwardPlan *p, int sample, int head, int query,
                            float *dq, int slabs, size_t pitch);
} CgAttentionPath;

/* All paths compiled in, fastest first, NULL at the end. */
extern const CgAttentionPath *const cg_attention_paths[];

extern const CgAttentionPath cg_attention_portable;
extern const CgAttentionPath cg_attention_avx2, cg_attention_avx512, cg_attention_avx512bf16,
    cg_attention_amx;

/* A with PATH on THREADS threads. */
gboolean cg_attention_run(const CgAttentionPath *path, const CgAttention *a, int threads,
                          CgPool *pool, GError **error);

gboolean cg_attention_backward_run(const CgAttentionPath *path, const CgAttention *a,
                                   const CgAttentionGradient *g, int threads, CgPool *pool,
                                   GError **error);

/* a->lse, if wanted, of COUNT queries from QUERY, from the maximum (times scale_log2) and the sum
 * of 2^(score - maximum). */
void cg_attention_store_lse(const CgAttention *a, int sample, int head, int query, int count,
                            const float *max, const float *sum);

/* The first element of token T of SAMPLE in a tensor of TOKENS rows, head HEAD. */
static inline size_t cg_attention_offset(const CgAttention *a, int sample, int tokens, int t,
                                         int head, size_t row)
{
    return ((size_t)sample * tokens + t) * row + (size_t)head * a->head_dim;
}

#endif
