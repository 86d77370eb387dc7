/* denoise: the sampling loop (stage 2 of the paper up to z_g): from noise to a latent, led by a
 * prompt and a mask.
 *
 * What does not depend on the timestep is computed once: the prompt's states with the keys and
 * values of every transformer (kept for the next image with the same prompt), the control image's
 * embedding. Guidance runs as one batch of two.
 */
#ifndef CG_PIPELINE_DENOISE_H
#define CG_PIPELINE_DENOISE_H

#include "diffusion/fusion.h"
#include "pipeline/model.h"

typedef struct {
    const char *prompt; /* NULL: the states given to cg_denoiser_use_text */
    const char *negative_prompt;
    int clip_skip; /* 0: the last layer's states */
    CgSamplerKind sampler;
    CgSamplerOptions sampler_options;
    int steps;
    double strength;      /* share of the steps, the last ones; below 1 needs z_i */
    double guidance;      /* guidance scale; up to 1: off */
    double control_scale; /* 0: no control */
    double control_start, control_end;
    gboolean guess_mode;
} CgDenoiseSettings;

/* The paper says nothing of these; they are diffusers' defaults: DDIM, 50 steps, guidance 7.5,
 * control scale 1 all along, strength 1. */
void cg_denoise_settings_default(CgDenoiseSettings *settings);

/* What a run knows of the normal image. */
typedef struct {
    const CgTensor *z_i;   /* [1, h, w, c] its latent; strength below 1 begins from it .. */
    const CgTensor *begin; /* .. or from this one in its place; NULL: z_i */
    const CgTensor
        *mask; /* [h, w] c_m, for --fuse step: where it is 0, z_i stays; NULL: no fusion */
} CgKnownLatent;

/* Called after each step; FALSE stops the run with CG_ERROR_CANCELLED. */
typedef gboolean (*CgStepFunction)(void *data, int step, int steps);

typedef struct CgDenoiser CgDenoiser;
CgDenoiser *cg_denoiser_new(const CgModel *model);
void cg_denoiser_free(CgDenoiser *d);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgDenoiser, cg_denoiser_free)
/* The context that it computes in: for encoding and decoding beside it. */
CgContext *cg_denoiser_context(CgDenoiser *d);

/* Text states from elsewhere in place of a prompt: STATES [n, t, text_width] f32, n = 2 with the
 * unconditional ones first when guidance is used, else 1. GUESS_MODE as in the settings to come. */
gboolean cg_denoiser_use_text(CgDenoiser *d, const CgTensor *states, gboolean guess_mode,
                              GError **error);

/* What can be said against SETTINGS with this model before anything is computed. */
gboolean cg_denoise_check(const CgModel *model, const CgDenoiseSettings *settings, GError **error);

/* The calls of the network that SETTINGS leave out of STEPS at the beginning: steps - floor(steps *
 * strength), as diffusers' image-to-image pipelines count. */
int cg_denoise_skipped(const CgDenoiseSettings *settings);

/* EPS [1, h, w, c] standard normal: x_T before the sampler's scaling. With strength below 1 the run
 * begins from z_i with that much of EPS as the first timestep left has (SDEdit, Meng et al. 2022).
 * CONTROL [1, 8h, 8w, 3] in [0, 1] and KNOWN are nullable. SEED and SAMPLE choose the noise of
 * stochastic samplers. -> z_g [1, h, w, c], f32, scaled units. */
CgTensor *cg_denoise(CgDenoiser *d, const CgDenoiseSettings *settings, const CgTensor *eps,
                     CgTensor *control, const CgKnownLatent *known, guint64 seed, guint32 sample,
                     CgStepFunction after_step, void *data, GError **error);

/* One pass of all networks at latent size H x W in CX (usually of the plan engine): what a step
 * costs. N is 2 with guidance. */
void cg_denoise_rehearse(CgContext *cx, const CgModel *model, int n, int h, int w);

#endif
