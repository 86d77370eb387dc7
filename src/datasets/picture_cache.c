#include "datasets/picture_cache.h"

#include "base/error.h"

#include <string.h>

/* The middle square of the picture at PATH, SIZE pixels a side, RGB. */
static CgImage *load_square(const char *path, int size, GError **error)
{
    g_autoptr(CgImage) image = cg_image_load(path, NULL, error);
    if (!image)
        return NULL;
    const int side = MIN(image->width, image->height);
    const int width = MAX(size, (int)((gint64)image->width * size / side));
    const int height = MAX(size, (int)((gint64)image->height * size / side));
    g_autoptr(CgImage) colour = cg_image_to_rgb(image);
    g_autoptr(CgImage) scaled = cg_image_resize(colour, width, height);
    return cg_image_crop(scaled, (width - size) / 2, (height - size) / 2, size, size);
}

static size_t picture_bytes(int size)
{
    return (size_t)size * (size_t)size * 3;
}

CgPictureCache *cg_picture_cache_new(const char *const *paths, size_t count, int size,
                                     guint64 limit, GError **error)
{
    const guint64 bytes = count * picture_bytes(size);
    if (bytes > limit) {
        g_set_error(error, CG_ERROR, CG_ERROR_MEMORY,
                    "%zu pictures of %d x %d take %.1f GB of memory, %.1f GB may be taken; use "
                    "fewer pictures or a smaller --size",
                    count, size, size, (double)bytes / 1e9, (double)limit / 1e9);
        return NULL;
    }
    g_autoptr(CgPictureCache) cache = g_new0(CgPictureCache, 1);
    g_autofree GError **failures = g_new0(GError *, count);
    gboolean ok = TRUE;
    *cache = (CgPictureCache){count, size, g_malloc(MAX(bytes, 1))};
#pragma omp parallel for schedule(dynamic)
    for (size_t i = 0; i < count; i++) {
        g_autoptr(CgImage) image = load_square(paths[i], size, &failures[i]);
        if (image)
            memcpy(cache->pixels + i * picture_bytes(size), image->pixels, picture_bytes(size));
    }
    for (size_t i = 0; i < count; i++) {
        if (ok && failures[i]) {
            ok = FALSE;
            g_propagate_error(error, g_steal_pointer(&failures[i]));
        }
        g_clear_error(&failures[i]);
    }
    return ok ? g_steal_pointer(&cache) : NULL;
}

void cg_picture_cache_free(CgPictureCache *cache)
{
    if (!cache)
        return;
    g_free(cache->pixels);
    g_free(cache);
}

void cg_picture_cache_get(const CgPictureCache *cache, size_t i, gboolean flip, float *out)
{
    const size_t size = (size_t)cache->size;
    const guint8 *from = cache->pixels + i * picture_bytes(cache->size);
    for (size_t row = 0; row < size; row++)
        for (size_t x = 0; x < size; x++)
            for (size_t c = 0; c < 3; c++)
                out[(row * size + x) * 3 + c] =
                    from[(row * size + (flip ? size - 1 - x : x)) * 3 + c] / 127.5f - 1;
}
