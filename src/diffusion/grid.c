/* Timestep grids and noise levels, as numpy computes them in diffusers. */
#include "base/error.h"
#include "diffusion/sampler-private.h"

#include <math.h>

static void leading(double *t, int steps, int points, const CgNoiseSchedule *schedule)
{
    int ratio = schedule->count / points;
    for (int k = 0; k < steps; k++)
        t[k] = (double)(points - 1 - k) * ratio + schedule->steps_offset;
}

static void trailing(double *t, int steps, int count)
{
    /* numpy's arange(count, 0, -count/steps) adds up this difference, which rounding makes a little
     * different from the ratio; it decides which way exact halves go. */
    double difference = (count - (double)count / steps) - count;
    for (int k = 0; k < steps; k++)
        t[k] = rint(count + k * difference) - 1;
}

static void linspace(double *t, int steps, int points, int count, gboolean rounded)
{
    double step = points > 1 ? (count - 1.0) / (points - 1) : 0;
    for (int k = 0; k < steps; k++) {
        double value = k == 0 && points > 1 ? count - 1 : (points - 1 - k) * step;
        t[k] = rounded ? rint(value) : value;
    }
}

gboolean cg_grid_timesteps(CgSampler *s, const CgNoiseSchedule *schedule, CgGrid grid,
                           GError **error)
{
    int n = s->steps, points = grid == CG_GRID_SOLVER ? n + 1 : n;
    double *t = s->timesteps;

    if (points == 1 && s->spacing != CG_SPACING_TRAILING) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "%s: 1 step with %s spacing would start next to timestep 0, where there is no "
                    "noise left to remove; use 2 steps or more, or trailing spacing",
                    s->family->name, cg_spacing_name(s->spacing));
        return FALSE;
    }
    if (s->spacing == CG_SPACING_LEADING)
        leading(t, n, points, schedule);
    else if (s->spacing == CG_SPACING_TRAILING)
        trailing(t, n, schedule->count);
    else
        linspace(t, n, points, schedule->count, grid != CG_GRID_FRACTIONAL);

    gboolean falls = TRUE;
    for (int k = 1; k < n; k++)
        falls &= t[k] < t[k - 1];
    if (falls && t[0] <= schedule->count - 1 && t[n - 1] >= 0)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "%s: %d steps with %s spacing (steps_offset %d) do not fit into the %d timesteps "
                "the model was trained for; use fewer steps or trailing spacing",
                s->family->name, n, cg_spacing_name(s->spacing), schedule->steps_offset,
                schedule->count);
    return FALSE;
}

double cg_grid_sigma(const CgNoiseSchedule *schedule, double t)
{
    int low = CLAMP((int)floor(t), 0, schedule->count - 2);
    double w = t - low;
    return schedule->sigma[low] + w * (schedule->sigma[low + 1] - schedule->sigma[low]);
}

double cg_grid_timestep(const CgNoiseSchedule *schedule, double sigma)
{
    int low = 0, high = schedule->count - 1; /* sigma[low] <= sigma < sigma[high] */
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (schedule->sigma[middle] <= sigma)
            low = middle;
        else
            high = middle;
    }
    double from = log(schedule->sigma[low]), to = log(schedule->sigma[high]);
    return low + CLAMP((log(sigma) - from) / (to - from), 0, 1);
}

void cg_grid_karras(double max, double min, int count, double *sigma)
{
    const double rho = 7;
    double first = pow(max, 1 / rho), last = pow(min, 1 / rho);
    for (int k = 0; k < count; k++) {
        double ramp = count > 1 ? (double)k / (count - 1) : 0;
        sigma[k] = pow(first + ramp * (last - first), rho);
    }
}

gboolean cg_grid_check_sigmas(const CgSampler *s, const double *sigma, GError **error)
{
    for (int i = 0; i < s->steps; i++) {
        if (sigma[i] > sigma[i + 1])
            continue;
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "%s: with %d steps the noise does not fall between steps %d and %d; use fewer "
                    "steps",
                    cg_sampler_label(s), s->steps, i + 1, i + 2);
        return FALSE;
    }
    return TRUE;
}

gboolean cg_grid_solver(CgSampler *s, const CgNoiseSchedule *schedule, double *sigma,
                        GError **error)
{
    if (s->karras) {
        cg_grid_karras(schedule->sigma[schedule->count - 1], schedule->sigma[0], s->steps, sigma);
        for (int i = 0; i < s->steps; i++)
            s->timesteps[i] = rint(cg_grid_timestep(schedule, sigma[i]));
    } else {
        if (!cg_grid_timesteps(s, schedule, CG_GRID_SOLVER, error))
            return FALSE;
        for (int i = 0; i < s->steps; i++)
            sigma[i] = schedule->sigma[(int)s->timesteps[i]];
    }
    sigma[s->steps] = 0;
    if (!cg_grid_check_sigmas(s, sigma, error))
        return FALSE;
    for (int i = 0; i <= s->steps; i++) {
        s->signal[i] = 1 / sqrt(1 + sigma[i] * sigma[i]);
        s->noise[i] = sigma[i] * s->signal[i];
    }
    return TRUE;
}
