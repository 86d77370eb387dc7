#include "synthesis/colour.h"

#include "synthesis/colour-private.h"

#include <math.h>

#define FIXED_BITS 14 /* of OpenCV's YCrCb and YUV */
#define FIXED_HALF (1 << (FIXED_BITS - 1))

static guint8 clip(int v)
{
    return (guint8)CLAMP(v, 0, 255);
}

static guint8 clip_round(float v)
{
    return clip((int)lrintf(v));
}

/* Y, then the scaled differences of B and R from it; FIRST is written to channel 1. */
static void to_luma(guint8 *p, int red_scale, int blue_scale, gboolean red_first)
{
    const int r = p[0], g = p[1], b = p[2];
    const int y = (r * 4899 + g * 9617 + b * 1868 + FIXED_HALF) >> FIXED_BITS;
    const int bias = (128 << FIXED_BITS) + FIXED_HALF;
    const guint8 red = clip(((r - y) * red_scale + bias) >> FIXED_BITS);
    const guint8 blue = clip(((b - y) * blue_scale + bias) >> FIXED_BITS);
    p[0] = clip(y);
    p[1] = red_first ? red : blue;
    p[2] = red_first ? blue : red;
}

static void from_luma(guint8 *p, int red, int blue, const int scale[4])
{
    const int y = p[0];
    red -= 128;
    blue -= 128;
    p[0] = clip(y + ((red * scale[0] + FIXED_HALF) >> FIXED_BITS));
    p[1] = clip(y + ((red * scale[1] + blue * scale[2] + FIXED_HALF) >> FIXED_BITS));
    p[2] = clip(y + ((blue * scale[3] + FIXED_HALF) >> FIXED_BITS));
}

static void ycrcb_from_rgb(guint8 *p)
{
    to_luma(p, 11682, 9241, TRUE);
}

static void ycrcb_to_rgb(guint8 *p)
{
    static const int scale[4] = {22987, -11698, -5636, 29049};
    from_luma(p, p[1], p[2], scale);
}

static void yuv_from_rgb(guint8 *p)
{
    to_luma(p, 14369, 8061, FALSE);
}

static void yuv_to_rgb(guint8 *p)
{
    static const int scale[4] = {18678, -9519, -6472, 33292};
    from_luma(p, p[2], p[1], scale);
}

static void hsv_from_rgb(guint8 *p)
{
    const int r = p[0], g = p[1], b = p[2];
    const int v = MAX(r, MAX(g, b)), diff = v - MIN(r, MIN(g, b));
    const int s_scale = v ? (int)lrint((255 << 12) / (double)v) : 0;
    const int h_scale = diff ? (int)lrint((180 << 12) / (6.0 * diff)) : 0;
    const int raw = v == r ? g - b : v == g ? b - r + 2 * diff : r - g + 4 * diff;
    const int h = (raw * h_scale + (1 << 11)) >> 12;
    p[0] = clip(h < 0 ? h + 180 : h);
    p[1] = clip((diff * s_scale + (1 << 11)) >> 12);
    p[2] = (guint8)v;
}

/* The sector of the colour circle (0..5) and the position in it. */
static int hue_sector(float h, float *fraction)
{
    const int sector = (int)floorf(h);
    *fraction = h - (float)sector;
    return ((sector % 6) + 6) % 6;
}

/* Which of {value, low, falling, rising} R, G and B are in each sector. */
static const int sectors[6][3] = {{0, 3, 1}, {2, 0, 1}, {1, 0, 3}, {1, 2, 0}, {3, 1, 0}, {0, 1, 2}};

/* OpenCV 4 truncates here in its vector code, and rounds in the up to 31 pixels left at the end of
 * a row. */
static void hsv_to_rgb(guint8 *p)
{
    float f;
    const int sector = hue_sector((float)p[0] * (6.0f / 180.0f), &f);
    const float s = (float)p[1] / 255.0f, v = (float)p[2] / 255.0f;
    const float of[4] = {v, v * (1 - s), v * (1 - s * f), v * (1 - s * (1 - f))};
    for (int c = 0; c < 3; c++)
        p[c] = clip((int)(of[sectors[sector][c]] * 255.0f + 0.0005f));
}

static void hls_from_rgb(guint8 *p)
{
    const float r = (float)p[0] / 255.0f, g = (float)p[1] / 255.0f, b = (float)p[2] / 255.0f;
    const float high = MAX(r, MAX(g, b)), low = MIN(r, MIN(g, b)), diff = high - low;
    const float l = (high + low) / 2;
    float h = 0, s = 0;
    if (diff > 0) {
        s = l < 0.5f ? diff / (high + low) : diff / (2 - high - low);
        const float scale = 60.0f / diff;
        h = high == r ? (g - b) * scale : high == g ? (b - r) * scale + 120 : (r - g) * scale + 240;
        if (h < 0)
            h += 360;
    }
    p[0] = clip_round(h / 2); /* 180 too, as OpenCV */
    p[1] = clip_round(l * 255);
    p[2] = clip_round(s * 255);
}

static void hls_to_rgb(guint8 *p)
{
    float f;
    const int sector = hue_sector((float)p[0] * (6.0f / 180.0f), &f);
    const float l = (float)p[1] / 255.0f, s = (float)p[2] / 255.0f;
    const float high = l <= 0.5f ? l * (1 + s) : l + s - l * s, low = 2 * l - high;
    const float of[4] = {high, low, low + (high - low) * (1 - f), low + (high - low) * f};
    for (int c = 0; c < 3; c++)
        p[c] = clip_round(of[sectors[sector][c]] * 255.0f);
}

/* Pillow truncates hue and saturation (libImaging/Convert.c). */
static void pillow_from_rgb(guint8 *p)
{
    const int r = p[0], g = p[1], b = p[2];
    const int high = MAX(r, MAX(g, b)), low = MIN(r, MIN(g, b));
    float h = 0, s = 0;
    if (high > low) {
        const float range = (float)(high - low);
        const float rc = (float)(high - r) / range, gc = (float)(high - g) / range;
        const float bc = (float)(high - b) / range;
        s = range / (float)high;
        h = r == high ? bc - gc : g == high ? (float)(2.0 + rc - bc) : (float)(4.0 + gc - rc);
        const double turn = h / 6.0 + 1.0;
        h = (float)(turn >= 1 ? turn - 1 : turn); /* fmod, from -1/6 to 5/6 */
    }
    p[0] = clip((int)(h * 255.0));
    p[1] = clip((int)(s * 255.0));
    p[2] = (guint8)high;
}

static void pillow_to_rgb(guint8 *p)
{
    const double s = (float)(p[1] / 255.0), v = p[2];
    const float h = (float)(p[0] * 6.0 / 255.0);
    float f;
    const int sector = hue_sector(h, &f);
    const double of[4] = {v, v * (1.0 - s), v * (1.0 - s * (double)f),
                          v * (1.0 - s * (1.0 - (double)f))};
    for (int c = 0; c < 3; c++)
        p[c] = (guint8)(int)(of[sectors[sector][c]] + 0.5);
}

static const struct {
    const char *name;
    int brightness;
    void (*from_rgb)(guint8 *pixel);
    void (*to_rgb)(guint8 *pixel);
} spaces[CG_COLOUR_SPACES] = {
    [CG_COLOUR_YCRCB] = {"YCrCb", 0, ycrcb_from_rgb, ycrcb_to_rgb},
    [CG_COLOUR_HSV] = {"HSV", 2, hsv_from_rgb, hsv_to_rgb},
    [CG_COLOUR_HLS] = {"HLS", 1, hls_from_rgb, hls_to_rgb},
    [CG_COLOUR_LAB] = {"Lab", 0, cg_colour_lab_from_rgb, cg_colour_lab_to_rgb},
    [CG_COLOUR_LUV] = {"Luv", 0, cg_colour_luv_from_rgb, cg_colour_luv_to_rgb},
    [CG_COLOUR_YUV] = {"YUV", 0, yuv_from_rgb, yuv_to_rgb},
    [CG_COLOUR_HSV_PILLOW] = {"HSV (Pillow)", 2, pillow_from_rgb, pillow_to_rgb},
};

const char *cg_colour_space_name(CgColourSpace space)
{
    return spaces[space].name;
}

int cg_colour_brightness_channel(CgColourSpace space)
{
    return spaces[space].brightness;
}

void cg_colour_from_rgb(CgColourSpace space, guint8 *pixels, gsize count)
{
    for (gsize i = 0; i < count; i++)
        spaces[space].from_rgb(pixels + 3 * i);
}

void cg_colour_to_rgb(CgColourSpace space, guint8 *pixels, gsize count)
{
    for (gsize i = 0; i < count; i++)
        spaces[space].to_rgb(pixels + 3 * i);
}
