/* Real defects put elsewhere. */
#include "support/pictures.h"
#include "synthesis/crop_paste.h"

#include <math.h>

static CgImage *box_mask(int width, int height, CgRect box)
{
    CgImage *mask = cg_image_new(width, height, 1);
    for (int y = box.y; y < box.y + box.height; y++)
        for (int x = box.x; x < box.x + box.width; x++)
            mask->pixels[y * width + x] = 255;
    return mask;
}

static void mask_has_the_scaled_defects_area(void)
{
    g_autoptr(CgImage) normal = test_random_image(160, 120, 3, 1);
    g_autoptr(CgImage) defect = test_random_image(200, 150, 1, 2);
    g_autoptr(CgImage) mask = box_mask(200, 150, (CgRect){50, 60, 40, 20});
    for (int i = 0; i < 100; i++) {
        g_auto(CgSynthesis) s = {0};
        CgRng rng = cg_rng(3, (uint64_t)i);
        cg_crop_paste(normal, NULL, defect, mask, i % 2 ? CG_PASTE_EXACT : CG_PASTE_POISSON, &rng,
                      &s);
        test_assert_only_mask_differs(normal, &s);
        const double scale = json_number_value(json_object_get(s.parameters, "scale"));
        const double area = cg_mask_area(s.mask) * 160 * 120, wanted = 40 * 20 * scale * scale;
        g_assert_cmpfloat(scale, >=, 0.7);
        g_assert_cmpfloat(scale, <=, 1.3);
        g_assert_cmpfloat(fabs(area / wanted - 1), <, 0.12);
    }
}

static void what_is_too_large_is_made_smaller(void)
{
    g_autoptr(CgImage) normal = test_random_image(40, 30, 1, 1);
    g_autoptr(CgImage) defect = test_random_image(200, 150, 3, 2);
    g_autoptr(CgImage) mask = box_mask(200, 150, (CgRect){0, 0, 200, 150});
    for (int i = 0; i < 50; i++) {
        g_auto(CgSynthesis) s = {0};
        CgRng rng = cg_rng(4, (uint64_t)i);
        cg_crop_paste(normal, NULL, defect, mask, CG_PASTE_EXACT, &rng, &s);
        test_assert_only_mask_differs(normal, &s);
    }
}

static void a_single_pixel_does_not_get_lost(void)
{
    g_autoptr(CgImage) normal = test_random_image(64, 64, 3, 1);
    g_autoptr(CgImage) mask = box_mask(64, 64, (CgRect){63, 0, 1, 1});
    for (int i = 0; i < 50; i++) {
        g_auto(CgSynthesis) s = {0};
        CgRng rng = cg_rng(5, (uint64_t)i);
        cg_crop_paste(normal, NULL, normal, mask, CG_PASTE_POISSON, &rng, &s);
        test_assert_only_mask_differs(normal, &s);
    }
}

/* Share of the synthesis' mask that lies on OBJECT. */
static double share_on(const CgImage *object, const CgSynthesis *s)
{
    gsize on = 0, all = 0;
    for (int i = 0; i < object->width * object->height; i++) {
        all += s->mask->pixels[i] != 0;
        on += s->mask->pixels[i] && object->pixels[i];
    }
    return (double)on / (double)all;
}

static void defects_lie_on_the_object(void)
{
    g_autoptr(CgImage) normal = test_random_image(120, 90, 3, 1);
    g_autoptr(CgImage) object = box_mask(120, 90, (CgRect){80, 10, 30, 50});
    g_autoptr(CgImage) defect = test_random_image(60, 60, 3, 2);
    g_autoptr(CgImage) mask = box_mask(60, 60, (CgRect){20, 20, 10, 6});
    for (int i = 0; i < 50; i++) {
        g_auto(CgSynthesis) s = {0};
        CgRng rng = cg_rng(6, (uint64_t)i);
        cg_crop_paste(normal, object, defect, mask, CG_PASTE_EXACT, &rng, &s);
        test_assert_only_mask_differs(normal, &s);
        g_assert_cmpfloat(share_on(object, &s), >=, 0.8); /* 0.9 before the picture's edge cuts */
    }
}

static void a_defect_larger_than_the_object_lies_over_it(void)
{
    g_autoptr(CgImage) normal = test_random_image(120, 90, 3, 1);
    g_autoptr(CgImage) object = box_mask(120, 90, (CgRect){70, 40, 10, 10});
    g_autoptr(CgImage) defect = test_random_image(60, 60, 3, 2);
    g_autoptr(CgImage) mask = box_mask(60, 60, (CgRect){10, 10, 36, 36});
    for (int i = 0; i < 20; i++) {
        g_auto(CgSynthesis) s = {0};
        CgRng rng = cg_rng(7, (uint64_t)i);
        cg_crop_paste(normal, object, defect, mask, CG_PASTE_EXACT, &rng, &s);
        g_assert_cmpfloat(share_on(object, &s), >, 0);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/crop_paste/mask_has_the_scaled_defects_area",
                    mask_has_the_scaled_defects_area);
    g_test_add_func("/crop_paste/what_is_too_large_is_made_smaller",
                    what_is_too_large_is_made_smaller);
    g_test_add_func("/crop_paste/a_single_pixel_does_not_get_lost",
                    a_single_pixel_does_not_get_lost);
    g_test_add_func("/crop_paste/defects_lie_on_the_object", defects_lie_on_the_object);
    g_test_add_func("/crop_paste/a_defect_larger_than_the_object_lies_over_it",
                    a_defect_larger_than_the_object_lies_over_it);
    return g_test_run();
}
