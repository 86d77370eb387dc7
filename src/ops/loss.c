#include "ops/loss-private.h"
#include "ops/ops-private.h"

#include <math.h>

/* Elements summed at a time: what is added in which order never depends on the threads. */
#define BLOCK 8192

#define LOGVAR_MIN -30.0f
#define LOGVAR_MAX 20.0f

/* What a loss of single elements is computed from. */
typedef struct {
    const float *y, *target;
    const float *weights; /* NULL: all 1 */
    size_t group, count;
    float *gradient; /* NULL: not wanted */
} Elements;

/* Sum over elements FIRST..END-1; sets their gradients. */
typedef double (*Part)(const Elements *e, size_t first, size_t end);

static double sum_of_parts(Part part, const Elements *e)
{
    const size_t blocks = (e->count + BLOCK - 1) / BLOCK;
    g_autofree double *sums = g_new(double, MAX(blocks, 1));
    double sum = 0;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < blocks; i++)
        sums[i] = part(e, i * BLOCK, MIN((i + 1) * BLOCK, e->count));
    for (size_t i = 0; i < blocks; i++)
        sum += sums[i];
    return sum;
}

/* The gradient was made with the value; only what comes from above is missing. */
static void scale_backward(CgTape *tape, CgRecord *r, CgTensor *dy)
{
    CgEngine *e = cg_tape_engine(tape);
    if (*cg_tensor_f32(dy) == 1) {
        cg_tape_give(tape, r->inputs[0], cg_tensor_ref(r->keeps[0]));
        return;
    }
    CgTensor *dx = cg_op_gradient(tape, CG_F32, r->keeps[0]->shape);
    e->ops->scale(e, r->keeps[0], *cg_tensor_f32(dy), dx);
    cg_tape_give(tape, r->inputs[0], dx);
}

CgLoss cg_loss_begin(CgContext *cx, CgTensor *x)
{
    g_assert(x->dtype == CG_F32);
    CgLoss loss = {.cx = cx, .x = x, .value = cg_op_tensor(cx, CG_F32, CG_SHAPE(1))};
    if (CG_OP_WANTS(cx, x->node))
        loss.gradient = cg_op_like(cx, x);
    loss.begin = cg_op_begin(cx);
    return loss;
}

float *cg_loss_gradient(const CgLoss *loss)
{
    return loss->gradient ? cg_tensor_f32(loss->gradient) : NULL;
}

CgTensor *cg_loss_end(const CgLoss *loss, double flops)
{
    cg_op_end(loss->cx, CG_OP_POINTWISE, loss->begin, flops * (double)loss->x->count);
    if (loss->gradient) {
        CgRecord *r = cg_op_record(loss->cx, scale_backward, loss->value, CG_OP_POINTWISE,
                                   (double)loss->x->count);
        r->inputs[0] = loss->x->node;
        r->keeps[0] = loss->gradient;
    }
    return loss->value;
}

void cg_loss_check_pair(const char *what, const CgTensor *y, const CgTensor *target)
{
    cg_assert_shape(what, target, y->shape);
    g_assert(target->dtype == CG_F32 && target->node == 0);
}

static double mse_part(const Elements *e, size_t first, size_t end)
{
    const double n = (double)e->count;
    double sum = 0;
    for (size_t i = first; i < end; i++) {
        const double w = e->weights ? e->weights[i / e->group] : 1;
        const double d = (double)e->y[i] - e->target[i];
        sum += w * d * d;
        if (e->gradient)
            e->gradient[i] = (float)(2 * w * d / n);
    }
    return sum;
}

static double l1_part(const Elements *e, size_t first, size_t end)
{
    const float slope = (float)(1 / (double)e->count);
    double sum = 0;
    for (size_t i = first; i < end; i++) {
        const float d = e->y[i] - e->target[i];
        sum += fabsf(d);
        if (e->gradient)
            e->gradient[i] = d > 0 ? slope : d < 0 ? -slope : d;
    }
    return sum;
}

static CgTensor *mean_loss(CgContext *cx, Part part, CgTensor *y, CgTensor *target,
                           const float *weights, size_t group, double flops)
{
    cg_loss_check_pair("loss", y, target);
    const CgLoss loss = cg_loss_begin(cx, y);
    if (cg_op_may_run(cx)) {
        const Elements e = {.y = cg_tensor_f32(y),
                            .target = cg_tensor_f32(target),
                            .weights = weights,
                            .group = group,
                            .count = y->count,
                            .gradient = cg_loss_gradient(&loss)};
        *cg_tensor_f32(loss.value) = (float)(sum_of_parts(part, &e) / (double)y->count);
    }
    return cg_loss_end(&loss, flops);
}

CgTensor *cg_loss_mse(CgContext *cx, CgTensor *y, CgTensor *target, const float *sample_weights)
{
    return mean_loss(cx, mse_part, y, target, sample_weights, y->count / (size_t)y->shape.d[0], 4);
}

CgTensor *cg_loss_mse_at(CgContext *cx, CgTensor *y, CgTensor *target, const float *place_weights)
{
    return mean_loss(cx, mse_part, y, target, place_weights, (size_t)y->shape.d[y->shape.rank - 1],
                     4);
}

CgTensor *cg_loss_l1(CgContext *cx, CgTensor *y, CgTensor *target)
{
    return mean_loss(cx, l1_part, y, target, NULL, 1, 3);
}

static float sign(float x)
{
    return (float)((x > 0) - (x < 0));
}

/* One row's differences to the next pixel and to the next row; their signs go to the gradient. */
static void edges_row(const Elements *e, size_t row, size_t h, size_t w, size_t c,
                      const double slope[2], double sum[2])
{
    const size_t line = w * c, at = row * line;
    const size_t steps[2] = {c, line};
    const size_t counts[2] = {line - c, row % h + 1 < h ? line : 0};
    for (int k = 0; k < 2; k++)
        for (size_t i = at; i < at + counts[k]; i++) {
            const size_t next = i + steps[k];
            const float d = (e->y[next] - e->target[next]) - (e->y[i] - e->target[i]);
            sum[k] += fabsf(d);
            if (!e->gradient)
                continue;
            e->gradient[next] += (float)slope[k] * sign(d);
            e->gradient[i] -= (float)slope[k] * sign(d);
        }
}

/* A whole image at a time: a row's gradient also comes from the row above. */
static void edges_image(const Elements *e, size_t n, size_t h, size_t w, size_t c,
                        const double slope[2], double sum[2])
{
    const size_t image = h * w * c;
    sum[0] = sum[1] = 0;
    for (size_t i = 0; e->gradient && i < image; i++)
        e->gradient[n * image + i] = 0;
    for (size_t row = n * h; row < (n + 1) * h; row++)
        edges_row(e, row, h, w, c, slope, sum);
}

CgTensor *cg_loss_edges(CgContext *cx, CgTensor *y, CgTensor *target)
{
    cg_loss_check_pair("edge loss", y, target);
    const CgLoss loss = cg_loss_begin(cx, y);
    const size_t n = (size_t)y->shape.d[0], h = (size_t)y->shape.d[1], w = (size_t)y->shape.d[2],
                 c = (size_t)y->shape.d[3];
    g_assert(y->shape.rank == 4 && h >= 2 && w >= 2);
    const double slope[2] = {1.0 / (double)(n * h * (w - 1) * c),
                             1.0 / (double)(n * (h - 1) * w * c)};
    if (cg_op_may_run(cx)) {
        const Elements e = {.y = cg_tensor_f32(y),
                            .target = cg_tensor_f32(target),
                            .gradient = cg_loss_gradient(&loss)};
        g_autofree double(*sums)[2] = g_malloc_n(n, sizeof *sums);
        double value = 0;
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < n; i++)
            edges_image(&e, i, h, w, c, slope, sums[i]);
        for (size_t i = 0; i < n; i++)
            value += sums[i][0] * slope[0] + sums[i][1] * slope[1];
        *cg_tensor_f32(loss.value) = (float)value;
    }
    return cg_loss_end(&loss, 10);
}

/* Rows of MOMENTS [.., 2c]: y is the mean, target the log-variance; count is the latent's. */
static double kl_part(const Elements *e, size_t first, size_t end)
{
    const size_t c = e->group;
    const double n = (double)e->count;
    double sum = 0;
    for (size_t i = first; i < end; i++) {
        const size_t at = i / c * 2 * c + i % c;
        const double mean = e->y[at], logvar = CLAMP(e->y[at + c], LOGVAR_MIN, LOGVAR_MAX);
        const gboolean inside = e->y[at + c] > LOGVAR_MIN && e->y[at + c] < LOGVAR_MAX;
        const double variance = exp(logvar);
        sum += 0.5 * (mean * mean + variance - 1 - logvar);
        if (!e->gradient)
            continue;
        e->gradient[at] = (float)(mean / n);
        e->gradient[at + c] = inside ? (float)(0.5 * (variance - 1) / n) : 0;
    }
    return sum;
}

CgTensor *cg_loss_kl(CgContext *cx, CgTensor *moments)
{
    const CgLoss loss = cg_loss_begin(cx, moments);
    if (cg_op_may_run(cx)) {
        const Elements e = {.y = cg_tensor_f32(moments),
                            .group = (size_t)cg_op_channels(moments) / 2,
                            .count = moments->count / 2,
                            .gradient = cg_loss_gradient(&loss)};
        *cg_tensor_f32(loss.value) = (float)(sum_of_parts(kl_part, &e) / (double)e.count);
    }
    return cg_loss_end(&loss, 8);
}

/* How far the sample lies from the mean: exp(logvar / 2) * noise. */
static double deviation(const float *moments, size_t at, size_t c, const float *noise, size_t i)
{
    return exp(0.5 * CLAMP(moments[at + c], LOGVAR_MIN, LOGVAR_MAX)) * noise[i];
}

static void sample_backward(CgTape *tape, CgRecord *r, CgTensor *dy)
{
    const float *moments = cg_tensor_f32(r->keeps[0]), *noise = cg_tensor_f32(r->keeps[1]);
    const float *from = cg_tensor_f32(dy);
    const size_t c = (size_t)cg_op_channels(dy);
    CgTensor *dx = cg_op_gradient(tape, CG_F32, r->keeps[0]->shape);
    float *to = cg_tensor_f32(dx);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < dy->count; i++) {
        const size_t at = i / c * 2 * c + i % c;
        const gboolean inside = moments[at + c] > LOGVAR_MIN && moments[at + c] < LOGVAR_MAX;
        to[at] = from[i];
        to[at + c] = inside ? (float)(0.5 * deviation(moments, at, c, noise, i) * from[i]) : 0;
    }
    cg_tape_give(tape, r->inputs[0], dx);
}

CgTensor *cg_posterior_sample(CgContext *cx, CgTensor *moments, CgTensor *noise)
{
    const size_t c = (size_t)cg_op_channels(noise);
    CgShape shape = noise->shape;
    shape.d[shape.rank - 1] *= 2;
    cg_assert_shape("moments", moments, shape);
    CgTensor *y = cg_op_like(cx, noise);
    if (cg_op_may_run(cx)) {
        const double begin = cg_op_begin(cx);
        const float *from = cg_tensor_f32(moments), *random = cg_tensor_f32(noise);
        float *to = cg_tensor_f32(y);
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < y->count; i++) {
            const size_t at = i / c * 2 * c + i % c;
            to[i] = (float)(from[at] + deviation(from, at, c, random, i));
        }
        cg_op_end(cx, CG_OP_POINTWISE, begin, 6.0 * (double)y->count);
    }
    if (CG_OP_WANTS(cx, moments->node)) {
        CgRecord *r = cg_op_record(cx, sample_backward, y, CG_OP_POINTWISE, 4.0 * (double)y->count);
        r->inputs[0] = moments->node;
        r->keeps[0] = cg_tensor_ref(moments);
        r->keeps[1] = cg_tensor_ref(noise);
    }
    return y;
}
