/* Contact sheets and difference pictures. */
#include "base/error.h"
#include "image/sheet.h"

#include <string.h>

#define SIDE 60
#define GAP  8 /* around the cells, as the first tests see it */

static CgImage *flat(int width, int height, int channels, guint8 value)
{
    CgImage *image = cg_image_new(width, height, channels);
    memset(image->pixels, value, (gsize)(width * height * channels));
    return image;
}

static const guint8 *at(const CgImage *image, int x, int y)
{
    return image->pixels + 3 * (y * image->width + x);
}

/* Pixels darker than the ground in the rectangle. */
static int ink(const CgImage *image, int x, int y, int width, int height)
{
    int count = 0;
    for (int v = y; v < MIN(y + height, image->height); v++)
        for (int u = x; u < MIN(x + width, image->width); u++)
            count += at(image, u, v)[0] < 150;
    return count;
}

static CgImage *sheet_of(const char *caption, const char *other)
{
    g_autoptr(CgImage) white = flat(SIDE, SIDE, 1, 255);
    CgSheetCell cells[] = {{white, caption}, {white, other}};
    CgImage *sheet = cg_contact_sheet(cells, 2, 2, SIDE, NULL);
    g_assert_nonnull(sheet);
    return sheet;
}

static gboolean text_is_missing(void)
{
    g_autoptr(CgImage) with = sheet_of("mask", NULL);
    g_autoptr(CgImage) without = sheet_of(NULL, NULL);
    if (with->height > without->height)
        return FALSE;
    g_test_skip("no text renderer or no fonts here");
    return TRUE;
}

static void images_are_placed_in_rows(void)
{
    g_autoptr(CgImage) a = flat(SIDE, SIDE, 3, 10);
    g_autoptr(CgImage) b = flat(SIDE, SIDE, 1, 20);
    g_autoptr(CgImage) c = flat(SIDE, SIDE, 3, 30);
    CgSheetCell cells[] = {{a, NULL}, {b, NULL}, {NULL, NULL}, {c, NULL}};
    g_autoptr(CgImage) sheet = cg_contact_sheet(cells, 4, 2, SIDE, NULL);
    g_assert_cmpint(sheet->channels, ==, 3);
    g_assert_cmpint(sheet->width, ==, 2 * SIDE + 3 * GAP);
    g_assert_cmpint(sheet->height, ==, sheet->width);
    int near = GAP + SIDE / 2, far = near + SIDE + GAP;
    g_assert_cmpint(at(sheet, near, near)[1], ==, 10);
    g_assert_cmpint(at(sheet, far, near)[1], ==, 20);
    g_assert_cmpint(at(sheet, near, far)[1], ==, at(sheet, 0, 0)[1]); /* empty */
    g_assert_cmpint(at(sheet, far, far)[1], ==, 30);
}

static void proportions_are_kept(void)
{
    g_autoptr(CgImage) wide = flat(600, 100, 1, 0);
    g_autoptr(CgImage) tiny = flat(1, 3, 1, 0);
    CgSheetCell cells[] = {{wide, NULL}, {tiny, NULL}};
    g_autoptr(CgImage) sheet = cg_contact_sheet(cells, 2, 1, SIDE, NULL);
    g_assert_cmpint(ink(sheet, 0, 0, sheet->width, SIDE + 2 * GAP), ==, SIDE * SIDE / 6);
    g_assert_cmpint(ink(sheet, 0, SIDE + 2 * GAP, sheet->width, SIDE), ==, SIDE / 3 * SIDE);
}

static void captions_stand_under_their_image(void)
{
    if (text_is_missing())
        return;
    g_autoptr(CgImage) sheet = sheet_of("mask", NULL);
    int below = GAP + SIDE;
    g_assert_cmpint(ink(sheet, 0, below, GAP + SIDE, 100), >, 10);
    g_assert_cmpint(ink(sheet, GAP + SIDE, below, 100, 100), ==, 0);
    g_assert_cmpint(ink(sheet, 0, 0, sheet->width, below), ==, 0);
}

static void captions_share_a_baseline(void)
{
    if (text_is_missing())
        return;
    g_autoptr(CgImage) sheet = sheet_of("xxx", "xhx");
    int last[2] = {0, 0};
    for (int i = 0; i < 2; i++)
        for (int y = GAP + SIDE; y < sheet->height; y++)
            if (ink(sheet, GAP + i * (SIDE + GAP), y, SIDE, 1))
                last[i] = y;
    g_assert_cmpint(last[0], >, GAP + SIDE);
    g_assert_cmpint(last[0], ==, last[1]);
}

static void long_captions_stay_in_their_cell(void)
{
    if (text_is_missing())
        return;
    g_autofree char *text = g_strnfill(500, 'W');
    g_autoptr(CgImage) sheet = sheet_of(text, NULL);
    g_assert_cmpint(ink(sheet, GAP, GAP + SIDE, SIDE, 100), >, 10);
    g_assert_cmpint(ink(sheet, GAP + SIDE, GAP + SIDE, 100, 100), ==, 0);
}

static void strange_captions_do_no_harm(void)
{
    static const char *const captions[] = {"", "\n\n", "<b>&amp;", "\xff\xfe broken", "a\tb", " "};
    for (gsize i = 0; i < G_N_ELEMENTS(captions); i++) {
        g_autoptr(CgImage) sheet = sheet_of(captions[i], "x");
        g_assert_cmpint(sheet->width, ==, 2 * SIDE + 3 * GAP);
    }
}

static void sheets_too_large_are_refused(void)
{
    g_autoptr(GError) error = NULL;
    CgSheetCell cells[3] = {{NULL, NULL}};
    g_assert_null(cg_contact_sheet(cells, 3, 3, CG_IMAGE_MAX_SIDE / 2, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED);
}

static void difference_is_absolute_amplified_and_cut(void)
{
    g_autoptr(CgImage) a = cg_image_new(2, 1, 3);
    g_autoptr(CgImage) b = cg_image_new(2, 1, 3);
    static const guint8 of_a[] = {10, 20, 30, 0, 255, 7}, of_b[] = {13, 10, 30, 100, 0, 7};
    static const guint8 want[] = {12, 40, 0, 255, 255, 0};
    memcpy(a->pixels, of_a, 6);
    memcpy(b->pixels, of_b, 6);
    g_autoptr(CgImage) d = cg_image_difference(a, b, 4);
    g_assert_cmpmem(d->pixels, 6, want, 6);
    g_autoptr(CgImage) grey = flat(2, 1, 1, 20);
    g_autoptr(CgImage) mixed = cg_image_difference(a, grey, 1);
    static const guint8 want_mixed[] = {10, 0, 10, 20, 235, 13};
    g_assert_cmpmem(mixed->pixels, 6, want_mixed, 6);
    g_autoptr(CgImage) none = cg_image_difference(grey, grey, 1);
    g_assert_cmpint(none->channels, ==, 1);
}

static void outlines_leave_the_defect_visible(void)
{
    g_autoptr(CgImage) image = flat(9, 9, 1, 100);
    g_autoptr(CgImage) mask = cg_image_new(9, 9, 1);
    mask->pixels[4 * 9 + 4] = 255;
    g_autoptr(CgImage) shown = cg_image_outline(image, mask, 2);
    g_assert_cmpint(shown->channels, ==, 3);
    g_assert_cmpint(at(shown, 4, 4)[0], ==, 100);
    g_assert_cmpint(at(shown, 4, 4)[1], ==, 100);
    for (int d = 1; d <= 2; d++) {
        g_assert_cmpint(at(shown, 4 + d, 4)[0], >, 200);
        g_assert_cmpint(at(shown, 4, 4 - d)[1], <, 60);
    }
    g_assert_cmpint(at(shown, 4 + 3, 4)[0], ==, 100);
    g_assert_cmpint(at(shown, 4 + 2, 4 + 2)[0], ==, 100);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_true(cg_image_init(NULL));
#define TEST(name) g_test_add_func("/sheet/" #name, name)
    TEST(images_are_placed_in_rows);
    TEST(proportions_are_kept);
    TEST(captions_stand_under_their_image);
    TEST(captions_share_a_baseline);
    TEST(long_captions_stay_in_their_cell);
    TEST(strange_captions_do_no_harm);
    TEST(sheets_too_large_are_refused);
    TEST(difference_is_absolute_amplified_and_cut);
    TEST(outlines_leave_the_defect_visible);
    int status = g_test_run();
    cg_image_shutdown();
    return status;
}
