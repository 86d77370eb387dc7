#include "metrics/resample.h"

#include <math.h>
#include <string.h>

#define WINDOW 21 /* of DRAEM's image score */

const char *cg_mode_name(CgMode mode)
{
    static const char *const names[CG_MODE_COUNT] = {"strict", "draem", "anomalib"};
    return names[mode];
}

/* ---- DRAEM's masks */

static int level(const CgImage *mask, int x, int y)
{
    return mask->pixels[(size_t)y * (size_t)mask->width + (size_t)x] ? 255 : 0;
}

/* Defective is what is 255 when all that is not 0 was 255 before. */
static CgImage *resize_linear(const CgImage *mask, int width, int height)
{
    g_autoptr(CgImage) full = cg_image_copy(mask);
    for (int y = 0; y < mask->height; y++)
        for (int x = 0; x < mask->width; x++)
            full->pixels[(size_t)y * (size_t)mask->width + (size_t)x] = (guint8)level(mask, x, y);
    CgImage *out = cg_image_resize_linear(full, width, height);
    for (size_t i = 0; i < (size_t)width * (size_t)height; i++)
        out->pixels[i] = out->pixels[i] == 255 ? 255 : 0;
    return out;
}

/* ---- anomalib's masks */

/* torch's nearest takes the pixel at floor(out * in / out_size), with the ratio as a float. */
static int nearest(int out, int in_size, int out_size)
{
    const float scale = (float)in_size / (float)out_size;
    if (out_size == in_size)
        return out;
    if (out_size == 2 * in_size)
        return out >> 1;
    return MIN((int)floorf((float)out * scale), in_size - 1);
}

static CgImage *resize_nearest(const CgImage *mask, int width, int height)
{
    CgImage *out = cg_image_new(width, height, 1);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            out->pixels[(size_t)y * (size_t)width + (size_t)x] = (guint8)level(
                mask, nearest(x, mask->width, width), nearest(y, mask->height, height));
    return out;
}

CgImage *cg_mode_resize_mask(CgMode mode, const CgImage *mask, int width, int height)
{
    g_assert(mode != CG_MODE_STRICT && mask->channels == 1);
    if (mode == CG_MODE_ANOMALIB)
        return resize_nearest(mask, width, height);
    if (mask->width == width && mask->height == height)
        return cg_image_copy(mask);
    return resize_linear(mask, width, height);
}

/* ---- maps */

typedef struct {
    size_t first, second;
    double weight; /* of the second */
} Position;

static Position *make_positions(int in_size, int out_size)
{
    Position *p = g_new(Position, (gsize)out_size);
    for (int i = 0; i < out_size; i++) {
        const double at = MAX((i + 0.5) * in_size / out_size - 0.5, 0);
        const size_t first = MIN((size_t)at, (size_t)in_size - 1);
        p[i] = (Position){first, MIN(first + 1, (size_t)in_size - 1), at - (double)first};
    }
    return p;
}

CgMap *cg_map_resize(const CgMap *map, int width, int height)
{
    CgMap *out = cg_map_new(width, height);
    g_autofree Position *columns = make_positions(map->width, width);
    g_autofree Position *rows = make_positions(map->height, height);
    for (int y = 0; y < height; y++) {
        const float *upper = map->values + rows[y].first * (size_t)map->width;
        const float *lower = map->values + rows[y].second * (size_t)map->width;
        float *to = out->values + (size_t)y * (size_t)width;
        for (int x = 0; x < width; x++) {
            const Position *c = &columns[x];
            /* Equal neighbours stay exactly what they are: rounding must not break ties. */
            const double a =
                upper[c->first] + ((double)upper[c->second] - upper[c->first]) * c->weight;
            const double b =
                lower[c->first] + ((double)lower[c->second] - lower[c->first]) * c->weight;
            to[x] = (float)(a + (b - a) * rows[y].weight);
        }
    }
    return out;
}

static float largest(const CgMap *map)
{
    const size_t count = (size_t)map->width * (size_t)map->height;
    float most = map->values[0];
    for (size_t i = 1; i < count; i++)
        most = map->values[i] > most || isnan(map->values[i]) ? map->values[i] : most;
    return most;
}

/* OUT [count]: sums of the WINDOW values around each of IN; STEP between values. */
static void window_sums(const double *in, double *out, int count, size_t step)
{
    for (int i = 0; i < count; i++) {
        double sum = 0;
        for (int k = MAX(i - WINDOW / 2, 0); k <= MIN(i + WINDOW / 2, count - 1); k++)
            sum += in[(size_t)k * step];
        out[(size_t)i * step] = sum;
    }
}

static float largest_mean(const CgMap *map)
{
    const size_t width = (size_t)map->width, count = width * (size_t)map->height;
    g_autofree double *a = g_new(double, count);
    g_autofree double *b = g_new(double, count);
    for (size_t i = 0; i < count; i++)
        a[i] = (double)map->values[i];
    for (int y = 0; y < map->height; y++)
        window_sums(a + (size_t)y * width, b + (size_t)y * width, map->width, 1);
    for (size_t x = 0; x < width; x++)
        window_sums(b + x, a + x, map->height, width);
    double most = a[0];
    for (size_t i = 1; i < count; i++)
        most = a[i] > most || isnan(a[i]) ? a[i] : most;
    return (float)(most / (WINDOW * WINDOW));
}

float cg_mode_image_score(CgMode mode, const CgMap *map)
{
    return mode == CG_MODE_DRAEM ? largest_mean(map) : largest(map);
}
