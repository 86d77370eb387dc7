/* MemSeg: textures and the picture in disorder, on the object. */
#include "image/paste.h"
#include "support/pictures.h"
#include "synthesis/memseg.h"

#include <math.h>
#include <string.h>

#define DRAWS 600
#define CELLS (CG_MEMSEG_CELLS * CG_MEMSEG_CELLS)

static void cells_move_as_told(void)
{
    int order[CELLS];
    g_autoptr(CgImage) image = test_random_image(64, 32, 3, 1);
    for (int i = 0; i < CELLS; i++)
        order[i] = (i * 5 + 3) % CELLS;
    g_autoptr(CgImage) moved = cg_memseg_shuffle(image, order);
    for (int y = 0; y < 32; y++)
        for (int x = 0; x < 64; x++) {
            const int from = order[y / 4 * 8 + x / 8];
            const int u = from % 8 * 8 + x % 8, v = from / 8 * 4 + y % 4;
            g_assert_cmpmem(moved->pixels + 3 * (y * 64 + x), 3, image->pixels + 3 * (v * 64 + u),
                            3);
        }
}

static void cells_need_not_divide_the_size(void)
{
    int order[CELLS], back[CELLS];
    g_autoptr(CgImage) image = test_random_image(83, 57, 1, 1);
    for (int i = 0; i < CELLS; i++) {
        order[i] = i;
        back[i] = CELLS - 1 - i;
    }
    g_autoptr(CgImage) same = cg_memseg_shuffle(image, order);
    g_assert_cmpmem(same->pixels, 83 * 57, image->pixels, 83 * 57);
    g_autoptr(CgImage) moved = cg_memseg_shuffle(image, back);
    g_assert_cmpint(moved->pixels[0], ==, image->pixels[(57 * 7 / 8) * 83 + 83 * 7 / 8]);
}

static void masks_lie_on_the_object(void)
{
    g_autoptr(CgImage) normal = test_random_image(96, 80, 3, 1);
    g_autoptr(CgImage) texture = test_random_image(40, 30, 3, 2);
    g_autoptr(CgImage) object = cg_image_new(96, 80, 1);
    for (int y = 20; y < 60; y++)
        memset(object->pixels + y * 96 + 30, 255, 25);
    for (int i = 0; i < 100; i++) {
        g_auto(CgSynthesis) s = {0};
        CgRng rng = cg_rng(3, (uint64_t)i);
        cg_memseg(normal, object, i % 2 ? texture : NULL, &rng, &s);
        test_assert_only_mask_differs(normal, &s);
        for (int k = 0; k < 96 * 80; k++)
            g_assert_true(object->pixels[k] || !s.mask->pixels[k]);
    }
}

static void an_object_that_noise_never_meets_is_taken_whole(void)
{
    g_autoptr(CgImage) normal = test_random_image(64, 64, 1, 1);
    g_autoptr(CgImage) corner = cg_image_new(64, 64, 1);
    corner->pixels[0] = 255; /* noise is 0 there, and turned noise is cut off */
    g_auto(CgSynthesis) s = {0};
    CgRng rng = cg_rng(4, 1);
    cg_memseg(normal, corner, NULL, &rng, &s);
    test_assert_only_mask_differs(normal, &s);
    g_assert_cmpfloat(cg_mask_area(s.mask), ==, 1.0 / (64 * 64));
}

static void opacity_is_uniform_from_015_to_1(void)
{
    double low = 1, high = 0, sum = 0;
    g_autoptr(CgImage) normal = test_random_image(32, 32, 3, 1);
    for (int i = 0; i < DRAWS; i++) {
        g_auto(CgSynthesis) s = {0};
        CgRng rng = cg_rng(5, (uint64_t)i);
        cg_memseg(normal, NULL, normal, &rng, &s);
        const double opacity = json_number_value(json_object_get(s.parameters, "opacity"));
        low = MIN(low, opacity);
        high = MAX(high, opacity);
        sum += opacity;
    }
    g_assert_cmpfloat(low, >=, 0.15);
    g_assert_cmpfloat(low, <, 0.16);
    g_assert_cmpfloat(high, <, 1);
    g_assert_cmpfloat(high, >, 0.99);
    g_assert_cmpfloat(fabs(sum / DRAWS - 0.575), <, 0.03);
}

/* A white texture over black: what is seen of it is the opacity. */
static void textures_show_with_the_opacity(void)
{
    g_autoptr(CgImage) black = cg_image_new(48, 48, 3);
    g_autoptr(CgImage) white = cg_image_new(48, 48, 3);
    memset(white->pixels, 255, 48 * 48 * 3);
    g_auto(CgSynthesis) s = {0};
    CgRng rng = cg_rng(6, 1);
    cg_memseg(black, NULL, white, &rng, &s);
    const double opacity = json_number_value(json_object_get(s.parameters, "opacity"));
    for (int i = 0; i < 48 * 48; i++)
        g_assert_cmpint(s.image->pixels[3 * i], ==,
                        s.mask->pixels[i] ? (int)lrint(255 * opacity) : 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name) g_test_add_func("/memseg/" #name, name)
    TEST(cells_move_as_told);
    TEST(cells_need_not_divide_the_size);
    TEST(masks_lie_on_the_object);
    TEST(an_object_that_noise_never_meets_is_taken_whole);
    TEST(opacity_is_uniform_from_015_to_1);
    TEST(textures_show_with_the_opacity);
    return g_test_run();
}
