#include "metrics/result.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "metrics/bootstrap.h"
#include "metrics/report.h"
#include "tensor/safetensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CURVE_POINTS 64 /* enough for a chart of a few hundred pixels */

const CgValueKind cg_compared[CG_COMPARED_COUNT] = {CG_VALUE_PIXEL_AUROC, CG_VALUE_PIXEL_AP,
                                                    CG_VALUE_IMAGE_AUROC, CG_VALUE_PIXEL_AUPRO};

static char *draws_path(const char *path)
{
    g_autofree char *stem = g_strndup(path, strlen(path) - strlen(".json"));
    return g_strconcat(stem, ".safetensors", NULL);
}

static char *draws_name(CgMode mode, gboolean without_shots)
{
    return g_strconcat(cg_mode_name(mode), without_shots ? ".not_few_shot" : ".all", NULL);
}

/* ---- writing */

static gboolean save_draws(const char *path, const CgEvaluation *e, GError **error)
{
    const guint draws = e->options.bootstrap;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) tensors = g_ptr_array_new_with_free_func((GDestroyNotify)cg_tensor_unref);
    for (guint i = 0; i < e->rows->len; i++) {
        const CgEvaluationRow *row = &g_array_index(e->rows, CgEvaluationRow, i);
        if (row->defect)
            continue;
        CgTensor *t = cg_tensor_new(CG_F32, CG_SHAPE(CG_COMPARED_COUNT, draws));
        for (guint k = 0; k < CG_COMPARED_COUNT; k++)
            for (guint d = 0; d < draws; d++)
                cg_tensor_f32(t)[k * draws + d] =
                    (float)cg_evaluation_row_draw(row, cg_compared[k], d);
        g_ptr_array_add(names, draws_name(row->mode, row->without_shots));
        g_ptr_array_add(tensors, t);
    }
    g_autofree char *file = draws_path(path);
    return cg_safetensors_save(file, (const char *const *)names->pdata,
                               (CgTensor *const *)tensors->pdata, names->len, error);
}

static json_t *all_curves(const CgEvaluation *e)
{
    json_t *modes = json_object();
    for (guint i = 0; i < e->rows->len; i++) {
        const CgEvaluationRow *row = &g_array_index(e->rows, CgEvaluationRow, i);
        if (!row->defect && !row->without_shots)
            json_object_set_new(modes, cg_mode_name(row->mode),
                                cg_report_curves(e, row, CURVE_POINTS));
    }
    return modes;
}

gboolean cg_result_save(const char *path, const char *category, const char *method, guint64 seed,
                        json_t *settings, CgEvaluation *e, GError **error)
{
    const guint draws = e->options.bootstrap;
    const gboolean saved = draws == 0 || save_draws(path, e, error);
    g_autoptr(json_t) curves = all_curves(e);
    g_autoptr(CgReport) report = cg_report_new();
    cg_report_add(report, category, e, 0);
    if (!saved)
        return FALSE;
    g_autofree char *printed = cg_report_print(report, CG_REPORT_JSON);
    g_autoptr(json_t) json = cg_json_parse(printed, strlen(printed), path, error);
    if (!json)
        return FALSE;
    json_object_del(json, "means");
    json_object_set_new(json, "category", json_string(category));
    json_object_set_new(json, "method", json_string(method));
    json_object_set_new(json, "seed", json_integer((json_int_t)seed));
    json_object_set_new(json, "draws", json_integer(draws));
    json_object_set(json, "settings", settings);
    json_object_set(json, "curves", curves);
    char *text = json_dumps(json, JSON_INDENT(1) | JSON_SORT_KEYS);
    const gboolean ok = text && cg_file_write(path, text, strlen(text), error);
    free(text);
    return ok;
}

/* ---- reading */

static void row_clear(gpointer data)
{
    CgResultRow *row = data;
    for (guint k = 0; k < CG_COMPARED_COUNT; k++) {
        g_free(row->reasons[k]);
        g_free(row->draws[k]);
    }
}

void cg_result_free(CgResult *r)
{
    if (!r)
        return;
    g_free(r->category);
    g_free(r->method);
    g_array_unref(r->rows);
    g_ptr_array_unref(r->notes);
    json_decref(r->settings);
    g_free(r);
}

static gboolean parse_mode(const char *name, CgMode *mode)
{
    for (int m = 0; m < CG_MODE_COUNT; m++)
        if (g_str_equal(cg_mode_name((CgMode)m), name)) {
            *mode = (CgMode)m;
            return TRUE;
        }
    return FALSE;
}

static gboolean load_values(CgResultRow *row, const json_t *values, const char *path,
                            GError **error)
{
    for (guint k = 0; k < CG_COMPARED_COUNT; k++) {
        const json_t *value = json_object_get(values, cg_value_name(cg_compared[k]));
        const char *reason = cg_json_text(value, "undefined");
        if (!cg_json_double(value, path, "value", NAN, &row->values[k], error))
            return FALSE;
        if (isnan(row->values[k]))
            row->reasons[k] = g_strdup(reason ? reason : "not in the file");
    }
    return TRUE;
}

static void load_draws(CgResultRow *row, guint draws, CgSafetensors *file)
{
    g_autofree char *name = draws_name(row->mode, row->without_shots);
    const CgSafetensor *entry = file ? cg_safetensors_find(file, name) : NULL;
    const CgShape want = CG_SHAPE(CG_COMPARED_COUNT, draws);
    const gboolean fits = entry && entry->dtype == CG_F32 && cg_shape_equal(&entry->shape, &want);
    for (guint k = 0; k < CG_COMPARED_COUNT; k++) {
        row->draws[k] = g_new(float, draws + 1);
        for (guint d = 0; d < draws && !fits; d++)
            row->draws[k][d] = NAN;
        if (fits)
            memcpy(row->draws[k], (const float *)entry->data + (gsize)k * draws,
                   draws * sizeof(float));
    }
}

static gboolean load_row(CgResult *r, const json_t *object, CgSafetensors *file, const char *path,
                         GError **error)
{
    const char *mode;
    gint64 good, defective;
    CgResultRow row = {0};
    if (!json_is_null(json_object_get(object, "defect")))
        return TRUE;
    if (!cg_json_string(object, path, "mode", "", &mode, error) ||
        !cg_json_bool(object, path, "without_few_shot", FALSE, &row.without_shots, error) ||
        !cg_json_int(object, path, "good", 0, 0, G_MAXUINT32, &good, error) ||
        !cg_json_int(object, path, "defective", 0, 0, G_MAXUINT32, &defective, error))
        return FALSE;
    if (!parse_mode(mode, &row.mode)) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: \"mode\" is unknown", path);
        return FALSE;
    }
    row.good = (guint)good;
    row.defective = (guint)defective;
    if (!load_values(&row, json_object_get(object, "values"), path, error)) {
        row_clear(&row);
        return FALSE;
    }
    load_draws(&row, r->draws, file);
    g_array_append_val(r->rows, row);
    return TRUE;
}

static gboolean load_names(CgResult *r, const json_t *json, const char *path, GError **error)
{
    const char *category, *method;
    gint64 seed, draws;
    if (!cg_json_string(json, path, "category", "", &category, error) ||
        !cg_json_string(json, path, "method", "", &method, error) ||
        !cg_json_int(json, path, "seed", 0, 0, G_MAXINT64, &seed, error) ||
        !cg_json_int(json, path, "draws", 0, 0, CG_BOOTSTRAP_MAX, &draws, error))
        return FALSE;
    r->category = g_strdup(category);
    r->method = g_strdup(method);
    r->seed = (guint64)seed;
    r->draws = (guint)draws;
    r->settings = json_incref(json_object_get(json, "settings"));
    return TRUE;
}

CgResult *cg_result_load(const char *path, GError **error)
{
    g_autoptr(CgResult) r = g_new0(CgResult, 1);
    g_autoptr(CgSafetensors) file = NULL;
    r->rows = g_array_new(FALSE, FALSE, sizeof(CgResultRow));
    r->notes = g_ptr_array_new_with_free_func(g_free);
    g_array_set_clear_func(r->rows, row_clear);
    g_autoptr(json_t) json = cg_json_load(path, error);
    if (!json || !load_names(r, json, path, error))
        return NULL;
    g_autofree char *draws = draws_path(path);
    if (r->draws && !(file = cg_safetensors_open(draws, error)))
        return NULL;
    const json_t *rows = json_object_get(json, "rows"), *notes = json_object_get(json, "notes");
    for (gsize i = 0; i < json_array_size(rows); i++)
        if (!load_row(r, json_array_get(rows, i), file, path, error))
            return NULL;
    for (gsize i = 0; i < json_array_size(notes); i++)
        if (json_is_string(json_array_get(notes, i)))
            g_ptr_array_add(r->notes, g_strdup(json_string_value(json_array_get(notes, i))));
    return g_steal_pointer(&r);
}

json_t *cg_result_load_settings(const char *path, GError **error)
{
    g_autoptr(json_t) json = cg_json_load(path, error);
    return json ? json_incref(json_object_get(json, "settings")) : NULL;
}
