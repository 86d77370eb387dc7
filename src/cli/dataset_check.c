/* cagen dataset check: every problem of a data set. */
#include "cli/dataset.h"

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/system.h"
#include "cli/options.h"
#include "datasets/check.h"

#include <stdio.h>

typedef struct {
    char *layout;
    gboolean names, json, quiet;
    int threads;
    char **paths;
} Options;

static void options_clear(Options *o)
{
    g_free(o->layout);
    g_strfreev(o->paths);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    const GOptionEntry entries[] = {
        {"layout", 0, 0, G_OPTION_ARG_STRING, &o->layout, CG_CLI_DATASET_LAYOUTS, "NAME"},
        {"names", 0, 0, G_OPTION_ARG_NONE, &o->names, "look at names alone; read no pixels", NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &o->json, "one JSON object per problem, and a last one",
         NULL},
        {"threads", 0, 0, G_OPTION_ARG_INT, &o->threads,
         "threads to read with (default: one per core)", "N"},
        {"quiet", 'q', 0, G_OPTION_ARG_NONE, &o->quiet, "no progress", NULL},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o->paths, NULL, NULL},
        G_OPTION_ENTRY_NULL,
    };
    if (!cg_cli_parse(
            &argc, &argv, "dataset check", "DIR",
            "Reads every image and mask of a data set and lists what is wrong: unpaired "
            "masks, sizes\nthat differ, masks that are not 0 and 255 or empty, files that "
            "cannot be read, the same\nfile in training and test, odd channel counts, "
            "files that belong nowhere.",
            "Exit code 1 when something is wrong.", entries, error))
        return FALSE;
    if (!o->paths || o->paths[1]) {
        g_set_error_literal(error, CG_ERROR, CG_ERROR_USAGE,
                            "dataset check: one folder is needed; see cagen dataset check --help");
        return FALSE;
    }
    if (o->threads < 0 || o->threads > 1024) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "--threads %d: 1 to 1024 are possible",
                    o->threads);
        return FALSE;
    }
    return TRUE;
}

static void print_text(const CgDataset *d)
{
    for (guint i = 0; i < d->problems->len; i++) {
        const CgProblem *p = g_ptr_array_index(d->problems, i);
        g_autofree char *path = cg_cli_dataset_show(p->path);
        g_autofree char *text = cg_cli_dataset_show(p->text);
        printf("%s: %s [%s]\n", path, text, cg_problem_kind_name(p->kind));
    }
    printf("%u problem%s in %u images\n", d->problems->len, d->problems->len == 1 ? "" : "s",
           d->samples->len);
}

static void print_object(json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

static void print_json(const CgDataset *d)
{
    for (guint i = 0; i < d->problems->len; i++) {
        const CgProblem *p = g_ptr_array_index(d->problems, i);
        json_t *object = json_object();
        json_object_set_new(object, "problem", json_string(cg_problem_kind_name(p->kind)));
        json_object_set_new(object, "path", cg_cli_dataset_json(p->path));
        json_object_set_new(object, "text", cg_cli_dataset_json(p->text));
        print_object(object);
    }
    json_t *last = json_object();
    json_object_set_new(last, "layout", json_string(cg_layout_name(d->layout)));
    json_object_set_new(last, "images", json_integer(d->samples->len));
    json_object_set_new(last, "problems", json_integer(d->problems->len));
    print_object(last);
}

int cg_cli_dataset_check(int argc, char **argv)
{
    g_auto(Options) o = {0};
    GError *error = NULL;
    if (!parse_options(argc, argv, &o, &error))
        return cg_cli_fail(error);
    cg_log_set_json(o.json);
    cg_log_set_level(o.quiet ? CG_LOG_QUIET : CG_LOG_NORMAL);
    cg_threads_set(o.threads);
    cg_cancel_install();
    g_autoptr(CgDataset) d = cg_cli_dataset_open(o.paths[0], o.layout, &error);
    if (!d || (!o.names && !cg_dataset_check(d, &error)))
        return cg_cli_fail(error);
    (o.json ? print_json : print_text)(d);
    return d->problems->len > 0;
}
