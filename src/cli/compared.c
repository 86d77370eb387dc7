#include "cli/compared.h"

#include "base/error.h"

#include <string.h>

void cg_cli_compared_clear(CgCliCompared *c)
{
    g_strfreev(c->groups);
    g_free(c->data);
    g_free(c->good);
    g_free(c->real);
    g_free(c->category);
}

static CgGroup *open_group(const CgCliCompared *c, const char *argument, const char *command,
                           GError **error)
{
    const char *equals = strchr(argument, '=');
    if (!equals || equals == argument || !equals[1]) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "%s: --group is NAME=PATH; see cagen %s --help", command, command);
        return NULL;
    }
    g_autofree char *name = g_strndup(argument, (gsize)(equals - argument));
    return cg_group_open(name, equals + 1, CG_GROUP_DEFECTIVE, c->category, error);
}

GPtrArray *cg_cli_compared_groups(const CgCliCompared *c, const char *command, GError **error)
{
    g_autoptr(GPtrArray) groups = g_ptr_array_new_with_free_func((GDestroyNotify)cg_group_free);
    for (char **argument = c->groups; argument && *argument; argument++) {
        CgGroup *g = open_group(c, *argument, command, error);
        if (!g)
            return NULL;
        g_ptr_array_add(groups, g);
    }
    return g_steal_pointer(&groups);
}

gboolean cg_cli_compared_open(const CgCliCompared *c, CgGroupKind kind, CgGroup **group,
                              GError **error)
{
    const char *given = kind == CG_GROUP_GOOD ? c->good : c->real;
    const char *path = given ? given : c->data;
    *group = NULL;
    if (path)
        *group = cg_group_open(kind == CG_GROUP_GOOD ? "normal" : "real", path, kind, c->category,
                               error);
    return *group || !path;
}

GPtrArray *cg_cli_compared_all(const CgCliCompared *c, const char *command, guint count, int *good,
                               int *real, GError **error)
{
    CgGroup *normal = NULL, *defective = NULL;
    g_autoptr(GPtrArray) groups = cg_cli_compared_groups(c, command, error);
    if (!groups || !cg_cli_compared_open(c, CG_GROUP_DEFECTIVE, &defective, error))
        return NULL;
    if (defective)
        g_ptr_array_insert(groups, 0, defective);
    if (!cg_cli_compared_open(c, CG_GROUP_GOOD, &normal, error))
        return NULL;
    if (normal)
        g_ptr_array_insert(groups, 0, normal);
    for (guint i = 0; i < groups->len; i++)
        cg_group_thin_out(g_ptr_array_index(groups, i), count);
    for (guint i = 0; defective && i < groups->len; i++)
        if (g_ptr_array_index(groups, i) != defective)
            cg_group_lend_masks(g_ptr_array_index(groups, i), defective);
    *good = normal ? 0 : -1;
    *real = defective ? (normal ? 1 : 0) : -1;
    return g_steal_pointer(&groups);
}
