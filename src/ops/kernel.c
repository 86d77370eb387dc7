/* Convolution and linear layers. */
#include "ops/ops-private.h"

/* Where the inputs of a layer stand in its record. */
enum { INPUT_X, INPUT_W, INPUT_BIAS, INPUT_RESIDUAL };

typedef struct {
    CgWeight *packed;
    CgShape x_shape;
    CgDType x_type;
    gboolean is_linear;
    int out;
} Layer;

/* dw and db, added to the leaves' gradients. A bias that is no leaf gets its own sum. */
static void backward_weights(CgTape *tape, const CgRecord *r, const Layer *l, const CgTensor *dy)
{
    CgEngine *e = cg_tape_engine(tape);
    CgTensor *dw = cg_tape_leaf_gradient(tape, r->inputs[INPUT_W]);
    CgTensor *db = cg_tape_leaf_gradient(tape, r->inputs[INPUT_BIAS]);
    CgTensor *own = NULL;
    if (r->inputs[INPUT_BIAS] && !db) {
        db = own = cg_op_gradient(tape, CG_F32, CG_SHAPE(l->out));
        for (size_t i = 0; i < own->count; i++)
            cg_tensor_f32(own)[i] = 0;
    }
    if (dw || db)
        (l->is_linear ? e->ops->linear_backward_weights : e->ops->conv2d_backward_weights)(
            e, l->packed, r->keeps[INPUT_X], dy, dw, db, cg_tape_error(tape));
    if (own)
        cg_tape_give(tape, r->inputs[INPUT_BIAS], own);
}

static void layer_backward(CgTape *tape, CgRecord *r, CgTensor *dy)
{
    CgEngine *e = cg_tape_engine(tape);
    const Layer *l = CG_OP_DATA(Layer, r);
    if (r->inputs[INPUT_RESIDUAL])
        cg_tape_give(tape, r->inputs[INPUT_RESIDUAL], cg_tensor_ref(dy));
    backward_weights(tape, r, l, dy);
    if (!r->inputs[INPUT_X])
        return;
    CgTensor *dx = cg_op_gradient(tape, l->x_type, l->x_shape);
    (l->is_linear ? e->ops->linear_backward_data
                  : e->ops->conv2d_backward_data)(e, l->packed, dy, dx, cg_tape_error(tape));
    cg_tape_give(tape, r->inputs[INPUT_X], dx);
}

/* Where a layer writes: over the residual when that is asked for and possible. */
static CgTensor *output_tensor(CgContext *cx, CgDType dtype, CgShape shape, const CgEpilogue *ep)
{
    if (ep->residual)
        cg_assert_shape("residual", ep->residual, shape);
    if (ep->residual && ep->in_place && cg_op_may_overwrite(cx, ep->residual))
        return cg_tensor_ref(ep->residual);
    return cg_op_tensor(cx, dtype, shape);
}

static CgTensor *layer_forward(CgContext *cx, const CgConvGeometry *g, const CgKernel *k,
                               CgTensor *x, CgShape shape, CgEpilogue ep)
{
    const double flops = 2.0 * (double)cg_shape_count(&shape) *
                         (g ? (double)g->c_in * g->kernel_h * g->kernel_w : cg_op_channels(x));
    CgTensor *bias = ep.bias ? ep.bias : k->bias;
    const guint64 w_node = cg_op_node(k->w), bias_node = cg_op_node(bias);
    const gboolean recorded = CG_OP_WANTS(cx, x->node, w_node, bias_node, cg_op_node(ep.residual));
    const CgActivation act = ep.act;
    if (recorded)
        ep.act = CG_ACT_NONE; /* its backward needs what it was applied to */
    g_autoptr(CgTensor) y = output_tensor(cx, x->dtype, shape, &ep);
    if (cg_op_may_run(cx)) {
        const CgEngineEpilogue epilogue = {ep.bias, ep.residual, ep.act};
        const double begin = cg_op_begin(cx);
        (g ? cx->engine->ops->conv2d : cx->engine->ops->linear)(cx->engine, k->packed, x, &epilogue,
                                                                y, &cx->error);
        cg_op_end(cx, g ? CG_OP_CONV : CG_OP_LINEAR, begin, flops);
    }
    if (recorded) {
        CgRecord *r = cg_op_record(cx, layer_backward, y, g ? CG_OP_CONV : CG_OP_LINEAR,
                                   flops * ((x->node != 0) + (w_node != 0)));
        *CG_OP_DATA(Layer, r) =
            (Layer){k->packed, x->shape, x->dtype, g == NULL, (int)shape.d[shape.rank - 1]};
        r->inputs[INPUT_X] = x->node;
        r->inputs[INPUT_W] = w_node;
        r->inputs[INPUT_BIAS] = bias_node;
        r->inputs[INPUT_RESIDUAL] = cg_op_node(ep.residual);
        r->keeps[INPUT_X] = w_node || bias_node ? cg_tensor_ref(x) : NULL;
    }
    if (recorded && act != CG_ACT_NONE)
        return cg_activate(cx, act, y);
    return g_steal_pointer(&y);
}

CgTensor *cg_conv2d(CgContext *cx, const CgConvGeometry *g, const CgKernel *k, CgTensor *x,
                    CgEpilogue ep)
{
    const int64_t n = x->shape.d[0], h = x->shape.d[1], width = x->shape.d[2];
    cg_assert_shape("conv2d input", x, CG_SHAPE(n, h, width, g->c_in));
    const int64_t out_h = (h + g->pad_top + g->pad_bottom - g->kernel_h) / g->stride + 1;
    const int64_t out_w = (width + g->pad_left + g->pad_right - g->kernel_w) / g->stride + 1;
    return layer_forward(cx, g, k, x, CG_SHAPE(n, out_h, out_w, g->c_out), ep);
}

CgTensor *cg_linear(CgContext *cx, int out, const CgKernel *k, CgTensor *x, CgEpilogue ep)
{
    CgShape shape = x->shape;
    shape.d[shape.rank - 1] = out;
    return layer_forward(cx, NULL, k, x, shape, ep);
}
