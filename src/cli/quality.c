/* cagen quality: synthetic pictures measured against real ones. */
#include "cli/commands.h"

#include "base/error.h"
#include "base/file.h"
#include "cli/compared.h"
#include "cli/options.h"
#include "pipeline/quality.h"

#define MAX_COUNT 5000 /* the kernels of two groups of 5000 take 600 MB */
#define MAX_DRAWS 10000
#define MAX_SIDE  1024

typedef struct {
    CgCliCompute compute;
    CgCliCompared compared;
    char **lpips;
    char *shots, *views, *features, *format, *out;
    int count, side, bootstrap;
    gint64 seed;
} Options;

/* The networks that the options name. */
typedef struct {
    CgEngine *engine;
    CgClassifier *classifier;
    CgLpips *lpips;
} Networks;

static void options_clear(Options *o)
{
    char *const text[] = {o->shots, o->views, o->features, o->format, o->out};
    cg_cli_compute_clear(&o->compute);
    cg_cli_compared_clear(&o->compared);
    g_strfreev(o->lpips);
    for (size_t i = 0; i < G_N_ELEMENTS(text); i++)
        g_free(text[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static void networks_clear(Networks *n)
{
    g_clear_pointer(&n->classifier, cg_classifier_free);
    g_clear_pointer(&n->lpips, cg_lpips_free);
    g_clear_pointer(&n->engine, cg_engine_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Networks, networks_clear)

static const char description[] =
    "A group is a folder that cagen generate or augment made, or a data set (its defective "
    "images);\n"
    "or a file of features, [pictures, numbers] in .npy or .safetensors: with Inception's "
    "features\n"
    "the distances are FID and KID.\n\n"
    "Views:\n"
    "  whole   the whole picture\n"
    "  window  the square around the mask, half as large again\n"
    "  masked  the same, everything outside the mask in one colour\n"
    "Pictures without masks are seen at the places of the real defects.\n\n"
    "The Inception score is by the classes of --features; published scores are of Inception-v3 "
    "and\n"
    "cannot be compared with those of another network. IC-LPIPS needs torchvision's AlexNet or\n"
    "VGG-16 and the heads that the lpips package has for it; --shots are the pictures that the\n"
    "generator has learnt from (cagen dataset split --copy).\n\n"
    "Example:\n"
    "  cagen quality --data mvtec --category bottle --group CAGen=gen/ --shots few/ \\\n"
    "      --features resnet18.pth --lpips alexnet.pth --lpips alex.pth";

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    *o = (Options){.count = 150, .side = 256, .bootstrap = 1000};
    const GOptionEntry entries[] = {
        CG_CLI_COMPARED_ENTRIES(&o->compared),
        {"shots", 0, 0, G_OPTION_ARG_FILENAME, &o->shots,
         "defects around which IC-LPIPS gathers the others (default: the real ones)", "PATH"},
        {"view", 0, 0, G_OPTION_ARG_STRING, &o->views,
         "whole, window, masked, or several with commas (default: window,masked)", "NAMES"},
        {"count", 'n', 0, G_OPTION_ARG_INT, &o->count,
         "most pictures of a group, taken evenly (default: 150)", "N"},
        {"features", 0, 0, G_OPTION_ARG_FILENAME, &o->features,
         "what pictures are described by: pixels (default), 16 x 16 of them, or a ResNet's weights "
         "(a file, or the folder of a classifier)",
         "NAME|PATH"},
        {"lpips", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o->lpips,
         "IC-LPIPS by this network; twice, for network and heads", "FILE"},
        {"side", 0, 0, G_OPTION_ARG_INT, &o->side,
         "pixels to which LPIPS' pictures are squeezed (default: 256)", "N"},
        {"bootstrap", 0, 0, G_OPTION_ARG_INT, &o->bootstrap,
         "draws for the kernel distance's intervals (default: 1000)", "N"},
        {"seed", 's', 0, G_OPTION_ARG_INT64, &o->seed, "seed of these (default: 0)", "S"},
        {"format", 'f', 0, G_OPTION_ARG_STRING, &o->format,
         "text, json, csv, md or latex (default: text)", "NAME"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &o->out, "write to this file", "FILE"},
        CG_CLI_COMPUTE_ENTRIES(&o->compute),
        G_OPTION_ENTRY_NULL,
    };
    return cg_cli_parse(&argc, &argv, "quality", NULL,
                        "Measures synthetic defects against real ones: distances, Inception score, "
                        "IC-LPIPS, with intervals.",
                        description, entries, error);
}

static gboolean usage(GError **error, const char *message)
{
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "quality: %s; see cagen quality --help", message);
    return FALSE;
}

static gboolean check_options(const Options *o, GError **error)
{
    if (!o->compared.groups)
        return usage(error, "at least one --group NAME=PATH is needed");
    if (!o->compared.data && !o->compared.real)
        return usage(error, "real defects are needed: --data DIR or --real PATH");
    if (o->count < 2 || o->count > MAX_COUNT)
        return usage(error, "--count can be 2 to 5000");
    if (o->side < CG_LPIPS_MIN_SIDE || o->side > MAX_SIDE)
        return usage(error, "--side can be 64 to 1024");
    if (o->bootstrap < 0 || o->bootstrap > MAX_DRAWS)
        return usage(error, "--bootstrap can be 0 to 10000");
    if (o->seed < 0)
        return usage(error, "--seed must not be negative");
    if (o->shots && !o->lpips)
        return usage(error, "--shots needs --lpips");
    return TRUE;
}

static gboolean choose_views(const char *names, gboolean *views, GError **error)
{
    const char *known[CG_VIEW_COUNT + 1] = {NULL};
    for (int v = 0; v < CG_VIEW_COUNT; v++)
        known[v] = cg_group_view_name((CgGroupView)v);
    return cg_cli_choose("quality", "--view", names ? names : "window,masked", known, views, error);
}

static gboolean open_networks(const Options *o, Networks *n, GError **error)
{
    const gboolean classify = o->features && !g_str_equal(o->features, "pixels");
    CgDType dtype;
    if (!classify && !o->lpips)
        return TRUE;
    if (!cg_cli_compute_start(&o->compute, &n->engine, &dtype, error))
        return FALSE;
    if (classify && !(n->classifier = cg_classifier_open(n->engine, dtype, o->features, error)))
        return FALSE;
    if (o->lpips)
        n->lpips = cg_lpips_open(n->engine, CG_F32, (const char *const *)o->lpips,
                                 g_strv_length(o->lpips), error);
    return n->lpips || !o->lpips;
}

static gboolean measure(const Options *o, CgReportFormat format, GError **error)
{
    int good, real;
    g_auto(Networks) n = {0};
    g_autoptr(CgGroup) shots = NULL;
    g_autoptr(GPtrArray) groups =
        cg_cli_compared_all(&o->compared, "quality", (guint)o->count, &good, &real, error);
    if (!groups || !open_networks(o, &n, error) ||
        (o->shots && !(shots = cg_group_open("shots", o->shots, CG_GROUP_DEFECTIVE,
                                             o->compared.category, error))))
        return FALSE;
    g_auto(CgQuality) q = {.groups = groups,
                           .real = (guint)real,
                           .good = good,
                           .shots = shots,
                           .engine = n.engine,
                           .classifier = n.classifier,
                           .lpips = n.lpips,
                           .side = o->side,
                           .features = o->features ? o->features : "pixels, 16 x 16",
                           .draws = (guint)o->bootstrap,
                           .seed = (guint64)o->seed};
    if (!choose_views(o->views, q.views, error) || !cg_quality_measure(&q, error))
        return FALSE;
    g_autofree char *text = cg_quality_print(&q, format);
    return cg_cli_write(text, o->out, error);
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
    return measure(&o, format, error);
}

int cg_cli_quality(int argc, char **argv)
{
    GError *error = NULL;
    return run(argc, argv, &error) ? 0 : cg_cli_fail(error);
}
