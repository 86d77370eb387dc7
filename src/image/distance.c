#include "image/distance.h"

#include "base/system.h"

/* Distances along the columns: one sweep down, one up. */
static void sweep_columns(const guint8 *mask, int width, int height, guint32 *out)
{
    size_t w = (size_t)width;
    for (int y = 0; y < height; y++)
        for (size_t x = 0; x < w; x++) {
            size_t i = (size_t)y * w + x;
            guint32 above = y > 0 ? out[i - w] : CG_DISTANCE_FAR;
            out[i] = mask[i] ? 0 : above == CG_DISTANCE_FAR ? above : above + 1;
        }
    for (int y = height - 2; y >= 0; y--)
        for (size_t x = 0; x < w; x++) {
            size_t i = (size_t)y * w + x;
            guint32 below = out[i + w];
            if (below != CG_DISTANCE_FAR && below + 1 < out[i])
                out[i] = below + 1;
        }
}

/* min over q of (x - q)^2 + column(q)^2: the lower envelope of parabolas. SITE and START are
 * scratch of WIDTH and WIDTH + 1. */
static void envelope(guint32 *row, int width, int *site, double *start, guint32 *height2)
{
    int count = 0;
    for (int q = 0; q < width; q++) {
        if (row[q] == CG_DISTANCE_FAR) /* nothing in this column */
            continue;
        height2[q] = row[q] * row[q];
        double from = -G_MAXDOUBLE;
        while (count > 0) {
            double p = site[count - 1], d = q;
            from = ((height2[q] + d * d) - (height2[(int)p] + p * p)) / (2 * (d - p));
            if (from > start[count - 1])
                break;
            count--;
            from = -G_MAXDOUBLE;
        }
        site[count] = q;
        start[count++] = from;
    }
    if (count == 0)
        return;
    for (int x = 0, k = 0; x < width; x++) {
        while (k + 1 < count && start[k + 1] < x)
            k++;
        gint64 d = x - site[k];
        row[x] = (guint32)(d * d) + height2[site[k]];
    }
}

void cg_distance_squared(const guint8 *mask, int width, int height, guint32 *out)
{
    sweep_columns(mask, width, height, out);
#pragma omp parallel num_threads(cg_threads())
    {
        g_autofree int *site = g_new(int, (gsize)width);
        g_autofree double *start = g_new(double, (gsize)width);
        g_autofree guint32 *height2 = g_new(guint32, (gsize)width);
#pragma omp for
        for (int y = 0; y < height; y++)
            envelope(out + (size_t)y * (size_t)width, width, site, start, height2);
    }
}
