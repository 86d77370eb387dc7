#include "synthesis/perlin.h"

#include <math.h>

/* 6 t^5 - 15 t^4 + 10 t^3: first and second derivative vanish at 0 and 1. */
static double fade(double t)
{
    return t * t * t * (t * (t * 6 - 15) + 10);
}

static double mix(double a, double b, double t)
{
    return a + t * (b - a);
}

/* Where pixel I of SIZE lies in its cell; *CELL says which. In whole numbers, so that the first
 * pixel of a cell is exactly on the lattice. */
static double place(int i, int size, int cells, int *cell)
{
    gint64 at = (gint64)i * cells;
    *cell = (int)(at / size);
    return (double)(at % size) / size;
}

/* One row inside the cells of lattice rows ABOVE and BELOW, Y the fraction. Along a row, both edges
 * of a cell are straight lines in x: the sums over rows are taken once per cell. */
static void field_row(const double (*above)[2], const double (*below)[2], double y, int width,
                      const int *cell, const double *x, const double *faded, float *out)
{
    double fy = fade(y);
    for (int j = 0; j < width;) {
        int c = cell[j];
        double left = mix(y * above[c][0], (y - 1) * below[c][0], fy);
        double left_x = mix(above[c][1], below[c][1], fy);
        double right = mix(y * above[c + 1][0], (y - 1) * below[c + 1][0], fy);
        double right_x = mix(above[c + 1][1], below[c + 1][1], fy);
        for (; j < width && cell[j] == c; j++) {
            double u = left + x[j] * left_x;
            double v = right + (x[j] - 1) * right_x;
            out[j] = (float)(G_SQRT2 * mix(u, v, faded[j]));
        }
    }
}

void cg_perlin_field(int width, int height, int cells_x, int cells_y, const double *angles,
                     float *out)
{
    g_assert(cells_x > 0 && cells_y > 0);
    gsize lattice = (gsize)(cells_x + 1) * (gsize)(cells_y + 1);
    double(*gradients)[2] = g_malloc_n(lattice, sizeof *gradients);
    for (gsize k = 0; k < lattice; k++) {
        gradients[k][0] = cos(angles[k]);
        gradients[k][1] = sin(angles[k]);
    }

    g_autofree int *cell = g_new(int, width);
    g_autofree double *x = g_new(double, width);
    g_autofree double *faded = g_new(double, width);
    for (int j = 0; j < width; j++) {
        x[j] = place(j, width, cells_x, &cell[j]);
        faded[j] = fade(x[j]);
    }
    for (int i = 0; i < height; i++) {
        int row;
        double y = place(i, height, cells_y, &row);
        const double(*above)[2] = (const double(*)[2])gradients + (gsize)row * (gsize)(cells_x + 1);
        field_row(above, above + cells_x + 1, y, width, cell, x, faded,
                  out + (gsize)i * (gsize)width);
    }
    g_free(gradients);
}

/* Linear interpolation at (X, Y); what lies outside is 0, also next to the border. */
static float sample(const float *in, int width, int height, double x, double y)
{
    if (!(x > -1 && y > -1 && x < width && y < height))
        return 0;
    int x0 = (int)floor(x), y0 = (int)floor(y);
    double fx = x - x0, fy = y - y0, value[2][2];
    for (int b = 0; b < 2; b++)
        for (int a = 0; a < 2; a++) {
            int u = x0 + a, v = y0 + b;
            gboolean inside = u >= 0 && v >= 0 && u < width && v < height;
            value[b][a] = inside ? (double)in[(gsize)v * (gsize)width + (gsize)u] : 0;
        }
    return (float)mix(mix(value[0][0], value[0][1], fx), mix(value[1][0], value[1][1], fx), fy);
}

void cg_perlin_rotate(const float *in, int width, int height, double degrees, float *out)
{
    double c = cos(degrees * (G_PI / 180)), s = sin(degrees * (G_PI / 180));
    double centre_x = (width - 1) / 2.0, centre_y = (height - 1) / 2.0;
    for (int i = 0; i < height; i++) {
        double dy = i - centre_y;
        for (int j = 0; j < width; j++) {
            double dx = j - centre_x;
            double x = c * dx + s * dy + centre_x, y = c * dy - s * dx + centre_y;
            if (x >= 0 && y >= 0 && x < width - 1 && y < height - 1) {
                const float *p = in + (gsize)(int)y * (gsize)width + (gsize)(int)x;
                double fx = x - (int)x, fy = y - (int)y;
                double top = mix((double)p[0], (double)p[1], fx);
                double bottom = mix((double)p[width], (double)p[width + 1], fx);
                *out++ = (float)mix(top, bottom, fy);
            } else {
                *out++ = sample(in, width, height, x, y);
            }
        }
    }
}

void cg_perlin_noise(const CgPerlin *perlin, CgRng *rng, int width, int height, float *out)
{
    int cells_y = 1 << cg_rng_int(rng, perlin->exponent_low, perlin->exponent_high);
    int cells_x = 1 << cg_rng_int(rng, perlin->exponent_low, perlin->exponent_high);
    gsize lattice = (gsize)(cells_x + 1) * (gsize)(cells_y + 1);
    g_autofree double *angles = g_new(double, lattice);
    for (gsize k = 0; k < lattice; k++)
        angles[k] = cg_rng_uniform(rng, 0, 2 * G_PI);
    double degrees = cg_rng_uniform(rng, -perlin->rotation, perlin->rotation);

    g_autofree float *field = g_new(float, (gsize)width *(gsize)height);
    cg_perlin_field(width, height, cells_x, cells_y, angles, field);
    cg_perlin_rotate(field, width, height, degrees, out);
}

CgImage *cg_perlin_mask(const CgPerlin *perlin, CgRng *rng, int width, int height)
{
    gsize count = (gsize)width * (gsize)height;
    g_autofree float *noise = g_new(float, count);
    cg_perlin_noise(perlin, rng, width, height, noise);
    CgImage *mask = cg_image_new(width, height, 1);
    for (gsize i = 0; i < count; i++)
        mask->pixels[i] = (double)noise[i] > perlin->threshold ? 255 : 0;
    return mask;
}

CgImage *cg_perlin_soft_mask(const CgPerlin *perlin, CgRng *rng, int width, int height,
                             double softness)
{
    g_assert(softness > 0);
    gsize count = (gsize)width * (gsize)height;
    g_autofree float *noise = g_new(float, count);
    cg_perlin_noise(perlin, rng, width, height, noise);
    CgImage *mask = cg_image_new(width, height, 1);
    for (gsize i = 0; i < count; i++) {
        /* Rounded up: just above the threshold is 128, the threshold itself 127. */
        double above = ((double)noise[i] - perlin->threshold) / softness;
        mask->pixels[i] = (guint8)CLAMP(ceil(127 + 255 * above), 0, 255);
    }
    return mask;
}
