/* Classifiers saved, opened and run. */
#include "pipeline/classifier.h"

#include "base/error.h"
#include "base/file.h"
#include "support/folder.h"
#include "support/pictures.h"

#include <glib/gstdio.h>
#include <string.h>

#define SIZE 32

/* A new classifier of CLASSES, saved in FOLDER. */
static void make(CgEngine *engine, const char *folder, int depth, const char *const *labels)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgStore) store = cg_store_new(1 << 20);
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    CgResnetClassifierInitial initial = {.seed = 5};
    for (; *labels; labels++)
        g_ptr_array_add(names, (char *)(guintptr)*labels);
    const CgClassifierConfig config = {
        .network = {.depth = depth, .width = 4, .classes = (int)names->len},
        .input = cg_classifier_input(SIZE),
        .labels = names};
    const CgBuild build = {.engine = engine,
                           .dtype = CG_F32,
                           .lookup = cg_resnet_classifier_initial_weights,
                           .source = &initial,
                           .where = "a new classifier",
                           .store = store};
    g_autoptr(CgResnetClassifier) model = cg_resnet_classifier_new(&build, &config.network, &error);
    g_assert_no_error(error);
    g_assert_nonnull(model);
    cg_classifier_save(folder, &config, store, store->values, &error);
    g_assert_no_error(error);
}

typedef struct {
    CgEngine *engine;
    CgTestFolder *folder;
    char *model, *weights;
} Fixture;

static void set_up(Fixture *f, gconstpointer data)
{
    static const char *const labels[] = {"good", "crack", "hole", NULL};
    (void)data;
    *f = (Fixture){.engine = cg_engine_cpu_new(), .folder = cg_test_folder_new()};
    f->model = cg_test_folder_path(f->folder, "model");
    f->weights = g_build_filename(f->model, "model.safetensors", NULL);
    make(f->engine, f->model, 18, labels);
}

static void tear_down(Fixture *f, gconstpointer data)
{
    (void)data;
    cg_test_folder_free(f->folder);
    cg_engine_free(f->engine);
    g_free(f->model);
    g_free(f->weights);
}

static CgClassifier *open_classifier(const Fixture *f, const char *path)
{
    g_autoptr(GError) error = NULL;
    CgClassifier *c = cg_classifier_open(f->engine, CG_F32, path, &error);
    g_assert_no_error(error);
    return c;
}

/* Features and logits of PICTURES [N] of different sizes. */
static void run(const CgClassifier *c, guint n, CgTensor **features, CgTensor **logits)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) images = g_ptr_array_new_with_free_func((GDestroyNotify)cg_image_free);
    for (guint i = 0; i < n; i++)
        g_ptr_array_add(images, test_random_image(40 + (int)i, 50, 3, i));
    cg_classifier_run(c, (const CgImage *const *)images->pdata, n, features, logits, &error);
    g_assert_no_error(error);
}

static void folder_says_all_that_is_needed(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(CgClassifier) c = open_classifier(f, f->model);
    g_assert_cmpint(c->model->config.depth, ==, 18);
    g_assert_cmpint(c->model->config.width, ==, 4);
    g_assert_cmpint(c->input.size, ==, SIZE);
    g_assert_cmpuint(c->labels->len, ==, 3);
    g_assert_cmpstr(g_ptr_array_index(c->labels, 1), ==, "crack");
}

static void single_file_is_enough(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(CgClassifier) c = open_classifier(f, f->weights);
    g_assert_cmpint(c->model->config.depth, ==, 18);
    g_assert_cmpint(c->model->config.width, ==, 4);
    g_assert_cmpint(c->model->config.classes, ==, 3);
    g_assert_cmpint(c->input.size, ==, 224);
    g_assert_cmpstr(g_ptr_array_index(c->labels, 2), ==, "2");
}

static void depth_is_told_by_the_tensors(Fixture *f, gconstpointer data)
{
    (void)data;
    make(f->engine, f->model, 34, (const char *const[]){"a", "b", NULL});
    g_autoptr(CgClassifier) c = open_classifier(f, f->weights);
    g_assert_cmpint(c->model->config.depth, ==, 34);
}

/* Twenty pictures are more than one batch. */
static void pictures_do_not_see_each_other(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(CgClassifier) c = open_classifier(f, f->model);
    g_autoptr(CgTensor) features = NULL, logits = NULL, first = NULL;
    run(c, 20, &features, &logits);
    run(c, 1, &first, NULL);
    g_assert_true(cg_shape_equal(&features->shape, &CG_SHAPE(20, 32)));
    g_assert_true(cg_shape_equal(&logits->shape, &CG_SHAPE(20, 3)));
    for (size_t i = 0; i < 32; i++)
        g_assert_cmpfloat_with_epsilon(cg_tensor_f32(features)[i], cg_tensor_f32(first)[i], 1e-5f);
    g_assert_cmpfloat(cg_tensor_f32(features)[0], !=, cg_tensor_f32(features)[19 * 32]);
}

static void files_give_what_pictures_give(Fixture *f, gconstpointer data)
{
    (void)data;
    g_autoptr(GError) error = NULL;
    g_autoptr(CgClassifier) c = open_classifier(f, f->model);
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(CgTensor) of_images = NULL;
    for (int i = 0; i < 3; i++) {
        g_autoptr(CgImage) image = test_random_image(40 + i, 50, 3, (uint64_t)i);
        g_ptr_array_add(paths, g_strdup_printf("%s/%d.png", f->folder->path, i));
        cg_image_save_png(image, g_ptr_array_index(paths, i), &error);
        g_assert_no_error(error);
    }
    run(c, 3, &of_images, NULL);
    g_autoptr(CgTensor) of_files =
        cg_classifier_features(c, (const char *const *)paths->pdata, 3, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(of_files->data, cg_tensor_bytes(of_files), of_images->data,
                    cg_tensor_bytes(of_images));
    g_remove(g_ptr_array_index(paths, 1));
    g_assert_null(cg_classifier_features(c, (const char *const *)paths->pdata, 3, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_MISSING);
}

/* ImageNet's mean is 0; flipped, the left is the right. */
static void pictures_are_prepared_as_torchvision_does(void)
{
    const CgClassifierInput input = cg_classifier_input(16);
    g_autofree float *straight = g_new(float, 16 * 16 * 3), *flipped = g_new(float, 16 * 16 * 3);
    g_autoptr(CgImage) image = cg_image_new(16, 16, 3);
    image->pixels[0] = 255;
    image->pixels[1] = 124;
    image->pixels[2] = 104;
    cg_classifier_prepare(&input, image, FALSE, straight);
    cg_classifier_prepare(&input, image, TRUE, flipped);
    g_assert_cmpfloat_with_epsilon(straight[0], (float)((1 - 0.485) / 0.229), 1e-6);
    g_assert_cmpfloat_with_epsilon(straight[1], (float)((124 / 255.0 - 0.456) / 0.224), 1e-6);
    g_assert_cmpfloat_with_epsilon(straight[2], (float)((104 / 255.0 - 0.406) / 0.225), 1e-6);
    g_assert_cmpmem(straight, 3 * sizeof(float), flipped + 15 * 3, 3 * sizeof(float));
}

static void wrong_configurations_are_refused(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"{\"architecture\": \"resnet50\"}", "resnet18 or resnet34"},
        {"{\"architecture\": \"resnet18\", \"num_classes\": 0}", "num_classes"},
        {"{\"architecture\": \"resnet18\", \"num_classes\": 3, \"label_names\": [\"a\"]}",
         "must be 3 strings"},
        {"{\"architecture\": \"resnet18\", \"pretrained_cfg\": {\"input_size\": [3, 9, 9]}}",
         "from 16 to 4096"},
        {"{\"architecture\": \"resnet18\", \"pretrained_cfg\": {\"std\": [1, 0, 1]}}",
         "\"std\" must be three positive numbers"},
        {"{\"architecture\": \"resnet18\", \"width\": 8, \"num_classes\": 3}",
         "conv1.weight is [4, 3, 7, 7] instead of [8, 3, 7, 7]"},
        {"{\"architecture\": \"resnet34\", \"width\": 4, \"num_classes\": 3}",
         "missing tensor layer1.2.conv1.weight"},
    };
    g_autofree char *path = g_build_filename(f->model, "config.json", NULL);
    (void)data;
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_true(cg_file_write(path, rows[i].text, strlen(rows[i].text), NULL));
        g_assert_null(cg_classifier_open(f->engine, CG_F32, f->model, &error));
        g_assert_nonnull(error);
        if (!strstr(error->message, rows[i].message))
            g_error("\"%s\" does not say \"%s\"", error->message, rows[i].message);
    }
}

static void other_weights_are_no_classifier(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = cg_test_folder_path(f->folder, "other.safetensors");
    g_autoptr(CgTensor) t = cg_tensor_zeros(CG_F32, CG_SHAPE(3));
    (void)data;
    cg_safetensors_save(path, (const char *const[]){"fc.bias"}, &t, 1, &error);
    g_assert_no_error(error);
    g_assert_null(cg_classifier_open(f->engine, CG_F32, path, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(test) g_test_add("/classifier/" #test, Fixture, NULL, set_up, test, tear_down)
    ADD(folder_says_all_that_is_needed);
    ADD(single_file_is_enough);
    ADD(depth_is_told_by_the_tensors);
    ADD(pictures_do_not_see_each_other);
    ADD(files_give_what_pictures_give);
    ADD(wrong_configurations_are_refused);
    ADD(other_weights_are_no_classifier);
    g_test_add_func("/classifier/pictures_are_prepared_as_torchvision_does",
                    pictures_are_prepared_as_torchvision_does);
    return g_test_run();
}
