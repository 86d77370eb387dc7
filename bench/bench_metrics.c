/* Speed of the pixel metrics, from scores and labels in memory to all of them.
 *
 *     bench_metrics [--serve DIR] [images [side]]
 *
 * Draws probabilities of 400 images of 256 x 256 (105 MB), a quarter of them with a defect, ranks
 * and measures them, and resamples the images 1000 times. With --serve it writes scores.f32 and
 * labels.u8 into DIR, then does one part for each name read from standard input ("measure",
 * "bootstrap") and answers with a line of JSON; bench/peer_metrics.py is the other end.
 */
#include "base/file.h"
#include "base/rng.h"
#include "base/system.h"
#include "metrics/bootstrap.h"
#include "metrics/components.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT 0.3
#define DRAWS 1000

typedef struct {
    guint images, side;
    float *scores;  /* [images, side, side] */
    guint8 *labels; /* the same */
} Set;

typedef struct {
    double ranking, measuring, drawing; /* seconds */
    CgMeasures measures;
    CgIntervals intervals;
} Result;

static void die(const GError *error)
{
    fprintf(stderr, "bench_metrics: %s\n", error->message);
    exit(1);
}

static size_t image_pixels(const Set *s)
{
    return (size_t)s->side * s->side;
}

/* Probabilities as a detector gives them: nearly all small, high on most of a defect. */
static void draw_image(const Set *s, guint i)
{
    const int side = (int)s->side, defect = side / 8 + (int)(i % 7);
    float *scores = s->scores + i * image_pixels(s);
    guint8 *labels = s->labels + i * image_pixels(s);
    CgRng rng = cg_rng(1, i);
    const int x0 = cg_rng_int(&rng, 0, side - defect), y0 = cg_rng_int(&rng, 0, side - defect);
    cg_rng_normals(2, i, 0, scores, image_pixels(s));
    for (int p = 0; p < side * side; p++) {
        const int x = p % side - x0, y = p / side - y0;
        labels[p] = i % 4 == 0 && x >= 0 && x < defect && y >= 0 && y < defect;
        scores[p] = 1 / (1 + expf(6 - 2 * scores[p] - (labels[p] ? 5 : 0)));
    }
}

static CgRanking *rank(const Set *s)
{
    g_autoptr(GError) error = NULL;
    g_autofree guint32 *regions = g_new(guint32, image_pixels(s));
    CgRanking *r = cg_ranking_new(NAN);
    for (guint i = 0; i < s->images; i++) {
        const size_t at = i * image_pixels(s);
        const guint32 count = cg_components(s->labels + at, (int)s->side, (int)s->side, regions);
        if (!cg_ranking_add(r, "image", s->scores + at, regions, count, image_pixels(s), &error))
            die(error);
    }
    if (!cg_ranking_sort(r, &error))
        die(error);
    return r;
}

static void run(const Set *s, gboolean bootstrap, Result *out)
{
    const double begin = cg_seconds();
    g_autoptr(CgRanking) r = rank(s);
    out->ranking = cg_seconds() - begin;
    cg_ranking_measure(r, 1, NULL, LIMIT, &out->measures);
    out->measuring = cg_seconds() - begin - out->ranking;
    if (!bootstrap)
        return;
    g_autofree gboolean *members = g_new(gboolean, s->images);
    for (guint i = 0; i < s->images; i++)
        members[i] = TRUE;
    const double ready = cg_seconds();
    g_autoptr(GError) error = NULL;
    if (!cg_bootstrap(r, members, DRAWS, 1, LIMIT, &out->intervals, NULL, &error))
        die(error);
    out->drawing = cg_seconds() - ready;
}

static void print_alone(const Set *s)
{
    static const char *const names[] = {"AUROC", "AP", "F1", "threshold", "IoU", "AUPRO"};
    Result result;
    run(s, TRUE, &result);
    printf("%u images of %u x %u, %d threads\n", s->images, s->side, s->side, cg_threads());
    printf("rank       %8.3f s\nmeasure    %8.3f s\nbootstrap  %8.3f s, %d draws\npeak memory %.0f "
           "MB\n",
           result.ranking, result.measuring, result.drawing, DRAWS, (double)cg_memory_peak() / 1e6);
    for (int m = 0; m <= CG_MEASURE_AUPRO; m++)
        printf("%-10s %.6f [%.6f, %.6f]\n", names[m], result.measures.value[m],
               result.intervals.low[m], result.intervals.high[m]);
}

static void serve(const Set *s, const char *dir)
{
    const size_t pixels = s->images * image_pixels(s);
    g_autofree char *scores = g_build_filename(dir, "scores.f32", NULL);
    g_autofree char *labels = g_build_filename(dir, "labels.u8", NULL);
    g_autoptr(GError) error = NULL;
    char line[64];
    if (!cg_file_write(scores, s->scores, pixels * sizeof *s->scores, &error) ||
        !cg_file_write(labels, s->labels, pixels, &error))
        die(error);
    printf("{\"ready\":\"cagen\",\"threads\":%d,\"images\":%u,\"side\":%u}\n", cg_threads(),
           s->images, s->side);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        Result r = {0};
        const gboolean bootstrap = g_str_has_prefix(line, "bootstrap");
        run(s, bootstrap, &r);
        printf("{\"seconds\":%.6f,\"auroc\":%.15g,\"ap\":%.15g,\"f1\":%.15g,\"aupro\":%.15g,"
               "\"peak_memory\":%.0f}\n",
               bootstrap ? r.drawing : r.ranking + r.measuring, r.measures.value[CG_MEASURE_AUROC],
               r.measures.value[CG_MEASURE_AP], r.measures.value[CG_MEASURE_F1],
               r.measures.value[CG_MEASURE_AUPRO], (double)cg_memory_peak());
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    const char *dir = argc > 2 && !strcmp(argv[1], "--serve") ? argv[2] : NULL;
    const int at = dir ? 3 : 1;
    Set s = {argc > at ? (guint)atoi(argv[at]) : 400,
             argc > at + 1 ? (guint)atoi(argv[at + 1]) : 256, NULL, NULL};
    s.scores = g_new(float, s.images *image_pixels(&s));
    s.labels = g_new0(guint8, s.images * image_pixels(&s));
#pragma omp parallel for schedule(static) num_threads(cg_threads())
    for (guint i = 0; i < s.images; i++)
        draw_image(&s, i);
    if (dir)
        serve(&s, dir);
    else
        print_alone(&s);
    g_free(s.scores);
    g_free(s.labels);
    return 0;
}
