#include "pipeline/quality.h"

#include "base/error.h"
#include "base/log.h"
#include "embedding/frechet.h"
#include "embedding/inception_score.h"

#include <math.h>

static void row_clear(gpointer data)
{
    cg_clusters_clear(&((CgQualityRow *)data)->clusters);
}

void cg_quality_clear(CgQuality *q)
{
    g_clear_pointer(&q->rows, g_array_unref);
}

static CgGroup *nth_group(const CgQuality *q, guint i)
{
    return g_ptr_array_index(q->groups, i);
}

static gboolean is_given(const CgGroup *g)
{
    return g->images->len == 0;
}

/* ---- one view */

static gboolean describe(const CgQuality *q, CgGroup *g, CgGroupView view, CgEstimate *inception,
                         GError **error)
{
    g_autoptr(CgTensor) logits = NULL;
    *inception = cg_estimate(NAN, NAN);
    if (is_given(g))
        return TRUE;
    if (!q->classifier)
        return cg_group_describe_pixels(g, view, error);
    if (!cg_group_describe(g, q->classifier, view, &logits, error))
        return FALSE;
    *inception = cg_inception_score(cg_tensor_f32(logits), (size_t)logits->shape.d[0],
                                    (size_t)logits->shape.d[1]);
    return TRUE;
}

static gboolean compare(const CgQuality *q, CgQualityRow *row, GError **error)
{
    const CgKernelOptions kernel = {.draws = q->draws, .seed = q->seed};
    const CgFeatures *f = nth_group(q, row->group)->features;
    const CgFeatures *real = nth_group(q, q->real)->features;
    row->frechet = cg_estimate(NAN, NAN);
    row->kernel = (CgKernelDistance){NAN, NAN, NAN, NAN, NAN};
    return row->group == q->real || (cg_frechet_estimate(f, real, &row->frechet, error) &&
                                     cg_kernel_distance(f, real, &kernel, &row->kernel, error));
}

static gboolean gather(const CgQuality *q, const CgFeatures *shots, CgQualityRow *row,
                       GError **error)
{
    row->clusters = (CgClusters){.diversity = cg_estimate(NAN, NAN)};
    if (!shots || row->group == q->real || (int)row->group == q->good)
        return TRUE;
    g_autoptr(CgFeatures) vectors =
        cg_group_perceive(nth_group(q, row->group), q->engine, q->lpips, q->side, row->view, error);
    return vectors && cg_clusters_measure(vectors, shots, &row->clusters, error);
}

static gboolean measure_view(CgQuality *q, CgGroupView view, GError **error)
{
    const CgGroup *shots = q->shots ? q->shots : nth_group(q, q->real);
    g_autoptr(CgFeatures) around = NULL;
    const guint first = q->rows->len;
    for (guint i = 0; i < q->groups->len; i++) {
        CgQualityRow row = {.group = i, .view = view};
        if (!describe(q, nth_group(q, i), view, &row.inception, error))
            return FALSE;
        g_array_append_val(q->rows, row);
    }
    if (q->lpips && !(around = cg_group_perceive(shots, q->engine, q->lpips, q->side, view, error)))
        return FALSE;
    for (guint i = 0; i < q->groups->len; i++) {
        CgQualityRow *row = &g_array_index(q->rows, CgQualityRow, first + i);
        if (!compare(q, row, error) || !gather(q, around, row, error)) {
            g_prefix_error(error, "%s: ", nth_group(q, i)->name);
            return FALSE;
        }
    }
    return TRUE;
}

/* ---- all */

static void warn_of_missing_masks(const CgGroup *g)
{
    guint missing = 0;
    for (guint i = 0; i < g->images->len; i++)
        missing += cg_group_image(g, i)->mask == NULL;
    if (missing)
        cg_log_warning("%s: %u of %u pictures have no mask and are taken whole", g->path, missing,
                       g->images->len);
}

static gboolean check_given(const CgQuality *q, gboolean *any, GError **error)
{
    *any = FALSE;
    for (guint i = 0; i < q->groups->len; i++)
        *any = *any || is_given(nth_group(q, i));
    if (!*any || !q->lpips)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_USAGE,
                "LPIPS looks at pictures; files of features have none");
    return FALSE;
}

gboolean cg_quality_measure(CgQuality *q, GError **error)
{
    gboolean given;
    if (!check_given(q, &given, error))
        return FALSE;
    q->rows = g_array_new(FALSE, TRUE, sizeof(CgQualityRow));
    g_array_set_clear_func(q->rows, row_clear);
    if (given)
        return measure_view(q, CG_VIEW_WHOLE, error);
    if (q->views[CG_VIEW_WINDOW] || q->views[CG_VIEW_MASKED])
        for (guint i = 0; i < q->groups->len; i++)
            warn_of_missing_masks(nth_group(q, i));
    for (int view = 0; view < CG_VIEW_COUNT; view++)
        if (q->views[view] && !measure_view(q, (CgGroupView)view, error))
            return FALSE;
    return TRUE;
}
