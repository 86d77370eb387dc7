/* Real-IAD: images of five views, described in JSON.
 *
 *     realiad_jsons/CATEGORY.json    {"meta": {"prefix", "normal_class"}, "train": [...], "test":
 *                                    [{"category", "anomaly_class", "image_path", "mask_path"}]}
 *     realiad_1024/CATEGORY/...      what image_path and mask_path begin in (or realiad_512, _256)
 *
 * Source: the reader that came with the data set.
 */
#include "datasets/dataset-private.h"

#include "base/error.h"
#include "base/json.h"

#include <string.h>

/* The classes' codes in words. */
static const struct {
    const char *code, *name;
} classes[] = {
    {"AK", "pit"},    {"BX", "deformation"},   {"CH", "abrasion"},        {"HS", "scratch"},
    {"PS", "damage"}, {"QS", "missing_parts"}, {"YW", "foreign_objects"}, {"ZW", "contamination"},
};

static const char *class_name(const char *code)
{
    for (size_t i = 0; i < G_N_ELEMENTS(classes); i++)
        if (g_str_equal(classes[i].code, code))
            return classes[i].name;
    return code;
}

static gboolean is_json(const char *name)
{
    return g_ascii_strcasecmp(name + cg_name_stem(name), ".json") == 0;
}

static gboolean has_json(const CgFolder *folder)
{
    for (guint i = 0; folder && i < folder->files->len; i++)
        if (is_json(g_ptr_array_index(folder->files, i)))
            return TRUE;
    return FALSE;
}

/* The plain split: variants (single view, noisy training) lie in folders of other names. */
static CgFolder *json_folder(CgFolder *root)
{
    static const char *const places[] = {"realiad_jsons", "realiad_jsons/realiad_jsons"};
    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        CgFolder *f = cg_folder_find(root, places[i]);
        if (has_json(f))
            return f;
    }
    return NULL;
}

gboolean cg_match_realiad(CgFolder *root)
{
    return json_folder(root) != NULL;
}

typedef struct {
    CgDataset *dataset;
    CgFolder *root;
    CgFolder *tables;
    const char *file; /* of the table */
    char *where;      /* its path */
    const char *normal;
    CgFolder *base; /* what paths begin in */
    guint missing;
} Table;

/* Where the paths of CATEGORY begin: the largest pictures first. */
static CgFolder *find_base(CgFolder *root, const char *category, const char *prefix,
                           const char *image)
{
    static const char *const sizes[] = {"realiad_1024", "realiad_raw", "realiad_512",
                                        "realiad_256",  "realiad",     ""};
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        CgFolder *top = cg_folder_find(root, sizes[i]);
        CgFolder *places[] = {cg_folder_find(top, category), cg_folder_find(top, prefix), top};
        for (size_t k = 0; k < G_N_ELEMENTS(places); k++)
            if (places[k] && cg_folder_has_path(places[k], image))
                return places[k];
    }
    return NULL;
}

static gboolean read_text(const Table *t, const json_t *row, const char *key, const char **out,
                          GError **error)
{
    if (!cg_json_string(row, t->where, key, "", out, error))
        return FALSE;
    return TRUE;
}

static void add_row(Table *t, const char *category, const char *class, CgDatasetSplit split,
                    const char *image, const char *mask)
{
    CgDataset *d = t->dataset;
    if (!cg_folder_has_path(t->base, image)) {
        t->missing++;
        cg_dataset_problem(d, CG_PROBLEM_REFERENCE, t->tables, t->file,
                           "the image \"%s\" is not there; add it or remove its entry", image);
        return;
    }
    const gboolean good = g_str_equal(class, t->normal);
    g_autofree char *mask_path = NULL;
    if (*mask && cg_folder_has_path(t->base, mask))
        mask_path = cg_folder_path(d, t->base, mask);
    else if (*mask)
        cg_dataset_problem(d, CG_PROBLEM_REFERENCE, t->tables, t->file,
                           "the mask \"%s\" is not there; add it", mask);
    else if (!good)
        cg_dataset_problem(d, CG_PROBLEM_MISSING_MASK, t->base, image,
                           "a defective image whose entry names no mask");
    cg_dataset_add(d, category, good ? CG_DEFECT_GOOD : class_name(class), split, t->base, image,
                   mask_path, CG_MASK_BINARY);
}

static gboolean read_rows(Table *t, const json_t *table, const char *key, CgDatasetSplit split,
                          const char *prefix, GError **error)
{
    const json_t *rows = json_object_get(table, key), *row;
    size_t i;
    g_autofree char *stem = g_strndup(t->file, cg_name_stem(t->file));
    if (!json_is_array(rows)) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: \"%s\" must be an array of entries",
                    t->where, key);
        return FALSE;
    }
    json_array_foreach(rows, i, row)
    {
        const char *category, *class, *image, *mask;
        if (!json_is_object(row) || !read_text(t, row, "category", &category, error) ||
            !read_text(t, row, "anomaly_class", &class, error) ||
            !read_text(t, row, "image_path", &image, error) ||
            !read_text(t, row, "mask_path", &mask, error)) {
            if (error && !*error)
                g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                            "%s: entry %zu of \"%s\" is no object", t->where, i, key);
            return FALSE;
        }
        if (!*category)
            category = stem;
        if (!t->base && !(t->base = find_base(t->root, category, prefix, image))) {
            cg_dataset_problem(t->dataset, CG_PROBLEM_REFERENCE, t->tables, t->file,
                               "its first image \"%s\" is in none of realiad_1024, realiad_512, "
                               "realiad_256; the whole file is left out",
                               image);
            return TRUE;
        }
        add_row(t, category, *class ? class : t->normal, split, image, mask);
    }
    return TRUE;
}

static gboolean read_table(CgDataset *d, CgFolder *root, CgFolder *tables, const char *file,
                           GError **error)
{
    g_autofree char *where = cg_folder_path(d, tables, file);
    g_autoptr(json_t) table = cg_json_load(where, error);
    const char *prefix, *normal;
    if (!table)
        return FALSE;
    const json_t *meta = json_object_get(table, "meta");
    if (!cg_json_string(meta, where, "prefix", "", &prefix, error) ||
        !cg_json_string(meta, where, "normal_class", "OK", &normal, error))
        return FALSE;
    Table t = {d, root, tables, file, where, normal, NULL, 0};
    if (!read_rows(&t, table, "train", CG_DATASET_TRAIN, prefix, error))
        return FALSE;
    return (!t.base && json_array_size(json_object_get(table, "train"))) ||
           read_rows(&t, table, "test", CG_DATASET_TEST, prefix, error);
}

gboolean cg_read_realiad(CgDataset *d, CgFolder *root, GError **error)
{
    CgFolder *tables = json_folder(root);
    if (!tables) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "%s: no realiad_jsons/CATEGORY.json; download the data set's JSON files too",
                    d->root);
        return FALSE;
    }
    for (guint i = 0; i < tables->files->len; i++) {
        const char *file = g_ptr_array_index(tables->files, i);
        if (is_json(file) && !read_table(d, root, tables, file, error))
            return FALSE;
    }
    return TRUE;
}
