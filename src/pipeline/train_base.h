/* train_base: a text encoder and a U-Net from scratch on pictures with texts, in the latents of an
 * autoencoder that stays as it is; or an existing model trained further on other pictures.
 *
 *     OUT/model/                    the whole model in diffusers' layout
 *     OUT/state.safetensors, OUT/samples/step-00001000.png
 *
 * The tokenizer's vocabulary is made from the texts. Latents' moments and token ids are computed
 * once; every sample's latent, noise, timestep and whether it loses its text are drawn from the
 * seed and its number.
 */
#ifndef CG_PIPELINE_TRAIN_BASE_H
#define CG_PIPELINE_TRAIN_BASE_H

#include "datasets/captions.h"
#include "pipeline/model.h"
#include "pipeline/trainer.h"

typedef struct {
    const char *data; /* see datasets/captions.h */
    CgCaptionRules rules;
    const char *from;   /* model to go on from; NULL: from scratch .. */
    const char *vae;    /* .. in the latents of this autoencoder (cagen train vae's OUT/vae) .. */
    const char *config; /* .. with the sizes of DIR/unet/config.json and
                           DIR/text_encoder/config.json; NULL: the default ones */
    int vocabulary;     /* entries of the tokenizer, at most */
    int tokens;         /* ids in a prompt's frame */
    int size;           /* pixels a side; 0: the autoencoder's sample_size */
    gboolean flip;      /* half the pictures left and right exchanged */
    double dropout;     /* share of samples whose text is left out, for guidance */
    double min_snr;     /* gamma of min-SNR weighting; 0: all timesteps weigh the same */
    /* With FROM and a rank above 0: what is trained are low-rank additions to the U-Net's attention
     * projections; the rest of the model stays as it is. */
    CgLora lora;
    gboolean lean; /* with LoRA: what is not trained is read from its files at each use */
    CgDType save_dtype;
    /* The pictures of a watch: SAMPLES of them, STEPS of DDIM each. */
    int sample_count, sample_steps;
    double guidance;
    CgTrainSettings train;
} CgTrainBaseOptions;

void cg_train_base_options_default(CgTrainBaseOptions *options);

/* The default sizes, for latents of LATENT_CHANNELS and SIDE: 3 levels of 64, 128, 128 channels,
 * attention in the lower two; a text encoder of 2 layers, 128 wide. */
void cg_train_base_default_unet(int latent_channels, int side, CgUnetConfig *config);
void cg_train_base_default_text(CgClipTextConfig *config);

/* The model is in OUT/model; of a LoRA with the additions merged, and OUT/pytorch_lora_weights
 * .safetensors has them alone. PLAN_ONLY: says what it will take and stops. */
gboolean cg_train_base(CgEngine *engine, CgDType dtype, const CgTrainBaseOptions *options,
                       gboolean plan_only, CgTrainResult *result, GError **error);

#endif
