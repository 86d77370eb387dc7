#include "ops/ops-private.h"

enum { INPUT_X, INPUT_GAMMA, INPUT_BETA };
enum { KEEP_X, KEEP_GAMMA, KEEP_BETA };

typedef struct {
    int groups;
    float eps;
    CgActivation act;
} Norm;

static CgRecord *record_norm(CgContext *cx, CgBackward backward, CgTensor *y, CgTensor *x,
                             CgTensor *gamma, CgTensor *beta)
{
    CgRecord *r = cg_op_record(cx, backward, y, CG_OP_NORM, 16.0 * (double)x->count);
    r->inputs[INPUT_X] = x->node;
    r->inputs[INPUT_GAMMA] = gamma->node;
    r->inputs[INPUT_BETA] = beta->node;
    r->keeps[KEEP_X] = cg_tensor_ref(x);
    r->keeps[KEEP_GAMMA] = cg_tensor_ref(gamma);
    r->keeps[KEEP_BETA] = cg_tensor_ref(beta);
    return r;
}

static void group_norm_backward(CgTape *tape, CgRecord *r, CgTensor *dy)
{
    CgEngine *e = cg_tape_engine(tape);
    const Norm *norm = CG_OP_DATA(Norm, r);
    CgTensor *x = r->keeps[KEEP_X];
    CgTensor *dx = cg_op_gradient(tape, x->dtype, x->shape);
    e->ops->group_norm_backward(e, x, norm->groups, norm->eps, r->keeps[KEEP_GAMMA],
                                r->keeps[KEEP_BETA], norm->act, dy, dx,
                                cg_tape_leaf_gradient(tape, r->inputs[INPUT_GAMMA]),
                                cg_tape_leaf_gradient(tape, r->inputs[INPUT_BETA]));
    cg_tape_give(tape, r->inputs[INPUT_X], dx);
}

CgTensor *cg_group_norm(CgContext *cx, CgTensor *x, int groups, float eps, CgTensor *gamma,
                        CgTensor *beta, CgActivation act)
{
    cg_assert_shape("group norm scale", gamma, CG_SHAPE(cg_op_channels(x)));
    CgTensor *y = cg_op_like(cx, x);
    if (cg_op_may_run(cx)) {
        const double begin = cg_op_begin(cx);
        cx->engine->ops->group_norm(cx->engine, x, groups, eps, gamma, beta, act, y);
        cg_op_end(cx, CG_OP_NORM, begin, 8.0 * (double)x->count);
    }
    if (CG_OP_WANTS(cx, x->node, gamma->node, beta->node)) {
        CgRecord *r = record_norm(cx, group_norm_backward, y, x, gamma, beta);
        *CG_OP_DATA(Norm, r) = (Norm){groups, eps, act};
    }
    return y;
}

static void layer_norm_backward(CgTape *tape, CgRecord *r, CgTensor *dy)
{
    CgEngine *e = cg_tape_engine(tape);
    CgTensor *x = r->keeps[KEEP_X];
    CgTensor *dx = cg_op_gradient(tape, x->dtype, x->shape);
    e->ops->layer_norm_backward(e, x, CG_OP_DATA(Norm, r)->eps, r->keeps[KEEP_GAMMA], dy, dx,
                                cg_tape_leaf_gradient(tape, r->inputs[INPUT_GAMMA]),
                                cg_tape_leaf_gradient(tape, r->inputs[INPUT_BETA]));
    cg_tape_give(tape, r->inputs[INPUT_X], dx);
}

CgTensor *cg_layer_norm(CgContext *cx, CgTensor *x, float eps, CgTensor *gamma, CgTensor *beta)
{
    cg_assert_shape("layer norm scale", gamma, CG_SHAPE(cg_op_channels(x)));
    CgTensor *y = cg_op_like(cx, x);
    if (cg_op_may_run(cx)) {
        const double begin = cg_op_begin(cx);
        cx->engine->ops->layer_norm(cx->engine, x, eps, gamma, beta, y);
        cg_op_end(cx, CG_OP_NORM, begin, 8.0 * (double)x->count);
    }
    if (CG_OP_WANTS(cx, x->node, gamma->node, beta->node)) {
        CgRecord *r = record_norm(cx, layer_norm_backward, y, x, gamma, beta);
        *CG_OP_DATA(Norm, r) = (Norm){.eps = eps};
    }
    return y;
}

typedef struct {
    float eps;
    CgActivation act;
} BatchNorm;

static void batch_norm_backward(CgTape *tape, CgRecord *r, CgTensor *dy)
{
    CgEngine *e = cg_tape_engine(tape);
    const BatchNorm *norm = CG_OP_DATA(BatchNorm, r);
    CgTensor *x = r->keeps[KEEP_X];
    CgTensor *dx = cg_op_gradient(tape, x->dtype, x->shape);
    e->ops->batch_norm_backward(e, x, norm->eps, r->keeps[KEEP_GAMMA], r->keeps[KEEP_BETA],
                                norm->act, dy, dx,
                                cg_tape_leaf_gradient(tape, r->inputs[INPUT_GAMMA]),
                                cg_tape_leaf_gradient(tape, r->inputs[INPUT_BETA]));
    cg_tape_give(tape, r->inputs[INPUT_X], dx);
}

CgTensor *cg_batch_norm(CgContext *cx, CgTensor *x, float eps, CgTensor *gamma, CgTensor *beta,
                        CgActivation act, float momentum, CgTensor *running_mean,
                        CgTensor *running_variance)
{
    cg_assert_shape("batch norm scale", gamma, CG_SHAPE(cg_op_channels(x)));
    CgTensor *y = cg_op_like(cx, x);
    if (cg_op_may_run(cx)) {
        const double begin = cg_op_begin(cx);
        /* A segment that is computed again saw this batch before. */
        cx->engine->ops->batch_norm(cx->engine, x, eps, gamma, beta, act, momentum,
                                    cx->again ? NULL : running_mean,
                                    cx->again ? NULL : running_variance, y);
        cg_op_end(cx, CG_OP_NORM, begin, 8.0 * (double)x->count);
    }
    if (CG_OP_WANTS(cx, x->node, gamma->node, beta->node)) {
        CgRecord *r = record_norm(cx, batch_norm_backward, y, x, gamma, beta);
        *CG_OP_DATA(BatchNorm, r) = (BatchNorm){eps, act};
    }
    return y;
}

CgTensor *cg_batch_norm_fixed(CgContext *cx, CgTensor *x, float eps, CgTensor *gamma,
                              CgTensor *beta, CgActivation act, const CgTensor *mean,
                              const CgTensor *variance)
{
    cg_assert_shape("batch norm scale", gamma, CG_SHAPE(cg_op_channels(x)));
    g_assert(!CG_OP_WANTS(cx, x->node, gamma->node, beta->node));
    CgTensor *y = cg_op_like(cx, x);
    if (cg_op_may_run(cx)) {
        const double begin = cg_op_begin(cx);
        cx->engine->ops->batch_norm_fixed(cx->engine, x, eps, gamma, beta, act, mean, variance, y);
        cg_op_end(cx, CG_OP_NORM, begin, 4.0 * (double)x->count);
    }
    return y;
}
