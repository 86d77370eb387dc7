/* Elements put elsewhere: resampling, pooling, concatenation, table look-up. */
#include "ops/ops-private.h"

#include <string.h>

/* Upsampling; its record holds the shape of the input. */
static void upsample_nearest_backward(CgTape *tape, CgRecord *r, CgTensor *dy)
{
    CgEngine *e = cg_tape_engine(tape);
    CgTensor *dx = cg_op_gradient(tape, dy->dtype, *CG_OP_DATA(CgShape, r));
    e->ops->upsample_nearest_backward(e, dy, dx);
    cg_tape_give(tape, r->inputs[0], dx);
}

static void upsample_bilinear_backward(CgTape *tape, CgRecord *r, CgTensor *dy)
{
    CgEngine *e = cg_tape_engine(tape);
    CgTensor *dx = cg_op_gradient(tape, dy->dtype, *CG_OP_DATA(CgShape, r));
    e->ops->upsample_bilinear_backward(e, dy, dx);
    cg_tape_give(tape, r->inputs[0], dx);
}

static CgTensor *upsample(CgContext *cx, CgTensor *x, int64_t h, int64_t w,
                          void (*run)(CgEngine *e, const CgTensor *x, CgTensor *y),
                          CgBackward backward)
{
    CgTensor *y = cg_op_tensor(cx, x->dtype, CG_SHAPE(x->shape.d[0], h, w, cg_op_channels(x)));
    if (cg_op_may_run(cx)) {
        const double begin = cg_op_begin(cx);
        run(cx->engine, x, y);
        cg_op_end(cx, CG_OP_MOVE, begin, 0);
    }
    if (CG_OP_WANTS(cx, x->node)) {
        CgRecord *r = cg_op_record(cx, backward, y, CG_OP_MOVE, (double)y->count);
        *CG_OP_DATA(CgShape, r) = x->shape;
        r->inputs[0] = x->node;
    }
    return y;
}

CgTensor *cg_upsample_nearest(CgContext *cx, CgTensor *x, int64_t h, int64_t w)
{
    return upsample(cx, x, h, w, cx->engine->ops->upsample_nearest, upsample_nearest_backward);
}

CgTensor *cg_upsample_bilinear(CgContext *cx, CgTensor *x, int64_t h, int64_t w)
{
    return upsample(cx, x, h, w, cx->engine->ops->upsample_bilinear, upsample_bilinear_backward);
}

static void max_pool_backward(CgTape *tape, CgRecord *r, CgTensor *dy)
{
    CgEngine *e = cg_tape_engine(tape);
    CgTensor *x = r->keeps[0];
    CgTensor *dx = cg_op_gradient(tape, x->dtype, x->shape);
    e->ops->max_pool2d_backward(e, CG_OP_DATA(CgPoolGeometry, r), x, dy, dx);
    cg_tape_give(tape, r->inputs[0], dx);
}

CgTensor *cg_max_pool2d(CgContext *cx, const CgPoolGeometry *g, CgTensor *x)
{
    const int64_t h = (x->shape.d[1] + 2 * g->pad - g->kernel) / g->stride + 1;
    const int64_t w = (x->shape.d[2] + 2 * g->pad - g->kernel) / g->stride + 1;
    CgTensor *y = cg_op_tensor(cx, x->dtype, CG_SHAPE(x->shape.d[0], h, w, cg_op_channels(x)));
    if (cg_op_may_run(cx)) {
        const double begin = cg_op_begin(cx);
        cx->engine->ops->max_pool2d(cx->engine, g, x, y);
        cg_op_end(cx, CG_OP_MOVE, begin, (double)x->count);
    }
    if (CG_OP_WANTS(cx, x->node)) {
        CgRecord *r = cg_op_record(cx, max_pool_backward, y, CG_OP_MOVE, (double)x->count);
        *CG_OP_DATA(CgPoolGeometry, r) = *g;
        r->inputs[0] = x->node;
        r->keeps[0] = cg_tensor_ref(x);
    }
    return y;
}

static void average_pool_backward(CgTape *tape, CgRecord *r, CgTensor *dy)
{
    CgEngine *e = cg_tape_engine(tape);
    CgTensor *dx = cg_op_gradient(tape, dy->dtype, *CG_OP_DATA(CgShape, r));
    e->ops->average_pool_backward(e, dy, dx);
    cg_tape_give(tape, r->inputs[0], dx);
}

CgTensor *cg_average_pool(CgContext *cx, CgTensor *x)
{
    CgTensor *y = cg_op_tensor(cx, x->dtype, CG_SHAPE(x->shape.d[0], cg_op_channels(x)));
    if (cg_op_may_run(cx)) {
        const double begin = cg_op_begin(cx);
        cx->engine->ops->average_pool(cx->engine, x, y);
        cg_op_end(cx, CG_OP_MOVE, begin, (double)x->count);
    }
    if (CG_OP_WANTS(cx, x->node)) {
        CgRecord *r = cg_op_record(cx, average_pool_backward, y, CG_OP_MOVE, (double)x->count);
        *CG_OP_DATA(CgShape, r) = x->shape;
        r->inputs[0] = x->node;
    }
    return y;
}

static void concat_backward(CgTape *tape, CgRecord *r, CgTensor *dy)
{
    CgEngine *e = cg_tape_engine(tape);
    const int64_t ca = *CG_OP_DATA(int64_t, r);
    CgShape a = dy->shape, b = dy->shape;
    a.d[a.rank - 1] = ca;
    b.d[b.rank - 1] -= ca;
    CgTensor *da = r->inputs[0] ? cg_op_gradient(tape, dy->dtype, a) : NULL;
    CgTensor *db = r->inputs[1] ? cg_op_gradient(tape, dy->dtype, b) : NULL;
    e->ops->split(e, dy, ca, da, db);
    if (da)
        cg_tape_give(tape, r->inputs[0], da);
    if (db)
        cg_tape_give(tape, r->inputs[1], db);
}

CgTensor *cg_concat(CgContext *cx, CgTensor *a, CgTensor *b)
{
    CgShape shape = a->shape;
    shape.d[shape.rank - 1] += cg_op_channels(b);
    CgTensor *y = cg_op_tensor(cx, a->dtype, shape);
    if (cg_op_may_run(cx)) {
        const double begin = cg_op_begin(cx);
        cx->engine->ops->concat(cx->engine, a, b, y);
        cg_op_end(cx, CG_OP_MOVE, begin, 0);
    }
    if (CG_OP_WANTS(cx, a->node, b->node)) {
        CgRecord *r = cg_op_record(cx, concat_backward, y, CG_OP_MOVE, 0);
        *CG_OP_DATA(int64_t, r) = cg_op_channels(a);
        r->inputs[0] = a->node;
        r->inputs[1] = b->node;
    }
    return y;
}

/* ids are kept as the bits of an f32 tensor. */
static void embedding_backward(CgTape *tape, CgRecord *r, CgTensor *dy)
{
    CgTensor *table = cg_tape_leaf_gradient(tape, r->inputs[0]);
    CgTensor *positions = cg_tape_leaf_gradient(tape, r->inputs[1]);
    const gint32 *ids = r->keeps[0]->data;
    const size_t t = (size_t)dy->shape.d[1], c = (size_t)dy->shape.d[2];
    const float *from = cg_tensor_f32(dy);
    for (size_t i = 0; i < (size_t)dy->shape.d[0] * t; i++, from += c) {
        float *row = table ? cg_tensor_f32(table) + (size_t)ids[i] * c : NULL;
        float *place = positions ? cg_tensor_f32(positions) + i % t * c : NULL;
        for (size_t j = 0; row && j < c; j++)
            row[j] += from[j];
        for (size_t j = 0; place && j < c; j++)
            place[j] += from[j];
    }
}

CgTensor *cg_embedding(CgContext *cx, CgTensor *table, CgTensor *positions, const gint32 *ids,
                       int n, int t)
{
    const size_t c = (size_t)cg_op_channels(table);
    CgTensor *y = cg_op_tensor(cx, CG_F32, CG_SHAPE(n, t, (int64_t)c));
    g_autofree float *position = g_new(float, c);
    /* Only the rows that are needed are read: CLIP's table is 150 MB. */
    for (int i = 0; i < n * t; i++) {
        float *row = cg_tensor_f32(y) + (size_t)i * c;
        const char *token =
            (const char *)table->data + (size_t)ids[i] * c * cg_dtype_size(table->dtype);
        const char *place =
            (const char *)positions->data + (size_t)(i % t) * c * cg_dtype_size(positions->dtype);
        cg_dtype_convert(token, table->dtype, row, CG_F32, c);
        cg_dtype_convert(place, positions->dtype, position, CG_F32, c);
        for (size_t j = 0; j < c; j++)
            row[j] += position[j];
    }
    if (CG_OP_WANTS(cx, table->node, positions->node)) {
        CgRecord *r = cg_op_record(cx, embedding_backward, y, CG_OP_MOVE, 0);
        r->inputs[0] = table->node;
        r->inputs[1] = positions->node;
        r->keeps[0] = cg_tensor_new(CG_F32, CG_SHAPE(n, t));
        memcpy(r->keeps[0]->data, ids, (size_t)n * (size_t)t * sizeof *ids);
    }
    return y;
}
