#include "image/membrane.h"

#include <string.h>

#define MAX_LEVELS     17 /* 32768 halves 15 times */
#define MAX_ITERATIONS 200

/* One grid of resistors. Node i is joined to its right neighbour by right[i], to the one below by
 * down[i], to given values by conductances that only count in diagonal[i], the sum of all that end
 * there. A node without conductance (diagonal 0) is no part of the problem. All arrays have a frame
 * of one node of zeros, so that the loops need not ask where the grid ends. */
typedef struct {
    int width, height;
    size_t stride, size; /* of a row and of an array, frame included */
    float *right, *down, *diagonal;
    float *inverse; /* of the diagonal, 0 where that is 0 */
    float *x, *b;   /* solution and right-hand side of a V-cycle */
} Level;

struct CgMembrane {
    Level level[MAX_LEVELS];
    int count;
    guint8 *unknown; /* with the frame of level 0 */
};

static inline size_t node(const Level *l, int x, int y)
{
    return (size_t)(y + 1) * l->stride + (size_t)(x + 1);
}

static Level level_new(int width, int height)
{
    size_t stride = (size_t)width + 2, size = stride * ((size_t)height + 2);
    Level l = {.width = width, .height = height, .stride = stride, .size = size};
    float **const arrays[] = {&l.right, &l.down, &l.diagonal, &l.inverse, &l.x, &l.b};
    for (size_t i = 0; i < G_N_ELEMENTS(arrays); i++)
        *arrays[i] = g_new0(float, size);
    return l;
}

static void level_clear(Level *l)
{
    float *const arrays[] = {l->right, l->down, l->diagonal, l->inverse, l->x, l->b};
    for (size_t i = 0; i < G_N_ELEMENTS(arrays); i++)
        g_free(arrays[i]);
}

static void invert_diagonal(Level *l)
{
    for (size_t i = 0; i < l->size; i++)
        l->inverse[i] = l->diagonal[i] > 0 ? 1 / l->diagonal[i] : 0;
}

/* The picture's own grid: neighbours of which at least one is unknown are joined by 1. */
static Level finest(const guint8 *unknown, int width, int height)
{
    Level l = level_new(width, height);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            size_t p = (size_t)y * (size_t)width + (size_t)x;
            size_t pixel[2] = {p + 1, p + (size_t)width};
            size_t i = node(&l, x, y), other[2] = {i + 1, i + l.stride};
            for (int k = 0; k < 2; k++) {
                if (k == 0 ? x + 1 >= width : y + 1 >= height)
                    continue;
                gboolean here = unknown[p] != 0, there = unknown[pixel[k]] != 0;
                (k == 0 ? l.right : l.down)[i] = here && there ? 1 : 0;
                l.diagonal[i] += here ? 1 : 0;
                l.diagonal[other[k]] += there ? 1 : 0;
            }
        }
    invert_diagonal(&l);
    return l;
}

/* 2x2 nodes joined to one: the conductances inside vanish, those across the border add up, and are
 * halved because the lines are now twice as long. */
static Level coarser(const Level *f)
{
    Level c = level_new((f->width + 1) / 2, (f->height + 1) / 2);
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++) {
            size_t i = node(f, x, y), j = node(&c, x / 2, y / 2);
            float inside = 0;
            if (x % 2)
                c.right[j] += 0.5f * f->right[i];
            else
                inside += 2 * f->right[i];
            if (y % 2)
                c.down[j] += 0.5f * f->down[i];
            else
                inside += 2 * f->down[i];
            c.diagonal[j] += 0.5f * (f->diagonal[i] - inside);
        }
    invert_diagonal(&c);
    return c;
}

CgMembrane *cg_membrane_new(const guint8 *unknown, int width, int height)
{
    CgMembrane *m = g_new0(CgMembrane, 1);
    m->level[m->count++] = finest(unknown, width, height);
    m->unknown = g_new0(guint8, m->level[0].size);
    for (int y = 0; y < height; y++)
        memcpy(m->unknown + node(&m->level[0], 0, y), unknown + (size_t)y * (size_t)width,
               (size_t)width);
    for (const Level *l = m->level; l->width > 1 || l->height > 1; l++)
        m->level[m->count++] = coarser(l);
    return m;
}

void cg_membrane_free(CgMembrane *m)
{
    if (!m)
        return;
    for (int i = 0; i < m->count; i++)
        level_clear(&m->level[i]);
    g_free(m->unknown);
    g_free(m);
}

/* Sum of the currents that the neighbours of node I send. */
static inline float inflow(const Level *l, const float *v, size_t i)
{
    size_t s = l->stride;
    return l->right[i] * v[i + 1] + l->right[i - 1] * v[i - 1] + l->down[i] * v[i + s] +
           l->down[i - s] * v[i - s];
}

/* Gauss-Seidel on the nodes of one COLOUR of the checkerboard, which do not touch each other. */
static void smooth(Level *l, int colour)
{
    for (int y = 0; y < l->height; y++) {
        size_t begin = node(l, 0, y), end = begin + (size_t)l->width;
        for (size_t i = begin + (size_t)((y + colour) % 2); i < end; i += 2)
            l->x[i] = (l->b[i] + inflow(l, l->x, i)) * l->inverse[i];
    }
}

/* b of COARSE = sums over 2x2 nodes of the residual of FINE. */
static void restrict_residual(const Level *f, Level *c)
{
    memset(c->x, 0, c->size * sizeof *c->x);
    memset(c->b, 0, c->size * sizeof *c->b);
    for (int yc = 0; yc < c->height; yc++)
        for (int y = 2 * yc; y < MIN(2 * yc + 2, f->height); y++)
            for (int x = 0; x < f->width; x++) {
                size_t i = node(f, x, y);
                c->b[node(c, x / 2, yc)] += f->b[i] + inflow(f, f->x, i) - f->diagonal[i] * f->x[i];
            }
}

static void add_correction(Level *f, const Level *c)
{
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++) {
            size_t i = node(f, x, y);
            f->x[i] += f->diagonal[i] > 0 ? c->x[node(c, x / 2, y / 2)] : 0;
        }
}

/* level[0].x ~ A^-1 level[0].b. Smoothing after is the mirror image of smoothing before, which
 * keeps the whole symmetric, as conjugate gradients need it. */
static void v_cycle(CgMembrane *m)
{
    int last = m->count - 1;
    for (int k = 0; k < last; k++) {
        smooth(&m->level[k], 0);
        smooth(&m->level[k], 1);
        restrict_residual(&m->level[k], &m->level[k + 1]);
    }
    Level *top = &m->level[last]; /* one node */
    size_t only = node(top, 0, 0);
    top->x[only] = top->b[only] * top->inverse[only];
    for (int k = last - 1; k >= 0; k--) {
        add_correction(&m->level[k], &m->level[k + 1]);
        smooth(&m->level[k], 1);
        smooth(&m->level[k], 0);
    }
}

/* z = preconditioned r. */
static void precondition(CgMembrane *m, const double *r, double *z)
{
    Level *l = &m->level[0];
    for (size_t i = 0; i < l->size; i++)
        l->b[i] = (float)r[i];
    memset(l->x, 0, l->size * sizeof *l->x);
    v_cycle(m);
    for (size_t i = 0; i < l->size; i++)
        z[i] = l->x[i];
}

/* q = A p, where P is 0 on all that is given. */
static void apply(const CgMembrane *m, const double *p, double *q)
{
    const Level *l = &m->level[0];
    size_t s = l->stride;
    for (int y = 0; y < l->height; y++) {
        size_t begin = node(l, 0, y), end = begin + (size_t)l->width;
        for (size_t i = begin; i < end; i++) {
            double sum = l->diagonal[i] * p[i] - p[i - 1] - p[i + 1] - p[i - s] - p[i + s];
            q[i] = m->unknown[i] ? sum : 0;
        }
    }
}

/* Four sums, so that the processor need not wait for each addition. */
static double dot(const double *a, const double *b, size_t size)
{
    double sum[4] = {0};
    size_t i = 0;
    for (; i + 4 <= size; i += 4)
        for (size_t k = 0; k < 4; k++)
            sum[k] += a[i + k] * b[i + k];
    for (; i < size; i++)
        sum[0] += a[i] * b[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* R = what the given neighbours send to the unknown pixels: the residual of the solution 0. */
static void first_residual(const CgMembrane *m, const double *values, double *r)
{
    const Level *l = &m->level[0];
    int w = l->width, h = l->height;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            size_t i = node(l, x, y), v = (size_t)y * (size_t)w + (size_t)x;
            if (!m->unknown[i])
                continue;
            r[i] += x > 0 && !m->unknown[i - 1] ? values[v - 1] : 0;
            r[i] += x + 1 < w && !m->unknown[i + 1] ? values[v + 1] : 0;
            r[i] += y > 0 && !m->unknown[i - l->stride] ? values[v - (size_t)w] : 0;
            r[i] += y + 1 < h && !m->unknown[i + l->stride] ? values[v + (size_t)w] : 0;
        }
}

int cg_membrane_solve(CgMembrane *m, double *values)
{
    return cg_membrane_solve_source(m, NULL, values);
}

int cg_membrane_solve_source(CgMembrane *m, const double *source, double *values)
{
    const Level *l = &m->level[0];
    size_t size = l->size;
    g_autofree double *x = g_new0(double, size);
    g_autofree double *r = g_new0(double, size);
    g_autofree double *z = g_new0(double, size);
    g_autofree double *p = g_new0(double, size);
    g_autofree double *q = g_new0(double, size);
    first_residual(m, values, r);
    for (int row = 0; source && row < l->height; row++)
        for (int col = 0; col < l->width; col++)
            if (m->unknown[node(l, col, row)])
                r[node(l, col, row)] += source[(size_t)row * (size_t)l->width + (size_t)col];
    precondition(m, r, z);
    memcpy(p, z, size * sizeof *p);
    double rz = dot(r, z, size);
    const double goal = rz * CG_MEMBRANE_TOLERANCE * CG_MEMBRANE_TOLERANCE;
    int n = 0;
    for (; rz > goal && n < MAX_ITERATIONS; n++) {
        apply(m, p, q);
        double alpha = rz / dot(p, q, size);
        for (size_t i = 0; i < size; i++) {
            x[i] += alpha * p[i];
            r[i] -= alpha * q[i];
        }
        precondition(m, r, z);
        double beta = 1 / rz;
        rz = dot(r, z, size);
        beta *= rz;
        for (size_t i = 0; i < size; i++)
            p[i] = z[i] + beta * p[i];
    }
    for (int row = 0; row < l->height; row++)
        for (int col = 0; col < l->width; col++)
            if (m->unknown[node(l, col, row)])
                values[(size_t)row * (size_t)l->width + (size_t)col] = x[node(l, col, row)];
    return n;
}
