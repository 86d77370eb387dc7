/* train_detector: DRAEM, or a U-Net as a second opinion, trained on the normal images of one
 * category (and on generated defects). Both see the same samples in the same order.
 */
#ifndef CG_PIPELINE_TRAIN_DETECTOR_H
#define CG_PIPELINE_TRAIN_DETECTOR_H

#include "models/detector_network.h"
#include "pipeline/detector_samples.h"
#include "pipeline/trainer.h"

typedef struct {
    CgDetectorSamplesOptions samples; /* its seed is the training's */
    CgTrainSettings train;
    double false_alarms; /* of the threshold; NaN: the best F1 */
    CgDetectorKind network;
    int width; /* as cg_detector_network_config has it */
} CgTrainDetectorOptions;

/* DRAEM; no image is held out. The original's: 256 pixels, width 128, 700 epochs of batches of 8,
 * Adam with rate 1e-4, a fifth of it after 80 % and again after 90 % of the steps, no decay, no
 * clipping. An epoch is as many samples as there are normal images; its last batch is filled up
 * from the next epoch. */
void cg_train_detector_options_default(CgTrainDetectorOptions *options);

/* From the data to the detector in OUT (pipeline/detector.h) with OUT/state.safetensors. The last
 * step's weights are saved: nothing is chosen by looking at test images. PLAN_ONLY: says what it
 * will take and stops. */
gboolean cg_train_detector(CgEngine *engine, CgDType dtype, const CgTrainDetectorOptions *options,
                           gboolean plan_only, CgTrainResult *result, GError **error);

#endif
