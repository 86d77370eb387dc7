/* The C API's contract: statuses, messages, cancelling, ownership. Compiled with the library's own
 * objects, but including the public header alone. */
#include <cagen/cagen.h>

#include <glib.h>
#include <string.h>

static void version_is_three_numbers(void)
{
    g_auto(GStrv) parts = g_strsplit(cagen_version(), ".", -1);
    g_assert_cmpuint(g_strv_length(parts), ==, 3);
}

static void missing_model_is_told_by_name(void)
{
    const cagen_model_options options = {.model = "/nowhere/model"};
    cagen_model *model = (cagen_model *)&options;
    g_assert_cmpint(cagen_model_open(&options, &model), ==, CAGEN_ERROR_MISSING);
    g_assert_null(model);
    g_assert_nonnull(strstr(cagen_last_error(), "/nowhere/model"));
}

static void unknown_dtype_is_misuse(void)
{
    const cagen_model_options options = {.model = "/nowhere/model", .dtype = "f8"};
    cagen_model *model;
    g_assert_cmpint(cagen_model_open(&options, &model), ==, CAGEN_ERROR_USAGE);
    g_assert_nonnull(strstr(cagen_last_error(), "f8"));
}

static void null_arguments_are_misuse(void)
{
    cagen_image *image;
    cagen_generate_options options;
    cagen_generate_options_init(&options);
    g_assert_cmpint(cagen_model_open(NULL, NULL), ==, CAGEN_ERROR_USAGE);
    g_assert_cmpint(cagen_image_load(NULL, &image), ==, CAGEN_ERROR_USAGE);
    g_assert_cmpint(cagen_image_save(NULL, "x.png"), ==, CAGEN_ERROR_USAGE);
    g_assert_cmpint(cagen_generate(NULL, NULL, NULL, &options, &image), ==, CAGEN_ERROR_USAGE);
    cagen_model_close(NULL);
    cagen_image_free(NULL);
}

static void image_holds_a_copy_of_the_pixels(void)
{
    uint8_t pixels[2 * 3 * 3] = {1, 2, 3, 4};
    cagen_image *image;
    g_assert_cmpint(cagen_image_new(3, 2, 3, pixels, &image), ==, CAGEN_OK);
    pixels[0] = 9;
    g_assert_cmpint(cagen_image_width(image), ==, 3);
    g_assert_cmpint(cagen_image_height(image), ==, 2);
    g_assert_cmpint(cagen_image_channels(image), ==, 3);
    g_assert_cmpint(cagen_image_pixels(image)[0], ==, 1);
    cagen_image_free(image);
    g_assert_cmpint(cagen_image_new(3, 2, 4, NULL, &image), ==, CAGEN_ERROR_USAGE);
    g_assert_cmpint(cagen_image_new(0, 2, 3, NULL, &image), ==, CAGEN_ERROR_USAGE);
}

static gpointer fail_in_thread(gpointer data)
{
    cagen_image *image;
    (void)data;
    g_assert_cmpstr(cagen_last_error(), ==, "");
    g_assert_cmpint(cagen_image_load("/nowhere/b.png", &image), !=, CAGEN_OK);
    g_assert_nonnull(strstr(cagen_last_error(), "b.png"));
    return NULL;
}

static void last_error_belongs_to_the_thread(void)
{
    cagen_image *image;
    g_assert_cmpint(cagen_image_load("/nowhere/a.png", &image), !=, CAGEN_OK);
    g_thread_join(g_thread_new("other", fail_in_thread, NULL));
    g_assert_nonnull(strstr(cagen_last_error(), "a.png"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/api/version_is_three_numbers", version_is_three_numbers);
    g_test_add_func("/api/missing_model_is_told_by_name", missing_model_is_told_by_name);
    g_test_add_func("/api/unknown_dtype_is_misuse", unknown_dtype_is_misuse);
    g_test_add_func("/api/null_arguments_are_misuse", null_arguments_are_misuse);
    g_test_add_func("/api/image_holds_a_copy_of_the_pixels", image_holds_a_copy_of_the_pixels);
    g_test_add_func("/api/last_error_belongs_to_the_thread", last_error_belongs_to_the_thread);
    return g_test_run();
}
