#include "metrics/report.h"

#include "base/error.h"
#include "base/json.h"
#include "metrics/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const format_names[] = {"text", "json", "csv", "md", "latex"};

gboolean cg_report_format_parse(const char *name, CgReportFormat *format, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(format_names); i++) {
        if (g_str_equal(name, format_names[i])) {
            *format = (CgReportFormat)i;
            return TRUE;
        }
    }
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "unknown format \"%s\"; text, json, csv, md and latex are known", name);
    return FALSE;
}

typedef struct {
    char *category; /* NULL: the mean of all */
    CgEvaluationRow row;
    json_t *curves; /* or NULL */
} Line;

struct CgReport {
    GArray *lines;          /* Line */
    GPtrArray *evaluations; /* CgEvaluation, which own the rows' strings */
    GPtrArray *notes;       /* char * */
    json_t *detector;       /* or NULL */
};

static void line_clear(gpointer data)
{
    Line *line = data;
    g_free(line->category);
    json_decref(line->curves);
}

CgReport *cg_report_new(void)
{
    CgReport *r = g_new0(CgReport, 1);
    r->lines = g_array_new(FALSE, TRUE, sizeof(Line));
    g_array_set_clear_func(r->lines, line_clear);
    r->evaluations = g_ptr_array_new_with_free_func((GDestroyNotify)cg_evaluation_free);
    r->notes = g_ptr_array_new_with_free_func(g_free);
    return r;
}

void cg_report_free(CgReport *r)
{
    if (!r)
        return;
    g_array_unref(r->lines);
    g_ptr_array_unref(r->evaluations);
    g_ptr_array_unref(r->notes);
    json_decref(r->detector);
    g_free(r);
}

void cg_report_set_detector(CgReport *r, json_t *detector)
{
    json_decref(r->detector);
    r->detector = detector;
}

static const Line *nth_line(const CgReport *r, guint i)
{
    return &g_array_index(r->lines, Line, i);
}

static json_t *string_json(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    return json_string(valid);
}

static json_t *number_json(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

/* ---- adding */

static json_t *curve_json(const CgEvaluation *e, const CgEvaluationRow *row, gboolean pixels,
                          CgCurveKind kind, guint most)
{
    g_autoptr(GArray) curve = cg_evaluation_curve(e, row, pixels, kind, most);
    json_t *points = json_array();
    for (guint i = 0; curve && i < curve->len; i++) {
        const CgCurvePoint *p = &g_array_index(curve, CgCurvePoint, i);
        json_array_append_new(points, json_pack("[f,f,o]", p->x, p->y, number_json(p->threshold)));
    }
    return points;
}

json_t *cg_report_curves(const CgEvaluation *e, const CgEvaluationRow *row, guint most)
{
    json_t *curves = json_object();
    json_object_set_new(curves, "image_roc", curve_json(e, row, FALSE, CG_CURVE_ROC, most));
    json_object_set_new(curves, "image_pr", curve_json(e, row, FALSE, CG_CURVE_PR, most));
    json_object_set_new(curves, "pixel_roc", curve_json(e, row, TRUE, CG_CURVE_ROC, most));
    json_object_set_new(curves, "pixel_pr", curve_json(e, row, TRUE, CG_CURVE_PR, most));
    json_object_set_new(curves, "pixel_pro", curve_json(e, row, TRUE, CG_CURVE_PRO, most));
    return curves;
}

void cg_report_add(CgReport *r, const char *category, CgEvaluation *e, guint curve_points)
{
    for (guint i = 0; i < e->rows->len; i++) {
        const CgEvaluationRow *row = &g_array_index(e->rows, CgEvaluationRow, i);
        const Line line = {.category = g_strdup(category),
                           .row = *row,
                           .curves = curve_points ? cg_report_curves(e, row, curve_points) : NULL};
        g_array_append_val(r->lines, line);
    }
    for (guint i = 0; i < e->notes->len; i++)
        g_ptr_array_add(
            r->notes, g_strdup_printf("%s, %s", category, (char *)g_ptr_array_index(e->notes, i)));
    cg_evaluation_drop_scores(e);
    g_ptr_array_add(r->evaluations, e);
}

/* ---- means over categories */

static gboolean same_kind(const CgEvaluationRow *a, const CgEvaluationRow *b)
{
    return a->mode == b->mode && a->without_shots == b->without_shots && !a->defect && !b->defect;
}

static void mean_value(const CgReport *r, CgEvaluationRow *mean, CgValueKind v)
{
    double sum = 0;
    guint count = 0;
    mean->values[v] = (CgValue){NAN, NAN, NAN, NULL};
    for (guint i = 0; i < r->lines->len; i++) {
        const CgEvaluationRow *row = &nth_line(r, i)->row;
        if (!same_kind(row, mean))
            continue;
        if (row->values[v].undefined) {
            mean->values[v].undefined = "undefined for one of the categories";
            return;
        }
        sum += row->values[v].value;
        count++;
    }
    mean->values[v].value = sum / count;
    if (cg_value_is_threshold(v))
        mean->values[v] = (CgValue){NAN, NAN, NAN, "thresholds have no mean"};
}

/* Means of lines of MEAN's kind, as one more line. */
static void append_mean(const CgReport *r, CgEvaluationRow mean, GArray *lines)
{
    for (guint i = 0; i < r->lines->len; i++) {
        const CgEvaluationRow *row = &nth_line(r, i)->row;
        if (same_kind(row, &mean)) {
            mean.good += row->good;
            mean.defective += row->defective;
        }
    }
    for (int v = 0; v < CG_VALUE_COUNT; v++)
        mean_value(r, &mean, (CgValueKind)v);
    const Line line = {.row = mean};
    g_array_append_val(lines, line);
}

/* One for each kind of row that the first category has. A category without few-shot images has no
 * row without them, so that such a mean is of fewer categories: it is left out. */
static GArray *make_means(const CgReport *r)
{
    GArray *lines = g_array_new(FALSE, TRUE, sizeof(Line));
    for (guint i = 0; r->evaluations->len > 1 && i < r->lines->len; i++) {
        const CgEvaluationRow *first = &nth_line(r, i)->row;
        guint count = 0;
        if (strcmp(nth_line(r, i)->category, nth_line(r, 0)->category) != 0)
            break;
        for (guint k = 0; k < r->lines->len; k++)
            count += same_kind(&nth_line(r, k)->row, first);
        const CgEvaluationRow mean = {.mode = first->mode, .without_shots = first->without_shots};
        if (count == r->evaluations->len)
            append_mean(r, mean, lines);
    }
    return lines;
}

/* ---- JSON */

static json_t *value_json(const CgValue *value)
{
    json_t *object = json_object();
    if (value->undefined) {
        json_object_set_new(object, "undefined", string_json(value->undefined));
        return object;
    }
    json_object_set_new(object, "value", number_json(value->value));
    if (!isnan(value->low)) {
        json_object_set_new(object, "low", number_json(value->low));
        json_object_set_new(object, "high", number_json(value->high));
    }
    return object;
}

static gboolean is_shown(const CgEvaluationRow *row, CgValueKind v)
{
    return v != CG_VALUE_PIXEL_IOU_AT ||
           g_strcmp0(row->values[v].undefined, "no threshold given") != 0;
}

static json_t *line_json(const Line *line)
{
    const CgEvaluationRow *row = &line->row;
    json_t *object = json_object(), *values = json_object();
    json_object_set_new(object, "category",
                        line->category ? string_json(line->category) : json_null());
    json_object_set_new(object, "mode", json_string(cg_mode_name(row->mode)));
    json_object_set_new(object, "without_few_shot", json_boolean(row->without_shots));
    json_object_set_new(object, "defect", row->defect ? string_json(row->defect) : json_null());
    json_object_set_new(object, "good", json_integer(row->good));
    json_object_set_new(object, "defective", json_integer(row->defective));
    for (int v = 0; v < CG_VALUE_COUNT; v++)
        if (is_shown(row, (CgValueKind)v))
            json_object_set_new(values, cg_value_name((CgValueKind)v), value_json(&row->values[v]));
    json_object_set_new(object, "values", values);
    if (line->curves)
        json_object_set(object, "curves", line->curves);
    return object;
}

static char *print_json(const CgReport *r, const GArray *means)
{
    g_autoptr(json_t) object = json_object();
    json_t *rows = json_array(), *mean_rows = json_array(), *notes = json_array();
    for (guint i = 0; i < r->lines->len; i++)
        json_array_append_new(rows, line_json(nth_line(r, i)));
    for (guint i = 0; i < means->len; i++)
        json_array_append_new(mean_rows, line_json(&g_array_index(means, Line, i)));
    for (guint i = 0; i < r->notes->len; i++)
        json_array_append_new(notes, string_json(g_ptr_array_index(r->notes, i)));
    if (r->detector)
        json_object_set(object, "detector", r->detector);
    json_object_set_new(object, "rows", rows);
    json_object_set_new(object, "means", mean_rows);
    json_object_set_new(object, "notes", notes);
    char *text = json_dumps(object, JSON_COMPACT);
    char *line = g_strconcat(text, "\n", NULL);
    free(text);
    return line;
}

/* ---- tables of strings, for people */

static const CgValueKind shown_values[] = {
    CG_VALUE_IMAGE_AUROC, CG_VALUE_IMAGE_AP,  CG_VALUE_IMAGE_F1,
    CG_VALUE_PIXEL_AUROC, CG_VALUE_PIXEL_AP,  CG_VALUE_PIXEL_F1,
    CG_VALUE_PIXEL_AUPRO, CG_VALUE_PIXEL_IOU, CG_VALUE_PIXEL_IOU_AT};
static const char *const value_titles[] = {"image AUROC", "AP",    "F1",  "pixel AUROC", "AP",
                                           "F1",          "AUPRO", "IoU", "IoU at T"};

static char *percent(CgTable *t, const CgValue *v)
{
    if (v->undefined)
        return cg_table_undefined(t, v->undefined);
    if (isnan(v->low))
        return g_strdup_printf("%.2f", 100 * v->value);
    return g_strdup_printf("%.2f [%.1f, %.1f]", 100 * v->value, 100 * v->low, 100 * v->high);
}

static gboolean any_threshold(const CgReport *r)
{
    return r->lines->len > 0 && is_shown(&nth_line(r, 0)->row, CG_VALUE_PIXEL_IOU_AT);
}

static guint shown_count(const CgReport *r)
{
    return G_N_ELEMENTS(shown_values) - !any_threshold(r);
}

static void take_row(CgTable *t, const CgReport *r, const Line *line)
{
    const CgEvaluationRow *row = &line->row;
    GPtrArray *cells = g_ptr_array_new();
    g_ptr_array_add(cells, line->category ? cg_table_show(line->category) : g_strdup("mean"));
    g_ptr_array_add(cells, g_strdup(cg_mode_name(row->mode)));
    g_ptr_array_add(cells, g_strdup(row->without_shots ? "not few-shot" : "all"));
    g_ptr_array_add(cells, row->defect ? cg_table_show(row->defect) : g_strdup("all"));
    g_ptr_array_add(cells, g_strdup_printf("%u+%u", row->good, row->defective));
    for (guint i = 0; i < shown_count(r); i++)
        g_ptr_array_add(cells, percent(t, &row->values[shown_values[i]]));
    cg_table_take_row(t, cells);
}

static void fill_table(CgTable *t, const CgReport *r, const GArray *means)
{
    static const char *const titles[] = {"category", "mode", "images", "defect", "good+def."};
    GPtrArray *head = g_ptr_array_new();
    for (size_t i = 0; i < G_N_ELEMENTS(titles); i++)
        g_ptr_array_add(head, g_strdup(titles[i]));
    for (guint i = 0; i < shown_count(r); i++)
        g_ptr_array_add(head, g_strdup(value_titles[i]));
    cg_table_take_row(t, head);
    for (guint i = 0; i < r->lines->len; i++)
        take_row(t, r, nth_line(r, i));
    for (guint i = 0; i < means->len; i++)
        take_row(t, r, &g_array_index(means, Line, i));
    for (guint i = 0; i < r->notes->len; i++)
        cg_table_note(t, g_ptr_array_index(r->notes, i));
}

/* ---- CSV */

static void append_csv_line(GString *out, const Line *line)
{
    const CgEvaluationRow *row = &line->row;
    cg_csv_field(out, line->category ? line->category : "");
    g_string_append_printf(out, ",%s,%d,", cg_mode_name(row->mode), row->without_shots);
    cg_csv_field(out, row->defect ? row->defect : "");
    g_string_append_printf(out, ",%u,%u", row->good, row->defective);
    for (int v = 0; v < CG_VALUE_COUNT; v++) {
        cg_csv_number(out, row->values[v].value);
        cg_csv_number(out, row->values[v].low);
        cg_csv_number(out, row->values[v].high);
    }
    g_string_append_c(out, '\n');
}

static char *print_csv(const CgReport *r, const GArray *means)
{
    GString *out = g_string_new("category,mode,without_few_shot,defect,good,defective");
    for (int v = 0; v < CG_VALUE_COUNT; v++) {
        const char *name = cg_value_name((CgValueKind)v);
        g_string_append_printf(out, ",%s,%s_low,%s_high", name, name, name);
    }
    g_string_append_c(out, '\n');
    for (guint i = 0; i < r->lines->len; i++)
        append_csv_line(out, nth_line(r, i));
    for (guint i = 0; i < means->len; i++)
        append_csv_line(out, &g_array_index(means, Line, i));
    return g_string_free(out, FALSE);
}

char *cg_report_print(const CgReport *r, CgReportFormat format)
{
    g_autoptr(GArray) means = make_means(r);
    if (format == CG_REPORT_JSON)
        return print_json(r, means);
    if (format == CG_REPORT_CSV)
        return print_csv(r, means);
    g_auto(CgTable) t;
    cg_table_init(&t, 4);
    fill_table(&t, r, means);
    return format == CG_REPORT_MD      ? cg_table_markdown(&t)
           : format == CG_REPORT_LATEX ? cg_table_latex(&t)
                                       : cg_table_text(&t);
}
