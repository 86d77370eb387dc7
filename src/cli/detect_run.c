/* cagen detect run */
#include "cli/detect.h"

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/system.h"
#include "cli/dataset.h"
#include "cli/options.h"
#include "metrics/resample.h"
#include "pipeline/pictures.h"

#include <math.h>
#include <stdio.h>

#define DEFAULT_THRESHOLD 0.5

typedef struct {
    CgCliCompute compute;
    char *model, *maps, *overlays;
    char **images;
    double threshold;
} Options;

static void options_clear(Options *o)
{
    cg_cli_compute_clear(&o->compute);
    g_free(o->model);
    g_free(o->maps);
    g_free(o->overlays);
    g_strfreev(o->images);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static const char description[] =
    "One line for each image: its score (0 to 1: the largest mean of a 21x21 window of the map, "
    "as\n"
    "DRAEM counts), whether that is above the threshold, and its path. A folder stands for all\n"
    "pictures below it. The threshold is the one that was chosen at the end of the training, on\n"
    "made anomalies (0.5 where there is none); --threshold takes its place.\n\n"
    "Example:\n"
    "  cagen detect run --model bottle-draem --threshold 0.2 --overlays seen new/*.png";

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    const GOptionEntry entries[] = {
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &o->model,
         "folder that cagen detect train made, or the original's NAME.pckl", "DIR"},
        {"threshold", 0, 0, G_OPTION_ARG_DOUBLE, &o->threshold,
         "images with a score above are anomalous (default: the detector's own)", "T"},
        {"maps", 0, 0, G_OPTION_ARG_FILENAME, &o->maps, "write maps here, as NumPy arrays", "DIR"},
        {"overlays", 0, 0, G_OPTION_ARG_FILENAME, &o->overlays, "write heat maps here", "DIR"},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o->images, NULL, NULL},
        CG_CLI_COMPUTE_ENTRIES(&o->compute),
        G_OPTION_ENTRY_NULL,
    };
    if (!cg_cli_parse(&argc, &argv, "detect run", "IMAGE...", "Scores images with a detector.",
                      description, entries, error))
        return FALSE;
    const char *wrong = !o->model    ? "--model DIR is missing"
                        : !o->images ? "no IMAGE is given"
                        : !isnan(o->threshold) && !(o->threshold >= 0 && o->threshold <= 1)
                            ? "--threshold must be 0 to 1"
                            : NULL;
    if (!wrong)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "detect run: %s; see cagen detect run --help",
                wrong);
    return FALSE;
}

/* The image's name without folder and ending, for its outputs; one name, one output. */
static char *output_name(const char *path, GHashTable *names, GError **error)
{
    g_autofree char *name = g_path_get_basename(path);
    char *dot = strrchr(name, '.');
    if (dot && dot != name)
        *dot = '\0';
    if (g_hash_table_add(names, g_strdup(name)))
        return g_steal_pointer(&name);
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "two images are called %s: their maps would have one name", name);
    return NULL;
}

static void print_row(const Options *o, const char *path, double score)
{
    if (!o->compute.json) {
        g_autofree char *shown = cg_cli_dataset_show(path);
        printf("%.6f  %s  %s\n", score, score > o->threshold ? "anomalous" : "normal   ", shown);
        return;
    }
    g_autoptr(json_t) row = json_pack("{s:o, s:f, s:b}", "image", cg_cli_dataset_json(path),
                                      "score", score, "anomalous", score > o->threshold);
    char *text = json_dumps(row, JSON_COMPACT | JSON_REAL_PRECISION(9));
    puts(text);
    free(text);
}

static gboolean score_image(const Options *o, const CgDetector *d, const char *path,
                            GHashTable *names, GError **error)
{
    g_autoptr(CgImage) image = cg_cancel_check(error) ? cg_image_load(path, NULL, error) : NULL;
    g_autoptr(CgMap) map = image ? cg_detector_map(d, image, error) : NULL;
    g_autofree char *name = NULL;
    if (!map)
        return FALSE;
    if (o->maps || o->overlays) {
        name = output_name(path, names, error);
        if (!name || !cg_cli_detect_save(o->maps, o->overlays, name, image, map, error))
            return FALSE;
    }
    print_row(o, path, (double)cg_mode_image_score(CG_MODE_DRAEM, map));
    return TRUE;
}

static void settle_threshold(Options *o, const CgDetector *d)
{
    if (!isnan(o->threshold))
        return;
    o->threshold = isnan(d->config.threshold) ? DEFAULT_THRESHOLD : d->config.threshold;
    cg_log_note("threshold %.4g: %s", o->threshold,
                isnan(d->config.threshold)
                    ? "the detector has none of its own; --threshold gives one"
                    : "chosen on made anomalies when the detector was trained");
}

static gboolean run(int argc, char **argv, GError **error)
{
    g_auto(Options) o = {.threshold = NAN};
    g_autoptr(CgEngine) engine = NULL;
    CgDType dtype;
    if (!parse_options(argc, argv, &o, error) ||
        !cg_cli_compute_start(&o.compute, &engine, &dtype, error))
        return FALSE;
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GPtrArray) images = cg_pictures_list_all(o.images, error);
    g_autoptr(CgDetector) d = images ? cg_detector_open(engine, dtype, o.model, error) : NULL;
    gboolean ok = d != NULL;
    if (d)
        settle_threshold(&o, d);
    for (guint i = 0; ok && i < images->len; i++)
        ok = score_image(&o, d, g_ptr_array_index(images, i), names, error);
    return ok;
}

int cg_cli_detect_run(int argc, char **argv)
{
    GError *error = NULL;
    return run(argc, argv, &error) ? 0 : cg_cli_fail(error);
}
