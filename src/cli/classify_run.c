/* cagen classify run */
#include "cli/classify.h"

#include "base/error.h"
#include "cli/dataset.h"
#include "cli/options.h"
#include "image/map.h"
#include "pipeline/classifier.h"
#include "pipeline/pictures.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    CgCliCompute compute;
    char *model, *features;
    char **images;
} Options;

static void options_clear(Options *o)
{
    cg_cli_compute_clear(&o->compute);
    g_free(o->model);
    g_free(o->features);
    g_strfreev(o->images);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static const char description[] =
    "One line for each image: the probability of the class it is taken for, that class, its path. "
    "A\n"
    "folder stands for all pictures below it. --features writes the numbers before the last layer "
    "as\n"
    "a NumPy array [images, numbers], in the order of the lines. Images are taken as they are: a\n"
    "classifier that learnt with --window wants such parts.\n\n"
    "Example:\n"
    "  cagen classify run --model bottle-types new/*.png";

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    const GOptionEntry entries[] = {
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &o->model,
         "folder that cagen classify train made, or weights of torchvision or timm", "DIR|FILE"},
        {"features", 0, 0, G_OPTION_ARG_FILENAME, &o->features, "write features here", "FILE.npy"},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o->images, NULL, NULL},
        CG_CLI_COMPUTE_ENTRIES(&o->compute),
        G_OPTION_ENTRY_NULL,
    };
    if (!cg_cli_parse(&argc, &argv, "classify run", "IMAGE...", "Classifies images.", description,
                      entries, error))
        return FALSE;
    const char *wrong = !o->model    ? "--model DIR is missing"
                        : !o->images ? "no IMAGE is given"
                                     : NULL;
    if (!wrong)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "classify run: %s; see cagen classify run --help",
                wrong);
    return FALSE;
}

static void print_row(const Options *o, const char *path, const char *label, double probability)
{
    if (!o->compute.json) {
        g_autofree char *shown = cg_cli_dataset_show(path);
        printf("%.6f  %s  %s\n", probability, label, shown);
        return;
    }
    g_autoptr(json_t) row = json_pack("{s:o, s:s, s:f}", "image", cg_cli_dataset_json(path),
                                      "class", label, "probability", probability);
    char *text = json_dumps(row, JSON_COMPACT | JSON_REAL_PRECISION(9));
    puts(text);
    free(text);
}

static gboolean save_features(const CgTensor *features, const char *path, GError **error)
{
    g_autoptr(CgMap) map = cg_map_new((int)features->shape.d[1], (int)features->shape.d[0]);
    memcpy(map->values, features->data, cg_tensor_bytes(features));
    return cg_map_save_npy(map, path, error);
}

static gboolean run(int argc, char **argv, GError **error)
{
    g_auto(Options) o = {0};
    g_autoptr(CgEngine) engine = NULL;
    g_autoptr(CgTensor) features = NULL, logits = NULL;
    CgDType dtype;
    if (!parse_options(argc, argv, &o, error) ||
        !cg_cli_compute_start(&o.compute, &engine, &dtype, error))
        return FALSE;
    g_autoptr(GPtrArray) images = cg_pictures_list_all(o.images, error);
    g_autoptr(CgClassifier) c = images ? cg_classifier_open(engine, dtype, o.model, error) : NULL;
    if (!c || !cg_classifier_run_files(c, (const char *const *)images->pdata, images->len,
                                       &features, &logits, error))
        return FALSE;
    if (o.features && !save_features(features, o.features, error))
        return FALSE;
    for (guint i = 0; i < images->len; i++) {
        double probability;
        const guint answer = cg_classifier_answer(logits, i, &probability);
        print_row(&o, g_ptr_array_index(images, i), g_ptr_array_index(c->labels, answer),
                  probability);
    }
    return TRUE;
}

int cg_cli_classify_run(int argc, char **argv)
{
    GError *error = NULL;
    return run(argc, argv, &error) ? 0 : cg_cli_fail(error);
}
