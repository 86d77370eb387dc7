/* cagen sheet: look at what a run made. */
#include "cli/commands.h"

#include "base/error.h"
#include "base/log.h"
#include "base/system.h"
#include "cli/options.h"
#include "pipeline/overview.h"

#include <stdio.h>

#define MAX_ROWS 1000
#define MIN_CELL 32
#define MAX_CELL 2048

typedef struct {
    char **folders;
    char *out, *category, *defect;
    int count, cell;
    gboolean dropped;
} Options;

static void options_clear(Options *o)
{
    g_strfreev(o->folders);
    g_free(o->out);
    g_free(o->category);
    g_free(o->defect);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static gboolean usage(GError **error, const char *text)
{
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "sheet: %s; see cagen sheet --help", text);
    return FALSE;
}

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    *o = (Options){.count = 12, .cell = 256};
    const GOptionEntry entries[] = {
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &o->out,
         "the picture to write (default: DIR/sheet.png; with --dropped DIR/dropped.png)",
         "FILE.png"},
        {"count", 'n', 0, G_OPTION_ARG_INT, &o->count,
         "results to show, taken evenly from all (default: 12)", "N"},
        {"cell", 0, 0, G_OPTION_ARG_INT, &o->cell, "pixels of each picture (default: 256)", "N"},
        {"category", 'c', 0, G_OPTION_ARG_FILENAME, &o->category, "only this category", "NAME"},
        {"defect", 0, 0, G_OPTION_ARG_FILENAME, &o->defect, "only this kind of defect", "NAME"},
        {"dropped", 0, 0, G_OPTION_ARG_NONE, &o->dropped,
         "those that were sorted out instead of those kept", NULL},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o->folders, NULL, NULL},
        G_OPTION_ENTRY_NULL,
    };
    if (!cg_cli_parse(&argc, &argv, "sheet", "DIR",
                      "Draws results of the generated folder DIR in rows: normal image, mask, "
                      "result, and the\nresult with the mask's outline.",
                      NULL, entries, error))
        return FALSE;
    if (!o->folders || o->folders[1])
        return usage(error, "exactly one DIR is needed, a folder that cagen generated");
    if (o->count < 1 || o->count > MAX_ROWS)
        return usage(error, "--count can be 1 to 1000");
    if (o->cell < MIN_CELL || o->cell > MAX_CELL)
        return usage(error, "--cell can be 32 to 2048");
    if (!o->out)
        o->out = g_build_filename(o->folders[0], o->dropped ? "dropped.png" : "sheet.png", NULL);
    return TRUE;
}

static gboolean run(int argc, char **argv, GError **error)
{
    g_auto(Options) o = {0};
    if (!parse_options(argc, argv, &o, error))
        return FALSE;
    cg_cancel_install();
    const CgOverview overview = {.folder = o.folders[0],
                                 .category = o.category,
                                 .defect = o.defect,
                                 .dropped = o.dropped,
                                 .count = o.count,
                                 .cell = o.cell};
    guint shown = 0, found = 0;
    g_autoptr(CgImage) sheet = cg_overview_draw(&overview, &shown, &found, error);
    if (!sheet || !cg_image_save_png(sheet, o.out, error))
        return FALSE;
    printf("%s\n", o.out);
    cg_log_note("%u of %u results", shown, found);
    return TRUE;
}

int cg_cli_sheet(int argc, char **argv)
{
    GError *error = NULL;
    return run(argc, argv, &error) ? 0 : cg_cli_fail(error);
}
