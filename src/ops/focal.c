/* Focal loss of a softmax over two classes. Source: DRAEM, loss.py (FocalLoss). */
#include "ops/loss-private.h"
#include "ops/ops-private.h"

#include <math.h>

#define SMOOTH 1e-5
#define BLOCK  4096 /* pixels summed at a time, whatever the number of threads */

/* The loss of one pixel; *SLOPE its derivative to the difference of the logits, anomalous - normal.
 */
static double pixel(double normal, double anomalous, gboolean is_anomalous, double *slope)
{
    const double p1 = 1 / (1 + exp(normal - anomalous)), p0 = 1 / (1 + exp(anomalous - normal));
    const double own = is_anomalous ? p1 : p0, other = is_anomalous ? p0 : p1;
    const double p = (1 - SMOOTH) * own + SMOOTH * other + SMOOTH;
    const double rest = 1 - p;
    /* dp/d(anomalous - normal) = +-(1 - 2 SMOOTH) p0 p1 */
    const double inner = (1 - 2 * SMOOTH) * p0 * p1 * (is_anomalous ? 1 : -1);
    *slope = (2 * rest * log(p) - rest * rest / p) * inner;
    return -rest * rest * log(p);
}

static double block(const float *logits, const float *mask, float *gradient, size_t first,
                    size_t end, double pixels)
{
    double sum = 0, slope;
    for (size_t i = first; i < end; i++) {
        sum += pixel(logits[2 * i], logits[2 * i + 1], mask[i] > 0.5f, &slope);
        if (!gradient)
            continue;
        gradient[2 * i] = (float)(-slope / pixels);
        gradient[2 * i + 1] = (float)(slope / pixels);
    }
    return sum;
}

CgTensor *cg_loss_focal(CgContext *cx, CgTensor *logits, CgTensor *mask)
{
    const CgShape s = logits->shape;
    g_assert(s.rank == 4 && s.d[3] == 2);
    cg_assert_shape("focal loss's mask", mask, CG_SHAPE(s.d[0], s.d[1], s.d[2], 1));
    const CgLoss loss = cg_loss_begin(cx, logits);
    if (cg_op_may_run(cx)) {
        const size_t count = mask->count, blocks = (count + BLOCK - 1) / BLOCK;
        float *gradient = cg_loss_gradient(&loss);
        g_autofree double *sums = g_new(double, blocks);
        double sum = 0;
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < blocks; i++)
            sums[i] = block(cg_tensor_f32(logits), cg_tensor_f32(mask), gradient, i * BLOCK,
                            MIN((i + 1) * BLOCK, count), (double)count);
        for (size_t i = 0; i < blocks; i++)
            sum += sums[i];
        *cg_tensor_f32(loss.value) = (float)(sum / (double)count);
    }
    return cg_loss_end(&loss, 40);
}
