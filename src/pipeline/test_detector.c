#include "pipeline/test_detector.h"

#include "base/error.h"
#include "base/log.h"
#include "base/system.h"
#include "metrics/pairs.h"

static gboolean test_sample(const CgDetectorTest *t, const CgSample *sample, CgEvaluation *e,
                            GError **error)
{
    g_autoptr(CgImage) image = cg_image_load(sample->image, NULL, error), mask = NULL;
    if (!image)
        return FALSE;
    g_autoptr(CgMap) map = cg_detector_map(t->detector, image, error);
    const CgPair pair = {.category = sample->category, .defect = sample->defect, .sample = *sample};
    if (!map || !cg_pair_load_mask(&pair, image->width, image->height, &mask, error) ||
        (t->scored && !t->scored(t->data, sample, image, map, error)))
        return FALSE;
    const CgEvaluated evaluated = {.name = sample->image,
                                   .defect = sample->defect,
                                   .few_shot =
                                       t->split && cg_split_has(t->split, t->dataset, sample),
                                   .map = map,
                                   .mask = mask};
    return cg_evaluation_add(e, &evaluated, error);
}

/* The test images of the category, by index. */
static GArray *list_samples(const CgDetectorTest *t, GError **error)
{
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(guint));
    for (guint i = 0; i < t->dataset->samples->len; i++) {
        const CgSample *s = cg_dataset_sample(t->dataset, i);
        if (s->split == CG_DATASET_TEST && g_str_equal(s->category, t->category))
            g_array_append_val(found, i);
    }
    if (found->len)
        return g_steal_pointer(&found);
    g_autofree char *name = cg_json_quote(t->category);
    g_set_error(error, CG_ERROR, CG_ERROR_MISSING,
                "%s: no test images of category %s; --category chooses another", t->dataset->root,
                name);
    return NULL;
}

gboolean cg_detector_test(const CgDetectorTest *t, CgEvaluation *e, GError **error)
{
    g_autoptr(GArray) samples = list_samples(t, error);
    if (!samples)
        return FALSE;
    g_autoptr(CgProgress) progress = cg_progress_new("images", samples->len);
    for (guint i = 0; i < samples->len; i++) {
        const CgSample *s = cg_dataset_sample(t->dataset, g_array_index(samples, guint, i));
        if (!cg_cancel_check(error) || !test_sample(t, s, e, error))
            return FALSE;
        cg_progress_update(progress, i + 1, s->defect);
    }
    return cg_evaluation_finish(e, error);
}
