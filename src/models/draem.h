/* draem: DRAEM's two networks (Zavrtanik et al. 2021; model_unet.py of its code).
 *
 * The reconstructive network paints a picture as if nothing were wrong with it; the discriminative
 * one, a U-Net, sees the reconstruction and the picture side by side and says for each pixel
 * whether they differ as a defect does. Parameters have the names of the original's two state
 * dictionaries, which have none in common. Pictures are in [0, 1], channels blue, green, red as the
 * original's (it reads with OpenCV), and nothing is subtracted.
 */
#ifndef CG_MODELS_DRAEM_H
#define CG_MODELS_DRAEM_H

#include "base/json.h"
#include "nn/layers.h"

#define CG_DRAEM_MAX_WIDTH 1024
#define CG_DRAEM_MULTIPLE  32 /* sides of pictures: five halvings */
#define CG_DRAEM_MAX_SIDE  4096

typedef struct {
    int reconstructive_width; /* channels at full size: 128 in the original */
    int discriminative_width; /* 64 */
} CgDraemConfig;

/* conv, norm, ReLU, twice. */
typedef struct {
    CgConv conv1, conv2;
    CgBatchNorm norm1, norm2;
} CgDraemBlock;

/* Twice as large (bilinear, corners on corners), conv, norm, ReLU. */
typedef struct {
    CgConv conv;
    CgBatchNorm norm;
} CgDraemUp;

typedef struct {
    CgDraemConfig config;
    CgParameterSet parameters;
    CgDraemBlock encoder[5], decoder[4]; /* reconstructive; no skips */
    CgDraemUp up[4];
    CgConv out;
    CgDraemBlock segment_encoder[6], segment_decoder[5]; /* discriminative */
    CgDraemUp segment_up[5];
    CgConv segment_out;
} CgDraem;

/* The original's: 128 and 64. */
void cg_draem_config_default(CgDraemConfig *config);
/* WIDTH (even) for the reconstructive network and half of it for the other. */
CgDraemConfig cg_draem_config_of_width(int width);
gboolean cg_draem_config_parse(const json_t *object, const char *where, CgDraemConfig *config,
                               GError **error);
json_t *cg_draem_config_to_json(const CgDraemConfig *config);

/* Binds all layers to B (structure only when B has no set). */
void cg_bind_draem(CgBinder *b, CgDraem *d);
/* CONFIG is copied. */
CgDraem *cg_draem_new(const CgBuild *build, const CgDraemConfig *config, GError **error);
void cg_draem_free(CgDraem *d);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgDraem, cg_draem_free)

/* PICTURE [n, h, w, 3] f32, sides multiples of 32. *RECONSTRUCTION [n, h, w, 3] and *LOGITS
 * [n, h, w, 2] (normal, anomalous), both f32. TRAINING: batch norms take the batch's statistics;
 * the reconstruction is not detached, so both networks learn from the logits. */
void cg_draem_forward(CgContext *cx, const CgDraem *d, CgTensor *picture, gboolean training,
                      CgTensor **reconstruction, CgTensor **logits);

/* The original's losses of a training batch, whose sum is returned: MSE, 1 - SSIM (of the
 * reconstruction, against CLEAN, as PICTURE) and the focal loss of the logits (MASK [n, h, w, 1] of
 * 0 and 1). PARTS (nullable) gets the three. */
CgTensor *cg_draem_loss(CgContext *cx, const CgDraem *d, CgTensor *clean, CgTensor *picture,
                        CgTensor *mask, double parts[3]);

/* What the original begins with: convolutions normal with deviation 0.02, their biases uniform
 * within 1 / sqrt(fan in) (torch's default), norms' scales normal about 1 with deviation 0.02,
 * their shifts 0. A CgParameterLookup with a CgDraemInitial as its source; each tensor follows from
 * seed and name. */
typedef struct {
    guint64 seed;
    int64_t fan_in; /* of the convolution that was asked for last; 0: a norm was */
} CgDraemInitial;
CgTensor *cg_draem_initial_weights(void *initial, const char *name, const CgShape *want,
                                   GPtrArray *problems);

/* Whether NAME is the reconstructive network's (encoder.*, decoder.*). */
gboolean cg_draem_is_reconstructive(const char *name);

#endif
