/* DPM-Solver++(2M), midpoint (Lu et al. 2022, algorithm 2), in lambda = -ln sigma. */
#include "diffusion/sampler-private.h"

#include <math.h>

/* x_0 = x0_x * x + x0_m * m, then x = x * x + now * x_0 + past * x_0 of the step before */
typedef struct {
    double x0_x, x0_m, x, now, past;
} Step;

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

        /* x = (noise' / noise) * x - signal' * (e^-h - 1) * D with e^-h = sigma' / sigma; the last
         * step has sigma' = 0, h infinite, and becomes x = x_0. */
        double weight = -s->signal[i + 1] * (sigma[i + 1] / sigma[i] - 1);
        plan[i].x = s->noise[i + 1] / s->noise[i];
        plan[i].now = weight;
        if (i == 0 || i == s->calls - 1)
            continue;
        /* D = x_0 + 1/2 * (x_0 - x_0 before) / r, r = h before / h */
        double r = log(sigma[i - 1] / sigma[i]) / log(sigma[i] / sigma[i + 1]);
        plan[i].now = weight * (1 + 0.5 / r);
        plan[i].past = -weight * 0.5 / r;
    }
    return TRUE;
}

static void step(CgSampler *s, int i, const float *m, float *x, const float *noise)
{
    (void)noise;
    const Step *c = (const Step *)s->plan + i;
    float *before = s->history[0];
    for (size_t e = 0; e < s->count; e++) {
        double x0 = c->x0_x * x[e] + c->x0_m * m[e];
        double sum = c->x * x[e] + c->now * x0;
        if (c->past != 0)
            sum += c->past * before[e];
        x[e] = (float)sum;
        before[e] = (float)x0;
    }
}

const CgSamplerFamily cg_dpmpp_family = {
    .name = "dpmpp-2m",
    .karras_name = "dpmpp-2m-karras",
    .summary = "second order; good with 20 steps",
    .spacing = CG_SPACING_LINSPACE,
    .history = 1,
    .prepare = prepare,
    .step = step,
};
