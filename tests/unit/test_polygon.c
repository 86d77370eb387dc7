/* Outlines of masks, filled polygons, run lengths. */
#include "base/error.h"
#include "base/json.h"
#include "base/rng.h"
#include "image/polygon.h"
#include "image/rle.h"
#include "support/folder.h"

#include <string.h>

/* A mask drawn in ROWS: '#' is set. */
static CgImage *drawn(const char *const *rows, int height)
{
    CgImage *mask = cg_image_new((int)strlen(rows[0]), height, 1);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < mask->width; x++)
            mask->pixels[y * mask->width + x] = rows[y][x] == '#' ? 255 : 0;
    return mask;
}

static CgImage *random_mask(guint64 seed, int width, int height, double share)
{
    CgRng rng = cg_rng(seed, CG_STREAM_MASK);
    CgImage *mask = cg_image_new(width, height, 1);
    for (int i = 0; i < width * height; i++)
        mask->pixels[i] = cg_rng_uniform(&rng, 0, 1) < share ? 255 : 0;
    return mask;
}

static void assert_same(const CgImage *a, const CgImage *b)
{
    g_assert_cmpmem(a->pixels, (gsize)(a->width * a->height), b->pixels,
                    (gsize)(b->width * b->height));
}

static void tracing_and_filling_give_the_same_mask(void)
{
    for (int i = 0; i < 60; i++) {
        g_autoptr(CgImage) mask = random_mask((guint64)i, 5 + i, 41 - i / 2, 0.05 + 0.015 * i);
        g_autoptr(GPtrArray) outlines = cg_mask_trace(mask);
        g_autoptr(CgImage) filled = cg_image_new(mask->width, mask->height, 1);
        for (guint k = 0; k < outlines->len; k++) {
            const CgOutline *o = g_ptr_array_index(outlines, k);
            g_autoptr(CgImage) piece = cg_image_new(mask->width, mask->height, 1);
            gint64 area = 0;
            cg_polygon_fill(piece, o->rings, 255);
            for (int p = 0; p < mask->width * mask->height; p++) {
                const int x = p % mask->width, y = p / mask->width;
                if (!piece->pixels[p])
                    continue;
                area++;
                g_assert_true(x >= o->x && y >= o->y && x < o->x + o->width &&
                              y < o->y + o->height);
                g_assert_cmpint(filled->pixels[p], ==, 0);
                filled->pixels[p] = 255;
            }
            g_assert_cmpint(area, ==, o->area);
        }
        assert_same(filled, mask);
    }
}

static void joined_holes_give_the_same_piece(void)
{
    int holes = 0;
    for (int i = 0; i < 60; i++) {
        g_autoptr(CgImage) mask = random_mask((guint64)i, 64 - i, 20 + i, 0.5 + 0.008 * i);
        g_autoptr(GPtrArray) outlines = cg_mask_trace(mask);
        g_autoptr(CgImage) filled = cg_image_new(mask->width, mask->height, 1);
        for (guint k = 0; k < outlines->len; k++) {
            const CgOutline *o = g_ptr_array_index(outlines, k);
            g_autoptr(GPtrArray) one =
                g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
            holes += (int)o->rings->len - 1;
            g_ptr_array_add(one, cg_outline_join(o));
            cg_polygon_fill(filled, one, 255);
        }
        assert_same(filled, mask);
    }
    g_assert_cmpint(holes, >, 1000);
}

static void pixels_that_touch_by_corners_are_one_piece(void)
{
    const char *const rows[] = {"#....#", ".#..#.", "......", "..##.."};
    g_autoptr(CgImage) mask = drawn(rows, 4);
    g_autoptr(GPtrArray) outlines = cg_mask_trace(mask);
    g_assert_cmpuint(outlines->len, ==, 3);
    const CgOutline *first = g_ptr_array_index(outlines, 0), *last = g_ptr_array_index(outlines, 2);
    g_assert_cmpint(first->area, ==, 2);
    g_assert_cmpuint(first->rings->len, ==, 1);
    g_assert_cmpint(last->x, ==, 2);
    g_assert_cmpint(last->y, ==, 3);
    g_assert_cmpint(last->width, ==, 2);
    g_assert_cmpint(last->height, ==, 1);
    /* Four corners, clockwise from the upper right one. */
    const GArray *ring = g_ptr_array_index(last->rings, 0);
    const CgPoint want[] = {{4, 3}, {4, 4}, {2, 4}, {2, 3}};
    g_assert_cmpmem(ring->data, ring->len * sizeof(CgPoint), want, sizeof want);
}

static void the_outer_border_comes_first_and_holes_after_it(void)
{
    const char *const rows[] = {"#####", "#.#.#", "#####"};
    g_autoptr(CgImage) mask = drawn(rows, 3);
    g_autoptr(GPtrArray) outlines = cg_mask_trace(mask);
    g_assert_cmpuint(outlines->len, ==, 1);
    const CgOutline *o = g_ptr_array_index(outlines, 0);
    g_assert_cmpuint(o->rings->len, ==, 3);
    g_assert_cmpint(o->area, ==, 13);
    for (guint r = 0; r < 3; r++) {
        const GArray *ring = g_ptr_array_index(o->rings, r);
        double twice = 0;
        for (guint i = 0; i < ring->len; i++) {
            const CgPoint a = g_array_index(ring, CgPoint, i);
            const CgPoint b = g_array_index(ring, CgPoint, (i + 1) % ring->len);
            twice += a.x * b.y - a.y * b.x;
        }
        g_assert_cmpfloat(twice, ==, r == 0 ? 30 : -2);
    }
}

static void an_empty_mask_has_no_outlines(void)
{
    g_autoptr(CgImage) mask = cg_image_new(6, 4, 1);
    g_autoptr(GPtrArray) outlines = cg_mask_trace(mask);
    g_assert_cmpuint(outlines->len, ==, 0);
}

static void polygons_reach_over_the_border_and_are_cut(void)
{
    const CgPoint points[] = {{-1e9, 1.5}, {1e9, 1.5}, {1e9, 2.6}, {-1e9, 2.6}};
    const char *const rows[] = {"....", "####", "####", "...."};
    g_autoptr(CgImage) want = drawn(rows, 4), mask = cg_image_new(4, 4, 1);
    g_autoptr(GPtrArray) rings = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    g_ptr_array_add(rings, g_array_append_vals(g_array_new(FALSE, FALSE, sizeof(CgPoint)), points,
                                               G_N_ELEMENTS(points)));
    cg_polygon_fill(mask, rings, 255);
    assert_same(mask, want);
}

static void slanted_edges_take_the_pixels_whose_centres_are_inside(void)
{
    const CgPoint points[] = {{0, 0}, {5, 0}, {0, 5}};
    /* Centres on the slanted edge belong to the other side. */
    const char *const rows[] = {"####..", "###...", "##....", "#.....", "......"};
    g_autoptr(CgImage) want = drawn(rows, 5), mask = cg_image_new(6, 5, 1);
    g_autoptr(GPtrArray) rings = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    g_ptr_array_add(rings, g_array_append_vals(g_array_new(FALSE, FALSE, sizeof(CgPoint)), points,
                                               G_N_ELEMENTS(points)));
    cg_polygon_fill(mask, rings, 255);
    assert_same(mask, want);
}

static CgImage *fixture_mask(const json_t *entry)
{
    const json_t *rows = json_object_get(entry, "rows");
    CgImage *mask = cg_image_new((int)json_integer_value(json_object_get(entry, "width")),
                                 (int)json_integer_value(json_object_get(entry, "height")), 1);
    for (int y = 0; y < mask->height; y++) {
        const char *row = json_string_value(json_array_get(rows, (size_t)y));
        for (int x = 0; x < mask->width; x++)
            mask->pixels[y * mask->width + x] = row[x] == '1' ? 255 : 0;
    }
    return mask;
}

static void run_lengths_are_those_of_pycocotools(void)
{
    g_autofree char *path = cg_test_fixture("image/rle.json");
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) file = cg_json_load(path, &error);
    g_assert_no_error(error);
    const json_t *masks = json_object_get(file, "masks");
    g_assert_cmpuint(json_array_size(masks), >=, 7);
    for (size_t i = 0; i < json_array_size(masks); i++) {
        const json_t *entry = json_array_get(masks, i);
        const json_t *counts = json_object_get(entry, "counts");
        const char *text = json_string_value(json_object_get(entry, "string"));
        g_autoptr(CgImage) mask = fixture_mask(entry);
        g_autoptr(GArray) runs = cg_rle_encode(mask);
        g_autofree char *string = cg_rle_to_string(runs);
        g_assert_cmpuint(runs->len, ==, json_array_size(counts));
        for (guint k = 0; k < runs->len; k++)
            g_assert_cmpuint(g_array_index(runs, guint32, k), ==,
                             json_integer_value(json_array_get(counts, k)));
        g_assert_cmpstr(string, ==, text);
        g_autoptr(GArray) read = cg_rle_from_string(text, &error);
        g_assert_no_error(error);
        g_autoptr(CgImage) decoded = cg_rle_decode(read, mask->width, mask->height, &error);
        g_assert_no_error(error);
        assert_same(decoded, mask);
    }
}

static void wrong_run_lengths_are_refused(void)
{
    /* A cut off number, a character out of range, an endless number, a negative run. */
    const char *const texts[] = {"P", "1\x7f", "PPPPPPPPPP1", "O", "\x1f"};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(cg_rle_from_string(texts[i], &error));
        g_assert_error(error, CG_ERROR, CG_ERROR_FORMAT);
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) runs = cg_rle_from_string("5", &error);
    g_assert_no_error(error);
    g_assert_null(cg_rle_decode(runs, 2, 3, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_SHAPE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(name) g_test_add_func("/polygon/" #name, name)
    TEST(tracing_and_filling_give_the_same_mask);
    TEST(joined_holes_give_the_same_piece);
    TEST(pixels_that_touch_by_corners_are_one_piece);
    TEST(the_outer_border_comes_first_and_holes_after_it);
    TEST(an_empty_mask_has_no_outlines);
    TEST(polygons_reach_over_the_border_and_are_cut);
    TEST(slanted_edges_take_the_pixels_whose_centres_are_inside);
    TEST(run_lengths_are_those_of_pycocotools);
    TEST(wrong_run_lengths_are_refused);
    return g_test_run();
}
