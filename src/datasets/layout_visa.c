/* VisA: images in folders, what they show in tables.
 *
 *     split_csv/1cls.csv           object,split,label,image,mask
 *     CATEGORY/image_anno.csv      image,label,mask         the kinds of defect
 *     CATEGORY/Data/Images/{Normal,Anomaly}/N.JPG
 *     CATEGORY/Data/Masks/Anomaly/N.png                     class numbers
 *
 * Source: the data set's own preparation script (utils/prepare_data.py of spot-diff).
 */
#include "datasets/dataset-private.h"

#include "base/error.h"
#include "datasets/csv.h"

#include <string.h>

#define SPLIT_TABLE  "split_csv/1cls.csv"
#define ANY_DEFECT   "anomaly"
#define MANY_DEFECTS "combined"

typedef struct {
    CgDataset *dataset;
    CgFolder *root;
    const char *table;    /* path of the table, below the root */
    const char *category; /* of image_anno.csv */
    GHashTable *labels;   /* image -> kind of defect */
    GHashTable *used;     /* images and masks that rows name; keys below the root */
} Visa;

static gboolean is_category(CgFolder *f)
{
    return cg_folder_find(f, "Data/Images") != NULL;
}

gboolean cg_match_visa(CgFolder *root)
{
    for (guint i = 0; i < root->folders->len; i++)
        if (is_category(g_ptr_array_index(root->folders, i)))
            return TRUE;
    return FALSE;
}

/* A row that names what is not there. */
static void bad_reference(const Visa *v, guint line, const char *path, const char *why)
{
    g_autofree char *valid = g_utf8_make_valid(path, -1);
    cg_dataset_problem(v->dataset, CG_PROBLEM_REFERENCE, v->root, v->table, "line %u: \"%s\" %s",
                       line, valid, why);
}

/* "bent,melt" is two kinds of defect at once. */
static const char *defect_of_label(const char *label)
{
    if (cg_name_is_good(label))
        return CG_DEFECT_GOOD;
    return strchr(label, ',') ? MANY_DEFECTS : *label ? label : ANY_DEFECT;
}

/* Adds the sample of one row. */
static void add_row(Visa *v, const char *category, const char *defect, CgDatasetSplit split,
                    const char *image, const char *mask, guint line)
{
    const gboolean good = g_str_equal(defect, CG_DEFECT_GOOD);
    const char *slash = strrchr(image, '/');
    if (!cg_folder_has_path(v->root, image)) {
        bad_reference(v, line, image, "is not there; add the image or remove the row");
        return;
    }
    if (!g_hash_table_add(v->used, g_strdup(image))) {
        bad_reference(v, line, image, "is named twice");
        return;
    }
    g_autofree char *parent = slash ? g_strndup(image, (gsize)(slash - image)) : g_strdup("");
    const CgFolder *folder = cg_folder_find(v->root, parent);
    g_autofree char *mask_path = NULL;
    if (*mask && !cg_folder_has_path(v->root, mask)) {
        bad_reference(v, line, mask, "is not there; add the mask");
    } else if (*mask) {
        mask_path = g_build_filename(v->dataset->root, mask, NULL);
        g_hash_table_add(v->used, g_strdup(mask));
    } else if (!good) {
        bad_reference(v, line, image, "shows a defect, but the row names no mask");
    }
    cg_dataset_add(v->dataset, category, defect, split, folder, slash ? slash + 1 : image,
                   mask_path, CG_MASK_NONZERO);
}

static gboolean take_label(gpointer data, const char *const *fields, guint line, GError **error)
{
    Visa *v = data;
    (void)line;
    (void)error;
    g_hash_table_insert(v->labels, g_strdup(fields[0]), g_strdup(defect_of_label(fields[1])));
    return TRUE;
}

static gboolean take_split_row(gpointer data, const char *const *fields, guint line, GError **error)
{
    Visa *v = data;
    (void)error;
    const gboolean good = cg_name_is_good(fields[2]);
    const char *kind = g_hash_table_lookup(v->labels, fields[3]);
    if (!good && (!kind || g_str_equal(kind, CG_DEFECT_GOOD)))
        kind = ANY_DEFECT;
    const gboolean train = g_str_equal(fields[1], "train");
    if (!train && !g_str_equal(fields[1], "test"))
        bad_reference(v, line, fields[1], "is no split; train or test");
    else
        add_row(v, fields[0], good ? CG_DEFECT_GOOD : kind,
                train ? CG_DATASET_TRAIN : CG_DATASET_TEST, fields[3], fields[4], line);
    return TRUE;
}

static gboolean take_anno_row(gpointer data, const char *const *fields, guint line, GError **error)
{
    Visa *v = data;
    (void)error;
    add_row(v, v->category, defect_of_label(fields[1]), CG_DATASET_TRAIN, fields[0], fields[2],
            line);
    return TRUE;
}

/* Reads CATEGORY/image_anno.csv of every category that has it. */
static gboolean read_annotations(Visa *v, CgCsvRow row, GError **error)
{
    static const char *const columns[] = {"image", "label", "mask", NULL};
    for (guint i = 0; i < v->root->folders->len; i++) {
        CgFolder *f = g_ptr_array_index(v->root->folders, i);
        if (!is_category(f) || !cg_folder_has_file(f, "image_anno.csv"))
            continue;
        g_autofree char *table = g_build_filename(f->name, "image_anno.csv", NULL);
        g_autofree char *path = g_build_filename(v->dataset->root, table, NULL);
        v->table = table;
        v->category = f->name;
        if (!cg_csv_read(path, columns, row, v, error))
            return FALSE;
    }
    return TRUE;
}

/* Files below FOLDER that no row names. */
static void report_unused(Visa *v, const CgFolder *folder, CgProblemKind kind, const char *text)
{
    for (guint i = 0; i < folder->files->len; i++) {
        const char *name = g_ptr_array_index(folder->files, i);
        g_autofree char *path = cg_folder_path(v->dataset, folder, name);
        if (cg_name_is_image(name) &&
            !g_hash_table_contains(v->used, cg_dataset_relative(v->dataset, path)))
            cg_dataset_problem(v->dataset, kind, folder, name, "%s", text);
    }
    cg_dataset_strays(v->dataset, folder, TRUE);
    for (guint i = 0; i < folder->folders->len; i++)
        report_unused(v, g_ptr_array_index(folder->folders, i), kind, text);
}

static void report_leftovers(Visa *v)
{
    for (guint i = 0; i < v->root->folders->len; i++) {
        CgFolder *f = g_ptr_array_index(v->root->folders, i);
        const CgFolder *images = cg_folder_find(f, "Data/Images");
        const CgFolder *masks = cg_folder_find(f, "Data/Masks");
        if (images)
            report_unused(v, images, CG_PROBLEM_REFERENCE,
                          "no row of the table names this image; add it there");
        if (masks)
            report_unused(v, masks, CG_PROBLEM_UNPAIRED_MASK,
                          "no row of the table names this mask; add it there");
    }
}

static char *image_key(const CgSample *sample)
{
    return g_strdup(sample->image);
}

gboolean cg_read_visa(CgDataset *d, CgFolder *root, GError **error)
{
    static const char *const columns[] = {"object", "split", "label", "image", "mask", NULL};
    g_autoptr(GHashTable) labels = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_autoptr(GHashTable) used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Visa v = {d, root, SPLIT_TABLE, NULL, labels, used};
    if (cg_folder_has_path(root, SPLIT_TABLE)) {
        g_autofree char *path = g_build_filename(d->root, SPLIT_TABLE, NULL);
        if (!read_annotations(&v, take_label, error))
            return FALSE;
        v.table = SPLIT_TABLE;
        if (!cg_csv_read(path, columns, take_split_row, &v, error))
            return FALSE;
    } else {
        if (!read_annotations(&v, take_anno_row, error))
            return FALSE;
        cg_dataset_draw_split(d, image_key);
    }
    report_leftovers(&v);
    return TRUE;
}
