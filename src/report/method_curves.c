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

static void take_mean(MeanCurves *sum)
{
    for (gsize k = 0; k < KINDS; k++)
        for (int i = 0; i <= STEPS; i++)
            sum->y[k][i] /= MAX(sum->count[k], 1);
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
    take_mean(mean);
}

static void add_chart(GString *out, gsize kind, const MeanCurves *means, const json_t *methods)
{
    CgLine lines[MAX_LINES];
    double x[STEPS + 1];
    guint count = 0;
    for (int i = 0; i <= STEPS; i++)
        x[i] = (double)i / STEPS;
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

/* All kinds; nothing where there are no curves. */
static void add_charts(GString *out, const MeanCurves *means, const json_t *methods)
{
    const gsize before = out->len;
    g_string_append(out, "<div class=\"charts\">");
    const gsize inside = out->len;
    for (gsize k = 0; k < KINDS; k++)
        add_chart(out, k, means, methods);
    if (out->len > inside)
        g_string_append(out, "</div>\n");
    else
        g_string_truncate(out, before);
}

/* The charts of CATEGORY, folded; adds its curves to TOTAL [methods]. */
static void add_category(GString *out, const char *folder, const char *category,
                         const json_t *methods, const char *mode, MeanCurves *total)
{
    MeanCurves means[MAX_LINES];
    GString *charts = g_string_new(NULL);
    for (guint m = 0; m < MIN(json_array_size(methods), MAX_LINES); m++) {
        g_autofree char *cells = g_build_filename(
            folder, "cells", category, json_string_value(json_array_get(methods, m)), NULL);
        read_mean(&means[m], cells, mode);
        for (gsize k = 0; k < KINDS; k++) {
            total[m].count[k] += means[m].count[k] > 0;
            for (int i = 0; i <= STEPS; i++)
                total[m].y[k][i] += means[m].y[k][i];
        }
    }
    add_charts(charts, means, methods);
    if (charts->len) {
        g_string_append(out, "<details><summary>Curves of ");
        cg_html_text(out, category);
        g_string_append_printf(out, "</summary>\n%s</details>\n", charts->str);
    }
    g_string_free(charts, TRUE);
}

/* FALSE when no cell has curves in MODE. */
static gboolean add_mode(GString *out, const json_t *categories, const json_t *methods,
                         const char *folder, const char *mode)
{
    MeanCurves total[MAX_LINES] = {0};
    GString *charts = g_string_new(NULL);
    for (gsize i = 0; i < json_array_size(categories); i++) {
        const char *category = json_string_value(json_array_get(categories, i));
        if (category)
            add_category(charts, folder, category, methods, mode, total);
    }
    const gboolean found = charts->len > 0;
    if (found) {
        for (gsize m = 0; m < MAX_LINES; m++)
            take_mean(&total[m]);
        g_string_append_printf(
            out,
            "<h4>Curves</h4>\n<p>Mode %s, all defects: the mean of the categories "
            "below, of each the mean of a method's trainings.</p>\n",
            mode);
        add_charts(out, total, methods);
        g_string_append_len(out, charts->str, (gssize)charts->len);
    }
    g_string_free(charts, TRUE);
    return found;
}

void cg_page_add_method_curves(GString *out, const json_t *categories, const json_t *methods,
                               const char *folder)
{
    static const char *const modes[] = {"draem", "strict", "anomalib"};
    for (gsize m = 0; m < G_N_ELEMENTS(modes); m++)
        if (add_mode(out, categories, methods, folder, modes[m]))
            return;
}
