#include "ops/ops.h"

#include "base/system.h"

void cg_context_init(CgContext *cx, CgEngine *engine, CgDType dtype)
{
    *cx = (CgContext){.engine = engine, .dtype = dtype};
}

void cg_context_clear(CgContext *cx)
{
    g_clear_error(&cx->error);
}

gboolean cg_context_ok(CgContext *cx, GError **error)
{
    if (!cx->error)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&cx->error));
    return FALSE;
}

const char *cg_op_kind_name(CgOpKind kind)
{
    static const char *const names[CG_OP_KINDS] = {"convolution", "linear",    "attention",
                                                   "norm",        "pointwise", "copy"};
    return names[kind];
}
