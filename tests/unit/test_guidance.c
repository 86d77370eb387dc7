#include "base/error.h"
#include "diffusion/guidance.h"

#include <math.h>

static void combination_goes_beyond_the_conditional_output(void)
{
    const float both[6] = {1, 2, -3, 2, 2, 1}; /* unconditional, then conditional */
    float out[3];
    cg_guidance_combine(both, 3, 7.5, out);
    g_assert_cmpfloat(out[0], ==, 8.5f);
    g_assert_cmpfloat(out[1], ==, 2.0f);
    g_assert_cmpfloat(out[2], ==, 27.0f);
    g_assert_true(cg_guidance_is_used(1.5));
    g_assert_false(cg_guidance_is_used(1));
}

static void combination_may_be_in_place(void)
{
    float both[4] = {1, -2, 3, 5};
    cg_guidance_combine(both, 2, 2, both);
    g_assert_cmpfloat(both[0], ==, 5);
    g_assert_cmpfloat(both[1], ==, 12);
}

/* The pipeline's rule: not (i / n < start or (i + 1) / n > end). */
static void control_acts_inside_its_part_of_the_steps(void)
{
    static const struct {
        double start, end;
        const char *active;
    } rows[] = {{0, 1, "1111111111"},    {0.2, 0.7, "0011111000"}, {0, 0.5, "1111100000"},
                {0.25, 1, "0001111111"}, {0.9, 1, "0000000001"},   {0.41, 0.49, "0000000000"}};
    for (guint r = 0; r < G_N_ELEMENTS(rows); r++) {
        for (int i = 0; i < 10; i++)
            g_assert_cmpint(cg_control_is_active(i, 10, rows[r].start, rows[r].end), ==,
                            rows[r].active[i] == '1');
    }
}

static void senseless_control_parts_are_refused(void)
{
    static const double rows[][2] = {{-0.1, 1},  {0, 1.1}, {0.5, 0.5},
                                     {0.7, 0.2}, {NAN, 1}, {0, NAN}};
    for (guint r = 0; r < G_N_ELEMENTS(rows); r++) {
        g_autoptr(GError) error = NULL;
        g_assert_false(cg_control_window_check(rows[r][0], rows[r][1], &error));
        g_assert_error(error, CG_ERROR, CG_ERROR_USAGE);
    }
    g_assert_true(cg_control_window_check(0, 1, NULL));
    g_assert_true(cg_control_window_check(0.2, 0.7, NULL));
}

static void guess_factors_are_the_published_ones(void)
{
    static const double factors[13] = {0.100000, 0.121153, 0.146780, 0.177828, 0.215443,
                                       0.261016, 0.316228, 0.383119, 0.464159, 0.562341,
                                       0.681292, 0.825404, 1};
    double full[13], half[13], alone;
    cg_control_guess_scales(1, 13, full);
    cg_control_guess_scales(0.5, 13, half);
    for (int k = 0; k < 13; k++) {
        g_assert_cmpfloat(fabs(full[k] - factors[k]), <=, 0.51e-6); /* as printed */
        g_assert_cmpfloat(half[k], ==, full[k] / 2);
    }
    cg_control_guess_scales(2, 1, &alone);
    g_assert_cmpfloat(alone, ==, 2);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/guidance/combination-goes-beyond-the-conditional-output",
                    combination_goes_beyond_the_conditional_output);
    g_test_add_func("/guidance/combination-may-be-in-place", combination_may_be_in_place);
    g_test_add_func("/guidance/control-acts-inside-its-part-of-the-steps",
                    control_acts_inside_its_part_of_the_steps);
    g_test_add_func("/guidance/senseless-control-parts-are-refused",
                    senseless_control_parts_are_refused);
    g_test_add_func("/guidance/guess-factors-are-the-published-ones",
                    guess_factors_are_the_published_ones);
    return g_test_run();
}
