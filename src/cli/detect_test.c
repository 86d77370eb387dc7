/* cagen detect test */
#include "cli/detect.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/dataset.h"
#include "cli/options.h"
#include "metrics/bootstrap.h"
#include "metrics/report.h"
#include "metrics/threshold.h"
#include "pipeline/test_detector.h"

#include <math.h>

typedef struct {
    CgCliCompute compute;
    char *model, *data, *layout, *category, *split, *mode, *format, *out, *maps, *overlays, *scores;
    int bootstrap;
    gint64 seed;
} Options;

static void options_clear(Options *o)
{
    char *const text[] = {o->model,  o->data, o->layout, o->category, o->split, o->mode,
                          o->format, o->out,  o->maps,   o->overlays, o->scores};
    cg_cli_compute_clear(&o->compute);
    for (size_t i = 0; i < G_N_ELEMENTS(text); i++)
        g_free(text[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static const char description[] =
    "Maps are written as --maps DIR/CATEGORY/test/DEFECT/000.npy, in the detector's size; cagen\n"
    "metrics reads them again. Modes and measures are explained by cagen metrics --help.\n\n"
    "Example:\n"
    "  cagen detect test --model bottle-draem --data mvtec --category bottle --overlays seen";

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    const GOptionEntry entries[] = {
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &o->model,
         "folder that cagen detect train made, or the original's NAME.pckl", "DIR"},
        {"data", 'd', 0, G_OPTION_ARG_FILENAME, &o->data, "data set with test images", "DIR"},
        {"layout", 0, 0, G_OPTION_ARG_STRING, &o->layout, CG_CLI_DATASET_LAYOUTS, "NAME"},
        {"category", 'c', 0, G_OPTION_ARG_FILENAME, &o->category,
         "the category to test (default: the one that the detector was trained on)", "NAME"},
        {"split", 0, 0, G_OPTION_ARG_FILENAME, &o->split,
         "split of the images that a generator learnt from: rows without them too", "FILE"},
        {"mode", 0, 0, G_OPTION_ARG_STRING, &o->mode,
         "strict, draem, anomalib, or several with commas (default: all)", "NAMES"},
        {"bootstrap", 0, 0, G_OPTION_ARG_INT, &o->bootstrap,
         "95 % intervals from N resamplings of the images (default: 0, none)", "N"},
        {"seed", 's', 0, G_OPTION_ARG_INT64, &o->seed, "seed of these (default: 0)", "S"},
        {"format", 'f', 0, G_OPTION_ARG_STRING, &o->format,
         "text, json, csv, md or latex (default: text)", "NAME"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &o->out, "write the table to this file", "FILE"},
        {"scores", 0, 0, G_OPTION_ARG_FILENAME, &o->scores,
         "write each image's score to this file, as CSV", "FILE"},
        {"maps", 0, 0, G_OPTION_ARG_FILENAME, &o->maps, "write maps here, as NumPy arrays", "DIR"},
        {"overlays", 0, 0, G_OPTION_ARG_FILENAME, &o->overlays, "write heat maps here", "DIR"},
        CG_CLI_COMPUTE_ENTRIES(&o->compute),
        G_OPTION_ENTRY_NULL,
    };
    return cg_cli_parse(&argc, &argv, "detect test", NULL,
                        "Scores a category's test images with a detector and measures how well.",
                        description, entries, error);
}

static gboolean usage(GError **error, const char *message)
{
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "detect test: %s; see cagen detect test --help",
                message);
    return FALSE;
}

static gboolean check_options(const Options *o, GError **error)
{
    if (!o->model || !o->data)
        return usage(error, o->model ? "--data DIR is missing" : "--model DIR is missing");
    if (o->bootstrap < 0 || o->bootstrap > CG_BOOTSTRAP_MAX)
        return usage(error, "--bootstrap can be 0 to 100000");
    if (o->seed < 0)
        return usage(error, "--seed must not be negative");
    return TRUE;
}

typedef struct {
    const Options *options;
    const CgDataset *dataset;
    GString *scores;            /* lines of CSV */
    GArray *normal, *anomalous; /* double: scores */
} Outputs;

static void note_score(Outputs *out, const CgSample *sample, double value)
{
    char score[G_ASCII_DTOSTR_BUF_SIZE];
    const char *path = cg_dataset_relative(out->dataset, sample->image);
    g_auto(GStrv) parts = g_strsplit(path, "\"", -1);
    g_autofree char *quoted = g_strjoinv("\"\"", parts);
    g_ascii_formatd(score, sizeof score, "%.9g", value);
    g_string_append_printf(out->scores, "\"%s\",%s,%s\n", quoted, sample->defect, score);
}

static gboolean scored(void *data, const CgSample *sample, const CgImage *image, const CgMap *map,
                       GError **error)
{
    Outputs *out = data;
    g_autofree char *stem = cg_sample_stem(sample);
    g_autofree char *name = g_build_filename(sample->category, "test", sample->defect, stem, NULL);
    const double score = (double)cg_mode_image_score(CG_MODE_DRAEM, map);
    GArray *scores = cg_sample_is_good(sample) ? out->normal : out->anomalous;
    g_array_append_val(scores, score);
    note_score(out, sample, score);
    return cg_cli_detect_save(out->options->maps, out->options->overlays, name, image, map, error);
}

static const double *numbers(const GArray *a)
{
    return (const double *)(const void *)a->data;
}

/* What the detector's own threshold does on these images, and the best one that there is for them,
 * which only who knows the answers can choose. */
static void tell_threshold(const Outputs *out, const CgDetector *d)
{
    const GArray *a = out->normal, *b = out->anomalous;
    if (isnan(d->config.threshold) || a->len == 0 || b->len == 0)
        return;
    const CgOperatingPoint own =
        cg_threshold_apply(d->config.threshold, numbers(a), a->len, numbers(b), b->len);
    const CgOperatingPoint best = cg_threshold_choose(numbers(a), a->len, numbers(b), b->len, NAN);
    json_t *members = json_pack(
        "{s:{s:f, s:f, s:f, s:f}, s:{s:f, s:f, s:f, s:f}}", "own", "threshold", own.threshold, "f1",
        own.f1, "found", own.found, "false_alarms", own.false_alarms, "best", "threshold",
        best.threshold, "f1", best.f1, "found", best.found, "false_alarms", best.false_alarms);
    cg_log_event(
        "threshold", members,
        "threshold %.4g, chosen without real defects: finds %.1f %% of the defective "
        "images, false alarms on %.1f %% of the good ones (balanced F1 %.1f); the best for "
        "this test set, %.4g: %.1f %%, %.1f %% (F1 %.1f)",
        own.threshold, 100 * own.found, 100 * own.false_alarms, 100 * own.f1, best.threshold,
        100 * best.found, 100 * best.false_alarms, 100 * best.f1);
}

static gboolean test(const Options *o, const CgEvaluationOptions *options, CgReportFormat format,
                     CgEngine *engine, CgDType dtype, GError **error)
{
    g_autoptr(CgDataset) d = cg_cli_dataset_open(o->data, o->layout, error);
    g_autoptr(CgSplit) split = d && o->split ? cg_split_load(o->split, error) : NULL;
    if (!d || (o->split && !split))
        return FALSE;
    g_autoptr(CgDetector) detector = cg_detector_open(engine, dtype, o->model, error);
    const char *category = o->category ? o->category : detector ? detector->config.category : NULL;
    if (category && !*category)
        category = cg_dataset_choose_category(d, NULL, error);
    if (!detector || !category)
        return FALSE;
    g_autoptr(CgEvaluation) evaluation = cg_evaluation_new(options);
    g_autoptr(GString) scores = g_string_new("image,defect,score\n");
    g_autoptr(GArray) normal = g_array_new(FALSE, FALSE, sizeof(double));
    g_autoptr(GArray) anomalous = g_array_new(FALSE, FALSE, sizeof(double));
    Outputs out = {
        .options = o, .dataset = d, .scores = scores, .normal = normal, .anomalous = anomalous};
    const CgDetectorTest t = {.detector = detector,
                              .dataset = d,
                              .category = category,
                              .split = split,
                              .scored = scored,
                              .data = &out};
    if (!cg_detector_test(&t, evaluation, error) ||
        (o->scores && !cg_cli_write(scores->str, o->scores, error)))
        return FALSE;
    tell_threshold(&out, detector);
    g_autoptr(CgReport) report = cg_report_new();
    cg_report_set_detector(report, cg_detector_to_json(detector));
    cg_report_add(report, t.category, g_steal_pointer(&evaluation), 0);
    g_autofree char *text = cg_report_print(report, format);
    return cg_cli_write(text, o->out, error);
}

static gboolean run(int argc, char **argv, GError **error)
{
    g_auto(Options) o = {0};
    CgReportFormat format = CG_REPORT_TEXT;
    g_autoptr(CgEngine) engine = NULL;
    CgDType dtype;
    if (!parse_options(argc, argv, &o, error) || !check_options(&o, error) ||
        (o.format && !cg_report_format_parse(o.format, &format, error)) ||
        !cg_cli_compute_start(&o.compute, &engine, &dtype, error) ||
        !cg_file_can_write(o.out, error) || !cg_file_can_write(o.scores, error))
        return FALSE;
    if (o.compute.json && !o.format)
        format = CG_REPORT_JSON;
    CgEvaluationOptions options = {.fpr_limit = 0.3,
                                   .threshold = NAN,
                                   .bootstrap = (guint)o.bootstrap,
                                   .seed = (guint64)o.seed};
    return cg_cli_choose_modes("detect test", o.mode, options.modes, error) &&
           test(&o, &options, format, engine, dtype, error);
}

int cg_cli_detect_test(int argc, char **argv)
{
    GError *error = NULL;
    return run(argc, argv, &error) ? 0 : cg_cli_fail(error);
}
