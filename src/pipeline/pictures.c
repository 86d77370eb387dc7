#include "pipeline/pictures.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"

#include <string.h>

struct CgPictures {
    GMutex lock;
    GHashTable *kept; /* path, "m" or "i" in front -> CgPicture */
    gsize bytes, limit;
};

void cg_picture_unref(CgPicture *picture)
{
    if (!picture || !g_atomic_int_dec_and_test(&picture->ref_count))
        return;
    cg_image_free(picture->image);
    g_free(picture);
}

CgPictures *cg_pictures_new(gsize bytes)
{
    CgPictures *p = g_new0(CgPictures, 1);
    g_mutex_init(&p->lock);
    p->kept =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)cg_picture_unref);
    p->limit = bytes;
    return p;
}

void cg_pictures_free(CgPictures *p)
{
    if (!p)
        return;
    g_hash_table_unref(p->kept);
    g_mutex_clear(&p->lock);
    g_free(p);
}

static CgPicture *find(CgPictures *p, const char *key)
{
    g_mutex_lock(&p->lock);
    CgPicture *picture = g_hash_table_lookup(p->kept, key);
    if (picture)
        g_atomic_int_inc(&picture->ref_count);
    g_mutex_unlock(&p->lock);
    return picture;
}

static void keep(CgPictures *p, const char *key, CgPicture *picture)
{
    const gsize size = (gsize)picture->image->width * (gsize)picture->image->height *
                       (gsize)picture->image->channels;
    g_mutex_lock(&p->lock);
    if (p->bytes + size <= p->limit && !g_hash_table_contains(p->kept, key)) {
        g_atomic_int_inc(&picture->ref_count);
        g_hash_table_insert(p->kept, g_strdup(key), picture);
        p->bytes += size;
    }
    g_mutex_unlock(&p->lock);
}

CgPicture *cg_pictures_get(CgPictures *p, const char *path, gboolean mask, GError **error)
{
    g_autofree char *key = g_strconcat(mask ? "m" : "i", path, NULL);
    g_autofree char *note = NULL;
    CgPicture *known = find(p, key);
    if (known)
        return known;
    g_autoptr(CgImage) image =
        mask ? cg_image_load_mask(path, error) : cg_image_load(path, &note, error);
    g_autofree char *sha256 = image ? cg_file_sha256(path, error) : NULL;
    if (!sha256)
        return NULL;
    if (note)
        cg_log_detail("%s", note);
    CgPicture *picture = g_new0(CgPicture, 1);
    picture->ref_count = 1;
    picture->image = g_steal_pointer(&image);
    g_strlcpy(picture->sha256, sha256, sizeof picture->sha256);
    keep(p, key, picture);
    return picture;
}

static int compare_paths(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static gboolean is_picture_name(const char *name)
{
    static const char *const endings[] = {".png",  ".jpg", ".jpeg", ".bmp", ".tif", ".tiff",
                                          ".webp", ".gif", ".ppm",  ".pgm", ".pnm"};
    g_autofree char *lower = g_ascii_strdown(name, -1);
    for (size_t i = 0; i < G_N_ELEMENTS(endings); i++)
        if (g_str_has_suffix(lower, endings[i]))
            return TRUE;
    return FALSE;
}

static gboolean add_folder(GPtrArray *paths, const char *path, gboolean deep, int depth,
                           GError **error)
{
    g_autoptr(GError) wrong = NULL;
    g_autoptr(GDir) dir = g_dir_open(path, 0, &wrong);
    if (!dir) {
        g_set_error(error, CG_ERROR, CG_ERROR_IO, "%s: can't read the folder: %s", path,
                    wrong->message);
        return FALSE;
    }
    for (const char *name; (name = g_dir_read_name(dir));) {
        g_autofree char *file = g_build_filename(path, name, NULL);
        if (*name == '.')
            continue;
        /* A limit, since links can make a circle. */
        if (deep && depth > 0 && g_file_test(file, G_FILE_TEST_IS_DIR)) {
            if (!add_folder(paths, file, deep, depth - 1, error))
                return FALSE;
        } else if (g_file_test(file, G_FILE_TEST_IS_REGULAR) && (!deep || is_picture_name(name))) {
            g_ptr_array_add(paths, g_steal_pointer(&file));
        }
    }
    return TRUE;
}

#define MAX_DEPTH 8

GPtrArray *cg_pictures_list(const char *path, gboolean deep, GError **error)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    if (!g_file_test(path, G_FILE_TEST_IS_DIR)) {
        g_ptr_array_add(paths, g_strdup(path));
        return g_steal_pointer(&paths);
    }
    if (!add_folder(paths, path, deep, MAX_DEPTH, error))
        return NULL;
    g_ptr_array_sort(paths, compare_paths);
    if (paths->len == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: the folder holds no images", path);
        return NULL;
    }
    return g_steal_pointer(&paths);
}

GPtrArray *cg_pictures_list_all(char *const *paths, GError **error)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(g_free);
    for (; *paths; paths++) {
        g_autoptr(GPtrArray) some = cg_pictures_list(*paths, TRUE, error);
        if (!some)
            return NULL;
        for (guint i = 0; i < some->len; i++)
            g_ptr_array_add(all, g_strdup(g_ptr_array_index(some, i)));
    }
    return g_steal_pointer(&all);
}
