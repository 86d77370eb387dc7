/* onednn-compat: one view of oneDNN 2.6 and 3.x for the onednn files, which alone include it.
 *
 * 2.6: memory descriptors are values, an operation is made in two steps, and implementations are
 * walked by an iterator. 3.x: descriptors are owned handles, one step, and the primitive
 * descriptor itself moves to the next implementation.
 */
#ifndef CG_ENGINE_CPU_ONEDNN_COMPAT_H
#define CG_ENGINE_CPU_ONEDNN_COMPAT_H

#include <dnnl.h>
#include <dnnl_version.h>
#include <glib.h>
#include <string.h>

#define DNN_V3 (DNNL_VERSION_MAJOR >= 3)

#if DNN_V3
typedef dnnl_memory_desc_t DnnMd;          /* owned */
typedef const_dnnl_memory_desc_t DnnMdRef; /* borrowed */
#define DNN_REF(md) (md)
#else
typedef dnnl_memory_desc_t DnnMd;
typedef const dnnl_memory_desc_t *DnnMdRef;
#define DNN_REF(md) (&(md))
#endif

static inline dnnl_status_t dnn_md_init(DnnMd *md, int rank, const dnnl_dims_t dims,
                                        dnnl_data_type_t type, dnnl_format_tag_t tag)
{
#if DNN_V3
    return dnnl_memory_desc_create_with_tag(md, rank, dims, type, tag);
#else
    return dnnl_memory_desc_init_by_tag(md, rank, dims, type, tag);
#endif
}

static inline dnnl_status_t dnn_md_copy(DnnMd *md, DnnMdRef from)
{
#if DNN_V3
    return dnnl_memory_desc_clone(md, from);
#else
    *md = *from;
    return dnnl_success;
#endif
}

static inline void dnn_md_clear(DnnMd *md)
{
#if DNN_V3
    if (*md)
        dnnl_memory_desc_destroy(*md);
    *md = NULL;
#else
    (void)md;
#endif
}

/* A blocked layout. Dimension d's index is cut by the inner blocks of that dimension (the last is
 * the innermost), what remains goes in steps of stride[d]; in elements. */
typedef struct {
    int block_count;
    dnnl_dims_t block_size, block_dim;
    dnnl_dims_t stride;
} DnnLayout;

/* FALSE when MD's layout is not of that kind. */
static inline gboolean dnn_md_layout(DnnMdRef md, DnnLayout *layout)
{
#if DNN_V3
    dnnl_format_kind_t kind;
    const dnnl_dims_t *stride, *size, *dim;
    if (dnnl_memory_desc_query(md, dnnl_query_format_kind, &kind) != dnnl_success ||
        kind != dnnl_blocked ||
        dnnl_memory_desc_query(md, dnnl_query_inner_nblks_s32, &layout->block_count) !=
            dnnl_success ||
        dnnl_memory_desc_query(md, dnnl_query_inner_blks, (void *)&size) != dnnl_success ||
        dnnl_memory_desc_query(md, dnnl_query_inner_idxs, (void *)&dim) != dnnl_success ||
        dnnl_memory_desc_query(md, dnnl_query_strides, (void *)&stride) != dnnl_success)
        return FALSE;
    memcpy(layout->block_size, *size, sizeof *size);
    memcpy(layout->block_dim, *dim, sizeof *dim);
    memcpy(layout->stride, *stride, sizeof *stride);
#else
    const dnnl_blocking_desc_t *b = &md->format_desc.blocking;
    if (md->format_kind != dnnl_blocked || md->extra.flags != 0 || md->offset0 != 0)
        return FALSE;
    layout->block_count = b->inner_nblks;
    memcpy(layout->block_size, b->inner_blks, sizeof b->inner_blks);
    memcpy(layout->block_dim, b->inner_idxs, sizeof b->inner_idxs);
    memcpy(layout->stride, b->strides, sizeof b->strides);
#endif
    return TRUE;
}

/* A forward convolution. */
typedef struct {
    DnnMd x, w, bias, y;
    dnnl_dims_t stride, dilate, pad_before, pad_after;
} DnnConv;

static inline void dnn_conv_clear(DnnConv *c)
{
    dnn_md_clear(&c->x);
    dnn_md_clear(&c->w);
    dnn_md_clear(&c->bias);
    dnn_md_clear(&c->y);
}

static inline const char *dnn_pd_name(const_dnnl_primitive_desc_t pd)
{
    const char *name = "";
    dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&name);
    return name;
}

typedef gboolean (*DnnAccept)(const char *name, gconstpointer data);

/* The library's first implementation of C whose name ACCEPT takes; dnnl_unimplemented when there
 * is none. */
static inline dnnl_status_t dnn_conv_choose(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                            const DnnConv *c, const_dnnl_primitive_attr_t attr,
                                            DnnAccept accept, gconstpointer data)
{
    dnnl_status_t status;
#if DNN_V3
    status = dnnl_convolution_forward_primitive_desc_create(
        pd, engine, dnnl_forward_inference, dnnl_convolution_direct, c->x, c->w, c->bias, c->y,
        c->stride, c->dilate, c->pad_before, c->pad_after, attr);
    if (status != dnnl_success)
        return status;
    while (!accept(dnn_pd_name(*pd), data))
        if (dnnl_primitive_desc_next_impl(*pd) != dnnl_success) {
            dnnl_primitive_desc_destroy(*pd);
            *pd = NULL;
            return dnnl_unimplemented;
        }
    return dnnl_success;
#else
    dnnl_convolution_desc_t op;
    status = dnnl_convolution_forward_desc_init(&op, dnnl_forward_inference,
                                                dnnl_convolution_direct, &c->x, &c->w, &c->bias,
                                                &c->y, c->stride, c->pad_before, c->pad_after);
    if (status != dnnl_success)
        return status;
    dnnl_primitive_desc_iterator_t it;
    status = dnnl_primitive_desc_iterator_create(&it, &op, attr, engine, NULL);
    if (status != dnnl_success)
        return status;
    while (status == dnnl_success) {
        *pd = dnnl_primitive_desc_iterator_fetch(it);
        if (*pd && accept(dnn_pd_name(*pd), data))
            break;
        if (*pd)
            dnnl_primitive_desc_destroy(*pd);
        *pd = NULL;
        if (dnnl_primitive_desc_iterator_next(it) != dnnl_success)
            status = dnnl_unimplemented;
    }
    dnnl_primitive_desc_iterator_destroy(it);
    return status;
#endif
}

static inline dnnl_status_t dnn_append_eltwise(dnnl_post_ops_t ops, dnnl_alg_kind_t kind,
                                               float alpha)
{
#if DNN_V3
    return dnnl_post_ops_append_eltwise(ops, kind, alpha, 0.0f);
#else
    return dnnl_post_ops_append_eltwise(ops, 1.0f, kind, alpha, 0.0f);
#endif
}

static inline dnnl_status_t dnn_append_sum(dnnl_post_ops_t ops)
{
#if DNN_V3
    return dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef);
#else
    return dnnl_post_ops_append_sum(ops, 1.0f);
#endif
}

/* Asks for sums in an order that does not depend on threads, where the library can promise it. */
static inline void dnn_attr_deterministic(dnnl_primitive_attr_t attr)
{
#if DNNL_VERSION_MAJOR > 3 || (DNNL_VERSION_MAJOR == 3 && DNNL_VERSION_MINOR >= 5)
    dnnl_primitive_attr_set_deterministic(attr, 1);
#else
    (void)attr;
#endif
}

#endif
