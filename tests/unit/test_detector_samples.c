/* What detectors are trained with: which generated images take part. */
#include "pipeline/detector_samples.h"

#include "image/image.h"
#include "support/folder.h"

#include <math.h>

#define SIZE      32
#define NORMALS   10
#define GENERATED 20
#define DRAWS     400

/* A picture of one level. */
static void put_level(const CgTestFolder *folder, const char *name, guint8 level)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgImage) image = cg_image_new(SIZE, SIZE, 3);
    g_autofree char *path = cg_test_folder_path(folder, name);
    g_autofree char *parent = g_path_get_dirname(path);
    for (int i = 0; i < SIZE * SIZE * 3; i++)
        image->pixels[i] = level;
    g_assert_cmpint(g_mkdir_with_parents(parent, 0777), ==, 0);
    cg_image_save_png(image, path, &error);
    g_assert_no_error(error);
}

/* Normal images of level 100; twenty generated ones of levels 200 to 219, all of it anomalous. */
static void make_data(const CgTestFolder *folder)
{
    g_autoptr(GString) rows = g_string_new(NULL);
    for (int i = 0; i < NORMALS; i++) {
        g_autofree char *name = g_strdup_printf("data/nut/train/good/%03d.png", i);
        put_level(folder, name, 100);
    }
    put_level(folder, "data/nut/test/good/000.png", 100);
    put_level(folder, "made/mask.png", 255);
    for (int i = 0; i < GENERATED; i++) {
        g_autofree char *name = g_strdup_printf("made/%d.png", i);
        put_level(folder, name, (guint8)(200 + i));
        g_string_append_printf(rows,
                               "{\"image\":\"%d.png\",\"mask\":\"mask.png\",\"category\":\"nut\","
                               "\"normal\":\"../data/nut/train/good/000.png\"}\n",
                               i);
    }
    g_free(cg_test_folder_file(folder, "made/manifest.jsonl", rows->str, rows->len));
}

/* How often each generated image was drawn. */
static void count_draws(CgDetectorSamples *s, guint drawn[GENERATED])
{
    for (guint64 number = 0; number < DRAWS; number++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(CgTensor) clean = NULL, picture = NULL, mask = NULL;
        cg_detector_samples_batch(s, &number, 1, &clean, &picture, &mask, &error);
        g_assert_no_error(error);
        const float *at = cg_tensor_f32(picture) + (SIZE / 2 * SIZE + SIZE / 2) * 3;
        const long level = lroundf(*at * 255);
        if (level >= 200 && level < 200 + GENERATED)
            drawn[level - 200]++;
    }
}

static void replaced_images_are_taken_evenly_from_all_generated_ones(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTestFolder) folder = cg_test_folder_new();
    g_autofree char *data = cg_test_folder_path(folder, "data");
    g_autofree char *made = cg_test_folder_path(folder, "made");
    guint drawn[GENERATED] = {0};
    make_data(folder);
    const CgDetectorSamplesOptions options = {.data = data,
                                              .category = "nut",
                                              .synthesis = "none",
                                              .synthetic = made,
                                              .replace = CG_REPLACE_SET,
                                              .ratio = 0.4,
                                              .size = SIZE};
    g_autoptr(CgDetectorSamples) samples = cg_detector_samples_open(&options, &error);
    g_assert_no_error(error);
    count_draws(samples, drawn);
    for (int i = 0; i < GENERATED; i++) {
        if (i % (GENERATED / 4) == 0) /* four of ten normal images are replaced */
            g_assert_cmpuint(drawn[i], >, 0);
        else
            g_assert_cmpuint(drawn[i], ==, 0);
    }
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_test_init(&argc, &argv, NULL);
    cg_image_init(&error);
    g_assert_no_error(error);
    g_test_add_func("/detector_samples/replaced_images_are_taken_evenly_from_all_generated_ones",
                    replaced_images_are_taken_evenly_from_all_generated_ones);
    return g_test_run();
}
