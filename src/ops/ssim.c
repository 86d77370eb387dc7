/* Structural similarity and its gradient.
 *
 * With G the Gaussian filter (its own adjoint, as the border is zero), a = y, b = target:
 * e1 = G a, m2 = G b, e2 = G a^2, f2 = G b^2, e3 = G ab;
 * A1 = 2 e1 m2 + c1, A2 = 2 (e3 - e1 m2) + c2, B1 = e1^2 + m2^2 + c1, B2 = e2 - e1^2 + f2 - m2^2 +
 * c2, S = A1 A2 / (B1 B2); and dS/da = G D1 + 2 a G D2 + b G D3 with D1 = dS/de1, D2 = dS/de2, D3 =
 * dS/de3. */
#include "ops/loss-private.h"
#include "ops/ops-private.h"

#include <math.h>

#define WINDOW 11
#define RADIUS (WINDOW / 2)
#define SIGMA  1.5

typedef struct {
    size_t h, w, c;
    float window[WINDOW];
    double c1, c2;
} Ssim;

static Ssim ssim_of(const CgTensor *y, double range)
{
    Ssim s = {.h = (size_t)y->shape.d[1],
              .w = (size_t)y->shape.d[2],
              .c = (size_t)y->shape.d[3],
              .c1 = 0.01 * range * 0.01 * range,
              .c2 = 0.03 * range * 0.03 * range};
    double weight[WINDOW], sum = 0;
    for (int i = 0; i < WINDOW; i++)
        sum += weight[i] = exp(-(i - RADIUS) * (i - RADIUS) / (2 * SIGMA * SIGMA));
    for (int i = 0; i < WINDOW; i++)
        s.window[i] = (float)(weight[i] / sum);
    return s;
}

/* TO += FACTOR * FROM, COUNT numbers. */
static void add_scaled(float *to, const float *from, float factor, size_t count)
{
#pragma omp simd
    for (size_t i = 0; i < count; i++)
        to[i] += factor * from[i];
}

/* X = G X over one image; ROWS is room for another. */
static void blur(const Ssim *s, float *x, float *rows)
{
    const size_t line = s->w * s->c;
    for (size_t i = 0; i < s->h * line; i++)
        rows[i] = 0;
    for (size_t row = 0; row < s->h; row++)
        for (size_t k = 0; k < WINDOW; k++)
            if (row + k >= RADIUS && row + k - RADIUS < s->h)
                add_scaled(rows + row * line, x + (row + k - RADIUS) * line, s->window[k], line);
    for (size_t row = 0; row < s->h; row++) {
        float *to = x + row * line;
        const float *from = rows + row * line;
        for (size_t i = 0; i < line; i++)
            to[i] = 0;
        for (size_t k = 0; k < WINDOW; k++) {
            const size_t left = k < RADIUS ? MIN(RADIUS - k, s->w) * s->c : 0;
            const size_t right = k > RADIUS ? MIN(k - RADIUS, s->w) * s->c : 0;
            add_scaled(to + left, from + right, s->window[k], line - left - right);
        }
    }
}

enum { E1, M2, E2, F2, E3, ROWS, MAPS };

/* S at one pixel, and its derivatives to e1, e2, e3. */
static double similarity(const Ssim *s, double e1, double m2, double e2, double f2, double e3,
                         float d[3])
{
    const double a1 = 2 * e1 * m2 + s->c1, a2 = 2 * (e3 - e1 * m2) + s->c2;
    const double b1 = e1 * e1 + m2 * m2 + s->c1, b2 = e2 - e1 * e1 + f2 - m2 * m2 + s->c2;
    const double value = a1 * a2 / (b1 * b2);
    d[0] = (float)(2 * m2 * (a2 - a1) / (b1 * b2) - 2 * e1 * value * (1 / b1 - 1 / b2));
    d[1] = (float)(-value / b2);
    d[2] = (float)(2 * a1 / (b1 * b2));
    return value;
}

/* The sum of S over an image; with GRADIENT, SCALE times its derivative to Y. */
static double ssim_image(const Ssim *s, const float *y, const float *target, float *gradient,
                         double scale, float *maps)
{
    const size_t count = s->h * s->w * s->c;
    float *map[MAPS];
    double sum = 0;
    for (int k = 0; k < MAPS; k++)
        map[k] = maps + (size_t)k * count;
    for (size_t i = 0; i < count; i++) {
        map[E1][i] = y[i];
        map[M2][i] = target[i];
        map[E2][i] = y[i] * y[i];
        map[F2][i] = target[i] * target[i];
        map[E3][i] = y[i] * target[i];
    }
    for (int k = 0; k < ROWS; k++)
        blur(s, map[k], map[ROWS]);
    for (size_t i = 0; i < count; i++) {
        float d[3];
        sum += similarity(s, map[E1][i], map[M2][i], map[E2][i], map[F2][i], map[E3][i], d);
        map[E1][i] = d[0];
        map[E2][i] = d[1];
        map[E3][i] = d[2];
    }
    if (!gradient)
        return sum;
    blur(s, map[E1], map[ROWS]);
    blur(s, map[E2], map[ROWS]);
    blur(s, map[E3], map[ROWS]);
    for (size_t i = 0; i < count; i++)
        gradient[i] =
            (float)(scale * (map[E1][i] + 2 * y[i] * map[E2][i] + target[i] * map[E3][i]));
    return sum;
}

double cg_ssim_range(const CgTensor *y)
{
    const float *values = cg_tensor_f32(y);
    float high = -INFINITY, low = INFINITY;
#pragma omp simd reduction(max : high) reduction(min : low)
    for (size_t i = 0; i < y->count; i++) {
        high = values[i] > high ? values[i] : high;
        low = values[i] < low ? values[i] : low;
    }
    return (high > 128 ? 255 : 1) - (low < -0.5f ? -1 : 0);
}

CgTensor *cg_loss_ssim(CgContext *cx, CgTensor *y, CgTensor *target, double range)
{
    cg_loss_check_pair("SSIM", y, target);
    g_assert(y->shape.rank == 4);
    const CgLoss loss = cg_loss_begin(cx, y);
    if (cg_op_may_run(cx)) {
        const Ssim s = ssim_of(y, range);
        const size_t n = (size_t)y->shape.d[0], image = s.h * s.w * s.c;
        float *gradient = cg_loss_gradient(&loss);
        g_autofree double *sums = g_new(double, n);
        double sum = 0;
#pragma omp parallel
        {
            g_autofree float *maps = g_new(float, MAPS *image);
#pragma omp for schedule(static)
            for (size_t i = 0; i < n; i++)
                sums[i] =
                    ssim_image(&s, cg_tensor_f32(y) + i * image, cg_tensor_f32(target) + i * image,
                               gradient ? gradient + i * image : NULL, -1 / (double)y->count, maps);
        }
        for (size_t i = 0; i < n; i++)
            sum += sums[i];
        *cg_tensor_f32(loss.value) = (float)(1 - sum / (double)y->count);
    }
    return cg_loss_end(&loss, 40.0 * WINDOW);
}
