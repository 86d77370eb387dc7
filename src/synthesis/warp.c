#include "synthesis/warp.h"

#include <math.h>

static double sample(const CgImage *image, int x, int y, int c)
{
    if (x < 0 || y < 0 || x >= image->width || y >= image->height)
        return 0;
    return image
        ->pixels[((gsize)y * (gsize)image->width + (gsize)x) * (gsize)image->channels + (gsize)c];
}

CgImage *cg_warp_rotate(const CgImage *image, double degrees)
{
    CgImage *out = cg_image_new(image->width, image->height, image->channels);
    const double angle = degrees * G_PI / 180, co = cos(angle), si = sin(angle);
    const double cx = (image->width - 1) / 2.0, cy = (image->height - 1) / 2.0;
    const gsize channels = (gsize)image->channels, row = (gsize)image->width * channels;
    guint8 *to = out->pixels;
    for (int y = 0; y < out->height; y++)
        for (int x = 0; x < out->width; x++) {
            const double u = co * (x - cx) + si * (y - cy) + cx;
            const double v = -si * (x - cx) + co * (y - cy) + cy;
            const int u0 = (int)floor(u), v0 = (int)floor(v);
            const double fu = u - u0, fv = v - v0;
            const gboolean inside =
                u0 >= 0 && v0 >= 0 && u0 + 1 < image->width && v0 + 1 < image->height;
            const gsize at = inside ? (gsize)v0 * row + (gsize)u0 * channels : 0;
            for (gsize c = 0; inside && c < channels; c++) {
                const guint8 *p = image->pixels + at + c;
                const double top = p[0] * (1 - fu) + p[channels] * fu;
                const double low = p[row] * (1 - fu) + p[row + channels] * fu;
                *to++ = (guint8)(top * (1 - fv) + low * fv + 0.5);
            }
            for (int c = 0; !inside && c < out->channels; c++) {
                const double top =
                    sample(image, u0, v0, c) * (1 - fu) + sample(image, u0 + 1, v0, c) * fu;
                const double low =
                    sample(image, u0, v0 + 1, c) * (1 - fu) + sample(image, u0 + 1, v0 + 1, c) * fu;
                *to++ = (guint8)(top * (1 - fv) + low * fv + 0.5);
            }
        }
    return out;
}

/* The pixel of IMAGE at the position (U, V), measured from its corner, into TO. */
static void take(const CgImage *image, double u, double v, gboolean nearest, guint8 *to)
{
    const double shift = nearest ? 0 : 0.5;
    const int u0 = (int)floor(u - shift), v0 = (int)floor(v - shift);
    const double fu = nearest ? 0 : u - shift - u0, fv = nearest ? 0 : v - shift - v0;
    const int xa = CLAMP(u0, 0, image->width - 1), xb = CLAMP(u0 + 1, 0, image->width - 1);
    const int ya = CLAMP(v0, 0, image->height - 1), yb = CLAMP(v0 + 1, 0, image->height - 1);
    for (int c = 0; c < image->channels; c++) {
        const double top = sample(image, xa, ya, c) * (1 - fu) + sample(image, xb, ya, c) * fu;
        const double low = sample(image, xa, yb, c) * (1 - fu) + sample(image, xb, yb, c) * fu;
        to[c] = (guint8)(top * (1 - fv) + low * fv + 0.5);
    }
}

CgImage *cg_warp_expand(const CgImage *image, double degrees, double scale, gboolean nearest,
                        CgImage **inside)
{
    const double angle = degrees * G_PI / 180, co = cos(angle), si = sin(angle);
    const double w = image->width, h = image->height;
    /* The bounding box; a hair is taken off, so that a right angle adds no pixel. */
    const double wide = scale * (fabs(co) * w + fabs(si) * h);
    const double high = scale * (fabs(si) * w + fabs(co) * h);
    const int width = MAX(1, (int)ceil(wide - 1e-6)), height = MAX(1, (int)ceil(high - 1e-6));
    CgImage *out = cg_image_new(width, height, image->channels);
    *inside = cg_image_new(width, height, 1);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const double dx = (x + 0.5 - width / 2.0) / scale;
            const double dy = (y + 0.5 - height / 2.0) / scale;
            const double u = co * dx + si * dy + w / 2, v = -si * dx + co * dy + h / 2;
            if (u < 0 || v < 0 || u >= w || v >= h)
                continue;
            const gsize at = (gsize)y * (gsize)width + (gsize)x;
            take(image, u, v, nearest, out->pixels + at * (gsize)image->channels);
            (*inside)->pixels[at] = 255;
        }
    return out;
}
