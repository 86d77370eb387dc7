/* The pseudo-weights against values computed by an independent implementation. */
#include "support/pseudo.h"

#include <glib.h>

static void seed_of_a_name_is_fnv1a(void)
{
    g_assert_cmphex(cg_pseudo_seed(""), ==, 0xcbf29ce484222325);
    g_assert_cmphex(cg_pseudo_seed("unet/conv_in.weight"), ==, 0xb4a5ca5c0d150196);
}

static void units_match_known_values(void)
{
    const uint64_t seed = cg_pseudo_seed("unet/conv_in.weight");

    g_assert_cmpfloat_with_epsilon(cg_pseudo_unit(seed, 0), 0.248389006, 1e-9);
    g_assert_cmpfloat_with_epsilon(cg_pseudo_unit(seed, 1), -0.0374403, 1e-7);
    g_assert_cmpfloat_with_epsilon(cg_pseudo_unit(seed, 2), 0.829675317, 1e-9);
}

static void weights_are_scaled_by_fan_in(void)
{
    const CgShape shape = CG_SHAPE(320, 4, 3, 3);
    g_autofree float *w = g_new(float, 320 * 4 * 3 * 3);

    cg_pseudo_parameter("unet/conv_in.weight", &shape, w);
    g_assert_cmpfloat_with_epsilon(w[0], 0.0413981676, 1e-9);
    g_assert_cmpfloat_with_epsilon(w[1], -0.00624004984, 1e-9);
    g_assert_cmpfloat_with_epsilon(w[2], 0.138279215, 1e-8);
}

static void vectors_are_near_one_or_near_zero_by_name(void)
{
    const CgShape shape = CG_SHAPE(50);
    float weight[50], bias[50];

    cg_pseudo_parameter("unet/conv_norm_out.weight", &shape, weight);
    cg_pseudo_parameter("unet/conv_norm_out.bias", &shape, bias);
    for (int i = 0; i < 50; i++) {
        const double u = cg_pseudo_unit(cg_pseudo_seed("unet/conv_norm_out.weight"), (uint64_t)i);
        g_assert_cmpfloat(weight[i], ==, (float)(1.0 + 0.1 * u));
        g_assert_cmpfloat(ABS(bias[i]), <=, 0.1f);
    }
}

static void inputs_have_scale_and_bias(void)
{
    float latent[4];

    cg_pseudo_fill("input/latent", 1.7320508, 0.0, latent, 4);
    g_assert_cmpfloat_with_epsilon(latent[0], 1.651307, 1e-6);
    g_assert_cmpfloat_with_epsilon(latent[1], -0.6903005, 1e-6);
    g_assert_cmpfloat_with_epsilon(latent[2], 0.5999025, 1e-6);
    g_assert_cmpfloat_with_epsilon(latent[3], 0.8975127, 1e-6);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pseudo/seed_of_a_name_is_fnv1a", seed_of_a_name_is_fnv1a);
    g_test_add_func("/pseudo/units_match_known_values", units_match_known_values);
    g_test_add_func("/pseudo/weights_are_scaled_by_fan_in", weights_are_scaled_by_fan_in);
    g_test_add_func("/pseudo/vectors_are_near_one_or_near_zero_by_name",
                    vectors_are_near_one_or_near_zero_by_name);
    g_test_add_func("/pseudo/inputs_have_scale_and_bias", inputs_have_scale_and_bias);
    return g_test_run();
}
