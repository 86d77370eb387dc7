#include "models/vae-private.h"

#include <math.h>

#define LOGVAR_MIN -30.0f
#define LOGVAR_MAX 20.0f

void cg_bind_vae(CgBinder *b, const CgVaeConfig *config)
{
    g_autoptr(CgVae) v = g_new0(CgVae, 1);
    if (config->kind == CG_VAE_KL)
        cg_bind_vae_kl(b, &v->kl, config);
    else
        cg_bind_vae_tiny(b, &v->tiny, config);
}

CgVae *cg_vae_new(const CgBuild *build, const CgVaeConfig *config, GError **error)
{
    g_autoptr(CgVae) v = g_new0(CgVae, 1);
    CgBinder b;
    v->config = *config;
    cg_binder_init(&b, &v->parameters, build);
    if (config->kind == CG_VAE_KL)
        cg_bind_vae_kl(&b, &v->kl, config);
    else
        cg_bind_vae_tiny(&b, &v->tiny, config);
    return cg_binder_finish(&b, error) ? g_steal_pointer(&v) : NULL;
}

void cg_vae_free(CgVae *v)
{
    if (!v)
        return;
    cg_parameter_set_clear(&v->parameters);
    g_free(v);
}

void cg_vae_changed(CgVae *v)
{
    cg_parameter_set_changed(&v->parameters);
}

const CgVaeConfig *cg_vae_config(const CgVae *v)
{
    return &v->config;
}

const CgPackedBytes *cg_vae_packed_bytes(const CgVae *v)
{
    return &v->parameters.packed;
}

guint64 cg_vae_parameter_count(const CgVae *v)
{
    return v->parameters.count;
}

/* The tiny encoder's latent with a log-variance of no spread behind each mean. */
static CgTensor *moments_of_latent(const CgTensor *latent, int c)
{
    CgShape shape = latent->shape;
    shape.d[3] = 2 * c;
    CgTensor *moments = cg_tensor_new(CG_F32, shape);
    float *to = cg_tensor_f32(moments);
    const float *from = cg_tensor_f32(latent);
    for (size_t i = 0; i < latent->count / (size_t)c; i++, from += c, to += 2 * c)
        for (int j = 0; j < c; j++) {
            to[j] = from[j];
            to[c + j] = LOGVAR_MIN;
        }
    return moments;
}

CgTensor *cg_vae_encode(CgContext *cx, const CgVae *v, CgTensor *image)
{
    const int c = v->config.latent_channels;
    if (v->config.kind == CG_VAE_TINY) {
        g_autoptr(CgTensor) latent = cg_vae_tiny_encode(cx, &v->tiny, image);
        CG_SET(latent, cg_cast(cx, latent, CG_F32));
        return moments_of_latent(latent, c);
    }
    CgTensor *moments = cg_vae_kl_encode(cx, &v->kl, &v->config, image);
    CG_SET(moments, cg_cast(cx, moments, CG_F32));
    float *p = cg_tensor_f32(moments);
    for (size_t i = 0; i < moments->count / (size_t)(2 * c); i++, p += 2 * c)
        for (int j = c; j < 2 * c; j++)
            p[j] = p[j] < LOGVAR_MIN ? LOGVAR_MIN : p[j] > LOGVAR_MAX ? LOGVAR_MAX : p[j];
    return moments;
}

CgTensor *cg_vae_latent(const CgVae *v, const CgTensor *moments, const CgTensor *noise)
{
    const int c = v->config.latent_channels;
    const float scale = (float)v->config.scaling_factor;
    CgShape shape = moments->shape;
    shape.d[3] = c;
    CgTensor *latent = cg_tensor_new(CG_F32, shape);
    float *to = cg_tensor_f32(latent);
    const float *from = cg_tensor_f32(moments);
    const float *random = noise ? cg_tensor_f32(noise) : NULL;
    for (size_t i = 0; i < latent->count; i++) {
        const float *mean = from + i / (size_t)c * (size_t)(2 * c) + i % (size_t)c;
        to[i] = scale * (random ? *mean + expf(0.5f * mean[c]) * random[i] : *mean);
    }
    return latent;
}

CgTensor *cg_vae_decode(CgContext *cx, const CgVae *v, CgTensor *latent)
{
    const float scale = (float)(1.0 / v->config.scaling_factor);
    g_autoptr(CgTensor) z = cg_scale(cx, latent, scale);
    CgTensor *image = v->config.kind == CG_VAE_TINY ? cg_vae_tiny_decode(cx, &v->tiny, z)
                                                    : cg_vae_kl_decode(cx, &v->kl, &v->config, z);
    CG_SET(image, cg_cast(cx, image, CG_F32));
    return image;
}
