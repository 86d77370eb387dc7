/* cagen augment: anomalous images from normal ones, without a network. */
#include "cli/commands.h"

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/options.h"
#include "pipeline/augment.h"
#include "pipeline/pictures.h"

#include <stdio.h>

#define COUNT_UNSET G_MININT
#define MAX_COUNT   1000000

typedef struct {
    CgCliCompute compute;
    char *method, *normal, *textures, *defects, *defect_masks, *blend, *foreground, *out, *sheet,
        *category, *defect;
    gint64 seed;
    int count;
} Options;

static void options_clear(Options *o)
{
    char *const text[] = {o->method,     o->normal,       o->textures, o->defects, o->blend, o->out,
                          o->foreground, o->defect_masks, o->category, o->sheet,   o->defect};
    cg_cli_compute_clear(&o->compute);
    for (size_t i = 0; i < G_N_ELEMENTS(text); i++)
        g_free(text[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static const char description[] =
    "Methods:\n"
    "  cutpaste        a rectangle of the image pasted elsewhere in it\n"
    "  scar            a short, turned strip of the image pasted elsewhere\n"
    "  cutpaste-union  one of these two\n"
    "  draem           a changed texture over the image where Perlin noise says so (--textures)\n"
    "  nsa             pieces of another normal image, scaled, put elsewhere, blended seamlessly\n"
    "  memseg          a texture (--textures), or the image's own cells in disorder, on the "
    "object\n"
    "                  where Perlin noise says so\n"
    "  crop-paste      real defects cut out by their masks, turned, scaled, put elsewhere "
    "(--defects)\n"
    "\nImage i of N takes the i-th normal image, starting over at the list's end.\n"
    "Results: DIR/CATEGORY/test/DEFECT/000.png, DIR/CATEGORY/ground_truth/DEFECT/000_mask.png,\n"
    "DIR/manifest.jsonl. The same command again continues where it stopped.\n\n"
    "Example:\n"
    "  cagen augment --method cutpaste --normal bottle/train/good --count 100 --out pasted";

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    const GOptionEntry entries[] = {
        {"method", 'm', 0, G_OPTION_ARG_STRING, &o->method, "how; see below", "NAME"},
        {"normal", 'n', 0, G_OPTION_ARG_FILENAME, &o->normal, "normal image, or folder of them",
         "IMG|DIR"},
        {"textures", 't', 0, G_OPTION_ARG_FILENAME, &o->textures,
         "textures, in folders at any depth (the Describable Textures Dataset, say)", "DIR"},
        {"defects", 0, 0, G_OPTION_ARG_FILENAME, &o->defects,
         "image of a defect, or folder of them", "IMG|DIR"},
        {"defect-masks", 0, 0, G_OPTION_ARG_FILENAME, &o->defect_masks,
         "their masks, named like the images, _mask behind it or not", "IMG|DIR"},
        {"blend", 0, 0, G_OPTION_ARG_STRING, &o->blend,
         "poisson (default): seamless; crop-paste also knows exact, nsa mixed: the stronger "
         "gradients of both",
         "MODE"},
        {"foreground", 0, 0, G_OPTION_ARG_FILENAME, &o->foreground,
         "nsa, memseg, crop-paste: where the object is: auto, object (found before its ground), "
         "texture "
         "(everywhere), or a ready mask, or a folder of such with the images' names (default: "
         "auto)",
         "POLICY|IMG|DIR"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &o->out, "folder for the results", "DIR"},
        {"count", 0, 0, G_OPTION_ARG_INT, &o->count,
         "images to make (default: one for each normal image)", "N"},
        {"seed", 's', 0, G_OPTION_ARG_INT64, &o->seed, "seed of all that is drawn (default: 0)",
         "S"},
        {"category", 0, 0, G_OPTION_ARG_FILENAME, &o->category,
         "category's folder (default: from the normal image's path)", "NAME"},
        {"defect", 0, 0, G_OPTION_ARG_FILENAME, &o->defect,
         "defect's folder (default: the method's name)", "NAME"},
        {"sheet", 0, 0, G_OPTION_ARG_FILENAME, &o->sheet,
         "contact sheet of the first results, to look at: normal, mask, result, difference", "PNG"},
        CG_CLI_COMMON_ENTRIES(&o->compute),
    };
    return cg_cli_parse(&argc, &argv, "augment", NULL,
                        "Puts an artificial anomaly into normal images, without a model.",
                        description, entries, error);
}

static gboolean usage(GError **error, const char *message)
{
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "augment: %s; see cagen augment --help", message);
    return FALSE;
}

static gboolean check_options(const Options *o, GError **error)
{
    if (!o->method)
        return usage(error, "--method is missing");
    if (!o->normal)
        return usage(error, "--normal is missing");
    if (!o->out)
        return usage(error, "--out is missing");
    if (o->count != COUNT_UNSET && (o->count < 1 || o->count > MAX_COUNT))
        return usage(error, "--count must be 1 to 1000000");
    if (o->seed < 0)
        return usage(error, "--seed must be 0 or more");
    return TRUE;
}

/* *LIST: what lies at PATH, NULL when PATH is. */
static gboolean list(const char *path, gboolean deep, GPtrArray **found, GError **error)
{
    *found = path ? cg_pictures_list(path, deep, error) : NULL;
    return !path || *found;
}

static gboolean parse_blend(const char *text, CgAugmentBlend *blend, GError **error)
{
    *blend = CG_AUGMENT_BLEND_POISSON;
    if (!text || cg_augment_blend_parse(text, blend))
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "unknown --blend \"%s\"; exact, poisson or mixed",
                text);
    return FALSE;
}

static void print_row(void *data, const json_t *row)
{
    const Options *o = data;
    if (o->compute.json) {
        json_dumpf(row, stdout, JSON_COMPACT | JSON_REAL_PRECISION(10));
        putchar('\n');
    } else {
        g_autofree char *path = g_build_filename(o->out, cg_json_text(row, "image"), NULL);
        printf("%s\n", path);
    }
    fflush(stdout);
}

static void print_summary(const CgBatchSummary *s)
{
    g_autofree char *skipped =
        s->skipped ? g_strdup_printf(", %u were there already", s->skipped) : g_strdup("");
    g_autofree char *speed =
        s->made ? g_strdup_printf("; %.1f images per second", 1 / s->seconds_per_image)
                : g_strdup("");
    cg_log_note("made %u image%s%s%s", s->made, s->made == 1 ? "" : "s", skipped, speed);
}

static gboolean run(Options *o, GError **error)
{
    CgBatchSummary summary;
    if (!cg_cli_common_start(&o->compute, error) || !check_options(o, error))
        return FALSE;
    CgAugmentBlend blend;
    g_autoptr(GPtrArray) normals = NULL;
    g_autoptr(GPtrArray) textures = NULL;
    g_autoptr(GPtrArray) defects = NULL;
    g_autoptr(GPtrArray) masks = NULL;
    if (!parse_blend(o->blend, &blend, error) || !list(o->normal, FALSE, &normals, error) ||
        !list(o->textures, TRUE, &textures, error) || !list(o->defects, FALSE, &defects, error) ||
        !list(o->defect_masks, FALSE, &masks, error))
        return FALSE;
    const CgAugmentOptions options = {
        .method = o->method,
        .out = o->out,
        .sheet = o->sheet,
        .category = o->category,
        .defect = o->defect,
        .seed = o->seed,
        .count = o->count != COUNT_UNSET ? (guint)o->count : normals->len,
        .normals = normals,
        .textures = textures,
        .defects = defects,
        .defect_masks = masks,
        .blend = blend,
        .foreground = o->foreground,
    };
    const gboolean ok = cg_augment_run(&options, print_row, o, &summary, error);
    if (!ok && g_error_matches(*error, CG_ERROR, CG_ERROR_CANCELLED)) {
        g_clear_error(error);
        g_set_error(error, CG_ERROR, CG_ERROR_CANCELLED,
                    "stopped after %u of %u images; the same command continues", summary.made,
                    options.count);
    }
    if (ok)
        print_summary(&summary);
    return ok;
}

int cg_cli_augment(int argc, char **argv)
{
    g_auto(Options) o = {.count = COUNT_UNSET};
    GError *error = NULL;
    if (!parse_options(argc, argv, &o, &error) || !run(&o, &error))
        return cg_cli_fail(error);
    return 0;
}
