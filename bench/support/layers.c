#include "support/layers.h"

#include "base/rng.h"
#include "base/system.h"

typedef struct {
    const char *what;
    int n, side; /* linear: n rows, side 0 */
    int c_in, c_out;
} Shape;

static const Shape shapes[BENCH_LAYERS] = {
    {"convolution 320>320 at 2x64x64", 2, 64, 320, 320},
    {"convolution 640>640 at 2x32x32", 2, 32, 640, 640},
    {"convolution 1280>1280 at 2x16x16", 2, 16, 1280, 1280},
    {"convolution 512>512 at 1x128x128", 1, 128, 512, 512},
    {"convolution 256>256 at 1x256x256", 1, 256, 256, 256},
    {"linear 320>2560, 8192 rows", 8192, 0, 320, 2560},
    {"linear 1280>10240, 512 rows", 512, 0, 1280, 10240},
};

static CgTensor *random_tensor(CgDType dtype, CgShape shape)
{
    g_autoptr(CgTensor) t = cg_tensor_new(CG_F32, shape);
    cg_rng_uniforms(1, CG_STREAM(CG_STREAM_WEIGHTS, 0), 0, cg_tensor_f32(t), t->count);
    return cg_tensor_copy(t, dtype);
}

static double measure(CgEngine *e, CgDType dtype, const Shape *s, double seconds)
{
    const int kernel = s->side ? 3 : 1, pad = s->side ? 1 : 0;
    const CgConvGeometry g = {s->c_in, s->c_out, kernel, kernel, 1, pad, pad, pad, pad};
    const CgShape rows =
        s->side ? CG_SHAPE(s->n, s->side, s->side, s->c_in) : CG_SHAPE(s->n, s->c_in);
    CgShape out = rows;
    out.d[out.rank - 1] = s->c_out;
    g_autoptr(CgTensor) x = random_tensor(dtype, rows);
    g_autoptr(CgTensor) y = cg_tensor_new(dtype, out);
    g_autoptr(CgTensor) w = random_tensor(CG_F32, CG_SHAPE(s->c_out, s->c_in, kernel, kernel));
    CgWeight *weight = e->ops->weight_new(e, &g, dtype, w, NULL);
    const CgEngineEpilogue plain = {0};
    gboolean ok = TRUE;
    double best = 1e9, until = 0;
    for (int i = 0; ok && (i < 3 || cg_seconds() < until); i++) {
        const double begin = cg_seconds();
        ok = s->side ? e->ops->conv2d(e, weight, x, &plain, y, NULL)
                     : e->ops->linear(e, weight, x, &plain, y, NULL);
        if (i == 0)
            until = cg_seconds() + seconds; /* the first run packs the weights */
        else
            best = MIN(best, cg_seconds() - begin);
    }
    e->ops->weight_free(e, weight);
    return ok ? 2.0 * (double)y->count * s->c_in * kernel * kernel / best : 0;
}

double bench_layers_measure(CgEngine *e, CgDType dtype, double seconds,
                            BenchLayer layers[BENCH_LAYERS])
{
    double best = 0;
    for (int i = 0; i < BENCH_LAYERS; i++) {
        layers[i] = (BenchLayer){shapes[i].what, measure(e, dtype, &shapes[i], seconds)};
        best = MAX(best, layers[i].rate);
    }
    return best;
}
