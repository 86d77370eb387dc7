/* Evaluations: which rows there are, what they are of, and why values are missing. */
#include "base/error.h"
#include "base/json.h"
#include "metrics/evaluation.h"
#include "metrics/report.h"

#include <math.h>
#include <string.h>

enum { SIDE = 8, PIXELS = SIDE * SIDE };

static CgEvaluation *evaluation_new(guint bootstrap)
{
    const CgEvaluationOptions o = {
        .modes = {TRUE, TRUE, TRUE}, .fpr_limit = 0.3, .threshold = NAN, .bootstrap = bootstrap};
    return cg_evaluation_new(&o);
}

/* An image whose scores are NOISE of NUMBER, higher by CONTRAST in the defect's 3x3 pixels. MASK:
 * whether there is one. */
static gboolean add(CgEvaluation *e, const char *defect, guint number, float contrast,
                    gboolean few_shot, gboolean has_mask, GError **error)
{
    g_autoptr(CgMap) map = cg_map_new(SIDE, SIDE);
    g_autoptr(CgImage) mask = cg_image_new(SIDE, SIDE, 1);
    guint32 state = number * 7919 + 1;
    const gboolean good = g_str_equal(defect, "good");
    for (int i = 0; i < PIXELS; i++) {
        const gboolean inside = !good && i / SIDE < 3 && i % SIDE < 3;
        state = state * 1664525u + 1013904223u;
        mask->pixels[i] = inside ? 255 : 0;
        map->values[i] = (float)(state >> 8) * 0x1p-24f + (inside ? contrast : 0);
    }
    const CgEvaluated image = {.name = "maps/000.png",
                               .defect = defect,
                               .few_shot = few_shot,
                               .map = map,
                               .mask = has_mask ? mask : NULL};
    return cg_evaluation_add(e, &image, error);
}

static void finish(CgEvaluation *e)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(cg_evaluation_finish(e, &error));
    g_assert_no_error(error);
}

static const CgEvaluationRow *row_of(const CgEvaluation *e, CgMode mode, const char *defect,
                                     gboolean without)
{
    for (guint i = 0; i < e->rows->len; i++) {
        const CgEvaluationRow *row = &g_array_index(e->rows, CgEvaluationRow, i);
        if (row->mode == mode && row->without_shots == without &&
            g_strcmp0(row->defect, defect) == 0)
            return row;
    }
    g_assert_not_reached();
}

/* Three good images, two scratches that are found and two holes that are not; a scratch and a hole
 * were learnt from. */
static CgEvaluation *make_typical(guint bootstrap)
{
    CgEvaluation *e = evaluation_new(bootstrap);
    for (guint i = 0; i < 3; i++)
        add(e, "good", i, 0, FALSE, TRUE, NULL);
    add(e, "scratch", 3, 2, TRUE, TRUE, NULL);
    add(e, "scratch", 4, 2, FALSE, TRUE, NULL);
    add(e, "hole", 5, -2, TRUE, TRUE, NULL);
    add(e, "hole", 6, -2, FALSE, TRUE, NULL);
    finish(e);
    return e;
}

static void every_defect_type_has_a_row_against_the_good_images(void)
{
    g_autoptr(CgEvaluation) e = make_typical(0);
    g_assert_cmpuint(e->rows->len, ==, 3 * 2 * 3);
    for (int mode = 0; mode < CG_MODE_COUNT; mode++) {
        const CgEvaluationRow *all = row_of(e, (CgMode)mode, NULL, FALSE);
        const CgEvaluationRow *scratch = row_of(e, (CgMode)mode, "scratch", FALSE);
        const CgEvaluationRow *hole = row_of(e, (CgMode)mode, "hole", FALSE);
        g_assert_cmpuint(all->good, ==, 3);
        g_assert_cmpuint(all->defective, ==, 4);
        g_assert_cmpuint(scratch->defective, ==, 2);
        g_assert_cmpfloat(scratch->values[CG_VALUE_PIXEL_AUROC].value, ==, 1);
        g_assert_cmpfloat(scratch->values[CG_VALUE_IMAGE_AUROC].value, ==, 1);
        g_assert_cmpfloat(hole->values[CG_VALUE_PIXEL_AUROC].value, ==, 0);
        g_assert_cmpfloat(all->values[CG_VALUE_PIXEL_AUROC].value, <, 1);
        g_assert_cmpfloat(all->values[CG_VALUE_PIXEL_AUROC].value, >, 0);
    }
}

static void few_shot_images_leave_half_of_the_rows(void)
{
    g_autoptr(CgEvaluation) e = make_typical(0);
    const CgEvaluationRow *row = row_of(e, CG_MODE_STRICT, NULL, TRUE);
    g_assert_cmpuint(row->good, ==, 3);
    g_assert_cmpuint(row->defective, ==, 2);
    g_assert_cmpuint(row_of(e, CG_MODE_STRICT, "hole", TRUE)->defective, ==, 1);
}

static void rows_equal_an_evaluation_of_their_images_alone(void)
{
    g_autoptr(CgEvaluation) e = make_typical(0);
    g_autoptr(CgEvaluation) alone = evaluation_new(0);
    for (guint i = 0; i < 3; i++)
        add(alone, "good", i, 0, FALSE, TRUE, NULL);
    add(alone, "scratch", 4, 2, FALSE, TRUE, NULL);
    add(alone, "hole", 6, -2, FALSE, TRUE, NULL);
    finish(alone);
    for (int v = 0; v < CG_VALUE_PIXEL_IOU_AT; v++)
        g_assert_cmpfloat_with_epsilon(row_of(e, CG_MODE_DRAEM, NULL, TRUE)->values[v].value,
                                       row_of(alone, CG_MODE_DRAEM, NULL, FALSE)->values[v].value,
                                       1e-12);
}

static void intervals_hold_their_values(void)
{
    g_autoptr(CgEvaluation) e = make_typical(200);
    const CgValue *v = &row_of(e, CG_MODE_STRICT, NULL, FALSE)->values[CG_VALUE_PIXEL_AUROC];
    g_assert_cmpfloat(v->low, <, v->value);
    g_assert_cmpfloat(v->high, >, v->value);
}

static void without_defective_images_all_is_undefined(void)
{
    g_autoptr(CgEvaluation) e = evaluation_new(10);
    add(e, "good", 1, 0, FALSE, TRUE, NULL);
    add(e, "good", 2, 0, FALSE, TRUE, NULL);
    finish(e);
    const CgEvaluationRow *row = row_of(e, CG_MODE_STRICT, NULL, FALSE);
    g_assert_cmpstr(row->values[CG_VALUE_IMAGE_AP].undefined, ==, "no defective images");
    g_assert_cmpstr(row->values[CG_VALUE_PIXEL_AP].undefined, ==, "no defective pixels");
    g_assert_true(isnan(row->values[CG_VALUE_PIXEL_AP].value));
}

static void without_good_images_image_values_are_undefined(void)
{
    g_autoptr(CgEvaluation) e = evaluation_new(0);
    add(e, "scratch", 1, 1, FALSE, TRUE, NULL);
    add(e, "scratch", 2, 1, FALSE, TRUE, NULL);
    finish(e);
    const CgEvaluationRow *row = row_of(e, CG_MODE_STRICT, NULL, FALSE);
    g_assert_cmpstr(row->values[CG_VALUE_IMAGE_AUROC].undefined, ==, "no good images");
    g_assert_null(row->values[CG_VALUE_PIXEL_AUROC].undefined);
}

static void missing_masks_leave_the_image_values(void)
{
    g_autoptr(CgEvaluation) e = evaluation_new(0);
    add(e, "good", 1, 0, FALSE, TRUE, NULL);
    add(e, "scratch", 2, 1, FALSE, FALSE, NULL);
    add(e, "hole", 3, 1, FALSE, TRUE, NULL);
    finish(e);
    const CgEvaluationRow *all = row_of(e, CG_MODE_DRAEM, NULL, FALSE);
    const CgEvaluationRow *hole = row_of(e, CG_MODE_DRAEM, "hole", FALSE);
    g_assert_cmpstr(all->values[CG_VALUE_PIXEL_AUPRO].undefined, ==,
                    "1 of 3 images have no mask (the first: maps/000.png)");
    g_assert_null(all->values[CG_VALUE_IMAGE_AUROC].undefined);
    g_assert_null(hole->values[CG_VALUE_PIXEL_AUPRO].undefined);
}

static void maps_with_nan_are_refused_by_name(void)
{
    g_autoptr(CgEvaluation) e = evaluation_new(0);
    g_autoptr(GError) error = NULL;
    g_assert_false(add(e, "scratch", 1, NAN, FALSE, TRUE, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_NUMERIC);
    g_assert_true(g_str_has_prefix(error->message, "maps/000.png: "));
}

static void constant_scores_are_noted(void)
{
    g_autoptr(CgEvaluation) e = evaluation_new(0);
    for (int i = 0; i < 2; i++) {
        g_autoptr(CgMap) map = cg_map_new(SIDE, SIDE);
        g_autoptr(CgImage) mask = cg_image_new(SIDE, SIDE, 1);
        mask->pixels[0] = i ? 255 : 0;
        const CgEvaluated image = {
            .name = "a", .defect = i ? "hole" : "good", .map = map, .mask = mask};
        g_assert_true(cg_evaluation_add(e, &image, NULL));
    }
    finish(e);
    const CgEvaluationRow *row = row_of(e, CG_MODE_STRICT, NULL, FALSE);
    g_assert_cmpfloat(row->values[CG_VALUE_PIXEL_AUROC].value, ==, 0.5);
    g_assert_nonnull(strstr(g_ptr_array_index(e->notes, 0), "all scores are equal"));
}

/* ---- reports */

static CgReport *make_report(void)
{
    CgReport *report = cg_report_new();
    cg_report_add(report, "a_b", make_typical(0), 20);
    cg_report_add(report, "c", make_typical(0), 0);
    return report;
}

static void report_has_rows_means_and_curves_in_json(void)
{
    g_autoptr(CgReport) report = make_report();
    g_autofree char *text = cg_report_print(report, CG_REPORT_JSON);
    g_autoptr(json_t) object = cg_json_parse(text, strlen(text), "report", NULL);
    const json_t *rows = json_object_get(object, "rows");
    const json_t *means = json_object_get(object, "means");
    g_assert_cmpuint(json_array_size(rows), ==, 2 * 18);
    g_assert_cmpuint(json_array_size(means), ==, 3 * 2);
    const json_t *first = json_array_get(rows, 0);
    const json_t *curve = json_object_get(json_object_get(first, "curves"), "pixel_roc");
    g_assert_cmpuint(json_array_size(curve), >, 3);
    g_assert_cmpuint(json_array_size(curve), <=, 20);
    const char *const path[] = {"values", "pixel_auroc", "value"};
    const json_t *a = first, *b = json_array_get(means, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(path); i++) {
        a = json_object_get(a, path[i]);
        b = json_object_get(b, path[i]);
    }
    g_assert_cmpfloat_with_epsilon(json_number_value(a), json_number_value(b), 1e-12);
}

static guint count_lines(const char *text)
{
    guint lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void report_is_a_table_in_every_format(void)
{
    g_autoptr(CgReport) report = make_report();
    g_autofree char *text = cg_report_print(report, CG_REPORT_TEXT);
    g_autofree char *csv = cg_report_print(report, CG_REPORT_CSV);
    g_autofree char *md = cg_report_print(report, CG_REPORT_MD);
    g_autofree char *latex = cg_report_print(report, CG_REPORT_LATEX);
    g_assert_cmpuint(count_lines(text), ==, 1 + 36 + 6);
    g_assert_cmpuint(count_lines(csv), ==, 1 + 36 + 6);
    g_assert_cmpuint(count_lines(md), ==, 2 + 36 + 6);
    g_assert_nonnull(strstr(latex, "a\\_b & strict"));
    g_assert_nonnull(strstr(csv, "\nc,draem,1,hole,3,1,"));
    g_assert_nonnull(strstr(md, "| mean | anomalib | not few-shot | all | 6+4 "));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/evaluation/every_defect_type_has_a_row_against_the_good_images",
                    every_defect_type_has_a_row_against_the_good_images);
    g_test_add_func("/evaluation/few_shot_images_leave_half_of_the_rows",
                    few_shot_images_leave_half_of_the_rows);
    g_test_add_func("/evaluation/rows_equal_an_evaluation_of_their_images_alone",
                    rows_equal_an_evaluation_of_their_images_alone);
    g_test_add_func("/evaluation/intervals_hold_their_values", intervals_hold_their_values);
    g_test_add_func("/evaluation/without_defective_images_all_is_undefined",
                    without_defective_images_all_is_undefined);
    g_test_add_func("/evaluation/without_good_images_image_values_are_undefined",
                    without_good_images_image_values_are_undefined);
    g_test_add_func("/evaluation/missing_masks_leave_the_image_values",
                    missing_masks_leave_the_image_values);
    g_test_add_func("/evaluation/maps_with_nan_are_refused_by_name",
                    maps_with_nan_are_refused_by_name);
    g_test_add_func("/evaluation/constant_scores_are_noted", constant_scores_are_noted);
    g_test_add_func("/evaluation/report_has_rows_means_and_curves_in_json",
                    report_has_rows_means_and_curves_in_json);
    g_test_add_func("/evaluation/report_is_a_table_in_every_format",
                    report_is_a_table_in_every_format);
    return g_test_run();
}
