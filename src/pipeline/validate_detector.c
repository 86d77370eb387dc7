#include "pipeline/validate_detector.h"

#include "base/error.h"
#include "base/log.h"
#include "base/system.h"
#include "metrics/resample.h"

#include <math.h>

/* The score that images are called anomalous by, of COUNT pictures. */
static gboolean score(const CgDetector *d, CgDetectorSamples *samples, gboolean anomalous,
                      guint count, GArray *scores, GError **error)
{
    g_autoptr(CgProgress) progress =
        cg_progress_new(anomalous ? "made anomalies" : "held-out images", count);
    for (guint i = 0; i < count; i++) {
        g_autoptr(CgImage) image = NULL;
        if (!cg_cancel_check(error) ||
            !cg_detector_samples_validation(samples, i, anomalous, &image, error))
            return FALSE;
        if (!image) /* no anomaly would fit */
            continue;
        g_autoptr(CgMap) map = cg_detector_map(d, image, error);
        if (!map)
            return FALSE;
        const double value = (double)cg_mode_image_score(CG_MODE_DRAEM, map);
        g_array_append_val(scores, value);
        cg_progress_update(progress, i + 1, NULL);
    }
    return TRUE;
}

static json_t *describe(const CgOperatingPoint *p, guint normals, guint anomalies,
                        double false_alarms)
{
    json_t *object = json_pack("{s:f, s:s, s:i, s:i, s:f, s:f, s:f}", "image", p->threshold, "rule",
                               isnan(false_alarms) ? "f1" : "false_alarms", "normal_images",
                               (int)normals, "made_anomalies", (int)anomalies, "f1", p->f1, "found",
                               p->found, "false_alarms", p->false_alarms);
    if (!isnan(false_alarms))
        json_object_set_new(object, "target", json_real(false_alarms));
    return object;
}

static const double *numbers(const GArray *a)
{
    return (const double *)(const void *)a->data;
}

gboolean cg_detector_choose_threshold(CgEngine *engine, CgDType dtype, const char *folder,
                                      CgDetectorSamples *samples, double false_alarms,
                                      GError **error)
{
    const guint held = cg_detector_samples_held_out(samples);
    if (held == 0)
        return TRUE;
    g_autoptr(CgDetector) d = cg_detector_open(engine, dtype, folder, error);
    g_autoptr(GArray) normal = g_array_new(FALSE, FALSE, sizeof(double));
    g_autoptr(GArray) anomalous = g_array_new(FALSE, FALSE, sizeof(double));
    const guint anomalies = MAX(held, CG_VALIDATION_ANOMALIES);
    if (!d || !score(d, samples, FALSE, held, normal, error) ||
        !score(d, samples, TRUE, anomalies, anomalous, error))
        return FALSE;
    if (anomalous->len == 0) {
        cg_log_note("no threshold is chosen: the synthesis makes no anomalies");
        return TRUE;
    }
    const CgOperatingPoint p = cg_threshold_choose(numbers(normal), normal->len, numbers(anomalous),
                                                   anomalous->len, false_alarms);
    g_autoptr(json_t) json = describe(&p, normal->len, anomalous->len, false_alarms);
    cg_log_note("threshold %.4g: finds %.0f %% of %u made anomalies, with false alarms on %.0f %% "
                "of %u normal images that were held out",
                p.threshold, 100 * p.found, anomalous->len, 100 * p.false_alarms, normal->len);
    return cg_detector_save_threshold(folder, json, error);
}
