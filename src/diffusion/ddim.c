/* DDIM (Song et al. 2021, eqs. 12 and 16). */
#include "diffusion/sampler-private.h"

#include <math.h>

static gboolean prepare(CgSampler *s, const CgNoiseSchedule *schedule, GError **error)
{
    if (!cg_grid_timesteps(s, schedule, CG_GRID_WHOLE, error))
        return FALSE;
    cg_sampler_set_levels(s, schedule);

    CgLinearStep *plan = s->plan = g_new(CgLinearStep, s->calls);
    for (int i = 0; i < s->calls; i++) {
        /* The step's end is this far below t for every spacing, wherever the next timestep is. */
        int t = (int)s->timesteps[i], previous = t - schedule->count / s->steps;
        double a = schedule->alpha_bar[t];
        double a_p = cg_sampler_alpha_bar(schedule, previous, TRUE);
        double variance = MAX((1 - a_p) / (1 - a) * (1 - a / a_p), 0);

        /* x = sqrt(a_p) * x_0 + sqrt(1 - a_p - sigma^2) * eps + sigma * z */
        double sigma = s->eta * sqrt(variance);
        double direction = sqrt(MAX(1 - a_p - sigma * sigma, 0));
        CgMeaning is = cg_sampler_meaning(s->prediction, sqrt(a), sqrt(1 - a));
        plan[i].x = sqrt(a_p) * is.x0_x + direction * is.eps_x;
        plan[i].m = sqrt(a_p) * is.x0_m + direction * is.eps_m;
        s->fresh[i] = sigma;
    }
    return TRUE;
}

const CgSamplerFamily cg_ddim_family = {
    .name = "ddim",
    .summary = "deterministic, or noisy with eta; the reference",
    .spacing = CG_SPACING_LEADING,
    .prepare = prepare,
    .step = cg_sampler_linear_step,
};
