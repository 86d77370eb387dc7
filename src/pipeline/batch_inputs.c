#include "pipeline/batch_inputs.h"

#include "base/file.h"
#include "base/log.h"
#include "image/paste.h"

static void picture_clear(CgBatchPicture *p)
{
    g_clear_pointer(&p->path, g_free);
    g_clear_pointer(&p->sha256, g_free);
    g_clear_pointer(&p->image, cg_image_free);
}

void cg_batch_inputs_clear(CgBatchInputs *in)
{
    picture_clear(&in->normal);
    picture_clear(&in->begin);
    picture_clear(&in->mask);
}

static gboolean load_picture(CgBatchPicture *p, const char *path, GError **error)
{
    g_autofree char *note = NULL;
    if (g_strcmp0(p->path, path) == 0)
        return TRUE;
    picture_clear(p);
    p->image = cg_image_load(path, &note, error);
    if (!p->image || !(p->sha256 = cg_file_sha256(path, error)))
        return FALSE;
    if (note)
        cg_log_note("%s", note);
    p->path = g_strdup(path);
    return TRUE;
}

gboolean cg_batch_inputs_load(CgBatchInputs *in, const CgJob *job, GError **error)
{
    if (!job->begin)
        picture_clear(&in->begin);
    return load_picture(&in->normal, job->normal, error) &&
           (!job->begin || load_picture(&in->begin, job->begin, error));
}

static gboolean draw_mask(CgBatchInputs *in, CgMaskRecipes *recipes, const CgJob *job,
                          GError **error)
{
    CgImage *mask = in->mask.image = cg_mask_recipes_draw(recipes, job, in->normal.image, error);
    if (!mask)
        return FALSE;
    in->mask.sha256 = g_compute_checksum_for_data(G_CHECKSUM_SHA256, mask->pixels,
                                                  (gsize)mask->width * (gsize)mask->height);
    return TRUE;
}

static gboolean read_mask(CgBatchInputs *in, const CgJob *job, GError **error)
{
    in->mask.image = cg_image_load_mask(job->mask, error);
    if (!in->mask.image || !(in->mask.sha256 = cg_file_sha256(job->mask, error)))
        return FALSE;
    in->mask.path = g_strdup(job->mask);
    return TRUE;
}

gboolean cg_batch_inputs_load_mask(CgBatchInputs *in, CgMaskRecipes *recipes, const CgJob *job,
                                   GError **error)
{
    if (job->mask && g_strcmp0(in->mask.path, job->mask) == 0)
        return TRUE;
    picture_clear(&in->mask);
    if (job->shape ? !draw_mask(in, recipes, job, error) : !read_mask(in, job, error))
        return FALSE;
    if (cg_mask_area(in->mask.image) == 1)
        cg_log_warning("%s: the mask covers the whole image; nothing of %s will be left",
                       job->shape ? job->shape : job->mask, job->normal);
    return TRUE;
}

CgImage *cg_batch_inputs_fitted_mask(const CgBatchInputs *in)
{
    const CgImage *mask = in->mask.image, *normal = in->normal.image;
    if (mask->width == normal->width && mask->height == normal->height)
        return cg_image_copy(mask);
    return cg_image_resize_nearest(mask, normal->width, normal->height);
}
