/* Weights from one layout into another.
 *
 * The library's own reorder takes about 20 ns a weight for these layouts, 15 s for a U-Net, and
 * needs a whole converted copy first. Blocks of 8x8 take a fraction of a nanosecond: every layout
 * that matters has one of the two channels contiguous, at least eight at a time. */
#include "engine/cpu/onednn-private.h"

#define BLOCK 8
/* What is converted to another type goes through a tile that stays in the level 1 and 2 caches. */
#define TILE_OUT    32
#define TILE_VALUES 1024 /* of one output: as many inputs as fit, all their kernel positions */

/* Where element (o, i, k) of the weights is: out[o] + in[i] + kernel[k]. That it is a sum follows
 * from each block cutting one dimension only. */
typedef struct {
    size_t *out, *in, *kernel;
    size_t out_step, in_step; /* between neighbours in every whole block of 8; 0: not the same */
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

static size_t common_step(const size_t *places, int count)
{
    const size_t step = count >= BLOCK ? places[1] - places[0] : 0;
    for (int i = 0; i + BLOCK <= count; i += BLOCK)
        for (int j = 1; j < BLOCK; j++)
            if (places[i + j] - places[i] != (size_t)j * step)
                return 0;
    return step;
}

static Places places_new(const CgConvGeometry *g)
{
    return (Places){.out = g_new(size_t, g->c_out),
                    .in = g_new(size_t, g->c_in),
                    .kernel = g_new(size_t, g->kernel_h * g->kernel_w)};
}

static void find_steps(Places *p, const CgConvGeometry *g)
{
    p->out_step = common_step(p->out, g->c_out);
    p->in_step = common_step(p->in, g->c_in);
}

/* Of weights G of the file, in LAYOUT of what FORM makes of them. */
static Places places_of_layout(const DnnLayout *layout, const CgConvGeometry *g, Form form)
{
    const int turned = form == FORM_TURNED, exchanged = form != FORM_PLAIN;
    const int columns = form == FORM_COLUMNS ? cg_onednn_column_channels(g) : 0;
    Places p = places_new(g);
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
    find_steps(&p, g);
    return p;
}

/* The file's own, [c_out, c_in, kh, kw]: outputs PITCH elements apart. */
static Places places_of_file(const CgConvGeometry *g, size_t pitch)
{
    const int kernel = g->kernel_h * g->kernel_w;
    Places p = places_new(g);
    for (int o = 0; o < g->c_out; o++)
        p.out[o] = (size_t)o * pitch;
    for (int i = 0; i < g->c_in; i++)
        p.in[i] = (size_t)(i * kernel);
    for (int k = 0; k < kernel; k++)
        p.kernel[k] = (size_t)k;
    find_steps(&p, g);
    return p;
}

static void places_clear(Places *p)
{
    g_free(p->out);
    g_free(p->in);
    g_free(p->kernel);
}

/* OUTS outputs and INS inputs of the weights, their first at FROM_O, FROM_I of the source and at
 * O, I of the target. */
typedef struct {
    const Places *source, *target;
    int from_o, from_i, o, i, outs, ins, kernel;
} Region;

#define COPY(name, block, Type)                                                                    \
    static inline void block(const Type *from, size_t from_out, size_t from_in, Type *to,          \
                             size_t to_out, size_t to_in)                                          \
    {                                                                                              \
        if (to_out == 1) {                                                                         \
            for (int i = 0; i < BLOCK; i++)                                                        \
                for (int o = 0; o < BLOCK; o++)                                                    \
                    to[(size_t)i * to_in + o] = from[(size_t)i * from_in + (size_t)o * from_out];  \
        } else if (to_in == 1) {                                                                   \
            for (int o = 0; o < BLOCK; o++)                                                        \
                for (int i = 0; i < BLOCK; i++)                                                    \
                    to[(size_t)o * to_out + i] = from[(size_t)i * from_in + (size_t)o * from_out]; \
        } else {                                                                                   \
            for (int o = 0; o < BLOCK; o++)                                                        \
                for (int i = 0; i < BLOCK; i++)                                                    \
                    to[(size_t)o * to_out + (size_t)i * to_in] =                                   \
                        from[(size_t)i * from_in + (size_t)o * from_out];                          \
        }                                                                                          \
    }                                                                                              \
    static void name(const Region *p, const void *source, void *target)                            \
    {                                                                                              \
        const Places *s = p->source, *t = p->target;                                               \
        const gboolean even = s->out_step && s->in_step && t->out_step && t->in_step;              \
        for (int o0 = 0; o0 < p->outs; o0 += BLOCK)                                                \
            for (int i0 = 0; i0 < p->ins; i0 += BLOCK) {                                           \
                const int outs = MIN(BLOCK, p->outs - o0), ins = MIN(BLOCK, p->ins - i0);          \
                const Type *from =                                                                 \
                    (const Type *)source + s->out[p->from_o + o0] + s->in[p->from_i + i0];         \
                Type *to = (Type *)target + t->out[p->o + o0] + t->in[p->i + i0];                  \
                if (even && outs == BLOCK && ins == BLOCK) {                                       \
                    for (int k = 0; k < p->kernel; k++)                                            \
                        block(from + s->kernel[k], s->out_step, s->in_step, to + t->kernel[k],     \
                              t->out_step, t->in_step);                                            \
                    continue;                                                                      \
                }                                                                                  \
                for (int k = 0; k < p->kernel; k++)                                                \
                    for (int o = o0; o < o0 + outs; o++)                                           \
                        for (int i = i0; i < i0 + ins; i++)                                        \
                            ((Type *)target)[t->out[p->o + o] + t->in[p->i + i] + t->kernel[k]] =  \
                                ((const Type *)source)[s->out[p->from_o + o] +                     \
                                                       s->in[p->from_i + i] + s->kernel[k]];       \
            }                                                                                      \
    }
COPY(copy16, block16, uint16_t)
COPY(copy32, block32, uint32_t)

static void copy_part(const Region *p, size_t size, const void *source, void *target)
{
    (size == 4 ? copy32 : copy16)(p, source, target);
}

/* Of one type on both sides. */
static void copy_all(const CgConvGeometry *g, size_t size, const Places *source, const void *from,
                     const Places *target, void *to)
{
    const int kernel = g->kernel_h * g->kernel_w;
#pragma omp parallel for collapse(2) schedule(static)
    for (int o = 0; o < g->c_out; o += BLOCK)
        for (int i = 0; i < g->c_in; i += 8 * BLOCK) {
            const Region part = {
                source, target, o, i, o, i, MIN(BLOCK, g->c_out - o), MIN(8 * BLOCK, g->c_in - i),
                kernel};
            copy_part(&part, size, from, to);
        }
}

/* SOURCE's numbers in DTYPE. */
static void convert_all(const CgConvGeometry *g, const CgTensor *source, const Places *target,
                        CgDType dtype, void *to)
{
    const int kernel = g->kernel_h * g->kernel_w, ins = CLAMP(TILE_VALUES / kernel, 1, g->c_in);
    /* Not a power of two: rows would share cache sets. */
    const size_t pitch = (size_t)(ins * kernel) + 32;
    const size_t from_size = cg_dtype_size(source->dtype), size = cg_dtype_size(dtype);
    Places tile_places = places_of_file(g, pitch);
#pragma omp parallel
    {
        char *tile = g_malloc(TILE_OUT * pitch * size);
#pragma omp for collapse(2) schedule(static)
        for (int o = 0; o < g->c_out; o += TILE_OUT)
            for (int i = 0; i < g->c_in; i += ins) {
                const int outs = MIN(TILE_OUT, g->c_out - o), n = MIN(ins, g->c_in - i);
                for (int row = 0; row < outs; row++) {
                    const size_t first =
                        ((size_t)(o + row) * (size_t)g->c_in + (size_t)i) * (size_t)kernel;
                    cg_dtype_convert((const char *)source->data + first * from_size, source->dtype,
                                     tile + (size_t)row * pitch * size, dtype,
                                     (size_t)(n * kernel));
                }
                const Region part = {&tile_places, target, 0, 0, o, i, outs, n, kernel};
                copy_part(&part, size, tile, to);
            }
        g_free(tile);
    }
    places_clear(&tile_places);
}

gboolean cg_onednn_copy_file(const CgWeight *w, const CgTensor *source, DnnMdRef md, void *data)
{
    DnnLayout layout;
    if (!dnn_md_layout(md, &layout))
        return FALSE;
    const CgConvGeometry *g = &w->file;
    Places target = places_of_layout(&layout, g, w->form);
    if (source->dtype == w->dtype) {
        Places plain = places_of_file(g, source->count / (size_t)g->c_out);
        copy_all(g, cg_dtype_size(w->dtype), &plain, source->data, &target, data);
        places_clear(&plain);
    } else {
        convert_all(g, source, &target, w->dtype, data);
    }
    places_clear(&target);
    return TRUE;
}

gboolean cg_onednn_copy_packed(const CgWeight *w, DnnMdRef from, const void *source, DnnMdRef md,
                               void *data)
{
    DnnLayout from_layout, layout;
    if (!dnn_md_layout(from, &from_layout) || !dnn_md_layout(md, &layout))
        return FALSE;
    Places packed = places_of_layout(&from_layout, &w->file, FORM_PLAIN);
    Places target = places_of_layout(&layout, &w->file, w->form);
    copy_all(&w->file, cg_dtype_size(w->dtype), &packed, source, &target, data);
    places_clear(&packed);
    places_clear(&target);
    return TRUE;
}

gboolean cg_onednn_unpack(const CgWeight *w, DnnMdRef from, const void *source, void *data)
{
    DnnLayout layout;
    if (!dnn_md_layout(from, &layout))
        return FALSE;
    const CgConvGeometry *g = &w->file;
    Places packed = places_of_layout(&layout, g, FORM_PLAIN);
    Places plain = places_of_file(g, (size_t)(g->c_in * g->kernel_h * g->kernel_w));
    copy_all(g, cg_dtype_size(w->dtype), &packed, source, &plain, data);
    places_clear(&packed);
    places_clear(&plain);
    return TRUE;
}
