/* schedule: how much noise each training timestep carries.
 *
 *     x_t = sqrt(alpha_bar[t]) * x_0 + sqrt(1 - alpha_bar[t]) * eps,    t = 0 .. count - 1
 *
 * Read from a model's scheduler/scheduler_config.json, in which diffusers describes both the noise
 * and one of its samplers. Which sampler runs is the caller's choice (sampler.h); the file's keys
 * carry over as in diffusers' from_config: a key that is there holds for every sampler that knows
 * it, a key that is not there means the default of the sampler chosen.
 *
 * Everything is checked. A value that we do not implement, a key or a class that we do not know is
 * an error that names it, never ignored: a file's wrong word gives plausible but wrong pictures.
 * (Keys only for samplers other than the one chosen are looked at when that one is created.)
 *
 * Tables are float64; diffusers builds them in float32 and differs by up to 8e-7 relative.
 */
#ifndef CG_DIFFUSION_SCHEDULE_H
#define CG_DIFFUSION_SCHEDULE_H

#include "base/json.h"

#include <glib.h>

/* Largest num_train_timesteps that we accept; real models have 1000. */
#define CG_SCHEDULE_MAX_COUNT 100000

/* What the network's output means. */
typedef enum {
    CG_PREDICTION_EPSILON, /* the noise (SD 1.5) */
    CG_PREDICTION_V,       /* v = sqrt(alpha_bar) * eps - sqrt(1 - alpha_bar) * x_0 */
} CgPrediction;

/* How a sampler picks its timesteps out of 0 .. count - 1. */
typedef enum {
    CG_SPACING_AUTO, /* not stated: the sampler's own default */
    CG_SPACING_LEADING,
    CG_SPACING_TRAILING,
    CG_SPACING_LINSPACE,
} CgSpacing;

typedef struct {
    int count; /* training timesteps; 2 .. CG_SCHEDULE_MAX_COUNT */
    CgPrediction prediction;
    CgSpacing spacing;
    int steps_offset;        /* added to "leading" grids; 0 .. count - 1 */
    int set_alpha_to_one;    /* alpha_bar "before" t = 0 is 1, not alpha_bar[0]; -1: not stated */
    gboolean karras;         /* use_karras_sigmas */
    gboolean zero_snr;       /* rescale_betas_zero_snr: alpha_bar[count - 1] is 0 */
    gboolean variance_large; /* DDPM's variance_type: "fixed_large" instead of "fixed_small" */
    double *beta;            /* [count] */
    double *alpha_bar;       /* [count], strictly falling; alphas_cumprod */
    /* [count] sqrt((1 - alpha_bar) / alpha_bar), strictly rising: the "sigma" of k-diffusion. With
     * zero_snr the last one is that of alpha_bar 2^-24, as in diffusers, so that it is finite; on
     * some schedules it lies below its neighbour. */
    double *sigma;
    char *class_name; /* the file's _class_name, or NULL */
    char *where;      /* the file's path, for messages */
    json_t *config;   /* the file, for the keys of single samplers; NULL for the default */
} CgNoiseSchedule;

/* Stable Diffusion 1.5's, for checkpoints that bring none: betas 0.00085..0.012 "scaled_linear",
 * 1000 timesteps, epsilon, steps_offset 1, set_alpha_to_one false. */
CgNoiseSchedule *cg_noise_schedule_default(void);
/* From the file PATH (scheduler_config.json). Keys that are absent mean diffusers' defaults, with
 * one exception: clip_sample, which is false (diffusers' DDIM and DDPM classes say true, its Stable
 * Diffusion pipelines override that: latents are not bounded). */
CgNoiseSchedule *cg_noise_schedule_load(const char *path, GError **error);
/* The same from SIZE bytes of text; WHERE names them in messages. */
CgNoiseSchedule *cg_noise_schedule_parse(const char *text, size_t size, const char *where,
                                         GError **error);
void cg_noise_schedule_free(CgNoiseSchedule *schedule);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgNoiseSchedule, cg_noise_schedule_free)

/* "epsilon", "v_prediction" */
const char *cg_prediction_name(CgPrediction prediction);
/* "leading", "trailing", "linspace"; "auto" */
const char *cg_spacing_name(CgSpacing spacing);
gboolean cg_spacing_parse(const char *text, CgSpacing *spacing);

/* Forward process. Sample k of N holds SIZE floats and has timestep T[k]:
 * OUT = sqrt(alpha_bar[t]) * X0 + sqrt(1 - alpha_bar[t]) * NOISE. OUT may be X0 or NOISE. */
void cg_noise_schedule_add_noise(const CgNoiseSchedule *schedule, const int *t, size_t n,
                                 size_t size, const float *x0, const float *noise, float *out);
/* What the network has to predict for the x_t above: NOISE, or
 * v = sqrt(alpha_bar[t]) * NOISE - sqrt(1 - alpha_bar[t]) * X0, by schedule->prediction. */
void cg_noise_schedule_target(const CgNoiseSchedule *schedule, const int *t, size_t n, size_t size,
                              const float *x0, const float *noise, float *out);

/* Signal to noise ratio alpha_bar / (1 - alpha_bar). */
double cg_noise_schedule_snr(const CgNoiseSchedule *schedule, int t);
/* Min-SNR-gamma loss weight (Hang et al. 2023; gamma 5): min(snr, gamma) / snr for epsilon,
 * min(snr, gamma) / (snr + 1) for v. */
double cg_noise_schedule_min_snr_weight(const CgNoiseSchedule *schedule, int t, double gamma);

#endif
