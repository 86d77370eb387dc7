/* ROC and PR curves of the methods that cagen evaluate compared, from its cells. */
#include "report/page-private.h"

#include "base/json.h"
#include "report/html.h"
#include "report/line_chart.h"

#include <string.h>

#define MAX_LINES 8   /* in a chart */
#define STEPS     100 /* of the axis on which curves are averaged */

static const struct {
    const char *key, *title, *x, *y;
} kinds[] = {
    {"pixel_roc", "Pixels: ROC", "false positives", "found"},
    {"pixel_pr", "Pixels: precision and recall", "recall", "precision"},
    {"image_roc", "Images: ROC", "false positives", "found"},
    {"image_pr", "Images: precision and recall", "recall", "precision"},
};
#define KINDS G_N_ELEMENTS(kinds)

static const char *const modes[] = {"draem", "strict", "anomalib"};

/* The mean of a method's curves over its trainings: Y at X in 0, 1/STEPS, ... 1. */
typedef struct {
    double y[KINDS][STEPS + 1];
    guint count[KINDS];
} MeanCurves;

static double coordinate(const json_t *point, gsize i)
{
    return json_number_value(json_array_get(point, i));
}

/* Adds the height of POINTS, [[x, y, ...], ...] with rising x, along the axis to SUM. */
static gboolean add_heights(const json_t *points, double *sum)
{
    const gsize count = json_array_size(points);
    gsize next = 0; /* the first point right of x */
    for (int i = 0; i <= STEPS && count > 1; i++) {
        const double x = (double)i / STEPS;
        while (next < count && coordinate(json_array_get(points, next), 0) <= x)
            next++;
        const json_t *left = json_array_get(points, next ? next - 1 : 0);
        const json_t *right = json_array_get(points, MIN(next, count - 1));
        const double x0 = coordinate(left, 0), x1 = coordinate(right, 0), y0 = coordinate(left, 1);
        const double part = x1 > x0 ? CLAMP((x - x0) / (x1 - x0), 0, 1) : 0;
        sum[i] += y0 + part * (coordinate(right, 1) - y0);
    }
    return count > 1;
}

static void add_cell(MeanCurves *mean, const char *path, const char *mode)
{
    g_autoptr(json_t) cell = cg_json_load(path, NULL);
    const json_t *curves = json_object_get(json_object_get(cell, "curves"), mode);
    for (gsize k = 0; k < KINDS; k++)
        if (add_heights(json_object_get(curves, kinds[k].key), mean->y[k]))
            mean->count[k]++;
}

static int compare_paths(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Of the trainings in FOLDER. */
static void read_mean(MeanCurves *mean, const char *folder, const char *mode)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        if (g_str_has_suffix(name, ".json"))
            g_ptr_array_add(names, g_build_filename(folder, name, NULL));
    g_ptr_array_sort(names, compare_paths);
    *mean = (MeanCurves){0};
    for (guint i = 0; i < names->len; i++)
        add_cell(mean, g_ptr_array_index(names, i), mode);
    for (gsize k = 0; k < KINDS; k++)
        for (int i = 0; i <= STEPS; i++)
            mean->y[k][i] /= MAX(mean->count[k], 1);
}

static void add_chart(GString *out, gsize kind, const MeanCurves *means, const json_t *methods,
                      const double *x)
{
    CgLine lines[MAX_LINES];
    guint count = 0;
    for (guint m = 0; m < MIN(json_array_size(methods), MAX_LINES); m++)
        if (means[m].count[kind])
            lines[count++] = (CgLine){.name = json_string_value(json_array_get(methods, m)),
                                      .x = x,
                                      .y = means[m].y[kind],
                                      .count = STEPS + 1};
    if (count)
        cg_line_chart_add(out, &(CgLineChart){.title = kinds[kind].title,
                                              .x_label = kinds[kind].x,
                                              .y_label = kinds[kind].y,
                                              .unit = TRUE,
                                              .lines = lines,
                                              .count = count});
}

static void add_category(GString *out, const char *folder, const char *category,
                         const json_t *methods, const char *mode, const double *x)
{
    MeanCurves means[MAX_LINES];
    GString *charts = g_string_new(NULL);
    for (guint m = 0; m < MIN(json_array_size(methods), MAX_LINES); m++) {
        g_autofree char *cells = g_build_filename(
            folder, "cells", category, json_string_value(json_array_get(methods, m)), NULL);
        read_mean(&means[m], cells, mode);
    }
    for (gsize k = 0; k < KINDS; k++)
        add_chart(charts, k, means, methods, x);
    if (charts->len) {
        g_string_append(out, "<h4>");
        cg_html_text(out, category);
        g_string_append_printf(out, "</h4>\n<div class=\"charts small\">%s</div>\n", charts->str);
    }
    g_string_free(charts, TRUE);
}

void cg_page_add_method_curves(GString *out, const json_t *categories, const json_t *methods,
                               const char *folder)
{
    double x[STEPS + 1];
    GString *charts = g_string_new(NULL);
    gsize mode = 0;
    for (int i = 0; i <= STEPS; i++)
        x[i] = (double)i / STEPS;
    for (; mode < G_N_ELEMENTS(modes) && charts->len == 0; mode++)
        for (gsize i = 0; i < json_array_size(categories); i++) {
            const char *category = json_string_value(json_array_get(categories, i));
            if (category)
                add_category(charts, folder, category, methods, modes[mode], x);
        }
    if (charts->len)
        g_string_append_printf(
            out,
            "<p>Curves in mode %s, all defects of a category, each the mean of a "
            "method's trainings.</p>\n%s",
            modes[mode - 1], charts->str);
    g_string_free(charts, TRUE);
}
