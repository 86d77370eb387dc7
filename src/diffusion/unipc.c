/* UniPC of order 2 in its B2(h) form, predicting x_0, with corrector (Zhao et al. 2023). */
#include "diffusion/sampler-private.h"

#include <math.h>

/* m_0 = x0_x * x + x0_m * m                                  what the network says x_0 is
 * x = c_start * start + c_m0 * m_0 + c_m1 * m_1 + c_m2 * m_2   the corrector, after the first step
 * x = p_x * x + p_m0 * m_0 + p_m1 * m_1                        the predictor
 * with m_1, m_2 the values of m_0 one and two steps ago and start the corrected x one step ago. */
typedef struct {
    double x0_x, x0_m;
    double c_start, c_m0, c_m1, c_m2;
    double p_x, p_m0, p_m1;
} Step;

enum { M1, M2, START }; /* history */

static int order_of(const CgSampler *s, int i)
{
    return MIN(MIN(2, s->steps - i), i + 1);
}

/* Redoes the interval that led to step I, now that the network has been asked at its end. */
static void set_corrector(Step *c, const CgSampler *s, const double *sigma, int i)
{
    double h = log(sigma[i - 1] / sigma[i]), b = expm1(-h);
    double scale = -s->signal[i] * b;
    c->c_start = s->noise[i] / s->noise[i - 1];
    if (order_of(s, i - 1) == 1) {
        c->c_m0 = scale * 0.5;
        c->c_m1 = scale * 0.5;
        return;
    }
    /* rho_1 + rho_2 = b_1, r * rho_1 + rho_2 = b_2 */
    double r = -log(sigma[i - 2] / sigma[i - 1]) / h;
    double g = b / -h - 1;
    double b_1 = g / b, b_2 = 2 * (g / -h - 0.5) / b;
    double rho_1 = (b_1 - b_2) / (1 - r), rho_2 = b_1 - rho_1;
    c->c_m0 = scale * rho_2;
    c->c_m1 = scale * (1 - rho_1 / r - rho_2);
    c->c_m2 = scale * rho_1 / r;
}

static void set_predictor(Step *c, const CgSampler *s, const double *sigma, int i)
{
    double scale = -s->signal[i + 1] * (sigma[i + 1] / sigma[i] - 1); /* exact for sigma 0 too */
    c->p_x = s->noise[i + 1] / s->noise[i];
    c->p_m0 = scale;
    if (order_of(s, i) == 1)
        return;
    double r = -log(sigma[i - 1] / sigma[i]) / log(sigma[i] / sigma[i + 1]);
    c->p_m0 = scale * (1 - 0.5 / r);
    c->p_m1 = scale * 0.5 / r;
}

static gboolean prepare(CgSampler *s, const CgNoiseSchedule *schedule, GError **error)
{
    g_autofree double *sigma = g_new(double, s->calls + 1);
    if (!cg_grid_solver(s, schedule, sigma, error))
        return FALSE;
    Step *plan = s->plan = g_new0(Step, s->calls);
    for (int i = 0; i < s->calls; i++) {
        CgMeaning is = cg_sampler_meaning(s->prediction, s->signal[i], s->noise[i]);
        plan[i].x0_x = is.x0_x;
        plan[i].x0_m = is.x0_m;
        if (i > 0)
            set_corrector(&plan[i], s, sigma, i);
        set_predictor(&plan[i], s, sigma, i);
    }
    return TRUE;
}

static void step(CgSampler *s, int i, const float *m, float *x, const float *noise)
{
    (void)noise;
    const Step *c = (const Step *)s->plan + i;
    float *m1 = s->history[M1], *m2 = s->history[M2], *start = s->history[START];
    for (size_t e = 0; e < s->count; e++) {
        double m0 = c->x0_x * x[e] + c->x0_m * m[e], corrected = x[e];
        if (i > 0)
            corrected = c->c_start * start[e] + c->c_m0 * m0 + c->c_m1 * m1[e];
        if (c->c_m2 != 0)
            corrected += c->c_m2 * m2[e];
        double next = c->p_x * corrected + c->p_m0 * m0;
        if (c->p_m1 != 0)
            next += c->p_m1 * m1[e];
        x[e] = (float)next;
        start[e] = (float)corrected;
        m2[e] = (float)m0; /* becomes m1 below */
    }
    s->history[M1] = m2;
    s->history[M2] = m1;
}

const CgSamplerFamily cg_unipc_family = {
    .name = "unipc",
    .karras_name = "unipc-karras",
    .summary = "second-order predictor and corrector; good with 10 to 20 steps",
    .spacing = CG_SPACING_LINSPACE,
    .history = 3,
    .prepare = prepare,
    .step = step,
};
