/* Which primitives a weight runs for an input, and why those. */
#include "engine/cpu/onednn-private.h"

#include <omp.h>

void cg_onednn_plan_free(Plan *p)
{
    if (!p)
        return;
    for (guint i = 0; i < p->parts->len; i++)
        if (g_array_index(p->parts, Part, i).primitive)
            dnnl_primitive_destroy(g_array_index(p->parts, Part, i).primitive);
    g_array_unref(p->parts);
    if (p->slabs)
        g_array_unref(p->slabs);
    g_free(p);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Plan, cg_onednn_plan_free)

/* The convolution of PART; weights in LAYOUT, or as the library likes (NULL). */
static dnnl_status_t conv_init(DnnConv *c, const CgWeight *w, const Plan *plan, const Part *part,
                               DnnMdRef layout)
{
    const CgConvGeometry *g = &w->g;
    dnnl_data_type_t type = cg_onednn_type(w->dtype);
    *c = (DnnConv){
        .stride = {g->stride, g->stride},
        .pad_before = {part->pad_top, g->pad_left},
        .pad_after = {part->pad_bottom, g->pad_right},
    };
    dnnl_status_t status = dnn_md_init(
        &c->x, 4, (dnnl_dims_t){part->n, g->c_in, part->x_rows, plan->key.w}, type, dnnl_nhwc);
    if (status == dnnl_success)
        status =
            dnn_md_init(&c->y, 4, (dnnl_dims_t){part->n, g->c_out, part->y_rows, plan->y_width},
                        type, dnnl_nhwc);
    if (status == dnnl_success)
        status = dnn_md_init(&c->bias, 1, (dnnl_dims_t){g->c_out}, dnnl_f32, dnnl_x);
    if (status == dnnl_success && layout)
        status = dnn_md_copy(&c->w, layout);
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
    case CG_ACT_SIGMOID:
        return dnn_append_eltwise(ops, dnnl_eltwise_logistic, 0.0f);
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

/* ref reaches 1 GFLOP/s. gemm splits sums between threads, and needs a large scratch. */
static gboolean is_fast(const char *name)
{
    return !g_str_has_prefix(name, "ref") && !strstr(name, "gemm");
}

/* The kernels over small matrix products: "brgconv:..." (2.6), "brg_conv_fwd:..." (3.7), and
 * "brgconv_1x1:..."; their AMX variants are another matter. */
static gboolean is_products(const char *name, gboolean pointwise)
{
    return g_str_has_prefix(name, "brg") && !strstr(name, "amx") &&
           (strstr(name, "1x1") != NULL) == pointwise;
}

/* They are 5 to 20 % faster than the library's other kernels on AVX-512, but add up partial sums
 * over chunks of inputs and of kernel rows. Where those are cut depends on block sizes that the
 * library chooses by estimated speed on so many threads: 320>4 at 64x64 gave other bytes with 12
 * threads than with 2, 640>320 with 128. So they run only in slabs, which are planned for one
 * thread. */
static gboolean is_for_slabs(const char *name, gconstpointer weight)
{
    (void)weight;
    return is_products(name, FALSE);
}

/* Fast, and summing in an order that does not depend on the number of threads. The kernels named
 * jit keep one sum per output from the first input to the last. So do the products for 1x1, or they
 * have the same chunks always (f32); except in bf16 where inputs are so many (about 3600) that they
 * do not fit the level 2 cache at once (5120>1280: other bytes with 3 threads). With AMX there is
 * one chunk. */
static gboolean is_for_all_threads(const char *name, gconstpointer weight)
{
    const CgWeight *w = weight;
    if (!is_fast(name) || is_products(name, FALSE))
        return FALSE;
    return !is_products(name, TRUE) || w->dtype == CG_F32 || w->g.c_in <= 3072;
}

static gboolean is_no_reference(const char *name, gconstpointer weight)
{
    (void)weight;
    return !g_str_has_prefix(name, "ref");
}

/* The library's first implementation of PART that ACCEPT takes, weights in LAYOUT (NULL: any). */
static dnnl_status_t choose(CgOnednn *d, const CgWeight *w, const Plan *plan, const Part *part,
                            DnnMdRef layout, DnnAccept accept, dnnl_primitive_desc_t *pd)
{
    DnnConv conv;
    dnnl_primitive_attr_t attr;
    dnnl_status_t status = attr_new(&attr, &plan->key);
    if (status != dnnl_success)
        return status;
    status = conv_init(&conv, w, plan, part, layout);
    if (status == dnnl_success)
        status = dnn_conv_choose(pd, d->engine, &conv, attr, accept, w);
    dnn_conv_clear(&conv);
    dnnl_primitive_attr_destroy(attr);
    return status;
}

/* The same with the weights as they are packed already, if that can be. */
static dnnl_status_t choose_packed(CgOnednn *d, const CgWeight *w, const Plan *plan,
                                   const Part *part, DnnAccept accept, dnnl_primitive_desc_t *pd)
{
    dnnl_status_t status = dnnl_unimplemented;
    for (const Packing *p = w->packings; p && status != dnnl_success; p = p->next)
        status = choose(d, w, plan, part, DNN_REF(p->md), accept, pd);
    if (status != dnnl_success)
        status = choose(d, w, plan, part, NULL, accept, pd);
    return status;
}

/* PART gets its primitive and weights from PD, which is consumed. */
static dnnl_status_t part_fill(CgOnednn *d, CgWeight *w, Plan *plan, Part *part,
                               dnnl_primitive_desc_t pd)
{
    g_strlcpy(plan->name, dnn_pd_name(pd), sizeof plan->name);
    DnnMdRef scratch = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    part->scratch_size = scratch ? dnnl_memory_desc_get_size(scratch) : 0;
    dnnl_status_t status = dnnl_primitive_create(&part->primitive, pd);
    if (status == dnnl_success)
        part->packing = cg_onednn_packing_get(
            d, w, dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0), &status);
    dnnl_primitive_desc_destroy(pd);
    return status;
}

static dnnl_status_t plan_whole(CgOnednn *d, CgWeight *w, Plan *plan)
{
    dnnl_primitive_desc_t pd;
    Part part = {.n = plan->key.n,
                 .x_rows = plan->key.h,
                 .y_rows = plan->y_rows,
                 .pad_top = w->g.pad_top,
                 .pad_bottom = w->g.pad_bottom};
    dnnl_status_t status = choose_packed(d, w, plan, &part, is_for_all_threads, &pd);
    if (status != dnnl_success)
        status = choose(d, w, plan, &part, NULL, is_no_reference, &pd);
    if (status == dnnl_success)
        status = part_fill(d, w, plan, &part, pd);
    g_array_append_val(plan->parts, part);
    return status;
}

/* ---- slabs ------------------------------------------------------------------------------- */

/* Output rows of a slab, by the shape alone: 64 pixels keep the kernel busy, and 8 MFLOP are long
 * against the 2 us of a call. A slab's input stays in the caches: at 64x64, 320>320, one row at a
 * time is 5 % faster than the library's own loop over the whole image. */
static int64_t slab_rows(const CgConvGeometry *g, const Plan *plan)
{
    double flops = 2.0 * (double)plan->y_width * g->c_out * g->c_in * g->kernel_h * g->kernel_w;
    int64_t rows = MAX((64 + plan->y_width - 1) / plan->y_width, (int64_t)(8e6 / flops) + 1);
    return MIN(rows, plan->y_rows);
}

/* Small images would make too few slabs for the threads, and each slab reads all weights. AMX has
 * kernels that need no slabs. */
static gboolean wants_slabs(const CgWeight *w, const Plan *plan)
{
    return w->g.kernel_h * w->g.kernel_w > 1 && plan->y_rows * plan->y_width >= 1024 &&
           !(w->dtype == CG_BF16 && cg_onednn_has_amx());
}

static guint part_find(Plan *plan, const Part *like)
{
    for (guint i = 0; i < plan->parts->len; i++) {
        const Part *p = &g_array_index(plan->parts, Part, i);
        if (p->x_rows == like->x_rows && p->y_rows == like->y_rows && p->pad_top == like->pad_top &&
            p->pad_bottom == like->pad_bottom)
            return i;
    }
    g_array_append_val(plan->parts, *like);
    return plan->parts->len - 1;
}

static void cut(const CgConvGeometry *g, Plan *plan)
{
    int64_t step = slab_rows(g, plan);
    plan->slabs = g_array_new(FALSE, FALSE, sizeof(Slab));
    for (int64_t row = 0; row < plan->y_rows; row += step) {
        int64_t rows = MIN(step, plan->y_rows - row);
        int64_t first = row * g->stride - g->pad_top;
        int64_t end = first + (rows - 1) * g->stride + g->kernel_h;
        Part part = {.n = 1,
                     .x_rows = MIN(end, plan->key.h) - MAX(first, 0),
                     .y_rows = rows,
                     .pad_top = (int)MAX(-first, 0),
                     .pad_bottom = (int)MAX(end - plan->key.h, 0)};
        Slab slab = {part_find(plan, &part), MAX(first, 0), row};
        g_array_append_val(plan->slabs, slab);
    }
}

static void uncut(Plan *plan)
{
    for (guint i = 0; i < plan->parts->len; i++)
        if (g_array_index(plan->parts, Part, i).primitive)
            dnnl_primitive_destroy(g_array_index(plan->parts, Part, i).primitive);
    g_array_set_size(plan->parts, 0);
    g_clear_pointer(&plan->slabs, g_array_unref);
}

/* All parts must take the same packing; the most frequent one, in the middle, chooses it. */
static dnnl_status_t plan_slabs(CgOnednn *d, CgWeight *w, Plan *plan)
{
    dnnl_status_t status = dnnl_success;
    const Packing *packing = NULL;
    cut(&w->g, plan);
    omp_set_num_threads(1);
    for (guint i = 0; i < plan->parts->len && status == dnnl_success; i++) {
        dnnl_primitive_desc_t pd;
        Part *part =
            &g_array_index(plan->parts, Part, (i + plan->parts->len / 2) % plan->parts->len);
        status = packing ? choose(d, w, plan, part, DNN_REF(packing->md), is_for_slabs, &pd)
                         : choose_packed(d, w, plan, part, is_for_slabs, &pd);
        if (status == dnnl_success)
            status = part_fill(d, w, plan, part, pd);
        packing = part->packing;
    }
    omp_set_num_threads(plan->key.threads);
    if (status != dnnl_success)
        uncut(plan);
    return status;
}

/* ---- plans ------------------------------------------------------------------------------- */

void cg_onednn_fail(const CgWeight *w, const PlanKey *key, dnnl_status_t status, GError **error)
{
    char library[64], isa[64];
    cg_onednn_describe(library, isa);
    const char *what = status == dnnl_unimplemented   ? "has no implementation"
                       : status == dnnl_out_of_memory ? "has not enough memory"
                                                      : "failed";
    g_set_error(error, CG_ERROR, status == dnnl_out_of_memory ? CG_ERROR_MEMORY : CG_ERROR_ENGINE,
                "%s (%s) %s (status %d) for %dx%d weights %d>%d, %s, on a %dx%dx%d input%s",
                library, isa, what, (int)status, w->g.kernel_h, w->g.kernel_w, w->g.c_in,
                w->g.c_out, cg_dtype_name(w->dtype), (int)key->n, (int)key->h, (int)key->w,
                w->dtype == CG_BF16 ? "; use --dtype f32" : "");
}

void cg_onednn_bias_load(CgWeight *w)
{
    if (w->bias && !w->bias_stale)
        return;
    if (!w->bias)
        w->bias = g_new0(float, w->g.c_out);
    w->bias_stale = FALSE;
    if (w->bias_source)
        cg_dtype_convert(w->bias_source->data, w->bias_source->dtype, w->bias, CG_F32,
                         (size_t)w->g.c_out);
    if (!w->keep)
        g_clear_pointer(&w->bias_source, cg_tensor_unref);
}

static Plan *plan_new(CgOnednn *d, CgWeight *w, const PlanKey *key, GError **error)
{
    const CgConvGeometry *g = &w->g;
    g_autoptr(Plan) plan = g_new0(Plan, 1);
    dnnl_status_t status = dnnl_unimplemented;
    plan->key = *key;
    plan->y_rows = cg_onednn_size_after(key->h, g->kernel_h, g->stride, g->pad_top + g->pad_bottom);
    plan->y_width =
        cg_onednn_size_after(key->w, g->kernel_w, g->stride, g->pad_left + g->pad_right);
    plan->parts = g_array_new(FALSE, FALSE, sizeof(Part));
    if (wants_slabs(w, plan))
        status = plan_slabs(d, w, plan);
    if (status != dnnl_success && status != dnnl_out_of_memory)
        status = plan_whole(d, w, plan);
    if (status != dnnl_success) {
        cg_onednn_fail(w, key, status, error);
        return NULL;
    }
    cg_onednn_bias_load(w);
    return g_steal_pointer(&plan);
}

static gboolean key_equal(const PlanKey *a, const PlanKey *b)
{
    return a->n == b->n && a->h == b->h && a->w == b->w && a->act == b->act && a->sum == b->sum &&
           a->threads == b->threads;
}

Plan *cg_onednn_plan_get(CgOnednn *d, CgWeight *w, const PlanKey *key, GError **error)
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
