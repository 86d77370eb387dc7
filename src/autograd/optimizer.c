#include "autograd/optimizer.h"

#include <math.h>

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
    engine->ops->adamw(engine, &adamw, store->used, cg_tensor_f32(store->values),
                       cg_tensor_f32(store->gradients), cg_tensor_f32(store->m),
                       cg_tensor_f32(store->v));
    cg_store_restore_buffers(store, buffers);
    if (store->average)
        update_average(o, store, step);
    return TRUE;
}
