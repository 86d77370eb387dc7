/* Bilinear resampling without widening, bit for bit as OpenCV's resize(INTER_LINEAR) on 8 bits:
 * what DRAEM prepares its pictures and masks with. */
#include "image/image.h"

#include <math.h>

#define FIXED_SCALE 2048 /* of OpenCV's 8-bit weights */

typedef struct {
    int first, second;    /* inputs */
    int weight0, weight1; /* of FIXED_SCALE */
} Tap;

/* OpenCV computes positions in double, fractions in float, and rounds weights half to even. */
static Tap make_tap(int out, int in_size, int out_size)
{
    const double scale = (double)in_size / out_size;
    const float position = (float)((out + 0.5) * scale - 0.5);
    int first = (int)floorf(position);
    float fraction = position - (float)first;
    if (first < 0 || first >= in_size - 1) {
        first = first < 0 ? 0 : in_size - 1;
        fraction = 0;
    }
    return (Tap){first, MIN(first + 1, in_size - 1), (int)rintf((1 - fraction) * FIXED_SCALE),
                 (int)rintf(fraction * FIXED_SCALE)};
}

static Tap *make_taps(int in_size, int out_size)
{
    Tap *taps = g_new(Tap, (gsize)out_size);
    for (int i = 0; i < out_size; i++)
        taps[i] = make_tap(i, in_size, out_size);
    return taps;
}

static int horizontal(const guint8 *row, const Tap *t, size_t c, size_t k)
{
    return row[(size_t)t->first * c + k] * t->weight0 + row[(size_t)t->second * c + k] * t->weight1;
}

/* OpenCV takes the mean of 2x2 where both sides shrink by exactly two. */
static CgImage *halve(const CgImage *image)
{
    CgImage *out = cg_image_new(image->width / 2, image->height / 2, image->channels);
    const size_t c = (size_t)image->channels, row = (size_t)image->width * c;
    const size_t out_row = (size_t)out->width * c;
    for (size_t y = 0; y < (size_t)out->height; y++)
        for (size_t i = 0; i < out_row; i++) {
            const guint8 *p = image->pixels + 2 * y * row + i / c * 2 * c + i % c;
            out->pixels[y * out_row + i] = (guint8)((p[0] + p[c] + p[row] + p[row + c] + 2) >> 2);
        }
    return out;
}

CgImage *cg_image_resize_linear(const CgImage *image, int width, int height)
{
    g_assert(width > 0 && height > 0);
    if (image->width == width && image->height == height)
        return cg_image_copy(image);
    if (image->width == 2 * width && image->height == 2 * height)
        return halve(image);
    CgImage *out = cg_image_new(width, height, image->channels);
    const size_t c = (size_t)image->channels, row = (size_t)image->width * c;
    g_autofree Tap *columns = make_taps(image->width, width);
    g_autofree Tap *rows = make_taps(image->height, height);
    for (int y = 0; y < height; y++) {
        const Tap *r = &rows[y];
        const guint8 *above = image->pixels + (size_t)r->first * row;
        const guint8 *below = image->pixels + (size_t)r->second * row;
        guint8 *to = out->pixels + (size_t)y * (size_t)width * c;
        for (size_t i = 0; i < (size_t)width * c; i++) {
            const int upper = horizontal(above, &columns[i / c], c, i % c) >> 4;
            const int lower = horizontal(below, &columns[i / c], c, i % c) >> 4;
            to[i] = (guint8)(((upper * r->weight0 >> 16) + (lower * r->weight1 >> 16) + 2) >> 2);
        }
    }
    return out;
}
