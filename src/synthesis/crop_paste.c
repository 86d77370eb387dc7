#include "synthesis/crop_paste.h"

#include "synthesis/warp.h"

#include <math.h>

#define SCALE_MIN 0.7
#define SCALE_MAX 1.3
#define CONTEXT   2 /* pixels around the defect that gradients at its edge are taken from */
#define ON_OBJECT 0.9

/* The defect and a little around it, in RECT of its picture. */
static CgRect grown_bounds(const CgImage *mask)
{
    CgRect r = {0, 0, mask->width, mask->height};
    cg_mask_bounds(mask, &r);
    const int left = MAX(r.x - CONTEXT, 0), top = MAX(r.y - CONTEXT, 0);
    const int right = MIN(r.x + r.width + CONTEXT, mask->width);
    const int bottom = MIN(r.y + r.height + CONTEXT, mask->height);
    return (CgRect){left, top, right - left, bottom - top};
}

/* The largest scale at which W x H turned by DEGREES fits into the picture. */
static double largest_scale(const CgImage *normal, int w, int h, double degrees)
{
    const double angle = degrees * G_PI / 180, co = fabs(cos(angle)), si = fabs(sin(angle));
    return MIN(normal->width / (co * w + si * h), normal->height / (si * w + co * h));
}

/* PATCH where it is INSIDE, NORMAL at AT in its corners: a source for pasting there. */
static CgImage *lay(const CgImage *normal, const CgImage *patch, const CgImage *inside, CgRect at)
{
    CgImage *out = cg_image_crop(normal, at.x, at.y, at.width, at.height);
    g_autoptr(CgImage) same =
        normal->channels == 1 ? cg_image_to_grey(patch) : cg_image_to_rgb(patch);
    const gsize channels = (gsize)normal->channels;
    for (gsize i = 0; i < (gsize)at.width * (gsize)at.height; i++)
        for (gsize c = 0; inside->pixels[i] && c < channels; c++)
            out->pixels[i * channels + c] = same->pixels[i * channels + c];
    return out;
}

/* The mask where the patch's mask lies; never empty: a thin one shrunk to nothing leaves the
 * patch's centre. */
static CgImage *lay_mask(const CgImage *normal, const CgImage *patch_mask, const CgImage *inside,
                         int x, int y)
{
    CgImage *out = cg_image_new(normal->width, normal->height, 1);
    gboolean any = FALSE;
    for (int v = 0; v < patch_mask->height; v++)
        for (int u = 0; u < patch_mask->width; u++) {
            const gsize from = (gsize)v * (gsize)patch_mask->width + (gsize)u;
            if (!inside->pixels[from] || patch_mask->pixels[from] < 128)
                continue;
            out->pixels[(gsize)(y + v) * (gsize)out->width + (gsize)(x + u)] = 255;
            any = TRUE;
        }
    if (!any)
        out->pixels[(gsize)(y + patch_mask->height / 2) * (gsize)out->width +
                    (gsize)(x + patch_mask->width / 2)] = 255;
    return out;
}

/* Share of PATCH_MASK that lies on OBJECT with its corner at (X, Y). */
static double share_on(const CgImage *object, const CgImage *patch_mask, int x, int y)
{
    gsize on = 0, all = 0;
    for (int v = 0; v < patch_mask->height; v++)
        for (int u = 0; u < patch_mask->width; u++) {
            if (patch_mask->pixels[(gsize)v * (gsize)patch_mask->width + (gsize)u] < 128)
                continue;
            all++;
            on += object->pixels[(gsize)(y + v) * (gsize)object->width + (gsize)(x + u)] != 0;
        }
    return all ? (double)on / (double)all : 1;
}

/* Where PATCH_MASK is put. */
static CgRect draw_place(const CgImage *normal, const CgImage *object, const CgImage *patch_mask,
                         CgRng *rng)
{
    CgRect best = {0, 0, patch_mask->width, patch_mask->height};
    double most = -1;
    for (int i = 0; i < CG_CROP_PASTE_PLACES && most < ON_OBJECT; i++) {
        const int x = cg_rng_int(rng, 0, MAX(0, normal->width - patch_mask->width));
        const int y = cg_rng_int(rng, 0, MAX(0, normal->height - patch_mask->height));
        const double share = object ? share_on(object, patch_mask, x, y) : 1;
        if (share <= most)
            continue;
        most = share;
        best.x = x;
        best.y = y;
    }
    return best;
}

void cg_crop_paste(const CgImage *normal, const CgImage *object, const CgImage *defect,
                   const CgImage *defect_mask, CgPasteMode blend, CgRng *rng, CgSynthesis *out)
{
    const CgRect r = grown_bounds(defect_mask);
    const double degrees = cg_rng_uniform(rng, 0, 360);
    const double drawn = exp(cg_rng_uniform(rng, log(SCALE_MIN), log(SCALE_MAX)));
    const double scale = MIN(drawn, largest_scale(normal, r.width, r.height, degrees));
    g_autoptr(CgImage) cut = cg_image_crop(defect, r.x, r.y, r.width, r.height);
    g_autoptr(CgImage) cut_mask = cg_image_crop(defect_mask, r.x, r.y, r.width, r.height);
    g_autoptr(CgImage) inside = NULL;
    g_autoptr(CgImage) same = NULL;
    g_autoptr(CgImage) patch = cg_warp_expand(cut, degrees, scale, FALSE, &inside);
    g_autoptr(CgImage) patch_mask = cg_warp_expand(cut_mask, degrees, scale, FALSE, &same);
    const CgRect at = draw_place(normal, object, patch_mask, rng);
    g_autoptr(CgImage) laid = lay(normal, patch, inside, at);
    out->mask = lay_mask(normal, patch_mask, inside, at.x, at.y);
    out->image = cg_paste(normal, laid, out->mask, at, blend, 0);
    out->parameters = json_pack("{s:[i, i, i, i], s:f, s:f, s:[i, i], s:s}", "source", r.x, r.y,
                                r.width, r.height, "angle", degrees, "scale", scale, "at", at.x,
                                at.y, "blend", cg_paste_mode_name(blend));
}
