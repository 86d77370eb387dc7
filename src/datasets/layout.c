/* Which layouts there are, how they are told apart, and opening. */
#include "datasets/dataset-private.h"

#include "base/error.h"

#include <string.h>

typedef struct {
    const char *name;
    CgLayoutMatch match;
    CgLayoutRead read;
} Layout;

static const Layout layouts[CG_LAYOUT_COUNT] = {
    [CG_LAYOUT_AUTO] = {"auto", NULL, NULL},
    [CG_LAYOUT_MVTEC] = {"mvtec", cg_match_mvtec, cg_read_mvtec},
    [CG_LAYOUT_LOCO] = {"loco", cg_match_loco, cg_read_mvtec},
    [CG_LAYOUT_MVTEC2] = {"mvtec2", cg_match_mvtec2, cg_read_mvtec2},
    [CG_LAYOUT_BTAD] = {"btad", cg_match_btad, cg_read_mvtec},
    [CG_LAYOUT_VISA] = {"visa", cg_match_visa, cg_read_visa},
    [CG_LAYOUT_KSDD] = {"ksdd", cg_match_ksdd, cg_read_ksdd},
    [CG_LAYOUT_KSDD2] = {"ksdd2", cg_match_ksdd2, cg_read_ksdd2},
    [CG_LAYOUT_REALIAD] = {"realiad", cg_match_realiad, cg_read_realiad},
    [CG_LAYOUT_TILE] = {"tile", cg_match_tile, cg_read_tile},
    [CG_LAYOUT_FOLDER] = {"folder", cg_match_folder, cg_read_folder},
    [CG_LAYOUT_TEXTURES] = {"textures", cg_match_textures, cg_read_textures},
};

/* From the most particular to the one that takes anything. */
static const CgLayout order[] = {
    CG_LAYOUT_REALIAD, CG_LAYOUT_VISA,   CG_LAYOUT_TILE,     CG_LAYOUT_KSDD,
    CG_LAYOUT_KSDD2,   CG_LAYOUT_MVTEC2, CG_LAYOUT_LOCO,     CG_LAYOUT_BTAD,
    CG_LAYOUT_MVTEC,   CG_LAYOUT_FOLDER, CG_LAYOUT_TEXTURES,
};

static const struct {
    const char *name;
    CgLayout layout;
} aliases[] = {
    {"mpdd", CG_LAYOUT_MVTEC},       {"mvtec-ad", CG_LAYOUT_MVTEC},
    {"mvtec-loco", CG_LAYOUT_LOCO},  {"mvtec-ad-2", CG_LAYOUT_MVTEC2},
    {"btech", CG_LAYOUT_BTAD},       {"kolektor", CG_LAYOUT_KSDD},
    {"kolektorsdd", CG_LAYOUT_KSDD}, {"kolektorsdd2", CG_LAYOUT_KSDD2},
    {"real-iad", CG_LAYOUT_REALIAD}, {"magnetic-tile", CG_LAYOUT_TILE},
    {"dtd", CG_LAYOUT_TEXTURES},
};

const char *cg_layout_name(CgLayout layout)
{
    return layouts[layout].name;
}

gboolean cg_layout_parse(const char *name, CgLayout *layout, GError **error)
{
    for (int i = 0; i < CG_LAYOUT_COUNT; i++)
        if (g_ascii_strcasecmp(name, layouts[i].name) == 0) {
            *layout = (CgLayout)i;
            return TRUE;
        }
    for (size_t i = 0; i < G_N_ELEMENTS(aliases); i++)
        if (g_ascii_strcasecmp(name, aliases[i].name) == 0) {
            *layout = aliases[i].layout;
            return TRUE;
        }
    g_autoptr(GString) list = g_string_new(layouts[0].name);
    for (int i = 1; i < CG_LAYOUT_COUNT; i++)
        g_string_append_printf(list, ", %s", layouts[i].name);
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "unknown layout \"%s\"; there are %s", name,
                list->str);
    return FALSE;
}

static CgLayout tell_layout(CgFolder *root)
{
    for (size_t i = 0; i < G_N_ELEMENTS(order); i++)
        if (layouts[order[i]].match(root))
            return order[i];
    return CG_LAYOUT_AUTO;
}

/* Says that there are no images, and the first reason that was found. */
static void set_empty(const CgDataset *d, CgLayout wanted, GError **error)
{
    const CgProblem *first = d->problems->len ? g_ptr_array_index(d->problems, 0) : NULL;
    g_autofree char *reason =
        first ? g_strdup_printf(" (%s: %s)", first->path, first->text) : g_strdup("");
    g_autofree char *where =
        wanted == CG_LAYOUT_AUTO
            ? g_strdup("")
            : g_strdup_printf(" where the layout \"%s\" has them", cg_layout_name(wanted));
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: no images found%s%s", d->root, where,
                reason);
}

CgDataset *cg_dataset_open(const char *path, CgLayout layout, GError **error)
{
    g_autoptr(CgDataset) d = cg_dataset_new(path);
    g_autoptr(CgFolder) root = cg_tree_scan(d, error);
    if (!root)
        return NULL;
    d->layout = layout == CG_LAYOUT_AUTO ? tell_layout(root) : layout;
    if (d->layout != CG_LAYOUT_AUTO && !layouts[d->layout].read(d, root, error))
        return NULL;
    if (d->samples->len == 0) {
        set_empty(d, layout, error);
        return NULL;
    }
    cg_dataset_sort(d);
    return g_steal_pointer(&d);
}
