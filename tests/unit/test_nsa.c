/* Pieces of other normal pictures: how they are drawn, blended and marked. */
#include "image/paste.h"
#include "support/pictures.h"
#include "synthesis/nsa.h"

#include <math.h>
#include <string.h>

#define SIDE  128
#define DRAWS 1000

static CgImage *disc(double x, double y, double radius)
{
    CgImage *mask = cg_image_new(SIDE, SIDE, 1);
    for (int i = 0; i < SIDE * SIDE; i++)
        mask->pixels[i] = hypot(i % SIDE - x, i / SIDE - y) < radius ? 255 : 0;
    return mask;
}

static double member(const json_t *piece, const char *key, size_t index)
{
    return json_number_value(json_array_get(json_object_get(piece, key), index));
}

static CgRect rect(const json_t *piece, const char *key)
{
    return (CgRect){(int)member(piece, key, 0), (int)member(piece, key, 1),
                    (int)member(piece, key, 2), (int)member(piece, key, 3)};
}

/* Share of the pixels of R that are set in A. */
static double share(const CgImage *a, CgRect r)
{
    int set = 0;
    for (int y = r.y; y < r.y + r.height; y++)
        for (int x = r.x; x < r.x + r.width; x++)
            set += a->pixels[y * SIDE + x] != 0;
    return (double)set / (r.width * r.height);
}

static gboolean holds(CgRect r, int x, int y)
{
    return x >= r.x && x < r.x + r.width && y >= r.y && y < r.y + r.height;
}

static void only_the_mask_differs_and_it_lies_in_pieces(void)
{
    for (int i = 0; i < 60; i++) {
        g_autoptr(CgImage) normal = test_random_image(SIDE, SIDE, i % 2 ? 3 : 1, 1);
        g_autoptr(CgImage) source = test_random_image(SIDE, SIDE, i % 3 ? 3 : 1, 2);
        g_auto(CgSynthesis) s = {0};
        CgRng rng = cg_rng(3, (uint64_t)i);
        cg_nsa(normal, NULL, source, NULL, i % 5 == 0, &rng, &s);
        test_assert_only_mask_differs(normal, &s);
        const json_t *pieces = json_object_get(s.parameters, "pieces");
        for (int k = 0; k < SIDE * SIDE; k++) {
            gboolean inside = !s.mask->pixels[k];
            for (size_t n = 0; n < json_array_size(pieces); n++)
                inside |= holds(rect(json_array_get(pieces, n), "at"), k % SIDE, k / SIDE);
            g_assert_true(inside);
        }
    }
}

static void pieces_show_the_object_and_lie_on_it(void)
{
    g_autoptr(CgImage) normal = test_random_image(SIDE, SIDE, 3, 1);
    g_autoptr(CgImage) source = test_random_image(SIDE, SIDE, 3, 2);
    g_autoptr(CgImage) object = disc(50, 60, 28);
    g_autoptr(CgImage) source_object = disc(80, 70, 25);
    for (int i = 0; i < 200; i++) {
        g_auto(CgSynthesis) s = {0};
        CgRng rng = cg_rng(4, (uint64_t)i);
        cg_nsa(normal, object, source, source_object, FALSE, &rng, &s);
        test_assert_only_mask_differs(normal, &s);
        const json_t *pieces = json_object_get(s.parameters, "pieces");
        for (size_t n = 0; n < json_array_size(pieces); n++) {
            const json_t *piece = json_array_get(pieces, n);
            g_assert_cmpfloat(share(source_object, rect(piece, "source")), >, 0.5);
            /* A quarter of what is more than half. */
            g_assert_cmpfloat(share(object, rect(piece, "at")), >, 0.1);
        }
    }
}

/* Without a limit by the object, 0.03 + Gamma(2, 0.05) of the side, 0.4 at most: mean 0.1297,
 * median 0.1139. Pieces that the picture's edge cut are left out, the others weighted by how rarely
 * they are cut. */
static void sizes_are_gamma(void)
{
    double weights = 0, mean = 0, below = 0;
    g_autoptr(CgImage) normal = test_random_image(256, 256, 1, 1);
    for (int i = 0; i < DRAWS; i++) {
        g_auto(CgSynthesis) s = {0};
        CgRng rng = cg_rng(5, (uint64_t)i);
        cg_nsa(normal, NULL, normal, NULL, FALSE, &rng, &s);
        const CgRect r = rect(json_array_get(json_object_get(s.parameters, "pieces"), 0), "source");
        if (r.x == 0 || r.x + r.width == 256)
            continue;
        const double half = (r.width + 1) / 512.0, weight = 0.94 / (1 - 2 * half);
        weights += weight;
        mean += weight * half;
        below += weight * (half < 0.1139);
    }
    g_assert_cmpfloat(weights, >, 0.8 * DRAWS);
    g_assert_cmpfloat(fabs(mean / weights - 0.1297), <, 0.008);
    g_assert_cmpfloat(fabs(below / weights - 0.5), <, 0.05);
}

/* N(1, 0.5) cut to 0.7..1.3: 27.4 % lie at either end. Sides are rounded down twice, which makes
 * that some more. */
static void scales_are_normal_and_cut(void)
{
    int all = 0, low = 0, high = 0, pieces = 0;
    g_autoptr(CgImage) normal = test_random_image(256, 256, 1, 1);
    g_autoptr(CgImage) object = cg_image_new(256, 256, 1);
    memset(object->pixels, 255, 256 * 256);
    for (int i = 0; i < DRAWS; i++) {
        g_auto(CgSynthesis) s = {0};
        CgRng rng = cg_rng(6, (uint64_t)i);
        cg_nsa(normal, object, normal, object, FALSE, &rng, &s);
        const json_t *list = json_object_get(s.parameters, "pieces");
        pieces += (int)json_array_size(list);
        const json_t *piece = json_array_get(list, 0);
        const CgRect from = rect(piece, "source"), to = rect(piece, "at");
        const double scale = (double)to.height / from.height;
        if (MIN(from.width, from.height) < 30 || MAX(from.width, from.height) > 78)
            continue; /* rounding, limits */
        g_assert_cmpfloat(scale, <=, 1.3);
        g_assert_cmpfloat(scale, >=, 0.63); /* whole pixels */
        all++;
        low += scale <= 0.7;
        high += scale > 1.3 - 2.0 / MIN(from.width, from.height);
    }
    g_assert_cmpint(all, >, DRAWS / 4);
    g_assert_cmpfloat(fabs((double)low / all - 0.3), <, 0.05);
    g_assert_cmpfloat(fabs((double)high / all - 0.3), <, 0.05);
    g_assert_cmpfloat(fabs((double)pieces / DRAWS - 2), <, 0.08); /* one, and two coins */
}

/* A ramp on a ramp: what is added to the piece is a ramp again, whatever the piece's brightness and
 * slope, so that nothing is left but rounding. */
static void blending_takes_brightness_away(void)
{
    g_autoptr(CgImage) normal = cg_image_new(SIDE, SIDE, 1);
    g_autoptr(CgImage) source = cg_image_new(SIDE, SIDE, 1);
    for (int i = 0; i < SIDE * SIDE; i++) {
        normal->pixels[i] = (guint8)(40 + i % SIDE / 2);
        source->pixels[i] = (guint8)(140 + i % SIDE / 2);
    }
    for (int i = 0; i < 40; i++) {
        g_auto(CgSynthesis) s = {0};
        CgRng rng = cg_rng(7, (uint64_t)i);
        cg_nsa(normal, NULL, source, NULL, FALSE, &rng, &s);
        for (int k = 0; k < SIDE * SIDE; k++)
            g_assert_cmpint(abs(s.image->pixels[k] - normal->pixels[k]), <=, 3);
    }
}

static void mixed_gradients_keep_detail_under_flat_pieces(void)
{
    g_autoptr(CgImage) normal = test_random_image(SIDE, SIDE, 3, 1);
    g_autoptr(CgImage) flat = cg_image_new(SIDE, SIDE, 3);
    g_auto(CgSynthesis) mixed = {0}, plain = {0};
    CgRng rng = cg_rng(8, 0), same = cg_rng(8, 0);
    cg_nsa(normal, NULL, flat, NULL, TRUE, &rng, &mixed);
    cg_nsa(normal, NULL, flat, NULL, FALSE, &same, &plain);
    g_assert_cmpmem(mixed.image->pixels, SIDE * SIDE * 3, normal->pixels, SIDE * SIDE * 3);
    g_assert_cmpint(memcmp(plain.image->pixels, normal->pixels, SIDE * SIDE * 3), !=, 0);
}

static void a_picture_of_one_colour_has_a_mask_too(void)
{
    g_autoptr(CgImage) flat = cg_image_new(16, 40, 3);
    g_auto(CgSynthesis) s = {0};
    CgRng rng = cg_rng(9, 0);
    cg_nsa(flat, NULL, flat, NULL, FALSE, &rng, &s);
    test_assert_only_mask_differs(flat, &s);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name) g_test_add_func("/nsa/" #name, name)
    TEST(only_the_mask_differs_and_it_lies_in_pieces);
    TEST(pieces_show_the_object_and_lie_on_it);
    TEST(sizes_are_gamma);
    TEST(scales_are_normal_and_cut);
    TEST(blending_takes_brightness_away);
    TEST(mixed_gradients_keep_detail_under_flat_pieces);
    TEST(a_picture_of_one_colour_has_a_mask_too);
    return g_test_run();
}
