/* cagen metrics: anomaly maps of any program against the truth. */
#include "cli/commands.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/system.h"
#include "cli/dataset.h"
#include "cli/options.h"
#include "metrics/bootstrap.h"
#include "metrics/pairs.h"
#include "metrics/report.h"

#include <math.h>
#include <string.h>

#define MAX_CURVE 100000

typedef struct {
    CgCliCompute compute;
    char *maps, *data, *masks, *category, *layout, *mode, *split, *format, *out;
    double limit, threshold;
    int bootstrap, curves;
    gint64 seed;
} Options;

static void options_clear(Options *o)
{
    char *const text[] = {o->maps, o->data,  o->masks,  o->category, o->layout,
                          o->mode, o->split, o->format, o->out};
    cg_cli_compute_clear(&o->compute);
    for (size_t i = 0; i < G_N_ELEMENTS(text); i++)
        g_free(text[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static const char description[] =
    "Maps have the images' names: MAPS/CATEGORY/DEFECT/000.tiff (or png, npy, pgm), with or\n"
    "without a folder test in between; the category's folder is not needed for one alone.\n\n"
    "Modes, which differ in how maps and masks come to one size:\n"
    "  strict    maps are enlarged to the masks (bilinear); image score: largest of the map\n"
    "  draem     masks shrink as in DRAEM's test (defective only where exactly 255 is left);\n"
    "            image score: largest 21x21 mean\n"
    "  anomalib  masks shrink to the nearest pixel; image score: largest of the map\n\n"
    "Tables are in per cent; csv and json have all digits, thresholds and reasons.\n\n"
    "Example:\n"
    "  cagen metrics --maps results/maps --data mvtec --bootstrap 1000";

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    *o = (Options){.limit = 0.3, .threshold = NAN};
    const GOptionEntry entries[] = {
        {"maps", 'm', 0, G_OPTION_ARG_FILENAME, &o->maps, "folder of the anomaly maps", "DIR"},
        {"data", 'd', 0, G_OPTION_ARG_FILENAME, &o->data,
         "the data set whose test images they belong to", "DIR"},
        {"masks", 0, 0, G_OPTION_ARG_FILENAME, &o->masks,
         "or masks alone, in the same folders as the maps", "DIR"},
        {"layout", 0, 0, G_OPTION_ARG_STRING, &o->layout, CG_CLI_DATASET_LAYOUTS, "NAME"},
        {"category", 'c', 0, G_OPTION_ARG_FILENAME, &o->category, "only this category", "NAME"},
        {"mode", 0, 0, G_OPTION_ARG_STRING, &o->mode,
         "strict, draem, anomalib, or several with commas (default: all)", "NAMES"},
        {"split", 0, 0, G_OPTION_ARG_FILENAME, &o->split,
         "split of the images that were learnt from: rows without them too", "FILE"},
        {"bootstrap", 0, 0, G_OPTION_ARG_INT, &o->bootstrap,
         "95 % intervals from N resamplings of the images (default: 0, none)", "N"},
        {"seed", 's', 0, G_OPTION_ARG_INT64, &o->seed, "seed of these (default: 0)", "S"},
        {"fpr-limit", 0, 0, G_OPTION_ARG_DOUBLE, &o->limit,
         "false-positive rate up to which AUPRO goes (default: 0.3)", "X"},
        {"threshold", 0, 0, G_OPTION_ARG_DOUBLE, &o->threshold, "one more IoU at this score", "T"},
        {"format", 'f', 0, G_OPTION_ARG_STRING, &o->format,
         "text, json, csv, md or latex (default: text)", "NAME"},
        {"curves", 0, 0, G_OPTION_ARG_INT, &o->curves,
         "json: ROC, PR and PRO curves too, of at most N points", "N"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &o->out, "write to this file", "FILE"},
        CG_CLI_COMMON_ENTRIES(&o->compute),
    };
    return cg_cli_parse(&argc, &argv, "metrics", NULL,
                        "Scores anomaly maps: AUROC, average precision, best F1, AUPRO and IoU, "
                        "exactly.",
                        description, entries, error);
}

static gboolean usage(GError **error, const char *message)
{
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "metrics: %s; see cagen metrics --help", message);
    return FALSE;
}

static gboolean check_options(const Options *o, GError **error)
{
    if (!o->maps)
        return usage(error, "--maps DIR is missing");
    if (!o->data == !o->masks)
        return usage(error, "one of --data and --masks is needed");
    if (o->masks && (o->split || o->layout))
        return usage(error, "--split and --layout need --data");
    if (o->bootstrap < 0 || o->bootstrap > CG_BOOTSTRAP_MAX)
        return usage(error, "--bootstrap can be 0 to 100000");
    if (o->seed < 0)
        return usage(error, "--seed must not be negative");
    if (!(o->limit > 0 && o->limit <= 1))
        return usage(error, "--fpr-limit must be above 0 and at most 1");
    if (o->curves != 0 && (o->curves < 8 || o->curves > MAX_CURVE))
        return usage(error, "--curves can be 8 to 100000");
    if (o->curves && g_strcmp0(o->format, "json") != 0 && !o->compute.json)
        return usage(error, "--curves needs --format json");
    return TRUE;
}

/* The size of the first mask of the category: that of good images where only masks are known. */
static void first_mask_size(const CgPairs *pairs, const char *category, int *width, int *height)
{
    for (guint i = 0; i < pairs->pairs->len; i++) {
        const CgPair *pair = &g_array_index(pairs->pairs, CgPair, i);
        int channels;
        if (g_str_equal(pair->category, category) && pair->sample.mask &&
            cg_image_probe(pair->sample.mask, width, height, &channels, NULL))
            return;
    }
    *width = *height = 0;
}

static gboolean evaluate_pair(CgEvaluation *e, const CgPair *pair, int width, int height,
                              GError **error)
{
    g_autoptr(CgMap) map = cg_map_load(pair->map, error);
    g_autoptr(CgImage) mask = NULL;
    if (!map || !cg_pair_load_mask(pair, width ? width : map->width, height ? height : map->height,
                                   &mask, error))
        return FALSE;
    const CgEvaluated image = {.name = pair->map,
                               .defect = pair->defect,
                               .few_shot = pair->few_shot,
                               .map = map,
                               .mask = mask};
    return cg_evaluation_add(e, &image, error);
}

/* The pairs FIRST .. END, which are of one category. */
static CgEvaluation *evaluate(const CgPairs *pairs, guint first, guint end,
                              const CgEvaluationOptions *options, CgProgress *progress,
                              GError **error)
{
    g_autoptr(CgEvaluation) e = cg_evaluation_new(options);
    const char *category = g_array_index(pairs->pairs, CgPair, first).category;
    int width, height;
    first_mask_size(pairs, category, &width, &height);
    for (guint i = first; i < end; i++) {
        if (!cg_cancel_check(error) ||
            !evaluate_pair(e, &g_array_index(pairs->pairs, CgPair, i), width, height, error))
            return NULL;
        cg_progress_update(progress, i + 1, category);
    }
    return cg_evaluation_finish(e, error) ? g_steal_pointer(&e) : NULL;
}

static CgReport *evaluate_all(const CgPairs *pairs, const CgEvaluationOptions *options,
                              guint curve_points, GError **error)
{
    g_autoptr(CgReport) report = cg_report_new();
    g_autoptr(CgProgress) progress = cg_progress_new("maps", pairs->pairs->len);
    for (guint first = 0, end; first < pairs->pairs->len; first = end) {
        const char *category = g_array_index(pairs->pairs, CgPair, first).category;
        for (end = first; end < pairs->pairs->len; end++)
            if (strcmp(g_array_index(pairs->pairs, CgPair, end).category, category) != 0)
                break;
        CgEvaluation *e = evaluate(pairs, first, end, options, progress, error);
        if (!e)
            return NULL;
        cg_report_add(report, category, e, curve_points);
    }
    return g_steal_pointer(&report);
}

static gboolean run(int argc, char **argv, GError **error)
{
    g_auto(Options) o = {0};
    CgReportFormat format = CG_REPORT_TEXT;
    if (!parse_options(argc, argv, &o, error) || !check_options(&o, error) ||
        (o.format && !cg_report_format_parse(o.format, &format, error)) ||
        !cg_cli_common_start(&o.compute, error) || !cg_file_can_write(o.out, error))
        return FALSE;
    if (o.compute.json && !o.format)
        format = CG_REPORT_JSON;
    CgEvaluationOptions options = {.fpr_limit = o.limit,
                                   .threshold = o.threshold,
                                   .bootstrap = (guint)o.bootstrap,
                                   .seed = (guint64)o.seed};
    if (!cg_cli_choose_modes("metrics", o.mode, options.modes, error))
        return FALSE;
    g_autoptr(CgDataset) d = o.data ? cg_cli_dataset_open(o.data, o.layout, error) : NULL;
    g_autoptr(CgSplit) split = d && o.split ? cg_split_load(o.split, error) : NULL;
    if ((o.data && !d) || (o.split && !split))
        return FALSE;
    g_autoptr(CgPairs) pairs = d ? cg_pairs_from_dataset(d, o.category, split, o.maps, error)
                                 : cg_pairs_from_masks(o.masks, o.category, o.maps, error);
    if (!pairs)
        return FALSE;
    if (pairs->unused && !o.category)
        cg_log_warning("%s: %u files belong to no %s", d ? o.maps : o.masks, pairs->unused,
                       d ? "test image" : "map");
    g_autoptr(CgReport) report = evaluate_all(pairs, &options, (guint)o.curves, error);
    g_autofree char *text = report ? cg_report_print(report, format) : NULL;
    return text && cg_cli_write(text, o.out, error);
}

int cg_cli_metrics(int argc, char **argv)
{
    GError *error = NULL;
    return run(argc, argv, &error) ? 0 : cg_cli_fail(error);
}
