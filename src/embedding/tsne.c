#include "embedding/tsne.h"

#include "base/error.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/system.h"
#include "embedding/pca.h"
#include "embedding/quadtree.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define INITIAL_DEVIATION 1e-4
#define MIN_GAIN          0.01
#define MIN_GRADIENT      1e-7 /* norm at which nothing moves any more */

CgTsne cg_tsne_defaults(void)
{
    return (CgTsne){.perplexity = 30,
                    .exaggeration = 12,
                    .exaggerated = 250,
                    .iterations = 1000,
                    .components = 50};
}

/* What point I feels of its neighbours: the sum of p w (y_i - y_j). */
static void attract(const CgAffinity *p, const double *y, size_t i, double force[2])
{
    const double px = y[2 * i], py = y[2 * i + 1];
    double fx = 0, fy = 0;
    for (size_t e = p->begin[i]; e < p->begin[i + 1]; e++) {
        const double *other = y + 2 * p->column[e];
        const double dx = px - other[0], dy = py - other[1];
        const double pull = p->value[e] / (1 + dx * dx + dy * dy);
        fx += pull * dx;
        fy += pull * dy;
    }
    force[0] = fx;
    force[1] = fy;
}

/* Fills GRADIENT and returns the sum of all w. PARTS [n, 3]: each point's part in a place of its
 * own, so that sums are in one order on any number of threads. */
static double gradient_with(CgQuadtree *tree, const CgAffinity *p, const double *y, double angle,
                            double exaggeration, double *parts, double *gradient)
{
    const size_t n = p->count;
    double z = DBL_MIN;
    cg_quadtree_build(tree, y);
#pragma omp parallel for schedule(dynamic, 64) num_threads(cg_threads())
    for (size_t i = 0; i < n; i++) {
        parts[3 * i] = cg_quadtree_repulsion(tree, i, angle, parts + 3 * i + 1);
        attract(p, y, i, gradient + 2 * i);
    }
    for (size_t i = 0; i < n; i++)
        z += parts[3 * i];
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < 2; c++)
            gradient[2 * i + c] =
                4 * (exaggeration * gradient[2 * i + c] - parts[3 * i + 1 + c] / z);
    return z;
}

/* KL(P || Q), P times EXAGGERATION, Z the sum of all w. */
static double divergence(const CgAffinity *p, const double *y, double exaggeration, double z)
{
    double sum = 0;
    for (size_t i = 0; i < p->count; i++)
        for (size_t e = p->begin[i]; e < p->begin[i + 1]; e++) {
            const double *other = y + 2 * p->column[e];
            const double dx = y[2 * i] - other[0], dy = y[2 * i + 1] - other[1];
            const double value = exaggeration * p->value[e];
            sum += value * log(fmax(value, DBL_EPSILON) * (1 + dx * dx + dy * dy) * z);
        }
    return sum;
}

double cg_tsne_gradient(const CgAffinity *p, const double *y, double angle, double exaggeration,
                        double *gradient)
{
    g_autoptr(CgQuadtree) tree = cg_quadtree_new(p->count);
    g_autofree double *parts = g_new(double, 3 * p->count + 1);
    const double z = gradient_with(tree, p, y, angle, exaggeration, parts, gradient);
    return divergence(p, y, exaggeration, z);
}

typedef struct {
    double *update, *gain, *gradient; /* [n, 2] */
    double *parts;                    /* [n, 3] */
} Descent;

static void descent_clear(Descent *d)
{
    g_free(d->update);
    g_free(d->gain);
    g_free(d->gradient);
    g_free(d->parts);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Descent, descent_clear)

static double norm(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

static void move(Descent *d, double *y, size_t n, double momentum, double rate)
{
    for (size_t i = 0; i < n; i++) {
        const gboolean turned = d->update[i] * d->gradient[i] < 0;
        d->gain[i] = fmax(turned ? d->gain[i] + 0.2 : d->gain[i] * 0.8, MIN_GAIN);
        d->update[i] = momentum * d->update[i] - rate * d->gain[i] * d->gradient[i];
        y[i] += d->update[i];
    }
}

/* Iterations FIRST .. END - 1, EARLY ones with P exaggerated. */
static gboolean descend(CgQuadtree *tree, const CgAffinity *p, const CgTsne *s, double *y,
                        gboolean early, int first, int end, CgProgress *progress, GError **error)
{
    const size_t n = 2 * p->count;
    const double rate =
        s->learning_rate > 0 ? s->learning_rate : fmax((double)p->count / s->exaggeration / 4, 50);
    g_auto(Descent)
        d = {g_new0(double, n), g_new(double, n), g_new(double, n), g_new(double, 2 * n)};
    for (size_t i = 0; i < n; i++)
        d.gain[i] = 1;
    for (int t = first; t < end; t++) {
        gradient_with(tree, p, y, s->angle, early ? s->exaggeration : 1, d.parts, d.gradient);
        if (!cg_cancel_check(error))
            return FALSE;
        if (norm(d.gradient, n) <= MIN_GRADIENT)
            break;
        move(&d, y, n, early ? 0.5 : 0.8, rate);
        cg_progress_update(progress, (guint64)t + 1, NULL);
    }
    return TRUE;
}

static void set_deviation(double *y, size_t n)
{
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++)
        mean += y[2 * i] / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (y[2 * i] - mean) * (y[2 * i] - mean);
    const double deviation = sqrt(squares / (double)n);
    if (deviation > 0)
        for (size_t i = 0; i < 2 * n; i++)
            y[i] *= INITIAL_DEVIATION / deviation;
}

static gboolean begin(const CgFeatures *f, const CgTsne *s, double *y, GError **error)
{
    if (!s->random) {
        if (!cg_pca(f, 2, y, NULL, error))
            return FALSE;
        set_deviation(y, f->count);
        return TRUE;
    }
    g_autofree float *normals = g_new(float, 2 * f->count);
    cg_rng_normals(s->seed, CG_STREAM(CG_STREAM_EMBEDDING, 0), 0, normals, 2 * f->count);
    for (size_t i = 0; i < 2 * f->count; i++)
        y[i] = INITIAL_DEVIATION * (double)normals[i];
    return TRUE;
}

static CgFeatures *reduce(const CgFeatures *f, int components, GError **error)
{
    const size_t k = (size_t)components;
    CgFeatures *out = cg_features_new(f->count, k ? k : f->width);
    if (!k) {
        memcpy(out->values, f->values, f->count * f->width * sizeof *f->values);
        return out;
    }
    g_autofree double *scores = g_new(double, f->count *k);
    if (!cg_pca(f, k, scores, NULL, error)) {
        cg_features_free(out);
        return NULL;
    }
    for (size_t i = 0; i < f->count * k; i++)
        out->values[i] = (float)scores[i];
    return out;
}

static gboolean check(const CgFeatures *f, const CgTsne *s, GError **error)
{
    if (3 * s->perplexity < (double)f->count)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "%zu points are too few for a perplexity of %g; it can be below %g", f->count,
                s->perplexity, (double)f->count / 3);
    return FALSE;
}

gboolean cg_tsne(const CgFeatures *f, const CgTsne *s, double *y, double *kl, GError **error)
{
    if (!check(f, s, error))
        return FALSE;
    const gboolean smaller = s->components > 0 && (size_t)s->components < f->width;
    g_autoptr(CgFeatures) reduced = reduce(f, smaller ? s->components : 0, error);
    if (!reduced || !begin(reduced, s, y, error))
        return FALSE;
    const size_t most = f->count - 1;
    const size_t neighbours = s->angle > 0 ? MIN((size_t)(3 * s->perplexity + 1), most) : most;
    g_autoptr(CgAffinity) p = cg_affinity_new(reduced, neighbours, s->perplexity, error);
    if (!p)
        return FALSE;
    g_autoptr(CgQuadtree) tree = cg_quadtree_new(f->count);
    g_autoptr(CgProgress) progress = cg_progress_new("t-SNE", (guint64)s->iterations);
    const int early = MIN(s->exaggerated, s->iterations);
    g_autofree double *gradient = g_new(double, 2 * f->count);
    if (!descend(tree, p, s, y, TRUE, 0, early, progress, error) ||
        !descend(tree, p, s, y, FALSE, early, s->iterations, progress, error))
        return FALSE;
    if (kl)
        *kl = cg_tsne_gradient(p, y, s->angle, 1, gradient);
    return TRUE;
}

gboolean cg_trustworthiness(const CgFeatures *f, const double *y, size_t k, double *out,
                            GError **error)
{
    const size_t n = f->count;
    g_autoptr(CgFeatures) plane = cg_features_new(n, 2);
    for (size_t i = 0; i < 2 * n; i++)
        plane->values[i] = (float)y[i];
    g_autofree guint32 *near = g_new(guint32, n * k);
    g_autofree double *parts = g_new0(double, n);
    if (!cg_nearest(plane, k, near, NULL, error))
        return FALSE;
#pragma omp parallel for schedule(dynamic, 8) num_threads(cg_threads())
    for (size_t i = 0; i < n; i++) {
        g_autofree double *squared = g_new(double, n);
        for (size_t j = 0; j < n; j++)
            squared[j] =
                cg_squared_distance(cg_features_row(f, i), cg_features_row(f, j), f->width);
        for (size_t e = i * k; e < (i + 1) * k; e++) {
            size_t rank = 1;
            for (size_t j = 0; j < n; j++)
                rank += j != i && squared[j] < squared[near[e]];
            if (rank > k)
                parts[i] += (double)(rank - k);
        }
    }
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += parts[i];
    const double count = (double)n, near_count = (double)k;
    *out = 1 - sum * 2 / (count * near_count * (2 * count - 3 * near_count - 1));
    return TRUE;
}
