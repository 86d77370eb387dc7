/* Means over seeds and images, differences of methods, and their table. */
#include "base/rng.h"
#include "metrics/comparison.h"
#include "metrics/interval.h"
#include "metrics/repeated.h"

#include <math.h>
#include <string.h>

enum { DRAWS = 4000, FEW = 200 };

/* ---- means over seeds and images */

/* Draws of a training: its own value, and what the images add to all alike, of variance
 * IMAGES^2. */
static float *make_draws(double value, double images, guint count)
{
    float *draws = g_new(float, count);
    for (guint i = 0; i < count; i++) {
        CgRng rng = cg_rng(7, i);
        draws[i] = (float)(value + images * cg_rng_normal(&rng));
    }
    return draws;
}

typedef struct {
    double values[8];
    float *draws[8];
    CgRepeated repeated;
} Trainings;

static Trainings *trainings_new(const double *values, guint seeds, double images, guint draws)
{
    Trainings *t = g_new0(Trainings, 1);
    for (guint i = 0; i < seeds; i++) {
        t->values[i] = values[i];
        t->draws[i] = make_draws(values[i], images, draws);
    }
    t->repeated = (CgRepeated){seeds, t->values, (const float **)t->draws};
    return t;
}

static void trainings_free(Trainings *t)
{
    for (guint i = 0; i < t->repeated.seeds; i++)
        g_free(t->draws[i]);
    g_free(t);
}

static double width(const CgMeanInterval *m)
{
    return m->high - m->low;
}

static void the_mean_is_over_seeds(void)
{
    Trainings *t = trainings_new((const double[]){0.5, 0.7, 0.9}, 3, 0, 1);
    const CgMeanInterval mean = cg_repeated_compare(&t->repeated, NULL, 1, 0, 1);
    g_assert_cmpfloat_with_epsilon(mean.mean, 0.7, 1e-12);
    g_assert_true(isnan(mean.low) && isnan(mean.high));
    trainings_free(t);
}

/* Three seeds s apart have a sample variance of s^2, their mean one of s^2 / 3: an interval of
 * +- 1.96 s / sqrt(3), here of a distribution of few values, so within a quarter. */
static void the_spread_of_few_seeds_is_not_made_too_small(void)
{
    Trainings *t = trainings_new((const double[]){0.4, 0.5, 0.6}, 3, 0.0001, DRAWS);
    const CgMeanInterval mean = cg_repeated_compare(&t->repeated, NULL, 1, DRAWS, 1);
    g_assert_cmpfloat(fabs(width(&mean) / (2 * 1.96 * 0.1 / sqrt(3)) - 1), <, 0.25);
    trainings_free(t);
}

static void images_move_the_mean_of_one_seed_too(void)
{
    Trainings *t = trainings_new((const double[]){0.5}, 1, 0.02, DRAWS);
    const CgMeanInterval mean = cg_repeated_compare(&t->repeated, NULL, 1, DRAWS, 1);
    g_assert_cmpfloat(fabs(width(&mean) / (2 * 1.96 * 0.02) - 1), <, 0.06);
    trainings_free(t);
}

/* What moves both methods alike (hard images, a good seed) is not in their difference. */
static void a_difference_is_paired(void)
{
    Trainings *a = trainings_new((const double[]){0.52, 0.72, 0.92}, 3, 0.05, DRAWS);
    Trainings *b = trainings_new((const double[]){0.5, 0.7, 0.9}, 3, 0.05, DRAWS);
    const CgMeanInterval d = cg_repeated_compare(&a->repeated, &b->repeated, 1, DRAWS, 1);
    g_assert_cmpfloat_with_epsilon(d.mean, 0.02, 1e-9);
    g_assert_cmpfloat(d.low, >, 0.0199);
    g_assert_cmpfloat(d.high, <, 0.0201);
    trainings_free(a);
    trainings_free(b);
}

static void categories_count_the_same_whatever_their_seeds(void)
{
    Trainings *a = trainings_new((const double[]){0.2, 0.4}, 2, 0, 1);
    Trainings *b = trainings_new((const double[]){0.9}, 1, 0, 1);
    const CgRepeated both[2] = {a->repeated, b->repeated};
    g_assert_cmpfloat_with_epsilon(cg_repeated_compare(both, NULL, 2, 0, 1).mean, 0.6, 1e-12);
    trainings_free(a);
    trainings_free(b);
}

static void draws_that_are_undefined_are_left_out(void)
{
    Trainings *t = trainings_new((const double[]){0.5}, 1, 0.02, FEW);
    for (guint i = 0; i < FEW / 4; i++)
        t->draws[0][i] = NAN;
    CgMeanInterval mean = cg_repeated_compare(&t->repeated, NULL, 1, FEW, 1);
    g_assert_cmpuint(mean.count, ==, FEW - FEW / 4);
    g_assert_true(isfinite(mean.low) && isfinite(mean.high));
    for (guint i = 0; i < FEW; i++)
        t->draws[0][i] = NAN;
    mean = cg_repeated_compare(&t->repeated, NULL, 1, FEW, 1);
    g_assert_true(isnan(mean.low) && isnan(mean.high));
    trainings_free(t);
}

static void an_interval_is_of_percentiles(void)
{
    double values[41], low, high;
    for (int i = 0; i < 41; i++)
        values[i] = 40 - i;
    cg_interval(values, 41, &low, &high);
    g_assert_cmpfloat_with_epsilon(low, 1, 1e-12);
    g_assert_cmpfloat_with_epsilon(high, 39, 1e-12);
    cg_interval(values, 0, &low, &high);
    g_assert_true(isnan(low) && isnan(high));
}

/* ---- the table */

static const char *const categories[] = {"bottle", "gear", NULL};
static const char *const methods[] = {"draem", "draem+cagen:0.3", NULL};

static void row_clear(void *data)
{
    CgResultRow *row = data;
    for (guint k = 0; k < CG_COMPARED_COUNT; k++) {
        g_free(row->reasons[k]);
        g_free(row->draws[k]);
    }
}

/* A result whose four measures are VALUE, VALUE - 0.1, ... */
static CgResult *make_result(const char *category, const char *method, guint64 seed, double value)
{
    CgResult *r = g_new0(CgResult, 1);
    r->category = g_strdup(category);
    r->method = g_strdup(method);
    r->seed = seed;
    r->draws = FEW;
    r->rows = g_array_new(FALSE, FALSE, sizeof(CgResultRow));
    g_array_set_clear_func(r->rows, row_clear);
    r->notes = g_ptr_array_new_with_free_func(g_free);
    CgResultRow row = {.mode = CG_MODE_DRAEM, .good = 3, .defective = 4};
    for (guint k = 0; k < CG_COMPARED_COUNT; k++) {
        row.values[k] = value - 0.1 * k;
        row.draws[k] = make_draws(row.values[k], 0.01, FEW);
    }
    g_array_append_val(r->rows, row);
    return r;
}

static void lose_measure(CgResult *r, guint k, const char *reason)
{
    CgResultRow *row = &g_array_index(r->rows, CgResultRow, 0);
    row->values[k] = NAN;
    row->reasons[k] = g_strdup(reason);
}

static CgComparison *make_comparison(void)
{
    CgComparison *c = cg_comparison_new(categories, methods, TRUE);
    for (guint seed = 0; seed < 3; seed++) {
        cg_comparison_add(c, make_result("bottle", methods[0], seed, 0.80 + 0.01 * seed));
        cg_comparison_add(c, make_result("bottle", methods[1], seed, 0.85 + 0.01 * seed));
        cg_comparison_add(c, make_result("gear", methods[0], seed, 0.60 - 0.01 * seed));
        cg_comparison_add(c, make_result("gear", methods[1], seed, 0.60 + 0.01 * seed));
    }
    return c;
}

static void a_method_differs_from_the_first(void)
{
    g_autoptr(CgComparison) c = make_comparison();
    CgCompared v;
    cg_comparison_find(c, "bottle", methods[1], CG_MODE_DRAEM, FALSE, 0, &v);
    g_assert_cmpfloat_with_epsilon(v.value, 0.86, 1e-12);
    g_assert_cmpfloat_with_epsilon(v.difference, 0.05, 1e-12);
    g_assert_cmpuint(v.seeds, ==, 3);
    g_assert_true(v.significant);
    cg_comparison_find(c, "bottle", methods[0], CG_MODE_DRAEM, FALSE, 0, &v);
    g_assert_true(isnan(v.difference) && !v.significant);
}

static void a_difference_that_changes_its_sign_is_not_significant(void)
{
    g_autoptr(CgComparison) c = cg_comparison_new(categories, methods, FALSE);
    for (guint seed = 0; seed < 3; seed++) {
        cg_comparison_add(c, make_result("gear", methods[0], seed, 0.60));
        cg_comparison_add(c, make_result("gear", methods[1], seed, 0.57 + 0.04 * seed));
    }
    CgCompared v;
    cg_comparison_find(c, "gear", methods[1], CG_MODE_DRAEM, FALSE, 0, &v);
    g_assert_cmpfloat_with_epsilon(v.difference, 0.01, 1e-12);
    g_assert_false(v.significant);
}

static void seeds_that_one_of_both_lacks_are_not_compared(void)
{
    g_autoptr(CgComparison) c = cg_comparison_new(categories, methods, FALSE);
    cg_comparison_add(c, make_result("gear", methods[0], 0, 0.5));
    cg_comparison_add(c, make_result("gear", methods[0], 1, 0.9));
    cg_comparison_add(c, make_result("gear", methods[1], 1, 0.8));
    cg_comparison_add(c, make_result("gear", methods[1], 2, 0.1));
    CgCompared v;
    cg_comparison_find(c, "gear", methods[1], CG_MODE_DRAEM, FALSE, 0, &v);
    g_assert_cmpfloat_with_epsilon(v.value, 0.45, 1e-12);
    g_assert_cmpfloat_with_epsilon(v.difference, -0.1, 1e-12);
}

static void the_mean_is_over_categories(void)
{
    g_autoptr(CgComparison) c = make_comparison();
    CgCompared v;
    cg_comparison_find(c, NULL, methods[1], CG_MODE_DRAEM, FALSE, 1, &v);
    g_assert_cmpfloat_with_epsilon(v.value, (0.76 + 0.51) / 2, 1e-12);
    g_assert_cmpfloat_with_epsilon(v.difference, (0.05 + 0.02) / 2, 1e-12);
}

static void an_undefined_measure_keeps_its_reason_and_has_no_mean(void)
{
    g_autoptr(CgComparison) c = cg_comparison_new(categories, methods, FALSE);
    CgResult *r = make_result("gear", methods[0], 0, 0.5);
    lose_measure(r, 1, "no defective pixels");
    cg_comparison_add(c, r);
    cg_comparison_add(c, make_result("bottle", methods[0], 0, 0.5));
    CgCompared v;
    cg_comparison_find(c, "gear", methods[0], CG_MODE_DRAEM, FALSE, 1, &v);
    g_assert_true(isnan(v.value));
    g_assert_cmpstr(v.undefined, ==, "no defective pixels");
    g_free(v.undefined);
    cg_comparison_find(c, NULL, methods[0], CG_MODE_DRAEM, FALSE, 1, &v);
    g_assert_cmpstr(v.undefined, ==, "gear: no defective pixels");
    g_free(v.undefined);
    cg_comparison_find(c, "gear", methods[1], CG_MODE_DRAEM, FALSE, 1, &v);
    g_assert_cmpstr(v.undefined, ==, "not measured yet");
    g_free(v.undefined);
    g_autofree char *table = cg_comparison_print(c, CG_REPORT_MD);
    g_assert_nonnull(strstr(table, "| gear | 50.0 / - (2) | - (1) / - (1) |"));
    g_assert_nonnull(strstr(table, "(2) undefined: no defective pixels"));
}

static void the_paper_stands_beside_its_own_categories(void)
{
    g_autoptr(CgComparison) c = make_comparison();
    g_autofree char *table = cg_comparison_print(c, CG_REPORT_MD);
    g_assert_nonnull(strstr(table, "| bottle | 81.0 / 71.0 | 86.0 / 76.0 | 99.1 / 86.5 | "
                                   "99.2 / 89.8 |"));
    g_assert_nonnull(strstr(table, "| gear | 59.0 / 49.0 | 61.0 / 51.0 |  |  |"));
    g_autofree char *csv = cg_comparison_print(c, CG_REPORT_CSV);
    g_assert_nonnull(strstr(csv, "bottle,draem+cagen:0.3,draem,0,pixel_ap,3,0.76"));
    g_autofree char *latex = cg_comparison_print(c, CG_REPORT_LATEX);
    g_assert_nonnull(strstr(latex, "bottle & 81.0 / 71.0 & 86.0 / 76.0 & 99.1 / 86.5"));
}

static void the_table_as_json_has_every_figure(void)
{
    g_autoptr(CgComparison) c = make_comparison();
    g_autofree char *text = cg_comparison_print(c, CG_REPORT_JSON);
    g_autoptr(json_t) json = cg_json_parse(text, strlen(text), "table", NULL);
    const json_t *rows = json_object_get(json, "rows");
    g_assert_cmpuint(json_array_size(rows), ==, 3 * 2 * CG_COMPARED_COUNT);
    const json_t *row = json_array_get(rows, CG_COMPARED_COUNT);
    g_assert_cmpstr(json_string_value(json_object_get(row, "method")), ==, methods[1]);
    g_assert_true(json_is_true(json_object_get(row, "significant")));
    g_assert_cmpfloat_with_epsilon(json_number_value(json_object_get(row, "paper")), 0.992, 1e-12);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/comparison/" #name, name)
    ADD(the_mean_is_over_seeds);
    ADD(the_spread_of_few_seeds_is_not_made_too_small);
    ADD(images_move_the_mean_of_one_seed_too);
    ADD(a_difference_is_paired);
    ADD(categories_count_the_same_whatever_their_seeds);
    ADD(draws_that_are_undefined_are_left_out);
    ADD(an_interval_is_of_percentiles);
    ADD(a_method_differs_from_the_first);
    ADD(a_difference_that_changes_its_sign_is_not_significant);
    ADD(seeds_that_one_of_both_lacks_are_not_compared);
    ADD(the_mean_is_over_categories);
    ADD(an_undefined_measure_keeps_its_reason_and_has_no_mean);
    ADD(the_paper_stands_beside_its_own_categories);
    ADD(the_table_as_json_has_every_figure);
    return g_test_run();
}
