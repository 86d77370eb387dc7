/* Exports to trees of folders: MVTec, BTAD, and the plain folders of anomalib's Folder. */
#include "datasets/export-private.h"

static gboolean is_defect_for_training(const CgExportItem *item)
{
    return !cg_export_item_is_good(item) && item->split != CG_DATASET_TEST;
}

/* These trees know defects in the test set alone: anomalib refuses any below train/. */
static gboolean accepts_tests(CgExport *e, const CgExportItem *item)
{
    e->summary->not_in_layout += is_defect_for_training(item);
    return !is_defect_for_training(item);
}

/* CATEGORY/{train,test}/LABEL */
static char *split_folder(const CgExportItem *item, const char *label)
{
    g_autofree char *category = cg_export_name(item->sample->category);
    g_autofree char *clean = cg_export_name(label);
    return g_build_filename(category, item->split == CG_DATASET_TEST ? "test" : "train", clean,
                            NULL);
}

static char *mvtec_group(const CgExport *e, const CgExportItem *item)
{
    (void)e;
    return split_folder(item, item->sample->defect);
}

static void mvtec_place(const CgExport *e, CgExportItem *item, const char *stem)
{
    g_autofree char *group = mvtec_group(e, item);
    g_autofree char *category = cg_export_name(item->sample->category);
    g_autofree char *defect = cg_export_name(item->sample->defect);
    item->image = g_strdup_printf("%s/%s.png", group, stem);
    if (!cg_export_item_is_good(item))
        item->mask = g_strdup_printf("%s/ground_truth/%s/%s_mask.png", category, defect, stem);
}

const CgExportRules cg_export_mvtec = {
    .name = "mvtec", .accepts = accepts_tests, .group = mvtec_group, .place = mvtec_place};

static char *btad_group(const CgExport *e, const CgExportItem *item)
{
    (void)e;
    return split_folder(item, cg_export_item_is_good(item) ? "ok" : "ko");
}

static void btad_place(const CgExport *e, CgExportItem *item, const char *stem)
{
    g_autofree char *group = btad_group(e, item);
    g_autofree char *category = cg_export_name(item->sample->category);
    item->image = g_strdup_printf("%s/%s.png", group, stem);
    if (!cg_export_item_is_good(item))
        item->mask = g_strdup_printf("%s/ground_truth/ko/%s.png", category, stem);
}

const CgExportRules cg_export_btad = {
    .name = "btad", .accepts = accepts_tests, .group = btad_group, .place = btad_place};

static char *folder_group(const CgExport *e, const CgExportItem *item)
{
    (void)e;
    const char *label = item->split == CG_DATASET_TEST ? "normal" : "good";
    g_autofree char *category = cg_export_name(item->sample->category);
    g_autofree char *defect = cg_export_name(item->sample->defect);
    return g_build_filename(category, cg_export_item_is_good(item) ? label : defect, NULL);
}

static void folder_place(const CgExport *e, CgExportItem *item, const char *stem)
{
    g_autofree char *group = folder_group(e, item);
    g_autofree char *category = cg_export_name(item->sample->category);
    g_autofree char *defect = cg_export_name(item->sample->defect);
    item->image = g_strdup_printf("%s/%s.png", group, stem);
    if (!cg_export_item_is_good(item))
        item->mask = g_strdup_printf("%s/masks/%s/%s.png", category, defect, stem);
}

/* "- TEXT" lines; YAML takes JSON strings as they are. */
static void append_list(GString *yaml, const char *key, const char *prefix, const GPtrArray *names)
{
    if (names->len == 0)
        return;
    g_string_append_printf(yaml, "  %s:\n", key);
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *name = g_strconcat(prefix, g_ptr_array_index(names, i), NULL);
        g_autofree char *quoted = cg_json_quote(name);
        g_string_append_printf(yaml, "    - %s\n", quoted);
    }
}

/* What CATEGORY has: defects in order of name (items come so), normal images to train and test. */
static GPtrArray *defects_of(const CgExport *e, const char *category, gboolean *trains,
                             gboolean *tests)
{
    GPtrArray *defects = g_ptr_array_new_with_free_func(g_free);
    const char *last = NULL;
    *trains = *tests = FALSE;
    for (guint i = 0; i < e->items->len; i++) {
        const CgExportItem *item = cg_export_item(e, i);
        if (g_strcmp0(item->sample->category, category) != 0)
            continue;
        if (cg_export_item_is_good(item)) {
            *trains |= item->split != CG_DATASET_TEST;
            *tests |= item->split == CG_DATASET_TEST;
        } else if (g_strcmp0(last, item->sample->defect) != 0) {
            last = item->sample->defect;
            g_ptr_array_add(defects, cg_export_name(last));
        }
    }
    return defects;
}

/* A data section for anomalib: anomalib train --model ... --data OUT/CATEGORY.yaml */
static gboolean write_yaml(const CgExport *e, const char *category, GError **error)
{
    gboolean trains, tests;
    g_autoptr(GPtrArray) defects = defects_of(e, category, &trains, &tests);
    g_autofree char *clean = cg_export_name(category);
    g_autofree char *out = g_canonicalize_filename(e->options->out, NULL);
    g_autofree char *root = g_build_filename(out, clean, NULL);
    g_autofree char *name = cg_json_quote(category), *quoted = cg_json_quote(root);
    g_autofree char *relative = g_strconcat(clean, ".yaml", NULL);
    g_autoptr(GString) yaml = g_string_new("class_path: anomalib.data.Folder\ninit_args:\n");
    g_string_append_printf(yaml, "  name: %s\n  root: %s\n", name, quoted);
    if (trains)
        g_string_append(yaml, "  normal_dir: good\n");
    else if (tests)
        g_string_append(yaml, "  normal_dir: normal\n");
    else
        g_string_append(yaml, "  normal_dir: good # none exported: put normal images there\n");
    if (trains && tests)
        g_string_append(yaml, "  normal_test_dir: normal\n");
    append_list(yaml, "abnormal_dir", "", defects);
    append_list(yaml, "mask_dir", "masks/", defects);
    return cg_export_write_text(e, relative, yaml->str, error);
}

static gboolean folder_finish(CgExport *e, GError **error)
{
    for (guint i = 0; i < e->dataset->categories->len; i++)
        if (!write_yaml(e, g_ptr_array_index(e->dataset->categories, i), error))
            return FALSE;
    return TRUE;
}

const CgExportRules cg_export_folder = {.name = "folder",
                                        .accepts = accepts_tests,
                                        .group = folder_group,
                                        .place = folder_place,
                                        .finish = folder_finish};
