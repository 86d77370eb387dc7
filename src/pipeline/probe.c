#include "pipeline/probe.h"

#include "base/rng.h"
#include "base/system.h"
#include "ops/ops.h"

#define CHANNELS 320
#define SIDE     64

static CgTensor *random_tensor(CgDType dtype, CgShape shape)
{
    g_autoptr(CgTensor) t = cg_tensor_new(CG_F32, shape);
    cg_rng_uniforms(1, CG_STREAM(CG_STREAM_WEIGHTS, 0), 0, cg_tensor_f32(t), t->count);
    return cg_tensor_copy(t, dtype);
}

double cg_probe_speed(CgEngine *engine, CgDType dtype, double seconds)
{
    const CgConvGeometry g = {CHANNELS, CHANNELS, 3, 3, 1, 1, 1, 1, 1};
    g_autoptr(CgTensor) x = random_tensor(dtype, CG_SHAPE(1, SIDE, SIDE, CHANNELS));
    g_autoptr(CgTensor) w = random_tensor(CG_F32, CG_SHAPE(CHANNELS, CHANNELS, 3, 3));
    const CgKernel kernel = {.packed = engine->ops->weight_new(engine, &g, dtype, w, NULL)};
    CgProfile profile = {0};
    CgContext cx;
    double spent = 0, work = 0;
    cg_context_init(&cx, engine, dtype);
    cx.profile = &profile;
    cg_tensor_unref(cg_conv2d(&cx, &g, &kernel, x, CG_PLAIN)); /* packs the weights */
    while (!cx.error && spent < seconds) {
        const double begin = cg_seconds(), before = profile.flops[CG_OP_CONV];
        cg_tensor_unref(cg_conv2d(&cx, &g, &kernel, x, CG_PLAIN));
        spent += cg_seconds() - begin;
        work += profile.flops[CG_OP_CONV] - before;
    }
    const gboolean failed = cx.error != NULL;
    cg_context_clear(&cx);
    engine->ops->weight_free(engine, kernel.packed);
    return failed || spent <= 0 ? 0 : work / spent;
}
