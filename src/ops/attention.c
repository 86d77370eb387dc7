#include "ops/ops-private.h"

#include <math.h>

enum { INPUT_Q, INPUT_KV };
enum { KEEP_Q, KEEP_KV, KEEP_Y, KEEP_LSE };

typedef struct {
    int64_t k_at, width;
    int heads;
    gboolean causal;
} Sides;

/* Rows of Q start with queries; rows of KV hold k and v at K_AT and K_AT + width. */
static CgAttention describe(const Sides *s, const CgTensor *q, const CgTensor *kv, CgTensor *y,
                            CgTensor *lse)
{
    const int head_dim = (int)(s->width / s->heads);
    const size_t size = cg_dtype_size(kv->dtype);
    const char *keys = (const char *)kv->data + (size_t)s->k_at * size;
    return (CgAttention){.dtype = q->dtype,
                         .n = (int)q->shape.d[0],
                         .heads = s->heads,
                         .head_dim = head_dim,
                         .tq = (int)q->shape.d[1],
                         .tk = (int)kv->shape.d[1],
                         .scale = 1.0f / sqrtf((float)head_dim),
                         .causal = s->causal,
                         .q = q->data,
                         .k = keys,
                         .v = keys + (size_t)s->width * size,
                         .q_row = (size_t)cg_op_channels(q),
                         .k_row = (size_t)cg_op_channels(kv),
                         .v_row = (size_t)cg_op_channels(kv),
                         .y = y->data,
                         .y_row = (size_t)s->width,
                         .lse = lse ? cg_tensor_f32(lse) : NULL};
}

/* Queries, keys and values have one tensor when they are of one input. */
static void attention_backward(CgTape *tape, CgRecord *r, CgTensor *dy)
{
    CgEngine *e = cg_tape_engine(tape);
    const Sides *s = CG_OP_DATA(Sides, r);
    const CgTensor *q = r->keeps[KEEP_Q], *kv = r->keeps[KEEP_KV];
    const gboolean together = q == kv;
    const CgAttention a = describe(s, q, kv, r->keeps[KEEP_Y], r->keeps[KEEP_LSE]);
    CgTensor *dq = cg_op_gradient(tape, q->dtype, q->shape);
    CgTensor *dkv = together ? dq : cg_op_gradient(tape, kv->dtype, kv->shape);
    char *dk = (char *)dkv->data + (size_t)s->k_at * cg_dtype_size(kv->dtype);
    const CgAttentionGradient g = {.dy = dy->data,
                                   .dy_row = (size_t)s->width,
                                   .dq = dq->data,
                                   .dk = dk,
                                   .dv = dk + (size_t)s->width * cg_dtype_size(kv->dtype),
                                   .dq_row = a.q_row,
                                   .dk_row = a.k_row,
                                   .dv_row = a.v_row};
    e->ops->attention_backward(e, &a, &g, cg_tape_error(tape));
    cg_tape_give(tape, r->inputs[INPUT_Q], dq);
    if (!together)
        cg_tape_give(tape, r->inputs[INPUT_KV], dkv);
}

static CgTensor *attention(CgContext *cx, CgTensor *q, CgTensor *kv, const Sides *s)
{
    const int64_t n = q->shape.d[0], tq = q->shape.d[1], tk = kv->shape.d[1];
    g_assert(kv->shape.d[0] == n && kv->dtype == q->dtype && s->width % s->heads == 0);
    const double flops = 4.0 * (double)(n * tq * tk * s->width);
    const gboolean recorded = CG_OP_WANTS(cx, q->node, kv->node);
    CgTensor *y = cg_op_tensor(cx, q->dtype, CG_SHAPE(n, tq, s->width));
    g_autoptr(CgTensor) lse = recorded ? cg_op_tensor(cx, CG_F32, CG_SHAPE(n, s->heads, tq)) : NULL;
    if (cg_op_may_run(cx)) {
        const CgAttention a = describe(s, q, kv, y, lse);
        const double begin = cg_op_begin(cx);
        cx->engine->ops->attention(cx->engine, &a, &cx->error);
        cg_op_end(cx, CG_OP_ATTENTION, begin, flops);
    }
    if (recorded) {
        CgRecord *r = cg_op_record(cx, attention_backward, y, CG_OP_ATTENTION, 2.5 * flops);
        *CG_OP_DATA(Sides, r) = *s;
        r->inputs[INPUT_Q] = q->node;
        r->inputs[INPUT_KV] = kv->node;
        r->keeps[KEEP_Q] = cg_tensor_ref(q);
        r->keeps[KEEP_KV] = cg_tensor_ref(kv);
        r->keeps[KEEP_Y] = cg_tensor_ref(y);
        r->keeps[KEEP_LSE] = g_steal_pointer(&lse);
    }
    return y;
}

CgTensor *cg_attention_kv(CgContext *cx, CgTensor *q, CgTensor *kv, int heads)
{
    const int64_t width = cg_op_channels(q);
    cg_assert_shape("keys and values", kv, CG_SHAPE(q->shape.d[0], kv->shape.d[1], 2 * width));
    return attention(cx, q, kv, &(Sides){0, width, heads, FALSE});
}

CgTensor *cg_attention_qkv(CgContext *cx, CgTensor *qkv, int heads, gboolean causal)
{
    const int64_t width = cg_op_channels(qkv) / 3;
    return attention(cx, qkv, qkv, &(Sides){width, width, heads, causal});
}
