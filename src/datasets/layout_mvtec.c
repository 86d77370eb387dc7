/* MVTec AD and what is built like it: MPDD, BTAD, MVTec LOCO, MVTec AD 2.
 *
 * Sources: the data sets' own readme files and the readers of anomalib (data/image/mvtecad.py,
 * btech.py, mvtec_loco.py, mvtecad2.py).
 */
#include "datasets/dataset-private.h"

#include <string.h>

/* Where a category keeps things. */
typedef struct {
    const char *test, *masks; /* folders of a category */
    gboolean masks_in_test;   /* MASKS lies in TEST */
} Places;

/* One folder of images of one kind. MASKS (nullable) holds their masks. */
static void read_images(CgDataset *d, const char *category, CgDatasetSplit split, CgFolder *images,
                        const CgFolder *masks)
{
    const gboolean good = cg_name_is_good(images->name);
    CgPairing *pairing = cg_pairing_new(d, masks, NULL);
    g_autofree char *before = NULL;
    for (guint i = 0; i < images->files->len; i++) {
        const char *name = g_ptr_array_index(images->files, i);
        if (!cg_name_is_image(name))
            continue;
        char *stem = g_strndup(name, cg_name_stem(name));
        if (before && g_str_equal(stem, before))
            cg_dataset_problem(d, CG_PROBLEM_NAME, images, name,
                               "another image here has the same name with another extension, so "
                               "that a mask would belong to both; rename one");
        g_free(before);
        before = stem;
        const char *mask = cg_pairing_take(pairing, name);
        cg_dataset_add(d, category, good ? CG_DEFECT_GOOD : images->name, split, images, name, mask,
                       CG_MASK_BINARY);
        if (!mask && !good)
            cg_dataset_problem(d, CG_PROBLEM_MISSING_MASK, images, name,
                               "a defective image without mask; add it to the ground truth");
    }
    cg_pairing_finish(pairing);
    cg_dataset_strays(d, images, TRUE);
    for (guint i = 0; i < images->folders->len; i++)
        cg_dataset_stray_folder(d, g_ptr_array_index(images->folders, i));
}

/* All kinds of one split. */
static void read_split(CgDataset *d, const char *category, CgDatasetSplit split, CgFolder *folder,
                       CgFolder *masks)
{
    if (!folder)
        return;
    cg_dataset_strays(d, folder, FALSE);
    for (guint i = 0; i < folder->folders->len; i++) {
        CgFolder *images = g_ptr_array_index(folder->folders, i);
        if (images != masks)
            read_images(d, category, split, images,
                        masks ? cg_folder_find(masks, images->name) : NULL);
    }
}

/* Folders of masks whose images are not there at all. */
static void report_orphans(CgDataset *d, CgFolder *masks, CgFolder *test)
{
    if (!masks)
        return;
    cg_dataset_strays(d, masks, FALSE);
    for (guint i = 0; i < masks->folders->len; i++) {
        const CgFolder *f = g_ptr_array_index(masks->folders, i);
        if (!test || !cg_folder_find(test, f->name))
            cg_dataset_problem(d, CG_PROBLEM_UNPAIRED_MASK, f, NULL,
                               "masks of a defect type that has no images; remove them or add the "
                               "images");
    }
}

static guint count_images(const CgFolder *folder)
{
    guint count = 0;
    for (guint i = 0; i < folder->files->len; i++)
        count += cg_name_is_image(g_ptr_array_index(folder->files, i));
    for (guint i = 0; i < folder->folders->len; i++)
        count += count_images(g_ptr_array_index(folder->folders, i));
    return count;
}

static void read_category(CgDataset *d, const char *category, CgFolder *folder,
                          const Places *places)
{
    CgFolder *test = cg_folder_find(folder, places->test);
    CgFolder *masks = cg_folder_find(places->masks_in_test ? test : folder, places->masks);
    read_split(d, category, CG_DATASET_TRAIN, cg_folder_find(folder, "train"), NULL);
    read_split(d, category, CG_DATASET_VALIDATION, cg_folder_find(folder, "validation"), NULL);
    read_split(d, category, CG_DATASET_TEST, test, masks);
    report_orphans(d, masks, test);
    cg_dataset_strays(d, folder, FALSE);
    for (guint i = 0; i < folder->folders->len; i++) {
        CgFolder *f = g_ptr_array_index(folder->folders, i);
        if (g_str_has_prefix(f->name, "test_private"))
            d->unlabelled += count_images(f);
        else if (f != test && f != masks && !g_str_equal(f->name, "train") &&
                 !g_str_equal(f->name, "validation"))
            cg_dataset_stray_folder(d, f);
    }
}

static gboolean is_category(CgFolder *folder, const char *test)
{
    const CgFolder *train = cg_folder_find(folder, "train"), *t = cg_folder_find(folder, test);
    return (train && train->folders->len > 0) || (t && t->folders->len > 0);
}

static gboolean read_places(CgDataset *d, CgFolder *root, const Places *places)
{
    if (is_category(root, places->test)) {
        g_autofree char *name = cg_dataset_base_name(d);
        read_category(d, name, root, places);
        return TRUE;
    }
    for (guint i = 0; i < root->folders->len; i++) {
        CgFolder *f = g_ptr_array_index(root->folders, i);
        if (is_category(f, places->test))
            read_category(d, f->name, f, places);
    }
    return TRUE;
}

gboolean cg_read_mvtec(CgDataset *d, CgFolder *root, GError **error)
{
    static const Places places = {"test", "ground_truth", FALSE};
    (void)error;
    read_places(d, root, &places);
    /* The masks of LOCO hold one number per kind of defect. */
    if (d->layout == CG_LAYOUT_LOCO)
        for (guint i = 0; i < d->samples->len; i++)
            g_array_index(d->samples, CgSample, i).mask_rule = CG_MASK_NONZERO;
    return TRUE;
}

gboolean cg_read_mvtec2(CgDataset *d, CgFolder *root, GError **error)
{
    static const Places places = {"test_public", "ground_truth", TRUE};
    (void)error;
    return read_places(d, root, &places);
}

/* Whether ROOT or one of its folders passes TEST. */
static gboolean any_category(CgFolder *root, gboolean (*test)(CgFolder *))
{
    if (test(root))
        return TRUE;
    for (guint i = 0; i < root->folders->len; i++)
        if (test(g_ptr_array_index(root->folders, i)))
            return TRUE;
    return FALSE;
}

static gboolean looks_mvtec(CgFolder *f)
{
    return is_category(f, "test");
}

static gboolean looks_loco(CgFolder *f)
{
    return cg_folder_find(f, "test/logical_anomalies") != NULL ||
           cg_folder_find(f, "test/structural_anomalies") != NULL;
}

static gboolean looks_mvtec2(CgFolder *f)
{
    return cg_folder_find(f, "test_public") != NULL;
}

static gboolean looks_btad(CgFolder *f)
{
    return cg_folder_find(f, "train/ok") != NULL || cg_folder_find(f, "test/ko") != NULL;
}

gboolean cg_match_mvtec(CgFolder *root)
{
    return any_category(root, looks_mvtec);
}

gboolean cg_match_loco(CgFolder *root)
{
    return any_category(root, looks_loco);
}

gboolean cg_match_mvtec2(CgFolder *root)
{
    return any_category(root, looks_mvtec2);
}

gboolean cg_match_btad(CgFolder *root)
{
    return any_category(root, looks_btad);
}
