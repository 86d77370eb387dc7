#include "pipeline/score.h"

#include "base/error.h"

#include <math.h>

gboolean cg_scores_check(const CgScoreRules *rules, const CgGenerateSettings *settings,
                         GError **error)
{
    if ((!rules->obedience && rules->min_obedience <= 0) || settings->fuse != CG_FUSE_STEP)
        return TRUE;
    g_set_error_literal(error, CG_ERROR, CG_ERROR_USAGE,
                        "--obedience is measured before fusion; with --fuse step there is no such "
                        "picture (--min-change works)");
    return FALSE;
}

static CgImage *decode(CgContext *cx, const CgModel *m, CgTensor *latent, GError **error)
{
    g_autoptr(CgTensor) image = cg_vae_decode(cx, m->vae, latent);
    return cg_context_ok(cx, error) ? cg_image_from_tensor(image, 0) : NULL;
}

gboolean cg_score_pictures(CgDenoiser *d, const CgModel *m, const CgGenerateSettings *s,
                           const CgGenerateResult *r, CgImage **generated, CgImage **unmasked,
                           GError **error)
{
    CgContext *cx = cg_denoiser_context(d);
    g_autoptr(CgTensor) empty = cg_tensor_zeros(CG_F32, CG_SHAPE(1, r->height, r->width, 3));
    const CgKnownLatent known = {.z_i = r->normal, .begin = r->begin};
    g_autoptr(CgTensor) latent =
        cg_denoise(d, &s->denoise, r->init, empty, &known, s->seed, s->sample, NULL, NULL, error);
    g_autoptr(CgImage) without = latent ? decode(cx, m, latent, error) : NULL;
    *generated = without ? decode(cx, m, r->latent, error) : NULL;
    if (!*generated)
        return FALSE;
    *unmasked = g_steal_pointer(&without);
    return TRUE;
}

static gboolean measure_obedience(CgDenoiser *d, const CgModel *m, const CgGenerateSettings *s,
                                  const CgImage *mask, const CgGenerateResult *r, CgScores *scores,
                                  GError **error)
{
    const CgRect w = r->window;
    g_autoptr(CgImage) part = cg_image_crop(mask, w.x, w.y, w.width, w.height);
    g_autoptr(CgImage) small = cg_image_resize_nearest(part, r->width, r->height);
    CgImage *generated = NULL, *unmasked = NULL;
    CgRect bounds;
    if (!cg_mask_bounds(small, &bounds) || cg_mask_area(small) == 1)
        return TRUE; /* nothing inside, or nothing outside: undefined */
    const gboolean ok =
        cg_score_pictures(d, m, s, r, &generated, &unmasked, error) &&
        cg_obedience_measure(unmasked, small, generated, cg_vae_factor(cg_vae_config(m->vae)), 0,
                             &scores->obedience, error);
    cg_image_free(generated);
    cg_image_free(unmasked);
    scores->has_obedience = ok;
    return ok;
}

gboolean cg_scores_measure(CgDenoiser *d, const CgModel *m, const CgGenerateSettings *s,
                           const CgImage *normal, const CgImage *mask, const CgGenerateResult *r,
                           const CgScoreRules *rules, CgScores *scores, GError **error)
{
    *scores = (CgScores){.change = cg_image_rms(normal, r->image, mask)};
    return (!rules->obedience && rules->min_obedience <= 0) ||
           measure_obedience(d, m, s, mask, r, scores, error);
}

char *cg_scores_reason(const CgScores *s, const CgScoreRules *rules)
{
    if (rules->min_change > 0 && !(s->change >= rules->min_change))
        return g_strdup_printf("change %.1f in the mask, less than %g", s->change,
                               rules->min_change);
    if (rules->min_obedience > 0 && s->has_obedience &&
        !(s->obedience.obedience >= rules->min_obedience))
        return g_strdup_printf("obedience %.2f, less than %g", s->obedience.obedience,
                               rules->min_obedience);
    return NULL;
}

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *cg_scores_to_json(const CgScores *s)
{
    const CgObedience *o = &s->obedience;
    json_t *object = json_pack("{s:o}", "change", number(s->change));
    if (s->has_obedience)
        json_object_update_new(object,
                               json_pack("{s:o, s:o, s:o, s:o}", "obedience", number(o->obedience),
                                         "share", number(o->share), "coverage", number(o->coverage),
                                         "outside_change", number(o->outside_rms)));
    return object;
}
