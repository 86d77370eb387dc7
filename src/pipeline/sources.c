#include "pipeline/sources.h"

#include "base/error.h"
#include "pipeline/augment.h"
#include "pipeline/pictures.h"

#include <string.h>

CgSource *cg_source_parse(const char *text, GError **error)
{
    const char *equals = strchr(text, '=');
    g_autofree char *before = equals ? g_strndup(text, (gsize)(equals - text)) : NULL;
    if (before && !cg_method_is_name(before)) {
        g_autofree char *shown = g_utf8_make_valid(text, -1);
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "--synthetic %s: NAME=DIR, where NAME is letters, digits, \"-\", \"_\" and "
                    "\".\", is possible",
                    shown);
        return NULL;
    }
    CgSource *s = g_new(CgSource, 1);
    *s = (CgSource){before ? g_steal_pointer(&before) : g_strdup("cagen"),
                    g_strdup(equals ? equals + 1 : text)};
    return s;
}

void cg_source_free(CgSource *s)
{
    if (!s)
        return;
    g_free(s->name);
    g_free(s->folder);
    g_free(s);
}

static const CgSource *find_given(const GPtrArray *given, const char *name)
{
    for (guint i = 0; i < given->len; i++)
        if (g_str_equal(((const CgSource *)g_ptr_array_index(given, i))->name, name))
            return g_ptr_array_index(given, i);
    return NULL;
}

static gboolean can_be_made(const char *name)
{
    for (guint i = 0; cg_augment_method_name(i); i++)
        if (g_str_equal(cg_augment_method_name(i), name))
            return TRUE;
    return FALSE;
}

gboolean cg_source_check(const GPtrArray *given, const CgMethod *m, const CgCellOptions *o,
                         GError **error)
{
    if (!m->source || find_given(given, m->source))
        return TRUE;
    if (!can_be_made(m->source)) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "method %s: there is no source \"%s\"; --synthetic %s=DIR names a folder of "
                    "generated images",
                    m->name, m->source, m->source);
        return FALSE;
    }
    if (g_str_equal(m->source, "crop-paste") && !o->split) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "method %s cuts its defects from the few-shot images: --split FILE is needed "
                    "(cagen dataset split draws one)",
                    m->name);
        return FALSE;
    }
    if (g_str_equal(m->source, "draem") && !o->textures) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE, "method %s needs a folder of --textures",
                    m->name);
        return FALSE;
    }
    return TRUE;
}

char *cg_source_folder(const GPtrArray *given, const CgMethod *m, const char *category,
                       const CgCellOptions *o)
{
    const CgSource *s = m->source ? find_given(given, m->source) : NULL;
    if (!m->source)
        return NULL;
    if (!s)
        return g_build_filename(o->out, "synthetic", m->source, category, NULL);
    g_autofree char *of_category = g_build_filename(s->folder, category, NULL);
    g_autofree char *manifest = g_build_filename(of_category, "manifest.jsonl", NULL);
    return g_file_test(manifest, G_FILE_TEST_EXISTS) ? g_steal_pointer(&of_category)
                                                     : g_strdup(s->folder);
}

/* The few-shot images of the category and their masks. */
static gboolean list_shots(const CgCellOptions *o, const char *category, GPtrArray *images,
                           GPtrArray *masks, GError **error)
{
    for (guint i = 0; i < o->dataset->samples->len; i++) {
        const CgSample *s = cg_dataset_sample(o->dataset, i);
        if (!g_str_equal(s->category, category) || !cg_split_has(o->split, o->dataset, s))
            continue;
        g_auto(GStrv) files = cg_sample_mask_files(s, error);
        if (!files)
            return FALSE;
        if (g_strv_length(files) != 1) {
            g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                        "%s: has %u mask files; crop-paste cuts along one", s->image,
                        g_strv_length(files));
            return FALSE;
        }
        g_ptr_array_add(images, g_strdup(s->image));
        g_ptr_array_add(masks, g_strdup(files[0]));
    }
    if (images->len)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: has no images of category \"%s\"",
                o->split_path, category);
    return FALSE;
}

GPtrArray *cg_source_normals(const CgDataset *d, const char *category)
{
    GPtrArray *all = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < d->samples->len; i++) {
        const CgSample *s = cg_dataset_sample(d, i);
        if (s->split == CG_DATASET_TRAIN && cg_sample_is_good(s) &&
            g_str_equal(s->category, category))
            g_ptr_array_add(all, g_strdup(s->image));
    }
    return all;
}

gboolean cg_source_make(const GPtrArray *given, const CgMethod *m, const char *category,
                        const CgCellOptions *o, GError **error)
{
    if (!m->source || find_given(given, m->source))
        return TRUE;
    CgBatchSummary summary;
    g_autofree char *out = cg_source_folder(given, m, category, o);
    g_autoptr(GPtrArray) normals = cg_source_normals(o->dataset, category);
    g_autoptr(GPtrArray) images = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) masks = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) textures = NULL;
    const gboolean cut = g_str_equal(m->source, "crop-paste");
    const gboolean textured = g_str_equal(m->source, "draem") || g_str_equal(m->source, "memseg");
    if (cut && !list_shots(o, category, images, masks, error))
        return FALSE;
    if (textured && o->textures && !(textures = cg_pictures_list(o->textures, TRUE, error)))
        return FALSE;
    const CgAugmentOptions options = {.method = m->source,
                                      .out = out,
                                      .category = category,
                                      .defect = m->source,
                                      .count = normals->len,
                                      .normals = normals,
                                      .textures = textures,
                                      .defects = cut ? images : NULL,
                                      .defect_masks = cut ? masks : NULL};
    return cg_augment_run(&options, NULL, NULL, &summary, error);
}
