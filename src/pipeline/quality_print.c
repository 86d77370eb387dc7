/* What was measured of groups of pictures: JSON, CSV and tables. */
#include "metrics/table.h"
#include "pipeline/quality.h"

#include <math.h>
#include <stdlib.h>

static const CgQualityRow *nth_row(const CgQuality *q, guint i)
{
    return &g_array_index(q->rows, CgQualityRow, i);
}

static const CgGroup *nth_group(const CgQuality *q, guint i)
{
    return g_ptr_array_index(q->groups, i);
}

static const char *view_name(const CgQuality *q, const CgQualityRow *row)
{
    return nth_group(q, row->group)->images->len ? cg_group_view_name(row->view) : "given";
}

static CgEstimate kernel_of(const CgQualityRow *row)
{
    return (CgEstimate){row->kernel.value, row->kernel.low, row->kernel.high};
}

/* ---- JSON */

static json_t *text(const char *t)
{
    g_autofree char *valid = g_utf8_make_valid(t, -1);
    return json_string(valid);
}

static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static void set_estimate(json_t *object, const char *key, CgEstimate e)
{
    if (isfinite(e.value))
        json_object_set_new(object, key,
                            json_pack("{s:f, s:o, s:o}", "value", e.value, "low", number(e.low),
                                      "high", number(e.high)));
}

static json_t *paths_json(const CgGroup *g)
{
    json_t *paths = json_array();
    for (guint i = 0; i < g->images->len; i++)
        json_array_append_new(paths, text(cg_group_image(g, i)->image));
    return paths;
}

static const CgGroup *shots_of(const CgQuality *q)
{
    return q->shots ? q->shots : nth_group(q, q->real);
}

static void set_clusters(json_t *object, const CgQuality *q, const CgQualityRow *row)
{
    json_t *clusters = json_array(), *nearest = json_array();
    for (guint k = 0; k < shots_of(q)->images->len; k++)
        json_array_append_new(
            clusters, json_pack("{s:I, s:o}", "count", (json_int_t)row->clusters.clusters[k].count,
                                "distance", number(row->clusters.clusters[k].distance)));
    for (guint i = 0; i < nth_group(q, row->group)->images->len; i++)
        json_array_append_new(nearest, json_integer(row->clusters.nearest[i]));
    json_object_set_new(object, "clusters", clusters);
    json_object_set_new(object, "nearest", nearest);
}

static json_t *row_json(const CgQuality *q, const CgQualityRow *row)
{
    const CgGroup *g = nth_group(q, row->group);
    json_t *o = json_pack("{s:o, s:s, s:I}", "group", text(g->name), "view", view_name(q, row),
                          "count", (json_int_t)g->features->count);
    set_estimate(o, "frechet", row->frechet);
    set_estimate(o, "kernel", kernel_of(row));
    set_estimate(o, "inception_score", row->inception);
    set_estimate(o, "ic_lpips", row->clusters.diversity);
    if (row->clusters.nearest)
        set_clusters(o, q, row);
    return o;
}

static json_t *group_json(const CgQuality *q, guint i)
{
    const CgGroup *g = nth_group(q, i);
    const char *role = i == q->real ? "real" : (int)i == q->good ? "good" : "synthetic";
    return json_pack("{s:o, s:o, s:s, s:o}", "name", text(g->name), "path", text(g->path), "role",
                     role, "pictures", paths_json(g));
}

json_t *cg_quality_json(const CgQuality *q)
{
    json_t *groups = json_array(), *rows = json_array();
    for (guint i = 0; i < q->groups->len; i++)
        json_array_append_new(groups, group_json(q, i));
    for (guint i = 0; i < q->rows->len; i++)
        json_array_append_new(rows, row_json(q, nth_row(q, i)));
    json_t *o =
        json_pack("{s:s, s:s, s:o, s:i, s:I, s:o, s:o}", "format", "cagen quality", "version",
                  CAGEN_VERSION, "features", text(q->features), "draws", (int)q->draws, "seed",
                  (json_int_t)q->seed, "groups", groups, "rows", rows);
    if (q->classifier)
        json_object_set_new(o, "classes", json_integer(q->classifier->model->config.classes));
    if (!q->lpips)
        return o;
    json_object_set_new(
        o, "lpips", json_pack("{s:s, s:i}", "network", cg_lpips_name(q->lpips), "side", q->side));
    json_object_set_new(o, "shots", paths_json(shots_of(q)));
    return o;
}

/* ---- CSV */

static void add_estimate(GString *out, CgEstimate e)
{
    cg_csv_number(out, e.value);
    cg_csv_number(out, e.low);
    cg_csv_number(out, e.high);
}

static char *csv(const CgQuality *q)
{
    GString *out = g_string_new(
        "group,view,pictures,frechet,frechet_low,frechet_high,kernel,kernel_low,kernel_high,"
        "inception_score,inception_score_low,inception_score_high,ic_lpips,ic_lpips_low,"
        "ic_lpips_high\n");
    for (guint i = 0; i < q->rows->len; i++) {
        const CgQualityRow *row = nth_row(q, i);
        const CgGroup *g = nth_group(q, row->group);
        cg_csv_field(out, g->name);
        g_string_append_printf(out, ",%s,%zu", view_name(q, row), g->features->count);
        add_estimate(out, row->frechet);
        add_estimate(out, kernel_of(row));
        add_estimate(out, row->inception);
        add_estimate(out, row->clusters.diversity);
        g_string_append_c(out, '\n');
    }
    return g_string_free(out, FALSE);
}

/* ---- tables */

static char *cell(CgEstimate e)
{
    if (!isfinite(e.value))
        return g_strdup("-");
    return isfinite(e.low) ? g_strdup_printf("%.3f (%.3f to %.3f)", e.value, e.low, e.high)
                           : g_strdup_printf("%.3f", e.value);
}

static void add_head(CgTable *t, const CgQuality *q)
{
    GPtrArray *head = g_ptr_array_new();
    static const char *const names[] = {"group", "view", "pictures", "Fréchet", "kernel"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        g_ptr_array_add(head, g_strdup(names[i]));
    if (q->classifier)
        g_ptr_array_add(head, g_strdup("IS"));
    if (q->lpips)
        g_ptr_array_add(head, g_strdup("IC-LPIPS"));
    cg_table_take_row(t, head);
}

static void add_row(CgTable *t, const CgQuality *q, const CgQualityRow *row)
{
    GPtrArray *cells = g_ptr_array_new();
    const CgGroup *g = nth_group(q, row->group);
    g_ptr_array_add(cells, cg_table_show(g->name));
    g_ptr_array_add(cells, g_strdup(view_name(q, row)));
    g_ptr_array_add(cells, g_strdup_printf("%zu", g->features->count));
    g_ptr_array_add(cells, cell(row->frechet));
    g_ptr_array_add(cells, cell(kernel_of(row)));
    if (q->classifier)
        g_ptr_array_add(cells, cell(row->inception));
    if (q->lpips)
        g_ptr_array_add(cells, cell(row->clusters.diversity));
    cg_table_take_row(t, cells);
}

static void add_notes(CgTable *t, const CgQuality *q)
{
    g_autofree char *features = g_strdup_printf(
        "Features: %s. Distances are from %s, with intervals of 95 %%; Fréchet distances grow as "
        "groups shrink: compare groups of one size.",
        q->features, nth_group(q, q->real)->name);
    cg_table_note(t, features);
    if (q->classifier) {
        g_autofree char *score = g_strdup_printf(
            "IS: Inception score by this network's %d classes, not comparable with published ones, "
            "which are of Inception-v3.",
            q->classifier->model->config.classes);
        cg_table_note(t, score);
    }
    if (q->lpips) {
        g_autofree char *diversity = g_strdup_printf(
            "IC-LPIPS: %s at %d pixels, around %u pictures; larger is more diverse.",
            cg_lpips_name(q->lpips), q->side, shots_of(q)->images->len);
        cg_table_note(t, diversity);
    }
}

char *cg_quality_print(const CgQuality *q, CgReportFormat format)
{
    if (format == CG_REPORT_CSV)
        return csv(q);
    if (format == CG_REPORT_JSON) {
        json_t *json = cg_quality_json(q);
        char *dumped = json_dumps(json, JSON_COMPACT), *out = g_strconcat(dumped, "\n", NULL);
        json_decref(json);
        free(dumped);
        return out;
    }
    g_auto(CgTable) t;
    cg_table_init(&t, 2);
    add_head(&t, q);
    for (guint i = 0; i < q->rows->len; i++)
        add_row(&t, q, nth_row(q, i));
    add_notes(&t, q);
    return format == CG_REPORT_MD      ? cg_table_markdown(&t)
           : format == CG_REPORT_LATEX ? cg_table_latex(&t)
                                       : cg_table_text(&t);
}
