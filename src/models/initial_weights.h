/* initial_weights: the numbers that a model begins with when it is trained from scratch.
 *
 * Each tensor is a function of seed, component and name. A layer's bias is asked for right after
 * its matrix, as binders do. The distributions are those that the reference begins with:
 *
 * - U-Net, VAE (torch's defaults): convolutions, linear layers and their biases uniform within
 *   1 / sqrt(fan in); norms 1 and 0.
 * - CLIP (transformers CLIPPreTrainedModel._init_weights, factor 1): normal, with deviation 0.02
 * for embeddings, width^-1/2 (2 layers)^-1/2 for queries, keys, values and the second MLP matrix,
 *   width^-1/2 for the attention's output, (2 width)^-1/2 for the first MLP matrix; biases 0.
 * - ControlNet (diffusers ControlNetModel.from_unet): what the U-Net has too is the U-Net's, the
 *   zero convolutions and the condition embedding's last are 0, its others as above.
 */
#ifndef CG_MODELS_INITIAL_WEIGHTS_H
#define CG_MODELS_INITIAL_WEIGHTS_H

#include "models/tensor_names.h"
#include "nn/parameters.h"

typedef struct {
    CgComponent component;
    guint64 seed;
    int layers;             /* CLIP: of the text encoder */
    CgParameterLookup unet; /* ControlNet: the U-Net that it is copied from .. */
    void *unet_source;      /* .. which is never told that binding is over */
    /* The matrix that was asked for last: a bias needs its fan in. */
    char layer[256];
    gint64 fan_in;
} CgInitialWeights;

/* A CgParameterLookup with a CgInitialWeights as its source. */
CgTensor *cg_initial_weights_lookup(void *initial_weights, const char *name, const CgShape *want,
                                    GPtrArray *problems);

#endif
