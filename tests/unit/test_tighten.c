#include "synthesis/tighten.h"

static CgImage *filled(int side, int channels, guint8 value)
{
    CgImage *image = cg_image_new(side, side, channels);
    memset(image->pixels, value, (size_t)side * (size_t)side * (size_t)channels);
    return image;
}

static void set(CgImage *image, int x, int y, int channel, guint8 value)
{
    image->pixels[(y * image->width + x) * image->channels + channel] = value;
}

static int count(const CgImage *mask)
{
    int n = 0;
    for (int i = 0; i < mask->width * mask->height; i++)
        n += mask->pixels[i] != 0;
    return n;
}

static void keeps_what_differs(void)
{
    g_autoptr(CgImage) mask = filled(16, 1, 255), normal = filled(16, 3, 100),
                       made = filled(16, 3, 100);
    for (int y = 4; y < 10; y++)
        for (int x = 4; x < 10; x++)
            set(made, x, y, 1, 140);
    g_autoptr(CgImage) tight = cg_mask_tighten(mask, normal, made, 20);
    g_assert_cmpint(tight->pixels[6 * 16 + 6], ==, 255);
    g_assert_cmpint(tight->pixels[6 * 16 + 4], ==, 255); /* 6 of 9 differ around an edge's pixel */
    g_assert_cmpint(tight->pixels[6 * 16 + 3], ==, 0);   /* 3 of 9 */
    g_assert_cmpint(count(tight), ==, 6 * 6 - 4);        /* 4 of 9 around the corners */
}

static void never_leaves_the_mask(void)
{
    g_autoptr(CgImage) mask = filled(16, 1, 0), normal = filled(16, 1, 0),
                       made = filled(16, 1, 255);
    set(mask, 3, 3, 0, 255);
    set(mask, 15, 15, 0, 255);
    g_autoptr(CgImage) tight = cg_mask_tighten(mask, normal, made, 255);
    g_assert_cmpmem(tight->pixels, 256, mask->pixels, 256);
}

static void does_not_count_single_pixels(void)
{
    g_autoptr(CgImage) mask = filled(16, 1, 255), normal = filled(16, 1, 0),
                       made = filled(16, 1, 0);
    set(made, 8, 8, 0, 90);
    g_autoptr(CgImage) tight = cg_mask_tighten(mask, normal, made, 11);
    g_assert_cmpint(count(tight), ==, 0);
}

static void takes_the_channel_that_changed_most(void)
{
    g_autoptr(CgImage) mask = filled(16, 1, 255), normal = filled(16, 3, 200),
                       made = filled(16, 3, 200);
    for (int i = 0; i < 256; i++)
        made->pixels[3 * i + 2] = 170;
    g_autoptr(CgImage) tight = cg_mask_tighten(mask, normal, made, 30);
    g_assert_cmpint(count(tight), ==, 256);
}

static void looks_further_around_in_large_pictures(void)
{
    g_autoptr(CgImage) mask = filled(384, 1, 255), normal = filled(384, 1, 0),
                       made = filled(384, 1, 0);
    set(made, 100, 100, 0, 250);
    g_autoptr(CgImage) tight = cg_mask_tighten(mask, normal, made, 10);
    g_assert_cmpint(count(tight), ==, 25);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(test) g_test_add_func("/tighten/" #test, test)
    ADD(keeps_what_differs);
    ADD(never_leaves_the_mask);
    ADD(does_not_count_single_pixels);
    ADD(takes_the_channel_that_changed_most);
    ADD(looks_further_around_in_large_pictures);
    return g_test_run();
}
