#include "metrics/pairs.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

/* Deepest folder and most files below the folder of maps. */
#define MAX_DEPTH 12
#define MAX_FILES (4u << 20)

/* Files by what they are about: "CATEGORY/DEFECT/STEM", without the folders that say nothing. */
typedef struct {
    char *path, *other; /* OTHER: a second file of the same key */
    gboolean used;
} File;

static void file_free(gpointer data)
{
    File *f = data;
    g_free(f->path);
    g_free(f->other);
    g_free(f);
}

static gboolean has_extension(const char *name, const char *list)
{
    const char *dot = strrchr(name, '.');
    g_auto(GStrv) endings = g_strsplit(list, " ", -1);
    for (char **e = endings; dot && dot != name && *e; e++)
        if (g_ascii_strcasecmp(dot + 1, *e) == 0)
            return TRUE;
    return FALSE;
}

#define MAP_ENDINGS  "png tif tiff pgm npy"
#define MASK_ENDINGS "png bmp tif tiff pgm webp gif jpg jpeg"

/* The key of RELATIVE, a path without extension. */
static char *make_key(const char *relative)
{
    g_auto(GStrv) parts = g_strsplit(relative, "/", -1);
    GString *key = g_string_new(NULL);
    for (char **p = parts; *p; p++) {
        const gboolean folder = p[1] != NULL;
        if (!**p || (folder && (g_str_equal(*p, "test") || g_str_equal(*p, "ground_truth"))))
            continue;
        g_string_append_printf(key, "%s%s", key->len ? "/" : "",
                               folder && cg_name_is_good(*p) ? CG_DEFECT_GOOD : *p);
    }
    return g_string_free(key, FALSE);
}

typedef struct {
    GHashTable *files; /* key -> File */
    const char *endings;
    gboolean masks; /* names end in _mask, perhaps */
    guint count;
} Scan;

static void add_file(Scan *scan, const char *folder, const char *relative, const char *name)
{
    const char *dot = strrchr(name, '.');
    const gsize n = scan->masks ? cg_name_mask_stem(name) : (gsize)(dot - name);
    g_autofree char *stem = g_strndup(name, n);
    g_autofree char *joined = g_strconcat(relative, "/", stem, NULL);
    char *key = make_key(joined);
    File *known = g_hash_table_lookup(scan->files, key);
    if (known) {
        if (!known->other)
            known->other = g_build_filename(folder, name, NULL);
        g_free(key);
        return;
    }
    File *f = g_new0(File, 1);
    f->path = g_build_filename(folder, name, NULL);
    g_hash_table_insert(scan->files, key, f);
    scan->count++;
}

static gboolean scan_folder(Scan *scan, const char *folder, const char *relative, int depth,
                            GError **error)
{
    g_autoptr(GError) wrong = NULL;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, &wrong);
    if (!dir) {
        const gboolean missing = g_error_matches(wrong, G_FILE_ERROR, G_FILE_ERROR_NOENT);
        g_set_error(error, CG_ERROR, missing ? CG_ERROR_MISSING : CG_ERROR_IO,
                    "%s: cannot be listed: %s", folder, wrong->message);
        return FALSE;
    }
    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (*name == '.')
            continue;
        if (has_extension(name, scan->endings)) {
            add_file(scan, folder, relative, name);
        } else if (depth < MAX_DEPTH && g_file_test(path, G_FILE_TEST_IS_DIR)) {
            g_autofree char *below = g_strconcat(relative, "/", name, NULL);
            if (!scan_folder(scan, path, below, depth + 1, error))
                return FALSE;
        }
        if (scan->count > MAX_FILES) {
            g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                        "%s: more than %u files; give the folder of the maps alone", folder,
                        MAX_FILES);
            return FALSE;
        }
    }
    return TRUE;
}

/* The files of FOLDER by key. */
static GHashTable *scan_files(const char *folder, gboolean masks, GError **error)
{
    g_autoptr(GHashTable) files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, file_free);
    Scan scan = {files, masks ? MASK_ENDINGS : MAP_ENDINGS, masks, 0};
    if (!scan_folder(&scan, folder, "", 0, error))
        return NULL;
    if (g_hash_table_size(files) == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: no %s (%s) in it", folder,
                    masks ? "masks" : "maps", scan.endings);
        return NULL;
    }
    return g_steal_pointer(&files);
}

static CgPairs *pairs_new(void)
{
    CgPairs *p = g_new0(CgPairs, 1);
    p->pairs = g_array_new(FALSE, FALSE, sizeof(CgPair));
    p->strings = g_string_chunk_new(4096);
    return p;
}

void cg_pairs_free(CgPairs *p)
{
    if (!p)
        return;
    g_array_unref(p->pairs);
    g_string_chunk_free(p->strings);
    g_free(p);
}

static gboolean check_single(const File *f, GError **error)
{
    if (!f->other)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT,
                "%s: belongs to the same image as %s; keep one of them", f->other, f->path);
    return FALSE;
}

static guint count_unused(GHashTable *files)
{
    GHashTableIter iter;
    gpointer value;
    guint count = 0;
    g_hash_table_iter_init(&iter, files);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        count += !((File *)value)->used;
    return count;
}

/* ---- from a data set */

static File *find_map(GHashTable *files, const CgDataset *d, const CgSample *s, gboolean alone)
{
    g_autofree char *stem = cg_sample_stem(s);
    const char *relative = cg_dataset_relative(d, s->image);
    g_autofree char *as_stored = g_strndup(relative, (gsize)(strrchr(relative, '.') - relative));
    g_autofree char *shorter = g_strjoin("/", s->defect, stem, NULL);
    g_autofree char *named = g_strjoin("/", s->category, shorter, NULL);
    const char *const tries[] = {as_stored, named, alone ? shorter : NULL};
    for (size_t i = 0; i < G_N_ELEMENTS(tries); i++) {
        g_autofree char *key = tries[i] ? make_key(tries[i]) : NULL;
        File *f = key ? g_hash_table_lookup(files, key) : NULL;
        if (f)
            return f;
    }
    return NULL;
}

static gboolean is_asked_for(const CgSample *s, const char *category)
{
    return s->split == CG_DATASET_TEST && (!category || g_str_equal(s->category, category));
}

static guint count_categories(const CgDataset *d, const char *category)
{
    const char *last = NULL;
    guint count = 0;
    for (guint i = 0; i < d->samples->len; i++) {
        const CgSample *s = cg_dataset_sample(d, i);
        if (!is_asked_for(s, category) || s->category == last)
            continue;
        last = s->category;
        count++;
    }
    return count;
}

static gboolean refuse_missing(guint missing, guint asked, const CgDataset *d,
                               const CgSample *first, const char *maps, GError **error)
{
    if (!missing)
        return TRUE;
    g_autofree char *stem = cg_sample_stem(first);
    g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                "%s: %u of %u test images of %s have no map; the first is %s, whose map would be "
                "%s/%s/%s/%s.tiff (or png, npy)",
                maps, missing, asked, d->root, first->image, maps, first->category, first->defect,
                stem);
    return FALSE;
}

CgPairs *cg_pairs_from_dataset(const CgDataset *d, const char *category, const CgSplit *split,
                               const char *maps, GError **error)
{
    g_autoptr(GHashTable) files = scan_files(maps, FALSE, error);
    if (!files)
        return NULL;
    g_autoptr(CgPairs) result = pairs_new();
    const gboolean alone = count_categories(d, category) == 1;
    const CgSample *lacking = NULL;
    guint missing = 0, asked = 0, shots = 0;
    for (guint i = 0; i < d->samples->len; i++) {
        const CgSample *s = cg_dataset_sample(d, i);
        if (!is_asked_for(s, category))
            continue;
        File *f = find_map(files, d, s, alone);
        asked++;
        if (!f) {
            lacking = missing++ ? lacking : s;
            continue;
        }
        if (!check_single(f, error))
            return NULL;
        f->used = TRUE;
        const CgPair pair = {.category = s->category,
                             .defect = s->defect,
                             .map = g_string_chunk_insert(result->strings, f->path),
                             .sample = *s,
                             .few_shot = split && cg_split_has(split, d, s)};
        shots += pair.few_shot;
        g_array_append_val(result->pairs, pair);
    }
    if (!refuse_missing(missing, asked, d, lacking, maps, error))
        return NULL;
    if (!asked || (split && !shots)) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: no test images%s%s%s", d->root,
                    category ? " of " : "", category ? category : "",
                    asked ? " are in the split; give the split that was drawn from this data set"
                          : "");
        return NULL;
    }
    result->unused = count_unused(files);
    return g_steal_pointer(&result);
}

/* ---- from masks alone */

static gboolean mask_is_empty(const CgImage *mask)
{
    const size_t count = (size_t)mask->width * (size_t)mask->height;
    for (size_t i = 0; i < count; i++)
        if (mask->pixels[i])
            return FALSE;
    return TRUE;
}

/* In a folder without subfolders, a mask's pixels tell whether there is a defect. */
static gboolean tell_defect(CgPair *pair, GError **error)
{
    pair->defect = "defect";
    if (!pair->sample.mask) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "%s: no mask has its name; good images belong into a folder good, or need an "
                    "empty mask",
                    pair->map);
        return FALSE;
    }
    pair->sample.defect = pair->defect;
    g_autoptr(CgImage) mask = cg_sample_load_mask(&pair->sample, error);
    if (!mask)
        return FALSE;
    if (mask_is_empty(mask))
        pair->defect = pair->sample.defect = CG_DEFECT_GOOD;
    return TRUE;
}

/* KEY is CATEGORY/DEFECT/STEM, or less. */
static gboolean make_pair(CgPairs *result, const char *key, const File *map, const char *maps,
                          File *mask, CgPair *pair, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(key);
    g_autofree char *defect = g_path_get_basename(folder);
    g_autofree char *above = g_path_get_dirname(folder);
    g_autofree char *full = g_canonicalize_filename(maps, NULL);
    g_autofree char *base = g_path_get_basename(full);
    if (!check_single(map, error) || (mask && !check_single(mask, error)))
        return FALSE;
    *pair = (CgPair){.category = g_string_chunk_insert_const(
                         result->strings, g_str_equal(above, ".") ? base : above),
                     .map = g_string_chunk_insert(result->strings, map->path)};
    if (mask) {
        pair->sample.mask = g_string_chunk_insert(result->strings, mask->path);
        mask->used = TRUE;
    }
    if (g_str_equal(folder, "."))
        return tell_defect(pair, error);
    pair->defect = pair->sample.defect = g_string_chunk_insert_const(result->strings, defect);
    return TRUE;
}

static int compare_keys(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_pairs(gconstpointer a, gconstpointer b)
{
    const CgPair *x = a, *y = b;
    const int order = strcmp(x->category, y->category);
    return order ? order : strcmp(x->map, y->map);
}

CgPairs *cg_pairs_from_masks(const char *masks, const char *category, const char *maps,
                             GError **error)
{
    g_autoptr(GHashTable) map_files = scan_files(maps, FALSE, error);
    g_autoptr(GHashTable) mask_files = map_files ? scan_files(masks, TRUE, error) : NULL;
    if (!mask_files)
        return NULL;
    g_autoptr(CgPairs) result = pairs_new();
    guint count;
    g_autofree gpointer *keys = g_hash_table_get_keys_as_array(map_files, &count);
    qsort(keys, count, sizeof *keys, compare_keys);
    for (guint i = 0; i < count; i++) {
        CgPair pair;
        if (!make_pair(result, keys[i], g_hash_table_lookup(map_files, keys[i]), maps,
                       g_hash_table_lookup(mask_files, keys[i]), &pair, error))
            return NULL;
        if (!category || g_str_equal(category, pair.category))
            g_array_append_val(result->pairs, pair);
    }
    if (result->pairs->len == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: no maps of %s in it", maps, category);
        return NULL;
    }
    g_array_sort(result->pairs, compare_pairs);
    result->unused = category ? 0 : count_unused(mask_files);
    return g_steal_pointer(&result);
}

gboolean cg_pair_load_mask(const CgPair *pair, int fallback_width, int fallback_height,
                           CgImage **mask, GError **error)
{
    const gboolean good = g_str_equal(pair->defect, CG_DEFECT_GOOD);
    *mask = NULL;
    if (!pair->sample.mask && !good)
        return TRUE;
    if (pair->sample.mask || pair->sample.image)
        return (*mask = cg_sample_load_mask(&pair->sample, error)) != NULL;
    *mask = cg_image_new(fallback_width, fallback_height, 1);
    return TRUE;
}
