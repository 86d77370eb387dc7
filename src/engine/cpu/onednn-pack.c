#include "engine/cpu/onednn-private.h"

#include "base/size.h"

#include <stdlib.h>
#include <sys/mman.h>

#define HUGE ((size_t)2 << 20)

/* A tile is converted in a buffer that stays in the level 1 and 2 caches, then scattered. */
#define TILE_OUT    32
#define TILE_VALUES 1024 /* of one output: as many inputs as fit, all their kernel positions */

/* Where element (o, i, k) of the weights goes: out[o] + in[i] + kernel[k]. That it is a sum follows
 * from each block cutting one dimension only. */
typedef struct {
    size_t *out, *in, *kernel;
} Places;

static size_t place(const DnnLayout *layout, int dim, int64_t index)
{
    size_t at = 0, step = 1;
    for (int b = layout->block_count - 1; b >= 0; b--) {
        int64_t size = layout->block_size[b];
        if (layout->block_dim[b] == dim) {
            at += (size_t)(index % size) * step;
            index /= size;
        }
        step *= (size_t)size;
    }
    return at + (size_t)(index * layout->stride[dim]);
}

/* Of the source's elements. */
static Places places_new(const DnnLayout *layout, const CgWeight *w)
{
    const CgConvGeometry *g = &w->file;
    const int turned = w->form == FORM_TURNED, exchanged = w->form != FORM_PLAIN;
    const int columns = w->form == FORM_COLUMNS ? cg_onednn_column_channels(g) : 0;
    Places p = {g_new(size_t, g->c_out), g_new(size_t, g->c_in),
                g_new(size_t, g->kernel_h * g->kernel_w)};
    for (int o = 0; o < g->c_out; o++)
        p.out[o] = place(layout, exchanged ? 1 : 0, o);
    for (int i = 0; i < g->c_in; i++)
        p.in[i] = place(layout, exchanged ? 0 : 1, i);
    for (int y = 0; y < g->kernel_h; y++)
        for (int x = 0; x < g->kernel_w; x++) {
            int k = y * g->kernel_w + x;
            p.kernel[k] = columns  ? place(layout, 0, k * columns)
                          : turned ? place(layout, 2, g->kernel_h - 1 - y) +
                                         place(layout, 3, g->kernel_w - 1 - x)
                                   : place(layout, 2, y) + place(layout, 3, x);
        }
    return p;
}

static void places_clear(Places *p)
{
    g_free(p->out);
    g_free(p->in);
    g_free(p->kernel);
}

/* Outputs o0.. and inputs i0.. of the weights; TILE has a row of PITCH elements for each output. */
#define SCATTER(name, Type)                                                                        \
    static void name(const void *tile, size_t pitch, const Places *p, int o0, int outs, int i0,    \
                     int ins, int kernel, void *data)                                              \
    {                                                                                              \
        for (int k = 0; k < kernel; k++)                                                           \
            for (int i = 0; i < ins; i++) {                                                        \
                const Type *from = (const Type *)tile + (size_t)i * kernel + k;                    \
                Type *to = (Type *)data + p->in[i0 + i] + p->kernel[k];                            \
                for (int o = 0; o < outs; o++)                                                     \
                    to[p->out[o0 + o]] = from[(size_t)o * pitch];                                  \
            }                                                                                      \
    }
SCATTER(scatter16, uint16_t)
SCATTER(scatter32, uint32_t)

/* The library's own reorder takes about 20 ns a weight for these layouts, 15 s for the U-Net, and
 * needs a whole converted copy first. Tiles take 2 to 3 ns, and no copy. */
static gboolean pack_by_tiles(const CgWeight *w, DnnMdRef md, void *data)
{
    DnnLayout layout;
    if (!dnn_md_layout(md, &layout))
        return FALSE;
    const CgConvGeometry g = w->file;
    const CgTensor *source = w->source;
    const CgDType dtype = w->dtype;
    Places p = places_new(&layout, w);
    int kernel = g.kernel_h * g.kernel_w;
    int ins = CLAMP(TILE_VALUES / kernel, 1, g.c_in);
    size_t pitch = (size_t)ins * kernel + 32; /* not a power of two: rows would share cache sets */
    size_t from_size = cg_dtype_size(source->dtype), size = cg_dtype_size(dtype);
#pragma omp parallel
    {
        char *tile = g_malloc(TILE_OUT * pitch * size);
#pragma omp for collapse(2) schedule(static)
        for (int o0 = 0; o0 < g.c_out; o0 += TILE_OUT)
            for (int i0 = 0; i0 < g.c_in; i0 += ins) {
                int outs = MIN(TILE_OUT, g.c_out - o0), n = MIN(ins, g.c_in - i0);
                for (int o = 0; o < outs; o++) {
                    size_t first = ((size_t)(o0 + o) * (size_t)g.c_in + (size_t)i0) * kernel;
                    cg_dtype_convert((const char *)source->data + first * from_size, source->dtype,
                                     tile + (size_t)o * pitch * size, dtype, (size_t)n * kernel);
                }
                (size == 4 ? scatter32 : scatter16)(tile, pitch, &p, o0, outs, i0, n, kernel, data);
            }
        g_free(tile);
    }
    places_clear(&p);
    return TRUE;
}

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
    memory_free(p->data, p->size);
    dnn_md_clear(&p->md);
    d->weight_bytes -= p->size;
    g_free(p);
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

/* The turned source as [c_out, c_in, kh, kw] of w's type. */
static void turn(const CgWeight *w, void *to)
{
    size_t in = (size_t)w->g.c_in, out = (size_t)w->g.c_out;
    size_t kernel = (size_t)w->g.kernel_h * (size_t)w->g.kernel_w;
    size_t from_size = cg_dtype_size(w->source->dtype), size = cg_dtype_size(w->dtype);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < in; i++)
        for (size_t j = 0; j < out * kernel; j++) {
            size_t o = j / kernel, k = kernel - 1 - j % kernel;
            cg_dtype_convert((const char *)w->source->data + (i * out * kernel + j) * from_size,
                             w->source->dtype, (char *)to + ((o * in + i) * kernel + k) * size,
                             w->dtype, 1);
        }
}

/* The file's weights into PACKING, by the library: for layouts that only it knows. */
static dnnl_status_t pack_by_library(CgOnednn *d, const CgWeight *w, Packing *packing)
{
    size_t size = w->source->count * cg_dtype_size(w->dtype);
    if (w->form == FORM_COLUMNS)
        return dnnl_unimplemented;
    void *converted = memory_new(size);
    if (!converted)
        return dnnl_out_of_memory;
    if (w->form == FORM_TURNED)
        turn(w, converted);
    else
        cg_dtype_convert(w->source->data, w->source->dtype, converted, w->dtype, w->source->count);
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

static dnnl_status_t packing_fill(CgOnednn *d, const CgWeight *w, Packing *packing)
{
    const Packing *have = w->packings;
    if (have && !w->keep)
        return reorder(d, DNN_REF(have->md), have->data, DNN_REF(packing->md), packing->data);
    if (pack_by_tiles(w, DNN_REF(packing->md), packing->data))
        return dnnl_success;
    return pack_by_library(d, w, packing);
}

dnnl_status_t cg_onednn_packing_refresh(CgOnednn *d, const CgWeight *w, Packing *p)
{
    dnnl_status_t status = packing_fill(d, w, p);
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

Packing *cg_onednn_packing_get(CgOnednn *d, CgWeight *w, DnnMdRef md, dnnl_status_t *status)
{
    Packing *packing = packing_find(w, md);
    *status = dnnl_success;
    if (packing)
        return packing;
    size_t size = dnnl_memory_desc_get_size(md);
    void *data = memory_new(size);
    if (!data) {
        *status = dnnl_out_of_memory;
        return NULL;
    }
    packing = g_new0(Packing, 1);
    packing->data = data;
    packing->size = size;
    d->weight_bytes += size;
    *status = dnn_md_copy(&packing->md, md);
    if (*status == dnnl_success)
        *status = packing_fill(d, w, packing);
    if (*status != dnnl_success) {
        cg_onednn_packing_free(d, packing);
        return NULL;
    }
    packing->next = w->packings;
    w->packings = packing;
    if (!w->keep)
        g_clear_pointer(&w->source, cg_tensor_unref);
    return packing;
}
