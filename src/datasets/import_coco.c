/* COCO's instances files: images, annotations, categories. */
#include "datasets/import-private.h"

#include "base/error.h"
#include "base/json.h"
#include "image/polygon.h"
#include "image/rle.h"

#include <string.h>

static gboolean wrong(const CgAnnotated *a, const char *what, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: %s", a->where, what);
    return FALSE;
}

/* KEY -> value of "id" in ARRAY; the values are borrowed. */
static GHashTable *by_id(const json_t *array)
{
    GHashTable *table = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    for (size_t i = 0; i < json_array_size(array); i++) {
        json_t *entry = json_array_get(array, i);
        const json_t *id = json_object_get(entry, "id");
        if (json_is_integer(id)) {
            gint64 *key = g_new(gint64, 1);
            *key = json_integer_value(id);
            g_hash_table_insert(table, key, entry);
        }
    }
    return table;
}

/* Image id -> its annotations (GPtrArray, borrowed values). */
static GHashTable *by_image(const json_t *annotations)
{
    GHashTable *table = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
                                              (GDestroyNotify)g_ptr_array_unref);
    for (size_t i = 0; i < json_array_size(annotations); i++) {
        json_t *entry = json_array_get(annotations, i);
        const gint64 id = json_integer_value(json_object_get(entry, "image_id"));
        GPtrArray *list = g_hash_table_lookup(table, &id);
        if (!list) {
            gint64 *key = g_new(gint64, 1);
            *key = id;
            list = g_ptr_array_new();
            g_hash_table_insert(table, key, list);
        }
        g_ptr_array_add(list, entry);
    }
    return table;
}

/* x, y, x, y, ... */
static gboolean add_polygon(CgAnnotated *a, const json_t *flat, GError **error)
{
    g_autoptr(GArray) points = g_array_new(FALSE, FALSE, sizeof(CgPoint));
    const size_t count = json_array_size(flat);
    for (size_t i = 0; i < count; i++)
        if (!json_is_number(json_array_get(flat, i)))
            return wrong(a, "a polygon holds something that is no number", error);
    if (count % 2 != 0)
        return wrong(a, "a polygon has an odd number of coordinates", error);
    for (size_t i = 0; i < count; i += 2) {
        const CgPoint p = {json_number_value(json_array_get(flat, i)),
                           json_number_value(json_array_get(flat, i + 1))};
        g_array_append_val(points, p);
    }
    return cg_annotated_polygon(a, points, error);
}

static GArray *read_runs(const CgAnnotated *a, const json_t *counts, GError **error)
{
    if (json_is_string(counts))
        return cg_rle_from_string(json_string_value(counts), error);
    g_autoptr(GArray) runs = g_array_new(FALSE, FALSE, sizeof(guint32));
    for (size_t i = 0; i < json_array_size(counts); i++) {
        const json_t *count = json_array_get(counts, i);
        const json_int_t value = json_integer_value(count);
        const guint32 run = (guint32)value;
        if (!json_is_integer(count) || value < 0 || value > G_MAXUINT32) {
            wrong(a, "run lengths are no whole numbers", error);
            return NULL;
        }
        g_array_append_val(runs, run);
    }
    return g_steal_pointer(&runs);
}

static gboolean add_runs(CgAnnotated *a, const json_t *segmentation, GError **error)
{
    const json_t *size = json_object_get(segmentation, "size");
    if (json_integer_value(json_array_get(size, 0)) != a->mask->height ||
        json_integer_value(json_array_get(size, 1)) != a->mask->width)
        return wrong(a, "run lengths of another size than their picture", error);
    g_autoptr(GArray) runs = read_runs(a, json_object_get(segmentation, "counts"), error);
    g_autoptr(CgImage) piece =
        runs ? cg_rle_decode(runs, a->mask->width, a->mask->height, error) : NULL;
    if (!piece) {
        g_prefix_error(error, "%s: ", a->where);
        return FALSE;
    }
    const size_t count = (size_t)piece->width * (size_t)piece->height;
    for (size_t i = 0; i < count; i++)
        a->mask->pixels[i] |= piece->pixels[i];
    return TRUE;
}

static gboolean add_box(CgAnnotated *a, const json_t *box, GError **error)
{
    double v[4];
    for (size_t i = 0; i < G_N_ELEMENTS(v); i++) {
        const json_t *number = json_array_get(box, i);
        if (!json_is_number(number))
            return wrong(a, "an annotation has neither a segmentation nor a box", error);
        v[i] = json_number_value(number);
    }
    const CgPoint corners[] = {
        {v[0], v[1]}, {v[0] + v[2], v[1]}, {v[0] + v[2], v[1] + v[3]}, {v[0], v[1] + v[3]}};
    g_autoptr(GArray) points = g_array_new(FALSE, FALSE, sizeof(CgPoint));
    g_array_append_vals(points, corners, G_N_ELEMENTS(corners));
    return cg_annotated_polygon(a, points, error);
}

static gboolean add_annotation(CgAnnotated *a, GHashTable *categories, const json_t *annotation,
                               GError **error)
{
    const gint64 id = json_integer_value(json_object_get(annotation, "category_id"));
    const json_t *category = g_hash_table_lookup(categories, &id);
    const json_t *segmentation = json_object_get(annotation, "segmentation");
    if (!category) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: an annotation of category %" G_GINT64_FORMAT ", which is not in its list",
                    a->where, id);
        return FALSE;
    }
    if (!cg_annotated_label(a, cg_json_text(category, "name"), error))
        return FALSE;
    if (json_is_object(segmentation))
        return add_runs(a, segmentation, error);
    if (json_array_size(segmentation) == 0)
        return add_box(a, json_object_get(annotation, "bbox"), error);
    for (size_t i = 0; i < json_array_size(segmentation); i++)
        if (!add_polygon(a, json_array_get(segmentation, i), error))
            return FALSE;
    return TRUE;
}

static gboolean add_image(CgImport *import, const char *path, const json_t *image,
                          GHashTable *categories, GHashTable *annotations, GError **error)
{
    g_auto(CgAnnotated) a = {0};
    gint64 id, width, height;
    const char *name;
    if (!cg_json_int(image, path, "id", 0, G_MININT64, G_MAXINT64, &id, error) ||
        !cg_json_int(image, path, "width", 0, 0, CG_IMAGE_MAX_SIDE, &width, error) ||
        !cg_json_int(image, path, "height", 0, 0, CG_IMAGE_MAX_SIDE, &height, error) ||
        !cg_json_string(image, path, "file_name", "", &name, error))
        return FALSE;
    g_autofree char *beside = g_path_get_dirname(path);
    const char *folder = import->options->images ? import->options->images : beside;
    if (!cg_annotated_init(&a, path, g_build_filename(folder, name, NULL), width, height, error))
        return FALSE;
    const GPtrArray *list = g_hash_table_lookup(annotations, &id);
    for (guint i = 0; list && i < list->len; i++)
        if (!add_annotation(&a, categories, g_ptr_array_index(list, i), error))
            return FALSE;
    return cg_import_add(import, &a, error);
}

gboolean cg_import_coco(CgImport *import, const char *path, const json_t *file, GError **error)
{
    const json_t *images = json_object_get(file, "images");
    g_autoptr(GHashTable) categories = by_id(json_object_get(file, "categories"));
    g_autoptr(GHashTable) annotations = by_image(json_object_get(file, "annotations"));
    if (!json_is_array(images) || json_array_size(images) == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: no list of images", path);
        return FALSE;
    }
    for (size_t i = 0; i < json_array_size(images); i++) {
        const json_t *image = json_array_get(images, i);
        if (!json_is_object(image)) {
            g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: an image is no object", path);
            return FALSE;
        }
        if (!add_image(import, path, image, categories, annotations, error))
            return FALSE;
    }
    return TRUE;
}
