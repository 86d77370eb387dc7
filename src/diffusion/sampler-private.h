/* What the samplers share: one file per family fills a CgSampler's plan and steps along it. */
#ifndef CG_DIFFUSION_SAMPLER_PRIVATE_H
#define CG_DIFFUSION_SAMPLER_PRIVATE_H

#include "diffusion/sampler.h"

/* A family of samplers. */
typedef struct {
    const char *name, *karras_name; /* karras_name NULL: has no Karras levels */
    const char *summary;
    CgSpacing spacing; /* its default */
    int history;       /* buffers of the state's size that a step uses */
    /* Fills timesteps, sigmas and plan for s->steps, s->spacing, s->karras, s->eta. */
    gboolean (*prepare)(CgSampler *s, const CgNoiseSchedule *schedule, GError **error);
    void (*step)(CgSampler *s, int i, const float *m, float *x, const float *noise);
} CgSamplerFamily;

#define CG_SAMPLER_MAX_HISTORY 4

struct CgSampler {
    CgSamplerKind kind;
    const CgSamplerFamily *family;
    CgPrediction prediction;
    CgSpacing spacing; /* never AUTO */
    gboolean karras;
    double eta;
    int steps, calls;
    double init_sigma;
    double *timesteps;      /* [calls] */
    double *signal, *noise; /* [calls + 1]: see cg_sampler_level */
    double *input_scale;    /* [calls] */
    double *fresh;          /* [calls] standard deviation of the noise that a step adds */
    void *plan;             /* [calls] coefficients, a struct of the family's own */
    int next;               /* the call that must come next */
    size_t count;           /* floats of the state; 0 before begin */
    size_t room;            /* floats that the history has room for */
    float *history[CG_SAMPLER_MAX_HISTORY]; /* [count] each; newest first, or as the family says */
};

extern const CgSamplerFamily cg_ddim_family, cg_ddpm_family, cg_dpmpp_family, cg_euler_family,
    cg_pndm_family, cg_unipc_family;

/* Gives S room for CALLS timesteps and levels. */
void cg_sampler_reserve(CgSampler *s, int calls);

/* s->steps descending timesteps in s->timesteps; checked to be strictly falling and inside the
 * schedule.
 * whole: rounded to integers (ddim, ddpm, pndm); fractional: linspace is not rounded (euler);
 * solver: made for steps + 1 points of which the last is dropped (dpmpp-2m, unipc). */
typedef enum { CG_GRID_WHOLE, CG_GRID_FRACTIONAL, CG_GRID_SOLVER } CgGrid;
gboolean cg_grid_timesteps(CgSampler *s, const CgNoiseSchedule *schedule, CgGrid grid,
                           GError **error);

/* Noise level at the (fractional) timestep T: linear between the table's entries. */
double cg_grid_sigma(const CgNoiseSchedule *schedule, double t);
/* The inverse, linear in log sigma; fractional, clamped to the table. */
double cg_grid_timestep(const CgNoiseSchedule *schedule, double sigma);
/* COUNT levels from MAX down to MIN, evenly spaced in sigma^(1/7) (Karras et al. 2022, eq. 5). */
void cg_grid_karras(double max, double min, int count, double *sigma);
/* CG_ERROR_USAGE unless the steps + 1 levels SIGMA fall strictly. */
gboolean cg_grid_check_sigmas(const CgSampler *s, const double *sigma, GError **error);
/* Sets s->timesteps and, for each call and the end (sigma 0), s->signal and s->noise of the state
 * alpha * x_0 + alpha * sigma * eps, for dpmpp-2m and unipc. SIGMA gets the calls + 1 levels. */
gboolean cg_grid_solver(CgSampler *s, const CgNoiseSchedule *schedule, double *sigma,
                        GError **error);

/* alpha_bar at whole timestep T; "before" the first one it is 1 or alpha_bar[0], as the schedule's
 * set_alpha_to_one says, or TO_ONE when it does not. */
double cg_sampler_alpha_bar(const CgNoiseSchedule *schedule, int t, gboolean to_one);
/* Sets signal and noise from alpha_bar at the timesteps (ddim, ddpm, pndm). */
void cg_sampler_set_levels(CgSampler *s, const CgNoiseSchedule *schedule);

/* What the network's output m says about the state x: x_0 = x0_x * x + x0_m * m and
 * eps = eps_x * x + eps_m * m, the state being signal * x_0 + noise * eps. */
typedef struct {
    double x0_x, x0_m, eps_x, eps_m;
} CgMeaning;
CgMeaning cg_sampler_meaning(CgPrediction prediction, double signal, double noise);

/* The plan of samplers without a past (ddim, ddpm, euler): x = x * X + m * M + fresh * noise. */
typedef struct {
    double x, m;
} CgLinearStep;
void cg_sampler_linear_step(CgSampler *s, int i, const float *m, float *x, const float *noise);

#endif
