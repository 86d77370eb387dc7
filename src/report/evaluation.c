/* The section on detection: tables and curves from what metrics, tests and evaluations wrote. */
#include "report/page-private.h"

#include "base/error.h"
#include "base/json.h"
#include "metrics/published.h"
#include "report/html.h"
#include "report/line_chart.h"

#include <math.h>
#include <string.h>

#define MAX_LINES 8 /* in a chart */

static const struct {
    const char *key, *title;
} measures[] = {
    {"image_auroc", "Image AUROC"}, {"image_ap", "Image AP"}, {"pixel_auroc", "Pixel AUROC"},
    {"pixel_ap", "Pixel AP"},       {"pixel_f1", "Pixel F1"}, {"pixel_aupro", "AUPRO"},
};

/* ---- one detector's measures, of cagen metrics and cagen detect test */

void cg_page_per_cent(GString *out, const json_t *value)
{
    const double v = cg_page_number(value, "value");
    const double low = cg_page_number(value, "low"), high = cg_page_number(value, "high");
    const char *reason = cg_json_text(value, "undefined");
    if (isfinite(v)) {
        g_string_append_printf(out, "%.1f", 100 * v);
    } else {
        g_string_append(out, "<span title=\"");
        cg_html_text(out, reason ? reason : "not measured");
        g_string_append(out, "\">-</span>");
    }
    if (isfinite(v) && isfinite(low) && isfinite(high))
        g_string_append_printf(out, " <span class=\"interval\">%.1f&ndash;%.1f</span>", 100 * low,
                               100 * high);
}

/* The paper's two columns for CATEGORY (NULL: none), "AUROC / AP" of the pixels. */
static void add_published(GString *out, const char *category)
{
    const CgPublished *p = category ? cg_published_find(category) : NULL;
    if (p) {
        cg_html_number_cell(out, "%.1f / %.1f", p->draem_auroc, p->draem_ap);
        cg_html_number_cell(out, "%.1f / %.1f", p->cagen_auroc, p->cagen_ap);
    } else {
        g_string_append(out, "<td class=\"n\">-</td><td class=\"n\">-</td>");
    }
}

static void add_measure_row(GString *out, const json_t *row, gboolean published)
{
    const char *category = cg_json_text(row, "category"), *defect = cg_json_text(row, "defect");
    const gboolean without = json_is_true(json_object_get(row, "without_few_shot"));
    const json_t *values = json_object_get(row, "values");
    g_string_append(out,
                    defect ? "<tr class=\"sub\"><th scope=\"row\">" : "<tr><th scope=\"row\">");
    cg_html_text(out, category ? category : "mean of categories");
    g_string_append(out, "</th><td>");
    cg_html_text(out, defect ? defect : "all");
    g_string_append(out, without ? ", without few-shot images</td>" : "</td>");
    cg_html_number_cell(out, "%" JSON_INTEGER_FORMAT " + %" JSON_INTEGER_FORMAT,
                        json_integer_value(json_object_get(row, "good")),
                        json_integer_value(json_object_get(row, "defective")));
    for (gsize m = 0; m < G_N_ELEMENTS(measures); m++) {
        g_string_append(out, "<td class=\"n\">");
        cg_page_per_cent(out, json_object_get(values, measures[m].key));
        g_string_append(out, "</td>");
    }
    if (published)
        add_published(out, defect ? NULL : category);
    g_string_append(out, "</tr>\n");
}

static gboolean has_mode(const json_t *row, const char *mode)
{
    return g_strcmp0(cg_json_text(row, "mode"), mode) == 0;
}

static void add_measure_head(GString *out, gboolean published)
{
    g_string_append(out, "<thead><tr><th scope=\"col\">Category</th><th scope=\"col\">Defects</th>"
                         "<th scope=\"col\" class=\"n\">Good + def.</th>");
    for (gsize m = 0; m < G_N_ELEMENTS(measures); m++)
        g_string_append_printf(out, "<th scope=\"col\" class=\"n\">%s</th>", measures[m].title);
    if (published)
        g_string_append(out, "<th scope=\"col\" class=\"n\">Paper: DRAEM</th><th "
                             "scope=\"col\" class=\"n\">Paper: CAGen</th>");
    g_string_append(out, "</tr></thead>\n<tbody>\n");
}

static gboolean any_published(const json_t *rows)
{
    for (gsize i = 0; i < json_array_size(rows); i++) {
        const char *category = cg_json_text(json_array_get(rows, i), "category");
        if (category && cg_published_find(category))
            return TRUE;
    }
    return FALSE;
}

/* The rows of MODE, folded away if it is not the FIRST; FALSE when there are none. */
static gboolean add_mode(GString *out, const json_t *json, const char *mode, gboolean first)
{
    static const char *const lists[] = {"rows", "means"};
    /* The paper's figures are DRAEM's way of counting. */
    const gboolean published =
        g_str_equal(mode, "draem") && any_published(json_object_get(json, "rows"));
    GString *rows = g_string_new(NULL);
    for (gsize l = 0; l < G_N_ELEMENTS(lists); l++) {
        const json_t *list = json_object_get(json, lists[l]);
        for (gsize i = 0; i < json_array_size(list); i++)
            if (has_mode(json_array_get(list, i), mode))
                add_measure_row(rows, json_array_get(list, i), published);
    }
    const gboolean found = rows->len > 0;
    if (found) {
        g_autofree char *label = g_strdup_printf("Measures, mode %s", mode);
        g_string_append_printf(
            out, first ? "<h4>Mode %s</h4>\n" : "<details><summary>Mode %s</summary>\n", mode);
        cg_html_begin_table(out, label);
        add_measure_head(out, published);
        g_string_append_len(out, rows->str, (gssize)rows->len);
        cg_html_end_table(out);
        if (published)
            g_string_append(out,
                            "<p class=\"note\">Paper: AUROC / AP of the pixels, at 256 x 256 and "
                            "full width.</p>\n");
        g_string_append(out, first ? "" : "</details>\n");
    }
    g_string_free(rows, TRUE);
    return found;
}

/* ---- curves */

/* A curve's points into X and Y. */
static gboolean read_curve(const json_t *points, GArray *x, GArray *y)
{
    for (gsize i = 0; i < json_array_size(points); i++) {
        const json_t *p = json_array_get(points, i);
        const double px = json_number_value(json_array_get(p, 0));
        const double py = json_number_value(json_array_get(p, 1));
        g_array_append_val(x, px);
        g_array_append_val(y, py);
    }
    return x->len > 1;
}

/* Curve KEY of each category, all defects, in MODE. */
static void add_curves(GString *out, const json_t *json, const char *mode, const char *key,
                       const char *title, const char *x_label, const char *y_label)
{
    const json_t *rows = json_object_get(json, "rows");
    CgLine lines[MAX_LINES];
    guint count = 0;
    g_autoptr(GPtrArray) numbers = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    for (gsize i = 0; i < json_array_size(rows) && count < MAX_LINES; i++) {
        const json_t *row = json_array_get(rows, i), *curves = json_object_get(row, "curves");
        if (!has_mode(row, mode) || cg_json_text(row, "defect") ||
            json_is_true(json_object_get(row, "without_few_shot")))
            continue;
        GArray *x = g_array_new(FALSE, FALSE, sizeof(double));
        GArray *y = g_array_new(FALSE, FALSE, sizeof(double));
        g_ptr_array_add(numbers, x);
        g_ptr_array_add(numbers, y);
        if (read_curve(json_object_get(curves, key), x, y))
            lines[count++] = (CgLine){.name = cg_json_text(row, "category"),
                                      .x = (const double *)(const void *)x->data,
                                      .y = (const double *)(const void *)y->data,
                                      .count = x->len};
    }
    if (count)
        cg_line_chart_add(out, &(CgLineChart){.title = title,
                                              .x_label = x_label,
                                              .y_label = y_label,
                                              .unit = TRUE,
                                              .lines = lines,
                                              .count = count});
}

static void add_all_curves(GString *out, const json_t *json)
{
    static const char *const modes[] = {"draem", "strict", "anomalib"};
    GString *charts = g_string_new(NULL);
    for (gsize m = 0; m < G_N_ELEMENTS(modes) && charts->len == 0; m++) {
        add_curves(charts, json, modes[m], "pixel_roc", "Pixels: ROC", "false positives", "found");
        add_curves(charts, json, modes[m], "pixel_pr", "Pixels: precision and recall", "recall",
                   "precision");
        add_curves(charts, json, modes[m], "image_roc", "Images: ROC", "false positives", "found");
        add_curves(charts, json, modes[m], "image_pr", "Images: precision and recall", "recall",
                   "precision");
        if (charts->len)
            g_string_append_printf(out, "<p>Curves in mode %s, all defects of a category.</p>\n",
                                   modes[m]);
    }
    if (charts->len)
        g_string_append_printf(out, "<div class=\"charts\">%s</div>\n", charts->str);
    g_string_free(charts, TRUE);
}

static void add_notes(GString *out, const json_t *json)
{
    const json_t *notes = json_object_get(json, "notes");
    for (gsize i = 0; i < json_array_size(notes); i++) {
        g_string_append(out, "<p class=\"note\">");
        cg_html_text(out, json_string_value(json_array_get(notes, i)));
        g_string_append(out, "</p>\n");
    }
}

static gboolean add_measures(GString *out, const json_t *json)
{
    static const char *const modes[] = {"draem", "strict", "anomalib"};
    gboolean found = FALSE;
    for (gsize m = 0; m < G_N_ELEMENTS(modes); m++)
        found = add_mode(out, json, modes[m], !found) || found;
    add_all_curves(out, json);
    return found;
}

gboolean cg_page_add_evaluation(CgPage *page, const char *path, GError **error)
{
    GString *out = page->parts[CG_PAGE_EVALUATION];
    const gboolean is_folder = g_file_test(path, G_FILE_TEST_IS_DIR);
    g_autofree char *file = is_folder ? g_build_filename(path, "table.json", NULL) : g_strdup(path);
    g_autoptr(json_t) json = cg_json_load(file, error);
    if (!json)
        return FALSE;
    const char *category = cg_json_text(json, "category"), *method = cg_json_text(json, "method");
    cg_page_heading(out, method ? method : category ? category : "Measures of", path);
    const gboolean compared = json_object_get(json, "methods") != NULL;
    const gboolean found = compared ? cg_page_add_comparison(out, json, is_folder ? path : NULL)
                                    : add_measures(out, json);
    add_notes(out, json);
    if (found)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                "%s: no measures in it; give what cagen metrics --format json, cagen detect test "
                "--format json or cagen evaluate wrote",
                file);
    return FALSE;
}
