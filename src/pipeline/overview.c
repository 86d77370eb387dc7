#include "pipeline/overview.h"

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/system.h"
#include "image/sheet.h"
#include "pipeline/manifest.h"

#include <string.h>

#define COLUMNS 4

static gboolean is_wanted(const CgOverview *o, const json_t *row)
{
    const gboolean dropped = json_is_false(json_object_get(row, "kept"));
    return cg_json_text(row, "image") && cg_json_text(row, "mask") && dropped == o->dropped &&
           (!o->category || g_strcmp0(o->category, cg_json_text(row, "category")) == 0) &&
           (!o->defect || g_strcmp0(o->defect, cg_json_text(row, "defect")) == 0);
}

/* The rows that fit, thinned out evenly to at most o->count. Borrowed from ROWS. */
static GPtrArray *choose(const CgOverview *o, GPtrArray *rows, guint *found)
{
    g_autoptr(GPtrArray) wanted = g_ptr_array_new();
    for (guint i = 0; i < rows->len; i++)
        if (is_wanted(o, g_ptr_array_index(rows, i)))
            g_ptr_array_add(wanted, g_ptr_array_index(rows, i));
    GPtrArray *chosen = g_ptr_array_new();
    const guint count = MIN(wanted->len, (guint)o->count);
    for (guint i = 0; i < count; i++)
        g_ptr_array_add(chosen,
                        g_ptr_array_index(wanted, (guint)((guint64)i * wanted->len / count)));
    *found = wanted->len;
    return chosen;
}

/* The normal image of ROW: where the job had it. NULL when nothing is said. */
static char *normal_path(const CgOverview *o, const json_t *row)
{
    const char *path = cg_json_text(json_object_get(row, "job"), "normal");
    if (!path)
        path = cg_json_text(row, "normal");
    if (!path)
        return NULL;
    return g_path_is_absolute(path) ? g_strdup(path) : g_build_filename(o->folder, path, NULL);
}

static CgImage *load_normal(const CgOverview *o, const json_t *row)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = normal_path(o, row);
    CgImage *image = path ? cg_image_load(path, NULL, &error) : NULL;
    if (error)
        cg_log_note("%s", error->message);
    return image;
}

/* Only as large as it will be shown. Takes IMAGE over. */
static CgImage *shrink(CgImage *image, int cell)
{
    const int longest = MAX(image->width, image->height);
    if (longest <= cell)
        return image;
    CgImage *small = cg_image_resize(image, MAX((int)((gint64)image->width * cell / longest), 1),
                                     MAX((int)((gint64)image->height * cell / longest), 1));
    cg_image_free(image);
    return small;
}

static char *row_caption(const json_t *row)
{
    const char *prompt = cg_json_text(row, "prompt"), *method = cg_json_text(row, "method");
    const char *defect = cg_json_text(row, "defect"), *reason = cg_json_text(row, "reason");
    const char *what = prompt ? prompt : method ? method : defect ? defect : "result";
    return reason ? g_strdup_printf("%s\n%s", what, reason)
                  : g_strdup_printf("%s\n%s", what, cg_json_text(row, "image"));
}

/* The cells of ROW; what they show goes to IMAGES, what they say to TEXTS. */
static gboolean draw_row(const CgOverview *o, const json_t *row, GPtrArray *images,
                         GPtrArray *texts, CgSheetCell cells[COLUMNS], GError **error)
{
    g_autofree char *image_path = g_build_filename(o->folder, cg_json_text(row, "image"), NULL);
    g_autofree char *mask_path = g_build_filename(o->folder, cg_json_text(row, "mask"), NULL);
    g_autoptr(CgImage) made = cg_image_load(image_path, NULL, error);
    g_autoptr(CgImage) mask = made ? cg_image_load_mask(mask_path, error) : NULL;
    if (!mask)
        return FALSE;
    if (mask->width != made->width || mask->height != made->height) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE, "%s: %dx%d, but %s is %dx%d", mask_path,
                    mask->width, mask->height, image_path, made->width, made->height);
        return FALSE;
    }
    const int longest = MAX(made->width, made->height);
    CgImage *overlay = cg_image_outline(made, mask, MAX(2 * longest / o->cell, 1));
    CgImage *normal = load_normal(o, row);
    CgImage *const shown[COLUMNS] = {normal, g_steal_pointer(&mask), g_steal_pointer(&made),
                                     overlay};
    char *caption = row_caption(row);
    g_ptr_array_add(texts, caption);
    const char *const captions[COLUMNS] = {normal ? "normal" : "normal (missing)", "mask", caption,
                                           "overlay"};
    for (int k = 0; k < COLUMNS; k++) {
        cells[k] = (CgSheetCell){shown[k] ? shrink(shown[k], o->cell) : NULL, captions[k]};
        if (cells[k].image)
            g_ptr_array_add(images, (gpointer)(guintptr)cells[k].image);
    }
    return TRUE;
}

CgImage *cg_overview_draw(const CgOverview *o, guint *shown, guint *found, GError **error)
{
    guint total = 0;
    g_autoptr(GPtrArray) rows = cg_manifest_read(o->folder, error);
    if (!rows)
        return NULL;
    g_autoptr(GPtrArray) chosen = choose(o, rows, &total);
    if (chosen->len == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "%s: no such result among the %u rows of its manifest", o->folder, rows->len);
        return NULL;
    }
    g_autofree CgSheetCell *cells = g_new0(CgSheetCell, COLUMNS * chosen->len);
    g_autoptr(GPtrArray) images = g_ptr_array_new_with_free_func((GDestroyNotify)cg_image_free);
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < chosen->len; i++)
        if (!cg_cancel_check(error) ||
            !draw_row(o, g_ptr_array_index(chosen, i), images, texts, cells + COLUMNS * i, error))
            return NULL;
    if (shown)
        *shown = chosen->len;
    if (found)
        *found = total;
    return cg_contact_sheet(cells, COLUMNS * (int)chosen->len, COLUMNS, o->cell, error);
}
