#include "pipeline/likeness.h"

#include "base/error.h"
#include "embedding/frechet.h"
#include "embedding/neighbours.h"
#include "image/plot.h"

#include <math.h>
#include <string.h>

#define TRUST_NEIGHBOURS 10

void cg_likeness_clear(CgLikeness *l)
{
    g_clear_pointer(&l->rows, g_free);
    g_clear_pointer(&l->plane, g_free);
}

static const CgGroup *group_at(const CgLikeness *l, guint i)
{
    return g_ptr_array_index(l->groups, i);
}

/* ---- numbers */

static double centroid_distance(const CgFeatures *a, const CgFeatures *b)
{
    double sum = 0;
    for (size_t j = 0; j < a->width; j++) {
        double mean_a = 0, mean_b = 0;
        for (size_t i = 0; i < a->count; i++)
            mean_a += cg_features_row(a, i)[j];
        for (size_t i = 0; i < b->count; i++)
            mean_b += cg_features_row(b, i)[j];
        const double d = mean_a / (double)a->count - mean_b / (double)b->count;
        sum += d * d;
    }
    return sqrt(sum);
}

static gboolean measure_row(const CgLikeness *l, guint i, CgLikenessRow *row, GError **error)
{
    const CgFeatures *f = group_at(l, i)->features;
    const CgFeatures *real = group_at(l, (guint)l->real)->features;
    const CgFeatures *good = l->good >= 0 ? group_at(l, (guint)l->good)->features : NULL;
    const CgKernelOptions kernel = {.draws = l->draws, .seed = l->seed};
    if (!cg_frechet_estimate(f, real, &row->frechet, error) ||
        !cg_kernel_distance(f, real, &kernel, &row->kernel, error) ||
        !cg_two_sample_accuracy(f, real, l->seed, &row->accuracy, error))
        return FALSE;
    if (!good || good == f)
        return TRUE;
    row->centroid = centroid_distance(f, real) / centroid_distance(good, real);
    return cg_neighbour_share(f, real, good, CG_LIKENESS_NEIGHBOURS, l->seed, &row->share, error);
}

static gboolean measure_rows(CgLikeness *l, GError **error)
{
    l->rows = g_new0(CgLikenessRow, l->groups->len);
    for (guint i = 0; i < l->groups->len; i++) {
        CgLikenessRow *row = &l->rows[i];
        row->frechet = cg_estimate(NAN, NAN);
        row->centroid = row->share.mean = row->accuracy.mean = NAN;
        row->kernel = (CgKernelDistance){NAN, NAN, NAN, NAN, NAN};
        if (l->real >= 0 && i != (guint)l->real && !measure_row(l, i, row, error)) {
            g_prefix_error(error, "%s: ", group_at(l, i)->name);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean check_widths(const CgLikeness *l, GError **error)
{
    const CgGroup *first = group_at(l, 0);
    for (guint i = 1; i < l->groups->len; i++) {
        const CgGroup *g = group_at(l, i);
        if (g->features->width == first->features->width)
            continue;
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                    "%s has %zu features for each picture, but %s has %zu; take all of one network",
                    g->name, g->features->width, first->name, first->features->width);
        return FALSE;
    }
    return TRUE;
}

gboolean cg_likeness_measure(CgLikeness *l, GError **error)
{
    if (!check_widths(l, error))
        return FALSE;
    g_autofree CgFeatures **parts = g_new(CgFeatures *, l->groups->len + 1);
    for (guint i = 0; i < l->groups->len; i++)
        parts[i] = group_at(l, i)->features;
    g_autoptr(CgFeatures) all = cg_features_join(parts, l->groups->len, error);
    if (!all)
        return FALSE;
    l->plane = g_new(double, 2 * all->count + 1);
    l->trust = NAN;
    if (!cg_tsne(all, &l->tsne, l->plane, &l->divergence, error))
        return FALSE;
    if (all->count > 2 * TRUST_NEIGHBOURS + 1 &&
        !cg_trustworthiness(all, l->plane, TRUST_NEIGHBOURS, &l->trust, error))
        return FALSE;
    return measure_rows(l, error);
}

/* ---- the figure */

/* Real pictures are grey and dark, what was made is in colours. */
static guint32 group_colour(const CgLikeness *l, guint group)
{
    guint made = 0;
    if ((int)group == l->good)
        return CG_RGB(150, 150, 150);
    if ((int)group == l->real)
        return CG_RGB(20, 20, 20);
    for (guint i = 0; i < group; i++)
        made += (int)i != l->good && (int)i != l->real;
    return cg_plot_colour(made);
}

gboolean cg_likeness_draw(const CgLikeness *l, const char *title, const char *path, GError **error)
{
    CgChart *chart = cg_chart_new(title, NULL, NULL);
    size_t at = 0;
    cg_chart_set_map(chart);
    for (guint i = 0; i < l->groups->len; i++) {
        const CgGroup *g = group_at(l, i);
        const size_t n = g->features->count;
        g_autofree double *x = g_new(double, n), *y = g_new(double, n);
        for (size_t k = 0; k < n; k++) {
            x[k] = l->plane[2 * (at + k)];
            y[k] = l->plane[2 * (at + k) + 1];
        }
        at += n;
        const CgSeries s = {.kind = CG_SERIES_POINTS,
                            .name = g->name,
                            .x = x,
                            .y = y,
                            .count = n,
                            .opacity = 0.75,
                            .size = n > 1000 ? 3 : 5,
                            .marker = (CgMarker)(i % CG_MARKER_COUNT),
                            .colour = group_colour(l, i)};
        cg_chart_add(chart, &s);
    }
    const gboolean ok = cg_figure_save(&chart, 1, 1, 560, 520, path, error);
    cg_chart_free(chart);
    return ok;
}

/* ---- the plane with pictures for points */

#define PLANE_SIDE 2000 /* pixels */
#define FRAME      3

typedef struct {
    double x, y, scale; /* of the plane's lower left corner, and pixels per unit */
} Window;

static Window fit_window(const CgLikeness *l, size_t count, int side)
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (size_t i = 0; i < 2 * count; i++) {
        low[i % 2] = fmin(low[i % 2], l->plane[i]);
        high[i % 2] = fmax(high[i % 2], l->plane[i]);
    }
    const double span = fmax(fmax(high[0] - low[0], high[1] - low[1]), 1e-12);
    return (Window){(low[0] + high[0] - span) / 2, (low[1] + high[1] - span) / 2,
                    (PLANE_SIDE - side - 2 * FRAME) / span};
}

/* PICTURE, RGB, at (X, Y) of SHEET in a frame of COLOUR; all of it lies inside. */
static void paste_framed(CgImage *sheet, const CgImage *picture, int x, int y, guint32 colour)
{
    const guint8 frame[3] = {(guint8)(colour >> 16), (guint8)(colour >> 8), (guint8)colour};
    for (int v = 0; v < picture->height + 2 * FRAME; v++)
        for (int u = 0; u < picture->width + 2 * FRAME; u++) {
            const int pu = u - FRAME, pv = v - FRAME;
            const gboolean inside =
                pu >= 0 && pv >= 0 && pu < picture->width && pv < picture->height;
            const guint8 *from =
                inside ? picture->pixels + 3 * ((size_t)pv * (size_t)picture->width + (size_t)pu)
                       : frame;
            memcpy(sheet->pixels + 3 * ((size_t)(y + v) * (size_t)sheet->width + (size_t)(x + u)),
                   from, 3);
        }
}

static gboolean paste_member(const CgLikeness *l, CgImage *sheet, const Window *window, int side,
                             guint group, guint member, size_t at, GError **error)
{
    const CgGroup *g = group_at(l, group);
    g_autoptr(CgImage) image = cg_image_load(cg_group_image(g, member)->image, NULL, error);
    if (!image)
        return FALSE;
    const int longest = MAX(image->width, image->height);
    g_autoptr(CgImage) small =
        cg_image_resize(image, MAX((int)((gint64)image->width * side / longest), 1),
                        MAX((int)((gint64)image->height * side / longest), 1));
    g_autoptr(CgImage) rgb = cg_image_to_rgb(small);
    const int x = (int)((l->plane[2 * at] - window->x) * window->scale);
    const int y = (int)((l->plane[2 * at + 1] - window->y) * window->scale);
    paste_framed(sheet, rgb, x, PLANE_SIDE - side - 2 * FRAME - y, group_colour(l, group));
    return TRUE;
}

CgImage *cg_likeness_pictures(const CgLikeness *l, int side, GError **error)
{
    g_autoptr(CgImage) sheet = cg_image_new(PLANE_SIDE, PLANE_SIDE, 3);
    size_t count = 0, at = 0;
    memset(sheet->pixels, 255, (size_t)3 * PLANE_SIDE * PLANE_SIDE);
    for (guint i = 0; i < l->groups->len; i++)
        count += group_at(l, i)->features->count;
    const Window window = fit_window(l, count, side);
    for (guint i = 0; i < l->groups->len; i++) {
        const CgGroup *g = group_at(l, i);
        for (guint k = 0; k < g->images->len; k++)
            if (!paste_member(l, sheet, &window, side, i, k, at + k, error))
                return NULL;
        at += g->features->count;
    }
    return g_steal_pointer(&sheet);
}

/* ---- numbers for programs and people */

static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *interval(double value, double low, double high)
{
    return json_pack("{s:o, s:o, s:o}", "value", number(value), "low", number(low), "high",
                     number(high));
}

static json_t *text(const char *t)
{
    g_autofree char *valid = g_utf8_make_valid(t, -1);
    return json_string(valid);
}

static json_t *row_json(const CgLikeness *l, guint i)
{
    const CgLikenessRow *r = &l->rows[i];
    const CgGroup *g = group_at(l, i);
    json_t *o = json_pack("{s:o, s:o, s:I}", "name", text(g->name), "path", text(g->path), "count",
                          (json_int_t)g->features->count);
    json_object_set_new(o, "role",
                        json_string((int)i == l->good   ? "good"
                                    : (int)i == l->real ? "real"
                                                        : "synthetic"));
    if (l->real < 0 || (int)i == l->real)
        return o;
    json_object_set_new(o, "frechet", interval(r->frechet.value, r->frechet.low, r->frechet.high));
    json_object_set_new(o, "kernel", interval(r->kernel.value, r->kernel.low, r->kernel.high));
    json_object_set_new(o, "two_sample_accuracy",
                        interval(r->accuracy.mean, r->accuracy.low, r->accuracy.high));
    if (isfinite(r->share.mean))
        json_object_set_new(o, "share_of_real_neighbours",
                            interval(r->share.mean, r->share.low, r->share.high));
    if (isfinite(r->centroid))
        json_object_set_new(o, "centroid_ratio", number(r->centroid));
    return o;
}

/* Six digits: what a page can show. */
static json_t *coordinate(double v)
{
    return json_real(round(v * 1e4) / 1e4);
}

static json_t *points_json(const CgLikeness *l)
{
    json_t *points = json_array();
    size_t at = 0;
    for (guint i = 0; i < l->groups->len; i++) {
        const CgGroup *g = group_at(l, i);
        for (size_t k = 0; k < g->features->count; k++, at++) {
            json_t *p = json_pack("[i, o, o]", i, coordinate(l->plane[2 * at]),
                                  coordinate(l->plane[2 * at + 1]));
            if (k < g->images->len)
                json_array_append_new(p, text(cg_group_image(g, (guint)k)->image));
            json_array_append_new(points, p);
        }
    }
    return points;
}

json_t *cg_likeness_json(const CgLikeness *l)
{
    const CgTsne *t = &l->tsne;
    json_t *o =
        json_pack("{s:s, s:s, s:s, s:{s:f, s:f, s:f, s:i, s:i, s:i, s:s, s:I}, s:o, s:o}", "format",
                  "cagen likeness", "version", CAGEN_VERSION, "features", l->features, "tsne",
                  "perplexity", t->perplexity, "angle", t->angle, "exaggeration", t->exaggeration,
                  "exaggerated", t->exaggerated, "iterations", t->iterations, "components",
                  t->components, "init", t->random ? "random" : "pca", "seed", (json_int_t)t->seed,
                  "divergence", number(l->divergence), "trustworthiness", number(l->trust));
    json_t *groups = json_array();
    for (guint i = 0; i < l->groups->len; i++)
        json_array_append_new(groups, row_json(l, i));
    json_object_set_new(o, "groups", groups);
    json_object_set_new(o, "points", points_json(l));
    return o;
}

/* NAME in a cell of a table. */
static void add_name(GString *out, const char *name)
{
    g_string_append(out, "| ");
    for (const char *p = name; *p; p++)
        if (*p == '|')
            g_string_append(out, "\\|");
        else
            g_string_append_c(out, *p == '\n' ? ' ' : *p);
}

static void add_interval(GString *out, double value, double low, double high)
{
    if (!isfinite(value))
        g_string_append(out, " | -");
    else if (isfinite(low))
        g_string_append_printf(out, " | %.3f (%.3f to %.3f)", value, low, high);
    else
        g_string_append_printf(out, " | %.3f", value);
}

char *cg_likeness_markdown(const CgLikeness *l)
{
    GString *out =
        g_string_new("| group | pictures | Fréchet | kernel | told apart | real neighbours | "
                     "centroid |\n|---|---|---|---|---|---|---|\n");
    for (guint i = 0; i < l->groups->len; i++) {
        const CgLikenessRow *r = &l->rows[i];
        add_name(out, group_at(l, i)->name);
        g_string_append_printf(out, " | %zu", group_at(l, i)->features->count);
        add_interval(out, r->frechet.value, r->frechet.low, r->frechet.high);
        add_interval(out, r->kernel.value, r->kernel.low, r->kernel.high);
        add_interval(out, r->accuracy.mean, r->accuracy.low, r->accuracy.high);
        add_interval(out, r->share.mean, r->share.low, r->share.high);
        add_interval(out, r->centroid, NAN, NAN);
        g_string_append(out, " |\n");
    }
    g_string_append_printf(
        out,
        "\nFeatures: %s. Distances are to the group of real defects, with 95 %% intervals. Fréchet "
        "distances "
        "grow as groups shrink: compare groups of one size.\n"
        "Told apart: accuracy of the nearest neighbour, 0.5 is not at all. Real neighbours: share "
        "of real defects among the %d nearest real pictures.\nCentroid: distance of means, the "
        "good pictures' being 1. t-SNE: divergence %.3f, trustworthiness %.3f.\n",
        l->features, CG_LIKENESS_NEIGHBOURS, l->divergence, l->trust);
    return g_string_free(out, FALSE);
}
