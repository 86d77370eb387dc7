/* detector_network: what finds defects in pictures: DRAEM, or a U-Net as a second opinion.
 *
 *     kind   what it is                                     learns from
 *     draem  DRAEM's two networks (models/draem.h)          clean and spoilt pictures, masks
 *     unet   its discriminative network on the picture      spoilt pictures, masks
 *            alone (models/segmenter.h)
 *
 * Both see the same pictures ([0, 1]; blue, green, red), begin with the same distributions, and
 * answer with two logits for each pixel. The U-Net learns by the focal loss that DRAEM's
 * discriminative network does, as in AnomalyDiffusion's train-localization.py: defects are a few
 * per cent of the pixels, and a pixel's probability means the same in both.
 */
#ifndef CG_MODELS_DETECTOR_NETWORK_H
#define CG_MODELS_DETECTOR_NETWORK_H

#include "models/draem.h"

#define CG_DETECTOR_MULTIPLE  CG_SEGMENTER_MULTIPLE
#define CG_DETECTOR_MAX_WIDTH CG_SEGMENTER_MAX_WIDTH
#define CG_DETECTOR_MAX_SIDE  4096

typedef enum { CG_DETECTOR_DRAEM, CG_DETECTOR_UNET } CgDetectorKind;

gboolean cg_detector_kind_parse(const char *text, CgDetectorKind *kind); /* "draem", "unet" */
const char *cg_detector_kind_name(CgDetectorKind kind);
/* Whether TEXT is the "_class_name" of one's configuration. */
gboolean cg_detector_is_class_name(const char *text);

typedef struct {
    CgDetectorKind kind;
    CgDraemConfig draem; /* of this kind alone */
    int unet_width;      /* of this: channels at full size */
} CgDetectorNetworkConfig;

/* WIDTH: of DRAEM's reconstructive network (even; the other has half of it), or of the U-Net. */
CgDetectorNetworkConfig cg_detector_network_config(CgDetectorKind kind, int width);
/* The original's: 128 and 64. */
int cg_detector_default_width(CgDetectorKind kind);
/* CG_ERROR_UNSUPPORTED where "_class_name" is neither DRAEM nor UNetSegmenter. */
gboolean cg_detector_network_config_parse(const json_t *object, const char *where,
                                          CgDetectorNetworkConfig *config, GError **error);
json_t *cg_detector_network_config_to_json(const CgDetectorNetworkConfig *config);

typedef struct {
    CgDetectorNetworkConfig config;
    CgParameterSet parameters;
    CgDraem draem; /* the one of the configuration's kind is bound */
    CgSegmenter unet;
} CgDetectorNetwork;

/* Binds all layers to B by the network's configuration. */
void cg_bind_detector_network(CgBinder *b, CgDetectorNetwork *d);
/* CONFIG is copied. */
CgDetectorNetwork *cg_detector_network_new(const CgBuild *build,
                                           const CgDetectorNetworkConfig *config, GError **error);
void cg_detector_network_free(CgDetectorNetwork *d);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgDetectorNetwork, cg_detector_network_free)

/* PICTURE [n, h, w, 3] f32, sides multiples of 32 -> logits [n, h, w, 2] f32 (normal, anomalous),
 * by the running statistics. */
CgTensor *cg_detector_network_logits(CgContext *cx, const CgDetectorNetwork *d, CgTensor *picture);

/* The loss of a training batch: DRAEM's (cg_draem_loss), or the focal loss alone, which CLEAN is
 * nothing to. */
CgTensor *cg_detector_network_loss(CgContext *cx, const CgDetectorNetwork *d, CgTensor *clean,
                                   CgTensor *picture, CgTensor *mask);

/* What DRAEM's code begins with: convolutions normal with deviation 0.02, their biases uniform
 * within 1 / sqrt(fan in) (torch's default), norms' scales normal about 1 with deviation 0.02,
 * their shifts 0. A CgParameterLookup with a CgDetectorInitial as its source; each tensor follows
 * from seed and name. */
typedef struct {
    guint64 seed;
    int64_t fan_in; /* of the convolution that was asked for last; 0: a norm was */
} CgDetectorInitial;
CgTensor *cg_detector_initial_weights(void *initial, const char *name, const CgShape *want,
                                      GPtrArray *problems);

#endif
