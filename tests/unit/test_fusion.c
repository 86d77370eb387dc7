#include "diffusion/fusion.h"
#include "support/diffusion.h"
#include "support/fixture.h"

#include <math.h>
#include <string.h>

static const char *const names[] = {"even", "odd", "tall", "same"};

static CgTensor *shrink(const CgTensor *mask, const CgTensor *like, CgMaskPolicy policy,
                        gboolean soft, CgMaskFit *fit)
{
    return cg_mask_to_latent(mask->data, (int)mask->shape.d[0], (int)mask->shape.d[1],
                             (int)like->shape.d[0], (int)like->shape.d[1], policy, soft, fit);
}

/* torch's adaptive_max_pool2d, interpolate(mode="area") and interpolate(mode="nearest"), for sizes
 * that divide and sizes that do not. */
static void soft_masks_equal_those_of_torch(void)
{
    g_autoptr(CgSafetensors) st = test_diffusion_fixture("masks.safetensors");
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *mask_key = g_strconcat(names[i], "/mask", NULL);
        g_autoptr(CgTensor) mask = test_fixture_tensor(st, mask_key);
        for (CgMaskPolicy policy = CG_MASK_MAX; policy <= CG_MASK_NEAREST; policy++) {
            g_autofree char *key = g_strconcat(names[i], "/", cg_mask_policy_name(policy), NULL);
            g_autoptr(CgTensor) expected = test_fixture_tensor(st, key);
            g_autoptr(CgTensor) m = shrink(mask, expected, policy, TRUE, NULL);
            test_assert_close(key, m, expected, policy == CG_MASK_AREA ? 1e-6 : 0);
        }
    }
}

static void hard_masks_are_soft_ones_cut_at_one_half(void)
{
    g_autoptr(CgSafetensors) st = test_diffusion_fixture("masks.safetensors");
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *mask_key = g_strconcat(names[i], "/mask", NULL);
        g_autofree char *area_key = g_strconcat(names[i], "/area", NULL);
        g_autoptr(CgTensor) mask = test_fixture_tensor(st, mask_key);
        g_autoptr(CgTensor) area = test_fixture_tensor(st, area_key);
        g_autoptr(CgTensor) hard = shrink(mask, area, CG_MASK_AREA, FALSE, NULL);
        for (size_t k = 0; k < area->count; k++)
            g_assert_cmpfloat(cg_tensor_f32(hard)[k], ==, cg_tensor_f32(area)[k] >= 0.5f ? 1 : 0);
    }
}

/* A line one pixel wide in a 64 x 64 image, not on a multiple of eight. */
static void thin_line(guint8 mask[64 * 64])
{
    memset(mask, 0, 64 * 64);
    for (int y = 10; y < 50; y++)
        mask[y * 64 + 13] = 255;
}

static void max_keeps_a_thin_scratch(void)
{
    guint8 mask[64 * 64];
    CgMaskFit fit;
    thin_line(mask);
    g_autoptr(CgTensor) m = cg_mask_to_latent(mask, 64, 64, 8, 8, CG_MASK_MAX, FALSE, &fit);
    g_assert_cmpuint(fit.pixels, ==, 40);
    g_assert_cmpuint(fit.cells, ==, 6); /* rows 1 to 6 */
    g_assert_cmpuint(fit.lost, ==, 0);
    g_assert_false(fit.vanished);
    g_assert_cmpfloat(cg_tensor_f32(m)[1 * 8 + 1], ==, 1);
    g_assert_cmpfloat(cg_tensor_f32(m)[1 * 8 + 2], ==, 0);
}

static void a_vanished_mask_is_noticed(void)
{
    guint8 mask[64 * 64];
    CgMaskFit fit;
    thin_line(mask);
    for (CgMaskPolicy policy = CG_MASK_AREA; policy <= CG_MASK_NEAREST; policy++) {
        g_autoptr(CgTensor) m = cg_mask_to_latent(mask, 64, 64, 8, 8, policy, FALSE, &fit);
        g_assert_cmpuint(fit.pixels, ==, 40);
        g_assert_cmpuint(fit.cells, ==, 0);
        g_assert_cmpuint(fit.lost, ==, 40);
        g_assert_true(fit.vanished);
        for (size_t k = 0; k < m->count; k++)
            g_assert_cmpfloat(cg_tensor_f32(m)[k], ==, 0);
    }
    /* A soft mask keeps what it can. */
    g_autoptr(CgTensor) soft = cg_mask_to_latent(mask, 64, 64, 8, 8, CG_MASK_AREA, TRUE, &fit);
    g_assert_false(fit.vanished);
    g_assert_cmpfloat(cg_tensor_f32(soft)[2 * 8 + 1], ==, 0.125f);

    /* An empty mask is empty, not vanished. */
    memset(mask, 0, sizeof mask);
    g_autoptr(CgTensor) none = cg_mask_to_latent(mask, 64, 64, 8, 8, CG_MASK_MAX, FALSE, &fit);
    g_assert_cmpuint(fit.pixels + fit.cells + fit.lost, ==, 0);
    g_assert_false(fit.vanished);
    g_assert_cmpfloat(cg_tensor_f32(none)[9], ==, 0);
}

static void partly_lost_masks_are_measured(void)
{
    guint8 mask[64 * 64];
    CgMaskFit fit;
    thin_line(mask);
    for (int y = 32; y < 48; y++)
        memset(mask + y * 64 + 32, 255, 16);
    g_autoptr(CgTensor) m = cg_mask_to_latent(mask, 64, 64, 8, 8, CG_MASK_AREA, FALSE, &fit);
    g_assert_cmpuint(fit.pixels, ==, 40 + 256);
    g_assert_cmpuint(fit.lost, ==, 40);
    g_assert_cmpuint(fit.cells, ==, 4);
    g_assert_false(fit.vanished);
    g_assert_cmpfloat(cg_tensor_f32(m)[4 * 8 + 4], ==, 1);
    g_assert_cmpfloat(cg_tensor_f32(m)[4 * 8 + 1], ==, 0);
}

static void extreme_masks_keep_their_meaning(void)
{
    g_autofree guint8 *full = g_malloc(48 * 40);
    memset(full, 255, 48 * 40);
    for (CgMaskPolicy policy = CG_MASK_MAX; policy <= CG_MASK_NEAREST; policy++) {
        CgMaskFit fit;
        g_autoptr(CgTensor) all = cg_mask_to_latent(full, 48, 40, 6, 5, policy, TRUE, &fit);
        for (size_t k = 0; k < all->count; k++)
            g_assert_cmpfloat(cg_tensor_f32(all)[k], ==, 1);
        g_assert_cmpuint(fit.cells, ==, 30);
        g_autoptr(CgTensor) one = cg_mask_to_latent(full, 1, 1, 1, 1, policy, FALSE, &fit);
        g_assert_cmpfloat(cg_tensor_f32(one)[0], ==, 1);
    }
}

/* The reference's own latents: tests/oracle/make_model_fixtures.py. */
static void equation_four_equals_the_reference(void)
{
    g_autoptr(CgSafetensors) st = test_fixture_open("fusion");
    g_autoptr(CgTensor) z_g = test_fixture_image(st, "z_g");
    g_autoptr(CgTensor) z_i = test_fixture_image(st, "z_i");
    g_autoptr(CgTensor) z_f = test_fixture_image(st, "z_f");
    g_autoptr(CgTensor) stored = test_fixture_tensor(st, "mask");
    g_autoptr(CgTensor) mask =
        cg_tensor_reshape(stored, CG_SHAPE(z_g->shape.d[1], z_g->shape.d[2]));
    g_autoptr(CgTensor) out = cg_tensor_zeros(CG_F32, z_g->shape);
    cg_fuse_latents(z_g, z_i, mask, out);
    test_assert_close("z_f", out, z_f, 0);
    cg_fuse_latents(z_g, z_i, mask, z_g); /* in place */
    test_assert_close("z_f in place", z_g, z_f, 0);
}

static void what_is_masked_out_cannot_leak(void)
{
    g_autoptr(CgTensor) z_g = cg_tensor_zeros(CG_F32, CG_SHAPE(2, 1, 3, 2));
    g_autoptr(CgTensor) z_i = cg_tensor_zeros(CG_F32, CG_SHAPE(1, 1, 3, 2));
    g_autoptr(CgTensor) mask = cg_tensor_zeros(CG_F32, CG_SHAPE(2, 1, 3));
    const float masks[6] = {0, 1, 0.25f, 1, 0, 0.75f};
    memcpy(mask->data, masks, sizeof masks);
    for (int k = 0; k < 12; k++)
        cg_tensor_f32(z_g)[k] = masks[k / 2] == 0 ? NAN : 100.0f + k;
    for (int k = 0; k < 6; k++)
        cg_tensor_f32(z_i)[k] = -0.0f - k;

    cg_fuse_latents(z_g, z_i, mask, z_g);
    const float *z = cg_tensor_f32(z_g), *image = cg_tensor_f32(z_i);
    g_assert_cmpmem(z, 8, image, 8); /* bit for bit, the sign of zero too */
    g_assert_cmpmem(z + 8, 8, image + 2, 8);
    g_assert_cmpfloat(z[2], ==, 102);
    g_assert_cmpfloat(z[4], ==, 0.25f * 104 + 0.75f * -4);
    g_assert_cmpfloat(z[11], ==, 0.75f * 111 + 0.25f * -5);
}

static void mixing_ends_at_equation_four(void)
{
    g_autoptr(CgSafetensors) st = test_diffusion_fixture("samplers.safetensors");
    TestStates in = {test_fixture_tensor(st, "x_T"), test_fixture_tensor(st, "noise"),
                     test_fixture_tensor(st, "z_i"), test_fixture_tensor(st, "mask")};
    g_autoptr(CgNoiseSchedule) schedule = cg_noise_schedule_default();
    size_t channels = in.x_T->shape.d[3];
    for (CgSamplerKind kind = 0; kind < CG_SAMPLER_COUNT; kind++) {
        g_autoptr(CgSampler) s = test_sampler(schedule, cg_sampler_name(kind), 6, 0, 0);
        g_autoptr(CgTensor) x = test_sampler_run(s, &in, TRUE);
        guint outside = 0;
        for (size_t k = 0; k < x->count; k++) {
            if (cg_tensor_f32(in.mask)[k / channels] != 0)
                continue;
            g_assert_cmpfloat(cg_tensor_f32(x)[k], ==, cg_tensor_f32(in.z_i)[k]);
            outside++;
        }
        g_assert_cmpuint(outside, >, 10);
    }
    cg_tensor_unref(in.x_T);
    cg_tensor_unref(in.noise);
    cg_tensor_unref(in.z_i);
    cg_tensor_unref(in.mask);
}

static void names_are_read_as_they_are_printed(void)
{
    for (CgMaskPolicy policy = CG_MASK_MAX; policy <= CG_MASK_NEAREST; policy++) {
        CgMaskPolicy parsed;
        g_assert_true(cg_mask_policy_parse(cg_mask_policy_name(policy), &parsed));
        g_assert_cmpint(parsed, ==, policy);
    }
    for (CgFuseMode mode = CG_FUSE_FINAL; mode <= CG_FUSE_OFF; mode++) {
        CgFuseMode parsed;
        g_assert_true(cg_fuse_mode_parse(cg_fuse_mode_name(mode), &parsed));
        g_assert_cmpint(parsed, ==, mode);
    }
    CgMaskPolicy policy;
    CgFuseMode mode;
    g_assert_false(cg_mask_policy_parse("mean", &policy));
    g_assert_false(cg_fuse_mode_parse("", &mode));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fusion/soft-masks-equal-those-of-torch", soft_masks_equal_those_of_torch);
    g_test_add_func("/fusion/hard-masks-are-soft-ones-cut-at-one-half",
                    hard_masks_are_soft_ones_cut_at_one_half);
    g_test_add_func("/fusion/max-keeps-a-thin-scratch", max_keeps_a_thin_scratch);
    g_test_add_func("/fusion/a-vanished-mask-is-noticed", a_vanished_mask_is_noticed);
    g_test_add_func("/fusion/partly-lost-masks-are-measured", partly_lost_masks_are_measured);
    g_test_add_func("/fusion/extreme-masks-keep-their-meaning", extreme_masks_keep_their_meaning);
    g_test_add_func("/fusion/equation-four-equals-the-reference",
                    equation_four_equals_the_reference);
    g_test_add_func("/fusion/what-is-masked-out-cannot-leak", what_is_masked_out_cannot_leak);
    g_test_add_func("/fusion/mixing-ends-at-equation-four", mixing_ends_at_equation_four);
    g_test_add_func("/fusion/names-are-read-as-they-are-printed",
                    names_are_read_as_they_are_printed);
    return g_test_run();
}
