#include "pipeline/denoise.h"

#include "base/log.h"
#include "base/rng.h"
#include "base/system.h"
#include "diffusion/guidance.h"

#include <string.h>

struct CgDenoiser {
    const CgModel *model;
    CgContext cx;
    char *prompt_key; /* what the caches below were made for */
    CgTextCache unet_text, control_text;
};

/* One run's moving parts. */
typedef struct {
    CgDenoiser *d;
    const CgDenoiseSettings *settings;
    CgSampler *sampler;
    CgTensor *hint;  /* NULL: no control */
    CgTensor *x;     /* the state [1, h, w, c] */
    CgTensor *input; /* what the network sees [n, h, w, c] */
    int n;           /* 2 with guidance */
} Run;

void cg_denoise_settings_default(CgDenoiseSettings *settings)
{
    *settings = (CgDenoiseSettings){.prompt = "",
                                    .negative_prompt = "",
                                    .sampler = CG_SAMPLER_DDIM,
                                    .steps = 50,
                                    .strength = 1,
                                    .guidance = 7.5,
                                    .control_scale = 1,
                                    .control_start = 0,
                                    .control_end = 1};
}

CgDenoiser *cg_denoiser_new(const CgModel *model)
{
    CgDenoiser *d = g_new0(CgDenoiser, 1);
    d->model = model;
    cg_context_init(&d->cx, model->engine, model->dtype);
    return d;
}

static void clear_prompt(CgDenoiser *d)
{
    cg_text_cache_clear(&d->unet_text);
    cg_text_cache_clear(&d->control_text);
    g_clear_pointer(&d->prompt_key, g_free);
}

void cg_denoiser_free(CgDenoiser *d)
{
    if (!d)
        return;
    clear_prompt(d);
    cg_context_clear(&d->cx);
    g_free(d);
}

CgContext *cg_denoiser_context(CgDenoiser *d)
{
    return &d->cx;
}

static gboolean frame_prompt(const CgModel *m, const char *prompt, gint32 *frame, GError **error)
{
    size_t dropped = 0;
    if (!cg_tokenizer_frame_text(m->tokenizer, prompt, frame, &dropped, error))
        return FALSE;
    if (dropped > 0)
        cg_log_warning("the prompt \"%.40s%s\" has %zu tokens too many; they are ignored", prompt,
                       strlen(prompt) > 40 ? "..." : "", dropped);
    return TRUE;
}

gboolean cg_denoiser_use_text(CgDenoiser *d, const CgTensor *states, gboolean guess_mode,
                              GError **error)
{
    const CgModel *m = d->model;
    const int64_t n = states->shape.d[0];
    clear_prompt(d);
    g_autoptr(CgTensor) text = cg_tensor_copy(states, d->cx.dtype);
    cg_unet_prepare(&d->cx, m->unet, text, &d->unet_text);
    if (m->controlnet) {
        /* In guess mode the ControlNet sees the conditional half only. */
        g_autoptr(CgTensor) seen =
            guess_mode ? cg_tensor_rows(text, n - 1, 1) : cg_tensor_ref(text);
        cg_controlnet_prepare_text(&d->cx, m->controlnet, seen, &d->control_text);
    }
    return cg_context_ok(&d->cx, error);
}

/* The prompts' states and everything made of them; kept while prompts stay the same. */
static gboolean prepare_prompt(CgDenoiser *d, const CgDenoiseSettings *s, GError **error)
{
    const CgModel *m = d->model;
    const int n = cg_guidance_is_used(s->guidance) ? 2 : 1;
    if (!s->prompt)
        return TRUE;
    g_autofree char *key = g_strdup_printf("%d %d %d\n%s\n%s", n, s->guess_mode, s->clip_skip,
                                           s->prompt, n == 2 ? s->negative_prompt : "");
    if (g_strcmp0(key, d->prompt_key) == 0)
        return TRUE;
    const int length = cg_tokenizer_length(m->tokenizer);
    g_autofree gint32 *ids = g_new(gint32, 2 * (size_t)length);
    if ((n == 2 && !frame_prompt(m, s->negative_prompt, ids, error)) ||
        !frame_prompt(m, s->prompt, ids + (n - 1) * length, error))
        return FALSE;
    g_autoptr(CgTensor) states =
        cg_clip_text_forward(&d->cx, m->text, ids, n, length, s->clip_skip);
    if (!cg_context_ok(&d->cx, error) || !cg_denoiser_use_text(d, states, s->guess_mode, error))
        return FALSE;
    d->prompt_key = g_steal_pointer(&key);
    return TRUE;
}

/* The ControlNet's residuals with their scales set. */
static void run_controlnet(const Run *run, double t, CgControlResiduals *residuals)
{
    CgDenoiser *d = run->d;
    const CgDenoiseSettings *s = run->settings;
    g_autoptr(CgTensor) input =
        s->guess_mode ? cg_tensor_rows(run->input, run->n - 1, 1) : cg_tensor_ref(run->input);
    cg_controlnet_forward(&d->cx, d->model->controlnet, input, &t, 1, &d->control_text, run->hint,
                          residuals);
    if (s->guess_mode)
        cg_control_guess_scales(s->control_scale, residuals->count + 1, residuals->scale);
    else
        for (int k = 0; k <= residuals->count; k++)
            residuals->scale[k] = s->control_scale;
}

/* The network's output for the state, guidance applied -> [n, h, w, c] whose first sample counts.
 */
static CgTensor *predict(const Run *run, int i)
{
    CgDenoiser *d = run->d;
    const CgDenoiseSettings *s = run->settings;
    const double t = cg_sampler_timestep(run->sampler, i);
    const size_t count = run->x->count;
    CgControlResiduals residuals = {0};
    cg_sampler_scale_input(run->sampler, i, cg_tensor_f32(run->x), cg_tensor_f32(run->input));
    if (run->n == 2)
        memcpy(cg_tensor_f32(run->input) + count, run->input->data, count * sizeof(float));
    const gboolean control = run->hint && cg_control_is_active(i, cg_sampler_calls(run->sampler),
                                                               s->control_start, s->control_end);
    if (control)
        run_controlnet(run, t, &residuals);
    CgTensor *out = cg_unet_forward(&d->cx, d->model->unet, run->input, &t, 1, &d->unet_text,
                                    control ? &residuals : NULL);
    cg_control_residuals_clear(&residuals);
    if (run->n == 2 && !d->cx.error)
        cg_guidance_combine(cg_tensor_f32(out), count, s->guidance, cg_tensor_f32(out));
    return out;
}

static gboolean check_finite(const CgModel *m, const CgTensor *t, GError **error)
{
    if (cg_tensor_is_finite(t))
        return TRUE;
    g_autofree char *why = cg_model_explain_not_finite(m);
    g_set_error_literal(error, CG_ERROR, CG_ERROR_NUMERIC, why);
    return FALSE;
}

/* Step I: the state goes from call I to call I + 1. */
static gboolean step(const Run *run, int i, const CgKnownLatent *known, const CgTensor *eps,
                     float *noise, guint64 seed, guint32 sample, GError **error)
{
    g_autoptr(CgTensor) out = predict(run, i);
    if (!cg_context_ok(&run->d->cx, error) || !check_finite(run->d->model, out, error))
        return FALSE;
    if (cg_sampler_needs_noise(run->sampler, i))
        cg_rng_normals(seed, CG_STREAM(CG_STREAM_STEP, sample), (guint64)i * run->x->count, noise,
                       run->x->count);
    cg_sampler_step(run->sampler, i, cg_tensor_f32(out), cg_tensor_f32(run->x), noise);
    if (known && known->mask)
        cg_fuse_step(run->sampler, i, known->z_i, known->mask, eps, run->x);
    return TRUE;
}

static gboolean run_steps(Run *run, const CgTensor *eps, const CgKnownLatent *known, guint64 seed,
                          guint32 sample, CgStepFunction after_step, void *data, GError **error)
{
    const int calls = cg_sampler_calls(run->sampler);
    const int skipped = cg_denoise_skipped(run->settings);
    g_autofree float *noise = g_new(float, run->x->count);
    cg_sampler_begin_at(run->sampler, run->x->count, skipped);
    for (int i = skipped; i < calls; i++) {
        if (!step(run, i, known, eps, noise, seed, sample, error))
            return FALSE;
        if (after_step && !after_step(data, i - skipped + 1, calls - skipped)) {
            g_set_error_literal(error, CG_ERROR, CG_ERROR_CANCELLED, "stopped");
            return FALSE;
        }
    }
    return TRUE;
}

int cg_denoise_skipped(const CgDenoiseSettings *s)
{
    return s->steps - MIN((int)((double)s->steps * s->strength), s->steps);
}

/* Samplers that look back at earlier steps can't begin in the middle. */
static gboolean check_strength(const CgDenoiseSettings *s, const CgSampler *sampler, GError **error)
{
    const int skipped = cg_denoise_skipped(s);
    if (!(s->strength > 0 && s->strength <= 1) || skipped == s->steps) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "strength %g of %d steps leaves none; above 0 to 1, and one step at least",
                    s->strength, s->steps);
        return FALSE;
    }
    if (skipped > 0 && cg_sampler_looks_back(sampler)) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "strength below 1 works with the samplers ddim, ddpm and euler, not with %s",
                    cg_sampler_name(s->sampler));
        return FALSE;
    }
    return TRUE;
}

gboolean cg_denoise_check(const CgModel *m, const CgDenoiseSettings *s, GError **error)
{
    if (s->prompt && (s->clip_skip < 0 || s->clip_skip >= m->text->config.layers)) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "clip skip %d: 0 to %d are possible",
                    s->clip_skip, m->text->config.layers - 1);
        return FALSE;
    }
    if (!cg_control_window_check(s->control_start, s->control_end, error))
        return FALSE;
    g_autoptr(CgSampler) sampler =
        cg_sampler_new(m->schedule, s->sampler, s->steps, &s->sampler_options, error);
    return sampler && check_strength(s, sampler, error);
}

/* X = the state before the first call that is made. */
static void begin_state(const CgSampler *sampler, const CgDenoiseSettings *s, const CgTensor *eps,
                        const CgKnownLatent *known, CgTensor *x)
{
    const int skipped = cg_denoise_skipped(s);
    double signal = 0, noise = cg_sampler_init_sigma(sampler);
    if (skipped > 0)
        cg_sampler_level(sampler, skipped, &signal, &noise);
    const CgTensor *from = skipped == 0 ? NULL : known->begin ? known->begin : known->z_i;
    for (size_t i = 0; i < x->count; i++) {
        const float e = (float)noise * cg_tensor_f32(eps)[i];
        cg_tensor_f32(x)[i] = from ? (float)signal * cg_tensor_f32(from)[i] + e : e;
    }
}

CgTensor *cg_denoise(CgDenoiser *d, const CgDenoiseSettings *s, const CgTensor *eps,
                     CgTensor *control, const CgKnownLatent *known, guint64 seed, guint32 sample,
                     CgStepFunction after_step, void *data, GError **error)
{
    const CgModel *m = d->model;
    if (!cg_denoise_check(m, s, error))
        return NULL;
    g_autoptr(CgSampler) sampler =
        cg_sampler_new(m->schedule, s->sampler, s->steps, &s->sampler_options, error);
    if (!sampler || !prepare_prompt(d, s, error))
        return NULL;
    const gboolean controlled = m->controlnet && control && s->control_scale != 0;
    g_autoptr(CgTensor) hint =
        controlled ? cg_controlnet_prepare_hint(&d->cx, m->controlnet, control) : NULL;
    g_autoptr(CgTensor) x = cg_tensor_copy(eps, CG_F32);
    CgShape shape = eps->shape;
    shape.d[0] = cg_guidance_is_used(s->guidance) ? 2 : 1;
    g_autoptr(CgTensor) input = cg_tensor_new(CG_F32, shape);
    begin_state(sampler, s, eps, known, x);
    Run run = {.d = d,
               .settings = s,
               .sampler = sampler,
               .hint = hint,
               .x = x,
               .input = input,
               .n = (int)shape.d[0]};
    if (!run_steps(&run, eps, known, seed, sample, after_step, data, error))
        return NULL;
    return g_steal_pointer(&x);
}

void cg_denoise_rehearse(CgContext *cx, const CgModel *m, int n, int h, int w)
{
    const CgUnetConfig *config = &m->unet->config;
    const double t = 1;
    CgTextCache text, control_text;
    CgControlResiduals residuals = {0};
    g_autoptr(CgTensor) states = cx->engine->ops->tensor(
        cx->engine, cx->dtype, CG_SHAPE(n, cg_tokenizer_length(m->tokenizer), config->text_width));
    g_autoptr(CgTensor) latent =
        cx->engine->ops->tensor(cx->engine, CG_F32, CG_SHAPE(n, h, w, config->in_channels));
    cg_unet_prepare(cx, m->unet, states, &text);
    if (m->controlnet) {
        g_autoptr(CgTensor) hint =
            cx->engine->ops->tensor(cx->engine, cx->dtype, CG_SHAPE(1, h, w, config->channels[0]));
        cg_controlnet_prepare_text(cx, m->controlnet, states, &control_text);
        cg_controlnet_forward(cx, m->controlnet, latent, &t, 1, &control_text, hint, &residuals);
        cg_text_cache_clear(&control_text);
    }
    cg_tensor_unref(
        cg_unet_forward(cx, m->unet, latent, &t, 1, &text, m->controlnet ? &residuals : NULL));
    cg_control_residuals_clear(&residuals);
    cg_text_cache_clear(&text);
}
