#include "synthesis/texture_augment.h"

#include "synthesis/warp.h"

#include <math.h>
#include <string.h>

static guint8 clip(int v)
{
    return (guint8)CLAMP(v, 0, 255);
}

static gsize byte_count(const CgImage *image)
{
    return (gsize)image->width * (gsize)image->height * (gsize)image->channels;
}

static void look_up(CgImage *image, const guint8 table[256], gsize first, gsize step)
{
    const gsize size = byte_count(image);
    for (gsize i = first; i < size; i += step)
        image->pixels[i] = table[image->pixels[i]];
}

static void apply_gamma(const CgTextureAugment *a, CgImage *image)
{
    guint8 table[256];
    for (gsize c = 0; c < 3; c++) {
        for (int v = 0; v < 256; v++)
            table[v] = clip((int)(255 * pow(v / 255.0, a->value[c])));
        look_up(image, table, c, 3);
    }
}

static void apply_brightness(const CgTextureAugment *a, CgImage *image)
{
    const gsize channel = (gsize)cg_colour_brightness_channel(a->space);
    const int add = (int)lrint(a->value[1]);
    guint8 table[256];
    for (int v = 0; v < 256; v++) {
        const int from = a->add_first ? clip(v + add) : v;
        const int product = clip((int)((float)from * (float)a->value[0]));
        table[v] = a->add_first ? (guint8)product : clip(product + add);
    }
    cg_colour_from_rgb(a->space, image->pixels, byte_count(image) / 3);
    look_up(image, table, channel, 3);
    cg_colour_to_rgb(a->space, image->pixels, byte_count(image) / 3);
}

/* Pillow's SMOOTH: the pixels of the border stay. */
static CgImage *smooth(const CgImage *image)
{
    CgImage *out = cg_image_copy(image);
    const gsize row = (gsize)image->width * 3;
    for (gsize y = 1; y + 1 < (gsize)image->height; y++)
        for (gsize i = y * row + 3; i + 3 < (y + 1) * row; i++) {
            const guint8 *p = image->pixels + i;
            const int sum = p[-(gssize)row - 3] + p[-(gssize)row] + p[-(gssize)row + 3] + p[-3] +
                            5 * p[0] + p[3] + p[row - 3] + p[row] + p[row + 3];
            out->pixels[i] = clip((int)((float)sum / 13.0f + 0.5f));
        }
    return out;
}

static void apply_sharpness(const CgTextureAugment *a, CgImage *image)
{
    g_autoptr(CgImage) soft = smooth(image);
    const float factor = (float)a->value[0];
    const gsize size = byte_count(image);
    for (gsize i = 0; i < size; i++) {
        const int from = soft->pixels[i];
        const float v = (float)from + factor * (float)(image->pixels[i] - from);
        image->pixels[i] = v <= 0 ? 0 : v >= 255 ? 255 : (guint8)v;
    }
}

static void apply_hue_saturation(const CgTextureAugment *a, CgImage *image)
{
    const gsize pixels = byte_count(image) / 3;
    const int hue = (int)(a->value[0] * 180 / 255), saturation = (int)a->value[1];
    cg_colour_from_rgb(CG_COLOUR_HSV, image->pixels, pixels);
    for (gsize i = 0; i < pixels; i++) {
        guint8 *p = image->pixels + 3 * i;
        p[0] = (guint8)((p[0] + hue + 180) % 180);
        p[1] = clip(p[1] + saturation);
    }
    cg_colour_to_rgb(CG_COLOUR_HSV, image->pixels, pixels);
}

static void apply_solarize(const CgTextureAugment *a, CgImage *image)
{
    guint8 table[256];
    for (int v = 0; v < 256; v++)
        table[v] = (guint8)(v >= (int)a->value[0] ? 255 - v : v);
    look_up(image, table, 0, 1);
}

static void apply_posterize(const CgTextureAugment *a, CgImage *image)
{
    guint8 table[256];
    const int step = 256 >> (int)a->value[0];
    for (int v = 0; v < 256; v++)
        table[v] = (guint8)(v / step * step);
    look_up(image, table, 0, 1);
}

static void apply_invert(const CgTextureAugment *a, CgImage *image)
{
    (void)a;
    const gsize size = byte_count(image);
    for (gsize i = 0; i < size; i++)
        image->pixels[i] = (guint8)(255 - image->pixels[i]);
}

static void count_channel(const CgImage *image, gsize channel, guint64 count[256])
{
    memset(count, 0, 256 * sizeof *count);
    const gsize size = byte_count(image);
    for (gsize i = channel; i < size; i += 3)
        count[image->pixels[i]]++;
}

/* Takes CUT values away from the end of COUNT at FROM, going by STEP; the first value left. */
static int cut_end(const guint64 count[256], guint64 cut, int from, int step)
{
    int v = from;
    while (v >= 0 && v < 256 && count[v] <= cut) {
        cut -= count[v];
        v += step;
    }
    return CLAMP(v, 0, 255);
}

static void apply_autocontrast(const CgTextureAugment *a, CgImage *image)
{
    const guint64 pixels = byte_count(image) / 3;
    const guint64 cut = pixels * (guint64)a->value[0] / 100;
    for (gsize c = 0; c < 3; c++) {
        guint64 count[256];
        guint8 table[256];
        count_channel(image, c, count);
        const int low = cut_end(count, cut, 0, 1), high = cut_end(count, cut, 255, -1);
        if (high <= low)
            continue;
        const double scale = 255.0 / (high - low), offset = -low * scale;
        for (int v = 0; v < 256; v++)
            table[v] = clip((int)(v * scale + offset));
        look_up(image, table, c, 3);
    }
}

static void apply_equalize(const CgTextureAugment *a, CgImage *image)
{
    (void)a;
    for (gsize c = 0; c < 3; c++) {
        guint64 count[256], step = 0, sum;
        guint8 table[256];
        int bins = 0;
        count_channel(image, c, count);
        for (int v = 0; v < 256; v++)
            bins += count[v] > 0;
        /* imgaug leaves out the value 255, Pillow the brightest that occurs. */
        for (int v = 0; v < 255; v++)
            step += count[v];
        step /= 255;
        if (step == 0 || bins == 1)
            continue;
        sum = step / 2;
        for (int v = 0; v < 256; v++) {
            table[v] = (guint8)MIN(sum / step, 255u);
            sum += count[v];
        }
        look_up(image, table, c, 3);
    }
}

static void apply_rotate(const CgTextureAugment *a, CgImage *image)
{
    g_autoptr(CgImage) turned = cg_warp_rotate(image, a->value[0]);
    memcpy(image->pixels, turned->pixels, byte_count(image));
}

static const struct {
    const char *name;
    int values; /* how many count */
    void (*apply)(const CgTextureAugment *a, CgImage *image);
} kinds[CG_TEXTURE_AUGMENTS] = {
    [CG_TEXTURE_GAMMA] = {"gamma", 3, apply_gamma},
    [CG_TEXTURE_BRIGHTNESS] = {"brightness", 2, apply_brightness},
    [CG_TEXTURE_SHARPNESS] = {"sharpness", 1, apply_sharpness},
    [CG_TEXTURE_HUE_SATURATION] = {"hue-saturation", 2, apply_hue_saturation},
    [CG_TEXTURE_SOLARIZE] = {"solarize", 1, apply_solarize},
    [CG_TEXTURE_POSTERIZE] = {"posterize", 1, apply_posterize},
    [CG_TEXTURE_INVERT] = {"invert", 0, apply_invert},
    [CG_TEXTURE_AUTOCONTRAST] = {"autocontrast", 1, apply_autocontrast},
    [CG_TEXTURE_EQUALIZE] = {"equalize", 0, apply_equalize},
    [CG_TEXTURE_ROTATE] = {"rotate", 1, apply_rotate},
};

const char *cg_texture_augment_name(CgTextureAugmentKind kind)
{
    return kinds[kind].name;
}

CgTextureAugment cg_texture_augment_draw(CgTextureAugmentKind kind, CgRng *rng)
{
    CgTextureAugment a = {.kind = kind};
    switch (kind) {
    case CG_TEXTURE_GAMMA:
        for (int c = 0; c < 3; c++)
            a.value[c] = cg_rng_uniform(rng, 0.5, 2);
        break;
    case CG_TEXTURE_BRIGHTNESS:
        a.space = (CgColourSpace)cg_rng_int(rng, CG_COLOUR_YCRCB, CG_COLOUR_YUV);
        a.add_first = cg_rng_int(rng, 0, 1);
        a.value[0] = cg_rng_uniform(rng, 0.8, 1.2);
        a.value[1] = cg_rng_uniform(rng, -30, 30);
        break;
    case CG_TEXTURE_SHARPNESS:
        a.value[0] = cg_rng_uniform(rng, 0, 2);
        break;
    case CG_TEXTURE_HUE_SATURATION:
        a.value[0] = cg_rng_int(rng, -50, 50);
        a.value[1] = cg_rng_int(rng, -50, 50);
        break;
    case CG_TEXTURE_SOLARIZE:
        a.value[0] = cg_rng_int(rng, 0, 1) ? cg_rng_uniform(rng, 32, 128) : 256;
        break;
    case CG_TEXTURE_POSTERIZE:
        a.value[0] = cg_rng_int(rng, 1, 8);
        break;
    case CG_TEXTURE_AUTOCONTRAST:
        a.value[0] = cg_rng_int(rng, 0, 20);
        break;
    case CG_TEXTURE_ROTATE:
        a.value[0] = cg_rng_uniform(rng, -45, 45);
        break;
    default:
        break;
    }
    return a;
}

void cg_texture_augment_apply(const CgTextureAugment *augment, CgImage *image)
{
    kinds[augment->kind].apply(augment, image);
}

json_t *cg_texture_augment_to_json(const CgTextureAugment *augment)
{
    json_t *object = json_pack("{s:s}", "name", kinds[augment->kind].name);
    json_t *values = json_array();
    for (int i = 0; i < kinds[augment->kind].values; i++)
        json_array_append_new(values, json_real(augment->value[i]));
    json_object_set_new(object, "values", values);
    if (augment->kind == CG_TEXTURE_BRIGHTNESS) {
        json_object_set_new(object, "space", json_string(cg_colour_space_name(augment->space)));
        json_object_set_new(object, "add_first", json_boolean(augment->add_first));
    }
    return object;
}
