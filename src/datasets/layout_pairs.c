/* Data sets whose masks lie beside the images: KolektorSDD, KolektorSDD2, magnetic tile.
 *
 * In the two of Kolektor every image has a mask, and an empty one says that the image is normal, so
 * masks are read here. Sources: the data sets' readme files.
 */
#include "datasets/dataset-private.h"

#include "base/system.h"

#include <string.h>

/* The images of FOLDER with masks beside them, as DEFECT. */
static void read_pairs(CgDataset *d, const char *category, const char *defect, CgDatasetSplit split,
                       CgFolder *folder, gboolean (*is_mask)(const char *), CgMaskRule rule)
{
    CgPairing *pairing = cg_pairing_new(d, folder, is_mask);
    for (guint i = 0; i < folder->files->len; i++) {
        const char *name = g_ptr_array_index(folder->files, i);
        if (!cg_name_is_image(name) || is_mask(name))
            continue;
        const char *mask = cg_pairing_take(pairing, name);
        if (mask || g_str_equal(defect, CG_DEFECT_GOOD))
            cg_dataset_add(d, category, defect, split, folder, name, mask, rule);
        if (!mask)
            cg_dataset_problem(d, CG_PROBLEM_MISSING_MASK, folder, name,
                               "an image without mask beside it; here normal images too have one, "
                               "all zero");
    }
    cg_pairing_finish(pairing);
    cg_dataset_strays(d, folder, TRUE);
}

/* 1 when any value is not 0, 0 when none, -1 with *REASON when it cannot be read. */
static int mask_says(const char *path, char **reason)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CgImage) mask = cg_image_load(path, NULL, &error);
    if (!mask) {
        *reason = g_strdup(cg_dataset_reason(error, path));
        return -1;
    }
    const size_t bytes = (size_t)mask->width * (size_t)mask->height * (size_t)mask->channels;
    for (size_t i = 0; i < bytes; i++)
        if (mask->pixels[i])
            return 1;
    return 0;
}

/* Names the samples by their masks; leaves out those whose mask cannot be read. */
static gboolean resolve(CgDataset *d, const char *defect, GError **error)
{
    const guint count = d->samples->len;
    const char *type = g_string_chunk_insert_const(d->strings, defect);
    g_autofree int *says = g_new0(int, count + 1);
    g_autofree char **reasons = g_new0(char *, count + 1);
    if (!cg_image_init(error))
        return FALSE;
#pragma omp parallel for schedule(dynamic) num_threads(cg_threads())
    for (guint i = 0; i < count; i++)
        if (!cg_cancelled())
            says[i] = mask_says(cg_dataset_sample(d, i)->mask, &reasons[i]);
    guint kept = 0;
    for (guint i = 0; i < count; i++) {
        CgSample s = *cg_dataset_sample(d, i);
        if (says[i] < 0) {
            cg_dataset_problem_at(d, CG_PROBLEM_UNREADABLE, g_strdup(s.mask), reasons[i]);
            continue;
        }
        if (says[i])
            s.defect = type;
        g_array_index(d->samples, CgSample, kept++) = s;
    }
    g_array_set_size(d->samples, kept);
    return cg_cancel_check(error);
}

/* Samples without mask would be called normal without knowing. */
static void drop_maskless(CgDataset *d)
{
    guint kept = 0;
    for (guint i = 0; i < d->samples->len; i++)
        if (cg_dataset_sample(d, i)->mask)
            g_array_index(d->samples, CgSample, kept++) = *cg_dataset_sample(d, i);
    d->unlabelled += d->samples->len - kept;
    g_array_set_size(d->samples, kept);
}

/* The folder of one commutator: its eight sides stay together. */
static char *folder_key(const CgSample *sample)
{
    return g_path_get_dirname(sample->image);
}

static gboolean is_kos(const CgFolder *f)
{
    return g_str_has_prefix(f->name, "kos") && g_ascii_isdigit(f->name[3]);
}

gboolean cg_match_ksdd(CgFolder *root)
{
    for (guint i = 0; i < root->folders->len; i++)
        if (is_kos(g_ptr_array_index(root->folders, i)))
            return TRUE;
    return FALSE;
}

gboolean cg_read_ksdd(CgDataset *d, CgFolder *root, GError **error)
{
    for (guint i = 0; i < root->folders->len; i++) {
        CgFolder *f = g_ptr_array_index(root->folders, i);
        if (is_kos(f))
            read_pairs(d, "commutator", CG_DEFECT_GOOD, CG_DATASET_TRAIN, f, cg_name_is_mask,
                       CG_MASK_NONZERO);
        else
            cg_dataset_stray_folder(d, f);
    }
    drop_maskless(d);
    if (!resolve(d, "crack", error))
        return FALSE;
    cg_dataset_draw_split(d, folder_key);
    return TRUE;
}

static gboolean has_gt(const CgFolder *f)
{
    for (guint i = 0; f && i < f->files->len; i++) {
        const char *name = g_ptr_array_index(f->files, i);
        if (g_str_has_suffix(name, "_GT.png"))
            return TRUE;
    }
    return FALSE;
}

gboolean cg_match_ksdd2(CgFolder *root)
{
    return has_gt(cg_folder_find(root, "train")) || has_gt(cg_folder_find(root, "test"));
}

gboolean cg_read_ksdd2(CgDataset *d, CgFolder *root, GError **error)
{
    static const CgDatasetSplit splits[] = {CG_DATASET_TRAIN, CG_DATASET_TEST};
    for (size_t i = 0; i < G_N_ELEMENTS(splits); i++) {
        CgFolder *f = cg_folder_find(root, cg_dataset_split_name(splits[i]));
        if (f)
            read_pairs(d, "surface", CG_DEFECT_GOOD, splits[i], f, cg_name_is_mask,
                       CG_MASK_NONZERO);
    }
    drop_maskless(d);
    return resolve(d, "defect", error);
}

static gboolean is_png(const char *name)
{
    return g_ascii_strcasecmp(name + cg_name_stem(name), ".png") == 0;
}

/* "exp3_num_45042.jpg" -> "num_45042": the same tile in another exposure has the same number. */
static char *shot_key(const CgSample *sample)
{
    const char *number = strstr(sample->image, "_num_");
    return g_strdup(number ? number : sample->image);
}

static gboolean is_tile(CgFolder *f)
{
    return g_str_has_prefix(f->name, "MT_") && cg_folder_find(f, "Imgs");
}

gboolean cg_match_tile(CgFolder *root)
{
    for (guint i = 0; i < root->folders->len; i++)
        if (is_tile(g_ptr_array_index(root->folders, i)))
            return TRUE;
    return FALSE;
}

gboolean cg_read_tile(CgDataset *d, CgFolder *root, GError **error)
{
    (void)error;
    for (guint i = 0; i < root->folders->len; i++) {
        CgFolder *f = g_ptr_array_index(root->folders, i);
        if (!is_tile(f)) {
            cg_dataset_stray_folder(d, f);
            continue;
        }
        g_autofree char *type = g_ascii_strdown(f->name + strlen("MT_"), -1);
        const gboolean good = g_str_equal(type, "free");
        read_pairs(d, "magnetic_tile", good ? CG_DEFECT_GOOD : type,
                   good ? CG_DATASET_TRAIN : CG_DATASET_TEST, cg_folder_find(f, "Imgs"), is_png,
                   CG_MASK_SOFT);
    }
    cg_dataset_draw_split(d, shot_key);
    return TRUE;
}
