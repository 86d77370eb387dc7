#include "support/pictures.h"

#include "image/paste.h"

#include <string.h>

CgImage *test_random_image(int width, int height, int channels, uint64_t seed)
{
    CgImage *image = cg_image_new(width, height, channels);
    CgRng rng = cg_rng(seed, 1);
    for (int i = 0; i < width * height * channels; i++)
        image->pixels[i] = (guint8)cg_rng_int(&rng, 0, 255);
    return image;
}

void test_assert_only_mask_differs(const CgImage *normal, const CgSynthesis *made)
{
    const gsize channels = (gsize)normal->channels;
    g_assert_cmpint(made->image->width, ==, normal->width);
    g_assert_cmpint(made->image->height, ==, normal->height);
    g_assert_cmpint(made->image->channels, ==, normal->channels);
    g_assert_cmpint(made->mask->width, ==, normal->width);
    g_assert_cmpint(made->mask->height, ==, normal->height);
    g_assert_cmpfloat(cg_mask_area(made->mask), >, 0);
    for (gsize i = 0; i < (gsize)(normal->width * normal->height); i++) {
        g_assert_true(made->mask->pixels[i] == 0 || made->mask->pixels[i] == 255);
        if (!made->mask->pixels[i])
            g_assert_cmpint(
                memcmp(made->image->pixels + i * channels, normal->pixels + i * channels, channels),
                ==, 0);
    }
}
