/* Time and memory of what cagen figure 4 computes of many pictures' features.
 *
 *     bench_embedding [points [width]]
 *
 * Draws two groups of 5000 points, 10 clouds each, of 512 numbers as a ResNet-18 gives them: a
 * plane of all by t-SNE (Barnes-Hut, as the program does it), its trustworthiness, and the
 * distances of the groups.
 */
#include "base/rng.h"
#include "base/system.h"
#include "embedding/frechet.h"
#include "embedding/kernel_distance.h"
#include "embedding/neighbours.h"
#include "embedding/tsne.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define CLOUDS 10
#define DRAWS  1000

/* Processor seconds of this process. */
static double used_seconds(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           1e-6 * (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static CgFeatures *draw_group(size_t count, size_t width, guint64 group)
{
    CgFeatures *f = cg_features_new(count, width);
    g_autofree float *centres = g_new(float, CLOUDS *width);
    cg_rng_normals(1, group, 0, centres, CLOUDS * width);
    for (size_t i = 0; i < count; i++) {
        float *row = cg_features_row(f, i);
        cg_rng_normals(2 + group, i, 0, row, width);
        for (size_t k = 0; k < width; k++)
            row[k] += centres[i % CLOUDS * width + k];
    }
    return f;
}

typedef struct {
    CgFeatures *both, *groups[2];
    double *plane; /* [points, 2] */
} Work;

static gboolean embed(const Work *w, double *out, GError **error)
{
    CgTsne settings = cg_tsne_defaults();
    settings.angle = w->both->count >= CG_TSNE_EXACT_MAX ? 0.5 : 0;
    return cg_tsne(w->both, &settings, w->plane, out, error);
}

static gboolean trust(const Work *w, double *out, GError **error)
{
    return cg_trustworthiness(w->both, w->plane, 10, out, error);
}

static gboolean frechet(const Work *w, double *out, GError **error)
{
    CgEstimate estimate = {0};
    const gboolean ok = cg_frechet_estimate(w->groups[0], w->groups[1], &estimate, error);
    *out = estimate.value;
    return ok;
}

static gboolean kernel(const Work *w, double *out, GError **error)
{
    const CgKernelOptions options = {.draws = DRAWS};
    CgKernelDistance distance = {0};
    const gboolean ok = cg_kernel_distance(w->groups[0], w->groups[1], &options, &distance, error);
    *out = distance.value;
    return ok;
}

static gboolean tell_apart(const Work *w, double *out, GError **error)
{
    CgMeanInterval accuracy = {0};
    const gboolean ok = cg_two_sample_accuracy(w->groups[0], w->groups[1], 0, &accuracy, error);
    *out = accuracy.mean;
    return ok;
}

static const struct {
    const char *name;
    gboolean (*run)(const Work *, double *, GError **);
} parts[] = {
    {"t-SNE, divergence", embed}, {"trustworthiness", trust}, {"Frechet distance", frechet},
    {"kernel distance", kernel},  {"told apart", tell_apart},
};

int main(int argc, char **argv)
{
    const size_t points = argc > 1 ? (size_t)atoi(argv[1]) : 10000;
    const size_t width = argc > 2 ? (size_t)atoi(argv[2]) : 512;
    g_autoptr(CgFeatures) a = draw_group(points / 2, width, 0);
    g_autoptr(CgFeatures) b = draw_group(points / 2, width, 1);
    g_autoptr(CgFeatures) both = cg_features_join((CgFeatures *[]){a, b}, 2, NULL);
    g_autofree double *plane = g_new(double, 2 * both->count);
    const Work w = {both, {a, b}, plane};
    printf("%zu points of %zu numbers, %d threads\n%-20s %9s %9s %9s\n", both->count, width,
           cg_threads(), "", "wall s", "cpu s", "result");
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
        const double wall = cg_seconds(), used = used_seconds();
        g_autoptr(GError) error = NULL;
        double result;
        if (!parts[i].run(&w, &result, &error)) {
            fprintf(stderr, "bench_embedding: %s\n", error->message);
            return 1;
        }
        printf("%-20s %9.2f %9.2f %9.4f\n", parts[i].name, cg_seconds() - wall,
               used_seconds() - used, result);
        fflush(stdout);
    }
    printf("peak memory %.0f MiB\n", (double)cg_memory_peak() / 1048576);
    return 0;
}
