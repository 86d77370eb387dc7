#include "pipeline/job_inputs.h"

#include "base/system.h"

typedef struct {
    int width, height;
} Size;

/* The picture at PATH, decoded once to know that it can be; its size, kept in SIZES. */
static const Size *look_at_normal(GHashTable *sizes, const char *path, GError **error)
{
    Size *size = g_hash_table_lookup(sizes, path);
    if (size)
        return size;
    g_autoptr(CgImage) image = cg_image_load(path, NULL, error);
    if (!image)
        return NULL;
    if (image->width < CG_GENERATE_MIN_SIDE || image->height < CG_GENERATE_MIN_SIDE) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                    "%s: a picture of %dx%d is too small to generate in; at least %dx%d is needed",
                    path, image->width, image->height, CG_GENERATE_MIN_SIDE, CG_GENERATE_MIN_SIDE);
        return NULL;
    }
    size = g_new(Size, 1);
    *size = (Size){image->width, image->height};
    g_hash_table_insert(sizes, (char *)(guintptr)path, size);
    return size;
}

static const Size *look_at_mask(GHashTable *sizes, const char *path, GError **error)
{
    CgRect bounds;
    Size *size = g_hash_table_lookup(sizes, path);
    if (size)
        return size;
    g_autoptr(CgImage) mask = cg_image_load_mask(path, error);
    if (!mask)
        return NULL;
    if (!cg_mask_bounds(mask, &bounds)) {
        g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                    "%s: the mask is empty: mark with white where the defect shall be", path);
        return NULL;
    }
    size = g_new(Size, 1);
    *size = (Size){mask->width, mask->height};
    g_hash_table_insert(sizes, (char *)(guintptr)path, size);
    return size;
}

static gboolean check_begin(GHashTable *sizes, const CgJob *job, const Size *normal, GError **error)
{
    const Size *begin = job->begin ? look_at_normal(sizes, job->begin, error) : normal;
    if (!begin)
        return FALSE;
    if (begin->width == normal->width && begin->height == normal->height)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                "%s: %dx%d, but %s is %dx%d; what is begun from must have the image's size",
                job->begin, begin->width, begin->height, job->normal, normal->width,
                normal->height);
    return FALSE;
}

/* What two jobs with the same normal image and ways to draw masks have in common. */
static char *recipe_name(const CgJob *job)
{
    const char *const parts[] = {job->normal,  job->shape,   job->foreground,
                                 job->library, job->allowed, job->forbidden};
    GString *name = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++)
        g_string_append_printf(name, "%s\n", parts[i] ? parts[i] : "");
    g_string_append_printf(name, "%.17g %.17g", job->min_area, job->max_area);
    return g_string_free(name, FALSE);
}

static gboolean try_recipe(GHashTable *tried, CgMaskRecipes *recipes, const CgJob *job,
                           GError **error)
{
    char *name = recipe_name(job);
    if (!g_hash_table_add(tried, name))
        return TRUE;
    g_autoptr(CgImage) normal = cg_image_load(job->normal, NULL, error);
    g_autoptr(CgImage) mask = normal ? cg_mask_recipes_draw(recipes, job, normal, error) : NULL;
    return mask != NULL;
}

static gboolean check_mask_size(const CgJob *job, const Size *normal, const Size *mask,
                                GError **error)
{
    if (job->fit_mask || (normal->width == mask->width && normal->height == mask->height))
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                "%s: %dx%d, but %s is %dx%d; resize the mask or pass --fit-mask", job->mask,
                mask->width, mask->height, job->normal, normal->width, normal->height);
    return FALSE;
}

gboolean cg_jobs_check_inputs(const GPtrArray *jobs, CgMaskRecipes *recipes, GError **error)
{
    g_autoptr(GHashTable) normals = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    g_autoptr(GHashTable) masks = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    g_autoptr(GHashTable) tried = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < jobs->len; i++) {
        const CgJob *job = g_ptr_array_index(jobs, i);
        const Size *normal = look_at_normal(normals, job->normal, error);
        if (!normal || !check_begin(normals, job, normal, error) || !cg_cancel_check(error))
            return FALSE;
        if (job->shape) {
            if (!try_recipe(tried, recipes, job, error))
                return FALSE;
            continue;
        }
        const Size *mask = look_at_mask(masks, job->mask, error);
        if (!mask || !check_mask_size(job, normal, mask, error))
            return FALSE;
    }
    return TRUE;
}
