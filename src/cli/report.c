/* cagen report: one HTML file of what an experiment made and measured. */
#include "cli/commands.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/system.h"
#include "cli/options.h"
#include "report/page.h"

#include <stdio.h>

#define MAX_SAMPLES 2000
#define MAX_SIDE    2048

typedef struct {
    CgCliCompute compute;
    char **parts[CG_PAGE_PART_COUNT], **folders;
    char *out, *title;
    int samples, side;
} Options;

static void options_clear(Options *o)
{
    cg_cli_compute_clear(&o->compute);
    for (int i = 0; i < CG_PAGE_PART_COUNT; i++)
        g_strfreev(o->parts[i]);
    g_strfreev(o->folders);
    g_free(o->out);
    g_free(o->title);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static const char description[] =
    "Each option may be given several times. What a PATH holds is found out: results and data "
    "sets\n"
    "by their files, trainings by journal.jsonl, tables of cagen evaluate, JSON of cagen metrics,\n"
    "detect test, figure 4 and quality, pictures. ROC and PR curves are there where the JSON has "
    "them\n"
    "(--curves 200).\n\n"
    "The page needs no network and no other file; it shows in light and dark and can be "
    "printed.\n\n"
    "Example:\n"
    "  cagen report --data mvtec out/ controlnet/ figures/figure4.json scores.json -o report.html";

static gboolean usage(GError **error, const char *message)
{
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "report: %s; see cagen report --help", message);
    return FALSE;
}

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    *o = (Options){.samples = 24, .side = 320};
    const GOptionEntry entries[] = {
        {"data", 'd', 0, G_OPTION_ARG_FILENAME_ARRAY, &o->parts[CG_PAGE_DATA],
         "data set, in any layout", "DIR"},
        {"generated", 'g', 0, G_OPTION_ARG_FILENAME_ARRAY, &o->parts[CG_PAGE_GENERATED],
         "results of cagen generate or augment", "DIR"},
        {"training", 't', 0, G_OPTION_ARG_FILENAME_ARRAY, &o->parts[CG_PAGE_TRAINING],
         "folder of a training, with journal.jsonl", "DIR"},
        {"evaluation", 'e', 0, G_OPTION_ARG_FILENAME_ARRAY, &o->parts[CG_PAGE_EVALUATION],
         "JSON of cagen metrics or detect test, or the folder of cagen evaluate", "PATH"},
        {"figure", 'f', 0, G_OPTION_ARG_FILENAME_ARRAY, &o->parts[CG_PAGE_FIGURE],
         "picture, or JSON of cagen figure 4 or quality", "FILE"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &o->out, "page to write (default: report.html)",
         "FILE.html"},
        {"title", 0, 0, G_OPTION_ARG_STRING, &o->title, "(default: Defects, made and found)",
         "TEXT"},
        {"samples", 'n', 0, G_OPTION_ARG_INT, &o->samples,
         "results to show of each folder, taken evenly (default: 24)", "N"},
        {"side", 0, 0, G_OPTION_ARG_INT, &o->side, "pixels of their longer side (default: 320)",
         "N"},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o->folders, NULL, NULL},
        CG_CLI_COMMON_ENTRIES(&o->compute),
    };
    return cg_cli_parse(&argc, &argv, "report", "[PATH...]",
                        "Writes one HTML file of what an experiment made and measured.",
                        description, entries, error);
}

static gboolean check_options(const Options *o, GError **error)
{
    gboolean any = o->folders != NULL;
    for (int i = 0; i < CG_PAGE_PART_COUNT; i++)
        any = any || o->parts[i];
    if (!any)
        return usage(error, "nothing to report of; give a folder");
    if (o->samples < 1 || o->samples > MAX_SAMPLES)
        return usage(error, "--samples can be 1 to 2000");
    if (o->side < 32 || o->side > MAX_SIDE)
        return usage(error, "--side can be 32 to 2048");
    return TRUE;
}

static gboolean add_all(const Options *o, CgPage *page, GError **error)
{
    for (int part = 0; part < CG_PAGE_PART_COUNT; part++)
        for (char **path = o->parts[part]; path && *path; path++)
            if (!cg_cancel_check(error) || !cg_page_add_part(page, (CgPagePart)part, *path, error))
                return FALSE;
    for (char **path = o->folders; path && *path; path++)
        if (!cg_cancel_check(error) || !cg_page_add(page, *path, error))
            return FALSE;
    return TRUE;
}

static gboolean run(int argc, char **argv, GError **error)
{
    g_auto(Options) o = {0};
    if (!parse_options(argc, argv, &o, error) || !check_options(&o, error) ||
        !cg_cli_common_start(&o.compute, error))
        return FALSE;
    const char *out = o.out ? o.out : "report.html";
    if (!cg_file_can_write(out, error))
        return FALSE;
    g_autoptr(CgPage) page = cg_page_new(o.title ? o.title : "Defects, made and found");
    cg_page_set_samples(page, (guint)o.samples, o.side);
    if (!add_all(&o, page, error) || !cg_page_write(page, out, error))
        return FALSE;
    printf("%s\n", out);
    return TRUE;
}

int cg_cli_report(int argc, char **argv)
{
    GError *error = NULL;
    return run(argc, argv, &error) ? 0 : cg_cli_fail(error);
}
