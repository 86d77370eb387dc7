#include "synthesis/memseg.h"

#include "image/paste.h"
#include "synthesis/draem.h"
#include "synthesis/perlin.h"

#include <string.h>

#define OPACITY_MIN 0.15
#define CELLS       CG_MEMSEG_CELLS
#define TRIES       100 /* of noise, before the whole object is taken */

/* Where cell I of a side begins. Cells differ by a pixel where CELLS does not divide the side. */
static int cell_begin(int i, int side)
{
    return (int)((gint64)i * side / CELLS);
}

CgImage *cg_memseg_shuffle(const CgImage *image, const int order[CELLS * CELLS])
{
    CgImage *out = cg_image_new(image->width, image->height, image->channels);
    const gsize channels = (gsize)image->channels;
    for (int i = 0; i < CELLS * CELLS; i++) {
        const int x0 = cell_begin(i % CELLS, image->width);
        const int x1 = cell_begin(i % CELLS + 1, image->width);
        const int y0 = cell_begin(i / CELLS, image->height);
        const int y1 = cell_begin(i / CELLS + 1, image->height);
        /* A cell that is a pixel wider than where it comes from begins there a pixel earlier. */
        const int from_x =
            MIN(cell_begin(order[i] % CELLS, image->width), image->width - (x1 - x0));
        const int from_y =
            MIN(cell_begin(order[i] / CELLS, image->height), image->height - (y1 - y0));
        for (int y = 0; y < y1 - y0; y++)
            memcpy(out->pixels + ((gsize)(y0 + y) * (gsize)image->width + (gsize)x0) * channels,
                   image->pixels +
                       ((gsize)(from_y + y) * (gsize)image->width + (gsize)from_x) * channels,
                   (gsize)(x1 - x0) * channels);
    }
    return out;
}

/* The picture itself, changed and in disorder. */
static CgImage *disorder(const CgImage *normal, CgRng *rng, json_t *drawn)
{
    int order[CELLS * CELLS];
    g_autoptr(CgImage) changed =
        cg_draem_texture(normal, normal->width, normal->height, rng, drawn);
    for (int i = 0; i < CELLS * CELLS; i++)
        order[i] = i;
    for (int i = CELLS * CELLS - 1; i > 0; i--) {
        const int k = cg_rng_int(rng, 0, i), other = order[k];
        order[k] = order[i];
        order[i] = other;
    }
    return cg_memseg_shuffle(changed, order);
}

/* Perlin noise on OBJECT; *DRAWS tells how often it was drawn. */
static CgImage *draw_mask(const CgImage *normal, const CgImage *object, CgRng *rng, int *draws)
{
    const CgPerlin perlin = CG_PERLIN_DRAEM;
    const gsize count = (gsize)normal->width * (gsize)normal->height;
    for (*draws = 1; !object || *draws <= TRIES; ++*draws) {
        g_autoptr(CgImage) mask = cg_perlin_mask(&perlin, rng, normal->width, normal->height);
        for (gsize i = 0; object && i < count; i++)
            mask->pixels[i] &= object->pixels[i];
        if (memchr(mask->pixels, 255, count))
            return g_steal_pointer(&mask);
    }
    return cg_image_copy(object);
}

void cg_memseg(const CgImage *normal, const CgImage *object, const CgImage *texture, CgRng *rng,
               CgSynthesis *out)
{
    int draws;
    json_t *drawn = json_array();
    g_autoptr(CgImage) over = NULL;
    if (texture) {
        g_autoptr(CgImage) rgb = cg_image_to_rgb(texture);
        over = cg_image_resize(rgb, normal->width, normal->height);
    } else {
        over = disorder(normal, rng, drawn);
    }
    const double opacity = cg_rng_uniform(rng, OPACITY_MIN, 1);
    out->mask = draw_mask(normal, object, rng, &draws);
    out->image = cg_draem_blend(normal, over, out->mask, 1 - opacity);
    out->parameters = json_pack("{s:s, s:o, s:f, s:i}", "kind", texture ? "texture" : "structure",
                                "augmenters", drawn, "opacity", opacity, "mask_draws", draws);
}
