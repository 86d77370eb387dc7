/* Folders as people have them, and lists of textures.
 *
 *     DIR/good/, DIR/scratch/, DIR/masks/scratch/    one folder per defect type, masks by its name
 *     DIR/good/, DIR/scratch/, DIR/masks/            masks of all types in one folder
 *     DIR/good/, DIR/scratch/7.png, .../7_mask.png   masks beside the images
 *     DIR/7.png, DIR/masks/7.png                     images with a mask show "defect"
 *     DIR/images/test/7.jpg, DIR/annotations/test/7.png
 *
 * "good" is also ok, normal, defect-free; "masks" is also mask, ground_truth, gt, labels, label,
 * annotations, annotation. The category is called as DIR is. Normal images are for training.
 */
#include "datasets/dataset-private.h"

#define ANY_DEFECT "defect"

static gboolean name_in(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (g_ascii_strcasecmp(name, names[i]) == 0)
            return TRUE;
    return FALSE;
}

static gboolean is_mask_folder(const char *name)
{
    static const char *const names[] = {"masks",  "mask",  "ground_truth", "gt",
                                        "labels", "label", "annotations",  "annotation"};
    return name_in(name, names, G_N_ELEMENTS(names));
}

static gboolean is_image_folder(const char *name)
{
    static const char *const names[] = {"images", "image", "imgs"};
    return name_in(name, names, G_N_ELEMENTS(names));
}

static gboolean any_image(CgFolder *folder)
{
    gboolean any = cg_folder_has_images(folder);
    for (guint i = 0; i < folder->folders->len && !any; i++)
        any = any_image(g_ptr_array_index(folder->folders, i));
    return any;
}

/* A folder without pictures is no such folder: DTD's labels/ holds lists. */
static CgFolder *find_named(CgFolder *root, gboolean (*test)(const char *))
{
    for (guint i = 0; i < root->folders->len; i++) {
        CgFolder *f = g_ptr_array_index(root->folders, i);
        if (test(f->name) && any_image(f))
            return f;
    }
    return NULL;
}

/* Where masks may be found, in this order. */
typedef struct {
    CgPairing *own, *common; /* nullable */
    CgPairing *beside;
} Masks;

static const char *take_mask(const Masks *masks, const char *image)
{
    const char *mask = cg_pairing_take(masks->beside, image);
    if (!mask && masks->own)
        mask = cg_pairing_take(masks->own, image);
    if (!mask && masks->common)
        mask = cg_pairing_take(masks->common, image);
    return mask;
}

/* The images right in FOLDER. DEFECT NULL: normal, unless there is a mask. */
static void read_images(CgDataset *d, const char *category, const char *defect,
                        CgDatasetSplit split, CgFolder *folder, CgFolder *own, CgPairing *common)
{
    const Masks masks = {own ? cg_pairing_new(d, own, NULL) : NULL, common,
                         cg_pairing_new(d, folder, cg_name_is_mask)};
    for (guint i = 0; i < folder->files->len; i++) {
        const char *name = g_ptr_array_index(folder->files, i);
        if (!cg_name_is_image(name) || cg_name_is_mask(name))
            continue;
        const char *mask = take_mask(&masks, name);
        const char *type = defect ? defect : mask ? ANY_DEFECT : CG_DEFECT_GOOD;
        const gboolean good = g_str_equal(type, CG_DEFECT_GOOD);
        cg_dataset_add(d, category, type, good ? split : CG_DATASET_TEST, folder, name, mask,
                       CG_MASK_BINARY);
        if (!mask && !good)
            cg_dataset_problem(d, CG_PROBLEM_MISSING_MASK, folder, name,
                               "a defective image without mask; add it in the folder masks");
    }
    if (masks.own)
        cg_pairing_finish(masks.own);
    cg_pairing_finish(masks.beside);
    cg_dataset_strays(d, folder, TRUE);
}

static CgDatasetSplit split_of(const char *name)
{
    if (g_ascii_strcasecmp(name, "train") == 0 || g_ascii_strcasecmp(name, "training") == 0)
        return CG_DATASET_TRAIN;
    if (g_ascii_strncasecmp(name, "val", 3) == 0)
        return CG_DATASET_VALIDATION;
    return CG_DATASET_TEST;
}

/* images/ and annotations/: data sets for segmentation, with a split below and class numbers in
 * the masks. */
static void read_annotated(CgDataset *d, const char *category, CgFolder *images, CgFolder *masks)
{
    const guint first = d->samples->len;
    CgPairing *common = cg_pairing_new(d, masks, cg_name_is_image);
    read_images(d, category, NULL, CG_DATASET_TRAIN, images, NULL, common);
    cg_pairing_finish(common);
    for (guint i = 0; i < images->folders->len; i++) {
        CgFolder *f = g_ptr_array_index(images->folders, i);
        const guint begin = d->samples->len;
        read_images(d, category, NULL, CG_DATASET_TRAIN, f, cg_folder_find(masks, f->name), NULL);
        for (guint k = begin; k < d->samples->len; k++)
            g_array_index(d->samples, CgSample, k).split = split_of(f->name);
    }
    for (guint i = first; i < d->samples->len; i++)
        g_array_index(d->samples, CgSample, i).mask_rule = CG_MASK_NONZERO;
}

gboolean cg_read_folder(CgDataset *d, CgFolder *root, GError **error)
{
    (void)error;
    g_autofree char *category = cg_dataset_base_name(d);
    CgFolder *masks = find_named(root, is_mask_folder);
    CgFolder *images = find_named(root, is_image_folder);
    if (masks && images) {
        read_annotated(d, category, images, masks);
        return TRUE;
    }
    CgPairing *common = cg_pairing_new(d, masks, cg_name_is_image);
    read_images(d, category, NULL, CG_DATASET_TRAIN, root, NULL, common);
    for (guint i = 0; i < root->folders->len; i++) {
        CgFolder *f = g_ptr_array_index(root->folders, i);
        if (f == masks)
            continue;
        const char *defect = cg_name_is_good(f->name) ? CG_DEFECT_GOOD : f->name;
        read_images(d, category, defect, CG_DATASET_TRAIN, f,
                    masks ? cg_folder_find(masks, f->name) : NULL, common);
        for (guint k = 0; k < f->folders->len; k++)
            cg_dataset_stray_folder(d, g_ptr_array_index(f->folders, k));
    }
    for (guint i = 0; masks && i < masks->folders->len; i++) {
        CgFolder *f = g_ptr_array_index(masks->folders, i);
        if (!cg_folder_find(root, f->name))
            cg_dataset_problem(d, CG_PROBLEM_UNPAIRED_MASK, f, NULL,
                               "masks of a defect type that has no images; remove them or add the "
                               "images");
    }
    cg_pairing_finish(common);
    return TRUE;
}

static gboolean is_good_folder(const char *name)
{
    return cg_name_is_good(name);
}

gboolean cg_match_folder(CgFolder *root)
{
    return cg_folder_has_images(root) || find_named(root, is_good_folder) ||
           find_named(root, is_mask_folder);
}

/* Every picture below FOLDER. Other files (DTD's archive has a stray .directory) are passed over.
 */
static void read_texture_folder(CgDataset *d, const char *category, CgFolder *folder)
{
    for (guint i = 0; i < folder->files->len; i++) {
        const char *name = g_ptr_array_index(folder->files, i);
        if (cg_name_is_image(name))
            cg_dataset_add(d, category, CG_DEFECT_GOOD, CG_DATASET_TRAIN, folder, name, NULL,
                           CG_MASK_BINARY);
    }
    for (guint i = 0; i < folder->folders->len; i++) {
        CgFolder *f = g_ptr_array_index(folder->folders, i);
        read_texture_folder(d, f->name, f);
    }
}

gboolean cg_read_textures(CgDataset *d, CgFolder *root, GError **error)
{
    (void)error;
    g_autofree char *category = cg_dataset_base_name(d);
    CgFolder *images = find_named(root, is_image_folder);
    read_texture_folder(d, category, images ? images : root);
    return TRUE;
}

gboolean cg_match_textures(CgFolder *root)
{
    return any_image(root);
}
