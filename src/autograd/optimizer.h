/* optimizer: from gradients to new values: clipping, AdamW, the learning rate's course, averaging.
 *
 * The recipe is that of the ControlNet trainings (diffusers train_controlnet.py): global gradient
 * norm clipped to 1, AdamW with decay on every parameter, biases and norms included.
 */
#ifndef CG_AUTOGRAD_OPTIMIZER_H
#define CG_AUTOGRAD_OPTIMIZER_H

#include "autograd/store.h"
#include "engine/engine.h"

typedef enum {
    CG_RATE_CONSTANT,
    CG_RATE_COSINE, /* half a cosine from the full rate to zero at the last step */
    CG_RATE_LINEAR, /* down to zero at the last step */
    CG_RATE_STEPS,  /* a fifth of it after 8 tenths of the steps, a fifth of that after 9 */
} CgRateCourse;

typedef struct {
    double rate;         /* 1e-5 */
    double beta1, beta2; /* 0.9, 0.999 */
    double eps, decay;   /* 1e-8, 1e-2 */
    double clip;         /* largest global norm of the gradient; 0: any */
    CgRateCourse course;
    guint64 warmup;         /* steps over which the rate rises from zero */
    guint64 steps;          /* in all, for the course */
    double average_decay;   /* of the average (EMA), 0.9999, say; 0: none. Early on it is at most
                             * (1 + step) / (10 + step), as in diffusers' EMAModel */
    gboolean small_moments; /* in a byte a number (autograd/moments.h); from the first step on */
} CgOptimizer;

void cg_optimizer_default(CgOptimizer *o);
gboolean cg_rate_course_parse(const char *text, CgRateCourse *course);
const char *cg_rate_course_name(CgRateCourse course);
/* The learning rate of step STEP = 1, 2, .. */
double cg_optimizer_rate(const CgOptimizer *o, guint64 step);

/* One update of the store's values from its gradients times GRADIENT_SCALE (1 / accumulated
 * batches). *NORM gets the gradient's norm before clipping. CG_ERROR_NUMERIC when it is not finite,
 * naming the first parameter whose gradient is not; then nothing is changed. */
gboolean cg_optimizer_step(const CgOptimizer *o, CgEngine *engine, CgStore *store, guint64 step,
                           double gradient_scale, double *norm, GError **error);

#endif
