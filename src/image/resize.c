/* Separable resampling with 8-bit results, bit for bit as Pillow's Image.resize(LANCZOS): the
 * reference pipelines prepare their pictures with it, rounding between the two passes included.
 * libvips would enlarge with another kernel. Rows come first, as in Pillow up to 12; Pillow 13
 * takes columns first where the height shrinks much more than the width, which moves values by a
 * few. Source: Pillow, libImaging/Resample.c. */
#include "base/system.h"
#include "image/image.h"

#include <math.h>

#define FRACTION_BITS   22 /* of the coefficients; 8 for the pixel and 2 for overshoot remain */
#define LANCZOS_SUPPORT 3.0

typedef struct {
    int taps;      /* coefficients kept for each output */
    int *first;    /* [out] first input of each output */
    int *count;    /* [out] inputs of each output, at most taps */
    gint32 *coeff; /* [out, taps] */
} Taps;

static void taps_clear(Taps *taps)
{
    g_free(taps->first);
    g_free(taps->count);
    g_free(taps->coeff);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Taps, taps_clear)

static double sinc(double x)
{
    if (x == 0.0)
        return 1.0;
    x *= G_PI;
    return sin(x) / x;
}

static double lanczos(double x)
{
    return -LANCZOS_SUPPORT <= x && x < LANCZOS_SUPPORT ? sinc(x) * sinc(x / LANCZOS_SUPPORT) : 0.0;
}

/* The weights that make OUT samples of IN. When shrinking the kernel widens with the ratio, so
 * that every input counts. */
static void taps_init(Taps *taps, int in, int out)
{
    double ratio = (double)in / out;
    double stretch = MAX(ratio, 1.0), support = LANCZOS_SUPPORT * stretch;
    taps->taps = (int)ceil(support) * 2 + 1;
    taps->first = g_new(int, (gsize)out);
    taps->count = g_new(int, (gsize)out);
    taps->coeff = g_new0(gint32, (gsize)out * (gsize)taps->taps);
    g_autofree double *weight = g_new(double, (gsize)taps->taps);
    for (int i = 0; i < out; i++) {
        double centre = (i + 0.5) * ratio, sum = 0.0;
        int first = MAX((int)(centre - support + 0.5), 0);
        int count = MIN((int)(centre + support + 0.5), in) - first;
        for (int k = 0; k < count; k++) {
            weight[k] = lanczos((first + k - centre + 0.5) / stretch);
            sum += weight[k];
        }
        gint32 *coeff = taps->coeff + (size_t)i * (size_t)taps->taps;
        for (int k = 0; k < count; k++) {
            double w = weight[k] / sum * (1 << FRACTION_BITS);
            coeff[k] = (gint32)(w < 0 ? w - 0.5 : w + 0.5);
        }
        taps->first[i] = first;
        taps->count[i] = count;
    }
}

static guint8 clip(gint32 sum)
{
    gint32 v = sum >> FRACTION_BITS;
    return (guint8)CLAMP(v, 0, 255);
}

static void weigh(const guint8 *p, const gint32 *coeff, int count, guint8 *to)
{
    gint32 sum = 1 << (FRACTION_BITS - 1);
    for (int k = 0; k < count; k++)
        sum += p[k] * coeff[k];
    *to = clip(sum);
}

static void weigh_colours(const guint8 *p, const gint32 *coeff, int count, guint8 *to)
{
    gint32 r = 1 << (FRACTION_BITS - 1), g = r, b = r;
    for (int k = 0; k < count; k++, p += 3) {
        r += p[0] * coeff[k];
        g += p[1] * coeff[k];
        b += p[2] * coeff[k];
    }
    to[0] = clip(r);
    to[1] = clip(g);
    to[2] = clip(b);
}

static CgImage *resize_rows(const CgImage *image, int width)
{
    g_auto(Taps) taps = {0};
    taps_init(&taps, image->width, width);
    int c = image->channels;
    CgImage *out = cg_image_new(width, image->height, c);
#pragma omp parallel for num_threads(cg_threads())
    for (int y = 0; y < image->height; y++) {
        const guint8 *from = image->pixels + (size_t)y * (size_t)image->width * (size_t)c;
        guint8 *to = out->pixels + (size_t)y * (size_t)width * (size_t)c;
        for (int x = 0; x < width; x++) {
            const gint32 *coeff = taps.coeff + (size_t)x * (size_t)taps.taps;
            const guint8 *p = from + (size_t)taps.first[x] * (size_t)c;
            if (c == 3)
                weigh_colours(p, coeff, taps.count[x], to + 3 * x);
            else
                weigh(p, coeff, taps.count[x], to + x);
        }
    }
    return out;
}

static CgImage *resize_columns(const CgImage *image, int height)
{
    g_auto(Taps) taps = {0};
    taps_init(&taps, image->height, height);
    size_t row = (size_t)image->width * (size_t)image->channels;
    CgImage *out = cg_image_new(image->width, height, image->channels);
#pragma omp parallel num_threads(cg_threads())
    {
        g_autofree gint32 *sum = g_new(gint32, row);
#pragma omp for
        for (int y = 0; y < height; y++) {
            for (size_t i = 0; i < row; i++)
                sum[i] = 1 << (FRACTION_BITS - 1);
            for (int k = 0; k < taps.count[y]; k++) {
                gint32 coeff = taps.coeff[(size_t)y * (size_t)taps.taps + (size_t)k];
                const guint8 *from = image->pixels + (size_t)(taps.first[y] + k) * row;
#pragma omp simd
                for (size_t i = 0; i < row; i++)
                    sum[i] += from[i] * coeff;
            }
            for (size_t i = 0; i < row; i++)
                out->pixels[(size_t)y * row + i] = clip(sum[i]);
        }
    }
    return out;
}

CgImage *cg_image_resize(const CgImage *image, int width, int height)
{
    g_assert(width > 0 && height > 0);
    g_autoptr(CgImage) wide =
        width == image->width ? cg_image_copy(image) : resize_rows(image, width);
    return height == image->height ? g_steal_pointer(&wide) : resize_columns(wide, height);
}

CgImage *cg_image_resize_nearest(const CgImage *image, int width, int height)
{
    g_assert(width > 0 && height > 0);
    CgImage *out = cg_image_new(width, height, image->channels);
    size_t c = (size_t)image->channels;
    g_autofree size_t *column = g_new(size_t, (gsize)width);
    /* floor((x + 1/2) * in / out) in whole numbers: no rounding can move a pixel. */
    for (int x = 0; x < width; x++)
        column[x] = (size_t)((2 * (gint64)x + 1) * image->width / (2 * (gint64)width)) * c;
    for (int y = 0; y < height; y++) {
        gint64 row = (2 * (gint64)y + 1) * image->height / (2 * (gint64)height);
        const guint8 *from = image->pixels + (size_t)row * (size_t)image->width * c;
        guint8 *to = out->pixels + (size_t)y * (size_t)width * c;
        for (int x = 0; x < width; x++)
            for (size_t j = 0; j < c; j++)
                to[(size_t)x * c + j] = from[column[x] + j];
    }
    return out;
}
