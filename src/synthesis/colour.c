#include "synthesis/colour.h"

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

/* sRGB to linear light, by value; filled on first use. */
static const float *linear_table(void)
{
    static float table[256];
    static gsize ready;
    if (g_once_init_enter(&ready)) {
        for (int i = 0; i < 256; i++) {
            const double v = i / 255.0;
            table[i] = (float)(v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4));
        }
        g_once_init_leave(&ready, 1);
    }
    return table;
}

#define GAMMA_STEPS 16384
/* Linear light in 0..1 to sRGB in 0..255; filled on first use. */
static const guint8 *gamma_table(void)
{
    static guint8 table[GAMMA_STEPS + 1];
    static gsize ready;
    if (g_once_init_enter(&ready)) {
        for (int i = 0; i <= GAMMA_STEPS; i++) {
            const double v = (double)i / GAMMA_STEPS;
            const double s = v <= 0.0031308 ? v * 12.92 : 1.055 * pow(v, 1 / 2.4) - 0.055;
            table[i] = (guint8)lrint(s * 255);
        }
        g_once_init_leave(&ready, 1);
    }
    return table;
}

#define WHITE_X 0.950456f /* D65 */
#define WHITE_Z 1.088754f

static void xyz_from_rgb(const guint8 *p, float xyz[3])
{
    const float *linear = linear_table();
    const float r = linear[p[0]], g = linear[p[1]], b = linear[p[2]];
    xyz[0] = 0.412453f * r + 0.357580f * g + 0.180423f * b;
    xyz[1] = 0.212671f * r + 0.715160f * g + 0.072169f * b;
    xyz[2] = 0.019334f * r + 0.119193f * g + 0.950227f * b;
}

static guint8 from_linear(float v)
{
    return gamma_table()[(int)lrintf(CLAMP(v, 0.0f, 1.0f) * GAMMA_STEPS)];
}

static void xyz_to_rgb(const float xyz[3], guint8 *p)
{
    p[0] = from_linear(3.240479f * xyz[0] - 1.537150f * xyz[1] - 0.498535f * xyz[2]);
    p[1] = from_linear(-0.969256f * xyz[0] + 1.875991f * xyz[1] + 0.041556f * xyz[2]);
    p[2] = from_linear(0.055648f * xyz[0] - 0.204043f * xyz[1] + 1.057311f * xyz[2]);
}

#define LAB_KNEE  0.008856f
#define LAB_SLOPE 7.787f

static float lab_root(float v)
{
    return v > LAB_KNEE ? cbrtf(v) : LAB_SLOPE * v + 16.0f / 116.0f;
}

static float lab_cube(float f)
{
    return f > 6.0f / 29.0f ? f * f * f : (f - 16.0f / 116.0f) / LAB_SLOPE;
}

static float lightness(float y)
{
    return y > LAB_KNEE ? 116.0f * cbrtf(y) - 16.0f : 903.3f * y;
}

static float lightness_inverse(float l)
{
    const float f = (l + 16.0f) / 116.0f;
    return l > 8.0f ? f * f * f : l / 903.3f;
}

static void lab_from_rgb(guint8 *p)
{
    float xyz[3];
    xyz_from_rgb(p, xyz);
    const float fx = lab_root(xyz[0] / WHITE_X), fy = lab_root(xyz[1]),
                fz = lab_root(xyz[2] / WHITE_Z);
    p[0] = clip_round(lightness(xyz[1]) * 2.55f);
    p[1] = clip_round(500.0f * (fx - fy) + 128.0f);
    p[2] = clip_round(200.0f * (fy - fz) + 128.0f);
}

static void lab_to_rgb(guint8 *p)
{
    const float l = (float)p[0] / 2.55f, y = lightness_inverse(l);
    const float fy = l > 8.0f ? (l + 16.0f) / 116.0f : LAB_SLOPE * y + 16.0f / 116.0f;
    const float fx = fy + ((float)p[1] - 128.0f) / 500.0f;
    const float fz = fy - ((float)p[2] - 128.0f) / 200.0f;
    const float xyz[3] = {lab_cube(fx) * WHITE_X, y, lab_cube(fz) * WHITE_Z};
    xyz_to_rgb(xyz, p);
}

#define LUV_WHITE_U (4 * WHITE_X / (WHITE_X + 15 + 3 * WHITE_Z))
#define LUV_WHITE_V (9 / (WHITE_X + 15 + 3 * WHITE_Z))

static void luv_from_rgb(guint8 *p)
{
    float xyz[3];
    xyz_from_rgb(p, xyz);
    const float l = lightness(xyz[1]);
    const float sum = MAX(xyz[0] + 15 * xyz[1] + 3 * xyz[2], 1e-7f);
    const float u = 13 * l * (4 * xyz[0] / sum - LUV_WHITE_U);
    const float v = 13 * l * (9 * xyz[1] / sum - LUV_WHITE_V);
    p[0] = clip_round(l * 2.55f);
    p[1] = clip_round((u + 134.0f) * 255.0f / 354.0f);
    p[2] = clip_round((v + 140.0f) * 255.0f / 262.0f);
}

static void luv_to_rgb(guint8 *p)
{
    const float l = (float)p[0] / 2.55f, y = lightness_inverse(l);
    const float u = (float)p[1] * 354.0f / 255.0f - 134.0f;
    const float v = (float)p[2] * 262.0f / 255.0f - 140.0f;
    if (p[0] == 0) {
        p[1] = p[2] = 0;
        return;
    }
    /* OpenCV's limits on the divisor and on X and Z: colours that do not exist come out as it has
     * them. */
    const float up = 3 * (u + 13 * l * LUV_WHITE_U);
    const float vp = CLAMP(0.25f / (v + 13 * l * LUV_WHITE_V), -0.25f, 0.25f);
    const float x = y * 3 * up * vp, z = y * ((12 * 13 * l - up) * vp - 5);
    const float xyz[3] = {CLAMP(x, 0.0f, 2.0f), y, CLAMP(z, 0.0f, 2.0f)};
    xyz_to_rgb(xyz, p);
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
        h = (float)fmod(h / 6.0 + 1.0, 1.0);
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
        p[c] = clip((int)round(of[sectors[sector][c]]));
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
    [CG_COLOUR_LAB] = {"Lab", 0, lab_from_rgb, lab_to_rgb},
    [CG_COLOUR_LUV] = {"Luv", 0, luv_from_rgb, luv_to_rgb},
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
