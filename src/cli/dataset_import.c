/* cagen dataset import: annotations as a data set with masks. */
#include "cli/dataset.h"

#include "base/system.h"
#include "cli/options.h"
#include "datasets/import.h"

#include <stdio.h>

typedef struct {
    char *images, *out, *category;
    gboolean link;
    char **paths;
} Options;

static void options_clear(Options *o)
{
    g_free(o->images);
    g_free(o->out);
    g_free(o->category);
    g_strfreev(o->paths);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    const GOptionEntry entries[] = {
        {"images", 0, 0, G_OPTION_ARG_FILENAME, &o->images,
         "where the images are (default: beside the annotations)", "DIR"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &o->out, "the folder to write", "DIR"},
        {"category", 0, 0, G_OPTION_ARG_FILENAME, &o->category,
         "what the images show (default: object)", "NAME"},
        {"link", 0, 0, G_OPTION_ARG_NONE, &o->link, "hard links of PNG images instead of copies",
         NULL},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o->paths, NULL, NULL},
        G_OPTION_ENTRY_NULL,
    };
    if (!cg_cli_parse(
            &argc, &argv, "dataset import", "FILE.json|DIR",
            "Draws the masks of outlines made in labelme (a folder of JSON files) or of a COCO\n"
            "file, and writes a data set in MVTec's layout: images without any outline are\n"
            "normal ones.",
            NULL, entries, error))
        return FALSE;
    const char *missing = !o->paths || o->paths[1] ? "exactly one FILE.json or DIR"
                          : !o->out                ? "--out DIR"
                                                   : NULL;
    if (!missing)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "dataset import: %s is needed; see cagen dataset import --help", missing);
    return FALSE;
}

static gboolean run(int argc, char **argv, GError **error)
{
    g_auto(Options) o = {0};
    CgImportSummary summary;
    if (!parse_options(argc, argv, &o, error))
        return FALSE;
    const CgImportOptions options = {.images = o.images,
                                     .out = o.out,
                                     .category = o.category ? o.category : "object",
                                     .link = o.link};
    cg_cancel_install();
    if (!cg_dataset_import(o.paths[0], &options, &summary, error))
        return FALSE;
    printf("%s: %u images, %u masks\n", o.out, summary.images, summary.masks);
    return TRUE;
}

int cg_cli_dataset_import(int argc, char **argv)
{
    GError *error = NULL;
    return run(argc, argv, &error) ? 0 : cg_cli_fail(error);
}
