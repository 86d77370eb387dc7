#include "pipeline/cell_settings.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "pipeline/manifest.h"
#include "pipeline/pictures.h"

#include <glib/gstdio.h>
#include <stdlib.h>

#define HASH_DIGITS 16

/* ---- hashes */

static void add_file(GChecksum *sum, const char *name, const char *path)
{
    GStatBuf st;
    const gint64 size = g_stat(path, &st) == 0 ? (gint64)st.st_size : -1;
    g_autofree char *line = g_strdup_printf("%s %" G_GINT64_FORMAT "\n", name, size);
    g_checksum_update(sum, (const guchar *)line, -1);
}

static json_t *hash_json(GChecksum *sum)
{
    g_autofree char *digits = g_strndup(g_checksum_get_string(sum), HASH_DIGITS);
    g_checksum_free(sum);
    return json_string(digits);
}

/* The images of one split of the category that a detector sees: normal ones for training. */
static json_t *images_hash(const CgDataset *d, const char *category, CgDatasetSplit split)
{
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
    for (guint i = 0; i < d->samples->len; i++) {
        const CgSample *s = cg_dataset_sample(d, i);
        if (s->split != split || !g_str_equal(s->category, category) ||
            (split == CG_DATASET_TRAIN && !cg_sample_is_good(s)))
            continue;
        add_file(sum, cg_dataset_relative(d, s->image), s->image);
        if (s->mask)
            add_file(sum, cg_dataset_relative(d, s->mask), s->mask);
    }
    return hash_json(sum);
}

static json_t *textures_hash(const char *folder, GError **error)
{
    g_autoptr(GPtrArray) paths = cg_pictures_list(folder, TRUE, error);
    if (!paths)
        return NULL;
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
    for (guint i = 0; i < paths->len; i++) {
        g_autofree char *name = g_path_get_basename(g_ptr_array_index(paths, i));
        add_file(sum, name, g_ptr_array_index(paths, i));
    }
    return hash_json(sum);
}

static json_t *synthetic_hash(const char *folder, const char *category, GError **error)
{
    g_autoptr(GPtrArray) rows = cg_manifest_read(folder, error);
    if (!rows)
        return NULL;
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
    for (guint i = 0; i < rows->len; i++) {
        const json_t *row = g_ptr_array_index(rows, i);
        const char *of = cg_json_text(row, "category");
        const char *image = cg_json_text(row, "image");
        const char *key = cg_json_text(row, "key");
        if (g_strcmp0(of, category) != 0)
            continue;
        g_autofree char *line = g_strdup_printf("%s %s\n", image ? image : "", key ? key : "");
        g_checksum_update(sum, (const guchar *)line, -1);
    }
    return hash_json(sum);
}

/* ---- settings */

static void add_optimizer(json_t *object, const CgTrainSettings *s)
{
    const CgOptimizer *o = &s->optimizer;
    json_object_set_new(object, "batch", json_integer(s->batch));
    json_object_set_new(object, "accumulate", json_integer(s->accumulate));
    if (s->steps)
        json_object_set_new(object, "steps", json_integer((json_int_t)s->steps));
    else
        json_object_set_new(object, "epochs", json_real(s->epochs));
    json_object_set_new(object, "rate", json_real(o->rate));
    json_object_set_new(object, "rate_schedule", json_string(cg_rate_course_name(o->course)));
    json_object_set_new(object, "warmup", json_integer((json_int_t)o->warmup));
    json_object_set_new(object, "beta1", json_real(o->beta1));
    json_object_set_new(object, "beta2", json_real(o->beta2));
    json_object_set_new(object, "eps", json_real(o->eps));
    json_object_set_new(object, "decay", json_real(o->decay));
    json_object_set_new(object, "clip", json_real(o->clip));
    json_object_set_new(object, "average", json_real(o->average_decay));
}

static json_t *training_settings(const CgCellOptions *o, const CgCell *cell, GError **error)
{
    const CgDetectorSamplesOptions *s = &o->detector.samples;
    g_autoptr(json_t) object =
        json_pack("{s:s, s:i, s:i, s:s}", "synthesis", cell->method->base, "size", s->size, "width",
                  o->detector.width, "dtype", cg_dtype_name(o->dtype));
    /* What was made before there was a choice stays valid. */
    if (o->detector.network != CG_DETECTOR_DRAEM)
        json_object_set_new(object, "network",
                            json_string(cg_detector_kind_name(o->detector.network)));
    json_object_set_new(object, "seed", json_integer((json_int_t)cell->seed));
    json_object_set_new(object, "normal_images",
                        images_hash(o->dataset, cell->category, CG_DATASET_TRAIN));
    add_optimizer(object, &o->detector.train);
    if (cg_cell_textures(o, cell)) {
        json_t *hash = textures_hash(o->textures, error);
        if (!hash)
            return NULL;
        json_object_set_new(object, "textures", hash);
    }
    if (cell->synthetic) {
        json_t *hash = synthetic_hash(cell->synthetic, cell->category, error);
        if (!hash)
            return NULL;
        json_object_set_new(object, "generated_images", hash);
        json_object_set_new(object, "ratio", json_real(cell->method->ratio));
        json_object_set_new(object, "replace", json_string(cg_replace_name(s->replace)));
    }
    return g_steal_pointer(&object);
}

static json_t *testing_settings(const CgCellOptions *o, const CgCell *cell, GError **error)
{
    const CgEvaluationOptions *e = &o->evaluation;
    json_t *modes = json_array();
    for (int m = 0; m < CG_MODE_COUNT; m++)
        if (e->modes[m])
            json_array_append_new(modes, json_string(cg_mode_name((CgMode)m)));
    g_autoptr(json_t) object = json_object();
    json_object_set_new(object, "modes", modes);
    json_object_set_new(object, "test_images",
                        images_hash(o->dataset, cell->category, CG_DATASET_TEST));
    json_object_set_new(object, "draws", json_integer(e->bootstrap));
    json_object_set_new(object, "fpr_limit", json_real(e->fpr_limit));
    if (o->split_path) {
        g_autofree char *sum = cg_file_sha256(o->split_path, error);
        if (!sum)
            return NULL;
        json_object_set_new(object, "split", json_stringn(sum, HASH_DIGITS));
    }
    return g_steal_pointer(&object);
}

json_t *cg_cell_settings(const CgCellOptions *o, const CgCell *cell, GError **error)
{
    g_autoptr(json_t) training = training_settings(o, cell, error);
    g_autoptr(json_t) testing = training ? testing_settings(o, cell, error) : NULL;
    if (!testing)
        return NULL;
    return json_pack("{s:s, s:O, s:O}", "version", CAGEN_VERSION, "training", training, "testing",
                     testing);
}

/* ---- comparing */

static char *show(const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS) : NULL;
    char *shown = g_strdup(text ? text : "nothing");
    free(text);
    return shown;
}

/* The first key whose values differ; both objects' keys are looked at. */
static gboolean find_difference(const json_t *were, const json_t *wanted, const char **key,
                                const json_t **a, const json_t **b)
{
    const json_t *both[2] = {were, wanted};
    for (guint i = 0; i < 2; i++)
        for (void *at = json_object_iter((json_t *)(guintptr)both[i]); at;
             at = json_object_iter_next((json_t *)(guintptr)both[i], at)) {
            *key = json_object_iter_key(at);
            *a = json_object_get(were, *key);
            *b = json_object_get(wanted, *key);
            if (json_equal(*a, *b))
                continue;
            if (json_is_object(*a) && json_is_object(*b))
                return find_difference(*a, *b, key, a, b);
            return TRUE;
        }
    return FALSE;
}

gboolean cg_cell_settings_check(const json_t *were, const json_t *wanted, const char *path,
                                GError **error)
{
    const char *key;
    const json_t *a, *b;
    if (!find_difference(were, wanted, &key, &a, &b))
        return TRUE;
    g_autofree char *was = show(a), *wants = show(b);
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "%s: was made with \"%s\" %s, not %s; --redo makes it anew, another --out keeps "
                "both",
                path, key, was, wants);
    return FALSE;
}
