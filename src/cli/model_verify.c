/* cagen model verify */
#include "cli/model.h"

#include "base/error.h"
#include "base/log.h"
#include "cli/options.h"
#include "hub/cache.h"
#include "hub/hash.h"
#include "hub/settings.h"
#include "pipeline/inspect.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    CgCliCompute compute;
    char **ids;
} Options;

static void options_clear(Options *o)
{
    cg_cli_compute_clear(&o->compute);
    g_strfreev(o->ids);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

static gboolean parse_options(int argc, char **argv, Options *o, GError **error)
{
    const GOptionEntry entries[] = {
        {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &o->ids, NULL, NULL},
        CG_CLI_COMMON_ENTRIES(&o->compute),
    };
    return cg_cli_parse(&argc, &argv, "model verify", "[ID...]",
                        "Reads fetched models (all without ID) and compares every file with its "
                        "hash, and the\nnetworks with their configurations.",
                        "Exit code 1 when something is wrong; cagen model fetch gets a file again "
                        "once it is removed.",
                        entries, error);
}

/* Checks the contents of one file; *DAMAGED gets what is wrong, or NULL. FALSE when stopped. */
static gboolean check_file(const CgHubCachedFile *file, char **damaged, GError **error)
{
    g_autoptr(GError) wrong = NULL;
    g_autofree char *name = g_path_get_basename(file->blob);
    *damaged = NULL;
    if (file->missing)
        *damaged = g_strdup_printf("%s: missing", file->blob);
    else if (strlen(name) != 64 && strlen(name) != 40)
        *damaged = g_strdup_printf("%s: not named by a hash; cannot be checked", file->blob);
    else if (!cg_hub_hash_check(file->blob, name, &wrong)) {
        if (g_error_matches(wrong, CG_ERROR, CG_ERROR_CANCELLED)) {
            g_propagate_error(error, g_steal_pointer(&wrong));
            return FALSE;
        }
        *damaged = g_strdup(wrong->message);
    }
    return TRUE;
}

/* Adds what is wrong with C's files to PROBLEMS. */
static gboolean check_files(const CgHubCached *c, GPtrArray *problems, GError **error)
{
    g_autoptr(CgProgress) progress = cg_progress_new("verifying", c->bytes);
    guint64 done = 0;
    cg_progress_show_bytes(progress);
    for (guint i = 0; i < c->files->len; i++) {
        const CgHubCachedFile *file = g_ptr_array_index(c->files, i);
        char *damaged;
        if (!check_file(file, &damaged, error))
            return FALSE;
        if (damaged)
            g_ptr_array_add(problems, damaged);
        cg_progress_update(progress, done += file->size, file->path);
    }
    return TRUE;
}

static void check_networks(const CgHubCached *c, GPtrArray *problems)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) found = cg_inspect(c->folder, FALSE, &error);
    if (!found)
        g_ptr_array_add(problems, g_strdup(error->message));
    for (guint i = 0; found && i < found->len; i++) {
        const CgInspection *part = g_ptr_array_index(found, i);
        for (guint k = 0; k < part->problems->len; k++)
            g_ptr_array_add(problems,
                            g_strdup_printf("%s: %s", part->path,
                                            (char *)g_ptr_array_index(part->problems, k)));
    }
}

static void report(const Options *o, const CgHubCached *c, const GPtrArray *problems)
{
    if (o->compute.json) {
        g_autoptr(json_t) list = json_array();
        for (guint i = 0; i < problems->len; i++)
            json_array_append_new(list, json_string(g_ptr_array_index(problems, i)));
        g_autoptr(json_t) row = json_pack("{s:s, s:s, s:i, s:O}", "id", c->id, "commit", c->commit,
                                          "files", (int)c->files->len, "problems", list);
        json_dumpf(row, stdout, JSON_COMPACT);
        putchar('\n');
        return;
    }
    printf("%s  %.8s  %u files  %s\n", c->id, c->commit, c->files->len,
           problems->len ? "damaged" : "sound");
    for (guint i = 0; i < problems->len; i++)
        printf("  problem: %s\n", (const char *)g_ptr_array_index(problems, i));
}

/* The snapshots that ID has (NULL: all there are); *WRONG counts those with problems. */
static gboolean verify(const Options *o, const char *cache, const char *id, guint *wrong,
                       GError **error)
{
    g_autoptr(GPtrArray) list = cg_hub_cache_list(cache, id);
    if (id && list->len == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: not in the cache %s", id, cache);
        return FALSE;
    }
    if (list->len == 0)
        cg_log_note("no models in %s", cache);
    for (guint i = 0; i < list->len; i++) {
        const CgHubCached *c = g_ptr_array_index(list, i);
        g_autoptr(GPtrArray) problems = g_ptr_array_new_with_free_func(g_free);
        if (!check_files(c, problems, error))
            return FALSE;
        check_networks(c, problems);
        report(o, c, problems);
        *wrong += problems->len > 0;
    }
    return TRUE;
}

int cg_cli_model_verify(int argc, char **argv)
{
    g_auto(Options) o = {0};
    GError *error = NULL;
    guint wrong = 0;
    g_autofree char *cache = cg_hub_cache_folder();
    if (!parse_options(argc, argv, &o, &error) || !cg_cli_common_start(&o.compute, &error))
        return cg_cli_fail(error);
    char *const all[] = {NULL};
    char *const *id = o.ids ? o.ids : all;
    do {
        if (!verify(&o, cache, *id, &wrong, &error))
            return cg_cli_fail(error);
    } while (*id && *++id);
    return wrong > 0;
}
