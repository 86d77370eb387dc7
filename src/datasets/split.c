#include "datasets/split.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"

#include <glib/gstdio.h>
#include <string.h>

#define FORMAT  "cagen few-shot split"
#define VERSION 1

static void shot_free(gpointer data)
{
    CgShot *shot = data;
    g_free(shot->category);
    g_free(shot->defect);
    g_free(shot->image);
    g_free(shot->sha256);
    g_free(shot);
}

static CgSplit *split_new(guint shots, guint64 seed)
{
    CgSplit *split = g_new(CgSplit, 1);
    *split = (CgSplit){shots, seed, g_ptr_array_new_with_free_func(shot_free)};
    return split;
}

void cg_split_free(CgSplit *split)
{
    if (!split)
        return;
    g_ptr_array_unref(split->images);
    g_free(split);
}

static guint64 file_size(const char *path)
{
    GStatBuf st;
    return g_stat(path, &st) == 0 ? (guint64)st.st_size : G_MAXUINT64;
}

static gboolean add_shot(CgSplit *split, const CgDataset *d, const CgSample *s, GError **error)
{
    const char *image = cg_dataset_relative(d, s->image);
    if (!g_utf8_validate(image, -1, NULL) || !g_utf8_validate(s->category, -1, NULL) ||
        !g_utf8_validate(s->defect, -1, NULL)) {
        g_autofree char *valid = g_utf8_make_valid(s->image, -1);
        g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                    "%s: its name is not UTF-8 and cannot be written down; rename it", valid);
        return FALSE;
    }
    g_autofree char *sum = cg_file_sha256(s->image, error);
    if (!sum)
        return FALSE;
    CgShot *shot = g_new(CgShot, 1);
    *shot = (CgShot){g_strdup(s->category), g_strdup(s->defect), g_strdup(image),
                     g_steal_pointer(&sum), file_size(s->image)};
    g_ptr_array_add(split->images, shot);
    return TRUE;
}

static int compare_indices(gconstpointer a, gconstpointer b)
{
    const guint x = *(const guint *)a, y = *(const guint *)b;
    return (x > y) - (x < y);
}

/* Draws from one type; MEMBERS are numbers of samples in order of name. */
static gboolean draw_type(CgSplit *split, const CgDataset *d, GArray *members, GError **error)
{
    const CgSample *first = cg_dataset_sample(d, g_array_index(members, guint, 0));
    g_autofree char *type = g_strdup_printf("%s/%s", first->category, first->defect);
    CgRng rng = cg_rng(split->seed, CG_STREAM(CG_STREAM_SPLIT, g_str_hash(type)));
    const guint take = MIN(split->shots, members->len);
    /* Fisher and Yates, as far as needed. */
    for (guint i = 0; i < take; i++) {
        const guint k = (guint)cg_rng_int(&rng, (int)i, (int)members->len - 1);
        const guint swap = g_array_index(members, guint, i);
        g_array_index(members, guint, i) = g_array_index(members, guint, k);
        g_array_index(members, guint, k) = swap;
    }
    g_array_set_size(members, take);
    g_array_sort(members, compare_indices);
    for (guint i = 0; i < take; i++)
        if (!add_shot(split, d, cg_dataset_sample(d, g_array_index(members, guint, i)), error))
            return FALSE;
    return TRUE;
}

CgSplit *cg_split_draw(const CgDataset *d, guint shots, guint64 seed, GError **error)
{
    g_autoptr(CgSplit) split = split_new(shots, seed);
    g_autoptr(GHashTable) types = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GPtrArray) order = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    if (shots < 1 || shots > CG_SPLIT_MAX_SHOTS) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "%u images per defect type; 1 to %d make sense", shots, CG_SPLIT_MAX_SHOTS);
        return NULL;
    }
    for (guint i = 0; i < d->samples->len; i++) {
        const CgSample *s = cg_dataset_sample(d, i);
        if (cg_sample_is_good(s) || !s->mask)
            continue;
        char *type = g_strdup_printf("%s/%s", s->category, s->defect);
        GArray *members = g_hash_table_lookup(types, type);
        if (!members) {
            members = g_array_new(FALSE, FALSE, sizeof i);
            g_ptr_array_add(order, members);
            g_hash_table_insert(types, g_strdup(type), members);
        }
        g_free(type);
        g_array_append_val(members, i);
    }
    if (order->len == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "%s: no defective image with a mask to choose from", d->root);
        return NULL;
    }
    for (guint i = 0; i < order->len; i++)
        if (!draw_type(split, d, g_ptr_array_index(order, i), error))
            return NULL;
    return g_steal_pointer(&split);
}

/* The rows of one defect type, from *NEXT on. */
static json_t *type_to_json(const CgSplit *split, guint *next, const CgPrompts *prompts)
{
    const CgShot *first = g_ptr_array_index(split->images, *next);
    json_t *type = json_object(), *texts = json_array(), *images = json_array();
    g_auto(GStrv) list = cg_prompts_make(prompts, first->category, first->defect);
    for (char **p = list; *p; p++)
        json_array_append_new(texts, json_string(*p));
    for (; *next < split->images->len; ++*next) {
        const CgShot *shot = g_ptr_array_index(split->images, *next);
        if (!g_str_equal(shot->category, first->category) ||
            !g_str_equal(shot->defect, first->defect))
            break;
        json_t *image = json_object();
        json_object_set_new(image, "image", json_string(shot->image));
        json_object_set_new(image, "bytes", json_integer((json_int_t)shot->bytes));
        json_object_set_new(image, "sha256", json_string(shot->sha256));
        json_array_append_new(images, image);
    }
    json_object_set_new(type, "category", json_string(first->category));
    json_object_set_new(type, "defect", json_string(first->defect));
    json_object_set_new(type, "prompts", texts);
    json_object_set_new(type, "images", images);
    return type;
}

gboolean cg_split_save(const CgSplit *split, const char *path, const CgPrompts *prompts,
                       GError **error)
{
    g_autoptr(json_t) file = json_object();
    json_t *types = json_array();
    for (guint i = 0; i < split->images->len;)
        json_array_append_new(types, type_to_json(split, &i, prompts));
    json_object_set_new(file, "format", json_string(FORMAT));
    json_object_set_new(file, "version", json_integer(VERSION));
    json_object_set_new(file, "shots", json_integer(split->shots));
    json_object_set_new(file, "seed", json_integer((json_int_t)split->seed));
    json_object_set_new(file, "types", types);
    char *text = json_dumps(file, JSON_INDENT(1));
    g_autofree char *lines = g_strconcat(text, "\n", NULL);
    free(text);
    return cg_file_write(path, lines, strlen(lines), error);
}

static gboolean is_sha256(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

/* A text that must be there. */
static gboolean read_text(const json_t *object, const char *path, const char *key, const char **out,
                          GError **error)
{
    if (!cg_json_string(object, path, key, "", out, error))
        return FALSE;
    if (**out)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: \"%s\" is missing in an entry", path, key);
    return FALSE;
}

static gboolean read_type(CgSplit *split, const json_t *type, const char *path, GError **error)
{
    const char *category, *defect, *image, *sum;
    const json_t *images = json_object_get(type, "images"), *row;
    gint64 bytes;
    size_t i;
    if (!read_text(type, path, "category", &category, error) ||
        !read_text(type, path, "defect", &defect, error))
        return FALSE;
    if (!json_is_array(images)) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: \"images\" must be a list", path);
        return FALSE;
    }
    json_array_foreach(images, i, row)
    {
        if (!read_text(row, path, "image", &image, error) ||
            !read_text(row, path, "sha256", &sum, error) ||
            !cg_json_int(row, path, "bytes", 0, 0, G_MAXINT64, &bytes, error))
            return FALSE;
        if (!is_sha256(sum)) {
            g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                        "%s: the sha256 of \"%s\" is not 64 hexadecimal digits", path, image);
            return FALSE;
        }
        CgShot *shot = g_new(CgShot, 1);
        *shot = (CgShot){g_strdup(category), g_strdup(defect), g_strdup(image), g_strdup(sum),
                         (guint64)bytes};
        g_ptr_array_add(split->images, shot);
    }
    return TRUE;
}

CgSplit *cg_split_load(const char *path, GError **error)
{
    g_autoptr(json_t) file = cg_json_load(path, error);
    const char *format;
    gint64 version, shots, seed;
    size_t i;
    const json_t *type;
    if (!file || !cg_json_string(file, path, "format", "", &format, error) ||
        !cg_json_int(file, path, "version", 0, 0, G_MAXINT, &version, error) ||
        !cg_json_int(file, path, "shots", 1, 1, CG_SPLIT_MAX_SHOTS, &shots, error) ||
        !cg_json_int(file, path, "seed", 0, G_MININT64, G_MAXINT64, &seed, error))
        return NULL;
    const json_t *types = json_object_get(file, "types");
    if (!g_str_equal(format, FORMAT) || version != VERSION || !json_is_array(types)) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: not a split that this version reads; cagen dataset split writes one",
                    path);
        return NULL;
    }
    g_autoptr(CgSplit) split = split_new((guint)shots, (guint64)seed);
    json_array_foreach(types, i, type)
    {
        if (!read_type(split, type, path, error))
            return NULL;
    }
    return g_steal_pointer(&split);
}

/* The shots by their path. */
static GHashTable *by_path(const CgSplit *split)
{
    GHashTable *table = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < split->images->len; i++) {
        CgShot *shot = g_ptr_array_index(split->images, i);
        g_hash_table_insert(table, shot->image, shot);
    }
    return table;
}

gboolean cg_split_has(const CgSplit *split, const CgDataset *d, const CgSample *sample)
{
    const char *path = cg_dataset_relative(d, sample->image);
    for (guint i = 0; i < split->images->len; i++)
        if (g_str_equal(((CgShot *)g_ptr_array_index(split->images, i))->image, path))
            return TRUE;
    return FALSE;
}

/* Whether the sample's file is still that of the shot. */
static gboolean check_file(const CgShot *shot, const CgSample *s, GError **error)
{
    g_autofree char *sum = cg_file_sha256(s->image, error);
    if (!sum)
        return FALSE;
    if (g_str_equal(sum, shot->sha256))
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                "%s: not the file that the split was made with; draw the split again", s->image);
    return FALSE;
}

gboolean cg_split_separate(const CgSplit *split, CgDataset *d, gboolean keep, GError **error)
{
    g_autoptr(GHashTable) shots = by_path(split);
    g_autofree gboolean *is_shot = g_new0(gboolean, d->samples->len + 1);
    for (guint i = 0; i < d->samples->len; i++) {
        const CgSample *s = cg_dataset_sample(d, i);
        const char *path = cg_dataset_relative(d, s->image);
        const CgShot *shot = g_hash_table_lookup(shots, path);
        if (!shot)
            continue;
        if (!check_file(shot, s, error))
            return FALSE;
        g_hash_table_remove(shots, path);
        is_shot[i] = TRUE;
    }
    for (guint i = 0; i < split->images->len; i++) {
        const CgShot *shot = g_ptr_array_index(split->images, i);
        if (g_hash_table_contains(shots, shot->image)) {
            g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                        "%s: \"%s\" of the split is not in this data set; is it the right folder?",
                        d->root, shot->image);
            return FALSE;
        }
    }
    guint kept = 0;
    for (guint i = 0; i < d->samples->len; i++)
        if (is_shot[i] == keep)
            g_array_index(d->samples, CgSample, kept++) = *cg_dataset_sample(d, i);
    g_array_set_size(d->samples, kept);
    return TRUE;
}

gboolean cg_split_refuse(const CgSplit *split, const CgDataset *d, GError **error)
{
    g_autoptr(GHashTable) shots = by_path(split);
    g_autoptr(GHashTable) sizes = g_hash_table_new(g_int64_hash, g_int64_equal);
    g_autoptr(GHashTable) sums = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < split->images->len; i++) {
        CgShot *shot = g_ptr_array_index(split->images, i);
        g_hash_table_add(sizes, &shot->bytes);
        g_hash_table_insert(sums, shot->sha256, shot);
    }
    for (guint i = 0; i < d->samples->len; i++) {
        const CgSample *s = cg_dataset_sample(d, i);
        if (s->split == CG_DATASET_TRAIN)
            continue;
        const CgShot *shot = g_hash_table_lookup(shots, cg_dataset_relative(d, s->image));
        /* Only files as large as a shot can be one: the others need not be read. */
        const guint64 bytes = file_size(s->image);
        if (!shot && g_hash_table_contains(sizes, &bytes)) {
            g_autofree char *sum = cg_file_sha256(s->image, error);
            if (!sum)
                return FALSE;
            shot = g_hash_table_lookup(sums, sum);
        }
        if (shot) {
            g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                        "%s: was shown in training (\"%s\" of the split), so it cannot be tested "
                        "on; take it out",
                        s->image, shot->image);
            return FALSE;
        }
    }
    return TRUE;
}
