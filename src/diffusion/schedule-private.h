/* What schedule.c and scheduler_config.c share. */
#ifndef CG_DIFFUSION_SCHEDULE_PRIVATE_H
#define CG_DIFFUSION_SCHEDULE_PRIVATE_H

#include "diffusion/sampler.h"
#include "diffusion/schedule.h"

/* Where the betas come from. */
typedef struct {
    enum { CG_BETA_LINEAR, CG_BETA_SCALED_LINEAR, CG_BETA_SQUAREDCOS, CG_BETA_TRAINED } kind;
    double start, end;
    double *trained; /* [count] for CG_BETA_TRAINED, else NULL; g_free */
} CgBetaRecipe;

/* Fills S and RECIPE from s->config, all of its keys checked; no tables yet. */
gboolean cg_scheduler_config_read(CgNoiseSchedule *s, CgBetaRecipe *recipe, GError **error);
/* Checks the keys of s->config that only samplers of KIND read. */
gboolean cg_scheduler_config_check(const CgNoiseSchedule *s, CgSamplerKind kind, GError **error);
/* Fills the tables of S, whose other fields are set. */
gboolean cg_noise_schedule_build(CgNoiseSchedule *s, const CgBetaRecipe *recipe, GError **error);

#endif
