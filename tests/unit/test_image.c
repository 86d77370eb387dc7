/* Pictures in memory: saving, resampling, conversion. */
#include "base/error.h"
#include "base/rng.h"
#include "base/system.h"
#include "image/image.h"
#include "support/fixture.h"
#include "support/folder.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

static CgImage *random_image(int width, int height, int channels, uint64_t seed)
{
    CgImage *image = cg_image_new(width, height, channels);
    CgRng rng = cg_rng(seed, 0);
    for (int i = 0; i < width * height * channels; i++)
        image->pixels[i] = (guint8)cg_rng_int(&rng, 0, 255);
    return image;
}

static void assert_same(const CgImage *a, const CgImage *b)
{
    g_assert_cmpint(a->width, ==, b->width);
    g_assert_cmpint(a->height, ==, b->height);
    g_assert_cmpint(a->channels, ==, b->channels);
    gsize size = (gsize)(a->width * a->height * a->channels);
    g_assert_cmpmem(a->pixels, size, b->pixels, size);
}

static CgImage *load_fixture(const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *relative = g_build_filename("image", name, NULL);
    g_autofree char *path = cg_test_fixture(relative);
    CgImage *image = cg_image_load(path, NULL, &error);
    g_assert_no_error(error);
    return image;
}

static void saved_pictures_load_unchanged(void)
{
    static const int sizes[][3] = {{1, 1, 1}, {1, 1, 3}, {640, 1, 3}, {1, 333, 1}, {257, 129, 3}};
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *path = cg_test_folder_path(dir, "a.png");
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *note = NULL;
        g_autoptr(CgImage) image = random_image(sizes[i][0], sizes[i][1], sizes[i][2], i);
        g_assert_true(cg_image_save_png(image, path, &error));
        g_assert_no_error(error);
        g_autoptr(CgImage) back = cg_image_load(path, &note, &error);
        g_assert_no_error(error);
        g_assert_null(note);
        assert_same(back, image);
    }
    g_assert_cmpuint(cg_test_folder_count(dir), ==, 1);
}

static void saving_twice_gives_the_same_bytes(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autoptr(CgImage) image = random_image(300, 200, 3, 5);
    g_autofree char *hash[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++) {
        g_autofree char *path = cg_test_folder_path(dir, i ? "b.png" : "a.png");
        cg_threads_set(i ? 1 : 3);
        g_assert_true(cg_image_save_png(image, path, NULL));
        hash[i] = cg_file_sha256(path, NULL);
    }
    cg_threads_set(0);
    g_assert_cmpstr(hash[0], ==, hash[1]);
    g_free(hash[1]);
}

static void saving_into_a_missing_folder_is_one_line(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgImage) image = cg_image_new(4, 4, 1);
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *path = cg_test_folder_path(dir, "nowhere/a.png");
    g_assert_false(cg_image_save_png(image, path, &error));
    g_assert_nonnull(error);
    g_assert_true(g_str_has_prefix(error->message, path));
    g_assert_null(strchr(error->message, '\n'));
    g_assert_cmpuint(cg_test_folder_count(dir), ==, 0);
}

static void resize_is_pillows_lanczos(void)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"rgb.png", "rgb_16x16.png"},   {"rgb.png", "rgb_80x47.png"},
        {"rgb.png", "rgb_5x64.png"},    {"rgb.png", "rgb_37x11.png"},
        {"rgb.png", "rgb_1x1.png"},     {"grey.png", "grey_46x82.png"},
        {"grey.png", "grey_11x20.png"}, {"grey.png", "grey_3x30.png"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(CgImage) from = load_fixture(cases[i].from);
        g_autoptr(CgImage) want = load_fixture(cases[i].to);
        g_autoptr(CgImage) got = cg_image_resize(from, want->width, want->height);
        g_test_message("%s", cases[i].to);
        assert_same(got, want);
    }
}

static void resize_keeps_constant_pictures_constant(void)
{
    g_autoptr(CgImage) image = cg_image_new(61, 47, 3);
    memset(image->pixels, 201, 61 * 47 * 3);
    static const int sizes[][2] = {{1, 1}, {7, 300}, {512, 512}, {61, 46}, {1000, 1}};
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(CgImage) got = cg_image_resize(image, sizes[i][0], sizes[i][1]);
        g_assert_cmpint(got->width, ==, sizes[i][0]);
        g_assert_cmpint(got->height, ==, sizes[i][1]);
        for (int k = 0; k < got->width * got->height * 3; k++)
            g_assert_cmpint(got->pixels[k], ==, 201);
    }
}

static void resize_to_the_same_size_changes_nothing(void)
{
    g_autoptr(CgImage) image = random_image(33, 17, 3, 2);
    g_autoptr(CgImage) same = cg_image_resize(image, 33, 17);
    g_autoptr(CgImage) nearest = cg_image_resize_nearest(image, 33, 17);
    assert_same(same, image);
    assert_same(nearest, image);
}

static void resize_does_not_depend_on_threads(void)
{
    g_autoptr(CgImage) image = random_image(511, 380, 3, 3);
    cg_threads_set(1);
    g_autoptr(CgImage) one = cg_image_resize(image, 217, 640);
    cg_threads_set(4);
    g_autoptr(CgImage) four = cg_image_resize(image, 217, 640);
    cg_threads_set(0);
    assert_same(one, four);
}

static void nearest_takes_pixel_centres(void)
{
    g_autoptr(CgImage) row = cg_image_new(5, 1, 1);
    for (int i = 0; i < 5; i++)
        row->pixels[i] = (guint8)(10 * i);
    g_autoptr(CgImage) three = cg_image_resize_nearest(row, 3, 2);
    /* centres at 5/6, 15/6 and 25/6 */
    static const guint8 want3[] = {0, 20, 40, 0, 20, 40};
    g_assert_cmpmem(three->pixels, 6, want3, 6);
    g_autoptr(CgImage) ten = cg_image_resize_nearest(row, 10, 1);
    static const guint8 want10[] = {0, 0, 10, 10, 20, 20, 30, 30, 40, 40};
    g_assert_cmpmem(ten->pixels, 10, want10, 10);
    g_autoptr(CgImage) two = cg_image_resize_nearest(row, 2, 1);
    g_assert_cmpint(two->pixels[0], ==, 10); /* 1.25 */
    g_assert_cmpint(two->pixels[1], ==, 30); /* 3.75 */
}

static void crop_is_the_rectangle(void)
{
    g_autoptr(CgImage) image = random_image(9, 7, 3, 4);
    g_autoptr(CgImage) part = cg_image_crop(image, 2, 3, 7, 4);
    for (int y = 0; y < 4; y++)
        g_assert_cmpmem(part->pixels + y * 21, 21, image->pixels + ((3 + y) * 9 + 2) * 3, 21);
}

static void luma_is_pillows(void)
{
    g_autoptr(CgImage) rgb = load_fixture("rgb.png");
    g_autoptr(CgImage) want = load_fixture("rgb_luma.png");
    g_autoptr(CgImage) got = cg_image_to_grey(rgb);
    assert_same(got, want);
}

static void grey_survives_becoming_rgb(void)
{
    g_autoptr(CgImage) grey = random_image(16, 16, 1, 8);
    g_autoptr(CgImage) rgb = cg_image_to_rgb(grey);
    g_autoptr(CgImage) back = cg_image_to_grey(rgb);
    g_assert_cmpint(rgb->channels, ==, 3);
    assert_same(back, grey);
}

static void tensors_hold_the_ranges_of_the_models(void)
{
    g_autoptr(CgImage) grey = cg_image_new(3, 2, 1);
    static const guint8 pixels[] = {0, 255, 51, 1, 2, 3};
    memcpy(grey->pixels, pixels, 6);
    g_autoptr(CgTensor) t = cg_image_to_tensor(grey);
    g_autoptr(CgTensor) control = cg_image_to_control(grey);
    CgShape want = CG_SHAPE(1, 2, 3, 3);
    g_assert_true(cg_shape_equal(&t->shape, &want));
    g_assert_true(cg_shape_equal(&control->shape, &want));
    const float *v = cg_tensor_f32(t), *c = cg_tensor_f32(control);
    for (int k = 0; k < 3; k++) {
        g_assert_cmpfloat(v[k], ==, -1.0f);
        g_assert_cmpfloat(v[3 + k], ==, 1.0f);
        g_assert_cmpfloat_with_epsilon(v[6 + k], -0.6f, 1e-6f);
        g_assert_cmpfloat(c[k], ==, 0.0f);
        g_assert_cmpfloat(c[3 + k], ==, 1.0f);
        g_assert_cmpfloat_with_epsilon(c[6 + k], 0.2f, 1e-6f);
    }
}

static void every_pixel_value_survives_the_tensor(void)
{
    g_autoptr(CgImage) image = cg_image_new(16, 16, 3);
    for (int i = 0; i < 16 * 16 * 3; i++)
        image->pixels[i] = (guint8)i;
    g_autoptr(CgTensor) t = cg_image_to_tensor(image);
    g_autoptr(CgImage) back = cg_image_from_tensor(t, 0);
    assert_same(back, image);
}

static void from_tensor_rounds_clamps_and_picks_the_sample(void)
{
    g_autoptr(CgTensor) t = cg_tensor_zeros(CG_F32, CG_SHAPE(2, 1, 2, 3));
    float *v = cg_tensor_f32(t) + 6;
    v[0] = -1.5f;
    v[1] = 7.0f;
    v[2] = 0.0f;               /* 127.5 -> 128, the even neighbour */
    float u = 126.5f / 255.0f; /* exactly half way again, now above an even value */
    g_assert_cmpfloat(u * 255.0f, ==, 126.5f);
    v[3] = 2.0f * u - 1.0f;
    v[4] = NAN;
    v[5] = INFINITY;
    g_autoptr(CgImage) image = cg_image_from_tensor(t, 1);
    const guint8 want[] = {0, 255, 128, 126, 0, 255};
    g_assert_cmpint(image->width, ==, 2);
    g_assert_cmpint(image->height, ==, 1);
    g_assert_cmpmem(image->pixels, 6, want, 6);
    g_autoptr(CgImage) first = cg_image_from_tensor(t, 0);
    g_assert_cmpint(first->pixels[5], ==, 128);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_true(cg_image_init(NULL));
#define TEST(name) g_test_add_func("/image/" #name, name)
    TEST(saved_pictures_load_unchanged);
    TEST(saving_twice_gives_the_same_bytes);
    TEST(saving_into_a_missing_folder_is_one_line);
    TEST(resize_is_pillows_lanczos);
    TEST(resize_keeps_constant_pictures_constant);
    TEST(resize_to_the_same_size_changes_nothing);
    TEST(resize_does_not_depend_on_threads);
    TEST(nearest_takes_pixel_centres);
    TEST(crop_is_the_rectangle);
    TEST(luma_is_pillows);
    TEST(grey_survives_becoming_rgb);
    TEST(tensors_hold_the_ranges_of_the_models);
    TEST(every_pixel_value_survives_the_tensor);
    TEST(from_tensor_rounds_clamps_and_picks_the_sample);
    int status = g_test_run();
    cg_image_shutdown();
    return status;
}
