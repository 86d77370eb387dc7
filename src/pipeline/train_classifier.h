/* train_classifier: a ResNet that tells defect types apart, from scratch or from given weights.
 *
 * Sample NUMBER is a function of (seed, NUMBER): a class is drawn, then one of its pictures, both
 * with replacement, so that rare types are seen as often as others; half of them are mirrored.
 */
#ifndef CG_PIPELINE_TRAIN_CLASSIFIER_H
#define CG_PIPELINE_TRAIN_CLASSIFIER_H

#include "pipeline/labelled.h"
#include "pipeline/trainer.h"

typedef struct {
    CgLabelledSource data;
    const char *const *synthetic; /* folders of generated images, all of which are taken, ended by
                                   * NULL; NULL: none */
    gboolean binary;              /* two classes: good and anomalous */
    const char *weights;          /* what to begin with; NULL: from scratch */
    int depth, width;             /* 18 or 34, 64; 0: those of the weights */
    int size;                     /* pixels of a side */
    gboolean window;              /* the parts around masks instead of whole pictures */
    gboolean flip;
    CgTrainSettings train;
} CgTrainClassifierOptions;

/* ResNet-18 of width 64, 224 pixels, 30 epochs of batches of 16, Adam with rate 1e-4, a fifth of it
 * after 80 % and again after 90 % of the steps, no decay, no clipping. An epoch is as many samples
 * as there are pictures. */
void cg_train_classifier_options_default(CgTrainClassifierOptions *options);

/* From the data to the classifier in OUT (pipeline/classifier.h) with OUT/state.safetensors. The
 * last step's weights are saved. PLAN_ONLY: says what it will take and stops. */
gboolean cg_train_classifier(CgEngine *engine, CgDType dtype,
                             const CgTrainClassifierOptions *options, gboolean plan_only,
                             CgTrainResult *result, GError **error);

#endif
