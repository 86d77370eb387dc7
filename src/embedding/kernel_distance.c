#include "embedding/kernel_distance.h"

#include "base/error.h"
#include "base/rng.h"
#include "base/system.h"
#include "metrics/interval.h"

#include <math.h>
#include <string.h>

/* K [a, b] of the rows of A and B. */
static double *kernel(const CgFeatures *a, const CgFeatures *b)
{
    const size_t width = a->width;
    double *k = g_new(double, a->count * b->count);
#pragma omp parallel for schedule(static) num_threads(cg_threads())
    for (size_t i = 0; i < a->count; i++)
        for (size_t j = 0; j < b->count; j++) {
            const float *x = cg_features_row(a, i), *y = cg_features_row(b, j);
            double sum = 0;
#pragma omp simd reduction(+ : sum)
            for (size_t c = 0; c < width; c++)
                sum += (double)x[c] * y[c];
            const double base = sum / (double)width + 1;
            k[i * b->count + j] = base * base * base;
        }
    return k;
}

typedef struct {
    const double *aa, *bb, *ab; /* kernels of A with itself [a, a], of B, of both [a, b] */
    size_t a, b;
} Kernels;

/* Mean of K [n, n] over the pairs of different rows, rows counted by WEIGHTS; NaN without any. */
static double mean_within(const double *k, size_t n, const double *weights)
{
    double sum = 0, pairs = 0, total = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        if (weights[i] == 0)
            continue;
        double row = 0;
        for (size_t j = 0; j < n; j++)
            row += weights[j] * k[i * n + j];
        sum += weights[i] * (row - weights[i] * k[i * n + i]);
        total += weights[i];
        squares += weights[i] * weights[i];
    }
    pairs = total * total - squares;
    return pairs > 0 ? sum / pairs : NAN;
}

static double mean_between(const Kernels *k, const double *wa, const double *wb)
{
    double sum = 0, total_a = 0, total_b = 0;
    for (size_t j = 0; j < k->b; j++)
        total_b += wb[j];
    for (size_t i = 0; i < k->a; i++) {
        if (wa[i] == 0)
            continue;
        double row = 0;
        for (size_t j = 0; j < k->b; j++)
            row += wb[j] * k->ab[i * k->b + j];
        sum += wa[i] * row;
        total_a += wa[i];
    }
    return sum / (total_a * total_b);
}

static double discrepancy(const Kernels *k, const double *wa, const double *wb)
{
    return mean_within(k->aa, k->a, wa) + mean_within(k->bb, k->b, wb) -
           2 * mean_between(k, wa, wb);
}

static void draw_with_replacement(CgRng *rng, double *weights, size_t n)
{
    memset(weights, 0, n * sizeof *weights);
    for (size_t i = 0; i < n; i++)
        weights[cg_rng_int(rng, 0, (int)n - 1)] += 1;
}

/* COUNT of the N rows (Floyd's way: each set equally likely). */
static void draw_subset(CgRng *rng, double *weights, size_t n, size_t count)
{
    memset(weights, 0, n * sizeof *weights);
    for (size_t i = n - count; i < n; i++) {
        const size_t pick = (size_t)cg_rng_int(rng, 0, (int)i);
        weights[weights[pick] == 0 ? pick : i] = 1;
    }
}

/* COUNT draws into VALUES: subsets of SIZE rows, or with replacement where SIZE is 0. */
static void draw(const Kernels *k, guint count, size_t size, guint64 seed, double *values)
{
#pragma omp parallel for schedule(dynamic, 1) num_threads(cg_threads())
    for (guint d = 0; d < count; d++) {
        g_autofree double *wa = g_new(double, k->a), *wb = g_new(double, k->b);
        CgRng rng = cg_rng(seed, CG_STREAM(size ? CG_STREAM_PAIRS : CG_STREAM_BOOTSTRAP, d));
        if (size) {
            draw_subset(&rng, wa, k->a, MIN(size, k->a));
            draw_subset(&rng, wb, k->b, MIN(size, k->b));
        } else {
            draw_with_replacement(&rng, wa, k->a);
            draw_with_replacement(&rng, wb, k->b);
        }
        values[d] = discrepancy(k, wa, wb);
    }
}

/* Draws that took one row alone say nothing. */
static guint drop_undefined(double *values, guint count)
{
    guint kept = 0;
    for (guint i = 0; i < count; i++)
        if (isfinite(values[i]))
            values[kept++] = values[i];
    return kept;
}

static void make_interval(const Kernels *k, const CgKernelOptions *o, CgKernelDistance *out)
{
    g_autofree double *values = g_new(double, o->draws + 1);
    draw(k, o->draws, 0, o->seed, values);
    const guint kept = drop_undefined(values, o->draws);
    cg_interval(values, kept, &out->low, &out->high);
}

static void use_subsets(const Kernels *k, const CgKernelOptions *o, CgKernelDistance *out)
{
    if (o->subsets == 0)
        return;
    g_autofree double *values = g_new(double, o->subsets);
    draw(k, o->subsets, MAX(o->subset_size, 2), o->seed, values);
    double mean = 0, squares = 0;
    for (guint i = 0; i < o->subsets; i++)
        mean += values[i] / o->subsets;
    for (guint i = 0; i < o->subsets; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    out->mean = mean;
    out->deviation = sqrt(squares / o->subsets);
}

gboolean cg_kernel_distance(const CgFeatures *a, const CgFeatures *b, const CgKernelOptions *o,
                            CgKernelDistance *out, GError **error)
{
    if (a->width != b->width || a->count < 2 || b->count < 2) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                    "a kernel distance is of two groups of at least two pictures and equally many "
                    "features, not of %zu x %zu and %zu x %zu",
                    a->count, a->width, b->count, b->width);
        return FALSE;
    }
    g_autofree double *aa = kernel(a, a), *bb = kernel(b, b), *ab = kernel(a, b);
    const Kernels k = {aa, bb, ab, a->count, b->count};
    g_autofree double *ones = g_new(double, MAX(a->count, b->count));
    for (size_t i = 0; i < MAX(a->count, b->count); i++)
        ones[i] = 1;
    *out = (CgKernelDistance){discrepancy(&k, ones, ones), NAN, NAN, NAN, NAN};
    make_interval(&k, o, out);
    use_subsets(&k, o, out);
    return cg_cancel_check(error);
}
