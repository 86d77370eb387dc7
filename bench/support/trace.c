#include "support/trace.h"

#include "base/system.h"
#include "support/peak.h"

#include <stdio.h>

typedef struct {
    char *what;
    double seconds, flops, bytes; /* in all; bytes: read or written at least */
    int calls;
} Line;

typedef struct {
    CgEngine base;
    CgEngine *inner;
    GHashTable *geometries; /* CgWeight * -> CgConvGeometry */
    GHashTable *lines;      /* what -> Line */
} Trace;

static Trace *trace_of(CgEngine *e)
{
    return (Trace *)e;
}

static CgEngine *inner_of(CgEngine *e)
{
    return ((Trace *)e)->inner;
}

static void line_free(gpointer data)
{
    Line *line = data;
    g_free(line->what);
    g_free(line);
}

/* Takes WHAT. */
static void record(CgEngine *e, char *what, double begin, double flops, double bytes)
{
    const double seconds = bench_clock(cg_threads()) - begin;
    Line *line = g_hash_table_lookup(trace_of(e)->lines, what);
    if (!line) {
        line = g_new0(Line, 1);
        line->what = what;
        g_hash_table_insert(trace_of(e)->lines, line->what, line);
    } else {
        g_free(what);
    }
    line->seconds += seconds;
    line->flops += flops;
    line->bytes += bytes;
    line->calls++;
}

static double bytes_of(const CgTensor *t)
{
    return t ? (double)cg_tensor_bytes(t) : 0;
}

static char *name_shape(const char *what, const CgTensor *x)
{
    char shape[CG_SHAPE_TEXT];
    return g_strdup_printf("%s %s", what, cg_shape_text(&x->shape, shape));
}

static void trace_free(CgEngine *e)
{
    g_hash_table_unref(trace_of(e)->geometries);
    g_hash_table_unref(trace_of(e)->lines);
    g_free(e);
}

static CgTensor *trace_tensor(CgEngine *e, CgDType dtype, CgShape shape)
{
    return inner_of(e)->ops->tensor(inner_of(e), dtype, shape);
}

static CgWeight *trace_weight_new(CgEngine *e, const CgConvGeometry *g, CgDType dtype, CgTensor *w,
                                  CgTensor *bias)
{
    CgWeight *weight = inner_of(e)->ops->weight_new(inner_of(e), g, dtype, w, bias);
    g_hash_table_insert(trace_of(e)->geometries, weight, g_memdup2(g, sizeof *g));
    return weight;
}

static void trace_weight_free(CgEngine *e, CgWeight *w)
{
    g_hash_table_remove(trace_of(e)->geometries, w);
    inner_of(e)->ops->weight_free(inner_of(e), w);
}

static void record_layer(CgEngine *e, const char *what, const CgWeight *w, const CgTensor *x,
                         const CgEngineEpilogue *ep, const CgTensor *y, double begin)
{
    const CgConvGeometry *g = g_hash_table_lookup(trace_of(e)->geometries, w);
    const double k = (double)g->c_in * g->kernel_h * g->kernel_w;
    char shape[CG_SHAPE_TEXT];
    char *name = g_strdup_printf(
        "%s %dx%d %d>%d%s%s%s, x %s", what, g->kernel_h, g->kernel_w, g->c_in, g->c_out,
        g->stride > 1 ? " stride 2" : "",
        ep && ep->residual ? ep->residual->data == y->data ? " +=" : " + residual" : "",
        ep && ep->act ? " act" : "", cg_shape_text(&x->shape, shape));
    record(e, name, begin, 2 * (double)y->count * k,
           bytes_of(x) + bytes_of(y) + k * g->c_out * (double)cg_dtype_size(x->dtype) +
               bytes_of(ep ? ep->residual : NULL));
}

static gboolean trace_conv2d(CgEngine *e, CgWeight *w, const CgTensor *x,
                             const CgEngineEpilogue *ep, CgTensor *y, GError **error)
{
    const double begin = bench_clock(cg_threads());
    const gboolean ok = inner_of(e)->ops->conv2d(inner_of(e), w, x, ep, y, error);
    record_layer(e, "conv", w, x, ep, y, begin);
    return ok;
}

static gboolean trace_linear(CgEngine *e, CgWeight *w, const CgTensor *x,
                             const CgEngineEpilogue *ep, CgTensor *y, GError **error)
{
    const double begin = bench_clock(cg_threads());
    const gboolean ok = inner_of(e)->ops->linear(inner_of(e), w, x, ep, y, error);
    record_layer(e, "linear", w, x, ep, y, begin);
    return ok;
}

static gboolean trace_attention(CgEngine *e, const CgAttention *a, GError **error)
{
    const double begin = bench_clock(cg_threads());
    const gboolean ok = inner_of(e)->ops->attention(inner_of(e), a, error);
    const double width = (double)a->n * a->heads * a->head_dim;
    record(e,
           g_strdup_printf("attention %dx%d, %d x %d, head dim %d", a->n, a->heads, a->tq, a->tk,
                           a->head_dim),
           begin, 4 * width * a->tq * a->tk,
           2 * width * (a->tq + a->tk) * (double)cg_dtype_size(a->dtype));
    return ok;
}

static void trace_group_norm(CgEngine *e, const CgTensor *x, int groups, float eps,
                             const CgTensor *gamma, const CgTensor *beta, CgActivation act,
                             CgTensor *y)
{
    const double begin = bench_clock(cg_threads());
    inner_of(e)->ops->group_norm(inner_of(e), x, groups, eps, gamma, beta, act, y);
    record(e, name_shape(act ? "group norm + act" : "group norm", x), begin, 0,
           bytes_of(x) + bytes_of(y));
}

static void trace_layer_norm(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                             const CgTensor *beta, CgTensor *y)
{
    const double begin = bench_clock(cg_threads());
    inner_of(e)->ops->layer_norm(inner_of(e), x, eps, gamma, beta, y);
    record(e, name_shape("layer norm", x), begin, 0, bytes_of(x) + bytes_of(y));
}

static void trace_activate(CgEngine *e, CgActivation act, const CgTensor *x, CgTensor *y)
{
    const double begin = bench_clock(cg_threads());
    inner_of(e)->ops->activate(inner_of(e), act, x, y);
    record(e, name_shape("activate", x), begin, 0, bytes_of(x) + bytes_of(y));
}

static void trace_geglu(CgEngine *e, const CgTensor *x, CgTensor *y)
{
    const double begin = bench_clock(cg_threads());
    inner_of(e)->ops->geglu(inner_of(e), x, y);
    record(e, name_shape("GEGLU", x), begin, 0, bytes_of(x) + bytes_of(y));
}

static void trace_add(CgEngine *e, const CgTensor *a, const CgTensor *b, float scale, CgTensor *y)
{
    const double begin = bench_clock(cg_threads());
    inner_of(e)->ops->add(inner_of(e), a, b, scale, y);
    record(e, name_shape("add", a), begin, 0, bytes_of(a) + bytes_of(b) + bytes_of(y));
}

static void trace_add_channels(CgEngine *e, const CgTensor *x, const CgTensor *v, CgTensor *y)
{
    const double begin = bench_clock(cg_threads());
    inner_of(e)->ops->add_channels(inner_of(e), x, v, y);
    record(e, name_shape("add channels", x), begin, 0, bytes_of(x) + bytes_of(y));
}

static void trace_upsample_nearest(CgEngine *e, const CgTensor *x, CgTensor *y)
{
    const double begin = bench_clock(cg_threads());
    inner_of(e)->ops->upsample_nearest(inner_of(e), x, y);
    record(e, name_shape("upsample", x), begin, 0, bytes_of(x) + bytes_of(y));
}

static void trace_concat(CgEngine *e, const CgTensor *a, const CgTensor *b, CgTensor *y)
{
    const double begin = bench_clock(cg_threads());
    inner_of(e)->ops->concat(inner_of(e), a, b, y);
    record(e, name_shape("concat to", y), begin, 0, 2 * bytes_of(y));
}

static void trace_softmax(CgEngine *e, const CgTensor *x, CgTensor *y)
{
    const double begin = bench_clock(cg_threads());
    inner_of(e)->ops->softmax(inner_of(e), x, y);
    record(e, name_shape("softmax", x), begin, 0, bytes_of(x) + bytes_of(y));
}

static void trace_cast(CgEngine *e, const CgTensor *x, CgTensor *y)
{
    const double begin = bench_clock(cg_threads());
    inner_of(e)->ops->cast(inner_of(e), x, y);
    record(e, name_shape("cast", x), begin, 0, bytes_of(x) + bytes_of(y));
}

CgEngine *bench_trace_new(CgEngine *inner)
{
    static const CgEngineOps ops = {
        .version = CG_ENGINE_VERSION,
        .name = "trace",
        .free = trace_free,
        .tensor = trace_tensor,
        .weight_new = trace_weight_new,
        .weight_free = trace_weight_free,
        .conv2d = trace_conv2d,
        .linear = trace_linear,
        .attention = trace_attention,
        .group_norm = trace_group_norm,
        .layer_norm = trace_layer_norm,
        .activate = trace_activate,
        .geglu = trace_geglu,
        .add = trace_add,
        .add_channels = trace_add_channels,
        .upsample_nearest = trace_upsample_nearest,
        .concat = trace_concat,
        .softmax = trace_softmax,
        .cast = trace_cast,
    };
    Trace *t = g_new0(Trace, 1);
    t->base.ops = &ops;
    t->inner = inner;
    t->geometries = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    t->lines = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, line_free);
    return &t->base;
}

void bench_trace_reset(CgEngine *trace)
{
    g_hash_table_remove_all(trace_of(trace)->lines);
}

static int longer_first(gconstpointer a, gconstpointer b)
{
    const double x = ((const Line *)a)->seconds, y = ((const Line *)b)->seconds;
    return (x < y) - (x > y);
}

void bench_trace_print(const CgEngine *trace, double peak, int lines)
{
    GHashTable *all = ((const Trace *)trace)->lines;
    GList *sorted = g_list_sort(g_hash_table_get_values(all), longer_first);
    double total = 0;
    for (GList *l = sorted; l; l = l->next)
        total += ((Line *)l->data)->seconds;
    printf("%9s %6s %6s %9s %6s %7s  %s\n", "ms", "share", "calls", "GFLOP/s", "peak", "GB/s",
           "what");
    for (GList *l = sorted; l && lines > 0; l = l->next, lines--) {
        const Line *line = l->data;
        printf("%9.2f %5.1f%% %6d ", line->seconds * 1e3, 100 * line->seconds / total, line->calls);
        if (line->flops > 0)
            printf("%9.1f %5.1f%% ", line->flops / line->seconds * 1e-9,
                   peak > 0 ? 100 * line->flops / line->seconds / peak : 0);
        else
            printf("%9s %6s ", "", "");
        printf("%7.1f  %s\n", line->bytes / line->seconds * 1e-9, line->what);
    }
    g_list_free(sorted);
}
