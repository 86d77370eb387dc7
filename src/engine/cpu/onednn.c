#include "engine/cpu/onednn.h"

#include "base/size.h"
#include "base/system.h"
#include "engine/cpu/onednn-compat.h"

#include <omp.h>
#include <stdlib.h>
#include <sys/mman.h>

#define HUGE ((size_t)2 << 20)

struct CgOnednn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    CgPool *pool;
    size_t weight_bytes;
};

/* The weights in one of the library's layouts. */
typedef struct Packing {
    struct Packing *next;
    DnnMd md;
    void *data;
    size_t size;
} Packing;

/* What a plan was made for. A linear layer is one row of all its tokens: n = h = 1. */
typedef struct {
    int64_t n, h, w;
    CgActivation act;
    gboolean sum; /* adds to what y holds */
    int threads;  /* the library fixes its split of the work when it plans */
} PlanKey;

typedef struct Plan {
    struct Plan *next;
    PlanKey key;
    dnnl_primitive_t primitive;
    dnnl_memory_t x, weights, bias, y, scratch;
    size_t scratch_size;
    char name[48];
} Plan;

struct CgWeight {
    CgConvGeometry g;
    CgDType dtype;
    CgTensor *source, *bias_source; /* until packed */
    float *bias;                    /* [c_out], zeros without a bias */
    Packing *packings;
    Plan *plans; /* the last used first */
};

/* ---- the library ------------------------------------------------------------------------- */

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

CgOnednn *cg_onednn_new(CgPool *pool)
{
    CgOnednn *d = g_new0(CgOnednn, 1);
    limit_isa();
    if (dnnl_engine_create(&d->engine, dnnl_cpu, 0) != dnnl_success ||
        dnnl_stream_create(&d->stream, d->engine, dnnl_stream_default_flags) != dnnl_success)
        g_error("oneDNN offers no processor engine");
    d->pool = pool;
    return d;
}

void cg_onednn_free(CgOnednn *d)
{
    if (!d)
        return;
    dnnl_stream_destroy(d->stream);
    dnnl_engine_destroy(d->engine);
    g_free(d);
}

static gboolean isa_has(dnnl_cpu_isa_t wanted)
{
    /* The values are sets of bits in both versions. */
    return ((unsigned)dnnl_get_effective_cpu_isa() & (unsigned)wanted) == (unsigned)wanted;
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
    if (isa_has(dnnl_cpu_isa_avx512_core_amx))
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

/* ---- memory ------------------------------------------------------------------------------ */

static void *memory_new(size_t size)
{
    if (size < HUGE)
        return aligned_alloc(64, cg_size_align(MAX(size, 1), 64));
    void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        return NULL;
    madvise(data, size, MADV_HUGEPAGE);
    return data;
}

static void memory_free(void *data, size_t size)
{
    if (data && size >= HUGE)
        munmap(data, size);
    else
        free(data);
}

static gboolean memory_fail(size_t size, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_MEMORY,
                "not enough memory to pack weights (%zu MB more needed); free some memory or use "
                "a smaller model",
                size >> 20);
    return FALSE;
}

/* ---- weights ----------------------------------------------------------------------------- */

CgWeight *cg_onednn_weight_new(const CgConvGeometry *g, CgDType dtype, CgTensor *w, CgTensor *bias)
{
    size_t count = (size_t)g->c_out * (size_t)g->c_in * (size_t)g->kernel_h * (size_t)g->kernel_w;
    g_assert(dtype == CG_F32 || dtype == CG_BF16);
    g_assert(w->count == count && (!bias || bias->count == (size_t)g->c_out));
    CgWeight *weight = g_new0(CgWeight, 1);
    weight->g = *g;
    weight->dtype = dtype;
    weight->source = cg_tensor_ref(w);
    weight->bias_source = bias ? cg_tensor_ref(bias) : NULL;
    return weight;
}

static void plan_free(Plan *p)
{
    if (!p)
        return;
    dnnl_memory_t memories[] = {p->x, p->weights, p->bias, p->y, p->scratch};
    for (size_t i = 0; i < G_N_ELEMENTS(memories); i++)
        if (memories[i])
            dnnl_memory_destroy(memories[i]);
    if (p->primitive)
        dnnl_primitive_destroy(p->primitive);
    g_free(p);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Plan, plan_free)

static void packing_free(CgOnednn *d, Packing *p)
{
    memory_free(p->data, p->size);
    dnn_md_clear(&p->md);
    d->weight_bytes -= p->size;
    g_free(p);
}

void cg_onednn_weight_free(CgOnednn *d, CgWeight *w)
{
    if (!w)
        return;
    for (Plan *p = w->plans, *next; p; p = next) {
        next = p->next;
        plan_free(p);
    }
    for (Packing *p = w->packings, *next; p; p = next) {
        next = p->next;
        packing_free(d, p);
    }
    cg_tensor_unref(w->source);
    cg_tensor_unref(w->bias_source);
    g_free(w->bias);
    g_free(w);
}

const char *cg_onednn_implementation(const CgWeight *w)
{
    return w->plans ? w->plans->name : NULL;
}

static dnnl_data_type_t library_type(CgDType dtype)
{
    return dtype == CG_BF16 ? dnnl_bf16 : dnnl_f32;
}

/* One reorder, FROM_DATA in layout FROM to TO_DATA in layout TO. */
static dnnl_status_t reorder(CgOnednn *d, DnnMdRef from, const void *from_data, DnnMdRef to,
                             void *to_data)
{
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t primitive = NULL;
    dnnl_memory_t source = NULL, target = NULL;
    dnnl_status_t status =
        dnnl_reorder_primitive_desc_create(&pd, from, d->engine, to, d->engine, NULL);
    if (status != dnnl_success)
        return status;
    status = dnnl_primitive_create(&primitive, pd);
    if (status == dnnl_success)
        status = dnnl_memory_create(&source, from, d->engine, (void *)from_data);
    if (status == dnnl_success)
        status = dnnl_memory_create(&target, to, d->engine, to_data);
    if (status == dnnl_success) {
        dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, target}};
        status = dnnl_primitive_execute(primitive, d->stream, G_N_ELEMENTS(args), args);
        dnnl_stream_wait(d->stream);
    }
    if (source)
        dnnl_memory_destroy(source);
    if (target)
        dnnl_memory_destroy(target);
    if (primitive)
        dnnl_primitive_destroy(primitive);
    dnnl_primitive_desc_destroy(pd);
    return status;
}

/* The file's weights into PACKING. */
static gboolean pack_source(CgOnednn *d, CgWeight *w, Packing *packing, dnnl_status_t *status,
                            GError **error)
{
    const CgTensor *source = w->source;
    const void *plain = source->data;
    size_t size = source->count * cg_dtype_size(w->dtype);
    void *converted = NULL;
    /* Rounded by ourselves, so that the values do not depend on the library's version. */
    if (source->dtype != w->dtype) {
        converted = memory_new(size);
        if (!converted)
            return memory_fail(size, error);
        cg_dtype_convert(source->data, source->dtype, converted, w->dtype, source->count);
        plain = converted;
    }
    DnnMd md;
    *status =
        dnn_md_init(&md, 4, (dnnl_dims_t){w->g.c_out, w->g.c_in, w->g.kernel_h, w->g.kernel_w},
                    library_type(w->dtype), dnnl_oihw);
    if (*status == dnnl_success) {
        *status = reorder(d, DNN_REF(md), plain, DNN_REF(packing->md), packing->data);
        dnn_md_clear(&md);
    }
    memory_free(converted, size);
    return TRUE;
}

static void bias_load(CgWeight *w)
{
    if (w->bias)
        return;
    w->bias = g_new0(float, w->g.c_out);
    if (w->bias_source)
        cg_dtype_convert(w->bias_source->data, w->bias_source->dtype, w->bias, CG_F32,
                         (size_t)w->g.c_out);
    g_clear_pointer(&w->bias_source, cg_tensor_unref);
}

static Packing *packing_find(const CgWeight *w, DnnMdRef md)
{
    for (Packing *p = w->packings; p; p = p->next)
        if (dnnl_memory_desc_equal(DNN_REF(p->md), md))
            return p;
    return NULL;
}

/* The weights in layout MD, packed now when they are not yet. NULL with an error, or with *STATUS
 * what the library said. */
static Packing *packing_get(CgOnednn *d, CgWeight *w, DnnMdRef md, dnnl_status_t *status,
                            GError **error)
{
    Packing *packing = packing_find(w, md);
    *status = dnnl_success;
    if (packing)
        return packing;
    size_t size = dnnl_memory_desc_get_size(md);
    void *data = memory_new(size);
    if (!data) {
        memory_fail(size, error);
        return NULL;
    }
    packing = g_new0(Packing, 1);
    packing->data = data;
    packing->size = size;
    d->weight_bytes += size;
    gboolean ok = TRUE;
    *status = dnn_md_copy(&packing->md, md);
    if (*status == dnnl_success) {
        if (w->packings)
            *status = reorder(d, DNN_REF(w->packings->md), w->packings->data, md, data);
        else
            ok = pack_source(d, w, packing, status, error);
    }
    if (!ok || *status != dnnl_success) {
        packing_free(d, packing);
        return NULL;
    }
    packing->next = w->packings;
    w->packings = packing;
    g_clear_pointer(&w->source, cg_tensor_unref);
    return packing;
}

/* ---- plans ------------------------------------------------------------------------------- */

static int64_t size_after(int64_t size, int kernel, int stride, int pad)
{
    return (size + pad - kernel) / stride + 1;
}

/* The convolution of KEY; weights in layout PACKED, or as the library likes (NULL). */
static dnnl_status_t conv_init(DnnConv *c, const CgWeight *w, const PlanKey *key,
                               const Packing *packed)
{
    const CgConvGeometry *g = &w->g;
    dnnl_data_type_t type = library_type(w->dtype);
    int64_t oh = size_after(key->h, g->kernel_h, g->stride, g->pad_top + g->pad_bottom);
    int64_t ow = size_after(key->w, g->kernel_w, g->stride, g->pad_left + g->pad_right);
    *c = (DnnConv){
        .stride = {g->stride, g->stride},
        .pad_before = {g->pad_top, g->pad_left},
        .pad_after = {g->pad_bottom, g->pad_right},
    };
    dnnl_status_t status =
        dnn_md_init(&c->x, 4, (dnnl_dims_t){key->n, g->c_in, key->h, key->w}, type, dnnl_nhwc);
    if (status == dnnl_success)
        status = dnn_md_init(&c->y, 4, (dnnl_dims_t){key->n, g->c_out, oh, ow}, type, dnnl_nhwc);
    if (status == dnnl_success)
        status = dnn_md_init(&c->bias, 1, (dnnl_dims_t){g->c_out}, dnnl_f32, dnnl_x);
    if (status == dnnl_success && packed)
        status = dnn_md_copy(&c->w, DNN_REF(packed->md));
    else if (status == dnnl_success)
        status = dnn_md_init(&c->w, 4, (dnnl_dims_t){g->c_out, g->c_in, g->kernel_h, g->kernel_w},
                             type, dnnl_format_tag_any);
    return status;
}

/* swish(x) = x * sigmoid(alpha x) */
static dnnl_status_t append_activation(dnnl_post_ops_t ops, CgActivation act)
{
    switch (act) {
    case CG_ACT_NONE:
        break;
    case CG_ACT_SILU:
        return dnn_append_eltwise(ops, dnnl_eltwise_swish, 1.0f);
    case CG_ACT_GELU:
        return dnn_append_eltwise(ops, dnnl_eltwise_gelu_erf, 0.0f);
    case CG_ACT_QUICK_GELU:
        return dnn_append_eltwise(ops, dnnl_eltwise_swish, 1.702f);
    case CG_ACT_RELU:
        return dnn_append_eltwise(ops, dnnl_eltwise_relu, 0.0f);
    }
    return dnnl_success;
}

static dnnl_status_t attr_new(dnnl_primitive_attr_t *attr, const PlanKey *key)
{
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (status != dnnl_success)
        return status;
    dnn_attr_deterministic(*attr);
    status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (status == dnnl_success)
        status = dnnl_post_ops_create(&ops);
    if (status == dnnl_success && key->sum)
        status = dnn_append_sum(ops);
    if (status == dnnl_success)
        status = append_activation(ops, key->act);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(*attr, ops);
    if (ops)
        dnnl_post_ops_destroy(ops);
    if (status != dnnl_success)
        dnnl_primitive_attr_destroy(*attr);
    return status;
}

static gboolean is_not_reference(const char *name, gconstpointer weight)
{
    (void)weight;
    return !g_str_has_prefix(name, "ref");
}

/* Fast, and summing in an order that does not depend on the number of threads.
 * ref: 1 GFLOP/s. gemm: splits sums between threads, and needs a large scratch.
 * brgconv_1x1 in bf16 on AVX-512: sums inputs in chunks that fit the level 2 cache, and so many
 * inputs (from about 3600) that one chunk does not hold them are cut by a rule that looks at the
 * thread count (5120>1280: other bytes with 3 threads than with 2). The direct kernel that comes
 * next in the library's list is 9 % slower there. With AMX there is always one chunk. */
static gboolean is_good(const char *name, gconstpointer weight)
{
    const CgWeight *w = weight;
    if (!is_not_reference(name, w) || strstr(name, "gemm"))
        return FALSE;
    return !(strstr(name, "brgconv_1x1") && !strstr(name, "amx") && w->dtype == CG_BF16 &&
             w->g.c_in > 3072);
}

static dnnl_status_t choose_in(CgOnednn *d, const CgWeight *w, const PlanKey *key,
                               const Packing *packed, dnnl_primitive_attr_t attr, DnnAccept accept,
                               dnnl_primitive_desc_t *pd)
{
    DnnConv conv;
    dnnl_status_t status = conv_init(&conv, w, key, packed);
    if (status == dnnl_success)
        status = dnn_conv_choose(pd, d->engine, &conv, attr, accept, w);
    dnn_conv_clear(&conv);
    return status;
}

/* The best implementation for KEY: one that takes the weights as they are packed already, else the
 * library's choice with another packing, else whatever is not the reference. */
static dnnl_status_t choose(CgOnednn *d, const CgWeight *w, const PlanKey *key,
                            dnnl_primitive_desc_t *pd)
{
    dnnl_primitive_attr_t attr;
    dnnl_status_t status = attr_new(&attr, key);
    if (status != dnnl_success)
        return status;
    status = dnnl_unimplemented;
    for (const Packing *p = w->packings; p && status != dnnl_success; p = p->next)
        status = choose_in(d, w, key, p, attr, is_good, pd);
    if (status != dnnl_success)
        status = choose_in(d, w, key, NULL, attr, is_good, pd);
    if (status != dnnl_success)
        status = choose_in(d, w, key, NULL, attr, is_not_reference, pd);
    dnnl_primitive_attr_destroy(attr);
    return status;
}

/* Memory object for the pd's argument WHAT; its address is given at each run. */
static dnnl_status_t argument_new(CgOnednn *d, const_dnnl_primitive_desc_t pd, dnnl_query_t what,
                                  int index, dnnl_memory_t *memory)
{
    return dnnl_memory_create(memory, dnnl_primitive_desc_query_md(pd, what, index), d->engine,
                              NULL);
}

static dnnl_status_t plan_fill(CgOnednn *d, Plan *plan, const_dnnl_primitive_desc_t pd)
{
    g_strlcpy(plan->name, dnn_pd_name(pd), sizeof plan->name);
    dnnl_status_t status = dnnl_primitive_create(&plan->primitive, pd);
    if (status == dnnl_success)
        status = argument_new(d, pd, dnnl_query_src_md, 0, &plan->x);
    if (status == dnnl_success)
        status = argument_new(d, pd, dnnl_query_weights_md, 0, &plan->weights);
    if (status == dnnl_success)
        status = argument_new(d, pd, dnnl_query_weights_md, 1, &plan->bias);
    if (status == dnnl_success)
        status = argument_new(d, pd, dnnl_query_dst_md, 0, &plan->y);
    DnnMdRef scratch = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    plan->scratch_size = scratch ? dnnl_memory_desc_get_size(scratch) : 0;
    if (status == dnnl_success && plan->scratch_size)
        status = dnnl_memory_create(&plan->scratch, scratch, d->engine, NULL);
    return status;
}

static void describe_failure(const CgWeight *w, const PlanKey *key, dnnl_status_t status,
                             GError **error)
{
    char library[64], isa[64];
    cg_onednn_describe(library, isa);
    const char *what = status == dnnl_unimplemented   ? "has no implementation"
                       : status == dnnl_out_of_memory ? "is out of memory"
                                                      : "failed";
    g_set_error(error, CG_ERROR, status == dnnl_out_of_memory ? CG_ERROR_MEMORY : CG_ERROR_ENGINE,
                "%s (%s) %s (status %d) for %dx%d weights %d>%d, %s, on a %dx%dx%d input%s",
                library, isa, what, (int)status, w->g.kernel_h, w->g.kernel_w, w->g.c_in,
                w->g.c_out, cg_dtype_name(w->dtype), (int)key->n, (int)key->h, (int)key->w,
                w->dtype == CG_BF16 ? "; use --dtype f32" : "");
}

static Plan *plan_new(CgOnednn *d, CgWeight *w, const PlanKey *key, GError **error)
{
    dnnl_primitive_desc_t pd;
    dnnl_status_t status = choose(d, w, key, &pd);
    if (status != dnnl_success) {
        describe_failure(w, key, status, error);
        return NULL;
    }
    g_autoptr(Plan) plan = g_new0(Plan, 1);
    plan->key = *key;
    status = plan_fill(d, plan, pd);
    Packing *packing = NULL;
    GError *failure = NULL;
    if (status == dnnl_success)
        packing = packing_get(d, w, dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0),
                              &status, &failure);
    dnnl_primitive_desc_destroy(pd);
    if (packing)
        status = dnnl_memory_set_data_handle(plan->weights, packing->data);
    if (failure) {
        g_propagate_error(error, failure);
        return NULL;
    }
    if (status != dnnl_success) {
        describe_failure(w, key, status, error);
        return NULL;
    }
    bias_load(w);
    return g_steal_pointer(&plan);
}

static gboolean key_equal(const PlanKey *a, const PlanKey *b)
{
    return a->n == b->n && a->h == b->h && a->w == b->w && a->act == b->act && a->sum == b->sum &&
           a->threads == b->threads;
}

/* The plan for KEY, moved to the front. */
static Plan *plan_get(CgOnednn *d, CgWeight *w, const PlanKey *key, GError **error)
{
    for (Plan **link = &w->plans; *link; link = &(*link)->next)
        if (key_equal(&(*link)->key, key)) {
            Plan *plan = *link;
            *link = plan->next;
            plan->next = w->plans;
            return w->plans = plan;
        }
    Plan *plan = plan_new(d, w, key, error);
    if (plan) {
        plan->next = w->plans;
        w->plans = plan;
    }
    return plan;
}

/* ---- running ----------------------------------------------------------------------------- */

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

static gboolean execute(CgOnednn *d, CgWeight *w, const PlanKey *key, const CgTensor *x,
                        const CgEngineEpilogue *ep, CgTensor *y, GError **error)
{
    Plan *plan = plan_get(d, w, key, error);
    if (!plan)
        return FALSE;
    if (ep->residual && ep->residual->data != y->data)
        copy(y->data, ep->residual->data, cg_tensor_bytes(y));
    dnnl_memory_set_data_handle(plan->x, x->data);
    dnnl_memory_set_data_handle(plan->y, y->data);
    dnnl_memory_set_data_handle(plan->bias, ep->bias ? ep->bias->data : w->bias);
    dnnl_exec_arg_t args[5] = {
        {DNNL_ARG_SRC, plan->x}, {DNNL_ARG_WEIGHTS, plan->weights},    {DNNL_ARG_BIAS, plan->bias},
        {DNNL_ARG_DST, plan->y}, {DNNL_ARG_SCRATCHPAD, plan->scratch},
    };
    if (plan->scratch)
        dnnl_memory_set_data_handle(plan->scratch, cg_pool_scratch(d->pool, plan->scratch_size));
    dnnl_status_t status =
        dnnl_primitive_execute(plan->primitive, d->stream, plan->scratch ? 5 : 4, args);
    if (status == dnnl_success)
        status = dnnl_stream_wait(d->stream);
    if (status != dnnl_success)
        describe_failure(w, key, status, error);
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

gboolean cg_onednn_conv2d(CgOnednn *d, CgWeight *w, const CgTensor *x, const CgEngineEpilogue *ep,
                          CgTensor *y, GError **error)
{
    const CgConvGeometry *g = &w->g;
    ep = ep ? ep : &plain;
    g_assert(x->shape.rank == 4);
    const int64_t *n = x->shape.d;
    cg_assert_shape("conv2d x", x, CG_SHAPE(n[0], n[1], n[2], g->c_in));
    cg_assert_shape(
        "conv2d y", y,
        CG_SHAPE(n[0], size_after(n[1], g->kernel_h, g->stride, g->pad_top + g->pad_bottom),
                 size_after(n[2], g->kernel_w, g->stride, g->pad_left + g->pad_right), g->c_out));
    check_call("conv2d", w, x, ep, y);
    if (is_pointwise(g))
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
