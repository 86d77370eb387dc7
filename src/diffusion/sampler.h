/* sampler: from noise to a latent, step by step.
 *
 *     g_autoptr(CgSampler) s = cg_sampler_new(schedule, CG_SAMPLER_DDIM, 50, NULL, error);
 *     cg_sampler_begin(s, count);                          // count = n * h * w * c floats
 *     x = standard normal * cg_sampler_init_sigma(s);
 *     for (int i = 0; i < cg_sampler_calls(s); i++) {
 *         cg_sampler_scale_input(s, i, x, input);
 *         model_output = network(input, cg_sampler_timestep(s, i)), guidance combined;
 *         cg_sampler_step(s, i, model_output, x, noise);
 *     }
 *
 * All coefficients are worked out in float64 when the sampler is made; a step only multiplies and
 * adds, elementwise, so one sampler serves any batch of samples, in any layout. The state stays
 * float32. What the file of the schedule says about a sampler (spacing, steps_offset,
 * set_alpha_to_one, use_karras_sigmas) holds unless the options say otherwise.
 *
 * Every kind equals the diffusers class of its name (0.42) to rounding, with these
 * exceptions where that class goes wrong: "trailing" grids have exactly as many timesteps as asked
 * for (its floating-point range has one more, -1, for 62 of the step counts up to 1000, 61 the
 * first); Karras grids on a squaredcos_cap_v2 schedule round dpmpp-2m's timesteps to the nearest
 * instead of cutting them; and where its float32 tables tip the rounding of a Karras timestep, ours
 * is one off (for 21 of the step counts up to 200, 18 the first).
 */
#ifndef CG_DIFFUSION_SAMPLER_H
#define CG_DIFFUSION_SAMPLER_H

#include "diffusion/schedule.h"

typedef enum {
    CG_SAMPLER_DDIM,     /* Song et al. 2021, with eta */
    CG_SAMPLER_DDPM,     /* ancestral sampling, Ho et al. 2020 */
    CG_SAMPLER_DPMPP_2M, /* DPM-Solver++(2M), midpoint, Lu et al. 2022 */
    CG_SAMPLER_EULER,    /* the probability flow ODE in k-diffusion's form, Karras et al. 2022 */
    CG_SAMPLER_PNDM,     /* linear multistep (PLMS) without Runge-Kutta start, as SD 1.5 ships it */
    CG_SAMPLER_UNIPC,    /* UniPC order 2, bh2, with corrector, Zhao et al. 2023 */
    CG_SAMPLER_COUNT,
} CgSamplerKind;

typedef enum { CG_KARRAS_AUTO, CG_KARRAS_OFF, CG_KARRAS_ON } CgKarras;

typedef struct {
    double eta;        /* ddim only: 0 deterministic .. 1 as noisy as ddpm */
    CgKarras karras;   /* Karras et al.'s noise levels: dpmpp-2m, euler, unipc. AUTO: as the
                        * schedule's file says, where the sampler has them */
    CgSpacing spacing; /* AUTO: the schedule's; if that has none, leading for ddim, ddpm and pndm,
                        * linspace for the others */
} CgSamplerOptions;

/* "ddim", "ddpm", "dpmpp-2m", "euler", "pndm", "unipc" */
const char *cg_sampler_name(CgSamplerKind kind);
/* One line about it for --help. */
const char *cg_sampler_summary(CgSamplerKind kind);
/* TEXT is a name; also "dpmpp-2m-karras", "euler-karras" and "unipc-karras", which set *KARRAS to
 * ON (otherwise it stays as it is). CG_ERROR_USAGE with the list of names. */
gboolean cg_sampler_parse(const char *text, CgSamplerKind *kind, CgKarras *karras, GError **error);
/* The sampler that the schedule's file names; FALSE when it names none or one we do not have. */
gboolean cg_noise_schedule_sampler(const CgNoiseSchedule *schedule, CgSamplerKind *kind);

typedef struct CgSampler CgSampler;

/* STEPS 1 .. schedule->count. OPTIONS NULL: all zero. SCHEDULE may go afterwards.
 *
 * CG_ERROR_USAGE: options that make no sense: too many steps, eta outside 0..1 or for another
 * sampler, a grid that runs past the last timestep or repeats one (1000 leading steps with offset
 * 1), one step of a grid that would start near t = 0 (leading, linspace).
 * CG_ERROR_UNSUPPORTED: the schedule's file asks this sampler for something it cannot do. */
CgSampler *cg_sampler_new(const CgNoiseSchedule *schedule, CgSamplerKind kind, int steps,
                          const CgSamplerOptions *options, GError **error);
void cg_sampler_free(CgSampler *sampler);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgSampler, cg_sampler_free)

CgSamplerKind cg_sampler_kind(const CgSampler *sampler);
/* As cg_sampler_parse reads it: "euler-karras" when those levels are in use. */
const char *cg_sampler_label(const CgSampler *sampler);
CgSpacing cg_sampler_spacing(const CgSampler *sampler);
/* Calls of the network: the steps, and one more for pndm (unless it has one step). */
int cg_sampler_calls(const CgSampler *sampler);
/* The timestep to give the network at call I; fractional for euler. */
double cg_sampler_timestep(const CgSampler *sampler, int i);
/* Standard deviation of the first state; 1 but for euler. */
double cg_sampler_init_sigma(const CgSampler *sampler);
/* The state before call I is SIGNAL * x_0 + NOISE * eps for a clean sample x_0; I = calls is the
 * end: 1 and 0. What mixing a known image into the state needs. */
void cg_sampler_level(const CgSampler *sampler, int i, double *signal, double *noise);
/* TRUE when step I wants fresh standard normals (ddim with eta > 0, ddpm). */
gboolean cg_sampler_needs_noise(const CgSampler *sampler, int i);

/* Forgets the past and makes room for states of COUNT floats; the memory stays for the next run,
 * steps allocate none. */
void cg_sampler_begin(CgSampler *sampler, size_t count);
/* The same for calls from FIRST on, which only samplers that do not look back can do. */
void cg_sampler_begin_at(CgSampler *sampler, size_t count, int first);
/* TRUE when a step needs what earlier ones left behind (dpmpp-2m, pndm, unipc). */
gboolean cg_sampler_looks_back(const CgSampler *sampler);
/* OUT = the network's input for state X: X / sqrt(sigma^2 + 1) for euler, X itself otherwise. OUT
 * may be X. */
void cg_sampler_scale_input(const CgSampler *sampler, int i, const float *x, float *out);
/* Takes the state X from call I to I + 1, in place. MODEL_OUTPUT is what the network said about
 * scale_input(X); NOISE is needed when cg_sampler_needs_noise says so, ignored otherwise. Calls go
 * in order from the first. */
void cg_sampler_step(CgSampler *sampler, int i, const float *model_output, float *x,
                     const float *noise);

#endif
