/* Shapes of masks: the grammar, what is drawn, and the rules that decide what is drawn anew. */
#include "base/error.h"
#include "synthesis/region.h"
#include "synthesis/shapes.h"

#include <math.h>
#include <string.h>

#define SIDE 256

static CgMaskShapes *shapes_of(const char *text)
{
    GError *error = NULL;
    CgMaskShapes *shapes = cg_mask_shapes_parse(text, &error);
    g_assert_no_error(error);
    return shapes;
}

static CgImage *draw(const CgMaskRules *rules, guint number, int width, int height)
{
    GError *error = NULL;
    CgRng rng = cg_rng(1, CG_STREAM(CG_STREAM_MASK, number));
    CgImage *mask = cg_mask_draw(rules, &rng, width, height, &error);
    g_assert_no_error(error);
    g_assert_true(mask->width == width && mask->height == height && mask->channels == 1);
    for (int i = 0; i < width * height; i++)
        g_assert_true(mask->pixels[i] == 0 || mask->pixels[i] == 255);
    return mask;
}

static double area_of(const CgImage *mask)
{
    gsize count = (gsize)mask->width * (gsize)mask->height;
    return (double)cg_region_area(mask->pixels, count) / (double)count;
}

static guint parts_of(const CgImage *mask)
{
    g_autofree gint32 *labels = g_new(gint32, mask->width * mask->height);
    g_autoptr(GArray) parts =
        cg_region_label(mask->pixels, mask->width, mask->height, TRUE, labels);
    return parts->len;
}

static CgImage *half(gboolean left)
{
    CgImage *image = cg_image_new(SIDE, SIDE, 1);
    for (int i = 0; i < SIDE * SIDE; i++)
        image->pixels[i] = (i % SIDE < SIDE / 2) == left ? 255 : 0;
    return image;
}

static void refuses(const char *text, const char *part)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(cg_mask_shapes_parse(text, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_USAGE);
    if (!strstr(error->message, part))
        g_error("\"%s\": \"%s\" lacks \"%s\"", text, error->message, part);
}

static void mistakes_in_the_grammar_are_told(void)
{
    refuses("", "no shape");
    refuses("square", "no shape \"square\"");
    refuses("blob|", "no shape \"\"");
    refuses("blob:points=3", "no parameter \"points\"; it has count, area, aspect, angle, rough");
    refuses("blob:area", "LOW..HIGH");
    refuses("blob:area=", "LOW..HIGH");
    refuses("blob:area=0.1..", "LOW..HIGH");
    refuses("blob:area=0.2..0.1", "LOW..HIGH");
    refuses("blob:area=2", "from 1e-06 to 1");
    refuses("blob:area=nan", "LOW..HIGH");
    refuses("blob:count=1.5", "whole number");
    refuses("blob:count=0", "from 1 to 100");
    refuses("scratch:points=65", "from 2 to 64");
    refuses("perlin:low=3,high=2", "low is above high");
    refuses("perlin:high=11", "from 0 to 10");
    refuses("perlin:count=2", "no parameter");
}

static void parameters_may_be_values_or_ranges(void)
{
    g_autoptr(CgMaskShapes) shapes = shapes_of(
        "perlin:low=0,high=3,rotation=10,threshold=0.2..0.4|rectangle:angle=-10..10,area=0.1");
    g_assert_false(cg_mask_shapes_need_library(shapes));
    g_autoptr(CgMaskShapes) library = shapes_of("blob|library:scale=1,warp=0");
    g_assert_true(cg_mask_shapes_need_library(library));
}

static void areas_are_those_asked_for(void)
{
    static const char *const texts[] = {
        "rectangle:area=0.05,angle=30,aspect=1", "ellipse:area=0.05,angle=30,aspect=2",
        "blob:area=0.05,aspect=1,rough=0", "blob:area=0.05,aspect=1,rough=0.4"};
    for (gsize k = 0; k < G_N_ELEMENTS(texts); k++) {
        g_autoptr(CgMaskShapes) shapes = shapes_of(texts[k]);
        /* Away from the border nothing is cut off: take those that touch no border. */
        CgMaskRules rules = {.shapes = shapes};
        int whole = 0;
        double sum = 0;
        for (guint n = 0; n < 60; n++) {
            g_autoptr(CgImage) mask = draw(&rules, n, SIDE, SIDE);
            g_autofree gint32 *labels = g_new(gint32, SIDE * SIDE);
            g_autoptr(GArray) parts = cg_region_label(mask->pixels, SIDE, SIDE, TRUE, labels);
            if (g_array_index(parts, CgRegion, 0).at_frame)
                continue;
            whole++;
            sum += area_of(mask);
            g_assert_cmpfloat_with_epsilon(area_of(mask), 0.05, k < 3 ? 0.001 : 0.02);
        }
        g_assert_cmpint(whole, >, 20);
        g_assert_cmpfloat_with_epsilon(sum / whole, 0.05, 0.002);
    }
}

static void strokes_are_in_one_piece_however_thin(void)
{
    static const char *const texts[] = {"line:width=0", "scratch:width=0.001,bend=60,points=9",
                                        "scar:width=0.004"};
    for (gsize k = 0; k < G_N_ELEMENTS(texts); k++) {
        g_autoptr(CgMaskShapes) shapes = shapes_of(texts[k]);
        CgMaskRules rules = {.shapes = shapes, .min_area = 1e-9};
        for (guint n = 0; n < 40; n++) {
            g_autoptr(CgImage) mask = draw(&rules, n, SIDE, SIDE);
            /* What leaves the picture may come back in. */
            if (k == 0)
                g_assert_cmpint(parts_of(mask), ==, 1);
            g_assert_cmpint(parts_of(mask), <=, 3);
        }
    }
}

static void rules_mean_the_same_at_every_size(void)
{
    g_autoptr(CgMaskShapes) shapes = shapes_of("blob|scratch:width=0.02|ellipse|rectangle|perlin");
    CgMaskRules rules = {.shapes = shapes};
    for (guint n = 0; n < 20; n++) {
        g_autoptr(CgImage) small = draw(&rules, n, 128, 128);
        g_autoptr(CgImage) large = draw(&rules, n, 384, 384);
        g_autoptr(CgImage) grown = cg_image_resize_nearest(small, 384, 384);
        gsize different = 0;
        for (int i = 0; i < 384 * 384; i++)
            different += grown->pixels[i] != large->pixels[i];
        /* They differ along the outlines, by less than a pixel of the small picture. */
        g_assert_cmpfloat(fabs(area_of(small) - area_of(large)), <, 0.01);
        g_assert_cmpuint(different, <, 384 * 384 / 50);
    }
}

static void masks_stay_in_the_permitted_region(void)
{
    g_autoptr(CgImage) left = half(TRUE), right = half(FALSE), top = cg_image_new(SIDE, SIDE, 1);
    memset(top->pixels, 255, SIDE * SIDE / 2);
    g_autoptr(CgMaskShapes) shapes = shapes_of("perlin|blob:count=3|line");
    CgMaskRules rules = {.shapes = shapes, .foreground = left, .allowed = top, .forbidden = right};
    for (guint n = 0; n < 30; n++) {
        g_autoptr(CgImage) mask = draw(&rules, n, SIDE, SIDE);
        for (int i = 0; i < SIDE * SIDE; i++)
            g_assert_true(!mask->pixels[i] || (i % SIDE < SIDE / 2 && i < SIDE * SIDE / 2));
    }
}

static void impossible_rules_end_with_an_error(void)
{
    g_autoptr(CgImage) left = half(TRUE);
    g_autoptr(CgMaskShapes) shapes = shapes_of("perlin");
    CgMaskRules nowhere = {.shapes = shapes, .foreground = left, .forbidden = left};
    CgMaskRules huge = {.shapes = shapes, .min_area = 0.9, .tries = 5};
    CgMaskRules coarse = {.shapes = shapes, .latent_side = 4, .min_cells = 17, .tries = 5};
    g_autoptr(CgMaskShapes) library = shapes_of("library");
    CgMaskRules empty = {.shapes = library};
    const struct {
        const CgMaskRules *rules;
        const char *part;
    } cases[] = {{&nowhere, "no pixel is left"},
                 {&huge, "5 were smaller than 0.9"},
                 {&coarse, "below 17 latent cells"},
                 {&empty, "needs masks"}};
    for (gsize k = 0; k < G_N_ELEMENTS(cases); k++) {
        g_autoptr(GError) error = NULL;
        CgRng rng = cg_rng(0, 0);
        g_assert_null(cg_mask_draw(cases[k].rules, &rng, SIDE, SIDE, &error));
        g_assert_error(error, CG_ERROR, CG_ERROR_USAGE);
        g_assert_nonnull(strstr(error->message, cases[k].part));
    }
}

static void empty_draws_are_drawn_anew(void)
{
    /* A spot in the corner, which turned noise seldom reaches. */
    g_autoptr(CgImage) spot = cg_image_new(SIDE, SIDE, 1);
    for (int y = 0; y < 24; y++)
        memset(spot->pixels + (100 + y) * SIDE + 60, 255, 24);
    g_autoptr(CgMaskShapes) shapes = shapes_of("perlin");
    CgMaskRules rules = {.shapes = shapes, .foreground = spot};
    for (guint n = 0; n < 20; n++) {
        g_autoptr(CgImage) mask = draw(&rules, n, SIDE, SIDE);
        g_assert_cmpfloat(area_of(mask), >=, 64.0 / (512 * 512));
    }
}

static void limits_of_area_and_latent_cells_hold(void)
{
    g_autoptr(CgMaskShapes) shapes = shapes_of("perlin|blob");
    CgMaskRules rules = {
        .shapes = shapes, .min_area = 0.01, .max_area = 0.02, .latent_side = 32, .min_cells = 12};
    for (guint n = 0; n < 20; n++) {
        g_autoptr(CgImage) mask = draw(&rules, n, SIDE, SIDE);
        g_assert_cmpfloat(area_of(mask), >=, 0.01);
        g_assert_cmpfloat(area_of(mask), <=, 0.02);
        int cells = 0;
        for (int y = 0; y < SIDE; y += 8)
            for (int x = 0; x < SIDE; x += 8) {
                gboolean set = FALSE;
                for (int i = 0; i < 64; i++)
                    set |= mask->pixels[(y + i / 8) * SIDE + x + i % 8] != 0;
                cells += set;
            }
        g_assert_cmpint(cells, >=, 12);
    }
}

static void real_masks_keep_their_area_and_move(void)
{
    g_autoptr(CgMaskLibrary) library = cg_mask_library_new();
    g_autoptr(CgImage) real = cg_image_new(100, 120, 1);
    g_assert_false(cg_mask_library_add(library, real));
    for (int y = 0; y < 12; y++)
        memset(real->pixels + (100 + y) * 100 + 5, 255, y < 6 ? 20 : 10);
    g_assert_true(cg_mask_library_add(library, real));
    g_assert_cmpint(cg_mask_library_size(library), ==, 1);

    g_autoptr(CgMaskShapes) shapes = shapes_of("library");
    CgMaskRules rules = {.shapes = shapes, .library = library};
    double expected = 180.0 / (100 * 100), sum = 0;
    g_autoptr(CgImage) before = NULL;
    int inside = 0;
    for (guint n = 0; n < 200; n++) {
        g_autoptr(CgImage) mask = draw(&rules, n, SIDE, SIDE);
        g_autofree gint32 *labels = g_new(gint32, SIDE * SIDE);
        g_autoptr(GArray) parts = cg_region_label(mask->pixels, SIDE, SIDE, TRUE, labels);
        if (before)
            g_assert_true(memcmp(before->pixels, mask->pixels, SIDE * SIDE) != 0);
        cg_image_free(before);
        before = cg_image_copy(mask);
        if (g_array_index(parts, CgRegion, 0).at_frame)
            continue;
        inside++;
        sum += area_of(mask) / expected;
        g_assert_cmpfloat(area_of(mask) / expected, >, 0.5);
        g_assert_cmpfloat(area_of(mask) / expected, <, 2);
    }
    g_assert_cmpfloat_with_epsilon(sum / inside, 1, 0.06);

    /* Neither scaled nor turned nor bent, it is itself. */
    g_autoptr(CgMaskShapes) plain = shapes_of("library:scale=1,angle=0,aspect=1,warp=0");
    rules.shapes = plain;
    g_autoptr(CgImage) same = draw(&rules, 3, 100, 100);
    g_assert_cmpfloat(area_of(same) * 100 * 100, <=, 200);
    g_assert_cmpfloat(area_of(same) * 100 * 100, >=, 90);
}

static void masks_do_not_depend_on_order(void)
{
    g_autoptr(CgMaskShapes) shapes = shapes_of("perlin|scratch:count=1..3|blob");
    CgMaskRules rules = {.shapes = shapes, .latent_side = 64};
    CgImage *ahead[16];
#pragma omp parallel for schedule(dynamic)
    for (int n = 15; n >= 0; n--)
        ahead[n] = draw(&rules, (guint)n, 200, 150);
    for (int n = 0; n < 16; n++) {
        g_autoptr(CgImage) again = draw(&rules, (guint)n, 200, 150);
        g_assert_cmpmem(again->pixels, 200 * 150, ahead[n]->pixels, 200 * 150);
        cg_image_free(ahead[n]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name) g_test_add_func("/shapes/" #name, name)
    TEST(mistakes_in_the_grammar_are_told);
    TEST(parameters_may_be_values_or_ranges);
    TEST(areas_are_those_asked_for);
    TEST(strokes_are_in_one_piece_however_thin);
    TEST(rules_mean_the_same_at_every_size);
    TEST(masks_stay_in_the_permitted_region);
    TEST(impossible_rules_end_with_an_error);
    TEST(empty_draws_are_drawn_anew);
    TEST(limits_of_area_and_latent_cells_hold);
    TEST(real_masks_keep_their_area_and_move);
    TEST(masks_do_not_depend_on_order);
    return g_test_run();
}
