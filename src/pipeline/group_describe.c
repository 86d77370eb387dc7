/* Pictures of a group as numbers. */
#include "pipeline/group.h"

#include "base/error.h"
#include "base/log.h"
#include "base/size.h"
#include "base/system.h"

#include <math.h>
#include <string.h>

#define BATCH 32

/* ---- views */

const char *cg_group_view_name(CgGroupView view)
{
    static const char *const names[CG_VIEW_COUNT] = {"whole", "window", "masked"};
    return names[view];
}

/* All of IMAGE outside MASK in ImageNet's mean colour. */
static void blank_outside(CgImage *image, const CgImage *mask)
{
    static const guint8 colour[3] = {124, 116, 104};
    for (size_t i = 0; i < (size_t)mask->width * (size_t)mask->height; i++)
        if (!mask->pixels[i])
            memcpy(image->pixels + 3 * i, colour, 3);
}

static CgImage *load_mask(const CgGroupImage *source, const CgImage *image, GError **error)
{
    g_autoptr(CgImage) mask = cg_image_load_mask(source->mask, error);
    return mask ? cg_group_fit_mask(mask, source->mask, image, source->image, source->lent, error)
                : NULL;
}

CgImage *cg_group_load(const CgGroup *g, guint i, CgGroupView view, GError **error)
{
    const CgGroupImage *source = cg_group_image(g, i);
    g_autoptr(CgImage) image = cg_image_load(source->image, NULL, error);
    if (!image)
        return NULL;
    g_autoptr(CgImage) rgb = cg_image_to_rgb(image);
    if (view == CG_VIEW_WHOLE || !source->mask)
        return g_steal_pointer(&rgb);
    g_autoptr(CgImage) mask = load_mask(source, image, error);
    if (!mask)
        return NULL;
    if (view == CG_VIEW_MASKED)
        blank_outside(rgb, mask);
    return cg_group_crop(rgb, mask);
}

/* ---- pixels */

static gboolean describe_pixels(const CgGroup *g, guint i, CgGroupView view, float *row,
                                GError **error)
{
    g_autoptr(CgImage) part = cg_group_load(g, i, view, error);
    if (!part)
        return FALSE;
    g_autoptr(CgImage) small = cg_image_resize(part, CG_GROUP_PIXELS, CG_GROUP_PIXELS);
    for (int k = 0; k < 3 * CG_GROUP_PIXELS * CG_GROUP_PIXELS; k++)
        row[k] = small->pixels[k] / 255.0f;
    return TRUE;
}

static void take_features(CgGroup *g, CgFeatures *f)
{
    cg_features_free(g->features);
    g->features = f;
}

gboolean cg_group_describe_pixels(CgGroup *g, CgGroupView view, GError **error)
{
    g_autoptr(CgFeatures) f =
        cg_features_new(g->images->len, 3 * CG_GROUP_PIXELS * CG_GROUP_PIXELS);
    GError *first = NULL;
#pragma omp parallel for schedule(dynamic) num_threads(cg_threads())
    for (guint i = 0; i < g->images->len; i++) {
        GError *mine = NULL;
        if (!g_atomic_pointer_get(&first) && cg_cancel_check(&mine) &&
            describe_pixels(g, i, view, cg_features_row(f, i), &mine))
            continue;
#pragma omp critical(cg_group_error)
        if (mine && !first)
            g_atomic_pointer_set(&first, g_steal_pointer(&mine));
        g_clear_error(&mine);
    }
    if (first) {
        g_propagate_error(error, first);
        return FALSE;
    }
    take_features(g, g_steal_pointer(&f));
    return TRUE;
}

/* ---- networks */

/* COUNT pictures from FIRST on, squeezed to SIDE x SIDE, read by all threads. */
static GPtrArray *load_batch(const CgGroup *g, guint first, guint count, int side, CgGroupView view,
                             GError **error)
{
    g_autoptr(GPtrArray) images = g_ptr_array_new_with_free_func((GDestroyNotify)cg_image_free);
    g_autofree GError **errors = g_new0(GError *, count);
    gboolean ok = TRUE;
    g_ptr_array_set_size(images, (gint)count);
#pragma omp parallel for schedule(dynamic) num_threads(cg_threads())
    for (guint i = 0; i < count; i++) {
        g_autoptr(CgImage) part = cg_group_load(g, first + i, view, &errors[i]);
        images->pdata[i] = part ? cg_image_resize(part, side, side) : NULL;
    }
    for (guint i = 0; i < count; i++) {
        if (ok && errors[i]) {
            ok = FALSE;
            g_propagate_error(error, g_steal_pointer(&errors[i]));
        }
        g_clear_error(&errors[i]);
    }
    return ok ? g_steal_pointer(&images) : NULL;
}

static void copy_rows(CgTensor *to, guint first, const CgTensor *from)
{
    memcpy(cg_tensor_f32(to) + first * (size_t)from->shape.d[1], from->data, cg_tensor_bytes(from));
}

static gboolean describe_batch(const CgGroup *g, const CgClassifier *classifier, guint first,
                               guint count, CgGroupView view, CgTensor *features, CgTensor *logits,
                               GError **error)
{
    g_autoptr(CgTensor) found = NULL, answer = NULL;
    g_autoptr(GPtrArray) images = load_batch(g, first, count, classifier->input.size, view, error);
    if (!images || !cg_classifier_run(classifier, (const CgImage *const *)images->pdata, count,
                                      &found, &answer, error))
        return FALSE;
    copy_rows(features, first, found);
    copy_rows(logits, first, answer);
    return TRUE;
}

gboolean cg_group_describe(CgGroup *g, const CgClassifier *classifier, CgGroupView view,
                           CgTensor **logits, GError **error)
{
    const guint n = g->images->len;
    const CgResnetClassifierConfig *config = &classifier->model->config;
    g_autoptr(CgTensor) features =
        cg_tensor_new(CG_F32, CG_SHAPE(n, cg_resnet_classifier_feature_count(config)));
    g_autoptr(CgTensor) answers = cg_tensor_new(CG_F32, CG_SHAPE(n, config->classes));
    g_autoptr(CgProgress) progress = cg_progress_new("features", n);
    for (guint i = 0; i < n; i += BATCH) {
        const guint count = MIN(BATCH, n - i);
        if (!cg_cancel_check(error) ||
            !describe_batch(g, classifier, i, count, view, features, answers, error))
            return FALSE;
        cg_progress_update(progress, i + count, g->name);
    }
    CgFeatures *f = cg_features_new(n, (size_t)features->shape.d[1]);
    memcpy(f->values, features->data, cg_tensor_bytes(features));
    take_features(g, f);
    if (logits)
        *logits = g_steal_pointer(&answers);
    return TRUE;
}

/* ---- LPIPS */

#define PERCEIVED 8 /* pictures at once: VGG-16's first layers are large */

static gboolean check_memory(const CgGroup *g, size_t width, GError **error)
{
    size_t bytes;
    if (cg_size_mul(width * sizeof(float), g->images->len, &bytes) &&
        bytes <= cg_memory_available())
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_MEMORY,
                "the LPIPS vectors of %u pictures take %.1f GB, more than is free; take fewer or "
                "smaller pictures (--count, --side)",
                g->images->len, (double)width * sizeof(float) * g->images->len / 1e9);
    return FALSE;
}

static gboolean perceive_batch(const CgGroup *g, CgContext *cx, const CgLpips *lpips, int side,
                               CgGroupView view, guint first, guint count, CgFeatures *f,
                               GError **error)
{
    g_autoptr(GPtrArray) images = load_batch(g, first, count, side, view, error);
    if (!images)
        return FALSE;
    g_autoptr(CgTensor) batch = cg_tensor_new(CG_F32, CG_SHAPE(count, side, side, 3));
    for (guint i = 0; i < count; i++) {
        g_autoptr(CgTensor) one = cg_image_to_tensor(images->pdata[i]);
        memcpy(cg_tensor_f32(batch) + i * one->count, one->data, cg_tensor_bytes(one));
    }
    float *vectors = cg_features_row(f, first);
    if (!cg_lpips_describe(cx, lpips, batch, vectors, error))
        return FALSE;
    for (size_t k = 0; k < count * f->width; k++)
        if (!isfinite(vectors[k])) {
            g_set_error(error, CG_ERROR, CG_ERROR_NUMERIC, "what LPIPS says of %s is not finite",
                        cg_group_image(g, first + (guint)(k / f->width))->image);
            return FALSE;
        }
    return TRUE;
}

CgFeatures *cg_group_perceive(const CgGroup *g, CgEngine *engine, const CgLpips *lpips, int side,
                              CgGroupView view, GError **error)
{
    const guint n = g->images->len;
    const size_t width = cg_lpips_vector_size(lpips, side);
    if (!check_memory(g, width, error))
        return NULL;
    g_autoptr(CgFeatures) f = cg_features_new(n, width);
    g_autoptr(CgProgress) progress = cg_progress_new("LPIPS", n);
    CgContext cx;
    cg_context_init(&cx, engine, CG_F32);
    for (guint i = 0; i < n; i += PERCEIVED) {
        const guint count = MIN(PERCEIVED, n - i);
        if (!cg_cancel_check(error) ||
            !perceive_batch(g, &cx, lpips, side, view, i, count, f, error))
            return NULL;
        cg_progress_update(progress, i + count, g->name);
    }
    return g_steal_pointer(&f);
}
