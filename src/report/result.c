/* One row of a manifest and its pictures. */
#include "report/page-private.h"

#include "base/error.h"
#include "base/file.h"

#include <stdlib.h>

gboolean cg_page_row_is_result(const json_t *row)
{
    return cg_json_text(row, "image") && cg_json_text(row, "mask");
}

gboolean cg_page_row_is_dropped(const json_t *row)
{
    return json_is_false(json_object_get(row, "kept"));
}

const char *cg_page_row_how(const json_t *row)
{
    const char *prompt = cg_json_text(row, "prompt"), *method = cg_json_text(row, "method");
    const char *defect = cg_json_text(row, "defect");
    return prompt ? prompt : method ? method : defect ? defect : "result";
}

void cg_page_result_clear(CgPageResult *r)
{
    cg_image_free(r->made);
    cg_image_free(r->mask);
    cg_image_free(r->normal);
    *r = (CgPageResult){0};
}

static CgImage *load_normal(const char *folder, const json_t *row, const CgImage *made)
{
    const char *inner = cg_json_text(json_object_get(row, "job"), "normal");
    const char *normal = inner ? inner : cg_json_text(row, "normal");
    g_autofree char *path = normal ? cg_file_below(folder, normal) : NULL;
    g_autoptr(CgImage) image = path ? cg_image_load(path, NULL, NULL) : NULL;
    if (!image || image->width != made->width || image->height != made->height)
        return NULL;
    return g_steal_pointer(&image);
}

gboolean cg_page_result_load(const char *folder, const json_t *row, CgPageResult *r, GError **error)
{
    g_autofree char *image_path = cg_file_below(folder, cg_json_text(row, "image"));
    g_autofree char *mask_path = cg_file_below(folder, cg_json_text(row, "mask"));
    *r = (CgPageResult){0};
    g_auto(CgPageResult) found = {.made = cg_image_load(image_path, NULL, error)};
    if (!found.made || !(found.mask = cg_image_load_mask(mask_path, error)))
        return FALSE;
    if (found.mask->width != found.made->width || found.mask->height != found.made->height) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE, "%s: %dx%d, but %s is %dx%d", mask_path,
                    found.mask->width, found.mask->height, image_path, found.made->width,
                    found.made->height);
        return FALSE;
    }
    found.normal = load_normal(folder, row, found.made);
    *r = found;
    found = (CgPageResult){0};
    return TRUE;
}

int cg_page_result_outside(const CgPageResult *r)
{
    if (!r->normal)
        return -1;
    g_autoptr(CgImage) a = cg_image_to_rgb(r->normal);
    g_autoptr(CgImage) b = cg_image_to_rgb(r->made);
    int largest = 0;
    for (size_t i = 0; i < (size_t)r->mask->width * (size_t)r->mask->height; i++)
        for (size_t c = 0; !r->mask->pixels[i] && c < 3; c++)
            largest = MAX(largest, ABS(a->pixels[3 * i + c] - b->pixels[3 * i + c]));
    return largest;
}
