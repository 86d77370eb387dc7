/* latent_cache: what an autoencoder makes of a training's pictures, kept in memory. */
#ifndef CG_PIPELINE_LATENT_CACHE_H
#define CG_PIPELINE_LATENT_CACHE_H

#include "datasets/picture_cache.h"
#include "models/vae.h"

typedef struct {
    CgTensor *moments; /* [variants * count, h, w, 2c]: the pictures, then the flipped ones */
    size_t count;
    gboolean flip;
} CgLatentCache;

/* Moments of all PICTURES; with FLIP also of them with left and right exchanged. CG_ERROR_MEMORY
 * when they would take more than LIMIT bytes. */
CgLatentCache *cg_latent_cache_new(CgEngine *engine, CgDType dtype, const CgVae *vae,
                                   const CgPictureCache *pictures, gboolean flip, guint64 limit,
                                   GError **error);
/* Moments of nothing, for COUNT pictures of SIZE: what planning a training needs. */
CgLatentCache *cg_latent_cache_blank(const CgVae *vae, size_t count, int size, gboolean flip);
void cg_latent_cache_free(CgLatentCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgLatentCache, cg_latent_cache_free)

/* Moments of picture I, [h, w, 2c] numbers; borrowed. */
const float *cg_latent_cache_get(const CgLatentCache *cache, size_t i, gboolean flipped);

#endif
