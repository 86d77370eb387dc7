/* DDPM ancestral sampling (Ho et al. 2020, eq. 7), between any two timesteps. */
#include "diffusion/sampler-private.h"

#include <math.h>

static gboolean prepare(CgSampler *s, const CgNoiseSchedule *schedule, GError **error)
{
    if (!cg_grid_timesteps(s, schedule, CG_GRID_WHOLE, error))
        return FALSE;
    cg_sampler_set_levels(s, schedule);

    CgLinearStep *plan = s->plan = g_new(CgLinearStep, s->calls);
    for (int i = 0; i < s->calls; i++) {
        double a = schedule->alpha_bar[(int)s->timesteps[i]];
        double a_p = i + 1 < s->calls ? schedule->alpha_bar[(int)s->timesteps[i + 1]] : 1;
        double alpha = a / a_p, beta = 1 - alpha;

        double of_x0 = sqrt(a_p) * beta / (1 - a);
        double of_x = sqrt(alpha) * (1 - a_p) / (1 - a);
        CgMeaning is = cg_sampler_meaning(s->prediction, sqrt(a), sqrt(1 - a));
        plan[i].x = of_x0 * is.x0_x + of_x;
        plan[i].m = of_x0 * is.x0_m;

        double variance = schedule->variance_large ? beta : (1 - a_p) / (1 - a) * beta;
        if (s->timesteps[i] > 0)
            s->fresh[i] = sqrt(MAX(variance, 1e-20)); /* diffusers' floor */
    }
    return TRUE;
}

const CgSamplerFamily cg_ddpm_family = {
    .name = "ddpm",
    .summary = "ancestral: fresh noise at every step; needs many steps",
    .spacing = CG_SPACING_LEADING,
    .prepare = prepare,
    .step = cg_sampler_linear_step,
};
