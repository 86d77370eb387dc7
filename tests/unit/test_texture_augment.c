/* The texture augmenters and the colour jitter against imgaug, OpenCV and Pillow; DRAEM's blend. */
#include "support/folder.h"
#include "support/pictures.h"
#include "synthesis/cutpaste.h"
#include "synthesis/draem.h"
#include "synthesis/texture_augment.h"

#include <stdlib.h>
#include <string.h>

static CgImage *fixture(const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *file = g_strdup_printf("augment/%s.png", name);
    g_autofree char *path = cg_test_fixture(file);
    CgImage *image = cg_image_load(path, NULL, &error);
    g_assert_no_error(error);
    return image;
}

/* No value is off by more than WORST, on average by no more than MEAN. */
static void assert_near(const char *name, const CgImage *made, int worst, double mean)
{
    g_autoptr(CgImage) wanted = fixture(name);
    const int size = wanted->width * wanted->height * 3;
    int most = 0;
    double sum = 0;
    g_assert_cmpint(wanted->channels, ==, 3);
    for (int i = 0; i < size; i++) {
        const int off = abs(made->pixels[i] - wanted->pixels[i]);
        most = MAX(most, off);
        sum += off;
    }
    g_test_message("%s: worst %d, mean %.4f", name, most, sum / size);
    g_assert_cmpint(most, <=, worst);
    g_assert_cmpfloat(sum / size, <=, mean);
}

static void augmented_like(const char *name, CgTextureAugment augment, int worst, double mean)
{
    g_autoptr(CgImage) image = fixture("input");
    cg_texture_augment_apply(&augment, image);
    assert_near(name, image, worst, mean);
}

static void exact_ones_match_imgaug(void)
{
    augmented_like("gamma", (CgTextureAugment){CG_TEXTURE_GAMMA, {0.6, 1.3, 1.9}, 0, 0}, 0, 0);
    augmented_like("sharpness_17", (CgTextureAugment){CG_TEXTURE_SHARPNESS, {1.7}, 0, 0}, 0, 0);
    augmented_like("sharpness_03", (CgTextureAugment){CG_TEXTURE_SHARPNESS, {0.3}, 0, 0}, 0, 0);
    augmented_like("solarize", (CgTextureAugment){CG_TEXTURE_SOLARIZE, {77}, 0, 0}, 0, 0);
    augmented_like("posterize_3", (CgTextureAugment){CG_TEXTURE_POSTERIZE, {3}, 0, 0}, 0, 0);
    augmented_like("posterize_8", (CgTextureAugment){CG_TEXTURE_POSTERIZE, {8}, 0, 0}, 0, 0);
    augmented_like("invert", (CgTextureAugment){CG_TEXTURE_INVERT, {0}, 0, 0}, 0, 0);
    augmented_like("autocontrast_0", (CgTextureAugment){CG_TEXTURE_AUTOCONTRAST, {0}, 0, 0}, 0, 0);
    augmented_like("autocontrast_12", (CgTextureAugment){CG_TEXTURE_AUTOCONTRAST, {12}, 0, 0}, 0,
                   0);
    augmented_like("equalize", (CgTextureAugment){CG_TEXTURE_EQUALIZE, {0}, 0, 0}, 0, 0);
}

/* OpenCV rounds positions to 1/32 pixel; in noise that is worth some steps. */
static void rotation_matches_imgaug(void)
{
    augmented_like("rotate_31", (CgTextureAugment){CG_TEXTURE_ROTATE, {31}, 0, 0}, 8, 0.8);
    augmented_like("rotate_-12", (CgTextureAugment){CG_TEXTURE_ROTATE, {-12}, 0, 0}, 8, 0.8);
}

static void colour_spaces_match_opencv(void)
{
    for (int s = 0; s <= CG_COLOUR_YUV; s++) {
        const char *name = cg_colour_space_name((CgColourSpace)s);
        g_autofree char *there = g_strconcat("space_", name, NULL);
        g_autofree char *back = g_strconcat("back_", name, NULL);
        g_autoptr(CgImage) image = fixture("input");
        const gsize count = (gsize)(image->width * image->height);
        cg_colour_from_rgb((CgColourSpace)s, image->pixels, count);
        assert_near(there, image, 1, 0.05);
        g_autoptr(CgImage) converted = fixture(there);
        cg_colour_to_rgb((CgColourSpace)s, converted->pixels, count);
        assert_near(back, converted, 1, 0.05);
    }
}

static void brightness_and_hue_match_imgaug(void)
{
    for (int s = 0; s <= CG_COLOUR_YUV; s++) {
        g_autofree char *name =
            g_strconcat("brightness_", cg_colour_space_name((CgColourSpace)s), NULL);
        augmented_like(name,
                       (CgTextureAugment){CG_TEXTURE_BRIGHTNESS, {1.15, -12}, (CgColourSpace)s, 0},
                       4, 0.15);
    }
    augmented_like("hue_37_-20", (CgTextureAugment){CG_TEXTURE_HUE_SATURATION, {37, -20}, 0, 0}, 1,
                   0.02);
    augmented_like("hue_-45_33", (CgTextureAugment){CG_TEXTURE_HUE_SATURATION, {-45, 33}, 0, 0}, 1,
                   0.02);
}

static void jittered_like(const char *name, CgColourJitter jitter)
{
    g_autoptr(CgImage) image = fixture("input");
    cg_colour_jitter_apply(&jitter, image);
    assert_near(name, image, 0, 0);
}

/* One at a time: factors of 1 do nothing, nor does a hue of 0, whose way through HSV is left out.
 */
static void jitter_matches_pillow(void)
{
    jittered_like("jitter_brightness", (CgColourJitter){1.08, 1, 1, 0, {0, 1, 2, 3}});
    jittered_like("jitter_contrast", (CgColourJitter){1, 0.91, 1, 0, {3, 2, 1, 0}});
    jittered_like("jitter_saturation", (CgColourJitter){1, 1, 1.09, 0, {1, 2, 0, 3}});
    jittered_like("jitter_hue", (CgColourJitter){1, 1, 1, 0.07, {0, 1, 2, 3}});
}

static void three_different_augmenters_all_equally_often(void)
{
    int count[CG_TEXTURE_AUGMENTS] = {0};
    g_autoptr(CgImage) texture = test_random_image(16, 16, 3, 1);
    for (int i = 0; i < 2000; i++) {
        CgRng rng = cg_rng(3, (uint64_t)i);
        g_autoptr(json_t) drawn = json_array();
        g_autoptr(CgImage) made = cg_draem_texture(texture, 16, 16, &rng, drawn);
        guint seen = 0;
        g_assert_cmpint(made->width, ==, 16);
        g_assert_cmpint((int)json_array_size(drawn), ==, 3);
        for (size_t k = 0; k < 3; k++)
            for (int kind = 0; kind < CG_TEXTURE_AUGMENTS; kind++)
                if (!strcmp(cg_texture_augment_name((CgTextureAugmentKind)kind),
                            json_string_value(json_object_get(json_array_get(drawn, k), "name")))) {
                    count[kind]++;
                    seen |= 1u << kind;
                }
        g_assert_cmpint(__builtin_popcount(seen), ==, 3);
    }
    for (int kind = 0; kind < CG_TEXTURE_AUGMENTS; kind++)
        g_assert_cmpint(abs(count[kind] - 600), <, 80);
}

static void parameters_lie_in_their_ranges(void)
{
    static const double low[] = {0.5, 0.8, 0, -50, 32, 1, 0, 0, 0, -45};
    static const double high[] = {2, 1.2, 2, 50, 256, 8, 0, 20, 0, 45};
    for (int kind = 0; kind < CG_TEXTURE_AUGMENTS; kind++) {
        double least = 1e9, most = -1e9;
        for (int i = 0; i < 2000; i++) {
            CgRng rng = cg_rng(4, (uint64_t)i);
            const CgTextureAugment a = cg_texture_augment_draw((CgTextureAugmentKind)kind, &rng);
            least = MIN(least, a.value[0]);
            most = MAX(most, a.value[0]);
        }
        g_assert_cmpfloat(least, >=, low[kind]);
        g_assert_cmpfloat(most, <=, high[kind]);
        /* And reach to their ends. */
        g_assert_cmpfloat(least - low[kind], <=, 0.01 * (high[kind] - low[kind]));
        g_assert_cmpfloat(high[kind] - most, <=, 0.01 * (high[kind] - low[kind]));
    }
}

static void blend_keeps_beta_of_the_picture(void)
{
    g_autoptr(CgImage) normal = cg_image_new(4, 1, 1);
    g_autoptr(CgImage) texture = cg_image_new(4, 1, 3);
    g_autoptr(CgImage) mask = cg_image_new(4, 1, 1);
    memset(normal->pixels, 100, 4);
    memset(texture->pixels, 200, 12);
    mask->pixels[1] = mask->pixels[2] = 255;
    g_autoptr(CgImage) out = cg_draem_blend(normal, texture, mask, 0.25);
    static const guint8 wanted[] = {100, 175, 175, 100};
    g_assert_cmpmem(out->pixels, 4, wanted, 4);
}

static void draem_changes_the_mask_alone(void)
{
    g_autoptr(CgImage) texture = test_random_image(50, 30, 1, 5);
    for (int i = 0; i < 40; i++) {
        g_autoptr(CgImage) normal = test_random_image(97, 64, i % 2 ? 1 : 3, 6);
        g_auto(CgSynthesis) s = {0};
        CgRng rng = cg_rng(6, (uint64_t)i);
        cg_draem(normal, texture, &rng, &s);
        test_assert_only_mask_differs(normal, &s);
        const double beta = json_number_value(json_object_get(s.parameters, "beta"));
        g_assert_cmpfloat(beta, >=, 0);
        g_assert_cmpfloat(beta, <, 0.8);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/texture_augment/exact_ones_match_imgaug", exact_ones_match_imgaug);
    g_test_add_func("/texture_augment/rotation_matches_imgaug", rotation_matches_imgaug);
    g_test_add_func("/texture_augment/colour_spaces_match_opencv", colour_spaces_match_opencv);
    g_test_add_func("/texture_augment/brightness_and_hue_match_imgaug",
                    brightness_and_hue_match_imgaug);
    g_test_add_func("/texture_augment/jitter_matches_pillow", jitter_matches_pillow);
    g_test_add_func("/texture_augment/parameters_lie_in_their_ranges",
                    parameters_lie_in_their_ranges);
    g_test_add_func("/draem/three_different_augmenters_all_equally_often",
                    three_different_augmenters_all_equally_often);
    g_test_add_func("/draem/blend_keeps_beta_of_the_picture", blend_keeps_beta_of_the_picture);
    g_test_add_func("/draem/draem_changes_the_mask_alone", draem_changes_the_mask_alone);
    return g_test_run();
}
