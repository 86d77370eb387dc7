#include "pipeline/mask_recipe.h"

#include "base/error.h"
#include "pipeline/objects.h"
#include "pipeline/pictures.h"

struct CgMaskRecipes {
    GHashTable *shapes, *libraries, *regions, *objects; /* by text or path */
};

CgMaskLibrary *cg_mask_library_open(const char *path, GError **error)
{
    g_autoptr(GPtrArray) files = cg_pictures_list(path, TRUE, error);
    if (!files)
        return NULL;
    g_autoptr(CgMaskLibrary) library = cg_mask_library_new();
    for (guint i = 0; i < files->len; i++) {
        g_autoptr(CgImage) mask = cg_image_load_mask(g_ptr_array_index(files, i), error);
        if (!mask)
            return NULL;
        cg_mask_library_add(library, mask);
    }
    if (cg_mask_library_size(library) == 0) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: all masks are empty", path);
        return NULL;
    }
    return g_steal_pointer(&library);
}

static GHashTable *table(GDestroyNotify free_value)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_value);
}

CgMaskRecipes *cg_mask_recipes_new(void)
{
    CgMaskRecipes *r = g_new0(CgMaskRecipes, 1);
    r->shapes = table((GDestroyNotify)cg_mask_shapes_free);
    r->libraries = table((GDestroyNotify)cg_mask_library_free);
    r->regions = table((GDestroyNotify)cg_image_free);
    r->objects = table((GDestroyNotify)cg_objects_free);
    return r;
}

void cg_mask_recipes_free(CgMaskRecipes *r)
{
    if (!r)
        return;
    g_hash_table_unref(r->shapes);
    g_hash_table_unref(r->libraries);
    g_hash_table_unref(r->regions);
    g_hash_table_unref(r->objects);
    g_free(r);
}

/* A found object is told by the policy's name; ready masks by their path. */
static char *settled(const char *foreground)
{
    CgForegroundPolicy policy;
    return cg_foreground_policy_parse(foreground, &policy)
               ? g_strdup(foreground)
               : g_canonicalize_filename(foreground, NULL);
}

static gboolean is_open(const CgJob *job)
{
    return job->shape && (!job->foreground || g_str_equal(job->foreground, "auto"));
}

gboolean cg_mask_recipes_settle(GPtrArray *jobs, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) normals = g_ptr_array_new();
    g_autoptr(CgObjects) objects = NULL;
    for (guint i = 0; i < jobs->len; i++) {
        const CgJob *job = g_ptr_array_index(jobs, i);
        if (is_open(job) && g_hash_table_add(seen, job->normal))
            g_ptr_array_add(normals, job->normal);
    }
    if (normals->len > 0 && !(objects = cg_objects_new(NULL, normals, error)))
        return FALSE;
    for (guint i = 0; i < jobs->len; i++) {
        CgJob *job = g_ptr_array_index(jobs, i);
        if (!job->shape)
            continue;
        char *foreground =
            is_open(job) ? g_strdup(cg_objects_name(objects)) : settled(job->foreground);
        g_free(job->foreground);
        job->foreground = foreground;
    }
    return TRUE;
}

/* What TABLE has under KEY, or else MADE (NULL: failed). */
static void *kept(GHashTable *table, const char *key, void *made)
{
    if (made)
        g_hash_table_insert(table, g_strdup(key), made);
    return made;
}

static CgMaskShapes *find_shapes(CgMaskRecipes *r, const char *text, GError **error)
{
    CgMaskShapes *known = g_hash_table_lookup(r->shapes, text);
    return known ? known : kept(r->shapes, text, cg_mask_shapes_parse(text, error));
}

static CgMaskLibrary *find_library(CgMaskRecipes *r, const char *path, GError **error)
{
    CgMaskLibrary *known = g_hash_table_lookup(r->libraries, path);
    return known ? known : kept(r->libraries, path, cg_mask_library_open(path, error));
}

static CgImage *find_region(CgMaskRecipes *r, const CgJob *job, const char *path,
                            const CgImage *normal, GError **error)
{
    CgImage *region = g_hash_table_lookup(r->regions, path);
    if (!region && !(region = kept(r->regions, path, cg_image_load_mask(path, error))))
        return NULL;
    return cg_region_check_size(path, region, job->normal, normal->width, normal->height, error)
               ? region
               : NULL;
}

static CgObjects *find_objects(CgMaskRecipes *r, const CgJob *job, GError **error)
{
    const char *foreground = job->foreground ? job->foreground : "auto";
    CgObjects *known = g_hash_table_lookup(r->objects, foreground);
    return known ? known : kept(r->objects, foreground, cg_objects_new(foreground, NULL, error));
}

/* The rules without what they borrow; *OBJECT is owned by the caller. */
static gboolean find_rules(CgMaskRecipes *r, const CgJob *job, const CgImage *normal,
                           CgMaskRules *rules, CgImage **object, GError **error)
{
    CgObjects *objects = find_objects(r, job, error);
    if (!objects || !(rules->shapes = find_shapes(r, job->shape, error)))
        return FALSE;
    if (job->library && !(rules->library = find_library(r, job->library, error)))
        return FALSE;
    if (job->allowed && !(rules->allowed = find_region(r, job, job->allowed, normal, error)))
        return FALSE;
    if (job->forbidden && !(rules->forbidden = find_region(r, job, job->forbidden, normal, error)))
        return FALSE;
    return cg_objects_find(objects, job->normal, normal, object, error);
}

CgImage *cg_mask_recipes_draw(CgMaskRecipes *r, const CgJob *job, const CgImage *normal,
                              GError **error)
{
    CgMaskRules rules = {.min_area = job->min_area,
                         .max_area = job->max_area,
                         .latent_side = CG_MASK_RECIPE_LATENT,
                         .min_cells = CG_MASK_RECIPE_MIN_CELLS};
    g_autoptr(CgImage) object = NULL;
    if (!find_rules(r, job, normal, &rules, &object, error))
        return NULL;
    rules.foreground = object;
    CgRng rng = cg_rng((uint64_t)job->seed, CG_STREAM(CG_STREAM_MASK, job->sample));
    CgImage *mask = cg_mask_draw(&rules, &rng, normal->width, normal->height, error);
    if (!mask)
        g_prefix_error(error, "mask %" G_GINT64_FORMAT " for %s: ", job->sample, job->normal);
    return mask;
}
