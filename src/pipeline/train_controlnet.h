/* train_controlnet: stage 1 of the paper: a ControlNet learns from a few images per defect type to
 * paint what the prompt says where the mask says; the model beneath stays as it is.
 */
#ifndef CG_PIPELINE_TRAIN_CONTROLNET_H
#define CG_PIPELINE_TRAIN_CONTROLNET_H

#include "pipeline/shots.h"
#include "pipeline/trainer.h"

#define CG_TRAIN_MAX_SIZE 4096 /* pixels of a side */

typedef struct {
    CgModelPaths model; /* its controlnet, if any, is gone on from; else it begins as the U-Net */
    CgShotsOptions shots;
    CgTrainSettings train;
    double dropout; /* share of samples whose prompt is left out, for guidance */
    /* How much more than others the latent cells weigh that the mask touches: small defects would
     * be a small part of the loss. 0 in the paper. */
    double mask_weight;
    double min_snr; /* gamma of min-SNR weighting; 0: all timesteps weigh the same (eq. 1) */
    gboolean lean;  /* the U-Net's weights are packed at each use */
    CgDType save_dtype;
    /* A rank above 0: of what the ControlNet has from the U-Net only low-rank additions to the
     * attention projections are trained. What is its own is trained in full, for it begins at zero
     * or at random. */
    CgLora lora;
    /* The pictures of a watch: SAMPLES of them, STEPS of DDIM each. */
    int sample_count, sample_steps;
    double guidance;
} CgTrainControlnetOptions;

/* Defaults: the paper's 3 shots and 1000 epochs with the recipe of diffusers' train_controlnet.py.
 */
void cg_train_controlnet_options_default(CgTrainControlnetOptions *options);

/* Everything from the model's files to the trained ControlNet in OUT (diffusers' layout), with
 * OUT/shots.json (the split), OUT/state.safetensors, OUT/journal.jsonl, OUT/samples/; with LoRA the
 * ControlNet has the additions merged, and OUT/pytorch_lora_weights.safetensors has them alone.
 * PLAN_ONLY: says what it will take and stops. */
gboolean cg_train_controlnet(CgEngine *engine, CgDType dtype,
                             const CgTrainControlnetOptions *options, gboolean plan_only,
                             CgTrainResult *result, GError **error);

#endif
