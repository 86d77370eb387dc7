#include "pipeline/generate.h"

#include "base/log.h"
#include "base/rng.h"
#include "base/system.h"
#include "diffusion/guidance.h"

#include <math.h>

void cg_generate_settings_default(CgGenerateSettings *settings)
{
    *settings = (CgGenerateSettings){.fuse = CG_FUSE_FINAL,
                                     .mask_policy = CG_MASK_MAX,
                                     .paste = CG_PASTE_EXACT,
                                     .paste_band = 8,
                                     .window = CG_WINDOW_AUTO};
    cg_denoise_settings_default(&settings->denoise);
}

void cg_generate_result_clear(CgGenerateResult *result)
{
    g_clear_pointer(&result->image, cg_image_free);
    g_clear_pointer(&result->normal, cg_tensor_unref);
    g_clear_pointer(&result->begin, cg_tensor_unref);
    g_clear_pointer(&result->init, cg_tensor_unref);
    g_clear_pointer(&result->latent, cg_tensor_unref);
    g_clear_pointer(&result->fused, cg_tensor_unref);
}

/* Working pixels are a multiple of a latent cell, and of what the U-Net halves to nothing. */
static int working_side(const CgModel *m, double pixels)
{
    const int cell = cg_vae_factor(cg_vae_config(m->vae));
    const int least = cell * cg_unet_min_side(&m->unet->config);
    const int side = cell * (int)lround(pixels / cell);
    return MAX(side, least);
}

gboolean cg_generate_geometry(const CgModel *m, const CgGenerateSettings *s, const CgImage *mask,
                              CgRect *window, int *width, int *height, GError **error)
{
    const int longest = s->size ? s->size : cg_model_size(m);
    if (mask->width < CG_GENERATE_MIN_SIDE || mask->height < CG_GENERATE_MIN_SIDE) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                    "a picture of %dx%d is too small to generate in; at least %dx%d is needed",
                    mask->width, mask->height, CG_GENERATE_MIN_SIDE, CG_GENERATE_MIN_SIDE);
        return FALSE;
    }
    if (longest > CG_GENERATE_MAX_SIDE) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: made for pictures of %d pixels, more than %d; give a smaller --size",
                    m->path, longest, CG_GENERATE_MAX_SIDE);
        return FALSE;
    }
    if (s->window == CG_WINDOW_FULL)
        *window = (CgRect){0, 0, mask->width, mask->height};
    else
        *window = cg_window_around_mask(mask, longest);
    const double scale = (double)longest / MAX(window->width, window->height);
    *width = working_side(m, scale * window->width);
    *height = working_side(m, scale * window->height);
    return TRUE;
}

static CgImage *crop_and_resize(const CgImage *image, CgRect r, int width, int height,
                                CgImage *(*resize)(const CgImage *, int, int))
{
    g_autoptr(CgImage) part = cg_image_crop(image, r.x, r.y, r.width, r.height);
    if (r.width == width && r.height == height)
        return g_steal_pointer(&part);
    return resize(part, width, height);
}

/* IMAGE's window in the size and the colours that the networks work in. */
static CgImage *working_picture(const CgImage *image, const CgGenerateResult *r)
{
    g_autoptr(CgImage) rgb = cg_image_to_rgb(image);
    return crop_and_resize(rgb, r->window, r->width, r->height, cg_image_resize);
}

/* A seeded standard normal tensor. */
static CgTensor *normals(guint64 seed, guint64 stream, CgShape shape)
{
    CgTensor *t = cg_tensor_new(CG_F32, shape);
    cg_rng_normals(seed, stream, 0, cg_tensor_f32(t), t->count);
    return t;
}

/* What went wrong when T holds NaN or infinity is better told at once than hours later. */
static gboolean check_finite(const CgModel *m, const CgTensor *t, GError **error)
{
    if (cg_tensor_is_finite(t))
        return TRUE;
    g_autofree char *why = cg_model_explain_not_finite(m);
    g_set_error_literal(error, CG_ERROR, CG_ERROR_NUMERIC, why);
    return FALSE;
}

/* z_i of the working picture (eq. 2). */
static CgTensor *encode(CgContext *cx, const CgModel *m, const CgGenerateSettings *s,
                        const CgImage *picture, GError **error)
{
    g_autoptr(CgTensor) image = cg_image_to_tensor(picture);
    g_autoptr(CgTensor) moments =
        s->vae_tiling ? cg_vae_encode_tiled(cx, m->vae, image) : cg_vae_encode(cx, m->vae, image);
    if (!cg_context_ok(cx, error))
        return NULL;
    CgShape shape = moments->shape;
    shape.d[3] = cg_vae_config(m->vae)->latent_channels;
    g_autoptr(CgTensor) noise =
        s->posterior_sample ? normals(s->seed, CG_STREAM(CG_STREAM_POSTERIOR, s->sample), shape)
                            : NULL;
    g_autoptr(CgTensor) z = cg_vae_latent(m->vae, moments, noise);
    return check_finite(m, z, error) ? g_steal_pointer(&z) : NULL;
}

/* D(z) as a picture (eq. 5). */
static CgImage *decode(CgContext *cx, const CgModel *m, gboolean tiling, CgTensor *z,
                       GError **error)
{
    g_autoptr(CgTensor) image =
        tiling ? cg_vae_decode_tiled(cx, m->vae, z) : cg_vae_decode(cx, m->vae, z);
    if (!cg_context_ok(cx, error) || !check_finite(m, image, error))
        return NULL;
    return cg_image_from_tensor(image, 0);
}

/* c_m on the latent grid of the working picture. */
static CgTensor *latent_mask(const CgModel *m, const CgGenerateSettings *s, const CgImage *mask,
                             GError **error)
{
    const int cell = cg_vae_factor(cg_vae_config(m->vae));
    CgMaskFit fit;
    g_autoptr(CgTensor) small =
        cg_mask_to_latent(mask->pixels, mask->height, mask->width, mask->height / cell,
                          mask->width / cell, s->mask_policy, s->soft_mask, &fit);
    if (fit.vanished) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                    "the mask is too thin for the policy \"%s\": nothing of it is left at latent "
                    "size; use --mask-policy max",
                    cg_mask_policy_name(s->mask_policy));
        return NULL;
    }
    if (fit.lost > 0)
        cg_log_detail("%zu of %zu mask pixels are lost at latent size", fit.lost, fit.pixels);
    return g_steal_pointer(&small);
}

static CgTensor *initial_noise(const CgGenerateSettings *s, const CgTensor *init, CgShape shape,
                               GError **error)
{
    if (!init)
        return normals(s->seed, CG_STREAM(CG_STREAM_LATENT, s->sample), shape);
    if (cg_shape_equal(&init->shape, &shape))
        return cg_tensor_copy(init, CG_F32);
    const int64_t *found = init->shape.d, *want = shape.d;
    g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                "the initial latents are [%d, %d, %d, %d]; this picture needs [%d, %d, %d, %d] "
                "(images, channels, rows, columns)",
                (int)found[0], (int)found[3], (int)found[1], (int)found[2], (int)want[0],
                (int)want[3], (int)want[1], (int)want[2]);
    return NULL;
}

/* z_g and z_f into RESULT. */
static gboolean sample_and_fuse(CgDenoiser *d, const CgGenerateSettings *s, CgTensor *control,
                                const CgTensor *mask, CgStepFunction after_step, void *data,
                                CgGenerateResult *r, GError **error)
{
    const CgTensor *z_i = r->normal;
    const CgKnownLatent known = {
        .z_i = z_i, .begin = r->begin, .mask = s->fuse == CG_FUSE_STEP ? mask : NULL};
    r->latent = cg_denoise(d, &s->denoise, r->init, control, &known, s->seed, s->sample, after_step,
                           data, error);
    if (!r->latent)
        return FALSE;
    r->fused = cg_tensor_copy(r->latent, CG_F32);
    if (s->fuse != CG_FUSE_OFF)
        cg_fuse_latents(r->latent, z_i, mask, r->fused);
    return TRUE;
}

static gboolean check_input(const CgGenerateInput *in, GError **error)
{
    const CgImage *normal = in->normal, *mask = in->mask, *begin = in->begin;
    CgRect bounds;
    if (mask->width != normal->width || mask->height != normal->height) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                    "the mask is %dx%d, but the image is %dx%d; resize the mask or pass --fit-mask",
                    mask->width, mask->height, normal->width, normal->height);
        return FALSE;
    }
    if (begin && (begin->width != normal->width || begin->height != normal->height)) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                    "the picture to begin from is %dx%d, but the image is %dx%d", begin->width,
                    begin->height, normal->width, normal->height);
        return FALSE;
    }
    if (!cg_mask_bounds(mask, &bounds)) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "the mask is empty: mark with white where the defect shall be");
        return FALSE;
    }
    return TRUE;
}

/* The latents that are known beforehand, into RESULT: z_i, what is begun from, the noise. */
static gboolean prepare_latents(CgContext *cx, const CgModel *m, const CgGenerateSettings *s,
                                const CgGenerateInput *in, CgGenerateResult *r, GError **error)
{
    g_autoptr(CgImage) picture = working_picture(in->normal, r);
    g_autoptr(CgImage) begin = in->begin ? working_picture(in->begin, r) : NULL;
    return (r->normal = encode(cx, m, s, picture, error)) &&
           (!begin || (r->begin = encode(cx, m, s, begin, error))) &&
           (r->init = initial_noise(s, in->init, r->normal->shape, error));
}

/* D(z) as large as the window. */
static CgImage *decode_window(CgContext *cx, const CgModel *m, const CgGenerateSettings *s,
                              CgTensor *z, const CgGenerateResult *r, GError **error)
{
    g_autoptr(CgImage) image = decode(cx, m, s->vae_tiling, z, error);
    if (!image || (image->width == r->window.width && image->height == r->window.height))
        return g_steal_pointer(&image);
    return cg_image_resize(image, r->window.width, r->window.height);
}

/* GENERATED += detail * (X - D(E(X))). */
static gboolean add_detail(CgContext *cx, const CgModel *m, const CgGenerateSettings *s,
                           const CgGenerateInput *in, const CgGenerateResult *r, CgImage *generated,
                           GError **error)
{
    const CgRect w = r->window;
    g_autoptr(CgImage) rgb = cg_image_to_rgb(in->begin ? in->begin : in->normal);
    g_autoptr(CgImage) whole = cg_image_crop(rgb, w.x, w.y, w.width, w.height);
    g_autoptr(CgImage) known = decode_window(cx, m, s, r->begin ? r->begin : r->normal, r, error);
    if (!known)
        return FALSE;
    const gsize count = (gsize)w.width * (gsize)w.height * 3;
    for (gsize i = 0; i < count; i++) {
        const double lost = (double)whole->pixels[i] - known->pixels[i];
        const double sum = generated->pixels[i] + s->detail * lost;
        generated->pixels[i] = (guint8)lrint(CLAMP(sum, 0, 255));
    }
    return TRUE;
}

gboolean cg_generate(CgDenoiser *d, const CgModel *m, const CgGenerateSettings *s,
                     const CgGenerateInput *in, CgStepFunction after_step, void *data,
                     CgGenerateResult *r, GError **error)
{
    CgContext *cx = cg_denoiser_context(d);
    *r = (CgGenerateResult){0};
    if (!check_input(in, error) ||
        !cg_generate_geometry(m, s, in->mask, &r->window, &r->width, &r->height, error))
        return FALSE;
    g_autoptr(CgImage) small_mask =
        crop_and_resize(in->mask, r->window, r->width, r->height, cg_image_resize_nearest);
    g_autoptr(CgTensor) c_m = latent_mask(m, s, small_mask, error);
    if (!c_m)
        return FALSE;

    double begin = cg_seconds();
    if (!prepare_latents(cx, m, s, in, r, error))
        return FALSE;
    r->seconds_encode = cg_seconds() - begin;

    begin = cg_seconds();
    g_autoptr(CgTensor) control = cg_image_to_control(small_mask);
    if (!sample_and_fuse(d, s, control, c_m, after_step, data, r, error))
        return FALSE;
    r->seconds_sample = cg_seconds() - begin;

    begin = cg_seconds();
    g_autoptr(CgImage) generated = decode_window(cx, m, s, r->fused, r, error);
    if (!generated || (s->detail > 0 && !add_detail(cx, m, s, in, r, generated, error)))
        return FALSE;
    r->seconds_decode = cg_seconds() - begin;
    r->image = cg_paste(in->normal, generated, in->mask, r->window, s->paste, s->paste_band);
    return TRUE;
}

void cg_generate_plan(const CgModel *m, const CgGenerateSettings *s, int width, int height,
                      CgGeneratePlan *plan)
{
    g_autoptr(CgEngine) engine = cg_engine_plan_new();
    CgProfile profile = {0};
    CgContext cx;
    const int cell = cg_vae_factor(cg_vae_config(m->vae));
    const int h = height / cell, w = width / cell;
    const int tile = s->vae_tiling ? cg_vae_config(m->vae)->sample_size : G_MAXINT;
    cg_context_init(&cx, engine, m->dtype);
    cx.profile = &profile;
    cg_denoise_rehearse(&cx, m, cg_guidance_is_used(s->denoise.guidance) ? 2 : 1, h, w);
    plan->step_flops = 0;
    for (int k = 0; k < CG_OP_KINDS; k++)
        plan->step_flops += profile.flops[k];

    profile = (CgProfile){0};
    g_autoptr(CgTensor) image =
        engine->ops->tensor(engine, CG_F32, CG_SHAPE(1, MIN(height, tile), MIN(width, tile), 3));
    g_autoptr(CgTensor) moments = cg_vae_encode(&cx, m->vae, image);
    g_autoptr(CgTensor) latent = cg_vae_latent(m->vae, moments, NULL);
    cg_tensor_unref(cg_vae_decode(&cx, m->vae, latent));
    if (s->detail > 0)
        cg_tensor_unref(cg_vae_decode(&cx, m->vae, latent));
    plan->flops = plan->step_flops * (s->denoise.steps - cg_denoise_skipped(&s->denoise));
    for (int k = 0; k < CG_OP_KINDS; k++)
        plan->flops += profile.flops[k];
    plan->activation_bytes = cg_engine_plan_peak(engine);
    plan->weight_bytes = cg_model_parameter_count(m) * cg_dtype_size(m->dtype);
    cg_context_clear(&cx);
}
