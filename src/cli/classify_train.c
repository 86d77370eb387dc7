/* cagen classify train */
#include "cli/classify.h"

#include "base/error.h"
#include "cli/dataset.h"
#include "cli/train.h"
#include "pipeline/classifier.h"
#include "pipeline/train_classifier.h"

#include <string.h>

typedef struct {
    CgCliTrain train;
    CgTrainClassifierOptions classifier;
    char *data, *layout, *category, *part, *split, *network, *weights;
    char **synthetic;
    gboolean no_flip;
} Options;

static void options_clear(Options *o)
{
    char *const text[] = {o->data,  o->layout,  o->category, o->part,
                          o->split, o->network, o->weights};
    cg_cli_train_clear(&o->train);
    g_strfreev(o->synthetic);
    for (size_t i = 0; i < G_N_ELEMENTS(text); i++)
        g_free(text[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static const char description[] =
    "The classes are the defect types found, and \"good\". What is learnt from must not be tested "
    "on:\n"
    "    --part train                   normal training images alone; defects from --synthetic\n"
    "    --part train --split FILE      the same, and the images of a few-shot split\n"
    "                                   (cagen dataset split); test with the same --split\n"
    "    --part all                     everything; test on another data set\n\n"
    "All classes are seen equally often, half of the images mirrored. With --weights "
    "(torchvision's\n"
    "or timm's ResNet-18 or -34, or a classifier) the last layer is new where the classes are "
    "others.\n"
    "With --window small defects can be told apart: an image is cut to a square around its mask, a "
    "good\n"
    "one around another's; classify test then does the same.\n"
    "Ctrl-C saves the state and stops; --resume goes on, with the same numbers as without the "
    "pause.\n\n"
    "Example: learn from generated defects, test on real ones\n"
    "  cagen classify train --data mvtec --category bottle --part train --synthetic made --out c\n"
    "  cagen classify test --data mvtec --category bottle --model c";

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    CgTrainClassifierOptions *c = &o->classifier;
    const GOptionEntry own[] = {
        {"data", 'd', 0, G_OPTION_ARG_FILENAME, &o->data, "data set", "DIR"},
        {"layout", 0, 0, G_OPTION_ARG_STRING, &o->layout, CG_CLI_DATASET_LAYOUTS, "NAME"},
        {"category", 'c', 0, G_OPTION_ARG_FILENAME, &o->category,
         "the category to train on (default: the only one)", "NAME"},
        {"part", 0, 0, G_OPTION_ARG_STRING, &o->part,
         "which of its images: train, test or all (default: all)", "NAME"},
        {"split", 0, 0, G_OPTION_ARG_FILENAME, &o->split,
         "few-shot split whose images are learnt from as well", "FILE"},
        {"synthetic", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o->synthetic,
         "folder that cagen generate or augment made; may be given several times", "DIR"},
        {"binary", 0, 0, G_OPTION_ARG_NONE, &c->binary, "two classes: good and anomalous", NULL},
        {"network", 0, 0, G_OPTION_ARG_STRING, &o->network,
         "resnet18 or resnet34 (default: resnet18)", "NAME"},
        {"width", 0, 0, G_OPTION_ARG_INT, &c->width, "channels of the first stage (default: 64)",
         "N"},
        {"weights", 0, 0, G_OPTION_ARG_FILENAME, &o->weights,
         "begin with these instead of from scratch; they tell network and width", "FILE|DIR"},
        {"size", 0, 0, G_OPTION_ARG_INT, &c->size, "pixels of a side (default: 224)", "N"},
        {"window", 0, 0, G_OPTION_ARG_NONE, &c->window,
         "look at the parts around masks, not at whole images", NULL},
        {"no-flip", 0, 0, G_OPTION_ARG_NONE, &o->no_flip, "mirror no images", NULL},
        G_OPTION_ENTRY_NULL,
    };
    g_autofree GOptionEntry *entries = cg_cli_train_entries(&o->train, own);
    return cg_cli_parse(&argc, &argv, "classify train", "",
                        "Trains a ResNet to tell defect types apart.", description, entries,
                        error) &&
           cg_cli_train_finish(&o->train, "classify train", error);
}

static gboolean wrong(const char *what, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "classify train: %s; see cagen classify train --help", what);
    return FALSE;
}

static gboolean check_network(Options *o, GError **error)
{
    CgTrainClassifierOptions *c = &o->classifier;
    if (o->weights && (o->network || c->width))
        return wrong("--weights tell the network and its width; leave out the others", error);
    if (o->network && strcmp(o->network, "resnet18") != 0 && strcmp(o->network, "resnet34") != 0)
        return wrong("--network is resnet18 or resnet34", error);
    c->depth = o->weights ? 0 : g_strcmp0(o->network, "resnet34") == 0 ? 34 : 18;
    if (c->width < 0 || c->width > CG_RESNET_MAX_WIDTH)
        return wrong("--width must be 1 to 1024", error);
    if (c->size < CG_CLASSIFIER_MIN_SIDE || c->size > CG_CLASSIFIER_MAX_SIDE)
        return wrong("--size must be 16 to 4096", error);
    return TRUE;
}

static gboolean check_options(Options *o, GError **error)
{
    CgLabelledSource *d = &o->classifier.data;
    if (!o->data)
        return wrong("--data DIR is missing", error);
    if (o->part && !cg_labelled_parse_part(o->part, d->splits))
        return wrong("--part is train, test or all", error);
    if (o->train.watch_steps)
        return wrong("--sample-every is not for classifiers: they make no samples", error);
    if (o->train.settings.batch < 2)
        return wrong("--batch must be 2 at least: batch norms compare images", error);
    d->data = o->data;
    d->layout = o->layout;
    d->category = o->category;
    d->shots = o->split;
    o->classifier.synthetic = (const char *const *)o->synthetic;
    o->classifier.weights = o->weights;
    o->classifier.flip = !o->no_flip;
    o->classifier.train = o->train.settings;
    return check_network(o, error);
}

int cg_cli_classify_train(int argc, char **argv)
{
    g_auto(Options) o = {0};
    GError *error = NULL;
    g_autoptr(CgEngine) engine = NULL;
    CgDType dtype;
    CgTrainResult result;
    cg_train_classifier_options_default(&o.classifier);
    cg_cli_train_init(&o.train, &o.classifier.train);
    if (!parse_options(argc, argv, &o, &error) || !check_options(&o, &error) ||
        !cg_cli_compute_start(&o.train.compute, &engine, &dtype, &error))
        return cg_cli_fail(error);
    if (!cg_train_classifier(engine, dtype, &o.classifier, o.train.plan_only, &result, &error))
        return cg_cli_fail(error);
    if (!o.train.plan_only)
        cg_cli_train_report(&o.train, NULL, "classifier", &result);
    return 0;
}
