/* Exports for instance segmentation: COCO and YOLO. Each connected piece of a mask is an object. */
#include "datasets/export-private.h"
#include "image/polygon.h"
#include "image/rle.h"

#include <string.h>

static gboolean accepts_all(CgExport *e, const CgExportItem *item)
{
    (void)e;
    (void)item;
    return TRUE;
}

static char *coco_group(const CgExport *e, const CgExportItem *item)
{
    (void)e;
    (void)item;
    return g_strdup("images");
}

static void coco_place(const CgExport *e, CgExportItem *item, const char *stem)
{
    (void)e;
    item->image = g_strdup_printf("images/%s.png", stem);
}

/* The JSON file under construction: arrays are written as they come, because the objects of a large
 * data set need not fit into memory. */
typedef struct {
    CgAtomicFile *file;
    gboolean has_one; /* of the current array */
} Writer;

static gboolean put(Writer *w, const char *text, GError **error)
{
    return cg_atomic_file_write(w->file, text, strlen(text), error);
}

/* Takes VALUE over. */
static gboolean put_value(Writer *w, json_t *value, GError **error)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(10) | JSON_ENCODE_ANY);
    g_autofree char *line = g_strconcat(w->has_one ? ",\n" : "\n", text, NULL);
    free(text);
    json_decref(value);
    w->has_one = TRUE;
    return put(w, line, error);
}

static json_t *coco_image(const CgExportItem *item, guint id, GError **error)
{
    int width, height, channels;
    g_autofree char *name = g_path_get_basename(item->image);
    if (!cg_image_probe(item->sample->image, &width, &height, &channels, error))
        return NULL;
    return json_pack("{s:i, s:s, s:i, s:i}", "id", (int)id, "file_name", name, "width", width,
                     "height", height);
}

static json_t *coco_polygon(const CgOutline *o)
{
    g_autoptr(GArray) polygon = cg_outline_join(o);
    json_t *flat = json_array();
    for (guint i = 0; i < polygon->len; i++) {
        const CgPoint p = g_array_index(polygon, CgPoint, i);
        json_array_append_new(flat, json_integer((json_int_t)p.x));
        json_array_append_new(flat, json_integer((json_int_t)p.y));
    }
    return json_pack("[o]", flat);
}

static json_t *coco_rle(const CgOutline *o, int width, int height)
{
    g_autoptr(CgImage) piece = cg_image_new(width, height, 1);
    cg_polygon_fill(piece, o->rings, 255);
    g_autoptr(GArray) runs = cg_rle_encode(piece);
    g_autofree char *counts = cg_rle_to_string(runs);
    return json_pack("{s:[i, i], s:s}", "size", height, width, "counts", counts);
}

static gboolean put_annotations(Writer *w, const CgExportItem *item, guint image, guint class,
                                gboolean rle, guint *id, GError **error)
{
    g_autoptr(CgImage) mask = cg_export_load_mask(item, error);
    if (!mask)
        return FALSE;
    g_autoptr(GPtrArray) pieces = cg_mask_trace(mask);
    for (guint i = 0; i < pieces->len; i++) {
        const CgOutline *o = g_ptr_array_index(pieces, i);
        json_t *value = json_pack("{s:i, s:i, s:i, s:I, s:[i, i, i, i], s:i, s:o}", "id",
                                  (int)++*id, "image_id", (int)image, "category_id", (int)class + 1,
                                  "area", (json_int_t)o->area, "bbox", o->x, o->y, o->width,
                                  o->height, "iscrowd", 0, "segmentation",
                                  rle ? coco_rle(o, mask->width, mask->height) : coco_polygon(o));
        if (!put_value(w, value, error))
            return FALSE;
    }
    return TRUE;
}

/* "CATEGORY/DEFECT" is a kind of CATEGORY. */
static json_t *coco_category(const CgExport *e, const char *class, guint id)
{
    const char *slash = strchr(class, '/');
    g_autofree char *super = slash ? g_strndup(class, (gsize)(slash - class))
                                   : g_strdup(g_ptr_array_index(e->dataset->categories, 0));
    g_autofree char *name = g_utf8_make_valid(class, -1), *kind = g_utf8_make_valid(super, -1);
    return json_pack("{s:i, s:s, s:s}", "id", (int)id, "name", name, "supercategory", kind);
}

static gboolean put_coco(const CgExport *e, Writer *w, CgDatasetSplit split, gboolean rle,
                         GError **error)
{
    const GPtrArray *classes = e->classes;
    guint id = 0;
    if (!put(w,
             "{\"info\": {\"description\": \"exported by cagen " CAGEN_VERSION "\"},\n"
             "\"licenses\": [],\n\"images\": [",
             error))
        return FALSE;
    for (guint i = 0; i < e->items->len; i++) {
        const CgExportItem *item = cg_export_item(e, i);
        json_t *image = item->split == split ? coco_image(item, i + 1, error) : NULL;
        if (item->split == split && (!image || !put_value(w, image, error)))
            return FALSE;
    }
    w->has_one = FALSE;
    if (!put(w, "\n],\n\"annotations\": [", error))
        return FALSE;
    for (guint i = 0; i < e->items->len; i++) {
        const CgExportItem *item = cg_export_item(e, i);
        if (item->split == split && !cg_export_item_is_good(item) &&
            !put_annotations(w, item, i + 1, cg_export_class(e, item), rle, &id, error))
            return FALSE;
    }
    w->has_one = FALSE;
    if (!put(w, "\n],\n\"categories\": [", error))
        return FALSE;
    for (guint i = 0; i < classes->len; i++)
        if (!put_value(w, coco_category(e, g_ptr_array_index(classes, i), i + 1), error))
            return FALSE;
    return put(w, "\n]}\n", error);
}

static gboolean has_split(const CgExport *e, CgDatasetSplit split)
{
    for (guint i = 0; i < e->items->len; i++)
        if (cg_export_item(e, i)->split == split)
            return TRUE;
    return FALSE;
}

static gboolean write_coco(const CgExport *e, CgDatasetSplit split, gboolean rle, GError **error)
{
    g_autofree char *relative = g_strdup_printf("annotations/instances_%s%s.json",
                                                cg_dataset_split_name(split), rle ? "_rle" : "");
    g_autofree char *path = cg_export_path(e, relative);
    if (!cg_export_make_parent(path, error))
        return FALSE;
    g_autoptr(CgAtomicFile) file = cg_atomic_file_open(path, error);
    Writer w = {.file = file};
    return file && put_coco(e, &w, split, rle, error) &&
           cg_atomic_file_commit(g_steal_pointer(&file), error);
}

static gboolean coco_finish(CgExport *e, GError **error)
{
    for (int s = 0; s <= CG_DATASET_TEST; s++)
        if (has_split(e, (CgDatasetSplit)s) && (!write_coco(e, (CgDatasetSplit)s, FALSE, error) ||
                                                !write_coco(e, (CgDatasetSplit)s, TRUE, error)))
            return FALSE;
    return TRUE;
}

const CgExportRules cg_export_coco = {.name = "coco",
                                      .accepts = accepts_all,
                                      .group = coco_group,
                                      .place = coco_place,
                                      .finish = coco_finish};

static const char *yolo_split(CgDatasetSplit split)
{
    return split == CG_DATASET_VALIDATION ? "val" : cg_dataset_split_name(split);
}

static char *yolo_group(const CgExport *e, const CgExportItem *item)
{
    (void)e;
    return g_strconcat("images/", yolo_split(item->split), NULL);
}

static void yolo_place(const CgExport *e, CgExportItem *item, const char *stem)
{
    g_autofree char *group = yolo_group(e, item);
    item->image = g_strdup_printf("%s/%s.png", group, stem);
}

/* "CLASS x y x y ..." per piece, in shares of the picture; nine digits keep every corner of the
 * largest pictures where it was. An empty file for a good image: a background. */
static gboolean yolo_write(CgExport *e, const CgExportItem *item, GError **error)
{
    const char *name = item->image + strlen("images/");
    g_autofree char *relative =
        g_strdup_printf("labels/%.*s.txt", (int)(strlen(name) - strlen(".png")), name);
    g_autofree char *path = cg_export_path(e, relative);
    if (g_file_test(path, G_FILE_TEST_EXISTS))
        return TRUE;
    g_autoptr(GString) text = g_string_new(NULL);
    if (!cg_export_item_is_good(item)) {
        g_autoptr(CgImage) mask = cg_export_load_mask(item, error);
        if (!mask)
            return FALSE;
        g_autoptr(GPtrArray) pieces = cg_mask_trace(mask);
        for (guint i = 0; i < pieces->len; i++) {
            g_autoptr(GArray) polygon = cg_outline_join(g_ptr_array_index(pieces, i));
            g_string_append_printf(text, "%u", cg_export_class(e, item));
            for (guint k = 0; k < polygon->len; k++) {
                const CgPoint p = g_array_index(polygon, CgPoint, k);
                char number[2][G_ASCII_DTOSTR_BUF_SIZE];
                g_ascii_formatd(number[0], sizeof number[0], "%.9g", p.x / mask->width);
                g_ascii_formatd(number[1], sizeof number[1], "%.9g", p.y / mask->height);
                g_string_append_printf(text, " %s %s", number[0], number[1]);
            }
            g_string_append_c(text, '\n');
        }
    }
    return cg_export_write_text(e, relative, text->str, error);
}

/* Trainers want "train" and "val"; what is missing is another split, so that the file loads. */
static gboolean yolo_finish(CgExport *e, GError **error)
{
    static const CgDatasetSplit instead[][3] = {
        {CG_DATASET_TRAIN, CG_DATASET_VALIDATION, CG_DATASET_TEST},
        {CG_DATASET_VALIDATION, CG_DATASET_TEST, CG_DATASET_TRAIN},
    };
    const GPtrArray *classes = e->classes;
    g_autofree char *out = g_canonicalize_filename(e->options->out, NULL);
    g_autofree char *quoted = cg_json_quote(out);
    g_autoptr(GString) yaml = g_string_new(NULL);
    g_string_append_printf(yaml, "path: %s\n", quoted);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 3; k++)
            if (has_split(e, instead[i][k])) {
                g_string_append_printf(yaml, "%s: images/%s\n", i == 0 ? "train" : "val",
                                       yolo_split(instead[i][k]));
                break;
            }
    if (has_split(e, CG_DATASET_TEST))
        g_string_append(yaml, "test: images/test\n");
    g_string_append(yaml, "names:\n");
    for (guint i = 0; i < classes->len; i++) {
        g_autofree char *name = cg_json_quote(g_ptr_array_index(classes, i));
        g_string_append_printf(yaml, "  %u: %s\n", i, name);
    }
    return cg_export_write_text(e, "data.yaml", yaml->str, error);
}

const CgExportRules cg_export_yolo_seg = {.name = "yolo-seg",
                                          .accepts = accepts_all,
                                          .group = yolo_group,
                                          .place = yolo_place,
                                          .write = yolo_write,
                                          .finish = yolo_finish};
