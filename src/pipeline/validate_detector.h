/* validate_detector: a detector's threshold, chosen without a single real defect.
 *
 * Normal images that were held out of the training are scored as they are, and as many as
 * CG_VALIDATION_ANOMALIES times with an anomaly of the training's synthesis, drawn by a seed of
 * their own. What is chosen (metrics/threshold.h) stands in the detector's config.json:
 *
 *     "threshold": {"image": 0.231, "rule": "f1", "normal_images": 10, "made_anomalies": 64,
 *                   "f1": 0.93, "found": 0.95, "false_alarms": 0.1}
 *
 * Made anomalies are not real ones: it is a beginning, and detect test says how far from the best.
 */
#ifndef CG_PIPELINE_VALIDATE_DETECTOR_H
#define CG_PIPELINE_VALIDATE_DETECTOR_H

#include "metrics/threshold.h"
#include "pipeline/detector.h"
#include "pipeline/detector_samples.h"

#define CG_VALIDATION_ANOMALIES 64 /* at least; and one of each held-out image */

/* Scores SAMPLES' held-out images with the detector in FOLDER and writes the threshold there; says
 * in the log what it is. Without held-out images, or with a synthesis that makes nothing, it writes
 * none. FALSE_ALARMS: as of cg_threshold_choose. */
gboolean cg_detector_choose_threshold(CgEngine *engine, CgDType dtype, const char *folder,
                                      CgDetectorSamples *samples, double false_alarms,
                                      GError **error);

#endif
