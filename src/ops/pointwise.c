/* Element by element: activations, sums, casts. */
#include "ops/ops-private.h"

static void activate_backward(CgTape *tape, CgRecord *r, CgTensor *dy)
{
    CgEngine *e = cg_tape_engine(tape);
    CgTensor *x = r->keeps[0];
    CgTensor *dx = cg_op_gradient(tape, x->dtype, x->shape);
    e->ops->activate_backward(e, *CG_OP_DATA(CgActivation, r), x, dy, dx);
    cg_tape_give(tape, r->inputs[0], dx);
}

CgTensor *cg_activate(CgContext *cx, CgActivation act, CgTensor *x)
{
    CgTensor *y = cg_op_like(cx, x);
    if (cg_op_may_run(cx)) {
        const double begin = cg_op_begin(cx);
        cx->engine->ops->activate(cx->engine, act, x, y);
        cg_op_end(cx, CG_OP_POINTWISE, begin, 4.0 * (double)x->count);
    }
    if (CG_OP_WANTS(cx, x->node)) {
        CgRecord *r =
            cg_op_record(cx, activate_backward, y, CG_OP_POINTWISE, 8.0 * (double)x->count);
        *CG_OP_DATA(CgActivation, r) = act;
        r->inputs[0] = x->node;
        r->keeps[0] = cg_tensor_ref(x);
    }
    return y;
}

static void geglu_backward(CgTape *tape, CgRecord *r, CgTensor *dy)
{
    CgEngine *e = cg_tape_engine(tape);
    CgTensor *x = r->keeps[0];
    CgTensor *dx = cg_op_gradient(tape, x->dtype, x->shape);
    e->ops->geglu_backward(e, x, dy, dx);
    cg_tape_give(tape, r->inputs[0], dx);
}

CgTensor *cg_geglu(CgContext *cx, CgTensor *x)
{
    CgShape shape = x->shape;
    shape.d[shape.rank - 1] /= 2;
    CgTensor *y = cg_op_tensor(cx, x->dtype, shape);
    if (cg_op_may_run(cx)) {
        const double begin = cg_op_begin(cx);
        cx->engine->ops->geglu(cx->engine, x, y);
        cg_op_end(cx, CG_OP_POINTWISE, begin, 8.0 * (double)y->count);
    }
    if (CG_OP_WANTS(cx, x->node)) {
        CgRecord *r = cg_op_record(cx, geglu_backward, y, CG_OP_POINTWISE, 16.0 * (double)y->count);
        r->inputs[0] = x->node;
        r->keeps[0] = cg_tensor_ref(x);
    }
    return y;
}

static void add_backward(CgTape *tape, CgRecord *r, CgTensor *dy)
{
    CgEngine *e = cg_tape_engine(tape);
    const float scale = *CG_OP_DATA(float, r);
    if (r->inputs[0])
        cg_tape_give(tape, r->inputs[0], cg_tensor_ref(dy));
    if (r->inputs[1] && scale == 1)
        cg_tape_give(tape, r->inputs[1], cg_tensor_ref(dy));
    if (r->inputs[1] && scale != 1) {
        CgTensor *db = cg_op_gradient(tape, dy->dtype, dy->shape);
        e->ops->scale(e, dy, scale, db);
        cg_tape_give(tape, r->inputs[1], db);
    }
}

static CgTensor *add_into(CgContext *cx, CgTensor *a, CgTensor *b, float scale, CgTensor *y)
{
    cg_assert_shape("add", b, a->shape);
    const guint64 nodes[] = {a->node, b->node};
    if (cg_op_may_run(cx)) {
        const double begin = cg_op_begin(cx);
        cx->engine->ops->add(cx->engine, a, b, scale, y);
        cg_op_end(cx, CG_OP_POINTWISE, begin, 2.0 * (double)y->count);
    }
    if (CG_OP_WANTS(cx, nodes[0], nodes[1])) {
        CgRecord *r = cg_op_record(cx, add_backward, y, CG_OP_POINTWISE, (double)y->count);
        *CG_OP_DATA(float, r) = scale;
        r->inputs[0] = nodes[0];
        r->inputs[1] = nodes[1];
    }
    return y;
}

CgTensor *cg_add(CgContext *cx, CgTensor *a, CgTensor *b, float scale)
{
    return add_into(cx, a, b, scale, cg_op_like(cx, a));
}

CgTensor *cg_add_in_place(CgContext *cx, CgTensor *a, CgTensor *b, float scale)
{
    const gboolean over = cg_op_may_overwrite(cx, a) && !CG_OP_WANTS(cx, a->node, b->node);
    return add_into(cx, a, b, scale, over ? cg_tensor_ref(a) : cg_op_like(cx, a));
}

static void scale_backward(CgTape *tape, CgRecord *r, CgTensor *dy)
{
    CgEngine *e = cg_tape_engine(tape);
    CgTensor *dx = cg_op_gradient(tape, dy->dtype, dy->shape);
    e->ops->scale(e, dy, *CG_OP_DATA(float, r), dx);
    cg_tape_give(tape, r->inputs[0], dx);
}

CgTensor *cg_scale(CgContext *cx, CgTensor *x, float factor)
{
    if (factor == 1)
        return cg_tensor_ref(x);
    CgTensor *y = cg_op_like(cx, x);
    if (cg_op_may_run(cx)) {
        const double begin = cg_op_begin(cx);
        cx->engine->ops->scale(cx->engine, x, factor, y);
        cg_op_end(cx, CG_OP_POINTWISE, begin, (double)y->count);
    }
    if (CG_OP_WANTS(cx, x->node)) {
        CgRecord *r = cg_op_record(cx, scale_backward, y, CG_OP_POINTWISE, (double)y->count);
        *CG_OP_DATA(float, r) = factor;
        r->inputs[0] = x->node;
    }
    return y;
}

static void add_channels_backward(CgTape *tape, CgRecord *r, CgTensor *dy)
{
    CgEngine *e = cg_tape_engine(tape);
    if (r->inputs[1]) {
        CgTensor *dv = cg_op_gradient(tape, CG_F32, *CG_OP_DATA(CgShape, r));
        for (size_t i = 0; i < dv->count; i++)
            cg_tensor_f32(dv)[i] = 0;
        e->ops->add_channels_backward(e, dy, dv);
        cg_tape_give(tape, r->inputs[1], dv);
    }
    if (r->inputs[0])
        cg_tape_give(tape, r->inputs[0], cg_tensor_ref(dy));
}

CgTensor *cg_add_channels_in_place(CgContext *cx, CgTensor *x, CgTensor *v)
{
    const int64_t rows = v->shape.d[0];
    g_assert(rows == 1 || rows == x->shape.d[0]);
    cg_assert_shape("add channels", v, CG_SHAPE(rows, cg_op_channels(x)));
    const guint64 nodes[] = {x->node, v->node};
    const gboolean recorded = CG_OP_WANTS(cx, nodes[0], nodes[1]);
    CgTensor *y = cg_op_may_overwrite(cx, x) && !recorded ? cg_tensor_ref(x) : cg_op_like(cx, x);
    if (cg_op_may_run(cx)) {
        const double begin = cg_op_begin(cx);
        cx->engine->ops->add_channels(cx->engine, x, v, y);
        cg_op_end(cx, CG_OP_POINTWISE, begin, (double)x->count);
    }
    if (recorded) {
        CgRecord *r = cg_op_record(cx, add_channels_backward, y, CG_OP_POINTWISE, (double)x->count);
        *CG_OP_DATA(CgShape, r) = v->shape;
        r->inputs[0] = nodes[0];
        r->inputs[1] = nodes[1];
    }
    return y;
}

static void cast_backward(CgTape *tape, CgRecord *r, CgTensor *dy)
{
    CgEngine *e = cg_tape_engine(tape);
    CgTensor *dx = cg_op_gradient(tape, *CG_OP_DATA(CgDType, r), dy->shape);
    e->ops->cast(e, dy, dx);
    cg_tape_give(tape, r->inputs[0], dx);
}

CgTensor *cg_cast(CgContext *cx, CgTensor *x, CgDType dtype)
{
    if (x->dtype == dtype)
        return cg_tensor_ref(x);
    CgTensor *y = cg_op_tensor(cx, dtype, x->shape);
    if (cg_op_may_run(cx)) {
        const double begin = cg_op_begin(cx);
        cx->engine->ops->cast(cx->engine, x, y);
        cg_op_end(cx, CG_OP_MOVE, begin, 0);
    }
    if (CG_OP_WANTS(cx, x->node)) {
        CgRecord *r = cg_op_record(cx, cast_backward, y, CG_OP_MOVE, 0);
        *CG_OP_DATA(CgDType, r) = x->dtype;
        r->inputs[0] = x->node;
    }
    return y;
}
