/* Detectors saved and opened, as folders and as files of weights. */
#include "pipeline/detector.h"

#include "base/error.h"
#include "support/folder.h"
#include "support/pictures.h"

#include <string.h>

#define SIZE  64
#define WIDTH 2

typedef struct {
    CgEngine *engine;
    CgStore *store;
    CgDetectorNetwork *model;
    CgTestFolder *folder;
    char *path; /* in the folder, of a detector or its file */
} Fixture;

/* A new network, not saved yet. */
static void set_up(Fixture *f, gconstpointer kind)
{
    g_autoptr(GError) error = NULL;
    CgDetectorInitial initial = {.seed = 5};
    *f = (Fixture){.engine = cg_engine_cpu_new(),
                   .store = cg_store_new(1 << 18),
                   .folder = cg_test_folder_new()};
    const CgDetectorNetworkConfig config =
        cg_detector_network_config((CgDetectorKind)GPOINTER_TO_INT(kind), WIDTH);
    const CgBuild build = {.engine = f->engine,
                           .dtype = CG_F32,
                           .lookup = cg_detector_initial_weights,
                           .source = &initial,
                           .where = "a new detector",
                           .store = f->store};
    f->path = cg_test_folder_path(f->folder, "detector");
    f->model = cg_detector_network_new(&build, &config, &error);
    g_assert_no_error(error);
}

static void tear_down(Fixture *f, gconstpointer kind)
{
    (void)kind;
    g_free(f->path);
    cg_detector_network_free(f->model);
    cg_test_folder_free(f->folder);
    cg_store_free(f->store);
    cg_engine_free(f->engine);
}

/* The map of a picture by the detector at PATH. */
static CgMap *map_of(Fixture *f, const char *path, int size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgDetector) d = cg_detector_open(f->engine, CG_F32, path, &error);
    g_assert_no_error(error);
    g_assert_cmpint(d->config.size, ==, size);
    g_autoptr(CgImage) image = test_random_image(size, size, 3, 1);
    CgMap *map = cg_detector_map(d, image, &error);
    g_assert_no_error(error);
    return map;
}

static void assert_refused(Fixture *f, const char *path, const char *message)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(cg_detector_open(f->engine, CG_F32, path, &error));
    g_assert_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED);
    g_assert_nonnull(strstr(error->message, message));
}

static void folder_says_what_was_saved(Fixture *f, gconstpointer kind)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) threshold = json_pack("{s:f}", "image", 0.25);
    g_auto(CgDetectorConfig) read = {0};
    g_auto(CgDetectorConfig)
        config = {.network = f->model->config, .size = SIZE, .category = g_strdup("gear")};
    cg_detector_save(f->path, &config, f->store, f->store->values, &error);
    g_assert_no_error(error);
    cg_detector_save_threshold(f->path, threshold, &error);
    g_assert_no_error(error);
    g_autoptr(CgPlainWeights) weights = cg_detector_read(f->path, &read, &error);
    g_assert_no_error(error);
    g_assert_nonnull(cg_plain_weights_find(weights, "decoder_segment.fin_out.0.bias"));
    g_assert_cmpint(read.network.kind, ==, GPOINTER_TO_INT(kind));
    g_assert_cmpint(read.size, ==, SIZE);
    g_assert_cmpstr(read.category, ==, "gear");
    g_assert_cmpfloat(read.threshold, ==, 0.25);
}

/* All weights in one file, of 256 x 256 pixels: the same as the folder. */
static void one_file_is_a_detector(Fixture *f, gconstpointer kind)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *file = cg_test_folder_path(f->folder, "weights.pckl");
    g_auto(CgDetectorConfig)
        config = {.network = f->model->config, .size = 256, .category = g_strdup("")};
    (void)kind;
    cg_detector_save(f->path, &config, f->store, f->store->values, &error);
    g_assert_no_error(error);
    cg_plain_weights_save(file, f->store, f->store->values, NULL, &error);
    g_assert_no_error(error);
    g_autoptr(CgMap) of_folder = map_of(f, f->path, 256), of_file = map_of(f, file, 256);
    g_assert_cmpmem(of_folder->values, 256 * 256 * sizeof(float), of_file->values,
                    256 * 256 * sizeof(float));
}

static gboolean is_discriminative(const char *name)
{
    return !cg_draem_is_reconstructive(name);
}

static void half_a_detector_is_refused(Fixture *f, gconstpointer kind)
{
    g_autoptr(GError) error = NULL;
    (void)kind;
    cg_plain_weights_save(f->path, f->store, f->store->values, is_discriminative, &error);
    g_assert_no_error(error);
    assert_refused(f, f->path, "the second file of a DRAEM detector");
}

static void other_networks_are_refused(Fixture *f, gconstpointer kind)
{
    static const char *const name = "encoder_segment.block1.0.weight", *const other =
                                                                           "conv1.weight";
    g_autoptr(GError) error = NULL;
    g_autoptr(CgTensor) gray = cg_tensor_zeros(CG_F32, CG_SHAPE(4, 1, 3, 3));
    (void)kind;
    cg_safetensors_save(f->path, &name, &gray, 1, &error);
    g_assert_no_error(error);
    assert_refused(f, f->path, "not one for pictures of three channels");
    cg_safetensors_save(f->path, &other, &gray, 1, &error);
    g_assert_no_error(error);
    assert_refused(f, f->path, "nor those of a U-Net");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        CgDetectorKind kind;
    } rows[] = {{"draem", CG_DETECTOR_DRAEM}, {"unet", CG_DETECTOR_UNET}};
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        const gconstpointer kind = GINT_TO_POINTER(rows[i].kind);
        g_autofree char *saved = g_strdup_printf("/%s/folder_says_what_was_saved", rows[i].name);
        g_autofree char *file = g_strdup_printf("/%s/one_file_is_a_detector", rows[i].name);
        g_test_add(saved, Fixture, kind, set_up, folder_says_what_was_saved, tear_down);
        g_test_add(file, Fixture, kind, set_up, one_file_is_a_detector, tear_down);
    }
    g_test_add("/detector/half_a_detector_is_refused", Fixture, GINT_TO_POINTER(CG_DETECTOR_DRAEM),
               set_up, half_a_detector_is_refused, tear_down);
    g_test_add("/detector/other_networks_are_refused", Fixture, GINT_TO_POINTER(CG_DETECTOR_UNET),
               set_up, other_networks_are_refused, tear_down);
    return g_test_run();
}
