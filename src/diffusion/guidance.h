/* guidance: how the network's outputs are steered by prompt and control image. */
#ifndef CG_DIFFUSION_GUIDANCE_H
#define CG_DIFFUSION_GUIDANCE_H

#include <glib.h>

/* Classifier-free guidance (Ho and Salimans 2022) runs prompt and negative prompt as one batch of
 * two halves, the unconditional one first. Up to a scale of 1 only the conditional half is run. */
static inline gboolean cg_guidance_is_used(double scale)
{
    return scale > 1;
}

/* OUT = u + SCALE * (c - u) for BOTH = u, then c, of COUNT floats each; the same for outputs that
 * mean eps or v. OUT has COUNT floats and may be BOTH. */
void cg_guidance_combine(const float *both, size_t count, double scale, float *out);

/* TRUE when the ControlNet takes part in call I of CALLS: not (i / calls < START or
 * (i + 1) / calls > END), as diffusers has it. The whole run: 0 and 1. */
gboolean cg_control_is_active(int i, int calls, double start, double end);
/* 0 <= START < END <= 1, or CG_ERROR_USAGE. */
gboolean cg_control_window_check(double start, double end, GError **error);

/* Guess mode: the control leads without a prompt's help, so its COUNT residuals (first block to
 * middle block, 13 in SD 1.5) are weighted SCALE * 10^(-1 + k / (COUNT - 1)), from a tenth to full.
 * It acts on the conditional half only; the unconditional one gets zeros. */
void cg_control_guess_scales(double scale, int count, double *out);

#endif
