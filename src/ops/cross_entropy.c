#include "ops/loss-private.h"
#include "ops/ops-private.h"

#include <math.h>

/* The loss of one row of C logits; GRADIENT (nullable) gets its derivative over N. */
static double row(const float *logits, size_t c, size_t label, double n, float *gradient)
{
    double most = (double)logits[0], sum = 0;
    for (size_t i = 1; i < c; i++)
        most = logits[i] > most ? (double)logits[i] : most;
    for (size_t i = 0; i < c; i++)
        sum += exp((double)logits[i] - most);
    for (size_t i = 0; gradient && i < c; i++)
        gradient[i] = (float)((exp((double)logits[i] - most) / sum - (i == label)) / n);
    return most + log(sum) - (double)logits[label];
}

CgTensor *cg_loss_cross_entropy(CgContext *cx, CgTensor *logits, const int *labels)
{
    g_assert(logits->shape.rank == 2);
    const size_t n = (size_t)logits->shape.d[0], c = (size_t)logits->shape.d[1];
    const CgLoss loss = cg_loss_begin(cx, logits);
    if (cg_op_may_run(cx)) {
        float *gradient = cg_loss_gradient(&loss);
        double sum = 0;
        for (size_t i = 0; i < n; i++) {
            g_assert(labels[i] >= 0 && (size_t)labels[i] < c);
            sum += row(cg_tensor_f32(logits) + i * c, c, (size_t)labels[i], (double)n,
                       gradient ? gradient + i * c : NULL);
        }
        *cg_tensor_f32(loss.value) = (float)(sum / (double)n);
    }
    return cg_loss_end(&loss, 30);
}
