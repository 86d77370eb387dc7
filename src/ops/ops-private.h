/* ops-private: what the files of ops share. */
#ifndef CG_OPS_OPS_PRIVATE_H
#define CG_OPS_OPS_PRIVATE_H

#include "ops/ops.h"

#include "base/system.h"

/* The last dim of X. */
static inline int64_t cg_op_channels(const CgTensor *x)
{
    return x->shape.d[x->shape.rank - 1];
}

/* Whether an op may run: not after a failure, not after Ctrl-C. Sampling is cancelled between any
 * two ops, so a stop takes milliseconds even at full size. */
static inline gboolean cg_op_may_run(CgContext *cx)
{
    return !cx->error && cg_cancel_check(&cx->error);
}

static inline double cg_op_begin(const CgContext *cx)
{
    return cx->profile ? cg_seconds() : 0;
}

static inline void cg_op_end(CgContext *cx, CgOpKind kind, double begin, double flops)
{
    if (!cx->profile)
        return;
    cx->profile->seconds[kind] += cg_seconds() - begin;
    cx->profile->flops[kind] += flops;
    cx->profile->calls[kind]++;
}

static inline CgTensor *cg_op_tensor(CgContext *cx, CgDType dtype, CgShape shape)
{
    return cx->engine->ops->tensor(cx->engine, dtype, shape);
}

static inline CgTensor *cg_op_like(CgContext *cx, const CgTensor *x)
{
    return cg_op_tensor(cx, x->dtype, x->shape);
}

static inline guint64 cg_op_node(const CgTensor *t)
{
    return t ? t->node : 0;
}

/* Whether an op on tensors with these nodes has to record. */
#define CG_OP_WANTS(cx, ...)                                                                       \
    ((cx)->tape && cg_tape_wants((cx)->tape, (guint64[]){__VA_ARGS__},                             \
                                 (int)(sizeof((guint64[]){__VA_ARGS__}) / sizeof(guint64))))

/* A record of OUTPUT with FLOPS operations in its backward. */
CgRecord *cg_op_record(CgContext *cx, CgBackward backward, CgTensor *output, CgOpKind kind,
                       double flops);
/* A gradient of the type and shape of LIKE, or of SHAPE. */
CgTensor *cg_op_gradient(CgTape *tape, CgDType dtype, CgShape shape);

/* The op's numbers in a record. */
#define CG_OP_DATA(Type, record)                                                                   \
    ((void)sizeof(char[sizeof(Type) <= CG_RECORD_DATA ? 1 : -1]), (Type *)(record)->data)

/* Whether T may be written over by a result: never what a tape may still read. */
static inline gboolean cg_op_may_overwrite(const CgContext *cx, const CgTensor *t)
{
    return !cx->tape || (t->node == 0 && !cg_tensor_is_shared(t));
}

#endif
