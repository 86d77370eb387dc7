#include "engine/cpu/onednn-private.h"

#include "base/size.h"
#include "engine/cpu/winograd.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE ((size_t)2 << 20)

/* Zeroed: layouts pad channels to whole blocks. */
static void *memory_new(size_t size)
{
    if (size < HUGE) {
        size = cg_size_align(MAX(size, 1), 64);
        void *small = aligned_alloc(64, size);
        return small ? memset(small, 0, size) : NULL;
    }
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

void cg_onednn_packing_free(CgOnednn *d, Packing *p)
{
    if (d->shared_by == p)
        d->shared_by = NULL;
    if (!p->is_shared) {
        memory_free(p->data, p->size);
        d->weight_bytes -= p->size;
    }
    dnn_md_clear(&p->md);
    g_free(p);
}

void cg_onednn_shared_free(CgOnednn *d)
{
    memory_free(d->shared, d->shared_size);
    d->weight_bytes -= d->shared_size;
}

/* The shared memory becomes P's. */
static dnnl_status_t shared_take(CgOnednn *d, const CgWeight *w, Packing *p)
{
    if (d->shared_by)
        d->shared_by->data = NULL;
    d->shared_by = NULL;
    if (d->shared_size < p->size) {
        cg_onednn_shared_free(d);
        d->shared_size = 0;
        d->shared = memory_new(p->size);
        if (!d->shared)
            return dnnl_out_of_memory;
        d->shared_size = p->size;
        d->weight_bytes += p->size;
    }
    const CgConvGeometry *g = &w->file;
    const size_t count = (size_t)g->c_out * (size_t)g->c_in * (size_t)(g->kernel_h * g->kernel_w);
    if (p->size != count * cg_dtype_size(w->dtype)) /* channels padded to whole blocks */
        memset(d->shared, 0, p->size);
    p->data = d->shared;
    d->shared_by = p;
    return dnnl_success;
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
        status =
            dnnl_primitive_execute(primitive, cg_onednn_stream(d, 0), G_N_ELEMENTS(args), args);
        dnnl_stream_wait(cg_onednn_stream(d, 0));
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

/* SOURCE turned, as [c_out, c_in, kh, kw] of w's type. */
static void turn(const CgWeight *w, const CgTensor *source, void *to)
{
    size_t in = (size_t)w->g.c_in, out = (size_t)w->g.c_out;
    size_t kernel = (size_t)w->g.kernel_h * (size_t)w->g.kernel_w;
    size_t from_size = cg_dtype_size(source->dtype), size = cg_dtype_size(w->dtype);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < in; i++)
        for (size_t j = 0; j < out * kernel; j++) {
            size_t o = j / kernel, k = kernel - 1 - j % kernel;
            cg_dtype_convert((const char *)source->data + (i * out * kernel + j) * from_size,
                             source->dtype, (char *)to + ((o * in + i) * kernel + k) * size,
                             w->dtype, 1);
        }
}

/* SOURCE into PACKING, by the library: for layouts that only it knows. */
static dnnl_status_t pack_by_library(CgOnednn *d, const CgWeight *w, const CgTensor *source,
                                     Packing *packing)
{
    size_t size = source->count * cg_dtype_size(w->dtype);
    if (w->form == FORM_COLUMNS)
        return dnnl_unimplemented;
    void *converted = memory_new(size);
    if (!converted)
        return dnnl_out_of_memory;
    if (w->form == FORM_TURNED)
        turn(w, source, converted);
    else
        cg_dtype_convert(source->data, source->dtype, converted, w->dtype, source->count);
    DnnMd md;
    dnnl_status_t status =
        dnn_md_init(&md, 4, (dnnl_dims_t){w->g.c_out, w->g.c_in, w->g.kernel_h, w->g.kernel_w},
                    cg_onednn_type(w->dtype), dnnl_oihw);
    if (status == dnnl_success) {
        status = reorder(d, DNN_REF(md), converted, DNN_REF(packing->md), packing->data);
        dnn_md_clear(&md);
    }
    memory_free(converted, size);
    return status;
}

static dnnl_status_t fill_from_file(CgOnednn *d, const CgWeight *w, const CgTensor *source,
                                    Packing *p)
{
    if (cg_onednn_copy_file(w, source, DNN_REF(p->md), p->data))
        return dnnl_success;
    return pack_by_library(d, w, source, p);
}

/* From HAVE, the weights as the forward reads them: their source is gone. */
static dnnl_status_t fill_from_packed(CgOnednn *d, const CgWeight *w, const Packing *have,
                                      Packing *p)
{
    const CgConvGeometry *g = &w->file;
    if (cg_onednn_copy_packed(w, DNN_REF(have->md), have->data, DNN_REF(p->md), p->data))
        return dnnl_success;
    if (w->form == FORM_PLAIN)
        return reorder(d, DNN_REF(have->md), have->data, DNN_REF(p->md), p->data);
    g_autoptr(CgTensor) plain =
        cg_tensor_new(w->dtype, CG_SHAPE(g->c_out, g->c_in, g->kernel_h, g->kernel_w));
    if (!cg_onednn_unpack(w, DNN_REF(have->md), have->data, plain->data))
        return dnnl_unimplemented;
    return pack_by_library(d, w, plain, p);
}

static dnnl_status_t fill(CgOnednn *d, const CgWeight *w, Packing *p)
{
    const CgWeight *forward = w->forward ? w->forward : w;
    return forward->source ? fill_from_file(d, w, forward->source, p)
                           : fill_from_packed(d, w, forward->packings, p);
}

dnnl_status_t cg_onednn_packing_prepare(CgOnednn *d, const CgWeight *w, Packing *p)
{
    if (p->data && !p->stale)
        return dnnl_success;
    dnnl_status_t status = p->is_shared ? shared_take(d, w, p) : dnnl_success;
    if (status == dnnl_success)
        status = fill(d, w, p);
    p->stale = status != dnnl_success;
    return status;
}

static Packing *packing_find(const CgWeight *w, DnnMdRef md)
{
    for (Packing *p = w->packings; p; p = p->next)
        if (dnnl_memory_desc_equal(DNN_REF(p->md), md))
            return p;
    return NULL;
}

/* Whether the backward's layouts can be made from this one. */
static gboolean is_known(const Packing *p)
{
    DnnLayout layout;
    return dnn_md_layout(DNN_REF(p->md), &layout);
}

static dnnl_status_t pack_for_good(CgOnednn *d, CgWeight *w, Packing *p)
{
    p->data = memory_new(p->size);
    if (!p->data)
        return dnnl_out_of_memory;
    d->weight_bytes += p->size;
    dnnl_status_t status = fill(d, w, p);
    if (status == dnnl_success && (!w->differentiable || is_known(p)) &&
        !cg_winograd_fits(&w->g, w->dtype))
        g_clear_pointer(&w->source, cg_tensor_unref);
    return status;
}

Packing *cg_onednn_packing_get(CgOnednn *d, CgWeight *w, DnnMdRef md, dnnl_status_t *status)
{
    Packing *packing = packing_find(w, md);
    *status = dnnl_success;
    if (packing)
        return packing;
    packing = g_new0(Packing, 1);
    /* In a training a source that stays anyway is enough. */
    packing->is_shared =
        w->keep || w->forward || (w->differentiable && cg_winograd_fits(&w->g, w->dtype));
    packing->size = dnnl_memory_desc_get_size(md);
    *status = dnn_md_copy(&packing->md, md);
    if (*status == dnnl_success && !packing->is_shared)
        *status = pack_for_good(d, w, packing);
    if (*status != dnnl_success) {
        cg_onednn_packing_free(d, packing);
        return NULL;
    }
    packing->next = w->packings;
    w->packings = packing;
    return packing;
}
