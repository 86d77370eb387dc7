/* cagen dataset split: the few images per defect type that may be learnt from. */
#include "cli/dataset.h"

#include "base/error.h"
#include "base/system.h"
#include "cli/options.h"
#include "datasets/export.h"
#include "datasets/split.h"

#include <stdio.h>

typedef struct {
    char *layout, *out, *aliases, *copy;
    int shots;
    gint64 seed;
    gboolean json;
    char **paths;
} Options;

static void options_clear(Options *o)
{
    g_free(o->layout);
    g_free(o->out);
    g_free(o->aliases);
    g_free(o->copy);
    g_strfreev(o->paths);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    const GOptionEntry entries[] = {
        {"shots", 'k', 0, G_OPTION_ARG_INT, &o->shots, "images per defect type (default: 3)", "K"},
        {"seed", 's', 0, G_OPTION_ARG_INT64, &o->seed, "which ones (default: 0)", "S"},
        {"out", 'o', 0, G_OPTION_ARG_FILENAME, &o->out, "the split file to write", "FILE"},
        {"aliases", 0, 0, G_OPTION_ARG_FILENAME, &o->aliases,
         "JSON with names for categories and defects, and phrasings", "FILE"},
        {"layout", 0, 0, G_OPTION_ARG_STRING, &o->layout, CG_CLI_DATASET_LAYOUTS, "NAME"},
        {"copy", 0, 0, G_OPTION_ARG_FILENAME, &o->copy,
         "also a data set of these images alone (MVTec AD's layout): their masks are a library for "
         "cagen mask, they themselves defects for cagen augment",
         "DIR"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &o->json, "one JSON object per defect type", NULL},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o->paths, NULL, NULL},
        G_OPTION_ENTRY_NULL,
    };
    o->shots = 3;
    if (!cg_cli_parse(&argc, &argv, "dataset split", "DIR",
                      "Draws a few defective images of every type to learn from, and writes them "
                      "with their\nprompts to a file; whoever tests leaves them out.",
                      NULL, entries, error))
        return FALSE;
    if (!o->paths || o->paths[1] || !o->out) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "dataset split: %s; see cagen dataset split "
                    "--help",
                    o->out ? "one folder is needed" : "--out FILE is missing");
        return FALSE;
    }
    if (o->shots < 1 || o->shots > CG_SPLIT_MAX_SHOTS || o->seed < 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "dataset split: %s",
                    o->seed < 0 ? "--seed must not be negative" : "--shots must be 1 to 1000000");
        return FALSE;
    }
    return TRUE;
}

static guint count_type(const CgDataset *d, const CgShot *shot)
{
    guint count = 0;
    for (guint i = 0; i < d->samples->len; i++) {
        const CgSample *s = cg_dataset_sample(d, i);
        count += g_str_equal(s->category, shot->category) && g_str_equal(s->defect, shot->defect);
    }
    return count;
}

static void print_type(const CgShot *shot, guint shots, guint left, const CgPrompts *prompts,
                       gboolean json)
{
    g_auto(GStrv) list = cg_prompts_make(prompts, shot->category, shot->defect);
    if (!json) {
        printf("%-16s  %-24s  %7u  %7u  %s\n", shot->category, shot->defect, shots, left, list[0]);
        return;
    }
    g_autoptr(json_t) row = json_object();
    json_object_set_new(row, "category", json_string(shot->category));
    json_object_set_new(row, "defect", json_string(shot->defect));
    json_object_set_new(row, "shots", json_integer(shots));
    json_object_set_new(row, "left", json_integer(left));
    json_object_set_new(row, "prompt", json_string(list[0]));
    json_dumpf(row, stdout, JSON_COMPACT);
    putchar('\n');
}

static void print_split(const CgSplit *split, const CgDataset *d, const CgPrompts *prompts,
                        gboolean json)
{
    if (!json)
        printf("%-16s  %-24s  %7s  %7s  %s\n", "category", "defect", "shots", "left", "prompt");
    for (guint i = 0, end; i < split->images->len; i = end) {
        const CgShot *first = g_ptr_array_index(split->images, i);
        for (end = i; end < split->images->len; end++) {
            const CgShot *shot = g_ptr_array_index(split->images, end);
            if (!g_str_equal(shot->category, first->category) ||
                !g_str_equal(shot->defect, first->defect))
                break;
        }
        print_type(first, end - i, count_type(d, first) - (end - i), prompts, json);
    }
}

/* The images of SPLIT alone, as a data set. */
static gboolean copy_shots(const Options *o, const CgSplit *split, GError **error)
{
    const CgExportOptions options = {.format = CG_EXPORT_MVTEC, .out = o->copy};
    CgExportSummary summary;
    g_autoptr(CgDataset) d = cg_cli_dataset_open(o->paths[0], o->layout, error);
    return d && cg_split_separate(split, d, TRUE, error) &&
           cg_dataset_export(d, &options, &summary, error);
}

int cg_cli_dataset_split(int argc, char **argv)
{
    g_auto(Options) o = {0};
    GError *error = NULL;
    if (!parse_options(argc, argv, &o, &error))
        return cg_cli_fail(error);
    cg_cancel_install();
    g_autoptr(CgPrompts) prompts = cg_prompts_load(o.aliases, &error);
    if (!prompts)
        return cg_cli_fail(error);
    g_autoptr(CgDataset) d = cg_cli_dataset_open(o.paths[0], o.layout, &error);
    if (!d)
        return cg_cli_fail(error);
    g_autoptr(CgSplit) split = cg_split_draw(d, (guint)o.shots, (guint64)o.seed, &error);
    if (!split || !cg_split_save(split, o.out, prompts, &error))
        return cg_cli_fail(error);
    if (o.copy && !copy_shots(&o, split, &error))
        return cg_cli_fail(error);
    print_split(split, d, prompts, o.json);
    return 0;
}
