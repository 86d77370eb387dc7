/* train_vae: an autoencoder from scratch, or an existing one trained further on other pictures.
 *
 *     OUT/vae/config.json, OUT/vae/diffusion_pytorch_model.safetensors
 *     OUT/state.safetensors, OUT/samples/step-00001000.png (held-out pictures above, what came back
 *     below)
 *
 * Some pictures are held out: one in 32, at most 64. The scaling factor is measured at the end:
 * 1 / the deviation of the latents of training pictures.
 */
#ifndef CG_PIPELINE_TRAIN_VAE_H
#define CG_PIPELINE_TRAIN_VAE_H

#include "datasets/captions.h"
#include "pipeline/trainer.h"
#include "pipeline/vae_loss.h"

typedef struct {
    const char *data; /* see datasets/captions.h; texts are not used */
    CgCaptionRules rules;
    const char *config; /* AutoencoderKL's config.json; NULL: that of FROM, or the default */
    const char *from;   /* folder of an autoencoder to go on from; NULL: from scratch */
    int size;           /* pixels a side; 0: the configuration's sample_size */
    gboolean flip;      /* half the pictures left and right exchanged */
    CgVaeLossWeights weights;
    CgDType save_dtype;
    CgTrainSettings train;
} CgTrainVaeOptions;

void cg_train_vae_options_default(CgTrainVaeOptions *options);

/* The default configuration: 64-pixel pictures, 4x4 pixels and 4 channels to a latent cell, 1.1
 * million parameters. */
void cg_train_vae_default_config(CgVaeConfig *config);

typedef struct {
    CgTrainResult train;
    guint64 pictures, held; /* trained with; held out */
    double psnr;            /* of the held-out pictures through the mean latent, dB, their mean */
    double scaling_factor;
} CgTrainVaeResult;

/* PLAN_ONLY: says what it will take and stops. */
gboolean cg_train_vae(CgEngine *engine, CgDType dtype, const CgTrainVaeOptions *options,
                      gboolean plan_only, CgTrainVaeResult *result, GError **error);

#endif
