#include "ops/ops-private.h"

CgRecord *cg_op_record(CgContext *cx, CgBackward backward, CgTensor *output, CgOpKind kind,
                       double flops)
{
    CgRecord *r = cg_tape_record(cx->tape, backward, output);
    r->kind = kind;
    r->flops = flops;
    return r;
}

CgTensor *cg_op_gradient(CgTape *tape, CgDType dtype, CgShape shape)
{
    CgEngine *e = cg_tape_engine(tape);
    return e->ops->tensor(e, dtype, shape);
}

typedef struct {
    CgContext *cx;
    CgSegment segment;
    const void *layer;
    int count;
} Segment;

/* The segment once more on inputs of its own, its records run at once, and what reaches those
 * inputs handed on to the real ones. */
static void segment_backward(CgTape *tape, CgRecord *r, CgTensor *dy)
{
    const Segment s = *CG_OP_DATA(Segment, r);
    const guint before = cg_tape_count(tape);
    CgTensor *inputs[CG_RECORD_KEEPS] = {NULL};
    CgProfile *profile = g_steal_pointer(&s.cx->profile);
    for (int i = 0; i < s.count; i++) {
        if (!r->keeps[i])
            continue;
        inputs[i] = cg_tensor_reshape(r->keeps[i], r->keeps[i]->shape);
        inputs[i]->node = 0;
        if (r->inputs[i])
            cg_tape_watch(tape, inputs[i]);
    }
    s.cx->again = TRUE;
    g_autoptr(CgTensor) y = s.segment(s.cx, s.layer, inputs);
    s.cx->again = FALSE;
    if (s.cx->error && !*cg_tape_error(tape))
        g_propagate_error(cg_tape_error(tape), g_steal_pointer(&s.cx->error));
    cg_tape_run(tape, y, dy, before);
    for (int i = 0; i < s.count; i++) {
        CgTensor *g = inputs[i] && r->inputs[i] ? cg_tape_take(tape, inputs[i]) : NULL;
        if (g)
            cg_tape_give(tape, r->inputs[i], g);
        g_clear_pointer(&inputs[i], cg_tensor_unref);
    }
    s.cx->profile = profile;
}

CgTensor *cg_recompute(CgContext *cx, CgSegment segment, const void *layer, CgTensor *const *inputs,
                       int count)
{
    g_assert(count <= CG_RECORD_KEEPS && count <= CG_RECORD_INPUTS);
    if (!cx->tape || !cx->recompute || cg_tape_suspended(cx->tape))
        return segment(cx, layer, inputs);
    cg_tape_suspend(cx->tape);
    CgTensor *y = segment(cx, layer, inputs);
    if (!cg_tape_resume(cx->tape))
        return y;
    CgRecord *r = cg_op_record(cx, segment_backward, y, CG_OP_MOVE, 0);
    *CG_OP_DATA(Segment, r) = (Segment){cx, segment, layer, count};
    for (int i = 0; i < count; i++) {
        r->inputs[i] = cg_op_node(inputs[i]);
        r->keeps[i] = inputs[i] ? cg_tensor_ref(inputs[i]) : NULL;
    }
    return y;
}
