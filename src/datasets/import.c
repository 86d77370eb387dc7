#include "datasets/import-private.h"

#include "base/error.h"
#include "base/system.h"
#include "datasets/export-private.h"
#include "image/polygon.h"

#include <math.h>
#include <string.h>

#define COMBINED       "combined"
#define STEM_DIGITS    3
#define CIRCLE_CORNERS 128
#define MAX_COORDINATE 1e6 /* pixels; far outside of any picture */

gboolean cg_annotated_init(CgAnnotated *a, const char *where, char *image, gint64 width,
                           gint64 height, GError **error)
{
    int w, h, channels;
    *a = (CgAnnotated){.where = where, .image = image};
    if (!cg_image_probe(image, &w, &h, &channels, error)) {
        g_prefix_error(error, "%s: ", where);
        return FALSE;
    }
    if ((width && width != w) || (height && height != h)) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                    "%s: drawn on %" G_GINT64_FORMAT "x%" G_GINT64_FORMAT ", but %s is %dx%d",
                    where, width, height, image, w, h);
        return FALSE;
    }
    a->mask = cg_image_new(w, h, 1);
    return TRUE;
}

void cg_annotated_clear(CgAnnotated *a)
{
    g_clear_pointer(&a->image, g_free);
    g_clear_pointer(&a->label, g_free);
    g_clear_pointer(&a->mask, cg_image_free);
}

gboolean cg_annotated_label(CgAnnotated *a, const char *label, GError **error)
{
    g_autofree char *name = cg_export_name(label ? label : "");
    g_strstrip(name);
    if (!*name || *name == '.' || strcmp(name, CG_DEFECT_GOOD) == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: \"%s\" can't be the name of a defect type; rename the label", a->where,
                    label ? label : "");
        return FALSE;
    }
    if (!a->label)
        a->label = g_steal_pointer(&name);
    else if (strcmp(a->label, name) != 0) {
        g_free(a->label);
        a->label = g_strdup(COMBINED);
    }
    return TRUE;
}

gboolean cg_annotated_polygon(CgAnnotated *a, GArray *points, GError **error)
{
    gboolean fine = points->len >= 3;
    for (guint i = 0; i < points->len && fine; i++) {
        const CgPoint p = g_array_index(points, CgPoint, i);
        fine = fabs(p.x) <= MAX_COORDINATE && fabs(p.y) <= MAX_COORDINATE;
    }
    if (!fine) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: a polygon needs three points or more, near the picture", a->where);
        return FALSE;
    }
    g_autoptr(GPtrArray) rings = g_ptr_array_new();
    g_ptr_array_add(rings, points);
    cg_polygon_fill(a->mask, rings, 255);
    return TRUE;
}

static gboolean is_empty(const CgImage *mask)
{
    const size_t count = (size_t)mask->width * (size_t)mask->height;
    return !memchr(mask->pixels, 255, count);
}

static int stem_digits(guint total)
{
    int count = 1;
    for (guint n = total > 0 ? total - 1 : 0; n >= 10; n /= 10)
        count++;
    return MAX(count, STEM_DIGITS);
}

static gboolean write_row(CgImport *import, const CgAnnotated *a, const char *image,
                          const char *mask, GError **error)
{
    g_autofree char *source = g_canonicalize_filename(a->image, NULL);
    g_autofree char *from = g_utf8_make_valid(source, -1);
    json_t *row = json_pack("{s:s, s:s?, s:s, s:s, s:s}", "image", image, "mask", mask, "category",
                            import->options->category, "defect",
                            a->label ? a->label : CG_DEFECT_GOOD, "source", from);
    return cg_export_write_row(import->manifest, row, error);
}

static gboolean write_image(CgImport *import, const CgAnnotated *a, const char *image,
                            const char *mask, GError **error)
{
    g_autofree char *image_path = g_build_filename(import->options->out, image, NULL);
    g_autofree char *mask_path = mask ? g_build_filename(import->options->out, mask, NULL) : NULL;
    gboolean linked;
    return (!mask || (cg_export_make_parent(mask_path, error) &&
                      cg_image_save_png(a->mask, mask_path, error))) &&
           cg_export_make_parent(image_path, error) &&
           cg_export_copy_picture(a->image, image_path, import->options->link, &linked, error) &&
           write_row(import, a, image, mask, error);
}

gboolean cg_import_add(CgImport *import, const CgAnnotated *a, GError **error)
{
    if (!cg_cancel_check(error))
        return FALSE;
    if (a->label && is_empty(a->mask)) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: the shapes on %s cover no pixel's centre; remove them or draw them larger",
                    a->where, a->image);
        return FALSE;
    }
    if (import->checking) {
        import->total++;
        return TRUE;
    }
    char *folder = a->label ? g_strconcat("test/", a->label, NULL) : g_strdup("train/good");
    const guint n = GPOINTER_TO_UINT(g_hash_table_lookup(import->next, folder));
    g_autofree char *stem = g_strdup_printf("%0*u", stem_digits(import->total), n);
    const char *category = import->options->category;
    g_autofree char *image = g_strdup_printf("%s/%s/%s.png", category, folder, stem);
    g_autofree char *mask =
        a->label ? g_strdup_printf("%s/ground_truth/%s/%s_mask.png", category, a->label, stem)
                 : NULL;
    g_hash_table_replace(import->next, folder, GUINT_TO_POINTER(n + 1));
    import->summary->images++;
    import->summary->masks += mask != NULL;
    return write_image(import, a, image, mask, error);
}

static gboolean wrong_shape(const CgAnnotated *a, const char *what, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: %s", a->where, what);
    return FALSE;
}

/* [[x, y], ...]; NULL when it is not. */
static GArray *read_points(const json_t *array)
{
    g_autoptr(GArray) points = g_array_new(FALSE, FALSE, sizeof(CgPoint));
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *pair = json_array_get(array, i);
        const json_t *x = json_array_get(pair, 0), *y = json_array_get(pair, 1);
        const CgPoint p = {json_number_value(x), json_number_value(y)};
        if (!json_is_number(x) || !json_is_number(y))
            return NULL;
        g_array_append_val(points, p);
    }
    return g_steal_pointer(&points);
}

/* Opposite corners become four. */
static void make_rectangle(GArray *points)
{
    const CgPoint a = g_array_index(points, CgPoint, 0), b = g_array_index(points, CgPoint, 1);
    const CgPoint corners[] = {a, {b.x, a.y}, b, {a.x, b.y}};
    g_array_set_size(points, 0);
    g_array_append_vals(points, corners, G_N_ELEMENTS(corners));
}

/* The centre and a point of the rim become corners along it. */
static void make_circle(GArray *points)
{
    const CgPoint centre = g_array_index(points, CgPoint, 0),
                  rim = g_array_index(points, CgPoint, 1);
    const double radius = hypot(rim.x - centre.x, rim.y - centre.y);
    g_array_set_size(points, 0);
    for (int i = 0; i < CIRCLE_CORNERS; i++) {
        const double angle = 2 * G_PI * i / CIRCLE_CORNERS;
        const CgPoint p = {centre.x + radius * cos(angle), centre.y + radius * sin(angle)};
        g_array_append_val(points, p);
    }
}

static gboolean add_shape(CgAnnotated *a, const json_t *shape, GError **error)
{
    const char *label, *type;
    if (!json_is_object(shape))
        return wrong_shape(a, "a shape is no object", error);
    if (!cg_json_string(shape, a->where, "label", "", &label, error) ||
        !cg_json_string(shape, a->where, "shape_type", "polygon", &type, error) ||
        !cg_annotated_label(a, label, error))
        return FALSE;
    g_autoptr(GArray) points = read_points(json_object_get(shape, "points"));
    if (!points)
        return wrong_shape(a, "\"points\" of a shape are no pairs of numbers", error);
    const gboolean rectangle = strcmp(type, "rectangle") == 0, circle = strcmp(type, "circle") == 0;
    if ((rectangle || circle) && points->len < 2)
        return wrong_shape(a, "a rectangle or circle has fewer than two points", error);
    if (rectangle && points->len == 2)
        make_rectangle(points);
    else if (circle)
        make_circle(points);
    else if (!rectangle && strcmp(type, "polygon") != 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: a shape of type \"%s\"; only polygon, rectangle and circle have an area",
                    a->where, type);
        return FALSE;
    }
    return cg_annotated_polygon(a, points, error);
}

/* Where the image of the labelme file at PATH is. Windows separates folders by backslashes. */
static char *labelme_image(const CgImport *import, const char *path, const char *name)
{
    g_autofree char *slashes = g_strdelimit(g_strdup(name), "\\", '/');
    g_autofree char *folder = g_path_get_dirname(path);
    if (import->options->images) {
        g_autofree char *base = g_path_get_basename(slashes);
        return g_build_filename(import->options->images, base, NULL);
    }
    return g_path_is_absolute(slashes) ? g_steal_pointer(&slashes)
                                       : g_build_filename(folder, slashes, NULL);
}

static gboolean import_labelme(CgImport *import, const char *path, const json_t *file,
                               GError **error)
{
    g_auto(CgAnnotated) a = {0};
    const json_t *shapes = json_object_get(file, "shapes");
    const char *name;
    gint64 width, height;
    if (!json_is_array(shapes)) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: neither labelme's (no \"shapes\") nor COCO's (no \"annotations\")", path);
        return FALSE;
    }
    if (!cg_json_string(file, path, "imagePath", "", &name, error) ||
        !cg_json_int(file, path, "imageWidth", 0, 0, CG_IMAGE_MAX_SIDE, &width, error) ||
        !cg_json_int(file, path, "imageHeight", 0, 0, CG_IMAGE_MAX_SIDE, &height, error) ||
        !cg_annotated_init(&a, path, labelme_image(import, path, name), width, height, error))
        return FALSE;
    for (size_t i = 0; i < json_array_size(shapes); i++)
        if (!add_shape(&a, json_array_get(shapes, i), error))
            return FALSE;
    return cg_import_add(import, &a, error);
}

static gboolean import_file(CgImport *import, const char *path, GError **error)
{
    g_autoptr(json_t) file = cg_json_load(path, error);
    if (!file)
        return FALSE;
    if (json_is_array(json_object_get(file, "annotations")))
        return cg_import_coco(import, path, file, error);
    return import_labelme(import, path, file, error);
}

static int compare_texts(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* PATH, or the JSON files in it by name. */
static GPtrArray *find_json(const char *path, GError **error)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);
    if (!g_file_test(path, G_FILE_TEST_IS_DIR)) {
        g_ptr_array_add(found, g_strdup(path));
        return g_steal_pointer(&found);
    }
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        if (g_str_has_suffix(name, ".json"))
            g_ptr_array_add(found, g_build_filename(path, name, NULL));
    g_ptr_array_sort(found, compare_texts);
    if (found->len > 0)
        return g_steal_pointer(&found);
    g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: no JSON files in this folder", path);
    return NULL;
}

static gboolean import_files(CgImport *import, const GPtrArray *files, GError **error)
{
    for (guint i = 0; i < files->len; i++)
        if (!import_file(import, g_ptr_array_index(files, i), error))
            return FALSE;
    return TRUE;
}

static gboolean check_out(const char *out, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(out, 0, NULL);
    if (!g_file_test(out, G_FILE_TEST_EXISTS) || (dir && !g_dir_read_name(dir)))
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "%s: is not an empty folder; choose another --out",
                out);
    return FALSE;
}

static gboolean write_all(CgImport *import, const GPtrArray *files, GError **error)
{
    g_autofree char *path = g_build_filename(import->options->out, "manifest.jsonl", NULL);
    if (!cg_file_make_directory(import->options->out, error))
        return FALSE;
    g_autoptr(CgAtomicFile) manifest = cg_atomic_file_open(path, error);
    import->checking = FALSE;
    import->manifest = manifest;
    return manifest && import_files(import, files, error) &&
           cg_atomic_file_commit(g_steal_pointer(&manifest), error);
}

gboolean cg_dataset_import(const char *path, const CgImportOptions *options,
                           CgImportSummary *summary, GError **error)
{
    *summary = (CgImportSummary){0};
    const char *category = options->category;
    if (!*category || *category == '.' || strchr(category, '/') ||
        !g_utf8_validate(category, -1, NULL)) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "\"%s\" can't be the name of a category",
                    category);
        return FALSE;
    }
    g_autoptr(GPtrArray) files = find_json(path, error);
    if (!files || !check_out(options->out, error))
        return FALSE;
    g_autoptr(GHashTable) next = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    CgImport import = {.options = options, .summary = summary, .checking = TRUE, .next = next};
    return import_files(&import, files, error) && write_all(&import, files, error);
}
