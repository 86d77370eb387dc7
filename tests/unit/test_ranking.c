/* Metrics that follow from the order of scores, against scikit-learn and anomalib's AUPRO
 * (tests/oracle/make_metrics_fixture.py), and against values found by hand. */
#include "base/error.h"
#include "base/json.h"
#include "base/system.h"
#include "metrics/bootstrap.h"
#include "metrics/components.h"
#include "metrics/ranking.h"
#include "support/folder.h"

#include <math.h>
#include <string.h>

#define LIMIT 0.3

/* MASK: rows of '0' and '1', one string. */
static void add_image(CgRanking *r, const float *scores, const char *mask, int width, int height)
{
    const size_t n = (size_t)width * (size_t)height;
    g_autofree guint8 *set = g_new(guint8, n);
    g_autofree guint32 *regions = g_new(guint32, n);
    g_autoptr(GError) error = NULL;
    g_assert_cmpuint(strlen(mask), ==, n);
    for (size_t i = 0; i < n; i++)
        set[i] = mask[i] == '1';
    const guint32 count = cg_components(set, width, height, regions);
    g_assert_true(cg_ranking_add(r, "image", scores, regions, count, n, &error));
    g_assert_no_error(error);
}

static CgMeasures measure(const CgRanking *r, double limit)
{
    CgMeasures m;
    cg_ranking_measure(r, 1, NULL, limit, &m);
    return m;
}

static void sort(CgRanking *r)
{
    g_autoptr(GError) error = NULL;
    g_assert_true(cg_ranking_sort(r, &error));
    g_assert_no_error(error);
}

/* A ranking of one row of scores. */
static CgRanking *ranking_of(const float *scores, const char *labels)
{
    CgRanking *r = cg_ranking_new(NAN);
    add_image(r, scores, labels, (int)strlen(labels), 1);
    sort(r);
    return r;
}

static void assert_near(double found, double expected)
{
    g_assert_cmpfloat_with_epsilon(found, expected, 1e-12);
}

/* ---- values found by hand */

static void check_vector(const char *labels, const float *scores, double auroc, double ap,
                         double f1, double threshold)
{
    g_autoptr(CgRanking) r = ranking_of(scores, labels);
    const CgMeasures m = measure(r, LIMIT);
    assert_near(m.value[CG_MEASURE_AUROC], auroc);
    assert_near(m.value[CG_MEASURE_AP], ap);
    assert_near(m.value[CG_MEASURE_F1], f1);
    assert_near(m.value[CG_MEASURE_IOU], f1 / (2 - f1));
    g_assert_cmpfloat((float)m.value[CG_MEASURE_F1_THRESHOLD], ==, (float)threshold);
}

static void values_found_by_hand(void)
{
    check_vector("0011", (float[]){.1f, .4f, .35f, .8f}, 3. / 4, 5. / 6, 4. / 5, .35);
    check_vector("10101000", (float[]){.9f, .9f, .8f, .7f, .7f, .7f, .2f, .1f}, 23. / 30, 5. / 9,
                 2. / 3, .8);
    check_vector("10010", (float[]){.5f, .5f, .5f, .5f, .5f}, 1. / 2, 2. / 5, 4. / 7, .5);
    check_vector("0011", (float[]){.1f, .2f, .3f, .4f}, 1, 1, 1, .3);
    check_vector("1100", (float[]){.1f, .2f, .3f, .4f}, 0, 5. / 12, 2. / 3, .1);
    check_vector("0101100100", (float[]){.1f, .9f, .8f, .8f, .6f, .6f, .6f, .3f, .3f, .05f}, 3. / 4,
                 2. / 3, 2. / 3, .3);
}

static void pro_found_by_hand(void)
{
    const float a[] = {10, 20, 30, 40, 15, 90, 35, 45, 25, 50, 80, 40, 5, 60, 55, 70};
    const float b1[] = {95, 60, 10, 5, 10, 10, 10, 10, 20, 20, 20, 20, 30, 30, 30, 85};
    const float b2[] = {95, 22, 10, 5, 10, 10, 10, 10, 20, 20, 20, 20, 30, 30, 30, 12};
    g_autoptr(CgRanking) r1 = cg_ranking_new(NAN);
    g_autoptr(CgRanking) r2 = cg_ranking_new(NAN);
    add_image(r1, a, "0000010000100001", 4, 4);
    add_image(r1, b1, "1100000000000001", 4, 4);
    add_image(r2, a, "0000010000100001", 4, 4);
    add_image(r2, b2, "1100000000000001", 4, 4);
    sort(r1);
    sort(r2);
    assert_near(measure(r1, 0.3).value[CG_MEASURE_AUPRO], 463. / 468);
    assert_near(measure(r1, 0.05).value[CG_MEASURE_AUPRO], 73. / 78);
    assert_near(measure(r1, 1).value[CG_MEASURE_AUPRO], 311. / 312);
    assert_near(measure(r2, 0.3).value[CG_MEASURE_AUPRO], 1. / 2);
    assert_near(measure(r2, 1).value[CG_MEASURE_AUPRO], 9. / 13);
    assert_near(measure(r2, 1).value[CG_MEASURE_AUROC], 21. / 26);
    assert_near(measure(r2, 1).value[CG_MEASURE_AP], 103. / 136);
    assert_near(measure(r2, 1).value[CG_MEASURE_F1_THRESHOLD], 70);
}

/* ---- the reference implementations */

typedef struct {
    json_t *file, *cases;
} Fixture;

static json_t *load(const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = cg_test_fixture(name);
    json_t *file = cg_json_load(path, &error);
    g_assert_no_error(error);
    return file;
}

static CgRanking *build(const json_t *test, double threshold)
{
    const int width = (int)json_integer_value(json_object_get(test, "width"));
    const int height = (int)json_integer_value(json_object_get(test, "height"));
    CgRanking *r = cg_ranking_new(threshold);
    size_t i, k;
    json_t *image, *value;
    json_array_foreach(json_object_get(test, "images"), i, image)
    {
        const json_t *list = json_object_get(image, "scores");
        g_autofree float *scores = g_new(float, json_array_size(list));
        json_array_foreach(list, k, value) scores[k] = (float)json_number_value(value);
        add_image(r, scores, json_string_value(json_object_get(image, "mask")), width, height);
    }
    sort(r);
    return r;
}

static void compare(const char *name, const char *key, double found, const json_t *expected)
{
    const double want = json_number_value(expected);
    if (fabs(found - want) > 1e-9)
        g_error("%s, %s: found %.12g, expected %.12g", name, key, found, want);
}

static void compare_set(const char *name, const CgMeasures *m, const json_t *expected)
{
    static const struct {
        const char *key;
        CgMeasure measure;
    } keys[] = {
        {"auroc", CG_MEASURE_AUROC},   {"ap", CG_MEASURE_AP},
        {"f1", CG_MEASURE_F1},         {"f1_threshold", CG_MEASURE_F1_THRESHOLD},
        {"iou_at", CG_MEASURE_IOU_AT},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        compare(name, keys[i].key, m->value[keys[i].measure],
                json_object_get(expected, keys[i].key));
}

static void check_case(const json_t *file, const json_t *test)
{
    const char *name = json_string_value(json_object_get(test, "name"));
    const json_t *limits = json_object_get(file, "limits"), *sets = json_object_get(test, "sets");
    g_autoptr(CgRanking) r = build(test, json_number_value(json_object_get(file, "threshold")));
    const guint units = cg_ranking_units(r), count = (guint)json_array_size(sets);
    g_autofree double *weights = g_new(double, (gsize)count *units);
    g_autofree CgMeasures *found = g_new(CgMeasures, count);
    for (guint s = 0; s < count; s++)
        for (guint u = 0; u < units; u++)
            weights[s * units + u] = json_number_value(
                json_array_get(json_object_get(json_array_get(sets, s), "weights"), u));
    for (size_t l = 0; l < json_array_size(limits); l++) {
        cg_ranking_measure(r, count, weights, json_number_value(json_array_get(limits, l)), found);
        for (guint s = 0; s < count; s++) {
            const json_t *expected = json_object_get(json_array_get(sets, s), "expected");
            CgMeasures alone;
            cg_ranking_measure(r, 1, weights + (gsize)s * units,
                               json_number_value(json_array_get(limits, l)), &alone);
            if (json_is_null(expected)) {
                g_assert_true(isnan(found[s].value[CG_MEASURE_AP]));
                g_assert_cmpint(cg_ranking_lack(r, weights + (gsize)s * units), !=,
                                CG_LACK_NOTHING);
                continue;
            }
            compare_set(name, &found[s], expected);
            compare_set(name, &alone, expected);
            compare(name, "aupro", found[s].value[CG_MEASURE_AUPRO],
                    json_array_get(json_object_get(expected, "aupro"), l));
        }
    }
}

static void equal_to_scikit_learn_and_anomalib(void)
{
    g_autoptr(json_t) file = load("metrics/ranking.json");
    size_t i;
    json_t *test;
    json_array_foreach(json_object_get(file, "cases"), i, test) check_case(file, test);
    g_assert_cmpuint(i, >, 8);
}

/* ---- more scores than one thread sorts */

static float noise(guint32 *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) * 0x1p-24f;
}

/* UNITS images of PIXELS pixels, every seventh defective, scores on LEVELS levels. */
static CgRanking *build_large(guint units, size_t pixels, int levels)
{
    CgRanking *r = cg_ranking_new(NAN);
    g_autofree float *scores = g_new(float, pixels);
    g_autofree guint32 *regions = g_new(guint32, pixels);
    guint32 state = 1;
    for (guint u = 0; u < units; u++) {
        for (size_t i = 0; i < pixels; i++) {
            regions[i] = i % 7 == 0 ? 1 + (guint32)(i % 3) : 0;
            scores[i] = floorf((noise(&state) + (regions[i] ? .2f : 0)) * (float)levels) - 3;
        }
        g_assert_true(cg_ranking_add(r, "image", scores, regions, 3, pixels, NULL));
    }
    sort(r);
    return r;
}

static void ranks_many_scores_as_counting_does(void)
{
    enum { LEVELS = 1000, UNITS = 3, PIXELS = 70000 };
    static guint64 count[2][2 * LEVELS];
    guint32 state = 1;
    memset(count, 0, sizeof count);
    for (guint i = 0; i < UNITS * PIXELS; i++) {
        const gboolean defective = (i % PIXELS) % 7 == 0;
        count[defective][(int)floorf((noise(&state) + (defective ? .2f : 0)) * LEVELS)]++;
    }
    double area = 0, above = 0, p = 0, n = 0;
    for (int v = 2 * LEVELS - 1; v >= 0; v--) {
        area += (double)count[0][v] * (above + (double)count[1][v] / 2);
        above += (double)count[1][v];
        p += (double)count[1][v];
        n += (double)count[0][v];
    }
    g_autoptr(CgRanking) r = build_large(UNITS, PIXELS, LEVELS);
    assert_near(measure(r, LIMIT).value[CG_MEASURE_AUROC], area / p / n);
}

static void threads_do_not_change_the_result(void)
{
    const int before = cg_threads();
    g_autoptr(CgRanking) a = build_large(4, 50000, 1 << 20);
    cg_threads_set(3);
    g_autoptr(CgRanking) b = build_large(4, 50000, 1 << 20);
    cg_threads_set(1);
    g_autoptr(CgRanking) c = build_large(4, 50000, 1 << 20);
    cg_threads_set(before);
    const CgMeasures x = measure(a, LIMIT), y = measure(b, LIMIT), z = measure(c, LIMIT);
    g_assert_cmpmem(&x, sizeof x, &y, sizeof y);
    g_assert_cmpmem(&x, sizeof x, &z, sizeof z);
}

/* ---- what cannot be measured */

static void scores_that_are_no_numbers_are_refused_by_name(void)
{
    g_autoptr(CgRanking) r = cg_ranking_new(NAN);
    g_autoptr(GError) nan = NULL;
    g_autoptr(GError) infinite = NULL;
    g_assert_false(cg_ranking_add(r, "a.tiff", (float[]){1, NAN}, NULL, 0, 2, &nan));
    g_assert_error(nan, CG_ERROR, CG_ERROR_NUMERIC);
    g_assert_nonnull(strstr(nan->message, "a.tiff: 1 of 2 scores are NaN"));
    g_assert_false(cg_ranking_add(r, "b.tiff", (float[]){-INFINITY, 0}, NULL, 0, 2, &infinite));
    g_assert_error(infinite, CG_ERROR, CG_ERROR_NUMERIC);
    g_assert_cmpuint(cg_ranking_units(r), ==, 0);
}

static void one_sided_truth_is_undefined(void)
{
    g_autoptr(CgRanking) normal = ranking_of((float[]){.1f, .2f, .3f}, "000");
    g_autoptr(CgRanking) defective = ranking_of((float[]){.1f, .2f, .3f}, "111");
    g_autoptr(CgRanking) empty = cg_ranking_new(NAN);
    sort(empty);
    g_assert_cmpint(cg_ranking_lack(normal, NULL), ==, CG_LACK_DEFECTIVE);
    g_assert_cmpint(cg_ranking_lack(defective, NULL), ==, CG_LACK_NORMAL);
    g_assert_cmpint(cg_ranking_lack(empty, NULL), ==, CG_LACK_SCORES);
    for (int m = 0; m < CG_MEASURE_COUNT; m++) {
        g_assert_true(isnan(measure(normal, LIMIT).value[m]));
        g_assert_true(isnan(measure(defective, LIMIT).value[m]));
        g_assert_true(isnan(measure(empty, LIMIT).value[m]));
    }
}

static void equal_scores_are_told(void)
{
    g_autoptr(CgRanking) same = ranking_of((float[]){.5f, .5f}, "01");
    g_autoptr(CgRanking) other = ranking_of((float[]){.5f, .6f}, "01");
    g_assert_true(cg_ranking_is_constant(same));
    g_assert_false(cg_ranking_is_constant(other));
}

/* ---- curves */

static void curve_is_drawn_through_its_corners(void)
{
    g_autoptr(CgRanking) r = ranking_of((float[]){.9f, .8f, .7f, .6f}, "1010");
    static const double roc[][2] = {{0, 0}, {0, .5}, {.5, .5}, {.5, 1}, {1, 1}};
    static const double pr[][2] = {{0, 1}, {.5, 1}, {1, 2. / 3}};
    g_autoptr(GArray) found = cg_ranking_curve(r, NULL, CG_CURVE_ROC, 100);
    g_assert_cmpuint(found->len, ==, G_N_ELEMENTS(roc));
    for (guint i = 0; i < found->len; i++) {
        assert_near(g_array_index(found, CgCurvePoint, i).x, roc[i][0]);
        assert_near(g_array_index(found, CgCurvePoint, i).y, roc[i][1]);
    }
    g_autoptr(GArray) precision = cg_ranking_curve(r, NULL, CG_CURVE_PR, 100);
    g_assert_cmpuint(precision->len, ==, G_N_ELEMENTS(pr));
    for (guint i = 0; i < precision->len; i++) {
        assert_near(g_array_index(precision, CgCurvePoint, i).x, pr[i][0]);
        assert_near(g_array_index(precision, CgCurvePoint, i).y, pr[i][1]);
    }
}

static double area_below(const GArray *curve)
{
    double area = 0;
    for (guint i = 1; i < curve->len; i++) {
        const CgCurvePoint *a = &g_array_index(curve, CgCurvePoint, i - 1), *b = a + 1;
        g_assert_cmpfloat(b->threshold, <=, a->threshold);
        g_assert_cmpfloat(b->x, >=, a->x);
        area += (b->x - a->x) * (a->y + b->y) / 2;
    }
    return area;
}

static void curves_of_many_scores_are_short_and_right(void)
{
    g_autoptr(CgRanking) r = build_large(3, 30000, 1 << 20);
    const CgMeasures m = measure(r, 1);
    const CgMeasure areas[] = {CG_MEASURE_AUROC, CG_MEASURE_AP, CG_MEASURE_AUPRO};
    for (int kind = CG_CURVE_ROC; kind <= CG_CURVE_PRO; kind++) {
        g_autoptr(GArray) curve = cg_ranking_curve(r, NULL, (CgCurveKind)kind, 500);
        g_assert_cmpuint(curve->len, <=, 500);
        g_assert_cmpuint(curve->len, >, 100);
        g_assert_cmpfloat_with_epsilon(area_below(curve), m.value[areas[kind]], 5e-3);
        g_assert_cmpfloat(g_array_index(curve, CgCurvePoint, curve->len - 1).x, ==, 1);
    }
}

/* ---- intervals */

static void interval_holds_the_measure_and_follows_the_seed(void)
{
    g_autoptr(CgRanking) r = build_large(12, 600, 100);
    const CgMeasures m = measure(r, LIMIT);
    gboolean members[12];
    CgIntervals a, b, c;
    for (int i = 0; i < 12; i++)
        members[i] = TRUE;
    g_assert_true(cg_bootstrap(r, members, 300, 1, LIMIT, &a, NULL, NULL));
    g_assert_true(cg_bootstrap(r, members, 300, 1, LIMIT, &b, NULL, NULL));
    g_assert_true(cg_bootstrap(r, members, 300, 2, LIMIT, &c, NULL, NULL));
    g_assert_cmpmem(&a.low, sizeof a.low, &b.low, sizeof b.low);
    g_assert_cmpfloat(a.low[CG_MEASURE_AP], !=, c.low[CG_MEASURE_AP]);
    for (int k = 0; k <= CG_MEASURE_AP; k++) {
        g_assert_cmpfloat(a.low[k], <, m.value[k]);
        g_assert_cmpfloat(a.high[k], >, m.value[k]);
        g_assert_cmpfloat(a.high[k] - a.low[k], <, 0.2);
    }
}

static void one_image_has_no_spread(void)
{
    g_autoptr(CgRanking) r = build_large(3, 600, 100);
    const double weights[] = {0, 1, 0};
    const gboolean members[] = {FALSE, TRUE, FALSE};
    CgMeasures m;
    CgIntervals found;
    cg_ranking_measure(r, 1, weights, LIMIT, &m);
    g_assert_true(cg_bootstrap(r, members, 20, 1, LIMIT, &found, NULL, NULL));
    for (int k = 0; k <= CG_MEASURE_AUPRO; k++) {
        g_assert_cmpfloat(found.low[k], ==, found.high[k]);
        assert_near(found.low[k], m.value[k]);
    }
}

/* ---- regions */

static void regions_touch_by_corners_too(void)
{
    static const guint8 mask[] = {
        1, 0, 1, 0, 1, /* */
        0, 1, 0, 0, 1, /* */
        0, 0, 0, 0, 0, /* */
        1, 0, 0, 1, 0, /* */
        1, 1, 1, 1, 0, /* */
    };
    static const guint32 expected[] = {
        1, 0, 1, 0, 2, /* */
        0, 1, 0, 0, 2, /* */
        0, 0, 0, 0, 0, /* */
        3, 0, 0, 3, 0, /* */
        3, 3, 3, 3, 0, /* */
    };
    guint32 labels[25];
    g_assert_cmpuint(cg_components(mask, 5, 5, labels), ==, 3);
    g_assert_cmpmem(labels, sizeof labels, expected, sizeof expected);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ranking/values_found_by_hand", values_found_by_hand);
    g_test_add_func("/ranking/pro_found_by_hand", pro_found_by_hand);
    g_test_add_func("/ranking/equal_to_scikit_learn_and_anomalib",
                    equal_to_scikit_learn_and_anomalib);
    g_test_add_func("/ranking/ranks_many_scores_as_counting_does",
                    ranks_many_scores_as_counting_does);
    g_test_add_func("/ranking/threads_do_not_change_the_result", threads_do_not_change_the_result);
    g_test_add_func("/ranking/scores_that_are_no_numbers_are_refused_by_name",
                    scores_that_are_no_numbers_are_refused_by_name);
    g_test_add_func("/ranking/one_sided_truth_is_undefined", one_sided_truth_is_undefined);
    g_test_add_func("/ranking/equal_scores_are_told", equal_scores_are_told);
    g_test_add_func("/ranking/curve_is_drawn_through_its_corners",
                    curve_is_drawn_through_its_corners);
    g_test_add_func("/ranking/curves_of_many_scores_are_short_and_right",
                    curves_of_many_scores_are_short_and_right);
    g_test_add_func("/ranking/interval_holds_the_measure_and_follows_the_seed",
                    interval_holds_the_measure_and_follows_the_seed);
    g_test_add_func("/ranking/one_image_has_no_spread", one_image_has_no_spread);
    g_test_add_func("/ranking/regions_touch_by_corners_too", regions_touch_by_corners_too);
    return g_test_run();
}
