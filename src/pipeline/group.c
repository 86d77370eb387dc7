#include "pipeline/group.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "datasets/dataset.h"
#include "pipeline/manifest.h"

#include <string.h>

static void image_free(gpointer data)
{
    CgGroupImage *image = data;
    g_free(image->image);
    g_free(image->category);
    g_free(image->name);
    g_free(image->mask);
    g_free(image->normal);
    g_free(image->prompt);
    g_free(image);
}

void cg_group_free(CgGroup *g)
{
    if (!g)
        return;
    g_free(g->name);
    g_free(g->path);
    g_ptr_array_unref(g->images);
    cg_features_free(g->features);
    g_free(g);
}

/* A picture at PATH below its data set. */
static CgGroupImage *image_new(const char *path, const char *category)
{
    const gsize length = category ? strlen(category) : 0;
    CgGroupImage *image = g_new0(CgGroupImage, 1);
    image->category = g_strdup(category ? category : "");
    image->name =
        g_strdup(length && g_str_has_prefix(path, category) && path[length] == G_DIR_SEPARATOR
                     ? path + length + 1
                     : path);
    return image;
}

static int compare_images(gconstpointer a, gconstpointer b)
{
    const CgGroupImage *x = *(CgGroupImage *const *)a, *y = *(CgGroupImage *const *)b;
    const int category = strcmp(x->category, y->category);
    return category ? category : strcmp(x->name, y->name);
}

static gboolean is_good(const json_t *row)
{
    const char *defect = cg_json_text(row, "defect");
    return defect && cg_name_is_good(defect);
}

/* From a manifest. */
static void add_rows(CgGroup *g, GPtrArray *rows, CgGroupKind kind, const char *category)
{
    for (guint i = 0; i < rows->len; i++) {
        const json_t *row = g_ptr_array_index(rows, i), *job = json_object_get(row, "job");
        if (json_is_false(json_object_get(row, "kept")) || !cg_json_text(row, "image") ||
            is_good(row) != (kind == CG_GROUP_GOOD) ||
            (category && g_strcmp0(category, cg_json_text(row, "category")) != 0))
            continue;
        CgGroupImage *image = image_new(cg_json_text(row, "image"), cg_json_text(row, "category"));
        image->image = cg_file_below(g->path, cg_json_text(row, "image"));
        image->mask = cg_file_below(g->path, cg_json_text(row, "mask"));
        image->normal =
            cg_file_below(g->path, cg_json_text(job, "normal") ? cg_json_text(job, "normal")
                                                               : cg_json_text(row, "normal"));
        image->prompt = g_strdup(cg_json_text(row, "prompt"));
        g_ptr_array_add(g->images, image);
    }
}

static gboolean add_samples(CgGroup *g, CgGroupKind kind, const char *category, GError **error)
{
    g_autoptr(CgDataset) d = cg_dataset_open(g->path, CG_LAYOUT_AUTO, error);
    if (!d)
        return FALSE;
    for (guint i = 0; i < d->samples->len; i++) {
        const CgSample *s = cg_dataset_sample(d, i);
        if (cg_sample_is_good(s) != (kind == CG_GROUP_GOOD) ||
            (category && !g_str_equal(category, s->category)))
            continue;
        CgGroupImage *image = image_new(cg_dataset_relative(d, s->image), s->category);
        image->image = g_strdup(s->image);
        image->mask =
            s->mask && !g_file_test(s->mask, G_FILE_TEST_IS_DIR) ? g_strdup(s->mask) : NULL;
        g_ptr_array_add(g->images, image);
    }
    return TRUE;
}

static gboolean list(CgGroup *g, CgGroupKind kind, const char *category, GError **error)
{
    if (cg_manifest_is_of_results(g->path)) {
        g_autoptr(GPtrArray) rows = cg_manifest_read(g->path, error);
        if (!rows)
            return FALSE;
        add_rows(g, rows, kind, category);
    } else if (!add_samples(g, kind, category, error)) {
        return FALSE;
    }
    if (g->images->len == 0)
        g_set_error(error, CG_ERROR, CG_ERROR_MISSING, "%s: no %s images%s%s", g->path,
                    kind == CG_GROUP_GOOD ? "good" : "defective", category ? " of category " : "",
                    category ? category : "");
    g_ptr_array_sort(g->images, compare_images);
    return g->images->len > 0;
}

CgGroup *cg_group_open(const char *name, const char *path, CgGroupKind kind, const char *category,
                       GError **error)
{
    g_autoptr(CgGroup) g = g_new0(CgGroup, 1);
    g->name = g_utf8_make_valid(name, -1);
    g->path = g_strdup(path);
    g->images = g_ptr_array_new_with_free_func(image_free);
    if (g_str_has_suffix(path, ".npy") || g_str_has_suffix(path, ".safetensors")) {
        g->features = cg_features_load(path, error);
        return g->features ? g_steal_pointer(&g) : NULL;
    }
    return list(g, kind, category, error) ? g_steal_pointer(&g) : NULL;
}

static void thin_out_images(CgGroup *g, guint count)
{
    GPtrArray *few = g_ptr_array_new_with_free_func(image_free);
    const guint all = g->images->len;
    for (guint i = 0; i < count; i++) {
        gpointer *place = &g->images->pdata[(guint64)i * all / count];
        g_ptr_array_add(few, g_steal_pointer(place));
    }
    g_ptr_array_set_free_func(g->images, NULL);
    for (guint i = 0; i < all; i++)
        if (g->images->pdata[i])
            image_free(g->images->pdata[i]);
    g_ptr_array_unref(g->images);
    g->images = few;
}

void cg_group_thin_out(CgGroup *g, guint count)
{
    if (g->images->len > count)
        thin_out_images(g, count);
    if (!g->features || g->features->count <= count)
        return;
    CgFeatures *few = cg_features_new(count, g->features->width);
    for (guint i = 0; i < count; i++)
        memcpy(cg_features_row(few, i),
               cg_features_row(g->features, (size_t)i * g->features->count / count),
               few->width * sizeof *few->values);
    cg_features_free(g->features);
    g->features = few;
}

/* The masks (borrowed) of the pictures of CATEGORY (NULL: all). */
static GPtrArray *masks_of(const CgGroup *g, const char *category)
{
    GPtrArray *masks = g_ptr_array_new();
    for (guint i = 0; i < g->images->len; i++) {
        const CgGroupImage *image = cg_group_image(g, i);
        if (image->mask && (!category || g_str_equal(image->category, category)))
            g_ptr_array_add(masks, image->mask);
    }
    return masks;
}

static GPtrArray *masks_to_lend(const CgGroup *from, const char *category)
{
    GPtrArray *masks = masks_of(from, category);
    if (masks->len)
        return masks;
    g_ptr_array_unref(masks);
    return masks_of(from, NULL);
}

void cg_group_lend_masks(CgGroup *g, const CgGroup *from)
{
    g_autoptr(GPtrArray) masks = NULL;
    const char *category = NULL; /* whose MASKS are */
    for (guint i = 0; i < g->images->len; i++) {
        CgGroupImage *image = g_ptr_array_index(g->images, i);
        image->lent = !image->mask;
        if (image->mask)
            continue;
        if (!category || !g_str_equal(category, image->category)) {
            category = image->category;
            g_clear_pointer(&masks, g_ptr_array_unref);
            masks = masks_to_lend(from, category);
        }
        CgRng rng = cg_rng(cg_rng_named_seed(0, image->name), CG_STREAM_PAIRS);
        if (masks->len)
            image->mask =
                g_strdup(g_ptr_array_index(masks, (guint)cg_rng_int(&rng, 0, (int)masks->len - 1)));
    }
}

CgImage *cg_group_fit_mask(const CgImage *mask, const char *mask_path, const CgImage *image,
                           const char *image_path, gboolean lent, GError **error)
{
    if (lent)
        return cg_image_resize_nearest(mask, image->width, image->height);
    if (mask->width == image->width && mask->height == image->height)
        return cg_image_copy(mask);
    g_set_error(error, CG_ERROR, CG_ERROR_SHAPE, "%s: %dx%d, but %s is %dx%d", mask_path,
                mask->width, mask->height, image_path, image->width, image->height);
    return NULL;
}

CgImage *cg_group_crop(const CgImage *image, const CgImage *mask)
{
    int left = image->width, top = image->height, right = -1, bottom = -1;
    for (int y = 0; mask && y < mask->height; y++)
        for (int x = 0; x < mask->width; x++)
            if (mask->pixels[(size_t)y * (size_t)mask->width + (size_t)x]) {
                left = MIN(left, x);
                right = MAX(right, x);
                top = MIN(top, y);
                bottom = MAX(bottom, y);
            }
    if (right < 0)
        return cg_image_copy(image);
    const int longer = MAX(right - left, bottom - top) + 1;
    const int wanted = MAX(longer * 3 / 2, MAX(image->width, image->height) / 4);
    const int side = MIN(wanted, MIN(image->width, image->height));
    const int x = CLAMP((left + right + 1 - side) / 2, 0, image->width - side);
    const int y = CLAMP((top + bottom + 1 - side) / 2, 0, image->height - side);
    return cg_image_crop(image, x, y, side, side);
}
