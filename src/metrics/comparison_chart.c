/* Measures against the ratio that a source replaces. */
#include "metrics/comparison-private.h"

#include "image/plot.h"

#include <math.h>
#include <string.h>

#define FEWEST_RATIOS 3

/* "draem+cagen:0.3" is ratio 0.3 of "draem+cagen"; "draem" is ratio 0 of all that begin with it. */
static gboolean is_of(const char *method, const char *family, double *ratio)
{
    const char *colon = strrchr(method, ':'), *plus = strchr(family, '+');
    const gsize length = colon ? (gsize)(colon - method) : strlen(method);
    if (colon && length == strlen(family) && !strncmp(method, family, length)) {
        *ratio = g_ascii_strtod(colon + 1, NULL);
        return TRUE;
    }
    *ratio = 0;
    return !colon && length == (gsize)(plus - family) && !strncmp(method, family, length);
}

typedef struct {
    char *name;
    GArray *x, *y, *low, *high; /* double */
} Line;

static void line_clear(gpointer data)
{
    Line *line = data;
    g_free(line->name);
    g_array_unref(line->x);
    g_array_unref(line->y);
    g_array_unref(line->low);
    g_array_unref(line->high);
}

static void add_point(Line *line, double x, const CgCompared *v)
{
    const double y = 100 * v->value, low = 100 * v->low, high = 100 * v->high;
    guint at = 0;
    while (at < line->x->len && g_array_index(line->x, double, at) < x)
        at++;
    g_array_insert_val(line->x, at, x);
    g_array_insert_val(line->y, at, y);
    g_array_insert_val(line->low, at, low);
    g_array_insert_val(line->high, at, high);
}

static Line make_line(const CgComparison *c, const char *family, CgMode mode, guint compared)
{
    Line line = {g_strdup(family), g_array_new(FALSE, FALSE, sizeof(double)),
                 g_array_new(FALSE, FALSE, sizeof(double)),
                 g_array_new(FALSE, FALSE, sizeof(double)),
                 g_array_new(FALSE, FALSE, sizeof(double))};
    const char *category = c->categories->len == 1 ? g_ptr_array_index(c->categories, 0) : NULL;
    for (guint m = 0; m < c->methods->len; m++) {
        const char *method = g_ptr_array_index(c->methods, m);
        double ratio;
        CgCompared v;
        if (!is_of(method, family, &ratio))
            continue;
        cg_comparison_find(c, category, method, mode, FALSE, compared, &v);
        if (!v.undefined)
            add_point(&line, 100 * ratio, &v);
        g_free(v.undefined);
    }
    return line;
}

/* "draem+cagen" for each that there is. */
static GPtrArray *list_families(const CgComparison *c)
{
    GPtrArray *families = g_ptr_array_new_with_free_func(g_free);
    for (guint m = 0; m < c->methods->len; m++) {
        const char *method = g_ptr_array_index(c->methods, m), *colon = strrchr(method, ':');
        g_autofree char *family = colon ? g_strndup(method, (gsize)(colon - method)) : NULL;
        if (family && !g_ptr_array_find_with_equal_func(families, family, g_str_equal, NULL))
            g_ptr_array_add(families, g_steal_pointer(&family));
    }
    return families;
}

static const double *numbers(const GArray *a)
{
    return (const double *)(const void *)a->data;
}

static CgChart *make_chart(const CgComparison *c, const GPtrArray *families, CgMode mode,
                           guint compared, const char *label, gboolean *drawn)
{
    CgChart *chart = cg_chart_new(NULL, "replaced, %", label);
    for (guint i = 0; i < families->len; i++) {
        Line line = make_line(c, g_ptr_array_index(families, i), mode, compared);
        const gboolean spread = line.x->len && isfinite(g_array_index(line.low, double, 0));
        const CgSeries series = {.kind = CG_SERIES_MARKED,
                                 .name = line.name,
                                 .x = numbers(line.x),
                                 .y = numbers(line.y),
                                 .low = spread ? numbers(line.low) : NULL,
                                 .high = spread ? numbers(line.high) : NULL,
                                 .count = line.x->len};
        if (line.x->len >= FEWEST_RATIOS) {
            cg_chart_add(chart, &series);
            *drawn = TRUE;
        }
        line_clear(&line);
    }
    return chart;
}

gboolean cg_comparison_chart(const CgComparison *c, const char *path, gboolean *drawn,
                             GError **error)
{
    static const char *const labels[2] = {"pixel AUROC, %", "pixel AP, %"};
    const CgMode mode = cg_comparison_main_mode(c);
    g_autoptr(GPtrArray) families = list_families(c);
    CgChart *charts[2];
    *drawn = FALSE;
    for (guint i = 0; i < 2; i++)
        charts[i] = make_chart(c, families, mode, i, labels[i], drawn);
    const gboolean ok = !*drawn || cg_figure_save(charts, 2, 2, 900, 360, path, error);
    cg_chart_free(charts[0]);
    cg_chart_free(charts[1]);
    return ok;
}
