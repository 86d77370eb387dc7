#include "pipeline/latent_cache.h"

#include "base/error.h"
#include "base/log.h"

#include <string.h>

#define CHUNK 16 /* pictures at once */

/* Moments of COUNT pictures from FIRST into OUT. */
static gboolean encode(CgContext *cx, const CgVae *vae, const CgPictureCache *pictures,
                       size_t first, int count, gboolean flip, float *out, GError **error)
{
    const int size = pictures->size;
    g_autoptr(CgTensor) x = cg_tensor_new(CG_F32, CG_SHAPE(count, size, size, 3));
    const size_t numbers = x->count / (size_t)count;
    for (int i = 0; i < count; i++)
        cg_picture_cache_get(pictures, first + (size_t)i, flip,
                             cg_tensor_f32(x) + (size_t)i * numbers);
    g_autoptr(CgTensor) moments = cg_vae_encode(cx, vae, x);
    if (!cg_context_ok(cx, error))
        return FALSE;
    memcpy(out, moments->data, cg_tensor_bytes(moments));
    if (cg_tensor_is_finite(moments))
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_NUMERIC,
                "the autoencoder's latents are not finite; its weights may be broken");
    return FALSE;
}

CgLatentCache *cg_latent_cache_new(CgEngine *engine, CgDType dtype, const CgVae *vae,
                                   const CgPictureCache *pictures, gboolean flip, guint64 limit,
                                   GError **error)
{
    const int64_t side = pictures->size / cg_vae_factor(cg_vae_config(vae));
    const int64_t c = 2 * cg_vae_config(vae)->latent_channels;
    const size_t variants = flip ? 2 : 1, one = (size_t)(side * side * c);
    const guint64 bytes = variants * pictures->count * one * sizeof(float);
    if (bytes > limit) {
        g_set_error(error, CG_ERROR, CG_ERROR_MEMORY,
                    "the latents of %zu pictures take %.1f GB of memory, %.1f GB may be taken; "
                    "use fewer pictures or a smaller --size",
                    pictures->count, (double)bytes / 1e9, (double)limit / 1e9);
        return NULL;
    }
    g_autoptr(CgLatentCache) cache = g_new0(CgLatentCache, 1);
    g_autoptr(CgProgress) progress = cg_progress_new("latents", variants * pictures->count);
    CgContext cx;
    gboolean ok = TRUE;
    cg_context_init(&cx, engine, dtype);
    *cache =
        (CgLatentCache){.moments = cg_tensor_new(
                            CG_F32, CG_SHAPE((int64_t)(variants * pictures->count), side, side, c)),
                        .count = pictures->count,
                        .flip = flip};
    for (size_t v = 0; ok && v < variants; v++)
        for (size_t i = 0; ok && i < pictures->count; i += CHUNK) {
            const size_t at = v * pictures->count + i;
            ok = encode(&cx, vae, pictures, i, (int)MIN(CHUNK, pictures->count - i), v == 1,
                        cg_tensor_f32(cache->moments) + at * one, error);
            cg_progress_update(progress, at, NULL);
        }
    cg_context_clear(&cx);
    return ok ? g_steal_pointer(&cache) : NULL;
}

CgLatentCache *cg_latent_cache_blank(const CgVae *vae, size_t count, int size, gboolean flip)
{
    const int64_t side = size / cg_vae_factor(cg_vae_config(vae));
    const int64_t c = 2 * cg_vae_config(vae)->latent_channels;
    const int64_t variants = flip ? 2 : 1;
    CgLatentCache *cache = g_new0(CgLatentCache, 1);
    *cache = (CgLatentCache){
        .moments = cg_tensor_zeros(CG_F32, CG_SHAPE(variants * (int64_t)count, side, side, c)),
        .count = count,
        .flip = flip};
    return cache;
}

void cg_latent_cache_free(CgLatentCache *cache)
{
    if (!cache)
        return;
    cg_tensor_unref(cache->moments);
    g_free(cache);
}

const float *cg_latent_cache_get(const CgLatentCache *cache, size_t i, gboolean flipped)
{
    const size_t one = cache->moments->count / (size_t)cache->moments->shape.d[0];
    g_assert(i < cache->count && (cache->flip || !flipped));
    return cg_tensor_f32(cache->moments) + (i + (flipped ? cache->count : 0)) * one;
}
