#include "image/membrane.h"

#include <math.h>

/* Smaller parts of a wave are left out: 255 of them are far below one step of an 8-bit picture. */
#define SMALLEST 1e-6f

/* The waves along one axis of COUNT unknown pixels, and how each fades from the edge across the
 * other axis of DEPTH. */
typedef struct {
    int count, depth;
    float *wave; /* [count (mode), count (place)]: sin(pi (mode + 1) (place + 1) / (count + 1)) */
    float *fade; /* [depth (distance - 1), count (mode)]: 1 on the edge, 0 on the opposite one */
    int *modes;  /* [depth]: how many of them are not too small to count */
} Axis;

static void axis_clear(Axis *a)
{
    g_free(a->wave);
    g_free(a->fade);
    g_free(a->modes);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Axis, axis_clear)

/* A wave of angle t per pixel solves the equation if it grows by exp(+-m) across, with
 * cosh m = 2 - cos t. */
static void fade_fill(Axis *a)
{
    for (int k = 0; k < a->count; k++) {
        const double c = 2 - cos(G_PI * (k + 1) / (a->count + 1));
        const double m = log(c + sqrt(c * c - 1)), span = a->depth + 1;
        for (int d = 0; d < a->depth; d++) {
            const double near = exp(-m * (d + 1)), far = exp(-m * (2 * span - (d + 1)));
            const float value = (float)((near - far) / (1 - exp(-2 * m * span)));
            if (value < SMALLEST)
                break; /* and so is all that is farther away */
            a->fade[(size_t)d * (size_t)a->count + (size_t)k] = value;
            a->modes[d] = MAX(a->modes[d], k + 1);
        }
    }
}

static void axis_init(Axis *a, int count, int depth)
{
    const size_t n = (size_t)count, period = 2 * (n + 1);
    *a = (Axis){.count = count, .depth = depth};
    a->wave = g_new(float, n *n);
    a->fade = g_new0(float, n *(size_t)depth);
    a->modes = g_new0(int, depth);
    g_autofree float *sine = g_new(float, period);
    for (size_t i = 0; i < period; i++)
        sine[i] = (float)sin(G_PI * (double)i / (double)(n + 1));
    for (size_t k = 0; k < n; k++)
        for (size_t x = 0; x < n; x++)
            a->wave[k * n + x] = sine[(k + 1) * (x + 1) % period];
    fade_fill(a);
}

/* STRENGTH [count]: how much of each wave is in the COUNT values STRIDE apart. */
static void analyse(const Axis *a, const float *values, size_t stride, float *strength)
{
    for (int k = 0; k < a->count; k++) {
        const float *wave = a->wave + (size_t)k * (size_t)a->count;
        double sum = 0;
        for (int x = 0; x < a->count; x++)
            sum += (double)(wave[x] * values[(size_t)x * stride]);
        strength[k] = (float)(2 * sum / (a->count + 1));
    }
}

/* to += weight[0] * rows[0] + .. + weight[count - 1] * rows[count - 1], the rows STRIDE apart. */
static void add_rows(float *restrict to, int width, const float *restrict rows, size_t stride,
                     const float *restrict weight, int count)
{
    int k = 0;
    for (; k + 4 <= count; k += 4) {
        const float *r = rows + (size_t)k * stride, *s = r + stride, *t = s + stride,
                    *u = t + stride;
        const float a = weight[k], b = weight[k + 1], c = weight[k + 2], d = weight[k + 3];
#pragma omp simd
        for (int x = 0; x < width; x++)
            to[x] += (a * r[x] + b * s[x]) + (c * t[x] + d * u[x]);
    }
    for (; k < count; k++) {
        const float *r = rows + (size_t)k * stride;
#pragma omp simd
        for (int x = 0; x < width; x++)
            to[x] += weight[k] * r[x];
    }
}

/* What the edges above and below send inside: whole waves along the rows. */
static void add_top_and_bottom(const Axis *a, float *values, size_t width)
{
    const size_t n = (size_t)a->count;
    g_autofree float *top = g_new(float, n);
    g_autofree float *bottom = g_new(float, n);
    g_autofree float *weight = g_new(float, n);
    analyse(a, values + 1, 1, top);
    analyse(a, values + (size_t)(a->depth + 1) * width + 1, 1, bottom);
    for (int y = 0; y < a->depth; y++) {
        const int other = a->depth - 1 - y, modes = MAX(a->modes[y], a->modes[other]);
        const float *from_top = a->fade + (size_t)y * n, *from_bottom = a->fade + (size_t)other * n;
        for (int k = 0; k < modes; k++)
            weight[k] = top[k] * from_top[k] + bottom[k] * from_bottom[k];
        add_rows(values + (size_t)(y + 1) * width + 1, a->count, a->wave, n, weight, modes);
    }
}

/* The same from the left and the right: each wave runs down, and fades along the rows. */
static void add_left_and_right(const Axis *a, float *values, size_t width)
{
    const size_t n = (size_t)a->count, depth = (size_t)a->depth;
    g_autofree float *left = g_new(float, n);
    g_autofree float *right = g_new(float, n);
    g_autofree float *part = g_new(float, n *depth); /* [mode, x] */
    g_autofree float *weight = g_new(float, n);
    analyse(a, values + width, width, left);
    analyse(a, values + width + depth + 1, width, right);
    for (size_t k = 0; k < n; k++)
        for (size_t x = 0; x < depth; x++)
            part[k * depth + x] =
                left[k] * a->fade[x * n + k] + right[k] * a->fade[(depth - 1 - x) * n + k];
    for (size_t y = 0; y < n; y++) {
        float *row = values + (y + 1) * width + 1;
        for (size_t k = 0; k < n; k++)
            weight[k] = a->wave[y * n + k]; /* symmetric in mode and place */
        /* Short waves stay near the edges: the columns in strips, each with the waves it has. */
        for (size_t x = 0; x < depth; x += 16) {
            const size_t end = MIN(x + 16, depth);
            const int modes = MAX(a->modes[x], a->modes[depth - end]);
            add_rows(row + x, (int)(end - x), part + x, depth, weight, modes);
        }
    }
}

void cg_membrane_fill(float *values, int width, int height, int channels)
{
    g_auto(Axis) across = {0}, down = {0};
    g_assert(width >= 3 && height >= 3);
    axis_init(&across, width - 2, height - 2);
    axis_init(&down, height - 2, width - 2);
    for (int c = 0; c < channels; c++, values += (size_t)width * (size_t)height) {
        for (int y = 1; y < height - 1; y++)
            for (int x = 1; x < width - 1; x++)
                values[(size_t)y * (size_t)width + (size_t)x] = 0;
        add_top_and_bottom(&across, values, (size_t)width);
        add_left_and_right(&down, values, (size_t)width);
    }
}
