/* cagen model list */
#include "cli/model.h"

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/options.h"
#include "hub/cache.h"
#include "hub/settings.h"
#include "pipeline/inspect.h"

#include <stdio.h>

typedef struct {
    gboolean json;
} Options;

/* What is wrong with it, first of all; NULL: nothing. Free with g_free. */
static char *find_problem(const CgHubCached *c)
{
    for (guint i = 0; i < c->files->len; i++) {
        const CgHubCachedFile *file = g_ptr_array_index(c->files, i);
        if (file->missing)
            return g_strdup_printf("%s is missing", file->path);
    }
    if (c->incomplete > 0) {
        g_autofree char *size = g_format_size(c->incomplete);
        return g_strdup_printf("a download is unfinished (%s of a file have come)", size);
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) found = cg_inspect(c->folder, FALSE, &error);
    if (!found)
        return g_strdup(error->message);
    for (guint i = 0; i < found->len; i++) {
        const CgInspection *part = g_ptr_array_index(found, i);
        if (part->problems->len > 0)
            return g_strdup_printf("%s: %s", part->network,
                                   (const char *)g_ptr_array_index(part->problems, 0));
    }
    return NULL;
}

static void print_json(const CgHubCached *c, const char *problem)
{
    g_autoptr(json_t) row =
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:I, s:s?}", "id", c->id, "revisions", c->revisions,
                  "commit", c->commit, "folder", c->folder, "files", (int)c->files->len, "bytes",
                  (json_int_t)c->bytes, "problem", problem);
    json_dumpf(row, stdout, JSON_COMPACT);
    putchar('\n');
}

static void print_text(const CgHubCached *c, const char *problem)
{
    g_autofree char *size = g_format_size(c->bytes);
    printf("%s  %s  %.8s  %s  %s\n", c->id, *c->revisions ? c->revisions : "-", c->commit, size,
           problem ? problem : "complete");
}

int cg_cli_model_list(int argc, char **argv)
{
    Options o = {0};
    GError *error = NULL;
    const GOptionEntry entries[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, &o.json, "one JSON object per model", NULL},
        G_OPTION_ENTRY_NULL,
    };
    if (!cg_cli_parse(&argc, &argv, "model list", "",
                      "Tells which models are in the cache: name, revisions, commit, size, and "
                      "whether they are complete.",
                      "The cache is HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub.",
                      entries, &error))
        return cg_cli_fail(error);
    g_autofree char *cache = cg_hub_cache_folder();
    g_autoptr(GPtrArray) list = cg_hub_cache_list(cache, NULL);
    for (guint i = 0; i < list->len; i++) {
        const CgHubCached *c = g_ptr_array_index(list, i);
        g_autofree char *problem = find_problem(c);
        (o.json ? print_json : print_text)(c, problem);
    }
    if (list->len == 0)
        cg_log_note("no models in %s", cache);
    return 0;
}
