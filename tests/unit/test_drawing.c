/* Drawn parts and materials: every category with every defect. */
#include "base/error.h"
#include "synthesis/drawing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef void (*Check)(const CgDrawing *drawing, guint defect, const CgDrawn *drawn, int size);

/* COUNT pictures of every defect of every category. */
static void for_each_defect(int size, guint count, Check check)
{
    const CgDrawing *drawing;
    for (guint i = 0; (drawing = cg_drawing_get(i)); i++) {
#pragma omp parallel for schedule(dynamic) num_threads(2)
        for (guint k = 0; k < 5 * count; k++) {
            const guint d = k / count, n = k % count;
            g_auto(CgDrawn) drawn = {0};
            if (!cg_drawing_defect(drawing, d))
                continue;
            cg_drawing_make(drawing, (int)d, 5, 1, n, size, &drawn);
            check(drawing, d, &drawn, size);
        }
    }
}

static gboolean differ(const CgDrawn *drawn, size_t pixel)
{
    return memcmp(drawn->normal->pixels + 3 * pixel, drawn->image->pixels + 3 * pixel, 3) != 0;
}

static void check_twin(const CgDrawing *drawing, guint defect, const CgDrawn *drawn, int size)
{
    size_t inside = 0, changed = 0;
    int most = 0;
    g_assert_cmpint(drawn->image->width, ==, size);
    g_assert_cmpint(drawn->image->height, ==, size);
    g_assert_cmpint(drawn->mask->width, ==, size);
    g_assert_cmpint(drawn->mask->channels, ==, 1);
    for (size_t i = 0; i < (size_t)size * size; i++) {
        const guint8 value = drawn->mask->pixels[i];
        g_assert_true(value == 0 || value == 255);
        if (value) {
            inside++;
            changed += differ(drawn, i);
        } else if (differ(drawn, i)) {
            g_error("%s, %s: pixel %zu differs outside the mask", cg_drawing_category(drawing),
                    cg_drawing_defect(drawing, defect), i);
        }
    }
    for (size_t i = 0; i < (size_t)size * size * 3; i++)
        most = MAX(most, ABS(drawn->normal->pixels[i] - drawn->image->pixels[i]));
    const double area = (double)inside / ((double)size * size);
    if (inside < 6 || area > CG_DRAWING_MAX_AREA || (double)changed < 0.75 * (double)inside ||
        most < 16)
        g_error("%s, %s: %zu pixels of the mask (%.2f %%), %zu of them changed, by %d at most",
                cg_drawing_category(drawing), cg_drawing_defect(drawing, defect), inside,
                100 * area, changed, most);
}

static void defects_can_be_seen_and_stay_inside_their_masks(void)
{
    for_each_defect(32, 1, check_twin);
    for_each_defect(64, 1, check_twin);
    for_each_defect(100, 1, check_twin);
}

static void same_numbers_give_the_same_picture(void)
{
    const CgDrawing *drawing;
    for (guint i = 0; (drawing = cg_drawing_get(i)); i++) {
        g_auto(CgDrawn) one = {0}, again = {0}, next = {0}, other_series = {0}, other_seed = {0};
        const size_t bytes = (size_t)3 * 48 * 48;
        cg_drawing_make(drawing, CG_DRAWING_SOUND, 1, 0, 7, 48, &one);
        cg_drawing_make(drawing, CG_DRAWING_SOUND, 1, 0, 7, 48, &again);
        cg_drawing_make(drawing, CG_DRAWING_SOUND, 1, 0, 8, 48, &next);
        cg_drawing_make(drawing, CG_DRAWING_SOUND, 1, 1, 7, 48, &other_series);
        cg_drawing_make(drawing, CG_DRAWING_SOUND, 2, 0, 7, 48, &other_seed);
        g_assert_null(one.image);
        g_assert_null(one.mask);
        g_assert_cmpmem(one.normal->pixels, bytes, again.normal->pixels, bytes);
        g_assert_cmpint(memcmp(one.normal->pixels, next.normal->pixels, bytes), !=, 0);
        g_assert_cmpint(memcmp(one.normal->pixels, other_series.normal->pixels, bytes), !=, 0);
        g_assert_cmpint(memcmp(one.normal->pixels, other_seed.normal->pixels, bytes), !=, 0);
    }
}

/* The same scene at any size: a large picture, made smaller, is about the small one. */
static void size_changes_the_resolution_alone(void)
{
    const CgDrawing *drawing;
    for (guint i = 0; (drawing = cg_drawing_get(i)); i++) {
        g_auto(CgDrawn) large = {0}, small = {0};
        cg_drawing_make(drawing, CG_DRAWING_SOUND, 3, 0, 0, 128, &large);
        cg_drawing_make(drawing, CG_DRAWING_SOUND, 3, 0, 0, 64, &small);
        g_autoptr(CgImage) shrunk = cg_image_resize(large.normal, 64, 64);
        double sum = 0;
        for (size_t k = 0; k < (size_t)3 * 64 * 64; k++)
            sum += abs(shrunk->pixels[k] - small.normal->pixels[k]);
        const double mean = sum / (3.0 * 64 * 64);
        if (mean > 14)
            g_error("%s: %.1f grey levels apart", cg_drawing_category(drawing), mean);
    }
}

static void pictures_are_neither_black_nor_burnt_out(void)
{
    const CgDrawing *drawing;
    for (guint i = 0; (drawing = cg_drawing_get(i)); i++) {
        for (guint n = 0; n < 3; n++) {
            g_auto(CgDrawn) drawn = {0};
            size_t white = 0;
            double sum = 0;
            cg_drawing_make(drawing, CG_DRAWING_SOUND, 9, 0, n, 48, &drawn);
            for (size_t k = 0; k < (size_t)3 * 48 * 48; k++) {
                sum += drawn.normal->pixels[k];
                white += drawn.normal->pixels[k] >= 254;
            }
            g_assert_cmpfloat(sum / (3 * 48 * 48), >, 25);
            g_assert_cmpfloat(sum / (3 * 48 * 48), <, 225);
            g_assert_cmpuint(white, <, 3 * 48 * 48 / 20);
        }
    }
}

static void there_are_objects_and_textures_with_distinct_defects(void)
{
    guint objects = 0, textures = 0;
    const CgDrawing *drawing;
    const char *name, *other;
    for (guint i = 0; (drawing = cg_drawing_get(i)); i++) {
        guint count = 0;
        textures += cg_drawing_is_texture(drawing);
        objects += !cg_drawing_is_texture(drawing);
        for (guint d = 0; (name = cg_drawing_defect(drawing, d)); d++, count++)
            for (guint e = 0; (other = cg_drawing_defect(drawing, e)); e++)
                g_assert_true(d == e || !g_str_equal(name, other));
        g_assert_cmpuint(count, >=, 3);
        g_assert_cmpuint(count, <=, 5);
        g_assert_true(cg_drawing_find(cg_drawing_category(drawing), NULL) == drawing);
    }
    g_assert_cmpuint(objects, >=, 4);
    g_assert_cmpuint(textures, >=, 4);
}

static void unknown_category_lists_what_there_is(void)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(cg_drawing_find("teapot", &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_USAGE);
    g_assert_nonnull(strstr(error->message, "\"teapot\"; there are hex_nut, "));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/drawing/defects_can_be_seen_and_stay_inside_their_masks",
                    defects_can_be_seen_and_stay_inside_their_masks);
    g_test_add_func("/drawing/same_numbers_give_the_same_picture",
                    same_numbers_give_the_same_picture);
    g_test_add_func("/drawing/size_changes_the_resolution_alone",
                    size_changes_the_resolution_alone);
    g_test_add_func("/drawing/pictures_are_neither_black_nor_burnt_out",
                    pictures_are_neither_black_nor_burnt_out);
    g_test_add_func("/drawing/there_are_objects_and_textures_with_distinct_defects",
                    there_are_objects_and_textures_with_distinct_defects);
    g_test_add_func("/drawing/unknown_category_lists_what_there_is",
                    unknown_category_lists_what_there_is);
    return g_test_run();
}
