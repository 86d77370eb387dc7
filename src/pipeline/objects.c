#include "pipeline/objects.h"

#include "base/error.h"
#include "base/log.h"
#include "base/system.h"

#include <string.h>

#define DECIDE     9 /* images that tell the policy */
#define KEPT_BYTES ((gsize)256 << 20)

struct CgObjects {
    CgForegroundPolicy policy;
    char *name, *given; /* GIVEN: the path of ready masks as people wrote it */
    CgImage *ready;     /* NULL: found, or in a folder */
    gboolean folder;
    GMutex lock;
    GHashTable *kept; /* path -> CgImage */
    gsize bytes;
};

/* The policy, decided on images taken evenly from all. */
static gboolean decide(CgObjects *o, const GPtrArray *normals, GError **error)
{
    guint count = MIN(normals->len, DECIDE);
    CgForegroundPolicy votes[DECIDE] = {CG_FOREGROUND_AUTO};
    GError *errors[DECIDE] = {NULL};
    gboolean ok = TRUE;
    guint objects = 0;
#pragma omp parallel for schedule(dynamic) num_threads(cg_threads())
    for (guint i = 0; i < count; i++) {
        const char *path = g_ptr_array_index(normals, (guint)((guint64)i * normals->len / count));
        g_autoptr(CgImage) image = cg_image_load(path, NULL, &errors[i]);
        if (image)
            cg_image_free(cg_foreground(image, &votes[i], NULL));
    }
    for (guint i = 0; i < count; i++) {
        objects += votes[i] == CG_FOREGROUND_OBJECT;
        if (errors[i] && ok) {
            g_propagate_error(error, g_steal_pointer(&errors[i]));
            ok = FALSE;
        }
        g_clear_error(&errors[i]);
    }
    o->policy = 2 * objects > count ? CG_FOREGROUND_OBJECT : CG_FOREGROUND_TEXTURE;
    if (ok && count > 0) {
        g_autofree char *folder = g_path_get_dirname(g_ptr_array_index(normals, 0));
        cg_log_note("%s: the images look like %s: %u of %u show an object before a plain ground",
                    folder, o->policy == CG_FOREGROUND_OBJECT ? "objects" : "textures", objects,
                    count);
    }
    return ok;
}

CgObjects *cg_objects_new(const char *foreground, const GPtrArray *normals, GError **error)
{
    g_autoptr(CgObjects) o = g_new0(CgObjects, 1);
    g_mutex_init(&o->lock);
    o->kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)cg_image_free);
    o->policy = CG_FOREGROUND_AUTO;
    if (!foreground || cg_foreground_policy_parse(foreground, &o->policy)) {
        if (normals && o->policy == CG_FOREGROUND_AUTO && !decide(o, normals, error))
            return NULL;
        o->name = g_strdup(cg_foreground_policy_name(o->policy));
        return g_steal_pointer(&o);
    }
    o->given = g_strdup(foreground);
    o->name = g_canonicalize_filename(foreground, NULL);
    o->folder = g_file_test(foreground, G_FILE_TEST_IS_DIR);
    if (!o->folder && !(o->ready = cg_image_load_mask(foreground, error)))
        return NULL;
    return g_steal_pointer(&o);
}

void cg_objects_free(CgObjects *o)
{
    if (!o)
        return;
    g_hash_table_unref(o->kept);
    g_mutex_clear(&o->lock);
    cg_image_free(o->ready);
    g_free(o->given);
    g_free(o->name);
    g_free(o);
}

CgForegroundPolicy cg_objects_policy(const CgObjects *o)
{
    return o->policy;
}

const char *cg_objects_name(const CgObjects *o)
{
    return o->name;
}

gboolean cg_region_check_size(const char *what, const CgImage *region, const char *path, int width,
                              int height, GError **error)
{
    if (!region || (region->width == width && region->height == height))
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_SHAPE, "%s: %dx%d, but %s %s %dx%d; resize it", what,
                region->width, region->height, path ? path : "the masks", path ? "is" : "are",
                width, height);
    return FALSE;
}

/* The ready mask in the folder for NORMAL: the same name as PNG, or with _mask behind it. */
static CgImage *load_ready(const char *folder, const char *normal, GError **error)
{
    g_autofree char *stem = g_path_get_basename(normal);
    char *dot = strrchr(stem, '.');
    if (dot)
        *dot = '\0';
    g_autofree char *plain = g_strconcat(folder, "/", stem, ".png", NULL);
    g_autofree char *suffixed = g_strconcat(folder, "/", stem, "_mask.png", NULL);
    gboolean is_suffixed = !g_file_test(plain, G_FILE_TEST_EXISTS);
    if (is_suffixed && !g_file_test(suffixed, G_FILE_TEST_EXISTS)) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "%s: no mask of the object for %s; it is called %s.png or %s_mask.png", folder,
                    normal, stem, stem);
        return NULL;
    }
    return cg_image_load_mask(is_suffixed ? suffixed : plain, error);
}

static CgImage *find_kept(CgObjects *o, const char *path)
{
    g_mutex_lock(&o->lock);
    const CgImage *kept = g_hash_table_lookup(o->kept, path);
    CgImage *object = kept ? cg_image_copy(kept) : NULL;
    g_mutex_unlock(&o->lock);
    return object;
}

static void keep(CgObjects *o, const char *path, const CgImage *object)
{
    const gsize size = (gsize)object->width * (gsize)object->height;
    g_mutex_lock(&o->lock);
    if (o->bytes + size <= KEPT_BYTES && !g_hash_table_contains(o->kept, path)) {
        g_hash_table_insert(o->kept, g_strdup(path), cg_image_copy(object));
        o->bytes += size;
    }
    g_mutex_unlock(&o->lock);
}

/* Looking takes 80 ms, as long as a dozen syntheses. */
static CgImage *look(CgObjects *o, const char *path, const CgImage *image)
{
    CgForegroundPolicy policy = CG_FOREGROUND_OBJECT;
    CgImage *object = path ? find_kept(o, path) : NULL;
    if (object)
        return object;
    object = cg_foreground(image, &policy, NULL);
    if (path)
        keep(o, path, object);
    return object;
}

gboolean cg_objects_find(CgObjects *o, const char *path, const CgImage *image, CgImage **object,
                         GError **error)
{
    *object = NULL;
    if (o->ready)
        *object = cg_image_copy(o->ready);
    else if (o->folder && path)
        *object = load_ready(o->given, path, error);
    else if (!o->folder && image && o->policy == CG_FOREGROUND_OBJECT)
        *object = look(o, path, image);
    else
        return TRUE;
    if (*object && image &&
        !cg_region_check_size(o->given, *object, path, image->width, image->height, error))
        g_clear_pointer(object, cg_image_free);
    return *object != NULL;
}
