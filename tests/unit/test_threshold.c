/* Thresholds: chosen between scores, for the best F1 or a share of false alarms. */
#include "metrics/threshold.h"

#include <math.h>

static void it_lies_midway_between_what_it_separates(void)
{
    const double normal[] = {0.1, 0.3, 0.2}, anomalous[] = {0.9, 0.7};
    const CgOperatingPoint p = cg_threshold_choose(normal, 3, anomalous, 2, NAN);
    g_assert_cmpfloat_with_epsilon(p.threshold, 0.5, 1e-12);
    g_assert_cmpfloat(p.found, ==, 1);
    g_assert_cmpfloat(p.false_alarms, ==, 0);
    g_assert_cmpfloat(p.f1, ==, 1);
}

/* Called anomalous from 0.45 on: all of them and half of the normal ones, F1 2 / 2.5; from 0.65
 * on: half of them and none of the normal ones, F1 1 / 1.5. */
static void the_best_f1_weighs_both_kinds_the_same(void)
{
    const double normal[] = {0.1, 0.6}, anomalous[] = {0.5, 0.7};
    const CgOperatingPoint p = cg_threshold_choose(normal, 2, anomalous, 2, NAN);
    g_assert_cmpfloat_with_epsilon(p.threshold, 0.3, 1e-12);
    g_assert_cmpfloat_with_epsilon(p.f1, 0.8, 1e-12);
    const double many[] = {0.1, 0.6, 0.1, 0.6, 0.1, 0.6, 0.1, 0.6};
    const CgOperatingPoint same = cg_threshold_choose(many, 8, anomalous, 2, NAN);
    g_assert_cmpfloat_with_epsilon(same.threshold, p.threshold, 1e-12);
    g_assert_cmpfloat_with_epsilon(same.f1, p.f1, 1e-12);
}

static void false_alarms_stay_within_what_is_allowed(void)
{
    const double normal[] = {0.1, 0.2, 0.3, 0.8}, anomalous[] = {0.25, 0.5, 0.9};
    const CgOperatingPoint none = cg_threshold_choose(normal, 4, anomalous, 3, 0);
    g_assert_cmpfloat_with_epsilon(none.threshold, 0.85, 1e-12);
    g_assert_cmpfloat(none.false_alarms, ==, 0);
    const CgOperatingPoint one = cg_threshold_choose(normal, 4, anomalous, 3, 0.25);
    g_assert_cmpfloat_with_epsilon(one.threshold, 0.4, 1e-12);
    g_assert_cmpfloat_with_epsilon(one.found, 2 / 3.0, 1e-12);
}

static void equal_scores_cannot_be_separated(void)
{
    const double same[] = {0.5, 0.5};
    const CgOperatingPoint p = cg_threshold_choose(same, 2, same, 2, NAN);
    g_assert_cmpfloat(p.threshold, ==, 0.5);
    g_assert_cmpfloat(p.found, ==, 0);
    g_assert_cmpfloat(p.false_alarms, ==, 0);
}

static void a_given_threshold_is_told_what_it_does(void)
{
    const double normal[] = {0.1, 0.6}, anomalous[] = {0.5, 0.7};
    const CgOperatingPoint p = cg_threshold_apply(0.5, normal, 2, anomalous, 2);
    g_assert_cmpfloat(p.found, ==, 0.5);
    g_assert_cmpfloat(p.false_alarms, ==, 0.5);
    g_assert_cmpfloat(p.f1, ==, 0.5);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name) g_test_add_func("/threshold/" #name, name)
    ADD(it_lies_midway_between_what_it_separates);
    ADD(the_best_f1_weighs_both_kinds_the_same);
    ADD(false_alarms_stay_within_what_is_allowed);
    ADD(equal_scores_cannot_be_separated);
    ADD(a_given_threshold_is_told_what_it_does);
    return g_test_run();
}
