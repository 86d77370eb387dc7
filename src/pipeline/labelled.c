#include "pipeline/labelled.h"

#include "base/error.h"
#include "base/rng.h"
#include "datasets/split.h"
#include "pipeline/group.h"

#include <string.h>

static void clear(gpointer data)
{
    CgLabelled *l = data;
    g_free(l->path);
    g_free(l->label);
    g_free(l->mask);
}

GArray *cg_labelled_new(void)
{
    GArray *pictures = g_array_new(FALSE, FALSE, sizeof(CgLabelled));
    g_array_set_clear_func(pictures, clear);
    return pictures;
}

gboolean cg_labelled_add(GArray *pictures, const CgLabelledSource *source, GError **error)
{
    CgLayout layout = CG_LAYOUT_AUTO;
    const guint before = pictures->len;
    if (source->layout && !cg_layout_parse(source->layout, &layout, error))
        return FALSE;
    g_autoptr(CgDataset) d = cg_dataset_open(source->data, layout, error);
    const char *category = d ? cg_dataset_choose_category(d, source->category, error) : NULL;
    g_autoptr(CgSplit) shots =
        category && source->shots ? cg_split_load(source->shots, error) : NULL;
    if (!category || (source->shots && !shots))
        return FALSE;
    for (guint i = 0; i < d->samples->len; i++) {
        const CgSample *s = cg_dataset_sample(d, i);
        const gboolean is_shot = shots && cg_split_has(shots, d, s);
        if (s->category != category || !(is_shot ? source->with_shots : source->splits[s->split]))
            continue;
        const CgLabelled l = {.path = g_strdup(s->image),
                              .label = g_strdup(s->defect),
                              .mask = g_strdup(s->mask),
                              .mask_rule = s->mask_rule};
        g_array_append_val(pictures, l);
    }
    if (pictures->len > before)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                "%s: category \"%s\" has no such images; cagen dataset info shows what there is",
                source->data, category);
    return FALSE;
}

gboolean cg_labelled_parse_part(const char *name, gboolean splits[3])
{
    const gboolean all = g_str_equal(name, "all");
    const gboolean train = all || g_str_equal(name, "train");
    const gboolean test = all || g_str_equal(name, "test");
    splits[CG_DATASET_TRAIN] = splits[CG_DATASET_VALIDATION] = train;
    splits[CG_DATASET_TEST] = test;
    return train || test;
}

char *cg_labelled_keep_known(GArray *pictures, GPtrArray *known)
{
    g_autoptr(GArray) unknown = cg_labelled_new();
    for (guint i = 0; i < pictures->len;) {
        const CgLabelled *l = &g_array_index(pictures, CgLabelled, i);
        if (g_ptr_array_find_with_equal_func(known, l->label, g_str_equal, NULL)) {
            i++;
            continue;
        }
        const CgLabelled copy = {.path = g_strdup(l->path), .label = g_strdup(l->label)};
        g_array_append_val(unknown, copy);
        g_array_remove_index(pictures, i);
    }
    if (!unknown->len)
        return NULL;
    g_autoptr(GPtrArray) names = cg_labelled_names(unknown);
    g_ptr_array_add(names, NULL);
    return g_strjoinv(", ", (char **)names->pdata);
}

void cg_labelled_lend_masks(GArray *pictures)
{
    g_autoptr(GArray) lenders = g_array_new(FALSE, FALSE, sizeof(guint));
    for (guint i = 0; i < pictures->len; i++)
        if (g_array_index(pictures, CgLabelled, i).mask)
            g_array_append_val(lenders, i);
    for (guint i = 0; i < pictures->len && lenders->len; i++) {
        CgLabelled *l = &g_array_index(pictures, CgLabelled, i);
        if (l->mask || !g_str_equal(l->label, CG_DEFECT_GOOD))
            continue;
        CgRng rng = cg_rng(i, CG_STREAM_PAIRS);
        const guint from =
            g_array_index(lenders, guint, cg_rng_int(&rng, 0, (int)lenders->len - 1));
        const CgLabelled *lender = &g_array_index(pictures, CgLabelled, from);
        l->mask = g_strdup(lender->mask);
        l->mask_rule = lender->mask_rule;
        l->lent = TRUE;
    }
}

static CgImage *load_mask(const CgLabelled *l, const CgImage *image, GError **error)
{
    const CgSample sample = {
        .defect = l->label, .image = l->path, .mask = l->mask, .mask_rule = l->mask_rule};
    g_autoptr(CgImage) mask = cg_sample_load_mask(&sample, error);
    return mask ? cg_group_fit_mask(mask, l->mask, image, l->path, l->lent, error) : NULL;
}

CgImage *cg_labelled_load(const CgLabelled *picture, gboolean window, GError **error)
{
    g_autoptr(CgImage) image = cg_image_load(picture->path, NULL, error);
    if (!image)
        return NULL;
    g_autoptr(CgImage) rgb = cg_image_to_rgb(image);
    if (!window)
        return g_steal_pointer(&rgb);
    g_autoptr(CgImage) mask = load_mask(picture, rgb, error);
    return mask ? cg_group_crop(rgb, mask) : NULL;
}

void cg_labelled_unite(GArray *pictures)
{
    for (guint i = 0; i < pictures->len; i++) {
        CgLabelled *l = &g_array_index(pictures, CgLabelled, i);
        if (g_str_equal(l->label, CG_DEFECT_GOOD))
            continue;
        g_free(l->label);
        l->label = g_strdup(CG_LABEL_ANOMALOUS);
    }
}

static int compare_labels(gconstpointer a, gconstpointer b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    const int good = g_str_equal(y, CG_DEFECT_GOOD) - g_str_equal(x, CG_DEFECT_GOOD);
    return good ? good : strcmp(x, y);
}

GPtrArray *cg_labelled_names(const GArray *pictures)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < pictures->len; i++) {
        const char *label = g_array_index(pictures, CgLabelled, i).label;
        if (!g_ptr_array_find_with_equal_func(names, label, g_str_equal, NULL))
            g_ptr_array_add(names, g_strdup(label));
    }
    g_ptr_array_sort(names, compare_labels);
    return names;
}
