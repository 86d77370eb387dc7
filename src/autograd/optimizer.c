#include "autograd/optimizer.h"

#include "autograd/moments.h"

#include <math.h>

/* Numbers whose moments are f32 at a time: few enough to stay in a cache. */
#define PIECE ((size_t)1 << 20)

static const char *const courses[] = {"constant", "cosine", "linear", "steps"};

void cg_optimizer_default(CgOptimizer *o)
{
    *o = (CgOptimizer){
        .rate = 1e-5, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .decay = 1e-2, .clip = 1};
}

gboolean cg_rate_course_parse(const char *text, CgRateCourse *course)
{
    for (guint i = 0; i < G_N_ELEMENTS(courses); i++)
        if (g_str_equal(text, courses[i])) {
            *course = (CgRateCourse)i;
            return TRUE;
        }
    return FALSE;
}

const char *cg_rate_course_name(CgRateCourse course)
{
    return courses[course];
}

/* DRAEM's MultiStepLR: done in whole steps, so that no rounding moves a boundary. */
static double fifths(const CgOptimizer *o, guint64 done)
{
    const double rate = o->rate * (10 * done >= 8 * o->steps ? 0.2 : 1);
    return rate * (10 * done >= 9 * o->steps ? 0.2 : 1);
}

double cg_optimizer_rate(const CgOptimizer *o, guint64 step)
{
    if (step <= o->warmup)
        return o->rate * (double)step / (double)o->warmup;
    if (o->course == CG_RATE_CONSTANT || o->steps <= o->warmup)
        return o->rate;
    if (o->course == CG_RATE_STEPS)
        return fifths(o, step - 1);
    const double done = (double)(step - 1 - o->warmup) / (double)(o->steps - o->warmup);
    const double left = CLAMP(1 - done, 0, 1);
    return o->rate * (o->course == CG_RATE_LINEAR ? left : 0.5 * (1 - cos(G_PI * left)));
}

/* The first parameter whose gradient is not finite. */
static const char *find_not_finite(const CgStore *store)
{
    const float *g = cg_tensor_f32(store->gradients);
    for (guint i = 0; i < cg_store_count(store); i++) {
        const CgParameter *p = cg_store_nth(store, i);
        for (size_t j = 0; j < p->count; j++)
            if (!isfinite(g[p->offset + j]))
                return p->name;
    }
    return "none by itself";
}

static void update_average(const CgOptimizer *o, CgStore *store, guint64 step)
{
    const double decay = MIN(o->average_decay, (double)(1 + step) / (double)(10 + step));
    const float keep = (float)decay;
    float *average = cg_tensor_f32(store->average);
    const float *values = cg_tensor_f32(store->values);
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < store->used; i++)
        average[i] = values[i] + keep * (average[i] - values[i]);
}

/* Numbers in a row with what their moments are kept in. */
typedef struct {
    float *w;
    const float *g;
    guint8 *m, *v;
    float *m_scales, *v_scales;
    size_t count;
} Piece;

/* AdamW on moments of bytes. TABLES and SCRATCH [2, PIECE] are for the mean and the square. */
static void update_piece(CgEngine *engine, const CgAdamw *adamw, const CgMomentTable tables[2],
                         const Piece *p, float *scratch)
{
    const size_t blocks = cg_moments_blocks(p->count);
    float *m = scratch, *v = scratch + PIECE;
#pragma omp parallel for schedule(static) if (blocks > 16)
    for (size_t b = 0; b < blocks; b++) {
        const size_t at = b * CG_MOMENTS_BLOCK, n = MIN(CG_MOMENTS_BLOCK, p->count - at);
        cg_moments_decode(&tables[0], p->m + at, p->m_scales[b], n, m + at);
        cg_moments_decode(&tables[1], p->v + at, p->v_scales[b], n, v + at);
    }
    engine->ops->adamw(engine, adamw, p->count, p->w, p->g, m, v);
#pragma omp parallel for schedule(static) if (blocks > 16)
    for (size_t b = 0; b < blocks; b++) {
        const size_t at = b * CG_MOMENTS_BLOCK, n = MIN(CG_MOMENTS_BLOCK, p->count - at);
        cg_moments_encode(&tables[0], m + at, n, p->m + at, &p->m_scales[b]);
        cg_moments_encode(&tables[1], v + at, n, p->v + at, &p->v_scales[b]);
    }
}

/* No block reaches from one leaf into the next: their gradients are of different sizes. */
static void update_small(CgEngine *engine, const CgAdamw *adamw, CgStore *store)
{
    g_autofree CgMomentTable *tables = g_new(CgMomentTable, 2);
    g_autoptr(CgTensor) scratch = engine->ops->tensor(engine, CG_F32, CG_SHAPE(2, (int64_t)PIECE));
    size_t block = 0;
    cg_moment_table_init(&tables[0], TRUE);
    cg_moment_table_init(&tables[1], FALSE);
    for (guint i = 0; i < store->leaves->len; i++) {
        const CgTensor *leaf = g_ptr_array_index(store->leaves, i);
        const size_t first = (size_t)(cg_tensor_f32(leaf) - cg_tensor_f32(store->values));
        for (size_t at = 0; at < leaf->count; at += PIECE) {
            const Piece piece = {.w = cg_tensor_f32(store->values) + first + at,
                                 .g = cg_tensor_f32(store->gradients) + first + at,
                                 .m = (guint8 *)store->m->data + first + at,
                                 .v = (guint8 *)store->v->data + first + at,
                                 .m_scales = cg_tensor_f32(store->m_scales) + block,
                                 .v_scales = cg_tensor_f32(store->v_scales) + block,
                                 .count = MIN(PIECE, leaf->count - at)};
            update_piece(engine, adamw, tables, &piece, cg_tensor_f32(scratch));
            block += cg_moments_blocks(piece.count);
        }
    }
}

gboolean cg_optimizer_step(const CgOptimizer *o, CgEngine *engine, CgStore *store, guint64 step,
                           double gradient_scale, double *norm, GError **error)
{
    const double sum =
        engine->ops->square_sum(engine, store->used, cg_tensor_f32(store->gradients));
    *norm = sqrt(sum) * gradient_scale;
    if (!isfinite(*norm)) {
        g_set_error(error, CG_ERROR, CG_ERROR_NUMERIC,
                    "the gradient is not finite (first: %s); a lower learning rate may help",
                    find_not_finite(store));
        return FALSE;
    }
    /* torch.nn.utils.clip_grad_norm_ */
    if (o->clip > 0)
        gradient_scale *= MIN(1.0, o->clip / (*norm + 1e-6));
    const CgAdamw adamw = {.rate = cg_optimizer_rate(o, step),
                           .beta1 = o->beta1,
                           .beta2 = o->beta2,
                           .eps = o->eps,
                           .decay = o->decay,
                           .gradient_scale = gradient_scale,
                           .step = step};
    /* Without a gradient nothing moves them but the decay. */
    g_autofree float *buffers = o->decay > 0 ? cg_store_copy_buffers(store) : NULL;
    cg_store_keep_moments(store, o->small_moments);
    if (store->m->dtype == CG_F32)
        engine->ops->adamw(engine, &adamw, store->used, cg_tensor_f32(store->values),
                           cg_tensor_f32(store->gradients), cg_tensor_f32(store->m),
                           cg_tensor_f32(store->v));
    else
        update_small(engine, &adamw, store);
    cg_store_restore_buffers(store, buffers);
    if (store->average)
        update_average(o, store, step);
    return TRUE;
}
