/* A sample's mask, whatever its files hold. */
#include "datasets/dataset-private.h"

#include "base/error.h"

#include <string.h>

static int compare_paths(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char **cg_sample_mask_files(const CgSample *sample, GError **error)
{
    g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
    if (sample->mask && g_file_test(sample->mask, G_FILE_TEST_IS_DIR)) {
        g_autoptr(GError) wrong = NULL;
        g_autoptr(GDir) dir = g_dir_open(sample->mask, 0, &wrong);
        if (!dir) {
            g_set_error(error, CG_ERROR, CG_ERROR_IO, "%s: cannot be listed: %s", sample->mask,
                        wrong->message);
            return NULL;
        }
        for (const char *name; (name = g_dir_read_name(dir));)
            if (cg_name_is_image(name))
                g_ptr_array_add(files, g_build_filename(sample->mask, name, NULL));
        g_ptr_array_sort(files, compare_paths);
    } else if (sample->mask) {
        g_ptr_array_add(files, g_strdup(sample->mask));
    }
    g_ptr_array_add(files, NULL);
    char **list = (char **)g_ptr_array_free(g_steal_pointer(&files), FALSE);
    return list;
}

/* One file as 0 / 255. */
static CgImage *load_file(const char *path, CgMaskRule rule, GError **error)
{
    g_autoptr(CgImage) raw = cg_image_load(path, NULL, error);
    if (!raw)
        return NULL;
    const int threshold = rule == CG_MASK_NONZERO ? 1 : 128;
    CgImage *mask = cg_image_new(raw->width, raw->height, 1);
    const size_t pixels = (size_t)raw->width * (size_t)raw->height;
    for (size_t i = 0; i < pixels; i++) {
        int v = 0;
        for (int c = 0; c < raw->channels; c++)
            v = MAX(v, raw->pixels[i * (size_t)raw->channels + (size_t)c]);
        mask->pixels[i] = v >= threshold ? 255 : 0;
    }
    return mask;
}

static gboolean unite(CgImage *mask, const CgImage *other, const char *path, GError **error)
{
    if (other->width != mask->width || other->height != mask->height) {
        g_set_error(error, CG_ERROR, CG_ERROR_SHAPE,
                    "%s: %dx%d, but the other masks of the image are %dx%d; make them one size",
                    path, other->width, other->height, mask->width, mask->height);
        return FALSE;
    }
    const size_t pixels = (size_t)mask->width * (size_t)mask->height;
    for (size_t i = 0; i < pixels; i++)
        mask->pixels[i] |= other->pixels[i];
    return TRUE;
}

static CgImage *empty_mask(const CgSample *sample, GError **error)
{
    int width, height, channels;
    if (!cg_sample_is_good(sample)) {
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                    "%s: shows a defect (%s), but has no mask; add one or leave the image out",
                    sample->image, sample->defect);
        return NULL;
    }
    if (!cg_image_probe(sample->image, &width, &height, &channels, error))
        return NULL;
    return cg_image_new(width, height, 1);
}

CgImage *cg_sample_load_mask(const CgSample *sample, GError **error)
{
    g_auto(GStrv) files = cg_sample_mask_files(sample, error);
    g_autoptr(CgImage) mask = NULL;
    if (!files)
        return NULL;
    if (!files[0])
        return empty_mask(sample, error);
    for (char **path = files; *path; path++) {
        g_autoptr(CgImage) one = load_file(*path, sample->mask_rule, error);
        if (!one || (mask && !unite(mask, one, *path, error)))
            return NULL;
        if (!mask)
            mask = g_steal_pointer(&one);
    }
    return g_steal_pointer(&mask);
}
