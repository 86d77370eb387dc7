#include "engine/ref/ref-private.h"

#include <math.h>

void ref_moments(const CgTensor *x, size_t at, size_t rows, size_t count, size_t stride, double eps,
                 double *mean, double *scale)
{
    double sum = 0, square = 0, elements = (double)rows * (double)count;
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < count; i++)
            sum += ref_get(x->dtype, x->data, at + r * stride + i);
    *mean = sum / elements;
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < count; i++) {
            double d = ref_get(x->dtype, x->data, at + r * stride + i) - *mean;
            square += d * d;
        }
    *scale = 1 / sqrt(square / elements + eps);
}

/* x as N samples. */
static void normalise(const CgTensor *x, size_t n, size_t groups, float eps, const CgTensor *gamma,
                      const CgTensor *beta, CgActivation act, CgTensor *y)
{
    const float *ga = cg_tensor_f32(gamma), *be = cg_tensor_f32(beta);
    size_t c = ref_columns(x), width = c / groups, rows = n ? ref_rows(x) / n : 0;
#pragma omp parallel for num_threads(cg_threads())
    for (size_t g = 0; g < n * groups; g++) {
        size_t channel = g % groups * width, at = g / groups * rows * c + channel;
        double mean, scale;
        ref_moments(x, at, rows, width, c, (double)eps, &mean, &scale);
        for (size_t r = 0; r < rows; r++)
            for (size_t i = 0; i < width; i++) {
                double value = (ref_get(x->dtype, x->data, at + r * c + i) - mean) * scale;
                value = value * (double)ga[channel + i] + (double)be[channel + i];
                ref_set(y->dtype, y->data, at + r * c + i, ref_activation(act, value));
            }
    }
}

void ref_group_norm(CgEngine *e, const CgTensor *x, int groups, float eps, const CgTensor *gamma,
                    const CgTensor *beta, CgActivation act, CgTensor *y)
{
    (void)e;
    cg_check_group_norm(x, groups, gamma, beta, y);
    normalise(x, (size_t)x->shape.d[0], (size_t)groups, eps, gamma, beta, act, y);
}

void ref_batch_norm(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                    const CgTensor *beta, CgActivation act, float momentum, CgTensor *running_mean,
                    CgTensor *running_variance, CgTensor *y)
{
    (void)e;
    cg_check_batch_norm(x, gamma, beta, running_mean, running_variance, y);
    size_t c = ref_columns(x), rows = ref_rows(x);
    double share = (double)momentum, unbiased = (double)rows / (double)MAX(rows - 1, 1);
    for (size_t i = 0; i < c && rows; i++) {
        double mean, scale;
        ref_moments(x, i, rows, 1, c, 0, &mean, &scale);
        float *m = running_mean ? cg_tensor_f32(running_mean) + i : NULL;
        float *v = running_variance ? cg_tensor_f32(running_variance) + i : NULL;
        if (m)
            *m = (float)((1 - share) * (double)*m + share * mean);
        if (v)
            *v = (float)((1 - share) * (double)*v + share * unbiased / (scale * scale));
    }
    normalise(x, 1, c, eps, gamma, beta, act, y);
}

void ref_batch_norm_fixed(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                          const CgTensor *beta, CgActivation act, const CgTensor *mean,
                          const CgTensor *variance, CgTensor *y)
{
    (void)e;
    cg_check_batch_norm(x, gamma, beta, mean, variance, y);
    const float *ga = cg_tensor_f32(gamma), *be = cg_tensor_f32(beta);
    const float *m = cg_tensor_f32(mean), *v = cg_tensor_f32(variance);
    size_t c = ref_columns(x);
    for (size_t i = 0; i < x->count; i++) {
        size_t k = i % c;
        double u =
            (ref_get(x->dtype, x->data, i) - (double)m[k]) / sqrt((double)v[k] + (double)eps);
        ref_set(y->dtype, y->data, i, ref_activation(act, u * (double)ga[k] + (double)be[k]));
    }
}

void ref_layer_norm(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                    const CgTensor *beta, CgTensor *y)
{
    (void)e;
    cg_check_layer_norm(x, gamma, beta, y);
    const float *ga = cg_tensor_f32(gamma), *be = cg_tensor_f32(beta);
    size_t c = ref_columns(x), rows = ref_rows(x);
    for (size_t r = 0; r < rows; r++) {
        double mean, scale;
        ref_moments(x, r * c, 1, c, c, (double)eps, &mean, &scale);
        for (size_t i = 0; i < c; i++) {
            double value = (ref_get(x->dtype, x->data, r * c + i) - mean) * scale;
            ref_set(y->dtype, y->data, r * c + i, value * (double)ga[i] + (double)be[i]);
        }
    }
}

void ref_softmax(CgEngine *e, const CgTensor *x, CgTensor *y)
{
    (void)e;
    cg_check_same("softmax", x, y);
    size_t c = ref_columns(x), rows = ref_rows(x);
    for (size_t r = 0; r < rows; r++) {
        double largest = -INFINITY, sum = 0;
        for (size_t i = 0; i < c; i++)
            largest = fmax(largest, ref_get(x->dtype, x->data, r * c + i));
        for (size_t i = 0; i < c; i++)
            sum += exp(ref_get(x->dtype, x->data, r * c + i) - largest);
        for (size_t i = 0; i < c; i++) {
            double value = exp(ref_get(x->dtype, x->data, r * c + i) - largest) / sum;
            ref_set(y->dtype, y->data, r * c + i, value);
        }
    }
}
