#include "synthesis/draem.h"

#include "image/paste.h"
#include "synthesis/perlin.h"
#include "synthesis/texture_augment.h"

#define BETA_MAX  0.8
#define AUGMENTED 3

CgImage *cg_draem_blend(const CgImage *normal, const CgImage *texture, const CgImage *mask,
                        double beta)
{
    const gsize pixels = (gsize)normal->width * (gsize)normal->height;
    const gsize channels = (gsize)normal->channels;
    CgImage *out = cg_image_copy(normal);
    g_autoptr(CgImage) over = channels == 1 ? cg_image_to_grey(texture) : cg_image_to_rgb(texture);
    for (gsize i = 0; i < pixels; i++)
        for (gsize k = i * channels; mask->pixels[i] && k < (i + 1) * channels; k++)
            out->pixels[k] =
                (guint8)(beta * normal->pixels[k] + (1 - beta) * over->pixels[k] + 0.5);
    return out;
}

CgImage *cg_draem_texture(const CgImage *texture, int width, int height, CgRng *rng, json_t *drawn)
{
    int kinds[CG_TEXTURE_AUGMENTS];
    g_autoptr(CgImage) rgb = cg_image_to_rgb(texture);
    CgImage *out = cg_image_resize(rgb, width, height);
    for (int i = 0; i < CG_TEXTURE_AUGMENTS; i++)
        kinds[i] = i;
    for (int i = 0; i < AUGMENTED; i++) {
        const int k = cg_rng_int(rng, i, CG_TEXTURE_AUGMENTS - 1), kind = kinds[k];
        kinds[k] = kinds[i];
        const CgTextureAugment a = cg_texture_augment_draw((CgTextureAugmentKind)kind, rng);
        cg_texture_augment_apply(&a, out);
        json_array_append_new(drawn, cg_texture_augment_to_json(&a));
    }
    return out;
}

void cg_draem(const CgImage *normal, const CgImage *texture, CgRng *rng, CgSynthesis *out)
{
    const CgPerlin perlin = CG_PERLIN_DRAEM;
    json_t *drawn = json_array();
    g_autoptr(CgImage) over = cg_draem_texture(texture, normal->width, normal->height, rng, drawn);
    const double beta = cg_rng_uniform(rng, 0, BETA_MAX);
    int draws = 0;
    do {
        cg_image_free(out->mask);
        out->mask = cg_perlin_mask(&perlin, rng, normal->width, normal->height);
        draws++;
    } while (cg_mask_area(out->mask) == 0);
    out->image = cg_draem_blend(normal, over, out->mask, beta);
    out->parameters =
        json_pack("{s:o, s:f, s:i}", "augmenters", drawn, "beta", beta, "mask_draws", draws);
}
