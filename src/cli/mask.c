/* cagen mask: where defects shall be. */
#include "cli/commands.h"

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/options.h"
#include "pipeline/mask_recipe.h"
#include "pipeline/masks.h"
#include "pipeline/pictures.h"

#include <stdio.h>
#include <string.h>

#define COUNT_UNSET G_MININT
#define MAX_COUNT   1000000

typedef struct {
    CgCliCompute compute;
    char *shape, *normal, *size, *foreground, *library, *allowed, *forbidden, *out, *sheet, *jobs;
    gint64 seed;
    double min_area, max_area;
    int count, latent, min_cells;
} Options;

static void options_clear(Options *o)
{
    char *const text[] = {o->shape,   o->normal,    o->size, o->foreground, o->library,
                          o->allowed, o->forbidden, o->out,  o->sheet,      o->jobs};
    cg_cli_compute_clear(&o->compute);
    for (size_t i = 0; i < G_N_ELEMENTS(text); i++)
        g_free(text[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static const char description[] =
    "Shapes: one of these, or several separated by \"|\", of which each mask takes one. Parameters "
    "follow\nbehind \":\", as NAME=VALUE or NAME=LOW..HIGH (drawn anew for each), separated by "
    "commas:\n"
    "  perlin     threshold=0.5,low=0,high=5,rotation=90   DRAEM's noise of 2^low to 2^high cells\n"
    "  rectangle  area=0.02..0.15,aspect=0.3..3.3,angle=0\n"
    "  scar       width=0.008..0.0625,length=0.04..0.1,angle=-45..45\n"
    "  line       width=0.004..0.012,length=0.1..0.5,angle=0..180\n"
    "  scratch    the same, and points=3..7,bend=25\n"
    "  blob       area=0.002..0.03,aspect=0.5..2,angle=0..180,rough=0.3\n"
    "  ellipse    area=0.002..0.05,aspect=0.4..2.5,angle=0..180\n"
    "  library    scale=0.8..1.25,angle=-180..180,aspect=0.9..1.1,warp=0.05   real masks, "
    "--library\n"
    "All but perlin have count=1, shapes in one mask. Lengths are shares of the image's shorter "
    "side,\nareas of the image.\n\n"
    "Mask i belongs to image i, starting over at the list's end, and depends on seed and i "
    "alone.\n\n"
    "Example:\n"
    "  cagen mask --shape 'perlin|scratch' --normal screw/train/good --count 100 --out masks \\\n"
    "      --sheet masks.png --jobs jobs.jsonl";

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    const GOptionEntry entries[] = {
        {"shape", 0, 0, G_OPTION_ARG_STRING, &o->shape, "what is drawn (default: perlin)", "SPEC"},
        {"normal", 'n', 0, G_OPTION_ARG_FILENAME, &o->normal,
         "image, or folder of images, that masks are for", "IMG|DIR"},
        {"size", 0, 0, G_OPTION_ARG_STRING, &o->size, "masks of this size, for no image", "WxH"},
        {"foreground", 0, 0, G_OPTION_ARG_FILENAME, &o->foreground,
         "where the object is: auto, object (found before its ground), texture (everywhere), or a "
         "ready mask, or a folder of such with the images' names (default: auto)",
         "POLICY|IMG|DIR"},
        {"library", 0, 0, G_OPTION_ARG_FILENAME, &o->library, "real masks for the shape library",
         "IMG|DIR"},
        {"allowed", 0, 0, G_OPTION_ARG_FILENAME, &o->allowed, "masks only where this is white",
         "IMG"},
        {"forbidden", 0, 0, G_OPTION_ARG_FILENAME, &o->forbidden, "no masks where this is white",
         "IMG"},
        {"min-area", 0, 0, G_OPTION_ARG_DOUBLE, &o->min_area,
         "smallest mask, as a share of the image (default: 64 pixels of 512x512)", "A"},
        {"max-area", 0, 0, G_OPTION_ARG_DOUBLE, &o->max_area, "largest mask (default: 1)", "A"},
        {"latent", 0, 0, G_OPTION_ARG_INT, &o->latent,
         "cells of the latent grid along the longer side (default: 64, that is 512 pixels)", "N"},
        {"min-cells", 0, 0, G_OPTION_ARG_INT, &o->min_cells,
         "latent cells that a mask must touch (default: 2)", "N"},
        {"count", 0, 0, G_OPTION_ARG_INT, &o->count, "masks to make (default: one for each image)",
         "N"},
        {"seed", 's', 0, G_OPTION_ARG_INT64, &o->seed, "seed of all that is drawn (default: 0)",
         "S"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &o->out, "folder for 000.png, 001.png, ...", "DIR"},
        {"sheet", 0, 0, G_OPTION_ARG_FILENAME, &o->sheet,
         "contact sheet of the first masks over their images", "PNG"},
        {"jobs", 0, 0, G_OPTION_ARG_FILENAME, &o->jobs,
         "list of images and masks, to be read by cagen generate --jobs", "FILE"},
        CG_CLI_COMMON_ENTRIES(&o->compute),
    };
    return cg_cli_parse(&argc, &argv, "mask", NULL, "Draws masks that say where defects shall be.",
                        description, entries, error);
}

static gboolean usage(GError **error, const char *message)
{
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "mask: %s; see cagen mask --help", message);
    return FALSE;
}

static gboolean check_options(const Options *o, GError **error)
{
    if (!o->out)
        return usage(error, "--out is missing");
    if (!o->normal == !o->size)
        return usage(error, "one of --normal and --size is needed");
    if (o->jobs && !o->normal)
        return usage(error, "--jobs needs --normal");
    if (o->count != COUNT_UNSET && (o->count < 1 || o->count > MAX_COUNT))
        return usage(error, "--count must be 1 to 1000000");
    if (o->seed < 0)
        return usage(error, "--seed must be 0 or more");
    if (!(o->min_area >= 0 && o->max_area > 0 && o->max_area <= 1 && o->min_area <= o->max_area))
        return usage(error, "--min-area and --max-area must be 0 to 1, and in order");
    if (o->latent < 1 || o->latent > 4096)
        return usage(error, "--latent must be 1 to 4096");
    if (o->min_cells < 1)
        return usage(error, "--min-cells must be 1 or more");
    return TRUE;
}

static gboolean parse_size(const char *text, CgMasksOptions *masks, GError **error)
{
    char x, rest;
    if (sscanf(text, "%d%c%d%c", &masks->width, &x, &masks->height, &rest) == 3 && x == 'x' &&
        masks->width >= 1 && masks->height >= 1 && masks->width <= CG_IMAGE_MAX_SIDE &&
        masks->height <= CG_IMAGE_MAX_SIDE &&
        (gint64)masks->width * masks->height <= CG_IMAGE_MAX_PIXELS)
        return TRUE;
    return usage(error, "--size must be WIDTHxHEIGHT in pixels, like 512x512");
}

static void print_row(void *data, const CgMasksRow *row)
{
    const Options *o = data;
    if (!o->compute.json) {
        printf("%s\n", row->mask);
    } else {
        g_autofree char *mask = cg_json_quote(row->mask);
        g_autofree char *normal = row->normal ? cg_json_quote(row->normal) : g_strdup("null");
        char area[G_ASCII_DTOSTR_BUF_SIZE];
        g_ascii_formatd(area, sizeof area, "%.6g", row->area);
        printf(
            "{\"mask\":%s,\"normal\":%s,\"area\":%s,\"foreground\":\"%s\"}\n", mask, normal, area,
            row->policy == CG_FOREGROUND_AUTO ? "given" : cg_foreground_policy_name(row->policy));
    }
    fflush(stdout);
}

static gboolean run(Options *o, GError **error)
{
    if (!cg_cli_common_start(&o->compute, error) || !check_options(o, error))
        return FALSE;
    CgMasksOptions masks = {.allowed = o->allowed,
                            .forbidden = o->forbidden,
                            .min_area = o->min_area,
                            .max_area = o->max_area,
                            .latent_side = o->latent,
                            .min_cells = o->min_cells,
                            .seed = o->seed,
                            .out = o->out,
                            .sheet = o->sheet,
                            .jobs = o->jobs};
    g_autoptr(CgMaskShapes) shapes = cg_mask_shapes_parse(o->shape ? o->shape : "perlin", error);
    if (!shapes)
        return FALSE;
    if (cg_mask_shapes_need_library(shapes) && !o->library)
        return usage(error, "the shape library needs --library");
    g_autoptr(CgMaskLibrary) library = NULL;
    if (o->library && !(library = cg_mask_library_open(o->library, error)))
        return FALSE;
    g_autoptr(GPtrArray) normals = NULL;
    if (o->normal && !(normals = cg_pictures_list(o->normal, FALSE, error)))
        return FALSE;
    if (o->size && !parse_size(o->size, &masks, error))
        return FALSE;
    masks.foreground = o->foreground;
    masks.shapes = shapes;
    masks.library = library;
    masks.normals = normals;
    masks.count = o->count != COUNT_UNSET ? (guint)o->count : normals ? normals->len : 1;
    if (!cg_masks_run(&masks, print_row, o, error))
        return FALSE;
    cg_log_note("drew %u mask%s", masks.count, masks.count == 1 ? "" : "s");
    return TRUE;
}

int cg_cli_mask(int argc, char **argv)
{
    g_auto(Options) o = {.count = COUNT_UNSET,
                         .max_area = 1,
                         .latent = CG_MASK_RECIPE_LATENT,
                         .min_cells = CG_MASK_RECIPE_MIN_CELLS};
    GError *error = NULL;
    if (!parse_options(argc, argv, &o, &error) || !run(&o, &error))
        return cg_cli_fail(error);
    return 0;
}
