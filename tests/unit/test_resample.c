/* Masks and maps brought to one size as OpenCV and torch do it
 * (tests/oracle/make_metrics_fixture.py), and one score of a map. */
#include "base/json.h"
#include "metrics/resample.h"
#include "support/folder.h"

#include <math.h>
#include <string.h>

static int whole(const json_t *object, const char *key)
{
    return (int)json_integer_value(json_object_get(object, key));
}

static json_t *load(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = cg_test_fixture("metrics/resample.json");
    json_t *file = cg_json_load(path, &error);
    g_assert_no_error(error);
    return file;
}

/* "0101.." as a mask. */
static CgImage *read_mask(const char *bits, int width, int height)
{
    CgImage *mask = cg_image_new(width, height, 1);
    g_assert_cmpuint(strlen(bits), ==, (size_t)width * (size_t)height);
    for (size_t i = 0; bits[i]; i++)
        mask->pixels[i] = bits[i] == '1' ? 255 : 0;
    return mask;
}

static void check_masks(CgMode mode)
{
    g_autoptr(json_t) file = load();
    size_t i;
    json_t *test;
    json_array_foreach(json_object_get(file, "masks"), i, test)
    {
        const int width = whole(test, "to_width"), height = whole(test, "to_height");
        const char *bits = json_string_value(json_object_get(test, cg_mode_name(mode)));
        g_autoptr(CgImage) mask = read_mask(json_string_value(json_object_get(test, "mask")),
                                            whole(test, "width"), whole(test, "height"));
        g_autoptr(CgImage) expected = read_mask(bits, width, height);
        g_autoptr(CgImage) found = cg_mode_resize_mask(mode, mask, width, height);
        const size_t pixels = (size_t)width * (size_t)height;
        g_assert_cmpmem(found->pixels, pixels, expected->pixels, pixels);
    }
    g_assert_cmpuint(i, >, 5);
}

static void draem_masks_are_opencvs(void)
{
    check_masks(CG_MODE_DRAEM);
}

static void anomalib_masks_are_torchs(void)
{
    check_masks(CG_MODE_ANOMALIB);
}

static void enlarged_maps_are_torchs(void)
{
    g_autoptr(json_t) file = load();
    size_t i, k;
    json_t *test, *value;
    json_array_foreach(json_object_get(file, "maps"), i, test)
    {
        g_autoptr(CgMap) map = cg_map_new(whole(test, "width"), whole(test, "height"));
        json_array_foreach(json_object_get(test, "scores"), k, value) map->values[k] =
            (float)json_number_value(value);
        g_autoptr(CgMap) found =
            cg_map_resize(map, whole(test, "to_width"), whole(test, "to_height"));
        json_array_foreach(json_object_get(test, "bilinear"), k, value)
            g_assert_cmpfloat_with_epsilon(found->values[k], json_number_value(value), 1e-4);
    }
    g_assert_cmpuint(i, >, 3);
}

static void equal_scores_stay_equal_when_enlarged(void)
{
    g_autoptr(CgMap) map = cg_map_new(7, 5);
    for (int i = 0; i < 35; i++)
        map->values[i] = 0.1f;
    g_autoptr(CgMap) large = cg_map_resize(map, 33, 29);
    for (int i = 0; i < 33 * 29; i++)
        g_assert_cmpfloat(large->values[i], ==, 0.1f);
}

/* Found by hand: a block of 5x5 ones; and ones everywhere, where the zeros outside count. */
static void draem_score_is_the_largest_mean(void)
{
    g_autoptr(CgMap) map = cg_map_new(32, 32);
    for (int y = 0; y < 5; y++)
        for (int x = 0; x < 5; x++)
            map->values[y * 32 + x] = 1;
    g_assert_cmpfloat_with_epsilon(cg_mode_image_score(CG_MODE_DRAEM, map), 25.0 / 441, 1e-7);
    g_assert_cmpfloat(cg_mode_image_score(CG_MODE_STRICT, map), ==, 1);
    g_autoptr(CgMap) small = cg_map_new(11, 11);
    for (int i = 0; i < 121; i++)
        small->values[i] = 1;
    g_assert_cmpfloat_with_epsilon(cg_mode_image_score(CG_MODE_DRAEM, small), 121.0 / 441, 1e-7);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/resample/draem_masks_are_opencvs", draem_masks_are_opencvs);
    g_test_add_func("/resample/anomalib_masks_are_torchs", anomalib_masks_are_torchs);
    g_test_add_func("/resample/enlarged_maps_are_torchs", enlarged_maps_are_torchs);
    g_test_add_func("/resample/equal_scores_stay_equal_when_enlarged",
                    equal_scores_stay_equal_when_enlarged);
    g_test_add_func("/resample/draem_score_is_the_largest_mean", draem_score_is_the_largest_mean);
    return g_test_run();
}
