/* cagen dataset export: a data set for other software. */
#include "cli/dataset.h"

#include "base/json.h"
#include "base/log.h"
#include "base/system.h"
#include "cli/options.h"
#include "datasets/export.h"

#include <stdio.h>

typedef struct {
    char *layout, *to, *out, *split;
    gboolean link, json;
    char **paths;
} Options;

static void options_clear(Options *o)
{
    g_free(o->layout);
    g_free(o->to);
    g_free(o->out);
    g_free(o->split);
    g_strfreev(o->paths);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static const char description[] =
    "Formats:\n"
    "  mvtec         CATEGORY/{train,test,ground_truth}/...: anomalib's MVTecAD and its kin\n"
    "  btad          the same with ok and ko: anomalib's BTech\n"
    "  folder        plain folders and a CATEGORY.yaml for anomalib's Folder\n"
    "  texture-bank  cut-out defects, or whole textures, as DRAEM's anomaly source\n"
    "  triplet       image, mask and normal counterpart (folders that cagen generated)\n"
    "  pairs         mask, image and prompt as the ControlNet training of diffusers loads them\n"
    "  coco          instances_SPLIT.json with polygons, instances_SPLIT_rle.json with masks\n"
    "  yolo-seg      images, labels and data.yaml\n"
    "\n"
    "An interrupted export goes on where it stopped when it is run again.";

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    const GOptionEntry entries[] = {
        {"to", 't', 0, G_OPTION_ARG_STRING, &o->to, "the format, see below", "FORMAT"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &o->out, "the folder to write", "DIR"},
        {"layout", 0, 0, G_OPTION_ARG_STRING, &o->layout,
         "the layout of DIR (default: as it looks); cagen dataset info --help lists them", "NAME"},
        {"link", 0, 0, G_OPTION_ARG_NONE, &o->link,
         "hard links instead of copies where images stay as they are", NULL},
        {"split", 0, 0, G_OPTION_ARG_STRING, &o->split,
         "coco, yolo-seg: everything into train, validation or test (default: as it is)", "NAME"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &o->json, "the result as one JSON object", NULL},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o->paths, NULL, NULL},
        G_OPTION_ENTRY_NULL,
    };
    if (!cg_cli_parse(&argc, &argv, "dataset export", "DIR",
                      "Writes the data set in DIR in the form that other software reads.",
                      description, entries, error))
        return FALSE;
    const char *missing = !o->paths || o->paths[1] ? "exactly one DIR"
                          : !o->to                 ? "--to FORMAT"
                          : !o->out                ? "--out DIR"
                                                   : NULL;
    if (!missing)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "dataset export: %s is needed; see cagen dataset export --help", missing);
    return FALSE;
}

static void print_json(const Options *o, const CgExportSummary *s)
{
    g_autofree char *out = g_utf8_make_valid(o->out, -1);
    g_autoptr(json_t) object = json_pack(
        "{s:s, s:s, s:i, s:i, s:i, s:i, s:{s:i, s:i, s:i, s:i}}", "out", out, "format", o->to,
        "images", (int)s->images, "masks", (int)s->masks, "present", (int)s->present, "linked",
        (int)s->linked, "left_out", "without_mask", (int)s->without_mask, "without_normal",
        (int)s->without_normal, "not_in_format", (int)s->not_in_layout, "dropped", (int)s->dropped);
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
}

static void print_text(const Options *o, const CgExportSummary *s)
{
    printf("%s: %u images, %u masks", o->out, s->images, s->masks);
    if (s->present)
        printf(" (%u were there)", s->present);
    if (s->linked)
        printf(", %u linked", s->linked);
    putchar('\n');
    if (s->without_mask)
        cg_log_warning("%u defective images have no mask; left out", s->without_mask);
    if (s->without_normal)
        cg_log_warning("%u images have no known normal counterpart; left out", s->without_normal);
    if (s->not_in_layout)
        cg_log_note("%u images have no place in this format; left out", s->not_in_layout);
    if (s->dropped)
        cg_log_note("%u images were dropped by the data set's manifest; left out", s->dropped);
}

static gboolean run(int argc, char **argv, GError **error)
{
    g_auto(Options) o = {0};
    CgExportOptions options = {0};
    CgExportSummary summary;
    if (!parse_options(argc, argv, &o, error) ||
        !cg_export_format_parse(o.to, &options.format, error))
        return FALSE;
    options.out = o.out;
    options.split = o.split;
    options.link = o.link;
    cg_log_set_json(o.json);
    cg_cancel_install();
    g_autoptr(CgDataset) dataset = cg_cli_dataset_open(o.paths[0], o.layout, error);
    if (!dataset || !cg_dataset_export(dataset, &options, &summary, error))
        return FALSE;
    if (o.json)
        print_json(&o, &summary);
    else
        print_text(&o, &summary);
    return TRUE;
}

int cg_cli_dataset_export(int argc, char **argv)
{
    GError *error = NULL;
    return run(argc, argv, &error) ? 0 : cg_cli_fail(error);
}
