#include "diffusion/sampler.h"

#include "base/error.h"
#include "diffusion/sampler-private.h"
#include "diffusion/schedule-private.h"

#include <math.h>
#include <string.h>

static const CgSamplerFamily *const families[CG_SAMPLER_COUNT] = {
    [CG_SAMPLER_DDIM] = &cg_ddim_family,      [CG_SAMPLER_DDPM] = &cg_ddpm_family,
    [CG_SAMPLER_DPMPP_2M] = &cg_dpmpp_family, [CG_SAMPLER_EULER] = &cg_euler_family,
    [CG_SAMPLER_PNDM] = &cg_pndm_family,      [CG_SAMPLER_UNIPC] = &cg_unipc_family,
};

const char *cg_sampler_name(CgSamplerKind kind)
{
    return families[kind]->name;
}

const char *cg_sampler_summary(CgSamplerKind kind)
{
    return families[kind]->summary;
}

gboolean cg_sampler_parse(const char *text, CgSamplerKind *kind, CgKarras *karras, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (int i = 0; i < CG_SAMPLER_COUNT; i++) {
        const CgSamplerFamily *family = families[i];
        gboolean with_karras = family->karras_name && !strcmp(text, family->karras_name);
        if (!strcmp(text, family->name) || with_karras) {
            *kind = i;
            if (with_karras)
                *karras = CG_KARRAS_ON;
            return TRUE;
        }
        g_string_append_printf(names, "%s%s", i > 0 ? ", " : "", family->name);
        if (family->karras_name)
            g_string_append_printf(names, ", %s", family->karras_name);
    }
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "there is no sampler \"%.60s\"; there are %s",
                text, names->str);
    return FALSE;
}

static gboolean check_options(const CgNoiseSchedule *schedule, CgSamplerKind kind, int steps,
                              const CgSamplerOptions *options, GError **error)
{
    const CgSamplerFamily *family = families[kind];
    if (steps < 1 || steps > schedule->count) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "%d sampling steps, but there must be 1 to %d, the timesteps the model was "
                    "trained for",
                    steps, schedule->count);
        return FALSE;
    }
    if (!(options->eta >= 0 && options->eta <= 1)) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "eta is %g, but must be 0 to 1", options->eta);
        return FALSE;
    }
    if (options->eta > 0 && kind != CG_SAMPLER_DDIM) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "sampler %s has no eta; only ddim has",
                    family->name);
        return FALSE;
    }
    if (options->karras == CG_KARRAS_ON && !family->karras_name) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "sampler %s has no Karras noise levels; dpmpp-2m, euler and unipc have",
                    family->name);
        return FALSE;
    }
    return cg_scheduler_config_check(schedule, kind, error);
}

CgSampler *cg_sampler_new(const CgNoiseSchedule *schedule, CgSamplerKind kind, int steps,
                          const CgSamplerOptions *options, GError **error)
{
    static const CgSamplerOptions defaults;
    if (!options)
        options = &defaults;
    if (!check_options(schedule, kind, steps, options, error))
        return NULL;

    g_autoptr(CgSampler) s = g_new0(CgSampler, 1);
    s->kind = kind;
    s->family = families[kind];
    s->prediction = schedule->prediction;
    s->steps = steps;
    s->eta = options->eta;
    s->init_sigma = 1;
    s->spacing = options->spacing ? options->spacing : schedule->spacing;
    if (s->spacing == CG_SPACING_AUTO)
        s->spacing = s->family->spacing;
    s->karras = options->karras == CG_KARRAS_AUTO ? schedule->karras && s->family->karras_name
                                                  : options->karras == CG_KARRAS_ON;
    cg_sampler_reserve(s, steps);
    return s->family->prepare(s, schedule, error) ? g_steal_pointer(&s) : NULL;
}

void cg_sampler_reserve(CgSampler *s, int calls)
{
    s->calls = calls;
    s->timesteps = g_renew(double, s->timesteps, calls);
    s->signal = g_renew(double, s->signal, calls + 1);
    s->noise = g_renew(double, s->noise, calls + 1);
    s->input_scale = g_renew(double, s->input_scale, calls);
    s->fresh = g_renew(double, s->fresh, calls);
    for (int i = 0; i < calls; i++) {
        s->input_scale[i] = 1;
        s->fresh[i] = 0;
    }
}

void cg_sampler_free(CgSampler *s)
{
    if (!s)
        return;
    g_free(s->timesteps);
    g_free(s->signal);
    g_free(s->noise);
    g_free(s->input_scale);
    g_free(s->fresh);
    g_free(s->plan);
    for (int k = 0; k < CG_SAMPLER_MAX_HISTORY; k++)
        g_free(s->history[k]);
    g_free(s);
}

double cg_sampler_alpha_bar(const CgNoiseSchedule *schedule, int t, gboolean to_one)
{
    if (t >= 0)
        return schedule->alpha_bar[t];
    if (schedule->set_alpha_to_one >= 0)
        to_one = schedule->set_alpha_to_one;
    return to_one ? 1 : schedule->alpha_bar[0];
}

void cg_sampler_set_levels(CgSampler *s, const CgNoiseSchedule *schedule)
{
    for (int i = 0; i <= s->calls; i++) {
        double a = i < s->calls ? schedule->alpha_bar[(int)s->timesteps[i]] : 1;
        s->signal[i] = sqrt(a);
        s->noise[i] = sqrt(1 - a);
    }
}

CgMeaning cg_sampler_meaning(CgPrediction prediction, double signal, double noise)
{
    if (prediction == CG_PREDICTION_V)
        return (CgMeaning){signal, -noise, noise, signal};
    return (CgMeaning){1 / signal, -noise / signal, 0, 1};
}

CgSamplerKind cg_sampler_kind(const CgSampler *s)
{
    return s->kind;
}

const char *cg_sampler_label(const CgSampler *s)
{
    return s->karras ? s->family->karras_name : s->family->name;
}

CgSpacing cg_sampler_spacing(const CgSampler *s)
{
    return s->spacing;
}

int cg_sampler_calls(const CgSampler *s)
{
    return s->calls;
}

double cg_sampler_timestep(const CgSampler *s, int i)
{
    g_assert(i >= 0 && i < s->calls);
    return s->timesteps[i];
}

double cg_sampler_init_sigma(const CgSampler *s)
{
    return s->init_sigma;
}

void cg_sampler_level(const CgSampler *s, int i, double *signal, double *noise)
{
    g_assert(i >= 0 && i <= s->calls);
    *signal = s->signal[i];
    *noise = s->noise[i];
}

gboolean cg_sampler_needs_noise(const CgSampler *s, int i)
{
    g_assert(i >= 0 && i < s->calls);
    return s->fresh[i] > 0;
}

gboolean cg_sampler_looks_back(const CgSampler *s)
{
    return s->family->history > 0;
}

void cg_sampler_begin(CgSampler *s, size_t count)
{
    cg_sampler_begin_at(s, count, 0);
}

void cg_sampler_begin_at(CgSampler *s, size_t count, int first)
{
    g_assert(first == 0 || (first < s->calls && !cg_sampler_looks_back(s)));
    s->next = first;
    s->count = count;
    if (count <= s->room)
        return;
    for (int k = 0; k < s->family->history; k++) {
        g_free(s->history[k]);
        s->history[k] = g_new(float, count);
    }
    s->room = count;
}

void cg_sampler_scale_input(const CgSampler *s, int i, const float *x, float *out)
{
    g_assert(i >= 0 && i < s->calls);
    double scale = s->input_scale[i];
    if (scale == 1) {
        if (out != x)
            memcpy(out, x, s->count * sizeof(float));
        return;
    }
    for (size_t e = 0; e < s->count; e++)
        out[e] = (float)(scale * x[e]);
}

void cg_sampler_step(CgSampler *s, int i, const float *model_output, float *x, const float *noise)
{
    g_assert(i == s->next && i < s->calls && s->count > 0);
    g_assert(noise || !cg_sampler_needs_noise(s, i));
    s->family->step(s, i, model_output, x, noise);
    s->next++;
}

void cg_sampler_linear_step(CgSampler *s, int i, const float *m, float *x, const float *noise)
{
    const CgLinearStep *c = (const CgLinearStep *)s->plan + i;
    if (s->fresh[i] > 0) {
        for (size_t e = 0; e < s->count; e++)
            x[e] = (float)(c->x * x[e] + c->m * m[e] + s->fresh[i] * noise[e]);
    } else {
        for (size_t e = 0; e < s->count; e++)
            x[e] = (float)(c->x * x[e] + c->m * m[e]);
    }
}
