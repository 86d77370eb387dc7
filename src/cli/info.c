/* cagen info: what a model consists of, and what is wrong with it. */
#include "cli/commands.h"

#include "base/log.h"
#include "cli/options.h"
#include "pipeline/inspect.h"

#include <stdio.h>

typedef struct {
    gboolean values, json;
    char **paths;
} Options;

static void options_clear(Options *o)
{
    g_strfreev(o->paths);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    const GOptionEntry entries[] = {
        {"check", 0, 0, G_OPTION_ARG_NONE, &o->values,
         "read every weight and look for NaN and infinity", NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &o->json, "one JSON object per network", NULL},
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o->paths, NULL, NULL},
        G_OPTION_ENTRY_NULL,
    };
    if (!cg_cli_parse(&argc, &argv, "info", "DIR|FILE...",
                      "Tells the networks in a model's folder, a network's folder (detectors and "
                      "classifiers too),\na safetensors or PyTorch file: sizes, number types, and "
                      "every tensor that is missing, too many\nor of the wrong shape.",
                      "Exit code 1 when something is wrong.", entries, error))
        return FALSE;
    if (o->paths)
        return TRUE;
    g_set_error_literal(error, CG_ERROR, CG_ERROR_USAGE,
                        "info: a folder or file is needed; see cagen info --help");
    return FALSE;
}

static void print_text(const CgInspection *i)
{
    printf("%s  %s\n", i->network, i->path);
    if (i->summary)
        printf("  %s\n", i->summary);
    g_autofree char *size = g_format_size(i->bytes);
    if (i->tensors)
        printf("  %" G_GUINT64_FORMAT " parameters in %u tensors, %s, %s, fingerprint %s\n",
               i->parameters, i->tensors, i->dtypes, size, i->fingerprint);
    for (guint k = 0; k < i->problems->len; k++)
        printf("  problem: %s\n", (const char *)g_ptr_array_index(i->problems, k));
}

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static void print_json(const CgInspection *i)
{
    json_t *problems = json_array();
    for (guint k = 0; k < i->problems->len; k++)
        json_array_append_new(problems, json_string(g_ptr_array_index(i->problems, k)));
    g_autoptr(json_t) object = json_object();
    json_object_set_new(object, "component", json_string(i->network));
    json_object_set_new(object, "path", json_string(i->path));
    json_object_set_new(object, "summary", text_or_null(i->summary));
    json_object_set_new(object, "tensors", json_integer(i->tensors));
    json_object_set_new(object, "parameters", json_integer((json_int_t)i->parameters));
    json_object_set_new(object, "bytes", json_integer((json_int_t)i->bytes));
    json_object_set_new(object, "dtypes", text_or_null(i->dtypes));
    json_object_set_new(object, "fingerprint", text_or_null(i->fingerprint));
    json_object_set_new(object, "problems", problems);
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
}

int cg_cli_info(int argc, char **argv)
{
    g_auto(Options) o = {0};
    GError *error = NULL;
    guint problems = 0;
    if (!parse_options(argc, argv, &o, &error))
        return cg_cli_fail(error);
    for (char **path = o.paths; *path; path++) {
        cg_cli_find_model(path);
        g_autoptr(GPtrArray) found = cg_inspect(*path, o.values, &error);
        if (!found)
            return cg_cli_fail(error);
        for (guint i = 0; i < found->len; i++) {
            const CgInspection *inspection = g_ptr_array_index(found, i);
            (o.json ? print_json : print_text)(inspection);
            problems += inspection->problems->len;
        }
    }
    return problems > 0;
}
