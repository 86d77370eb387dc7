#include "cli/options.h"

#include "base/file.h"
#include "base/log.h"
#include "base/system.h"
#include "cli/manual.h"
#include "hub/cache.h"
#include "hub/settings.h"
#include "metrics/evaluation.h"

#include <stdio.h>
#include <string.h>

#define MAX_THREADS 1024

int cg_cli_fail(GError *error)
{
    const int code = cg_error_exit_code(error);
    if (!cg_cli_manual_is_collecting())
        cg_log_error("%s", error->message);
    g_error_free(error);
    return code;
}

void cg_cli_find_model(char **path)
{
    if (!*path || g_file_test(*path, G_FILE_TEST_EXISTS) || !cg_hub_is_id(*path))
        return;
    g_autofree char *cache = cg_hub_cache_folder();
    char *folder = cg_hub_snapshot(cache, *path, "main");
    if (!folder)
        return;
    g_free(*path);
    *path = folder;
}

/* Options that name a model or a part of one. */
static void find_models(const GOptionEntry *entries)
{
    static const char *const names[] = {"model",  "controlnet", "vae", "tokenizer",
                                        "config", "from",       NULL};
    for (; entries->long_name; entries++)
        if (entries->arg == G_OPTION_ARG_FILENAME && g_strv_contains(names, entries->long_name))
            cg_cli_find_model(entries->arg_data);
}

gboolean cg_cli_parse(int *argc, char ***argv, const char *command, const char *usage,
                      const char *summary, const char *description, const GOptionEntry *entries,
                      GError **error)
{
    g_autoptr(GOptionContext) context = g_option_context_new(usage);
    g_autofree char *name = g_strconcat("cagen ", command, NULL);
    g_autoptr(GError) wrong = NULL;
    if (cg_cli_manual_is_collecting()) {
        cg_cli_manual_add(usage, summary, description, entries);
        g_set_error_literal(error, CG_ERROR, CG_ERROR_USAGE, "only asked for its options");
        return FALSE;
    }
    g_set_prgname(name);
    g_option_context_set_summary(context, summary);
    g_option_context_set_description(context, description);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, &wrong)) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "%s: %s; see cagen %s --help", command,
                    wrong->message, command);
        return FALSE;
    }
    if (*argc > 1) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "%s: unexpected \"%s\"; see cagen %s --help",
                    command, (*argv)[1], command);
        return FALSE;
    }
    find_models(entries);
    return TRUE;
}

gboolean cg_cli_choose(const char *command, const char *option, const char *text,
                       const char *const *known, gboolean *chosen, GError **error)
{
    g_autofree char *all = g_strjoinv(", ", (char **)(guintptr)known);
    g_auto(GStrv) names = text ? g_strsplit(text, ",", -1) : g_strdupv((char **)(guintptr)known);
    for (char **name = names; *name; name++) {
        guint k = 0;
        while (known[k] && strcmp(known[k], *name) != 0)
            k++;
        if (!known[k]) {
            g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                        "%s: %s knows %s, not \"%s\"; see cagen %s --help", command, option, all,
                        *name, command);
            return FALSE;
        }
        chosen[k] = TRUE;
    }
    return TRUE;
}

gboolean cg_cli_choose_modes(const char *command, const char *text, gboolean *modes, GError **error)
{
    const char *known[CG_MODE_COUNT + 1] = {NULL};
    for (int m = 0; m < CG_MODE_COUNT; m++)
        known[m] = cg_mode_name((CgMode)m);
    return cg_cli_choose(command, "--mode", text, known, modes, error);
}

gboolean cg_cli_write(const char *text, const char *path, GError **error)
{
    if (path)
        return cg_file_write(path, text, strlen(text), error);
    fputs(text, stdout);
    return TRUE;
}

void cg_cli_compute_clear(CgCliCompute *c)
{
    g_clear_pointer(&c->dtype, g_free);
}

static gboolean choose_dtype(const char *text, CgEngine *engine, CgDType *dtype, GError **error)
{
    CgEngineInfo info;
    cg_engine_cpu_info(engine, &info);
    *dtype = info.auto_dtype;
    if (!text || g_str_equal(text, "auto") || cg_dtype_parse_compute(text, dtype))
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "unknown --dtype \"%s\"; auto, f32 or bf16", text);
    return FALSE;
}

gboolean cg_cli_common_start(const CgCliCompute *c, GError **error)
{
    if (c->threads < 0 || c->threads > MAX_THREADS) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "--threads %d: 1 to %d are possible",
                    c->threads, MAX_THREADS);
        return FALSE;
    }
    cg_log_set_json(c->json);
    cg_log_set_level(c->quiet ? CG_LOG_QUIET : c->verbose ? CG_LOG_VERBOSE : CG_LOG_NORMAL);
    cg_threads_set(c->threads);
    cg_cancel_install();
    return TRUE;
}

gboolean cg_cli_compute_start(const CgCliCompute *c, CgEngine **engine, CgDType *dtype,
                              GError **error)
{
    if (!cg_cli_common_start(c, error))
        return FALSE;
    g_autoptr(CgEngine) e = cg_engine_cpu_new();
    if (!choose_dtype(c->dtype, e, dtype, error))
        return FALSE;
    *engine = g_steal_pointer(&e);
    return TRUE;
}
