#include "engine/ref/ref-private.h"

#include <math.h>

/* y = act(z), z = u gamma + beta, u = (x - mean) scale over ROWS rows of COUNT elements, STRIDE
 * apart. Then with d = dz gamma: dx = scale (d - mean(d) - u mean(d u)). */
typedef struct {
    const CgTensor *x, *dy;
    CgTensor *dx;
    const float *gamma, *beta; /* from the first channel; beta may be NULL when act is none */
    CgActivation act;
    size_t at, rows, count, stride;
    double mean, scale;
} Normed;

static double unit(const Normed *p, size_t r, size_t i)
{
    return (ref_get(p->x->dtype, p->x->data, p->at + r * p->stride + i) - p->mean) * p->scale;
}

static double slope(const Normed *p, size_t r, size_t i)
{
    double d = ref_get(p->dy->dtype, p->dy->data, p->at + r * p->stride + i);
    if (p->act == CG_ACT_NONE)
        return d;
    double z = unit(p, r, i) * (double)p->gamma[i] + (double)p->beta[i];
    return d * ref_activation_slope(p->act, z);
}

static void add_parameters(const Normed *p, double *dgamma, double *dbeta)
{
    for (size_t r = 0; r < p->rows; r++)
        for (size_t i = 0; i < p->count; i++) {
            dgamma[i] += slope(p, r, i) * unit(p, r, i);
            dbeta[i] += slope(p, r, i);
        }
}

static void data(const Normed *p)
{
    double sum = 0, product = 0, elements = (double)p->rows * (double)p->count;
    for (size_t r = 0; r < p->rows; r++)
        for (size_t i = 0; i < p->count; i++) {
            double d = slope(p, r, i) * (double)p->gamma[i];
            sum += d;
            product += d * unit(p, r, i);
        }
    for (size_t r = 0; r < p->rows; r++)
        for (size_t i = 0; i < p->count; i++) {
            double d = slope(p, r, i) * (double)p->gamma[i];
            ref_set(p->dx->dtype, p->dx->data, p->at + r * p->stride + i,
                    p->scale * (d - sum / elements - unit(p, r, i) * product / elements));
        }
}

static void add_sums(CgTensor *gradient, const double *sums)
{
    for (size_t i = 0; gradient && i < gradient->count; i++)
        cg_tensor_f32(gradient)[i] = (float)((double)cg_tensor_f32(gradient)[i] + sums[i]);
}

/* x as SAMPLES samples. */
static void normalise_backward(const CgTensor *x, size_t samples, size_t groups, float eps,
                               const CgTensor *gamma, const CgTensor *beta, CgActivation act,
                               const CgTensor *dy, CgTensor *dx, CgTensor *dgamma, CgTensor *dbeta)
{
    cg_check_same("norm backward", x, dx);
    size_t c = ref_columns(x), width = c / groups, rows = samples ? ref_rows(x) / samples : 0;
    cg_check_gradient("dgamma", dgamma, c);
    cg_check_gradient("dbeta", dbeta, c);
    g_autofree double *sums = g_new0(double, 2 * c);
#pragma omp parallel for num_threads(cg_threads())
    for (size_t group = 0; group < groups; group++)
        for (size_t n = 0; n < samples; n++) {
            size_t channel = group * width;
            Normed p = {.x = x,
                        .dy = dy,
                        .dx = dx,
                        .gamma = cg_tensor_f32(gamma) + channel,
                        .beta = cg_tensor_f32(beta) + channel,
                        .act = act,
                        .at = n * rows * c + channel,
                        .rows = rows,
                        .count = width,
                        .stride = c};
            ref_moments(x, p.at, rows, width, c, (double)eps, &p.mean, &p.scale);
            add_parameters(&p, sums + channel, sums + c + channel);
            data(&p);
        }
    add_sums(dgamma, sums);
    add_sums(dbeta, sums + c);
}

void ref_group_norm_backward(CgEngine *e, const CgTensor *x, int groups, float eps,
                             const CgTensor *gamma, const CgTensor *beta, CgActivation act,
                             const CgTensor *dy, CgTensor *dx, CgTensor *dgamma, CgTensor *dbeta)
{
    (void)e;
    cg_check_group_norm(x, groups, gamma, beta, dy);
    normalise_backward(x, (size_t)x->shape.d[0], (size_t)groups, eps, gamma, beta, act, dy, dx,
                       dgamma, dbeta);
}

void ref_batch_norm_backward(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                             const CgTensor *beta, CgActivation act, const CgTensor *dy,
                             CgTensor *dx, CgTensor *dgamma, CgTensor *dbeta)
{
    (void)e;
    cg_check_batch_norm(x, gamma, beta, NULL, NULL, dy);
    normalise_backward(x, 1, ref_columns(x), eps, gamma, beta, act, dy, dx, dgamma, dbeta);
}

void ref_layer_norm_backward(CgEngine *e, const CgTensor *x, float eps, const CgTensor *gamma,
                             const CgTensor *dy, CgTensor *dx, CgTensor *dgamma, CgTensor *dbeta)
{
    (void)e;
    cg_check_layer_norm(x, gamma, gamma, dy);
    cg_check_same("layer norm backward", x, dx);
    size_t c = ref_columns(x), rows = ref_rows(x);
    cg_check_gradient("dgamma", dgamma, c);
    cg_check_gradient("dbeta", dbeta, c);
    g_autofree double *sums = g_new0(double, 2 * c);
    for (size_t r = 0; r < rows; r++) {
        Normed p = {.x = x,
                    .dy = dy,
                    .dx = dx,
                    .gamma = cg_tensor_f32(gamma),
                    .at = r * c,
                    .rows = 1,
                    .count = c,
                    .stride = c};
        ref_moments(x, p.at, 1, c, c, (double)eps, &p.mean, &p.scale);
        add_parameters(&p, sums, sums + c);
        data(&p);
    }
    add_sums(dgamma, sums);
    add_sums(dbeta, sums + c);
}

void ref_softmax_backward(CgEngine *e, const CgTensor *y, const CgTensor *dy, CgTensor *dx)
{
    (void)e;
    cg_check_same("softmax backward", y, dy);
    cg_check_same("softmax backward", y, dx);
    size_t c = ref_columns(y), rows = ref_rows(y);
    for (size_t r = 0; r < rows; r++) {
        double sum = 0;
        for (size_t i = 0; i < c; i++)
            sum += ref_get(y->dtype, y->data, r * c + i) * ref_get(dy->dtype, dy->data, r * c + i);
        for (size_t i = 0; i < c; i++)
            ref_set(dx->dtype, dx->data, r * c + i,
                    ref_get(y->dtype, y->data, r * c + i) *
                        (ref_get(dy->dtype, dy->data, r * c + i) - sum));
    }
}
