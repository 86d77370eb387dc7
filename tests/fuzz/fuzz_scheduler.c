/* Any bytes as scheduler_config.json, and what is accepted through every sampler. */
#include "diffusion/sampler.h"

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size);

int LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgNoiseSchedule) schedule =
        cg_noise_schedule_parse((const char *)data, size, "fuzz", &error);
    g_assert(schedule || error);
    for (CgSamplerKind kind = 0; schedule && kind < CG_SAMPLER_COUNT; kind++) {
        g_autoptr(GError) refused = NULL;
        g_autoptr(CgSampler) s = cg_sampler_new(schedule, kind, 5, NULL, &refused);
        g_assert(s || refused);
        if (!s)
            continue;
        float x = (float)cg_sampler_init_sigma(s), m = 0.5f, z = 1;
        cg_sampler_begin(s, 1);
        for (int i = 0; i < cg_sampler_calls(s); i++) {
            double t = cg_sampler_timestep(s, i);
            g_assert(t >= 0 && t <= schedule->count - 1);
            cg_sampler_step(s, i, &m, &x, &z);
        }
    }
    return 0;
}
