#include "synthesis/cutpaste.h"

#include "synthesis/colour.h"
#include "synthesis/warp.h"

#include <math.h>
#include <string.h>

#define AREA_MIN       0.02
#define AREA_MAX       0.15
#define ASPECT_MIN     0.3
#define SCAR_SIDE      256.0 /* the picture side that a scar's pixels refer to */
#define SCAR_WIDTH_MIN 2.0
#define SCAR_WIDTH_MAX 16.0
#define SCAR_LONG_MIN  10.0
#define SCAR_LONG_MAX  25.0
#define SCAR_ANGLE     45.0
#define JITTER         0.1

/* Pillow's Image.blend of two values: truncated, clipped beyond the ends. */
static guint8 blend(int from, int to, float weight)
{
    const float v = (float)from + weight * (float)(to - from);
    return v <= 0 ? 0 : v >= 255 ? 255 : (guint8)v;
}

/* All values blended with FROM. */
static void jitter_from(CgImage *image, int from, double factor)
{
    const gsize size = (gsize)image->width * (gsize)image->height * (gsize)image->channels;
    guint8 table[256];
    for (int v = 0; v < 256; v++)
        table[v] = blend(from, v, (float)factor);
    for (gsize i = 0; i < size; i++)
        image->pixels[i] = table[image->pixels[i]];
}

static void jitter_brightness(CgImage *image, double factor)
{
    jitter_from(image, 0, factor);
}

static void jitter_contrast(CgImage *image, double factor)
{
    const gsize pixels = (gsize)image->width * (gsize)image->height;
    g_autoptr(CgImage) grey = cg_image_to_grey(image);
    guint64 sum = 0;
    for (gsize i = 0; i < pixels; i++)
        sum += grey->pixels[i];
    jitter_from(image, (int)((double)sum / (double)pixels + 0.5), factor);
}

static void jitter_saturation(CgImage *image, double factor)
{
    const gsize pixels = (gsize)image->width * (gsize)image->height;
    if (image->channels == 1)
        return;
    g_autoptr(CgImage) grey = cg_image_to_grey(image);
    for (gsize i = 0; i < 3 * pixels; i++)
        image->pixels[i] = blend(grey->pixels[i / 3], image->pixels[i], (float)factor);
}

static void jitter_hue(CgImage *image, double turns)
{
    const gsize pixels = (gsize)image->width * (gsize)image->height;
    if (image->channels == 1 || turns == 0)
        return;
    cg_colour_from_rgb(CG_COLOUR_HSV_PILLOW, image->pixels, pixels);
    for (gsize i = 0; i < pixels; i++)
        image->pixels[3 * i] = (guint8)(image->pixels[3 * i] + (int)(turns * 255));
    cg_colour_to_rgb(CG_COLOUR_HSV_PILLOW, image->pixels, pixels);
}

CgColourJitter cg_colour_jitter_draw(CgRng *rng)
{
    CgColourJitter j = {.order = {0, 1, 2, 3}};
    for (int i = 3; i > 0; i--) {
        const int k = cg_rng_int(rng, 0, i), other = j.order[k];
        j.order[k] = j.order[i];
        j.order[i] = other;
    }
    j.brightness = cg_rng_uniform(rng, 1 - JITTER, 1 + JITTER);
    j.contrast = cg_rng_uniform(rng, 1 - JITTER, 1 + JITTER);
    j.saturation = cg_rng_uniform(rng, 1 - JITTER, 1 + JITTER);
    j.hue = cg_rng_uniform(rng, -JITTER, JITTER);
    return j;
}

void cg_colour_jitter_apply(const CgColourJitter *jitter, CgImage *image)
{
    for (int i = 0; i < 4; i++)
        switch (jitter->order[i]) {
        case 0:
            jitter_brightness(image, jitter->brightness);
            break;
        case 1:
            jitter_contrast(image, jitter->contrast);
            break;
        case 2:
            jitter_saturation(image, jitter->saturation);
            break;
        default:
            jitter_hue(image, jitter->hue);
            break;
        }
}

static json_t *jitter_to_json(const CgColourJitter *j)
{
    static const char *const names[] = {"brightness", "contrast", "saturation", "hue"};
    json_t *order = json_array();
    for (int i = 0; i < 4; i++)
        json_array_append_new(order, json_string(names[j->order[i]]));
    return json_pack("{s:f, s:f, s:f, s:f, s:o}", "brightness", j->brightness, "contrast",
                     j->contrast, "saturation", j->saturation, "hue", j->hue, "order", order);
}

/* PATCH over the picture at (X, Y) where OUTLINE (NULL: everywhere) is set; the mask with it. */
static void put(CgSynthesis *out, const CgImage *patch, const CgImage *outline, int x, int y)
{
    const gsize channels = (gsize)patch->channels, row = (gsize)patch->width;
    for (int v = 0; !outline && v < patch->height; v++) {
        const gsize to = (gsize)(y + v) * (gsize)out->image->width + (gsize)x;
        memcpy(out->image->pixels + to * channels, patch->pixels + (gsize)v * row * channels,
               row * channels);
        memset(out->mask->pixels + to, 255, row);
    }
    for (int v = 0; outline && v < patch->height; v++)
        for (int u = 0; u < patch->width; u++) {
            const gsize from = (gsize)v * (gsize)patch->width + (gsize)u;
            const gsize to = (gsize)(y + v) * (gsize)out->image->width + (gsize)(x + u);
            if (!outline->pixels[from])
                continue;
            memcpy(out->image->pixels + to * channels, patch->pixels + from * channels, channels);
            out->mask->pixels[to] = 255;
        }
}

static void start(const CgImage *normal, const char *kind, CgSynthesis *out)
{
    out->image = cg_image_copy(normal);
    out->mask = cg_image_new(normal->width, normal->height, 1);
    out->parameters = json_pack("{s:s}", "kind", kind);
}

/* A jittered piece of NORMAL of the given size from a uniform place. */
static CgImage *cut(const CgImage *normal, int width, int height, CgRng *rng, json_t *parameters)
{
    const int x = cg_rng_int(rng, 0, normal->width - width);
    const int y = cg_rng_int(rng, 0, normal->height - height);
    const CgColourJitter jitter = cg_colour_jitter_draw(rng);
    CgImage *patch = cg_image_crop(normal, x, y, width, height);
    cg_colour_jitter_apply(&jitter, patch);
    json_object_set_new(parameters, "source", json_pack("[i, i, i, i]", x, y, width, height));
    json_object_set_new(parameters, "jitter", jitter_to_json(&jitter));
    return patch;
}

void cg_cutpaste(const CgImage *normal, CgRng *rng, CgSynthesis *out)
{
    const double share = cg_rng_uniform(rng, AREA_MIN, AREA_MAX);
    const double aspect = exp(cg_rng_uniform(rng, log(ASPECT_MIN), -log(ASPECT_MIN)));
    const double area = share * normal->width * normal->height;
    /* Only very long pictures are narrower than that. */
    const int width = CLAMP((int)lrint(sqrt(area * aspect)), 1, normal->width);
    const int height = CLAMP((int)lrint(sqrt(area / aspect)), 1, normal->height);
    start(normal, "cutpaste", out);
    g_autoptr(CgImage) patch = cut(normal, width, height, rng, out->parameters);
    const int x = cg_rng_int(rng, 0, normal->width - width);
    const int y = cg_rng_int(rng, 0, normal->height - height);
    json_object_set_new(out->parameters, "at", json_pack("[i, i]", x, y));
    put(out, patch, NULL, x, y);
}

void cg_cutpaste_scar(const CgImage *normal, CgRng *rng, CgSynthesis *out)
{
    const double scale = MIN(normal->width, normal->height) / SCAR_SIDE;
    const double across = cg_rng_uniform(rng, SCAR_WIDTH_MIN, SCAR_WIDTH_MAX) * scale;
    const double along = cg_rng_uniform(rng, SCAR_LONG_MIN, SCAR_LONG_MAX) * scale;
    const double angle = cg_rng_uniform(rng, -SCAR_ANGLE, SCAR_ANGLE);
    const int width = MAX(1, (int)lrint(across)), height = MAX(1, (int)lrint(along));
    start(normal, "scar", out);
    g_autoptr(CgImage) patch = cut(normal, width, height, rng, out->parameters);
    g_autoptr(CgImage) outline = NULL;
    g_autoptr(CgImage) turned = cg_warp_expand(patch, angle, 1, TRUE, &outline);
    const int x = cg_rng_int(rng, 0, normal->width - turned->width);
    const int y = cg_rng_int(rng, 0, normal->height - turned->height);
    json_object_set_new(out->parameters, "angle", json_real(angle));
    json_object_set_new(out->parameters, "at", json_pack("[i, i]", x, y));
    put(out, turned, outline, x, y);
}

void cg_cutpaste_union(const CgImage *normal, CgRng *rng, CgSynthesis *out)
{
    if (cg_rng_int(rng, 0, 1))
        cg_cutpaste_scar(normal, rng, out);
    else
        cg_cutpaste(normal, rng, out);
}
