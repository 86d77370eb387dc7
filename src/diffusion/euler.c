/* Euler's method on the probability flow ODE in k-diffusion's variables (Karras et al. 2022): the
 * state is x_0 + sigma * eps, the network sees it divided by sqrt(sigma^2 + 1). */
#include "diffusion/sampler-private.h"

#include <math.h>

static gboolean prepare(CgSampler *s, const CgNoiseSchedule *schedule, GError **error)
{
    if (!cg_grid_timesteps(s, schedule, CG_GRID_FRACTIONAL, error))
        return FALSE;

    double *sigma = s->noise;
    for (int i = 0; i < s->calls; i++)
        sigma[i] = cg_grid_sigma(schedule, s->timesteps[i]);
    if (s->karras) {
        /* Between the ends of this grid, not of the training schedule as in the other samplers. */
        cg_grid_karras(sigma[0], sigma[s->calls - 1], s->calls, sigma);
        for (int i = 0; i < s->calls; i++)
            s->timesteps[i] = cg_grid_timestep(schedule, sigma[i]);
    }
    sigma[s->calls] = 0;
    if (!cg_grid_check_sigmas(s, sigma, error))
        return FALSE;
    s->init_sigma = s->spacing == CG_SPACING_LEADING ? sqrt(sigma[0] * sigma[0] + 1) : sigma[0];

    CgLinearStep *plan = s->plan = g_new(CgLinearStep, s->calls);
    for (int i = 0; i < s->calls; i++) {
        double square = sigma[i] * sigma[i], dt = sigma[i + 1] - sigma[i];
        s->signal[i] = 1;
        s->input_scale[i] = 1 / sqrt(square + 1);
        /* x + dt * (x - x_0) / sigma, with x_0 = x - sigma * eps or
         * x_0 = x / (sigma^2 + 1) - v * sigma / sqrt(sigma^2 + 1) */
        if (s->prediction == CG_PREDICTION_V)
            plan[i] = (CgLinearStep){1 + dt * sigma[i] / (square + 1), dt / sqrt(square + 1)};
        else
            plan[i] = (CgLinearStep){1, dt};
    }
    s->signal[s->calls] = 1;
    return TRUE;
}

const CgSamplerFamily cg_euler_family = {
    .name = "euler",
    .karras_name = "euler-karras",
    .summary = "first order in k-diffusion's form",
    .spacing = CG_SPACING_LINSPACE,
    .prepare = prepare,
    .step = cg_sampler_linear_step,
};
