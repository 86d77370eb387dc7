/* PNDM without Runge-Kutta start, called PLMS: linear multistep on the network's outputs (Liu et
 * al. 2022, eqs. 9 and 12), as Stable Diffusion 1.5 ships it. The first interval is done twice:
 * once to look, then from the same start with the mean of both outputs, which is the extra call. */
#include "diffusion/sampler-private.h"

#include <math.h>
#include <string.h>

/* e = sum of weight * outputs, newest first; x = x * start + e * e */
typedef struct {
    double weight[4];
    double x, e;
} Step;

enum { PAST = 3, SAVED = 3 }; /* history: three outputs, newest first, and the saved state */

static const double weights[4][4] = {
    {1},
    {3 / 2.0, -1 / 2.0},
    {23 / 12.0, -16 / 12.0, 5 / 12.0},
    {55 / 24.0, -59 / 24.0, 37 / 24.0, -9 / 24.0},
};

/* t_0, t_1, t_1, t_2, ...: the second timestep stands twice. */
static void double_second(CgSampler *s)
{
    if (s->steps < 2)
        return;
    cg_sampler_reserve(s, s->steps + 1);
    memmove(s->timesteps + 2, s->timesteps + 1, (s->steps - 1) * sizeof(double));
}

static gboolean prepare(CgSampler *s, const CgNoiseSchedule *schedule, GError **error)
{
    if (!cg_grid_timesteps(s, schedule, CG_GRID_WHOLE, error))
        return FALSE;
    double_second(s);
    cg_sampler_set_levels(s, schedule);

    Step *plan = s->plan = g_new0(Step, s->calls);
    int delta = schedule->count / s->steps;
    for (int k = 0; k < s->calls; k++) {
        int from = (int)s->timesteps[k], to = from - delta;
        if (k == 1) {
            from += delta;
            to += delta;
        }
        double a = schedule->alpha_bar[from];
        double a_p = cg_sampler_alpha_bar(schedule, to, FALSE);
        double of_x = sqrt(a_p / a);
        double of_e = -(a_p - a) / (a * sqrt(1 - a_p) + sqrt(a * (1 - a) * a_p));

        CgMeaning is = cg_sampler_meaning(s->prediction, sqrt(a), sqrt(1 - a));
        plan[k].x = of_x + of_e * is.eps_x;
        plan[k].e = of_e * is.eps_m;
        if (k == 1)
            plan[k].weight[0] = plan[k].weight[1] = 0.5;
        else
            memcpy(plan[k].weight, weights[k < 2 ? 0 : MIN(k - 1, 3)], sizeof plan[k].weight);
    }
    return TRUE;
}

static void step(CgSampler *s, int k, const float *m, float *x, const float *noise)
{
    (void)noise;
    const Step *c = (const Step *)s->plan + k;
    float **past = s->history, *saved = s->history[SAVED];
    int known = k < 2 ? k : MIN(k - 1, PAST); /* outputs of the past that count */

    if (k == 0)
        memcpy(saved, x, s->count * sizeof(float));
    const float *start = k == 1 ? saved : x;
    for (size_t i = 0; i < s->count; i++) {
        double e = c->weight[0] * m[i];
        for (int j = 0; j < known; j++)
            e += c->weight[j + 1] * past[j][i];
        x[i] = (float)(c->x * start[i] + c->e * e);
    }
    if (k == 1)
        return; /* the second look at the first interval is not remembered */
    float *oldest = past[PAST - 1];
    memmove(past + 1, past, (PAST - 1) * sizeof *past);
    past[0] = oldest;
    memcpy(oldest, m, s->count * sizeof(float));
}

const CgSamplerFamily cg_pndm_family = {
    .name = "pndm",
    .summary = "linear multistep (PLMS), what SD 1.5's file names; one call more than steps",
    .spacing = CG_SPACING_LEADING,
    .history = 4,
    .prepare = prepare,
    .step = step,
};
