#include "diffusion/guidance.h"

#include "base/error.h"

#include <math.h>

void cg_guidance_combine(const float *both, size_t count, double scale, float *out)
{
    const float *u = both, *c = both + count;
    for (size_t i = 0; i < count; i++)
        out[i] = (float)(u[i] + scale * ((double)c[i] - u[i]));
}

gboolean cg_control_is_active(int i, int calls, double start, double end)
{
    return !((double)i / calls < start || (i + 1.0) / calls > end);
}

gboolean cg_control_window_check(double start, double end, GError **error)
{
    if (start >= 0 && start < end && end <= 1)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "control from %g to %g of the steps makes no sense: start must be 0 or more, end 1 "
                "or less, and start before end",
                start, end);
    return FALSE;
}

void cg_control_guess_scales(double scale, int count, double *out)
{
    for (int k = 0; k < count; k++)
        out[k] = scale * pow(10, count > 1 ? -1 + (double)k / (count - 1) : 0);
}
