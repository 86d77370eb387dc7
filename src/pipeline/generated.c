#include "pipeline/generated.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "pipeline/manifest.h"

static void clear(gpointer data)
{
    CgGenerated *g = data;
    g_free(g->image);
    g_free(g->mask);
    g_free(g->normal);
    g_free(g->category);
    g_free(g->defect);
}

static char *defect_of(const json_t *row)
{
    const char *defect = cg_json_text(row, "defect"), *source = cg_json_text(row, "source");
    if (!source || !cg_json_text(row, "source_mask") ||
        g_strcmp0(defect, cg_json_text(row, "method")) != 0)
        return g_strdup(defect);
    g_autofree char *folder = g_path_get_dirname(source);
    return g_path_get_basename(folder);
}

/* A row of cagen augment has "normal", one of cagen generate has it in its "job". */
static gboolean add_row(GArray *all, const char *folder, const json_t *row, GError **error)
{
    const char *image = cg_json_text(row, "image"), *mask = cg_json_text(row, "mask");
    const char *inner = cg_json_text(json_object_get(row, "job"), "normal");
    const char *normal = inner ? inner : cg_json_text(row, "normal");
    if (!image || !mask || !normal) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s/manifest.jsonl: the row of %s has no \"%s\"; give a folder that cagen "
                    "generate or cagen augment made",
                    folder, image ? image : "an image",
                    !image  ? "image"
                    : !mask ? "mask"
                            : "normal");
        return FALSE;
    }
    const CgGenerated g = {cg_file_below(folder, image), cg_file_below(folder, mask),
                           cg_file_below(folder, normal), g_strdup(cg_json_text(row, "category")),
                           defect_of(row)};
    g_array_append_val(all, g);
    return TRUE;
}

GArray *cg_generated_list(const char *folder, const char *category, GError **error)
{
    g_autoptr(GPtrArray) rows = cg_manifest_read(folder, error);
    if (!rows)
        return NULL;
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(CgGenerated));
    g_array_set_clear_func(all, clear);
    for (guint i = 0; i < rows->len; i++) {
        const json_t *row = g_ptr_array_index(rows, i);
        if (json_is_false(json_object_get(row, "kept")))
            continue;
        const gboolean wanted =
            !category || g_strcmp0(cg_json_text(row, "category"), category) == 0;
        if (wanted && !add_row(all, folder, row, error))
            return NULL;
    }
    if (all->len == 0) {
        g_autofree char *what = category ? g_strdup_printf(" of category \"%s\"", category) : NULL;
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: nothing%s was made there", folder,
                    what ? what : "");
        return NULL;
    }
    return g_steal_pointer(&all);
}
