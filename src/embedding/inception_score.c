#include "embedding/inception_score.h"

#include <math.h>

/* LOG_P [classes]: the logarithm of the softmax of LOGITS. */
static void log_softmax(const float *logits, size_t classes, double *log_p)
{
    double most = -INFINITY, total = 0;
    for (size_t k = 0; k < classes; k++)
        most = fmax(most, (double)logits[k]);
    for (size_t k = 0; k < classes; k++)
        total += exp((double)logits[k] - most);
    for (size_t k = 0; k < classes; k++)
        log_p[k] = (double)logits[k] - most - log(total);
}

CgEstimate cg_inception_score(const float *logits, size_t count, size_t classes)
{
    g_autofree double *log_p = g_new(double, count *classes);
    g_autofree double *marginal = g_new0(double, classes), *divergence = g_new0(double, count);
    double mean = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        log_softmax(logits + i * classes, classes, log_p + i * classes);
        for (size_t k = 0; k < classes; k++)
            marginal[k] += exp(log_p[i * classes + k]) / (double)count;
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < classes; k++) {
            const double l = log_p[i * classes + k], p = exp(l);
            divergence[i] += p > 0 ? p * (l - log(marginal[k])) : 0;
        }
        mean += divergence[i] / (double)count;
    }
    for (size_t i = 0; i < count; i++)
        squares += (divergence[i] - mean) * (divergence[i] - mean);
    const CgEstimate e =
        cg_estimate(mean, count > 1 ? squares / ((double)count * (double)(count - 1)) : NAN);
    return (CgEstimate){exp(e.value), exp(e.low), exp(e.high)};
}
