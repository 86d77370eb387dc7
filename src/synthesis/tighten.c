#include "synthesis/tighten.h"

#include <stdlib.h>

static int largest_difference(const CgImage *a, const CgImage *b, size_t pixel)
{
    int largest = 0;
    for (size_t c = pixel * (size_t)a->channels; c < (pixel + 1) * (size_t)a->channels; c++)
        largest = MAX(largest, abs(a->pixels[c] - b->pixels[c]));
    return largest;
}

static double mean_around(const guint8 *differences, const CgImage *mask, int x, int y, int radius)
{
    int sum = 0, count = 0;
    for (int v = MAX(y - radius, 0); v <= MIN(y + radius, mask->height - 1); v++)
        for (int u = MAX(x - radius, 0); u <= MIN(x + radius, mask->width - 1); u++) {
            const size_t i = (size_t)v * (size_t)mask->width + (size_t)u;
            if (!mask->pixels[i])
                continue;
            sum += differences[i];
            count++;
        }
    return (double)sum / count;
}

CgImage *cg_mask_tighten(const CgImage *mask, const CgImage *normal, const CgImage *made,
                         double level)
{
    g_assert(mask->channels == 1 && normal->channels == made->channels);
    g_assert(normal->width == mask->width && normal->height == mask->height);
    g_assert(made->width == mask->width && made->height == mask->height);
    const int radius = MAX(1, MIN(mask->width, mask->height) / 192);
    const size_t count = (size_t)mask->width * (size_t)mask->height;
    g_autofree guint8 *differences = g_new(guint8, count);
    CgImage *tight = cg_image_new(mask->width, mask->height, 1);
    for (size_t i = 0; i < count; i++)
        differences[i] = mask->pixels[i] ? (guint8)largest_difference(normal, made, i) : 0;
    for (int y = 0; y < mask->height; y++)
        for (int x = 0; x < mask->width; x++) {
            const size_t i = (size_t)y * (size_t)mask->width + (size_t)x;
            const gboolean seen =
                mask->pixels[i] && mean_around(differences, mask, x, y, radius) >= level;
            tight->pixels[i] = seen ? 255 : 0;
        }
    return tight;
}
