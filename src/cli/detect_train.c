/* cagen detect train */
#include "cli/detect.h"

#include "base/error.h"
#include "cli/dataset.h"
#include "cli/train.h"

#include <math.h>

#define VALIDATION 0.1

typedef struct {
    CgCliTrain train;
    CgTrainDetectorOptions detector;
    char *data, *layout, *category, *network, *textures, *synthesis, *synthetic, *replace;
} Options;

static void options_clear(Options *o)
{
    char *const text[] = {o->data,     o->layout,    o->category,  o->network,
                          o->textures, o->synthesis, o->synthetic, o->replace};
    cg_cli_train_clear(&o->train);
    for (size_t i = 0; i < G_N_ELEMENTS(text); i++)
        g_free(text[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static const char description[] =
    "The network is DRAEM, which compares a picture with its own reconstruction of it, or (unet)\n"
    "a U-Net that sees the picture alone and learns from the same samples by DRAEM's focal "
    "loss.\n\n"
    "Only normal training images are looked at; half of the samples drawn from them stay normal, "
    "the\n"
    "others get an anomaly. Without --textures, draem takes other normal images with their parts "
    "in\n"
    "disorder instead.\n\n"
    "With --synthetic, a share of what is drawn (--ratio) is replaced by images that cagen "
    "generate\n"
    "or cagen augment made; --replace says what that is a share of:\n"
    "  set        of the normal images: those that are replaced are drawn once\n"
    "  draw       of all samples: each one is drawn anew\n"
    "  anomalous  of the samples with an anomaly\n\n"
    "At the end a threshold is chosen without any real defect: on the normal images that were "
    "held\n"
    "out (--validation), as they are and with anomalies made for them. cagen detect run takes "
    "it.\n\n"
    "The last step's weights are kept; nothing is chosen by looking at test images.\n"
    "Ctrl-C saves the state and stops; --resume goes on, with the same numbers as without the "
    "pause.\n\n"
    "Example:\n"
    "  cagen detect train --data mvtec --category bottle --textures dtd/images --out bottle-draem";

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    CgTrainDetectorOptions *d = &o->detector;
    const GOptionEntry own[] = {
        {"data", 'd', 0, G_OPTION_ARG_FILENAME, &o->data, "data set with normal training images",
         "DIR"},
        {"layout", 0, 0, G_OPTION_ARG_STRING, &o->layout, CG_CLI_DATASET_LAYOUTS, "NAME"},
        {"category", 'c', 0, G_OPTION_ARG_FILENAME, &o->category,
         "the category to train on (default: the only one)", "NAME"},
        {"size", 0, 0, G_OPTION_ARG_INT, &d->samples.size,
         "pixels of a side, a multiple of 32 (default: 256)", "N"},
        {"network", 0, 0, G_OPTION_ARG_STRING, &o->network, "draem or unet (default: draem)",
         "NAME"},
        {"width", 0, 0, G_OPTION_ARG_INT, &d->width,
         "channels at full size; draem: of the reconstructive network, an even number, the "
         "discriminative one has half of them (default: 128, unet 64)",
         "N"},
        {"synthesis", 0, 0, G_OPTION_ARG_STRING, &o->synthesis,
         "draem, cutpaste, scar, cutpaste-union, nsa, memseg or none (default: draem)", "NAME"},
        {"textures", 0, 0, G_OPTION_ARG_FILENAME, &o->textures,
         "folder of pictures for draem and memseg, DTD say", "DIR"},
        {"synthetic", 0, 0, G_OPTION_ARG_FILENAME, &o->synthetic,
         "folder that cagen generate or augment made, with its manifest", "DIR"},
        {"ratio", 0, 0, G_OPTION_ARG_DOUBLE, &d->samples.ratio,
         "share that --synthetic replaces (default: 0.3)", "X"},
        {"replace", 0, 0, G_OPTION_ARG_STRING, &o->replace,
         "set, draw or anomalous, see below (default: set)", "NAME"},
        {"validation", 0, 0, G_OPTION_ARG_DOUBLE, &d->samples.hold_out,
         "share of the normal images that is held out to choose a threshold with; 0: none, all are "
         "trained with (default: 0.1)",
         "X"},
        {"false-alarms", 0, 0, G_OPTION_ARG_DOUBLE, &d->false_alarms,
         "choose the lowest threshold with no more than this share of false alarms on them "
         "(default: the best F1)",
         "X"},
        G_OPTION_ENTRY_NULL,
    };
    g_autofree GOptionEntry *entries = cg_cli_train_entries(&o->train, own);
    return cg_cli_parse(&argc, &argv, "detect train", "",
                        "Trains DRAEM or a U-Net to find what is wrong with a category's images.",
                        description, entries, error) &&
           cg_cli_train_finish(&o->train, "detect train", error);
}

static gboolean wrong(const char *what, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "detect train: %s; see cagen detect train --help",
                what);
    return FALSE;
}

static gboolean check_options(Options *o, GError **error)
{
    CgTrainDetectorOptions *d = &o->detector;
    if (!o->data)
        return wrong("--data DIR is missing", error);
    if (!cg_cli_detect_check("detect train", o->network, d, error))
        return FALSE;
    if (!(d->samples.ratio > 0 && d->samples.ratio <= 1))
        return wrong("--ratio must be above 0 and at most 1", error);
    if (o->replace && !o->synthetic)
        return wrong("--replace needs --synthetic", error);
    if (o->replace && !cg_replace_parse(o->replace, &d->samples.replace))
        return wrong("--replace is set, draw or anomalous", error);
    if (!(d->samples.hold_out >= 0 && d->samples.hold_out < 1))
        return wrong("--validation must be at least 0 and below 1", error);
    if (!isnan(d->false_alarms) && !(d->false_alarms >= 0 && d->false_alarms <= 1))
        return wrong("--false-alarms must be 0 to 1", error);
    if (o->train.watch_steps)
        return wrong("--sample-every is not for detectors: they make no samples", error);
    return TRUE;
}

static void hand_over(Options *o)
{
    CgTrainDetectorOptions *d = &o->detector;
    d->train = o->train.settings;
    d->samples.data = o->data;
    d->samples.layout = o->layout;
    d->samples.category = o->category;
    d->samples.textures = o->textures;
    d->samples.synthetic = o->synthetic;
    d->samples.synthesis = o->synthesis ? o->synthesis : "draem";
    d->samples.seed = o->train.settings.seed;
}

int cg_cli_detect_train(int argc, char **argv)
{
    g_auto(Options) o = {0};
    GError *error = NULL;
    g_autoptr(CgEngine) engine = NULL;
    CgDType dtype;
    CgTrainResult result;
    cg_train_detector_options_default(&o.detector);
    o.detector.samples.hold_out = VALIDATION;
    o.detector.width = CG_CLI_OWN_WIDTH;
    cg_cli_train_init(&o.train, &o.detector.train);
    if (!parse_options(argc, argv, &o, &error) || !check_options(&o, &error) ||
        !cg_cli_compute_start(&o.train.compute, &engine, &dtype, &error))
        return cg_cli_fail(error);
    hand_over(&o);
    if (!cg_train_detector(engine, dtype, &o.detector, o.train.plan_only, &result, &error))
        return cg_cli_fail(error);
    if (!o.train.plan_only)
        cg_cli_train_report(&o.train, NULL, "detector", &result);
    return 0;
}
