#include "image/paste.h"

#include "image/distance.h"
#include "image/membrane.h"

#include <math.h>
#include <string.h>

static const char *const mode_names[] = {"exact", "feather", "poisson", "off"};

const char *cg_paste_mode_name(CgPasteMode mode)
{
    return mode_names[mode];
}

gboolean cg_paste_mode_parse(const char *text, CgPasteMode *mode)
{
    for (gsize i = 0; i < G_N_ELEMENTS(mode_names); i++)
        if (strcmp(text, mode_names[i]) == 0) {
            *mode = (CgPasteMode)i;
            return TRUE;
        }
    return FALSE;
}

gboolean cg_mask_bounds(const CgImage *mask, CgRect *bounds)
{
    g_assert(mask->channels == 1);
    int left = mask->width, right = -1, top = mask->height, bottom = -1;
    for (int y = 0; y < mask->height; y++) {
        const guint8 *row = mask->pixels + (size_t)y * (size_t)mask->width;
        for (int x = 0; x < mask->width; x++)
            if (row[x]) {
                left = MIN(left, x);
                right = MAX(right, x);
                top = MIN(top, y);
                bottom = y;
            }
    }
    if (right < 0)
        return FALSE;
    *bounds = (CgRect){left, top, right - left + 1, bottom - top + 1};
    return TRUE;
}

double cg_mask_area(const CgImage *mask)
{
    g_assert(mask->channels == 1);
    size_t total = (size_t)mask->width * (size_t)mask->height, set = 0;
    for (size_t i = 0; i < total; i++)
        set += mask->pixels[i] != 0;
    return (double)set / (double)total;
}

CgRect cg_window_around_mask(const CgImage *mask, int model_size)
{
    CgRect b;
    if (!cg_mask_bounds(mask, &b))
        b = (CgRect){(mask->width - 1) / 2, (mask->height - 1) / 2, 1, 1};
    int extent = MAX(b.width, b.height);
    int shorter = MIN(mask->width, mask->height);
    int side = MAX(extent + 2 * ((extent + 3) / 4), model_size);
    /* A square that just holds the mask is better than a wide window with more context: models see
     * squares. */
    if (extent <= shorter)
        side = MIN(side, shorter);
    CgRect window = {0, 0, MIN(side, mask->width), MIN(side, mask->height)};
    window.x = CLAMP(b.x + (b.width - window.width) / 2, 0, mask->width - window.width);
    window.y = CLAMP(b.y + (b.height - window.height) / 2, 0, mask->height - window.height);
    return window;
}

/* The part of MASK inside WINDOW as [height, width]. */
static guint8 *mask_window(const CgImage *mask, CgRect window)
{
    g_autoptr(CgImage) part = cg_image_crop(mask, window.x, window.y, window.width, window.height);
    return g_steal_pointer(&part->pixels);
}

static guint8 *pixel_at(const CgImage *image, int x, int y)
{
    return image->pixels + ((size_t)y * (size_t)image->width + (size_t)x) * (size_t)image->channels;
}

static guint8 to_byte(double v)
{
    return (guint8)rint(CLAMP(v, 0.0, 255.0));
}

/* Mixes GENERATED into OUT with the weight of the distance of each pixel to the mask; BAND 0 is the
 * mask itself. */
static void paste_feather(CgImage *out, const CgImage *generated, const CgImage *mask,
                          CgRect window, int band)
{
    g_autofree guint8 *inside = mask_window(mask, window);
    size_t size = (size_t)window.width * (size_t)window.height;
    g_autofree guint32 *distance2 = g_new(guint32, size);
    cg_distance_squared(inside, window.width, window.height, distance2);
    for (int y = 0; y < window.height; y++)
        for (int x = 0; x < window.width; x++) {
            guint32 d2 = distance2[(size_t)y * (size_t)window.width + (size_t)x];
            guint8 *to = pixel_at(out, window.x + x, window.y + y);
            const guint8 *from = pixel_at(generated, x, y);
            if (d2 == 0) {
                memcpy(to, from, (size_t)out->channels);
                continue;
            }
            if (d2 == CG_DISTANCE_FAR || d2 >= (guint64)band * (guint64)band)
                continue;
            double weight = 1 - sqrt(d2) / band;
            for (int c = 0; c < out->channels; c++)
                to[c] = to_byte(to[c] + weight * (from[c] - to[c]));
        }
}

/* Everything is in the mask, so no boundary fixes the brightness: keep the source's mean. */
static void paste_mean(CgImage *out, const CgImage *generated)
{
    size_t count = (size_t)out->width * (size_t)out->height, channels = (size_t)out->channels;
    for (size_t c = 0; c < channels; c++) {
        gint64 difference = 0;
        for (size_t i = 0; i < count; i++)
            difference += out->pixels[i * channels + c] - generated->pixels[i * channels + c];
        double shift = (double)difference / (double)count;
        for (size_t i = c; i < count * channels; i += channels)
            out->pixels[i] = to_byte(generated->pixels[i] + shift);
    }
}

/* The pixels of WINDOW that poisson may change, [height, width]: those at most BAND from the mask.
 * FALSE when there are none. */
static gboolean grow(const CgImage *mask, CgRect window, int band, guint8 *region)
{
    g_autofree guint8 *inside = mask_window(mask, window);
    size_t size = (size_t)window.width * (size_t)window.height;
    g_autofree guint32 *distance2 = g_new(guint32, size);
    gboolean any = FALSE;
    if (band == 0) { /* the distances would be thrown away */
        for (size_t i = 0; i < size; i++)
            any |= (region[i] = inside[i] != 0);
        return any;
    }
    cg_distance_squared(inside, window.width, window.height, distance2);
    for (size_t i = 0; i < size; i++) {
        region[i] =
            distance2[i] != CG_DISTANCE_FAR && distance2[i] <= (guint64)band * (guint64)band;
        any = any || region[i];
    }
    return any;
}

static void paste_poisson(CgImage *out, const CgImage *generated, const CgImage *mask,
                          CgRect window, int band)
{
    g_autoptr(CgImage) region = cg_image_new(window.width, window.height, 1);
    if (!grow(mask, window, band, region->pixels))
        return;
    if (window.width == out->width && window.height == out->height &&
        !memchr(region->pixels, 0, (size_t)window.width * (size_t)window.height)) {
        paste_mean(out, generated);
        return;
    }
    /* The region and one pixel around it where the picture has one, in the picture's coordinates:
     * beyond the picture's edge there is no boundary value, beyond the window's there is. */
    CgRect b;
    cg_mask_bounds(region, &b);
    int x0 = MAX(window.x + b.x - 1, 0), y0 = MAX(window.y + b.y - 1, 0);
    int w = MIN(window.x + b.x + b.width + 1, out->width) - x0;
    int h = MIN(window.y + b.y + b.height + 1, out->height) - y0;
    g_autofree guint8 *unknown = g_new0(guint8, (gsize)w * (gsize)h);
    for (int y = 0; y < b.height; y++)
        memcpy(unknown + (size_t)(window.y + b.y + y - y0) * (size_t)w + (window.x + b.x - x0),
               pixel_at(region, b.x, b.y + y), (size_t)b.width);

    g_autoptr(CgMembrane) membrane = cg_membrane_new(unknown, w, h);
    g_autofree double *shift = g_new(double, (gsize)w *(gsize)h);
    for (int c = 0; c < out->channels; c++) {
        for (int i = 0; i < w * h; i++) {
            int x = x0 + i % w, y = y0 + i / w;
            /* Outside of its window the generated picture is continued by its edge. */
            int gx = CLAMP(x - window.x, 0, window.width - 1);
            int gy = CLAMP(y - window.y, 0, window.height - 1);
            shift[i] = pixel_at(out, x, y)[c] - pixel_at(generated, gx, gy)[c];
        }
        cg_membrane_solve(membrane, shift);
        for (int i = 0; i < w * h; i++) {
            int x = x0 + i % w, y = y0 + i / w;
            if (unknown[i])
                pixel_at(out, x, y)[c] =
                    to_byte(pixel_at(generated, x - window.x, y - window.y)[c] + shift[i]);
        }
    }
}

CgImage *cg_paste(const CgImage *source, const CgImage *generated, const CgImage *mask,
                  CgRect window, CgPasteMode mode, int band)
{
    g_assert(mask->width == source->width && mask->height == source->height);
    g_assert(mask->channels == 1 && band >= 0);
    g_assert(generated->width == window.width && generated->height == window.height);
    g_assert(window.x >= 0 && window.width <= source->width - window.x);
    g_assert(window.y >= 0 && window.height <= source->height - window.y);
    g_autoptr(CgImage) matched =
        source->channels == 1 ? cg_image_to_grey(generated) : cg_image_to_rgb(generated);
    CgImage *out = cg_image_copy(source);
    switch (mode) {
    case CG_PASTE_EXACT:
        paste_feather(out, matched, mask, window, 0);
        break;
    case CG_PASTE_FEATHER:
        paste_feather(out, matched, mask, window, band);
        break;
    case CG_PASTE_POISSON:
        paste_poisson(out, matched, mask, window, band);
        break;
    case CG_PASTE_OFF:
        for (int y = 0; y < window.height; y++)
            memcpy(pixel_at(out, window.x, window.y + y), pixel_at(matched, 0, y),
                   (size_t)window.width * (size_t)out->channels);
        break;
    }
    return out;
}
