/* Anomaly maps from files: pictures and NumPy arrays. */
#include "base/error.h"
#include "image/map.h"
#include "support/folder.h"

#include <string.h>
#include <vips/vips.h>

/* A NumPy array file of version 1 with HEADER before SIZE bytes of DATA. */
static char *write_npy(const CgTestFolder *dir, const char *header, const void *data, gsize size)
{
    g_autoptr(GByteArray) file = g_byte_array_new();
    const guint16 length = GUINT16_TO_LE((guint16)strlen(header));
    g_byte_array_append(file, (const guint8 *)"\x93NUMPY\1\0", 8);
    g_byte_array_append(file, (const guint8 *)&length, 2);
    g_byte_array_append(file, (const guint8 *)header, (guint)strlen(header));
    g_byte_array_append(file, data, (guint)size);
    return cg_test_folder_file(dir, "map.npy", file->data, file->len);
}

static CgMap *load(const char *path)
{
    g_autoptr(GError) error = NULL;
    CgMap *map = cg_map_load(path, &error);
    g_assert_no_error(error);
    return map;
}

static void check_npy(const char *header, const void *data, gsize size, int width, int height,
                      const float *expected)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *path = write_npy(dir, header, data, size);
    g_autoptr(CgMap) map = load(path);
    g_assert_cmpint(map->width, ==, width);
    g_assert_cmpint(map->height, ==, height);
    for (int i = 0; i < width * height; i++)
        g_assert_cmpfloat(map->values[i], ==, expected[i]);
}

static void arrays_of_every_type_are_read(void)
{
    static const float expected[] = {0, 1, 2, 3, 4, 5};
    check_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n",
              (guint8[]){0, 0, 0,  0,  0, 0, 128, 63, 0, 0, 0,   64,
                         0, 0, 64, 64, 0, 0, 128, 64, 0, 0, 160, 64},
              24, 3, 2, expected);
    check_npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3)}",
              (guint8[]){0, 1, 2, 3, 4, 5}, 6, 3, 2, expected);
    check_npy("{\"shape\": (1, 1, 2, 3), \"fortran_order\": True, \"descr\": \"|u1\"}",
              (guint8[]){0, 3, 1, 4, 2, 5}, 6, 3, 2, expected);
    check_npy("{'descr': '>u2', 'fortran_order': False, 'shape': (2, 3, 1)}",
              (guint8[]){0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5}, 12, 3, 2, expected);
    check_npy("{'descr': '<f2', 'fortran_order': False, 'shape': (2, 3)}",
              (guint8[]){0, 0, 0, 0x3c, 0, 0x40, 0, 0x42, 0, 0x44, 0, 0x45}, 12, 3, 2, expected);
    check_npy("{'descr': '>f8', 'fortran_order': False, 'shape': (1, 2)}",
              (guint8[]){0, 0, 0, 0, 0, 0, 0, 0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0}, 16, 2, 1, expected);
}

static void refuse(const char *header, gsize size, int code, const char *text)
{
    static const guint8 data[64] = {0};
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *path = write_npy(dir, header, data, size);
    g_autoptr(GError) error = NULL;
    g_assert_null(cg_map_load(path, &error));
    g_assert_error(error, CG_ERROR, code);
    g_assert_true(g_str_has_prefix(error->message, path));
    g_assert_nonnull(strstr(error->message, text));
}

static void arrays_that_are_no_maps_are_refused(void)
{
    refuse("{'descr': '<c8', 'fortran_order': False, 'shape': (2, 2)}", 32, CG_ERROR_UNSUPPORTED,
           "not an array of numbers");
    refuse("{'descr': '|O', 'fortran_order': False, 'shape': (2, 2)}", 32, CG_ERROR_UNSUPPORTED,
           "not an array of numbers");
    refuse("{'descr': '<f4', 'shape': (2, 2)}", 16, CG_ERROR_UNSUPPORTED, "not an array");
    refuse("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)} + 1", 16,
           CG_ERROR_UNSUPPORTED, "not an array");
    refuse("{'descr': '<f4', 'fortran_order': False, 'shape': (4,)}", 16, CG_ERROR_SHAPE,
           "an array of 1 axes");
    refuse("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2, 2)}", 32, CG_ERROR_SHAPE,
           "an array of 3 axes");
    refuse("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}", 15, CG_ERROR_FORMAT,
           "15 bytes of values");
    refuse("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2)}", 0, CG_ERROR_FORMAT,
           "nothing to read");
    refuse("{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999, 2)}", 4,
           CG_ERROR_UNSUPPORTED, "pixels");
}

/* TIFF, as many programs write maps. */
static void floats_of_pictures_stay_as_they_are(void)
{
    static const float rows[] = {3, -4, 1, 2.5f, 0, 1e-9f};
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *path = cg_test_folder_path(dir, "map.tiff");
    g_assert_true(cg_image_init(NULL));
    VipsImage *image = vips_image_new_from_memory(rows, sizeof rows, 3, 2, 1, VIPS_FORMAT_FLOAT);
    g_assert_cmpint(vips_tiffsave(image, path, NULL), ==, 0);
    g_object_unref(image);
    g_autoptr(CgMap) map = load(path);
    g_assert_cmpint(map->width, ==, 3);
    g_assert_cmpmem(map->values, sizeof rows, rows, sizeof rows);
}

static void whole_numbers_become_fractions(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autofree char *wide = cg_test_folder_file(dir, "a.pgm", "P5 1 1 65535\n\x80\x01", 15);
    g_autofree char *narrow = cg_test_folder_file(dir, "b.pgm", "P5 2 1 255\n\xff\x33", 13);
    g_autoptr(CgMap) a = load(wide);
    g_autoptr(CgMap) b = load(narrow);
    g_assert_cmpfloat(a->values[0], ==, 0x8001 / 65535.0f);
    g_assert_cmpfloat(b->values[0], ==, 1);
    g_assert_cmpfloat(b->values[1], ==, 0x33 / 255.0f);
}

static void pictures_that_are_no_maps_are_refused(void)
{
    g_autoptr(CgTestFolder) dir = cg_test_folder_new();
    g_autoptr(GError) colour = NULL;
    g_autoptr(GError) other = NULL;
    g_autofree char *rgb = cg_test_folder_file(dir, "a.ppm", "P6 1 1 255\nabc", 14);
    g_autofree char *gif = cg_test_folder_file(dir, "b.png", "GIF89a....", 10);
    g_assert_null(cg_map_load(rgb, &colour));
    g_assert_error(colour, CG_ERROR, CG_ERROR_UNSUPPORTED);
    g_assert_nonnull(strstr(colour->message, "3 channels"));
    g_assert_null(cg_map_load(gif, &other));
    g_assert_error(other, CG_ERROR, CG_ERROR_UNSUPPORTED);
    g_assert_nonnull(strstr(other->message, "a GIF"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/map/arrays_of_every_type_are_read", arrays_of_every_type_are_read);
    g_test_add_func("/map/arrays_that_are_no_maps_are_refused",
                    arrays_that_are_no_maps_are_refused);
    g_test_add_func("/map/floats_of_pictures_stay_as_they_are",
                    floats_of_pictures_stay_as_they_are);
    g_test_add_func("/map/whole_numbers_become_fractions", whole_numbers_become_fractions);
    g_test_add_func("/map/pictures_that_are_no_maps_are_refused",
                    pictures_that_are_no_maps_are_refused);
    return g_test_run();
}
