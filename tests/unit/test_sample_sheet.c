/* The sheet that shows how far a training is. */
#include "base/error.h"
#include "image/image.h"
#include "pipeline/sample_sheet.h"
#include "support/folder.h"

#include <string.h>

#define SIDE 64
#define GAP  8 /* of contact sheets */

static CgImage *flat(int side, int channels, guint8 value)
{
    CgImage *image = cg_image_new(side, side, channels);
    memset(image->pixels, value, (gsize)(side * side * channels));
    return image;
}

static CgImage *saved(const CgSheetRow *samples, int count)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *path = cg_sample_sheet_path(dir->path, 1200, &error);
    g_assert_no_error(error);
    g_assert_true(g_str_has_suffix(path, "/samples/step-00001200.png"));
    cg_sample_sheet_save(samples, count, SIDE, path, &error);
    g_assert_no_error(error);
    CgImage *sheet = cg_image_load(path, NULL, &error);
    g_assert_no_error(error);
    return sheet;
}

/* A channel of the pixel in the middle of the cell in COLUMN of the first row. */
static int middle(const CgImage *sheet, int column, int channel)
{
    const int x = GAP + column * (SIDE + GAP) + SIDE / 2, y = GAP + SIDE / 2;
    return sheet->pixels[3 * (y * sheet->width + x) + channel];
}

static void row_shows_each_stage(void)
{
    g_autoptr(CgImage) normal = flat(SIDE, 3, 100);
    g_autoptr(CgImage) mask = flat(SIDE, 1, 0);
    g_autoptr(CgImage) generated = flat(SIDE, 3, 50);
    g_autoptr(CgImage) fused = flat(SIDE, 3, 130);
    mask->pixels[SIDE / 2 * SIDE + SIDE / 2] = 255;
    const CgSheetRow sample = {normal, mask, generated, fused, "scratch on bottle\n0.87"};
    g_autoptr(CgImage) sheet = saved(&sample, 1);
    g_assert_cmpint(sheet->width, ==, 5 * (SIDE + GAP) + GAP);
    static const int want[] = {100, 255, 50, 130, 120};
    for (int i = 0; i < 5; i++)
        g_assert_cmpint(middle(sheet, i, 1), ==, want[i]);
    /* The mask's outline lies on the normal image. */
    const int x = GAP + SIDE / 2 + 1, y = GAP + SIDE / 2;
    g_assert_cmpint(sheet->pixels[3 * (y * sheet->width + x)], >, 200);
}

static void what_is_missing_leaves_its_place_empty(void)
{
    g_autoptr(CgImage) normal = flat(SIDE, 1, 10);
    g_autoptr(CgImage) small = flat(SIDE / 2, 3, 20);
    const CgSheetRow samples[] = {{normal, NULL, NULL, small, NULL},
                                  {NULL, NULL, NULL, NULL, "none"}};
    g_autoptr(CgImage) sheet = saved(samples, 2);
    const int ground = sheet->pixels[0];
    static const gboolean is_empty[] = {FALSE, TRUE, TRUE, FALSE, TRUE};
    for (int i = 0; i < 5; i++)
        g_assert_cmpint(middle(sheet, i, 0) == ground, ==, is_empty[i]);
}

static void sheets_of_all_steps_have_one_size(void)
{
    g_autoptr(CgImage) normal = flat(SIDE, 3, 10);
    const CgSheetRow early = {normal, NULL, NULL, NULL, "0.02"};
    const CgSheetRow late = {normal, NULL, normal, normal, "0.91"};
    g_autoptr(CgImage) a = saved(&early, 1);
    g_autoptr(CgImage) b = saved(&late, 1);
    g_assert_true(a->width == b->width && a->height == b->height);
}

static void folder_that_cannot_be_is_an_error(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *file = cg_test_folder_file(dir, "out", "x", 1);
    g_assert_null(cg_sample_sheet_path(file, 1, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_IO);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_true(cg_image_init(NULL));
#define TEST(name) g_test_add_func("/sample_sheet/" #name, name)
    TEST(row_shows_each_stage);
    TEST(what_is_missing_leaves_its_place_empty);
    TEST(sheets_of_all_steps_have_one_size);
    TEST(folder_that_cannot_be_is_an_error);
    int status = g_test_run();
    cg_image_shutdown();
    return status;
}
