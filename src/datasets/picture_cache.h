/* picture_cache: all pictures of a training in memory, at one size.
 *
 * Pictures are scaled by their shorter side and cut to the middle square. They are kept as bytes:
 * 3 * size^2 each.
 */
#ifndef CG_DATASETS_PICTURE_CACHE_H
#define CG_DATASETS_PICTURE_CACHE_H

#include "image/image.h"

typedef struct {
    size_t count;
    int size;
    guint8 *pixels; /* [count, size, size, 3] */
} CgPictureCache;

/* Loads PATHS [COUNT] by all threads. CG_ERROR_MEMORY when they would take more than LIMIT bytes,
 * before any is read; otherwise the error of the first picture that cannot be read. */
CgPictureCache *cg_picture_cache_new(const char *const *paths, size_t count, int size,
                                     guint64 limit, GError **error);
void cg_picture_cache_free(CgPictureCache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgPictureCache, cg_picture_cache_free)

/* Picture I as [size, size, 3] in [-1, 1] (x / 127.5 - 1), left and right exchanged with FLIP. */
void cg_picture_cache_get(const CgPictureCache *cache, size_t i, gboolean flip, float *out);

#endif
