#include "engine/cpu/onednn.h"

#include "base/size.h"
#include "base/system.h"
#include "engine/cpu/onednn-private.h"

#include <omp.h>

static void limit_isa(void)
{
    const char *limit = g_getenv("CAGEN_MAX_ISA");
    const CgCpuFeatures *cpu = cg_cpu_features();
    if (!limit || !*limit || cpu->amx_bf16)
        return;
    /* Refused when the library has already looked at the processor: then it stays as it is. */
    dnnl_set_max_cpu_isa(cpu->avx512_bf16 ? dnnl_cpu_isa_avx512_core_bf16
                         : cpu->avx512    ? dnnl_cpu_isa_avx512_core
                         : cpu->avx2      ? dnnl_cpu_isa_avx2
                                          : dnnl_cpu_isa_sse41);
}

static void stream_free(gpointer stream)
{
    dnnl_stream_destroy(stream);
}

dnnl_stream_t cg_onednn_stream(CgOnednn *d, int thread)
{
    while ((int)d->streams->len <= thread) {
        dnnl_stream_t stream;
        if (dnnl_stream_create(&stream, d->engine, dnnl_stream_default_flags) != dnnl_success)
            g_error("oneDNN offers no stream");
        g_ptr_array_add(d->streams, stream);
    }
    return g_ptr_array_index(d->streams, thread);
}

CgOnednn *cg_onednn_new(CgPool *pool)
{
    CgOnednn *d = g_new0(CgOnednn, 1);
    limit_isa();
    if (dnnl_engine_create(&d->engine, dnnl_cpu, 0) != dnnl_success)
        g_error("oneDNN offers no processor engine");
    d->streams = g_ptr_array_new_with_free_func(stream_free);
    d->pool = pool;
    cg_onednn_stream(d, 0);
    return d;
}

void cg_onednn_free(CgOnednn *d)
{
    if (!d)
        return;
    cg_onednn_shared_free(d);
    g_ptr_array_unref(d->streams);
    dnnl_engine_destroy(d->engine);
    g_free(d);
}

static gboolean isa_has(dnnl_cpu_isa_t wanted)
{
    /* The values are sets of bits in both versions. */
    return ((unsigned)dnnl_get_effective_cpu_isa() & (unsigned)wanted) == (unsigned)wanted;
}

gboolean cg_onednn_has_amx(void)
{
    return isa_has(dnnl_cpu_isa_avx512_core_amx);
}

gboolean cg_onednn_has_avx512(void)
{
    return isa_has(dnnl_cpu_isa_avx512_core);
}

void cg_onednn_describe(char library[64], char isa[64])
{
    const dnnl_version_t *v = dnnl_version();
    limit_isa();
    g_snprintf(library, 64, "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
    g_strlcpy(isa,
              isa_has(dnnl_cpu_isa_avx512_core_amx)    ? "AMX with bf16"
              : isa_has(dnnl_cpu_isa_avx512_core_bf16) ? "AVX-512 with bf16"
              : isa_has(dnnl_cpu_isa_avx512_core)      ? "AVX-512"
              : isa_has(dnnl_cpu_isa_avx2)             ? "AVX2"
                                                       : "baseline",
              64);
}

gboolean cg_onednn_prefers_bf16(void)
{
    limit_isa();
    if (cg_onednn_has_amx())
        return TRUE;
    /* AVX-512 with bf16, without AMX: Zen 4 runs its bf16 dot product at full width, and the
     * convolutions and linear layers of the U-Net reach 400-440 GFLOP/s on two cores where f32
     * reaches 200-230. Intel's cores split the instruction: 240 against 400. A timed probe would
     * decide the same, but could choose differently on a busy machine, and with it other bytes. */
    gboolean amd = FALSE;
#if defined(__x86_64__)
    __builtin_cpu_init();
    amd = __builtin_cpu_is("amd") != 0;
#endif
    return amd && isa_has(dnnl_cpu_isa_avx512_core_bf16);
}

size_t cg_onednn_weight_bytes(const CgOnednn *d)
{
    return d->weight_bytes;
}

CgWeight *cg_onednn_weight_new(const CgConvGeometry *g, CgDType dtype, CgTensor *w, CgTensor *bias)
{
    size_t count = (size_t)g->c_out * (size_t)g->c_in * (size_t)g->kernel_h * (size_t)g->kernel_w;
    g_assert(dtype == CG_F32 || dtype == CG_BF16);
    g_assert(w->count == count && (!bias || bias->count == (size_t)g->c_out));
    CgWeight *weight = g_new0(CgWeight, 1);
    weight->g = weight->file = *g;
    weight->dtype = dtype;
    weight->source = cg_tensor_ref(w);
    weight->bias_source = bias ? cg_tensor_ref(bias) : NULL;
    return weight;
}

void cg_onednn_weight_keep(CgWeight *w)
{
    g_assert(w->source); /* before the first use */
    w->keep = TRUE;
}

void cg_onednn_weight_differentiate(CgWeight *w)
{
    g_assert(w->source);
    w->differentiable = TRUE;
}

static void mark_stale(CgWeight *w)
{
    w->bias_stale = TRUE;
    for (Packing *p = w->packings; p; p = p->next)
        p->stale = TRUE;
}

void cg_onednn_weight_changed(CgWeight *w)
{
    g_assert(w->keep);
    mark_stale(w);
    if (w->backward)
        mark_stale(w->backward);
}

void cg_onednn_weight_free(CgOnednn *d, CgWeight *w)
{
    if (!w)
        return;
    cg_onednn_weight_free(d, w->backward);
    for (Plan *p = w->plans, *next; p; p = next) {
        next = p->next;
        cg_onednn_plan_free(p);
    }
    for (Packing *p = w->packings, *next; p; p = next) {
        next = p->next;
        cg_onednn_packing_free(d, p);
    }
    cg_tensor_unref(w->source);
    cg_tensor_unref(w->bias_source);
    g_free(w->bias);
    g_free(w);
}

const CgConvGeometry *cg_onednn_geometry(const CgWeight *w)
{
    return &w->g;
}

CgDType cg_onednn_dtype(const CgWeight *w)
{
    return w->dtype;
}

const CgTensor *cg_onednn_source(const CgWeight *w)
{
    g_assert(w->source);
    return w->source;
}

const float *cg_onednn_bias(CgWeight *w)
{
    cg_onednn_bias_load(w);
    return w->bias;
}

const char *cg_onednn_implementation(const CgWeight *w)
{
    return w->plans ? w->plans->name : NULL;
}

static void copy(void *to, const void *from, size_t size)
{
    const size_t step = (size_t)1 << 18;
    size_t count = (size + step - 1) / step;
#pragma omp parallel for schedule(static) if (count > 1)
    for (size_t i = 0; i < count; i++) {
        size_t at = i * step;
        memcpy((char *)to + at, (const char *)from + at, MIN(step, size - at));
    }
}

/* Where a primitive's arguments are. */
typedef struct {
    const void *x, *bias;
    void *y, *scratch;
} Addresses;

static dnnl_status_t run_part(CgOnednn *d, const Part *part, const Addresses *at,
                              dnnl_stream_t stream)
{
    const struct {
        int name, index;
        dnnl_query_t what;
        const void *data;
    } wanted[] = {
        {DNNL_ARG_SRC, 0, dnnl_query_src_md, at->x},
        {DNNL_ARG_WEIGHTS, 0, dnnl_query_weights_md, part->packing->data},
        {DNNL_ARG_BIAS, 1, dnnl_query_weights_md, at->bias},
        {DNNL_ARG_DST, 0, dnnl_query_dst_md, at->y},
        {DNNL_ARG_SCRATCHPAD, 0, dnnl_query_scratchpad_md, at->scratch},
    };
    dnnl_exec_arg_t args[G_N_ELEMENTS(wanted)];
    const_dnnl_primitive_desc_t pd;
    int count = 0, all = part->scratch_size ? 5 : 4;
    dnnl_status_t status = dnnl_primitive_get_primitive_desc(part->primitive, &pd);
    for (; status == dnnl_success && count < all; count += status == dnnl_success) {
        DnnMdRef md = dnnl_primitive_desc_query_md(pd, wanted[count].what, wanted[count].index);
        args[count].arg = wanted[count].name;
        status = dnnl_memory_create(&args[count].memory, md, d->engine, (void *)wanted[count].data);
    }
    if (status == dnnl_success)
        status = dnnl_primitive_execute(part->primitive, stream, count, args);
    if (status == dnnl_success)
        status = dnnl_stream_wait(stream);
    while (count > 0)
        dnnl_memory_destroy(args[--count].memory);
    return status;
}

static dnnl_status_t run_whole(CgOnednn *d, const Plan *plan, const void *x, const void *bias,
                               const CgTensor *residual, CgTensor *y)
{
    const Part *part = &g_array_index(plan->parts, Part, 0);
    Addresses at = {x, bias, y->data, NULL};
    if (part->scratch_size)
        at.scratch = cg_pool_scratch(d->pool, part->scratch_size);
    if (residual && residual->data != y->data)
        copy(y->data, residual->data, cg_tensor_bytes(y));
    return run_part(d, part, &at, cg_onednn_stream(d, 0));
}

static dnnl_status_t run_slabs(CgOnednn *d, const CgWeight *w, const Plan *plan, const void *x,
                               const void *bias, const CgTensor *residual, CgTensor *y)
{
    const size_t size = cg_dtype_size(w->dtype);
    const size_t x_row = (size_t)plan->key.w * (size_t)w->g.c_in * size;
    const size_t y_row = (size_t)plan->y_width * (size_t)w->g.c_out * size;
    const gboolean copies = residual && residual->data != y->data;
    size_t scratch_size = 0;
    for (guint i = 0; i < plan->parts->len; i++)
        scratch_size = MAX(scratch_size, g_array_index(plan->parts, Part, i).scratch_size);
    scratch_size = cg_size_align(scratch_size, 4096);
    char *scratch = cg_pool_scratch(d->pool, scratch_size * (size_t)plan->key.threads);
    cg_onednn_stream(d, plan->key.threads - 1);
    int failed = dnnl_success;
#pragma omp parallel for collapse(2) schedule(dynamic) reduction(max : failed)
    for (int64_t n = 0; n < plan->key.n; n++)
        for (guint i = 0; i < plan->slabs->len; i++) {
            const Slab *slab = &g_array_index(plan->slabs, Slab, i);
            const Part *part = &g_array_index(plan->parts, Part, slab->part);
            const size_t from = (size_t)(n * plan->key.h + slab->x_row) * x_row;
            const size_t to = (size_t)(n * plan->y_rows + slab->y_row) * y_row;
            const int thread = omp_get_thread_num();
            const Addresses at = {(const char *)x + from, bias, (char *)y->data + to,
                                  scratch + scratch_size * (size_t)thread};
            if (copies)
                memcpy(at.y, (const char *)residual->data + to, (size_t)part->y_rows * y_row);
            int status = run_part(d, part, &at, cg_onednn_stream(d, thread));
            failed = MAX(failed, status);
        }
    return failed;
}

/* What PLAN reads of W: all its parts read the same packing. */
static dnnl_status_t prepare(CgOnednn *d, CgWeight *w, const Plan *plan)
{
    cg_onednn_bias_load(w);
    return cg_onednn_packing_prepare(d, w, g_array_index(plan->parts, Part, 0).packing);
}

static gboolean execute(CgOnednn *d, CgWeight *w, const PlanKey *key, const CgTensor *x,
                        const CgEngineEpilogue *ep, CgTensor *y, GError **error)
{
    const Plan *plan = cg_onednn_plan_get(d, w, key, error);
    if (!plan)
        return FALSE;
    dnnl_status_t status = prepare(d, w, plan);
    const void *bias = ep->bias ? ep->bias->data : w->bias;
    if (status == dnnl_success)
        status = plan->slabs ? run_slabs(d, w, plan, x->data, bias, ep->residual, y)
                             : run_whole(d, plan, x->data, bias, ep->residual, y);
    if (status != dnnl_success)
        cg_onednn_fail(w, key, status, error);
    return status == dnnl_success;
}

static void check_call(const char *what, const CgWeight *w, const CgTensor *x,
                       const CgEngineEpilogue *ep, const CgTensor *y)
{
    if (x->dtype != w->dtype || y->dtype != w->dtype)
        g_error("%s: weights are %s, x is %s, y is %s", what, cg_dtype_name(w->dtype),
                cg_dtype_name(x->dtype), cg_dtype_name(y->dtype));
    if (ep->residual) {
        g_assert(ep->act == CG_ACT_NONE && ep->residual->dtype == y->dtype);
        cg_assert_shape(what, ep->residual, y->shape);
    }
    if (ep->bias)
        g_assert(ep->bias->dtype == CG_F32 && ep->bias->count == (size_t)w->g.c_out);
}

static gboolean is_pointwise(const CgConvGeometry *g)
{
    return g->kernel_h == 1 && g->kernel_w == 1 && g->stride == 1 &&
           (g->pad_top | g->pad_bottom | g->pad_left | g->pad_right) == 0;
}

static const CgEngineEpilogue plain;

static gboolean run_rows(CgOnednn *d, CgWeight *w, const CgTensor *x, const CgEngineEpilogue *ep,
                         CgTensor *y, GError **error)
{
    PlanKey key = {1,
                   1,
                   (int64_t)(x->count / (size_t)w->g.c_in),
                   ep->act,
                   ep->residual != NULL,
                   omp_get_max_threads()};
    return execute(d, w, &key, x, ep, y, error);
}

void cg_onednn_check_conv2d(const CgWeight *w, const CgTensor *x, const CgEngineEpilogue *ep,
                            const CgTensor *y)
{
    const CgConvGeometry *g = &w->g;
    g_assert(x->shape.rank == 4);
    const int64_t *n = x->shape.d;
    cg_assert_shape("conv2d x", x, CG_SHAPE(n[0], n[1], n[2], g->c_in));
    cg_assert_shape(
        "conv2d y", y,
        CG_SHAPE(n[0],
                 cg_onednn_size_after(n[1], g->kernel_h, g->stride, g->pad_top + g->pad_bottom),
                 cg_onednn_size_after(n[2], g->kernel_w, g->stride, g->pad_left + g->pad_right),
                 g->c_out));
    check_call("conv2d", w, x, ep ? ep : &plain, y);
}

gboolean cg_onednn_conv2d(CgOnednn *d, CgWeight *w, const CgTensor *x, const CgEngineEpilogue *ep,
                          CgTensor *y, GError **error)
{
    cg_onednn_check_conv2d(w, x, ep, y);
    const int64_t *n = x->shape.d;
    ep = ep ? ep : &plain;
    if (is_pointwise(&w->g))
        return run_rows(d, w, x, ep, y, error);
    PlanKey key = {n[0], n[1], n[2], ep->act, ep->residual != NULL, omp_get_max_threads()};
    return execute(d, w, &key, x, ep, y, error);
}

gboolean cg_onednn_linear(CgOnednn *d, CgWeight *w, const CgTensor *x, const CgEngineEpilogue *ep,
                          CgTensor *y, GError **error)
{
    ep = ep ? ep : &plain;
    g_assert(is_pointwise(&w->g) && x->shape.rank >= 1);
    CgShape want = x->shape;
    g_assert(want.d[want.rank - 1] == w->g.c_in);
    want.d[want.rank - 1] = w->g.c_out;
    cg_assert_shape("linear y", y, want);
    check_call("linear", w, x, ep, y);
    return run_rows(d, w, x, ep, y, error);
}
